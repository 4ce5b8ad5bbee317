#include <string.h>

#include "runtime/device/cuda/cuda_device.h"

// Errors after which nothing of the context can be used: CUDA calls them sticky.
static bool is_fault(cu_result_t result) {
  static const cu_result_t kFaults[] = {
      CU_ERROR_DEVICE_UNAVAILABLE,   CU_ERROR_ECC_UNCORRECTABLE,
      CU_ERROR_NVLINK_UNCORRECTABLE, CU_ERROR_CONTAINED,
      CU_ERROR_ILLEGAL_ADDRESS,      CU_ERROR_LAUNCH_TIMEOUT,
      CU_ERROR_CONTEXT_IS_DESTROYED, CU_ERROR_ASSERT,
      CU_ERROR_HARDWARE_STACK,       CU_ERROR_ILLEGAL_INSTRUCTION,
      CU_ERROR_MISALIGNED_ADDRESS,   CU_ERROR_INVALID_ADDRESS_SPACE,
      CU_ERROR_INVALID_PC,           CU_ERROR_LAUNCH_FAILED,
      CU_ERROR_EXTERNAL_DEVICE,
  };
  for (size_t i = 0; i < sizeof(kFaults) / sizeof(kFaults[0]); ++i) {
    if (kFaults[i] == result) {
      return true;
    }
  }
  return false;
}

static const char *text_of(const genie_cuda_device_t *device, cu_result_t result) {
  const char *text = NULL;
  return device->driver.error_string(result, &text) == CU_SUCCESS && text != NULL ? text : "unknown error";
}

static genie_status_t ended(const genie_cuda_device_t *device, cu_result_t fault) {
  return genie_status_make(
      GENIE_STATUS_ABORTED,
      "%s is beyond repair after '%s' (CUDA error %d): its memory is lost, and this process has to end", device->name,
      text_of(device, fault), fault);
}

static genie_status_t out_of_memory(const genie_cuda_device_t *device, const char *what) {
  size_t free_bytes = 0, total_bytes = 0;
  (void)device->driver.memory_info(&free_bytes, &total_bytes);
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: no memory for %s; %zu MB of %zu MB are free",
                           device->name, what, free_bytes >> 20, total_bytes >> 20);
}

genie_status_t genie_cuda_check(genie_cuda_device_t *device, cu_result_t result, const char *what) {
  if (result == CU_SUCCESS) {
    return GENIE_OK;
  }
  if (is_fault(result)) {
    int none = CU_SUCCESS;
    (void)atomic_compare_exchange_strong(&device->fault, &none, result);
    return genie_status_annotate(ended(device, result), "%s", what);
  }
  if (result == CU_ERROR_OUT_OF_MEMORY) {
    return out_of_memory(device, what);
  }
  return genie_status_make(GENIE_STATUS_INTERNAL, "%s: %s failed: %s (CUDA error %d)", device->name, what,
                           text_of(device, result), result);
}

genie_status_t genie_cuda_enter(genie_cuda_device_t *device) {
  const int fault = atomic_load_explicit(&device->fault, memory_order_relaxed);
  if (fault != CU_SUCCESS) {
    return ended(device, fault);
  }
  return genie_cuda_check(device, device->driver.context_push(device->context), "choosing the device");
}

void genie_cuda_leave(genie_cuda_device_t *device) {
  cu_context_t context = NULL;
  (void)device->driver.context_pop(&context);
}
