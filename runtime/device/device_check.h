// Checks of arguments that devices share: what a verified plan fulfils, and a caller in error does not.
#ifndef GENIE_RUNTIME_DEVICE_DEVICE_CHECK_H_
#define GENIE_RUNTIME_DEVICE_DEVICE_CHECK_H_

#include "runtime/device/device.h"

// Of module_load: each kernel starts inside the code or is GENIE_DEVICE_NO_CODE. INVALID_ARGUMENT names the first that
// does not.
genie_status_t genie_device_check_code(const void *code, uint64_t code_bytes, const uint64_t *kernel_offsets,
                                       uint32_t kernel_count) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_DEVICE_DEVICE_CHECK_H_
