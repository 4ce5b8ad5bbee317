// A flow: bytes under TLS 1.3 over one non-blocking socket, which one thread writes while another reads.
//
// OpenSSL's SSL is no object for two threads, so that each call on it, of one record at most, takes a lock. System
// calls that send are made outside of it: records gather in an outbox and leave in batches. Errors are a channel's.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_STREAM_FLOW_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_STREAM_FLOW_H_

#include <pthread.h>

#include "remote_exec/transport/stream_tls.h"
#include "remote_exec/transport/wake.h"

enum { GENIE_STREAM_RECORD_BYTES = 16384 };  // the plaintext of one TLS record

// The turns of the two directions. Who comes next lets a waiting other side go first, so that neither starves.
typedef struct genie_stream_turn {
  pthread_mutex_t lock;
  atomic_bool is_wanted[2];
} genie_stream_turn_t;

// In the caller's memory.
typedef struct genie_stream_flow {
  genie_allocator_t allocator;
  genie_wake_t wake;
  int socket;  // owned; -1: none yet
  SSL *ssl;    // owned
  genie_stream_judgement_t judgement;
  char own_fingerprint[GENIE_FINGERPRINT_TEXT_BYTES];
  uint64_t spin_ns;
  bool is_streaming;  // the reader is within a large payload: more is on its way, and sleeping leaves the CPU to its
                      // sender
  genie_stream_turn_t turn;
  genie_stream_inbox_t inbox;    // the reader's
  genie_stream_outbox_t outbox;  // the writer's
  bool has_outbox;               // else the kernel does TLS
  int batched_records;           // in the outbox, by the writer
} genie_stream_flow_t;

// A flow without a socket. `peer` outlives it. On error, deinit what there is.
genie_status_t genie_stream_flow_init(genie_channel_peer_t *peer, genie_trust_t trust, const char *own_fingerprint,
                                      uint64_t spin_ns, genie_allocator_t allocator,
                                      genie_stream_flow_t *out_flow) GENIE_MUST_USE;

// Takes a connected `socket`, success or not.
genie_status_t genie_stream_flow_attach(genie_stream_flow_t *flow, SSL_CTX *context, bool is_server,
                                        int socket) GENIE_MUST_USE;

genie_status_t genie_stream_flow_handshake(genie_stream_flow_t *flow, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Writes all of it. With `has_more`, the end of it may stay in the outbox until the next write.
genie_status_t genie_stream_flow_write(genie_stream_flow_t *flow, const uint8_t *data, size_t bytes, bool has_more,
                                       genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Reads at least one byte and at most `bytes`, waiting for it.
genie_status_t genie_stream_flow_read(genie_stream_flow_t *flow, uint8_t *data, size_t bytes,
                                      genie_deadline_ns_t deadline, size_t *out_read) GENIE_MUST_USE;

// Tells the peer that nothing more comes, as far as that can be done at once.
void genie_stream_flow_shut_down(genie_stream_flow_t *flow);

void genie_stream_flow_deinit(genie_stream_flow_t *flow);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_STREAM_FLOW_H_
