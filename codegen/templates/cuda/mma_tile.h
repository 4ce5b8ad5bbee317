// A product of two tiles of narrow floats in shared memory by 128 threads: 64 x 64 sums, 32 x 32 a warp.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_MMA_TILE_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_MMA_TILE_H_

#include "codegen/templates/cuda/mma.h"

enum { MMA_LINES = 64, MMA_THREADS = 128, MMA_GROUPS = 2 };  // groups of 8 elements of a tile that a thread loads

// The sums of a warp: [16-row tile][8-column tile][as mma.h].
typedef float mma_sums_t[2][4][4];

GENIE_INLINE void mma_clear(mma_sums_t sums) {
  GENIE_UNROLL
  for (int i = 0; i < 32; ++i) {
    sums[i / 16][i / 4 % 4][i % 4] = 0;
  }
}

// Group number `i` of a thread: its line and depth in the tile.
GENIE_INLINE int mma_line(int i) {
  return (thread_index() + i * MMA_THREADS) / (TILE_K / 8);
}
GENIE_INLINE int mma_depth(int i) {
  return (thread_index() + i * MMA_THREADS) % (TILE_K / 8) * 8;
}

GENIE_INLINE void mma_put(shared_u16_t *tile, const words_t groups[MMA_GROUPS]) {
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    *(shared_words_t *)(tile + mma_line(i) * TILE_STRIDE + mma_depth(i)) = groups[i];
  }
}

GENIE_INLINE void mma_multiply(bool is_bf16, const shared_u16_t *a, const shared_u16_t *b, mma_sums_t sums) {
  const int row = warp_index() / 2 * 32, column = warp_index() % 2 * 32;
  GENIE_UNROLL
  for (int k = 0; k < TILE_K; k += 16) {
    uint32_t x[2][4], y[4][2];
    GENIE_UNROLL
    for (int i = 0; i < 2; ++i) {
      mma_load_a(a, TILE_STRIDE, row + 16 * i, k, x[i]);
    }
    GENIE_UNROLL
    for (int j = 0; j < 4; ++j) {
      mma_load_b(b, TILE_STRIDE, column + 8 * j, k, y[j]);
    }
    GENIE_UNROLL
    for (int i = 0; i < 8; ++i) {
      mma_16x8x16(is_bf16, sums[i / 4][i % 4], x[i / 4], y[i % 4]);
    }
  }
}

// Where sum `c` of tiles (i, j) stands in the block's tile.
GENIE_INLINE int mma_row(int i, int c) {
  return warp_index() / 2 * 32 + 16 * i + lane_index() / 4 + c / 2 * 8;
}
GENIE_INLINE int mma_column(int j, int c) {
  return warp_index() % 2 * 32 + 8 * j + lane_index() % 4 * 2 + c % 2;
}

// Raw elements [0, count) of eight, each at `stride` from the last, as one group; zeros behind them.
GENIE_INLINE words_t gather_group(const void *base, i64 index, i64 stride, i64 count) {
  words_t group = 0;
  GENIE_UNROLL
  for (int e = 0; e < 8; ++e) {
    const uint32_t raw = e < count ? ((const uint16_t *)base)[index + e * stride] : 0;
    group[e / 2] |= raw << e % 2 * 16;
  }
  return group;
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_MMA_TILE_H_
