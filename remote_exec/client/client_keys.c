#include "remote_exec/client/client_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// "~/.config/genie/NAME" in `out_path`; makes the folder.
static genie_status_t find_config_path(const char *name, char *out_path, size_t size) {
  const char *home = getenv("HOME");
  if (home == NULL || home[0] != '/') {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "HOME is not set: name the key and known_nodes files");
  }
  static const char *const kFolders[] = {"/.config", "/.config/genie"};
  for (int i = 0; i < 2; ++i) {
    if ((size_t)snprintf(out_path, size, "%s%s", home, kFolders[i]) >= size ||
        (mkdir(out_path, 0700) != 0 && errno != EEXIST)) {
      return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot make the directory %s%s: %s", home, kFolders[i],
                               strerror(errno));
    }
  }
  snprintf(out_path, size, "%s/.config/genie/%s", home, name);
  return GENIE_OK;
}

genie_status_t genie_client_keys_init(const char *key, const char *known_nodes, bool is_strict,
                                      genie_allocator_t allocator, genie_client_keys_t *out_keys) {
  char path[4096];
  *out_keys = (genie_client_keys_t){0};
  if (key != NULL) {
    GENIE_RETURN_IF_ERROR(genie_identity_load(key, allocator, &out_keys->identity));
  } else {
    GENIE_RETURN_IF_ERROR(find_config_path("client.pem", path, sizeof(path)));
    GENIE_RETURN_IF_ERROR(genie_identity_load_or_create(path, allocator, &out_keys->identity));
  }
  if (known_nodes == NULL) {
    GENIE_RETURN_IF_ERROR(find_config_path("known_nodes", path, sizeof(path)));
  }
  return genie_known_nodes_load(known_nodes != NULL ? known_nodes : path, !is_strict, allocator,
                                &out_keys->known_nodes);
}

void genie_client_keys_deinit(genie_client_keys_t *keys) {
  genie_identity_destroy(keys->identity);
  genie_known_nodes_destroy(keys->known_nodes);
  *keys = (genie_client_keys_t){0};
}

genie_trust_t genie_client_keys_trust(const genie_client_keys_t *keys, const genie_pool_node_t *node) {
  _Static_assert(sizeof(genie_fingerprint_t) == sizeof(node->key), "a pool's key is a fingerprint");
  return node->has_key ? genie_trust_pinned((const genie_fingerprint_t *)node->key)
                       : genie_known_nodes_trust(keys->known_nodes);
}
