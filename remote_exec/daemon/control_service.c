// CONTROL connections: sessions are opened, get their weights, are connected to other nodes, and closed.
//
// One thread takes the messages one by one; another sends heartbeats, since loading a plan may take longer than a
// client waits for them.
#include <stdio.h>
#include <string.h>

#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/daemon/services.h"
#include "remote_exec/daemon/state_service.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"
#include "remote_exec/transport/stream.h"
#include "runtime/plan/digest.h"

enum {
  kSessions = 64,
  kReadBytes = 4 * 1024 * 1024,
  kPieceBytes = 1024 * 1024,
  kTextBytes = 500,
  kDevices = 64,
  kLinks = 64,
  kRanges = 1024,
};

static const uint64_t kOthersTimeoutNs = (uint64_t)60 * 1000000000;

// A session of this connection.
typedef struct opened {
  genie_node_session_t *session;  // NULL: a free row
  uint32_t awaited_count;         // weight chunks that the client was asked for
  uint64_t request_id;
  uint64_t open_ns;
} opened_t;

typedef struct control {
  genie_node_t *node;
  genie_channel_t *channel;
  const char *client;  // fingerprint
  uint8_t *header;     // GENIE_WIRE_MAX_HEADER_BYTES
  opened_t sessions[kSessions];
  pthread_t beat_thread;
  pthread_mutex_t mutex;  // of the flag
  pthread_cond_t ended;
  bool is_ending;
} control_t;

// ---- Answers ----

static genie_status_t answer(const control_t *control, genie_wire_kind_t kind, const ProtobufCMessage *message) {
  return genie_connection_send_control(control->channel, kind, message, NULL, 0,
                                       genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS));
}

// What went wrong with a request goes to the client and the connection goes on. Takes `failure`.
static genie_status_t answer_failure(const control_t *control, uint64_t session_id, genie_status_t failure) {
  char text[kTextBytes];
  snprintf(text, sizeof(text), "%s", genie_status_message(failure));
  Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
  error.code = genie_status_code(failure);
  error.message = text;
  error.session_id = session_id;
  genie_metrics_count_error(&control->node->metrics, genie_status_code(failure));
  genie_log_take_status(&control->node->log, GENIE_LOG_WARNING, genie_channel_get_peer(control->channel)->name,
                        failure);
  return answer(control, GENIE_WIRE_ERROR, &error.base);
}

// ---- Sessions of this connection ----

static opened_t *find_free(control_t *control) {
  for (int i = 0; i < kSessions; ++i) {
    if (control->sessions[i].session == NULL) {
      return &control->sessions[i];
    }
  }
  return NULL;
}

static genie_status_t find_session(control_t *control, uint64_t id, opened_t **out_opened) {
  for (int i = 0; i < kSessions; ++i) {
    if (control->sessions[i].session != NULL && control->sessions[i].session->id == id) {
      *out_opened = &control->sessions[i];
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "this connection has no session %llx", (unsigned long long)id);
}

static void close_session(control_t *control, opened_t *opened, const char *why) {
  genie_node_session_t *session = opened->session;
  if (session == NULL) {
    return;
  }
  genie_session_table_close(control->node->sessions, session, why);
  genie_log_write(&control->node->log, GENIE_LOG_INFO, genie_channel_get_peer(control->channel)->name,
                  "session %llx closed after %llu calls: %s", (unsigned long long)session->id,
                  (unsigned long long)atomic_load(&session->call_count), why);
  genie_node_session_release(session);
  *opened = (opened_t){0};
}

// ---- Opening ----

static genie_status_t receive_bytes(const control_t *control, uint8_t *bytes, uint64_t size_bytes) {
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
static genie_status_t open_model(const control_t *control, const void *bytes, uint64_t size_bytes, opened_t *opened) {
  const genie_daemon_options_t *options = control->node->options;
  const genie_model_options_t model_options = {.require_signed = options->is_signature_required,
                                               .trusted_keys = options->trusted_keys};
  const genie_plan_weight_source_t source = {.self = opened->session, .read = read_weights, .share = share_weights};
  return genie_model_open_parts("plan", bytes, size_bytes, &source, &model_options, &opened->session->model);
}

static genie_status_t check_place(const control_t *control, const genie_plan_t *plan,
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

static genie_status_t check_places(const control_t *control, const Genie__Wire__OpenSession *open, opened_t *opened,
                                   uint32_t *places) {
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

static genie_status_t open_places(const control_t *control, const Genie__Wire__OpenSession *open, opened_t *opened) {
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

// ---- Weights ----

// Where the upload of a chunk goes on.
static genie_status_t find_resumption(genie_store_image_t *image, uint32_t chunk, uint64_t *out_offset) {
  genie_store_upload_t *upload = NULL;
  *out_offset = 0;
  const genie_status_t claimed = genie_store_claim_chunk(image, chunk, &upload);
  if (claimed == GENIE_OK && upload != NULL) {
    *out_offset = upload->received_bytes;
  }
  genie_store_upload_release(upload);
  genie_status_free(claimed);  // another client brings it: this one's upload will be skipped
  return GENIE_OK;
}

// Asks the client for chunks, or says that none are missing.
static genie_status_t answer_state(const control_t *control, opened_t *opened, const uint32_t *chunks, uint32_t count) {
  Genie__Wire__ChunkRange ranges[kRanges];
  Genie__Wire__ChunkRange *pointers[kRanges];
  Genie__Wire__SessionState state = GENIE__WIRE__SESSION_STATE__INIT;
  state.request_id = opened->request_id;
  state.session_id = opened->session->id;
  state.missing = pointers;
  for (uint32_t i = 0; i < count; ++i) {
    if (i > 0 && chunks[i - 1] + 1 == chunks[i]) {
      ++ranges[state.n_missing - 1].count;
      continue;
    }
    Genie__Wire__ChunkRange *range = &ranges[state.n_missing];
    genie__wire__chunk_range__init(range);
    range->first = chunks[i];
    range->count = 1;
    pointers[state.n_missing++] = range;
  }
  if (count > 0) {
    GENIE_RETURN_IF_ERROR(find_resumption(opened->session->weights, chunks[0], &state.first_offset));
  }
  opened->awaited_count = count;
  return answer(control, GENIE_WIRE_SESSION_STATE, &state.base);
}

// Waits for chunks that others bring; when one of them gave up, the chunk is this client's to bring.
static genie_status_t await_others(genie_store_image_t *image) {
  genie_store_upload_t *upload = NULL;
  const genie_status_t status = genie_store_claim(image, kOthersTimeoutNs, &upload);
  genie_store_upload_release(upload);
  return status;
}

// All weights are there: code becomes executable here and nowhere earlier.
static genie_status_t start_session(control_t *control, opened_t *opened) {
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
  return answer(control, GENIE_WIRE_SESSION_READY, &ready.base);
}

// Asks for what is missing, or starts the session when nothing is.
static genie_status_t advance(control_t *control, opened_t *opened) {
  genie_store_image_t *image = opened->session->weights;
  uint32_t chunks[kRanges];
  while (!genie_store_image_is_complete(image)) {
    const uint32_t missing = genie_store_image_missing(image, chunks, kRanges);
    if (missing > 0) {
      return answer_state(control, opened, chunks, missing < kRanges ? missing : kRanges);
    }
    GENIE_RETURN_IF_ERROR(await_others(image));
  }
  return start_session(control, opened);
}

// A client may name a file with the weights that this node sees too; a node that does not see it asks for them.
static genie_status_t open_weights(const control_t *control, const Genie__Wire__OpenSession *open, opened_t *opened) {
  const genie_plan_t *plan = opened->session->model->plan;
  const genie_store_file_t file = {.path = open->weights_path, .offset = plan->weights_offset};
  GENIE_RETURN_IF_ERROR(genie_store_image_open(control->node->store, plan->weight_chunks, plan->weight_chunk_count,
                                               plan->weights_bytes, &opened->session->weights));
  const genie_status_t loaded =
      genie_store_image_load(opened->session->weights, open->weights_path[0] == '/' ? &file : NULL);
  if (genie_status_code(loaded) == GENIE_STATUS_PERMISSION_DENIED ||
      genie_status_code(loaded) == GENIE_STATUS_NOT_FOUND) {
    genie_status_free(loaded);
    return GENIE_OK;
  }
  return loaded;
}

// Places record into one trace, for the client to ask for.
static genie_status_t open_trace(const control_t *control, const Genie__Wire__OpenSession *open, opened_t *opened) {
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

static genie_status_t fill_session(control_t *control, const Genie__Wire__OpenSession *open, const uint8_t *bytes,
                                   uint64_t size_bytes, opened_t *opened) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes, size_bytes, &digest));
  if (open->plan_digest.len != sizeof(digest) || memcmp(open->plan_digest.data, &digest, sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "the plan that arrived is not the plan that was announced");
  }
  GENIE_RETURN_IF_ERROR(open_model(control, bytes, size_bytes, opened));
  GENIE_RETURN_IF_ERROR(open_places(control, open, opened));
  GENIE_RETURN_IF_ERROR(open_trace(control, open, opened));
  return open_weights(control, open, opened);
}

static genie_status_t check_open(const control_t *control, uint64_t payload_bytes) {
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
static genie_status_t receive_plan(const control_t *control, genie_node_session_t *session, uint64_t payload_bytes,
                                   uint8_t **out_bytes, uint64_t *left_bytes) {
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

static genie_status_t skip(const control_t *control, uint64_t left_bytes) {
  return left_bytes == 0
             ? GENIE_OK
             : genie_channel_skip_payload(control->channel, left_bytes, genie_liveness_transfer_deadline(left_bytes));
}

static genie_status_t fill_opened(control_t *control, const Genie__Wire__OpenSession *open, uint64_t payload_bytes,
                                  opened_t *opened, uint64_t *left_bytes) {
  uint8_t *bytes = NULL;
  GENIE_RETURN_IF_ERROR(check_open(control, payload_bytes));
  GENIE_RETURN_IF_ERROR(genie_node_session_create(control->node->budget, control->client, open->label,
                                                  control->node->allocator, &opened->session));
  GENIE_RETURN_IF_ERROR(genie_node_check_carrier(control->node, open->carrier, &opened->session->is_ucx));
  genie_status_t status = receive_plan(control, opened->session, payload_bytes, &bytes, left_bytes);
  if (status == GENIE_OK) {
    status = fill_session(control, open, bytes, payload_bytes, opened);
  }
  genie_allocator_free(control->node->allocator, bytes);
  return status;
}

static genie_status_t open_session(control_t *control, const Genie__Wire__OpenSession *open, uint64_t payload_bytes) {
  opened_t *opened = find_free(control);
  uint64_t left_bytes = payload_bytes;
  genie_status_t status =
      genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "a connection has at most %d sessions", kSessions);
  if (opened != NULL) {
    genie_status_free(status);
    *opened = (opened_t){.request_id = open->request_id, .open_ns = genie_deadline_clock_ns()};
    status = fill_opened(control, open, payload_bytes, opened, &left_bytes);
  }
  const genie_status_t skipped = skip(control, left_bytes);
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
    return answer_failure(control, 0, status);
  }
  return GENIE_OK;
}

static genie_status_t receive_upload(const control_t *control, genie_store_upload_t *upload, uint64_t *left_bytes) {
  while (*left_bytes > 0) {
    const uint64_t count = *left_bytes < kPieceBytes ? *left_bytes : kPieceBytes;
    GENIE_RETURN_IF_ERROR(genie_channel_receive_payload(control->channel, genie_store_upload_space(upload), count,
                                                        genie_liveness_transfer_deadline(count)));
    *left_bytes -= count;
    GENIE_RETURN_IF_ERROR(genie_store_upload_advance(upload, count));
  }
  return GENIE_OK;
}

static genie_status_t receive_chunk(const control_t *control, opened_t *opened, const Genie__Wire__WeightChunk *chunk,
                                    uint64_t *left_bytes) {
  if (opened->awaited_count == 0 || chunk->chunk >= opened->session->model->plan->weight_chunk_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "weight chunk %u was not asked for", chunk->chunk);
  }
  --opened->awaited_count;
  genie_store_upload_t *upload = NULL;
  genie_status_t status = genie_store_claim_chunk(opened->session->weights, chunk->chunk, &upload);
  if (genie_status_code(status) == GENIE_STATUS_UNAVAILABLE) {
    genie_status_free(status);  // another client brings it
    return GENIE_OK;
  }
  if (status == GENIE_OK && upload != NULL) {
    if (chunk->offset != upload->received_bytes || *left_bytes != upload->size_bytes - upload->received_bytes) {
      status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "weight chunk %u: %llu bytes from byte %llu; those from %llu to %llu are due",
                                 chunk->chunk, (unsigned long long)*left_bytes, (unsigned long long)chunk->offset,
                                 (unsigned long long)upload->received_bytes, (unsigned long long)upload->size_bytes);
    } else {
      status = receive_upload(control, upload, left_bytes);
    }
  }
  genie_store_upload_release(upload);
  return status;
}

static genie_status_t take_chunk(control_t *control, const Genie__Wire__WeightChunk *chunk, uint64_t payload_bytes) {
  opened_t *opened = NULL;
  uint64_t left_bytes = payload_bytes;
  genie_status_t status = find_session(control, chunk->session_id, &opened);
  if (status == GENIE_OK) {
    status = receive_chunk(control, opened, chunk, &left_bytes);
  }
  const genie_status_t skipped = skip(control, left_bytes);
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
  return status == GENIE_OK ? GENIE_OK : answer_failure(control, chunk->session_id, status);
}

// ---- Other nodes ----

// The address to connect to is the client's to say; whoever answers there must have the key that the client named.
static genie_status_t connect_peer(const control_t *control, genie_node_session_t *session,
                                   const Genie__Wire__Peer *peer, uint32_t index) {
  const genie_allocator_t allocator = control->node->allocator;
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS);
  genie_wire_hello_t hello = {.role = GENIE_WIRE_ROLE_PEER, .session_id = peer->session_id, .has_token = true};
  genie_channel_t *channel = NULL;
  if (peer->token.len != sizeof(hello.token)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the token for node '%s' has %zu bytes", peer->node,
                             peer->token.len);
  }
  memcpy(hello.token, peer->token.data, sizeof(hello.token));
  snprintf(hello.software, sizeof(hello.software), "%s", control->node->software);
  const genie_stream_options_t options = {.local_address = control->node->options->data_interface};
  GENIE_RETURN_IF_ERROR(genie_stream_connect(peer->address, control->node->identity,
                                             genie_trust_pinned(&session->peers[index].key), &options, deadline,
                                             allocator, &channel));
  const genie_status_t status = genie_connection_greet(channel, &hello, deadline, NULL);
  if (status != GENIE_OK) {
    genie_channel_close(channel);
    return status;
  }
  if (session->peers[index].is_ucx) {
    GENIE_RETURN_IF_ERROR(genie_node_open_ucx(control->node, channel, GENIE_WIRE_FROM_CLIENT, &channel));
  }
  return genie_node_session_attach_peer(session, index, channel);
}

static genie_status_t add_peers(const control_t *control, genie_node_session_t *session,
                                const Genie__Wire__ConnectPeers *request) {
  for (size_t i = 0; i < request->n_peers; ++i) {
    const Genie__Wire__Peer *peer = request->peers[i];
    uint32_t index = 0;
    bool is_ucx = false;
    GENIE_RETURN_IF_ERROR(genie_node_check_carrier(control->node, peer->carrier, &is_ucx));
    GENIE_RETURN_IF_ERROR(genie_node_session_add_peer(session, peer->node, peer->key, peer->session_id, peer->places,
                                                      peer->n_places, is_ucx, &index));
    if (peer->connects) {
      GENIE_RETURN_IF_ERROR(
          genie_status_annotate(connect_peer(control, session, peer, index), "node '%s'", peer->node));
    }
  }
  return GENIE_OK;
}

static genie_status_t answer_paths(const control_t *control, genie_node_session_t *session) {
  Genie__Wire__PeersConnected connected = GENIE__WIRE__PEERS_CONNECTED__INIT;
  Genie__Wire__PeerPath paths[kLinks];
  Genie__Wire__PeerPath *pointers[kLinks];
  genie_channel_stats_t stats[kLinks];
  connected.session_id = session->id;
  connected.paths = pointers;
  const char *name = NULL;
  for (uint32_t i = 0; i < kLinks && genie_share_peer_stats(session->share, i, &name, &stats[i]); ++i) {
    genie__wire__peer_path__init(&paths[i]);
    paths[i].node = (char *)name;
    paths[i].path = stats[i].path;
    pointers[connected.n_paths++] = &paths[i];
  }
  return answer(control, GENIE_WIRE_PEERS_CONNECTED, &connected.base);
}

static genie_status_t connect_peers(control_t *control, const Genie__Wire__ConnectPeers *request) {
  opened_t *opened = NULL;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->share == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is not ready");
  }
  if (status == GENIE_OK) {
    status = add_peers(control, opened->session, request);
  }
  return status == GENIE_OK ? answer_paths(control, opened->session)
                            : answer_failure(control, request->session_id, status);
}

// ---- States ----

static genie_status_t answer_done(const control_t *control, uint64_t session_id, genie_status_t status) {
  if (status != GENIE_OK) {
    return answer_failure(control, session_id, status);
  }
  Genie__Wire__StateDone done = GENIE__WIRE__STATE_DONE__INIT;
  done.session_id = session_id;
  return answer(control, GENIE_WIRE_STATE_DONE, &done.base);
}

static genie_status_t read_state(control_t *control, const Genie__Wire__ReadState *request) {
  opened_t *opened = NULL;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_read(opened->session, request->name, control->channel);
  }
  return status == GENIE_OK ? GENIE_OK : answer_failure(control, request->session_id, status);
}

static genie_status_t write_state(control_t *control, const Genie__Wire__WriteState *request, uint64_t payload_bytes) {
  opened_t *opened = NULL;
  uint64_t left_bytes = payload_bytes;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_write(opened->session, request->name, control->channel, &left_bytes);
  }
  const genie_status_t skipped = skip(control, left_bytes);
  if (skipped != GENIE_OK) {
    genie_status_free(status);
    return skipped;
  }
  return answer_done(control, request->session_id, status);
}

static genie_status_t reset_states(control_t *control, const Genie__Wire__ResetStates *request) {
  opened_t *opened = NULL;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK) {
    status = genie_state_reset(opened->session);
  }
  return answer_done(control, request->session_id, status);
}

// ---- The rest ----

static genie_status_t close_by_request(control_t *control, const Genie__Wire__CloseSession *request) {
  opened_t *opened = NULL;
  const genie_status_t found = find_session(control, request->session_id, &opened);
  if (found != GENIE_OK) {
    return answer_failure(control, request->session_id, found);
  }
  Genie__Wire__SessionClosed closed = GENIE__WIRE__SESSION_CLOSED__INIT;
  closed.session_id = request->session_id;
  closed.call_count = atomic_load(&opened->session->call_count);
  close_session(control, opened, "its client is done");
  return answer(control, GENIE_WIRE_SESSION_CLOSED, &closed.base);
}

static genie_status_t answer_traffic(control_t *control, const Genie__Wire__GetTraffic *request) {
  opened_t *opened = NULL;
  Genie__Wire__Traffic traffic = GENIE__WIRE__TRAFFIC__INIT;
  traffic.session_id = request->session_id;
  traffic.transfer = request->transfer;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->share == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is not ready");
  }
  if (status == GENIE_OK) {
    pthread_mutex_lock(&opened->session->run_mutex);
    status = genie_share_traffic(opened->session->share, request->transfer, &traffic.last_bytes, &traffic.total_bytes);
    pthread_mutex_unlock(&opened->session->run_mutex);
  }
  return status == GENIE_OK ? answer(control, GENIE_WIRE_TRAFFIC, &traffic.base)
                            : answer_failure(control, request->session_id, status);
}

static genie_status_t answer_trace(control_t *control, const Genie__Wire__GetTrace *request) {
  enum { kRecords = 1024 };
  opened_t *opened = NULL;
  genie_status_t status = find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->trace == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session was opened without a trace");
  }
  if (status != GENIE_OK) {
    return answer_failure(control, request->session_id, status);
  }
  genie_trace_record_t records[kRecords];
  Genie__Wire__Trace trace = GENIE__WIRE__TRACE__INIT;
  trace.session_id = request->session_id;
  const uint32_t count = genie_trace_take(opened->session->trace, records, kRecords, &trace.dropped_count);
  trace.records = (ProtobufCBinaryData){.data = (uint8_t *)records, .len = count * sizeof(*records)};
  trace.has_more = count == kRecords;
  return answer(control, GENIE_WIRE_TRACE, &trace.base);
}

typedef struct device_list {
  genie_node_t *node;
  Genie__Wire__DeviceInfo infos[kDevices];
  Genie__Wire__DeviceInfo *pointers[kDevices];
  char names[kDevices][64];
  size_t count;
  uint64_t host_memory_bytes;  // that sessions may take
} device_list_t;

static void add_device(void *context, const char *name, const char *kind, uint32_t ordinal) {
  device_list_t *list = context;
  if (list->count < kDevices) {
    Genie__Wire__DeviceInfo *info = &list->infos[list->count];
    genie__wire__device_info__init(info);
    snprintf(list->names[list->count], sizeof(list->names[0]), "%s", name);
    info->name = list->names[list->count];
    info->kind = (char *)kind;
    info->is_lost = genie_lost_devices_has(list->node, kind, ordinal);
    info->memory_bytes = strcmp(kind, "cpu") == 0 ? list->host_memory_bytes : 0;
    list->pointers[list->count++] = info;
  }
}

static genie_status_t answer_info(const control_t *control) {
  const genie_daemon_options_t *options = control->node->options;
  device_list_t devices = {.node = control->node, .host_memory_bytes = (uint64_t)options->memory_limit_mib << 20};
  genie_node_list_devices(control->node, add_device, &devices);
  Genie__Wire__NodeInfo info = GENIE__WIRE__NODE_INFO__INIT;
  info.software = (char *)control->node->software;
  info.n_devices = devices.count;
  info.devices = devices.pointers;
  info.memory_limit_bytes = (uint64_t)options->memory_limit_mib << 20;
  info.store_limit_bytes = (uint64_t)options->disk_limit_mib << 20;
  return answer(control, GENIE_WIRE_NODE_INFO, &info.base);
}

// Connections to other nodes of this connection's sessions.
typedef struct link_list {
  Genie__Wire__LinkStats rows[kLinks];
  Genie__Wire__LinkStats *pointers[kLinks];
  genie_channel_stats_t stats[kLinks];
  size_t count;
} link_list_t;

static void add_links(const opened_t *opened, link_list_t *list) {
  const char *name = NULL;
  for (uint32_t i = 0;
       list->count < kLinks && genie_share_peer_stats(opened->session->share, i, &name, &list->stats[list->count]);
       ++i) {
    const genie_channel_stats_t *stats = &list->stats[list->count];
    Genie__Wire__LinkStats *row = &list->rows[list->count];
    genie__wire__link_stats__init(row);
    row->peer = (char *)name;
    row->path = (char *)stats->path;
    row->sent_bytes = stats->sent_bytes;
    row->received_bytes = stats->received_bytes;
    row->send_ns = stats->send_ns;
    row->receive_ns = stats->receive_ns;
    list->pointers[list->count++] = row;
  }
}

static genie_status_t answer_stats(const control_t *control) {
  const genie_node_t *node = control->node;
  Genie__Wire__NodeStats stats = GENIE__WIRE__NODE_STATS__INIT;
  genie_store_stats_t store;
  stats.uptime_ns = genie_deadline_clock_ns() - node->start_ns;
  stats.session_count = genie_session_table_count(node->sessions);
  stats.call_count = atomic_load(&node->call_count);
  stats.failed_call_count = atomic_load(&node->failed_call_count);
  stats.memory_used_bytes = genie_budget_used(node->budget, GENIE_BUDGET_MEMORY);
  genie_store_get_stats(node->store, &store);
  stats.store_used_bytes = store.disk_bytes;
  link_list_t links = {0};
  for (int i = 0; i < kSessions; ++i) {
    if (control->sessions[i].session != NULL && control->sessions[i].session->share != NULL) {
      add_links(&control->sessions[i], &links);
    }
  }
  stats.links = links.pointers;
  stats.n_links = links.count;
  return answer(control, GENIE_WIRE_NODE_STATS, &stats.base);
}

static genie_status_t answer_ping(const control_t *control, const Genie__Wire__Ping *ping, uint64_t payload_bytes) {
  Genie__Wire__Pong pong = GENIE__WIRE__PONG__INIT;
  pong.sequence = ping->sequence;
  pong.clock_ns = genie_deadline_clock_ns();
  GENIE_RETURN_IF_ERROR(skip(control, payload_bytes));
  if (ping->reply_bytes > GENIE_WIRE_MAX_PROBE_BYTES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "a ping asks for %llu bytes",
                             (unsigned long long)ping->reply_bytes);
  }
  void *payload = NULL;
  if (ping->reply_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(control->node->allocator, ping->reply_bytes, 1, &payload));
  }
  const genie_status_t status =
      genie_connection_send_control(control->channel, GENIE_WIRE_PONG, &pong.base, payload, ping->reply_bytes,
                                    genie_liveness_transfer_deadline(ping->reply_bytes));
  genie_allocator_free(control->node->allocator, payload);
  return status;
}

static genie_status_t cancel_call(control_t *control, size_t header_bytes) {
  genie_wire_cancel_t cancel;
  opened_t *opened = NULL;
  GENIE_RETURN_IF_ERROR(genie_wire_cancel_read(control->header, header_bytes, &cancel));
  const genie_status_t found = find_session(control, cancel.session_id, &opened);
  if (found == GENIE_OK && opened->session->share != NULL) {
    genie_share_cancel(opened->session->share, cancel.call_id);
  }
  genie_status_free(found);  // the session may be gone already
  return GENIE_OK;
}

static genie_status_t take_control(control_t *control, const genie_wire_control_t *message, uint64_t payload_bytes) {
  switch (message->kind) {
    case GENIE_WIRE_OPEN_SESSION:
      return open_session(control, message->open_session, payload_bytes);
    case GENIE_WIRE_WEIGHT_CHUNK:
      return take_chunk(control, message->weight_chunk, payload_bytes);
    case GENIE_WIRE_CONNECT_PEERS:
      return connect_peers(control, message->connect_peers);
    case GENIE_WIRE_CLOSE_SESSION:
      return close_by_request(control, message->close_session);
    case GENIE_WIRE_GET_TRAFFIC:
      return answer_traffic(control, message->get_traffic);
    case GENIE_WIRE_GET_TRACE:
      return answer_trace(control, message->get_trace);
    case GENIE_WIRE_READ_STATE:
      return read_state(control, message->read_state);
    case GENIE_WIRE_WRITE_STATE:
      return write_state(control, message->write_state, payload_bytes);
    case GENIE_WIRE_RESET_STATES:
      return reset_states(control, message->reset_states);
    case GENIE_WIRE_GET_NODE_INFO:
      return answer_info(control);
    case GENIE_WIRE_GET_NODE_STATS:
      return answer_stats(control);
    case GENIE_WIRE_PING:
      return answer_ping(control, message->ping, payload_bytes);
    default:
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "message %d is not for a node", (int)message->kind);
  }
}

static genie_status_t take_message(control_t *control) {
  genie_wire_prefix_t prefix;
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_connection_receive(control->channel, GENIE_WIRE_FROM_CLIENT, GENIE_WIRE_ROLE_CONTROL,
                                                 control->header, genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS),
                                                 &prefix, &header_bytes, &payload_bytes));
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
  control_t *control = argument;
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

static genie_status_t serve_with_heartbeats(control_t *control) {
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
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, 1, sizeof(control_t), &memory));
  control_t *control = memory;
  *control = (control_t){.node = node, .channel = channel, .client = genie_channel_get_peer(channel)->fingerprint};
  genie_status_t status = genie_allocator_allocate_array(node->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &header);
  control->header = header;
  if (status == GENIE_OK) {
    status = serve_with_heartbeats(control);
  }
  for (int i = 0; i < kSessions; ++i) {
    close_session(control, &control->sessions[i], "its client's connection ended");
  }
  genie_allocator_free(node->allocator, header);
  genie_allocator_free(node->allocator, control);
  return status;
}
