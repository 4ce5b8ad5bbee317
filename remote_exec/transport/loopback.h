// The loopback carrier: a pair of channels within one process, for tests and for nodes that share a process.
//
// A message is handed over, not queued: send returns when the receiver has taken its payload, or at once for messages
// that fit the small queue (64 KiB of copies in flight a direction).
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_

#include "remote_exec/transport/channel.h"

// Two ends of one channel; each is closed on its own, and the other then sees UNAVAILABLE.
genie_status_t genie_loopback_create(genie_allocator_t allocator, genie_channel_t **out_first,
                                     genie_channel_t **out_second) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_
