// Sessions on a device whose memory the host cannot reach, and which has graphs: the CUDA device, on the GPU of this
// machine or, where the loader finds that first, on the driver of runtime/device/cuda/fake_cuda.h.
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "genie/genie.h"
#include "runtime/device/cuda/fake_cuda.h"
#include "runtime/exec/place_program.h"
#include "tests/support/sample_plan.h"

#include <cmocka.h>

typedef struct fixture {
  genie_model_t *model;
  genie_session_t *session;
} fixture_t;

static char plan_path[64];
static fake_cuda_state_t *fake;  // NULL on a GPU

static void assert_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    print_error("%s\n", genie_status_message(status));
  }
  assert_true(status == GENIE_OK);
}

static int set_up_with(void **state, bool has_device_time) {
  static fixture_t fixture;
  const genie_session_options_t options = {.has_device_time = has_device_time};
  fixture = (fixture_t){0};
  *state = &fixture;
  assert_ok(genie_model_open(plan_path, NULL, &fixture.model));
  assert_ok(genie_session_create(fixture.model, &options, &fixture.session));
  return 0;
}

static int set_up(void **state) {
  return set_up_with(state, false);
}

static int set_up_timed(void **state) {
  return set_up_with(state, true);
}

static int tear_down(void **state) {
  const fixture_t *fixture = *state;
  genie_session_destroy(fixture->session);
  genie_model_close(fixture->model);
  if (fake != NULL) {
    assert_int_equal(fake->contexts + fake->allocations + fake->mappings + fake->streams + fake->events, 0);
    assert_int_equal(fake->modules + fake->graphs + fake->registrations + fake->context_depth, 0);
  }
  return 0;
}

static genie_tensor_t f32(float *data, int64_t rows, int64_t columns) {
  return (genie_tensor_t){.data = data, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, columns}};
}

static const float kStaticResult[6] = {22, 44, 66, 88, 110, 132};

static void test_inputs_and_outputs_may_lie_anywhere(void **state) {
  const fixture_t *fixture = *state;
  _Alignas(64) float x[8] = {10, 20, 30, 40, 50, 60, 70};
  float y[8] = {0};
  for (int shift = 0; shift < 2; ++shift) {
    float *data = x + shift;
    const genie_tensor_t input = f32(data, 2, 3);
    genie_tensor_t own = {0}, given = f32(y + shift, 2, 3);
    assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &own, 1));
    assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &given, 1));
    for (int i = 0; i < 6; ++i) {
      assert_true(((float *)own.data)[i] == 2 * (data[i] + (float)(i + 1)));
      assert_true(y[shift + i] == 2 * (data[i] + (float)(i + 1)));
    }
  }
}

static void test_an_output_can_be_the_next_input(void **state) {
  const fixture_t *fixture = *state;
  float x[6] = {10, 20, 30, 40, 50, 60};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t first = {0}, second = {0};
  assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &first, 1));
  assert_memory_equal(first.data, kStaticResult, sizeof(kStaticResult));
  assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &first, 1, &second, 1));
  for (int i = 0; i < 6; ++i) {
    assert_true(((float *)second.data)[i] == 2 * (kStaticResult[i] + (float)(i + 1)));
  }
}

static void test_sizes_may_change_with_every_run(void **state) {
  const fixture_t *fixture = *state;
  float x[24];
  for (int round = 0; round < 40; ++round) {
    const int64_t rows = 1 + (round * 5) % 8;
    for (int i = 0; i < 24; ++i) {
      x[i] = (float)(100 * round + i);
    }
    const genie_tensor_t input = f32(x, rows, 3);
    genie_tensor_t output = {0};
    assert_ok(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1));
    assert_int_equal(output.shape[0], rows);
    for (int64_t i = 0; i < 3 * rows; ++i) {
      assert_true(((float *)output.data)[i] == 2 * x[i]);
    }
  }
  if (fake != NULL) {
    assert_int_equal(fake->graphs, 2 + 8);  // each size has a graph, and so have the entries without sizes
  }
}

// Two GPUs of one process: what one sends the other goes by no host memory.
static void test_two_gpus_pass_tensors_on(void **state) {
  (void)state;
  fixture_t fixture = {0};
  char path[80];
  snprintf(path, sizeof(path), "%s.two", plan_path);
  const genie_sample_options_t options = {.is_cuda = true, .features = "sm_70", .has_places = true};
  assert_ok(genie_sample_plan_write(path, &options));
  assert_ok(genie_model_open(path, NULL, &fixture.model));
  unlink(path);
  const genie_status_t status = genie_session_create(fixture.model, NULL, &fixture.session);
  if (genie_status_code(status) == GENIE_STATUS_NOT_FOUND) {
    print_message("needs two GPUs: %s\n", genie_status_message(status));
    genie_status_free(status);
    genie_model_close(fixture.model);
    skip();
  }
  assert_ok(status);
  for (int round = 0; round < 20; ++round) {
    float x[24];
    const int64_t rows = 1 + (round * 5) % 8;
    for (int i = 0; i < 24; ++i) {
      x[i] = (float)(100 * round + i);
    }
    const genie_tensor_t input = f32(x, rows, 3);
    genie_tensor_t outputs[2] = {0};
    assert_ok(genie_session_run(fixture.session, SAMPLE_FAR, &input, 1, outputs, 2));
    for (int64_t i = 0; i < 3 * rows; ++i) {
      assert_true(((float *)outputs[0].data)[i] == 4 * x[i]);
      assert_true(((float *)outputs[1].data)[i] == 2 * x[i]);
    }
  }
  tear_down(&(void *){&fixture});
}

static void test_state_lives_on_the_device(void **state) {
  const fixture_t *fixture = *state;
  float step[4] = {1, 2, 3, 4}, sum[4] = {0};
  const genie_tensor_t input = {.data = step, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
  for (int round = 1; round <= 3; ++round) {
    genie_tensor_t total = {0};
    assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &total, 1));
    for (int i = 0; i < 4; ++i) {
      assert_true(((float *)total.data)[i] == (float)(10 * (i + 1) + round * (i + 1)));
    }
  }
  assert_ok(genie_session_read_state(fixture->session, "sum", sum, sizeof(sum)));
  assert_true(sum[3] == 52);
  sum[3] = 1000;
  assert_ok(genie_session_write_state(fixture->session, "sum", sum, sizeof(sum)));
  genie_tensor_t total = {0};
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &total, 1));
  assert_true(((float *)total.data)[3] == 1004);
  assert_ok(genie_session_reset_state(fixture->session));
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &total, 1));
  assert_true(((float *)total.data)[3] == 44);
}

static genie_session_stats_t run_ten_times(const fixture_t *fixture) {
  float x[6] = {0};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_session_stats_t stats;
  const int before = fake == NULL ? 0 : fake->graph_launch_count;
  for (int i = 0; i < 10; ++i) {
    assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &(genie_tensor_t){0}, 1));
  }
  if (fake != NULL) {
    assert_int_equal(fake->graph_launch_count, before + 10);
  }
  genie_session_get_stats(fixture->session, &stats);
  assert_int_equal(stats.last_launch_count, 2);
  assert_true(stats.last_enqueue_ns > 0 && stats.last_enqueue_ns < stats.last_run_ns);
  print_message("device %llu ns, enqueue %llu ns, run %llu ns\n", (unsigned long long)stats.last_device_ns,
                (unsigned long long)stats.last_enqueue_ns, (unsigned long long)stats.last_run_ns);
  return stats;
}

static void test_a_run_is_one_graph(void **state) {
  assert_int_equal(run_ten_times(*state).last_device_ns, 0);
}

static void test_a_device_times_its_work(void **state) {
  assert_true(run_ten_times(*state).last_device_ns > 0);
}

static void test_a_profile_launches_one_by_one(void **state) {
  const fixture_t *fixture = *state;
  const genie_session_options_t options = {.has_profile = true};
  genie_session_t *session = NULL;
  genie_session_launch_profile_t launch;
  float x[6] = {10, 20, 30, 40, 50, 60};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t output = {0};
  assert_ok(genie_session_create(fixture->model, &options, &session));
  assert_ok(genie_session_run(session, SAMPLE_STATIC, &input, 1, &output, 1));
  assert_memory_equal(output.data, kStaticResult, sizeof(kStaticResult));
  assert_ok(genie_session_profile(session, SAMPLE_STATIC, 1, &launch));
  assert_int_equal(launch.run_count, 1);
  assert_true(launch.total_ns > 0);
  genie_session_destroy(session);
}

static void test_a_place_alone_runs_as_a_session_does(void **state) {
  const fixture_t *fixture = *state;
  genie_place_program_t *program = NULL;
  const int64_t rows = 5;
  assert_ok(genie_place_program_create(fixture->model, 0, NULL, &program));
  for (int round = 0; round < 3; ++round) {
    assert_ok(genie_place_program_bind(program, SAMPLE_DYNAMIC, &rows, 1));
    float *x = genie_place_program_input_memory(program, SAMPLE_DYNAMIC, 0);
    const float *y = genie_place_program_output_memory(program, SAMPLE_DYNAMIC, 0);
    assert_int_equal(genie_place_program_input_bytes(program, SAMPLE_DYNAMIC, 0), 60);
    for (int i = 0; i < 15; ++i) {
      x[i] = (float)(i + round);
    }
    assert_ok(genie_place_run(program, SAMPLE_DYNAMIC, &(genie_place_call_t){0}));
    for (int i = 0; i < 15; ++i) {
      assert_true(y[i] == (float)(2 * (i + round)));
    }
  }
  genie_place_program_destroy(program);
}

static void test_a_lost_device_ends_the_call_and_the_next_ones(void **state) {
  const fixture_t *fixture = *state;
  if (fake == NULL) {
    skip();
  }
  float x[6] = {0};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t output = {0};
  fake->failing_call = "cuGraphLaunch";
  fake->failing_result = CU_ERROR_ILLEGAL_ADDRESS;
  for (int i = 0; i < 2; ++i) {
    const genie_status_t status = genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &output, 1);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_ABORTED);
    assert_non_null(strstr(genie_status_message(status), "beyond repair"));
    genie_status_free(status);
  }
}

static void test_a_lost_device_is_known_as_such(void **state) {
  const fixture_t *fixture = *state;
  genie_place_program_t *program = NULL;
  if (fake == NULL) {
    skip();
  }
  assert_ok(genie_place_program_create(fixture->model, 0, NULL, &program));
  assert_ok(genie_place_program_bind(program, SAMPLE_STATIC, NULL, 0));
  fake->failing_call = "cuGraphLaunch";
  fake->failing_result = 2;  // out of memory: the device goes on
  genie_status_t status = genie_place_run(program, SAMPLE_STATIC, &(genie_place_call_t){0});
  assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
  genie_status_free(status);
  assert_false(genie_place_program_is_device_lost(program));
  fake->failing_call = "cuGraphLaunch";
  fake->failing_result = CU_ERROR_ILLEGAL_ADDRESS;
  status = genie_place_run(program, SAMPLE_STATIC, &(genie_place_call_t){0});
  assert_int_equal(genie_status_code(status), GENIE_STATUS_ABORTED);
  genie_status_free(status);
  assert_true(genie_place_program_is_device_lost(program));
  genie_place_program_destroy(program);
}

static void test_code_for_a_later_architecture_is_named(void **state) {
  (void)state;
  char path[80];
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  snprintf(path, sizeof(path), "%s.later", plan_path);
  assert_ok(genie_sample_plan_write(path, &(genie_sample_options_t){.is_cuda = true, .features = "sm_999"}));
  assert_ok(genie_model_open(path, NULL, &model));
  const genie_status_t status = genie_session_create(model, NULL, &session);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  assert_non_null(strstr(genie_status_message(status), "sm_999"));
  genie_status_free(status);
  genie_model_close(model);
  unlink(path);
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_SESSION(test_inputs_and_outputs_may_lie_anywhere),
      WITH_SESSION(test_an_output_can_be_the_next_input),
      WITH_SESSION(test_sizes_may_change_with_every_run),
      WITH_SESSION(test_state_lives_on_the_device),
      WITH_SESSION(test_a_run_is_one_graph),
      cmocka_unit_test_setup_teardown(test_a_device_times_its_work, set_up_timed, tear_down),
      WITH_SESSION(test_a_profile_launches_one_by_one),
      WITH_SESSION(test_a_place_alone_runs_as_a_session_does),
      WITH_SESSION(test_a_lost_device_ends_the_call_and_the_next_ones),
      WITH_SESSION(test_a_lost_device_is_known_as_such),
      cmocka_unit_test(test_two_gpus_pass_tensors_on),
      cmocka_unit_test(test_code_for_a_later_architecture_is_named),
  };
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  fake = driver == NULL ? NULL : dlsym(driver, "fake_cuda_state");
  snprintf(plan_path, sizeof(plan_path), "/tmp/genie-cuda-session-test-%d.gplan", (int)getpid());
  const genie_status_t status =
      genie_sample_plan_write(plan_path, &(genie_sample_options_t){.is_cuda = true, .features = "sm_70"});
  if (status != GENIE_OK) {
    print_error("%s\n", genie_status_message(status));
    return 1;
  }
  const int failure_count = cmocka_run_group_tests_name("cuda session", tests, NULL, NULL);
  unlink(plan_path);
  return failure_count;
}
