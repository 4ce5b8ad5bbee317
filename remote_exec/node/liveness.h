// How nodes and clients know that the other side is still there: a heartbeat each second each way, on every connection
// that may be idle.
#ifndef GENIE_REMOTE_EXEC_NODE_LIVENESS_H_
#define GENIE_REMOTE_EXEC_NODE_LIVENESS_H_

#include "remote_exec/transport/channel.h"

// A peer that is silent for GENIE_LIVENESS_LIMIT_NS is lost: less than the 3 s within which a caller must know.
#define GENIE_LIVENESS_INTERVAL_NS ((uint64_t)1000000000)
#define GENIE_LIVENESS_LIMIT_NS ((uint64_t)2500000000)

// In the caller's memory: one side of one connection, used by the thread that receives on it.
typedef struct genie_liveness {
  genie_deadline_ns_t next_beat;  // when the next heartbeat is due
  genie_deadline_ns_t lost_at;    // when the peer counts as lost
  uint64_t sequence;
} genie_liveness_t;

void genie_liveness_start(genie_liveness_t *liveness);

// The peer was heard.
void genie_liveness_note(genie_liveness_t *liveness);

// Until when to wait for the peer.
genie_deadline_ns_t genie_liveness_deadline(const genie_liveness_t *liveness);

// After a wait that met its deadline, before the tick: time by which this thread woke late, because the machine is busy
// or the process was stopped, does not count against the peer, whose messages may lie there.
void genie_liveness_forgive(genie_liveness_t *liveness);

// Whether a wait until `deadline` ended so late that this side was not there.
bool genie_liveness_has_overslept(genie_deadline_ns_t deadline);

// After a wait that met its deadline: sends a heartbeat when one is due. UNAVAILABLE: the peer is lost.
genie_status_t genie_liveness_tick(genie_liveness_t *liveness, genie_channel_t *channel) GENIE_MUST_USE;

// How long moving `size_bytes` may take before the peer counts as lost: GENIE_LIVENESS_LIMIT_NS, and a slow link's
// time.
genie_deadline_ns_t genie_liveness_transfer_deadline(uint64_t size_bytes);

#endif  // GENIE_REMOTE_EXEC_NODE_LIVENESS_H_
