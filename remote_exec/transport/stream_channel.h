// Inside of the stream carrier: what its endpoints make.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_STREAM_CHANNEL_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_STREAM_CHANNEL_H_

#include "remote_exec/transport/stream.h"
#include "remote_exec/transport/stream_flow.h"

typedef struct genie_stream_counters {
  atomic_uint_fast64_t messages, bytes, ns;
} genie_stream_counters_t;

typedef struct genie_stream_channel {
  genie_channel_t base;
  genie_stream_flow_t flow;
  uint64_t max_payload_bytes;
  bool is_client;
  bool is_open;  // the handshake is done
  genie_stream_counters_t sent, received;
  char path[GENIE_CHANNEL_MAX_NAME_BYTES];

  pthread_mutex_t send_lock;  // guards what follows it
  bool is_send_broken;
  uint8_t *staged;  // GENIE_STREAM_RECORD_BYTES
  size_t staged_bytes;

  pthread_mutex_t receive_lock;  // guards what follows it
  bool is_receive_broken;
  uint8_t *received_bytes;  // [begin, end) is not consumed yet
  size_t begin, end;
  uint64_t payload_left;
} genie_stream_channel_t;

// A channel without a socket: attach one to its flow, then shake hands. `options` are complete.
genie_status_t genie_stream_channel_create(const genie_stream_options_t *options, const char *name, genie_trust_t trust,
                                           const char *own_fingerprint, bool is_client, genie_allocator_t allocator,
                                           genie_stream_channel_t **out_stream) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_STREAM_CHANNEL_H_
