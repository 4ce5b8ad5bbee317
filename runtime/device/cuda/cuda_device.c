// An NVIDIA GPU by the driver's interface. cuda_device.h says how its parts meet.
#include "runtime/device/cuda/cuda_device.h"

#include <stdio.h>
#include <string.h>

#include "runtime/device/cuda/cuda_library.h"

// ---- Streams and events ----

static genie_status_t stream_create(genie_device_t *base, genie_device_stream_t **out_stream) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(base->allocator, 1, sizeof(genie_cuda_stream_t), &memory));
  genie_cuda_stream_t *stream = memory;
  genie_status_t status = genie_cuda_enter(device);
  if (status == GENIE_OK) {
    status = genie_cuda_check(device, device->driver.stream_create(&stream->stream, CU_STREAM_DETACHED),
                              "creating a stream");
    genie_cuda_leave(device);
  }
  if (status != GENIE_OK) {
    genie_allocator_free(base->allocator, stream);
    return status;
  }
  *out_stream = (genie_device_stream_t *)stream;
  return GENIE_OK;
}

static void stream_destroy(genie_device_t *base, genie_device_stream_t *opaque) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  genie_cuda_stream_t *stream = (genie_cuda_stream_t *)opaque;
  if (stream == NULL) {
    return;
  }
  if (device->driver.context_push(device->context) == CU_SUCCESS) {
    (void)device->driver.stream_destroy(stream->stream);
    genie_cuda_memory_free(base, &stream->workspace);
    genie_cuda_leave(device);
  }
  genie_allocator_free(base->allocator, stream);
}

static cu_stream_t stream_of(genie_device_stream_t *stream) {
  return ((genie_cuda_stream_t *)stream)->stream;
}

// An event is the driver's own handle.
static genie_status_t event_create(genie_device_t *base, genie_device_event_t **out_event) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  cu_event_t event = NULL;
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = genie_cuda_check(device, device->driver.event_create(&event, 0), "creating an event");
  genie_cuda_leave(device);
  if (status == GENIE_OK) {
    *out_event = (genie_device_event_t *)event;
  }
  return status;
}

static void event_destroy(genie_device_t *base, genie_device_event_t *event) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (event != NULL && device->driver.context_push(device->context) == CU_SUCCESS) {
    (void)device->driver.event_destroy((cu_event_t)event);
    genie_cuda_leave(device);
  }
}

static genie_status_t event_record(genie_device_t *base, genie_device_stream_t *stream, genie_device_event_t *event) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status =
      genie_cuda_check(device, device->driver.event_record((cu_event_t)event, stream_of(stream)), "an event");
  genie_cuda_leave(device);
  return status;
}

static genie_status_t event_wait(genie_device_t *base, genie_device_stream_t *stream, genie_device_event_t *event) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status =
      genie_cuda_check(device, device->driver.stream_wait(stream_of(stream), (cu_event_t)event, 0), "a wait");
  genie_cuda_leave(device);
  return status;
}

// Outside of a capture the driver wants no flag.
static genie_status_t event_stamp(genie_device_t *base, genie_device_stream_t *stream, genie_device_event_t *event) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  int is_capturing = 0;
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  cu_result_t result = device->driver.stream_capture_status(stream_of(stream), &is_capturing);
  if (result == CU_SUCCESS) {
    result = device->driver.event_record_with((cu_event_t)event, stream_of(stream),
                                              is_capturing != 0 ? CU_EVENT_RECORD_EXTERNAL : 0);
  }
  const genie_status_t status = genie_cuda_check(device, result, "a time stamp");
  genie_cuda_leave(device);
  return status;
}

static genie_status_t event_elapsed(genie_device_t *base, genie_device_event_t *begin, genie_device_event_t *end,
                                    uint64_t *out_ns) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  float ms = 0;
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = genie_cuda_check(
      device, device->driver.event_elapsed(&ms, (cu_event_t)begin, (cu_event_t)end), "the time between two events");
  genie_cuda_leave(device);
  if (status == GENIE_OK) {
    *out_ns = (uint64_t)((double)ms * 1e6);
  }
  return status;
}

// ---- Work ----

static genie_status_t zero(genie_device_t *base, genie_device_stream_t *stream, void *address, uint64_t size_bytes) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (size_bytes == 0) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const cu_result_t result = device->driver.memory_set((cu_ptr_t)(uintptr_t)address, 0, size_bytes, stream_of(stream));
  const genie_status_t status = genie_cuda_check(device, result, "clearing memory");
  genie_cuda_leave(device);
  return status;
}

static genie_status_t stream_synchronize(genie_device_t *base, genie_device_stream_t *stream) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status =
      genie_cuda_check(device, device->driver.stream_synchronize(stream_of(stream)), "waiting for the device");
  genie_cuda_leave(device);
  return status;
}

static bool is_lost(const genie_device_t *base) {
  const genie_cuda_device_t *device = (const genie_cuda_device_t *)base;
  return atomic_load_explicit(&device->fault, memory_order_relaxed) != CU_SUCCESS;
}

// ---- Graphs ----

static genie_status_t graph_begin(genie_device_t *base, genie_device_stream_t *stream) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  // Relaxed: libraries load their kernels when they are first used, which may be while we capture.
  const genie_status_t status = genie_cuda_check(
      device, device->driver.capture_begin(stream_of(stream), CU_CAPTURE_RELAXED), "beginning a graph");
  genie_cuda_leave(device);
  return status;
}

// Makes an edge that lets a kernel start early one that waits.
static cu_result_t replace_edge(const genie_cuda_driver_t *driver, cu_graph_t graph, const cu_graph_node_t *from,
                                const cu_graph_node_t *to, const cu_edge_t *edge) {
  const cu_result_t result = driver->graph_remove_edges(graph, from, to, edge, 1);
  return result == CU_SUCCESS ? driver->graph_add_edges(graph, from, to, NULL, 1) : result;
}

// Kernels of libraries ask to start before what precedes them has ended, and not all of cuDNN's wait for it: a
// convolution read its residual while the kernel before it still wrote that. So where libraries are called every kernel
// waits; 16 such edges of ResNet-50 cost 8 us of 1.38 ms.
static genie_status_t order_wholly(genie_cuda_device_t *device, cu_graph_t graph) {
  const genie_cuda_driver_t *driver = &device->driver;
  const genie_allocator_t allocator = device->base.allocator;
  size_t count = 0;
  GENIE_RETURN_IF_ERROR(
      genie_cuda_check(device, driver->graph_edges(graph, NULL, NULL, NULL, &count), "counting a graph's edges"));
  void *from = NULL, *to = NULL, *edges = NULL;
  genie_status_t status = genie_allocator_allocate_array(allocator, count, sizeof(cu_graph_node_t), &from);
  if (status == GENIE_OK) {
    status = genie_allocator_allocate_array(allocator, count, sizeof(cu_graph_node_t), &to);
  }
  if (status == GENIE_OK) {
    status = genie_allocator_allocate_array(allocator, count, sizeof(cu_edge_t), &edges);
  }
  if (status == GENIE_OK && count > 0) {
    cu_result_t result = driver->graph_edges(graph, from, to, edges, &count);
    for (size_t i = 0; result == CU_SUCCESS && i < count; ++i) {
      if (((const cu_edge_t *)edges)[i].type == CU_EDGE_PROGRAMMATIC) {
        result = replace_edge(driver, graph, (const cu_graph_node_t *)from + i, (const cu_graph_node_t *)to + i,
                              (const cu_edge_t *)edges + i);
      }
    }
    status = genie_cuda_check(device, result, "ordering a graph");
  }
  genie_allocator_free(allocator, from);
  genie_allocator_free(allocator, to);
  genie_allocator_free(allocator, edges);
  return status;
}

static genie_status_t instantiate(genie_cuda_device_t *device, cu_stream_t stream, cu_graph_exec_t *out_graph) {
  const genie_cuda_driver_t *driver = &device->driver;
  cu_graph_t captured = NULL;
  genie_status_t status = genie_cuda_check(device, driver->capture_end(stream, &captured), "making a graph");
  if (status == GENIE_OK && device->libraries != NULL) {
    status = order_wholly(device, captured);
  }
  if (status == GENIE_OK) {
    status = genie_cuda_check(device, driver->graph_instantiate(out_graph, captured, 0), "making a graph");
  }
  if (captured != NULL) {
    (void)driver->graph_destroy(captured);
  }
  return status == GENIE_OK ? genie_cuda_check(device, driver->graph_upload(*out_graph, stream), "making a graph")
                            : status;
}

static genie_status_t graph_end(genie_device_t *base, genie_device_stream_t *stream, genie_device_graph_t **out_graph) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  cu_graph_exec_t graph = NULL;
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = instantiate(device, stream_of(stream), &graph);
  if (status != GENIE_OK && graph != NULL) {
    (void)device->driver.graph_exec_destroy(graph);
  }
  genie_cuda_leave(device);
  if (status == GENIE_OK) {
    *out_graph = (genie_device_graph_t *)graph;
  }
  return status;
}

static genie_status_t graph_launch(genie_device_t *base, genie_device_stream_t *stream, genie_device_graph_t *graph) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = genie_cuda_check(
      device, device->driver.graph_launch((cu_graph_exec_t)graph, stream_of(stream)), "launching a graph");
  genie_cuda_leave(device);
  return status;
}

static void graph_destroy(genie_device_t *base, genie_device_graph_t *graph) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (graph != NULL && device->driver.context_push(device->context) == CU_SUCCESS) {
    (void)device->driver.graph_exec_destroy((cu_graph_exec_t)graph);
    genie_cuda_leave(device);
  }
}

// ---- Other devices ----

// Memory of `other` is mapped for all that its list names.
static bool can_reach(const genie_device_t *base, const genie_device_t *other_base) {
  const genie_cuda_device_t *device = (const genie_cuda_device_t *)base;
  const genie_cuda_device_t *other = (const genie_cuda_device_t *)other_base;
  for (size_t i = 0; i < other->access_count; ++i) {
    if (other->accesses[i].location.id == device->handle) {
      return true;
    }
  }
  return false;
}

// ---- Library calls ----

static genie_status_t library_call(genie_device_t *base, genie_device_stream_t *stream, const char *function,
                                   const genie_device_launch_t *launch) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = genie_cuda_library_call(device, (genie_cuda_stream_t *)stream, function, launch);
  genie_cuda_leave(device);
  return status;
}

// ---- Construction ----

static void destroy(genie_device_t *base) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (device->context != NULL) {
    if (device->driver.context_push(device->context) == CU_SUCCESS) {
      genie_cuda_libraries_destroy(device);
      genie_cuda_copy_destroy(device);
      genie_cuda_leave(device);
    }
    (void)device->driver.context_release(device->handle);
  }
  genie_cuda_driver_close(&device->driver);
  pthread_mutex_destroy(&device->library_lock);
  pthread_mutex_destroy(&device->host_lock);
  genie_allocator_free(base->allocator, device->cache_directory);
  genie_allocator_free(base->allocator, device->library_path);
  genie_allocator_free(base->allocator, device);
}

static const genie_device_ops_t kOps = {
    .destroy = destroy,
    .memory_allocate = genie_cuda_memory_allocate,
    .memory_free = genie_cuda_memory_free,
    .module_load = genie_cuda_module_load,
    .module_unload = genie_cuda_module_unload,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .launch = genie_cuda_launch,
    .copy = genie_cuda_copy,
    .event_record = event_record,
    .event_wait = event_wait,
    .zero = zero,
    .stream_synchronize = stream_synchronize,
    .library_call = library_call,
    .event_stamp = event_stamp,
    .event_elapsed = event_elapsed,
    .is_lost = is_lost,
    .host_register = genie_cuda_host_register,
    .host_unregister = genie_cuda_host_unregister,
    .graph_begin = graph_begin,
    .graph_end = graph_end,
    .graph_launch = graph_launch,
    .graph_destroy = graph_destroy,
    .can_reach = can_reach,
    .memory_export = genie_cuda_memory_export,
    .memory_import = genie_cuda_memory_import,
};

static genie_status_t keep_string(genie_allocator_t allocator, const char *string, char **out_copy) {
  if (string == NULL) {
    return GENIE_OK;
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, strlen(string) + 1, 1, &memory));
  memcpy(memory, string, strlen(string) + 1);
  *out_copy = memory;
  return GENIE_OK;
}

// PTX for an older architecture runs on every later one, so a device has the features of all before it. What has a
// letter behind its number runs on that architecture alone.
static void list_features(genie_cuda_device_t *device) {
  static const int kArchitectures[] = {70, 72, 75, 80, 86, 87, 88, 89, 90, 100, 101, 103, 110, 120, 121};
  size_t at = 0;
  for (size_t i = 0; i < sizeof(kArchitectures) / sizeof(kArchitectures[0]); ++i) {
    if (kArchitectures[i] < device->architecture) {
      at += (size_t)snprintf(device->features + at, sizeof(device->features) - at, "sm_%d,", kArchitectures[i]);
    }
  }
  (void)snprintf(device->features + at, sizeof(device->features) - at, "sm_%d,sm_%da", device->architecture,
                 device->architecture);
}

static genie_status_t attribute_of(genie_cuda_device_t *device, int attribute, int *out_value) {
  return genie_cuda_check(device, device->driver.device_attribute(out_value, attribute, device->handle),
                          "asking what the device is");
}

static genie_status_t describe(genie_cuda_device_t *device) {
  char model[64] = "";
  int major = 0, minor = 0, worker_count = 1, can_export = 0;
  (void)device->driver.device_name(model, sizeof(model), device->handle);
  (void)snprintf(device->name, sizeof(device->name), "cuda%u (%.60s)", device->ordinal, model);
  GENIE_RETURN_IF_ERROR(attribute_of(device, CU_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major));
  GENIE_RETURN_IF_ERROR(attribute_of(device, CU_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor));
  GENIE_RETURN_IF_ERROR(attribute_of(device, CU_ATTRIBUTE_MULTIPROCESSOR_COUNT, &worker_count));
  GENIE_RETURN_IF_ERROR(attribute_of(device, CU_ATTRIBUTE_MAX_SHARED_BYTES_OPTIN, &device->shared_bytes));
  GENIE_RETURN_IF_ERROR(attribute_of(device, CU_ATTRIBUTE_POSIX_FILE_HANDLES, &can_export));
  device->architecture = 10 * major + minor;
  device->can_export = can_export != 0;
  device->base.worker_count = (uint32_t)worker_count;
  device->base.features = device->features;
  list_features(device);
  return GENIE_OK;
}

// Memory is mapped for every device that can reach it, so that copies between them need no detour.
static void find_peers(genie_cuda_device_t *device, int device_count) {
  device->accesses[device->access_count++] = (cu_access_t){
      .location = {.type = CU_MEM_LOCATION_DEVICE, .id = device->handle}, .flags = CU_MEM_ACCESS_READ_WRITE};
  for (int i = 0; i < device_count && device->access_count <= kGenieCudaMostPeers; ++i) {
    cu_device_t peer = 0;
    int can_access = 0;
    if (device->driver.device_get(&peer, i) == CU_SUCCESS && peer != device->handle &&
        device->driver.device_can_access(&can_access, peer, device->handle) == CU_SUCCESS && can_access != 0) {
      device->accesses[device->access_count++] =
          (cu_access_t){.location = {.type = CU_MEM_LOCATION_DEVICE, .id = peer}, .flags = CU_MEM_ACCESS_READ_WRITE};
    }
  }
}

static genie_status_t find_device(genie_cuda_device_t *device) {
  int count = 0;
  GENIE_RETURN_IF_ERROR(genie_cuda_check(device, device->driver.device_count(&count), "counting devices"));
  if (device->ordinal >= (uint32_t)count) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "there is no device cuda%u: this machine has %d GPU%s",
                             device->ordinal, count, count == 1 ? "" : "s");
  }
  GENIE_RETURN_IF_ERROR(
      genie_cuda_check(device, device->driver.device_get(&device->handle, (int)device->ordinal), "finding a device"));
  find_peers(device, count);
  return GENIE_OK;
}

static genie_status_t fill_device(const char *driver_path, const genie_device_options_t *options,
                                  genie_cuda_device_t *device) {
  const genie_allocator_t allocator = device->base.allocator;
  GENIE_RETURN_IF_ERROR(keep_string(allocator, options->cache_directory, &device->cache_directory));
  GENIE_RETURN_IF_ERROR(keep_string(allocator, options->library_path, &device->library_path));
  GENIE_RETURN_IF_ERROR(genie_cuda_driver_open(driver_path, &device->driver));
  GENIE_RETURN_IF_ERROR(find_device(device));
  GENIE_RETURN_IF_ERROR(describe(device));
  GENIE_RETURN_IF_ERROR(
      genie_cuda_check(device, device->driver.context_retain(&device->context, device->handle), "opening the device"));
  const cu_allocation_t allocation = {.type = CU_MEM_ALLOCATION_PINNED,
                                      .location = {.type = CU_MEM_LOCATION_DEVICE, .id = device->handle}};
  return genie_cuda_check(
      device, device->driver.memory_granularity(&device->granularity, &allocation, CU_MEM_GRANULARITY_MINIMUM),
      "asking for the size of pages");
}

genie_status_t genie_cuda_device_open(const char *driver_path, const genie_device_options_t *options,
                                      genie_allocator_t allocator, genie_device_t **out_device) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_cuda_device_t), &memory));
  genie_cuda_device_t *device = memory;
  device->base = (genie_device_t){.ops = &kOps, .allocator = allocator, .kind = "cuda"};
  device->ordinal = options->ordinal;
  pthread_mutex_init(&device->library_lock, NULL);
  pthread_mutex_init(&device->host_lock, NULL);
  (void)snprintf(device->name, sizeof(device->name), "cuda%u", device->ordinal);
  const genie_status_t status = fill_device(driver_path, options, device);
  if (status != GENIE_OK) {
    destroy(&device->base);
    return status;
  }
  *out_device = &device->base;
  return GENIE_OK;
}

genie_status_t genie_cuda_device_create(const genie_device_options_t *options, genie_allocator_t allocator,
                                        genie_device_t **out_device) {
  return genie_cuda_device_open(NULL, options, allocator, out_device);
}
