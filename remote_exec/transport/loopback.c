#include "remote_exec/transport/loopback.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct loopback_prefix {
  uint64_t header_bytes;
  uint64_t payload_bytes;
} loopback_prefix_t;

// One direction. Whoever closes or interrupts an end sets its flag in both directions.
typedef struct loopback_ring {
  uint8_t *bytes;
  uint64_t written, read;  // in all; their difference is what lies in the ring
} loopback_ring_t;

typedef struct loopback_end {
  genie_channel_t base;
  struct loopback_pair *pair;
  int index;
  bool is_interrupted, is_closed;
  pthread_mutex_t send_lock, receive_lock;
  // Guarded by receive_lock; a header that met its deadline is resumed.
  loopback_prefix_t prefix;
  size_t prefix_have, header_have;
  uint64_t payload_left;
  uint8_t header[GENIE_CHANNEL_MAX_HEADER_BYTES];
  genie_channel_stats_t stats;
} loopback_end_t;

typedef struct loopback_pair {
  genie_allocator_t allocator;
  pthread_mutex_t lock;  // guards the rings, the ends' flags and stats
  pthread_cond_t changed;
  loopback_ring_t rings[2];  // rings[i] is written by end i
  loopback_end_t ends[2];
} loopback_pair_t;

static const loopback_end_t *other_end(const loopback_end_t *end) {
  return &end->pair->ends[1 - end->index];
}

// Waits, with the pair's lock held, for a change. OK: look again.
static genie_status_t wait_for_change(loopback_end_t *end, genie_deadline_ns_t deadline) {
  loopback_pair_t *pair = end->pair;
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&pair->changed, &pair->lock);
    return GENIE_OK;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  return pthread_cond_timedwait(&pair->changed, &pair->lock, &until) == ETIMEDOUT
             ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: the deadline passed", end->base.peer.name)
             : GENIE_OK;
}

static genie_status_t check_interrupt(const loopback_end_t *end) {
  return end->is_interrupted
             ? genie_status_make(GENIE_STATUS_CANCELLED, "%s: the channel was interrupted", end->base.peer.name)
             : GENIE_OK;
}

static genie_status_t peer_gone(const loopback_end_t *end) {
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: closed the connection", end->base.peer.name);
}

static void ring_copy(loopback_ring_t *ring, uint64_t position, uint8_t *outside, size_t bytes, bool is_write) {
  while (bytes > 0) {
    const size_t offset = (size_t)(position % GENIE_LOOPBACK_RING_BYTES);
    const size_t straight = GENIE_LOOPBACK_RING_BYTES - offset;
    const size_t step = bytes < straight ? bytes : straight;
    if (is_write) {
      memcpy(ring->bytes + offset, outside, step);
    } else {
      memcpy(outside, ring->bytes + offset, step);
    }
    position += step;
    outside += step;
    bytes -= step;
  }
}

static genie_status_t write_step(loopback_end_t *end, const uint8_t *data, size_t bytes, genie_deadline_ns_t deadline,
                                 size_t *out_step) {
  loopback_ring_t *ring = &end->pair->rings[end->index];
  for (;;) {
    GENIE_RETURN_IF_ERROR(check_interrupt(end));
    if (other_end(end)->is_closed) {
      return peer_gone(end);
    }
    const size_t space = GENIE_LOOPBACK_RING_BYTES - (size_t)(ring->written - ring->read);
    if (space > 0) {
      *out_step = bytes < space ? bytes : space;
      ring_copy(ring, ring->written, (uint8_t *)data, *out_step, /*is_write=*/true);
      ring->written += *out_step;
      pthread_cond_broadcast(&end->pair->changed);
      return GENIE_OK;
    }
    GENIE_RETURN_IF_ERROR(wait_for_change(end, deadline));
  }
}

static genie_status_t read_step(loopback_end_t *end, uint8_t *data, size_t bytes, genie_deadline_ns_t deadline,
                                size_t *out_step) {
  loopback_ring_t *ring = &end->pair->rings[1 - end->index];
  for (;;) {
    GENIE_RETURN_IF_ERROR(check_interrupt(end));
    const size_t have = (size_t)(ring->written - ring->read);
    if (have > 0) {
      *out_step = bytes < have ? bytes : have;
      ring_copy(ring, ring->read, data, *out_step, /*is_write=*/false);
      ring->read += *out_step;
      pthread_cond_broadcast(&end->pair->changed);
      return GENIE_OK;
    }
    if (other_end(end)->is_closed) {
      return peer_gone(end);
    }
    GENIE_RETURN_IF_ERROR(wait_for_change(end, deadline));
  }
}

static genie_status_t write_all(loopback_end_t *end, const void *data, size_t bytes, genie_deadline_ns_t deadline) {
  const uint8_t *cursor = data;
  while (bytes > 0) {
    size_t step = 0;
    GENIE_RETURN_IF_ERROR(write_step(end, cursor, bytes, deadline, &step));
    cursor += step;
    bytes -= step;
  }
  return GENIE_OK;
}

static genie_status_t write_message(loopback_end_t *end, const genie_message_t *message, uint64_t payload_bytes,
                                    genie_deadline_ns_t deadline) {
  const loopback_prefix_t prefix = {.header_bytes = message->header_bytes, .payload_bytes = payload_bytes};
  GENIE_RETURN_IF_ERROR(write_all(end, &prefix, sizeof(prefix), deadline));
  GENIE_RETURN_IF_ERROR(write_all(end, message->header, message->header_bytes, deadline));
  for (size_t i = 0; i < message->payload_count; ++i) {
    GENIE_RETURN_IF_ERROR(write_all(end, message->payload[i].iov_base, message->payload[i].iov_len, deadline));
  }
  end->stats.sent_messages += 1;
  end->stats.sent_bytes += message->header_bytes + payload_bytes;
  return GENIE_OK;
}

static genie_status_t loopback_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  (void)channel;
  (void)deadline;
  return GENIE_OK;
}

static genie_status_t loopback_send(genie_channel_t *channel, const genie_message_t *message,
                                    genie_deadline_ns_t deadline) {
  loopback_end_t *end = (loopback_end_t *)channel;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(message, GENIE_CHANNEL_MAX_PAYLOAD_BYTES, &payload_bytes));
  pthread_mutex_lock(&end->send_lock);
  pthread_mutex_lock(&end->pair->lock);
  const uint64_t started_ns = genie_deadline_clock_ns();
  const genie_status_t status = write_message(end, message, payload_bytes, deadline);
  end->stats.send_ns += payload_bytes > 0 ? genie_deadline_clock_ns() - started_ns : 0;
  pthread_mutex_unlock(&end->pair->lock);
  pthread_mutex_unlock(&end->send_lock);
  return status;
}

static genie_status_t read_header(loopback_end_t *end, size_t capacity, genie_deadline_ns_t deadline) {
  while (end->prefix_have < sizeof(end->prefix)) {
    size_t step = 0;
    GENIE_RETURN_IF_ERROR(read_step(end, (uint8_t *)&end->prefix + end->prefix_have,
                                    sizeof(end->prefix) - end->prefix_have, deadline, &step));
    end->prefix_have += step;
  }
  if (end->prefix.header_bytes > capacity || end->prefix.header_bytes > sizeof(end->header)) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a header of %llu bytes, at most %zu are allowed",
                             end->base.peer.name, (unsigned long long)end->prefix.header_bytes, capacity);
  }
  while (end->header_have < end->prefix.header_bytes) {
    size_t step = 0;
    GENIE_RETURN_IF_ERROR(
        read_step(end, end->header + end->header_have, end->prefix.header_bytes - end->header_have, deadline, &step));
    end->header_have += step;
  }
  return GENIE_OK;
}

static genie_status_t take_header(loopback_end_t *end, void *buffer, size_t capacity, genie_deadline_ns_t deadline,
                                  size_t *out_header_bytes, uint64_t *out_payload_bytes) {
  if (end->payload_left > 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: %llu bytes of the payload are not taken yet",
                             end->base.peer.name, (unsigned long long)end->payload_left);
  }
  GENIE_RETURN_IF_ERROR(read_header(end, capacity, deadline));
  memcpy(buffer, end->header, end->header_have);
  *out_header_bytes = end->header_have;
  *out_payload_bytes = end->payload_left = end->prefix.payload_bytes;
  end->prefix_have = end->header_have = 0;
  end->stats.received_messages += 1;
  end->stats.received_bytes += *out_header_bytes;
  return GENIE_OK;
}

static genie_status_t loopback_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                              genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                              uint64_t *out_payload_bytes) {
  loopback_end_t *end = (loopback_end_t *)channel;
  pthread_mutex_lock(&end->receive_lock);
  pthread_mutex_lock(&end->pair->lock);
  const genie_status_t status = take_header(end, buffer, capacity, deadline, out_header_bytes, out_payload_bytes);
  pthread_mutex_unlock(&end->pair->lock);
  pthread_mutex_unlock(&end->receive_lock);
  return status;
}

static genie_status_t take_piece(loopback_end_t *end, const struct iovec *piece, genie_deadline_ns_t deadline) {
  uint8_t *cursor = piece->iov_base;
  size_t bytes = piece->iov_len;
  if (bytes > end->payload_left) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the payload has %llu bytes left, not %zu",
                             end->base.peer.name, (unsigned long long)end->payload_left, bytes);
  }
  while (bytes > 0) {
    size_t step = 0;
    GENIE_RETURN_IF_ERROR(read_step(end, cursor, bytes, deadline, &step));
    cursor += step;
    bytes -= step;
    end->payload_left -= step;
    end->stats.received_bytes += step;
  }
  return GENIE_OK;
}

static genie_status_t loopback_receive_payload(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                               genie_deadline_ns_t deadline) {
  loopback_end_t *end = (loopback_end_t *)channel;
  genie_status_t status = GENIE_OK;
  pthread_mutex_lock(&end->receive_lock);
  pthread_mutex_lock(&end->pair->lock);
  const uint64_t started_ns = genie_deadline_clock_ns();
  for (size_t i = 0; i < piece_count && status == GENIE_OK; ++i) {
    status = take_piece(end, &pieces[i], deadline);
  }
  end->stats.receive_ns += genie_deadline_clock_ns() - started_ns;
  pthread_mutex_unlock(&end->pair->lock);
  pthread_mutex_unlock(&end->receive_lock);
  return status;
}

static void loopback_interrupt(genie_channel_t *channel) {
  loopback_end_t *end = (loopback_end_t *)channel;
  pthread_mutex_lock(&end->pair->lock);
  end->is_interrupted = true;
  pthread_cond_broadcast(&end->pair->changed);
  pthread_mutex_unlock(&end->pair->lock);
}

static void pair_destroy(loopback_pair_t *pair) {
  for (int i = 0; i < 2; ++i) {
    pthread_mutex_destroy(&pair->ends[i].send_lock);
    pthread_mutex_destroy(&pair->ends[i].receive_lock);
    genie_allocator_free(pair->allocator, pair->rings[i].bytes);
  }
  pthread_cond_destroy(&pair->changed);
  pthread_mutex_destroy(&pair->lock);
  genie_allocator_free(pair->allocator, pair);
}

static void loopback_close(genie_channel_t *channel) {
  loopback_end_t *end = (loopback_end_t *)channel;
  loopback_pair_t *pair = end->pair;
  pthread_mutex_lock(&pair->lock);
  end->is_closed = true;
  const bool is_last = other_end(end)->is_closed;
  pthread_cond_broadcast(&pair->changed);
  pthread_mutex_unlock(&pair->lock);
  if (is_last) {
    pair_destroy(pair);
  }
}

static void loopback_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  loopback_end_t *end = (loopback_end_t *)channel;
  pthread_mutex_lock(&end->pair->lock);
  *out_stats = end->stats;
  pthread_mutex_unlock(&end->pair->lock);
  snprintf(out_stats->path, sizeof(out_stats->path), "loopback");
}

static const genie_channel_ops_t kLoopbackOps = {
    .handshake = loopback_handshake,
    .send = loopback_send,
    .receive_header = loopback_receive_header,
    .receive_payload = loopback_receive_payload,
    .interrupt = loopback_interrupt,
    .close = loopback_close,
    .get_stats = loopback_get_stats,
};

static void pair_init(loopback_pair_t *pair, genie_allocator_t allocator) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&pair->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&pair->lock, NULL);
  pair->allocator = allocator;
  for (int i = 0; i < 2; ++i) {
    loopback_end_t *end = &pair->ends[i];
    end->base = (genie_channel_t){.ops = &kLoopbackOps, .allocator = allocator, .peer = {.name = "loopback"}};
    end->pair = pair;
    end->index = i;
    pthread_mutex_init(&end->send_lock, NULL);
    pthread_mutex_init(&end->receive_lock, NULL);
  }
}

genie_status_t genie_loopback_create(genie_allocator_t allocator, genie_channel_t **out_first,
                                     genie_channel_t **out_second) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(loopback_pair_t), &memory));
  loopback_pair_t *pair = memory;
  pair_init(pair, allocator);
  for (int i = 0; i < 2; ++i) {
    const genie_status_t status = genie_allocator_allocate_array(allocator, GENIE_LOOPBACK_RING_BYTES, 1, &memory);
    if (status != GENIE_OK) {
      pair_destroy(pair);
      return status;
    }
    pair->rings[i].bytes = memory;
  }
  *out_first = &pair->ends[0].base;
  *out_second = &pair->ends[1].base;
  return GENIE_OK;
}
