// A convolution of bf16 or f16 as a product over taps and channels on tensor cores. The grid is image x group x blocks
// of 64 pixels x blocks of 64 channels.
#include "codegen/templates/cuda/image.h"
#include "codegen/templates/cuda/mma_tile.h"

typedef struct source {
  const frame_t *frame;
  patch_t patch;
  const void *x, *weight;
  origin_t origins[MMA_GROUPS];
  i64 offsets[MMA_GROUPS];
  i64 weight_offset;
} source_t;

GENIE_INLINE void enter_tap(source_t *s, int index) {
  const tap_t tap = tap_of(s->frame, index);
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    s->offsets[i] = offset_of(s->frame, &s->origins[i], tap);
  }
  s->weight_offset = weight_offset(s->frame, s->patch.group, tap);
}

GENIE_INLINE words_t load_group(const void *base, i64 index, i64 stride, i64 left, bool is_vector) {
  if (is_vector) {
    return left > 0 ? load_words(base, index) : 0;
  }
  return gather_group(base, index, stride, left);
}

GENIE_INLINE void load_tiles(const source_t *s, i64 channel, words_t x[MMA_GROUPS], words_t weight[MMA_GROUPS]) {
  const frame_t *frame = s->frame;
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    const i64 c = channel + mma_depth(i), left = genie_channels(frame) - c, n = s->patch.n + mma_line(i);
    x[i] = load_group(s->x, s->offsets[i] + c * genie_x_channel_stride(frame), genie_x_channel_stride(frame),
                      s->offsets[i] >= 0 ? left : 0, genie_x_is_vector(frame) != 0);
    weight[i] = load_group(
        s->weight, s->weight_offset + n * genie_weight_n_stride(frame) + c * genie_weight_channel_stride(frame),
        genie_weight_channel_stride(frame), n < genie_n(frame) ? left : 0, genie_weight_is_vector(frame) != 0);
  }
}

void genie_kernel(const frame_t *frame) {
  GENIE_SHARED_ARRAY(uint16_t, x_tile, MMA_LINES *TILE_STRIDE);
  GENIE_SHARED_ARRAY(uint16_t, weight_tile, MMA_LINES *TILE_STRIDE);
  source_t s = {.frame = frame, .patch = patch_of_block(frame, MMA_LINES, MMA_LINES)};
  const bool is_bf16 = genie_x_dtype(frame) == GENIE_DTYPE_BF16;
  s.x = genie_x(frame, s.patch.image, s.patch.group * genie_channels(frame));
  s.weight = genie_weight(frame);
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    s.origins[i] = origin_of(frame, s.patch.pixel + mma_line(i));
  }
  mma_sums_t sums;
  words_t x[MMA_GROUPS], weight[MMA_GROUPS];
  mma_clear(sums);
#pragma clang loop unroll(disable)
  for (int tap = 0; tap < tap_count(frame); ++tap) {
    enter_tap(&s, tap);
#pragma clang loop unroll(disable)
    for (i64 channel = 0; channel < genie_channels(frame); channel += TILE_K) {
      load_tiles(&s, channel, x, weight);
      block_barrier();
      mma_put(x_tile, x);
      mma_put(weight_tile, weight);
      block_barrier();
      mma_multiply(is_bf16, x_tile, weight_tile, sums);
    }
  }
  GENIE_UNROLL
  for (int i = 0; i < 32; ++i) {
    store_pixel(frame, &s.patch, s.patch.pixel + mma_row(i / 16, i % 4), s.patch.n + mma_column(i / 4 % 4, i % 4),
                sums[i / 16][i / 4 % 4][i % 4]);
  }
}
