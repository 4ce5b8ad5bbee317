// The listener of a node and the threads of its connections.
#ifndef GENIE_REMOTE_EXEC_DAEMON_SERVER_H_
#define GENIE_REMOTE_EXEC_DAEMON_SERVER_H_

#include "remote_exec/daemon/node.h"

typedef struct genie_server genie_server_t;

// Listens on the address of the node's options; peers wait until the server starts. The node outlives the server.
// FAILED_PRECONDITION: the address is in use or not allowed.
genie_status_t genie_server_create(genie_node_t *node, genie_server_t **out_server) GENIE_MUST_USE;

// Starts to accept, on a thread of the server.
genie_status_t genie_server_start(genie_server_t *server) GENIE_MUST_USE;

// "HOST:PORT" with the port that was taken.
const char *genie_server_address(const genie_server_t *server);

// Takes no further connections.
void genie_server_stop_accepting(genie_server_t *server);

// Ends all connections, waits for their threads and frees the server; accepts NULL.
void genie_server_destroy(genie_server_t *server);

#endif  // GENIE_REMOTE_EXEC_DAEMON_SERVER_H_
