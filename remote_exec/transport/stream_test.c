// The stream carrier: the suite of all carriers, and whom it refuses.
#include "remote_exec/transport/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/identity/authorized_keys.h"
#include "remote_exec/transport/channel_conformance.h"
#include "remote_exec/transport/connection.h"

#include <cmocka.h>

static const uint64_t kSecond = 1000000000u;

static genie_identity_t *node;
static genie_identity_t *client;
static genie_identity_t *stranger;
static genie_fingerprint_t node_key;
static genie_fingerprint_t client_key;

static genie_deadline_ns_t soon(void) {
  return genie_deadline_after_ns(10 * kSecond);
}

static void expect(genie_status_t status, genie_status_code_t code) {
  if (genie_status_code(status) != code) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

// Accepts one connection on a thread of its own and shakes hands.
typedef struct acceptor {
  pthread_t thread;
  genie_listener_t *listener;
  genie_channel_t *channel;
  genie_status_t status;
} acceptor_t;

static void *acceptor_main(void *argument) {
  acceptor_t *acceptor = argument;
  acceptor->status = genie_listener_accept(acceptor->listener, soon(), &acceptor->channel);
  if (acceptor->status == GENIE_OK) {
    acceptor->status = genie_channel_handshake(acceptor->channel, soon());
  }
  return NULL;
}

static void acceptor_start(acceptor_t *acceptor, const char *address) {
  *acceptor = (acceptor_t){0};
  expect(genie_stream_listen(address, node, genie_trust_pinned(&client_key), NULL, genie_allocator_heap(),
                             &acceptor->listener),
         GENIE_STATUS_OK);
  pthread_create(&acceptor->thread, NULL, acceptor_main, acceptor);
}

static void acceptor_join(acceptor_t *acceptor) {
  pthread_join(acceptor->thread, NULL);
  genie_listener_close(acceptor->listener);
}

static void open_stream(genie_channel_t **out_first, genie_channel_t **out_second) {
  acceptor_t acceptor;
  acceptor_start(&acceptor, "127.0.0.1:0");
  expect(genie_stream_connect(acceptor.listener->address, client, genie_trust_pinned(&node_key), NULL, soon(),
                              genie_allocator_heap(), out_first),
         GENIE_STATUS_OK);
  acceptor_join(&acceptor);
  expect(acceptor.status, GENIE_STATUS_OK);
  *out_second = acceptor.channel;
}

static void both_sides_learn_the_others_key(void **state) {
  (void)state;
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_stream(&first, &second);
  assert_string_equal(genie_channel_get_peer(first)->fingerprint, genie_identity_get_fingerprint(node));
  assert_string_equal(genie_channel_get_peer(second)->fingerprint, genie_identity_get_fingerprint(client));
  genie_channel_stats_t stats;
  genie_channel_get_stats(first, &stats);
  assert_non_null(strstr(stats.path, "tls1.3"));
  genie_channel_close(first);
  genie_channel_close(second);
}

static void works_over_ipv6(void **state) {
  (void)state;
  genie_listener_t *listener = NULL;
  genie_status_t status =
      genie_stream_listen("[::1]:0", node, genie_trust_pinned(&client_key), NULL, genie_allocator_heap(), &listener);
  if (status != GENIE_OK) {
    genie_status_free(status);
    skip();  // a kernel without IPv6
  }
  acceptor_t acceptor = {.listener = listener};
  pthread_create(&acceptor.thread, NULL, acceptor_main, &acceptor);
  genie_channel_t *channel = NULL;
  expect(genie_stream_connect(listener->address, client, genie_trust_pinned(&node_key), NULL, soon(),
                              genie_allocator_heap(), &channel),
         GENIE_STATUS_OK);
  acceptor_join(&acceptor);
  expect(acceptor.status, GENIE_STATUS_OK);
  genie_channel_close(channel);
  genie_channel_close(acceptor.channel);
}

static void an_unknown_client_is_told_that_its_key_is_refused(void **state) {
  (void)state;
  acceptor_t acceptor;
  acceptor_start(&acceptor, "127.0.0.1:0");
  genie_channel_t *channel = NULL;
  const genie_status_t status =
      genie_stream_connect(acceptor.listener->address, stranger, genie_trust_pinned(&node_key), NULL, soon(),
                           genie_allocator_heap(), &channel);
  assert_non_null(strstr(genie_status_message(status), genie_identity_get_fingerprint(stranger)));
  expect(status, GENIE_STATUS_PERMISSION_DENIED);
  acceptor_join(&acceptor);
  assert_non_null(strstr(genie_status_message(acceptor.status), genie_identity_get_fingerprint(stranger)));
  expect(acceptor.status, GENIE_STATUS_PERMISSION_DENIED);
  genie_channel_close(acceptor.channel);
}

static void a_node_with_another_key_is_refused(void **state) {
  (void)state;
  acceptor_t acceptor;
  acceptor_start(&acceptor, "127.0.0.1:0");
  genie_channel_t *channel = NULL;
  const genie_status_t status =
      genie_stream_connect(acceptor.listener->address, client, genie_trust_pinned(&client_key), NULL, soon(),
                           genie_allocator_heap(), &channel);
  assert_non_null(strstr(genie_status_message(status), genie_identity_get_fingerprint(node)));
  expect(status, GENIE_STATUS_PERMISSION_DENIED);
  acceptor_join(&acceptor);
  assert_int_not_equal(acceptor.status, GENIE_OK);
  genie_status_free(acceptor.status);
  genie_channel_close(acceptor.channel);
}

static int connect_plainly(const char *address) {
  const struct sockaddr_in target = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1)),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(descriptor, (const struct sockaddr *)&target, sizeof(target)), 0);
  return descriptor;
}

static void random_bytes_end_a_handshake(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 50; ++i) {
    acceptor_t acceptor;
    acceptor_start(&acceptor, "127.0.0.1:0");
    const int descriptor = connect_plainly(acceptor.listener->address);
    uint8_t noise[512];
    for (size_t j = 0; j < sizeof(noise); ++j) {
      noise[j] = (uint8_t)((i * 7919 + j) * 2654435761u >> 24);
    }
    if (i % 2 == 0) {
      memcpy(noise, "\x16\x03\x01\x01\xf0\x01\x00\x01\xec\x03\x03", 11);  // as a ClientHello starts
    }
    (void)!send(descriptor, noise, sizeof(noise), MSG_NOSIGNAL);
    close(descriptor);
    acceptor_join(&acceptor);
    assert_int_not_equal(acceptor.status, GENIE_OK);
    genie_status_free(acceptor.status);
    genie_channel_close(acceptor.channel);
  }
}

static void a_silent_peer_meets_the_deadline(void **state) {
  (void)state;
  genie_listener_t *listener = NULL;
  expect(genie_stream_listen("127.0.0.1:0", node, genie_trust_pinned(&client_key), NULL, genie_allocator_heap(),
                             &listener),
         GENIE_STATUS_OK);
  const int descriptor = connect_plainly(listener->address);
  genie_channel_t *channel = NULL;
  expect(genie_listener_accept(listener, soon(), &channel), GENIE_STATUS_OK);
  expect(genie_channel_handshake(channel, genie_deadline_after_ns(kSecond / 20)), GENIE_STATUS_DEADLINE_EXCEEDED);
  genie_channel_close(channel);
  close(descriptor);
  genie_listener_close(listener);
}

static void *interrupt_main(void *argument) {
  usleep(20000);
  genie_listener_interrupt(argument);
  return NULL;
}

static void an_accept_is_interruptible_and_has_a_deadline(void **state) {
  (void)state;
  genie_listener_t *listener = NULL;
  genie_channel_t *channel = NULL;
  expect(genie_stream_listen("127.0.0.1:0", node, genie_trust_pinned(&client_key), NULL, genie_allocator_heap(),
                             &listener),
         GENIE_STATUS_OK);
  expect(genie_listener_accept(listener, genie_deadline_after_ns(kSecond / 50), &channel),
         GENIE_STATUS_DEADLINE_EXCEEDED);
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_main, listener);
  expect(genie_listener_accept(listener, GENIE_DEADLINE_NEVER, &channel), GENIE_STATUS_CANCELLED);
  pthread_join(thread, NULL);
  genie_listener_close(listener);
}

static void bad_addresses_are_named(void **state) {
  (void)state;
  static const char *const kAddresses[] = {"",          "host",        ":1",         "host:", "host:x",
                                           "host:1x",   "::1:7070",    "host:65536", "[]:1",  "host:-1",
                                           "[::1:7070", "host:1:2:3x", "host:+1"};
  for (size_t i = 0; i < sizeof(kAddresses) / sizeof(kAddresses[0]); ++i) {
    genie_channel_t *channel = NULL;
    const genie_status_t status = genie_stream_connect(kAddresses[i], client, genie_trust_pinned(&node_key), NULL,
                                                       soon(), genie_allocator_heap(), &channel);
    assert_non_null(strstr(genie_status_message(status), kAddresses[i]));
    expect(status, GENIE_STATUS_INVALID_ARGUMENT);
  }
}

static void nobody_listening_is_unavailable(void **state) {
  (void)state;
  genie_listener_t *listener = NULL;
  expect(genie_stream_listen("127.0.0.1:0", node, genie_trust_pinned(&client_key), NULL, genie_allocator_heap(),
                             &listener),
         GENIE_STATUS_OK);
  char address[GENIE_CHANNEL_MAX_NAME_BYTES];
  strcpy(address, listener->address);
  genie_listener_close(listener);
  genie_channel_t *channel = NULL;
  expect(genie_stream_connect(address, client, genie_trust_pinned(&node_key), NULL, soon(), genie_allocator_heap(),
                              &channel),
         GENIE_STATUS_UNAVAILABLE);
}

typedef struct welcome {
  pthread_t thread;
  genie_channel_t *channel;
  genie_status_t refusal;
  genie_wire_hello_t peer;
  genie_status_t status;
} welcome_t;

static genie_status_t judge(void *context, const genie_channel_t *channel, const genie_wire_hello_t *peer) {
  (void)channel;
  (void)peer;
  welcome_t *welcome = context;
  const genie_status_t refusal = welcome->refusal;
  welcome->refusal = GENIE_OK;
  return refusal;
}

static void *welcome_main(void *argument) {
  welcome_t *welcome = argument;
  const genie_wire_hello_t self = {.software = "test", .name = "node1"};
  welcome->status = genie_connection_welcome(welcome->channel, &self, judge, welcome, soon(), &welcome->peer);
  return NULL;
}

static void a_connection_says_hello(void **state) {
  (void)state;
  for (int is_refused = 0; is_refused < 2; ++is_refused) {
    genie_channel_t *first = NULL;
    welcome_t welcome = {.refusal = is_refused ? genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "full") : GENIE_OK};
    open_stream(&first, &welcome.channel);
    pthread_create(&welcome.thread, NULL, welcome_main, &welcome);
    genie_wire_hello_t peer;
    const genie_wire_hello_t self = {
        .role = GENIE_WIRE_ROLE_CALL, .session_id = 9, .has_token = true, .token = {1, 2, 3}, .software = "client"};
    const genie_status_t status = genie_connection_greet(first, &self, soon(), &peer);
    pthread_join(welcome.thread, NULL);
    expect(status, is_refused ? GENIE_STATUS_RESOURCE_EXHAUSTED : GENIE_STATUS_OK);
    expect(welcome.status, is_refused ? GENIE_STATUS_RESOURCE_EXHAUSTED : GENIE_STATUS_OK);
    if (!is_refused) {
      assert_string_equal(peer.name, "node1");
      assert_int_equal(peer.version, 1);
      assert_int_equal(welcome.peer.role, GENIE_WIRE_ROLE_CALL);
      assert_int_equal(welcome.peer.session_id, 9);
      assert_true(genie_wire_token_is_equal(welcome.peer.token, self.token));
    }
    genie_channel_close(first);
    genie_channel_close(welcome.channel);
  }
}

static void make_identity(genie_identity_t **out_identity, genie_fingerprint_t *out_key) {
  expect(genie_identity_generate(genie_allocator_heap(), out_identity), GENIE_STATUS_OK);
  genie_public_key_fingerprint(genie_identity_get_public_key(*out_identity), out_key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_sides_learn_the_others_key),
      cmocka_unit_test(works_over_ipv6),
      cmocka_unit_test(an_unknown_client_is_told_that_its_key_is_refused),
      cmocka_unit_test(a_node_with_another_key_is_refused),
      cmocka_unit_test(random_bytes_end_a_handshake),
      cmocka_unit_test(a_silent_peer_meets_the_deadline),
      cmocka_unit_test(an_accept_is_interruptible_and_has_a_deadline),
      cmocka_unit_test(bad_addresses_are_named),
      cmocka_unit_test(nobody_listening_is_unavailable),
      cmocka_unit_test(a_connection_says_hello),
  };
  genie_fingerprint_t unused;
  make_identity(&node, &node_key);
  make_identity(&client, &client_key);
  make_identity(&stranger, &unused);
  const int failures = genie_channel_conformance_run("stream", open_stream) + cmocka_run_group_tests(tests, NULL, NULL);
  genie_identity_destroy(node);
  genie_identity_destroy(client);
  genie_identity_destroy(stranger);
  return failures;
}
