// What a connection does once its greeting is done: one function a role. Each returns when the connection is of no more
// use; the caller closes the channel. The status says why, and is OK when the peer simply left.
#ifndef GENIE_REMOTE_EXEC_DAEMON_SERVICES_H_
#define GENIE_REMOTE_EXEC_DAEMON_SERVICES_H_

#include "remote_exec/daemon/node.h"

// Opens, feeds and closes sessions for a client; those that are left when it ends are closed.
genie_status_t genie_control_serve(genie_node_t *node, genie_channel_t *channel) GENIE_MUST_USE;

// Runs calls of `session` on this thread, one after the other.
genie_status_t genie_call_serve(genie_node_t *node, genie_node_session_t *session,
                                genie_channel_t *channel) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_DAEMON_SERVICES_H_
