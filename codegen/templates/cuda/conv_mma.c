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

//===-- Few channels ----------------------------------------------------------------------------------------------===//

// Of images with fewer channels than a tile is deep, the depth is all taps and channels as one, channels innermost.
enum { FEW_CHANNELS = 16 };

GENIE_INLINE bool is_flat(const frame_t *frame) {
  return genie_channels(frame) < FEW_CHANNELS;
}

// Whether the weight's taps and channels lie in this order as well.
GENIE_INLINE bool is_weight_flat(const frame_t *frame) {
  const i64 channels = genie_channels(frame), size2 = genie_kernel_size2(frame), size1 = genie_kernel_size1(frame);
  return genie_weight_channel_stride(frame) == 1 && (size2 == 1 || genie_weight_stride2(frame) == channels) &&
         (size1 == 1 || genie_weight_stride1(frame) == size2 * channels) && genie_kernel_size0(frame) == 1;
}

GENIE_INLINE void load_flat_tiles(const source_t *s, int depth, words_t x[MMA_GROUPS], words_t weight[MMA_GROUPS]) {
  const frame_t *frame = s->frame;
  const uint32_t channels = (uint32_t)genie_channels(frame), count = (uint32_t)tap_count(frame) * channels;
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    const i64 n = s->patch.n + mma_line(i);
    x[i] = weight[i] = 0;
    GENIE_UNROLL
    for (int e = 0; e < 8; ++e) {
      const uint32_t at = (uint32_t)(depth + mma_depth(i) + e), channel = at % channels;
      const tap_t tap = tap_of(frame, (int)(at / channels));
      const i64 offset = offset_of(frame, &s->origins[i], tap);
      uint32_t x_bits = 0, weight_bits = 0;
      if (at < count && offset >= 0) {
        x_bits = ((const uint16_t *)s->x)[offset + channel * genie_x_channel_stride(frame)];
      }
      if (at < count && n < genie_n(frame)) {
        const i64 line = n * genie_weight_n_stride(frame);
        const i64 index = is_weight_flat(frame) ? s->patch.group * genie_weight_group_stride(frame) + at
                                                : weight_offset(frame, s->patch.group, tap) +
                                                      channel * genie_weight_channel_stride(frame);
        weight_bits = ((const uint16_t *)s->weight)[line + index];
      }
      x[i][e / 2] |= x_bits << e % 2 * 16;
      weight[i][e / 2] |= weight_bits << e % 2 * 16;
    }
  }
}

GENIE_INLINE void multiply_flat(const source_t *s, bool is_bf16, shared_u16_t *x_tile, shared_u16_t *weight_tile,
                                mma_sums_t sums) {
  const int count = tap_count(s->frame) * (int)genie_channels(s->frame);
  words_t x[MMA_GROUPS], weight[MMA_GROUPS];
#pragma clang loop unroll(disable)
  for (int depth = 0; depth < count; depth += TILE_K) {
    load_flat_tiles(s, depth, x, weight);
    block_barrier();
    mma_put(x_tile, x);
    mma_put(weight_tile, weight);
    block_barrier();
    mma_multiply(is_bf16, x_tile, weight_tile, sums);
  }
}

GENIE_INLINE void multiply_taps(source_t *s, bool is_bf16, shared_u16_t *x_tile, shared_u16_t *weight_tile,
                                mma_sums_t sums) {
  words_t x[MMA_GROUPS], weight[MMA_GROUPS];
#pragma clang loop unroll(disable)
  for (int tap = 0; tap < tap_count(s->frame); ++tap) {
    enter_tap(s, tap);
#pragma clang loop unroll(disable)
    for (i64 channel = 0; channel < genie_channels(s->frame); channel += TILE_K) {
      load_tiles(s, channel, x, weight);
      block_barrier();
      mma_put(x_tile, x);
      mma_put(weight_tile, weight);
      block_barrier();
      mma_multiply(is_bf16, x_tile, weight_tile, sums);
    }
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
  mma_clear(sums);
  if (is_flat(frame)) {
    multiply_flat(&s, is_bf16, x_tile, weight_tile, sums);
  } else {
    multiply_taps(&s, is_bf16, x_tile, weight_tile, sums);
  }
  GENIE_UNROLL
  for (int i = 0; i < 32; ++i) {
    store_pixel(frame, &s.patch, s.patch.pixel + mma_row(i / 16, i % 4), s.patch.n + mma_column(i / 4 % 4, i % 4),
                sums[i / 16][i / 4 % 4][i % 4]);
  }
}
