#include "runtime/device/device_check.h"

genie_status_t genie_device_check_code(const void *code, uint64_t code_bytes, const uint64_t *kernel_offsets,
                                       uint32_t kernel_count) {
  if (code == NULL && code_bytes > 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%llu bytes of code at no address",
                             (unsigned long long)code_bytes);
  }
  for (uint32_t i = 0; i < kernel_count; ++i) {
    if (kernel_offsets[i] >= code_bytes && kernel_offsets[i] != GENIE_DEVICE_NO_CODE) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "kernel %u starts at byte %llu of %llu bytes of code", i,
                               (unsigned long long)kernel_offsets[i], (unsigned long long)code_bytes);
    }
  }
  return GENIE_OK;
}
