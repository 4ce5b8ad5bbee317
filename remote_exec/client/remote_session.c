#include "remote_exec/client/remote_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/string_builder.h"

static genie_remote_session_t *remote_of(genie_session_t *session) {
  return (genie_remote_session_t *)session;
}

// ---- Setup ----

static genie_status_t allocate(const genie_remote_session_t *session, size_t count, size_t element_bytes,
                               void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(session->base.allocator, count, element_bytes, &memory));
  *(void **)out_pointer = memory;
  return GENIE_OK;
}

static genie_status_t allocate_tables(genie_remote_session_t *session) {
  const genie_plan_t *plan = session->base.model->plan;
  uint32_t most_inputs = 0;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    const genie_plan_entry_t *entry = &plan->entries[i];
    most_inputs = entry->input_count > most_inputs ? entry->input_count : most_inputs;
    session->buffer_count = entry->output_count > session->buffer_count ? entry->output_count : session->buffer_count;
  }
  if (most_inputs > GENIE_CHANNEL_MAX_PAYLOAD_PIECES || session->buffer_count > GENIE_CHANNEL_MAX_PAYLOAD_PIECES) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "an entry with more than %d inputs or outputs on other nodes",
                             GENIE_CHANNEL_MAX_PAYLOAD_PIECES);
  }
  GENIE_RETURN_IF_ERROR(allocate(session, plan->expr_count, sizeof(*session->values), &session->values));
  GENIE_RETURN_IF_ERROR(allocate(session, plan->tensor_count, sizeof(*session->tensor_node), &session->tensor_node));
  GENIE_RETURN_IF_ERROR(allocate(session, plan->tensor_count, sizeof(*session->counts), &session->counts));
  GENIE_RETURN_IF_ERROR(allocate(session, plan->symbol_count, sizeof(*session->last_symbols), &session->last_symbols));
  GENIE_RETURN_IF_ERROR(allocate(session, plan->entry_count, sizeof(*session->has_run), &session->has_run));
  GENIE_RETURN_IF_ERROR(allocate(session, session->buffer_count, sizeof(*session->buffers), &session->buffers));
  GENIE_RETURN_IF_ERROR(allocate(session, session->buffer_count, sizeof(*session->retired), &session->retired));
  GENIE_RETURN_IF_ERROR(allocate(session, GENIE_WIRE_MAX_HEADER_BYTES, 1, &session->header));
  GENIE_RETURN_IF_ERROR(allocate(session, most_inputs, sizeof(*session->slots), &session->slots));
  GENIE_RETURN_IF_ERROR(allocate(session, session->buffer_count, sizeof(*session->wanted), &session->wanted));
  GENIE_RETURN_IF_ERROR(allocate(session, most_inputs, sizeof(*session->pieces), &session->pieces));
  GENIE_RETURN_IF_ERROR(
      allocate(session, plan->place_count, sizeof(*session->setup.placements), &session->setup.placements));
  return allocate(session, session->setup.pool->node_count, sizeof(bool), &session->setup.is_excluded);
}

static genie_status_t copy_weights_path(genie_remote_session_t *session, const char *path) {
  if (path == NULL) {
    return GENIE_OK;
  }
  if (path[0] != '/' || strlen(path) >= GENIE_WIRE_MAX_TEXT_BYTES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "'%.64s' is no path of weights: it must be absolute and of less than %d bytes", path,
                             GENIE_WIRE_MAX_TEXT_BYTES);
  }
  GENIE_RETURN_IF_ERROR(allocate(session, strlen(path) + 1, 1, &session->setup.weights_path));
  strcpy(session->setup.weights_path, path);
  return GENIE_OK;
}

// UCX is loaded only for a pool that has a link of it to or from this process.
static genie_status_t create_fabric(genie_remote_session_t *session) {
  const genie_pool_t *pool = session->setup.pool;
  bool is_used = false;
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    const genie_pool_link_t *link = &pool->links[i];
    is_used |= link->carrier == GENIE_POOL_CARRIER_UCX &&
               (pool->nodes[link->from].address == NULL || pool->nodes[link->to].address == NULL);
  }
  return is_used ? genie_ucx_fabric_create(NULL, session->base.allocator, &session->setup.fabric) : GENIE_OK;
}

static genie_status_t prepare(genie_remote_session_t *session, const genie_session_options_t *options) {
  const genie_remote_options_t *remote = options->remote;
  session->setup.thread_count = options->thread_count;
  session->setup.call_timeout_ns = remote->call_timeout_ns;
  session->setup.may_retry = remote->may_retry;
  session->setup.progress = remote->progress;
  session->setup.progress_context = remote->progress_context;
  if (remote->pool == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a session on other nodes needs a pool");
  }
  GENIE_RETURN_IF_ERROR(genie_pool_open(remote->pool, session->base.allocator, &session->setup.pool));
  GENIE_RETURN_IF_ERROR(genie_client_keys_init(remote->key, remote->known_nodes, remote->is_strict,
                                               session->base.allocator, &session->setup.keys));
  GENIE_RETURN_IF_ERROR(copy_weights_path(session, remote->weights_path));
  GENIE_RETURN_IF_ERROR(create_fabric(session));
  GENIE_RETURN_IF_ERROR(allocate_tables(session));
  return genie_placement_resolve(session->base.model->plan, session->setup.pool, remote, session->setup.placements);
}

// ---- Connecting, and again after a loss ----

// A node that is not there any more, as opposed to one that refuses.
static bool is_gone(genie_status_t status) {
  const genie_status_code_t code = genie_status_code(status);
  return code == GENIE_STATUS_UNAVAILABLE || code == GENIE_STATUS_DEADLINE_EXCEEDED || code == GENIE_STATUS_ABORTED;
}

static genie_status_t connect_once(genie_remote_session_t *session, uint32_t *out_failed_node) {
  const genie_status_t status = genie_remote_session_connect(session, out_failed_node);
  if (status != GENIE_OK) {
    genie_remote_session_disconnect(session);
  }
  return status;
}

// Nodes that are gone are replaced by others that can hold their places, each node being tried once.
genie_status_t genie_remote_session_reconnect(genie_session_t *base) {
  genie_remote_session_t *session = remote_of(base);
  const uint32_t node_count = session->setup.pool->node_count;
  memset(session->setup.is_excluded, 0, node_count * sizeof(bool));
  genie_remote_session_disconnect(session);
  for (uint32_t attempt = 0;; ++attempt) {
    uint32_t failed = UINT32_MAX;
    const genie_status_t status = connect_once(session, &failed);
    if (status == GENIE_OK || !is_gone(status) || failed == UINT32_MAX || attempt == node_count) {
      return status;
    }
    session->setup.is_excluded[failed] = true;
    const genie_status_t moved = genie_placement_move(base->model->plan, session->setup.pool, failed,
                                                      session->setup.is_excluded, session->setup.placements);
    if (moved != GENIE_OK) {
      genie_status_free(moved);
      return status;
    }
    genie_status_free(status);
  }
}

// ---- Runs ----

static bool holds_input(const genie_remote_session_t *session, const genie_remote_buffer_t *buffer) {
  for (uint32_t i = 0; i < session->run_input_count; ++i) {
    const uintptr_t data = (uintptr_t)session->run_inputs[i].data;
    const uintptr_t begin = (uintptr_t)buffer->data;
    if (begin != 0 && data >= begin && data - begin < (buffer->bytes == 0 ? 1 : buffer->bytes)) {
      return true;
    }
  }
  return false;
}

// An output of the last run may be an input of this one: it is not written to, and lives as long as this run.
static genie_status_t take_session_memory(void *context, uint32_t output, uint64_t bytes, void **out_data) {
  genie_remote_session_t *session = context;
  genie_remote_buffer_t *buffer = &session->buffers[output];
  genie_remote_buffer_t *retired = &session->retired[output];
  if (holds_input(session, buffer)) {
    const genie_remote_buffer_t kept = *buffer;
    *buffer = *retired;
    *retired = kept;
  }
  if (buffer->data == NULL || buffer->bytes < bytes) {
    genie_allocator_free(session->base.allocator, buffer->data);
    *buffer = (genie_remote_buffer_t){0};
    GENIE_RETURN_IF_ERROR(allocate(session, bytes, 1, &buffer->data));
    buffer->bytes = bytes;
  }
  *out_data = buffer->data;
  return GENIE_OK;
}

// The places of this process run on this thread, between sending the call and taking the nodes' results.
static genie_status_t run_share(genie_remote_session_t *session, const genie_remote_call_t *call,
                                const genie_tensor_t *inputs, const int64_t *symbols) {
  genie_share_t *share = session->share;
  const uint32_t entry = call->entry;
  GENIE_RETURN_IF_ERROR(
      genie_share_bind(share, entry, symbols, session->base.model->plan->entries[entry].symbol_count));
  for (uint32_t i = 0; i < genie_share_input_count(share, entry); ++i) {
    const genie_share_tensor_t input = genie_share_input(share, entry, i);
    if (input.bytes > 0) {
      memcpy(input.memory, inputs[input.position].data, input.bytes);
    }
  }
  GENIE_RETURN_IF_ERROR(genie_share_run(share, call->id, call->deadline));
  for (uint32_t i = 0; i < genie_share_output_count(share, entry); ++i) {
    const genie_share_tensor_t output = genie_share_output(share, entry, i);
    if (output.bytes > 0) {
      memcpy(call->outputs[output.position].data, output.memory, output.bytes);
    }
  }
  return GENIE_OK;
}

static genie_status_t run_once(genie_remote_session_t *session, genie_remote_call_t *call, const genie_tensor_t *inputs,
                               const int64_t *symbols) {
  const uint64_t timeout_ns = session->setup.call_timeout_ns;
  call->deadline = timeout_ns == 0 ? GENIE_DEADLINE_NEVER : genie_deadline_after_ns(timeout_ns);
  GENIE_RETURN_IF_ERROR(genie_remote_call_send(session, call, inputs, symbols));
  if (session->share != NULL) {
    const genie_status_t ran = run_share(session, call, inputs, symbols);
    if (ran != GENIE_OK && session->node_count > 0) {
      genie_remote_call_give_up(session, call, ran);
    } else if (ran != GENIE_OK) {
      return ran;
    }
  }
  return genie_remote_call_finish(session, call);
}

static genie_status_t run(genie_session_t *base, uint32_t entry, const genie_tensor_t *inputs, uint32_t input_count,
                          genie_tensor_t *outputs, uint32_t output_count) {
  genie_remote_session_t *session = remote_of(base);
  const uint64_t begin_ns = genie_session_now_ns();
  int64_t symbols[GENIE_WIRE_MAX_SYMBOLS];
  session->run_inputs = inputs;
  session->run_input_count = input_count;
  GENIE_RETURN_IF_ERROR(genie_remote_call_prepare(session, entry, inputs, input_count, outputs, output_count,
                                                  take_session_memory, session, symbols));
  genie_status_t status = GENIE_OK;
  for (uint32_t attempt = 0; attempt <= session->setup.pool->node_count; ++attempt) {
    genie_remote_call_t call = {.entry = entry, .outputs = outputs};
    status = run_once(session, &call, inputs, symbols);
    if (!genie_remote_may_repeat(session, status)) {
      break;
    }
    genie_status_free(status);
    status = genie_remote_session_reconnect(base);
    if (status != GENIE_OK) {
      break;
    }
  }
  GENIE_RETURN_IF_ERROR(status);
  genie_remote_traffic_add(session, entry, inputs, outputs, symbols);
  ++base->run_count;
  base->last_run_ns = genie_session_now_ns() - begin_ns;
  return GENIE_OK;
}

static genie_status_t infer_outputs(genie_session_t *base, uint32_t entry, const genie_tensor_t *inputs,
                                    uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  int64_t symbols[GENIE_WIRE_MAX_SYMBOLS];
  return genie_remote_call_prepare(remote_of(base), entry, inputs, input_count, outputs, output_count, NULL, NULL,
                                   symbols);
}

// ---- The rest ----

static void get_stats(const genie_session_t *base, genie_session_stats_t *out_stats) {
  const genie_remote_session_t *session = (const genie_remote_session_t *)base;
  *out_stats = (genie_session_stats_t){
      .run_count = base->run_count, .last_run_ns = base->last_run_ns, .load_ns = base->load_ns, .target = "remote"};
  for (uint32_t i = 0; i < session->node_count; ++i) {
    out_stats->slab_bytes += session->nodes[i].memory_bytes;
  }
}

static void destroy(genie_session_t *base) {
  genie_remote_session_t *session = remote_of(base);
  const genie_allocator_t allocator = base->allocator;
  genie_remote_repeat_end(session);
  genie_remote_session_disconnect(session);
  for (uint32_t i = 0; session->buffers != NULL && i < session->buffer_count; ++i) {
    genie_allocator_free(allocator, session->buffers[i].data);
  }
  for (uint32_t i = 0; session->retired != NULL && i < session->buffer_count; ++i) {
    genie_allocator_free(allocator, session->retired[i].data);
  }
  void *const tables[] = {
      session->counts,  session->last_symbols,     session->has_run,          session->values, session->tensor_node,
      session->buffers, session->retired,          session->header,           session->slots,  session->wanted,
      session->pieces,  session->setup.placements, session->setup.is_excluded};
  for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); ++i) {
    genie_allocator_free(allocator, tables[i]);
  }
  genie_arena_deinit(&session->link_arena);
  genie_arena_deinit(&base->trace_arena);
  genie_trace_destroy(base->trace);
  genie_ucx_fabric_destroy(session->setup.fabric);
  genie_allocator_free(session->base.allocator, session->setup.weights_path);
  genie_client_keys_deinit(&session->setup.keys);
  genie_pool_close(session->setup.pool);
  pthread_cond_destroy(&session->changed);
  pthread_mutex_destroy(&session->mutex);
  pthread_mutex_destroy(&session->use_mutex);
  genie_allocator_free(allocator, session);
}

// ---- What the public functions call ----

// The session is its user's thread's, but for the thread that repeats calls.
#define WITH_USE(session, call)                        \
  do {                                                 \
    genie_remote_session_t *used = remote_of(session); \
    pthread_mutex_lock(&used->use_mutex);              \
    const genie_status_t status = (call);              \
    pthread_mutex_unlock(&used->use_mutex);            \
    return status;                                     \
  } while (0)

static genie_status_t use_run(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                              uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  WITH_USE(session, run(session, entry, inputs, input_count, outputs, output_count));
}

static genie_status_t use_infer(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  WITH_USE(session, infer_outputs(session, entry, inputs, input_count, outputs, output_count));
}

static genie_status_t use_reconnect(genie_session_t *session) {
  WITH_USE(session, genie_remote_session_reconnect(session));
}

static genie_status_t use_links(genie_session_t *session, const genie_session_link_t **out_links,
                                uint32_t *out_link_count) {
  WITH_USE(session, genie_remote_session_list_links(session, out_links, out_link_count));
}

static genie_status_t use_traces(genie_session_t *session, genie_trace_batch_t *batches, uint32_t *batch_count) {
  WITH_USE(session, genie_remote_session_take_traces(session, batches, batch_count));
}

static const genie_session_ops_t kOps = {.destroy = destroy,
                                         .run = use_run,
                                         .infer_outputs = use_infer,
                                         .reset_state = genie_remote_session_reset_state,
                                         .read_state = genie_remote_session_read_state,
                                         .write_state = genie_remote_session_write_state,
                                         .get_stats = get_stats,
                                         .reconnect = use_reconnect,
                                         .count_traffic = genie_remote_traffic_count,
                                         .submit = genie_remote_session_submit,
                                         .list_links = use_links,
                                         .take_traces = use_traces};

genie_status_t genie_session_create_remote(const genie_model_t *model, const genie_session_options_t *options,
                                           genie_session_t **out_session) {
  const uint64_t begin_ns = genie_session_now_ns();
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(model->allocator, 1, sizeof(genie_remote_session_t), &memory));
  genie_remote_session_t *session = memory;
  session->base.ops = &kOps;
  session->base.model = model;
  session->base.allocator = model->allocator;
  genie_arena_init(model->allocator, 0, &session->link_arena);
  pthread_mutex_init(&session->mutex, NULL);
  pthread_mutex_init(&session->use_mutex, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&session->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  genie_status_t status = prepare(session, options);
  if (status == GENIE_OK && options->has_trace) {
    status = genie_trace_create(model->allocator, &session->base.trace);
  }
  uint32_t failed_node = 0;
  if (status == GENIE_OK) {
    status = connect_once(session, &failed_node);
  }
  if (status != GENIE_OK) {
    destroy(&session->base);
    return status;
  }
  session->base.load_ns = genie_session_now_ns() - begin_ns;
  *out_session = &session->base;
  return GENIE_OK;
}
