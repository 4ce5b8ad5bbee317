#include "remote_exec/transport/channel.h"

#include <string.h>

#include "runtime/base/checked_math.h"

enum { kSkipBytes = 65536 };

genie_status_t genie_channel_handshake(genie_channel_t *channel, genie_deadline_ns_t deadline) {
  return channel->ops->handshake(channel, deadline);
}

genie_status_t genie_channel_send(genie_channel_t *channel, const genie_message_t *message,
                                  genie_deadline_ns_t deadline) {
  return channel->ops->send(channel, message, deadline);
}

genie_status_t genie_channel_receive_header(genie_channel_t *channel, void *buffer, size_t capacity,
                                            genie_deadline_ns_t deadline, size_t *out_header_bytes,
                                            uint64_t *out_payload_bytes) {
  return channel->ops->receive_header(channel, buffer, capacity, deadline, out_header_bytes, out_payload_bytes);
}

genie_status_t genie_channel_receive_payload(genie_channel_t *channel, void *destination, uint64_t bytes,
                                             genie_deadline_ns_t deadline) {
  const struct iovec piece = {.iov_base = destination, .iov_len = bytes};
  return channel->ops->receive_payload(channel, &piece, 1, deadline);
}

genie_status_t genie_channel_receive_pieces(genie_channel_t *channel, const struct iovec *pieces, size_t piece_count,
                                            genie_deadline_ns_t deadline) {
  return channel->ops->receive_payload(channel, pieces, piece_count, deadline);
}

genie_status_t genie_channel_skip_payload(genie_channel_t *channel, uint64_t bytes, genie_deadline_ns_t deadline) {
  uint8_t dropped[kSkipBytes];
  while (bytes > 0) {
    const uint64_t step = bytes < sizeof(dropped) ? bytes : sizeof(dropped);
    GENIE_RETURN_IF_ERROR(genie_channel_receive_payload(channel, dropped, step, deadline));
    bytes -= step;
  }
  return GENIE_OK;
}

void genie_channel_interrupt(genie_channel_t *channel) {
  channel->ops->interrupt(channel);
}

void genie_channel_close(genie_channel_t *channel) {
  if (channel != NULL) {
    channel->ops->close(channel);
  }
}

void genie_channel_get_stats(genie_channel_t *channel, genie_channel_stats_t *out_stats) {
  *out_stats = (genie_channel_stats_t){0};
  channel->ops->get_stats(channel, out_stats);
}

const genie_channel_peer_t *genie_channel_get_peer(const genie_channel_t *channel) {
  return &channel->peer;
}

genie_status_t genie_message_measure(const genie_message_t *message, uint64_t max_payload_bytes,
                                     uint64_t *out_payload_bytes) {
  if (message->header == NULL || message->header_bytes == 0 ||
      (message->payload_count > 0 && message->payload == NULL)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a message has no header, or no payload where it says so");
  }
  if (message->header_bytes > GENIE_CHANNEL_MAX_HEADER_BYTES ||
      message->payload_count > GENIE_CHANNEL_MAX_PAYLOAD_PIECES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                             "a message has a header of %zu bytes and %zu pieces, at most %d and %d are allowed",
                             message->header_bytes, message->payload_count, GENIE_CHANNEL_MAX_HEADER_BYTES,
                             GENIE_CHANNEL_MAX_PAYLOAD_PIECES);
  }
  uint64_t payload_bytes = 0;
  for (size_t i = 0; i < message->payload_count; ++i) {
    if (!genie_checked_add_u64(payload_bytes, message->payload[i].iov_len, &payload_bytes)) {
      payload_bytes = UINT64_MAX;
      break;
    }
  }
  if (payload_bytes > max_payload_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                             "a message has a payload of %llu bytes, at most %llu are allowed",
                             (unsigned long long)payload_bytes, (unsigned long long)max_payload_bytes);
  }
  *out_payload_bytes = payload_bytes;
  return GENIE_OK;
}

genie_status_t genie_listener_accept(genie_listener_t *listener, genie_deadline_ns_t deadline,
                                     genie_channel_t **out_channel) {
  return listener->ops->accept(listener, deadline, out_channel);
}

void genie_listener_interrupt(genie_listener_t *listener) {
  listener->ops->interrupt(listener);
}

void genie_listener_close(genie_listener_t *listener) {
  if (listener != NULL) {
    listener->ops->close(listener);
  }
}
