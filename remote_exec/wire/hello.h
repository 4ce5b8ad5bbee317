// The handshake that every connection starts with, as a pure state machine: messages in, an action out. It touches no
// socket, no clock and no memory but the caller's.
//
//   client: start -> SEND hello -> await reply -> OPEN | FAIL
//   node:   await hello -> JUDGE -> (accept: SEND reply, OPEN | refuse: SEND error, FAIL)
#ifndef GENIE_REMOTE_EXEC_WIRE_HELLO_H_
#define GENIE_REMOTE_EXEC_WIRE_HELLO_H_

#include "remote_exec/wire/control.h"

enum { GENIE_WIRE_MAX_NAME_BYTES = 128, GENIE_WIRE_HELLO_BUFFER_BYTES = 1024 };

// What one side says of itself and learns of the other. Texts are printable.
typedef struct genie_wire_hello {
  genie_wire_role_t role;
  uint32_t minimum_version, maximum_version;
  uint32_t version;  // that was agreed on
  uint64_t session_id;
  bool has_token;
  uint8_t token[GENIE_WIRE_TOKEN_BYTES];
  char software[GENIE_WIRE_MAX_NAME_BYTES];
  char name[GENIE_WIRE_MAX_NAME_BYTES];
} genie_wire_hello_t;

typedef enum genie_wire_hello_action {
  GENIE_WIRE_HELLO_RECEIVE,  // give it the next message's header
  GENIE_WIRE_HELLO_JUDGE,    // node: look at `peer` and call accept or refuse
  GENIE_WIRE_HELLO_OPEN,     // the connection is open: `peer` holds what was agreed
  GENIE_WIRE_HELLO_FAIL,     // close it
} genie_wire_hello_action_t;

// In the caller's memory.
typedef struct genie_wire_handshake {
  genie_wire_side_t side;
  genie_wire_hello_action_t next;
  genie_wire_hello_t self;
  genie_wire_hello_t peer;
  // When `send_bytes` is not 0 these are to be sent before `next` is followed.
  _Alignas(8) uint8_t send[GENIE_WIRE_HELLO_BUFFER_BYTES];
  size_t send_bytes;
} genie_wire_handshake_t;

// Client: fills `send` with the hello; `next` is RECEIVE. `self` says role, name, software, session and token; versions
// of 0 mean this build's.
genie_status_t genie_wire_handshake_start_client(const genie_wire_hello_t *self,
                                                 genie_wire_handshake_t *out_handshake) GENIE_MUST_USE;

// Node: `next` is RECEIVE.
void genie_wire_handshake_start_node(const genie_wire_hello_t *self, genie_wire_handshake_t *out_handshake);

// Takes one received header and moves on. An error has set `next` to FAIL and, on a node, `send` to the ERROR message
// that tells the client; the status says the same.
genie_status_t genie_wire_handshake_receive(genie_wire_handshake_t *handshake, const void *header, size_t header_bytes,
                                            uint64_t payload_bytes, genie_allocator_t allocator) GENIE_MUST_USE;

// Node, at JUDGE: fills `send` with the reply; `next` is OPEN.
genie_status_t genie_wire_handshake_accept(genie_wire_handshake_t *handshake) GENIE_MUST_USE;

// Node, at JUDGE: fills `send` with an ERROR of that code; `next` is FAIL.
void genie_wire_handshake_refuse(genie_wire_handshake_t *handshake, genie_status_code_t code, const char *message);

// Constant-time comparison of two tokens.
bool genie_wire_token_is_equal(const uint8_t a[GENIE_WIRE_TOKEN_BYTES], const uint8_t b[GENIE_WIRE_TOKEN_BYTES]);

#endif  // GENIE_REMOTE_EXEC_WIRE_HELLO_H_
