#include "runtime/device/cuda/cuda_driver.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { kOldestVersion = 12030 };

static const struct {
  const char *symbol;
  size_t offset;
} kFunctions[] = {
#define GENIE_CUDA_FUNCTION(field, symbol, parameters) {symbol, offsetof(genie_cuda_driver_t, field)},
#include "runtime/device/cuda/cuda_driver.def"
#undef GENIE_CUDA_FUNCTION
};

static genie_status_t find_functions(const char *path, genie_cuda_driver_t *driver) {
  for (size_t i = 0; i < sizeof(kFunctions) / sizeof(kFunctions[0]); ++i) {
    void *function = dlsym(driver->library, kFunctions[i].symbol);
    if (function == NULL) {
      return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                               "the NVIDIA driver '%s' has no %s: install a driver for CUDA 12.3 or later", path,
                               kFunctions[i].symbol);
    }
    memcpy((char *)driver + kFunctions[i].offset, &function, sizeof(function));
  }
  return GENIE_OK;
}

static genie_status_t initialise(const char *path, genie_cuda_driver_t *driver) {
  const cu_result_t result = driver->init(0);
  if (result == CU_ERROR_NO_DEVICE) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "the NVIDIA driver finds no GPU that this process may use");
  }
  const char *text = NULL;
  if (result != CU_SUCCESS) {
    (void)driver->error_string(result, &text);
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the NVIDIA driver '%s' does not start: %s (error %d)",
                             path, text == NULL ? "unknown" : text, result);
  }
  if (driver->driver_version(&driver->version) != CU_SUCCESS || driver->version < kOldestVersion) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "the NVIDIA driver is for CUDA %d.%d; Genie needs one for CUDA 12.3 or later",
                             driver->version / 1000, driver->version % 1000 / 10);
  }
  return GENIE_OK;
}

genie_status_t genie_cuda_driver_open(const char *path, genie_cuda_driver_t *out_driver) {
  genie_cuda_driver_t driver = {0};
  path = path == NULL ? "libcuda.so.1" : path;
  driver.library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (driver.library == NULL) {
    const char *cause = dlerror();
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "this machine has no NVIDIA driver, which a device of kind 'cuda' needs: %s",
                             cause == NULL ? path : cause);
  }
  // The driver reads this once, in cuInit: code comes to the device when a kernel is first used. Loading all at once
  // takes seconds and more than a gigabyte of host memory where vendor libraries are used. What the user set stays.
  (void)setenv("CUDA_MODULE_LOADING", "LAZY", 0);
  genie_status_t status = find_functions(path, &driver);
  if (status == GENIE_OK) {
    status = initialise(path, &driver);
  }
  if (status != GENIE_OK) {
    genie_cuda_driver_close(&driver);
    return status;
  }
  *out_driver = driver;
  return GENIE_OK;
}

void genie_cuda_driver_close(genie_cuda_driver_t *driver) {
  if (driver->library != NULL) {
    dlclose(driver->library);
  }
  *driver = (genie_cuda_driver_t){0};
}
