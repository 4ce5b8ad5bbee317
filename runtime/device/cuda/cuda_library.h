// Vendor libraries behind library_call: opened by name when a plan first calls one, never linked.
//
// Each call site, told apart by its function, dims and the alignment of its tensors, has a plan: descriptors and the
// algorithm that the library chose. It is made at the first call and kept as long as the device. All functions here are
// called with the context current.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_LIBRARY_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_LIBRARY_H_

#include "runtime/device/cuda/cuda_device.h"
#include "runtime/plan/library_call.h"

// As the vtable's library_call; thread-safe. UNIMPLEMENTED: no such function, or the library cannot do it.
// FAILED_PRECONDITION: the library is not installed; the message says where it was looked for.
genie_status_t genie_cuda_library_call(genie_cuda_device_t *device, genie_cuda_stream_t *stream, const char *function,
                                       const genie_device_launch_t *launch) GENIE_MUST_USE;

void genie_cuda_libraries_destroy(genie_cuda_device_t *device);

// Opens the first of `names` [name_count] that exists: in the folders of the device's library path, then where the
// system looks. FAILED_PRECONDITION names both.
genie_status_t genie_cuda_library_open(const genie_cuda_device_t *device, const char *const *names, size_t name_count,
                                       void **out_library) GENIE_MUST_USE;

// The stream's workspace, allocated when it is first asked for.
genie_status_t genie_cuda_library_workspace(genie_cuda_device_t *device, genie_cuda_stream_t *stream,
                                            void **out_address) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_LIBRARY_H_
