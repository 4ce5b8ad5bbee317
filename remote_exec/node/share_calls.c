// Calls of a share: each hosted place runs its list of each call, in the order of the calls, on its own thread (the
// first on the caller's), so that consecutive calls overlap where they are at different places.
#include <string.h>

#include "remote_exec/node/share_state.h"

// ---- Exchange ----

genie_peer_link_t *genie_share_find_link(genie_share_t *share, uint32_t place) {
  for (uint32_t i = 0; i < share->link_count; ++i) {
    if (genie_peer_link_hosts(share->links[i], place)) {
      return share->links[i];
    }
  }
  return NULL;
}

static genie_status_t wait_for_change(genie_share_t *share, genie_deadline_ns_t deadline) {
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&share->changed, &share->mutex);
    return GENIE_OK;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  return pthread_cond_timedwait(&share->changed, &share->mutex, &until) == 0 || !genie_deadline_has_passed(deadline)
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed in a wait for another node");
}

// A peer may call before this node's connection to it stands.
static genie_status_t await_link(const genie_share_hosted_t *hosted, uint32_t place, genie_peer_link_t **out_link) {
  genie_share_t *share = hosted->share;
  genie_status_t status = GENIE_OK;
  const genie_deadline_ns_t connect_limit = genie_deadline_after_ns((uint64_t)3000000000);
  const genie_deadline_ns_t deadline = hosted->call->deadline < connect_limit ? hosted->call->deadline : connect_limit;
  pthread_mutex_lock(&share->mutex);
  while ((*out_link = genie_share_find_link(share, place)) == NULL && status == GENIE_OK) {
    status = wait_for_change(share, deadline);
  }
  pthread_mutex_unlock(&share->mutex);
  return status;
}

typedef struct copy_source {
  const void *address;
} copy_source_t;

static genie_status_t fill_from_memory(void *self, void *destination, uint64_t size_bytes) {
  if (size_bytes > 0) {
    memcpy(destination, ((const copy_source_t *)self)->address, size_bytes);
  }
  return GENIE_OK;
}

static genie_status_t exchange_send(genie_exchange_t *exchange, uint32_t transfer, const void *address,
                                    uint64_t size_bytes) {
  const genie_share_hosted_t *hosted = (const genie_share_hosted_t *)exchange;
  genie_share_t *share = hosted->share;
  const uint64_t call_id = hosted->call->id;
  const uint32_t destination = share->model->plan->transfers[transfer].destination_place;
  if (share->is_ours[destination]) {
    copy_source_t copy = {.address = address};
    const genie_mailbox_source_t source = {.self = &copy, .fill = fill_from_memory};
    const uint64_t begin_ns = genie_trace_now_ns(share->trace);
    GENIE_RETURN_IF_ERROR(genie_mailbox_deliver(share->mailbox, call_id, transfer, size_bytes, &source));
    genie_trace_add(share->trace, GENIE_TRACE_RECORD_SENT, transfer, call_id, size_bytes, begin_ns);
    return GENIE_OK;
  }
  genie_peer_link_t *link = NULL;
  GENIE_RETURN_IF_ERROR(genie_mailbox_check(share->mailbox, call_id));
  GENIE_RETURN_IF_ERROR(await_link(hosted, destination, &link));
  const genie_status_t sent =
      genie_peer_link_send(link, call_id, transfer, address, size_bytes, hosted->call->deadline);
  if (sent == GENIE_OK) {
    return GENIE_OK;
  }
  // The link's own thread knows better why it ended.
  const genie_status_t cause = genie_mailbox_check(share->mailbox, call_id);
  if (cause != GENIE_OK) {
    genie_status_free(sent);
    return cause;
  }
  return sent;
}

static genie_status_t exchange_receive(genie_exchange_t *exchange, uint32_t transfer, void *address,
                                       uint64_t size_bytes) {
  const genie_share_hosted_t *hosted = (const genie_share_hosted_t *)exchange;
  return genie_mailbox_take(hosted->share->mailbox, hosted->call->id, transfer, address, size_bytes,
                            hosted->call->deadline);
}

const genie_exchange_ops_t genie_share_exchange_ops = {.send = exchange_send, .receive = exchange_receive};

// ---- One call at one place ----

// Of two failures the one that is no mere consequence.
static genie_status_t merge(genie_status_t first, genie_status_t second) {
  if (first == GENIE_OK || (second != GENIE_OK && genie_status_code(first) == GENIE_STATUS_CANCELLED)) {
    genie_status_free(first);
    return second;
  }
  genie_status_free(second);
  return first;
}

static void tell_peers(genie_share_t *share, uint64_t call_id, genie_status_code_t code) {
  pthread_mutex_lock(&share->mutex);
  const uint32_t link_count = share->link_count;
  pthread_mutex_unlock(&share->mutex);
  for (uint32_t i = 0; i < link_count; ++i) {
    genie_peer_link_cancel(share->links[i], call_id, code);
  }
}

// The place's own tensors of the call, in the place's order.
static genie_place_call_t place_call(const genie_share_hosted_t *hosted) {
  const genie_share_t *share = hosted->share;
  const genie_share_call_t *call = hosted->call;
  const genie_share_entry_t *entry = &share->entries[call->entry];
  const uint32_t own = (uint32_t)(hosted - share->hosted);
  void **outputs = hosted->addresses + genie_place_program_input_count(hosted->program, call->entry);
  for (uint32_t i = 0; call->inputs != NULL && i < entry->input_count; ++i) {
    if (entry->inputs[i].hosted == own) {
      hosted->addresses[entry->inputs[i].index] = call->inputs[i];
    }
  }
  for (uint32_t i = 0; call->outputs != NULL && i < entry->output_count; ++i) {
    if (entry->outputs[i].hosted == own) {
      outputs[entry->outputs[i].index] = call->outputs[i];
    }
  }
  return (genie_place_call_t){.inputs = call->inputs == NULL ? NULL : hosted->addresses,
                              .outputs = call->outputs == NULL ? NULL : outputs,
                              .exchange = (genie_exchange_t *)&hosted->exchange,
                              .call = call->id};
}

static genie_status_t run_at(const genie_share_hosted_t *hosted) {
  const genie_share_t *share = hosted->share;
  const genie_share_call_t *call = hosted->call;
  GENIE_RETURN_IF_ERROR(genie_mailbox_check(share->mailbox, call->id));
  if (!call->is_bound) {
    GENIE_RETURN_IF_ERROR(genie_place_program_bind(hosted->program, call->entry, call->symbols, call->symbol_count));
  }
  const genie_place_call_t given = place_call(hosted);
  return genie_place_run(hosted->program, call->entry, &given);
}

// No place is in the call any more.
static void end_call(genie_share_t *share, genie_share_call_t *call) {
  const genie_status_t status = call->status;
  if (status != GENIE_OK) {
    tell_peers(share, call->id, genie_status_code(status));
  }
  genie_mailbox_finish(share->mailbox, call->id);
  call->status = GENIE_OK;
  call->done(call, status);
  pthread_mutex_lock(&share->mutex);
  ++share->ended_count;
  pthread_cond_broadcast(&share->changed);
  pthread_mutex_unlock(&share->mutex);
}

// The place that is last to be through with a call ends it.
static void take_call(genie_share_hosted_t *hosted, genie_share_call_t *call) {
  genie_share_t *share = hosted->share;
  hosted->call = call;
  const genie_status_t status = run_at(hosted);
  if (status != GENIE_OK && share->hosted_count > 1) {
    genie_mailbox_cancel(share->mailbox, call->id, GENIE_STATUS_CANCELLED);  // the others do not wait
  }
  pthread_mutex_lock(&share->mutex);
  call->status = merge(call->status, status);
  const bool is_last = --call->pending_count == 0;
  pthread_mutex_unlock(&share->mutex);
  if (is_last) {
    end_call(share, call);
  }
}

static void *place_main(void *argument) {
  genie_share_hosted_t *hosted = argument;
  genie_share_t *share = hosted->share;
  pthread_mutex_lock(&share->mutex);
  for (;;) {
    while (hosted->begun_count == share->call_count && !share->is_ending) {
      pthread_cond_wait(&share->changed, &share->mutex);
    }
    if (share->is_ending) {
      break;
    }
    genie_share_call_t *call = share->calls[hosted->begun_count++ % GENIE_SHARE_DEPTH];
    pthread_mutex_unlock(&share->mutex);
    take_call(hosted, call);
    pthread_mutex_lock(&share->mutex);
  }
  pthread_mutex_unlock(&share->mutex);
  return NULL;
}

genie_status_t genie_share_start_thread(genie_share_hosted_t *hosted) {
  if (pthread_create(&hosted->thread, NULL, place_main, hosted) != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  hosted->has_thread = true;
  return GENIE_OK;
}

// ---- Calls ----

uint32_t genie_share_depth(const genie_share_t *share) {
  const uint32_t wanted = share->hosted_count + 1;
  return share->hosted_count == 1 ? 1 : wanted < GENIE_SHARE_DEPTH ? wanted : GENIE_SHARE_DEPTH;
}

void genie_share_begin(genie_share_t *share, genie_share_call_t *call) {
  call->status = GENIE_OK;
  call->pending_count = share->hosted_count;
  pthread_mutex_lock(&share->mutex);
  while (share->call_count - share->ended_count >= GENIE_SHARE_DEPTH) {
    pthread_cond_wait(&share->changed, &share->mutex);
  }
  share->calls[share->call_count++ % GENIE_SHARE_DEPTH] = call;
  if (share->hosted_count > 1) {
    pthread_cond_broadcast(&share->changed);
  }
  pthread_mutex_unlock(&share->mutex);
  take_call(&share->hosted[0], call);
}

void genie_share_settle(genie_share_t *share) {
  pthread_mutex_lock(&share->mutex);
  while (share->ended_count < share->call_count) {
    pthread_cond_wait(&share->changed, &share->mutex);
  }
  pthread_mutex_unlock(&share->mutex);
}

genie_status_t genie_share_bind(genie_share_t *share, uint32_t entry, const int64_t *symbol_values,
                                uint32_t symbol_count) {
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_place_program_bind(share->hosted[i].program, entry, symbol_values, symbol_count));
  }
  share->bound_entry = entry;
  return GENIE_OK;
}

typedef struct single_run {
  genie_share_call_t call;
  genie_status_t status;
} single_run_t;

static void keep_status(genie_share_call_t *call, genie_status_t status) {
  ((single_run_t *)call)->status = status;
}

genie_status_t genie_share_run(genie_share_t *share, uint64_t call_id, genie_deadline_ns_t deadline) {
  single_run_t run = {
      .call = {
          .id = call_id, .entry = share->bound_entry, .is_bound = true, .deadline = deadline, .done = keep_status}};
  genie_share_begin(share, &run.call);
  genie_share_settle(share);
  return run.status;
}

void genie_share_abandon(genie_share_t *share, uint64_t call_id, genie_status_code_t code) {
  genie_share_settle(share);  // what earlier calls still wait for is not to be dropped
  tell_peers(share, call_id, code);
  genie_mailbox_finish(share->mailbox, call_id);
}

void genie_share_cancel(genie_share_t *share, uint64_t call_id) {
  genie_mailbox_cancel(share->mailbox, call_id, GENIE_STATUS_CANCELLED);
}

void genie_share_fail(genie_share_t *share, genie_status_code_t code, const char *message) {
  genie_mailbox_fail(share->mailbox, code, message);
}

// ---- Sizes ----

static uint64_t bytes_of(const genie_plan_t *plan, const genie_plan_tensor_t *tensor, const int64_t *values) {
  uint64_t bytes = genie_dtype_bytes((genie_dtype_t)tensor->dtype);
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)values[plan->indices[tensor->first_dim + i]];
  }
  return bytes;
}

genie_status_t genie_share_size(const genie_share_t *share, uint32_t entry, const int64_t *symbol_values,
                                uint32_t symbol_count, int64_t *values, uint64_t *out_bytes) {
  const genie_plan_t *plan = share->model->plan;
  if (entry >= plan->entry_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, plan->entry_count);
  }
  GENIE_RETURN_IF_ERROR(genie_plan_check_symbols(plan, entry, symbol_values, symbol_count));
  genie_plan_evaluate(plan, entry, symbol_values, values);
  const genie_share_entry_t *homes = &share->entries[entry];
  for (uint32_t i = 0; i < homes->input_count; ++i) {
    const uint32_t tensor = genie_plan_input(plan, entry, homes->inputs[i].position);
    out_bytes[i] = bytes_of(plan, &plan->tensors[tensor], values);
  }
  for (uint32_t i = 0; i < homes->output_count; ++i) {
    const uint32_t tensor = genie_plan_output(plan, entry, homes->outputs[i].position);
    out_bytes[homes->input_count + i] = bytes_of(plan, &plan->tensors[tensor], values);
  }
  return GENIE_OK;
}

uint64_t genie_share_tensor_bytes(const genie_share_t *share, uint32_t entry) {
  const genie_plan_t *plan = share->model->plan;
  const genie_share_entry_t *homes = &share->entries[entry];
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < homes->input_count + homes->output_count; ++i) {
    const bool is_input = i < homes->input_count;
    const uint32_t tensor = is_input ? genie_plan_input(plan, entry, homes->inputs[i].position)
                                     : genie_plan_output(plan, entry, homes->outputs[i - homes->input_count].position);
    bytes += (plan->tensors[tensor].maximum_bytes + 63) & ~(uint64_t)63;
  }
  return bytes;
}
