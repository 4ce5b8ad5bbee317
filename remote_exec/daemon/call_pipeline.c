#include "remote_exec/daemon/call_pipeline.h"

#include <stddef.h>
#include <string.h>

#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/node/liveness.h"

enum { kPieces = 256 };

// A call in progress.
typedef struct job {
  genie_share_call_t call;
  genie_call_pipeline_t *pipeline;
  genie_call_answer_t answer;
  int64_t symbols[GENIE_WIRE_MAX_SYMBOLS];
  uint8_t *block;    // inputs and outputs
  void **addresses;  // of both, inputs first
  uint64_t *bytes;   // likewise
  bool *is_wanted;   // outputs
  uint64_t begin_ns;
  bool is_free;  // the pipeline's mutex
} job_t;

struct genie_call_pipeline {
  genie_node_t *node;
  genie_node_session_t *session;
  genie_channel_t *channel;
  int64_t *values;  // of the plan's expressions: scratch
  uint64_t charged_bytes;
  uint32_t job_count;
  pthread_mutex_t mutex;  // of all below
  pthread_cond_t changed;
  genie_status_t failure;  // of the channel, while an answer was sent
  job_t jobs[GENIE_SHARE_DEPTH];
};

// ---- Making ----

static genie_status_t allocate(genie_node_t *node, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, count + 1, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

// The most tensors, and the most memory for them, that any entry has.
static void find_room(const genie_node_session_t *session, uint32_t *out_count, uint64_t *out_bytes) {
  *out_count = 0;
  *out_bytes = 64;
  for (uint32_t i = 0; i < session->model->plan->entry_count; ++i) {
    const uint32_t count = genie_share_input_count(session->share, i) + genie_share_output_count(session->share, i);
    const uint64_t bytes = genie_share_tensor_bytes(session->share, i);
    *out_count = count > *out_count ? count : *out_count;
    *out_bytes = bytes > *out_bytes ? bytes : *out_bytes;
  }
}

static genie_status_t make_job(genie_call_pipeline_t *pipeline, uint32_t tensor_count, uint64_t block_bytes) {
  genie_node_t *node = pipeline->node;
  job_t *job = &pipeline->jobs[pipeline->job_count++];
  job->pipeline = pipeline;
  job->is_free = true;
  GENIE_RETURN_IF_ERROR(genie_call_answer_init(node, pipeline->session, pipeline->channel, &job->answer));
  GENIE_RETURN_IF_ERROR(allocate(node, tensor_count, sizeof(*job->addresses), &job->addresses));
  GENIE_RETURN_IF_ERROR(allocate(node, tensor_count, sizeof(*job->bytes), &job->bytes));
  GENIE_RETURN_IF_ERROR(allocate(node, tensor_count, sizeof(*job->is_wanted), &job->is_wanted));
  job->block = node->allocator.allocate(node->allocator.self, block_bytes, 64);
  return job->block != NULL ? GENIE_OK
                            : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no %llu bytes for a call's tensors",
                                                (unsigned long long)block_bytes);
}

static genie_status_t fill(genie_call_pipeline_t *pipeline) {
  const genie_node_session_t *session = pipeline->session;
  const uint32_t depth = genie_share_depth(session->share);
  uint32_t tensor_count = 0;
  uint64_t block_bytes = 0;
  find_room(session, &tensor_count, &block_bytes);
  const uint64_t bytes = block_bytes > UINT64_MAX / depth ? UINT64_MAX : depth * block_bytes;
  GENIE_RETURN_IF_ERROR(genie_budget_charge(session->budget, session->client, GENIE_BUDGET_MEMORY, bytes));
  pipeline->charged_bytes = bytes;
  GENIE_RETURN_IF_ERROR(
      allocate(pipeline->node, session->model->plan->expr_count, sizeof(*pipeline->values), &pipeline->values));
  for (uint32_t i = 0; i < depth; ++i) {
    GENIE_RETURN_IF_ERROR(make_job(pipeline, tensor_count, block_bytes));
  }
  return GENIE_OK;
}

genie_status_t genie_call_pipeline_create(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel,
                                          genie_call_pipeline_t **out_pipeline) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, 1, sizeof(genie_call_pipeline_t), &memory));
  genie_call_pipeline_t *pipeline = memory;
  *pipeline = (genie_call_pipeline_t){.node = node, .session = session, .channel = channel};
  pthread_mutex_init(&pipeline->mutex, NULL);
  pthread_cond_init(&pipeline->changed, NULL);
  const genie_status_t status = fill(pipeline);
  if (status != GENIE_OK) {
    genie_call_pipeline_destroy(pipeline);
    return status;
  }
  *out_pipeline = pipeline;
  return GENIE_OK;
}

static void await_jobs(genie_call_pipeline_t *pipeline) {
  pthread_mutex_lock(&pipeline->mutex);
  for (uint32_t i = 0; i < pipeline->job_count; ++i) {
    while (!pipeline->jobs[i].is_free) {
      pthread_cond_wait(&pipeline->changed, &pipeline->mutex);
    }
  }
  pthread_mutex_unlock(&pipeline->mutex);
}

void genie_call_pipeline_destroy(genie_call_pipeline_t *pipeline) {
  if (pipeline == NULL) {
    return;
  }
  const genie_allocator_t allocator = pipeline->node->allocator;
  await_jobs(pipeline);
  for (uint32_t i = 0; i < pipeline->job_count; ++i) {
    job_t *job = &pipeline->jobs[i];
    genie_call_answer_deinit(&job->answer);
    genie_allocator_free(allocator, job->block);
    genie_allocator_free(allocator, job->addresses);
    genie_allocator_free(allocator, job->bytes);
    genie_allocator_free(allocator, job->is_wanted);
  }
  genie_budget_return(pipeline->session->budget, pipeline->session->client, GENIE_BUDGET_MEMORY,
                      pipeline->charged_bytes);
  genie_status_free(pipeline->failure);
  pthread_cond_destroy(&pipeline->changed);
  pthread_mutex_destroy(&pipeline->mutex);
  genie_allocator_free(allocator, pipeline->values);
  genie_allocator_free(allocator, pipeline);
}

// ---- The end of a call ----

static genie_status_t answer(job_t *job) {
  const genie_share_t *share = job->pipeline->session->share;
  const uint32_t entry = job->call.entry;
  const uint32_t input_count = genie_share_input_count(share, entry);
  genie_call_answer_begin(&job->answer, job->call.id);
  for (uint32_t i = 0; i < genie_share_output_count(share, entry); ++i) {
    if (job->is_wanted[i]) {
      GENIE_RETURN_IF_ERROR(genie_call_answer_add(&job->answer, genie_share_output_position(share, entry, i),
                                                  job->addresses[input_count + i], job->bytes[input_count + i]));
    }
  }
  return GENIE_OK;
}

// A channel that takes no answer is of no more use: whoever reads from it is told.
static void release_job(job_t *job, genie_status_t failure) {
  genie_call_pipeline_t *pipeline = job->pipeline;
  if (failure != GENIE_OK) {
    genie_channel_interrupt(pipeline->channel);
  }
  pthread_mutex_lock(&pipeline->mutex);
  if (pipeline->failure == GENIE_OK) {
    pipeline->failure = failure;
  } else {
    genie_status_free(failure);
  }
  job->is_free = true;
  pthread_cond_broadcast(&pipeline->changed);
  pthread_mutex_unlock(&pipeline->mutex);
}

static void on_done(genie_share_call_t *call, genie_status_t status) {
  job_t *job = (job_t *)((char *)call - offsetof(job_t, call));
  genie_node_t *node = job->pipeline->node;
  const uint64_t compute_ns = genie_deadline_clock_ns() - job->begin_ns;
  genie_metrics_subtract(&node->metrics, GENIE_METRIC_CALLS_RUNNING, 1);
  genie_metrics_add(&node->metrics, GENIE_METRIC_CALL_TIME, compute_ns);
  if (genie_status_code(status) == GENIE_STATUS_ABORTED) {
    genie_lost_devices_examine(node, job->pipeline->session);
  }
  if (status == GENIE_OK) {
    status = answer(job);
  }
  release_job(job, status == GENIE_OK ? genie_call_answer_send(&job->answer, compute_ns)
                                      : genie_call_answer_fail(&job->answer, call->id, status));
}

// ---- Its beginning ----

static genie_status_t check_inputs(const job_t *job, const genie_wire_call_view_t *call) {
  const genie_share_t *share = job->pipeline->session->share;
  const uint32_t count = genie_share_input_count(share, call->frame.entry);
  if (call->frame.input_count != count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the call brings %u inputs; the node's places take %u",
                             call->frame.input_count, count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t position = genie_share_input_position(share, call->frame.entry, i);
    if (call->inputs[i].index != position || call->inputs[i].bytes != job->bytes[i]) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "the call brings %llu bytes for input %u; input %u of %llu bytes is due",
                               (unsigned long long)call->inputs[i].bytes, call->inputs[i].index, position,
                               (unsigned long long)job->bytes[i]);
    }
  }
  return GENIE_OK;
}

// Lays the call's tensors out in the job's memory, whose room is for the largest.
static void lay_out(job_t *job, uint32_t entry) {
  const genie_share_t *share = job->pipeline->session->share;
  const uint32_t count = genie_share_input_count(share, entry) + genie_share_output_count(share, entry);
  uint8_t *next = job->block;
  for (uint32_t i = 0; i < count; ++i) {
    job->addresses[i] = next;
    next += (job->bytes[i] + 63) & ~(uint64_t)63;
  }
}

static void note_wanted(job_t *job, const genie_wire_call_view_t *call) {
  const genie_share_t *share = job->pipeline->session->share;
  for (uint32_t i = 0, next = 0; i < genie_share_output_count(share, call->frame.entry); ++i) {
    const uint32_t position = genie_share_output_position(share, call->frame.entry, i);
    while (next < call->frame.output_count && call->outputs[next] < position) {
      ++next;
    }
    job->is_wanted[i] = next < call->frame.output_count && call->outputs[next] == position;
  }
}

static genie_status_t prepare(job_t *job, const genie_wire_call_view_t *call) {
  genie_call_pipeline_t *pipeline = job->pipeline;
  GENIE_RETURN_IF_ERROR(genie_node_session_admit_call(pipeline->session, &call->frame));
  GENIE_RETURN_IF_ERROR(genie_share_size(pipeline->session->share, call->frame.entry, call->symbols,
                                         call->frame.symbol_count, pipeline->values, job->bytes));
  GENIE_RETURN_IF_ERROR(check_inputs(job, call));
  lay_out(job, call->frame.entry);
  note_wanted(job, call);
  memcpy(job->symbols, call->symbols, call->frame.symbol_count * sizeof(*job->symbols));
  const uint64_t timeout_ns = call->frame.timeout_ns;
  job->call =
      (genie_share_call_t){.id = call->frame.call_id,
                           .entry = call->frame.entry,
                           .symbols = job->symbols,
                           .symbol_count = call->frame.symbol_count,
                           .deadline = timeout_ns == 0 ? GENIE_DEADLINE_NEVER : genie_deadline_after_ns(timeout_ns),
                           .inputs = job->addresses,
                           .outputs = job->addresses + call->frame.input_count,
                           .done = on_done};
  return GENIE_OK;
}

static genie_status_t receive_inputs(const job_t *job, const genie_wire_call_view_t *call) {
  struct iovec pieces[kPieces];
  uint32_t count = 0;
  const genie_deadline_ns_t deadline = genie_liveness_transfer_deadline(call->payload_bytes);
  for (uint32_t i = 0; i < call->frame.input_count; ++i) {
    if (job->bytes[i] > 0) {
      pieces[count++] = (struct iovec){.iov_base = job->addresses[i], .iov_len = job->bytes[i]};
    }
    if (count == kPieces || (count > 0 && i + 1 == call->frame.input_count)) {
      GENIE_RETURN_IF_ERROR(genie_channel_receive_pieces(job->pipeline->channel, pieces, count, deadline));
      count = 0;
    }
  }
  return GENIE_OK;
}

static job_t *take_job(genie_call_pipeline_t *pipeline) {
  job_t *job = NULL;
  pthread_mutex_lock(&pipeline->mutex);
  while (job == NULL) {
    for (uint32_t i = 0; i < pipeline->job_count && job == NULL; ++i) {
      job = pipeline->jobs[i].is_free ? &pipeline->jobs[i] : NULL;
    }
    if (job == NULL) {
      pthread_cond_wait(&pipeline->changed, &pipeline->mutex);
    }
  }
  job->is_free = false;
  pthread_mutex_unlock(&pipeline->mutex);
  return job;
}

static genie_status_t refuse(job_t *job, const genie_wire_call_view_t *call, genie_status_t failure) {
  genie_share_abandon(job->pipeline->session->share, call->frame.call_id, genie_status_code(failure));
  const genie_status_t skipped =
      call->payload_bytes == 0 ? GENIE_OK
                               : genie_channel_skip_payload(job->pipeline->channel, call->payload_bytes,
                                                            genie_liveness_transfer_deadline(call->payload_bytes));
  if (skipped != GENIE_OK) {
    genie_status_free(failure);
    return skipped;
  }
  return genie_call_answer_fail(&job->answer, call->frame.call_id, failure);
}

static genie_status_t take(job_t *job, const genie_wire_call_view_t *call) {
  genie_call_pipeline_t *pipeline = job->pipeline;
  genie_trace_t *trace = pipeline->session->trace;
  const genie_status_t failure = prepare(job, call);
  genie_status_t status = GENIE_OK;
  if (failure != GENIE_OK) {
    status = refuse(job, call, failure);
    release_job(job, GENIE_OK);
    return status;
  }
  const uint64_t taking_ns = genie_trace_now_ns(trace);
  status = receive_inputs(job, call);
  if (status != GENIE_OK) {
    release_job(job, GENIE_OK);
    return status;
  }
  genie_trace_add(trace, GENIE_TRACE_RECORD_TAKEN, genie_share_place_index(pipeline->session->share, 0), job->call.id,
                  call->payload_bytes, taking_ns);
  genie_metrics_add(&pipeline->node->metrics, GENIE_METRIC_CALLS_RUNNING, 1);
  job->begin_ns = genie_deadline_clock_ns();
  genie_share_begin(pipeline->session->share, &job->call);
  return GENIE_OK;
}

genie_status_t genie_call_pipeline_take(genie_call_pipeline_t *pipeline, const genie_wire_call_view_t *call) {
  job_t *job = take_job(pipeline);
  pthread_mutex_lock(&pipeline->session->run_mutex);
  const genie_status_t status = take(job, call);
  pthread_mutex_unlock(&pipeline->session->run_mutex);
  if (status != GENIE_OK) {
    return status;
  }
  pthread_mutex_lock(&pipeline->mutex);
  const genie_status_t failure = pipeline->failure;
  pipeline->failure = GENIE_OK;
  pthread_mutex_unlock(&pipeline->mutex);
  return failure;
}
