// The constructors of all devices, for the devices themselves and for the registry; others use genie_device_create().
#ifndef GENIE_RUNTIME_DEVICE_DEVICE_REGISTRY_H_
#define GENIE_RUNTIME_DEVICE_DEVICE_REGISTRY_H_

#include "runtime/device/device.h"

#define GENIE_DEVICE(kind)                                                                                        \
  genie_status_t genie_##kind##_device_create(const genie_device_options_t *options, genie_allocator_t allocator, \
                                              genie_device_t **out_device) GENIE_MUST_USE;
#include "runtime/device/device.def"
#undef GENIE_DEVICE

#endif  // GENIE_RUNTIME_DEVICE_DEVICE_REGISTRY_H_
