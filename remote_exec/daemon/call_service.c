// CALL connections: a call arrives as one message, its inputs go to where the place reads them, and one message
// answers.
#include <string.h>

#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/daemon/services.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"
#include "remote_exec/wire/frame.h"

enum { kPieces = 256, kMessageBytes = 500 };

typedef struct caller {
  genie_node_t *node;
  genie_node_session_t *session;
  genie_channel_t *channel;
  uint8_t *header;  // GENIE_WIRE_MAX_HEADER_BYTES: of the message that is read
  uint8_t *answer;  // likewise, of the one that is written
  genie_wire_slot_t *slots;
  struct iovec *pieces;  // of the results
} caller_t;

// ---- Inputs ----

static genie_status_t check_inputs(const caller_t *caller, const genie_wire_call_view_t *call) {
  const genie_share_t *share = caller->session->share;
  const uint32_t entry = call->frame.entry;
  const uint32_t count = genie_share_input_count(share, entry);
  if (call->frame.input_count != count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the call brings %u inputs; the node's places take %u",
                             call->frame.input_count, count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const genie_share_tensor_t input = genie_share_input(share, entry, i);
    if (call->inputs[i].index != input.position || call->inputs[i].bytes != input.bytes) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "the call brings %llu bytes for input %u; input %u of %llu bytes is due",
                               (unsigned long long)call->inputs[i].bytes, call->inputs[i].index, input.position,
                               (unsigned long long)input.bytes);
    }
  }
  return GENIE_OK;
}

static genie_status_t bind_call(const caller_t *caller, const genie_wire_call_view_t *call) {
  genie_node_session_t *session = caller->session;
  if (call->frame.session_id != session->id) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the call is of another session");
  }
  if (call->frame.call_id <= session->last_call_id) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "call %llu comes after call %llu",
                             (unsigned long long)call->frame.call_id, (unsigned long long)session->last_call_id);
  }
  session->last_call_id = call->frame.call_id;
  GENIE_RETURN_IF_ERROR(genie_share_bind(session->share, call->frame.entry, call->symbols, call->frame.symbol_count));
  return check_inputs(caller, call);
}

static genie_status_t receive_inputs(const caller_t *caller, const genie_wire_call_view_t *call) {
  struct iovec pieces[kPieces];
  uint32_t count = 0;
  const genie_deadline_ns_t deadline = genie_liveness_transfer_deadline(call->payload_bytes);
  for (uint32_t i = 0; i < call->frame.input_count; ++i) {
    const genie_share_tensor_t input = genie_share_input(caller->session->share, call->frame.entry, i);
    if (input.bytes > 0) {
      pieces[count++] = (struct iovec){.iov_base = input.memory, .iov_len = input.bytes};
    }
    if (count == kPieces || (count > 0 && i + 1 == call->frame.input_count)) {
      GENIE_RETURN_IF_ERROR(genie_channel_receive_pieces(caller->channel, pieces, count, deadline));
      count = 0;
    }
  }
  return GENIE_OK;
}

// ---- Results ----

static genie_status_t send_result(const caller_t *caller, const genie_wire_result_view_t *result,
                                  uint32_t piece_count) {
  size_t header_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_wire_result_write(result, caller->answer, GENIE_WIRE_MAX_HEADER_BYTES, &header_bytes));
  const genie_message_t message = {.header = caller->answer,
                                   .header_bytes = header_bytes,
                                   .payload = piece_count > 0 ? caller->pieces : NULL,
                                   .payload_count = piece_count};
  return genie_channel_send(caller->channel, &message, genie_liveness_transfer_deadline(result->payload_bytes));
}

static bool is_wanted(const genie_wire_call_view_t *call, uint32_t position) {
  for (uint32_t i = 0; i < call->frame.output_count; ++i) {
    if (call->outputs[i] == position) {
      return true;
    }
  }
  return false;
}

static genie_status_t send_outputs(const caller_t *caller, const genie_wire_call_view_t *call, uint64_t compute_ns) {
  const genie_share_t *share = caller->session->share;
  genie_wire_result_view_t result = {
      .frame = {.session_id = caller->session->id, .call_id = call->frame.call_id, .compute_ns = compute_ns},
      .outputs = caller->slots};
  uint32_t piece_count = 0;
  for (uint32_t i = 0; i < genie_share_output_count(share, call->frame.entry); ++i) {
    const genie_share_tensor_t output = genie_share_output(share, call->frame.entry, i);
    if (!is_wanted(call, output.position)) {
      continue;
    }
    if (result.frame.output_count == GENIE_CHANNEL_MAX_PAYLOAD_PIECES) {
      return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d outputs on one node",
                               GENIE_CHANNEL_MAX_PAYLOAD_PIECES);
    }
    caller->slots[result.frame.output_count++] = (genie_wire_slot_t){.index = output.position, .bytes = output.bytes};
    if (output.bytes > 0) {
      caller->pieces[piece_count++] = (struct iovec){.iov_base = output.memory, .iov_len = output.bytes};
    }
    result.payload_bytes += output.bytes;
  }
  const uint64_t begin_ns = genie_trace_now_ns(caller->session->trace);
  GENIE_RETURN_IF_ERROR(send_result(caller, &result, piece_count));
  genie_trace_add(caller->session->trace, GENIE_TRACE_RECORD_ANSWERED, genie_share_place_index(share, 0),
                  call->frame.call_id, result.payload_bytes, begin_ns);
  return GENIE_OK;
}

// The message of a failed call goes to the client as it is, cut to what the wire takes.
static genie_status_t send_failure(const caller_t *caller, uint64_t call_id, genie_status_t failure) {
  const char *message = genie_status_message(failure);
  const size_t length = strnlen(message, kMessageBytes);
  const genie_wire_result_view_t result = {.frame = {.session_id = caller->session->id,
                                                     .call_id = call_id,
                                                     .code = genie_status_code(failure),
                                                     .message_bytes = (uint32_t)length},
                                           .message = message};
  const genie_status_t status = send_result(caller, &result, 0);
  genie_status_free(failure);
  return status;
}

// ---- Calls ----

static genie_deadline_ns_t deadline_of(const genie_wire_call_view_t *call) {
  return call->frame.timeout_ns == 0 ? GENIE_DEADLINE_NEVER : genie_deadline_after_ns(call->frame.timeout_ns);
}

// An error here is the connection's; what is wrong with the call is answered.
static genie_status_t run_call(const caller_t *caller, const genie_wire_call_view_t *call) {
  genie_node_session_t *session = caller->session;
  genie_metrics_t *metrics = &caller->node->metrics;
  const genie_deadline_ns_t deadline = deadline_of(call);
  genie_status_t status = bind_call(caller, call);
  const uint32_t place = genie_share_place_index(session->share, 0);
  if (status == GENIE_OK) {
    const uint64_t taking_ns = genie_trace_now_ns(session->trace);
    GENIE_RETURN_IF_ERROR(receive_inputs(caller, call));
    genie_trace_add(session->trace, GENIE_TRACE_RECORD_TAKEN, place, call->frame.call_id, call->payload_bytes,
                    taking_ns);
    const uint64_t begin_ns = genie_deadline_clock_ns();
    genie_metrics_add(metrics, GENIE_METRIC_CALLS_RUNNING, 1);
    status = genie_share_run(session->share, call->frame.call_id, deadline);
    genie_metrics_subtract(metrics, GENIE_METRIC_CALLS_RUNNING, 1);
    genie_metrics_add(metrics, GENIE_METRIC_CALL_TIME, genie_deadline_clock_ns() - begin_ns);
    if (genie_status_code(status) == GENIE_STATUS_ABORTED) {
      genie_lost_devices_examine(caller->node, session);
    }
    if (status == GENIE_OK) {
      // A client that has its outputs may be gone before the sending returns.
      genie_metrics_add(metrics, GENIE_METRIC_CALLS_OK, 1);
      status = send_outputs(caller, call, genie_deadline_clock_ns() - begin_ns);
      if (genie_status_code(status) != GENIE_STATUS_UNIMPLEMENTED) {
        return status;
      }
    }
  } else {
    genie_share_abandon(session->share, call->frame.call_id, genie_status_code(status));
    const genie_status_t skipped =
        call->payload_bytes == 0 ? GENIE_OK
                                 : genie_channel_skip_payload(caller->channel, call->payload_bytes,
                                                              genie_liveness_transfer_deadline(call->payload_bytes));
    if (skipped != GENIE_OK) {
      genie_status_free(status);
      return skipped;
    }
  }
  const bool is_cancelled = genie_status_code(status) == GENIE_STATUS_CANCELLED;
  atomic_fetch_add(&caller->node->failed_call_count, 1);
  genie_metrics_add(metrics, is_cancelled ? GENIE_METRIC_CALLS_CANCELLED : GENIE_METRIC_CALLS_FAILED, 1);
  genie_metrics_count_error(metrics, genie_status_code(status));
  return send_failure(caller, call->frame.call_id, status);
}

static genie_status_t take_call(const caller_t *caller, size_t header_bytes, uint64_t payload_bytes) {
  genie_wire_call_view_t call;
  GENIE_RETURN_IF_ERROR(genie_wire_call_read(caller->header, header_bytes, payload_bytes, &call));
  atomic_fetch_add(&caller->node->call_count, 1);
  atomic_fetch_add(&caller->session->call_count, 1);
  pthread_mutex_lock(&caller->session->run_mutex);
  const genie_status_t status = run_call(caller, &call);
  pthread_mutex_unlock(&caller->session->run_mutex);
  return status;
}

static genie_status_t take_message(const caller_t *caller) {
  genie_wire_prefix_t prefix;
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  genie_wire_cancel_t cancel;
  GENIE_RETURN_IF_ERROR(genie_connection_receive(caller->channel, GENIE_WIRE_FROM_CLIENT, GENIE_WIRE_ROLE_CALL,
                                                 caller->header, GENIE_DEADLINE_NEVER, &prefix, &header_bytes,
                                                 &payload_bytes));
  switch (prefix.kind) {
    case GENIE_WIRE_CALL:
      return take_call(caller, header_bytes, payload_bytes);
    case GENIE_WIRE_CANCEL:
      GENIE_RETURN_IF_ERROR(genie_wire_cancel_read(caller->header, header_bytes, &cancel));
      genie_share_cancel(caller->session->share, cancel.call_id);
      return GENIE_OK;
    case GENIE_WIRE_HEARTBEAT:
      return GENIE_OK;
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "message %u on a call connection", prefix.kind);
}

static genie_status_t allocate(caller_t *caller) {
  const genie_allocator_t allocator = caller->node->allocator;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &memory));
  caller->header = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &memory));
  caller->answer = memory;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(allocator, GENIE_CHANNEL_MAX_PAYLOAD_PIECES, sizeof(*caller->slots), &memory));
  caller->slots = memory;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(allocator, GENIE_CHANNEL_MAX_PAYLOAD_PIECES, sizeof(*caller->pieces), &memory));
  caller->pieces = memory;
  return GENIE_OK;
}

genie_status_t genie_call_serve(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel) {
  caller_t caller = {.node = node, .session = session, .channel = channel};
  genie_status_t status = allocate(&caller);
  while (status == GENIE_OK) {
    status = take_message(&caller);
  }
  genie_allocator_free(node->allocator, caller.header);
  genie_allocator_free(node->allocator, caller.answer);
  genie_allocator_free(node->allocator, caller.slots);
  genie_allocator_free(node->allocator, caller.pieces);
  return status;
}
