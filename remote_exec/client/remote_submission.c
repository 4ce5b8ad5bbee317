// Several calls in flight: the caller's thread sends them, a thread a node takes the results.
#include <stddef.h>
#include <string.h>

#include "remote_exec/client/remote_session.h"

// How often a receiver looks for calls whose deadline has passed.
static const uint64_t kTickNs = (uint64_t)100 * 1000000;

typedef struct remote_submission {
  genie_submission_t base;
  genie_remote_session_t *session;
  genie_remote_call_t call;
  genie_tensor_t *inputs;  // what was sent, without its data unless it may be repeated; `outputs` lie behind them
  genie_tensor_t *outputs;
  void *input_block;   // copies of the inputs, of a call that may be repeated
  void *output_block;  // outputs that are the submission's
  int64_t symbols[GENIE_WIRE_MAX_SYMBOLS];
  genie_submit_options_t options;
  bool is_done;  // the session's mutex
} remote_submission_t;

// ---- Receivers ----

// A call in flight whose deadline has passed, or NULL.
static genie_remote_call_t *find_late(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->mutex);
  genie_remote_call_t *call = session->calls;
  while (call != NULL && (call->is_given_up || !genie_deadline_has_passed(call->deadline))) {
    call = call->next;
  }
  pthread_mutex_unlock(&session->mutex);
  return call;
}

static void give_up_late_calls(genie_remote_session_t *session) {
  genie_remote_call_t *call = NULL;
  while ((call = find_late(session)) != NULL) {
    genie_remote_call_give_up(session, call,
                              genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the call's deadline passed"));
  }
}

static void *receiver_main(void *argument) {
  genie_remote_node_t *node = argument;
  for (;;) {
    const genie_status_t status = genie_remote_receive_result(node, genie_deadline_after_ns(kTickNs));
    const bool is_late = genie_status_code(status) == GENIE_STATUS_DEADLINE_EXCEEDED;
    const bool is_broken = status != GENIE_OK && !is_late;
    genie_status_free(status);
    if (is_broken) {
      return NULL;
    }
    give_up_late_calls(node->session);
  }
}

static genie_status_t start_receivers(genie_remote_session_t *session) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    genie_remote_node_t *node = &session->nodes[i];
    if (!node->has_receiver && pthread_create(&node->receiver, NULL, receiver_main, node) != 0) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
    }
    node->has_receiver = true;
  }
  return GENIE_OK;
}

// ---- Submissions ----

static remote_submission_t *submission_of(genie_remote_call_t *call) {
  return (remote_submission_t *)((char *)call - offsetof(remote_submission_t, call));
}

static void on_done(genie_remote_call_t *call) {
  remote_submission_t *submission = submission_of(call);
  if (genie_remote_repeat_add(submission->session, call)) {
    return;
  }
  if (call->status == GENIE_OK) {
    genie_remote_traffic_add(submission->session, call->entry, submission->inputs, submission->outputs,
                             submission->symbols);
  }
  if (submission->options.completed != NULL) {
    submission->options.completed(submission->options.context, &submission->base);
  }
  genie_remote_session_t *session = submission->session;
  pthread_mutex_lock(&session->mutex);
  submission->is_done = true;
  pthread_cond_broadcast(&session->changed);
  pthread_mutex_unlock(&session->mutex);
}

// The mutex is held.
static void wait_for_done(const remote_submission_t *submission, genie_deadline_ns_t deadline) {
  genie_remote_session_t *session = submission->session;
  while (!submission->is_done && !genie_deadline_has_passed(deadline)) {
    if (deadline == GENIE_DEADLINE_NEVER) {
      pthread_cond_wait(&session->changed, &session->mutex);
      continue;
    }
    const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u),
                                   .tv_nsec = (long)(deadline % 1000000000u)};
    pthread_cond_timedwait(&session->changed, &session->mutex, &until);
  }
}

static genie_status_t submission_wait(genie_submission_t *base, uint64_t timeout_ns) {
  remote_submission_t *submission = (remote_submission_t *)base;
  genie_status_t status = GENIE_OK;
  pthread_mutex_lock(&submission->session->mutex);
  wait_for_done(submission, genie_deadline_after_ns(timeout_ns));
  if (submission->is_done) {
    status = submission->call.status;
    submission->call.status = GENIE_OK;
  } else {
    status = genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the call is not done yet");
  }
  pthread_mutex_unlock(&submission->session->mutex);
  return status;
}

static void submission_cancel(genie_submission_t *base) {
  remote_submission_t *submission = (remote_submission_t *)base;
  pthread_mutex_lock(&submission->session->mutex);
  submission->call.is_cancelled = true;
  pthread_mutex_unlock(&submission->session->mutex);
  genie_remote_call_give_up(submission->session, &submission->call,
                            genie_status_make(GENIE_STATUS_CANCELLED, "the call was cancelled"));
}

static void free_submission(remote_submission_t *submission) {
  const genie_allocator_t allocator = submission->session->base.allocator;
  genie_status_free(submission->call.status);
  genie_allocator_free(allocator, submission->output_block);
  genie_allocator_free(allocator, submission->input_block);
  genie_allocator_free(allocator, submission->inputs);
  genie_allocator_free(allocator, submission);
}

static void submission_destroy(genie_submission_t *base) {
  remote_submission_t *submission = (remote_submission_t *)base;
  pthread_mutex_lock(&submission->session->mutex);
  wait_for_done(submission, GENIE_DEADLINE_NEVER);
  pthread_mutex_unlock(&submission->session->mutex);
  free_submission(submission);
}

static const genie_submission_ops_t kOps = {
    .wait = submission_wait, .cancel = submission_cancel, .destroy = submission_destroy};

static genie_status_t no_memory_yet(void *context, uint32_t output, uint64_t bytes, void **out_data) {
  (void)context, (void)output, (void)bytes;
  *out_data = NULL;  // one block for all, once their sizes are known
  return GENIE_OK;
}

static genie_deadline_ns_t deadline_of(const genie_remote_session_t *session, const genie_submit_options_t *options) {
  const uint64_t timeout_ns = options->timeout_ns != 0 ? options->timeout_ns : session->setup.call_timeout_ns;
  return timeout_ns == 0 ? GENIE_DEADLINE_NEVER : genie_deadline_after_ns(timeout_ns);
}

static uint64_t bytes_of(const genie_tensor_t *tensor) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)tensor->shape[i];
  }
  return bytes;
}

static genie_status_t send_again(genie_remote_session_t *session, genie_remote_call_t *call) {
  remote_submission_t *submission = submission_of(call);
  GENIE_RETURN_IF_ERROR(start_receivers(session));
  return genie_remote_call_send(session, call, submission->inputs, submission->symbols);
}

// The caller's inputs are its own again when submit returns: what may be sent anew is kept.
static genie_status_t keep_inputs(remote_submission_t *submission, const genie_tensor_t *inputs, uint32_t input_count) {
  genie_remote_session_t *session = submission->session;
  GENIE_RETURN_IF_ERROR(genie_remote_repeat_start(session));
  if (!session->has_repeater) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_submission_allocate_outputs(submission->inputs, input_count, session->base.allocator,
                                                          &submission->input_block));
  for (uint32_t i = 0; i < input_count; ++i) {
    if (bytes_of(&inputs[i]) > 0) {
      memcpy(submission->inputs[i].data, inputs[i].data, bytes_of(&inputs[i]));
    }
  }
  submission->call.repeat = send_again;
  return GENIE_OK;
}

// Sends the call, or leaves it to the thread that repeats calls when the session has lost a node.
static genie_status_t send_first(remote_submission_t *submission, const genie_tensor_t *inputs) {
  genie_remote_session_t *session = submission->session;
  genie_status_t status = genie_remote_session_check(session);
  if (status == GENIE_OK) {
    status = start_receivers(session);
  }
  if (status == GENIE_OK) {
    status = genie_remote_call_send(session, &submission->call, inputs, submission->symbols);
  } else {
    submission->call.id = ++session->last_call_id;
  }
  if (status != GENIE_OK && submission->call.repeat != NULL) {
    submission->call.status = status;
    if (genie_remote_repeat_add(session, &submission->call)) {
      return GENIE_OK;
    }
    submission->call.status = GENIE_OK;
  }
  return status;
}

static genie_status_t fill_submission(remote_submission_t *submission, uint32_t entry, const genie_tensor_t *inputs,
                                      uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  genie_remote_session_t *session = submission->session;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_remote_call_prepare(session, entry, inputs, input_count, outputs, output_count,
                                                  no_memory_yet, NULL, submission->symbols));
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(session->base.allocator, (size_t)input_count + output_count,
                                                       sizeof(genie_tensor_t), &memory));
  submission->inputs = memory;
  submission->outputs = submission->inputs + input_count;
  for (uint32_t i = 0; i < input_count; ++i) {
    submission->inputs[i] = inputs[i];
    submission->inputs[i].data = NULL;  // the caller's, and its own again when submit returns
  }
  GENIE_RETURN_IF_ERROR(
      genie_submission_allocate_outputs(outputs, output_count, session->base.allocator, &submission->output_block));
  memcpy(submission->outputs, outputs, output_count * sizeof(*outputs));
  submission->call = (genie_remote_call_t){.entry = entry,
                                           .deadline = deadline_of(session, &submission->options),
                                           .outputs = submission->outputs,
                                           .done = on_done};
  GENIE_RETURN_IF_ERROR(keep_inputs(submission, inputs, input_count));
  return send_first(submission, inputs);
}

genie_status_t genie_remote_session_submit(genie_session_t *base, uint32_t entry, const genie_tensor_t *inputs,
                                           uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                           const genie_submit_options_t *options, genie_submission_t **out_submission) {
  genie_remote_session_t *session = (genie_remote_session_t *)base;
  if (session->share != NULL) {  // places of this process take a thread of it
    return genie_session_enqueue(base, base->ops->run, entry, inputs, input_count, outputs, output_count, options,
                                 out_submission);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(base->allocator, 1, sizeof(remote_submission_t), &memory));
  remote_submission_t *submission = memory;
  *submission = (remote_submission_t){.base = {.ops = &kOps}, .session = session};
  if (options != NULL) {
    submission->options = *options;
  }
  pthread_mutex_lock(&session->use_mutex);
  const genie_status_t status = fill_submission(submission, entry, inputs, input_count, outputs, output_count);
  pthread_mutex_unlock(&session->use_mutex);
  if (status != GENIE_OK) {
    free_submission(submission);
    return status;
  }
  *out_submission = &submission->base;
  return GENIE_OK;
}
