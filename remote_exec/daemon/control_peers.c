// The nodes of a session are introduced to each other.
#include <stdio.h>
#include <string.h>

#include "remote_exec/daemon/control_service.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"
#include "remote_exec/transport/stream.h"

enum { kLinks = 64 };

// The address to connect to is the client's to say; whoever answers there must have the key that the client named.
static genie_status_t connect_peer(const genie_control_t *control, genie_node_session_t *session,
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

static genie_status_t add_peers(const genie_control_t *control, genie_node_session_t *session,
                                const Genie__Wire__ConnectPeers *request) {
  for (size_t i = 0; i < request->n_peers; ++i) {
    const Genie__Wire__Peer *peer = request->peers[i];
    uint32_t index = 0;
    bool is_ucx = false;
    GENIE_RETURN_IF_ERROR(genie_node_check_carrier(control->node, peer->carrier, &is_ucx));
    GENIE_RETURN_IF_ERROR(genie_node_session_add_peer(session, peer->node, peer->key, peer->session_id, peer->places,
                                                      peer->n_places, is_ucx, &index));
    pthread_mutex_lock(&session->mutex);
    session->peers[index].bytes_per_s = peer->bytes_per_s;
    pthread_mutex_unlock(&session->mutex);
    if (peer->connects) {
      GENIE_RETURN_IF_ERROR(
          genie_status_annotate(connect_peer(control, session, peer, index), "node '%s'", peer->node));
    }
  }
  return GENIE_OK;
}

static genie_status_t answer_paths(const genie_control_t *control, genie_node_session_t *session) {
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
  return genie_control_answer(control, GENIE_WIRE_PEERS_CONNECTED, &connected.base);
}

genie_status_t genie_control_connect_peers(genie_control_t *control, const Genie__Wire__ConnectPeers *request) {
  genie_control_session_t *opened = NULL;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->share == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is not ready");
  }
  if (status == GENIE_OK) {
    status = add_peers(control, opened->session, request);
  }
  return status == GENIE_OK ? answer_paths(control, opened->session)
                            : genie_control_answer_failure(control, request->session_id, status);
}
