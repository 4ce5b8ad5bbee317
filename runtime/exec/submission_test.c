// Submitted calls of a session in this process: each ends once, in order, with its own result.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "genie/genie.h"
#include "tests/support/sample_plan.h"

#include <cmocka.h>

typedef struct fixture {
  char path[64];
  genie_model_t *model;
  genie_session_t *session;
} fixture_t;

static int set_up(void **state) {
  static fixture_t fixture;
  snprintf(fixture.path, sizeof(fixture.path), "/tmp/genie-submission-%d.gplan", (int)getpid());
  assert_int_equal(genie_sample_plan_write(fixture.path, NULL), GENIE_OK);
  assert_int_equal(genie_model_open(fixture.path, NULL, &fixture.model), GENIE_OK);
  assert_int_equal(genie_session_create(fixture.model, NULL, &fixture.session), GENIE_OK);
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  fixture_t *fixture = *state;
  genie_session_destroy(fixture->session);
  genie_model_close(fixture->model);
  unlink(fixture->path);
  return 0;
}

static void count_up(void *context, genie_submission_t *submission) {
  (void)submission;
  __atomic_fetch_add((int *)context, 1, __ATOMIC_SEQ_CST);
}

static genie_tensor_t input_of(float *values, int64_t rows) {
  return (genie_tensor_t){.data = values, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, 3}};
}

static void test_calls_in_flight_have_their_own_results(void **state) {
  enum { kCalls = 40 };
  fixture_t *fixture = *state;
  genie_submission_t *submissions[kCalls];
  genie_tensor_t outputs[kCalls] = {0};
  int completed = 0;
  const genie_submit_options_t options = {.completed = count_up, .context = &completed};
  float values[24] = {0};
  for (int i = 0; i < kCalls; ++i) {
    values[0] = (float)i;
    const genie_tensor_t input = input_of(values, i % 8 + 1);
    assert_int_equal(
        genie_session_submit(fixture->session, SAMPLE_DYNAMIC, &input, 1, &outputs[i], 1, &options, &submissions[i]),
        GENIE_OK);
    assert_int_equal(outputs[i].shape[0], i % 8 + 1);
  }
  for (int i = 0; i < kCalls; ++i) {
    assert_int_equal(genie_submission_wait(submissions[i], UINT64_MAX), GENIE_OK);
    assert_true(((const float *)outputs[i].data)[0] == 2.0f * (float)i);
    genie_submission_destroy(submissions[i]);
  }
  assert_int_equal(completed, kCalls);
}

static void test_a_run_waits_for_what_was_submitted(void **state) {
  fixture_t *fixture = *state;
  float step[4] = {1, 1, 1, 1};
  const genie_tensor_t input = {.data = step, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
  genie_submission_t *submissions[3];
  genie_tensor_t outputs[3] = {0};
  for (int i = 0; i < 3; ++i) {
    assert_int_equal(
        genie_session_submit(fixture->session, SAMPLE_COUNT, &input, 1, &outputs[i], 1, NULL, &submissions[i]),
        GENIE_OK);
  }
  genie_tensor_t total = {0};
  assert_int_equal(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &total, 1), GENIE_OK);
  assert_true(((const float *)total.data)[0] == 14.0f);  // the state starts at 10
  for (int i = 0; i < 3; ++i) {
    genie_submission_destroy(submissions[i]);
  }
}

static void test_a_wrong_call_is_told_at_once_and_never_completes(void **state) {
  fixture_t *fixture = *state;
  int completed = 0;
  const genie_submit_options_t options = {.completed = count_up, .context = &completed};
  float values[27] = {0};
  const genie_tensor_t input = input_of(values, 9);
  genie_tensor_t output = {0};
  genie_submission_t *submission = NULL;
  const genie_status_t status =
      genie_session_submit(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1, &options, &submission);
  assert_int_not_equal(status, GENIE_OK);
  genie_status_free(status);
  assert_int_equal(completed, 0);
}

static void test_a_session_here_has_nothing_to_reconnect(void **state) {
  fixture_t *fixture = *state;
  const genie_status_t status = genie_session_reconnect(fixture->session);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_calls_in_flight_have_their_own_results, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_run_waits_for_what_was_submitted, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_wrong_call_is_told_at_once_and_never_completes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_session_here_has_nothing_to_reconnect, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
