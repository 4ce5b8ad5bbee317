// GF/s of the conv and conv_depthwise templates on one thread over channels-last images, against the FMA peak.
//
//     clang-22 -O3 -ffp-contract=fast -march=native -mprefer-vector-width=512 -I. bench/micro/conv_bench.c -lm
//
// Shape macros: C input and O output channels, HW input size, KS kernel size, S stride; DEPTHWISE.
#include "bench/micro/measure.h"

#ifndef C
#define C 64
#endif
#ifndef O
#define O 64
#endif
#ifndef HW
#define HW 56
#endif
#ifndef KS
#define KS 3
#endif
#ifndef S
#define S 1
#endif
#ifndef BLOCK_ROWS
#define BLOCK_ROWS 120
#endif
#ifndef BLOCK_COLUMNS
#define BLOCK_COLUMNS 64
#endif
#define P (KS / 2)
#define OHW ((HW + 2 * P - KS) / S + 1)

#ifdef DEPTHWISE
#include "codegen/templates/conv_depthwise.c"
SIZE(weight_tap_stride, ceil_div(C, 2 * LANES) * 2 * LANES);
SIZE(weight_channel_stride, 1);
SIZE(x_channel_stride, 1);
const void *genie_x(const frame_t *frame, i64 image) {
  (void)image;
  return frame->args[0];
}
#else
#include "codegen/templates/conv.c"
SIZE(n, O);
SIZE(k, KS * KS * C);
SIZE(groups, 1);
SIZE(block_rows, BLOCK_ROWS);
SIZE(block_columns, BLOCK_COLUMNS);
SIZE(block_depth, 384);
SIZE(tail_rows, OHW *OHW % TILE_ROWS);
SIZE(is_transposed, 0);
SIZE(weight_width, TILE_COLUMNS);
SIZE(x_size2, HW);
SIZE(y_size2, OHW);
SIZE(kernel_size2, KS);
SIZE(stride2, S);
SIZE(padding2, P);
SIZE(dilation2, 1);
SIZE(x_channel_stride, C == 3 ? HW * HW : 1);
SIZE(x_stride2, C == 3 ? 1 : C);
SIZE(weight_group_stride, 0);
SIZE(weight_n_stride, 0);
SIZE(weight_channel_stride, 0);
SIZE(weight_stride0, 0);
SIZE(weight_stride1, 0);
SIZE(weight_stride2, 0);
const void *genie_x(const frame_t *frame, i64 image, i64 channel) {
  (void)image, (void)channel;
  return frame->args[0];
}
#endif

#ifdef DEPTHWISE
SIZE(x_size0, HW);
SIZE(y_size0, OHW);
SIZE(kernel_size0, KS);
SIZE(stride0, S);
SIZE(padding0, P);
SIZE(x_stride0, HW *C);
SIZE(x_stride1, C);
#else
SIZE(x_size0, 1);
SIZE(y_size0, 1);
SIZE(kernel_size0, 1);
SIZE(stride0, 1);
SIZE(padding0, 0);
SIZE(x_stride0, 0);
SIZE(x_stride1, C == 3 ? HW : HW * C);
#endif

SIZE(x_size1, HW);
SIZE(y_size1, OHW);
SIZE(kernel_size1, KS);
SIZE(stride1, S);
SIZE(padding1, P);
SIZE(dilation0, 1);
SIZE(dilation1, 1);
SIZE(channels, C);
SIZE(x_dtype, GENIE_DTYPE_F32);
SIZE(weight_dtype, GENIE_DTYPE_F32);
const void *genie_weight(const frame_t *frame) {
  return frame->args[1];
}
SIZE(has_bias, 1);
real_t genie_bias(const frame_t *frame, i64 channel) {
  return ((const float *)frame->args[2])[channel];
}
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum) {
  (void)image;
  ((float *)frame->args[3])[pixel * O + channel] = sum > 0 ? sum : 0;
}

int main(void) {
  enum { WIDTH = 2 * LANES };
  const i64 x_count = HW * HW * C, panels = ceil_div(O, WIDTH);
  float *x = aligned_alloc(64, sizeof(float) * (x_count + 64));
  float *w = aligned_alloc(64, sizeof(float) * panels * WIDTH * KS * KS * C);
  float *bias = aligned_alloc(64, sizeof(float) * panels * WIDTH),
        *y = aligned_alloc(64, sizeof(float) * (OHW * OHW * O + 64));
  for (i64 i = 0; i < x_count; ++i) x[i] = draw();
  for (i64 i = 0; i < panels * WIDTH * KS * KS * C; ++i) w[i] = draw();
  for (i64 i = 0; i < O; ++i) bias[i] = draw();
  void *args[] = {x, w, bias, y};
  frame_t frame = {args, NULL,
                   aligned_alloc(64, 4 * (BLOCK_ROWS * (i64)(KS * KS * C + BLOCK_COLUMNS) + 384 * WIDTH + 4096))};
#ifdef DEPTHWISE
  const i64 tasks = OHW;
  const double flops = 2.0 * OHW * OHW * C * KS * KS;
#else
  const i64 tasks = ceil_div(OHW * OHW, BLOCK_ROWS) * ceil_div(O, BLOCK_COLUMNS);
  const double flops = 2.0 * OHW * OHW * C * KS * KS * O;
#endif
  double best = 1e9;
  for (int round = 0; round < 60; ++round) {
    const double start = now();
    genie_kernel(&frame, 0, tasks);
    const double seconds = now() - start;
    best = seconds < best ? seconds : best;
  }
  double error = 0;
  for (int probe = 0; probe < 300; ++probe) {
    const i64 pixel = probe == 0 ? 0 : rand() % (OHW * OHW), o = rand() % O;
    double want = bias[o];
    for (i64 a = 0; a < KS; ++a) {
      for (i64 b = 0; b < KS; ++b) {
        const i64 r = pixel / OHW * S - P + a, q = pixel % OHW * S - P + b;
        if (r < 0 || q < 0 || r >= HW || q >= HW) continue;
#ifdef DEPTHWISE
        want += (double)x[(r * HW + q) * C + o] * w[(a * KS + b) * ceil_div(C, WIDTH) * WIDTH + o];
#else
        for (i64 c = 0; c < C; ++c) {
          const i64 k = (a * KS + b) * C + c;
          want += (double)x[C == 3 ? (c * HW + r) * HW + q : (r * HW + q) * C + c] *
                  w[o / WIDTH * WIDTH * KS * KS * C + k * WIDTH + o % WIDTH];
        }
#endif
      }
    }
    error = fmax(error, fabs(fmax(want, 0) - y[pixel * O + o]));
  }
  const double peak = fma_peak(), rate = flops / best / 1e9;
  printf("%dx%d %dx%d /%d %d->%d: %.3f ms %.1f GF/s, %.0f%% of %.1f, error %.1e\n", HW, HW, KS, KS, S, C, O, best * 1e3,
         rate, 100 * rate / peak, peak, error);
  return error > 1e-4;
}
