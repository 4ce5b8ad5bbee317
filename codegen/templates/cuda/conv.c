// A convolution of any types and strides as a product over taps and channels, without tensor cores: f32 stays f32. The
// grid is image x group x blocks of 64 pixels x blocks of 64 channels.
#include "codegen/templates/cuda/image.h"
#include "codegen/templates/cuda/simt_tile.h"

// What a thread loads: its pixels' origins, and at the present tap where they read.
typedef struct source {
  const frame_t *frame;
  patch_t patch;
  const void *x, *weight;
  bool is_deep;  // of x: channels lie side by side
  origin_t origins[SIMT_LOADS];
  i64 offsets[SIMT_LOADS];
  i64 weight_offset;
} source_t;

GENIE_INLINE void enter_tap(source_t *s, int index) {
  const tap_t tap = tap_of(s->frame, index);
  GENIE_UNROLL
  for (int i = 0; i < SIMT_LOADS; ++i) {
    s->offsets[i] = offset_of(s->frame, &s->origins[i], tap);
  }
  s->weight_offset = weight_offset(s->frame, s->patch.group, tap);
}

GENIE_INLINE void load_tiles(const source_t *s, i64 channel, real_t x[SIMT_LOADS], real_t weight[SIMT_LOADS]) {
  const frame_t *frame = s->frame;
  GENIE_UNROLL
  for (int i = 0; i < SIMT_LOADS; ++i) {
    const i64 c = channel + simt_depth(s->is_deep, i);
    x[i] = s->offsets[i] >= 0 && c < genie_channels(frame)
               ? load_1(s->x, (int)genie_x_dtype(frame), s->offsets[i] + c * genie_x_channel_stride(frame))
               : 0;
    const i64 n = s->patch.n + simt_line(true, i), d = channel + simt_depth(true, i);
    weight[i] =
        n < genie_n(frame) && d < genie_channels(frame)
            ? load_1(s->weight, (int)genie_weight_dtype(frame),
                     s->weight_offset + n * genie_weight_n_stride(frame) + d * genie_weight_channel_stride(frame))
            : 0;
  }
}

void genie_kernel(const frame_t *frame) {
  GENIE_SHARED_ARRAY(real_t, x_tile, SIMT_DEPTH * SIMT_STRIDE);
  GENIE_SHARED_ARRAY(real_t, weight_tile, SIMT_DEPTH * SIMT_STRIDE);
  source_t s = {.frame = frame, .patch = patch_of_block(frame, SIMT_ROWS, SIMT_COLUMNS)};
  s.x = genie_x(frame, s.patch.image, s.patch.group * genie_channels(frame));
  s.weight = genie_weight(frame);
  s.is_deep = genie_x_channel_stride(frame) == 1;
  GENIE_UNROLL
  for (int i = 0; i < SIMT_LOADS; ++i) {
    s.origins[i] = origin_of(frame, s.patch.pixel + simt_line(s.is_deep, i));
  }
  real_t sums[4][4], x[SIMT_LOADS], weight[SIMT_LOADS];
  simt_clear(sums);
#pragma clang loop unroll(disable)
  for (int tap = 0; tap < tap_count(frame); ++tap) {
    enter_tap(&s, tap);
#pragma clang loop unroll(disable)
    for (i64 channel = 0; channel < genie_channels(frame); channel += SIMT_DEPTH) {
      load_tiles(&s, channel, x, weight);
      block_barrier();
      simt_put(x_tile, s.is_deep, x);
      simt_put(weight_tile, true, weight);
      block_barrier();
      simt_multiply(x_tile, weight_tile, sums);
    }
  }
  GENIE_UNROLL
  for (int i = 0; i < 16; ++i) {
    store_pixel(frame, &s.patch, s.patch.pixel + thread_index() / 16 * 4 + i / 4,
                s.patch.n + thread_index() % 16 * 4 + i % 4, sums[i / 4][i % 4]);
  }
}
