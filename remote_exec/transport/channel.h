// A channel: an ordered, reliable, bidirectional flow of messages to one peer, whatever carries them.
//
// A message is a header (1 byte to 64 KiB) and a payload of any size. The receiver reads the header into its own
// buffer, judges it, and then says where the payload goes, so that no byte of a peer decides an address and nothing is
// allocated before it was judged. Carriers: loopback (two queues in one process), stream (TLS 1.3 over TCP), ucx, and
// fault and window, which wrap another channel.
//
// Threads: one thread may send while another receives; two senders, or two receivers, take turns by a lock of their
// own. interrupt and get_stats may be called from any thread at any time before close. Close, once, when no call is in
// progress: interrupt first and join.
//
// Errors, which all name the peer:
//   CANCELLED          genie_channel_interrupt was called, now or earlier
//   DEADLINE_EXCEEDED  the deadline passed first
//   UNAVAILABLE        the peer closed the channel or is gone
//   OUT_OF_RANGE       a size is over its limit; nothing of that message was allocated
//   DATA_LOSS          the bytes are no message
//   PERMISSION_DENIED  one side does not trust the other's key (handshake)
// A receive_header that met its deadline may be repeated and loses nothing. After any other error, only interrupt and
// close are of use.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_H_

#include <sys/uio.h>

#include "remote_exec/transport/deadline.h"
#include "runtime/base/allocator.h"

enum {
  GENIE_CHANNEL_MAX_HEADER_BYTES = 65536,
  GENIE_CHANNEL_MAX_PAYLOAD_PIECES = 1024,
  GENIE_CHANNEL_MAX_NAME_BYTES = 128,
};

// The largest payload that a channel takes unless its options say less.
#define GENIE_CHANNEL_MAX_PAYLOAD_BYTES ((uint64_t)1 << 40)

typedef struct genie_channel genie_channel_t;
typedef struct genie_listener genie_listener_t;

// What send takes: borrowed until it returns.
typedef struct genie_message {
  const void *header;
  size_t header_bytes;          // 1 .. GENIE_CHANNEL_MAX_HEADER_BYTES
  const struct iovec *payload;  // the payload is their concatenation; NULL when payload_count is 0
  size_t payload_count;         // .. GENIE_CHANNEL_MAX_PAYLOAD_PIECES
  // Another message follows at once: a small message may wait for it and travel in one packet. The last message of a
  // batch has this unset.
  bool has_more;
} genie_message_t;

// Who is on the other side and how. Fixed once the handshake is done.
typedef struct genie_channel_peer {
  char name[GENIE_CHANNEL_MAX_NAME_BYTES];  // an address, as messages name it: "10.0.0.7:7070"
  char fingerprint[72];                     // "sha256:<64 hex digits>" of its key; "" where the carrier has no keys
} genie_channel_peer_t;

typedef struct genie_channel_stats {
  uint64_t sent_messages, received_messages;
  uint64_t sent_bytes, received_bytes;  // headers and payloads, without framing
  // Time spent inside calls that moved payloads: sent_bytes / send_ns is the rate in GB/s while sending.
  uint64_t send_ns, receive_ns;
  char path[GENIE_CHANNEL_MAX_NAME_BYTES];  // what carries the bytes: "tls1.3 aes-256-gcm tcp", "loopback"
} genie_channel_stats_t;

typedef struct genie_channel_ops {
  genie_status_t (*handshake)(genie_channel_t *channel, genie_deadline_ns_t deadline);
  genie_status_t (*send)(genie_channel_t *channel, const genie_message_t *message, genie_deadline_ns_t deadline);
  genie_status_t (*receive_header)(genie_channel_t *channel, void *buffer, size_t capacity,
                                   genie_deadline_ns_t deadline, size_t *out_header_bytes, uint64_t *out_payload_bytes);
  genie_status_t (*receive_payload)(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                    genie_deadline_ns_t deadline);
  void (*interrupt)(genie_channel_t *channel);
  void (*close)(genie_channel_t *channel);
  void (*get_stats)(genie_channel_t *channel, genie_channel_stats_t *out_stats);
} genie_channel_ops_t;

struct genie_channel {
  const genie_channel_ops_t *ops;
  genie_allocator_t allocator;
  genie_channel_peer_t peer;
};

// Authenticates both sides, where the carrier does that. A channel of genie_listener_accept needs it before anything
// else, so that a slow peer holds up its own thread and not the listener; a channel of a connect function has done it.
genie_status_t genie_channel_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Sends one message. On OK the memory may be reused; the peer need not have received it yet, but a carrier may wait
// until it takes the payload: two peers that both send before they receive need a thread for each direction.
// INVALID_ARGUMENT and OUT_OF_RANGE leave the channel as it was.
genie_status_t genie_channel_send(genie_channel_t *channel, const genie_message_t *message,
                                  genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Waits for the next message and copies its header to `buffer`. A header larger than `capacity` is OUT_OF_RANGE. The
// payload must then be taken in full before the next header; when it is empty, nothing is to be taken.
genie_status_t genie_channel_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                            genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                            uint64_t *out_payload_bytes) GENIE_MUST_USE;

// Takes the next `bytes` of the current payload. Taking it all by one call is fastest; FAILED_PRECONDITION when it has
// fewer bytes left.
genie_status_t genie_channel_receive_payload(genie_channel_t *channel, void *destination, uint64_t bytes,
                                             genie_deadline_ns_t deadline) GENIE_MUST_USE;

// The same, scattered over `pieces`.
genie_status_t genie_channel_receive_pieces(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                            genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Takes what is left of the current payload and drops it.
genie_status_t genie_channel_skip_payload(genie_channel_t *channel, uint64_t bytes,
                                          genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Makes blocked calls, and all later ones, return CANCELLED at once. From any thread, not from a signal handler.
void genie_channel_interrupt(genie_channel_t *channel);

// Closes the connection and frees the channel; accepts NULL.
void genie_channel_close(genie_channel_t *channel);

void genie_channel_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats);

// Borrowed; valid until close.
const genie_channel_peer_t *genie_channel_get_peer(const genie_channel_t *channel);

// The sum of the message's pieces. OUT_OF_RANGE and INVALID_ARGUMENT as genie_channel_send says: for carriers.
genie_status_t genie_message_measure(const genie_message_t *message, uint64_t max_payload_bytes,
                                     uint64_t *out_payload_bytes) GENIE_MUST_USE;

typedef struct genie_listener_ops {
  genie_status_t (*accept)(genie_listener_t *listener, genie_deadline_ns_t deadline, genie_channel_t **out_channel);
  void (*interrupt)(genie_listener_t *listener);
  void (*close)(genie_listener_t *listener);
} genie_listener_ops_t;

struct genie_listener {
  const genie_listener_ops_t *ops;
  genie_allocator_t allocator;
  char address[GENIE_CHANNEL_MAX_NAME_BYTES];  // where it listens, with the port that was chosen: "127.0.0.1:41235"
};

// Waits for the next peer. Its channel still needs genie_channel_handshake. RESOURCE_EXHAUSTED (no file descriptors,
// no memory) and UNAVAILABLE (the peer was gone at once) concern that one peer: accept again, after a pause.
genie_status_t genie_listener_accept(genie_listener_t *listener, genie_deadline_ns_t deadline,
                                     genie_channel_t **out_channel) GENIE_MUST_USE;

// As of a channel: from any thread, for ever.
void genie_listener_interrupt(genie_listener_t *listener);

// Accepts NULL. Channels that it gave live on.
void genie_listener_close(genie_listener_t *listener);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_H_
