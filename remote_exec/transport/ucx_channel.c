#include "remote_exec/transport/ucx_channel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "remote_exec/wire/hello.h"

enum { kProbeBytes = 1 << 20, kMaxHeadBytes = sizeof(genie_ucx_head_t) + GENIE_UCX_MAX_INLINE_HEADER };

static const uint64_t kCloseNs = 100000000u;  // a peer that is in no call cannot take part in a close

// What a waiting thread waits for; called with the lock held.
typedef bool (*is_done_fn_t)(genie_ucx_channel_t *channel, void *context);

static genie_status_t channel_error(const genie_ucx_channel_t *channel, genie_status_code_t code, const char *what) {
  return genie_status_make(code, "%s: %s", channel->base.peer.name, what);
}

// OK while the channel may go on. With the lock held.
static genie_status_t check_alive(const genie_ucx_channel_t *channel) {
  if (channel->queue.failure != NULL) {
    return channel_error(channel, GENIE_STATUS_DATA_LOSS, channel->queue.failure);
  }
  if (channel->has_wrong_token) {
    return channel_error(channel, GENIE_STATUS_PERMISSION_DENIED, "does not prove the session by its token");
  }
  if (channel->has_bye) {
    return channel_error(channel, GENIE_STATUS_UNAVAILABLE, "closed the connection");
  }
  if (channel->endpoint_status != UCS_OK) {
    return channel_error(channel, GENIE_STATUS_UNAVAILABLE,
                         channel->fabric->call.ucs_status_string(channel->endpoint_status));
  }
  return GENIE_OK;
}

// Wakes the thread that sleeps for the worker, after this one did something with it.
static void kick(genie_ucx_channel_t *channel) {
  if (channel->has_driver) {
    channel->fabric->call.ucp_worker_signal(channel->worker);
  }
}

// One look at the state and the worker. `*out_is_done` when the wait is over, by success or by the status.
static genie_status_t look(genie_ucx_channel_t *channel, is_done_fn_t is_done, void *context,
                           genie_deadline_ns_t deadline, bool *out_is_done) {
  *out_is_done = true;
  while (!is_done(channel, context)) {
    if (genie_wake_is_set(&channel->wake)) {
      return channel_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted");
    }
    GENIE_RETURN_IF_ERROR(check_alive(channel));
    if (genie_deadline_has_passed(deadline)) {
      return channel_error(channel, GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed");
    }
    if (channel->fabric->call.ucp_worker_progress(channel->worker) == 0) {
      *out_is_done = false;
      return GENIE_OK;
    }
    kick(channel);  // what came may be for the thread that sleeps
  }
  return GENIE_OK;
}

static void wait_for_driver(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&channel->changed, &channel->lock);
    return;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  pthread_cond_timedwait(&channel->changed, &channel->lock, &until);
}

// Gives the other threads a moment, or sleeps until the worker has something to do. This thread drives meanwhile.
static void rest(genie_ucx_channel_t *channel, bool may_sleep, genie_deadline_ns_t deadline) {
  const bool is_armed = may_sleep && channel->fabric->call.ucp_worker_arm(channel->worker) == UCS_OK;
  if (may_sleep && !is_armed) {
    return;  // something came meanwhile
  }
  if (!is_armed) {
    pthread_mutex_unlock(&channel->lock);
    sched_yield();
    pthread_mutex_lock(&channel->lock);
    return;
  }
  channel->has_driver = true;
  pthread_mutex_unlock(&channel->lock);
  genie_wake_poll(&channel->wake, channel->descriptor, POLLIN, deadline);
  pthread_mutex_lock(&channel->lock);
  channel->has_driver = false;
  pthread_cond_broadcast(&channel->changed);
}

// Waits, with the lock held, until `is_done`, driving the worker when nobody else does.
static genie_status_t drive(genie_ucx_channel_t *channel, is_done_fn_t is_done, void *context,
                            genie_deadline_ns_t deadline) {
  const genie_deadline_ns_t spin_end = genie_deadline_after_ns(channel->fabric->spin_ns);
  for (;;) {
    bool is_over = false;
    const genie_status_t status = look(channel, is_done, context, deadline, &is_over);
    if (is_over) {
      pthread_cond_broadcast(&channel->changed);
      return status;
    }
    const bool may_sleep = genie_deadline_clock_ns() >= spin_end;
    if (channel->has_driver && may_sleep) {
      wait_for_driver(channel, deadline);
    } else {
      pthread_cond_broadcast(&channel->changed);
      rest(channel, may_sleep, deadline);
    }
  }
}

static bool is_request_done(genie_ucx_channel_t *channel, void *request) {
  return channel->fabric->call.ucp_request_check_status(request) != UCS_INPROGRESS;
}

// Posts an active message without data. NULL, an error or a request, as UCX's.
static void *post_signal(genie_ucx_channel_t *channel, unsigned id, const void *head, size_t head_bytes) {
  const ucp_request_param_t eager = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_AM_SEND_FLAG_EAGER};
  return channel->fabric->call.ucp_am_send_nbx(channel->endpoint, id, head, head_bytes, NULL, 0, &eager);
}

// The message that nothing more comes.
static void *post_bye(genie_ucx_channel_t *channel) {
  return post_signal(channel, GENIE_UCX_AM_BYE, NULL, 0);
}

// Ends the endpoint at once: requests that are under way finish with an error and let go of their memory. The peer is
// told where that can be done; over shared memory it would not notice otherwise.
static void abandon_endpoint(genie_ucx_channel_t *channel) {
  if (channel->endpoint == NULL) {
    return;
  }
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_EP_CLOSE_FLAG_FORCE};
  void *requests[2] = {channel->endpoint_status == UCS_OK ? post_bye(channel) : NULL, NULL};
  requests[1] = channel->fabric->call.ucp_ep_close_nbx(channel->endpoint, &param);
  channel->endpoint = NULL;
  if (channel->endpoint_status == UCS_OK) {
    channel->endpoint_status = UCS_ERR_CONNECTION_RESET;
  }
  for (int i = 0; i < 2; ++i) {
    if (UCS_PTR_IS_PTR(requests[i])) {
      while (!is_request_done(channel, requests[i])) {
        channel->fabric->call.ucp_worker_progress(channel->worker);
      }
      channel->fabric->call.ucp_request_free(requests[i]);
    }
  }
  pthread_cond_broadcast(&channel->changed);
}

// Waits for a request of UCX and frees it. When the wait fails, the endpoint ends, so that no memory of the caller's is
// used after this returns.
static genie_status_t finish(genie_ucx_channel_t *channel, void *request, genie_deadline_ns_t deadline) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  if (request == NULL) {
    return GENIE_OK;
  }
  if (UCS_PTR_IS_ERR(request)) {
    return channel_error(channel, GENIE_STATUS_UNAVAILABLE, fabric->call.ucs_status_string(UCS_PTR_STATUS(request)));
  }
  kick(channel);
  const genie_status_t status = drive(channel, is_request_done, request, deadline);
  if (status != GENIE_OK) {
    abandon_endpoint(channel);
    while (!is_request_done(channel, request)) {
      fabric->call.ucp_worker_progress(channel->worker);
    }
  }
  const ucs_status_t result = fabric->call.ucp_request_check_status(request);
  fabric->call.ucp_request_free(request);
  if (status != GENIE_OK || result == UCS_OK) {
    return status;
  }
  return channel_error(channel, GENIE_STATUS_UNAVAILABLE, fabric->call.ucs_status_string(result));
}

// Sets what UCX is told about the memory of `pieces`, which `vector` may describe.
static genie_status_t describe_memory(const genie_ucx_channel_t *channel, const struct iovec *pieces,
                                      size_t piece_count, ucp_dt_iov_t *vector, ucp_request_param_t *param,
                                      void **out_buffer, size_t *out_count) {
  size_t count = 0;
  for (size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_len > 0) {
      vector[count++] = (ucp_dt_iov_t){.buffer = pieces[i].iov_base, .length = pieces[i].iov_len};
    }
  }
  const genie_ucx_region_t *region =
      count > 0 ? genie_ucx_fabric_find(channel->fabric, vector[0].buffer, vector[0].length) : NULL;
  const bool is_cuda = region != NULL && region->kind == GENIE_UCX_MEMORY_CUDA;
  for (size_t i = 1; i < count; ++i) {
    const genie_ucx_region_t *other = genie_ucx_fabric_find(channel->fabric, vector[i].buffer, vector[i].length);
    if (is_cuda != (other != NULL && other->kind == GENIE_UCX_MEMORY_CUDA)) {
      return channel_error(channel, GENIE_STATUS_INVALID_ARGUMENT, "one payload lies in memory of host and device");
    }
    region = other == region ? region : NULL;
  }
  param->op_attr_mask |= UCP_OP_ATTR_FIELD_MEMORY_TYPE | UCP_OP_ATTR_FIELD_DATATYPE;
  param->memory_type = is_cuda ? UCS_MEMORY_TYPE_CUDA : UCS_MEMORY_TYPE_HOST;
  param->datatype = count > 1 ? ucp_dt_make_iov() : ucp_dt_make_contig(1);
  if (region != NULL) {
    param->op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    param->memh = region->handle;
  }
  *out_buffer = count > 1 ? (void *)vector : count == 1 ? vector[0].buffer : NULL;
  *out_count = count > 1 ? count : count == 1 ? vector[0].length : 0;
  return GENIE_OK;
}

static uint64_t checksum_of(const struct iovec *pieces, size_t piece_count) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (size_t i = 0; i < piece_count; ++i) {
    XXH3_64bits_update(&state, pieces[i].iov_base, pieces[i].iov_len);
  }
  return XXH3_64bits_digest(&state);
}

static bool is_host_memory(const genie_ucx_channel_t *channel, const struct iovec *pieces, size_t piece_count) {
  for (size_t i = 0; i < piece_count; ++i) {
    const genie_ucx_region_t *region = genie_ucx_fabric_find(channel->fabric, pieces[i].iov_base, pieces[i].iov_len);
    if (region != NULL && region->kind == GENIE_UCX_MEMORY_CUDA) {
      return false;
    }
  }
  return true;
}

// With the lock held.
static genie_status_t send_header_apart(genie_ucx_channel_t *channel, const genie_ucx_head_t *head,
                                        const genie_message_t *message, genie_deadline_ns_t deadline) {
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_AM_SEND_FLAG_EAGER};
  return finish(channel,
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
                            is_host_memory(channel, message->payload, message->payload_count);
  const genie_ucx_head_t head = {
      .sequence = channel->send_sequence++,
      .payload_bytes = payload_bytes,
      .checksum = has_checksum ? checksum_of(message->payload, message->payload_count) : 0,
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
      describe_memory(channel, message->payload, message->payload_count, vector, &param, &buffer, &count));
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_wake_is_set(&channel->wake)
                              ? channel_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : check_alive(channel);
  if (status == GENIE_OK && is_apart) {
    status = send_header_apart(channel, &head, message, deadline);
  }
  if (status == GENIE_OK) {
    status = finish(channel,
                    channel->fabric->call.ucp_am_send_nbx(channel->endpoint, GENIE_UCX_AM_MESSAGE, bytes,
                                                          sizeof(head) + (is_apart ? 0 : message->header_bytes), buffer,
                                                          count, &param),
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
             ? channel_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
             : channel_error(channel, GENIE_STATUS_UNAVAILABLE, "the channel failed before");
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
                              ? channel_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : drive(channel, has_message, NULL, deadline);
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
    status = channel_error(channel, GENIE_STATUS_FAILED_PRECONDITION, "bytes of the payload are not taken yet");
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
  GENIE_RETURN_IF_ERROR(describe_memory(channel, pieces, piece_count, vector, &param, &buffer, &count));
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_wake_is_set(&channel->wake)
                              ? channel_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted")
                              : GENIE_OK;
  if (status == GENIE_OK) {
    incoming->payload = GENIE_UCX_PAYLOAD_NONE;  // the descriptor is the request's now
    status = finish(channel,
                    channel->fabric->call.ucp_am_recv_data_nbx(channel->worker, incoming->data, buffer, count, &param),
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
  const bool is_checked = (head->flags & GENIE_UCX_HAS_CHECKSUM) != 0 && is_host_memory(channel, pieces, piece_count);
  if (!is_checked || checksum_of(pieces, piece_count) == head->checksum) {
    return GENIE_OK;
  }
  return channel_error(channel, GENIE_STATUS_DATA_LOSS, "a payload arrived damaged: its checksum differs");
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
    abandon_endpoint(channel);
    return;
  }
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(kCloseNs);
  const ucp_request_param_t eager = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_AM_SEND_FLAG_EAGER};
  const ucp_request_param_t flush = {0};
  void *requests[2];
  requests[0] = channel->fabric->call.ucp_am_send_nbx(channel->endpoint, GENIE_UCX_AM_BYE, NULL, 0, NULL, 0, &eager);
  requests[1] = channel->fabric->call.ucp_ep_close_nbx(channel->endpoint, &flush);
  bool has_pending = true;
  while (has_pending && !genie_deadline_has_passed(deadline)) {
    has_pending = false;
    for (int i = 0; i < 2; ++i) {
      has_pending = has_pending || (UCS_PTR_IS_PTR(requests[i]) && !is_request_done(channel, requests[i]));
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

static ucs_status_t take_token(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)data;
  (void)data_bytes;
  (void)param;
  genie_ucx_channel_t *channel = argument;
  channel->has_token = head_bytes == GENIE_WIRE_TOKEN_BYTES && genie_wire_token_is_equal(head, channel->expected_token);
  channel->has_wrong_token = !channel->has_token;
  return UCS_OK;
}

static ucs_status_t take_bye(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                             const ucp_am_recv_param_t *param) {
  (void)head;
  (void)head_bytes;
  (void)data;
  (void)data_bytes;
  (void)param;
  ((genie_ucx_channel_t *)argument)->has_bye = true;
  return UCS_OK;
}

static ucs_status_t take_ready(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)head;
  (void)head_bytes;
  (void)data;
  (void)data_bytes;
  (void)param;
  ((genie_ucx_channel_t *)argument)->has_ready = true;
  return UCS_OK;
}

// What a probe carries is not wanted.
static ucs_status_t take_probe(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)argument;
  (void)head;
  (void)head_bytes;
  (void)data;
  (void)data_bytes;
  (void)param;
  return UCS_OK;
}

// Nothing that comes before the token is kept.
static ucs_status_t take_message(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                                 const ucp_am_recv_param_t *param) {
  genie_ucx_channel_t *channel = argument;
  if (!channel->has_token) {
    channel->has_wrong_token = true;
    return UCS_OK;
  }
  return genie_ucx_queue_take_message(&channel->queue, head, head_bytes, data, data_bytes, param);
}

static ucs_status_t take_header_apart(void *argument, const void *head, size_t head_bytes, void *data,
                                      size_t data_bytes, const ucp_am_recv_param_t *param) {
  genie_ucx_channel_t *channel = argument;
  if (!channel->has_token) {
    channel->has_wrong_token = true;
    return UCS_OK;
  }
  return genie_ucx_queue_take_header(&channel->queue, head, head_bytes, data, data_bytes, param);
}

static void on_endpoint_error(void *argument, ucp_ep_h endpoint, ucs_status_t status) {
  (void)endpoint;
  ((genie_ucx_channel_t *)argument)->endpoint_status = status;
}

static genie_status_t set_handlers(genie_ucx_channel_t *channel) {
  const struct {
    unsigned id;
    ucp_am_recv_callback_t handler;
  } handlers[] = {
      {GENIE_UCX_AM_TOKEN, take_token},         {GENIE_UCX_AM_MESSAGE, take_message}, {GENIE_UCX_AM_BYE, take_bye},
      {GENIE_UCX_AM_HEADER, take_header_apart}, {GENIE_UCX_AM_PROBE, take_probe},     {GENIE_UCX_AM_READY, take_ready},
  };
  for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); ++i) {
    const ucp_am_handler_param_t param = {
        .field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG,
        .id = handlers[i].id,
        .flags = UCP_AM_FLAG_WHOLE_MSG,
        .cb = handlers[i].handler,
        .arg = channel,
    };
    if (channel->fabric->call.ucp_worker_set_am_recv_handler(channel->worker, &param) != UCS_OK) {
      return channel_error(channel, GENIE_STATUS_INTERNAL, "UCX takes no handler of messages");
    }
  }
  return GENIE_OK;
}

static genie_status_t create_worker(genie_ucx_channel_t *channel) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  GENIE_RETURN_IF_ERROR(genie_wake_init(&channel->wake));
  const ucp_worker_params_t params = {
      .field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_AM_ALIGNMENT,
      .thread_mode = UCS_THREAD_MODE_SERIALIZED,
      .am_alignment = 64,
  };
  ucs_status_t result = fabric->call.ucp_worker_create(fabric->context, &params, &channel->worker);
  if (result == UCS_OK) {
    result = fabric->call.ucp_worker_get_efd(channel->worker, &channel->descriptor);
  }
  if (result != UCS_OK) {
    return channel_error(channel, GENIE_STATUS_RESOURCE_EXHAUSTED, fabric->call.ucs_status_string(result));
  }
  channel->queue = (genie_ucx_queue_t){
      .fabric = fabric, .worker = channel->worker, .max_payload_bytes = GENIE_CHANNEL_MAX_PAYLOAD_BYTES};
  return set_handlers(channel);
}

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
  const genie_status_t status = create_worker(channel);
  if (status != GENIE_OK) {
    ucx_close(&channel->base);
    return status;
  }
  *out_channel = channel;
  return GENIE_OK;
}

genie_status_t genie_ucx_channel_connect(genie_ucx_channel_t *channel, const void *address) {
  const ucp_ep_params_t params = {
      .field_mask =
          UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER,
      .address = address,
      .err_mode = UCP_ERR_HANDLING_MODE_PEER,
      .err_handler = {.cb = on_endpoint_error, .arg = channel},
  };
  pthread_mutex_lock(&channel->lock);
  const ucs_status_t result = channel->fabric->call.ucp_ep_create(channel->worker, &params, &channel->endpoint);
  pthread_mutex_unlock(&channel->lock);
  return result == UCS_OK ? GENIE_OK
                          : channel_error(channel, GENIE_STATUS_FAILED_PRECONDITION,
                                          channel->fabric->call.ucs_status_string(result));
}

static bool has_token(genie_ucx_channel_t *channel, void *context) {
  (void)context;
  return channel->has_token;
}

genie_status_t genie_ucx_channel_prove(genie_ucx_channel_t *channel, const uint8_t token[GENIE_WIRE_TOKEN_BYTES],
                                       genie_deadline_ns_t deadline) {
  pthread_mutex_lock(&channel->lock);
  genie_status_t status =
      finish(channel, post_signal(channel, GENIE_UCX_AM_TOKEN, token, GENIE_WIRE_TOKEN_BYTES), deadline);
  if (status == GENIE_OK) {
    status = drive(channel, has_token, NULL, deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  return status;
}

static bool is_peer_ready(genie_ucx_channel_t *channel, void *context) {
  (void)context;
  return channel->has_ready;
}

// UCX's text is "am_send(rndv) from host memory length 1048576 rendezvous zero-copy ... tcp/lo": what matters is its
// end.
static void describe_path(genie_ucx_channel_t *channel, const char *text) {
  const char *length = strstr(text, "length ");
  const char *protocol = length != NULL ? strchr(length + strlen("length "), ' ') : NULL;
  snprintf(channel->path, sizeof(channel->path), "ucx %s %s", channel->fabric->version,
           protocol != NULL ? protocol + 1 : text);
  // Behind the transport comes UCX's guess of its speed.
  char *guess = strchr(channel->path, '/');
  guess = guess != NULL ? strchr(guess, ' ') : NULL;
  if (guess != NULL) {
    *guess = '\0';
  }
}

genie_status_t genie_ucx_channel_probe(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(channel->base.allocator, kProbeBytes, 1, &memory));
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_MEMORY_TYPE,
                                     .flags = UCP_AM_SEND_FLAG_RNDV,
                                     .memory_type = UCS_MEMORY_TYPE_HOST};
  char text[512] = "a path that UCX does not tell";
  ucp_request_attr_t attributes = {
      .field_mask = UCP_REQUEST_ATTR_FIELD_INFO_STRING | UCP_REQUEST_ATTR_FIELD_INFO_STRING_SIZE,
      .debug_string = text,
      .debug_string_size = sizeof(text),
  };
  pthread_mutex_lock(&channel->lock);
  void *request =
      fabric->call.ucp_am_send_nbx(channel->endpoint, GENIE_UCX_AM_PROBE, NULL, 0, memory, kProbeBytes, &param);
  if (UCS_PTR_IS_PTR(request)) {
    (void)fabric->call.ucp_request_query(request, &attributes);
  }
  describe_path(channel, text);
  genie_status_t status = finish(channel, request, deadline);
  if (status == GENIE_OK) {
    status = finish(channel, post_signal(channel, GENIE_UCX_AM_READY, NULL, 0), deadline);
  }
  if (status == GENIE_OK) {
    status = drive(channel, is_peer_ready, NULL, deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  genie_allocator_free(channel->base.allocator, memory);
  return status;
}
