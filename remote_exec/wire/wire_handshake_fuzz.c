// libFuzzer: the handshake's state machine. The first byte chooses the side; then messages, each behind two bytes of
// length. It must end within them, never open without a hello, and never send what the other side cannot read.
#include <stdlib.h>
#include <string.h>

#include "remote_exec/wire/hello.h"

static void feed(genie_wire_handshake_t *handshake, const uint8_t *data, size_t size_bytes) {
  while (size_bytes >= 2) {
    size_t bytes = (size_t)data[0] | (size_t)data[1] << 8;
    data += 2;
    size_bytes -= 2;
    bytes = bytes < size_bytes ? bytes : size_bytes;
    uint8_t *header = malloc(bytes + 1);
    memcpy(header, data, bytes);
    const genie_status_t status = genie_wire_handshake_receive(handshake, header, bytes, 0, genie_allocator_heap());
    free(header);
    if (status != GENIE_OK && handshake->next != GENIE_WIRE_HELLO_FAIL) {
      abort();
    }
    if (status == GENIE_OK && handshake->next == GENIE_WIRE_HELLO_JUDGE && bytes % 2 == 0) {
      genie_status_free(genie_wire_handshake_accept(handshake));
    }
    genie_status_free(status);
    data += bytes;
    size_bytes -= bytes;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  if (size_bytes == 0) {
    return 0;
  }
  genie_wire_handshake_t handshake;
  const genie_wire_hello_t self = {
      .role = GENIE_WIRE_ROLE_CALL, .has_token = true, .session_id = 1, .software = "fuzz", .name = "fuzz"};
  if (data[0] % 2 == 0) {
    genie_wire_handshake_start_node(&self, &handshake);
  } else {
    genie_status_free(genie_wire_handshake_start_client(&self, &handshake));
  }
  feed(&handshake, data + 1, size_bytes - 1);
  if (handshake.send_bytes > 0) {
    genie_wire_control_t control = {0};
    const genie_status_t status =
        genie_wire_control_decode(handshake.send, handshake.send_bytes, genie_allocator_heap(), &control);
    if (status != GENIE_OK) {
      abort();
    }
    genie_wire_control_deinit(&control);
  }
  return 0;
}
