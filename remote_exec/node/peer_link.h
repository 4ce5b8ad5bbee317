// The connection from one node of a session to another: tensors in both directions, and a heartbeat each second.
//
// A thread of the link takes in what the peer sends. Sending is thread-safe.
#ifndef GENIE_REMOTE_EXEC_NODE_PEER_LINK_H_
#define GENIE_REMOTE_EXEC_NODE_PEER_LINK_H_

#include "remote_exec/node/mailbox.h"
#include "remote_exec/transport/channel.h"
#include "runtime/exec/trace.h"
#include "runtime/plan/reader.h"

typedef struct genie_peer_link genie_peer_link_t;

// What a link needs. All is copied but `plan`, `mailbox` and the channel, which the link takes.
typedef struct genie_peer_link_options {
  const char *name;     // of the peer, as messages call it
  uint64_t session_id;  // of the session on the peer
  const genie_plan_t *plan;
  genie_mailbox_t *mailbox;
  const bool *is_theirs;  // [place_count] places of the peer
  const bool *is_ours;    // [place_count] places of this node
  genie_trace_t *trace;   // where what travels is recorded; or NULL
} genie_peer_link_options_t;

// Starts the link. It takes the channel, also on failure.
genie_status_t genie_peer_link_create(const genie_peer_link_options_t *options, genie_channel_t *channel,
                                      genie_allocator_t allocator, genie_peer_link_t **out_link) GENIE_MUST_USE;

// Closes the connection and ends the thread; accepts NULL.
void genie_peer_link_destroy(genie_peer_link_t *link);

const char *genie_peer_link_name(const genie_peer_link_t *link);

bool genie_peer_link_hosts(const genie_peer_link_t *link, uint32_t place);

// Sends, or copies what is large and sends it while the caller goes on (send_queue.h): its failure then is that of the
// link, and of later sends.
genie_status_t genie_peer_link_send(genie_peer_link_t *link, uint64_t call, uint32_t transfer, const void *address,
                                    uint64_t size_bytes, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Tells the peer that a call cannot finish. What cannot be told at once is not: the peer then sees its deadline.
void genie_peer_link_cancel(genie_peer_link_t *link, uint64_t call, genie_status_code_t code);

// Bytes of tensors that the node sent.
uint64_t genie_peer_link_arrived_bytes(const genie_peer_link_t *link);

void genie_peer_link_get_stats(genie_peer_link_t *link, genie_channel_stats_t *out_stats);

#endif  // GENIE_REMOTE_EXEC_NODE_PEER_LINK_H_
