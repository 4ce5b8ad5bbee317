// The faults that the fault carrier injects: each as it says, the same ones for the same seed.
#include "remote_exec/transport/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "remote_exec/transport/loopback.h"

#include <cmocka.h>

enum { kMillion = 1000000, kMessages = 200 };

typedef struct fault_pair {
  genie_channel_t *faulty, *peer;
} fault_pair_t;

static fault_pair_t open_faulty(genie_fault_options_t options) {
  fault_pair_t pair;
  genie_channel_t *inner = NULL;
  assert_int_equal(genie_loopback_create(genie_allocator_heap(), &inner, &pair.peer), GENIE_OK);
  assert_int_equal(genie_fault_wrap(inner, &options, &pair.faulty), GENIE_OK);
  return pair;
}

static void close_pair(fault_pair_t *pair) {
  genie_channel_close(pair->faulty);
  genie_channel_close(pair->peer);
}

static genie_status_code_t send_number(genie_channel_t *channel, uint32_t number) {
  const struct iovec piece = {.iov_base = "12345678", .iov_len = 8};
  const genie_message_t message = {
      .header = &number, .header_bytes = sizeof(number), .payload = &piece, .payload_count = 1};
  const genie_status_t status = genie_channel_send(channel, &message, genie_deadline_after_ns(UINT64_C(5000000000)));
  const genie_status_code_t code = genie_status_code(status);
  genie_status_free(status);
  return code;
}

// The number of the next message, its payload's size; -1 when none comes within 20 ms or the channel ended.
static int64_t receive_number(genie_channel_t *channel, uint64_t *out_payload_bytes) {
  uint32_t number = 0;
  size_t header_bytes = 0;
  genie_status_t status = genie_channel_receive_header(
      channel, &number, sizeof(number), genie_deadline_after_ns(20000000), &header_bytes, out_payload_bytes);
  if (status == GENIE_OK) {
    status = genie_channel_skip_payload(channel, *out_payload_bytes, GENIE_DEADLINE_NEVER);
  }
  const bool is_good = status == GENIE_OK;
  genie_status_free(status);
  return is_good ? (int64_t)number : -1;
}

static void drops_what_it_counts(void **state) {
  (void)state;
  fault_pair_t pair = open_faulty((genie_fault_options_t){.seed = 7, .drop_ppm = kMillion / 4});
  for (uint32_t i = 0; i < kMessages; ++i) {
    assert_int_equal(send_number(pair.faulty, i), GENIE_STATUS_OK);
  }
  uint64_t bytes = 0;
  uint64_t received = 0;
  while (receive_number(pair.peer, &bytes) >= 0) {
    ++received;
  }
  genie_fault_counts_t counts;
  genie_fault_get_counts(pair.faulty, &counts);
  assert_true(counts.dropped > kMessages / 10 && counts.dropped < kMessages / 2);
  assert_int_equal(received + counts.dropped, kMessages);
  close_pair(&pair);
}

static void duplicates_are_adjacent(void **state) {
  (void)state;
  fault_pair_t pair = open_faulty((genie_fault_options_t){.seed = 1, .duplicate_ppm = kMillion});
  assert_int_equal(send_number(pair.faulty, 5), GENIE_STATUS_OK);
  uint64_t bytes = 0;
  assert_int_equal(receive_number(pair.peer, &bytes), 5);
  assert_int_equal(receive_number(pair.peer, &bytes), 5);
  assert_int_equal(receive_number(pair.peer, &bytes), -1);
  close_pair(&pair);
}

static void a_truncated_message_ends_the_channel(void **state) {
  (void)state;
  fault_pair_t pair = open_faulty((genie_fault_options_t){.seed = 1, .truncate_ppm = kMillion, .faultless_count = 1});
  assert_int_equal(send_number(pair.faulty, 1), GENIE_STATUS_OK);
  assert_int_equal(send_number(pair.faulty, 2), GENIE_STATUS_UNAVAILABLE);
  assert_int_equal(send_number(pair.faulty, 3), GENIE_STATUS_UNAVAILABLE);
  uint64_t bytes = 0;
  assert_int_equal(receive_number(pair.peer, &bytes), 1);
  assert_int_equal(receive_number(pair.peer, &bytes), 2);
  assert_int_equal(bytes, 4);
  genie_channel_close(pair.faulty);
  assert_int_equal(receive_number(pair.peer, &bytes), -1);
  genie_channel_close(pair.peer);
}

static void a_disconnect_is_unavailable_to_its_own_receiver_too(void **state) {
  (void)state;
  fault_pair_t pair = open_faulty((genie_fault_options_t){.seed = 1, .disconnect_ppm = kMillion});
  assert_int_equal(send_number(pair.faulty, 1), GENIE_STATUS_UNAVAILABLE);
  uint32_t number = 0;
  size_t header_bytes = 0;
  uint64_t bytes = 0;
  const genie_status_t status =
      genie_channel_receive_header(pair.faulty, &number, 4, GENIE_DEADLINE_NEVER, &header_bytes, &bytes);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNAVAILABLE);
  genie_status_free(status);
  close_pair(&pair);
}

static void delays_keep_the_order(void **state) {
  (void)state;
  fault_pair_t pair =
      open_faulty((genie_fault_options_t){.seed = 3, .delay_ppm = kMillion, .maximum_delay_ns = 1000000});
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < 20; ++i) {
    assert_int_equal(send_number(pair.faulty, i), GENIE_STATUS_OK);
  }
  for (uint32_t i = 0; i < 20; ++i) {
    assert_int_equal(receive_number(pair.peer, &bytes), i);
  }
  close_pair(&pair);
}

static void the_same_seed_makes_the_same_faults(void **state) {
  (void)state;
  uint64_t received[2][kMessages] = {{0}};
  for (int run = 0; run < 2; ++run) {
    fault_pair_t pair =
        open_faulty((genie_fault_options_t){.seed = 42, .drop_ppm = kMillion / 5, .duplicate_ppm = kMillion / 5});
    for (uint32_t i = 0; i < kMessages; ++i) {
      assert_int_equal(send_number(pair.faulty, i), GENIE_STATUS_OK);
    }
    uint64_t bytes = 0;
    for (int64_t number = 0; (number = receive_number(pair.peer, &bytes)) >= 0;) {
      ++received[run][number];
    }
    close_pair(&pair);
  }
  assert_memory_equal(received[0], received[1], sizeof(received[0]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(drops_what_it_counts),
      cmocka_unit_test(duplicates_are_adjacent),
      cmocka_unit_test(a_truncated_message_ends_the_channel),
      cmocka_unit_test(a_disconnect_is_unavailable_to_its_own_receiver_too),
      cmocka_unit_test(delays_keep_the_order),
      cmocka_unit_test(the_same_seed_makes_the_same_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
