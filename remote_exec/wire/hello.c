#include "remote_exec/wire/hello.h"

#include <stdio.h>
#include <string.h>

static genie_status_t fail(genie_wire_handshake_t *handshake, genie_status_t status) {
  handshake->next = GENIE_WIRE_HELLO_FAIL;
  if (handshake->side == GENIE_WIRE_FROM_NODE) {
    genie_wire_handshake_refuse(handshake, genie_status_code(status), genie_status_message(status));
  }
  return status;
}

static genie_status_t encode(genie_wire_handshake_t *handshake, genie_wire_kind_t kind,
                             const ProtobufCMessage *message) {
  return genie_wire_control_encode(kind, message, handshake->send, sizeof(handshake->send), &handshake->send_bytes);
}

static void copy_name(char out_name[GENIE_WIRE_MAX_NAME_BYTES], const char *text) {
  snprintf(out_name, GENIE_WIRE_MAX_NAME_BYTES, "%s", text);
}

static void set_own_versions(genie_wire_hello_t *self) {
  if (self->maximum_version == 0) {
    self->minimum_version = GENIE_WIRE_MINIMUM_VERSION;
    self->maximum_version = GENIE_WIRE_MAXIMUM_VERSION;
  }
}

genie_status_t genie_wire_handshake_start_client(const genie_wire_hello_t *self,
                                                 genie_wire_handshake_t *out_handshake) {
  *out_handshake =
      (genie_wire_handshake_t){.side = GENIE_WIRE_FROM_CLIENT, .next = GENIE_WIRE_HELLO_RECEIVE, .self = *self};
  set_own_versions(&out_handshake->self);
  Genie__Wire__Hello hello = GENIE__WIRE__HELLO__INIT;
  hello.minimum_version = out_handshake->self.minimum_version;
  hello.maximum_version = out_handshake->self.maximum_version;
  hello.role = (Genie__Wire__Role)self->role;
  hello.software = out_handshake->self.software;
  hello.name = out_handshake->self.name;
  hello.session_id = self->session_id;
  if (self->has_token) {
    hello.token = (ProtobufCBinaryData){.data = out_handshake->self.token, .len = GENIE_WIRE_TOKEN_BYTES};
  }
  return encode(out_handshake, GENIE_WIRE_HELLO, &hello.base);
}

void genie_wire_handshake_start_node(const genie_wire_hello_t *self, genie_wire_handshake_t *out_handshake) {
  *out_handshake =
      (genie_wire_handshake_t){.side = GENIE_WIRE_FROM_NODE, .next = GENIE_WIRE_HELLO_RECEIVE, .self = *self};
  set_own_versions(&out_handshake->self);
}

static genie_status_t judge_versions(const genie_wire_handshake_t *handshake, const Genie__Wire__Hello *hello) {
  const genie_wire_hello_t *self = &handshake->self;
  if (hello->minimum_version > hello->maximum_version || hello->maximum_version < self->minimum_version ||
      hello->minimum_version > self->maximum_version) {
    return genie_status_make(
        GENIE_STATUS_UNIMPLEMENTED, "this side speaks the versions %u to %u of the protocol, the other %u to %u",
        self->minimum_version, self->maximum_version, hello->minimum_version, hello->maximum_version);
  }
  return GENIE_OK;
}

static genie_status_t take_hello(genie_wire_handshake_t *handshake, const Genie__Wire__Hello *hello) {
  GENIE_RETURN_IF_ERROR(judge_versions(handshake, hello));
  const bool needs_token = hello->role == GENIE__WIRE__ROLE__CALL || hello->role == GENIE__WIRE__ROLE__PEER;
  if (!needs_token && hello->role != GENIE__WIRE__ROLE__CONTROL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "HELLO: %d is no role", (int)hello->role);
  }
  if (hello->token.len != (needs_token ? GENIE_WIRE_TOKEN_BYTES : 0)) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "HELLO: a %s connection %s",
                             genie_wire_role_name((genie_wire_role_t)hello->role),
                             needs_token ? "needs a session's token of 32 bytes" : "has no token");
  }
  genie_wire_hello_t *peer = &handshake->peer;
  peer->role = (genie_wire_role_t)hello->role;
  peer->minimum_version = hello->minimum_version;
  peer->maximum_version = hello->maximum_version;
  peer->version = hello->maximum_version < handshake->self.maximum_version ? hello->maximum_version
                                                                           : handshake->self.maximum_version;
  peer->session_id = hello->session_id;
  peer->has_token = needs_token;
  if (needs_token) {
    memcpy(peer->token, hello->token.data, GENIE_WIRE_TOKEN_BYTES);
  }
  copy_name(peer->software, hello->software);
  copy_name(peer->name, hello->name);
  handshake->next = GENIE_WIRE_HELLO_JUDGE;
  return GENIE_OK;
}

static genie_status_t take_reply(genie_wire_handshake_t *handshake, const Genie__Wire__HelloReply *reply) {
  if (reply->version < handshake->self.minimum_version || reply->version > handshake->self.maximum_version) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "HELLO_REPLY: chose version %u, which was not offered",
                             reply->version);
  }
  handshake->peer.version = reply->version;
  handshake->peer.role = handshake->self.role;
  copy_name(handshake->peer.software, reply->software);
  copy_name(handshake->peer.name, reply->name);
  handshake->next = GENIE_WIRE_HELLO_OPEN;
  return GENIE_OK;
}

static genie_status_t take(genie_wire_handshake_t *handshake, const genie_wire_control_t *control) {
  const bool is_node = handshake->side == GENIE_WIRE_FROM_NODE;
  if (is_node && control->kind == GENIE_WIRE_HELLO) {
    return take_hello(handshake, control->hello);
  }
  if (!is_node && control->kind == GENIE_WIRE_HELLO_REPLY) {
    return take_reply(handshake, control->hello_reply);
  }
  if (!is_node && control->kind == GENIE_WIRE_ERROR) {
    return genie_wire_error_status(control->error, "refused");
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: comes before the handshake is done",
                           genie_wire_message_find(control->kind)->name);
}

genie_status_t genie_wire_handshake_receive(genie_wire_handshake_t *handshake, const void *header, size_t header_bytes,
                                            uint64_t payload_bytes, genie_allocator_t allocator) {
  handshake->send_bytes = 0;
  if (handshake->next != GENIE_WIRE_HELLO_RECEIVE) {
    return fail(handshake, genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a message comes within the handshake"));
  }
  const genie_wire_side_t from =
      handshake->side == GENIE_WIRE_FROM_NODE ? GENIE_WIRE_FROM_CLIENT : GENIE_WIRE_FROM_NODE;
  genie_wire_prefix_t prefix;
  genie_status_t status =
      genie_wire_prefix_read(header, header_bytes, payload_bytes, from, GENIE_WIRE_ROLE_NONE, &prefix);
  if (status != GENIE_OK) {
    return fail(handshake, status);
  }
  if (payload_bytes != 0) {
    return fail(handshake, genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the handshake has no payload"));
  }
  genie_wire_control_t control = {0};
  status = genie_wire_control_decode(header, header_bytes, allocator, &control);
  if (status == GENIE_OK) {
    status = take(handshake, &control);
  }
  genie_wire_control_deinit(&control);
  return status == GENIE_OK ? GENIE_OK : fail(handshake, status);
}

genie_status_t genie_wire_handshake_accept(genie_wire_handshake_t *handshake) {
  if (handshake->next != GENIE_WIRE_HELLO_JUDGE) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "a handshake is accepted before its hello");
  }
  Genie__Wire__HelloReply reply = GENIE__WIRE__HELLO_REPLY__INIT;
  reply.version = handshake->peer.version;
  reply.software = handshake->self.software;
  reply.name = handshake->self.name;
  GENIE_RETURN_IF_ERROR(encode(handshake, GENIE_WIRE_HELLO_REPLY, &reply.base));
  handshake->next = GENIE_WIRE_HELLO_OPEN;
  return GENIE_OK;
}

void genie_wire_handshake_refuse(genie_wire_handshake_t *handshake, genie_status_code_t code, const char *message) {
  char text[GENIE_WIRE_MAX_TEXT_BYTES];
  snprintf(text, sizeof(text), "%s", message);
  Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
  error.code = code;
  error.message = text;
  genie_status_free(encode(handshake, GENIE_WIRE_ERROR, &error.base));
  handshake->next = GENIE_WIRE_HELLO_FAIL;
}

bool genie_wire_token_is_equal(const uint8_t a[GENIE_WIRE_TOKEN_BYTES], const uint8_t b[GENIE_WIRE_TOKEN_BYTES]) {
  uint8_t difference = 0;
  for (int i = 0; i < GENIE_WIRE_TOKEN_BYTES; ++i) {
    difference |= (uint8_t)(a[i] ^ b[i]);
  }
  return difference == 0;
}
