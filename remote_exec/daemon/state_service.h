// Reading, writing and resetting what a session keeps between calls, for control_service.c. Each waits for a call that
// is running.
#ifndef GENIE_REMOTE_EXEC_DAEMON_STATE_SERVICE_H_
#define GENIE_REMOTE_EXEC_DAEMON_STATE_SERVICE_H_

#include "remote_exec/daemon/session_table.h"

// Sends the state as STATE_DATA. NOT_FOUND; then nothing was sent.
genie_status_t genie_state_read(genie_node_session_t *session, const char *name,
                                genie_channel_t *channel) GENIE_MUST_USE;

// Takes `*left_bytes` of payload, the state's size (INVALID_ARGUMENT otherwise), and sets the state; what was not taken
// stays in `*left_bytes`.
genie_status_t genie_state_write(genie_node_session_t *session, const char *name, genie_channel_t *channel,
                                 uint64_t *left_bytes) GENIE_MUST_USE;

genie_status_t genie_state_reset(genie_node_session_t *session) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_DAEMON_STATE_SERVICE_H_
