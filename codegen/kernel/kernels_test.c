#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/kernel_runner.h"

static void open_runner(const char *text, genie_kernel_runner_t *out_runner) {
  const genie_status_t status = genie_kernel_runner_open(text, "host", out_runner);
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

static void *new_buffer(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }

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
      "func.func @main(%a: tensor<6x1000xf32>, %b: tensor<1000x6xf32>, %bias: tensor<1000xf32>) -> tensor<6x1000xf32> {\n"
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
  run_op("row", "tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>", "tensor<?x768xf32, affine_map<()[s0] -> (s0, 768)>>",
         "%r = \"genie.layer_norm\"(%x) {normalized_rank = 1 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : "
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
         "%r = genie.mean %x {axes = array<i64: 2>, keepdim = true} : (tensor<3x49x320xf32>) -> tensor<3x49x1xf32>", x, y, NULL,
         "");
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pointwise_reads_through_views_and_broadcasts),
      cmocka_unit_test(test_softmax_of_rows_with_masked_elements),
      cmocka_unit_test(test_softmax_along_an_outer_axis),
      cmocka_unit_test(test_layer_norm_of_rows_far_from_zero),
      cmocka_unit_test(test_mean_over_rows_and_over_leading_axes),
      cmocka_unit_test(test_argmax_takes_the_first_of_equals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
