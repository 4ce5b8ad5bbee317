// A connection: a channel that has shaken hands and said Hello. What client and daemon open and accept.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_CONNECTION_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_CONNECTION_H_

#include "remote_exec/transport/channel.h"
#include "remote_exec/wire/hello.h"

// Client: sends `self` over a connected channel and waits for the node's reply. What the node refused comes back as its
// own status. `out_peer` may be NULL.
genie_status_t genie_connection_greet(genie_channel_t *channel, const genie_wire_hello_t *self,
                                      genie_deadline_ns_t deadline, genie_wire_hello_t *out_peer) GENIE_MUST_USE;

// Node: whether the peer that said `peer` is welcome; the status is sent to it.
typedef genie_status_t (*genie_connection_judge_fn_t)(void *context, const genie_channel_t *channel,
                                                      const genie_wire_hello_t *peer);

// Node: shakes hands (genie_channel_handshake), waits for the Hello, lets `judge` decide and answers.
genie_status_t genie_connection_welcome(genie_channel_t *channel, const genie_wire_hello_t *self,
                                        genie_connection_judge_fn_t judge, void *context, genie_deadline_ns_t deadline,
                                        genie_wire_hello_t *out_peer) GENIE_MUST_USE;

// Encodes and sends one control message with a payload, which may be empty.
genie_status_t genie_connection_send_control(genie_channel_t *channel, genie_wire_kind_t kind,
                                             const ProtobufCMessage *message, const void *payload,
                                             uint64_t payload_bytes, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Receives one message's header into `buffer` (8-byte aligned, GENIE_WIRE_MAX_HEADER_BYTES) and checks its prefix.
genie_status_t genie_connection_receive(genie_channel_t *channel, genie_wire_side_t from, genie_wire_role_t role,
                                        void *buffer, genie_deadline_ns_t deadline, genie_wire_prefix_t *out_prefix,
                                        size_t *out_header_bytes, uint64_t *out_payload_bytes) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_CONNECTION_H_
