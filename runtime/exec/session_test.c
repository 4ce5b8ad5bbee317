#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "genie/genie.h"
#include "runtime/exec/model.h"
#include "tests/support/sample_plan.h"

#include <cmocka.h>

static char plan_path[64];

typedef struct fixture {
  genie_model_t *model;
  genie_session_t *session;
} fixture_t;

static int write_plan(void **state) {
  (void)state;
  snprintf(plan_path, sizeof(plan_path), "/tmp/genie-session-test-%d.gplan", (int)getpid());
  const genie_status_t status = genie_sample_plan_write(plan_path, NULL);
  if (status != GENIE_OK) {
    fprintf(stderr, "%s\n", genie_status_message(status));
  }
  return status != GENIE_OK;
}

static int remove_plan(void **state) {
  (void)state;
  return unlink(plan_path);
}

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

static int open_session(void **state) {
  static fixture_t fixture;
  const genie_session_options_t options = {.thread_count = 2};
  assert_ok(genie_model_open(plan_path, NULL, &fixture.model));
  assert_ok(genie_session_create(fixture.model, &options, &fixture.session));
  *state = &fixture;
  return 0;
}

static int close_session(void **state) {
  fixture_t *fixture = *state;
  genie_session_destroy(fixture->session);
  genie_model_close(fixture->model);
  return 0;
}

static genie_tensor_t f32(float *data, int64_t rows, int64_t columns) {
  return (genie_tensor_t){.data = data, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, columns}};
}

static genie_tensor_t vector(float *data, int64_t count) {
  return (genie_tensor_t){.data = data, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {count}};
}

static void assert_floats(const genie_tensor_t *tensor, const float *expected, int count) {
  for (int i = 0; i < count; ++i) {
    assert_true(((const float *)tensor->data)[i] == expected[i]);
  }
}

static const float kStaticResult[6] = {22, 44, 66, 88, 110, 132};  // of x = 10, 20, ..., 60

static void test_outputs_can_be_the_sessions_memory(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float x[6] = {10, 20, 30, 40, 50, 60};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t output = {0};
  assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &output, 1));
  assert_int_equal(output.dtype, GENIE_DTYPE_F32);
  assert_int_equal(output.rank, 2);
  assert_int_equal(output.shape[0], 2);
  assert_int_equal(output.shape[1], 3);
  assert_floats(&output, kStaticResult, 6);
}

static void test_memory_of_any_alignment_works(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) char x[64 + 24] = {0};
  _Alignas(64) char y[64 + 24] = {0};
  static const float kX[6] = {10, 20, 30, 40, 50, 60};
  for (int offset = 0; offset <= 64; offset += 4) {
    memcpy(x + offset, kX, sizeof(kX));
    const genie_tensor_t input = f32((float *)(void *)(x + offset), 2, 3);
    genie_tensor_t output = f32((float *)(void *)(y + 64 - offset), 2, 3);
    assert_ok(genie_session_run(fixture->session, SAMPLE_STATIC, &input, 1, &output, 1));
    assert_ptr_equal(output.data, y + 64 - offset);
    assert_floats(&output, kStaticResult, 6);
  }
}

static void test_one_session_runs_many_sizes(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float x[24];
  for (int i = 0; i < 24; ++i) {
    x[i] = (float)i;
  }
  static const int kRows[] = {8, 1, 5, 5, 2};
  for (size_t c = 0; c < sizeof(kRows) / sizeof(kRows[0]); ++c) {
    const genie_tensor_t input = f32(x, kRows[c], 3);
    genie_tensor_t output = {0};
    assert_ok(genie_session_infer_outputs(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1));
    assert_int_equal(output.shape[0], kRows[c]);
    assert_null(output.data);
    assert_ok(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1));
    assert_int_equal(output.shape[0], kRows[c]);
    for (int i = 0; i < kRows[c] * 3; ++i) {
      assert_true(((const float *)output.data)[i] == 2 * x[i]);
    }
  }
}

static void test_an_output_can_be_the_next_input(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float x[6] = {1, 2, 3, 4, 5, 6};
  genie_tensor_t tensor = f32(x, 2, 3);
  for (int i = 0; i < 3; ++i) {
    const genie_tensor_t input = tensor;
    tensor.data = NULL;
    assert_ok(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &tensor, 1));
  }
  assert_floats(&tensor, (const float[]){8, 16, 24, 32, 40, 48}, 6);
  const genie_tensor_t both = tensor;
  assert_ok(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &both, 1, &tensor, 1));
  assert_floats(&tensor, (const float[]){16, 32, 48, 64, 80, 96}, 6);
}

static void test_memory_of_another_entry_is_not_clobbered(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float x[24] = {0};
  _Alignas(64) float step[4] = {1, 2, 3, 4};
  genie_tensor_t total = {0};
  const genie_tensor_t step_input = vector(step, 4);
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &step_input, 1, &total, 1));
  // "count" has its output at byte 64; "dynamic" stages its input in bytes 0 to 96.
  const genie_tensor_t input = f32(total.data, 1, 3);
  genie_tensor_t output = {0};
  assert_refused(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1),
                 GENIE_STATUS_INVALID_ARGUMENT, "copy it first");
  const genie_tensor_t rows = f32(x, 1, 3);
  output = f32(total.data, 1, 3);
  assert_refused(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &rows, 1, &output, 1),
                 GENIE_STATUS_INVALID_ARGUMENT, "set its data to NULL");
  assert_floats(&total, (const float[]){11, 22, 33, 44}, 4);
}

static void test_state_lives_across_runs(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float step[4] = {1, 2, 3, 4};
  const genie_tensor_t input = vector(step, 4);
  genie_tensor_t output = {0};
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &output, 1));
  assert_floats(&output, (const float[]){11, 22, 33, 44}, 4);
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &(genie_tensor_t){0}, 1));
  float sum[4];
  assert_ok(genie_session_read_state(fixture->session, "sum", sum, sizeof(sum)));
  assert_true(sum[0] == 12 && sum[3] == 48);
  const float fresh[4] = {0};
  assert_ok(genie_session_write_state(fixture->session, "sum", fresh, sizeof(fresh)));
  output.data = NULL;
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &output, 1));
  assert_floats(&output, step, 4);
  assert_ok(genie_session_reset_state(fixture->session));
  assert_ok(genie_session_read_state(fixture->session, "sum", sum, sizeof(sum)));
  assert_true(sum[0] == 10 && sum[3] == 40);
  assert_refused(genie_session_read_state(fixture->session, "none", sum, sizeof(sum)), GENIE_STATUS_NOT_FOUND, "'sum'");
  assert_refused(genie_session_read_state(fixture->session, "sum", sum, 8), GENIE_STATUS_INVALID_ARGUMENT, "16 bytes");
}

static void test_sessions_do_not_share_state(void **state) {
  fixture_t *fixture = *state;
  genie_session_t *other = NULL;
  assert_ok(genie_session_create(fixture->model, NULL, &other));
  _Alignas(64) float step[4] = {1, 1, 1, 1};
  const genie_tensor_t input = vector(step, 4);
  genie_tensor_t output = {0};
  assert_ok(genie_session_run(fixture->session, SAMPLE_COUNT, &input, 1, &(genie_tensor_t){0}, 1));
  assert_ok(genie_session_run(other, SAMPLE_COUNT, &input, 1, &output, 1));
  assert_floats(&output, (const float[]){11, 21, 31, 41}, 4);
  genie_session_destroy(other);
}

static void test_a_wrong_call_is_named(void **state) {
  fixture_t *fixture = *state;
  genie_session_t *session = fixture->session;
  _Alignas(64) float x[32] = {0};
  genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t output = {0};
  assert_refused(genie_session_run(session, 3, &input, 1, &output, 1), GENIE_STATUS_OUT_OF_RANGE, "entry 3");
  assert_refused(genie_session_run(session, 0, &input, 0, &output, 1), GENIE_STATUS_INVALID_ARGUMENT,
                 "'static' has 1 input, but 0 are given");
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 0), GENIE_STATUS_INVALID_ARGUMENT, "1 output");
  input.dtype = GENIE_DTYPE_I64;
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT,
                 "input 'x' is f32 [2, 3], but the tensor given is i64 [2, 3]");
  input = vector(x, 6);
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT, "f32 [6]");
  input = f32(x, 3, 2);
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT, "input 'x'");
  input = f32(NULL, 2, 3);
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT, "no data");
  input = f32(x, 2, 3);
  output = f32(x + 6, 3, 2);
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT, "output 'y'");
  output = f32(x + 3, 2, 3);
  assert_refused(genie_session_run(session, 0, &input, 1, &output, 1), GENIE_STATUS_INVALID_ARGUMENT, "overlaps");
}

static void test_a_size_outside_its_range_is_named_and_forgotten(void **state) {
  fixture_t *fixture = *state;
  _Alignas(64) float x[27] = {1, 2, 3};
  genie_tensor_t output = {0};
  genie_tensor_t input = f32(x, 9, 3);
  genie_status_t status = genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1);
  assert_int_not_equal(status, GENIE_OK);
  assert_non_null(strstr(genie_status_message(status), "'x'"));
  assert_non_null(strstr(genie_status_message(status), "8"));
  genie_status_free(status);
  input = f32(x, 2, 4);
  assert_refused(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1),
                 GENIE_STATUS_INVALID_ARGUMENT, "'x'");
  input = f32(x, 1, 3);
  assert_ok(genie_session_run(fixture->session, SAMPLE_DYNAMIC, &input, 1, &output, 1));
  assert_floats(&output, (const float[]){2, 4, 6}, 3);
}

static void test_the_interface_is_described(void **state) {
  fixture_t *fixture = *state;
  genie_tensor_info_t info;
  genie_symbol_info_t symbol;
  uint32_t entry = 99;
  assert_int_equal(genie_model_entry_count(fixture->model), 3);
  assert_ok(genie_model_find_entry(fixture->model, "dynamic", &entry));
  assert_int_equal(entry, SAMPLE_DYNAMIC);
  assert_refused(genie_model_find_entry(fixture->model, "nothing", &entry), GENIE_STATUS_NOT_FOUND, "static");
  assert_ok(genie_model_input_info(fixture->model, SAMPLE_DYNAMIC, 0, &info));
  assert_string_equal(info.name, "x");
  assert_int_equal(info.rank, 2);
  assert_string_equal(info.dims[0].expression, "s0");
  assert_int_equal(info.dims[0].minimum, 1);
  assert_int_equal(info.dims[0].maximum, 8);
  assert_string_equal(info.dims[1].expression, "3");
  assert_int_equal(info.maximum_bytes, 96);
  assert_ok(genie_model_symbol_info(fixture->model, SAMPLE_DYNAMIC, 0, &symbol));
  assert_string_equal(symbol.name, "s0");
  assert_int_equal(genie_model_state_count(fixture->model), 1);
  assert_ok(genie_model_state_info(fixture->model, 0, &info));
  assert_string_equal(info.name, "sum");
  int64_t shape[GENIE_MAX_RANK];
  assert_ok(genie_model_input_shape(fixture->model, SAMPLE_DYNAMIC, 0, (const int64_t[]){5}, shape));
  assert_int_equal(shape[0], 5);
  assert_refused(genie_model_input_shape(fixture->model, SAMPLE_DYNAMIC, 0, (const int64_t[]){9}, shape),
                 GENIE_STATUS_OUT_OF_RANGE, "s0");
  assert_refused(genie_model_input_info(fixture->model, SAMPLE_STATIC, 1, &info), GENIE_STATUS_OUT_OF_RANGE, "input 1");
}

static void test_a_profile_counts_launches(void **state) {
  fixture_t *fixture = *state;
  const genie_session_options_t options = {.has_profile = true, .thread_count = 1};
  genie_session_t *session = NULL;
  assert_int_equal(genie_session_profile_count(fixture->session, SAMPLE_STATIC), 0);
  assert_ok(genie_session_create(fixture->model, &options, &session));
  _Alignas(64) float x[6] = {0};
  const genie_tensor_t input = f32(x, 2, 3);
  for (int i = 0; i < 3; ++i) {
    assert_ok(genie_session_run(session, SAMPLE_STATIC, &input, 1, &(genie_tensor_t){0}, 1));
  }
  genie_session_launch_profile_t launch;
  genie_session_stats_t stats;
  genie_session_get_stats(session, &stats);
  assert_int_equal(stats.run_count, 3);
  assert_int_equal(stats.last_launch_count, 2);
  assert_int_equal(stats.thread_count, 1);
  assert_int_equal(genie_session_profile_count(session, SAMPLE_STATIC), 2);
  assert_ok(genie_session_profile(session, SAMPLE_STATIC, 1, &launch));
  assert_string_equal(launch.kernel, "add_0");
  assert_int_equal(launch.run_count, 3);
  assert_int_equal(launch.task_count, 6);
  assert_refused(genie_session_profile(session, SAMPLE_STATIC, 2, &launch), GENIE_STATUS_OUT_OF_RANGE, "launch 2");
  genie_session_destroy(session);
}

static void test_the_null_device_runs_any_plan(void **state) {
  (void)state;
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  const genie_sample_options_t sample = {.features = "a_feature_of_the_future"};
  const genie_session_options_t options = {.device = "null"};
  char path[80];
  snprintf(path, sizeof(path), "%s.future", plan_path);
  assert_ok(genie_sample_plan_write(path, &sample));
  assert_ok(genie_model_open(path, NULL, &model));
  assert_refused(genie_session_create(model, NULL, &session), GENIE_STATUS_FAILED_PRECONDITION,
                 "a_feature_of_the_future");
  assert_ok(genie_session_create(model, &options, &session));
  _Alignas(64) float x[6] = {0};
  const genie_tensor_t input = f32(x, 2, 3);
  assert_ok(genie_session_run(session, SAMPLE_STATIC, &input, 1, &(genie_tensor_t){0}, 1));
  genie_session_destroy(session);
  genie_model_close(model);
  unlink(path);
}

static void test_an_unknown_device_is_named(void **state) {
  fixture_t *fixture = *state;
  const genie_session_options_t options = {.device = "tpu"};
  genie_session_t *session = NULL;
  assert_refused(genie_session_create(fixture->model, &options, &session), GENIE_STATUS_NOT_FOUND, "tpu");
}

static void damage_byte(const char *path, long offset) {
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  fseek(file, offset, SEEK_END);
  const int byte = fgetc(file);
  fseek(file, offset, SEEK_END);
  fputc(byte ^ 1, file);
  fclose(file);
}

static void test_damaged_weights_are_found_when_asked(void **state) {
  (void)state;
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  const genie_model_options_t options = {.verify_weights = true};
  char path[80];
  snprintf(path, sizeof(path), "%s.damaged", plan_path);
  assert_ok(genie_sample_plan_write(path, NULL));
  assert_ok(genie_model_open(path, &options, &model));
  assert_ok(genie_session_create(model, NULL, &session));
  genie_session_destroy(session);
  genie_model_close(model);
  session = NULL;
  damage_byte(path, -100);
  assert_ok(genie_model_open(path, &options, &model));
  assert_refused(genie_session_create(model, NULL, &session), GENIE_STATUS_DATA_LOSS, "weights");
  assert_null(session);
  genie_model_close(model);
  unlink(path);
}

// ---- Weights that another owns ----

static genie_status_t refuse_reading(void *self, uint64_t offset, uint64_t size_bytes, void *destination) {
  (void)self;
  (void)offset;
  (void)size_bytes;
  (void)destination;
  return genie_status_make(GENIE_STATUS_INTERNAL, "the weights were copied");
}

static const void *share_weights(void *self) {
  return self;
}

static void test_weights_of_a_store_are_used_in_place(void **state) {
  (void)state;
  static _Alignas(64) uint8_t bytes[1 << 18], weights[4096];
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  FILE *file = fopen(plan_path, "rb");
  const size_t size_bytes = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  const genie_plan_header_t *header = (const genie_plan_header_t *)bytes;
  const genie_plan_section_t *section = &header->sections[header->section_count - 1];
  assert_true(section->offset + section->size_bytes == size_bytes && section->size_bytes <= sizeof(weights));
  memcpy(weights, bytes + section->offset, section->size_bytes);
  const genie_plan_weight_source_t source = {.self = weights, .read = refuse_reading, .share = share_weights};
  assert_ok(genie_model_open_parts("plan", bytes, section->offset, &source, NULL, &model));
  assert_ok(genie_session_create(model, NULL, &session));
  _Alignas(64) float x[6] = {10, 20, 30, 40, 50, 60};
  const genie_tensor_t input = f32(x, 2, 3);
  genie_tensor_t output = {0};
  assert_ok(genie_session_run(session, SAMPLE_STATIC, &input, 1, &output, 1));
  assert_floats(&output, kStaticResult, 6);
  genie_session_destroy(session);
  genie_model_close(model);
}

static void *run_in_thread(void *argument) {
  const fixture_t *fixture = argument;
  genie_session_t *session = NULL;
  const genie_session_options_t options = {.thread_count = 2};
  if (genie_session_create(fixture->model, &options, &session) != GENIE_OK) {
    return argument;
  }
  _Alignas(64) float x[6] = {10, 20, 30, 40, 50, 60};
  const genie_tensor_t input = f32(x, 2, 3);
  void *failed = NULL;
  for (int i = 0; i < 200; ++i) {
    genie_tensor_t output = {0};
    if (genie_session_run(session, SAMPLE_STATIC, &input, 1, &output, 1) != GENIE_OK ||
        memcmp(output.data, kStaticResult, sizeof(kStaticResult)) != 0) {
      failed = argument;
    }
  }
  genie_session_destroy(session);
  return failed;
}

static void test_threads_have_sessions_of_one_model(void **state) {
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) {
    assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, *state), 0);
  }
  for (int i = 0; i < 3; ++i) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, open_session, close_session)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_SESSION(test_outputs_can_be_the_sessions_memory),
      WITH_SESSION(test_memory_of_any_alignment_works),
      WITH_SESSION(test_one_session_runs_many_sizes),
      WITH_SESSION(test_an_output_can_be_the_next_input),
      WITH_SESSION(test_memory_of_another_entry_is_not_clobbered),
      WITH_SESSION(test_state_lives_across_runs),
      WITH_SESSION(test_sessions_do_not_share_state),
      WITH_SESSION(test_a_wrong_call_is_named),
      WITH_SESSION(test_a_size_outside_its_range_is_named_and_forgotten),
      WITH_SESSION(test_the_interface_is_described),
      WITH_SESSION(test_a_profile_counts_launches),
      cmocka_unit_test(test_the_null_device_runs_any_plan),
      WITH_SESSION(test_an_unknown_device_is_named),
      cmocka_unit_test(test_damaged_weights_are_found_when_asked),
      cmocka_unit_test(test_weights_of_a_store_are_used_in_place),
      WITH_SESSION(test_threads_have_sessions_of_one_model),
  };
  return cmocka_run_group_tests(tests, write_plan, remove_plan);
}
