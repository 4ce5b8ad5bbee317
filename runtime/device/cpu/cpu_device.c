// The CPU: kernels run in place on the host's memory, on a pool of threads. Nothing is asynchronous, so a stream holds
// nothing and an event has always happened.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/checked_math.h"
#include "runtime/device/cpu/cpu_feature.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/device/device_check.h"
#include "runtime/device/device_registry.h"

typedef struct cpu_device {
  genie_device_t base;
  genie_thread_pool_t *pool;
} cpu_device_t;

// A module's launches come from one thread at a time, so the module owns the scratch of all workers.
typedef struct cpu_module {
  uint8_t *code;  // mapped, readable and executable
  uint64_t mapped_bytes;
  uint64_t *kernel_offsets;
  uint32_t kernel_count;
  genie_device_memory_t scratch;
  uint64_t scratch_stride_bytes;
} cpu_module_t;

enum {
  kAlignment = 64,
  kHugePageBytes = 2 * 1024 * 1024,
  kPageBytes = 4096,
};

static cpu_device_t *cpu_device_of(genie_device_t *device) {
  return (cpu_device_t *)device;
}

static genie_status_t no_memory(uint64_t size_bytes) {
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no %llu bytes of memory",
                           (unsigned long long)size_bytes);
}

// ---- Memory ----

static bool is_mapped(uint64_t size_bytes) {
  return size_bytes >= kHugePageBytes;
}

// Maps whole huge pages: one TLB entry covers 2 MiB, and pages that are never touched cost nothing.
static void *map_huge(uint64_t size_bytes) {
  uint64_t mapped_bytes = 0;
  if (!genie_checked_align_u64(size_bytes, kHugePageBytes, &mapped_bytes) ||
      !genie_checked_add_u64(mapped_bytes, kHugePageBytes, &mapped_bytes)) {
    return NULL;
  }
  uint8_t *mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return NULL;
  }
  const uint64_t head_bytes = -(uintptr_t)mapped % kHugePageBytes;
  if (head_bytes > 0) {
    munmap(mapped, head_bytes);
  }
  munmap(mapped + mapped_bytes - (kHugePageBytes - head_bytes), kHugePageBytes - head_bytes);
  // A kernel without transparent huge pages gives small ones.
  (void)madvise(mapped + head_bytes, mapped_bytes - kHugePageBytes, MADV_HUGEPAGE);
  return mapped + head_bytes;
}

static genie_status_t memory_allocate(genie_device_t *device, uint64_t size_bytes, genie_device_memory_t *out_memory) {
  void *address = NULL;
  if (is_mapped(size_bytes)) {
    address = map_huge(size_bytes);
  } else {
    address = device->allocator.allocate(device->allocator.self, size_bytes == 0 ? 1 : size_bytes, kAlignment);
    if (address != NULL) {
      memset(address, 0, size_bytes);
    }
  }
  if (address == NULL) {
    return no_memory(size_bytes);
  }
  *out_memory = (genie_device_memory_t){.address = address, .size_bytes = size_bytes, .is_host_addressable = true};
  return GENIE_OK;
}

static void memory_free(genie_device_t *device, genie_device_memory_t *memory) {
  if (memory->address != NULL && is_mapped(memory->size_bytes)) {
    munmap(memory->address, (memory->size_bytes + kHugePageBytes - 1) & ~(uint64_t)(kHugePageBytes - 1));
  } else {
    genie_allocator_free(device->allocator, memory->address);
  }
  *memory = (genie_device_memory_t){0};
}

// ---- Modules ----

static void module_unload(genie_device_t *device, genie_device_module_t *opaque) {
  cpu_module_t *module = (cpu_module_t *)opaque;
  if (module == NULL) {
    return;
  }
  if (module->code != NULL) {
    munmap(module->code, module->mapped_bytes);
  }
  memory_free(device, &module->scratch);
  genie_allocator_free(device->allocator, module->kernel_offsets);
  genie_allocator_free(device->allocator, module);
}

// The code is never writable and executable at the same time.
static genie_status_t map_code(cpu_module_t *module, const void *code, uint64_t code_bytes) {
  if (code_bytes == 0) {
    return GENIE_OK;
  }
  uint64_t mapped_bytes = 0;
  if (!genie_checked_align_u64(code_bytes, kPageBytes, &mapped_bytes)) {
    return no_memory(code_bytes);
  }
  void *mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return no_memory(code_bytes);
  }
  module->code = mapped;
  module->mapped_bytes = mapped_bytes;
  memcpy(mapped, code, code_bytes);
  if (mprotect(mapped, mapped_bytes, PROT_READ | PROT_EXEC) != 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                             "the system forbids executable memory, which a plan's kernels need");
  }
  __builtin___clear_cache((char *)mapped, (char *)mapped + mapped_bytes);
  return GENIE_OK;
}

static genie_status_t fill_module(genie_device_t *device, cpu_module_t *module, const void *code, uint64_t code_bytes,
                                  const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes) {
  GENIE_RETURN_IF_ERROR(genie_device_check_code(code, code_bytes, kernel_offsets, kernel_count));
  void *offsets = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(device->allocator, kernel_count, sizeof(*kernel_offsets), &offsets));
  module->kernel_offsets = offsets;
  module->kernel_count = kernel_count;
  if (kernel_count > 0) {
    memcpy(offsets, kernel_offsets, kernel_count * sizeof(*kernel_offsets));
  }
  uint64_t total_bytes = 0;
  if (!genie_checked_align_u64(scratch_bytes, kPageBytes, &module->scratch_stride_bytes) ||
      !genie_checked_mul_u64(module->scratch_stride_bytes, device->worker_count, &total_bytes)) {
    return no_memory(scratch_bytes);
  }
  GENIE_RETURN_IF_ERROR(memory_allocate(device, total_bytes, &module->scratch));
  return map_code(module, code, code_bytes);
}

static genie_status_t module_load(genie_device_t *device, const void *code, uint64_t code_bytes,
                                  const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes,
                                  genie_device_module_t **out_module) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->allocator, 1, sizeof(cpu_module_t), &memory));
  cpu_module_t *module = memory;
  const genie_status_t status =
      fill_module(device, module, code, code_bytes, kernel_offsets, kernel_count, scratch_bytes);
  if (status != GENIE_OK) {
    module_unload(device, (genie_device_module_t *)module);
    return status;
  }
  *out_module = (genie_device_module_t *)module;
  return GENIE_OK;
}

// ---- Streams ----

// Everything has finished when its call returns: a stream and an event are names without contents.
static genie_status_t create_handle(genie_device_t *device, void **out_handle) {
  return genie_allocator_allocate_array(device->allocator, 1, 1, out_handle);
}

static genie_status_t stream_create(genie_device_t *device, genie_device_stream_t **out_stream) {
  return create_handle(device, (void **)out_stream);
}

static void stream_destroy(genie_device_t *device, genie_device_stream_t *stream) {
  genie_allocator_free(device->allocator, stream);
}

static genie_status_t event_create(genie_device_t *device, genie_device_event_t **out_event) {
  return create_handle(device, (void **)out_event);
}

static void event_destroy(genie_device_t *device, genie_device_event_t *event) {
  genie_allocator_free(device->allocator, event);
}

static genie_status_t launch(genie_device_t *device, genie_device_stream_t *stream, genie_device_module_t *opaque,
                             const genie_device_launch_t *launch) {
  (void)stream;
  const cpu_module_t *module = (const cpu_module_t *)opaque;
  const genie_thread_pool_work_t work = {
      .kernel = (genie_kernel_fn_t)(uintptr_t)(module->code + module->kernel_offsets[launch->kernel]),
      .args = launch->args,
      .dims = launch->dims,
      .scratch = module->scratch.address,
      .scratch_stride_bytes = module->scratch_stride_bytes,
      .task_count = launch->task_count,
      .least_tasks = launch->least_tasks,
  };
  genie_thread_pool_run(cpu_device_of(device)->pool, &work);
  return GENIE_OK;
}

static genie_status_t copy(genie_device_t *device, genie_device_stream_t *stream, void *destination, const void *source,
                           uint64_t size_bytes) {
  (void)device;
  (void)stream;
  if (size_bytes > 0) {
    memmove(destination, source, size_bytes);
  }
  return GENIE_OK;
}

static genie_status_t zero(genie_device_t *device, genie_device_stream_t *stream, void *address, uint64_t size_bytes) {
  (void)device;
  (void)stream;
  if (size_bytes > 0) {
    memset(address, 0, size_bytes);
  }
  return GENIE_OK;
}

static genie_status_t event_nothing(genie_device_t *device, genie_device_stream_t *stream,
                                    genie_device_event_t *event) {
  (void)device;
  (void)stream;
  (void)event;
  return GENIE_OK;
}

static genie_status_t stream_synchronize(genie_device_t *device, genie_device_stream_t *stream) {
  (void)device;
  (void)stream;
  return GENIE_OK;
}

static genie_status_t library_call(genie_device_t *device, genie_device_stream_t *stream, const char *function,
                                   const genie_device_launch_t *launch) {
  (void)device;
  (void)stream;
  (void)launch;
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "the CPU device has no library function '%.64s'", function);
}

static void destroy(genie_device_t *base) {
  cpu_device_t *device = cpu_device_of(base);
  genie_thread_pool_destroy(device->pool);
  genie_allocator_free(base->allocator, device);
}

static const genie_device_ops_t kOps = {
    .destroy = destroy,
    .memory_allocate = memory_allocate,
    .memory_free = memory_free,
    .module_load = module_load,
    .module_unload = module_unload,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .launch = launch,
    .copy = copy,
    .event_record = event_nothing,
    .event_wait = event_nothing,
    .zero = zero,
    .stream_synchronize = stream_synchronize,
    .library_call = library_call,
};

genie_status_t genie_cpu_device_create(const genie_device_options_t *options, genie_allocator_t allocator,
                                       genie_device_t **out_device) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(cpu_device_t), &memory));
  cpu_device_t *device = memory;
  device->base =
      (genie_device_t){.ops = &kOps, .allocator = allocator, .kind = "cpu", .features = genie_cpu_feature_list()};
  const genie_status_t status = genie_thread_pool_create(options->worker_count, allocator, &device->pool);
  if (status != GENIE_OK) {
    destroy(&device->base);
    return status;
  }
  device->base.worker_count = genie_thread_pool_worker_count(device->pool);
  *out_device = &device->base;
  return GENIE_OK;
}
