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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pointwise_reads_through_views_and_broadcasts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
