// Code: an image of PTX and, perhaps, machine code becomes a module of the driver, and a launch a kernel's call.
#include <string.h>

#include "runtime/device/cuda/cuda_code_cache.h"
#include "runtime/device/cuda/cuda_device.h"
#include "runtime/plan/cuda_image.h"
#include "runtime/plan/format.h"

typedef struct cuda_kernel {
  cu_function_t function;  // NULL: the target has no code for it
  uint32_t threads;
  uint32_t shared_bytes;
  bool is_programmatic;
} cuda_kernel_t;

typedef struct cuda_module {
  cu_module_t module;
  cuda_kernel_t *kernels;
  uint32_t kernel_count;
} cuda_module_t;

// ---- Machine code ----

enum { kLogBytes = 4096 };

// The compiler's log as the end of a one-line message.
static const char *one_line(char *log) {
  for (char *c = log; *c != '\0'; ++c) {
    if ((unsigned char)*c < ' ') {
      *c = ' ';
    }
  }
  return log;
}

static genie_status_t refuse_code(genie_cuda_device_t *device, cu_result_t result, const char *what, char *log) {
  if (result == CU_ERROR_UNSUPPORTED_PTX_VERSION) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "%s: the plan's PTX is newer than the driver (CUDA %d.%d): install a newer driver",
                             device->name, device->driver.version / 1000, device->driver.version % 1000 / 10);
  }
  if (result == CU_ERROR_NO_BINARY_FOR_GPU || result == CU_ERROR_INVALID_PTX || result == CU_ERROR_INVALID_IMAGE) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s, sm_%d, cannot run the plan's code: %s",
                             device->name, device->architecture, one_line(log));
  }
  return genie_status_annotate(genie_cuda_check(device, result, what), "%s", one_line(log));
}

// What the driver's compiler makes of `ptx`, added to the cache and loaded.
static genie_status_t compile(genie_cuda_device_t *device, const char *ptx, uint64_t ptx_bytes,
                              const genie_cuda_code_key_t *key, cu_module_t *out_module) {
  const genie_cuda_driver_t *driver = &device->driver;
  char log[kLogBytes] = "";
  int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
  void *values[] = {log, (void *)(uintptr_t)(kLogBytes - 1)};
  cu_link_t link = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_cuda_check(device, driver->link_create(2, options, values, &link), "starting the driver's compiler"));
  void *code = NULL;
  size_t code_bytes = 0;
  cu_result_t result = driver->link_add(link, CU_JIT_PTX, (void *)(uintptr_t)ptx, ptx_bytes, "plan", 0, NULL, NULL);
  if (result == CU_SUCCESS) {
    result = driver->link_complete(link, &code, &code_bytes);
  }
  if (result == CU_SUCCESS) {
    result = driver->module_load(out_module, code, 0, NULL, NULL);
  }
  if (result == CU_SUCCESS) {
    genie_cuda_code_cache_put(device->cache_directory, key, code, code_bytes);
  }
  (void)driver->link_destroy(link);
  return result == CU_SUCCESS ? GENIE_OK : refuse_code(device, result, "compiling the plan's PTX", log);
}

// Machine code that the plan brings fits one architecture, and what the cache holds may be damaged: either is taken if
// the driver takes it, and else the PTX is compiled.
static genie_status_t load_code(genie_cuda_device_t *device, const uint8_t *image, cu_module_t *out_module) {
  const genie_cuda_image_header_t *header = genie_cuda_image_header(image);
  const genie_cuda_driver_t *driver = &device->driver;
  if (header->cubin_bytes > 0 &&
      driver->module_load(out_module, image + header->cubin_offset, 0, NULL, NULL) == CU_SUCCESS) {
    return GENIE_OK;
  }
  const char *ptx = genie_cuda_image_ptx(image);
  genie_cuda_code_key_t key;
  GENIE_RETURN_IF_ERROR(genie_cuda_code_key_of(ptx, header->ptx_bytes, device->architecture, driver->version, &key));
  void *cached = genie_cuda_code_cache_get(device->cache_directory, &key, device->base.allocator);
  const bool is_loaded = cached != NULL && driver->module_load(out_module, cached, 0, NULL, NULL) == CU_SUCCESS;
  genie_allocator_free(device->base.allocator, cached);
  return is_loaded ? GENIE_OK : compile(device, ptx, header->ptx_bytes, &key, out_module);
}

// ---- Kernels ----

static genie_status_t find_kernel(genie_cuda_device_t *device, const genie_cuda_kernel_record_t *record,
                                  cu_module_t module, cuda_kernel_t *out_kernel) {
  const genie_cuda_driver_t *driver = &device->driver;
  const cu_result_t found = driver->module_function(&out_kernel->function, module, record->symbol);
  if (found == CU_ERROR_NOT_FOUND) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the plan's CUDA code has no kernel '%s'", record->symbol);
  }
  GENIE_RETURN_IF_ERROR(genie_cuda_check(device, found, record->symbol));
  if (record->dynamic_shared_bytes > (uint32_t)device->shared_bytes) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "%s: kernel '%s' needs %u bytes of shared memory, a block has %d", device->name,
                             record->symbol, record->dynamic_shared_bytes, device->shared_bytes);
  }
  out_kernel->threads = record->threads_per_block;
  out_kernel->shared_bytes = record->dynamic_shared_bytes;
  out_kernel->is_programmatic = (record->flags & GENIE_CUDA_KERNEL_PROGRAMMATIC_LAUNCH) != 0;
  // Above 48 KB a kernel has to ask.
  return record->dynamic_shared_bytes == 0
             ? GENIE_OK
             : genie_cuda_check(device,
                                driver->function_set(out_kernel->function, CU_FUNCTION_MAX_DYNAMIC_SHARED,
                                                     (int)record->dynamic_shared_bytes),
                                record->symbol);
}

static genie_status_t fill_module(genie_cuda_device_t *device, const uint8_t *image, const uint64_t *offsets,
                                  uint32_t kernel_count, cuda_module_t *module) {
  void *kernels = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(device->base.allocator, kernel_count, sizeof(cuda_kernel_t), &kernels));
  module->kernels = kernels;
  module->kernel_count = kernel_count;
  if (genie_cuda_image_header(image)->kernel_count == 0) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(load_code(device, image, &module->module));
  for (uint32_t i = 0; i < kernel_count; ++i) {
    if (offsets[i] != GENIE_PLAN_NO_CODE) {
      GENIE_RETURN_IF_ERROR(
          find_kernel(device, genie_cuda_image_kernel(image, offsets[i]), module->module, &module->kernels[i]));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_cuda_module_load(genie_device_t *base, const void *code, uint64_t code_bytes,
                                      const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes,
                                      genie_device_module_t **out_module) {
  (void)scratch_bytes;
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (code_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_cuda_image_check(code, code_bytes, kernel_offsets, kernel_count));
  } else if (kernel_count > 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%u kernels in 0 bytes of code", kernel_count);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(base->allocator, 1, sizeof(cuda_module_t), &memory));
  cuda_module_t *module = memory;
  genie_status_t status = genie_cuda_enter(device);
  if (status == GENIE_OK) {
    status = code_bytes == 0 ? GENIE_OK : fill_module(device, code, kernel_offsets, kernel_count, module);
    genie_cuda_leave(device);
  }
  if (status != GENIE_OK) {
    genie_cuda_module_unload(base, (genie_device_module_t *)module);
    return status;
  }
  *out_module = (genie_device_module_t *)module;
  return GENIE_OK;
}

void genie_cuda_module_unload(genie_device_t *base, genie_device_module_t *opaque) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  cuda_module_t *module = (cuda_module_t *)opaque;
  if (module == NULL) {
    return;
  }
  if (module->module != NULL && device->driver.context_push(device->context) == CU_SUCCESS) {
    (void)device->driver.module_unload(module->module);
    genie_cuda_leave(device);
  }
  genie_allocator_free(base->allocator, module->kernels);
  genie_allocator_free(base->allocator, module);
}

// ---- Launches ----

// A kernel's one parameter: all addresses, then all dims.
static size_t pack_parameters(genie_cuda_stream_t *stream, const genie_device_launch_t *launch) {
  const size_t args_bytes = launch->arg_count * sizeof(uint64_t);
  const size_t dims_bytes = launch->dim_count * sizeof(uint64_t);
  if (args_bytes + dims_bytes > sizeof(stream->parameters)) {
    return SIZE_MAX;
  }
  if (args_bytes > 0) {
    memcpy(stream->parameters, launch->args, args_bytes);
  }
  if (dims_bytes > 0) {
    memcpy(stream->parameters + launch->arg_count, launch->dims, dims_bytes);
  }
  return args_bytes + dims_bytes;
}

static genie_status_t refuse_launch(const genie_cuda_device_t *device, const genie_device_launch_t *launch,
                                    const char *cause) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "%s: kernel %u with %u arguments, %u dims and %lld blocks: %s", device->name, launch->kernel,
                           launch->arg_count, launch->dim_count, (long long)launch->task_count, cause);
}

genie_status_t genie_cuda_launch(genie_device_t *base, genie_device_stream_t *opaque, genie_device_module_t *module,
                                 const genie_device_launch_t *launch) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  genie_cuda_stream_t *stream = (genie_cuda_stream_t *)opaque;
  const cuda_module_t *loaded = (const cuda_module_t *)module;
  if (launch->kernel >= loaded->kernel_count || loaded->kernels[launch->kernel].function == NULL) {
    return refuse_launch(device, launch, "the target has no code for it");
  }
  if (launch->task_count <= 0) {
    return GENIE_OK;
  }
  if (launch->task_count > INT32_MAX) {
    return refuse_launch(device, launch, "a grid has at most 2147483647 blocks");
  }
  size_t parameter_bytes = pack_parameters(stream, launch);
  if (parameter_bytes == SIZE_MAX) {
    return refuse_launch(device, launch, "parameters take at most 32760 bytes");
  }
  const cuda_kernel_t *kernel = &loaded->kernels[launch->kernel];
  cu_launch_attribute_t attribute = {.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC, .value.is_programmatic = 1};
  const cu_launch_t config = {.grid = {(unsigned)launch->task_count, 1, 1},
                              .block = {kernel->threads, 1, 1},
                              .shared_bytes = kernel->shared_bytes,
                              .stream = stream->stream,
                              .attributes = &attribute,
                              .attribute_count = kernel->is_programmatic ? 1 : 0};
  void *extra[] = {CU_LAUNCH_BUFFER_POINTER, stream->parameters, CU_LAUNCH_BUFFER_SIZE, &parameter_bytes,
                   CU_LAUNCH_END};
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const cu_result_t result = device->driver.launch(&config, kernel->function, NULL, extra);
  const genie_status_t status = genie_cuda_check(device, result, "a launch");
  genie_cuda_leave(device);
  return status;
}
