#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/transport/stream_channel.h"

// What precedes each message, little-endian.
typedef struct stream_prefix {
  uint32_t magic;
  uint32_t header_bytes;
  uint64_t payload_bytes;
} stream_prefix_t;

_Static_assert(sizeof(stream_prefix_t) == 16, "layout");

enum {
  kMagic = 0x4d454e47,  // "GNEM"
  kRecordBytes = GENIE_STREAM_RECORD_BYTES,
  kReceiveCapacity = sizeof(stream_prefix_t) + GENIE_CHANNEL_MAX_HEADER_BYTES + kRecordBytes,
  kReadAheadBytes = 4096,
  kStreamingBytes = 256 * 1024,
  kDirectBytes = 4096,  // payloads from this size on are decrypted to where they go
  kGreetingBytes = 8,
};

static const char kGreeting[kGreetingBytes + 1] = "genie/1\n";

static void count(genie_stream_counters_t *counters, uint64_t messages, uint64_t bytes, uint64_t ns) {
  atomic_fetch_add_explicit(&counters->messages, messages, memory_order_relaxed);
  atomic_fetch_add_explicit(&counters->bytes, bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&counters->ns, ns, memory_order_relaxed);
}

static genie_status_t interrupted(const genie_stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_CANCELLED, "%s: the channel was interrupted", stream->base.peer.name);
}

static genie_status_t flush(genie_stream_channel_t *stream, bool has_more, genie_deadline_ns_t deadline) {
  const size_t bytes = stream->staged_bytes;
  stream->staged_bytes = 0;
  return genie_stream_flow_write(&stream->flow, stream->staged, bytes, has_more, deadline);
}

// Small pieces gather to full records; what is larger goes from where it lies.
static genie_status_t put(genie_stream_channel_t *stream, const void *data, size_t bytes,
                          genie_deadline_ns_t deadline) {
  const uint8_t *cursor = data;
  while (bytes > 0) {
    if (bytes >= kRecordBytes) {
      GENIE_RETURN_IF_ERROR(flush(stream, /*has_more=*/true, deadline));
      const size_t direct = bytes - bytes % kRecordBytes;
      GENIE_RETURN_IF_ERROR(genie_stream_flow_write(&stream->flow, cursor, direct, /*has_more=*/true, deadline));
      cursor += direct;
      bytes -= direct;
      continue;
    }
    const size_t space = kRecordBytes - stream->staged_bytes;
    const size_t step = bytes < space ? bytes : space;
    memcpy(stream->staged + stream->staged_bytes, cursor, step);
    stream->staged_bytes += step;
    cursor += step;
    bytes -= step;
    if (stream->staged_bytes == kRecordBytes) {
      GENIE_RETURN_IF_ERROR(flush(stream, /*has_more=*/true, deadline));
    }
  }
  return GENIE_OK;
}

static genie_status_t put_message(genie_stream_channel_t *stream, const genie_message_t *message,
                                  uint64_t payload_bytes, genie_deadline_ns_t deadline) {
  const stream_prefix_t prefix = {
      .magic = kMagic, .header_bytes = (uint32_t)message->header_bytes, .payload_bytes = payload_bytes};
  GENIE_RETURN_IF_ERROR(put(stream, &prefix, sizeof(prefix), deadline));
  GENIE_RETURN_IF_ERROR(put(stream, message->header, message->header_bytes, deadline));
  for (size_t i = 0; i < message->payload_count; ++i) {
    GENIE_RETURN_IF_ERROR(put(stream, message->payload[i].iov_base, message->payload[i].iov_len, deadline));
  }
  return message->has_more ? GENIE_OK : flush(stream, /*has_more=*/false, deadline);
}

static genie_status_t not_open(const genie_stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the handshake is not done", stream->base.peer.name);
}

static genie_status_t broken(const genie_stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: the channel failed before", stream->base.peer.name);
}

static genie_status_t stream_send(genie_channel_t *channel, const genie_message_t *message,
                                  genie_deadline_ns_t deadline) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  uint64_t payload_bytes = 0;
  genie_status_t status = genie_message_measure(message, stream->max_payload_bytes, &payload_bytes);
  if (status != GENIE_OK) {
    return genie_status_annotate(status, "%s", channel->peer.name);
  }
  if (!stream->is_open) {
    return not_open(stream);
  }
  pthread_mutex_lock(&stream->send_lock);
  if (stream->is_send_broken) {
    status = genie_wake_is_set(&stream->flow.wake) ? interrupted(stream) : broken(stream);
  } else {
    const uint64_t started_ns = payload_bytes > 0 ? genie_deadline_clock_ns() : 0;
    status = put_message(stream, message, payload_bytes, deadline);
    stream->is_send_broken = status != GENIE_OK;
    count(&stream->sent, 1, message->header_bytes + payload_bytes,
          payload_bytes > 0 ? genie_deadline_clock_ns() - started_ns : 0);
  }
  pthread_mutex_unlock(&stream->send_lock);
  return status;
}

// Makes [begin, end) hold at least `need` bytes. It reads little ahead: what follows may be a payload, which goes to
// its own place without a copy.
static genie_status_t fill(genie_stream_channel_t *stream, size_t need, genie_deadline_ns_t deadline) {
  if (stream->begin == stream->end) {
    stream->begin = stream->end = 0;
  }
  if (stream->begin + need > kReceiveCapacity - kRecordBytes) {
    memmove(stream->received_bytes, stream->received_bytes + stream->begin, stream->end - stream->begin);
    stream->end -= stream->begin;
    stream->begin = 0;
  }
  while (stream->end - stream->begin < need) {
    size_t got = 0;
    const size_t missing = need - (stream->end - stream->begin);
    const size_t most = missing > kReadAheadBytes ? missing : kReadAheadBytes;
    GENIE_RETURN_IF_ERROR(
        genie_stream_flow_read(&stream->flow, stream->received_bytes + stream->end, most, deadline, &got));
    stream->end += got;
  }
  return GENIE_OK;
}

static genie_status_t check_prefix(const genie_stream_channel_t *stream, const stream_prefix_t *prefix,
                                   size_t capacity) {
  if (prefix->magic != kMagic || prefix->header_bytes == 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: its bytes are no message", stream->base.peer.name);
  }
  const size_t most = capacity < GENIE_CHANNEL_MAX_HEADER_BYTES ? capacity : GENIE_CHANNEL_MAX_HEADER_BYTES;
  if (prefix->header_bytes > most) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a header of %u bytes, at most %zu are allowed",
                             stream->base.peer.name, prefix->header_bytes, most);
  }
  if (prefix->payload_bytes > stream->max_payload_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a payload of %llu bytes, at most %llu are allowed",
                             stream->base.peer.name, (unsigned long long)prefix->payload_bytes,
                             (unsigned long long)stream->max_payload_bytes);
  }
  return GENIE_OK;
}

static genie_status_t take_header(genie_stream_channel_t *stream, void *buffer, size_t capacity,
                                  genie_deadline_ns_t deadline, size_t *out_header_bytes, uint64_t *out_payload_bytes) {
  stream_prefix_t prefix;
  GENIE_RETURN_IF_ERROR(fill(stream, sizeof(prefix), deadline));
  memcpy(&prefix, stream->received_bytes + stream->begin, sizeof(prefix));
  GENIE_RETURN_IF_ERROR(check_prefix(stream, &prefix, capacity));
  GENIE_RETURN_IF_ERROR(fill(stream, sizeof(prefix) + prefix.header_bytes, deadline));
  memcpy(buffer, stream->received_bytes + stream->begin + sizeof(prefix), prefix.header_bytes);
  stream->begin += sizeof(prefix) + prefix.header_bytes;
  stream->payload_left = prefix.payload_bytes;
  count(&stream->received, 1, prefix.header_bytes, 0);
  *out_header_bytes = prefix.header_bytes;
  *out_payload_bytes = prefix.payload_bytes;
  return GENIE_OK;
}

static genie_status_t stream_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                            genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                            uint64_t *out_payload_bytes) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  if (!stream->is_open) {
    return not_open(stream);
  }
  pthread_mutex_lock(&stream->receive_lock);
  genie_status_t status = GENIE_OK;
  if (stream->is_receive_broken) {
    status = genie_wake_is_set(&stream->flow.wake) ? interrupted(stream) : broken(stream);
  } else if (stream->payload_left > 0) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: %llu bytes of the payload are not taken yet",
                               channel->peer.name, (unsigned long long)stream->payload_left);
  } else {
    status = take_header(stream, buffer, capacity, deadline, out_header_bytes, out_payload_bytes);
    stream->is_receive_broken = status != GENIE_OK && genie_status_code(status) != GENIE_STATUS_DEADLINE_EXCEEDED;
  }
  pthread_mutex_unlock(&stream->receive_lock);
  return status;
}

static genie_status_t take_bytes(genie_stream_channel_t *stream, uint8_t *destination, size_t bytes,
                                 genie_deadline_ns_t deadline) {
  while (bytes > 0) {
    size_t step = stream->end - stream->begin;
    if (step > 0) {
      step = bytes < step ? bytes : step;
      memcpy(destination, stream->received_bytes + stream->begin, step);
      stream->begin += step;
    } else if (bytes >= kDirectBytes) {
      stream->flow.is_streaming = bytes > kStreamingBytes;
      const genie_status_t status = genie_stream_flow_read(&stream->flow, destination, bytes, deadline, &step);
      stream->flow.is_streaming = false;
      GENIE_RETURN_IF_ERROR(status);
    } else {
      GENIE_RETURN_IF_ERROR(fill(stream, 1, deadline));
    }
    destination += step;
    bytes -= step;
  }
  return GENIE_OK;
}

static genie_status_t take_pieces(genie_stream_channel_t *stream, const struct iovec *pieces, size_t piece_count,
                                  genie_deadline_ns_t deadline) {
  for (size_t i = 0; i < piece_count; ++i) {
    GENIE_RETURN_IF_ERROR(take_bytes(stream, pieces[i].iov_base, pieces[i].iov_len, deadline));
  }
  return GENIE_OK;
}

static genie_status_t stream_receive_payload(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                             genie_deadline_ns_t deadline) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  const genie_message_t measured = {.header = "", .header_bytes = 1, .payload = pieces, .payload_count = piece_count};
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(&measured, UINT64_MAX, &bytes));
  pthread_mutex_lock(&stream->receive_lock);
  genie_status_t status = GENIE_OK;
  if (stream->is_receive_broken) {
    status = genie_wake_is_set(&stream->flow.wake) ? interrupted(stream) : broken(stream);
  } else if (bytes > stream->payload_left) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the payload has %llu bytes left, not %llu",
                               channel->peer.name, (unsigned long long)stream->payload_left, (unsigned long long)bytes);
  } else {
    const uint64_t started_ns = genie_deadline_clock_ns();
    status = take_pieces(stream, pieces, piece_count, deadline);
    stream->payload_left -= bytes;
    stream->is_receive_broken = status != GENIE_OK;
    count(&stream->received, 0, bytes, genie_deadline_clock_ns() - started_ns);
  }
  pthread_mutex_unlock(&stream->receive_lock);
  return status;
}

static void stream_interrupt(genie_channel_t *channel) {
  genie_wake_set(&((genie_stream_channel_t *)channel)->flow.wake);
}

static void stream_close(genie_channel_t *channel) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  if (stream->is_open && !stream->is_send_broken && !stream->is_receive_broken) {
    genie_stream_flow_shut_down(&stream->flow);
  }
  genie_stream_flow_deinit(&stream->flow);
  pthread_mutex_destroy(&stream->send_lock);
  pthread_mutex_destroy(&stream->receive_lock);
  genie_allocator_free(channel->allocator, stream->staged);
  genie_allocator_free(channel->allocator, stream->received_bytes);
  genie_allocator_free(channel->allocator, stream);
}

static void stream_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  out_stats->sent_messages = atomic_load_explicit(&stream->sent.messages, memory_order_relaxed);
  out_stats->sent_bytes = atomic_load_explicit(&stream->sent.bytes, memory_order_relaxed);
  out_stats->send_ns = atomic_load_explicit(&stream->sent.ns, memory_order_relaxed);
  out_stats->received_messages = atomic_load_explicit(&stream->received.messages, memory_order_relaxed);
  out_stats->received_bytes = atomic_load_explicit(&stream->received.bytes, memory_order_relaxed);
  out_stats->receive_ns = atomic_load_explicit(&stream->received.ns, memory_order_relaxed);
  memcpy(out_stats->path, stream->path, sizeof(out_stats->path));
}

// Under TLS 1.3 a client's handshake is done before the node has seen its certificate: only the node's greeting says
// that it was accepted.
static genie_status_t greet(genie_stream_channel_t *stream, genie_deadline_ns_t deadline) {
  if (!stream->is_client) {
    return genie_stream_flow_write(&stream->flow, (const uint8_t *)kGreeting, kGreetingBytes, /*has_more=*/false,
                                   deadline);
  }
  GENIE_RETURN_IF_ERROR(fill(stream, kGreetingBytes, deadline));
  const bool is_greeting = memcmp(stream->received_bytes, kGreeting, kGreetingBytes) == 0;
  stream->begin += kGreetingBytes;
  return is_greeting
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: does not greet as a Genie node", stream->base.peer.name);
}

static genie_status_t stream_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  genie_stream_channel_t *stream = (genie_stream_channel_t *)channel;
  if (stream->is_open) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_stream_flow_handshake(&stream->flow, deadline));
  genie_stream_tls_describe(stream->flow.ssl, stream->path, sizeof(stream->path));
  GENIE_RETURN_IF_ERROR(greet(stream, deadline));
  stream->is_open = true;
  return GENIE_OK;
}

static const genie_channel_ops_t kStreamOps = {
    .handshake = stream_handshake,
    .send = stream_send,
    .receive_header = stream_receive_header,
    .receive_payload = stream_receive_payload,
    .interrupt = stream_interrupt,
    .close = stream_close,
    .get_stats = stream_get_stats,
};

static genie_status_t stream_init(genie_stream_channel_t *stream, const genie_stream_options_t *options,
                                  genie_trust_t trust, const char *own_fingerprint) {
  const genie_allocator_t allocator = stream->base.allocator;
  GENIE_RETURN_IF_ERROR(
      genie_stream_flow_init(&stream->base.peer, trust, own_fingerprint, options->spin_ns, allocator, &stream->flow));
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, kRecordBytes, 1, &memory));
  stream->staged = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, kReceiveCapacity, 1, &memory));
  stream->received_bytes = memory;
  return GENIE_OK;
}

genie_status_t genie_stream_channel_create(const genie_stream_options_t *options, const char *name, genie_trust_t trust,
                                           const char *own_fingerprint, bool is_client, genie_allocator_t allocator,
                                           genie_stream_channel_t **out_stream) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_stream_channel_t), &memory));
  genie_stream_channel_t *stream = memory;
  stream->base = (genie_channel_t){.ops = &kStreamOps, .allocator = allocator};
  snprintf(stream->base.peer.name, sizeof(stream->base.peer.name), "%s", name);
  snprintf(stream->path, sizeof(stream->path), "not connected");
  stream->max_payload_bytes = options->max_payload_bytes;
  stream->is_client = is_client;
  pthread_mutex_init(&stream->send_lock, NULL);
  pthread_mutex_init(&stream->receive_lock, NULL);
  const genie_status_t status = stream_init(stream, options, trust, own_fingerprint);
  if (status != GENIE_OK) {
    stream_close(&stream->base);
    return status;
  }
  *out_stream = stream;
  return GENIE_OK;
}
