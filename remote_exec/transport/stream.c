#include "remote_exec/transport/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/transport/stream_socket.h"
#include "remote_exec/transport/stream_tls.h"
#include "remote_exec/transport/wake.h"

// What precedes each message, little-endian.
typedef struct stream_prefix {
  uint32_t magic;
  uint32_t header_bytes;
  uint64_t payload_bytes;
} stream_prefix_t;

_Static_assert(sizeof(stream_prefix_t) == 16, "layout");

enum {
  kMagic = 0x4d454e47,   // "GNEM"
  kRecordBytes = 16384,  // the plaintext of one TLS record
  kReceiveCapacity = sizeof(stream_prefix_t) + GENIE_CHANNEL_MAX_HEADER_BYTES + kRecordBytes,
  kDirectBytes = 4096,  // payloads from this size on are decrypted to where they go
  kGreetingBytes = 8,
  kSpinsPerClock = 8,
  kHandoverSpins = 20000,
};

static const char kGreeting[kGreetingBytes + 1] = "genie/1\n";
static const uint64_t kDefaultSpinNs = 50000;
static const uint64_t kDefaultUserTimeoutMs = 3000;

// The two directions share one SSL, which is no object for two threads: each call on it, of one record at most, takes
// the lock. Who comes next lets a waiting other side go first, so that neither starves.
typedef struct stream_turn {
  pthread_mutex_t lock;
  atomic_bool is_wanted[2];
} stream_turn_t;

typedef enum stream_side { STREAM_SEND = 0, STREAM_RECEIVE = 1 } stream_side_t;

typedef struct stream_counters {
  atomic_uint_fast64_t messages, bytes, ns;
} stream_counters_t;

typedef struct stream_channel {
  genie_channel_t base;
  genie_stream_options_t options;
  int socket;
  genie_wake_t wake;
  SSL *ssl;
  genie_stream_judgement_t judgement;
  bool is_client;
  bool is_open;  // the handshake is done
  char own_fingerprint[GENIE_FINGERPRINT_TEXT_BYTES];
  stream_turn_t turn;
  stream_counters_t sent, received;
  char path[GENIE_CHANNEL_MAX_NAME_BYTES];

  pthread_mutex_t send_lock;  // guards what follows it
  bool is_send_broken;
  uint8_t *staged;  // kRecordBytes
  size_t staged_bytes;

  pthread_mutex_t receive_lock;  // guards what follows it
  bool is_receive_broken;
  uint8_t *received_bytes;  // kReceiveCapacity: [begin, end) is not consumed yet
  size_t begin, end;
  uint64_t payload_left;
} stream_channel_t;

typedef struct stream_listener {
  genie_listener_t base;
  genie_stream_options_t options;
  genie_trust_t trust;
  SSL_CTX *context;
  char own_fingerprint[GENIE_FINGERPRINT_TEXT_BYTES];
  int socket;
  genie_wake_t wake;
} stream_listener_t;

static void count(stream_counters_t *counters, uint64_t messages, uint64_t bytes, uint64_t ns) {
  atomic_fetch_add_explicit(&counters->messages, messages, memory_order_relaxed);
  atomic_fetch_add_explicit(&counters->bytes, bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&counters->ns, ns, memory_order_relaxed);
}

static void turn_take(stream_turn_t *turn, stream_side_t side) {
  const stream_side_t other = side == STREAM_SEND ? STREAM_RECEIVE : STREAM_SEND;
  for (int i = 0; i < kHandoverSpins && atomic_load_explicit(&turn->is_wanted[other], memory_order_relaxed); ++i) {
    __builtin_ia32_pause();
  }
  if (pthread_mutex_trylock(&turn->lock) == 0) {
    return;
  }
  atomic_store_explicit(&turn->is_wanted[side], true, memory_order_relaxed);
  pthread_mutex_lock(&turn->lock);
  atomic_store_explicit(&turn->is_wanted[side], false, memory_order_relaxed);
}

static void turn_give(stream_turn_t *turn) {
  pthread_mutex_unlock(&turn->lock);
}

static genie_status_t interrupted(const stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_CANCELLED, "%s: the channel was interrupted", stream->base.peer.name);
}

static genie_status_t peer_gone(const stream_channel_t *stream, const char *why) {
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: %s", stream->base.peer.name, why);
}

static genie_status_t refused_by_peer(const stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                           "%s: refuses the key %s: add it to the authorized keys there", stream->base.peer.name,
                           stream->own_fingerprint);
}

// A short spin catches an answer that is on its way without the cost of sleeping; only receivers do it.
static bool spin_for_input(stream_channel_t *stream, genie_deadline_ns_t deadline) {
  if (stream->options.spin_ns == GENIE_STREAM_NO_SPIN) {
    return false;
  }
  genie_deadline_ns_t end = genie_deadline_after_ns(stream->options.spin_ns);
  end = deadline < end ? deadline : end;
  do {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      uint8_t byte;
      const ssize_t got = recv(stream->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got >= 0 || errno != EAGAIN || genie_wake_is_set(&stream->wake)) {
        return true;
      }
    }
  } while (genie_deadline_clock_ns() < end);
  return false;
}

static genie_status_t wait_for(stream_channel_t *stream, short events, genie_deadline_ns_t deadline) {
  if (events == POLLIN && spin_for_input(stream, deadline)) {
    return genie_wake_is_set(&stream->wake) ? interrupted(stream) : GENIE_OK;
  }
  switch (genie_wake_poll(&stream->wake, stream->socket, events, deadline)) {
    case GENIE_WAIT_READY:
      return GENIE_OK;
    case GENIE_WAIT_INTERRUPTED:
      return interrupted(stream);
    default:
      return genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: the deadline passed while %s",
                               stream->base.peer.name, events == POLLIN ? "receiving" : "sending");
  }
}

// What an SSL call that returned no bytes means. OK: the socket was waited for, try again. `error` is SSL_get_error's,
// `detail` the top of OpenSSL's queue, `system_error` errno after the call.
static genie_status_t after_ssl_call(stream_channel_t *stream, int error, unsigned long detail, int system_error,
                                     genie_deadline_ns_t deadline) {
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return wait_for(stream, POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return wait_for(stream, POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
      return peer_gone(stream, "closed the connection");
    case SSL_ERROR_SYSCALL:
      return peer_gone(stream, system_error != 0 ? strerror(system_error) : "is gone");
    default:
      break;
  }
  if (stream->judgement.refusal != GENIE_OK) {
    const genie_status_t refusal = stream->judgement.refusal;
    stream->judgement.refusal = GENIE_OK;
    return refusal;
  }
  if (genie_stream_tls_is_refusal(detail)) {
    return refused_by_peer(stream);
  }
  const char *reason = ERR_reason_error_string(detail);
  return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: TLS fails: %s", stream->base.peer.name,
                           reason != NULL ? reason : "no reason given");
}

static genie_status_t write_some(stream_channel_t *stream, const uint8_t *data, size_t bytes,
                                 genie_deadline_ns_t deadline, size_t *out_written) {
  for (;;) {
    if (genie_wake_is_set(&stream->wake)) {
      return interrupted(stream);
    }
    size_t written = 0;
    turn_take(&stream->turn, STREAM_SEND);
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(stream->ssl, data, bytes, &written);
    const int system_error = errno;
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, result);
    turn_give(&stream->turn);
    if (result == 1) {
      *out_written = written;
      return GENIE_OK;
    }
    GENIE_RETURN_IF_ERROR(after_ssl_call(stream, error, ERR_peek_error(), system_error, deadline));
  }
}

static genie_status_t read_some(stream_channel_t *stream, uint8_t *data, size_t bytes, genie_deadline_ns_t deadline,
                                size_t *out_read) {
  for (;;) {
    if (genie_wake_is_set(&stream->wake)) {
      return interrupted(stream);
    }
    size_t got = 0;
    turn_take(&stream->turn, STREAM_RECEIVE);
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(stream->ssl, data, bytes, &got);
    const int system_error = errno;
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, result);
    turn_give(&stream->turn);
    if (result == 1) {
      *out_read = got;
      return GENIE_OK;
    }
    GENIE_RETURN_IF_ERROR(after_ssl_call(stream, error, ERR_peek_error(), system_error, deadline));
  }
}

static genie_status_t write_all(stream_channel_t *stream, const uint8_t *data, size_t bytes,
                                genie_deadline_ns_t deadline) {
  while (bytes > 0) {
    size_t written = 0;
    // One record a turn, so that the other direction gets its own.
    const size_t step = bytes < kRecordBytes ? bytes : kRecordBytes;
    GENIE_RETURN_IF_ERROR(write_some(stream, data, step, deadline, &written));
    data += written;
    bytes -= written;
  }
  return GENIE_OK;
}

static genie_status_t flush(stream_channel_t *stream, genie_deadline_ns_t deadline) {
  const size_t bytes = stream->staged_bytes;
  stream->staged_bytes = 0;
  return write_all(stream, stream->staged, bytes, deadline);
}

// Small pieces gather to full records; what is larger goes from where it lies.
static genie_status_t put(stream_channel_t *stream, const void *data, size_t bytes, genie_deadline_ns_t deadline) {
  const uint8_t *cursor = data;
  while (bytes > 0) {
    if (stream->staged_bytes == 0 && bytes >= kRecordBytes) {
      const size_t direct = bytes - bytes % kRecordBytes;
      GENIE_RETURN_IF_ERROR(write_all(stream, cursor, direct, deadline));
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
      GENIE_RETURN_IF_ERROR(flush(stream, deadline));
    }
  }
  return GENIE_OK;
}

static genie_status_t put_message(stream_channel_t *stream, const genie_message_t *message, uint64_t payload_bytes,
                                  genie_deadline_ns_t deadline) {
  const stream_prefix_t prefix = {
      .magic = kMagic, .header_bytes = (uint32_t)message->header_bytes, .payload_bytes = payload_bytes};
  GENIE_RETURN_IF_ERROR(put(stream, &prefix, sizeof(prefix), deadline));
  GENIE_RETURN_IF_ERROR(put(stream, message->header, message->header_bytes, deadline));
  for (size_t i = 0; i < message->payload_count; ++i) {
    GENIE_RETURN_IF_ERROR(put(stream, message->payload[i].iov_base, message->payload[i].iov_len, deadline));
  }
  return message->has_more ? GENIE_OK : flush(stream, deadline);
}

static genie_status_t not_open(const stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the handshake is not done", stream->base.peer.name);
}

static genie_status_t broken(const stream_channel_t *stream) {
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: the channel failed before", stream->base.peer.name);
}

static genie_status_t stream_send(genie_channel_t *channel, const genie_message_t *message,
                                  genie_deadline_ns_t deadline) {
  stream_channel_t *stream = (stream_channel_t *)channel;
  uint64_t payload_bytes = 0;
  genie_status_t status = genie_message_measure(message, stream->options.max_payload_bytes, &payload_bytes);
  if (status != GENIE_OK) {
    return genie_status_annotate(status, "%s", channel->peer.name);
  }
  if (!stream->is_open) {
    return not_open(stream);
  }
  pthread_mutex_lock(&stream->send_lock);
  if (stream->is_send_broken) {
    status = genie_wake_is_set(&stream->wake) ? interrupted(stream) : broken(stream);
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

// Makes [begin, end) hold at least `need` bytes.
static genie_status_t fill(stream_channel_t *stream, size_t need, genie_deadline_ns_t deadline) {
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
    GENIE_RETURN_IF_ERROR(
        read_some(stream, stream->received_bytes + stream->end, kReceiveCapacity - stream->end, deadline, &got));
    stream->end += got;
  }
  return GENIE_OK;
}

static genie_status_t check_prefix(const stream_channel_t *stream, const stream_prefix_t *prefix, size_t capacity) {
  if (prefix->magic != kMagic || prefix->header_bytes == 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: its bytes are no message", stream->base.peer.name);
  }
  const size_t most = capacity < GENIE_CHANNEL_MAX_HEADER_BYTES ? capacity : GENIE_CHANNEL_MAX_HEADER_BYTES;
  if (prefix->header_bytes > most) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a header of %u bytes, at most %zu are allowed",
                             stream->base.peer.name, prefix->header_bytes, most);
  }
  if (prefix->payload_bytes > stream->options.max_payload_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a payload of %llu bytes, at most %llu are allowed",
                             stream->base.peer.name, (unsigned long long)prefix->payload_bytes,
                             (unsigned long long)stream->options.max_payload_bytes);
  }
  return GENIE_OK;
}

static genie_status_t take_header(stream_channel_t *stream, void *buffer, size_t capacity, genie_deadline_ns_t deadline,
                                  size_t *out_header_bytes, uint64_t *out_payload_bytes) {
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
  stream_channel_t *stream = (stream_channel_t *)channel;
  if (!stream->is_open) {
    return not_open(stream);
  }
  pthread_mutex_lock(&stream->receive_lock);
  genie_status_t status = GENIE_OK;
  if (stream->is_receive_broken) {
    status = genie_wake_is_set(&stream->wake) ? interrupted(stream) : broken(stream);
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

static genie_status_t take_bytes(stream_channel_t *stream, uint8_t *destination, size_t bytes,
                                 genie_deadline_ns_t deadline) {
  while (bytes > 0) {
    size_t step = stream->end - stream->begin;
    if (step > 0) {
      step = bytes < step ? bytes : step;
      memcpy(destination, stream->received_bytes + stream->begin, step);
      stream->begin += step;
    } else if (bytes >= kDirectBytes) {
      GENIE_RETURN_IF_ERROR(read_some(stream, destination, bytes, deadline, &step));
    } else {
      GENIE_RETURN_IF_ERROR(fill(stream, 1, deadline));
    }
    destination += step;
    bytes -= step;
  }
  return GENIE_OK;
}

static genie_status_t take_pieces(stream_channel_t *stream, const struct iovec *pieces, size_t piece_count,
                                  genie_deadline_ns_t deadline) {
  for (size_t i = 0; i < piece_count; ++i) {
    GENIE_RETURN_IF_ERROR(take_bytes(stream, pieces[i].iov_base, pieces[i].iov_len, deadline));
  }
  return GENIE_OK;
}

static genie_status_t stream_receive_payload(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                             genie_deadline_ns_t deadline) {
  stream_channel_t *stream = (stream_channel_t *)channel;
  const genie_message_t measured = {.header = "", .header_bytes = 1, .payload = pieces, .payload_count = piece_count};
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(&measured, UINT64_MAX, &bytes));
  pthread_mutex_lock(&stream->receive_lock);
  genie_status_t status = GENIE_OK;
  if (stream->is_receive_broken) {
    status = genie_wake_is_set(&stream->wake) ? interrupted(stream) : broken(stream);
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
  genie_wake_set(&((stream_channel_t *)channel)->wake);
}

static void stream_close(genie_channel_t *channel) {
  stream_channel_t *stream = (stream_channel_t *)channel;
  if (stream->ssl != NULL) {
    if (stream->is_open && !stream->is_send_broken && !stream->is_receive_broken) {
      ERR_clear_error();
      SSL_shutdown(stream->ssl);
    }
    SSL_free(stream->ssl);
    ERR_clear_error();
  }
  if (stream->socket >= 0) {
    close(stream->socket);
  }
  genie_wake_deinit(&stream->wake);
  genie_status_free(stream->judgement.refusal);
  pthread_mutex_destroy(&stream->turn.lock);
  pthread_mutex_destroy(&stream->send_lock);
  pthread_mutex_destroy(&stream->receive_lock);
  genie_allocator_free(channel->allocator, stream->staged);
  genie_allocator_free(channel->allocator, stream->received_bytes);
  genie_allocator_free(channel->allocator, stream);
}

static void stream_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  stream_channel_t *stream = (stream_channel_t *)channel;
  out_stats->sent_messages = atomic_load_explicit(&stream->sent.messages, memory_order_relaxed);
  out_stats->sent_bytes = atomic_load_explicit(&stream->sent.bytes, memory_order_relaxed);
  out_stats->send_ns = atomic_load_explicit(&stream->sent.ns, memory_order_relaxed);
  out_stats->received_messages = atomic_load_explicit(&stream->received.messages, memory_order_relaxed);
  out_stats->received_bytes = atomic_load_explicit(&stream->received.bytes, memory_order_relaxed);
  out_stats->receive_ns = atomic_load_explicit(&stream->received.ns, memory_order_relaxed);
  memcpy(out_stats->path, stream->path, sizeof(out_stats->path));
}

static genie_status_t do_handshake(stream_channel_t *stream, genie_deadline_ns_t deadline) {
  for (;;) {
    if (genie_wake_is_set(&stream->wake)) {
      return interrupted(stream);
    }
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(stream->ssl);
    if (result == 1) {
      return GENIE_OK;
    }
    const int system_error = errno;
    GENIE_RETURN_IF_ERROR(
        after_ssl_call(stream, SSL_get_error(stream->ssl, result), ERR_peek_error(), system_error, deadline));
  }
}

// Under TLS 1.3 a client's handshake is done before the node has seen its certificate: only the node's greeting says
// that it was accepted.
static genie_status_t greet(stream_channel_t *stream, genie_deadline_ns_t deadline) {
  if (!stream->is_client) {
    return write_all(stream, (const uint8_t *)kGreeting, kGreetingBytes, deadline);
  }
  GENIE_RETURN_IF_ERROR(fill(stream, kGreetingBytes, deadline));
  const bool is_greeting = memcmp(stream->received_bytes, kGreeting, kGreetingBytes) == 0;
  stream->begin += kGreetingBytes;
  return is_greeting
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: does not greet as a Genie node", stream->base.peer.name);
}

static genie_status_t stream_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  stream_channel_t *stream = (stream_channel_t *)channel;
  if (stream->is_open) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(do_handshake(stream, deadline));
  GENIE_RETURN_IF_ERROR(greet(stream, deadline));
  genie_stream_tls_describe(stream->ssl, stream->path, sizeof(stream->path));
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

static genie_stream_options_t complete_options(const genie_stream_options_t *options) {
  genie_stream_options_t complete = options != NULL ? *options : (genie_stream_options_t){0};
  if (complete.spin_ns == 0) {
    complete.spin_ns = kDefaultSpinNs;
  }
  if (complete.max_payload_bytes == 0 || complete.max_payload_bytes > GENIE_CHANNEL_MAX_PAYLOAD_BYTES) {
    complete.max_payload_bytes = GENIE_CHANNEL_MAX_PAYLOAD_BYTES;
  }
  if (complete.user_timeout_ms == 0) {
    complete.user_timeout_ms = kDefaultUserTimeoutMs;
  }
  return complete;
}

static genie_status_t allocate_buffers(stream_channel_t *stream) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(stream->base.allocator, kRecordBytes, 1, &memory));
  stream->staged = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(stream->base.allocator, kReceiveCapacity, 1, &memory));
  stream->received_bytes = memory;
  return genie_wake_init(&stream->wake);
}

static genie_status_t stream_create(const genie_stream_options_t *options, const char *name, genie_trust_t trust,
                                    const char *own_fingerprint, bool is_client, genie_allocator_t allocator,
                                    stream_channel_t **out_stream) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(stream_channel_t), &memory));
  stream_channel_t *stream = memory;
  stream->base = (genie_channel_t){.ops = &kStreamOps, .allocator = allocator};
  snprintf(stream->base.peer.name, sizeof(stream->base.peer.name), "%s", name);
  snprintf(stream->own_fingerprint, sizeof(stream->own_fingerprint), "%s", own_fingerprint);
  snprintf(stream->path, sizeof(stream->path), "not connected");
  stream->options = *options;
  stream->socket = -1;
  stream->wake.descriptor = -1;
  stream->is_client = is_client;
  stream->judgement = (genie_stream_judgement_t){.trust = trust, .peer = &stream->base.peer};
  pthread_mutex_init(&stream->turn.lock, NULL);
  pthread_mutex_init(&stream->send_lock, NULL);
  pthread_mutex_init(&stream->receive_lock, NULL);
  const genie_status_t status = allocate_buffers(stream);
  if (status != GENIE_OK) {
    stream_close(&stream->base);
    return status;
  }
  *out_stream = stream;
  return GENIE_OK;
}

static genie_status_t stream_connect(stream_channel_t *stream, const char *address, const genie_identity_t *identity,
                                     genie_deadline_ns_t deadline) {
  GENIE_RETURN_IF_ERROR(
      genie_stream_socket_connect(address, stream->options.user_timeout_ms, &stream->wake, deadline, &stream->socket));
  SSL_CTX *context = NULL;
  GENIE_RETURN_IF_ERROR(genie_stream_tls_context_create(identity, /*is_server=*/false, &context));
  const genie_status_t status = genie_stream_tls_open(context, stream->socket, &stream->judgement, &stream->ssl);
  SSL_CTX_free(context);
  GENIE_RETURN_IF_ERROR(status);
  SSL_set_connect_state(stream->ssl);
  return stream_handshake(&stream->base, deadline);
}

genie_status_t genie_stream_connect(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                    const genie_stream_options_t *options, genie_deadline_ns_t deadline,
                                    genie_allocator_t allocator, genie_channel_t **out_channel) {
  const genie_stream_options_t complete = complete_options(options);
  stream_channel_t *stream = NULL;
  GENIE_RETURN_IF_ERROR(stream_create(&complete, address, trust, genie_identity_get_fingerprint(identity),
                                      /*is_client=*/true, allocator, &stream));
  const genie_status_t status = stream_connect(stream, address, identity, deadline);
  if (status != GENIE_OK) {
    stream_close(&stream->base);
    return status;
  }
  *out_channel = &stream->base;
  return GENIE_OK;
}

static bool is_worth_another_accept(int error) {
  return error == EINTR || error == EAGAIN || error == ECONNABORTED || error == EPROTO;
}

static genie_status_t accept_socket(stream_listener_t *listener, genie_deadline_ns_t deadline, int *out_socket,
                                    char *out_name, size_t name_capacity) {
  for (;;) {
    const genie_wait_result_t waited = genie_wake_poll(&listener->wake, listener->socket, POLLIN, deadline);
    if (waited != GENIE_WAIT_READY) {
      return waited == GENIE_WAIT_DEADLINE
                 ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: nobody connects", listener->base.address)
                 : genie_status_make(GENIE_STATUS_CANCELLED, "%s: the listener was interrupted",
                                     listener->base.address);
    }
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof(peer);
    const int accepted = accept4(listener->socket, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      genie_stream_socket_format((struct sockaddr *)&peer, peer_bytes, out_name, name_capacity);
      *out_socket = accepted;
      return GENIE_OK;
    }
    if (!is_worth_another_accept(errno)) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: cannot accept a connection: %s",
                               listener->base.address, strerror(errno));
    }
  }
}

static genie_status_t stream_accept(genie_listener_t *base, genie_deadline_ns_t deadline,
                                    genie_channel_t **out_channel) {
  stream_listener_t *listener = (stream_listener_t *)base;
  char name[GENIE_CHANNEL_MAX_NAME_BYTES];
  int descriptor = -1;
  GENIE_RETURN_IF_ERROR(accept_socket(listener, deadline, &descriptor, name, sizeof(name)));
  genie_stream_socket_configure(descriptor, listener->options.user_timeout_ms);
  stream_channel_t *stream = NULL;
  genie_status_t status = stream_create(&listener->options, name, listener->trust, listener->own_fingerprint,
                                        /*is_client=*/false, base->allocator, &stream);
  if (status != GENIE_OK) {
    close(descriptor);
    return status;
  }
  stream->socket = descriptor;
  status = genie_stream_tls_open(listener->context, descriptor, &stream->judgement, &stream->ssl);
  if (status != GENIE_OK) {
    stream_close(&stream->base);
    return status;
  }
  SSL_set_accept_state(stream->ssl);
  *out_channel = &stream->base;
  return GENIE_OK;
}

static void listener_interrupt(genie_listener_t *listener) {
  genie_wake_set(&((stream_listener_t *)listener)->wake);
}

static void listener_close(genie_listener_t *base) {
  stream_listener_t *listener = (stream_listener_t *)base;
  if (listener->socket >= 0) {
    close(listener->socket);
  }
  SSL_CTX_free(listener->context);
  genie_wake_deinit(&listener->wake);
  genie_allocator_free(base->allocator, listener);
}

static const genie_listener_ops_t kListenerOps = {
    .accept = stream_accept,
    .interrupt = listener_interrupt,
    .close = listener_close,
};

static genie_status_t listener_open(stream_listener_t *listener, const char *address,
                                    const genie_identity_t *identity) {
  GENIE_RETURN_IF_ERROR(genie_wake_init(&listener->wake));
  GENIE_RETURN_IF_ERROR(genie_stream_tls_context_create(identity, /*is_server=*/true, &listener->context));
  GENIE_RETURN_IF_ERROR(genie_stream_socket_listen(address, &listener->socket));
  struct sockaddr_storage bound;
  socklen_t bound_bytes = sizeof(bound);
  if (getsockname(listener->socket, (struct sockaddr *)&bound, &bound_bytes) == 0) {
    genie_stream_socket_format((struct sockaddr *)&bound, bound_bytes, listener->base.address,
                               sizeof(listener->base.address));
  }
  return GENIE_OK;
}

genie_status_t genie_stream_listen(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                   const genie_stream_options_t *options, genie_allocator_t allocator,
                                   genie_listener_t **out_listener) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(stream_listener_t), &memory));
  stream_listener_t *listener = memory;
  listener->base = (genie_listener_t){.ops = &kListenerOps, .allocator = allocator};
  listener->options = complete_options(options);
  listener->trust = trust;
  listener->socket = -1;
  listener->wake.descriptor = -1;
  snprintf(listener->own_fingerprint, sizeof(listener->own_fingerprint), "%s",
           genie_identity_get_fingerprint(identity));
  const genie_status_t status = listener_open(listener, address, identity);
  if (status != GENIE_OK) {
    listener_close(&listener->base);
    return status;
  }
  *out_listener = &listener->base;
  return GENIE_OK;
}
