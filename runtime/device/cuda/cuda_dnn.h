// "cudnn.conv" and "cudnn.sdpa" (runtime/plan/library_call.h) by the graph interface of NVIDIA's cuDNN 9. Functions as
// cuda_library.c calls them: with the context current, one at a time for a device.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_DNN_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_DNN_H_

#include "runtime/device/cuda/cuda_device.h"

genie_status_t genie_cuda_dnn_open(genie_cuda_device_t *device, void **out_library) GENIE_MUST_USE;
void genie_cuda_dnn_close(genie_cuda_device_t *device, void *library);

// Chooses the engine for the launch's dims. UNIMPLEMENTED when the library has none.
genie_status_t genie_cuda_dnn_conv_create(genie_cuda_device_t *device, void *library,
                                          const genie_device_launch_t *launch, void **out_plan) GENIE_MUST_USE;
genie_status_t genie_cuda_dnn_sdpa_create(genie_cuda_device_t *device, void *library,
                                          const genie_device_launch_t *launch, void **out_plan) GENIE_MUST_USE;
genie_status_t genie_cuda_dnn_plan_run(genie_cuda_device_t *device, void *library, genie_cuda_stream_t *stream,
                                       void *plan, const genie_device_launch_t *launch) GENIE_MUST_USE;
void genie_cuda_dnn_plan_destroy(genie_cuda_device_t *device, void *library, void *plan);

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_DNN_H_
