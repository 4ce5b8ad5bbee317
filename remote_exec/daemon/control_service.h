// A CONTROL connection, shared by what serves it: control_service.c takes its messages and opens sessions,
// control_weights.c brings their weights, control_peers.c introduces nodes to each other, control_info.c answers
// questions. All run on the connection's thread.
#ifndef GENIE_REMOTE_EXEC_DAEMON_CONTROL_SERVICE_H_
#define GENIE_REMOTE_EXEC_DAEMON_CONTROL_SERVICE_H_

#include "remote_exec/daemon/node.h"
#include "remote_exec/wire/control.h"

enum { GENIE_CONTROL_SESSIONS = 64 };

// A session of this connection.
typedef struct genie_control_session {
  genie_node_session_t *session;  // NULL: a free row
  uint32_t awaited_count;         // weight chunks that the client was asked for
  uint64_t request_id;
  uint64_t open_ns;
} genie_control_session_t;

typedef struct genie_control {
  genie_node_t *node;
  genie_channel_t *channel;
  const char *client;  // fingerprint
  uint8_t *header;     // GENIE_WIRE_MAX_HEADER_BYTES
  genie_control_session_t sessions[GENIE_CONTROL_SESSIONS];
  pthread_t beat_thread;
  pthread_mutex_t mutex;  // of the flag
  pthread_cond_t ended;
  bool is_ending;
} genie_control_t;

// An error of these functions is the connection's and ends it, unless they say otherwise.

genie_status_t genie_control_answer(const genie_control_t *control, genie_wire_kind_t kind,
                                    const ProtobufCMessage *message) GENIE_MUST_USE;
// What went wrong with a request goes to the client and the connection goes on. Takes `failure`.
genie_status_t genie_control_answer_failure(const genie_control_t *control, uint64_t session_id,
                                            genie_status_t failure) GENIE_MUST_USE;
// Drops the rest of a message's payload.
genie_status_t genie_control_skip(const genie_control_t *control, uint64_t left_bytes) GENIE_MUST_USE;

// NOT_FOUND, which is the request's: the connection has no such session.
genie_status_t genie_control_find_session(genie_control_t *control, uint64_t id,
                                          genie_control_session_t **out_opened) GENIE_MUST_USE;

// Opens the image of the weights that the session's places use, and fills in what the node has or sees; a client may
// name a file, and a node that does not see it asks for the weights. Errors are the request's.
genie_status_t genie_control_open_weights(const genie_control_t *control, const Genie__Wire__OpenSession *open,
                                          genie_control_session_t *opened) GENIE_MUST_USE;
// Asks the client for chunks that are missing, or says that none are. Errors are the request's.
genie_status_t genie_control_ask_weights(const genie_control_t *control, genie_control_session_t *opened,
                                         bool *out_is_complete) GENIE_MUST_USE;
// Takes in a chunk. What was not received of the payload is in `*left_bytes`. Errors are the request's.
genie_status_t genie_control_receive_chunk(const genie_control_t *control, genie_control_session_t *opened,
                                           const Genie__Wire__WeightChunk *chunk, uint64_t *left_bytes) GENIE_MUST_USE;

genie_status_t genie_control_connect_peers(genie_control_t *control,
                                           const Genie__Wire__ConnectPeers *request) GENIE_MUST_USE;

genie_status_t genie_control_answer_traffic(genie_control_t *control,
                                            const Genie__Wire__GetTraffic *request) GENIE_MUST_USE;
genie_status_t genie_control_answer_trace(genie_control_t *control,
                                          const Genie__Wire__GetTrace *request) GENIE_MUST_USE;
genie_status_t genie_control_answer_info(const genie_control_t *control) GENIE_MUST_USE;
genie_status_t genie_control_answer_stats(const genie_control_t *control) GENIE_MUST_USE;
genie_status_t genie_control_answer_ping(const genie_control_t *control, const Genie__Wire__Ping *ping,
                                         uint64_t payload_bytes) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_DAEMON_CONTROL_SERVICE_H_
