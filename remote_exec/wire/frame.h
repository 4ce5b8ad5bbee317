// Data frames: message headers of fixed layout, little-endian, naturally aligned, no implicit padding.
//
// Every message header, of fixed layout or not, starts with a genie_wire_prefix_t. Encoders write to the caller's
// buffer and validators check bytes in place: no allocation. What a view points into is borrowed from the header's
// bytes.
#ifndef GENIE_REMOTE_EXEC_WIRE_FRAME_H_
#define GENIE_REMOTE_EXEC_WIRE_FRAME_H_

#include "remote_exec/wire/message.h"

typedef struct genie_wire_prefix {
  uint16_t kind;          // a number of message.def
  uint16_t flags;         // GENIE_WIRE_FLAG_*; others are zero
  uint32_t header_bytes;  // of the whole header, prefix included
} genie_wire_prefix_t;

enum {
  GENIE_WIRE_FLAG_CHECKSUM = 1,  // TENSOR: `checksum` holds the XXH3-64 of the payload
  GENIE_WIRE_MAX_SYMBOLS = 64,
  GENIE_WIRE_MAX_SLOTS = 2048,
  GENIE_WIRE_MAX_TEXT_BYTES = 512,
};

// One tensor of a payload: the payload is the slots' bytes, one after the other.
typedef struct genie_wire_slot {
  uint32_t index;     // of the entry's input (CALL) or output (RESULT)
  uint32_t reserved;  // 0
  uint64_t bytes;
} genie_wire_slot_t;

// CALL: run an entry. Then int64_t symbols[symbol_count], the sizes of this call in the entry's order, then
// genie_wire_slot_t inputs[input_count], then uint32_t outputs[output_count], the outputs wanted from this node, padded
// with a zero to 8 bytes.
typedef struct genie_wire_call {
  genie_wire_prefix_t prefix;
  uint64_t session_id;
  uint64_t call_id;     // chosen by the client, not 0, increasing
  uint64_t timeout_ns;  // from its receipt; 0: none
  uint32_t entry;
  uint32_t symbol_count;
  uint32_t input_count;
  uint32_t output_count;
} genie_wire_call_t;

// RESULT: how a call ended. Then genie_wire_slot_t outputs[output_count], none unless the code is 0, then message_bytes
// of text, none when the code is 0, padded with zeros to 8 bytes.
typedef struct genie_wire_result {
  genie_wire_prefix_t prefix;
  uint64_t session_id;
  uint64_t call_id;
  uint64_t compute_ns;  // on the node
  uint32_t code;        // a number of status.def
  uint32_t output_count;
  uint32_t message_bytes;
  uint32_t reserved;  // 0
} genie_wire_result_t;

// CANCEL: the call is not wanted any more (from the client), or cannot finish (between nodes; `code` says why).
typedef struct genie_wire_cancel {
  genie_wire_prefix_t prefix;
  uint64_t session_id;
  uint64_t call_id;
  uint32_t code;
  uint32_t reserved;  // 0
} genie_wire_cancel_t;

// TENSOR: the bytes of one transfer of one call, which are the payload.
typedef struct genie_wire_tensor {
  genie_wire_prefix_t prefix;
  uint64_t session_id;  // the receiver's
  uint64_t call_id;
  uint32_t transfer;
  uint32_t reserved;  // 0
  uint64_t bytes;     // of the payload
  uint64_t checksum;  // 0 without GENIE_WIRE_FLAG_CHECKSUM
} genie_wire_tensor_t;

typedef struct genie_wire_heartbeat {
  genie_wire_prefix_t prefix;
  uint64_t sequence;
  uint64_t sent_ns;  // on the sender's clock
} genie_wire_heartbeat_t;

// CREDIT: the receiver has taken this many further bytes (remote_exec/transport/window.h).
typedef struct genie_wire_credit {
  genie_wire_prefix_t prefix;
  uint64_t bytes;
} genie_wire_credit_t;

// BATCH: `count` small messages in one. The payload is, for each, a genie_wire_batch_item_t, its header and its
// payload, and zeros up to a multiple of 8.
typedef struct genie_wire_batch {
  genie_wire_prefix_t prefix;
  uint32_t count;
  uint32_t reserved;  // 0
} genie_wire_batch_t;

typedef struct genie_wire_batch_item {
  uint32_t header_bytes;
  uint32_t payload_bytes;
} genie_wire_batch_item_t;

_Static_assert(sizeof(genie_wire_prefix_t) == 8, "layout");
_Static_assert(sizeof(genie_wire_slot_t) == 16, "layout");
_Static_assert(sizeof(genie_wire_call_t) == 48, "layout");
_Static_assert(sizeof(genie_wire_result_t) == 48, "layout");
_Static_assert(sizeof(genie_wire_cancel_t) == 32, "layout");
_Static_assert(sizeof(genie_wire_tensor_t) == 48, "layout");
_Static_assert(sizeof(genie_wire_heartbeat_t) == 24, "layout");
_Static_assert(sizeof(genie_wire_credit_t) == 16, "layout");
_Static_assert(sizeof(genie_wire_batch_t) == 16, "layout");

// A CALL header in place, or one to encode (frame's counts then say how long the arrays are).
typedef struct genie_wire_call_view {
  genie_wire_call_t frame;
  const int64_t *symbols;
  const genie_wire_slot_t *inputs;
  const uint32_t *outputs;
  uint64_t payload_bytes;  // the sum of the inputs' bytes
} genie_wire_call_view_t;

typedef struct genie_wire_result_view {
  genie_wire_result_t frame;
  const genie_wire_slot_t *outputs;
  const char *message;  // frame.message_bytes of printable text, not zero-terminated
  uint64_t payload_bytes;
} genie_wire_result_view_t;

// Checks what every header must satisfy: the prefix, its kind's row in message.def (direction, role, both limits) and
// `payload_bytes`. `header` is 8-byte aligned. INVALID_ARGUMENT or OUT_OF_RANGE; the connection is then of no use.
genie_status_t genie_wire_prefix_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_side_t from, genie_wire_role_t role,
                                      genie_wire_prefix_t *out_prefix) GENIE_MUST_USE;

// Each reads a header whose prefix genie_wire_prefix_read accepted, of that kind, and checks every count, sum, index
// order and reserved field. Slots name each index once, ascending. INVALID_ARGUMENT says what is wrong.
genie_status_t genie_wire_call_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                    genie_wire_call_view_t *out_call) GENIE_MUST_USE;
genie_status_t genie_wire_result_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_result_view_t *out_result) GENIE_MUST_USE;
genie_status_t genie_wire_cancel_read(const void *header, size_t header_bytes,
                                      genie_wire_cancel_t *out_cancel) GENIE_MUST_USE;
genie_status_t genie_wire_tensor_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_tensor_t *out_tensor) GENIE_MUST_USE;
genie_status_t genie_wire_heartbeat_read(const void *header, size_t header_bytes,
                                         genie_wire_heartbeat_t *out_heartbeat) GENIE_MUST_USE;
genie_status_t genie_wire_credit_read(const void *header, size_t header_bytes,
                                      genie_wire_credit_t *out_credit) GENIE_MUST_USE;
genie_status_t genie_wire_batch_read(const void *header, size_t header_bytes,
                                     genie_wire_batch_t *out_batch) GENIE_MUST_USE;

// The next message of a BATCH's payload `bytes[*offset .. size_bytes)`, and moves the offset behind it.
// INVALID_ARGUMENT.
genie_status_t genie_wire_batch_next(const uint8_t *bytes, size_t size_bytes, size_t *offset,
                                     genie_wire_batch_item_t *out_item, const uint8_t **out_header,
                                     const uint8_t **out_payload) GENIE_MUST_USE;

// Each writes a header to `buffer` and fills in the prefix and reserved fields itself. OUT_OF_RANGE when it is larger
// than `capacity` or a count is over its limit.
genie_status_t genie_wire_call_write(const genie_wire_call_view_t *call, void *buffer, size_t capacity,
                                     size_t *out_header_bytes) GENIE_MUST_USE;
genie_status_t genie_wire_result_write(const genie_wire_result_view_t *result, void *buffer, size_t capacity,
                                       size_t *out_header_bytes) GENIE_MUST_USE;
void genie_wire_cancel_init(uint64_t session_id, uint64_t call_id, uint32_t code, genie_wire_cancel_t *out_cancel);
// `checksum` NULL: without.
void genie_wire_tensor_init(uint64_t session_id, uint64_t call_id, uint32_t transfer, uint64_t bytes,
                            const uint64_t *checksum, genie_wire_tensor_t *out_tensor);
void genie_wire_heartbeat_init(uint64_t sequence, uint64_t sent_ns, genie_wire_heartbeat_t *out_heartbeat);
void genie_wire_credit_init(uint64_t bytes, genie_wire_credit_t *out_credit);
void genie_wire_batch_init(uint32_t count, genie_wire_batch_t *out_batch);

// The bytes that a message takes in a BATCH's payload.
size_t genie_wire_batch_item_bytes(size_t header_bytes, size_t payload_bytes);

#endif  // GENIE_REMOTE_EXEC_WIRE_FRAME_H_
