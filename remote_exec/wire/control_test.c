// Control messages and the handshake.
#include "remote_exec/wire/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/wire/hello.h"

#include <cmocka.h>

static void expect(genie_status_t status, genie_status_code_t code) {
  if (genie_status_code(status) != code) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

static void a_message_is_decoded_as_it_was_encoded(void **state) {
  (void)state;
  _Alignas(8) uint8_t header[GENIE_WIRE_MAX_HEADER_BYTES];
  size_t bytes = 0;
  Genie__Wire__HostedPlace place = GENIE__WIRE__HOSTED_PLACE__INIT;
  place.place = 1;
  place.device = "cpu0";
  Genie__Wire__HostedPlace *places[] = {&place};
  Genie__Wire__OpenSession open = GENIE__WIRE__OPEN_SESSION__INIT;
  open.request_id = 5;
  open.label = "encoder";
  open.places = places;
  open.n_places = 1;
  expect(genie_wire_control_encode(GENIE_WIRE_OPEN_SESSION, &open.base, header, sizeof(header), &bytes),
         GENIE_STATUS_OK);
  genie_wire_control_t control = {0};
  expect(genie_wire_control_decode(header, bytes, genie_allocator_heap(), &control), GENIE_STATUS_OK);
  assert_int_equal(control.kind, GENIE_WIRE_OPEN_SESSION);
  assert_int_equal(control.open_session->request_id, 5);
  assert_string_equal(control.open_session->label, "encoder");
  assert_int_equal(control.open_session->n_places, 1);
  assert_string_equal(control.open_session->places[0]->device, "cpu0");
  genie_wire_control_deinit(&control);
}

static void a_message_over_its_limit_is_not_encoded(void **state) {
  (void)state;
  _Alignas(8) uint8_t header[GENIE_WIRE_MAX_HEADER_BYTES];
  static char text[8192];
  size_t bytes = 0;
  memset(text, 'x', sizeof(text) - 1);
  Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
  error.message = text;
  expect(genie_wire_control_encode(GENIE_WIRE_ERROR, &error.base, header, sizeof(header), &bytes),
         GENIE_STATUS_OUT_OF_RANGE);
  expect(genie_wire_control_encode(GENIE_WIRE_PING, &error.base, header, sizeof(header), &bytes),
         GENIE_STATUS_INTERNAL);
}

static void texts_for_people_are_printable_lines(void **state) {
  (void)state;
  static char over[GENIE_WIRE_MAX_TEXT_BYTES + 2];
  memset(over, 'x', sizeof(over) - 1);
  char *const texts[] = {"two\nlines", "\x1b[31mred", over};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
    _Alignas(8) uint8_t header[4096];
    size_t bytes = 0;
    Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
    error.code = 1;
    error.message = texts[i];
    expect(genie_wire_control_encode(GENIE_WIRE_ERROR, &error.base, header, sizeof(header), &bytes), GENIE_STATUS_OK);
    genie_wire_control_t control = {0};
    expect(genie_wire_control_decode(header, bytes, genie_allocator_heap(), &control), GENIE_STATUS_INVALID_ARGUMENT);
  }
}

// A nested message may be two bytes on the wire and a hundred in memory.
static void a_message_cannot_unfold_without_bound(void **state) {
  (void)state;
  _Alignas(8) static uint8_t header[GENIE_WIRE_MAX_HEADER_BYTES];
  const genie_wire_prefix_t prefix = {.kind = GENIE_WIRE_CONNECT_PEERS, .header_bytes = sizeof(header)};
  memcpy(header, &prefix, sizeof(prefix));
  for (size_t i = sizeof(prefix); i + 1 < sizeof(header); i += 2) {
    header[i] = 2 << 3 | 2;  // an empty Peer
    header[i + 1] = 0;
  }
  genie_wire_control_t control = {0};
  expect(genie_wire_control_decode(header, sizeof(header), genie_allocator_heap(), &control),
         GENIE_STATUS_INVALID_ARGUMENT);
}

// Hands what one side wants to send to the other.
static genie_status_t deliver(const genie_wire_handshake_t *from, genie_wire_handshake_t *to) {
  return genie_wire_handshake_receive(to, from->send, from->send_bytes, 0, genie_allocator_heap());
}

static const genie_wire_hello_t kClient = {
    .role = GENIE_WIRE_ROLE_CALL, .session_id = 3, .has_token = true, .token = {9}, .name = "me"};
static const genie_wire_hello_t kNode = {.name = "node1", .software = "genie"};

static void a_handshake_agrees_on_the_highest_common_version(void **state) {
  (void)state;
  static const struct {
    uint32_t client[2], node[2], agreed;  // 0: none
  } kCases[] = {
      {{1, 1}, {1, 1}, 1}, {{1, 5}, {2, 3}, 3}, {{2, 3}, {1, 9}, 3}, {{4, 5}, {1, 3}, 0}, {{1, 1}, {2, 3}, 0}};
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    genie_wire_handshake_t client;
    genie_wire_handshake_t node;
    genie_wire_hello_t self = kClient;
    genie_wire_hello_t other = kNode;
    self.minimum_version = kCases[i].client[0];
    self.maximum_version = kCases[i].client[1];
    other.minimum_version = kCases[i].node[0];
    other.maximum_version = kCases[i].node[1];
    expect(genie_wire_handshake_start_client(&self, &client), GENIE_STATUS_OK);
    genie_wire_handshake_start_node(&other, &node);
    if (kCases[i].agreed == 0) {
      expect(deliver(&client, &node), GENIE_STATUS_UNIMPLEMENTED);
      assert_int_equal(node.next, GENIE_WIRE_HELLO_FAIL);
      expect(deliver(&node, &client), GENIE_STATUS_UNIMPLEMENTED);
      continue;
    }
    expect(deliver(&client, &node), GENIE_STATUS_OK);
    assert_int_equal(node.next, GENIE_WIRE_HELLO_JUDGE);
    assert_int_equal(node.peer.session_id, 3);
    assert_true(genie_wire_token_is_equal(node.peer.token, self.token));
    expect(genie_wire_handshake_accept(&node), GENIE_STATUS_OK);
    expect(deliver(&node, &client), GENIE_STATUS_OK);
    assert_int_equal(client.next, GENIE_WIRE_HELLO_OPEN);
    assert_int_equal(node.next, GENIE_WIRE_HELLO_OPEN);
    assert_int_equal(client.peer.version, kCases[i].agreed);
    assert_string_equal(client.peer.name, "node1");
  }
}

static void a_refusal_reaches_the_client(void **state) {
  (void)state;
  genie_wire_handshake_t client;
  genie_wire_handshake_t node;
  expect(genie_wire_handshake_start_client(&kClient, &client), GENIE_STATUS_OK);
  genie_wire_handshake_start_node(&kNode, &node);
  expect(deliver(&client, &node), GENIE_STATUS_OK);
  genie_wire_handshake_refuse(&node, GENIE_STATUS_PERMISSION_DENIED, "no such token");
  const genie_status_t status = deliver(&node, &client);
  assert_non_null(strstr(genie_status_message(status), "no such token"));
  expect(status, GENIE_STATUS_PERMISSION_DENIED);
  assert_int_equal(client.next, GENIE_WIRE_HELLO_FAIL);
}

static void roles_and_tokens_go_together(void **state) {
  (void)state;
  static const struct {
    genie_wire_role_t role;
    bool has_token;
    genie_status_code_t code;
  } kCases[] = {{GENIE_WIRE_ROLE_CONTROL, false, GENIE_STATUS_OK},
                {GENIE_WIRE_ROLE_CONTROL, true, GENIE_STATUS_PERMISSION_DENIED},
                {GENIE_WIRE_ROLE_CALL, false, GENIE_STATUS_PERMISSION_DENIED},
                {GENIE_WIRE_ROLE_PEER, true, GENIE_STATUS_OK},
                {GENIE_WIRE_ROLE_NONE, false, GENIE_STATUS_INVALID_ARGUMENT},
                {(genie_wire_role_t)9, false, GENIE_STATUS_INVALID_ARGUMENT}};
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    genie_wire_handshake_t client;
    genie_wire_handshake_t node;
    const genie_wire_hello_t self = {.role = kCases[i].role, .has_token = kCases[i].has_token};
    expect(genie_wire_handshake_start_client(&self, &client), GENIE_STATUS_OK);
    genie_wire_handshake_start_node(&kNode, &node);
    expect(deliver(&client, &node), kCases[i].code);
  }
}

static void nothing_but_the_handshake_may_come_first(void **state) {
  (void)state;
  genie_wire_handshake_t node;
  genie_wire_heartbeat_t heartbeat;
  genie_wire_heartbeat_init(1, 1, &heartbeat);
  genie_wire_handshake_start_node(&kNode, &node);
  expect(genie_wire_handshake_receive(&node, &heartbeat, sizeof(heartbeat), 0, genie_allocator_heap()),
         GENIE_STATUS_INVALID_ARGUMENT);
  assert_int_equal(node.next, GENIE_WIRE_HELLO_FAIL);
  genie_wire_handshake_t client;
  expect(genie_wire_handshake_start_client(&kClient, &client), GENIE_STATUS_OK);
  expect(deliver(&client, &client), GENIE_STATUS_INVALID_ARGUMENT);
  expect(genie_wire_handshake_accept(&node), GENIE_STATUS_INTERNAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_decoded_as_it_was_encoded),
      cmocka_unit_test(a_message_over_its_limit_is_not_encoded),
      cmocka_unit_test(texts_for_people_are_printable_lines),
      cmocka_unit_test(a_message_cannot_unfold_without_bound),
      cmocka_unit_test(a_handshake_agrees_on_the_highest_common_version),
      cmocka_unit_test(a_refusal_reaches_the_client),
      cmocka_unit_test(roles_and_tokens_go_together),
      cmocka_unit_test(nothing_but_the_handshake_may_come_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
