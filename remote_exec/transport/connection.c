#include "remote_exec/transport/connection.h"

static genie_status_t send_pending(genie_channel_t *channel, const genie_wire_handshake_t *handshake,
                                   genie_deadline_ns_t deadline) {
  const genie_message_t message = {.header = handshake->send, .header_bytes = handshake->send_bytes};
  return handshake->send_bytes > 0 ? genie_channel_send(channel, &message, deadline) : GENIE_OK;
}

// One step of the state machine: a message from the channel into it.
static genie_status_t receive_step(genie_channel_t *channel, genie_wire_handshake_t *handshake,
                                   genie_deadline_ns_t deadline) {
  _Alignas(8) uint8_t header[4096];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  GENIE_RETURN_IF_ERROR(
      genie_channel_receive_header(channel, header, sizeof(header), deadline, &header_bytes, &payload_bytes));
  return genie_wire_handshake_receive(handshake, header, header_bytes, payload_bytes, channel->allocator);
}

genie_status_t genie_connection_greet(genie_channel_t *channel, const genie_wire_hello_t *self,
                                      genie_deadline_ns_t deadline, genie_wire_hello_t *out_peer) {
  genie_wire_handshake_t handshake;
  GENIE_RETURN_IF_ERROR(genie_wire_handshake_start_client(self, &handshake));
  GENIE_RETURN_IF_ERROR(send_pending(channel, &handshake, deadline));
  const genie_status_t status = receive_step(channel, &handshake, deadline);
  if (status != GENIE_OK) {
    return genie_status_annotate(status, "%s", channel->peer.name);
  }
  if (out_peer != NULL) {
    *out_peer = handshake.peer;
  }
  return GENIE_OK;
}

genie_status_t genie_connection_welcome(genie_channel_t *channel, const genie_wire_hello_t *self,
                                        genie_connection_judge_fn_t judge, void *context, genie_deadline_ns_t deadline,
                                        genie_wire_hello_t *out_peer) {
  GENIE_RETURN_IF_ERROR(genie_channel_handshake(channel, deadline));
  genie_wire_handshake_t handshake;
  genie_wire_handshake_start_node(self, &handshake);
  genie_status_t status = receive_step(channel, &handshake, deadline);
  if (status == GENIE_OK) {
    status = judge(context, channel, &handshake.peer);
    if (status == GENIE_OK) {
      status = genie_wire_handshake_accept(&handshake);
    } else {
      genie_wire_handshake_refuse(&handshake, genie_status_code(status), genie_status_message(status));
    }
  }
  const genie_status_t sent = send_pending(channel, &handshake, deadline);
  if (status != GENIE_OK || sent != GENIE_OK) {
    if (status != GENIE_OK) {
      genie_status_free(sent);
    }
    return status != GENIE_OK ? genie_status_annotate(status, "%s", channel->peer.name) : sent;
  }
  *out_peer = handshake.peer;
  return GENIE_OK;
}

genie_status_t genie_connection_send_control(genie_channel_t *channel, genie_wire_kind_t kind,
                                             const ProtobufCMessage *message, const void *payload,
                                             uint64_t payload_bytes, genie_deadline_ns_t deadline) {
  uint8_t header[GENIE_WIRE_MAX_HEADER_BYTES];
  size_t header_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_wire_control_encode(kind, message, header, sizeof(header), &header_bytes));
  const struct iovec piece = {.iov_base = (void *)payload, .iov_len = payload_bytes};
  const genie_message_t packet = {
      .header = header, .header_bytes = header_bytes, .payload = &piece, .payload_count = payload_bytes > 0 ? 1 : 0};
  return genie_channel_send(channel, &packet, deadline);
}

genie_status_t genie_connection_receive(genie_channel_t *channel, genie_wire_side_t from, genie_wire_role_t role,
                                        void *buffer, genie_deadline_ns_t deadline, genie_wire_prefix_t *out_prefix,
                                        size_t *out_header_bytes, uint64_t *out_payload_bytes) {
  GENIE_RETURN_IF_ERROR(genie_channel_receive_header(channel, buffer, GENIE_WIRE_MAX_HEADER_BYTES, deadline,
                                                     out_header_bytes, out_payload_bytes));
  const genie_status_t status =
      genie_wire_prefix_read(buffer, *out_header_bytes, *out_payload_bytes, from, role, out_prefix);
  return status == GENIE_OK ? GENIE_OK : genie_status_annotate(status, "%s", channel->peer.name);
}
