#include "runtime/device/cuda/fake_cuda.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { kGranularity = 2 * 1024 * 1024, kMostCalls = 256, kOutOfMemory = 2, kCaptureUnsupported = 900 };

EXPORT fake_cuda_state_t fake_cuda_state = {
    .device_count = 2, .architecture = 90, .version = 13000, .free_bytes = (size_t)1 << 32};

static fake_cuda_state_t *const state = &fake_cuda_state;
static cu_result_t fault;  // the context has ended with it

// Whether somebody asks for a fault by a file.
static bool is_fault_asked_for(void) {
  static char path[512];
  Dl_info info;
  if (path[0] == '\0') {
    const char *slash = dladdr(&fake_cuda_state, &info) == 0 ? NULL : strrchr(info.dli_fname, '/');
    if (slash == NULL || (size_t)(slash - info.dli_fname) + sizeof("/fault") > sizeof(path)) {
      return false;
    }
    (void)snprintf(path, sizeof(path), "%.*s/fault", (int)(slash - info.dli_fname), info.dli_fname);
  }
  return unlink(path) == 0;
}

// What is to be answered instead of doing the call.
static cu_result_t refusal(const char *call) {
  if (fault == CU_SUCCESS && is_fault_asked_for()) {
    fault = CU_ERROR_ILLEGAL_ADDRESS;
  }
  if (state->failing_call != NULL && strcmp(state->failing_call, call) == 0) {
    state->failing_call = NULL;
    fault = state->failing_result >= 700 && state->failing_result < 720 ? state->failing_result : fault;
    return state->failing_result;
  }
  return fault;
}

#define FAKE(name, ...)                 \
  EXPORT cu_result_t name(__VA_ARGS__); \
  EXPORT cu_result_t name(__VA_ARGS__)

#define REFUSE_IF_TOLD()                           \
  do {                                             \
    const cu_result_t refused = refusal(__func__); \
    if (refused != CU_SUCCESS) {                   \
      return refused;                              \
    }                                              \
  } while (0)

// ---- Devices and contexts ----

FAKE(cuInit, unsigned flags) {
  (void)flags;
  return state->device_count == 0 ? CU_ERROR_NO_DEVICE : CU_SUCCESS;
}

FAKE(cuDriverGetVersion, int *version) {
  *version = state->version;
  return CU_SUCCESS;
}

FAKE(cuDeviceGetCount, int *count) {
  *count = state->device_count;
  return CU_SUCCESS;
}

FAKE(cuDeviceGet, cu_device_t *device, int ordinal) {
  *device = ordinal;
  return CU_SUCCESS;
}

FAKE(cuDeviceGetName, char *name, int bytes, cu_device_t device) {
  (void)snprintf(name, (size_t)bytes, "Fake GPU %d", device);
  return CU_SUCCESS;
}

FAKE(cuDeviceGetAttribute, int *value, int attribute, cu_device_t device) {
  (void)device;
  switch (attribute) {
    case CU_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 4;
      return CU_SUCCESS;
    case CU_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = state->architecture / 10;
      return CU_SUCCESS;
    case CU_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      *value = state->architecture % 10;
      return CU_SUCCESS;
    case CU_ATTRIBUTE_MAX_SHARED_BYTES_OPTIN:
      *value = 227 * 1024;
      return CU_SUCCESS;
    case CU_ATTRIBUTE_POSIX_FILE_HANDLES:
      *value = 1;
      return CU_SUCCESS;
    default:
      return CU_ERROR_INVALID_VALUE;
  }
}

FAKE(cuDeviceCanAccessPeer, int *can_access, cu_device_t device, cu_device_t peer) {
  *can_access = device != peer;
  return CU_SUCCESS;
}

FAKE(cuDevicePrimaryCtxRetain, cu_context_t *context, cu_device_t device) {
  REFUSE_IF_TOLD();
  *context = (cu_context_t)(uintptr_t)(device + 1);
  ++state->contexts;
  return CU_SUCCESS;
}

FAKE(cuDevicePrimaryCtxRelease_v2, cu_device_t device) {
  (void)device;
  if (--state->contexts == 0) {
    fault = CU_SUCCESS;
  }
  return CU_SUCCESS;
}

FAKE(cuCtxPushCurrent_v2, cu_context_t context) {
  (void)context;
  ++state->context_depth;
  return CU_SUCCESS;
}

FAKE(cuCtxPopCurrent_v2, cu_context_t *context) {
  *context = NULL;
  --state->context_depth;
  return CU_SUCCESS;
}

FAKE(cuGetErrorString, cu_result_t error, const char **text) {
  *text = error == CU_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "a fake error";
  return CU_SUCCESS;
}

// ---- Memory: a handle is a memfd, an address where it is mapped ----

FAKE(cuMemGetInfo_v2, size_t *free_bytes, size_t *total_bytes) {
  *free_bytes = state->free_bytes;
  *total_bytes = (size_t)1 << 33;
  return CU_SUCCESS;
}

FAKE(cuMemGetAllocationGranularity, size_t *bytes, const cu_allocation_t *allocation, int kind) {
  (void)allocation;
  (void)kind;
  *bytes = kGranularity;
  return CU_SUCCESS;
}

FAKE(cuMemCreate, cu_pool_t *handle, size_t bytes, const cu_allocation_t *allocation, unsigned long long flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  if (bytes > state->free_bytes) {
    return CU_ERROR_OUT_OF_MEMORY;
  }
  if (bytes % kGranularity != 0 || allocation->type != CU_MEM_ALLOCATION_PINNED) {
    return CU_ERROR_INVALID_VALUE;
  }
  const int file = memfd_create("fake_cuda", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, (off_t)bytes) != 0) {
    return kOutOfMemory;
  }
  *handle = (cu_pool_t)file;
  ++state->allocations;
  return CU_SUCCESS;
}

FAKE(cuMemRelease, cu_pool_t handle) {
  --state->allocations;
  return close((int)handle) == 0 ? CU_SUCCESS : CU_ERROR_INVALID_VALUE;
}

FAKE(cuMemAddressReserve, cu_ptr_t *address, size_t bytes, size_t alignment, cu_ptr_t wanted,
     unsigned long long flags) {
  (void)alignment;
  (void)wanted;
  (void)flags;
  REFUSE_IF_TOLD();
  void *mapped = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *address = (cu_ptr_t)(uintptr_t)mapped;
  ++state->mappings;
  return mapped == MAP_FAILED ? CU_ERROR_OUT_OF_MEMORY : CU_SUCCESS;
}

FAKE(cuMemAddressFree, cu_ptr_t address, size_t bytes) {
  --state->mappings;
  return munmap((void *)(uintptr_t)address, bytes) == 0 ? CU_SUCCESS : CU_ERROR_INVALID_VALUE;
}

FAKE(cuMemMap, cu_ptr_t address, size_t bytes, size_t offset, cu_pool_t handle, unsigned long long flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  void *mapped = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, (int)handle,
                      (off_t)offset);
  return mapped == MAP_FAILED ? CU_ERROR_INVALID_VALUE : CU_SUCCESS;
}

FAKE(cuMemUnmap, cu_ptr_t address, size_t bytes) {
  void *mapped = mmap((void *)(uintptr_t)address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return mapped == MAP_FAILED ? CU_ERROR_INVALID_VALUE : CU_SUCCESS;
}

FAKE(cuMemSetAccess, cu_ptr_t address, size_t bytes, const cu_access_t *accesses, size_t count) {
  (void)address;
  (void)bytes;
  REFUSE_IF_TOLD();
  return count == (size_t)state->device_count && accesses[0].flags == CU_MEM_ACCESS_READ_WRITE ? CU_SUCCESS
                                                                                               : CU_ERROR_INVALID_VALUE;
}

FAKE(cuMemExportToShareableHandle, void *out, cu_pool_t handle, int kind, unsigned long long flags) {
  (void)kind;
  (void)flags;
  REFUSE_IF_TOLD();
  *(int *)out = dup((int)handle);
  return CU_SUCCESS;
}

FAKE(cuMemImportFromShareableHandle, cu_pool_t *handle, void *file, int kind) {
  (void)kind;
  REFUSE_IF_TOLD();
  const int copy = dup((int)(uintptr_t)file);
  *handle = (cu_pool_t)copy;
  state->allocations += copy >= 0;
  return copy >= 0 ? CU_SUCCESS : CU_ERROR_INVALID_VALUE;
}

FAKE(cuMemHostRegister_v2, void *address, size_t bytes, unsigned flags) {
  (void)address;
  (void)bytes;
  (void)flags;
  REFUSE_IF_TOLD();
  ++state->registrations;
  return CU_SUCCESS;
}

FAKE(cuMemHostGetDevicePointer_v2, cu_ptr_t *pointer, void *address, unsigned flags) {
  (void)flags;
  *pointer = (cu_ptr_t)(uintptr_t)address;
  return CU_SUCCESS;
}

FAKE(cuMemHostUnregister, void *address) {
  (void)address;
  --state->registrations;
  return CU_SUCCESS;
}

// ---- Work: done at once, or kept while the stream is captured ----

typedef struct call {
  enum { CALL_COPY, CALL_SET, CALL_KERNEL, CALL_STAMP } kind;
  struct CUevent_st *event;
  cu_ptr_t destination, source;
  size_t bytes;
  int value;
  int64_t parameters[4];
  unsigned block_count;
} call_t;

struct CUgraph_st {
  call_t calls[kMostCalls];
  int count;
};

struct CUstream_st {
  struct CUgraph_st *captured;
};

struct CUevent_st {
  struct CUgraph_st *captured;  // recorded in a capture
  int time;
};

static int now;

// What cuda_copy.c launches.
enum { kCopyKernel = 5 };

// The kernels of tests/support/cuda_example.h, in its order, and the device's own.
static void run_kernel(const call_t *call) {
  const int64_t *parameters = call->parameters;
  if (call->value == kCopyKernel) {
    memmove((void *)(uintptr_t)parameters[0], (const void *)(uintptr_t)parameters[1], (size_t)parameters[2]);
    ++state->copy_kernel_count;
    return;
  }
  int64_t *out = (int64_t *)(uintptr_t)parameters[0];
  const float *a = (const float *)(uintptr_t)parameters[0];
  float *b = (float *)(uintptr_t)parameters[1];
  float *sum = (float *)(uintptr_t)parameters[2];
  for (int64_t i = 0; i < call->block_count; ++i) {
    switch (call->value) {
      case 0:
        out[i] = parameters[1] + i;
        break;
      case 1:
        ++out[i];
        break;
      case 3:
        sum[i] = a[i] + b[i];
        break;
      case 4:
        for (int64_t at = i * parameters[2]; at < (i + 1) * parameters[2]; ++at) {
          b[at] = a[at] + a[at];
        }
        break;
    }
  }
  ++state->launch_count;
}

static void run(const call_t *call) {
  void *destination = (void *)(uintptr_t)call->destination;
  ++now;
  switch (call->kind) {
    case CALL_COPY:
      memmove(destination, (const void *)(uintptr_t)call->source, call->bytes);
      return;
    case CALL_SET:
      memset(destination, call->value, call->bytes);
      return;
    case CALL_KERNEL:
      run_kernel(call);
      return;
    case CALL_STAMP:
      call->event->time = now;
      return;
  }
}

static cu_result_t enqueue(cu_stream_t stream, const call_t *call) {
  if (stream == NULL || stream->captured == NULL) {
    run(call);
  } else if (stream->captured->count < kMostCalls) {
    stream->captured->calls[stream->captured->count++] = *call;
  }
  return CU_SUCCESS;
}

FAKE(cuMemsetD8Async, cu_ptr_t address, unsigned char value, size_t bytes, cu_stream_t stream) {
  REFUSE_IF_TOLD();
  return enqueue(stream, &(call_t){.kind = CALL_SET, .destination = address, .value = value, .bytes = bytes});
}

FAKE(cuMemcpyAsync, cu_ptr_t destination, cu_ptr_t source, size_t bytes, cu_stream_t stream) {
  REFUSE_IF_TOLD();
  return enqueue(stream, &(call_t){.kind = CALL_COPY, .destination = destination, .source = source, .bytes = bytes});
}

FAKE(cuStreamCreate, cu_stream_t *stream, unsigned flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  *stream = calloc(1, sizeof(**stream));
  ++state->streams;
  return CU_SUCCESS;
}

FAKE(cuStreamDestroy_v2, cu_stream_t stream) {
  free(stream);
  --state->streams;
  return CU_SUCCESS;
}

FAKE(cuStreamSynchronize, cu_stream_t stream) {
  REFUSE_IF_TOLD();
  return stream == NULL || stream->captured == NULL ? CU_SUCCESS : kCaptureUnsupported;
}

FAKE(cuEventCreate, cu_event_t *event, unsigned flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  *event = calloc(1, sizeof(**event));
  ++state->events;
  return CU_SUCCESS;
}

FAKE(cuEventDestroy_v2, cu_event_t event) {
  free(event);
  --state->events;
  return CU_SUCCESS;
}

FAKE(cuEventRecord, cu_event_t event, cu_stream_t stream) {
  REFUSE_IF_TOLD();
  event->captured = stream->captured;
  event->time = now;
  return CU_SUCCESS;
}

FAKE(cuEventRecordWithFlags, cu_event_t event, cu_stream_t stream, unsigned flags) {
  REFUSE_IF_TOLD();
  const bool is_captured = stream->captured != NULL;
  return is_captured == (flags == CU_EVENT_RECORD_EXTERNAL)
             ? enqueue(stream, &(call_t){.kind = CALL_STAMP, .event = event})
             : CU_ERROR_INVALID_VALUE;
}

FAKE(cuStreamIsCapturing, cu_stream_t stream, int *is_capturing) {
  *is_capturing = stream->captured != NULL;
  return CU_SUCCESS;
}

FAKE(cuStreamWaitEvent, cu_stream_t stream, cu_event_t event, unsigned flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  stream->captured = event->captured != NULL ? event->captured : stream->captured;
  return CU_SUCCESS;
}

FAKE(cuEventElapsedTime, float *ms, cu_event_t begin, cu_event_t end) {
  *ms = (float)(end->time - begin->time);
  return CU_SUCCESS;
}

// ---- Code: "machine code" is the PTX behind a word ----

static const char kMachineCode[] = "FAKECUBIN ";

struct CUlinkState_st {
  char *log;
  size_t log_bytes;
  char *code;
};

FAKE(cuLinkCreate_v2, unsigned count, int *options, void **values, cu_link_t *link) {
  REFUSE_IF_TOLD();
  *link = calloc(1, sizeof(**link));
  for (unsigned i = 0; i < count; ++i) {
    (*link)->log = options[i] == CU_JIT_ERROR_LOG ? values[i] : (*link)->log;
    (*link)->log_bytes = options[i] == CU_JIT_ERROR_LOG_BYTES ? (size_t)(uintptr_t)values[i] : (*link)->log_bytes;
  }
  return CU_SUCCESS;
}

FAKE(cuLinkAddData_v2, cu_link_t link, int kind, void *data, size_t bytes, const char *name, unsigned count,
     int *options, void **values) {
  (void)kind;
  (void)name;
  (void)count;
  (void)options;
  (void)values;
  REFUSE_IF_TOLD();
  if (strstr(data, ".entry") == NULL) {
    (void)snprintf(link->log, link->log_bytes, "ptxas: line 1;\nfatal: no .entry");
    return CU_ERROR_INVALID_PTX;
  }
  link->code = malloc(sizeof(kMachineCode) + bytes);
  memcpy(link->code, kMachineCode, sizeof(kMachineCode) - 1);
  memcpy(link->code + sizeof(kMachineCode) - 1, data, bytes);
  ++state->compile_count;
  return CU_SUCCESS;
}

FAKE(cuLinkComplete, cu_link_t link, void **code, size_t *bytes) {
  *code = link->code;
  *bytes = strlen(link->code) + 1;
  return CU_SUCCESS;
}

FAKE(cuLinkDestroy, cu_link_t link) {
  free(link->code);
  free(link);
  return CU_SUCCESS;
}

FAKE(cuModuleLoadDataEx, cu_module_t *module, const void *image, unsigned count, int *options, void **values) {
  (void)count;
  (void)options;
  (void)values;
  REFUSE_IF_TOLD();
  const bool is_ptx = strncmp(image, ".version", 8) == 0;
  if (!is_ptx && strncmp(image, kMachineCode, sizeof(kMachineCode) - 1) != 0) {
    return CU_ERROR_INVALID_IMAGE;
  }
  *module = (cu_module_t)strdup(image);
  ++state->modules;
  return CU_SUCCESS;
}

FAKE(cuModuleUnload, cu_module_t module) {
  free(module);
  --state->modules;
  return CU_SUCCESS;
}

FAKE(cuModuleGetFunction, cu_function_t *function, cu_module_t module, const char *name) {
  static const char *const kNames[] = {"fill", "count", "fault", "add", "double_rows", "genie_copy"};
  char entry[128];
  (void)snprintf(entry, sizeof(entry), ".entry %s(", name);
  for (size_t i = 0; i < sizeof(kNames) / sizeof(kNames[0]); ++i) {
    if (strcmp(kNames[i], name) == 0 && strstr((const char *)module, entry) != NULL) {
      *function = (cu_function_t)(uintptr_t)(i + 1);
      return CU_SUCCESS;
    }
  }
  return CU_ERROR_NOT_FOUND;
}

FAKE(cuFuncSetAttribute, cu_function_t function, int attribute, int value) {
  (void)function;
  (void)attribute;
  (void)value;
  REFUSE_IF_TOLD();
  return CU_SUCCESS;
}

FAKE(cuLaunchKernelEx, const cu_launch_t *config, cu_function_t function, void **parameters, void **extra) {
  (void)parameters;
  REFUSE_IF_TOLD();
  state->last_parameter_bytes = *(const size_t *)extra[3];
  if (state->last_parameter_bytes > sizeof(((call_t *)NULL)->parameters)) {
    return CU_ERROR_INVALID_VALUE;
  }
  state->programmatic_count += config->attribute_count == 1;
  const int kernel = (int)(uintptr_t)function - 1;
  if (kernel == 2) {
    fault = CU_ERROR_ILLEGAL_ADDRESS;
    return CU_SUCCESS;
  }
  call_t call = {.kind = CALL_KERNEL, .value = kernel, .block_count = config->grid[0]};
  memcpy(call.parameters, extra[1], state->last_parameter_bytes);
  return enqueue(config->stream, &call);
}

// ---- Graphs ----

FAKE(cuStreamBeginCapture_v2, cu_stream_t stream, int mode) {
  (void)mode;
  REFUSE_IF_TOLD();
  stream->captured = calloc(1, sizeof(*stream->captured));
  return CU_SUCCESS;
}

FAKE(cuStreamEndCapture, cu_stream_t stream, cu_graph_t *graph) {
  *graph = stream->captured;
  stream->captured = NULL;
  const cu_result_t refused = refusal(__func__);
  return refused;
}

// Of a chain of kernels the first edges are early ones; edge i leads from kernel 2i + 1 to kernel 2i + 2.
FAKE(cuGraphGetEdges_v2, cu_graph_t graph, cu_graph_node_t *from, cu_graph_node_t *to, cu_edge_t *edges,
     size_t *count) {
  (void)graph;
  REFUSE_IF_TOLD();
  *count = (size_t)state->early_edges + (size_t)state->whole_edges;
  for (size_t i = 0; edges != NULL && i < *count; ++i) {
    from[i] = (cu_graph_node_t)(2 * i + 1);
    to[i] = (cu_graph_node_t)(2 * i + 2);
    edges[i] = (cu_edge_t){.type = (int)i < state->early_edges ? CU_EDGE_PROGRAMMATIC : 0};
  }
  return CU_SUCCESS;
}

FAKE(cuGraphRemoveDependencies_v2, cu_graph_t graph, const cu_graph_node_t *from, const cu_graph_node_t *to,
     const cu_edge_t *edges, size_t count) {
  (void)graph;
  REFUSE_IF_TOLD();
  if (count != 1 || (uintptr_t)*from + 1 != (uintptr_t)*to || edges->type != CU_EDGE_PROGRAMMATIC) {
    return CU_ERROR_INVALID_VALUE;
  }
  --state->early_edges;
  return CU_SUCCESS;
}

FAKE(cuGraphAddDependencies_v2, cu_graph_t graph, const cu_graph_node_t *from, const cu_graph_node_t *to,
     const cu_edge_t *edges, size_t count) {
  (void)graph;
  REFUSE_IF_TOLD();
  if (count != 1 || (uintptr_t)*from + 1 != (uintptr_t)*to || edges != NULL) {
    return CU_ERROR_INVALID_VALUE;
  }
  ++state->whole_edges;
  return CU_SUCCESS;
}

FAKE(cuGraphInstantiateWithFlags, cu_graph_exec_t *exec, cu_graph_t graph, unsigned long long flags) {
  (void)flags;
  REFUSE_IF_TOLD();
  cu_graph_t copy = malloc(sizeof(*copy));
  *copy = *graph;
  *exec = (cu_graph_exec_t)copy;
  ++state->graphs;
  return CU_SUCCESS;
}

FAKE(cuGraphUpload, cu_graph_exec_t exec, cu_stream_t stream) {
  (void)exec;
  (void)stream;
  REFUSE_IF_TOLD();
  return CU_SUCCESS;
}

FAKE(cuGraphLaunch, cu_graph_exec_t exec, cu_stream_t stream) {
  (void)stream;
  REFUSE_IF_TOLD();
  const cu_graph_t graph = (cu_graph_t)exec;
  for (int i = 0; i < graph->count; ++i) {
    run(&graph->calls[i]);
  }
  ++state->graph_launch_count;
  return CU_SUCCESS;
}

FAKE(cuGraphExecDestroy, cu_graph_exec_t exec) {
  free(exec);
  --state->graphs;
  return CU_SUCCESS;
}

FAKE(cuGraphDestroy, cu_graph_t graph) {
  free(graph);
  return CU_SUCCESS;
}
