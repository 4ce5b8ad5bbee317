// The NVIDIA driver, opened when the first CUDA device is asked for: Genie itself links no CUDA.
//
// A driver is a table of functions. It may be used from any thread; the calling thread's current context is the
// device's business (cuda_device.h).
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_DRIVER_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_DRIVER_H_

#include "runtime/base/status.h"
#include "runtime/device/cuda/cuda_abi.h"

typedef struct genie_cuda_driver {
#define GENIE_CUDA_FUNCTION(field, symbol, parameters) cu_result_t(*field) parameters;
#include "runtime/device/cuda/cuda_driver.def"
#undef GENIE_CUDA_FUNCTION
  void *library;
  int version;  // 13000 is CUDA 13.0
} genie_cuda_driver_t;

// Opens the driver at `path` (NULL: the system's libcuda.so.1) and initialises it; modules are loaded lazily from then
// on. FAILED_PRECONDITION: there is none, it is too old, or it finds no device; the message says which.
genie_status_t genie_cuda_driver_open(const char *path, genie_cuda_driver_t *out_driver) GENIE_MUST_USE;

// Accepts a zeroed driver. The library stays loaded: its threads do not end.
void genie_cuda_driver_close(genie_cuda_driver_t *driver);

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_DRIVER_H_
