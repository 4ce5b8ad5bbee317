// What a mailbox promises: bytes go where the place wants them, early ones wait within bounds, and every wait ends.
#include "remote_exec/node/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { kTransfers = 2, kBytes = 8 };

static genie_mailbox_t *make_mailbox(void) {
  static const uint64_t kMaximum[kTransfers] = {kBytes, kBytes};
  genie_mailbox_t *mailbox = NULL;
  assert_int_equal(genie_mailbox_create(kMaximum, kTransfers, genie_allocator_heap(), &mailbox), GENIE_OK);
  return mailbox;
}

static genie_status_t fill_with(void *self, void *destination, uint64_t size_bytes) {
  memset(destination, *(const char *)self, size_bytes);
  return GENIE_OK;
}

static genie_status_t deliver(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, uint64_t size_bytes,
                              char value) {
  const genie_mailbox_source_t source = {.self = &value, .fill = fill_with};
  return genie_mailbox_deliver(mailbox, call, transfer, size_bytes, &source);
}

static void assert_code(genie_status_t status, genie_status_code_t code) {
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

static void assert_takes(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, char value) {
  char bytes[kBytes] = {0};
  assert_code(genie_mailbox_take(mailbox, call, transfer, bytes, kBytes, GENIE_DEADLINE_NEVER), GENIE_STATUS_OK);
  assert_int_equal(bytes[0], value);
  assert_int_equal(bytes[kBytes - 1], value);
}

static void test_early_tensors_wait_for_their_call(void **state) {
  (void)state;
  genie_mailbox_t *mailbox = make_mailbox();
  assert_code(deliver(mailbox, 1, 0, kBytes, 'a'), GENIE_STATUS_OK);
  assert_code(deliver(mailbox, 2, 0, kBytes, 'b'), GENIE_STATUS_OK);
  assert_code(deliver(mailbox, 1, 1, kBytes, 'c'), GENIE_STATUS_OK);
  assert_takes(mailbox, 1, 1, 'c');
  assert_takes(mailbox, 1, 0, 'a');
  assert_takes(mailbox, 2, 0, 'b');
  genie_mailbox_destroy(mailbox);
}

static void test_what_a_failed_call_left_is_dropped(void **state) {
  (void)state;
  genie_mailbox_t *mailbox = make_mailbox();
  for (uint64_t call = 1; call <= 3 * GENIE_MAILBOX_DEPTH; ++call) {
    assert_code(deliver(mailbox, call, 0, kBytes, 'a'), GENIE_STATUS_OK);
    genie_mailbox_finish(mailbox, call);
    assert_code(deliver(mailbox, call, 0, kBytes, 'a'), GENIE_STATUS_OK);  // late: it has nobody to wait for it
  }
  assert_code(deliver(mailbox, 1000, 0, kBytes, 'b'), GENIE_STATUS_OK);
  assert_takes(mailbox, 1000, 0, 'b');
  genie_mailbox_destroy(mailbox);
}

static void test_hostile_deliveries_are_refused_before_memory_is_taken(void **state) {
  (void)state;
  char bytes[kBytes];
  genie_mailbox_t *mailbox = make_mailbox();
  assert_code(deliver(mailbox, 1, kTransfers, kBytes, 'a'), GENIE_STATUS_OUT_OF_RANGE);
  assert_code(deliver(mailbox, 1, 0, kBytes + 1, 'a'), GENIE_STATUS_OUT_OF_RANGE);
  assert_code(deliver(mailbox, 1, 0, kBytes - 1, 'a'), GENIE_STATUS_OK);
  assert_code(genie_mailbox_take(mailbox, 1, 0, bytes, kBytes, GENIE_DEADLINE_NEVER), GENIE_STATUS_INVALID_ARGUMENT);
  for (int i = 0; i < GENIE_MAILBOX_DEPTH; ++i) {
    assert_code(deliver(mailbox, 2, 0, kBytes, 'a'), GENIE_STATUS_OK);
  }
  assert_code(deliver(mailbox, 2, 0, kBytes, 'a'), GENIE_STATUS_OUT_OF_RANGE);
  genie_mailbox_destroy(mailbox);
}

static void test_a_wait_ends_by_deadline_cancellation_or_failure(void **state) {
  (void)state;
  char bytes[kBytes];
  genie_mailbox_t *mailbox = make_mailbox();
  assert_code(genie_mailbox_take(mailbox, 1, 0, bytes, kBytes, genie_deadline_after_ns(1000000)),
              GENIE_STATUS_DEADLINE_EXCEEDED);
  genie_mailbox_cancel(mailbox, 2, GENIE_STATUS_CANCELLED);
  assert_code(genie_mailbox_take(mailbox, 2, 0, bytes, kBytes, GENIE_DEADLINE_NEVER), GENIE_STATUS_CANCELLED);
  assert_code(genie_mailbox_check(mailbox, 3), GENIE_STATUS_OK);
  genie_mailbox_fail(mailbox, GENIE_STATUS_ABORTED, "first");
  genie_mailbox_fail(mailbox, GENIE_STATUS_INTERNAL, "second");
  assert_code(genie_mailbox_take(mailbox, 3, 0, bytes, kBytes, GENIE_DEADLINE_NEVER), GENIE_STATUS_ABORTED);
  genie_mailbox_destroy(mailbox);
}

static void test_a_tensor_that_is_there_wins_over_a_failure(void **state) {
  (void)state;
  genie_mailbox_t *mailbox = make_mailbox();
  assert_code(deliver(mailbox, 1, 0, kBytes, 'a'), GENIE_STATUS_OK);
  genie_mailbox_fail(mailbox, GENIE_STATUS_ABORTED, "lost");
  assert_takes(mailbox, 1, 0, 'a');
  genie_mailbox_destroy(mailbox);
}

// ---- Two threads ----

typedef struct taker {
  genie_mailbox_t *mailbox;
  int count;
} taker_t;

static void *take_all(void *argument) {
  const taker_t *taker = argument;
  for (int call = 1; call <= taker->count; ++call) {
    assert_takes(taker->mailbox, (uint64_t)call, 0, (char)call);
  }
  return NULL;
}

static void test_a_waiting_place_gets_each_call_in_order(void **state) {
  (void)state;
  taker_t taker = {.mailbox = make_mailbox(), .count = 50};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, take_all, &taker), 0);
  for (int call = 1; call <= taker.count; ++call) {
    assert_code(deliver(taker.mailbox, (uint64_t)call, 0, kBytes, (char)call), GENIE_STATUS_OK);
  }
  pthread_join(thread, NULL);
  genie_mailbox_destroy(taker.mailbox);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_early_tensors_wait_for_their_call),
      cmocka_unit_test(test_what_a_failed_call_left_is_dropped),
      cmocka_unit_test(test_hostile_deliveries_are_refused_before_memory_is_taken),
      cmocka_unit_test(test_a_wait_ends_by_deadline_cancellation_or_failure),
      cmocka_unit_test(test_a_tensor_that_is_there_wins_over_a_failure),
      cmocka_unit_test(test_a_waiting_place_gets_each_call_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
