// Promises: a recorder is bounded and says what it dropped; a session's trace has every instruction; what was sent and
// what arrived is one event; records that a hostile node makes up are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/exec/trace_events.h"
#include "tests/support/sample_plan.h"

#include <cmocka.h>

static void assert_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
}

static void assert_refused(genie_status_t status, genie_status_code_t code) {
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

static genie_plan_t *plan;
static genie_model_t *model;

static int open_sample(void **state) {
  (void)state;
  char path[64];
  snprintf(path, sizeof(path), "/tmp/genie-trace-test-%d.gplan", (int)getpid());
  const bool is_open = genie_sample_plan_write(path, &(genie_sample_options_t){.has_places = true}) == GENIE_OK &&
                       genie_plan_open(path, &(genie_plan_options_t){0}, genie_allocator_heap(), &plan) == GENIE_OK &&
                       genie_model_open(path, NULL, &model) == GENIE_OK;
  unlink(path);
  return is_open ? 0 : 1;
}

static int close_sample(void **state) {
  (void)state;
  genie_plan_close(plan);
  genie_model_close(model);
  return 0;
}

static void test_a_recorder_is_bounded(void **state) {
  (void)state;
  enum { kExtra = 3, kPart = 10 };
  genie_trace_t *trace = NULL;
  genie_trace_record_t records[kPart];
  uint64_t dropped_count = 0;
  genie_trace_add(NULL, GENIE_TRACE_RECORD_STEP, 0, 1, 0, 0);
  assert_ok(genie_trace_create(genie_allocator_heap(), &trace));
  for (uint32_t i = 0; i < GENIE_TRACE_CAPACITY + kExtra; ++i) {
    genie_trace_add(trace, GENIE_TRACE_RECORD_STEP, i, 1, 0, genie_trace_now_ns(trace));
  }
  assert_int_equal(genie_trace_take(trace, records, kPart, &dropped_count), kPart);
  assert_int_equal(dropped_count, kExtra);
  assert_true(records[0].index == 0 && records[kPart - 1].index == kPart - 1);
  assert_true(records[0].begin_ns > 0 && records[0].end_ns >= records[0].begin_ns);
  genie_trace_add(trace, GENIE_TRACE_RECORD_STEP, 7, 2, 0, 0);  // there is room again
  assert_int_equal(genie_trace_take(trace, records, 1, &dropped_count), 1);
  assert_int_equal(records[0].index, kPart);
  assert_int_equal(dropped_count, 0);
  genie_trace_destroy(trace);
  genie_trace_destroy(NULL);
}

static void test_a_session_records_every_instruction(void **state) {
  (void)state;
  float x[3] = {1, 2, 3};
  const genie_tensor_t input = {.data = x, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {1, 3}};
  genie_tensor_t outputs[2] = {0};
  const genie_session_trace_event_t *events = NULL;
  uint32_t count = 0;
  uint64_t dropped_count = 0;
  genie_session_t *session = NULL;
  assert_ok(genie_session_create(model, &(genie_session_options_t){.thread_count = 1}, &session));
  assert_refused(genie_session_trace(session, &events, &count, &dropped_count), GENIE_STATUS_FAILED_PRECONDITION);
  genie_session_destroy(session);
  assert_ok(genie_session_create(model, &(genie_session_options_t){.thread_count = 1, .has_trace = true}, &session));
  for (uint64_t call = 1; call <= 2; ++call) {
    assert_ok(genie_session_run(session, SAMPLE_FAR, &input, 1, outputs, 2));
    assert_ok(genie_session_trace(session, &events, &count, &dropped_count));
    assert_int_equal(count, plan->entries[SAMPLE_FAR].instruction_count);
    for (uint32_t i = 0; i < count; ++i) {
      assert_true(events[i].kind == GENIE_TRACE_INSTRUCTION && events[i].call == call);
      assert_true(i == 0 || events[i].begin_ns >= events[i - 1].end_ns);
      assert_true((strcmp(events[i].what, "send") == 0 || strcmp(events[i].what, "receive") == 0)
                      ? events[i].bytes == 12
                      : events[i].bytes == 0);
    }
  }
  assert_ok(genie_session_trace(session, &events, &count, &dropped_count));
  assert_int_equal(count, 0);
  genie_session_destroy(session);
}

static void test_what_was_sent_and_what_arrived_is_one_event(void **state) {
  (void)state;
  genie_trace_record_t here[] = {
      {.kind = GENIE_TRACE_RECORD_SENT, .call = 1, .bytes = 12, .begin_ns = 10, .end_ns = 20},
      {.kind = GENIE_TRACE_RECORD_SENT, .call = 2, .bytes = 12, .begin_ns = 30, .end_ns = 40}};
  genie_trace_record_t there[] = {
      {.kind = GENIE_TRACE_RECORD_ARRIVED, .call = 1, .bytes = 12, .begin_ns = 15, .end_ns = 28}};
  const genie_trace_batch_t batches[] = {{.records = here, .count = 2}, {.records = there, .count = 1, .error_ns = 5}};
  genie_arena_t arena;
  genie_session_trace_event_t *events = NULL;
  uint32_t count = 0;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  assert_ok(genie_trace_make_events(plan, batches, 2, &arena, &events, &count));
  assert_int_equal(count, 2);
  assert_true(events[0].begin_ns == 10 && events[0].end_ns == 28 && events[0].error_ns == 5);
  assert_string_equal(events[0].destination, "far:cpu1");
  assert_true(events[1].begin_ns == 30 && events[1].end_ns == 40 && events[1].error_ns == 0);
  genie_arena_deinit(&arena);
}

static void test_made_up_records_are_refused(void **state) {
  (void)state;
  const genie_trace_record_t bad[] = {{.kind = 0},
                                      {.kind = 8},
                                      {.kind = GENIE_TRACE_RECORD_STEP, .index = plan->instruction_count},
                                      {.kind = GENIE_TRACE_RECORD_ARRIVED, .index = plan->transfer_count},
                                      {.kind = GENIE_TRACE_RECORD_TAKEN, .index = plan->place_count}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    genie_trace_record_t record = bad[i];
    const genie_trace_batch_t batch = {.records = &record, .count = 1};
    genie_arena_t arena;
    genie_session_trace_event_t *events = NULL;
    uint32_t count = 0;
    genie_arena_init(genie_allocator_heap(), 0, &arena);
    assert_refused(genie_trace_make_events(plan, &batch, 1, &arena, &events, &count), GENIE_STATUS_INVALID_ARGUMENT);
    genie_arena_deinit(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_recorder_is_bounded),
                                     cmocka_unit_test(test_a_session_records_every_instruction),
                                     cmocka_unit_test(test_what_was_sent_and_what_arrived_is_one_event),
                                     cmocka_unit_test(test_made_up_records_are_refused)};
  return cmocka_run_group_tests(tests, open_sample, close_sample);
}
