#include "runtime/exec/submission.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/base/checked_math.h"
#include "runtime/exec/session.h"

typedef struct queued_call {
  genie_submission_t base;
  struct queued_call *next;
  genie_submission_queue_t *queue;
  uint32_t entry;
  genie_tensor_t *inputs;
  genie_tensor_t *outputs;
  uint32_t input_count, output_count;
  void *input_block;     // copies of the inputs' data
  void *output_block;    // outputs that are the submission's
  uint64_t deadline_ns;  // UINT64_MAX: none
  genie_submit_options_t options;
  bool is_cancelled;
  bool is_done;
  genie_status_t status;
} queued_call_t;

struct genie_submission_queue {
  genie_session_t *session;
  genie_submission_run_fn_t run;
  genie_allocator_t allocator;
  pthread_t thread;
  pthread_mutex_t mutex;  // of all below, and of the calls' flags
  pthread_cond_t changed;
  queued_call_t *first;
  queued_call_t **last;
  uint32_t in_flight;  // waiting or running
  bool is_ending;
};

// ---- Memory ----

static uint64_t bytes_of(const genie_tensor_t *tensor) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)tensor->shape[i];
  }
  return bytes;
}

static bool add_aligned(uint64_t *total_bytes, uint64_t bytes) {
  return genie_checked_add_u64(*total_bytes, bytes, total_bytes) &&
         genie_checked_align_u64(*total_bytes, 64, total_bytes);
}

// One block with room for the data of those tensors that `is_wanted` by their data being NULL or not.
static genie_status_t allocate_block(const genie_tensor_t *tensors, uint32_t count, bool wants_null,
                                     genie_allocator_t allocator, void **out_block) {
  uint64_t total_bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if ((tensors[i].data == NULL) == wants_null && !add_aligned(&total_bytes, bytes_of(&tensors[i]))) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the tensors of a call need too much memory");
    }
  }
  *out_block = allocator.allocate(allocator.self, total_bytes == 0 ? 64 : total_bytes, 64);
  return *out_block != NULL ? GENIE_OK
                            : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no %llu bytes for tensors of a call",
                                                (unsigned long long)total_bytes);
}

genie_status_t genie_submission_allocate_outputs(genie_tensor_t *outputs, uint32_t output_count,
                                                 genie_allocator_t allocator, void **out_block) {
  GENIE_RETURN_IF_ERROR(allocate_block(outputs, output_count, true, allocator, out_block));
  uint8_t *next = *out_block;
  for (uint32_t i = 0; i < output_count; ++i) {
    if (outputs[i].data == NULL) {
      outputs[i].data = next;
      next += (bytes_of(&outputs[i]) + 63) & ~(uint64_t)63;
    }
  }
  return GENIE_OK;
}

static genie_status_t copy_inputs(queued_call_t *call, const genie_tensor_t *inputs) {
  GENIE_RETURN_IF_ERROR(allocate_block(inputs, call->input_count, false, call->queue->allocator, &call->input_block));
  uint8_t *next = call->input_block;
  for (uint32_t i = 0; i < call->input_count; ++i) {
    call->inputs[i] = inputs[i];
    if (inputs[i].data != NULL) {
      const uint64_t bytes = bytes_of(&inputs[i]);
      memcpy(next, inputs[i].data, bytes);
      call->inputs[i].data = next;
      next += (bytes + 63) & ~(uint64_t)63;
    }
  }
  return GENIE_OK;
}

static bool has_type_of(const genie_tensor_t *given, const genie_tensor_t *expected) {
  return given->dtype == expected->dtype && given->rank == expected->rank &&
         memcmp(given->shape, expected->shape, (size_t)expected->rank * sizeof(int64_t)) == 0;
}

static genie_status_t infer_output(const genie_model_t *model, uint32_t entry, const int64_t *values, uint32_t position,
                                   genie_tensor_t *output) {
  const genie_plan_tensor_t *tensor = &model->plan->tensors[genie_plan_output(model->plan, entry, position)];
  genie_tensor_t inferred = {.dtype = (genie_dtype_t)tensor->dtype, .rank = (int32_t)tensor->rank};
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    inferred.shape[i] = values[model->plan->indices[tensor->first_dim + i]];
  }
  if (output->data == NULL) {
    *output = inferred;
    return GENIE_OK;
  }
  return has_type_of(output, &inferred)
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "output '%s' has another dtype or shape in this call than the memory given",
                                 genie_plan_string(model->plan, tensor->name));
}

genie_status_t genie_submission_infer_outputs(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                              uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  int64_t symbols[GENIE_PLAN_MAX_SYMBOLS];
  void *values = NULL;
  if (entry >= model->plan->entry_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, model->plan->entry_count);
  }
  GENIE_RETURN_IF_ERROR(genie_model_bind_symbols(model, entry, inputs, input_count, symbols));
  if (output_count != genie_model_output_count(model, entry)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entry '%s' has %u outputs, but %u are given",
                             genie_model_entry_name(model, entry), genie_model_output_count(model, entry),
                             output_count);
  }
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(model->allocator, model->plan->expr_count, sizeof(int64_t), &values));
  genie_plan_evaluate(model->plan, entry, symbols, values);
  genie_status_t status = GENIE_OK;
  for (uint32_t i = 0; i < output_count && status == GENIE_OK; ++i) {
    status = infer_output(model, entry, values, i, &outputs[i]);
  }
  genie_allocator_free(model->allocator, values);
  return status;
}

// ---- The thread ----

static genie_status_t run_call(queued_call_t *call) {
  if (genie_session_now_ns() >= call->deadline_ns) {
    return genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the call's deadline passed before it began");
  }
  return call->queue->run(call->queue->session, call->entry, call->inputs, call->input_count, call->outputs,
                          call->output_count);
}

// The mutex is held, but not while the call runs and is reported.
static void serve_call(genie_submission_queue_t *queue, queued_call_t *call) {
  const bool is_cancelled = call->is_cancelled;
  pthread_mutex_unlock(&queue->mutex);
  call->status = is_cancelled ? genie_status_make(GENIE_STATUS_CANCELLED, "the call was cancelled") : run_call(call);
  if (call->options.completed != NULL) {
    call->options.completed(call->options.context, &call->base);
  }
  pthread_mutex_lock(&queue->mutex);
  call->is_done = true;
  --queue->in_flight;
  pthread_cond_broadcast(&queue->changed);
}

static void *thread_main(void *argument) {
  genie_submission_queue_t *queue = argument;
  pthread_mutex_lock(&queue->mutex);
  for (;;) {
    while (queue->first == NULL && !queue->is_ending) {
      pthread_cond_wait(&queue->changed, &queue->mutex);
    }
    queued_call_t *call = queue->first;
    if (call == NULL) {
      break;
    }
    queue->first = call->next;
    if (queue->first == NULL) {
      queue->last = &queue->first;
    }
    serve_call(queue, call);
  }
  pthread_mutex_unlock(&queue->mutex);
  return NULL;
}

// ---- Submissions ----

static void free_call(queued_call_t *call) {
  const genie_allocator_t allocator = call->queue->allocator;
  genie_allocator_free(allocator, call->input_block);
  genie_allocator_free(allocator, call->output_block);
  genie_allocator_free(allocator, call->inputs);
  genie_allocator_free(allocator, call->outputs);
  genie_allocator_free(allocator, call);
}

// The mutex is held. Waits at most until `until_ns`.
static void wait_for_done(const queued_call_t *call, uint64_t until_ns) {
  genie_submission_queue_t *queue = call->queue;
  while (!call->is_done && genie_session_now_ns() < until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};
    if (until_ns == UINT64_MAX) {
      pthread_cond_wait(&queue->changed, &queue->mutex);
    } else {
      pthread_cond_timedwait(&queue->changed, &queue->mutex, &until);
    }
  }
}

static genie_status_t queued_wait(genie_submission_t *submission, uint64_t timeout_ns) {
  queued_call_t *call = (queued_call_t *)submission;
  const uint64_t now_ns = genie_session_now_ns();
  pthread_mutex_lock(&call->queue->mutex);
  wait_for_done(call, timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns);
  genie_status_t status = GENIE_OK;
  if (call->is_done) {
    status = call->status;
    call->status = GENIE_OK;
  } else {
    status = genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the call is not done yet");
  }
  pthread_mutex_unlock(&call->queue->mutex);
  return status;
}

static void queued_cancel(genie_submission_t *submission) {
  queued_call_t *call = (queued_call_t *)submission;
  pthread_mutex_lock(&call->queue->mutex);
  call->is_cancelled = true;
  pthread_mutex_unlock(&call->queue->mutex);
}

static void queued_destroy(genie_submission_t *submission) {
  queued_call_t *call = (queued_call_t *)submission;
  pthread_mutex_lock(&call->queue->mutex);
  wait_for_done(call, UINT64_MAX);
  pthread_mutex_unlock(&call->queue->mutex);
  genie_status_free(call->status);
  free_call(call);
}

static const genie_submission_ops_t kQueuedOps = {
    .wait = queued_wait, .cancel = queued_cancel, .destroy = queued_destroy};

static genie_status_t fill_call(queued_call_t *call, const genie_tensor_t *inputs, genie_tensor_t *outputs) {
  const genie_allocator_t allocator = call->queue->allocator;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, call->input_count, sizeof(genie_tensor_t), &memory));
  call->inputs = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, call->output_count, sizeof(genie_tensor_t), &memory));
  call->outputs = memory;
  GENIE_RETURN_IF_ERROR(copy_inputs(call, inputs));
  memcpy(call->outputs, outputs, call->output_count * sizeof(*outputs));
  return genie_submission_allocate_outputs(call->outputs, call->output_count, allocator, &call->output_block);
}

static void enqueue(queued_call_t *call) {
  genie_submission_queue_t *queue = call->queue;
  pthread_mutex_lock(&queue->mutex);
  while (queue->in_flight >= GENIE_SUBMISSION_MOST_IN_FLIGHT) {
    pthread_cond_wait(&queue->changed, &queue->mutex);
  }
  ++queue->in_flight;
  *queue->last = call;
  queue->last = &call->next;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
}

genie_status_t genie_submission_queue_add(genie_submission_queue_t *queue, uint32_t entry, const genie_tensor_t *inputs,
                                          uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                          const genie_submit_options_t *options, genie_submission_t **out_submission) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(queue->allocator, 1, sizeof(queued_call_t), &memory));
  queued_call_t *call = memory;
  *call = (queued_call_t){.base = {.ops = &kQueuedOps},
                          .queue = queue,
                          .entry = entry,
                          .input_count = input_count,
                          .output_count = output_count,
                          .deadline_ns = UINT64_MAX};
  if (options != NULL) {
    call->options = *options;
    call->deadline_ns = options->timeout_ns == 0 ? UINT64_MAX : genie_session_now_ns() + options->timeout_ns;
  }
  const genie_status_t status = fill_call(call, inputs, outputs);
  if (status != GENIE_OK) {
    free_call(call);
    return status;
  }
  memcpy(outputs, call->outputs, output_count * sizeof(*outputs));
  *out_submission = &call->base;
  enqueue(call);
  return GENIE_OK;
}

// ---- The queue ----

genie_status_t genie_submission_queue_create(genie_session_t *session, genie_submission_run_fn_t run,
                                             genie_allocator_t allocator, genie_submission_queue_t **out_queue) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_submission_queue_t), &memory));
  genie_submission_queue_t *queue = memory;
  queue->session = session;
  queue->run = run;
  queue->allocator = allocator;
  queue->last = &queue->first;
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&queue->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  if (pthread_create(&queue->thread, NULL, thread_main, queue) != 0) {
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    genie_allocator_free(allocator, queue);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  *out_queue = queue;
  return GENIE_OK;
}

void genie_submission_queue_destroy(genie_submission_queue_t *queue) {
  if (queue == NULL) {
    return;
  }
  pthread_mutex_lock(&queue->mutex);
  queue->is_ending = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
  pthread_join(queue->thread, NULL);
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->mutex);
  genie_allocator_free(queue->allocator, queue);
}

void genie_submission_queue_drain(genie_submission_queue_t *queue) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->in_flight > 0) {
    pthread_cond_wait(&queue->changed, &queue->mutex);
  }
  pthread_mutex_unlock(&queue->mutex);
}

// ---- Public ----

genie_status_t genie_submission_wait(genie_submission_t *submission, uint64_t timeout_ns) {
  return submission->ops->wait(submission, timeout_ns);
}

void genie_submission_cancel(genie_submission_t *submission) {
  submission->ops->cancel(submission);
}

void genie_submission_destroy(genie_submission_t *submission) {
  if (submission != NULL) {
    submission->ops->destroy(submission);
  }
}
