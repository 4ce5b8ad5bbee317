#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/kernel_runner.h"

#include <cmocka.h>

#ifndef GENIE_TEST_TARGET
#define GENIE_TEST_TARGET "host"
#endif

static void open_runner(const char *text, genie_kernel_runner_t *out_runner) {
  const genie_status_t status = genie_kernel_runner_open(text, GENIE_TEST_TARGET, out_runner);
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
}

static void fill(float *values, size_t count, unsigned seed) {
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(int)(seed >> 8) / 8388608.0f - 1.0f;
  }
}

static void *new_buffer(size_t bytes) {
  return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static void assert_near(double expected, double actual, double tolerance) {
  if (!(fabs(expected - actual) <= tolerance) && !(isnan(expected) && isnan(actual))) {
    fail_msg("expected %.9g, got %.9g", expected, actual);
  }
}

// y = silu(a) * (b + bias) over [6, 1000], b transposed.
static void test_pointwise_reads_through_views_and_broadcasts(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  open_runner(
      "func.func @main(%a: tensor<6x1000xf32>, %b: tensor<1000x6xf32>, %bias: tensor<1000xf32>) -> tensor<6x1000xf32> "
      "{\n"
      "  %r = genie.kernel \"pointwise\"(%a, %b, %bias) : (tensor<6x1000xf32>, tensor<1000x6xf32>, tensor<1000xf32>) ->"
      " tensor<6x1000xf32> {\n"
      "  ^bb0(%x: tensor<6x1000xf32>, %t: tensor<1000x6xf32>, %c: tensor<1000xf32>):\n"
      "    %0 = genie.silu %x : (tensor<6x1000xf32>) -> tensor<6x1000xf32>\n"
      "    %1 = genie.permute %t {permutation = array<i64: 1, 0>} : (tensor<1000x6xf32>) -> tensor<6x1000xf32>\n"
      "    %2 = genie.add %1, %c : (tensor<6x1000xf32>, tensor<1000xf32>) -> tensor<6x1000xf32>\n"
      "    %3 = genie.mul %0, %2 : (tensor<6x1000xf32>, tensor<6x1000xf32>) -> tensor<6x1000xf32>\n"
      "    genie.yield %3 : tensor<6x1000xf32>\n"
      "  }\n"
      "  return %r : tensor<6x1000xf32>\n"
      "}\n",
      &runner);
  float *a = new_buffer(24000), *b = new_buffer(24000), *bias = new_buffer(4000), *y = new_buffer(24000);
  fill(a, 6000, 1);
  fill(b, 6000, 2);
  fill(bias, 1000, 3);
  void *args[] = {a, b, bias, y};
  genie_kernel_runner_run(&runner, 0, args, NULL, 3);
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 1000; ++j) {
      const double x = a[i * 1000 + j];
      assert_near(x / (1 + exp(-x)) * ((double)b[j * 6 + i] + bias[j]), y[i * 1000 + j], 1e-6);
    }
  }
  free(a), free(b), free(bias), free(y);
  genie_kernel_runner_close(&runner);
}

// One kernel of one op over f32 tensors: "x" is input 0; the text of the op uses %x and gives %r.
static void run_op(const char *family, const char *x_type, const char *result_type, const char *op, float *x, void *y,
                   const int64_t *symbols, const char *attributes) {
  char text[4096];
  snprintf(text, sizeof(text),
           "func.func @main(%%a: %s) -> %s %s {\n"
           "  %%r = genie.kernel \"%s\"(%%a) : (%s) -> %s {\n  ^bb0(%%x: %s):\n    %s\n    genie.yield %%r : %s\n  }\n"
           "  return %%r : %s\n}\n",
           x_type, result_type, attributes, family, x_type, result_type, x_type, op, result_type, result_type);
  genie_kernel_runner_t runner;
  open_runner(text, &runner);
  void *args[] = {x, y};
  genie_kernel_runner_run(&runner, 0, args, symbols, 2);
  genie_kernel_runner_close(&runner);
}

static void test_softmax_of_rows_with_masked_elements(void **state) {
  (void)state;
  enum { ROWS = 5, COLUMNS = 197 };
  float *x = new_buffer(4 * ROWS * COLUMNS), *y = new_buffer(4 * ROWS * COLUMNS);
  fill(x, ROWS * COLUMNS, 1);
  for (int i = 0; i < ROWS * COLUMNS; i += 3) {
    x[i] = -INFINITY;
  }
  run_op("row", "tensor<5x197xf32>", "tensor<5x197xf32>",
         "%r = genie.softmax %x {axis = 1 : i64} : (tensor<5x197xf32>) -> tensor<5x197xf32>", x, y, NULL, "");
  for (int i = 0; i < ROWS; ++i) {
    double sum = 0;
    for (int j = 0; j < COLUMNS; ++j) {
      sum += exp(x[i * COLUMNS + j]);
    }
    for (int j = 0; j < COLUMNS; ++j) {
      assert_near(exp(x[i * COLUMNS + j]) / sum, y[i * COLUMNS + j], 1e-8);
    }
  }
  free(x), free(y);
}

static void test_softmax_along_an_outer_axis(void **state) {
  (void)state;
  float *x = new_buffer(4 * 3 * 7 * 300), *y = new_buffer(4 * 3 * 7 * 300);
  fill(x, 3 * 7 * 300, 1);
  run_op("row", "tensor<3x7x300xf32>", "tensor<3x7x300xf32>",
         "%r = genie.log_softmax %x {axis = 1 : i64} : (tensor<3x7x300xf32>) -> tensor<3x7x300xf32>", x, y, NULL, "");
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 300; ++k) {
      double sum = 0;
      for (int j = 0; j < 7; ++j) {
        sum += exp(x[(i * 7 + j) * 300 + k]);
      }
      for (int j = 0; j < 7; ++j) {
        assert_near(x[(i * 7 + j) * 300 + k] - log(sum), y[(i * 7 + j) * 300 + k], 1e-6);
      }
    }
  }
  free(x), free(y);
}

static void test_layer_norm_of_rows_far_from_zero(void **state) {
  (void)state;
  enum { ROWS = 4, COLUMNS = 768 };
  float *x = new_buffer(4 * ROWS * COLUMNS), *y = new_buffer(4 * ROWS * COLUMNS);
  fill(x, ROWS * COLUMNS, 1);
  for (int i = 0; i < ROWS * COLUMNS; ++i) {
    x[i] += 100.0f;
  }
  const int64_t symbols[] = {ROWS};
  run_op("row", "tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>",
         "tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>",
         "%r = \"genie.layer_norm\"(%x) {normalized_rank = 1 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = "
         "array<i32: 1, 0, 0>} : "
         "(tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>) -> tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>",
         x, y, symbols, "attributes {genie.symbols = [{name = \"s0\", min = 1, max = 64, multiple = 1}]}");
  for (int i = 0; i < ROWS; ++i) {
    double mean = 0, variance = 0;
    for (int j = 0; j < COLUMNS; ++j) {
      mean += x[i * COLUMNS + j] / (double)COLUMNS;
    }
    for (int j = 0; j < COLUMNS; ++j) {
      variance += (x[i * COLUMNS + j] - mean) * (x[i * COLUMNS + j] - mean) / COLUMNS;
    }
    for (int j = 0; j < COLUMNS; ++j) {
      assert_near((x[i * COLUMNS + j] - mean) / sqrt(variance + 1e-5), y[i * COLUMNS + j], 2e-5);
    }
  }
  free(x), free(y);
}

static void test_mean_over_rows_and_over_leading_axes(void **state) {
  (void)state;
  float *x = new_buffer(4 * 3 * 49 * 320), y[960];
  fill(x, 3 * 49 * 320, 1);
  run_op("row", "tensor<3x49x320xf32>", "tensor<3x320xf32>",
         "%r = genie.mean %x {axes = array<i64: 1>} : (tensor<3x49x320xf32>) -> tensor<3x320xf32>", x, y, NULL, "");
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 320; ++k) {
      double sum = 0;
      for (int j = 0; j < 49; ++j) {
        sum += x[(i * 49 + j) * 320 + k];
      }
      assert_near(sum / 49, y[i * 320 + k], 1e-7);
    }
  }
  run_op("row", "tensor<3x49x320xf32>", "tensor<3x49x1xf32>",
         "%r = genie.mean %x {axes = array<i64: 2>, keepdim = true} : (tensor<3x49x320xf32>) -> tensor<3x49x1xf32>", x,
         y, NULL, "");
  for (int i = 0; i < 147; ++i) {
    double sum = 0;
    for (int k = 0; k < 320; ++k) {
      sum += x[i * 320 + k];
    }
    assert_near(sum / 320, y[i], 1e-7);
  }
  free(x);
}

static void test_argmax_takes_the_first_of_equals(void **state) {
  (void)state;
  float x[2 * 50];
  fill(x, 100, 1);
  x[17] = x[33] = 5.0f;
  x[50 + 20] = NAN;
  int64_t y[2];
  run_op("row", "tensor<2x50xf32>", "tensor<2xi64>",
         "%r = genie.argmax %x {axes = array<i64: 1>} : (tensor<2x50xf32>) -> tensor<2xi64>", x, y, NULL, "");
  assert_int_equal(y[0], 17);
  assert_int_equal(y[1], 20);
}

static const char two_layers[] =
    "func.func @main(%a: tensor<8x64xf32>) -> tensor<8x64xf32> {\n"
    "  %b = genie.kernel \"row\"(%a) {genie.module = \"layer.0\"} : (tensor<8x64xf32>) -> tensor<8x64xf32> {\n"
    "  ^bb0(%x: tensor<8x64xf32>):\n"
    "    %0 = genie.softmax %x {axis = 1 : i64, genie.module = \"layer.0\"} : (tensor<8x64xf32>) -> tensor<8x64xf32>\n"
    "    genie.yield %0 : tensor<8x64xf32>\n"
    "  }\n"
    "  %c = genie.kernel \"row\"(%b) {genie.module = \"layer.1\"} : (tensor<8x64xf32>) -> tensor<8x64xf32> {\n"
    "  ^bb0(%y: tensor<8x64xf32>):\n"
    "    %1 = genie.softmax %y {axis = 1 : i64, genie.module = \"layer.1\"} : (tensor<8x64xf32>) -> tensor<8x64xf32>\n"
    "    genie.yield %1 : tensor<8x64xf32>\n"
    "  }\n"
    "  return %c : tensor<8x64xf32>\n"
    "}\n";

static void test_equal_layers_share_a_kernel(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  open_runner(two_layers, &runner);
  assert_int_equal(runner.code->kernel_count, 1);
  assert_int_equal(runner.code->launch_count, 2);
  assert_ptr_equal(genie_code_find_launch(runner.code, runner.code->launches[1].op), &runner.code->launches[1]);
  genie_kernel_runner_close(&runner);
}

static void test_targets_are_listed_from_the_least_demanding(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  assert_int_equal(genie_kernel_runner_open(two_layers, "x86-64-v4,x86-64-v3", &runner), GENIE_OK);
  assert_int_equal(runner.code->target_count, 2);
  assert_string_equal(runner.code->targets[0].name, "x86-64-v3");
  assert_string_equal(runner.code->targets[1].name, "x86-64-v4");
  assert_null(strstr(runner.code->targets[0].features, "avx512"));
  assert_non_null(strstr(runner.code->targets[1].features, "avx512vl"));
  genie_kernel_runner_close(&runner);
}

static void test_an_unknown_target_is_answered_with_those_that_exist(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  const genie_status_t status = genie_kernel_runner_open(two_layers, "x86-64-v9", &runner);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  assert_non_null(strstr(genie_status_message(status), "x86-64-v3"));
  genie_status_free(status);
}

static void test_the_same_module_gives_the_same_code(void **state) {
  (void)state;
  genie_kernel_runner_t a, b;
  open_runner(two_layers, &a);
  open_runner(two_layers, &b);
  assert_int_equal(a.code->targets[0].code_bytes, b.code->targets[0].code_bytes);
  assert_memory_equal(a.code->targets[0].code, b.code->targets[0].code, a.code->targets[0].code_bytes);
  genie_kernel_runner_close(&a);
  genie_kernel_runner_close(&b);
}

static void test_softmax_may_take_over_its_operand(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  open_runner(two_layers, &runner);
  assert_int_equal(runner.code->kernels[0].in_place[0], 1);
  float apart[8 * 64], together[8 * 64], result[8 * 64];
  fill(apart, 8 * 64, 1);
  memcpy(together, apart, sizeof(apart));
  void *first[] = {apart, result}, *second[] = {together, together};
  genie_kernel_runner_run(&runner, 0, first, NULL, 1);
  genie_kernel_runner_run(&runner, 0, second, NULL, 2);
  assert_memory_equal(result, together, sizeof(result));
  genie_kernel_runner_close(&runner);
}

// A transposed operand is read at another index than the result is stored at.
static void test_a_permuted_operand_is_not_overwritten(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  open_runner(
      "func.func @main(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {\n"
      "  %r = genie.kernel \"pointwise\"(%a, %b) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> {\n"
      "  ^bb0(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>):\n"
      "    %0 = genie.permute %x {permutation = array<i64: 1, 0>} : (tensor<8x8xf32>) -> tensor<8x8xf32>\n"
      "    %1 = genie.add %0, %y : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>\n"
      "    genie.yield %1 : tensor<8x8xf32>\n"
      "  }\n"
      "  return %r : tensor<8x8xf32>\n"
      "}\n",
      &runner);
  assert_int_equal(runner.code->kernels[0].in_place[0], 2);
  genie_kernel_runner_close(&runner);
}

static void test_index_copy_in_place_writes_only_what_it_updates(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  open_runner(
      "func.func @main(%a: tensor<2x16x8xf32>, %i: tensor<1xi64>, %s: tensor<2x1x8xf32>) -> tensor<2x16x8xf32> {\n"
      "  %r = genie.kernel \"scatter\"(%a, %i, %s) : (tensor<2x16x8xf32>, tensor<1xi64>, tensor<2x1x8xf32>) ->"
      " tensor<2x16x8xf32> {\n"
      "  ^bb0(%x: tensor<2x16x8xf32>, %j: tensor<1xi64>, %t: tensor<2x1x8xf32>):\n"
      "    %0 = genie.index_copy %x, %j, %t {axis = 1 : i64} : (tensor<2x16x8xf32>, tensor<1xi64>, tensor<2x1x8xf32>) "
      "->"
      " tensor<2x16x8xf32>\n"
      "    genie.yield %0 : tensor<2x16x8xf32>\n"
      "  }\n"
      "  return %r : tensor<2x16x8xf32>\n"
      "}\n",
      &runner);
  assert_int_equal(runner.code->kernels[0].in_place[0], 1);
  float cache[2 * 16 * 8], copy[2 * 16 * 8], source[16];
  fill(cache, 256, 1);
  fill(source, 16, 2);
  const int64_t at[] = {5};
  void *apart[] = {cache, (void *)at, source, copy}, *together[] = {cache, (void *)at, source, cache};
  genie_kernel_runner_run(&runner, 0, apart, NULL, 2);
  genie_kernel_runner_run(&runner, 0, together, NULL, 1);
  assert_memory_equal(cache, copy, sizeof(cache));
  assert_memory_equal(cache + 5 * 8, source, 32);
  assert_memory_equal(cache + (16 + 5) * 8, source + 8, 32);
  genie_kernel_runner_close(&runner);
}

// [past, new] along the second of three dimensions, whose length is known at run time.
static void test_concat_of_dynamic_pieces(void **state) {
  (void)state;
#define PAST "tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>"
#define JOINED "tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0 + 1, 8)>>"
  genie_kernel_runner_t runner;
  open_runner("func.func @main(%a: " PAST ", %b: tensor<2x1x8xf32>) -> " JOINED
              " attributes {genie.symbols = [{name = \"s0\", min = 0, max = 64, multiple = 1}]} {\n"
              "  %r = genie.kernel \"pointwise\"(%a, %b) : (" PAST ", tensor<2x1x8xf32>) -> " JOINED
              " {\n"
              "  ^bb0(%x: " PAST
              ", %y: tensor<2x1x8xf32>):\n"
              "    %0 = genie.concat %x, %y {axis = 1 : i64} : (" PAST ", tensor<2x1x8xf32>) -> " JOINED
              "\n"
              "    genie.yield %0 : " JOINED
              "\n"
              "  }\n"
              "  return %r : " JOINED
              "\n"
              "}\n",
              &runner);
  float past[2 * 64 * 8], next[16], joined[2 * 65 * 8];
  fill(past, 1024, 1);
  fill(next, 16, 2);
  for (int64_t length = 0; length <= 64; length += 13) {
    void *args[] = {past, next, joined};
    genie_kernel_runner_run(&runner, 0, args, &length, 3);
    for (int b = 0; b < 2; ++b) {
      const float *row = joined + b * (length + 1) * 8;
      assert_memory_equal(row, past + b * length * 8, (size_t)length * 32);
      assert_memory_equal(row + length * 8, next + b * 8, 32);
    }
  }
  genie_kernel_runner_close(&runner);
}

static void test_a_missing_scalar_is_named_with_its_place(void **state) {
  (void)state;
  genie_kernel_runner_t runner;
  const genie_status_t status = genie_kernel_runner_open(
      "func.func @main(%a: tensor<8xi32>) -> tensor<8xi32> {\n"
      "  %r = genie.kernel \"pointwise\"(%a) : (tensor<8xi32>) -> tensor<8xi32> {\n"
      "  ^bb0(%x: tensor<8xi32>):\n"
      "    %0 = genie.exp %x : (tensor<8xi32>) -> tensor<8xi32>\n"
      "    genie.yield %0 : tensor<8xi32>\n"
      "  }\n"
      "  return %r : tensor<8xi32>\n"
      "}\n",
      "x86-64-v3", &runner);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNIMPLEMENTED);
  assert_non_null(strstr(genie_status_message(status), "exp_i32"));
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pointwise_reads_through_views_and_broadcasts),
      cmocka_unit_test(test_softmax_of_rows_with_masked_elements),
      cmocka_unit_test(test_softmax_along_an_outer_axis),
      cmocka_unit_test(test_layer_norm_of_rows_far_from_zero),
      cmocka_unit_test(test_mean_over_rows_and_over_leading_axes),
      cmocka_unit_test(test_argmax_takes_the_first_of_equals),
      cmocka_unit_test(test_equal_layers_share_a_kernel),
      cmocka_unit_test(test_targets_are_listed_from_the_least_demanding),
      cmocka_unit_test(test_an_unknown_target_is_answered_with_those_that_exist),
      cmocka_unit_test(test_the_same_module_gives_the_same_code),
      cmocka_unit_test(test_softmax_may_take_over_its_operand),
      cmocka_unit_test(test_a_permuted_operand_is_not_overwritten),
      cmocka_unit_test(test_index_copy_in_place_writes_only_what_it_updates),
      cmocka_unit_test(test_concat_of_dynamic_pieces),
      cmocka_unit_test(test_a_missing_scalar_is_named_with_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
