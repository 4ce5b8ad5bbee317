// The ucx carrier: the suite of all carriers over TCP and over shared memory, tokens, demands and integrity. Where the
// build has no UCX, that it says so.
#include "remote_exec/transport/ucx.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "remote_exec/transport/channel_conformance.h"
#include "remote_exec/transport/loopback.h"

#include <cmocka.h>

static const uint64_t kSecond = 1000000000u;

static genie_ucx_fabric_t *fabric;
static uint8_t *arena;  // registered: it outlives the fabric

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

// Opens the node's side on a thread of its own, while the test opens the client's.
typedef struct opener {
  pthread_t thread;
  genie_channel_t *control, *channel;
  const char *demand;
  genie_status_t status;
} opener_t;

static void *opener_main(void *argument) {
  opener_t *opener = argument;
  opener->status =
      genie_ucx_open(fabric, opener->control, GENIE_WIRE_FROM_NODE, opener->demand, soon(), &opener->channel);
  return NULL;
}

static genie_status_t open_both(const char *demand, genie_channel_t **out_first, genie_channel_t **out_second) {
  genie_channel_t *control = NULL;
  opener_t opener = {.demand = ""};
  expect(genie_loopback_create(genie_allocator_heap(), &control, &opener.control), GENIE_STATUS_OK);
  pthread_create(&opener.thread, NULL, opener_main, &opener);
  const genie_status_t status = genie_ucx_open(fabric, control, GENIE_WIRE_FROM_CLIENT, demand, soon(), out_first);
  if (status != GENIE_OK) {
    genie_channel_close(control);
  }
  pthread_join(opener.thread, NULL);
  if (status == GENIE_OK) {
    expect(opener.status, GENIE_STATUS_OK);
    *out_second = opener.channel;
  } else {
    genie_channel_close(opener.status == GENIE_OK ? opener.channel : opener.control);
    genie_status_free(opener.status);
  }
  return status;
}

static void open_ucx(genie_channel_t **out_first, genie_channel_t **out_second) {
  expect(open_both("", out_first, out_second), GENIE_STATUS_OK);
}

static void the_path_is_told_and_a_downgrade_refused(void **state) {
  (void)state;
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_ucx(&first, &second);
  genie_channel_stats_t stats;
  genie_channel_get_stats(first, &stats);
  print_message("path: %s\n", stats.path);
  assert_non_null(strstr(stats.path, "ucx 1."));
  assert_non_null(strstr(stats.path, "tcp"));
  genie_channel_close(first);
  genie_channel_close(second);
  expect(open_both("rdma", &first, &second), GENIE_STATUS_FAILED_PRECONDITION);
  expect(open_both("teleport", &first, &second), GENIE_STATUS_INVALID_ARGUMENT);
  expect(open_both("tcp", &first, &second), GENIE_STATUS_OK);
  genie_channel_close(first);
  genie_channel_close(second);
}

typedef struct sending {
  pthread_t thread;
  genie_channel_t *channel;
  void *from;
  size_t bytes;
  genie_status_t status;
} sending_t;

static void *sending_main(void *argument) {
  sending_t *sending = argument;
  const struct iovec piece = {.iov_base = sending->from, .iov_len = sending->bytes};
  const genie_message_t message = {.header = "h", .header_bytes = 1, .payload = &piece, .payload_count = 1};
  sending->status = genie_channel_send(sending->channel, &message, soon());
  return NULL;
}

static void registered_memory_is_carried(void **state) {
  (void)state;
  enum { kBytes = 1 << 22 };
  arena = aligned_alloc(4096, 2 * kBytes);
  expect(genie_ucx_fabric_register(fabric, arena, 2 * kBytes, GENIE_UCX_MEMORY_HOST), GENIE_STATUS_OK);
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_ucx(&first, &second);
  memset(arena, 7, kBytes);
  memset(arena + kBytes, 0, kBytes);
  sending_t sending = {.channel = first, .from = arena, .bytes = kBytes};
  pthread_create(&sending.thread, NULL, sending_main, &sending);
  char header[8];
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  expect(genie_channel_receive_header(second, header, sizeof(header), soon(), &header_bytes, &payload_bytes),
         GENIE_STATUS_OK);
  assert_int_equal(payload_bytes, kBytes);
  expect(genie_channel_receive_payload(second, arena + kBytes, kBytes, soon()), GENIE_STATUS_OK);
  pthread_join(sending.thread, NULL);
  expect(sending.status, GENIE_STATUS_OK);
  assert_true(memcmp(arena, arena + kBytes, kBytes) == 0);
  genie_channel_close(first);
  genie_channel_close(second);
}

static int run_over(const char *name, const char *transports, bool has_integrity) {
  const genie_ucx_options_t options = {.transports = transports, .has_integrity = has_integrity};
  const genie_status_t status = genie_ucx_fabric_create(&options, genie_allocator_heap(), &fabric);
  if (status != GENIE_OK) {
    print_error("%s\n", genie_status_message(status));
    genie_status_free(status);
    return 1;
  }
  const int failures = genie_channel_conformance_run(name, open_ucx);
  genie_ucx_fabric_destroy(fabric);
  return failures;
}

static int run_own_tests(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_path_is_told_and_a_downgrade_refused),
      cmocka_unit_test(registered_memory_is_carried),
  };
  const genie_ucx_options_t options = {.transports = "tcp"};
  expect(genie_ucx_fabric_create(&options, genie_allocator_heap(), &fabric), GENIE_STATUS_OK);
  const int failures = cmocka_run_group_tests(tests, NULL, NULL);
  genie_ucx_fabric_destroy(fabric);
  free(arena);
  return failures;
}

int main(void) {
  const genie_status_t status = genie_ucx_fabric_create(NULL, genie_allocator_heap(), &fabric);
  if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
    print_message("skipped: %s\n", genie_status_message(status));
    genie_status_free(status);
    return 0;
  }
  if (status != GENIE_OK) {
    print_error("%s\n", genie_status_message(status));
    genie_status_free(status);
    return 1;
  }
  genie_ucx_fabric_destroy(fabric);
  return run_over("ucx over tcp", "tcp", /*has_integrity=*/true) +
         run_over("ucx over shared memory", "posix,sysv", /*has_integrity=*/false) + run_own_tests();
}
