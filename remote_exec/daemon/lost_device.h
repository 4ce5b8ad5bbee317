// Devices of the node that were lost while it ran: its sessions on them are told, new ones are refused, and the node
// starts again once no other session is open. A lost device stays lost for the life of the process.
#ifndef GENIE_REMOTE_EXEC_DAEMON_LOST_DEVICE_H_
#define GENIE_REMOTE_EXEC_DAEMON_LOST_DEVICE_H_

#include "remote_exec/daemon/node.h"

// The signal by which the thread that waits for the node's end is told of a lost device.
enum { GENIE_LOST_DEVICE_SIGNAL = SIGUSR1 };

// Before other threads start: the calling thread is the one that is told.
void genie_lost_devices_init(genie_node_t *node);

// UNAVAILABLE: the device is lost.
genie_status_t genie_lost_devices_check(genie_node_t *node, const char *kind, uint32_t ordinal) GENIE_MUST_USE;
bool genie_lost_devices_has(genie_node_t *node, const char *kind, uint32_t ordinal);

// Called when a run of the session failed with ABORTED: if a device of its was lost, that becomes known.
void genie_lost_devices_examine(genie_node_t *node, genie_node_session_t *session);

// Called when a session could not be opened because of ABORTED, which says that a device of its was lost. Of several
// devices none is blamed.
void genie_lost_devices_blame(genie_node_t *node, const genie_node_session_t *session);

// Whether a device is lost, and nobody uses another.
bool genie_lost_devices_want_restart(genie_node_t *node);

#endif  // GENIE_REMOTE_EXEC_DAEMON_LOST_DEVICE_H_
