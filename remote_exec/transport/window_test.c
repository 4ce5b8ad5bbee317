// The window: the suite of all carriers through it, its bound, and its batches.
#include "remote_exec/transport/window.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "remote_exec/transport/channel_conformance.h"
#include "remote_exec/transport/loopback.h"
#include "remote_exec/wire/frame.h"

#include <cmocka.h>

static const uint64_t kSecond = 1000000000u;

static genie_channel_t *inner_first;

static void open_window(uint64_t window_bytes, genie_channel_t **out_first, genie_channel_t **out_second) {
  genie_channel_t *second = NULL;
  assert_int_equal(genie_loopback_create(genie_allocator_heap(), &inner_first, &second), GENIE_OK);
  assert_int_equal(genie_window_wrap(inner_first, window_bytes, out_first), GENIE_OK);
  assert_int_equal(genie_window_wrap(second, window_bytes, out_second), GENIE_OK);
}

// Wide enough for the suite, whose senders do not all receive.
static void open_wide(genie_channel_t **out_first, genie_channel_t **out_second) {
  open_window((uint64_t)1 << 30, out_first, out_second);
}

static void open_default(genie_channel_t **out_first, genie_channel_t **out_second) {
  open_window(0, out_first, out_second);
}

static void open_narrow(genie_channel_t **out_first, genie_channel_t **out_second) {
  open_window(GENIE_WINDOW_LEAST_BYTES, out_first, out_second);
}

static genie_status_code_t send_bytes(genie_channel_t *channel, size_t bytes, bool has_more, uint64_t timeout_ns) {
  static uint8_t payload[1 << 20];
  const struct iovec piece = {.iov_base = payload, .iov_len = bytes};
  const genie_message_t message = {
      .header = "header", .header_bytes = 6, .payload = &piece, .payload_count = 1, .has_more = has_more};
  const genie_status_t status = genie_channel_send(channel, &message, genie_deadline_after_ns(timeout_ns));
  const genie_status_code_t code = genie_status_code(status);
  genie_status_free(status);
  return code;
}

static void receive_bytes(genie_channel_t *channel, size_t bytes) {
  char header[64];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(10 * kSecond);
  assert_int_equal(
      genie_channel_receive_header(channel, header, sizeof(header), deadline, &header_bytes, &payload_bytes), GENIE_OK);
  assert_int_equal(payload_bytes, bytes);
  assert_int_equal(genie_channel_skip_payload(channel, payload_bytes, deadline), GENIE_OK);
}

static void a_sender_waits_for_credit(void **state) {
  (void)state;
  enum { kBytes = 10000 };
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_narrow(&first, &second);
  int sent = 0;
  while (send_bytes(first, kBytes, false, kSecond / 50) == GENIE_STATUS_OK) {
    ++sent;
  }
  assert_true(sent >= 4 && sent <= GENIE_WINDOW_LEAST_BYTES / kBytes);
  assert_true(genie_window_get_in_flight(first) <= GENIE_WINDOW_LEAST_BYTES);
  genie_channel_close(first);
  genie_channel_close(second);
}

typedef struct talker {
  pthread_t thread;
  genie_channel_t *channel;
  int count;
  size_t bytes;
  genie_status_code_t code;
} talker_t;

static void *talker_main(void *argument) {
  talker_t *talker = argument;
  for (int i = 0; i < talker->count && talker->code == GENIE_STATUS_OK; ++i) {
    talker->code = send_bytes(talker->channel, talker->bytes, false, 10 * kSecond);
  }
  return NULL;
}

static void *listener_main(void *argument) {
  char header[64];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  genie_status_free(genie_channel_receive_header(argument, header, sizeof(header), GENIE_DEADLINE_NEVER, &header_bytes,
                                                 &payload_bytes));
  return NULL;
}

static void credit_comes_back_to_a_sender_that_receives(void **state) {
  (void)state;
  enum { kMessages = 200, kBytes = 30000 };
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  pthread_t listener;
  open_narrow(&first, &second);
  talker_t talker = {.channel = first, .count = kMessages, .bytes = kBytes};
  pthread_create(&listener, NULL, listener_main, first);
  pthread_create(&talker.thread, NULL, talker_main, &talker);
  for (int i = 0; i < kMessages; ++i) {
    receive_bytes(second, kBytes);
  }
  pthread_join(talker.thread, NULL);
  assert_int_equal(talker.code, GENIE_STATUS_OK);
  genie_channel_interrupt(first);
  pthread_join(listener, NULL);
  genie_channel_close(first);
  genie_channel_close(second);
}

static void small_messages_travel_together(void **state) {
  (void)state;
  enum { kMessages = 40, kBytes = 100 };
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_default(&first, &second);
  for (int i = 0; i < kMessages; ++i) {
    assert_int_equal(send_bytes(first, kBytes, i + 1 < kMessages, kSecond), GENIE_STATUS_OK);
  }
  genie_channel_stats_t stats;
  genie_channel_get_stats(inner_first, &stats);
  assert_int_equal(stats.sent_messages, 1);
  for (int i = 0; i < kMessages; ++i) {
    receive_bytes(second, kBytes);
  }
  genie_channel_close(first);
  genie_channel_close(second);
}

static void several_senders_lose_nothing(void **state) {
  (void)state;
  enum { kTalkers = 4, kMessages = 500, kBytes = 64 };
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_default(&first, &second);
  talker_t talkers[kTalkers];
  for (int i = 0; i < kTalkers; ++i) {
    talkers[i] = (talker_t){.channel = first, .count = kMessages, .bytes = kBytes};
    pthread_create(&talkers[i].thread, NULL, talker_main, &talkers[i]);
  }
  for (int i = 0; i < kTalkers * kMessages; ++i) {
    receive_bytes(second, kBytes);
  }
  for (int i = 0; i < kTalkers; ++i) {
    pthread_join(talkers[i].thread, NULL);
    assert_int_equal(talkers[i].code, GENIE_STATUS_OK);
  }
  genie_channel_close(first);
  genie_channel_close(second);
}

static void credit_that_was_never_taken_is_an_error(void **state) {
  (void)state;
  genie_channel_t *first = NULL;
  genie_channel_t *liar = NULL;
  genie_channel_t *window = NULL;
  assert_int_equal(genie_loopback_create(genie_allocator_heap(), &first, &liar), GENIE_OK);
  assert_int_equal(genie_window_wrap(first, 0, &window), GENIE_OK);
  genie_wire_credit_t credit;
  genie_wire_credit_init(1, &credit);
  const genie_message_t message = {.header = &credit, .header_bytes = sizeof(credit)};
  assert_int_equal(genie_channel_send(liar, &message, GENIE_DEADLINE_NEVER), GENIE_OK);
  char header[64];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  const genie_status_t status =
      genie_channel_receive_header(window, header, sizeof(header), GENIE_DEADLINE_NEVER, &header_bytes, &payload_bytes);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_DATA_LOSS);
  genie_status_free(status);
  genie_channel_close(window);
  genie_channel_close(liar);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sender_waits_for_credit),
      cmocka_unit_test(credit_comes_back_to_a_sender_that_receives),
      cmocka_unit_test(small_messages_travel_together),
      cmocka_unit_test(several_senders_lose_nothing),
      cmocka_unit_test(credit_that_was_never_taken_is_an_error),
  };
  return genie_channel_conformance_run("window over loopback", open_wide) + cmocka_run_group_tests(tests, NULL, NULL);
}
