// The null device: it checks what it is told and executes nothing. Clone this folder to start a new device; every
// function says what a real one does here. docs/add-a-device.md is the guide.
//
// Uses of its own: a plan runs on it in no time (what does the executor itself cost?), and a plan of any target loads
// on it (is this plan whole?), because it has every feature.
#include "runtime/device/device_check.h"
#include "runtime/device/device_registry.h"

// A device embeds genie_device_t as its first member, so that a cast gets from one to the other. A real device keeps
// its driver's context here.
typedef struct null_device {
  genie_device_t base;
} null_device_t;

// What a launch needs of a loaded module. A real device keeps its function handles here.
typedef struct null_module {
  uint32_t kernel_count;
} null_module_t;

// A queue of work. A real device keeps its driver's stream here.
typedef struct null_stream {
  uint64_t enqueued_count;
} null_stream_t;

// A point in a stream's work. A real device keeps its driver's event here.
typedef struct null_event {
  bool is_recorded;
} null_event_t;

static genie_status_t allocate_object(genie_device_t *device, size_t size_bytes, void **out_object) {
  return genie_allocator_allocate_array(device->allocator, 1, size_bytes, out_object);
}

// Memory of a real device lives on the device and is not host-addressable unless it says so; the executor then moves
// inputs and outputs with copy(). It is zeroed, because state starts as zeros.
static genie_status_t memory_allocate(genie_device_t *device, uint64_t size_bytes, genie_device_memory_t *out_memory) {
  void *address = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->allocator, size_bytes, 1, &address));
  *out_memory = (genie_device_memory_t){.address = address, .size_bytes = size_bytes, .is_host_addressable = true};
  return GENIE_OK;
}

// Accepts memory that was never allocated, and leaves it empty: a session's destroy relies on both.
static void memory_free(genie_device_t *device, genie_device_memory_t *memory) {
  genie_allocator_free(device->allocator, memory->address);
  *memory = (genie_device_memory_t){0};
}

// A real device hands the code to its driver, looks up the kernels at their offsets, and allocates scratch for each of
// its workers. The offsets come from a verified plan; checking them once more costs nothing here and never at launch.
static genie_status_t module_load(genie_device_t *device, const void *code, uint64_t code_bytes,
                                  const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes,
                                  genie_device_module_t **out_module) {
  (void)scratch_bytes;
  GENIE_RETURN_IF_ERROR(genie_device_check_code(code, code_bytes, kernel_offsets, kernel_count));
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(allocate_object(device, sizeof(null_module_t), &memory));
  null_module_t *module = memory;
  module->kernel_count = kernel_count;
  *out_module = (genie_device_module_t *)module;
  return GENIE_OK;
}

// All streams that launch from the module are synchronised before. Accepts NULL, as every destroy does.
static void module_unload(genie_device_t *device, genie_device_module_t *module) {
  genie_allocator_free(device->allocator, module);
}

static genie_status_t stream_create(genie_device_t *device, genie_device_stream_t **out_stream) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(allocate_object(device, sizeof(null_stream_t), &memory));
  *out_stream = memory;
  return GENIE_OK;
}

static void stream_destroy(genie_device_t *device, genie_device_stream_t *stream) {
  genie_allocator_free(device->allocator, stream);
}

static genie_status_t event_create(genie_device_t *device, genie_device_event_t **out_event) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(allocate_object(device, sizeof(null_event_t), &memory));
  *out_event = memory;
  return GENIE_OK;
}

static void event_destroy(genie_device_t *device, genie_device_event_t *event) {
  genie_allocator_free(device->allocator, event);
}

// On the steady path: no allocation, no lock, no check of what the verifier has checked. `args` and `dims` stay valid
// until the launch has finished, so a device that copies them late need not copy them early. A device whose kernels
// take a grid maps the tasks [0, task_count) to it here.
static genie_status_t launch(genie_device_t *device, genie_device_stream_t *stream, genie_device_module_t *module,
                             const genie_device_launch_t *launch) {
  (void)device;
  if (launch->kernel >= ((const null_module_t *)module)->kernel_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "kernel %u of a module of %u", launch->kernel,
                             ((const null_module_t *)module)->kernel_count);
  }
  ++((null_stream_t *)stream)->enqueued_count;
  return GENIE_OK;
}

// Between any two addresses that the device can reach, the host's included.
static genie_status_t copy(genie_device_t *device, genie_device_stream_t *stream, void *destination, const void *source,
                           uint64_t size_bytes) {
  (void)device;
  if (size_bytes > 0 && (destination == NULL || source == NULL)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a copy of %llu bytes from or to no address",
                             (unsigned long long)size_bytes);
  }
  ++((null_stream_t *)stream)->enqueued_count;
  return GENIE_OK;
}

// Marks the work enqueued so far. An event may be recorded again in every run.
static genie_status_t event_record(genie_device_t *device, genie_device_stream_t *stream, genie_device_event_t *event) {
  (void)device;
  (void)stream;
  ((null_event_t *)event)->is_recorded = true;
  return GENIE_OK;
}

// Work enqueued later on `stream` starts after what the event marks. The host does not block.
static genie_status_t event_wait(genie_device_t *device, genie_device_stream_t *stream, genie_device_event_t *event) {
  (void)device;
  (void)stream;
  return ((null_event_t *)event)->is_recorded
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "a wait for an event that was never recorded");
}

static genie_status_t zero(genie_device_t *device, genie_device_stream_t *stream, void *address, uint64_t size_bytes) {
  return copy(device, stream, address, address, size_bytes);
}

// The only place where the host blocks. A failure of enqueued work surfaces here: ABORTED when the device was lost.
static genie_status_t stream_synchronize(genie_device_t *device, genie_device_stream_t *stream) {
  (void)device;
  (void)stream;
  return GENIE_OK;
}

// A real device finds `function` in a table of the vendor library's kernels that it supports.
static genie_status_t library_call(genie_device_t *device, genie_device_stream_t *stream, const char *function,
                                   const genie_device_launch_t *launch) {
  (void)device;
  (void)stream;
  (void)launch;
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "the null device has no library function '%.64s'", function);
}

static void destroy(genie_device_t *device) {
  genie_allocator_free(device->allocator, device);
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
    .event_record = event_record,
    .event_wait = event_wait,
    .zero = zero,
    .stream_synchronize = stream_synchronize,
    .library_call = library_call,
};

// A real device opens its driver here (dlopen, so that a machine without it still loads Genie) and answers
// FAILED_PRECONDITION when there is none. `features` "*" means every feature; a real device lists what it has.
genie_status_t genie_null_device_create(const genie_device_options_t *options, genie_allocator_t allocator,
                                        genie_device_t **out_device) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(null_device_t), &memory));
  null_device_t *device = memory;
  device->base = (genie_device_t){.ops = &kOps,
                                  .allocator = allocator,
                                  .kind = "null",
                                  .features = "*",
                                  .worker_count = options->worker_count == 0 ? 1 : options->worker_count};
  *out_device = &device->base;
  return GENIE_OK;
}
