#include "remote_exec/daemon/session_table.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct genie_session_table {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;
  genie_node_session_t *first;
  uint32_t count;
};

genie_status_t genie_session_table_create(genie_allocator_t allocator, genie_session_table_t **out_table) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_session_table_t), &memory));
  *out_table = memory;
  (*out_table)->allocator = allocator;
  pthread_mutex_init(&(*out_table)->mutex, NULL);
  return GENIE_OK;
}

void genie_session_table_destroy(genie_session_table_t *table) {
  if (table != NULL) {
    pthread_mutex_destroy(&table->mutex);
    genie_allocator_free(table->allocator, table);
  }
}

// ---- Sessions ----

static genie_status_t draw_random(void *out_bytes, size_t size) {
  return getrandom(out_bytes, size, 0) == (ssize_t)size
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INTERNAL, "the system gives no random bytes");
}

genie_status_t genie_node_session_create(genie_budget_t *budget, const char *client, const char *label,
                                         genie_allocator_t allocator, genie_node_session_t **out_session) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_node_session_t), &memory));
  genie_node_session_t *session = memory;
  session->allocator = allocator;
  session->budget = budget;
  snprintf(session->client, sizeof(session->client), "%s", client);
  snprintf(session->label, sizeof(session->label), "%s", label);
  pthread_mutex_init(&session->mutex, NULL);
  pthread_mutex_init(&session->run_mutex, NULL);
  atomic_init(&session->reference_count, 1);
  genie_status_t status = genie_budget_charge(budget, session->client, GENIE_BUDGET_SESSIONS, 1);
  session->is_charged = status == GENIE_OK;
  if (status == GENIE_OK) {
    status = draw_random(session->token, sizeof(session->token));
  }
  if (status == GENIE_OK) {
    status = draw_random(&session->id, sizeof(session->id));
    session->id |= 1;  // 0 means none
  }
  if (status != GENIE_OK) {
    genie_node_session_release(session);
    return status;
  }
  *out_session = session;
  return GENIE_OK;
}

genie_status_t genie_node_session_charge(genie_node_session_t *session, uint64_t bytes) {
  GENIE_RETURN_IF_ERROR(genie_budget_charge(session->budget, session->client, GENIE_BUDGET_MEMORY, bytes));
  session->charged_bytes += bytes;
  return GENIE_OK;
}

void genie_node_session_release(genie_node_session_t *session) {
  if (session == NULL || atomic_fetch_sub(&session->reference_count, 1) > 1) {
    return;
  }
  genie_share_destroy(session->share);
  genie_trace_destroy(session->trace);
  genie_model_close(session->model);
  genie_allocator_free(session->allocator, session->places);
  genie_store_image_close(session->weights);
  genie_allocator_free(session->allocator, session->needed_chunks);
  for (uint32_t i = 0; i < session->peer_count; ++i) {
    genie_allocator_free(session->allocator, session->peers[i].places);
  }
  genie_budget_return(session->budget, session->client, GENIE_BUDGET_MEMORY, session->charged_bytes);
  if (session->is_charged) {
    genie_budget_return(session->budget, session->client, GENIE_BUDGET_SESSIONS, 1);
  }
  pthread_mutex_destroy(&session->mutex);
  pthread_mutex_destroy(&session->run_mutex);
  genie_allocator_free(session->allocator, session);
}

// ---- Calls ----

genie_status_t genie_node_session_admit_call(genie_node_session_t *session, const genie_wire_call_t *call) {
  if (call->session_id != session->id) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the call is of another session");
  }
  if (call->call_id <= session->last_call_id) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "call %llu comes after call %llu",
                             (unsigned long long)call->call_id, (unsigned long long)session->last_call_id);
  }
  session->last_call_id = call->call_id;
  return GENIE_OK;
}

void genie_node_session_stop_calls(genie_node_session_t *session) {
  pthread_mutex_lock(&session->run_mutex);
  genie_share_settle(session->share);
}

void genie_node_session_let_calls(genie_node_session_t *session) {
  pthread_mutex_unlock(&session->run_mutex);
}

// ---- The table ----

void genie_session_table_add(genie_session_table_t *table, genie_node_session_t *session) {
  atomic_fetch_add(&session->reference_count, 1);
  pthread_mutex_lock(&table->mutex);
  session->next = table->first;
  table->first = session;
  ++table->count;
  pthread_mutex_unlock(&table->mutex);
}

genie_node_session_t *genie_session_table_find(genie_session_table_t *table, uint64_t id,
                                               const uint8_t token[GENIE_WIRE_TOKEN_BYTES]) {
  pthread_mutex_lock(&table->mutex);
  genie_node_session_t *session = table->first;
  while (session != NULL && (session->id != id || !genie_wire_token_is_equal(session->token, token))) {
    session = session->next;
  }
  if (session != NULL) {
    atomic_fetch_add(&session->reference_count, 1);
  }
  pthread_mutex_unlock(&table->mutex);
  return session;
}

bool genie_session_table_expects_peer(genie_session_table_t *table, const genie_fingerprint_t *key) {
  bool is_expected = false;
  uint32_t peer = 0;
  pthread_mutex_lock(&table->mutex);
  for (genie_node_session_t *session = table->first; session != NULL && !is_expected; session = session->next) {
    is_expected = genie_node_session_find_peer(session, key, &peer);
  }
  pthread_mutex_unlock(&table->mutex);
  return is_expected;
}

static bool remove_session(genie_session_table_t *table, const genie_node_session_t *session) {
  bool is_found = false;
  pthread_mutex_lock(&table->mutex);
  for (genie_node_session_t **link = &table->first; *link != NULL; link = &(*link)->next) {
    if (*link == session) {
      *link = session->next;
      --table->count;
      is_found = true;
      break;
    }
  }
  pthread_mutex_unlock(&table->mutex);
  return is_found;
}

void genie_session_table_close(genie_session_table_t *table, genie_node_session_t *session, const char *why) {
  const bool is_found = remove_session(table, session);
  pthread_mutex_lock(&session->mutex);
  session->is_closed = true;
  for (uint32_t i = 0; i < GENIE_NODE_SESSION_CALLERS; ++i) {
    if (session->callers[i] != NULL) {
      genie_channel_interrupt(session->callers[i]);
    }
  }
  if (session->share != NULL) {
    genie_share_fail(session->share, GENIE_STATUS_ABORTED, why);
  }
  pthread_mutex_unlock(&session->mutex);
  if (is_found) {
    genie_node_session_release(session);
  }
}

void genie_session_table_visit(genie_session_table_t *table, genie_session_visit_fn_t visit, void *context) {
  pthread_mutex_lock(&table->mutex);
  for (genie_node_session_t *session = table->first; session != NULL; session = session->next) {
    visit(context, session);
  }
  pthread_mutex_unlock(&table->mutex);
}

uint32_t genie_session_table_count(genie_session_table_t *table) {
  pthread_mutex_lock(&table->mutex);
  const uint32_t count = table->count;
  pthread_mutex_unlock(&table->mutex);
  return count;
}

// ---- Peers ----

static genie_status_t fill_peer(genie_node_session_t *session, genie_node_peer_t *peer, const uint32_t *places,
                                size_t place_count) {
  void *memory = NULL;
  if (place_count == 0 || place_count > session->model->plan->place_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node '%s' hosts %zu of %u places", peer->name, place_count,
                             session->model->plan->place_count);
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(session->allocator, place_count, sizeof(*places), &memory));
  memcpy(memory, places, place_count * sizeof(*places));
  peer->places = memory;
  peer->place_count = (uint32_t)place_count;
  return GENIE_OK;
}

genie_status_t genie_node_session_add_peer(genie_node_session_t *session, const char *name, const char *key,
                                           uint64_t session_id, const uint32_t *places, size_t place_count, bool is_ucx,
                                           uint32_t *out_peer) {
  genie_node_peer_t peer = {.session_id = session_id, .is_ucx = is_ucx};
  snprintf(peer.name, sizeof(peer.name), "%s", name);
  GENIE_RETURN_IF_ERROR(genie_fingerprint_parse(key, strlen(key), &peer.key));
  GENIE_RETURN_IF_ERROR(fill_peer(session, &peer, places, place_count));
  pthread_mutex_lock(&session->mutex);
  const bool has_room = session->peer_count < GENIE_NODE_SESSION_PEERS;
  if (has_room) {
    *out_peer = session->peer_count;
    session->peers[session->peer_count++] = peer;
  }
  pthread_mutex_unlock(&session->mutex);
  if (!has_room) {
    genie_allocator_free(session->allocator, peer.places);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "a session has at most %d other nodes",
                             GENIE_NODE_SESSION_PEERS);
  }
  return GENIE_OK;
}

bool genie_node_session_find_peer(genie_node_session_t *session, const genie_fingerprint_t *key, uint32_t *out_peer) {
  bool is_found = false;
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < session->peer_count && !is_found; ++i) {
    is_found = genie_fingerprint_is_equal(&session->peers[i].key, key);
    *out_peer = i;
  }
  pthread_mutex_unlock(&session->mutex);
  return is_found;
}

genie_status_t genie_node_session_attach_peer(genie_node_session_t *session, uint32_t index, genie_channel_t *channel) {
  genie_node_peer_t *peer = &session->peers[index];
  const genie_share_peer_t attached = {
      .name = peer->name, .session_id = peer->session_id, .places = peer->places, .place_count = peer->place_count};
  return genie_share_attach(session->share, &attached, channel);
}

// ---- Callers ----

genie_status_t genie_node_session_enter(genie_node_session_t *session, genie_channel_t *channel) {
  genie_status_t status = genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                                            "a session has at most %d call connections", GENIE_NODE_SESSION_CALLERS);
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < GENIE_NODE_SESSION_CALLERS; ++i) {
    if (session->callers[i] == NULL && !session->is_closed) {
      session->callers[i] = channel;
      genie_status_free(status);
      status = GENIE_OK;
      break;
    }
  }
  if (session->is_closed) {
    genie_status_free(status);
    status = genie_status_make(GENIE_STATUS_ABORTED, "the session was closed");
  }
  pthread_mutex_unlock(&session->mutex);
  return status;
}

void genie_node_session_leave(genie_node_session_t *session, genie_channel_t *channel) {
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < GENIE_NODE_SESSION_CALLERS; ++i) {
    if (session->callers[i] == channel) {
      session->callers[i] = NULL;
    }
  }
  pthread_mutex_unlock(&session->mutex);
}
