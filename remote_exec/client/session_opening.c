// Opening a session on its nodes: connect, send the plan, send the weights that are missing, introduce the nodes to
// each other, open call connections.
#include <stdio.h>
#include <string.h>

#include "remote_exec/client/remote_session.h"
#include "remote_exec/client/weight_upload.h"
#include "remote_exec/node/liveness.h"
#include "runtime/plan/digest.h"

static const uint64_t kConnectNs = (uint64_t)3 * 1000000000;
// Loading code and weights, and choosing algorithms on a GPU; a node that is lost meanwhile is seen by its heartbeats.
static const uint64_t kLoadNs = (uint64_t)600 * 1000000000;

static genie_status_t allocate(const genie_remote_session_t *session, size_t count, size_t element_bytes,
                               void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(session->base.allocator, count, element_bytes, &memory));
  *(void **)out_pointer = memory;
  return GENIE_OK;
}

static const genie_pool_node_t *pool_node_of(const genie_remote_node_t *node) {
  return &node->session->setup.pool->nodes[node->pool_node];
}

// ---- Nodes ----

static void on_lost(void *context, genie_node_link_t *link) {
  genie_remote_node_t *node = context;
  const genie_status_t failure = genie_node_link_failure(link);
  genie_remote_session_fail(node->session, genie_status_code(failure), genie_status_message(failure));
  genie_status_free(failure);
}

static genie_remote_node_t *find_node(genie_remote_session_t *session, uint32_t pool_node) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if (session->nodes[i].pool_node == pool_node) {
      return &session->nodes[i];
    }
  }
  return NULL;
}

// One row a node that hosts places; those of this process have none.
static genie_status_t list_nodes(genie_remote_session_t *session) {
  const genie_plan_t *plan = session->base.model->plan;
  GENIE_RETURN_IF_ERROR(allocate(session, plan->place_count, sizeof(*session->nodes), &session->nodes));
  for (uint32_t place = 0; place < plan->place_count; ++place) {
    const uint32_t pool_node = session->setup.placements[place].node;
    if (session->setup.pool->nodes[pool_node].address == NULL) {
      continue;
    }
    genie_remote_node_t *node = find_node(session, pool_node);
    if (node == NULL) {
      if (session->node_count == GENIE_REMOTE_MAX_NODES) {
        return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "a session on more than %d nodes", GENIE_REMOTE_MAX_NODES);
      }
      node = &session->nodes[session->node_count++];
      *node = (genie_remote_node_t){.session = session, .pool_node = pool_node};
      GENIE_RETURN_IF_ERROR(allocate(session, plan->place_count, sizeof(*node->places), &node->places));
      GENIE_RETURN_IF_ERROR(allocate(session, GENIE_WIRE_MAX_HEADER_BYTES, 1, &node->header));
    }
    node->places[node->place_count++] = place;
  }
  return GENIE_OK;
}

static genie_status_t connect_node(genie_remote_node_t *node) {
  genie_remote_setup_t *setup = &node->session->setup;
  const genie_pool_node_t *record = pool_node_of(node);
  const genie_node_link_options_t options = {.name = record->name,
                                             .address = record->address,
                                             .identity = setup->keys.identity,
                                             .trust = genie_client_keys_trust(&setup->keys, record),
                                             .lost = on_lost,
                                             .context = node};
  return genie_node_link_connect(&options, genie_deadline_after_ns(kConnectNs), node->session->base.allocator,
                                 &node->link);
}

// As the pool says of either direction; without a word about them, stream.
static genie_pool_carrier_t carrier_between(const genie_pool_t *pool, uint32_t node, uint32_t other) {
  const genie_pool_link_t *there = genie_pool_find_link(pool, node, other);
  const genie_pool_link_t *back = genie_pool_find_link(pool, other, node);
  const bool is_ucx = (there != NULL && there->carrier == GENIE_POOL_CARRIER_UCX) ||
                      (back != NULL && back->carrier == GENIE_POOL_CARRIER_UCX);
  return is_ucx ? GENIE_POOL_CARRIER_UCX : GENIE_POOL_CARRIER_STREAM;
}

static uint64_t rate_between(const genie_pool_t *pool, uint32_t from, uint32_t to) {
  const genie_pool_link_t *link = genie_pool_find_link(pool, from, to);
  return link != NULL && link->bytes_per_s < 1e18 ? (uint64_t)link->bytes_per_s : 0;
}

// Of the link from the node to this process.
static uint64_t rate_from(const genie_remote_node_t *node) {
  const genie_pool_t *pool = node->session->setup.pool;
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (pool->nodes[i].address == NULL) {
      return rate_between(pool, node->pool_node, i);
    }
  }
  return 0;
}

// Of connections between this process and the node.
static genie_pool_carrier_t carrier_to(const genie_remote_node_t *node) {
  const genie_pool_t *pool = node->session->setup.pool;
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (pool->nodes[i].address == NULL) {
      return carrier_between(pool, i, node->pool_node);
    }
  }
  return GENIE_POOL_CARRIER_STREAM;
}

// Opens a connection for `hello`, with the carrier that the pool names.
static genie_status_t dial(genie_remote_node_t *node, const genie_wire_hello_t *hello, genie_channel_t **out_channel) {
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(kConnectNs);
  genie_channel_t *channel = NULL;
  GENIE_RETURN_IF_ERROR(genie_node_link_dial(node->link, hello, deadline, &channel));
  if (carrier_to(node) == GENIE_POOL_CARRIER_STREAM) {
    *out_channel = channel;
    return GENIE_OK;
  }
  const genie_status_t status =
      genie_ucx_open(node->session->setup.fabric, channel, GENIE_WIRE_FROM_CLIENT, "", deadline, out_channel);
  if (status != GENIE_OK) {
    genie_channel_close(channel);
  }
  return genie_status_annotate(status, "node '%s'", genie_node_link_name(node->link));
}

// ---- The plan and its weights ----

static genie_status_t send_plan(genie_remote_node_t *node, const genie_plan_digest_t *digest) {
  const genie_plan_t *plan = node->session->base.model->plan;
  Genie__Wire__HostedPlace *places = NULL;
  Genie__Wire__HostedPlace **pointers = NULL;
  GENIE_RETURN_IF_ERROR(allocate(node->session, node->place_count, sizeof(*places), &places));
  const genie_status_t allocated = allocate(node->session, node->place_count, sizeof(*pointers), &pointers);
  Genie__Wire__OpenSession open = GENIE__WIRE__OPEN_SESSION__INIT;
  for (uint32_t i = 0; allocated == GENIE_OK && i < node->place_count; ++i) {
    const genie_placement_t *placement = &node->session->setup.placements[node->places[i]];
    genie__wire__hosted_place__init(&places[i]);
    places[i].place = node->places[i];
    places[i].device = (char *)pool_node_of(node)->devices[placement->device].name;
    pointers[i] = &places[i];
  }
  open.request_id = 1;
  open.plan_bytes = plan->header->file_bytes;
  open.plan_digest = (ProtobufCBinaryData){.data = (uint8_t *)digest, .len = sizeof(*digest)};
  open.places = pointers;
  open.n_places = node->place_count;
  open.label = (char *)genie_plan_string(plan, plan->entries[0].name);
  open.weights_path = node->session->setup.weights_path != NULL ? node->session->setup.weights_path : (char *)"";
  open.carrier = (char *)genie_pool_carrier_name(carrier_to(node));
  open.bytes_per_s = rate_from(node);
  open.has_trace = node->session->base.trace != NULL;
  const genie_status_t status =
      allocated != GENIE_OK
          ? allocated
          : genie_node_link_send(node->link, GENIE_WIRE_OPEN_SESSION, &open.base, plan->header, plan->weights_offset);
  genie_allocator_free(node->session->base.allocator, places);
  genie_allocator_free(node->session->base.allocator, pointers);
  return status;
}

static genie_status_t take_ready(genie_remote_node_t *node, const Genie__Wire__SessionReady *ready) {
  if (ready->token.len != sizeof(node->token)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "node '%s' gives a token of %zu bytes",
                             genie_node_link_name(node->link), ready->token.len);
  }
  memcpy(node->token, ready->token.data, sizeof(node->token));
  node->session_id = ready->session_id;
  node->memory_bytes = ready->memory_bytes;
  return GENIE_OK;
}

// The node asks for weights until it has them all.
static genie_status_t await_ready(genie_remote_node_t *node) {
  const genie_remote_setup_t *setup = &node->session->setup;
  for (;;) {
    genie_wire_control_t answer;
    GENIE_RETURN_IF_ERROR(genie_node_link_receive(node->link, GENIE_WIRE_SESSION_STATE, GENIE_WIRE_SESSION_READY,
                                                  genie_deadline_after_ns(kLoadNs), &answer));
    const bool is_ready = answer.kind == GENIE_WIRE_SESSION_READY;
    const genie_status_t status =
        is_ready ? take_ready(node, answer.session_ready)
                 : genie_weight_upload_send(node->link, node->session->base.model->plan, answer.session_state,
                                            setup->progress, setup->progress_context, node->session->base.allocator);
    genie_wire_control_deinit(&answer);
    if (status != GENIE_OK || is_ready) {
      return status;
    }
  }
}

// ---- Nodes to each other ----

typedef struct peer_list {
  Genie__Wire__Peer rows[GENIE_REMOTE_MAX_NODES + 1];
  Genie__Wire__Peer *pointers[GENIE_REMOTE_MAX_NODES + 1];
  size_t count;
} peer_list_t;

static Genie__Wire__Peer *add_peer(peer_list_t *list) {
  Genie__Wire__Peer *peer = &list->rows[list->count];
  genie__wire__peer__init(peer);
  list->pointers[list->count++] = peer;
  return peer;
}

static void add_node(peer_list_t *list, const genie_remote_node_t *node, const genie_remote_node_t *peer,
                     bool connects) {
  Genie__Wire__Peer *row = add_peer(list);
  row->node = (char *)genie_node_link_name(peer->link);
  row->address = (char *)genie_node_link_address(peer->link);
  row->key = (char *)genie_node_link_fingerprint(peer->link);
  row->session_id = peer->session_id;
  row->token = (ProtobufCBinaryData){.data = (uint8_t *)peer->token, .len = sizeof(peer->token)};
  row->places = (uint32_t *)peer->places;
  row->n_places = peer->place_count;
  row->carrier =
      (char *)genie_pool_carrier_name(carrier_between(node->session->setup.pool, node->pool_node, peer->pool_node));
  row->connects = connects;
  row->bytes_per_s = rate_between(node->session->setup.pool, node->pool_node, peer->pool_node);
}

// This process, which connects to every node and is connected to by none.
static void add_self(peer_list_t *list, const genie_remote_node_t *node, uint32_t *places, uint32_t place_count) {
  Genie__Wire__Peer *row = add_peer(list);
  row->node = (char *)GENIE_POOL_LOCAL_NODE;
  row->address = (char *)"";
  row->key = (char *)genie_identity_get_fingerprint(node->session->setup.keys.identity);
  row->session_id = 1;
  row->places = places;
  row->n_places = place_count;
  row->carrier = (char *)genie_pool_carrier_name(carrier_to(node));
  row->bytes_per_s = rate_from(node);
}

// Of two nodes the one listed first connects, so the other must know of it before.
static genie_status_t introduce(genie_remote_session_t *session, uint32_t index, uint32_t *own_places,
                                uint32_t own_place_count) {
  peer_list_t list = {0};
  genie_remote_node_t *node = &session->nodes[index];
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if (i != index) {
      add_node(&list, node, &session->nodes[i], index < i);
    }
  }
  if (own_place_count > 0) {
    add_self(&list, node, own_places, own_place_count);
  }
  Genie__Wire__ConnectPeers request = GENIE__WIRE__CONNECT_PEERS__INIT;
  request.session_id = node->session_id;
  request.peers = list.pointers;
  request.n_peers = list.count;
  genie_wire_control_t answer;
  GENIE_RETURN_IF_ERROR(genie_node_link_request(node->link, GENIE_WIRE_CONNECT_PEERS, &request.base,
                                                GENIE_WIRE_PEERS_CONNECTED, genie_deadline_after_ns(2 * kConnectNs),
                                                &answer));
  genie_wire_control_deinit(&answer);
  return GENIE_OK;
}

static genie_status_t attach_self(genie_remote_session_t *session) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    genie_remote_node_t *node = &session->nodes[i];
    genie_wire_hello_t hello = {.role = GENIE_WIRE_ROLE_PEER, .session_id = node->session_id, .has_token = true};
    memcpy(hello.token, node->token, sizeof(hello.token));
    const genie_share_peer_t peer = {.name = genie_node_link_name(node->link),
                                     .session_id = node->session_id,
                                     .places = node->places,
                                     .place_count = node->place_count};
    genie_channel_t *channel = NULL;
    GENIE_RETURN_IF_ERROR(dial(node, &hello, &channel));
    GENIE_RETURN_IF_ERROR(genie_share_attach(session->share, &peer, channel));
  }
  return GENIE_OK;
}

// The places of this process.
static genie_status_t create_share(genie_remote_session_t *session, uint32_t *places, uint32_t *out_place_count) {
  const genie_plan_t *plan = session->base.model->plan;
  genie_share_place_t *hosted = NULL;
  uint32_t count = 0;
  GENIE_RETURN_IF_ERROR(allocate(session, plan->place_count, sizeof(*hosted), &hosted));
  for (uint32_t place = 0; place < plan->place_count; ++place) {
    if (session->setup.pool->nodes[session->setup.placements[place].node].address == NULL) {
      places[count] = place;
      hosted[count++] = (genie_share_place_t){
          .place = place, .options = {.thread_count = session->setup.thread_count, .trace = session->base.trace}};
    }
  }
  *out_place_count = count;
  const genie_status_t status =
      count == 0 ? GENIE_OK
                 : genie_share_create(session->base.model, hosted, count, session->base.allocator, &session->share);
  genie_allocator_free(session->base.allocator, hosted);
  return status;
}

static genie_status_t connect_peers(genie_remote_session_t *session, uint32_t *places, uint32_t *out_failed_node) {
  uint32_t place_count = 0;
  GENIE_RETURN_IF_ERROR(create_share(session, places, &place_count));
  for (uint32_t i = session->node_count; i > 0 && session->node_count + (place_count > 0) > 1; --i) {
    *out_failed_node = session->nodes[i - 1].pool_node;
    GENIE_RETURN_IF_ERROR(introduce(session, i - 1, places, place_count));
  }
  *out_failed_node = UINT32_MAX;
  return session->share == NULL ? GENIE_OK : attach_self(session);
}

// ---- Calls ----

static genie_status_t open_calls(genie_remote_node_t *node) {
  genie_wire_hello_t hello = {.role = GENIE_WIRE_ROLE_CALL, .session_id = node->session_id, .has_token = true};
  memcpy(hello.token, node->token, sizeof(hello.token));
  genie_channel_t *channel = NULL;
  GENIE_RETURN_IF_ERROR(dial(node, &hello, &channel));
  pthread_mutex_lock(&node->session->mutex);
  node->calls = channel;  // a loss from now on interrupts it
  pthread_mutex_unlock(&node->session->mutex);
  return genie_remote_session_check(node->session);
}

// ---- All of it ----

static genie_status_t for_each_node(genie_remote_session_t *session, genie_status_t (*act)(genie_remote_node_t *node),
                                    uint32_t *out_failed_node) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    const genie_status_t status = act(&session->nodes[i]);
    if (status != GENIE_OK) {
      *out_failed_node = session->nodes[i].pool_node;
      return status;
    }
  }
  return GENIE_OK;
}

static genie_status_t send_plans(genie_remote_session_t *session, uint32_t *out_failed_node) {
  const genie_plan_t *plan = session->base.model->plan;
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(plan->header, plan->weights_offset, &digest));
  for (uint32_t i = 0; i < session->node_count; ++i) {
    *out_failed_node = session->nodes[i].pool_node;
    GENIE_RETURN_IF_ERROR(send_plan(&session->nodes[i], &digest));
  }
  *out_failed_node = UINT32_MAX;
  return GENIE_OK;
}

static genie_status_t place_outputs(genie_remote_session_t *session) {
  const genie_plan_t *plan = session->base.model->plan;
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    session->tensor_node[i] = UINT32_MAX;
    for (uint32_t n = 0; n < session->node_count; ++n) {
      if (session->nodes[n].pool_node == session->setup.placements[plan->tensors[i].place].node) {
        session->tensor_node[i] = n;
      }
    }
  }
  return GENIE_OK;
}

genie_status_t genie_remote_session_connect(genie_remote_session_t *session, uint32_t *out_failed_node) {
  *out_failed_node = UINT32_MAX;
  session->failure = GENIE_STATUS_OK;
  GENIE_RETURN_IF_ERROR(list_nodes(session));
  GENIE_RETURN_IF_ERROR(place_outputs(session));
  GENIE_RETURN_IF_ERROR(for_each_node(session, connect_node, out_failed_node));
  GENIE_RETURN_IF_ERROR(send_plans(session, out_failed_node));
  GENIE_RETURN_IF_ERROR(for_each_node(session, await_ready, out_failed_node));
  uint32_t *places = NULL;
  GENIE_RETURN_IF_ERROR(allocate(session, session->base.model->plan->place_count, sizeof(*places), &places));
  const genie_status_t status = connect_peers(session, places, out_failed_node);
  genie_allocator_free(session->base.allocator, places);
  GENIE_RETURN_IF_ERROR(status);
  return for_each_node(session, open_calls, out_failed_node);
}

static void end_receivers(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->mutex);
  session->is_ending = true;
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if (session->nodes[i].calls != NULL) {
      genie_channel_interrupt(session->nodes[i].calls);
    }
  }
  pthread_cond_broadcast(&session->changed);
  pthread_mutex_unlock(&session->mutex);
  for (uint32_t i = 0; i < session->node_count; ++i) {
    if (session->nodes[i].has_receiver) {
      pthread_join(session->nodes[i].receiver, NULL);
    }
  }
}

void genie_remote_session_disconnect(genie_remote_session_t *session) {
  genie_remote_session_fail(session, GENIE_STATUS_CANCELLED, "the session ended");
  end_receivers(session);
  for (uint32_t i = 0; i < session->node_count; ++i) {
    genie_remote_node_t *node = &session->nodes[i];
    genie_node_link_destroy(node->link);  // first: its thread interrupts `calls`
    genie_channel_close(node->calls);
    genie_allocator_free(session->base.allocator, node->places);
    genie_allocator_free(session->base.allocator, node->header);
  }
  genie_share_destroy(session->share);
  genie_allocator_free(session->base.allocator, session->nodes);
  session->share = NULL;
  session->nodes = NULL;
  session->node_count = 0;
  session->is_ending = false;
}
