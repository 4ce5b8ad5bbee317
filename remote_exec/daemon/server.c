#include "remote_exec/daemon/server.h"

#include <stdio.h>
#include <string.h>

#include "remote_exec/daemon/node_metrics.h"
#include "remote_exec/daemon/services.h"
#include "remote_exec/transport/connection.h"
#include "remote_exec/transport/stream.h"

// A peer has this long to shake hands and say Hello; it holds a thread and a connection meanwhile.
static const uint64_t kGreetingNs = (uint64_t)5 * 1000000000;
static const uint64_t kPauseNs = 50 * 1000000;
enum { kLinesPerSecond = 20, kStackBytes = 1024 * 1024 };

typedef struct connection {
  struct connection *next;
  genie_server_t *server;
  genie_channel_t *channel;
  genie_node_session_t *session;  // of a CALL or PEER connection, retained
  uint32_t peer;                  // of a PEER connection: which of the session's
  bool is_charged;                // to the client of the channel's key
  bool is_stranger;               // its greeting is not done
} connection_t;

struct genie_server {
  genie_node_t *node;
  genie_listener_t *listener;
  pthread_t thread;
  bool has_thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  connection_t *connections;
  uint32_t connection_count;
  uint64_t log_second;        // of the monotonic clock
  uint32_t logged_count;      // lines about connections that ended, in that second
  uint64_t suppressed_count;  // ends that were not logged since the last line
  uint32_t stranger_count;    // connections whose greeting is not done
  bool is_ending;
};

// ---- One connection ----

static genie_status_t find_session(connection_t *connection, const genie_wire_hello_t *hello) {
  genie_node_t *node = connection->server->node;
  if (hello->has_token) {
    connection->session = genie_session_table_find(node->sessions, hello->session_id, hello->token);
  }
  return connection->session != NULL
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "no session with this id and token");
}

static genie_status_t judge_peer(connection_t *connection, const char *fingerprint) {
  genie_fingerprint_t key;
  GENIE_RETURN_IF_ERROR(genie_fingerprint_parse(fingerprint, strlen(fingerprint), &key));
  return genie_node_session_find_peer(connection->session, &key, &connection->peer)
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "the session has no other node with key %s",
                                 fingerprint);
}

static genie_status_t judge_key(const genie_node_t *node, const genie_channel_peer_t *peer) {
  genie_fingerprint_t key;
  GENIE_RETURN_IF_ERROR(genie_fingerprint_parse(peer->fingerprint, strlen(peer->fingerprint), &key));
  const genie_trust_t trust = genie_authorized_keys_trust(node->authorized_keys);
  return trust.judge(trust.self, peer->name, &key);
}

// The transport let in clients and other nodes alike; here a role decides.
static genie_status_t judge(void *context, const genie_channel_t *channel, const genie_wire_hello_t *hello) {
  connection_t *connection = context;
  genie_node_t *node = connection->server->node;
  const genie_channel_peer_t *peer = genie_channel_get_peer(channel);
  if (hello->role == GENIE_WIRE_ROLE_PEER) {
    GENIE_RETURN_IF_ERROR(find_session(connection, hello));
    return judge_peer(connection, peer->fingerprint);
  }
  GENIE_RETURN_IF_ERROR(judge_key(node, peer));
  GENIE_RETURN_IF_ERROR(genie_budget_charge(node->budget, peer->fingerprint, GENIE_BUDGET_CONNECTIONS, 1));
  connection->is_charged = true;
  if (hello->role == GENIE_WIRE_ROLE_CONTROL) {
    return atomic_load(&node->is_draining) ? genie_status_make(GENIE_STATUS_UNAVAILABLE, "the node is stopping")
                                           : GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(find_session(connection, hello));
  return strcmp(connection->session->client, peer->fingerprint) == 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "the session is another client's");
}

// Takes the channel out of the connection: the session's share has it from now on.
static genie_status_t attach_peer(connection_t *connection) {
  genie_server_t *server = connection->server;
  pthread_mutex_lock(&server->mutex);
  genie_channel_t *channel = connection->channel;
  connection->channel = NULL;
  pthread_mutex_unlock(&server->mutex);
  if (connection->session->peers[connection->peer].is_ucx) {
    GENIE_RETURN_IF_ERROR(genie_node_open_ucx(server->node, channel, GENIE_WIRE_FROM_NODE, &channel));
  }
  return genie_node_session_attach_peer(connection->session, connection->peer, channel);
}

// The connection's channel is the ucx one from now on.
static genie_status_t raise_calls(connection_t *connection) {
  genie_server_t *server = connection->server;
  genie_channel_t *raised = NULL;
  pthread_mutex_lock(&server->mutex);
  genie_channel_t *channel = connection->channel;
  pthread_mutex_unlock(&server->mutex);
  GENIE_RETURN_IF_ERROR(genie_ucx_open(server->node->fabric, channel, GENIE_WIRE_FROM_NODE,
                                       server->node->options->ucx_path, genie_deadline_after_ns(kGreetingNs), &raised));
  pthread_mutex_lock(&server->mutex);
  connection->channel = raised;
  const bool is_ending = server->is_ending;
  pthread_mutex_unlock(&server->mutex);
  if (is_ending) {
    genie_channel_interrupt(raised);
  }
  return GENIE_OK;
}

static genie_status_t serve_calls(connection_t *connection) {
  if (connection->session->is_ucx) {
    GENIE_RETURN_IF_ERROR(raise_calls(connection));
  }
  GENIE_RETURN_IF_ERROR(genie_node_session_enter(connection->session, connection->channel));
  const genie_status_t status = genie_call_serve(connection->server->node, connection->session, connection->channel);
  genie_node_session_leave(connection->session, connection->channel);
  return status;
}

static void end_greeting(connection_t *connection) {
  genie_server_t *server = connection->server;
  pthread_mutex_lock(&server->mutex);
  server->stranger_count -= connection->is_stranger;
  connection->is_stranger = false;
  pthread_mutex_unlock(&server->mutex);
}

static genie_status_t serve(connection_t *connection) {
  genie_node_t *node = connection->server->node;
  genie_wire_hello_t self = {0};
  genie_wire_hello_t hello;
  snprintf(self.software, sizeof(self.software), "%s", node->software);
  GENIE_RETURN_IF_ERROR(genie_connection_welcome(connection->channel, &self, judge, connection,
                                                 genie_deadline_after_ns(kGreetingNs), &hello));
  end_greeting(connection);
  switch (hello.role) {
    case GENIE_WIRE_ROLE_CONTROL:
      return genie_control_serve(node, connection->channel);
    case GENIE_WIRE_ROLE_CALL:
      return serve_calls(connection);
    case GENIE_WIRE_ROLE_PEER:
      return attach_peer(connection);
    case GENIE_WIRE_ROLE_NONE:
      break;
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a connection without a role");
}

static void remove_connection(connection_t *connection) {
  genie_server_t *server = connection->server;
  end_greeting(connection);
  pthread_mutex_lock(&server->mutex);
  connection_t **link = &server->connections;
  while (*link != connection) {
    link = &(*link)->next;
  }
  *link = connection->next;
  genie_channel_t *channel = connection->channel;
  connection->channel = NULL;
  pthread_mutex_unlock(&server->mutex);
  if (channel != NULL && connection->is_charged) {
    genie_budget_return(server->node->budget, genie_channel_get_peer(channel)->fingerprint, GENIE_BUDGET_CONNECTIONS,
                        1);
  }
  genie_channel_close(channel);
  genie_metrics_subtract(&server->node->metrics, GENIE_METRIC_CONNECTIONS, 1);
  genie_node_session_release(connection->session);
  genie_allocator_free(server->node->allocator, connection);
  // The last thing that touches the server.
  pthread_mutex_lock(&server->mutex);
  --server->connection_count;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->mutex);
}

// Strangers may not fill the disk with lines. Gives how many went unsaid before this one; false: this one does too.
static bool may_log(genie_server_t *server, uint64_t *out_suppressed) {
  const uint64_t second = genie_deadline_clock_ns() / 1000000000u;
  pthread_mutex_lock(&server->mutex);
  server->logged_count = second == server->log_second ? server->logged_count + 1 : 1;
  server->log_second = second;
  const bool is_said = server->logged_count <= kLinesPerSecond;
  *out_suppressed = server->suppressed_count;
  server->suppressed_count = is_said ? 0 : server->suppressed_count + 1;
  pthread_mutex_unlock(&server->mutex);
  return is_said;
}

// A peer that leaves is no news; one that is refused or breaks the protocol is.
static void log_end(const connection_t *connection, const char *peer, genie_status_t status) {
  const genie_status_code_t code = genie_status_code(status);
  genie_node_metrics_count_end(connection->server->node, code);
  if (code == GENIE_STATUS_UNAVAILABLE || code == GENIE_STATUS_CANCELLED || code == GENIE_STATUS_OK) {
    genie_status_free(status);
    return;
  }
  const genie_log_t *log = &connection->server->node->log;
  uint64_t suppressed = 0;
  if (!may_log(connection->server, &suppressed)) {
    genie_status_free(status);
    return;
  }
  if (suppressed > 0) {
    genie_log_write(log, GENIE_LOG_WARNING, NULL, "%llu more connections failed", (unsigned long long)suppressed);
  }
  genie_log_take_status(log, GENIE_LOG_WARNING, peer, status);
}

static void *connection_main(void *argument) {
  connection_t *connection = argument;
  char peer[GENIE_CHANNEL_MAX_NAME_BYTES];
  snprintf(peer, sizeof(peer), "%s", genie_channel_get_peer(connection->channel)->name);
  const genie_status_t status = serve(connection);
  log_end(connection, peer, status);
  remove_connection(connection);
  return NULL;
}

// ---- Accepting ----

static genie_status_t start_thread(connection_t *connection) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const int failed = pthread_create(&thread, &attributes, connection_main, connection);
  pthread_attr_destroy(&attributes);
  return failed == 0 ? GENIE_OK
                     : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
}

// Half of the connections are for peers that have said who they are: who says nothing cannot take them all.
static bool add_connection(genie_server_t *server, connection_t *connection) {
  pthread_mutex_lock(&server->mutex);
  const uint64_t limit = (uint64_t)server->node->options->connection_limit;
  const bool has_room =
      !server->is_ending && server->connection_count < limit && server->stranger_count < (limit + 1) / 2;
  if (has_room) {
    connection->next = server->connections;
    server->connections = connection;
    connection->is_stranger = true;
    ++server->connection_count;
    ++server->stranger_count;
  }
  pthread_mutex_unlock(&server->mutex);
  genie_metrics_add(&server->node->metrics,
                    has_room ? GENIE_METRIC_CONNECTIONS_ACCEPTED : GENIE_METRIC_CONNECTIONS_OVER_LIMIT, 1);
  genie_metrics_add(&server->node->metrics, GENIE_METRIC_CONNECTIONS, has_room);
  return has_room;
}

static genie_status_t admit(genie_server_t *server, genie_channel_t *channel) {
  void *memory = NULL;
  genie_status_t status = genie_allocator_allocate_array(server->node->allocator, 1, sizeof(connection_t), &memory);
  connection_t *connection = memory;
  if (status == GENIE_OK) {
    *connection = (connection_t){.server = server, .channel = channel};
    if (!add_connection(server, connection)) {
      status = genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "refused: %u connections (--max-connections)",
                                 server->connection_count);
    }
  }
  if (status != GENIE_OK) {
    genie_channel_close(channel);
    genie_allocator_free(server->node->allocator, memory);
    return status;
  }
  status = start_thread(connection);
  if (status != GENIE_OK) {
    remove_connection(connection);
  }
  return status;
}

static void pause_briefly(void) {
  const struct timespec pause = {.tv_nsec = (long)kPauseNs};
  nanosleep(&pause, NULL);
}

static void *accept_main(void *argument) {
  genie_server_t *server = argument;
  for (;;) {
    genie_channel_t *channel = NULL;
    genie_status_t status = genie_listener_accept(server->listener, GENIE_DEADLINE_NEVER, &channel);
    if (genie_status_code(status) == GENIE_STATUS_CANCELLED) {
      genie_status_free(status);
      return NULL;
    }
    if (status == GENIE_OK) {
      status = admit(server, channel);
    }
    if (status != GENIE_OK) {
      genie_log_take_status(&server->node->log, GENIE_LOG_WARNING, NULL, status);
      pause_briefly();
    }
  }
}

// ---- The server ----

genie_status_t genie_server_create(genie_node_t *node, genie_server_t **out_server) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(node->allocator, 1, sizeof(genie_server_t), &memory));
  genie_server_t *server = memory;
  server->node = node;
  pthread_mutex_init(&server->mutex, NULL);
  pthread_cond_init(&server->changed, NULL);
  const genie_status_t status = genie_stream_listen(node->options->listen, node->identity, genie_node_trust(node), NULL,
                                                    node->allocator, &server->listener);
  if (status != GENIE_OK) {
    genie_server_destroy(server);
    return status;
  }
  *out_server = server;
  return GENIE_OK;
}

genie_status_t genie_server_start(genie_server_t *server) {
  server->has_thread = pthread_create(&server->thread, NULL, accept_main, server) == 0;
  return server->has_thread ? GENIE_OK
                            : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
}

const char *genie_server_address(const genie_server_t *server) {
  return server->listener->address;
}

void genie_server_stop_accepting(genie_server_t *server) {
  if (server->has_thread) {
    genie_listener_interrupt(server->listener);
    pthread_join(server->thread, NULL);
    server->has_thread = false;
  }
}

static void end_connections(genie_server_t *server) {
  pthread_mutex_lock(&server->mutex);
  server->is_ending = true;
  for (connection_t *connection = server->connections; connection != NULL; connection = connection->next) {
    if (connection->channel != NULL) {
      genie_channel_interrupt(connection->channel);
    }
  }
  while (server->connection_count > 0) {
    pthread_cond_wait(&server->changed, &server->mutex);
  }
  pthread_mutex_unlock(&server->mutex);
}

void genie_server_destroy(genie_server_t *server) {
  if (server == NULL) {
    return;
  }
  genie_server_stop_accepting(server);
  end_connections(server);
  genie_listener_close(server->listener);
  pthread_cond_destroy(&server->changed);
  pthread_mutex_destroy(&server->mutex);
  genie_allocator_free(server->node->allocator, server);
}
