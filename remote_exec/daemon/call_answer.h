// The result of one call on its way to the client: outputs are added, then it is sent; or a failure is sent instead.
//
// Of one thread at a time. Several answers of one channel may be sent at the same time.
#ifndef GENIE_REMOTE_EXEC_DAEMON_CALL_ANSWER_H_
#define GENIE_REMOTE_EXEC_DAEMON_CALL_ANSWER_H_

#include "remote_exec/daemon/node.h"
#include "remote_exec/wire/frame.h"

typedef struct genie_call_answer {
  genie_node_t *node;
  genie_node_session_t *session;
  genie_channel_t *channel;
  uint8_t *header;  // GENIE_WIRE_MAX_HEADER_BYTES
  genie_wire_slot_t *slots;
  struct iovec *pieces;
  uint32_t piece_count;
  genie_wire_result_view_t result;
} genie_call_answer_t;

// In the caller's memory. Deinitialise even after a failure.
genie_status_t genie_call_answer_init(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel,
                                      genie_call_answer_t *answer) GENIE_MUST_USE;
void genie_call_answer_deinit(genie_call_answer_t *answer);

// A new result, without outputs.
void genie_call_answer_begin(genie_call_answer_t *answer, uint64_t call_id);

// Adds an output, by ascending position; its memory is the caller's until the answer is sent. UNIMPLEMENTED: too many.
genie_status_t genie_call_answer_add(genie_call_answer_t *answer, uint32_t position, void *memory,
                                     uint64_t bytes) GENIE_MUST_USE;

// Sends it, and counts the call. An error is the channel's.
genie_status_t genie_call_answer_send(genie_call_answer_t *answer, uint64_t compute_ns) GENIE_MUST_USE;

// Sends instead what went wrong with the call, and counts it. Takes `failure`. An error is the channel's.
genie_status_t genie_call_answer_fail(genie_call_answer_t *answer, uint64_t call_id,
                                      genie_status_t failure) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_DAEMON_CALL_ANSWER_H_
