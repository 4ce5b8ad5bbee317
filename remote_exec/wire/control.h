// Control messages: a prefix (frame.h) and a protobuf body, within the limits of message.def.
//
// Decoding takes a bounded multiple of the message's bytes, whatever it says: protobuf's small messages can otherwise
// grow a hundredfold. Texts are checked to be one printable line of at most GENIE_WIRE_MAX_TEXT_BYTES.
#ifndef GENIE_REMOTE_EXEC_WIRE_CONTROL_H_
#define GENIE_REMOTE_EXEC_WIRE_CONTROL_H_

#include "remote_exec/wire/control.pb-c.h"
#include "remote_exec/wire/frame.h"
#include "runtime/base/arena.h"

// A decoded message in the caller's memory. `message` is of the type that message.def names, in `arena`.
typedef struct genie_wire_control {
  genie_wire_kind_t kind;
  union {
    const ProtobufCMessage *message;
    const Genie__Wire__Hello *hello;
    const Genie__Wire__HelloReply *hello_reply;
    const Genie__Wire__Error *error;
    const Genie__Wire__Ping *ping;
    const Genie__Wire__Pong *pong;
    const Genie__Wire__OpenSession *open_session;
    const Genie__Wire__SessionState *session_state;
    const Genie__Wire__WeightChunk *weight_chunk;
    const Genie__Wire__SessionReady *session_ready;
    const Genie__Wire__ConnectPeers *connect_peers;
    const Genie__Wire__PeersConnected *peers_connected;
    const Genie__Wire__CloseSession *close_session;
    const Genie__Wire__SessionClosed *session_closed;
    const Genie__Wire__GetTraffic *get_traffic;
    const Genie__Wire__Traffic *traffic;
    const Genie__Wire__GetTrace *get_trace;
    const Genie__Wire__Trace *trace;
    const Genie__Wire__ReadState *read_state;
    const Genie__Wire__StateData *state_data;
    const Genie__Wire__WriteState *write_state;
    const Genie__Wire__ResetStates *reset_states;
    const Genie__Wire__StateDone *state_done;
    const Genie__Wire__GetNodeInfo *get_node_info;
    const Genie__Wire__NodeInfo *node_info;
    const Genie__Wire__GetNodeStats *get_node_stats;
    const Genie__Wire__NodeStats *node_stats;
    const Genie__Wire__UcxAddress *ucx_address;
  };
  genie_arena_t arena;
} genie_wire_control_t;

// Whether `kind` has a protobuf body.
bool genie_wire_is_control(genie_wire_kind_t kind);

// Decodes a header that genie_wire_prefix_read accepted. INVALID_ARGUMENT: no such message; RESOURCE_EXHAUSTED: it
// unfolds to more than it may. On error nothing is left to deinitialise.
genie_status_t genie_wire_control_decode(const void *header, size_t header_bytes, genie_allocator_t allocator,
                                         genie_wire_control_t *out_control) GENIE_MUST_USE;

// Accepts a zeroed one.
void genie_wire_control_deinit(genie_wire_control_t *control);

// Writes prefix and body. `message` is of the kind's type. OUT_OF_RANGE: larger than `capacity` or than message.def
// allows.
genie_status_t genie_wire_control_encode(genie_wire_kind_t kind, const ProtobufCMessage *message, void *buffer,
                                         size_t capacity, size_t *out_header_bytes) GENIE_MUST_USE;

// The status that an ERROR message carries, with "peer: " before its text.
genie_status_t genie_wire_error_status(const Genie__Wire__Error *error, const char *peer) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_WIRE_CONTROL_H_
