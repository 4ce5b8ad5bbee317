// Direct-convolution GF/s of the conv_winograd template on one thread over channels-last images: what a direct
// convolution would have to reach for the same time. The weight comes from memory, as in a model.
//
//     clang-22 -O3 -ffp-contract=fast -march=native -mprefer-vector-width=512 -I. -DWINOGRAD_TILE=4
//         bench/micro/winograd_bench.c -lm
//
// Shape macros: WINOGRAD_TILE 2 or 4, C input and O output channels, HW size, IMAGES; TILES of a task, HEIGHT of the
// register tile, DEPTH of a pass.
#include "bench/micro/measure.h"

#ifndef C
#define C 64
#endif
#ifndef O
#define O C
#endif
#ifndef HW
#define HW 56
#endif
#ifndef IMAGES
#define IMAGES 1
#endif
#ifndef TILES
#define TILES 48
#endif
#ifndef HEIGHT
#define HEIGHT 12
#endif
#ifndef DEPTH
#define DEPTH 128
#endif
#ifndef COLD_BYTES
#define COLD_BYTES (96 << 20)
#endif

#include "codegen/templates/conv_winograd.c"
SIZE(images, IMAGES);
SIZE(channels, C);
SIZE(n, O);
SIZE(block_tiles, TILES);
SIZE(block_room, TILES + 11);
SIZE(block_columns, 32);
SIZE(block_depth, DEPTH);
SIZE(tile_height, HEIGHT);
SIZE(weight_width, 32);
SIZE(x_size1, HW);
SIZE(x_size2, HW);
SIZE(y_size1, HW);
SIZE(y_size2, HW);
SIZE(padding1, 1);
SIZE(padding2, 1);
SIZE(x_stride1, HW *C);
SIZE(x_stride2, C);
SIZE(x_dtype, GENIE_DTYPE_F32);
SIZE(has_bias, 1);
const void *genie_x(const frame_t *frame, i64 image, i64 channel) {
  return (const float *)frame->args[0] + image * HW * HW * C + channel;
}
const void *genie_weight(const frame_t *frame) {
  return frame->args[1];
}
real_t genie_bias(const frame_t *frame, i64 channel) {
  return ((const float *)frame->args[2])[channel];
}
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum) {
  ((float *)frame->args[3])[(image * HW * HW + pixel) * O + channel] = sum > 0 ? sum : 0;
}

// G, row by row.
static const double evaluation[INPUT][3] = {
#if WINOGRAD_TILE == 2
    {1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}
#else
    {1, 0, 0},
    {-2.0 / 3, -2.0 / 3 * 0.70710678118654752440, -1.0 / 3},
    {-2.0 / 3, 2.0 / 3 * 0.70710678118654752440, -1.0 / 3},
    {1.0 / 6, 1.41421356237309504880 / 6, 1.0 / 3},
    {1.0 / 6, -1.41421356237309504880 / 6, 1.0 / 3},
    {0, 0, 1}
#endif
};

static void pack(const float *w, float *packed) {
  for (i64 o = 0; o < ceil_div(O, 32) * 32; ++o) {
    for (i64 c = 0; c < C; ++c) {
      for (i64 point = 0; point < POINTS; ++point) {
        double sum = 0;
        for (int tap = 0; tap < 9 && o < O; ++tap) {
          sum += evaluation[point / INPUT][tap / 3] * evaluation[point % INPUT][tap % 3] * w[(o * C + c) * 9 + tap];
        }
        packed[((o / 32 * POINTS + point) * C + c) * 32 + o % 32] = (float)sum;
      }
    }
  }
}

static double at(const float *x, const float *w, i64 image, i64 pixel, i64 o) {
  double sum = 0;
  for (int tap = 0; tap < 9; ++tap) {
    const i64 r = pixel / HW - 1 + tap / 3, q = pixel % HW - 1 + tap % 3;
    for (i64 c = 0; c < C && r >= 0 && q >= 0 && r < HW && q < HW; ++c) {
      sum += (double)x[((image * HW + r) * HW + q) * C + c] * w[(o * C + c) * 9 + tap];
    }
  }
  return sum;
}

int main(void) {
  const i64 x_count = IMAGES * HW * HW * C, packed_count = ceil_div(O, 32) * 32 * POINTS * C;
  const i64 copies = 1 + COLD_BYTES / (packed_count * 4);
  float *x = aligned_alloc(64, sizeof(float) * (x_count + 64)), *w = aligned_alloc(64, sizeof(float) * O * C * 9 + 64);
  float *packed = aligned_alloc(64, sizeof(float) * packed_count * copies);
  float *bias = aligned_alloc(64, sizeof(float) * (O + 64));
  float *y = aligned_alloc(64, sizeof(float) * (IMAGES * HW * HW * O + 64));
  for (i64 i = 0; i < x_count; ++i) x[i] = draw();
  for (i64 i = 0; i < O * C * 9; ++i) w[i] = draw();
  for (i64 i = 0; i < O; ++i) bias[i] = draw();
  pack(w, packed);
  for (i64 i = 1; i < copies; ++i) memcpy(packed + i * packed_count, packed, sizeof(float) * packed_count);
  void *args[] = {x, packed, bias, y};
  frame_t frame = {args, NULL, NULL};
  frame.scratch =
      aligned_alloc(64, sizeof(float) * (POINTS * (v_plane(&frame) + m_plane(&frame)) + scratch_part(C) + 64));
  const i64 tasks = ceil_div(IMAGES * tile_count(&frame), TILES) * ceil_div(O, 32);
  double best[3] = {1e9, 1e9, 1e9}, cold = 0;  // whole, input transforms, output transforms
  int rounds = 0;
  for (double begin = now(); rounds < 20 || (now() - begin < 0.5 && rounds < 300); ++rounds) {
    args[1] = packed + rounds % copies * packed_count;
    const double start = now();
    genie_kernel(&frame, 0, tasks);
    const double seconds = now() - start;
    cold += seconds;
    best[0] = fmin(best[0], seconds);
  }
  double error = 0;
  for (int probe = 0; probe < 300; ++probe) {
    const i64 pixel = probe == 0 ? 0 : rand() % (HW * HW), o = rand() % O, image = rand() % IMAGES;
    const double want = fmax(at(x, w, image, pixel, o) + bias[o], 0);
    error = fmax(error, fabs(want - y[(image * HW * HW + pixel) * O + o]));
  }
  float *v = frame.scratch, *m = v + POINTS * v_plane(&frame), *zeros = m + POINTS * m_plane(&frame);
  const i64 tiles = IMAGES * tile_count(&frame);
  for (int round = 0; round < 20; ++round) {
    double start = now();
    for (i64 i = 0; i < tiles; i += TILES) transform_tiles(&frame, i, genie_min_i64(TILES, tiles - i), zeros, v);
    best[1] = fmin(best[1], now() - start);
    start = now();
    for (i64 i = 0; i < tiles; i += TILES) {
      for (i64 n = 0; n < O; n += TILE_COLUMNS) store_tiles(&frame, i, genie_min_i64(TILES, tiles - i), n, m);
    }
    best[2] = fmin(best[2], now() - start);
  }
  const double peak = fma_peak(), flops = 2.0 * IMAGES * HW * HW * C * O * 9;
  printf(
      "F(%d) %dx%d x%d %d->%d tiles %d of %d depth %d: best %.3f mean %.3f ms, in %.3f, out %.3f, %.1f GF/s, %.0f%% "
      "of %.1f, error %.1e\n",
      OUTPUT, HW, HW, IMAGES, C, O, TILES, HEIGHT, DEPTH, best[0] * 1e3, cold / rounds * 1e3, best[1] * 1e3,
      best[2] * 1e3, flops / best[0] / 1e9, 100 * flops / best[0] / 1e9 / peak, peak, error);
  return error > 1e-3;
}
