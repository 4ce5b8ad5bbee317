// The stream carrier: messages in TLS 1.3 over TCP, both sides known by their Ed25519 keys.
//
// Certificates only transport keys: each side makes its own in memory, and the peer's is judged by its public key alone
// (remote_exec/identity). A peer that waits is polled for `spin_ns` and then slept for, so that an idle channel costs
// no CPU. A client is connected once the node has judged its key and greeted it: under TLS 1.3 the handshake alone does
// not say so.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_STREAM_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_STREAM_H_

#include "remote_exec/identity/identity.h"
#include "remote_exec/transport/channel.h"

// Zero means the default of each.
typedef struct genie_stream_options {
  uint64_t spin_ns;            // default 50 us; GENIE_STREAM_NO_SPIN: none
  uint64_t max_payload_bytes;  // default GENIE_CHANNEL_MAX_PAYLOAD_BYTES
  uint64_t user_timeout_ms;    // how long sent bytes may stay unacknowledged, default 3000
  const char *local_address;   // of a connect: the numeric address of this machine to leave from; NULL: as routed
} genie_stream_options_t;

#define GENIE_STREAM_NO_SPIN UINT64_MAX

// Connects to "HOST:PORT" ("[v6]:PORT" for IPv6 addresses) and authenticates: `trust` judges the node's key. `identity`
// and `trust` outlive the channel. UNAVAILABLE: nobody listens; PERMISSION_DENIED: whose key was refused by whom.
genie_status_t genie_stream_connect(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                    const genie_stream_options_t *options, genie_deadline_ns_t deadline,
                                    genie_allocator_t allocator, genie_channel_t **out_channel) GENIE_MUST_USE;

// Listens on "HOST:PORT"; port 0 chooses one. `trust` judges the keys of clients and is called by the threads that
// handshake. INVALID_ARGUMENT: no address; FAILED_PRECONDITION: in use or not allowed.
genie_status_t genie_stream_listen(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                   const genie_stream_options_t *options, genie_allocator_t allocator,
                                   genie_listener_t **out_listener) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_STREAM_H_
