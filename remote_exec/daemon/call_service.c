// CALL connections: a call arrives as one message, its inputs go to where the place reads them, and one message
// answers.
#include "remote_exec/daemon/call_answer.h"
#include "remote_exec/daemon/call_pipeline.h"
#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/daemon/services.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"
#include "remote_exec/wire/frame.h"

enum { kPieces = 256 };

typedef struct caller {
  genie_node_t *node;
  genie_node_session_t *session;
  genie_channel_t *channel;
  uint8_t *header;  // GENIE_WIRE_MAX_HEADER_BYTES: of the message that is read
  genie_call_answer_t answer;
  genie_call_pipeline_t *pipeline;  // of a session with several places here, or NULL
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
  GENIE_RETURN_IF_ERROR(genie_node_session_admit_call(session, &call->frame));
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

static bool is_wanted(const genie_wire_call_view_t *call, uint32_t position) {
  for (uint32_t i = 0; i < call->frame.output_count; ++i) {
    if (call->outputs[i] == position) {
      return true;
    }
  }
  return false;
}

static genie_status_t add_outputs(caller_t *caller, const genie_wire_call_view_t *call) {
  const genie_share_t *share = caller->session->share;
  genie_call_answer_begin(&caller->answer, call->frame.call_id);
  for (uint32_t i = 0; i < genie_share_output_count(share, call->frame.entry); ++i) {
    const genie_share_tensor_t output = genie_share_output(share, call->frame.entry, i);
    if (is_wanted(call, output.position)) {
      GENIE_RETURN_IF_ERROR(genie_call_answer_add(&caller->answer, output.position, output.memory, output.bytes));
    }
  }
  return GENIE_OK;
}

// ---- Calls ----

static genie_deadline_ns_t deadline_of(const genie_wire_call_view_t *call) {
  return call->frame.timeout_ns == 0 ? GENIE_DEADLINE_NEVER : genie_deadline_after_ns(call->frame.timeout_ns);
}

// An error here is the connection's; what is wrong with the call is answered.
static genie_status_t run_call(caller_t *caller, const genie_wire_call_view_t *call) {
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
      status = add_outputs(caller, call);
    }
    if (status == GENIE_OK) {
      return genie_call_answer_send(&caller->answer, genie_deadline_clock_ns() - begin_ns);
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
  return genie_call_answer_fail(&caller->answer, call->frame.call_id, status);
}

static genie_status_t take_call(caller_t *caller, size_t header_bytes, uint64_t payload_bytes) {
  genie_wire_call_view_t call;
  GENIE_RETURN_IF_ERROR(genie_wire_call_read(caller->header, header_bytes, payload_bytes, &call));
  atomic_fetch_add(&caller->node->call_count, 1);
  atomic_fetch_add(&caller->session->call_count, 1);
  if (caller->pipeline != NULL) {
    return genie_call_pipeline_take(caller->pipeline, &call);
  }
  pthread_mutex_lock(&caller->session->run_mutex);
  const genie_status_t status = run_call(caller, &call);
  pthread_mutex_unlock(&caller->session->run_mutex);
  return status;
}

static genie_status_t take_message(caller_t *caller) {
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
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(caller->node->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &memory));
  caller->header = memory;
  if (genie_share_program_count(caller->session->share) > 1) {
    return genie_call_pipeline_create(caller->node, caller->session, caller->channel, &caller->pipeline);
  }
  return genie_call_answer_init(caller->node, caller->session, caller->channel, &caller->answer);
}

genie_status_t genie_call_serve(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel) {
  caller_t caller = {.node = node, .session = session, .channel = channel};
  genie_status_t status = allocate(&caller);
  while (status == GENIE_OK) {
    status = take_message(&caller);
  }
  genie_call_pipeline_destroy(caller.pipeline);
  genie_call_answer_deinit(&caller.answer);
  genie_allocator_free(node->allocator, caller.header);
  return status;
}
