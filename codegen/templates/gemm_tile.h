// The register tile and the panels that gemm and conv share.
//
// Both operands of a tile are panels: A as [k][height], B as [k][TILE_COLUMNS], each one linear stream. A tile holds its
// sums in registers over a block of k, then adds them to (or stores them in) a buffer that stays in the L1 or L2 cache.
#ifndef GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
#define GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_

#include "codegen/templates/lanes.h"

enum {
  TILE_ROWS = GENIE_VECTOR_BYTES == 64 ? 12 : 6,
  TILE_COLUMNS = 2 * LANES,
  PREFETCH_STEPS = 16,
};

// sums[height][TILE_COLUMNS] (row stride `stride`) = or += A panel * B panel over `depth` steps.
INLINE void tile_multiply(const int height, i64 depth, const real_t *a, const real_t *b, real_t *sums, i64 stride,
                          bool is_first) {
#pragma clang fp contract(fast)
  real_vector_t sum[TILE_ROWS][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) {
    sum[i][0] = 0;
    sum[i][1] = 0;
  }
  if (!is_first) {
#pragma clang loop unroll(full)
    for (int i = 0; i < height; ++i) {
      sum[i][0] = *(const real_vector_t *)(sums + i * stride);
      sum[i][1] = *(const real_vector_t *)(sums + i * stride + LANES);
    }
  }
#pragma clang loop unroll(disable)
  for (i64 k = 0; k < depth; ++k) {
    const real_vector_t b0 = *(const real_vector_t *)b;
    const real_vector_t b1 = *(const real_vector_t *)(b + LANES);
    __builtin_prefetch(b + PREFETCH_STEPS * TILE_COLUMNS);
    __builtin_prefetch(b + PREFETCH_STEPS * TILE_COLUMNS + LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < height; ++i) {
      const real_vector_t broadcast = a[i];
      sum[i][0] += broadcast * b0;
      sum[i][1] += broadcast * b1;
    }
    a += height;
    b += TILE_COLUMNS;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < height; ++i) {
    *(real_vector_t *)(sums + i * stride) = sum[i][0];
    *(real_vector_t *)(sums + i * stride + LANES) = sum[i][1];
  }
}

// panel[k][width] = source[row * row_stride + k * depth_stride] for `rows` <= width rows, zero beyond.
INLINE void panel_pack(real_t *restrict panel, const int width, i64 rows, i64 depth, const void *source, int dtype,
                       i64 row_stride, i64 depth_stride) {
  const char *base = source;
  const i64 bytes = storage_bytes(dtype);
  if (rows < width) {
    for (i64 i = 0; i < depth * width; ++i) {
      panel[i] = 0;
    }
  }
  if (row_stride == 1 && rows == width) {
    for (i64 k = 0; k < depth; ++k) {
      const char *line = base + k * depth_stride * bytes;
      i64 i = 0;
      for (; i + LANES <= width; i += LANES) {
        *(real_vector_t *)(panel + k * width + i) = load_lanes(line, dtype, i);
      }
      for (; i < width; ++i) {
        panel[k * width + i] = load_1(line, dtype, i);
      }
    }
    return;
  }
  if (depth_stride == 1) {
    i64 row = 0;
    for (; row + 4 <= rows; row += 4) {
      const char *r0 = base + row * row_stride * bytes, *r1 = r0 + row_stride * bytes;
      const char *r2 = r1 + row_stride * bytes, *r3 = r2 + row_stride * bytes;
      i64 k = 0;
      for (; k + 4 <= depth; k += 4) {
        const real4_t x0 = load_4(r0, dtype, k), x1 = load_4(r1, dtype, k);
        const real4_t x2 = load_4(r2, dtype, k), x3 = load_4(r3, dtype, k);
        const real4_t low01 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
        const real4_t high01 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
        const real4_t low23 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
        const real4_t high23 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
        real_t *out = panel + k * width + row;
        *(real4_t *)out = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
        *(real4_t *)(out + width) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
        *(real4_t *)(out + 2 * width) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
        *(real4_t *)(out + 3 * width) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
      }
      for (; k < depth; ++k) {
        panel[k * width + row] = load_1(r0, dtype, k);
        panel[k * width + row + 1] = load_1(r1, dtype, k);
        panel[k * width + row + 2] = load_1(r2, dtype, k);
        panel[k * width + row + 3] = load_1(r3, dtype, k);
      }
    }
    for (; row < rows; ++row) {
      for (i64 k = 0; k < depth; ++k) {
        panel[k * width + row] = load_1(base + row * row_stride * bytes, dtype, k);
      }
    }
    return;
  }
  for (i64 k = 0; k < depth; ++k) {
    for (i64 row = 0; row < rows; ++row) {
      panel[k * width + row] = load_1(base, dtype, row * row_stride + k * depth_stride);
    }
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
