#include "remote_exec/transport/ucx_channel.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/transport/ucx_drive.h"
#include "remote_exec/transport/ucx_payload.h"

enum { kMaxHeadBytes = sizeof(genie_ucx_head_t) + GENIE_UCX_MAX_INLINE_HEADER };

static const uint64_t kCloseNs = 100000000u;  // a peer that is in no call cannot take part in a close

// With the lock held.
static genie_status_t send_header_apart(genie_ucx_channel_t *channel, const genie_ucx_head_t *head,
                                        const genie_message_t *message, genie_deadline_ns_t deadline) {
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_AM_SEND_FLAG_EAGER};
  return genie_ucx_finish(
      channel,
      channel->fabric->call.ucp_am_send_nbx(channel->endpoint, GENIE_UCX_AM_HEADER, head, sizeof(*head),
                                            message->header, message->header_bytes, &param),
      deadline);
}

static genie_status_t send_message(genie_ucx_channel_t *channel, const genie_message_t *message, uint64_t payload_bytes,
                                   genie_deadline_ns_t deadline) {
  uint8_t bytes[kMaxHeadBytes];
  ucp_dt_iov_t vector[GENIE_CHANNEL_MAX_PAYLOAD_PIECES];
  const bool is_apart = message->header_bytes > GENIE_UCX_MAX_INLINE_HEADER;
  const bool has_checksum = channel->fabric->has_integrity && payload_bytes > 0 &&
                            genie_ucx_payload_is_on_host(channel, message->payload, message->payload_count);
  const genie_ucx_head_t head = {
      .sequence = channel->send_sequence++,
      .payload_bytes = payload_bytes,
      .checksum = has_checksum ? genie_ucx_payload_checksum(message->payload, message->payload_count) : 0,
      .header_bytes = (uint32_t)message->header_bytes,
      .flags = (has_checksum ? GENIE_UCX_HAS_CHECKSUM : 0u) | (is_apart ? GENIE_UCX_HEADER_APART : 0u)};
  memcpy(bytes, &head, sizeof(head));
  if (!is_apart) {
    memcpy(bytes + sizeof(head), message->header, message->header_bytes);
  }
  ucp_request_param_t param = {
      .op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS,
      .flags = payload_bytes > GENIE_UCX_EAGER_BYTES ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER};
  void *buffer = NULL;
  size_t count = 0;
  GENIE_RETURN_IF_ERROR(
      genie_ucx_payload_describe(channel, message->payload, message->payload_count, vector, &param, &buffer, &count));
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_wake_is_set(&channel->wake)
                              ? genie_ucx_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : genie_ucx_check_alive(channel);
  if (status == GENIE_OK && is_apart) {
    status = send_header_apart(channel, &head, message, deadline);
  }
  if (status == GENIE_OK) {
    status = genie_ucx_finish(channel,
                              channel->fabric->call.ucp_am_send_nbx(
                                  channel->endpoint, GENIE_UCX_AM_MESSAGE, bytes,
                                  sizeof(head) + (is_apart ? 0 : message->header_bytes), buffer, count, &param),
                              deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  return status;
}

static void count_carried(genie_ucx_channel_t *channel, genie_ucx_counters_t *counters, uint64_t messages,
                          uint64_t bytes, uint64_t ns) {
  pthread_mutex_lock(&channel->lock);
  counters->messages += messages;
  counters->bytes += bytes;
  counters->ns += ns;
  pthread_mutex_unlock(&channel->lock);
}

static genie_status_t broken(genie_ucx_channel_t *channel) {
  return genie_wake_is_set(&channel->wake)
             ? genie_ucx_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
             : genie_ucx_error(channel, GENIE_STATUS_UNAVAILABLE, "the channel failed before");
}

static genie_status_t ucx_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  (void)channel;
  (void)deadline;
  return GENIE_OK;
}

static genie_status_t ucx_send(genie_channel_t *base, const genie_message_t *message, genie_deadline_ns_t deadline) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(message, channel->queue.max_payload_bytes, &payload_bytes));
  pthread_mutex_lock(&channel->send_lock);
  genie_status_t status = GENIE_OK;
  if (channel->is_send_broken) {
    status = broken(channel);
  } else {
    const uint64_t started_ns = genie_deadline_clock_ns();
    status = send_message(channel, message, payload_bytes, deadline);
    channel->is_send_broken = status != GENIE_OK;
    count_carried(channel, &channel->sent, 1, message->header_bytes + payload_bytes,
                  payload_bytes > 0 ? genie_deadline_clock_ns() - started_ns : 0);
  }
  pthread_mutex_unlock(&channel->send_lock);
  return status;
}

static bool has_message(genie_ucx_channel_t *channel, void *context) {
  (void)context;
  return genie_ucx_queue_peek(&channel->queue) != NULL;
}

static void drop_current(genie_ucx_channel_t *channel) {
  pthread_mutex_lock(&channel->lock);
  genie_ucx_queue_release(&channel->queue, channel->current);
  pthread_mutex_unlock(&channel->lock);
  genie_allocator_free(channel->base.allocator, channel->staged);
  channel->staged = NULL;
  channel->current = NULL;
  channel->payload_taken = 0;
}

static genie_status_t take_header(genie_ucx_channel_t *channel, void *buffer, size_t capacity,
                                  genie_deadline_ns_t deadline, size_t *out_header_bytes, uint64_t *out_payload_bytes) {
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_wake_is_set(&channel->wake)
                              ? genie_ucx_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : genie_ucx_drive(channel, has_message, NULL, deadline);
  genie_ucx_incoming_t *incoming = status == GENIE_OK ? genie_ucx_queue_peek(&channel->queue) : NULL;
  if (incoming != NULL && incoming->head.header_bytes > capacity) {
    status = genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: sends a header of %u bytes, at most %zu are allowed",
                               channel->base.peer.name, incoming->head.header_bytes, capacity);
  } else if (incoming != NULL) {
    genie_ucx_queue_take(&channel->queue);
    channel->current = incoming;
  }
  pthread_mutex_unlock(&channel->lock);
  GENIE_RETURN_IF_ERROR(status);
  memcpy(buffer, incoming->header, incoming->head.header_bytes);
  *out_header_bytes = incoming->head.header_bytes;
  *out_payload_bytes = incoming->head.payload_bytes;
  count_carried(channel, &channel->received, 1, *out_header_bytes, 0);
  if (*out_payload_bytes == 0) {
    drop_current(channel);
  }
  return GENIE_OK;
}

static genie_status_t ucx_receive_header(genie_channel_t *base, void *buffer, size_t capacity,
                                         genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                         uint64_t *out_payload_bytes) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  pthread_mutex_lock(&channel->receive_lock);
  genie_status_t status = GENIE_OK;
  if (channel->is_receive_broken) {
    status = broken(channel);
  } else if (channel->current != NULL) {
    status = genie_ucx_error(channel, GENIE_STATUS_FAILED_PRECONDITION, "bytes of the payload are not taken yet");
  } else {
    status = take_header(channel, buffer, capacity, deadline, out_header_bytes, out_payload_bytes);
    channel->is_receive_broken = status != GENIE_OK && genie_status_code(status) != GENIE_STATUS_DEADLINE_EXCEEDED;
  }
  pthread_mutex_unlock(&channel->receive_lock);
  return status;
}

// Moves the whole payload into `pieces`, whose bytes are its own.
static genie_status_t fetch(genie_ucx_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                            genie_deadline_ns_t deadline) {
  genie_ucx_incoming_t *incoming = channel->current;
  ucp_dt_iov_t vector[GENIE_CHANNEL_MAX_PAYLOAD_PIECES];
  ucp_request_param_t param = {0};
  void *buffer = NULL;
  size_t count = 0;
  GENIE_RETURN_IF_ERROR(genie_ucx_payload_describe(channel, pieces, piece_count, vector, &param, &buffer, &count));
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_wake_is_set(&channel->wake)
                              ? genie_ucx_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : GENIE_OK;
  if (status == GENIE_OK) {
    incoming->payload = GENIE_UCX_PAYLOAD_NONE;  // the descriptor is the request's now
    status = genie_ucx_finish(
        channel, channel->fabric->call.ucp_am_recv_data_nbx(channel->worker, incoming->data, buffer, count, &param),
        deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  return status;
}

static void scatter(const struct iovec *pieces, size_t piece_count, const uint8_t *from) {
  for (size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_len > 0) {
      memcpy(pieces[i].iov_base, from, pieces[i].iov_len);
    }
    from += pieces[i].iov_len;
  }
}

static genie_status_t check_integrity(const genie_ucx_channel_t *channel, const struct iovec *pieces,
                                      size_t piece_count) {
  const genie_ucx_head_t *head = &channel->current->head;
  const bool is_checked =
      (head->flags & GENIE_UCX_HAS_CHECKSUM) != 0 && genie_ucx_payload_is_on_host(channel, pieces, piece_count);
  if (!is_checked || genie_ucx_payload_checksum(pieces, piece_count) == head->checksum) {
    return GENIE_OK;
  }
  return genie_ucx_error(channel, GENIE_STATUS_DATA_LOSS, "a payload arrived damaged: its checksum differs");
}

// Puts a payload that is taken in pieces where the pieces can be copied from.
static genie_status_t stage(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  const uint64_t bytes = channel->current->head.payload_bytes;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(channel->base.allocator, bytes, 1, &memory));
  channel->staged = memory;
  const struct iovec whole = {.iov_base = memory, .iov_len = bytes};
  GENIE_RETURN_IF_ERROR(fetch(channel, &whole, 1, deadline));
  return check_integrity(channel, &whole, 1);
}

static genie_status_t take_payload(genie_ucx_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                   uint64_t bytes, genie_deadline_ns_t deadline) {
  genie_ucx_incoming_t *incoming = channel->current;
  if (incoming->payload == GENIE_UCX_PAYLOAD_REMOTE && bytes == incoming->head.payload_bytes) {
    GENIE_RETURN_IF_ERROR(fetch(channel, pieces, piece_count, deadline));
    GENIE_RETURN_IF_ERROR(check_integrity(channel, pieces, piece_count));
  } else {
    if (incoming->payload == GENIE_UCX_PAYLOAD_REMOTE) {
      GENIE_RETURN_IF_ERROR(stage(channel, deadline));
    }
    const uint8_t *from = channel->staged != NULL ? channel->staged : incoming->data;
    const struct iovec whole = {.iov_base = (void *)from, .iov_len = incoming->head.payload_bytes};
    if (channel->payload_taken == 0 && channel->staged == NULL) {
      GENIE_RETURN_IF_ERROR(check_integrity(channel, &whole, 1));
    }
    scatter(pieces, piece_count, from + channel->payload_taken);
  }
  channel->payload_taken += bytes;
  if (channel->payload_taken == incoming->head.payload_bytes) {
    drop_current(channel);
  }
  return GENIE_OK;
}

static genie_status_t ucx_receive_payload(genie_channel_t *base, const struct iovec *pieces, size_t piece_count,
                                          genie_deadline_ns_t deadline) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  const genie_message_t measured = {.header = "", .header_bytes = 1, .payload = pieces, .payload_count = piece_count};
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_message_measure(&measured, UINT64_MAX, &bytes));
  pthread_mutex_lock(&channel->receive_lock);
  genie_status_t status = GENIE_OK;
  const uint64_t left = channel->current != NULL ? channel->current->head.payload_bytes - channel->payload_taken : 0;
  if (channel->is_receive_broken) {
    status = broken(channel);
  } else if (bytes > left) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the payload has %llu bytes left, not %llu",
                               base->peer.name, (unsigned long long)left, (unsigned long long)bytes);
  } else if (bytes > 0) {
    const uint64_t started_ns = genie_deadline_clock_ns();
    status = take_payload(channel, pieces, piece_count, bytes, deadline);
    channel->is_receive_broken = status != GENIE_OK;
    count_carried(channel, &channel->received, 0, bytes, genie_deadline_clock_ns() - started_ns);
  }
  pthread_mutex_unlock(&channel->receive_lock);
  return status;
}

static void ucx_interrupt(genie_channel_t *base) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  genie_wake_set(&channel->wake);
  pthread_mutex_lock(&channel->lock);
  pthread_cond_broadcast(&channel->changed);
  pthread_mutex_unlock(&channel->lock);
}

// With the lock held: says goodbye and lets what was sent leave, for a moment at most.
static void close_endpoint(genie_ucx_channel_t *channel) {
  if (channel->endpoint == NULL || channel->endpoint_status != UCS_OK || channel->is_send_broken) {
    genie_ucx_abandon_endpoint(channel);
    return;
  }
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(kCloseNs);
  const ucp_request_param_t flush = {0};
  void *requests[2];
  requests[0] = genie_ucx_post_signal(channel, GENIE_UCX_AM_BYE, NULL, 0);
  requests[1] = channel->fabric->call.ucp_ep_close_nbx(channel->endpoint, &flush);
  bool has_pending = true;
  while (has_pending && !genie_deadline_has_passed(deadline)) {
    has_pending = false;
    for (int i = 0; i < 2; ++i) {
      has_pending = has_pending || (UCS_PTR_IS_PTR(requests[i]) && !genie_ucx_is_request_done(channel, requests[i]));
    }
    if (has_pending && channel->fabric->call.ucp_worker_progress(channel->worker) == 0) {
      sched_yield();
    }
  }
  for (int i = 0; i < 2; ++i) {
    if (UCS_PTR_IS_PTR(requests[i])) {
      channel->fabric->call.ucp_request_free(requests[i]);
    }
  }
  channel->endpoint = NULL;
}

static void ucx_close(genie_channel_t *base) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  if (channel->worker != NULL) {
    drop_current(channel);
    pthread_mutex_lock(&channel->lock);
    close_endpoint(channel);
    genie_ucx_queue_deinit(&channel->queue);
    pthread_mutex_unlock(&channel->lock);
    channel->fabric->call.ucp_worker_destroy(channel->worker);
  }
  genie_channel_close(channel->control);
  genie_wake_deinit(&channel->wake);
  pthread_cond_destroy(&channel->changed);
  pthread_mutex_destroy(&channel->lock);
  pthread_mutex_destroy(&channel->send_lock);
  pthread_mutex_destroy(&channel->receive_lock);
  genie_allocator_free(base->allocator, channel);
}

static void ucx_get_stats(genie_channel_t *base, genie_channel_stats_t *out_stats) {
  genie_ucx_channel_t *channel = (genie_ucx_channel_t *)base;
  pthread_mutex_lock(&channel->lock);
  out_stats->sent_messages = channel->sent.messages;
  out_stats->sent_bytes = channel->sent.bytes;
  out_stats->send_ns = channel->sent.ns;
  out_stats->received_messages = channel->received.messages;
  out_stats->received_bytes = channel->received.bytes;
  out_stats->receive_ns = channel->received.ns;
  memcpy(out_stats->path, channel->path, sizeof(out_stats->path));
  pthread_mutex_unlock(&channel->lock);
}

static const genie_channel_ops_t kUcxOps = {
    .handshake = ucx_handshake,
    .send = ucx_send,
    .receive_header = ucx_receive_header,
    .receive_payload = ucx_receive_payload,
    .interrupt = ucx_interrupt,
    .close = ucx_close,
    .get_stats = ucx_get_stats,
};

genie_status_t genie_ucx_channel_create(genie_ucx_fabric_t *fabric, const genie_channel_peer_t *peer,
                                        genie_allocator_t allocator, genie_ucx_channel_t **out_channel) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_ucx_channel_t), &memory));
  genie_ucx_channel_t *channel = memory;
  channel->base = (genie_channel_t){.ops = &kUcxOps, .allocator = allocator, .peer = *peer};
  channel->fabric = fabric;
  channel->wake.descriptor = -1;
  channel->endpoint_status = UCS_OK;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&channel->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&channel->lock, NULL);
  pthread_mutex_init(&channel->send_lock, NULL);
  pthread_mutex_init(&channel->receive_lock, NULL);
  const genie_status_t status = genie_ucx_channel_create_worker(channel);
  if (status != GENIE_OK) {
    ucx_close(&channel->base);
    return status;
  }
  *out_channel = channel;
  return GENIE_OK;
}
