#include "remote_exec/daemon/node.h"

#include <stdio.h>
#include <string.h>

#include "remote_exec/node/liveness.h"

enum { kDeviceNameBytes = 64 };

static genie_status_t judge(void *self, const char *peer, const genie_fingerprint_t *key) {
  genie_node_t *node = self;
  const genie_trust_t listed = genie_authorized_keys_trust(node->authorized_keys);
  const genie_status_t status = listed.judge(listed.self, peer, key);
  if (status == GENIE_OK || !genie_session_table_expects_peer(node->sessions, key)) {
    return status;
  }
  genie_status_free(status);
  return GENIE_OK;
}

genie_trust_t genie_node_trust(genie_node_t *node) {
  return (genie_trust_t){.self = node, .judge = judge};
}

genie_status_t genie_node_check_carrier(const genie_node_t *node, const char *name, bool *out_is_ucx) {
  *out_is_ucx = strcmp(name, "ucx") == 0;
  if (*out_is_ucx) {
    return node->fabric != NULL ? GENIE_OK
                                : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                                                    "carrier 'ucx' is off: genied was started without --ucx");
  }
  return name[0] == '\0' || strcmp(name, "stream") == 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "there is no carrier '%.32s'", name);
}

genie_status_t genie_node_open_ucx(genie_node_t *node, genie_channel_t *control, genie_wire_side_t side,
                                   genie_channel_t **out_channel) {
  const genie_status_t status = genie_ucx_open(node->fabric, control, side, node->options->ucx_path,
                                               genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS), out_channel);
  if (status != GENIE_OK) {
    genie_channel_close(control);
  }
  return status;
}

// The next name of a comma-separated list; false at its end.
static bool next_device(const char **list, char out_name[kDeviceNameBytes]) {
  while (**list == ',') {
    ++*list;
  }
  const size_t length = strcspn(*list, ",");
  snprintf(out_name, kDeviceNameBytes, "%.*s", (int)(length < kDeviceNameBytes ? length : kDeviceNameBytes - 1), *list);
  *list += length;
  return length > 0;
}

static const char *const kKinds[] = {
#define GENIE_DEVICE(kind) #kind,
#include "runtime/device/device.def"
#undef GENIE_DEVICE
};

// "cpu0" is the device 0 of kind "cpu".
static const char *parse_device(const char *name, uint32_t *out_ordinal) {
  const size_t length = strcspn(name, "0123456789");
  unsigned ordinal = 0;
  for (size_t i = 0; i < sizeof(kKinds) / sizeof(kKinds[0]); ++i) {
    if (strlen(kKinds[i]) == length && memcmp(kKinds[i], name, length) == 0 &&
        (name[length] == '\0' || sscanf(name + length, "%u", &ordinal) == 1)) {
      *out_ordinal = ordinal;
      return kKinds[i];
    }
  }
  return NULL;
}

bool genie_node_can_lose(const char *kind) {
  return strcmp(kind, "cuda") == 0;
}

void genie_node_list_devices(const genie_node_t *node, genie_node_device_fn_t visit, void *context) {
  const char *list = node->options->devices;
  char name[kDeviceNameBytes];
  while (next_device(&list, name)) {
    uint32_t ordinal = 0;
    const char *kind = parse_device(name, &ordinal);
    if (kind != NULL) {
      visit(context, name, kind, ordinal);
    }
  }
}

genie_status_t genie_node_find_device(const genie_node_t *node, const char *name, const char **out_kind,
                                      uint32_t *out_ordinal) {
  const char *list = node->options->devices;
  char known[kDeviceNameBytes];
  while (next_device(&list, known)) {
    if (strcmp(known, name) == 0) {
      *out_kind = parse_device(name, out_ordinal);
      if (*out_kind != NULL) {
        return GENIE_OK;
      }
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "no device '%.64s' on this node; it has %.200s", name,
                           node->options->devices);
}
