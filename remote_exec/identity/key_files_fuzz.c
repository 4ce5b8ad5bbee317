// libFuzzer: the parsers of keys, authorized_keys and known_nodes on any bytes.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote_exec/identity/authorized_keys.h"
#include "remote_exec/identity/known_nodes.h"

// known_nodes is read by its path.
static void load_known_nodes(const uint8_t *data, size_t size_bytes) {
  static char path[64];
  static int file = -1;
  if (file < 0) {
    file = memfd_create("known_nodes", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    fchmod(file, 0600);
  }
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size_bytes, 0) != (ssize_t)size_bytes) {
    return;
  }
  genie_known_nodes_t *nodes = NULL;
  const genie_status_t status = genie_known_nodes_load(path, /*may_pin=*/false, genie_allocator_heap(), &nodes);
  if (status == GENIE_OK) {
    const genie_fingerprint_t key = {{1}};
    const genie_trust_t trust = genie_known_nodes_trust(nodes);
    genie_status_free(trust.judge(trust.self, "node1:7070", &key));
    genie_known_nodes_destroy(nodes);
  }
  genie_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  genie_authorized_keys_t *keys = NULL;
  const genie_status_t status =
      genie_authorized_keys_parse("keys", (const char *)data, size_bytes, genie_allocator_heap(), &keys);
  if (status == GENIE_OK) {
    const genie_fingerprint_t key = {{1}};
    const genie_trust_t trust = genie_authorized_keys_trust(keys);
    genie_status_free(trust.judge(trust.self, "peer", &key));
    genie_authorized_keys_destroy(keys);
  }
  genie_status_free(status);
  genie_fingerprint_t parsed;
  genie_status_free(genie_fingerprint_parse_key((const char *)data, size_bytes, &parsed));
  load_known_nodes(data, size_bytes);
  return 0;
}
