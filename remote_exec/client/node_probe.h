// Questions to one node over a control connection of its own: what it is, how it is, how far away it is.
//
// Used by one thread, which does not pause: a connection that is silent for some seconds is closed by the node. Errors
// name the node.
#ifndef GENIE_REMOTE_EXEC_CLIENT_NODE_PROBE_H_
#define GENIE_REMOTE_EXEC_CLIENT_NODE_PROBE_H_

#include "remote_exec/client/client_keys.h"
#include "remote_exec/transport/connection.h"

typedef struct genie_node_probe genie_node_probe_t;

// Connects to a node of the pool that has an address. The pool and the keys outlive the probe. UNAVAILABLE,
// DEADLINE_EXCEEDED: it is not there; PERMISSION_DENIED: one side does not know the other's key.
genie_status_t genie_node_probe_open(const genie_pool_node_t *node, const genie_client_keys_t *keys,
                                     genie_deadline_ns_t deadline, genie_allocator_t allocator,
                                     genie_node_probe_t **out_probe) GENIE_MUST_USE;
// Accepts NULL.
void genie_node_probe_close(genie_node_probe_t *probe);

// Asks a GET_ message; the answer is of kind `answer`. Deinitialise it.
genie_status_t genie_node_probe_ask(genie_node_probe_t *probe, genie_wire_kind_t question, genie_wire_kind_t answer,
                                    genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) GENIE_MUST_USE;

// Sends `sent_bytes` with a ping and takes `reply_bytes` with its pong (each at most GENIE_WIRE_MAX_PROBE_BYTES): how
// long both took together.
genie_status_t genie_node_probe_ping(genie_node_probe_t *probe, uint64_t sent_bytes, uint64_t reply_bytes,
                                     genie_deadline_ns_t deadline, uint64_t *out_ns) GENIE_MUST_USE;

// What carries the connection, as in "tls1.3 aes-256-gcm tcp". Borrowed until the next call.
const char *genie_node_probe_path(genie_node_probe_t *probe);

#endif  // GENIE_REMOTE_EXEC_CLIENT_NODE_PROBE_H_
