// CONTROL connections: sessions are opened, get their weights, are connected to other nodes, and closed.
//
// One thread takes the messages one by one; another sends heartbeats, since loading a plan may take longer than a
// client waits for them.
#include "remote_exec/daemon/control_service.h"

#include <stdio.h>
#include <string.h>

#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/daemon/services.h"
#include "remote_exec/daemon/state_service.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"
#include "runtime/plan/digest.h"

enum { kReadBytes = 4 * 1024 * 1024, kTextBytes = 500 };

// ---- Answers ----

genie_status_t genie_control_answer(const genie_control_t *control, genie_wire_kind_t kind,
                                    const ProtobufCMessage *message) {
  return genie_connection_send_control(control->channel, kind, message, NULL, 0,
                                       genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS));
}

genie_status_t genie_control_answer_failure(const genie_control_t *control, uint64_t session_id,
                                            genie_status_t failure) {
  char text[kTextBytes];
  snprintf(text, sizeof(text), "%s", genie_status_message(failure));
  Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
  error.code = genie_status_code(failure);
  error.message = text;
  error.session_id = session_id;
  genie_metrics_count_error(&control->node->metrics, genie_status_code(failure));
  genie_log_take_status(&control->node->log, GENIE_LOG_WARNING, genie_channel_get_peer(control->channel)->name,
                        failure);
  return genie_control_answer(control, GENIE_WIRE_ERROR, &error.base);
}

genie_status_t genie_control_skip(const genie_control_t *control, uint64_t left_bytes) {
  return left_bytes == 0
             ? GENIE_OK
             : genie_channel_skip_payload(control->channel, left_bytes, genie_liveness_transfer_deadline(left_bytes));
}

// ---- Sessions of this connection ----

static genie_control_session_t *find_free(genie_control_t *control) {
  for (int i = 0; i < GENIE_CONTROL_SESSIONS; ++i) {
    if (control->sessions[i].session == NULL) {
      return &control->sessions[i];
    }
  }
  return NULL;
}

genie_status_t genie_control_find_session(genie_control_t *control, uint64_t id, genie_control_session_t **out_opened) {
  for (int i = 0; i < GENIE_CONTROL_SESSIONS; ++i) {
    if (control->sessions[i].session != NULL && control->sessions[i].session->id == id) {
      *out_opened = &control->sessions[i];
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "this connection has no session %llx", (unsigned long long)id);
}

static void close_session(genie_control_t *control, genie_control_session_t *opened, const char *why) {
  genie_node_session_t *session = opened->session;
  if (session == NULL) {
    return;
  }
  genie_session_table_close(control->node->sessions, session, why);
  genie_log_write(&control->node->log, GENIE_LOG_INFO, genie_channel_get_peer(control->channel)->name,
                  "session %llx closed after %llu calls: %s", (unsigned long long)session->id,
                  (unsigned long long)atomic_load(&session->call_count), why);
  genie_node_session_release(session);
  *opened = (genie_control_session_t){0};
}

// ---- Opening ----

static genie_status_t receive_bytes(const genie_control_t *control, uint8_t *bytes, uint64_t size_bytes) {
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t left = size_bytes - done;
    const uint64_t count = left < kReadBytes ? left : kReadBytes;
    GENIE_RETURN_IF_ERROR(
        genie_channel_receive_payload(control->channel, bytes + done, count, genie_liveness_transfer_deadline(count)));
    done += count;
  }
  return GENIE_OK;
}

// The model opens before its image of the weights does: the plan says which.
static genie_status_t read_weights(void *self, uint64_t offset, uint64_t size_bytes, void *destination) {
  return genie_store_image_read(((genie_node_session_t *)self)->weights, offset, size_bytes, destination);
}

// Sessions with the same weights compute from one copy of them.
static const void *share_weights(void *self) {
  return genie_store_image_memory(((genie_node_session_t *)self)->weights);
}

// The plan's bytes are hostile until the model is open: its reader checks hashes and signature, then all the rest.
static genie_status_t open_model(const genie_control_t *control, const void *bytes, uint64_t size_bytes,
                                 genie_control_session_t *opened) {
  const genie_daemon_options_t *options = control->node->options;
  const genie_model_options_t model_options = {.require_signed = options->is_signature_required,
                                               .trusted_keys = options->trusted_keys};
  const genie_plan_weight_source_t source = {.self = opened->session, .read = read_weights, .share = share_weights};
  return genie_model_open_parts("plan", bytes, size_bytes, &source, &model_options, &opened->session->model);
}

static genie_status_t check_place(const genie_control_t *control, const genie_plan_t *plan,
                                  const Genie__Wire__HostedPlace *hosted, genie_share_place_t *out_place) {
  const char *kind = NULL;
  uint32_t ordinal = 0;
  if (hosted->place >= plan->place_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "place %u: the plan has %u", hosted->place, plan->place_count);
  }
  GENIE_RETURN_IF_ERROR(genie_node_find_device(control->node, hosted->device, &kind, &ordinal));
  const char *planned = genie_plan_string(plan, plan->places[hosted->place].device_kind);
  if (strcmp(kind, planned) != 0 && strcmp(kind, "null") != 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "place '%.64s' is planned for a device of kind '%.32s', '%.64s' is one of kind '%s'",
                             genie_plan_string(plan, plan->places[hosted->place].name), planned, hosted->device, kind);
  }
  GENIE_RETURN_IF_ERROR(genie_lost_devices_check(control->node, kind, ordinal));
  *out_place = (genie_share_place_t){.place = hosted->place,
                                     .options = {.device = kind,
                                                 .thread_count = (uint32_t)control->node->options->thread_count,
                                                 .ordinal = ordinal,
                                                 .has_ordinal = true,
                                                 .cache_directory = control->node->code_directory,
                                                 .library_path = control->node->options->library_path}};
  return GENIE_OK;
}

static genie_status_t check_places(const genie_control_t *control, const Genie__Wire__OpenSession *open,
                                   genie_control_session_t *opened, uint32_t *places) {
  const genie_plan_t *plan = opened->session->model->plan;
  for (size_t i = 0; i < open->n_places; ++i) {
    GENIE_RETURN_IF_ERROR(check_place(control, plan, open->places[i], &opened->session->places[i]));
    places[i] = open->places[i]->place;
  }
  opened->session->place_count = (uint32_t)open->n_places;
  const uint64_t bytes = genie_share_measure(plan, places, opened->session->place_count);
  if (open->memory_limit_bytes > 0 && bytes > open->memory_limit_bytes) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the session needs %llu bytes, its limit is %llu",
                             (unsigned long long)bytes, (unsigned long long)open->memory_limit_bytes);
  }
  return genie_node_session_charge(opened->session, bytes);
}

static genie_status_t open_places(const genie_control_t *control, const Genie__Wire__OpenSession *open,
                                  genie_control_session_t *opened) {
  const genie_allocator_t allocator = control->node->allocator;
  void *places = NULL;
  void *indices = NULL;
  if (open->n_places == 0 || open->n_places > opened->session->model->plan->place_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the session has %zu places of this node; the plan has %u",
                             open->n_places, opened->session->model->plan->place_count);
  }
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(allocator, open->n_places, sizeof(*opened->session->places), &places));
  opened->session->places = places;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, open->n_places, sizeof(uint32_t), &indices));
  const genie_status_t status = check_places(control, open, opened, indices);
  genie_allocator_free(allocator, indices);
  return status;
}

// All weights are there: code becomes executable here and nowhere earlier.
static genie_status_t start_session(genie_control_t *control, genie_control_session_t *opened) {
  genie_node_session_t *session = opened->session;
  const genie_status_t created = genie_share_create(session->model, session->places, session->place_count,
                                                    genie_node_arena_allocator(&control->node->arena), &session->share);
  if (genie_status_code(created) == GENIE_STATUS_ABORTED) {
    genie_lost_devices_blame(control->node, session);
  }
  GENIE_RETURN_IF_ERROR(created);
  genie_session_table_add(control->node->sessions, session);
  genie_metrics_add(&control->node->metrics, GENIE_METRIC_SESSIONS_OPENED, 1);
  genie_log_write(&control->node->log, GENIE_LOG_INFO, genie_channel_get_peer(control->channel)->name,
                  "session %llx of %s: %u places, %llu bytes", (unsigned long long)session->id, session->label,
                  opened->session->place_count, (unsigned long long)session->charged_bytes);
  Genie__Wire__SessionReady ready = GENIE__WIRE__SESSION_READY__INIT;
  ready.session_id = session->id;
  ready.token = (ProtobufCBinaryData){.data = session->token, .len = sizeof(session->token)};
  ready.memory_bytes = session->charged_bytes;
  ready.load_ns = genie_deadline_clock_ns() - opened->open_ns;
  return genie_control_answer(control, GENIE_WIRE_SESSION_READY, &ready.base);
}

// Asks for what is missing, or starts the session when nothing is.
static genie_status_t advance(genie_control_t *control, genie_control_session_t *opened) {
  bool is_complete = false;
  GENIE_RETURN_IF_ERROR(genie_control_ask_weights(control, opened, &is_complete));
  return is_complete ? start_session(control, opened) : GENIE_OK;
}

// Places record into one trace, for the client to ask for.
static genie_status_t open_trace(const genie_control_t *control, const Genie__Wire__OpenSession *open,
                                 genie_control_session_t *opened) {
  genie_node_session_t *session = opened->session;
  if (!open->has_trace) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_node_session_charge(session, genie_trace_measure()));
  GENIE_RETURN_IF_ERROR(genie_trace_create(control->node->allocator, &session->trace));
  for (uint32_t i = 0; i < session->place_count; ++i) {
    session->places[i].options.trace = session->trace;
  }
  return GENIE_OK;
}

static genie_status_t fill_session(genie_control_t *control, const Genie__Wire__OpenSession *open, const uint8_t *bytes,
                                   uint64_t size_bytes, genie_control_session_t *opened) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes, size_bytes, &digest));
  if (open->plan_digest.len != sizeof(digest) || memcmp(open->plan_digest.data, &digest, sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "the plan that arrived is not the plan that was announced");
  }
  GENIE_RETURN_IF_ERROR(open_model(control, bytes, size_bytes, opened));
  GENIE_RETURN_IF_ERROR(open_places(control, open, opened));
  GENIE_RETURN_IF_ERROR(open_trace(control, open, opened));
  return genie_control_open_weights(control, open, opened);
}

static genie_status_t check_open(const genie_control_t *control, uint64_t payload_bytes) {
  const uint64_t limit = (uint64_t)control->node->options->plan_limit_mib << 20;
  if (atomic_load(&control->node->is_draining)) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "the node is stopping");
  }
  if (payload_bytes > limit || payload_bytes == 0) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                             "a plan of %llu bytes without weights; the node takes 1 to %llu (--plan-limit)",
                             (unsigned long long)payload_bytes, (unsigned long long)limit);
  }
  return GENIE_OK;
}

// Charges before it allocates. What was not received of the payload when it fails is in `*left_bytes`.
static genie_status_t receive_plan(const genie_control_t *control, genie_node_session_t *session,
                                   uint64_t payload_bytes, uint8_t **out_bytes, uint64_t *left_bytes) {
  GENIE_RETURN_IF_ERROR(genie_node_session_charge(session, payload_bytes));
  uint8_t *bytes = control->node->allocator.allocate(control->node->allocator.self, payload_bytes, 4096);
  if (bytes == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a plan of %llu bytes",
                             (unsigned long long)payload_bytes);
  }
  *out_bytes = bytes;
  *left_bytes = 0;
  return receive_bytes(control, bytes, payload_bytes);
}

static genie_status_t fill_opened(genie_control_t *control, const Genie__Wire__OpenSession *open,
                                  uint64_t payload_bytes, genie_control_session_t *opened, uint64_t *left_bytes) {
  uint8_t *bytes = NULL;
  GENIE_RETURN_IF_ERROR(check_open(control, payload_bytes));
  GENIE_RETURN_IF_ERROR(genie_node_session_create(control->node->budget, control->client, open->label,
                                                  control->node->allocator, &opened->session));
  GENIE_RETURN_IF_ERROR(genie_node_check_carrier(control->node, open->carrier, &opened->session->is_ucx));
  opened->session->bytes_per_s = open->bytes_per_s;
  genie_status_t status = receive_plan(control, opened->session, payload_bytes, &bytes, left_bytes);
  if (status == GENIE_OK) {
    status = fill_session(control, open, bytes, payload_bytes, opened);
  }
  genie_allocator_free(control->node->allocator, bytes);
  return status;
}

static genie_status_t open_session(genie_control_t *control, const Genie__Wire__OpenSession *open,
                                   uint64_t payload_bytes) {
  genie_control_session_t *opened = find_free(control);
  uint64_t left_bytes = payload_bytes;
  genie_status_t status = genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "a connection has at most %d sessions",
                                            GENIE_CONTROL_SESSIONS);
  if (opened != NULL) {
    genie_status_free(status);
    *opened = (genie_control_session_t){.request_id = open->request_id, .open_ns = genie_deadline_clock_ns()};
    status = fill_opened(control, open, payload_bytes, opened, &left_bytes);
  }
  const genie_status_t skipped = genie_control_skip(control, left_bytes);
  if (skipped != GENIE_OK) {
    genie_status_free(status);
    return skipped;
  }
  if (status == GENIE_OK) {
    status = advance(control, opened);
  }
  if (status != GENIE_OK) {
    if (opened != NULL) {
      close_session(control, opened, "it could not be opened");
    }
    genie_metrics_add(&control->node->metrics, GENIE_METRIC_SESSIONS_REFUSED, 1);
    return genie_control_answer_failure(control, 0, status);
  }
  return GENIE_OK;
}

static genie_status_t take_chunk(genie_control_t *control, const Genie__Wire__WeightChunk *chunk,
                                 uint64_t payload_bytes) {
  genie_control_session_t *opened = NULL;
  uint64_t left_bytes = payload_bytes;
  genie_status_t status = genie_control_find_session(control, chunk->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_control_receive_chunk(control, opened, chunk, &left_bytes);
  }
  const genie_status_t skipped = genie_control_skip(control, left_bytes);
  if (skipped != GENIE_OK) {
    genie_status_free(status);
    return skipped;
  }
  if (status == GENIE_OK && opened->awaited_count == 0) {
    status = advance(control, opened);
  }
  if (status != GENIE_OK && opened != NULL) {
    close_session(control, opened, "its weights could not be taken");
  }
  return status == GENIE_OK ? GENIE_OK : genie_control_answer_failure(control, chunk->session_id, status);
}

// ---- States ----

static genie_status_t answer_done(const genie_control_t *control, uint64_t session_id, genie_status_t status) {
  if (status != GENIE_OK) {
    return genie_control_answer_failure(control, session_id, status);
  }
  Genie__Wire__StateDone done = GENIE__WIRE__STATE_DONE__INIT;
  done.session_id = session_id;
  return genie_control_answer(control, GENIE_WIRE_STATE_DONE, &done.base);
}

static genie_status_t read_state(genie_control_t *control, const Genie__Wire__ReadState *request) {
  genie_control_session_t *opened = NULL;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_read(opened->session, request->name, control->channel);
  }
  return status == GENIE_OK ? GENIE_OK : genie_control_answer_failure(control, request->session_id, status);
}

static genie_status_t write_state(genie_control_t *control, const Genie__Wire__WriteState *request,
                                  uint64_t payload_bytes) {
  genie_control_session_t *opened = NULL;
  uint64_t left_bytes = payload_bytes;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_write(opened->session, request->name, control->channel, &left_bytes);
  }
  const genie_status_t skipped = genie_control_skip(control, left_bytes);
  if (skipped != GENIE_OK) {
    genie_status_free(status);
    return skipped;
  }
  return answer_done(control, request->session_id, status);
}

static genie_status_t reset_states(genie_control_t *control, const Genie__Wire__ResetStates *request) {
  genie_control_session_t *opened = NULL;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_reset(opened->session);
  }
  return answer_done(control, request->session_id, status);
}

// ---- The rest ----

static genie_status_t close_by_request(genie_control_t *control, const Genie__Wire__CloseSession *request) {
  genie_control_session_t *opened = NULL;
  const genie_status_t found = genie_control_find_session(control, request->session_id, &opened);
  if (found != GENIE_OK) {
    return genie_control_answer_failure(control, request->session_id, found);
  }
  Genie__Wire__SessionClosed closed = GENIE__WIRE__SESSION_CLOSED__INIT;
  closed.session_id = request->session_id;
  closed.call_count = atomic_load(&opened->session->call_count);
  close_session(control, opened, "its client is done");
  return genie_control_answer(control, GENIE_WIRE_SESSION_CLOSED, &closed.base);
}

static genie_status_t cancel_call(genie_control_t *control, size_t header_bytes) {
  genie_wire_cancel_t cancel;
  genie_control_session_t *opened = NULL;
  GENIE_RETURN_IF_ERROR(genie_wire_cancel_read(control->header, header_bytes, &cancel));
  const genie_status_t found = genie_control_find_session(control, cancel.session_id, &opened);
  if (found == GENIE_OK && opened->session->share != NULL) {
    genie_share_cancel(opened->session->share, cancel.call_id);
  }
  genie_status_free(found);  // the session may be gone already
  return GENIE_OK;
}

static genie_status_t take_control(genie_control_t *control, const genie_wire_control_t *message,
                                   uint64_t payload_bytes) {
  switch (message->kind) {
    case GENIE_WIRE_OPEN_SESSION:
      return open_session(control, message->open_session, payload_bytes);
    case GENIE_WIRE_WEIGHT_CHUNK:
      return take_chunk(control, message->weight_chunk, payload_bytes);
    case GENIE_WIRE_CONNECT_PEERS:
      return genie_control_connect_peers(control, message->connect_peers);
    case GENIE_WIRE_CLOSE_SESSION:
      return close_by_request(control, message->close_session);
    case GENIE_WIRE_GET_TRAFFIC:
      return genie_control_answer_traffic(control, message->get_traffic);
    case GENIE_WIRE_GET_TRACE:
      return genie_control_answer_trace(control, message->get_trace);
    case GENIE_WIRE_READ_STATE:
      return read_state(control, message->read_state);
    case GENIE_WIRE_WRITE_STATE:
      return write_state(control, message->write_state, payload_bytes);
    case GENIE_WIRE_RESET_STATES:
      return reset_states(control, message->reset_states);
    case GENIE_WIRE_GET_NODE_INFO:
      return genie_control_answer_info(control);
    case GENIE_WIRE_GET_NODE_STATS:
      return genie_control_answer_stats(control);
    case GENIE_WIRE_PING:
      return genie_control_answer_ping(control, message->ping, payload_bytes);
    default:
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "message %d is not for a node", (int)message->kind);
  }
}

// A client that is silent is lost, unless it is this side that did not listen.
static genie_status_t receive_message(genie_control_t *control, genie_wire_prefix_t *prefix, size_t *header_bytes,
                                      uint64_t *payload_bytes) {
  for (;;) {
    const genie_deadline_ns_t deadline = genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS);
    const genie_status_t status =
        genie_connection_receive(control->channel, GENIE_WIRE_FROM_CLIENT, GENIE_WIRE_ROLE_CONTROL, control->header,
                                 deadline, prefix, header_bytes, payload_bytes);
    if (genie_status_code(status) != GENIE_STATUS_DEADLINE_EXCEEDED || !genie_liveness_has_overslept(deadline)) {
      return status;
    }
    genie_status_free(status);
  }
}

static genie_status_t take_message(genie_control_t *control) {
  genie_wire_prefix_t prefix;
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(receive_message(control, &prefix, &header_bytes, &payload_bytes));
  if (prefix.kind == GENIE_WIRE_HEARTBEAT) {
    return GENIE_OK;
  }
  if (prefix.kind == GENIE_WIRE_CANCEL) {
    return cancel_call(control, header_bytes);
  }
  genie_wire_control_t message = {0};
  GENIE_RETURN_IF_ERROR(genie_wire_control_decode(control->header, header_bytes, control->node->allocator, &message));
  const genie_status_t status = take_control(control, &message, payload_bytes);
  genie_wire_control_deinit(&message);
  return status;
}

// ---- Heartbeats ----

static void *beat_main(void *argument) {
  genie_control_t *control = argument;
  genie_status_t status = GENIE_OK;
  pthread_mutex_lock(&control->mutex);
  for (uint64_t sequence = 1; !control->is_ending && status == GENIE_OK; ++sequence) {
    const genie_deadline_ns_t next = genie_deadline_after_ns(GENIE_LIVENESS_INTERVAL_NS);
    const struct timespec until = {.tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u)};
    if (pthread_cond_timedwait(&control->ended, &control->mutex, &until) == 0) {
      continue;
    }
    pthread_mutex_unlock(&control->mutex);
    genie_wire_heartbeat_t beat;
    genie_wire_heartbeat_init(sequence, genie_deadline_clock_ns(), &beat);
    status = genie_channel_send(control->channel, &(genie_message_t){.header = &beat, .header_bytes = sizeof(beat)},
                                genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS));
    pthread_mutex_lock(&control->mutex);
  }
  pthread_mutex_unlock(&control->mutex);
  genie_status_free(status);  // the receiving thread sees the same
  return NULL;
}

static genie_status_t serve_with_heartbeats(genie_control_t *control) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&control->ended, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&control->mutex, NULL);
  genie_status_t status = GENIE_OK;
  if (pthread_create(&control->beat_thread, NULL, beat_main, control) != 0) {
    status = genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  } else {
    while (status == GENIE_OK) {
      status = take_message(control);
    }
    pthread_mutex_lock(&control->mutex);
    control->is_ending = true;
    pthread_cond_signal(&control->ended);
    pthread_mutex_unlock(&control->mutex);
    genie_channel_interrupt(control->channel);
    pthread_join(control->beat_thread, NULL);
  }
  pthread_cond_destroy(&control->ended);
  pthread_mutex_destroy(&control->mutex);
  return status;
}

genie_status_t genie_control_serve(genie_node_t *node, genie_channel_t *channel) {
  void *memory = NULL;
  void *header = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, 1, sizeof(genie_control_t), &memory));
  genie_control_t *control = memory;
  *control =
      (genie_control_t){.node = node, .channel = channel, .client = genie_channel_get_peer(channel)->fingerprint};
  genie_status_t status = genie_allocator_allocate_array(node->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &header);
  control->header = header;
  if (status == GENIE_OK) {
    status = serve_with_heartbeats(control);
  }
  for (int i = 0; i < GENIE_CONTROL_SESSIONS; ++i) {
    close_session(control, &control->sessions[i], "its client's connection ended");
  }
  genie_allocator_free(node->allocator, header);
  genie_allocator_free(node->allocator, control);
  return status;
}
