#include "runtime/device/device_registry.h"

#include <string.h>

typedef genie_status_t (*device_create_fn_t)(const genie_device_options_t *options, genie_allocator_t allocator,
                                             genie_device_t **out_device);

static const struct {
  const char *kind;
  device_create_fn_t create;
} kDevices[] = {
#define GENIE_DEVICE(kind) {#kind, genie_##kind##_device_create},
#include "runtime/device/device.def"
#undef GENIE_DEVICE
};

#define GENIE_DEVICE(kind) " " #kind
static const char kKinds[] =
#include "runtime/device/device.def"
    ;
#undef GENIE_DEVICE

genie_status_t genie_device_create(const char *kind, const genie_device_options_t *options, genie_allocator_t allocator,
                                   genie_device_t **out_device) {
  static const genie_device_options_t kDefaults = {0};
  for (size_t i = 0; i < sizeof(kDevices) / sizeof(kDevices[0]); ++i) {
    if (strcmp(kDevices[i].kind, kind) == 0) {
      return kDevices[i].create(options == NULL ? &kDefaults : options, allocator, out_device);
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "no device of kind '%.64s'; this build has:%s", kind, kKinds);
}

void genie_device_destroy(genie_device_t *device) {
  if (device != NULL) {
    device->ops->destroy(device);
  }
}
