// libFuzzer: the decoder of control messages. The first byte chooses the kind; what is decoded is encoded again.
#include <stdlib.h>
#include <string.h>

#include "remote_exec/wire/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  genie_wire_prefix_t prefix = {0};
  const size_t header_bytes = sizeof(prefix) + (size_bytes > 0 ? size_bytes - 1 : 0);
  if (size_bytes == 0 || header_bytes > GENIE_WIRE_MAX_HEADER_BYTES) {
    return 0;
  }
  // Exactly as many bytes as there are, so that a read past them is seen.
  uint8_t *header = malloc(header_bytes);
  prefix.kind = data[0];
  prefix.header_bytes = (uint32_t)header_bytes;
  memcpy(header, &prefix, sizeof(prefix));
  memcpy(header + sizeof(prefix), data + 1, size_bytes - 1);
  genie_wire_control_t control = {0};
  const genie_status_t status = genie_wire_control_decode(header, header_bytes, genie_allocator_heap(), &control);
  if (status == GENIE_OK) {
    static uint8_t again[2 * GENIE_WIRE_MAX_HEADER_BYTES];
    size_t again_bytes = 0;
    genie_status_free(genie_wire_control_encode(control.kind, control.message, again, sizeof(again), &again_bytes));
    if (control.kind == GENIE_WIRE_ERROR) {
      genie_status_free(genie_wire_error_status(control.error, "peer"));
    }
  }
  genie_wire_control_deinit(&control);
  genie_status_free(status);
  free(header);
  return 0;
}
