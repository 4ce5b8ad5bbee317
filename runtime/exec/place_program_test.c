// Promises: a plan of several places runs in one session; each place alone, on a thread of its own, gives the same
// through an exchange; what crosses is counted, and is what the plan says; nothing of a hostile call gets through.
#include "runtime/exec/place_program.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/sample_plan.h"

#include <cmocka.h>

enum { kPlaces = 2, kTransfers = 2, kMaximumRows = 8 };

static char plan_path[64];

static void assert_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
}

static void assert_refused(genie_status_t status, genie_status_code_t code, const char *part) {
  if (genie_status_code(status) != code || strstr(genie_status_message(status), part) == NULL) {
    fail_msg("%s: %s", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  genie_status_free(status);
}

static int write_plan(void **state) {
  (void)state;
  snprintf(plan_path, sizeof(plan_path), "/tmp/genie-place-test-%d.gplan", (int)getpid());
  return genie_sample_plan_write(plan_path, &(genie_sample_options_t){.has_places = true}) != GENIE_OK;
}

static int remove_plan(void **state) {
  (void)state;
  return unlink(plan_path);
}

static genie_model_t *open_model(void) {
  genie_model_t *model = NULL;
  assert_ok(genie_model_open(plan_path, NULL, &model));
  return model;
}

static void fill(float *x, int count) {
  for (int i = 0; i < count; ++i) {
    x[i] = (float)(i + 1);
  }
}

// ---- One session ----

static void test_a_session_runs_all_places(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  genie_session_t *session = NULL;
  assert_ok(genie_session_create(model, &(genie_session_options_t){.thread_count = 1}, &session));
  for (int rows = 1; rows <= kMaximumRows; ++rows) {
    _Alignas(64) float x[3 * kMaximumRows];
    fill(x, 3 * rows);
    const genie_tensor_t input = {.data = x, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, 3}};
    genie_tensor_t outputs[2] = {0};
    assert_ok(genie_session_run(session, SAMPLE_FAR, &input, 1, outputs, 2));
    for (int i = 0; i < 3 * rows; ++i) {
      assert_true(((const float *)outputs[0].data)[i] == 4 * x[i]);
      assert_true(((const float *)outputs[1].data)[i] == 2 * x[i]);
    }
  }
  genie_session_destroy(session);
  genie_model_close(model);
}

static void check_traffic(const genie_session_t *session, uint64_t bytes, uint64_t total_bytes) {
  static const struct {
    const char *name, *source, *destination;
  } kEdges[] = {{"x", "", "local:cpu0"},
                {"doubled", "local:cpu0", "far:cpu1"},
                {"again", "far:cpu1", "local:cpu0"},
                {"y", "local:cpu0", ""},
                {"z", "far:cpu1", ""}};
  assert_int_equal(genie_session_traffic_count(session, SAMPLE_FAR), 5);
  for (uint32_t i = 0; i < 5; ++i) {
    genie_session_traffic_t edge;
    assert_ok(genie_session_traffic(session, SAMPLE_FAR, i, &edge));
    assert_string_equal(edge.name, kEdges[i].name);
    assert_string_equal(edge.source, kEdges[i].source);
    assert_string_equal(edge.destination, kEdges[i].destination);
    assert_int_equal(edge.maximum_bytes, 96);
    assert_int_equal(edge.planned_bytes, bytes);
    assert_int_equal(edge.last_bytes, bytes);
    assert_int_equal(edge.total_bytes, total_bytes);
  }
}

static void test_traffic_is_counted_as_planned(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  genie_session_t *session = NULL;
  assert_ok(genie_session_create(model, NULL, &session));
  check_traffic(session, 0, 0);
  uint64_t total_bytes = 0;
  for (int rows = 3; rows <= 5; ++rows) {
    _Alignas(64) float x[3 * kMaximumRows] = {0};
    const genie_tensor_t input = {.data = x, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, 3}};
    genie_tensor_t outputs[2] = {0};
    assert_ok(genie_session_run(session, SAMPLE_FAR, &input, 1, outputs, 2));
    total_bytes += (uint64_t)rows * 12;
    check_traffic(session, (uint64_t)rows * 12, total_bytes);
  }
  genie_session_traffic_t edge;
  assert_refused(genie_session_traffic(session, SAMPLE_FAR, 5, &edge), GENIE_STATUS_OUT_OF_RANGE, "edge 5");
  genie_session_destroy(session);
  genie_model_close(model);
}

// ---- Places apart ----

// Mailboxes of one call.
typedef struct mailbox {
  genie_exchange_t base;
  pthread_mutex_t mutex;
  pthread_cond_t has_arrived;
  float memory[kTransfers][3 * kMaximumRows];
  uint64_t size_bytes[kTransfers];
  bool is_full[kTransfers];
} mailbox_t;

static genie_status_t send(genie_exchange_t *exchange, uint32_t transfer, const void *address, uint64_t size_bytes) {
  mailbox_t *mailbox = (mailbox_t *)exchange;
  pthread_mutex_lock(&mailbox->mutex);
  memcpy(mailbox->memory[transfer], address, size_bytes);
  mailbox->size_bytes[transfer] = size_bytes;
  mailbox->is_full[transfer] = true;
  pthread_cond_broadcast(&mailbox->has_arrived);
  pthread_mutex_unlock(&mailbox->mutex);
  return GENIE_OK;
}

static genie_status_t receive(genie_exchange_t *exchange, uint32_t transfer, void *address, uint64_t size_bytes) {
  mailbox_t *mailbox = (mailbox_t *)exchange;
  pthread_mutex_lock(&mailbox->mutex);
  while (!mailbox->is_full[transfer]) {
    pthread_cond_wait(&mailbox->has_arrived, &mailbox->mutex);
  }
  mailbox->is_full[transfer] = false;
  const bool is_whole = mailbox->size_bytes[transfer] == size_bytes;
  memcpy(address, mailbox->memory[transfer], size_bytes);
  pthread_mutex_unlock(&mailbox->mutex);
  return is_whole ? GENIE_OK : genie_status_make(GENIE_STATUS_DATA_LOSS, "transfer %u", transfer);
}

static const genie_exchange_ops_t kMailboxOps = {.send = send, .receive = receive};

typedef struct worker {
  genie_place_program_t *program;
  genie_exchange_t *exchange;
  pthread_t thread;
} worker_t;

static void *worker_main(void *argument) {
  const worker_t *worker = argument;
  return (void *)genie_place_run(worker->program, SAMPLE_FAR, &(genie_place_call_t){.exchange = worker->exchange});
}

static void run_together(worker_t *workers) {
  for (int i = 0; i < kPlaces; ++i) {
    assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
  }
  for (int i = 0; i < kPlaces; ++i) {
    void *status = NULL;
    pthread_join(workers[i].thread, &status);
    assert_ok((genie_status_t)status);
  }
}

static void check_call(worker_t *workers, int64_t rows) {
  const uint64_t bytes = (uint64_t)rows * 3 * sizeof(float);
  for (int i = 0; i < kPlaces; ++i) {
    assert_ok(genie_place_program_bind(workers[i].program, SAMPLE_FAR, &rows, 1));
  }
  assert_int_equal(genie_place_program_input_bytes(workers[0].program, SAMPLE_FAR, 0), bytes);
  float *x = genie_place_program_input_memory(workers[0].program, SAMPLE_FAR, 0);
  fill(x, (int)rows * 3);
  run_together(workers);
  const float *y = genie_place_program_output_memory(workers[0].program, SAMPLE_FAR, 0);
  const float *z = genie_place_program_output_memory(workers[1].program, SAMPLE_FAR, 0);
  for (int i = 0; i < 3 * rows; ++i) {
    assert_true(y[i] == 4 * x[i] && z[i] == 2 * x[i]);
  }
  for (uint32_t transfer = 0; transfer < kTransfers; ++transfer) {
    assert_int_equal(genie_place_program_transfer_bytes(workers[0].program, transfer), bytes);
    assert_int_equal(genie_place_program_transfer_bytes(workers[1].program, transfer), bytes);
  }
}

static void create_workers(const genie_model_t *model, mailbox_t *mailbox, worker_t *workers) {
  *mailbox = (mailbox_t){.base.ops = &kMailboxOps};
  pthread_mutex_init(&mailbox->mutex, NULL);
  pthread_cond_init(&mailbox->has_arrived, NULL);
  for (uint32_t i = 0; i < kPlaces; ++i) {
    workers[i] = (worker_t){.exchange = &mailbox->base};
    assert_ok(
        genie_place_program_create(model, i, &(genie_place_program_options_t){.thread_count = 1}, &workers[i].program));
  }
}

static void test_places_run_apart(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  mailbox_t mailbox;
  worker_t workers[kPlaces];
  create_workers(model, &mailbox, workers);
  assert_int_equal(genie_place_program_input_count(workers[0].program, SAMPLE_FAR), 1);
  assert_int_equal(genie_place_program_input_count(workers[1].program, SAMPLE_FAR), 0);
  assert_int_equal(genie_place_program_output_position(workers[1].program, SAMPLE_FAR, 0), 1);
  check_call(workers, 8);
  check_call(workers, 1);
  check_call(workers, 5);
  for (int i = 0; i < kPlaces; ++i) {
    genie_place_program_destroy(workers[i].program);
  }
  genie_model_close(model);
}

// The place that has no weights loads none; one that has them, those alone.
static void test_a_place_has_its_weights_and_state(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  mailbox_t mailbox;
  worker_t workers[kPlaces];
  create_workers(model, &mailbox, workers);
  genie_session_stats_t stats[kPlaces];
  for (int i = 0; i < kPlaces; ++i) {
    genie_place_program_get_stats(workers[i].program, &stats[i]);
  }
  assert_int_equal(stats[0].weight_bytes, 128);
  assert_int_equal(stats[1].weight_bytes, 0);
  float sum[4];
  assert_ok(genie_place_program_read_state(workers[0].program, "sum", sum, sizeof(sum)));
  assert_true(sum[0] == 10 && sum[3] == 40);
  assert_refused(genie_place_program_read_state(workers[1].program, "sum", sum, sizeof(sum)), GENIE_STATUS_NOT_FOUND,
                 "is at place 0");
  for (int i = 0; i < kPlaces; ++i) {
    genie_place_program_destroy(workers[i].program);
  }
  genie_model_close(model);
}

static void test_wrong_calls_are_refused(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  mailbox_t mailbox;
  worker_t workers[kPlaces];
  create_workers(model, &mailbox, workers);
  genie_place_program_t *program = workers[0].program;
  assert_refused(genie_place_program_bind(program, 9, NULL, 0), GENIE_STATUS_OUT_OF_RANGE, "entry 9");
  assert_refused(genie_place_program_bind(program, SAMPLE_FAR, NULL, 0), GENIE_STATUS_INVALID_ARGUMENT, "has 1 sizes");
  assert_refused(genie_place_program_bind(program, SAMPLE_FAR, &(int64_t){9}, 1), GENIE_STATUS_OUT_OF_RANGE,
                 "size s0 is 9");
  assert_refused(genie_place_run(program, SAMPLE_FAR, &(genie_place_call_t){0}), GENIE_STATUS_FAILED_PRECONDITION,
                 "not bound");
  assert_ok(genie_place_program_bind(program, SAMPLE_FAR, &(int64_t){2}, 1));
  assert_refused(genie_place_run(program, SAMPLE_FAR, &(genie_place_call_t){0}), GENIE_STATUS_FAILED_PRECONDITION,
                 "no exchange");
  genie_place_program_t *none = NULL;
  assert_refused(genie_place_program_create(model, 7, NULL, &none), GENIE_STATUS_OUT_OF_RANGE, "place 7");
  for (int i = 0; i < kPlaces; ++i) {
    genie_place_program_destroy(workers[i].program);
  }
  genie_model_close(model);
}

static genie_status_t lose_peer(genie_exchange_t *exchange, uint32_t transfer, const void *address,
                                uint64_t size_bytes) {
  (void)exchange, (void)address, (void)size_bytes;
  return genie_status_make(GENIE_STATUS_ABORTED, "lost the peer of transfer %u", transfer);
}

// The call ends with what the exchange says, and the program is good for the next one.
static void test_an_error_of_the_exchange_ends_the_call(void **state) {
  (void)state;
  genie_model_t *model = open_model();
  mailbox_t mailbox;
  worker_t workers[kPlaces];
  create_workers(model, &mailbox, workers);
  const genie_exchange_ops_t ops = {.send = lose_peer, .receive = receive};
  genie_exchange_t broken = {.ops = &ops};
  assert_ok(genie_place_program_bind(workers[0].program, SAMPLE_FAR, &(int64_t){2}, 1));
  assert_refused(genie_place_run(workers[0].program, SAMPLE_FAR, &(genie_place_call_t){.exchange = &broken}),
                 GENIE_STATUS_ABORTED, "lost the peer of transfer 0");
  check_call(workers, 4);
  for (int i = 0; i < kPlaces; ++i) {
    genie_place_program_destroy(workers[i].program);
  }
  genie_model_close(model);
}

// ---- Parts ----

static genie_status_t read_no_weights(void *self, uint64_t offset, uint64_t size_bytes, void *destination) {
  memset(destination, 0, size_bytes);
  *(uint64_t *)self += size_bytes;
  return offset == 0 ? GENIE_OK
                     : genie_status_make(GENIE_STATUS_INTERNAL, "weights from byte %llu", (unsigned long long)offset);
}

static void test_a_plan_opens_in_parts(void **state) {
  (void)state;
  FILE *file = fopen(plan_path, "rb");
  static uint8_t bytes[1 << 20];
  const size_t file_bytes = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  const genie_plan_header_t *header = (const genie_plan_header_t *)bytes;
  const uint64_t before_weights = header->sections[header->section_count - 1].offset;
  assert_true(before_weights < file_bytes);
  uint64_t read_bytes = 0;
  const genie_plan_weight_source_t source = {.self = &read_bytes, .read = read_no_weights};
  genie_model_t *model = NULL;
  assert_refused(genie_model_open_parts("wire", bytes, before_weights - 1, &source, NULL, &model),
                 GENIE_STATUS_INVALID_ARGUMENT, "without its weights");
  assert_refused(genie_model_open_parts("wire", bytes, 100, &source, NULL, &model), GENIE_STATUS_DATA_LOSS, "wire");
  assert_ok(genie_model_open_parts("wire", bytes, before_weights, &source, NULL, &model));
  genie_place_program_t *program = NULL;
  assert_ok(genie_place_program_create(model, 1, NULL, &program));
  assert_int_equal(read_bytes, 0);
  genie_place_program_destroy(program);
  assert_ok(genie_place_program_create(model, 0, NULL, &program));
  assert_int_equal(read_bytes, 80);
  genie_place_program_destroy(program);
  genie_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_session_runs_all_places), cmocka_unit_test(test_traffic_is_counted_as_planned),
      cmocka_unit_test(test_places_run_apart),          cmocka_unit_test(test_a_place_has_its_weights_and_state),
      cmocka_unit_test(test_wrong_calls_are_refused),   cmocka_unit_test(test_an_error_of_the_exchange_ends_the_call),
      cmocka_unit_test(test_a_plan_opens_in_parts),
  };
  return cmocka_run_group_tests(tests, write_plan, remove_plan);
}
