#include "remote_exec/transport/window.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "remote_exec/wire/frame.h"

enum { kBatchBytes = 64 << 10, kFlushBytes = 16 << 10 };

// Small messages that wait to be sent together.
typedef struct window_batch {
  uint8_t *bytes;  // kBatchBytes
  size_t used_bytes;
  uint32_t count;
} window_batch_t;

typedef struct window_channel {
  genie_channel_t base;
  genie_channel_t *inner;
  uint64_t window_bytes;
  pthread_t creditor;  // sends credits, so that no receiver ever waits for a send
  bool has_creditor;

  pthread_mutex_t lock;  // guards what follows it
  pthread_cond_t changed;
  bool is_interrupted, is_closing, is_failed;
  bool has_leader;    // a thread is in a send of `inner`
  bool is_crediting;  // the creditor is
  uint64_t in_flight_bytes;
  uint64_t owed_bytes;  // taken, and not yet returned as credit
  window_batch_t waiting, leaving;

  pthread_mutex_t receive_lock;  // guards what follows it
  uint8_t *received;             // the payload of a BATCH; kBatchBytes
  size_t received_bytes, received_offset;
  uint32_t received_left;  // messages of it that are not taken yet
  const uint8_t *payload;  // of the current message when it came in a batch, else NULL
  uint64_t payload_left;
  uint64_t cost_bytes;  // of the current message
} window_channel_t;

static genie_status_t window_error(const window_channel_t *window, genie_status_code_t code, const char *what) {
  return genie_status_make(code, "%s: %s", window->base.peer.name, what);
}

// With the lock held: waits for a change. OK: look again.
static genie_status_t wait_for_change(window_channel_t *window, genie_deadline_ns_t deadline) {
  if (window->is_interrupted) {
    return window_error(window, GENIE_STATUS_CANCELLED, "the channel was interrupted");
  }
  if (window->is_failed) {
    return window_error(window, GENIE_STATUS_UNAVAILABLE, "the channel failed before");
  }
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&window->changed, &window->lock);
    return GENIE_OK;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  return pthread_cond_timedwait(&window->changed, &window->lock, &until) == ETIMEDOUT
             ? window_error(window, GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed while waiting for credit")
             : GENIE_OK;
}

// Without payload a message does not wait: heartbeats and ends of calls come from the thread that alone can see credit.
static genie_status_t take_credit(window_channel_t *window, uint64_t cost_bytes, bool has_payload,
                                  genie_deadline_ns_t deadline) {
  while (has_payload && window->in_flight_bytes > window->window_bytes / 4 &&
         window->in_flight_bytes + cost_bytes > window->window_bytes) {
    GENIE_RETURN_IF_ERROR(wait_for_change(window, deadline));
  }
  window->in_flight_bytes += cost_bytes;
  return GENIE_OK;
}

static void append(window_batch_t *batch, const genie_message_t *message, size_t payload_bytes) {
  const genie_wire_batch_item_t item = {.header_bytes = (uint32_t)message->header_bytes,
                                        .payload_bytes = (uint32_t)payload_bytes};
  const size_t item_bytes = genie_wire_batch_item_bytes(message->header_bytes, payload_bytes);
  uint8_t *cursor = batch->bytes + batch->used_bytes;
  uint8_t *end = cursor + item_bytes;
  memcpy(cursor, &item, sizeof(item));
  cursor += sizeof(item);
  memcpy(cursor, message->header, message->header_bytes);
  cursor += message->header_bytes;
  for (size_t i = 0; i < message->payload_count; ++i) {
    if (message->payload[i].iov_len > 0) {
      memcpy(cursor, message->payload[i].iov_base, message->payload[i].iov_len);
      cursor += message->payload[i].iov_len;
    }
  }
  memset(cursor, 0, (size_t)(end - cursor));
  batch->used_bytes += item_bytes;
  ++batch->count;
}

// A batch of one travels as it is.
static genie_status_t send_batch(window_channel_t *window, const window_batch_t *batch, genie_deadline_ns_t deadline) {
  genie_wire_batch_t header;
  struct iovec piece = {.iov_base = batch->bytes, .iov_len = batch->used_bytes};
  genie_message_t message = {.header = &header, .header_bytes = sizeof(header), .payload = &piece, .payload_count = 1};
  if (batch->count == 1) {
    genie_wire_batch_item_t item;
    memcpy(&item, batch->bytes, sizeof(item));
    message.header = batch->bytes + sizeof(item);
    message.header_bytes = item.header_bytes;
    piece = (struct iovec){.iov_base = batch->bytes + sizeof(item) + item.header_bytes, .iov_len = item.payload_bytes};
    message.payload_count = item.payload_bytes > 0 ? 1 : 0;
  } else {
    genie_wire_batch_init(batch->count, &header);
  }
  return genie_channel_send(window->inner, &message, deadline);
}

// With the lock held and as the leader: sends what waits, and what comes to wait meanwhile.
static genie_status_t send_waiting(window_channel_t *window, genie_deadline_ns_t deadline) {
  genie_status_t status = GENIE_OK;
  while (window->waiting.count > 0 && status == GENIE_OK) {
    const window_batch_t full = window->waiting;
    window->waiting = window->leaving;
    window->leaving = full;
    pthread_cond_broadcast(&window->changed);  // there is room again
    pthread_mutex_unlock(&window->lock);
    status = send_batch(window, &full, deadline);
    pthread_mutex_lock(&window->lock);
    window->leaving.used_bytes = 0;
    window->leaving.count = 0;
  }
  return status;
}

static genie_status_t lead(window_channel_t *window, genie_deadline_ns_t deadline) {
  while (window->has_leader) {
    GENIE_RETURN_IF_ERROR(wait_for_change(window, deadline));
  }
  window->has_leader = true;
  return GENIE_OK;
}

static genie_status_t stop_leading(window_channel_t *window, genie_status_t status) {
  window->has_leader = false;
  window->is_failed = window->is_failed || status != GENIE_OK;
  pthread_cond_broadcast(&window->changed);
  return status;
}

static genie_status_t send_small(window_channel_t *window, const genie_message_t *message, size_t payload_bytes,
                                 genie_deadline_ns_t deadline) {
  const size_t item_bytes = genie_wire_batch_item_bytes(message->header_bytes, payload_bytes);
  while (window->waiting.used_bytes + item_bytes > kBatchBytes) {
    GENIE_RETURN_IF_ERROR(lead(window, deadline));
    GENIE_RETURN_IF_ERROR(stop_leading(window, send_waiting(window, deadline)));
  }
  append(&window->waiting, message, payload_bytes);
  const bool may_wait = message->has_more && window->waiting.used_bytes < kFlushBytes;
  if (may_wait || window->has_leader) {
    return GENIE_OK;
  }
  window->has_leader = true;
  return stop_leading(window, send_waiting(window, deadline));
}

static genie_status_t send_large(window_channel_t *window, const genie_message_t *message,
                                 genie_deadline_ns_t deadline) {
  GENIE_RETURN_IF_ERROR(lead(window, deadline));
  genie_status_t status = send_waiting(window, deadline);
  if (status == GENIE_OK) {
    pthread_mutex_unlock(&window->lock);
    status = genie_channel_send(window->inner, message, deadline);
    pthread_mutex_lock(&window->lock);
  }
  if (status == GENIE_OK) {
    status = send_waiting(window, deadline);
  }
  return stop_leading(window, status);
}

static genie_status_t window_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  return genie_channel_handshake(((window_channel_t *)channel)->inner, deadline);
}

static genie_status_t window_send(genie_channel_t *channel, const genie_message_t *message,
                                  genie_deadline_ns_t deadline) {
  window_channel_t *window = (window_channel_t *)channel;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(message, GENIE_CHANNEL_MAX_PAYLOAD_BYTES, &payload_bytes));
  const uint64_t cost_bytes = message->header_bytes + payload_bytes;
  pthread_mutex_lock(&window->lock);
  genie_status_t status = window->is_interrupted || window->is_failed
                              ? wait_for_change(window, GENIE_DEADLINE_NOW)
                              : take_credit(window, cost_bytes, payload_bytes > 0, deadline);
  if (status == GENIE_OK) {
    status = cost_bytes <= GENIE_WINDOW_SMALL_BYTES ? send_small(window, message, (size_t)payload_bytes, deadline)
                                                    : send_large(window, message, deadline);
    window->is_failed = window->is_failed || status != GENIE_OK;
  }
  pthread_mutex_unlock(&window->lock);
  return status;
}

// Returns the credit of messages that were taken, once it is worth a message.
static void *creditor_main(void *argument) {
  window_channel_t *window = argument;
  pthread_mutex_lock(&window->lock);
  while (!window->is_closing && !window->is_interrupted && !window->is_failed) {
    if (window->owed_bytes <= window->window_bytes / 8) {
      pthread_cond_wait(&window->changed, &window->lock);
      continue;
    }
    genie_wire_credit_t credit;
    genie_wire_credit_init(window->owed_bytes, &credit);
    window->owed_bytes = 0;
    window->is_crediting = true;
    pthread_mutex_unlock(&window->lock);
    const genie_message_t message = {.header = &credit, .header_bytes = sizeof(credit)};
    const genie_status_t status = genie_channel_send(window->inner, &message, GENIE_DEADLINE_NEVER);
    pthread_mutex_lock(&window->lock);
    window->is_crediting = false;
    window->is_failed = window->is_failed || status != GENIE_OK;
    genie_status_free(status);  // whoever sends or receives next sees it
  }
  pthread_mutex_unlock(&window->lock);
  return NULL;
}

static genie_status_t add_credit(window_channel_t *window, const void *header, size_t header_bytes) {
  genie_wire_credit_t credit;
  GENIE_RETURN_IF_ERROR(genie_wire_credit_read(header, header_bytes, &credit));
  pthread_mutex_lock(&window->lock);
  const bool is_good = credit.bytes <= window->in_flight_bytes;
  window->in_flight_bytes -= is_good ? credit.bytes : 0;
  pthread_cond_broadcast(&window->changed);
  pthread_mutex_unlock(&window->lock);
  return is_good ? GENIE_OK : window_error(window, GENIE_STATUS_DATA_LOSS, "returns more credit than it got bytes");
}

static genie_status_t take_batch(window_channel_t *window, const void *header, size_t header_bytes,
                                 uint64_t payload_bytes, genie_deadline_ns_t deadline) {
  genie_wire_batch_t batch;
  GENIE_RETURN_IF_ERROR(genie_wire_batch_read(header, header_bytes, &batch));
  if (payload_bytes > kBatchBytes) {
    return window_error(window, GENIE_STATUS_OUT_OF_RANGE, "sends a batch that is over its limit");
  }
  GENIE_RETURN_IF_ERROR(genie_channel_receive_payload(window->inner, window->received, payload_bytes, deadline));
  window->received_bytes = (size_t)payload_bytes;
  window->received_offset = 0;
  window->received_left = batch.count;
  return GENIE_OK;
}

// The current message was taken in full: its credit is owed.
static void finish_message(window_channel_t *window) {
  pthread_mutex_lock(&window->lock);
  window->owed_bytes += window->cost_bytes;
  if (window->owed_bytes > window->window_bytes / 8) {
    pthread_cond_broadcast(&window->changed);
  }
  pthread_mutex_unlock(&window->lock);
  window->payload = NULL;
}

static void begin_message(window_channel_t *window, size_t header_bytes, uint64_t payload_bytes,
                          const uint8_t *payload) {
  window->payload = payload;
  window->payload_left = payload_bytes;
  window->cost_bytes = header_bytes + payload_bytes;
  if (payload_bytes == 0) {
    finish_message(window);
  }
}

static genie_status_t take_from_batch(window_channel_t *window, void *buffer, size_t capacity, size_t *out_header_bytes,
                                      uint64_t *out_payload_bytes) {
  genie_wire_batch_item_t item;
  const uint8_t *header = NULL;
  const uint8_t *payload = NULL;
  GENIE_RETURN_IF_ERROR(genie_wire_batch_next(window->received, window->received_bytes, &window->received_offset, &item,
                                              &header, &payload));
  if (item.header_bytes > capacity) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a header of %u bytes, at most %zu are allowed",
                             window->base.peer.name, item.header_bytes, capacity);
  }
  --window->received_left;
  memcpy(buffer, header, item.header_bytes);
  *out_header_bytes = item.header_bytes;
  *out_payload_bytes = item.payload_bytes;
  begin_message(window, item.header_bytes, item.payload_bytes, payload);
  return GENIE_OK;
}

static genie_wire_kind_t kind_of(const void *header, size_t header_bytes) {
  genie_wire_prefix_t prefix = {0};
  memcpy(&prefix, header, header_bytes < sizeof(prefix) ? header_bytes : sizeof(prefix));
  return header_bytes == sizeof(genie_wire_credit_t) ? (genie_wire_kind_t)prefix.kind : (genie_wire_kind_t)0;
}

static genie_status_t take_header(window_channel_t *window, void *buffer, size_t capacity, genie_deadline_ns_t deadline,
                                  size_t *out_header_bytes, uint64_t *out_payload_bytes) {
  while (window->received_left == 0) {
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    GENIE_RETURN_IF_ERROR(
        genie_channel_receive_header(window->inner, buffer, capacity, deadline, &header_bytes, &payload_bytes));
    const genie_wire_kind_t kind = kind_of(buffer, header_bytes);
    if (kind == GENIE_WIRE_CREDIT && payload_bytes == 0) {
      GENIE_RETURN_IF_ERROR(add_credit(window, buffer, header_bytes));
    } else if (kind == GENIE_WIRE_BATCH) {
      GENIE_RETURN_IF_ERROR(take_batch(window, buffer, header_bytes, payload_bytes, deadline));
    } else {
      *out_header_bytes = header_bytes;
      *out_payload_bytes = payload_bytes;
      begin_message(window, header_bytes, payload_bytes, NULL);
      return GENIE_OK;
    }
  }
  return take_from_batch(window, buffer, capacity, out_header_bytes, out_payload_bytes);
}

// Senders that wait for credit are not to wait for a peer that is gone.
static genie_status_t note_failure(window_channel_t *window, genie_status_t status) {
  const genie_status_code_t code = genie_status_code(status);
  if (code != GENIE_STATUS_OK && code != GENIE_STATUS_DEADLINE_EXCEEDED && code != GENIE_STATUS_FAILED_PRECONDITION) {
    pthread_mutex_lock(&window->lock);
    window->is_failed = true;
    pthread_cond_broadcast(&window->changed);
    pthread_mutex_unlock(&window->lock);
  }
  return status;
}

static genie_status_t window_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                            genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                            uint64_t *out_payload_bytes) {
  window_channel_t *window = (window_channel_t *)channel;
  if (capacity < sizeof(genie_wire_credit_t)) {
    _Alignas(8) uint8_t larger[sizeof(genie_wire_credit_t)];
    GENIE_RETURN_IF_ERROR(
        window_receive_header(channel, larger, sizeof(larger), deadline, out_header_bytes, out_payload_bytes));
    if (*out_header_bytes > capacity) {
      return window_error(window, GENIE_STATUS_OUT_OF_RANGE, "sends a header that there is no room for");
    }
    memcpy(buffer, larger, *out_header_bytes);
    return GENIE_OK;
  }
  pthread_mutex_lock(&window->receive_lock);
  const genie_status_t status =
      window->payload_left > 0
          ? window_error(window, GENIE_STATUS_FAILED_PRECONDITION, "bytes of the payload are not taken yet")
          : take_header(window, buffer, capacity, deadline, out_header_bytes, out_payload_bytes);
  pthread_mutex_unlock(&window->receive_lock);
  return note_failure(window, status);
}

static genie_status_t take_payload(window_channel_t *window, const struct iovec *pieces, size_t piece_count,
                                   uint64_t bytes, genie_deadline_ns_t deadline) {
  if (bytes > window->payload_left) {
    return window_error(window, GENIE_STATUS_FAILED_PRECONDITION, "the payload has fewer bytes left");
  }
  if (window->payload == NULL) {
    GENIE_RETURN_IF_ERROR(genie_channel_receive_pieces(window->inner, pieces, piece_count, deadline));
  }
  for (size_t i = 0; i < piece_count && window->payload != NULL; ++i) {
    if (pieces[i].iov_len > 0) {
      memcpy(pieces[i].iov_base, window->payload, pieces[i].iov_len);
      window->payload += pieces[i].iov_len;
    }
  }
  window->payload_left -= bytes;
  if (bytes > 0 && window->payload_left == 0) {
    finish_message(window);
  }
  return GENIE_OK;
}

static genie_status_t window_receive_payload(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                             genie_deadline_ns_t deadline) {
  window_channel_t *window = (window_channel_t *)channel;
  const genie_message_t measured = {.header = "", .header_bytes = 1, .payload = pieces, .payload_count = piece_count};
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(&measured, UINT64_MAX, &bytes));
  pthread_mutex_lock(&window->receive_lock);
  const genie_status_t status = take_payload(window, pieces, piece_count, bytes, deadline);
  pthread_mutex_unlock(&window->receive_lock);
  return note_failure(window, status);
}

static void window_interrupt(genie_channel_t *channel) {
  window_channel_t *window = (window_channel_t *)channel;
  pthread_mutex_lock(&window->lock);
  window->is_interrupted = true;
  pthread_cond_broadcast(&window->changed);
  pthread_mutex_unlock(&window->lock);
  genie_channel_interrupt(window->inner);
}

static void stop_creditor(window_channel_t *window) {
  pthread_mutex_lock(&window->lock);
  window->is_closing = true;
  const bool is_crediting = window->is_crediting;
  pthread_cond_broadcast(&window->changed);
  pthread_mutex_unlock(&window->lock);
  if (is_crediting) {
    genie_channel_interrupt(window->inner);  // the peer may have stopped reading
  }
  pthread_join(window->creditor, NULL);
}

static void window_close(genie_channel_t *channel) {
  window_channel_t *window = (window_channel_t *)channel;
  if (window->has_creditor) {
    stop_creditor(window);
  }
  genie_channel_close(window->inner);
  pthread_cond_destroy(&window->changed);
  pthread_mutex_destroy(&window->lock);
  pthread_mutex_destroy(&window->receive_lock);
  genie_allocator_free(channel->allocator, window->waiting.bytes);
  genie_allocator_free(channel->allocator, window->leaving.bytes);
  genie_allocator_free(channel->allocator, window->received);
  genie_allocator_free(channel->allocator, window);
}

static void window_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  genie_channel_get_stats(((window_channel_t *)channel)->inner, out_stats);
}

static const genie_channel_ops_t kWindowOps = {
    .handshake = window_handshake,
    .send = window_send,
    .receive_header = window_receive_header,
    .receive_payload = window_receive_payload,
    .interrupt = window_interrupt,
    .close = window_close,
    .get_stats = window_get_stats,
};

static genie_status_t window_init(window_channel_t *window) {
  uint8_t **const buffers[] = {&window->waiting.bytes, &window->leaving.bytes, &window->received};
  for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); ++i) {
    void *memory = NULL;
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(window->base.allocator, kBatchBytes, 1, &memory));
    *buffers[i] = memory;
  }
  window->has_creditor = pthread_create(&window->creditor, NULL, creditor_main, window) == 0;
  return window->has_creditor ? GENIE_OK
                              : window_error(window, GENIE_STATUS_RESOURCE_EXHAUSTED, "no thread for its credits");
}

genie_status_t genie_window_wrap(genie_channel_t *inner, uint64_t window_bytes, genie_channel_t **out_channel) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(inner->allocator, 1, sizeof(window_channel_t), &memory));
  window_channel_t *window = memory;
  window->base = (genie_channel_t){.ops = &kWindowOps, .allocator = inner->allocator, .peer = inner->peer};
  window->window_bytes = window_bytes == 0                         ? GENIE_WINDOW_DEFAULT_BYTES
                         : window_bytes < GENIE_WINDOW_LEAST_BYTES ? GENIE_WINDOW_LEAST_BYTES
                                                                   : window_bytes;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&window->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&window->lock, NULL);
  pthread_mutex_init(&window->receive_lock, NULL);
  window->inner = inner;
  const genie_status_t status = window_init(window);
  if (status != GENIE_OK) {
    window->inner = NULL;  // still the caller's
    window_close(&window->base);
    return status;
  }
  *out_channel = &window->base;
  return GENIE_OK;
}

uint64_t genie_window_get_in_flight(genie_channel_t *channel) {
  window_channel_t *window = (window_channel_t *)channel;
  pthread_mutex_lock(&window->lock);
  const uint64_t bytes = window->in_flight_bytes;
  pthread_mutex_unlock(&window->lock);
  return bytes;
}
