// A product of two tiles in shared memory by 256 threads, each with 4 x 4 sums. While one pair of tiles is multiplied,
// the next is on its way into registers.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_SIMT_TILE_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_SIMT_TILE_H_

#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

enum {
  SIMT_ROWS = 64,
  SIMT_COLUMNS = 64,
  SIMT_DEPTH = 16,
  SIMT_STRIDE = 64 + 4,  // of a step of the depth
  SIMT_LOADS = 4,        // elements of a tile that a thread loads
};

typedef GENIE_SHARED_SPACE real_t simt_shared_t;

// Element number `i` of a thread: its line (row of a, column of b) and depth in the tile. Neighbouring threads are
// neighbours along the depth, or along the lines.
GENIE_INLINE int simt_line(bool is_deep, int i) {
  return is_deep ? thread_index() / SIMT_DEPTH + 16 * i : thread_index() % SIMT_ROWS;
}
GENIE_INLINE int simt_depth(bool is_deep, int i) {
  return is_deep ? thread_index() % SIMT_DEPTH : thread_index() / SIMT_ROWS + 4 * i;
}

GENIE_INLINE void simt_put(simt_shared_t *tile, bool is_deep, const real_t values[SIMT_LOADS]) {
  GENIE_UNROLL
  for (int i = 0; i < SIMT_LOADS; ++i) {
    tile[simt_depth(is_deep, i) * SIMT_STRIDE + simt_line(is_deep, i)] = values[i];
  }
}

GENIE_INLINE void simt_multiply(const simt_shared_t *a, const simt_shared_t *b, real_t sums[4][4]) {
  const int row = thread_index() / 16 * 4, column = thread_index() % 16 * 4;
  GENIE_UNROLL
  for (int k = 0; k < SIMT_DEPTH; ++k) {
    real_t x[4], y[4];
    GENIE_UNROLL
    for (int i = 0; i < 4; ++i) {
      x[i] = a[k * SIMT_STRIDE + row + i];
      y[i] = b[k * SIMT_STRIDE + column + i];
    }
    GENIE_UNROLL
    for (int i = 0; i < 4; ++i) {
      GENIE_UNROLL
      for (int j = 0; j < 4; ++j) {
        sums[i][j] += x[i] * y[j];
      }
    }
  }
}

GENIE_INLINE void simt_clear(real_t sums[4][4]) {
  GENIE_UNROLL
  for (int i = 0; i < 16; ++i) {
    sums[i / 4][i % 4] = 0;
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_SIMT_TILE_H_
