// Inside of the CUDA device: one GPU, reached through its primary context, which all devices of a process share.
//
// The driver wants a current context on the calling thread: every function that calls it is between enter and leave,
// and leaves the thread's context as it was.
//
// A fault of a kernel (an illegal address, a hardware error) ends the context: what it held is gone, and every call on
// it fails with the same error. The device remembers that, answers ABORTED from then on, and says so. The driver gives
// a process no second context on that GPU: it has to end and start again.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_DEVICE_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_DEVICE_H_

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/device/cuda/cuda_driver.h"
#include "runtime/device/device_registry.h"

typedef struct genie_cuda_libraries genie_cuda_libraries_t;

enum {
  kGenieCudaNameBytes = 96,
  kGenieCudaFeatureBytes = 512,
  kGenieCudaMostPeers = 15,
  kGenieCudaMostHostRanges = 16,
  // What cuBLASLt is given for itself, on each stream that calls it; 32 MiB is what it recommends for Hopper.
  kGenieCudaWorkspaceBytes = 32 * 1024 * 1024,
  // The most that a launch's parameters may take on any architecture (32764 bytes since sm_70).
  kGenieCudaParameterBytes = 32760,
};

// Host memory that kernels reach at its own address.
typedef struct genie_cuda_host_range {
  const void *address;
  uint64_t size_bytes;
} genie_cuda_host_range_t;

typedef struct genie_cuda_device {
  genie_device_t base;
  genie_cuda_driver_t driver;
  cu_device_t handle;
  cu_context_t context;  // retained
  uint32_t ordinal;
  int architecture;  // 90 is sm_90
  int shared_bytes;  // the most dynamic shared memory of a block
  size_t granularity;
  cu_access_t accesses[kGenieCudaMostPeers + 1];  // who may use our memory: this device, then those that reach it
  size_t access_count;
  bool can_export;
  char name[kGenieCudaNameBytes];  // "cuda0 (NVIDIA H100 80GB HBM3)"
  char features[kGenieCudaFeatureBytes];
  char *cache_directory;  // or NULL
  char *library_path;     // or NULL
  atomic_int fault;       // the error that ended the context, or 0
  pthread_mutex_t library_lock;
  genie_cuda_libraries_t *libraries;  // opened by the first library call
  // Of copies in graphs; what does not fit here is copied by the driver.
  pthread_mutex_t host_lock;
  genie_cuda_host_range_t host_ranges[kGenieCudaMostHostRanges];
  uint32_t host_range_count;
  cu_module_t copy_module;
  cu_function_t copy_function;  // NULL: none
} genie_cuda_device_t;

typedef struct genie_cuda_stream {
  cu_stream_t stream;
  genie_device_memory_t workspace;                    // of library calls, allocated by the first
  uint64_t parameters[kGenieCudaParameterBytes / 8];  // of the launch that is being made
} genie_cuda_stream_t;

static inline genie_cuda_device_t *genie_cuda_device_of(genie_device_t *device) {
  return (genie_cuda_device_t *)device;
}

// Makes the context current on this thread. ABORTED when the context has ended. No leave after a failure.
genie_status_t genie_cuda_enter(genie_cuda_device_t *device) GENIE_MUST_USE;
void genie_cuda_leave(genie_cuda_device_t *device);

// A status for what the driver answered to `what` ("a launch"); OK for CU_SUCCESS.
genie_status_t genie_cuda_check(genie_cuda_device_t *device, cu_result_t result, const char *what) GENIE_MUST_USE;

// As the vtable's; for the parts of the device that need memory of their own.
genie_status_t genie_cuda_memory_allocate(genie_device_t *device, uint64_t size_bytes,
                                          genie_device_memory_t *out_memory) GENIE_MUST_USE;
void genie_cuda_memory_free(genie_device_t *device, genie_device_memory_t *memory);
genie_status_t genie_cuda_memory_export(genie_device_t *device, const genie_device_memory_t *memory,
                                        int *out_file) GENIE_MUST_USE;
genie_status_t genie_cuda_memory_import(genie_device_t *device, int file, uint64_t size_bytes,
                                        genie_device_memory_t *out_memory) GENIE_MUST_USE;

// cuda_copy.c
genie_status_t genie_cuda_copy(genie_device_t *device, genie_device_stream_t *stream, void *destination,
                               const void *source, uint64_t size_bytes) GENIE_MUST_USE;
genie_status_t genie_cuda_host_register(genie_device_t *device, void *address, uint64_t size_bytes) GENIE_MUST_USE;
void genie_cuda_host_unregister(genie_device_t *device, void *address);
// What is enqueued next starts when all before it has ended, also where it asks to start early; nothing on a stream
// that is captured, where the graph's edges see to that. The context is current.
genie_status_t genie_cuda_fence(genie_cuda_device_t *device, const genie_cuda_stream_t *stream) GENIE_MUST_USE;
// The context is current.
void genie_cuda_copy_destroy(genie_cuda_device_t *device);

// cuda_module.c
genie_status_t genie_cuda_module_load(genie_device_t *device, const void *code, uint64_t code_bytes,
                                      const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes,
                                      genie_device_module_t **out_module) GENIE_MUST_USE;
void genie_cuda_module_unload(genie_device_t *device, genie_device_module_t *module);
genie_status_t genie_cuda_launch(genie_device_t *device, genie_device_stream_t *stream, genie_device_module_t *module,
                                 const genie_device_launch_t *launch) GENIE_MUST_USE;

// The device of a driver at `driver_path`, as the system's for NULL: what genie_cuda_device_create() calls, and tests
// with a driver of their own.
genie_status_t genie_cuda_device_open(const char *driver_path, const genie_device_options_t *options,
                                      genie_allocator_t allocator, genie_device_t **out_device) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_DEVICE_H_
