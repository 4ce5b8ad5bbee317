// The loopback carrier: a pair of channels within one process, for tests and for nodes that share a process.
//
// Each direction is a ring of GENIE_LOOPBACK_RING_BYTES: send returns when its message is in the ring, and waits for
// the receiver when it is full.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_

#include "remote_exec/transport/channel.h"

enum { GENIE_LOOPBACK_RING_BYTES = 1 << 18 };

// Two ends of one channel; each is closed on its own, and the other then sees UNAVAILABLE once it has taken what was
// sent.
genie_status_t genie_loopback_create(genie_allocator_t allocator, genie_channel_t **out_first,
                                     genie_channel_t **out_second) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_LOOPBACK_H_
