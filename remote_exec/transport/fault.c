#include "remote_exec/transport/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef enum fault_kind {
  FAULT_NONE,
  FAULT_DELAY,
  FAULT_DROP,
  FAULT_DUPLICATE,
  FAULT_TRUNCATE,
  FAULT_DISCONNECT
} fault_kind_t;

typedef struct fault_channel {
  genie_channel_t base;
  genie_channel_t *inner;
  genie_fault_options_t options;
  pthread_mutex_t lock;  // guards what follows it
  pthread_cond_t interrupted;
  bool is_interrupted, is_cut;
  uint64_t random;  // state of xorshift64*, not 0
  uint64_t sent_count;
  genie_fault_counts_t counts;
} fault_channel_t;

static uint64_t next_random(fault_channel_t *fault) {
  uint64_t x = fault->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  fault->random = x;
  return x * UINT64_C(2685821657736338717);
}

static fault_kind_t choose(fault_channel_t *fault) {
  enum { kMillion = 1000000 };
  if (fault->sent_count++ < fault->options.faultless_count) {
    return FAULT_NONE;
  }
  const uint32_t rates[] = {fault->options.delay_ppm, fault->options.drop_ppm, fault->options.duplicate_ppm,
                            fault->options.truncate_ppm, fault->options.disconnect_ppm};
  uint64_t draw = (next_random(fault) >> 16) % kMillion;
  for (int i = 0; i < (int)(sizeof(rates) / sizeof(rates[0])); ++i) {
    if (draw < rates[i]) {
      return (fault_kind_t)(FAULT_DELAY + i);
    }
    draw -= rates[i];
  }
  return FAULT_NONE;
}

static genie_status_t cut(fault_channel_t *fault) {
  pthread_mutex_lock(&fault->lock);
  fault->is_cut = true;
  pthread_mutex_unlock(&fault->lock);
  // Both directions end: whoever receives on this channel is woken.
  genie_channel_interrupt(fault->inner);
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: the connection was cut by a fault", fault->base.peer.name);
}

// What the inner channel says after a cut is the cut.
static genie_status_t translate(fault_channel_t *fault, genie_status_t status) {
  if (genie_status_code(status) != GENIE_STATUS_CANCELLED) {
    return status;
  }
  pthread_mutex_lock(&fault->lock);
  const bool is_cut = fault->is_cut && !fault->is_interrupted;
  pthread_mutex_unlock(&fault->lock);
  if (!is_cut) {
    return status;
  }
  genie_status_free(status);
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: the connection was cut by a fault", fault->base.peer.name);
}

static genie_status_t delay(fault_channel_t *fault, uint64_t delay_ns, genie_deadline_ns_t deadline) {
  const genie_deadline_ns_t end = genie_deadline_after_ns(delay_ns);
  const genie_deadline_ns_t until = end < deadline ? end : deadline;
  const struct timespec time = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
  pthread_mutex_lock(&fault->lock);
  while (!fault->is_interrupted && pthread_cond_timedwait(&fault->interrupted, &fault->lock, &time) != ETIMEDOUT) {
  }
  const bool is_interrupted = fault->is_interrupted;
  pthread_mutex_unlock(&fault->lock);
  if (is_interrupted) {
    return genie_status_make(GENIE_STATUS_CANCELLED, "%s: the channel was interrupted", fault->base.peer.name);
  }
  return until == end ? GENIE_OK
                      : genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: the deadline passed while sending",
                                          fault->base.peer.name);
}

// What arrives is a message with the first half of its first piece, or of its header; then the channel ends.
static genie_status_t send_truncated(fault_channel_t *fault, const genie_message_t *message,
                                     genie_deadline_ns_t deadline) {
  struct iovec half = {0};
  genie_message_t shorter = *message;
  if (message->payload_count > 0) {
    half = (struct iovec){.iov_base = message->payload[0].iov_base, .iov_len = message->payload[0].iov_len / 2};
    shorter.payload = &half;
    shorter.payload_count = 1;
  } else {
    shorter.header_bytes = (message->header_bytes + 1) / 2;
  }
  genie_status_free(genie_channel_send(fault->inner, &shorter, deadline));
  return cut(fault);
}

static genie_status_t send_with(fault_channel_t *fault, fault_kind_t kind, uint64_t delay_ns,
                                const genie_message_t *message, genie_deadline_ns_t deadline) {
  switch (kind) {
    case FAULT_DELAY:
      GENIE_RETURN_IF_ERROR(delay(fault, delay_ns, deadline));
      break;
    case FAULT_DROP:
      return GENIE_OK;
    case FAULT_DUPLICATE:
      GENIE_RETURN_IF_ERROR(genie_channel_send(fault->inner, message, deadline));
      break;
    case FAULT_TRUNCATE:
      return send_truncated(fault, message, deadline);
    case FAULT_DISCONNECT:
      return cut(fault);
    default:
      break;
  }
  return genie_channel_send(fault->inner, message, deadline);
}

static genie_status_t fault_send(genie_channel_t *channel, const genie_message_t *message,
                                 genie_deadline_ns_t deadline) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(message, GENIE_CHANNEL_MAX_PAYLOAD_BYTES, &payload_bytes));
  pthread_mutex_lock(&fault->lock);
  const fault_kind_t kind = choose(fault);
  const uint64_t delay_ns = kind == FAULT_DELAY && fault->options.maximum_delay_ns > 0
                                ? next_random(fault) % fault->options.maximum_delay_ns
                                : 0;
  fault->counts.delayed += kind == FAULT_DELAY;
  fault->counts.dropped += kind == FAULT_DROP;
  fault->counts.duplicated += kind == FAULT_DUPLICATE;
  fault->counts.truncated += kind == FAULT_TRUNCATE;
  fault->counts.disconnected += kind == FAULT_DISCONNECT;
  pthread_mutex_unlock(&fault->lock);
  return translate(fault, send_with(fault, kind, delay_ns, message, deadline));
}

static genie_status_t fault_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  const genie_status_t status = genie_channel_handshake(fault->inner, deadline);
  fault->base.peer = fault->inner->peer;
  return status;
}

static genie_status_t fault_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                           genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                           uint64_t *out_payload_bytes) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  return translate(fault, genie_channel_receive_header(fault->inner, buffer, capacity, deadline, out_header_bytes,
                                                       out_payload_bytes));
}

static genie_status_t fault_receive_payload(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                            genie_deadline_ns_t deadline) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  return translate(fault, genie_channel_receive_pieces(fault->inner, pieces, piece_count, deadline));
}

static void fault_interrupt(genie_channel_t *channel) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  pthread_mutex_lock(&fault->lock);
  fault->is_interrupted = true;
  pthread_cond_broadcast(&fault->interrupted);
  pthread_mutex_unlock(&fault->lock);
  genie_channel_interrupt(fault->inner);
}

static void fault_close(genie_channel_t *channel) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  genie_channel_close(fault->inner);
  pthread_cond_destroy(&fault->interrupted);
  pthread_mutex_destroy(&fault->lock);
  genie_allocator_free(channel->allocator, fault);
}

static void fault_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  genie_channel_get_stats(((fault_channel_t *)channel)->inner, out_stats);
}

static const genie_channel_ops_t kFaultOps = {
    .handshake = fault_handshake,
    .send = fault_send,
    .receive_header = fault_receive_header,
    .receive_payload = fault_receive_payload,
    .interrupt = fault_interrupt,
    .close = fault_close,
    .get_stats = fault_get_stats,
};

genie_status_t genie_fault_wrap(genie_channel_t *inner, const genie_fault_options_t *options,
                                genie_channel_t **out_channel) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(inner->allocator, 1, sizeof(fault_channel_t), &memory));
  fault_channel_t *fault = memory;
  fault->base = (genie_channel_t){.ops = &kFaultOps, .allocator = inner->allocator, .peer = inner->peer};
  fault->inner = inner;
  fault->options = *options;
  fault->random = options->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  fault->random += fault->random == 0;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&fault->interrupted, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&fault->lock, NULL);
  *out_channel = &fault->base;
  return GENIE_OK;
}

void genie_fault_get_counts(genie_channel_t *channel, genie_fault_counts_t *out_counts) {
  fault_channel_t *fault = (fault_channel_t *)channel;
  pthread_mutex_lock(&fault->lock);
  *out_counts = fault->counts;
  pthread_mutex_unlock(&fault->lock);
}
