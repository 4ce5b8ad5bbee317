#include "remote_exec/daemon/call_answer.h"

#include <string.h>

#include "remote_exec/node/liveness.h"

enum { kMessageBytes = 500 };

genie_status_t genie_call_answer_init(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel,
                                      genie_call_answer_t *answer) {
  void *memory = NULL;
  *answer = (genie_call_answer_t){.node = node, .session = session, .channel = channel};
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &memory));
  answer->header = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, GENIE_CHANNEL_MAX_PAYLOAD_PIECES,
                                                       sizeof(*answer->slots), &memory));
  answer->slots = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, GENIE_CHANNEL_MAX_PAYLOAD_PIECES,
                                                       sizeof(*answer->pieces), &memory));
  answer->pieces = memory;
  return GENIE_OK;
}

void genie_call_answer_deinit(genie_call_answer_t *answer) {
  if (answer->node == NULL) {
    return;
  }
  genie_allocator_free(answer->node->allocator, answer->header);
  genie_allocator_free(answer->node->allocator, answer->slots);
  genie_allocator_free(answer->node->allocator, answer->pieces);
  *answer = (genie_call_answer_t){0};
}

void genie_call_answer_begin(genie_call_answer_t *answer, uint64_t call_id) {
  answer->piece_count = 0;
  answer->result = (genie_wire_result_view_t){.frame = {.session_id = answer->session->id, .call_id = call_id},
                                              .outputs = answer->slots};
}

genie_status_t genie_call_answer_add(genie_call_answer_t *answer, uint32_t position, void *memory, uint64_t bytes) {
  if (answer->result.frame.output_count == GENIE_CHANNEL_MAX_PAYLOAD_PIECES) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d outputs on one node",
                             GENIE_CHANNEL_MAX_PAYLOAD_PIECES);
  }
  answer->slots[answer->result.frame.output_count++] = (genie_wire_slot_t){.index = position, .bytes = bytes};
  if (bytes > 0) {
    answer->pieces[answer->piece_count++] = (struct iovec){.iov_base = memory, .iov_len = bytes};
  }
  answer->result.payload_bytes += bytes;
  return GENIE_OK;
}

static genie_status_t send_result(const genie_call_answer_t *answer) {
  size_t header_bytes = 0;
  GENIE_RETURN_IF_ERROR(
      genie_wire_result_write(&answer->result, answer->header, GENIE_WIRE_MAX_HEADER_BYTES, &header_bytes));
  const genie_message_t message = {.header = answer->header,
                                   .header_bytes = header_bytes,
                                   .payload = answer->piece_count > 0 ? answer->pieces : NULL,
                                   .payload_count = answer->piece_count};
  return genie_channel_send(answer->channel, &message, genie_liveness_transfer_deadline(answer->result.payload_bytes));
}

// A client that has its outputs may be gone before the sending returns: the call counts before.
genie_status_t genie_call_answer_send(genie_call_answer_t *answer, uint64_t compute_ns) {
  genie_trace_t *trace = answer->session->trace;
  const uint64_t begin_ns = genie_trace_now_ns(trace);
  answer->result.frame.compute_ns = compute_ns;
  genie_metrics_add(&answer->node->metrics, GENIE_METRIC_CALLS_OK, 1);
  GENIE_RETURN_IF_ERROR(send_result(answer));
  genie_trace_add(trace, GENIE_TRACE_RECORD_ANSWERED, genie_share_place_index(answer->session->share, 0),
                  answer->result.frame.call_id, answer->result.payload_bytes, begin_ns);
  return GENIE_OK;
}

// The message goes to the client as it is, cut to what the wire takes.
genie_status_t genie_call_answer_fail(genie_call_answer_t *answer, uint64_t call_id, genie_status_t failure) {
  genie_metrics_t *metrics = &answer->node->metrics;
  const genie_status_code_t code = genie_status_code(failure);
  const char *message = genie_status_message(failure);
  atomic_fetch_add(&answer->node->failed_call_count, 1);
  genie_metrics_add(metrics, code == GENIE_STATUS_CANCELLED ? GENIE_METRIC_CALLS_CANCELLED : GENIE_METRIC_CALLS_FAILED,
                    1);
  genie_metrics_count_error(metrics, code);
  genie_call_answer_begin(answer, call_id);
  answer->result.frame.code = code;
  answer->result.frame.message_bytes = (uint32_t)strnlen(message, kMessageBytes);
  answer->result.message = message;
  const genie_status_t status = send_result(answer);
  genie_status_free(failure);
  return status;
}
