// The sessions of a node: each opened by one control connection, called by others that prove its token.
//
// Thread-safe. A session is shared by counting: whoever finds one releases it. Closing takes it out of the table, fails
// its runs and interrupts its call connections; its memory goes with the last release.
#ifndef GENIE_REMOTE_EXEC_DAEMON_SESSION_TABLE_H_
#define GENIE_REMOTE_EXEC_DAEMON_SESSION_TABLE_H_

#include <pthread.h>
#include <stdatomic.h>

#include "remote_exec/daemon/budget.h"
#include "remote_exec/identity/public_key.h"
#include "remote_exec/node/share.h"
#include "remote_exec/store/store.h"
#include "remote_exec/wire/frame.h"
#include "remote_exec/wire/hello.h"

typedef struct genie_session_table genie_session_table_t;

enum { GENIE_NODE_SESSION_LABEL_BYTES = 128, GENIE_NODE_SESSION_PEERS = 64, GENIE_NODE_SESSION_CALLERS = 16 };

// Another node of a session, as the client named it.
typedef struct genie_node_peer {
  char name[GENIE_NODE_SESSION_LABEL_BYTES];
  genie_fingerprint_t key;
  uint64_t session_id;  // of the session on that node
  uint32_t *places;
  uint32_t place_count;
  bool is_ucx;           // the connection is raised to the ucx carrier
  uint64_t bytes_per_s;  // that the client's pool says of the link to it; 0: nothing
} genie_node_peer_t;

typedef struct genie_node_session {
  struct genie_node_session *next;
  genie_allocator_t allocator;
  genie_budget_t *budget;
  char client[GENIE_FINGERPRINT_TEXT_BYTES];   // whose key opened it
  char label[GENIE_NODE_SESSION_LABEL_BYTES];  // for logs
  uint64_t id;
  uint8_t token[GENIE_WIRE_TOKEN_BYTES];
  genie_store_image_t *weights;  // that the model reads from
  bool *needed_chunks;           // of it, by the session's places
  genie_model_t *model;
  genie_share_place_t *places;  // that it hosts, in the share's order
  uint32_t place_count;
  genie_share_t *share;
  genie_trace_t *trace;  // of what the share does; NULL: nothing is recorded
  uint64_t charged_bytes;
  bool is_charged;       // for one session
  bool is_ucx;           // call connections are raised to the ucx carrier
  uint64_t bytes_per_s;  // that the client's pool says of the link to the client; 0: nothing

  pthread_mutex_t mutex;  // of all below
  genie_node_peer_t peers[GENIE_NODE_SESSION_PEERS];
  uint32_t peer_count;
  genie_channel_t *callers[GENIE_NODE_SESSION_CALLERS];
  bool is_closed;

  pthread_mutex_t run_mutex;  // one call at a time
  uint64_t last_call_id;
  atomic_uint_least64_t call_count;
  atomic_uint_least32_t reference_count;
} genie_node_session_t;

genie_status_t genie_session_table_create(genie_allocator_t allocator,
                                          genie_session_table_t **out_table) GENIE_MUST_USE;
// Accepts NULL. The table is empty.
void genie_session_table_destroy(genie_session_table_t *table);

// A session that is in no table yet, with one reference, an id and a token, random both; one is charged to `client`.
genie_status_t genie_node_session_create(genie_budget_t *budget, const char *client, const char *label,
                                         genie_allocator_t allocator,
                                         genie_node_session_t **out_session) GENIE_MUST_USE;

// Charges memory to the session's client until the session is gone.
genie_status_t genie_node_session_charge(genie_node_session_t *session, uint64_t bytes) GENIE_MUST_USE;

// Accepts NULL.
void genie_node_session_release(genie_node_session_t *session);

// Lets others find the session.
void genie_session_table_add(genie_session_table_t *table, genie_node_session_t *session);

// The session of this id and token, retained; NULL when there is none, or it was closed.
genie_node_session_t *genie_session_table_find(genie_session_table_t *table, uint64_t id,
                                               const uint8_t token[GENIE_WIRE_TOKEN_BYTES]);

// Whether any session expects a node with this key.
bool genie_session_table_expects_peer(genie_session_table_t *table, const genie_fingerprint_t *key);

// Takes a session out of the table and ends what goes on in it; the caller's reference stays.
void genie_session_table_close(genie_session_table_t *table, genie_node_session_t *session, const char *why);

// Calls `visit` with each session that is open, under the table's lock: it may not open or close any.
typedef void (*genie_session_visit_fn_t)(void *context, genie_node_session_t *session);
void genie_session_table_visit(genie_session_table_t *table, genie_session_visit_fn_t visit, void *context);

uint32_t genie_session_table_count(genie_session_table_t *table);

// Takes note of a call that came; with run_mutex. INVALID_ARGUMENT: it is of another session, or out of order.
genie_status_t genie_node_session_admit_call(genie_node_session_t *session,
                                             const genie_wire_call_t *call) GENIE_MUST_USE;

// Between these no call is in progress, and further ones wait: the places' states and counts are of the session's user.
void genie_node_session_stop_calls(genie_node_session_t *session);
void genie_node_session_let_calls(genie_node_session_t *session);

// Names another node of the session. INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
genie_status_t genie_node_session_add_peer(genie_node_session_t *session, const char *name, const char *key,
                                           uint64_t session_id, const uint32_t *places, size_t place_count, bool is_ucx,
                                           uint32_t *out_peer) GENIE_MUST_USE;

// Attaches the connection to peer `peer`; takes the channel.
genie_status_t genie_node_session_attach_peer(genie_node_session_t *session, uint32_t peer,
                                              genie_channel_t *channel) GENIE_MUST_USE;

// The peer with this key; false when the session names none.
bool genie_node_session_find_peer(genie_node_session_t *session, const genie_fingerprint_t *key, uint32_t *out_peer);

// Registers a call connection, so that closing interrupts it. ABORTED: the session was closed. RESOURCE_EXHAUSTED: it
// has too many.
genie_status_t genie_node_session_enter(genie_node_session_t *session, genie_channel_t *channel) GENIE_MUST_USE;
void genie_node_session_leave(genie_node_session_t *session, genie_channel_t *channel);

#endif  // GENIE_REMOTE_EXEC_DAEMON_SESSION_TABLE_H_
