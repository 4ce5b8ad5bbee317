#include <stdio.h>
#include <string.h>

#include "remote_exec/client/remote_session.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/wire/frame.h"

// ---- Preparing ----

static uint64_t bytes_of(const genie_tensor_t *tensor) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)tensor->shape[i];
  }
  return bytes;
}

static const genie_plan_tensor_t *output_of(const genie_remote_session_t *session, uint32_t entry, uint32_t position) {
  const genie_plan_t *plan = session->base.model->plan;
  return &plan->tensors[genie_plan_output(plan, entry, position)];
}

static genie_tensor_t describe_output(const genie_remote_session_t *session, uint32_t entry, uint32_t position) {
  const genie_plan_t *plan = session->base.model->plan;
  const genie_plan_tensor_t *tensor = output_of(session, entry, position);
  genie_tensor_t output = {.dtype = (genie_dtype_t)tensor->dtype, .rank = (int32_t)tensor->rank};
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    output.shape[i] = session->values[plan->indices[tensor->first_dim + i]];
  }
  return output;
}

static bool has_type_of(const genie_tensor_t *given, const genie_tensor_t *expected) {
  return given->dtype == expected->dtype && given->rank == expected->rank &&
         memcmp(given->shape, expected->shape, (size_t)expected->rank * sizeof(int64_t)) == 0;
}

static genie_status_t prepare_output(genie_remote_session_t *session, uint32_t entry, uint32_t position,
                                     genie_remote_memory_fn_t take_memory, void *context, genie_tensor_t *output) {
  genie_tensor_t expected = describe_output(session, entry, position);
  const char *name = genie_plan_string(session->base.model->plan, output_of(session, entry, position)->name);
  if (take_memory == NULL) {  // only described
    expected.data = output->data;
    *output = expected;
    return GENIE_OK;
  }
  if (output->data != NULL) {
    return has_type_of(output, &expected)
               ? GENIE_OK
               : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                   "output '%s' has another dtype or shape in this call than the memory given", name);
  }
  GENIE_RETURN_IF_ERROR(take_memory(context, position, bytes_of(&expected), &expected.data));
  *output = expected;
  return GENIE_OK;
}

static genie_status_t check_inputs(const genie_remote_session_t *session, uint32_t entry,
                                   const genie_tensor_t *inputs) {
  for (uint32_t i = 0; i < genie_model_input_count(session->base.model, entry); ++i) {
    if (inputs[i].data == NULL && bytes_of(&inputs[i]) > 0) {
      return genie_status_make(
          GENIE_STATUS_INVALID_ARGUMENT, "input '%s' has no data",
          genie_plan_string(
              session->base.model->plan,
              session->base.model->plan->tensors[genie_plan_input(session->base.model->plan, entry, i)].name));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_remote_call_prepare(genie_remote_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                         uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                         genie_remote_memory_fn_t take_memory, void *context, int64_t *out_symbols) {
  const genie_model_t *model = session->base.model;
  if (entry >= model->plan->entry_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, model->plan->entry_count);
  }
  GENIE_RETURN_IF_ERROR(genie_model_bind_symbols(model, entry, inputs, input_count, out_symbols));
  if (output_count != genie_model_output_count(model, entry)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entry '%s' has %u outputs, but %u are given",
                             genie_model_entry_name(model, entry), genie_model_output_count(model, entry),
                             output_count);
  }
  if (take_memory != NULL) {
    GENIE_RETURN_IF_ERROR(check_inputs(session, entry, inputs));
  }
  genie_plan_evaluate(model->plan, entry, out_symbols, session->values);
  for (uint32_t i = 0; i < output_count; ++i) {
    GENIE_RETURN_IF_ERROR(prepare_output(session, entry, i, take_memory, context, &outputs[i]));
  }
  return GENIE_OK;
}

// ---- Failures ----

genie_status_t genie_remote_session_check(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->mutex);
  const genie_status_t status = session->failure == GENIE_STATUS_OK
                                    ? GENIE_OK
                                    : genie_status_make(session->failure, "%s", session->failure_message);
  pthread_mutex_unlock(&session->mutex);
  return status;
}

// The mutex is held. A call ends once, when nobody writes to its outputs any more.
static void settle(genie_remote_session_t *session, genie_remote_call_t *call) {
  if ((call->pending != 0 && !call->is_given_up) || call->filling_count > 0) {
    return;
  }
  for (genie_remote_call_t **link = &session->calls; *link != NULL; link = &(*link)->next) {
    if (*link == call) {
      *link = call->next;
      --session->call_count;
      if (call->done != NULL) {
        call->next = session->ended;
        session->ended = call;
      }
      pthread_cond_broadcast(&session->changed);
      return;
    }
  }
}

// Without the mutex: what is told may take its time.
static void tell_ended(genie_remote_session_t *session) {
  for (;;) {
    pthread_mutex_lock(&session->mutex);
    genie_remote_call_t *call = session->ended;
    if (call != NULL) {
      session->ended = call->next;
    }
    pthread_mutex_unlock(&session->mutex);
    if (call == NULL) {
      return;
    }
    call->done(call);
  }
}

// The mutex is held. Takes the status.
static void give_up(genie_remote_session_t *session, genie_remote_call_t *call, genie_status_t status) {
  if (call->status == GENIE_OK) {
    call->status = status;
  } else {
    genie_status_free(status);
  }
  call->is_given_up = true;
  settle(session, call);
}

void genie_remote_session_fail(genie_remote_session_t *session, genie_status_code_t code, const char *message) {
  pthread_mutex_lock(&session->mutex);
  if (session->failure == GENIE_STATUS_OK) {
    session->failure = code;
    snprintf(session->failure_message, sizeof(session->failure_message), "%s", message);
  }
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if (session->nodes[i].calls != NULL) {
      genie_channel_interrupt(session->nodes[i].calls);
    }
  }
  if (session->share != NULL) {
    genie_share_fail(session->share, session->failure, session->failure_message);
  }
  for (genie_remote_call_t *call = session->calls, *next = NULL; call != NULL; call = next) {
    next = call->next;
    give_up(session, call, genie_status_make(session->failure, "%s", session->failure_message));
  }
  pthread_mutex_unlock(&session->mutex);
  tell_ended(session);
}

static void cancel_on_nodes(genie_remote_session_t *session, uint64_t call_id, uint64_t nodes) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if ((nodes >> i & 1) != 0) {
      genie_node_link_cancel(session->nodes[i].link, session->nodes[i].session_id, call_id);
    }
  }
  if (session->share != NULL) {
    genie_share_cancel(session->share, call_id);
  }
}

void genie_remote_call_give_up(genie_remote_session_t *session, genie_remote_call_t *call, genie_status_t status) {
  uint64_t id = 0;
  uint64_t pending = 0;
  bool is_in_flight = false;
  pthread_mutex_lock(&session->mutex);
  for (genie_remote_call_t *other = session->calls; other != NULL; other = other->next) {
    is_in_flight |= other == call;
  }
  if (is_in_flight) {
    id = call->id;
    pending = call->pending;
    give_up(session, call, status);
  } else {
    genie_status_free(status);
  }
  pthread_mutex_unlock(&session->mutex);
  if (is_in_flight) {
    cancel_on_nodes(session, id, pending);
    tell_ended(session);
  }
}

// A call connection that broke: the node is lost, or has closed the session.
static genie_status_t fail_with_node(genie_remote_node_t *node, genie_status_t cause) {
  char message[GENIE_REMOTE_FAILURE_BYTES];
  snprintf(message, sizeof(message), "lost node '%s' (%s): %s", genie_node_link_name(node->link),
           genie_node_link_address(node->link), genie_status_message(cause));
  genie_status_free(cause);
  genie_remote_session_fail(node->session, GENIE_STATUS_ABORTED, message);
  return genie_remote_session_check(node->session);
}

// ---- Sending ----

static uint32_t node_of_input(const genie_remote_session_t *session, uint32_t entry, uint32_t position) {
  return session->tensor_node[genie_plan_input(session->base.model->plan, entry, position)];
}

static uint32_t node_of_output(const genie_remote_session_t *session, uint32_t entry, uint32_t position) {
  return session->tensor_node[genie_plan_output(session->base.model->plan, entry, position)];
}

static uint64_t timeout_of(const genie_remote_call_t *call) {
  const uint64_t now = genie_deadline_clock_ns();
  return call->deadline == GENIE_DEADLINE_NEVER ? 0 : call->deadline > now ? call->deadline - now : 1;
}

// The inputs that are of this node go out from the caller's memory.
static genie_status_t send_to_node(genie_remote_session_t *session, uint32_t index, const genie_remote_call_t *call,
                                   const genie_tensor_t *inputs, const int64_t *symbols) {
  const genie_plan_entry_t *entry = &session->base.model->plan->entries[call->entry];
  const genie_remote_node_t *node = &session->nodes[index];
  genie_wire_call_view_t view = {.frame = {.session_id = node->session_id,
                                           .call_id = call->id,
                                           .timeout_ns = timeout_of(call),
                                           .entry = call->entry,
                                           .symbol_count = entry->symbol_count},
                                 .symbols = symbols,
                                 .inputs = session->slots,
                                 .outputs = session->wanted};
  size_t piece_count = 0;
  for (uint32_t i = 0; i < entry->input_count; ++i) {
    if (node_of_input(session, call->entry, i) == index) {
      const uint64_t bytes = bytes_of(&inputs[i]);
      session->slots[view.frame.input_count++] = (genie_wire_slot_t){.index = i, .bytes = bytes};
      view.payload_bytes += bytes;
      if (bytes > 0) {
        session->pieces[piece_count++] = (struct iovec){.iov_base = inputs[i].data, .iov_len = bytes};
      }
    }
  }
  for (uint32_t i = 0; i < entry->output_count; ++i) {
    if (node_of_output(session, call->entry, i) == index) {
      session->wanted[view.frame.output_count++] = i;
    }
  }
  size_t header_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_wire_call_write(&view, session->header, GENIE_WIRE_MAX_HEADER_BYTES, &header_bytes));
  const genie_message_t message = {.header = session->header,
                                   .header_bytes = header_bytes,
                                   .payload = piece_count > 0 ? session->pieces : NULL,
                                   .payload_count = piece_count};
  const uint64_t begin_ns = genie_trace_now_ns(session->base.trace);
  GENIE_RETURN_IF_ERROR(
      genie_channel_send(node->calls, &message, genie_liveness_transfer_deadline(view.payload_bytes)));
  genie_trace_add(session->base.trace, GENIE_TRACE_RECORD_CALLED, node->places[0], call->id, view.payload_bytes,
                  begin_ns);
  return GENIE_OK;
}

static uint64_t all_nodes(const genie_remote_session_t *session) {
  return session->node_count == GENIE_REMOTE_MAX_NODES ? UINT64_MAX : ((uint64_t)1 << session->node_count) - 1;
}

// Puts a call in flight unless the session has failed.
static genie_status_t enter(genie_remote_session_t *session, genie_remote_call_t *call) {
  genie_status_t status = GENIE_OK;
  pthread_mutex_lock(&session->mutex);
  while (session->call_count >= GENIE_REMOTE_CALLS_IN_FLIGHT && session->failure == GENIE_STATUS_OK) {
    pthread_cond_wait(&session->changed, &session->mutex);
  }
  if (session->failure != GENIE_STATUS_OK) {
    status = genie_status_make(session->failure, "%s", session->failure_message);
  } else {
    genie_remote_call_t **link = &session->calls;
    while (*link != NULL) {
      link = &(*link)->next;
    }
    *link = call;
    ++session->call_count;
  }
  pthread_mutex_unlock(&session->mutex);
  return status;
}

static bool has_many_unanswered(genie_remote_node_t *node) {
  pthread_mutex_lock(&node->session->mutex);
  const bool has_many = node->unanswered_count >= GENIE_REMOTE_CALLS_UNANSWERED;
  pthread_mutex_unlock(&node->session->mutex);
  return has_many;
}

static genie_status_t wait_for_answer(genie_remote_node_t *node) {
  genie_remote_session_t *session = node->session;
  pthread_mutex_lock(&session->mutex);
  while (node->unanswered_count >= GENIE_REMOTE_CALLS_UNANSWERED && session->failure == GENIE_STATUS_OK) {
    pthread_cond_wait(&session->changed, &session->mutex);
  }
  pthread_mutex_unlock(&session->mutex);
  return genie_remote_session_check(session);
}

// Calls that were given up are still the nodes' to answer: a further one waits until there are few of them.
static genie_status_t await_answers(genie_remote_session_t *session, genie_deadline_ns_t deadline) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    genie_remote_node_t *node = &session->nodes[i];
    while (has_many_unanswered(node)) {
      GENIE_RETURN_IF_ERROR(node->has_receiver ? wait_for_answer(node) : genie_remote_receive_result(node, deadline));
    }
  }
  return GENIE_OK;
}

static void count_unanswered(genie_remote_node_t *node, bool is_sent) {
  pthread_mutex_lock(&node->session->mutex);
  if (is_sent) {
    ++node->unanswered_count;
  } else if (node->unanswered_count > 0) {
    --node->unanswered_count;
    pthread_cond_broadcast(&node->session->changed);
  }
  pthread_mutex_unlock(&node->session->mutex);
}

// A call that cannot be sent takes the session with it: some nodes may have it and wait for the others.
genie_status_t genie_remote_call_send(genie_remote_session_t *session, genie_remote_call_t *call,
                                      const genie_tensor_t *inputs, const int64_t *symbols) {
  call->id = ++session->last_call_id;
  call->pending = all_nodes(session);
  if (call->pending == 0) {
    return GENIE_OK;  // all places are in this process: nothing is in flight
  }
  GENIE_RETURN_IF_ERROR(await_answers(session, call->deadline));
  GENIE_RETURN_IF_ERROR(enter(session, call));
  for (uint32_t i = 0; i < session->node_count; ++i) {
    count_unanswered(&session->nodes[i], true);
    const genie_status_t status = send_to_node(session, i, call, inputs, symbols);
    if (status != GENIE_OK) {
      genie_status_free(fail_with_node(&session->nodes[i], status));  // ends the call with the same
      return GENIE_OK;
    }
  }
  return GENIE_OK;
}

// ---- Receiving ----

// Fills `pieces` with where the outputs of a result go; INTERNAL when they are not those that were asked for.
static genie_status_t place_outputs(const genie_remote_node_t *node, const genie_remote_call_t *call,
                                    const genie_wire_result_view_t *result, struct iovec *pieces,
                                    size_t *out_piece_count) {
  const genie_remote_session_t *session = node->session;
  const uint32_t output_count = session->base.model->plan->entries[call->entry].output_count;
  const uint32_t index = (uint32_t)(node - session->nodes);
  uint32_t next = 0;
  *out_piece_count = 0;
  for (uint32_t i = 0; i < output_count; ++i) {
    if (node_of_output(session, call->entry, i) != index) {
      continue;
    }
    const uint64_t bytes = bytes_of(&call->outputs[i]);
    if (next >= result->frame.output_count || result->outputs[next].index != i ||
        result->outputs[next].bytes != bytes) {
      return genie_status_make(GENIE_STATUS_INTERNAL, "the result does not hold output %u of %llu bytes", i,
                               (unsigned long long)bytes);
    }
    if (bytes > 0) {
      if (*out_piece_count == GENIE_CHANNEL_MAX_PAYLOAD_PIECES) {
        return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d outputs on one node",
                                 GENIE_CHANNEL_MAX_PAYLOAD_PIECES);
      }
      pieces[(*out_piece_count)++] = (struct iovec){.iov_base = call->outputs[i].data, .iov_len = bytes};
    }
    ++next;
  }
  return next == result->frame.output_count
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INTERNAL, "the result holds outputs that nobody asked for");
}

static genie_status_t receive_outputs(const genie_remote_node_t *node, const genie_remote_call_t *call,
                                      const genie_wire_result_view_t *result) {
  struct iovec pieces[GENIE_CHANNEL_MAX_PAYLOAD_PIECES];
  size_t piece_count = 0;
  GENIE_RETURN_IF_ERROR(place_outputs(node, call, result, pieces, &piece_count));
  return piece_count == 0 ? GENIE_OK
                          : genie_channel_receive_pieces(node->calls, pieces, piece_count,
                                                         genie_liveness_transfer_deadline(result->payload_bytes));
}

static genie_status_t failure_of(const genie_remote_node_t *node, const genie_wire_result_view_t *result) {
  return genie_status_make((genie_status_code_t)result->frame.code, "node '%s': %.*s", genie_node_link_name(node->link),
                           (int)result->frame.message_bytes, result->message);
}

// The call in flight that a result is of, with this thread counted as writing to it; NULL when it was given up.
static genie_remote_call_t *claim_call(genie_remote_node_t *node, uint64_t call_id) {
  genie_remote_session_t *session = node->session;
  const uint64_t bit = (uint64_t)1 << (node - session->nodes);
  pthread_mutex_lock(&session->mutex);
  genie_remote_call_t *call = session->calls;
  while (call != NULL && (call->id != call_id || call->is_given_up || (call->pending & bit) == 0)) {
    call = call->next;
  }
  if (call != NULL) {
    ++call->filling_count;
  }
  pthread_mutex_unlock(&session->mutex);
  return call;
}

// Takes `failure`, what the node says is wrong with the call. Returns the nodes that still work on a call that failed.
static uint64_t release_call(genie_remote_node_t *node, genie_remote_call_t *call, genie_status_t failure) {
  genie_remote_session_t *session = node->session;
  uint64_t others = 0;
  pthread_mutex_lock(&session->mutex);
  --call->filling_count;
  call->pending &= ~((uint64_t)1 << (node - session->nodes));
  if (failure != GENIE_OK && call->status == GENIE_OK) {
    call->status = failure;
    others = call->pending;
  } else {
    genie_status_free(failure);
  }
  settle(session, call);
  pthread_mutex_unlock(&session->mutex);
  tell_ended(session);
  return others;
}

static genie_status_t take_result(genie_remote_node_t *node, size_t header_bytes, uint64_t payload_bytes) {
  genie_remote_session_t *session = node->session;
  genie_wire_result_view_t result;
  GENIE_RETURN_IF_ERROR(genie_wire_result_read(node->header, header_bytes, payload_bytes, &result));
  const uint64_t call_id = result.frame.call_id;
  count_unanswered(node, false);
  genie_remote_call_t *call = claim_call(node, call_id);
  if (call == NULL) {
    return payload_bytes == 0 ? GENIE_OK
                              : genie_channel_skip_payload(node->calls, payload_bytes,
                                                           genie_liveness_transfer_deadline(payload_bytes));
  }
  if (result.frame.code == GENIE_STATUS_OK) {
    const uint64_t begin_ns = genie_trace_now_ns(session->base.trace);
    const genie_status_t received = receive_outputs(node, call, &result);
    genie_trace_add(session->base.trace, GENIE_TRACE_RECORD_RESULT, node->places[0], call_id, payload_bytes, begin_ns);
    release_call(node, call,
                 received == GENIE_OK
                     ? GENIE_OK
                     : genie_status_make(GENIE_STATUS_ABORTED, "node '%s': %s", genie_node_link_name(node->link),
                                         genie_status_message(received)));
    return received;
  }
  if (result.frame.code == GENIE_STATUS_ABORTED) {
    const genie_status_t lost = failure_of(node, &result);
    release_call(node, call, failure_of(node, &result));
    genie_remote_session_fail(session, GENIE_STATUS_ABORTED, genie_status_message(lost));
    genie_status_free(lost);
    return GENIE_OK;
  }
  cancel_on_nodes(session, call_id, release_call(node, call, failure_of(node, &result)));
  return GENIE_OK;
}

genie_status_t genie_remote_receive_result(genie_remote_node_t *node, genie_deadline_ns_t deadline) {
  genie_wire_prefix_t prefix;
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  genie_status_t status = genie_connection_receive(node->calls, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL,
                                                   node->header, deadline, &prefix, &header_bytes, &payload_bytes);
  if (genie_status_code(status) == GENIE_STATUS_DEADLINE_EXCEEDED) {
    return status;
  }
  if (status == GENIE_OK && prefix.kind == GENIE_WIRE_RESULT) {
    status = take_result(node, header_bytes, payload_bytes);
  } else if (status == GENIE_OK && prefix.kind != GENIE_WIRE_HEARTBEAT) {
    status = genie_status_make(GENIE_STATUS_INTERNAL, "message %u where a result is due", prefix.kind);
  }
  return status == GENIE_OK ? GENIE_OK : fail_with_node(node, status);
}

// The node that the call waits for, or NULL when it has ended.
static genie_remote_node_t *next_pending(genie_remote_session_t *session, const genie_remote_call_t *call) {
  genie_remote_node_t *node = NULL;
  pthread_mutex_lock(&session->mutex);
  for (const genie_remote_call_t *other = session->calls; other != NULL; other = other->next) {
    if (other == call) {
      node = &session->nodes[__builtin_ctzll(call->pending)];
    }
  }
  pthread_mutex_unlock(&session->mutex);
  return node;
}

static void give_up_late(genie_remote_session_t *session, genie_remote_call_t *call, const genie_remote_node_t *node) {
  genie_remote_call_give_up(
      session, call,
      genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the call's deadline passed; node '%s' has not answered",
                        genie_node_link_name(node->link)));
}

// The receivers take the results.
static void wait_for_receivers(genie_remote_session_t *session, const genie_remote_call_t *call) {
  const struct timespec until = {.tv_sec = (time_t)(call->deadline / 1000000000u),
                                 .tv_nsec = (long)(call->deadline % 1000000000u)};
  pthread_mutex_lock(&session->mutex);
  bool is_in_flight = true;
  while (is_in_flight && !genie_deadline_has_passed(call->deadline)) {
    is_in_flight = false;
    for (const genie_remote_call_t *other = session->calls; other != NULL; other = other->next) {
      is_in_flight |= other == call;
    }
    if (is_in_flight && call->deadline == GENIE_DEADLINE_NEVER) {
      pthread_cond_wait(&session->changed, &session->mutex);
    } else if (is_in_flight) {
      pthread_cond_timedwait(&session->changed, &session->mutex, &until);
    }
  }
  pthread_mutex_unlock(&session->mutex);
}

genie_status_t genie_remote_call_finish(genie_remote_session_t *session, genie_remote_call_t *call) {
  genie_remote_node_t *node = NULL;
  while ((node = next_pending(session, call)) != NULL) {
    if (node->has_receiver) {
      wait_for_receivers(session, call);
      node = next_pending(session, call);
      if (node != NULL) {
        give_up_late(session, call, node);
      }
      continue;
    }
    const genie_status_t status = genie_remote_receive_result(node, call->deadline);
    if (genie_status_code(status) == GENIE_STATUS_DEADLINE_EXCEEDED) {
      give_up_late(session, call, node);
    }
    genie_status_free(status);  // it ended the call with the same
  }
  const genie_status_t status = call->status;
  call->status = GENIE_OK;
  return status;
}
