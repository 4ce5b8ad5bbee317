// Promises: what one thread pushes arrives whole and in its order; a large tensor does not hold its thread while it is
// being sent; a failure reaches every later push; a full queue waits no longer than the deadline.
#include "remote_exec/node/send_queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { kLarge = 1 << 19, kSmall = 64, kItems = 40 };

typedef struct wire {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool is_shut;  // sends wait
  bool is_broken;
  uint32_t transfers[kItems];
  uint32_t count;
  atomic_bool is_wrong;
} wire_t;

static uint8_t large[kLarge];

static genie_status_t send(void *context, const genie_send_item_t *item, const void *address) {
  wire_t *wire = context;
  pthread_mutex_lock(&wire->mutex);
  while (wire->is_shut) {
    pthread_cond_wait(&wire->changed, &wire->mutex);
  }
  const uint8_t *bytes = address;
  if (bytes[0] != (uint8_t)item->transfer || bytes[item->size_bytes - 1] != (uint8_t)item->transfer) {
    atomic_store(&wire->is_wrong, true);
  }
  const bool is_broken = wire->is_broken;
  if (!is_broken) {
    wire->transfers[wire->count++] = item->transfer;
    pthread_cond_broadcast(&wire->changed);
  }
  pthread_mutex_unlock(&wire->mutex);
  return is_broken ? genie_status_make(GENIE_STATUS_ABORTED, "lost node 'x'") : GENIE_OK;
}

static void open_wire(wire_t *wire, bool is_shut) {
  pthread_mutex_lock(&wire->mutex);
  wire->is_shut = is_shut;
  pthread_cond_broadcast(&wire->changed);
  pthread_mutex_unlock(&wire->mutex);
}

static void await_count(wire_t *wire, uint32_t count) {
  pthread_mutex_lock(&wire->mutex);
  while (wire->count < count) {
    pthread_cond_wait(&wire->changed, &wire->mutex);
  }
  pthread_mutex_unlock(&wire->mutex);
}

static genie_status_t push(genie_send_queue_t *queue, uint32_t transfer, uint64_t size_bytes,
                           genie_deadline_ns_t deadline) {
  const genie_send_item_t item = {.call = 1, .transfer = transfer, .deadline = deadline, .size_bytes = size_bytes};
  large[0] = large[size_bytes - 1] = (uint8_t)transfer;
  return genie_send_queue_push(queue, &item, large);
}

static genie_send_queue_t *make(wire_t *wire) {
  genie_send_queue_t *queue = NULL;
  *wire = (wire_t){0};
  pthread_mutex_init(&wire->mutex, NULL);
  pthread_cond_init(&wire->changed, NULL);
  assert_int_equal(genie_send_queue_create(send, wire, genie_allocator_heap(), &queue), GENIE_OK);
  return queue;
}

static void arrives_whole_and_in_order(void **state) {
  (void)state;
  wire_t wire;
  genie_send_queue_t *queue = make(&wire);
  for (uint32_t i = 0; i < kItems; ++i) {
    assert_int_equal(push(queue, i, i % 3 == 0 ? kLarge : kSmall, GENIE_DEADLINE_NEVER), GENIE_OK);
  }
  await_count(&wire, kItems);
  for (uint32_t i = 0; i < kItems; ++i) {
    assert_int_equal(wire.transfers[i], i);
  }
  assert_false(atomic_load(&wire.is_wrong));
  genie_send_queue_destroy(queue);
}

static void does_not_hold_its_thread(void **state) {
  (void)state;
  wire_t wire;
  genie_send_queue_t *queue = make(&wire);
  open_wire(&wire, true);
  assert_int_equal(push(queue, 0, kLarge, GENIE_DEADLINE_NEVER), GENIE_OK);
  assert_int_equal(push(queue, 1, kSmall, GENIE_DEADLINE_NEVER), GENIE_OK);  // does not overtake
  assert_int_equal(wire.count, 0);
  const genie_status_t full = push(queue, 2, kLarge, genie_deadline_after_ns(1000000));
  assert_int_equal(genie_status_code(full), GENIE_STATUS_DEADLINE_EXCEEDED);
  genie_status_free(full);
  open_wire(&wire, false);
  await_count(&wire, 2);
  assert_int_equal(wire.transfers[0], 0);
  assert_int_equal(wire.transfers[1], 1);
  genie_send_queue_destroy(queue);
}

static void a_failure_reaches_later_pushes(void **state) {
  (void)state;
  wire_t wire;
  genie_send_queue_t *queue = make(&wire);
  wire.is_broken = true;
  genie_status_t status = GENIE_OK;
  for (uint32_t i = 0; i < 1000 && status == GENIE_OK; ++i) {
    status = push(queue, i, kLarge, GENIE_DEADLINE_NEVER);
  }
  assert_int_equal(genie_status_code(status), GENIE_STATUS_ABORTED);
  assert_non_null(strstr(genie_status_message(status), "lost node 'x'"));
  genie_status_free(status);
  genie_send_queue_destroy(queue);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrives_whole_and_in_order),
      cmocka_unit_test(does_not_hold_its_thread),
      cmocka_unit_test(a_failure_reaches_later_pushes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
