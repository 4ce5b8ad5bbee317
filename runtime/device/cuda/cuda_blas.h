// "cublaslt.matmul" (runtime/plan/library_call.h) by NVIDIA's cuBLASLt. Functions as cuda_library.c calls them: with
// the context current, one at a time for a device.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_BLAS_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_BLAS_H_

#include "runtime/device/cuda/cuda_device.h"

genie_status_t genie_cuda_blas_open(genie_cuda_device_t *device, void **out_library) GENIE_MUST_USE;
void genie_cuda_blas_close(genie_cuda_device_t *device, void *library);

// Chooses the algorithm for the launch's dims and the alignment of its args. UNIMPLEMENTED when the library has none.
genie_status_t genie_cuda_blas_plan_create(genie_cuda_device_t *device, void *library,
                                           const genie_device_launch_t *launch, void **out_plan) GENIE_MUST_USE;
genie_status_t genie_cuda_blas_plan_run(genie_cuda_device_t *device, void *library, genie_cuda_stream_t *stream,
                                        void *plan, const genie_device_launch_t *launch) GENIE_MUST_USE;
void genie_cuda_blas_plan_destroy(genie_cuda_device_t *device, void *library, void *plan);

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_BLAS_H_
