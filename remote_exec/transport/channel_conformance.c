#include "remote_exec/transport/channel_conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { kSmall = 64, kMebibyte = 1 << 20 };

static const uint64_t kSecond = 1000000000u;

static genie_conformance_open_fn_t open_pair;

typedef struct channel_pair {
  genie_channel_t *first, *second;
} channel_pair_t;

static int setup(void **state) {
  channel_pair_t *pair = calloc(1, sizeof(*pair));
  open_pair(&pair->first, &pair->second);
  *state = pair;
  return 0;
}

static int teardown(void **state) {
  channel_pair_t *pair = *state;
  genie_channel_close(pair->first);
  genie_channel_close(pair->second);
  free(pair);
  return 0;
}

static genie_deadline_ns_t soon(void) {
  return genie_deadline_after_ns(20 * kSecond);
}

static void expect_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OK);
}

static void expect_code(genie_status_t status, genie_status_code_t code) {
  if (genie_status_code(status) != code) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

// Bytes that differ by position and by seed.
static void fill(uint8_t *bytes, size_t count, uint32_t seed) {
  uint32_t x = seed * 2654435761u + 1;
  for (size_t i = 0; i < count; ++i) {
    x = x * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)(x >> 24);
  }
}

static genie_status_t send_one(genie_channel_t *channel, const void *header, size_t header_bytes, void *payload,
                               size_t payload_bytes, genie_deadline_ns_t deadline) {
  const struct iovec piece = {.iov_base = payload, .iov_len = payload_bytes};
  const genie_message_t message = {
      .header = header, .header_bytes = header_bytes, .payload = &piece, .payload_count = payload_bytes > 0 ? 1 : 0};
  return genie_channel_send(channel, &message, deadline);
}

// Runs a send on a thread of its own.
typedef struct sender {
  pthread_t thread;
  genie_channel_t *channel;
  uint8_t header[GENIE_CHANNEL_MAX_HEADER_BYTES];
  size_t header_bytes;
  uint8_t *payload;
  size_t payload_bytes;
  int repeats;
  genie_deadline_ns_t deadline;
  genie_status_t status;
} sender_t;

static void *sender_main(void *argument) {
  sender_t *sender = argument;
  for (int i = 0; i < sender->repeats && sender->status == GENIE_OK; ++i) {
    sender->status = send_one(sender->channel, sender->header, sender->header_bytes, sender->payload,
                              sender->payload_bytes, sender->deadline);
  }
  return NULL;
}

static sender_t *sender_start(genie_channel_t *channel, size_t header_bytes, size_t payload_bytes, int repeats,
                              uint32_t seed, genie_deadline_ns_t deadline) {
  sender_t *sender = calloc(1, sizeof(*sender));
  sender->channel = channel;
  sender->header_bytes = header_bytes;
  sender->payload_bytes = payload_bytes;
  sender->payload = malloc(payload_bytes + 1);
  sender->repeats = repeats;
  sender->deadline = deadline;
  fill(sender->header, header_bytes, seed);
  fill(sender->payload, payload_bytes, seed + 1);
  assert_int_equal(pthread_create(&sender->thread, NULL, sender_main, sender), 0);
  return sender;
}

static genie_status_t sender_join(sender_t *sender) {
  pthread_join(sender->thread, NULL);
  const genie_status_t status = sender->status;
  free(sender->payload);
  free(sender);
  return status;
}

// Receives one message in pieces of `step` bytes and compares it with what `seed` makes.
static void receive_and_check(genie_channel_t *channel, size_t header_bytes, size_t payload_bytes, uint32_t seed,
                              size_t step) {
  uint8_t *header = malloc(GENIE_CHANNEL_MAX_HEADER_BYTES);
  uint8_t *expected = malloc(payload_bytes + header_bytes);
  uint8_t *payload = malloc(payload_bytes + 1);
  size_t got_header = 0;
  uint64_t got_payload = 0;
  expect_ok(
      genie_channel_receive_header(channel, header, GENIE_CHANNEL_MAX_HEADER_BYTES, soon(), &got_header, &got_payload));
  assert_int_equal(got_header, header_bytes);
  assert_int_equal(got_payload, payload_bytes);
  fill(expected, header_bytes, seed);
  assert_memory_equal(header, expected, header_bytes);
  for (size_t at = 0; at < payload_bytes; at += step) {
    const size_t bytes = payload_bytes - at < step ? payload_bytes - at : step;
    expect_ok(genie_channel_receive_payload(channel, payload + at, bytes, soon()));
  }
  fill(expected, payload_bytes, seed + 1);
  assert_true(memcmp(payload, expected, payload_bytes) == 0);
  free(payload);
  free(expected);
  free(header);
}

static void carries_every_size(void **state) {
  const channel_pair_t *pair = *state;
  static const size_t kHeaders[] = {1, 7, 48, 4096, GENIE_CHANNEL_MAX_HEADER_BYTES};
  static const size_t kPayloads[] = {0,     1,     15,    16,         4095,  4096,      8192 - 64,
                                     16319, 16320, 16321, 16384 - 16, 16384, 65536 + 1, kMebibyte + 3};
  uint32_t seed = 1;
  for (size_t h = 0; h < sizeof(kHeaders) / sizeof(kHeaders[0]); ++h) {
    for (size_t p = 0; p < sizeof(kPayloads) / sizeof(kPayloads[0]); ++p) {
      sender_t *sender = sender_start(pair->first, kHeaders[h], kPayloads[p], 1, ++seed, soon());
      receive_and_check(pair->second, kHeaders[h], kPayloads[p], seed, kPayloads[p]);
      expect_ok(sender_join(sender));
    }
  }
}

static void carries_large_payloads_in_pieces(void **state) {
  const channel_pair_t *pair = *state;
  static const size_t kSteps[] = {64 * kMebibyte, 10 * kMebibyte + 1, 100001};
  for (size_t i = 0; i < sizeof(kSteps) / sizeof(kSteps[0]); ++i) {
    const size_t bytes = i == 0 ? (size_t)64 * kMebibyte : (size_t)16 * kMebibyte + 5;
    sender_t *sender = sender_start(pair->second, kSmall, bytes, 1, 77, soon());
    receive_and_check(pair->first, kSmall, bytes, 77, kSteps[i]);
    expect_ok(sender_join(sender));
  }
}

typedef struct gatherer {
  pthread_t thread;
  genie_channel_t *channel;
  genie_message_t message;
  genie_status_t status;
} gatherer_t;

static void *gatherer_main(void *argument) {
  gatherer_t *gatherer = argument;
  gatherer->status = genie_channel_send(gatherer->channel, &gatherer->message, soon());
  return NULL;
}

static void gathers_and_scatters_pieces(void **state) {
  const channel_pair_t *pair = *state;
  static const size_t kCounts[] = {3, 0, 20000, 1, 16384, 77};
  enum { kPieces = sizeof(kCounts) / sizeof(kCounts[0]), kTotal = 3 + 20000 + 1 + 16384 + 77 };
  uint8_t *sent = malloc(kTotal);
  uint8_t *received = malloc(kTotal);
  fill(sent, kTotal, 5);
  struct iovec out[kPieces];
  struct iovec in[kPieces];
  for (size_t i = 0, at = 0; i < kPieces; at += kCounts[i++]) {
    out[i] = (struct iovec){.iov_base = sent + at, .iov_len = kCounts[i]};
  }
  for (size_t i = 0, at = 0; i < kPieces; at += kCounts[kPieces - 1 - i++]) {
    in[i] = (struct iovec){.iov_base = received + at, .iov_len = kCounts[kPieces - 1 - i]};
  }
  gatherer_t gatherer = {.channel = pair->first,
                         .message = {.header = "header", .header_bytes = 6, .payload = out, .payload_count = kPieces}};
  assert_int_equal(pthread_create(&gatherer.thread, NULL, gatherer_main, &gatherer), 0);
  char header[16];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect_ok(genie_channel_receive_header(pair->second, header, sizeof(header), soon(), &header_bytes, &payload_bytes));
  assert_int_equal(payload_bytes, kTotal);
  expect_ok(genie_channel_receive_pieces(pair->second, in, kPieces, soon()));
  pthread_join(gatherer.thread, NULL);
  expect_ok(gatherer.status);
  assert_memory_equal(received, sent, kTotal);
  free(received);
  free(sent);
}

enum { kManyMessages = 3000 };

static void *many_main(void *argument) {
  genie_channel_t *channel = argument;
  for (uint32_t i = 0; i < kManyMessages; ++i) {
    uint32_t payload[8] = {i, i, i, i, i, i, i, i};
    const struct iovec piece = {.iov_base = payload, .iov_len = i % 3 == 0 ? 0 : sizeof(payload)};
    const genie_message_t message = {.header = &i,
                                     .header_bytes = sizeof(i),
                                     .payload = &piece,
                                     .payload_count = 1,
                                     .has_more = i % 7 != 0 && i + 1 < kManyMessages};
    expect_ok(genie_channel_send(channel, &message, soon()));
  }
  return NULL;
}

static void keeps_the_order_of_many_small_messages(void **state) {
  const channel_pair_t *pair = *state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, many_main, pair->first), 0);
  for (uint32_t i = 0; i < kManyMessages; ++i) {
    uint32_t number = 0;
    uint32_t payload[8] = {0};
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    expect_ok(
        genie_channel_receive_header(pair->second, &number, sizeof(number), soon(), &header_bytes, &payload_bytes));
    assert_int_equal(number, i);
    assert_int_equal(payload_bytes, i % 3 == 0 ? 0 : sizeof(payload));
    expect_ok(genie_channel_receive_payload(pair->second, payload, payload_bytes, soon()));
    assert_int_equal(payload[7], i % 3 == 0 ? 0 : i);
  }
  pthread_join(thread, NULL);
}

static void sends_and_receives_at_once(void **state) {
  const channel_pair_t *pair = *state;
  enum { kRepeats = 12 };
  sender_t *first = sender_start(pair->first, kSmall, kMebibyte + 1, kRepeats, 3, soon());
  sender_t *second = sender_start(pair->second, kSmall, kMebibyte + 1, kRepeats, 4, soon());
  for (int i = 0; i < kRepeats; ++i) {
    receive_and_check(pair->second, kSmall, kMebibyte + 1, 3, kMebibyte + 1);
    receive_and_check(pair->first, kSmall, kMebibyte + 1, 4, kMebibyte + 1);
  }
  expect_ok(sender_join(first));
  expect_ok(sender_join(second));
}

typedef struct receiver {
  pthread_t thread;
  genie_channel_t *channel;
  genie_status_t status;
} receiver_t;

static void *receiver_main(void *argument) {
  receiver_t *receiver = argument;
  uint8_t header[kSmall];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  receiver->status = genie_channel_receive_header(receiver->channel, header, sizeof(header), GENIE_DEADLINE_NEVER,
                                                  &header_bytes, &payload_bytes);
  return NULL;
}

static void interrupt_wakes_a_receiver(void **state) {
  const channel_pair_t *pair = *state;
  receiver_t receiver = {.channel = pair->first};
  pthread_create(&receiver.thread, NULL, receiver_main, &receiver);
  usleep(20000);
  genie_channel_interrupt(pair->first);
  pthread_join(receiver.thread, NULL);
  assert_non_null(strstr(genie_status_message(receiver.status), genie_channel_get_peer(pair->first)->name));
  expect_code(receiver.status, GENIE_STATUS_CANCELLED);
  expect_code(send_one(pair->first, "x", 1, NULL, 0, soon()), GENIE_STATUS_CANCELLED);
}

static void interrupt_wakes_a_sender(void **state) {
  const channel_pair_t *pair = *state;
  sender_t *sender = sender_start(pair->first, kSmall, 32 * kMebibyte, 4, 1, GENIE_DEADLINE_NEVER);
  usleep(50000);
  genie_channel_interrupt(pair->first);
  expect_code(sender_join(sender), GENIE_STATUS_CANCELLED);
}

static void a_receive_keeps_its_deadline_and_may_be_repeated(void **state) {
  const channel_pair_t *pair = *state;
  uint8_t header[kSmall];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  const uint64_t started_ns = genie_deadline_clock_ns();
  const genie_status_t status = genie_channel_receive_header(
      pair->first, header, sizeof(header), genie_deadline_after_ns(kSecond / 20), &header_bytes, &payload_bytes);
  const uint64_t waited_ns = genie_deadline_clock_ns() - started_ns;
  assert_non_null(strstr(genie_status_message(status), genie_channel_get_peer(pair->first)->name));
  expect_code(status, GENIE_STATUS_DEADLINE_EXCEEDED);
  assert_true(waited_ns >= kSecond / 20 && waited_ns < 2 * kSecond);
  expect_ok(send_one(pair->second, "again", 5, NULL, 0, soon()));
  expect_ok(genie_channel_receive_header(pair->first, header, sizeof(header), soon(), &header_bytes, &payload_bytes));
  assert_int_equal(header_bytes, 5);
}

static void a_send_keeps_its_deadline(void **state) {
  const channel_pair_t *pair = *state;
  sender_t *sender = sender_start(pair->first, kSmall, 64 * kMebibyte, 1, 1, genie_deadline_after_ns(kSecond / 10));
  expect_code(sender_join(sender), GENIE_STATUS_DEADLINE_EXCEEDED);
}

static void a_closed_peer_is_unavailable(void **state) {
  channel_pair_t *pair = *state;
  receiver_t receiver = {.channel = pair->first};
  pthread_create(&receiver.thread, NULL, receiver_main, &receiver);
  usleep(20000);
  genie_channel_close(pair->second);
  pair->second = NULL;
  pthread_join(receiver.thread, NULL);
  assert_non_null(strstr(genie_status_message(receiver.status), genie_channel_get_peer(pair->first)->name));
  expect_code(receiver.status, GENIE_STATUS_UNAVAILABLE);
}

static void what_was_sent_before_a_close_arrives(void **state) {
  channel_pair_t *pair = *state;
  expect_ok(send_one(pair->second, "last", 4, "words", 5, soon()));
  genie_channel_close(pair->second);
  pair->second = NULL;
  char header[kSmall];
  char payload[5];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect_ok(genie_channel_receive_header(pair->first, header, sizeof(header), soon(), &header_bytes, &payload_bytes));
  expect_ok(genie_channel_receive_payload(pair->first, payload, payload_bytes, soon()));
  assert_memory_equal(payload, "words", 5);
}

static void a_peer_that_closes_within_a_payload_is_unavailable(void **state) {
  channel_pair_t *pair = *state;
  sender_t *sender = sender_start(pair->second, kSmall, 64 * kMebibyte, 1, 1, genie_deadline_after_ns(kSecond / 10));
  expect_code(sender_join(sender), GENIE_STATUS_DEADLINE_EXCEEDED);
  genie_channel_close(pair->second);
  pair->second = NULL;
  uint8_t header[kSmall];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  genie_status_t status =
      genie_channel_receive_header(pair->first, header, sizeof(header), soon(), &header_bytes, &payload_bytes);
  if (status == GENIE_OK) {
    assert_int_equal(payload_bytes, 64 * kMebibyte);
    status = genie_channel_skip_payload(pair->first, payload_bytes, soon());
  }
  expect_code(status, GENIE_STATUS_UNAVAILABLE);
}

static void sizes_over_their_limits_are_refused(void **state) {
  const channel_pair_t *pair = *state;
  uint8_t *header = calloc(1, GENIE_CHANNEL_MAX_HEADER_BYTES + 1);
  struct iovec huge[2] = {{.iov_base = header, .iov_len = SIZE_MAX}, {.iov_base = header, .iov_len = SIZE_MAX}};
  const genie_message_t message = {.header = header, .header_bytes = 1, .payload = huge, .payload_count = 2};
  expect_code(send_one(pair->first, header, GENIE_CHANNEL_MAX_HEADER_BYTES + 1, NULL, 0, soon()),
              GENIE_STATUS_OUT_OF_RANGE);
  expect_code(send_one(pair->first, header, 0, NULL, 0, soon()), GENIE_STATUS_INVALID_ARGUMENT);
  expect_code(genie_channel_send(pair->first, &message, soon()), GENIE_STATUS_OUT_OF_RANGE);
  // None of them harmed the channel; a header that the receiver has no room for does.
  expect_ok(send_one(pair->first, header, 1, NULL, 0, soon()));
  expect_ok(send_one(pair->first, header, 2 * kSmall, NULL, 0, soon()));
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  uint8_t small[kSmall];
  expect_ok(genie_channel_receive_header(pair->second, small, kSmall, soon(), &header_bytes, &payload_bytes));
  expect_code(genie_channel_receive_header(pair->second, small, kSmall, soon(), &header_bytes, &payload_bytes),
              GENIE_STATUS_OUT_OF_RANGE);
  free(header);
}

static void a_payload_is_taken_before_the_next_header(void **state) {
  const channel_pair_t *pair = *state;
  expect_ok(send_one(pair->first, "a", 1, "12345678", 8, soon()));
  expect_ok(send_one(pair->first, "b", 1, NULL, 0, soon()));
  char header[kSmall];
  char payload[16];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect_ok(genie_channel_receive_header(pair->second, header, kSmall, soon(), &header_bytes, &payload_bytes));
  expect_ok(genie_channel_receive_payload(pair->second, payload, 3, soon()));
  expect_code(genie_channel_receive_header(pair->second, header, kSmall, soon(), &header_bytes, &payload_bytes),
              GENIE_STATUS_FAILED_PRECONDITION);
}

static void more_than_the_payload_cannot_be_taken(void **state) {
  const channel_pair_t *pair = *state;
  expect_ok(send_one(pair->first, "a", 1, "12345678", 8, soon()));
  char header[kSmall];
  char payload[16];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect_ok(genie_channel_receive_header(pair->second, header, kSmall, soon(), &header_bytes, &payload_bytes));
  expect_code(genie_channel_receive_payload(pair->second, payload, 9, soon()), GENIE_STATUS_FAILED_PRECONDITION);
}

static void waits_for_a_slow_peer(void **state) {
  const channel_pair_t *pair = *state;
  enum { kBytes = 8 * kMebibyte, kPieces = 4 };
  sender_t *sender = sender_start(pair->first, kSmall, kBytes, 1, 9, soon());
  uint8_t header[kSmall];
  uint8_t *payload = malloc(kBytes);
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect_ok(genie_channel_receive_header(pair->second, header, kSmall, soon(), &header_bytes, &payload_bytes));
  for (int i = 0; i < kPieces; ++i) {
    usleep(10000);
    expect_ok(genie_channel_receive_payload(pair->second, payload + i * (kBytes / kPieces), kBytes / kPieces, soon()));
  }
  uint8_t *expected = malloc(kBytes);
  fill(expected, kBytes, 10);
  assert_true(memcmp(payload, expected, kBytes) == 0);
  expect_ok(sender_join(sender));
  free(expected);
  free(payload);
}

static void counts_what_it_carried(void **state) {
  const channel_pair_t *pair = *state;
  sender_t *sender = sender_start(pair->first, kSmall, kMebibyte, 2, 6, soon());
  receive_and_check(pair->second, kSmall, kMebibyte, 6, kMebibyte);
  receive_and_check(pair->second, kSmall, kMebibyte, 6, kMebibyte);
  expect_ok(sender_join(sender));
  genie_channel_stats_t sent;
  genie_channel_stats_t received;
  genie_channel_get_stats(pair->first, &sent);
  genie_channel_get_stats(pair->second, &received);
  assert_int_equal(sent.sent_messages, 2);
  assert_int_equal(sent.sent_bytes, 2 * (kSmall + kMebibyte));
  assert_int_equal(received.received_messages, 2);
  assert_int_equal(received.received_bytes, 2 * (kSmall + kMebibyte));
  assert_true(sent.send_ns > 0 && received.receive_ns > 0);
  assert_true(strlen(sent.path) > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int genie_channel_conformance_run(const char *carrier, genie_conformance_open_fn_t open) {
  const struct CMUnitTest cases[] = {
      CASE(carries_every_size),
      CASE(carries_large_payloads_in_pieces),
      CASE(gathers_and_scatters_pieces),
      CASE(keeps_the_order_of_many_small_messages),
      CASE(sends_and_receives_at_once),
      CASE(interrupt_wakes_a_receiver),
      CASE(interrupt_wakes_a_sender),
      CASE(a_receive_keeps_its_deadline_and_may_be_repeated),
      CASE(a_send_keeps_its_deadline),
      CASE(a_closed_peer_is_unavailable),
      CASE(what_was_sent_before_a_close_arrives),
      CASE(a_peer_that_closes_within_a_payload_is_unavailable),
      CASE(sizes_over_their_limits_are_refused),
      CASE(a_payload_is_taken_before_the_next_header),
      CASE(more_than_the_payload_cannot_be_taken),
      CASE(waits_for_a_slow_peer),
      CASE(counts_what_it_carried),
  };
  open_pair = open;
  return _cmocka_run_group_tests(carrier, cases, sizeof(cases) / sizeof(cases[0]), NULL, NULL);
}
