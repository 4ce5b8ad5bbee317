// The register tile of a product and the panels that it reads: what gemm, conv and attention are made of.
//
// Both operands of a tile are panels: A as [k][height], B as [k][step], each one linear stream. A tile holds its
// sums in registers over a pass of k, and keeps them in a buffer in the L1 or L2 cache between passes.
#ifndef GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
#define GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_

#include "codegen/templates/lanes.h"

enum {
  TILE_ROWS = GENIE_VECTOR_BYTES == 64 ? 12 : 6,
  TILE_COLUMNS = 2 * LANES,
  TILE_AHEAD = 16,  // steps of k that the prefetch of B runs ahead
};

// sums[height][vectors * LANES] (row stride `stride`) = or += A * B panel over `depth` steps. Element (i, k) of A is
// a[i * a_row + k * a_step].
GENIE_INLINE void tile_multiply_rows(const int height, const int vectors, i64 depth, const real_t *a, i64 a_row,
                                     i64 a_step, const real_t *b, i64 step, real_t *sums, i64 stride, bool is_first) {
  real_vector_t sum[TILE_ROWS][2];
  GENIE_UNROLL
  for (int i = 0; i < height; ++i) {
    sum[i][0] = 0;
    sum[i][1] = 0;
  }
  if (!is_first) {
    GENIE_UNROLL
    for (int i = 0; i < height; ++i) {
      sum[i][0] = *(const real_vector_t *)(sums + i * stride);
      if (vectors == 2) {
        sum[i][1] = *(const real_vector_t *)(sums + i * stride + LANES);
      }
    }
  }
#pragma clang loop unroll(disable)
  for (i64 k = 0; k < depth; ++k) {
    const real_vector_t b0 = *(const real_vector_t *)b;
    __builtin_prefetch(b + TILE_AHEAD * step);
    real_vector_t b1 = 0;
    if (vectors == 2) {
      b1 = *(const real_vector_t *)(b + LANES);
      __builtin_prefetch(b + TILE_AHEAD * step + LANES);
    }
    GENIE_UNROLL
    for (int i = 0; i < height; ++i) {
      const real_vector_t broadcast = a[i * a_row];
      sum[i][0] += broadcast * b0;
      if (vectors == 2) {
        sum[i][1] += broadcast * b1;
      }
    }
    a += a_step;
    b += step;
  }
  GENIE_UNROLL
  for (int i = 0; i < height; ++i) {
    *(real_vector_t *)(sums + i * stride) = sum[i][0];
    if (vectors == 2) {
      *(real_vector_t *)(sums + i * stride + LANES) = sum[i][1];
    }
  }
}

// The same of a panel of A.
GENIE_INLINE void tile_multiply(const int height, const int vectors, i64 depth, const real_t *a, const real_t *b,
                                i64 step, real_t *sums, i64 stride, bool is_first) {
  tile_multiply_rows(height, vectors, depth, a, 1, height, b, step, sums, stride, is_first);
}

// panel[k][width] for four rows from `row` on: rows are contiguous in k.
GENIE_INLINE void pack_four_rows(real_t *restrict panel, i64 width, i64 depth, int dtype, const void *r0,
                                 const void *r1, const void *r2, const void *r3) {
  i64 k = 0;
  for (; k + 4 <= depth; k += 4) {
    const real4_t x0 = load_4(r0, dtype, k), x1 = load_4(r1, dtype, k);
    const real4_t x2 = load_4(r2, dtype, k), x3 = load_4(r3, dtype, k);
    const real4_t low01 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
    const real4_t high01 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
    const real4_t low23 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
    const real4_t high23 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
    real_t *out = panel + k * width;
    *(real4_t *)out = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(real4_t *)(out + width) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(real4_t *)(out + 2 * width) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(real4_t *)(out + 3 * width) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
  }
  for (; k < depth; ++k) {
    real_t *out = panel + k * width;
    out[0] = load_1(r0, dtype, k);
    out[1] = load_1(r1, dtype, k);
    out[2] = load_1(r2, dtype, k);
    out[3] = load_1(r3, dtype, k);
  }
}

// panel[k][width] = source[row * row_stride + k * depth_stride] for `rows` <= width rows, zero beyond.
GENIE_INLINE void panel_pack(real_t *restrict panel, i64 width, i64 rows, i64 depth, const void *source, int dtype,
                             i64 row_stride, i64 depth_stride) {
  const char *base = source;
  const i64 bytes = storage_bytes(dtype);
  if (rows < width) {
    fill_zero(panel, depth * width);
  }
  if (row_stride == 1) {
    for (i64 k = 0; k < depth; ++k) {
      const char *line = base + k * depth_stride * bytes;
      i64 i = 0;
      for (; i + LANES <= rows; i += LANES) {
        *(real_vector_t *)(panel + k * width + i) = load_lanes(line, dtype, i);
      }
      for (; i < rows; ++i) {
        panel[k * width + i] = load_1(line, dtype, i);
      }
    }
    return;
  }
  i64 row = 0;
  if (depth_stride == 1) {
    for (; row + 4 <= rows; row += 4) {
      const char *first = base + row * row_stride * bytes;
      pack_four_rows(panel + row, width, depth, dtype, first, first + row_stride * bytes,
                     first + 2 * row_stride * bytes, first + 3 * row_stride * bytes);
    }
  }
  for (; row < rows; ++row) {
    for (i64 k = 0; k < depth; ++k) {
      panel[k * width + row] = load_1(base, dtype, row * row_stride + k * depth_stride);
    }
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
