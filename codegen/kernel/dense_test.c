// The dense families from module text to machine code, beside double references.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs the headers above first.
#include "codegen/kernel/kernel_runner.h"
#include "ir/pack.h"

#include <cmocka.h>

static const char *const TARGETS[] = {"x86-64-v3", "host"};

static void open_runner(const char *text, const char *target, genie_kernel_runner_t *out_runner) {
  const genie_status_t status = genie_kernel_runner_open(text, target, out_runner);
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
}

static unsigned seed = 7;

static float *random_floats(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(int)(seed >> 8) / 16777216.0f - 0.5f;
  }
  return values;
}

static float *packed_groups(const char *name, int rank, const int64_t *dims, int64_t groups, const float *x) {
  const genie_pack_format_t *format = genie_pack_find(name, strlen(name));
  int64_t packed_dims[8];
  const int packed_rank = format->shape(rank, dims, groups, 32, packed_dims);
  size_t count = 1;
  for (int d = 0; d < packed_rank; ++d) {
    count *= (size_t)packed_dims[d];
  }
  float *packed = random_floats(count);
  format->pack(rank, dims, groups, 32, sizeof(float), x, packed);
  return packed;
}

static float *packed_floats(const char *name, int rank, const int64_t *dims, const float *x) {
  return packed_groups(name, rank, dims, 1, x);
}

static void assert_near(double want, double got) {
  if (!(fabs(want - got) <= 1e-5)) {
    fail_msg("want %.9g, got %.9g", want, got);
  }
}

static void packed_linear_with_bias_relu_and_residual(void **state) {
  (void)state;
  enum { M = 6 * 5, N = 70, K = 41 };
  const char *text =
      "func.func @main(%a: tensor<6x5x41xf32>, %w: tensor<3x41x32xf32>, %b: tensor<70xf32>, %r: tensor<6x5x70xf32>) -> "
      "tensor<6x5x70xf32> {\n"
      "  %y = genie.kernel \"gemm\"(%a, %w, %b, %r) : (tensor<6x5x41xf32>, tensor<3x41x32xf32>, tensor<70xf32>, "
      "tensor<6x5x70xf32>) -> tensor<6x5x70xf32> {\n"
      "  ^bb0(%x: tensor<6x5x41xf32>, %p: tensor<3x41x32xf32>, %c: tensor<70xf32>, %s: tensor<6x5x70xf32>):\n"
      "    %u = genie.unpack %p {format = \"panel_n\", width = 32 : i64} : (tensor<3x41x32xf32>) -> tensor<70x41xf32>\n"
      "    %0 = genie.linear %x, %u, %c : (tensor<6x5x41xf32>, tensor<70x41xf32>, tensor<70xf32>) -> "
      "tensor<6x5x70xf32>\n"
      "    %1 = genie.relu %0 : (tensor<6x5x70xf32>) -> tensor<6x5x70xf32>\n"
      "    %2 = genie.add %1, %s : (tensor<6x5x70xf32>, tensor<6x5x70xf32>) -> tensor<6x5x70xf32>\n"
      "    genie.yield %2 : tensor<6x5x70xf32>\n  }\n  return %y : tensor<6x5x70xf32>\n}\n";
  const int64_t dims[] = {N, K};
  float *a = random_floats(M * K), *w = random_floats(N * K), *b = random_floats(N), *r = random_floats(M * N);
  float *p = packed_floats("panel_n", 2, dims, w), *y = random_floats(M * N);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {a, p, b, r, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < N; ++n) {
        double want = b[n];
        for (int k = 0; k < K; ++k) want += (double)a[m * K + k] * w[n * K + k];
        assert_near(fmax(want, 0) + r[m * N + n], y[m * N + n]);
      }
    }
    genie_kernel_runner_close(&runner);
  }
  free(a), free(w), free(b), free(r), free(p), free(y);
}

static void matmul_of_views_with_batch_and_a_dynamic_size(void **state) {
  (void)state;
  // q, k in [2, s, 4, 16]; scores [2, 4, s, s]
  enum { S = 9 };
  const char *text =
      "#q = affine_map<()[s0] -> (2, s0, 4, 16)>\n#t = affine_map<()[s0] -> (2, 4, s0, 16)>\n#u = affine_map<()[s0] -> "
      "(2, 4, 16, s0)>\n"
      "#r = affine_map<()[s0] -> (2, 4, s0, s0)>\n"
      "func.func @main(%a: tensor<2x?x4x16xf32, #q>, %b: tensor<2x?x4x16xf32, #q>) -> tensor<2x4x?x?xf32, #r> "
      "attributes {genie.symbols = "
      "[{max = 40 : i64, min = 1 : i64, multiple = 1 : i64, name = \"s0\"}]} {\n"
      "  %y = genie.kernel \"gemm\"(%a, %b) : (tensor<2x?x4x16xf32, #q>, tensor<2x?x4x16xf32, #q>) -> "
      "tensor<2x4x?x?xf32, #r> {\n"
      "  ^bb0(%x: tensor<2x?x4x16xf32, #q>, %z: tensor<2x?x4x16xf32, #q>):\n"
      "    %0 = genie.permute %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x?x4x16xf32, #q>) -> "
      "tensor<2x4x?x16xf32, #t>\n"
      "    %1 = genie.permute %z {permutation = array<i64: 0, 2, 3, 1>} : (tensor<2x?x4x16xf32, #q>) -> "
      "tensor<2x4x16x?xf32, #u>\n"
      "    %2 = genie.matmul %0, %1 : (tensor<2x4x?x16xf32, #t>, tensor<2x4x16x?xf32, #u>) -> tensor<2x4x?x?xf32, #r>\n"
      "    genie.yield %2 : tensor<2x4x?x?xf32, #r>\n  }\n  return %y : tensor<2x4x?x?xf32, #r>\n}\n";
  float *a = random_floats(2 * S * 64), *b = random_floats(2 * S * 64), *y = random_floats(8 * S * S);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {a, b, y};
    const int64_t symbols[] = {S};
    genie_kernel_runner_run(&runner, 0, args, symbols, 3);
    for (int i = 0; i < 8 * S * S; ++i) {
      const int batch = i / (4 * S * S), head = i / (S * S) % 4, row = i / S % S, column = i % S;
      double want = 0;
      for (int k = 0; k < 16; ++k)
        want += (double)a[((batch * S + row) * 4 + head) * 16 + k] * b[((batch * S + column) * 4 + head) * 16 + k];
      assert_near(want, y[i]);
    }
    genie_kernel_runner_close(&runner);
  }
  free(a), free(b), free(y);
}

static void gemv_of_a_weight_as_stored(void **state) {
  (void)state;
  enum { N = 130, K = 75 };
  const char *text =
      "func.func @main(%a: tensor<1x75xf32>, %w: tensor<130x75xf32>) -> tensor<1x130xf32> {\n"
      "  %y = genie.kernel \"gemm\"(%a, %w) : (tensor<1x75xf32>, tensor<130x75xf32>) -> tensor<1x130xf32> {\n"
      "  ^bb0(%x: tensor<1x75xf32>, %p: tensor<130x75xf32>):\n"
      "    %0 = genie.linear %x, %p : (tensor<1x75xf32>, tensor<130x75xf32>) -> tensor<1x130xf32>\n"
      "    %1 = genie.gelu %0 : (tensor<1x130xf32>) -> tensor<1x130xf32>\n"
      "    genie.yield %1 : tensor<1x130xf32>\n  }\n  return %y : tensor<1x130xf32>\n}\n";
  float *a = random_floats(K), *w = random_floats(N * K), *y = random_floats(N);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {a, w, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int n = 0; n < N; ++n) {
      double want = 0;
      for (int k = 0; k < K; ++k) want += (double)a[k] * w[n * K + k];
      assert_near(want * 0.5 * erfc(-want / sqrt(2)), y[n]);
    }
    genie_kernel_runner_close(&runner);
  }
  free(a), free(w), free(y);
}

static double conv_at(const float *x, const float *w, int channels, int size, int taps, int stride, int groups,
                      int outputs, int o, int i, int j) {
  double sum = 0;
  const int in = channels / groups, group = o / (outputs / groups);
  for (int c = 0; c < in; ++c) {
    for (int a = 0; a < taps; ++a) {
      for (int b = 0; b < taps; ++b) {
        const int r = i * stride - taps / 2 + a, q = j * stride - taps / 2 + b;
        if (r >= 0 && q >= 0 && r < size && q < size)
          sum += (double)x[((group * in + c) * size + r) * size + q] * w[((o * in + c) * taps + a) * taps + b];
      }
    }
  }
  return sum;
}

// x is channels-first where it enters, the result leaves channels-last.
static void packed_conv_from_a_row_major_image(void **state) {
  (void)state;
  enum { C = 3, O = 40, SIZE = 13, OUT = 7 };
  const char *text =
      "func.func @main(%a: tensor<1x3x13x13xf32>, %w: tensor<2x3x3x3x32xf32>, %b: tensor<40xf32>) -> "
      "tensor<1x40x7x7xf32> {\n"
      "  %y = genie.kernel \"conv\"(%a, %w, %b) {layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<1x3x13x13xf32>, "
      "tensor<2x3x3x3x32xf32>, tensor<40xf32>) -> tensor<1x40x7x7xf32> {\n"
      "  ^bb0(%x: tensor<1x3x13x13xf32>, %p: tensor<2x3x3x3x32xf32>, %c: tensor<40xf32>):\n"
      "    %u = genie.unpack %p {format = \"conv_n\", width = 32 : i64} : (tensor<2x3x3x3x32xf32>) -> "
      "tensor<40x3x3x3xf32>\n"
      "    %0 = genie.conv %x, %u, %c {stride = array<i64: 2, 2>, padding_low = array<i64: 1, 1>, padding_high = "
      "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x13x13xf32>, "
      "tensor<40x3x3x3xf32>, tensor<40xf32>) -> tensor<1x40x7x7xf32>\n"
      "    %1 = genie.relu %0 : (tensor<1x40x7x7xf32>) -> tensor<1x40x7x7xf32>\n"
      "    genie.yield %1 : tensor<1x40x7x7xf32>\n  }\n  return %y : tensor<1x40x7x7xf32>\n}\n";
  const int64_t dims[] = {O, C, 3, 3};
  float *x = random_floats(C * SIZE * SIZE), *w = random_floats(O * C * 9), *b = random_floats(O),
        *y = random_floats(O * OUT * OUT);
  float *p = packed_floats("conv_n", 4, dims, w);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {x, p, b, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int i = 0; i < OUT * OUT; ++i) {
      for (int o = 0; o < O; ++o) {
        assert_near(fmax(conv_at(x, w, C, SIZE, 3, 2, 1, O, o, i / OUT, i % OUT) + b[o], 0), y[i * O + o]);
      }
    }
    genie_kernel_runner_close(&runner);
  }
  free(x), free(w), free(b), free(y), free(p);
}

static void unpacked_grouped_conv(void **state) {
  (void)state;
  enum { C = 6, O = 9, SIZE = 8 };
  const char *text =
      "func.func @main(%a: tensor<1x6x8x8xf32>, %w: tensor<9x2x3x3xf32>) -> tensor<1x9x8x8xf32> {\n"
      "  %y = genie.kernel \"conv\"(%a, %w) : (tensor<1x6x8x8xf32>, tensor<9x2x3x3xf32>) -> tensor<1x9x8x8xf32> {\n"
      "  ^bb0(%x: tensor<1x6x8x8xf32>, %p: tensor<9x2x3x3xf32>):\n"
      "    %0 = genie.conv %x, %p {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = "
      "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 3 : i64} : (tensor<1x6x8x8xf32>, tensor<9x2x3x3xf32>) "
      "-> tensor<1x9x8x8xf32>\n"
      "    genie.yield %0 : tensor<1x9x8x8xf32>\n  }\n  return %y : tensor<1x9x8x8xf32>\n}\n";
  float *x = random_floats(C * SIZE * SIZE), *w = random_floats(O * 2 * 9), *y = random_floats(O * SIZE * SIZE);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {x, w, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int i = 0; i < O * SIZE * SIZE; ++i) {
      assert_near(conv_at(x, w, C, SIZE, 3, 1, 3, O, i / (SIZE * SIZE), i / SIZE % SIZE, i % SIZE), y[i]);
    }
    genie_kernel_runner_close(&runner);
  }
  free(x), free(w), free(y);
}

// The image is between kernels, so channels-last: an identity kernel makes it so.
static void depthwise_conv_and_max_pool_of_channels_last_images(void **state) {
  (void)state;
  enum { C = 21, SIZE = 11 };
  const char *text =
      "func.func @main(%a: tensor<1x21x11x11xf32>, %w: tensor<3x3x32xf32>) -> tensor<1x21x6x6xf32> {\n"
      "  %t = genie.kernel \"pointwise\"(%a) {layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<1x21x11x11xf32>) -> "
      "tensor<1x21x11x11xf32> {\n"
      "  ^bb0(%x: tensor<1x21x11x11xf32>):\n    %0 = genie.relu %x : (tensor<1x21x11x11xf32>) -> "
      "tensor<1x21x11x11xf32>\n    genie.yield %0 : tensor<1x21x11x11xf32>\n  }\n"
      "  %y = genie.kernel \"conv\"(%t, %w) {layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<1x21x11x11xf32>, "
      "tensor<3x3x32xf32>) -> tensor<1x21x11x11xf32> {\n"
      "  ^bb0(%x: tensor<1x21x11x11xf32>, %p: tensor<3x3x32xf32>):\n"
      "    %u = genie.unpack %p {format = \"depthwise\", width = 32 : i64} : (tensor<3x3x32xf32>) -> "
      "tensor<21x1x3x3xf32>\n"
      "    %0 = genie.conv %x, %u {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = "
      "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 21 : i64} : (tensor<1x21x11x11xf32>, "
      "tensor<21x1x3x3xf32>) -> tensor<1x21x11x11xf32>\n"
      "    genie.yield %0 : tensor<1x21x11x11xf32>\n  }\n"
      "  %z = genie.kernel \"pool\"(%y) : (tensor<1x21x11x11xf32>) -> tensor<1x21x6x6xf32> {\n"
      "  ^bb0(%x: tensor<1x21x11x11xf32>):\n"
      "    %0 = genie.max_pool %x {kernel = array<i64: 3, 3>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1>, "
      "dilation = array<i64: 1, 1>} : (tensor<1x21x11x11xf32>) -> tensor<1x21x6x6xf32>\n"
      "    genie.yield %0 : tensor<1x21x6x6xf32>\n  }\n  return %z : tensor<1x21x6x6xf32>\n}\n";
  const int64_t dims[] = {C, 1, 3, 3};
  float *x = random_floats(C * SIZE * SIZE), *w = random_floats(C * 9), *z = random_floats(C * 36);
  float *t = random_floats(C * SIZE * SIZE), *y = random_floats(C * SIZE * SIZE),
        *p = packed_floats("depthwise", 4, dims, w);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *first[] = {x, t}, *second[] = {t, p, y}, *third[] = {y, z};
    genie_kernel_runner_run(&runner, 0, first, NULL, 2);
    genie_kernel_runner_run(&runner, 1, second, NULL, 3);
    genie_kernel_runner_run(&runner, 2, third, NULL, 3);
    float *positive = random_floats(C * SIZE * SIZE);
    for (int i = 0; i < C * SIZE * SIZE; ++i) positive[i] = fmaxf(x[i], 0);
    for (int c = 0; c < C; ++c) {
      for (int i = 0; i < 36; ++i) {
        double want = -1e9;
        for (int k = 0; k < 9; ++k) {
          const int r = i / 6 * 2 - 1 + k / 3, q = i % 6 * 2 - 1 + k % 3;
          if (r >= 0 && q >= 0 && r < SIZE && q < SIZE)
            want = fmax(want, conv_at(positive, w, C, SIZE, 3, 1, C, C, c, r, q));
        }
        assert_near(want, z[c * 36 + i]);
      }
    }
    free(positive);
    genie_kernel_runner_close(&runner);
  }
  free(x), free(w), free(z), free(t), free(y), free(p);
}

static void packed_depthwise_conv_of_a_row_major_image(void **state) {
  (void)state;
  enum { C = 21, SIZE = 11, OUT = 6 };
  const char *text =
      "func.func @main(%t: tensor<1x21x11x11xf32>, %w: tensor<3x3x32xf32>) -> tensor<1x21x6x6xf32> {\n"
      "  %y = genie.kernel \"conv\"(%t, %w) {layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<1x21x11x11xf32>, "
      "tensor<3x3x32xf32>) -> tensor<1x21x6x6xf32> {\n"
      "  ^bb0(%x: tensor<1x21x11x11xf32>, %p: tensor<3x3x32xf32>):\n"
      "    %u = genie.unpack %p {format = \"depthwise\", width = 32 : i64} : (tensor<3x3x32xf32>) -> "
      "tensor<21x1x3x3xf32>\n"
      "    %0 = genie.conv %x, %u {stride = array<i64: 2, 2>, padding_low = array<i64: 1, 1>, padding_high = "
      "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 21 : i64} : (tensor<1x21x11x11xf32>, "
      "tensor<21x1x3x3xf32>) -> tensor<1x21x6x6xf32>\n"
      "    genie.yield %0 : tensor<1x21x6x6xf32>\n  }\n  return %y : tensor<1x21x6x6xf32>\n}\n";
  const int64_t dims[] = {C, 1, 3, 3};
  float *x = random_floats(C * SIZE * SIZE), *w = random_floats(C * 9), *y = random_floats(C * OUT * OUT);
  float *p = packed_floats("depthwise", 4, dims, w);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {x, p, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int c = 0; c < C; ++c) {
      for (int i = 0; i < OUT * OUT; ++i) {
        assert_near(conv_at(x, w, C, SIZE, 3, 2, C, C, c, i / OUT, i % OUT), y[i * C + c]);
      }
    }
    genie_kernel_runner_close(&runner);
  }
  free(x), free(w), free(y), free(p);
}

// q, k, v are views of [s, 3, 2, 16]; the mask keeps keys before `valid`; the result leaves as [s, 2 * 16].
static void attention_of_views_with_a_mask(void **state) {
  (void)state;
  enum { S = 37, H = 2, E = 16 };
  const char *text =
      "func.func @main(%a: tensor<37x3x2x16xf32>, %m: tensor<37xi64>) -> tensor<37x32xf32> {\n"
      "  %y = genie.kernel \"attention\"(%a, %m) : (tensor<37x3x2x16xf32>, tensor<37xi64>) -> tensor<37x32xf32> {\n"
      "  ^bb0(%x: tensor<37x3x2x16xf32>, %valid: tensor<37xi64>):\n"
      "    %p = genie.permute %x {permutation = array<i64: 1, 2, 0, 3>} : (tensor<37x3x2x16xf32>) -> "
      "tensor<3x2x37x16xf32>\n"
      "    %q = genie.slice %p {axis = 0 : i64, start = affine_map<() -> (0)>} : (tensor<3x2x37x16xf32>) -> "
      "tensor<1x2x37x16xf32>\n"
      "    %k = genie.slice %p {axis = 0 : i64, start = affine_map<() -> (1)>} : (tensor<3x2x37x16xf32>) -> "
      "tensor<1x2x37x16xf32>\n"
      "    %v = genie.slice %p {axis = 0 : i64, start = affine_map<() -> (2)>} : (tensor<3x2x37x16xf32>) -> "
      "tensor<1x2x37x16xf32>\n"
      "    %c = genie.cast %valid : (tensor<37xi64>) -> tensor<37xi1>\n"
      "    %0 = genie.attention %q, %k, %v, %c {scale = 0.25 : f64} : (tensor<1x2x37x16xf32>, tensor<1x2x37x16xf32>, "
      "tensor<1x2x37x16xf32>, tensor<37xi1>) -> tensor<1x2x37x16xf32>\n"
      "    %1 = genie.permute %0 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x2x37x16xf32>) -> "
      "tensor<1x37x2x16xf32>\n"
      "    %2 = genie.reshape %1 : (tensor<1x37x2x16xf32>) -> tensor<37x32xf32>\n"
      "    genie.yield %2 : tensor<37x32xf32>\n  }\n  return %y : tensor<37x32xf32>\n}\n";
  float *x = random_floats(S * 3 * H * E), *y = random_floats(S * H * E);
  int64_t mask[S];
  for (int i = 0; i < S; ++i) mask[i] = i % 3;
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {x, mask, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int row = 0; row < S * H; ++row) {
      const int i = row / H, h = row % H;
      double weight[S], sum = 0;
      for (int j = 0; j < S; ++j) {
        double dot = 0;
        for (int e = 0; e < E; ++e) dot += (double)x[(i * 3 * H + h) * E + e] * x[((j * 3 + 1) * H + h) * E + e];
        sum += weight[j] = mask[j] != 0 ? exp(dot * 0.25) : 0;
      }
      for (int e = 0; e < E; ++e) {
        double want = 0;
        for (int j = 0; j < S; ++j) want += weight[j] / sum * x[((j * 3 + 2) * H + h) * E + e];
        assert_near(want, y[(i * H + h) * E + e]);
      }
    }
    genie_kernel_runner_close(&runner);
  }
  free(x), free(y);
}

static void packed_grouped_conv(void **state) {
  (void)state;
  enum { C = 6, O = 15, SIZE = 8 };
  const char *text =
      "func.func @main(%a: tensor<1x6x8x8xf32>, %w: tensor<3x3x3x2x32xf32>) -> tensor<1x15x8x8xf32> {\n"
      "  %y = genie.kernel \"conv\"(%a, %w) : (tensor<1x6x8x8xf32>, tensor<3x3x3x2x32xf32>) -> tensor<1x15x8x8xf32> {\n"
      "  ^bb0(%x: tensor<1x6x8x8xf32>, %p: tensor<3x3x3x2x32xf32>):\n"
      "    %u = genie.unpack %p {format = \"conv_n\", width = 32 : i64, groups = 3 : i64} : (tensor<3x3x3x2x32xf32>) "
      "-> "
      "tensor<15x2x3x3xf32>\n"
      "    %0 = genie.conv %x, %u {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = "
      "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 3 : i64} : (tensor<1x6x8x8xf32>, tensor<15x2x3x3xf32>) "
      "-> tensor<1x15x8x8xf32>\n"
      "    genie.yield %0 : tensor<1x15x8x8xf32>\n  }\n  return %y : tensor<1x15x8x8xf32>\n}\n";
  const int64_t dims[] = {O, 2, 3, 3};
  float *x = random_floats(C * SIZE * SIZE), *w = random_floats(O * 2 * 9), *y = random_floats(O * SIZE * SIZE);
  float *p = packed_groups("conv_n", 4, dims, 3, w);
  for (int target = 0; target < 2; ++target) {
    genie_kernel_runner_t runner;
    open_runner(text, TARGETS[target], &runner);
    void *args[] = {x, p, y};
    genie_kernel_runner_run(&runner, 0, args, NULL, 2);
    for (int i = 0; i < O * SIZE * SIZE; ++i) {
      assert_near(conv_at(x, w, C, SIZE, 3, 1, 3, O, i / (SIZE * SIZE), i / SIZE % SIZE, i % SIZE), y[i]);
    }
    genie_kernel_runner_close(&runner);
  }
  free(x), free(w), free(y), free(p);
}

static const char filtered_text[] =
    "func.func @main(%%a: tensor<2x20x11x11xf32>, %%w: tensor<2x%dx%dx20x32xf32>, %%b: tensor<40xf32>) -> "
    "tensor<2x40x11x11xf32> {\n"
    "  %%t = genie.kernel \"pointwise\"(%%a) {layouts = [array<i64: 0, 2, 3, 1>]} : (tensor<2x20x11x11xf32>) -> "
    "tensor<2x20x11x11xf32> {\n"
    "  ^bb0(%%x: tensor<2x20x11x11xf32>):\n    %%0 = genie.relu %%x : (tensor<2x20x11x11xf32>) -> "
    "tensor<2x20x11x11xf32>\n    genie.yield %%0 : tensor<2x20x11x11xf32>\n  }\n"
    "  %%y = genie.kernel \"conv\"(%%t, %%w, %%b) : (tensor<2x20x11x11xf32>, tensor<2x%dx%dx20x32xf32>, "
    "tensor<40xf32>) "
    "-> tensor<2x40x11x11xf32> {\n"
    "  ^bb0(%%x: tensor<2x20x11x11xf32>, %%p: tensor<2x%dx%dx20x32xf32>, %%c: tensor<40xf32>):\n"
    "    %%u = genie.unpack %%p {format = \"winograd_%d\", width = 32 : i64} : (tensor<2x%dx%dx20x32xf32>) -> "
    "tensor<40x20x3x3xf32>\n"
    "    %%0 = genie.conv %%x, %%u, %%c {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = "
    "array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<2x20x11x11xf32>, "
    "tensor<40x20x3x3xf32>, tensor<40xf32>) -> tensor<2x40x11x11xf32>\n"
    "    %%1 = genie.relu %%0 : (tensor<2x40x11x11xf32>) -> tensor<2x40x11x11xf32>\n"
    "    genie.yield %%1 : tensor<2x40x11x11xf32>\n  }\n  return %%y : tensor<2x40x11x11xf32>\n}\n";

// The image is between kernels, so channels-last; the result leaves in row-major order.
static void conv_by_minimal_filtering(void **state) {
  (void)state;
  enum { N = 2, C = 20, O = 40, SIZE = 11, IMAGE = C * SIZE * SIZE };
  const int64_t dims[] = {O, C, 3, 3};
  float *x = random_floats(N * IMAGE), *t = random_floats(N * IMAGE), *w = random_floats(O * C * 9),
        *b = random_floats(O), *y = random_floats(N * O * SIZE * SIZE), *positive = random_floats(N * IMAGE);
  for (int i = 0; i < N * IMAGE; ++i) positive[i] = fmaxf(x[i], 0);
  for (int tile = 2; tile <= 4; tile += 2) {
    char text[4096];
    const int points = tile + 2;
    snprintf(text, sizeof(text), filtered_text, points, points, points, points, points, points, tile, points, points);
    float *p = packed_floats(tile == 2 ? "winograd_2" : "winograd_4", 4, dims, w);
    for (int target = 0; target < 2; ++target) {
      genie_kernel_runner_t runner;
      open_runner(text, TARGETS[target], &runner);
      void *first[] = {x, t}, *second[] = {t, p, b, y};
      genie_kernel_runner_run(&runner, 0, first, NULL, 2);
      genie_kernel_runner_run(&runner, 1, second, NULL, 2);
      for (int i = 0; i < N * O * SIZE * SIZE; ++i) {
        const int image = i / (O * SIZE * SIZE), o = i / (SIZE * SIZE) % O;
        const double want = conv_at(positive + image * IMAGE, w, C, SIZE, 3, 1, 1, O, o, i / SIZE % SIZE, i % SIZE);
        assert_near(fmax(want + b[o], 0), y[i]);
      }
      genie_kernel_runner_close(&runner);
    }
    free(p);
  }
  free(x), free(t), free(w), free(b), free(y), free(positive);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(packed_linear_with_bias_relu_and_residual),
      cmocka_unit_test(matmul_of_views_with_batch_and_a_dynamic_size),
      cmocka_unit_test(gemv_of_a_weight_as_stored),
      cmocka_unit_test(packed_conv_from_a_row_major_image),
      cmocka_unit_test(unpacked_grouped_conv),
      cmocka_unit_test(packed_grouped_conv),
      cmocka_unit_test(conv_by_minimal_filtering),
      cmocka_unit_test(depthwise_conv_and_max_pool_of_channels_last_images),
      cmocka_unit_test(packed_depthwise_conv_of_a_row_major_image),
      cmocka_unit_test(attention_of_views_with_a_mask),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
