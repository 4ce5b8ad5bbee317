// The blocked product that gemm and conv share: panels, the register tile, and the walk over a task's block.
//
// Both operands of a tile are panels: A as [k][height], B as [k][step], each one linear stream. A tile holds its
// sums in registers over a pass of k, and keeps them in a buffer in the L1 or L2 cache between passes. A template that
// includes this file defines panel_of_b(), b_step() and store_sum().
#ifndef GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
#define GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_

#include "codegen/templates/lanes.h"

enum {
  TILE_ROWS = GENIE_VECTOR_BYTES == 64 ? 12 : 6,
  TILE_COLUMNS = 2 * LANES,
  TILE_AHEAD = 16,  // steps of k that the prefetch of B runs ahead
};

i64 genie_n(const frame_t *frame);
i64 genie_k(const frame_t *frame);
// Rows (a multiple of TILE_ROWS) and columns (a multiple of TILE_COLUMNS) of a task, steps of k of a pass.
i64 genie_block_rows(const frame_t *frame);
i64 genie_block_columns(const frame_t *frame);
i64 genie_block_depth(const frame_t *frame);
// The rows that a last, partial tile computes: m % TILE_ROWS where m is known, else 0 for "round up to a half or whole tile".
i64 genie_tail_rows(const frame_t *frame);

// Columns [n, n + TILE_COLUMNS) of B over [k, k + depth), in place or packed into `buffer`: rows of k lie b_step() apart.
GENIE_INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer);
GENIE_INLINE i64 b_step(const frame_t *frame);
GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

// sums[height][vectors * LANES] (row stride `stride`) = or += A panel * B panel over `depth` steps.
GENIE_INLINE void tile_multiply(const int height, const int vectors, i64 depth, const real_t *a, const real_t *b, i64 step,
                                real_t *sums, i64 stride, bool is_first) {
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
      const real_vector_t broadcast = a[i];
      sum[i][0] += broadcast * b0;
      if (vectors == 2) {
        sum[i][1] += broadcast * b1;
      }
    }
    a += height;
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

// panel[k][width] for four rows from `row` on: rows are contiguous in k.
GENIE_INLINE void pack_four_rows(real_t *restrict panel, i64 width, i64 depth, int dtype, const void *r0, const void *r1,
                                 const void *r2, const void *r3) {
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
      pack_four_rows(panel + row, width, depth, dtype, first, first + row_stride * bytes, first + 2 * row_stride * bytes,
                     first + 3 * row_stride * bytes);
    }
  }
  for (; row < rows; ++row) {
    for (i64 k = 0; k < depth; ++k) {
      panel[k * width + row] = load_1(base, dtype, row * row_stride + k * depth_stride);
    }
  }
}

// Height of the tile that holds the last `rows` < TILE_ROWS rows.
GENIE_INLINE i64 tail_height(const frame_t *frame, i64 rows) {
  const i64 known = genie_tail_rows(frame);
  return known != 0 ? known : rows <= TILE_ROWS / 2 ? TILE_ROWS / 2 : TILE_ROWS;
}

// Height of the tile of rows [i, rows).
GENIE_INLINE i64 tile_height(const frame_t *frame, i64 rows, i64 i) {
  return rows - i >= TILE_ROWS ? TILE_ROWS : tail_height(frame, rows - i);
}

static __attribute__((noinline)) void store_tile(const frame_t *frame, i64 batch, i64 m, i64 n, i64 rows,
                                                 const real_t *sums, i64 stride) {
  const i64 columns = genie_min_i64(TILE_COLUMNS, genie_n(frame) - n);
  if (columns == TILE_COLUMNS) {
    for (i64 i = 0; i < rows; ++i) {
      GENIE_VECTORIZE
      for (i64 j = 0; j < TILE_COLUMNS; ++j) {
        store_sum(frame, batch, m + i, n + j, sums[i * stride + j]);
      }
    }
    return;
  }
  for (i64 i = 0; i < rows; ++i) {
    GENIE_VECTORIZE
    for (i64 j = 0; j < columns; ++j) {
      store_sum(frame, batch, m + i, n + j, sums[i * stride + j]);
    }
  }
}

static __attribute__((noinline)) void multiply_whole(const frame_t *frame, i64 depth, const real_t *a, const real_t *b,
                                                     real_t *sums, i64 stride, bool is_first) {
  tile_multiply(TILE_ROWS, 2, depth, a, b, b_step(frame), sums, stride, is_first);
}

static __attribute__((noinline)) void multiply_narrow(const frame_t *frame, i64 depth, const real_t *a, const real_t *b,
                                                      real_t *sums, i64 stride, bool is_first) {
  tile_multiply(TILE_ROWS, 1, depth, a, b, b_step(frame), sums, stride, is_first);
}

#define TILE_TAIL_CASE(height)                                                      \
  case height:                                                                      \
    if (height < TILE_ROWS) {                                                       \
      tile_multiply(height, 2, depth, a, b, b_step(frame), sums, stride, is_first); \
    }                                                                               \
    break;

// A tile of fewer rows than TILE_ROWS; its height is a constant where m is known.
static __attribute__((noinline)) void multiply_tail(const frame_t *frame, i64 depth, const real_t *a, const real_t *b,
                                                    real_t *sums, i64 stride, bool is_first) {
  switch (genie_tail_rows(frame)) {
    case 0:
      tile_multiply(TILE_ROWS / 2, 2, depth, a, b, b_step(frame), sums, stride, is_first);
      break;
      TILE_TAIL_CASE(1)
      TILE_TAIL_CASE(2)
      TILE_TAIL_CASE(3)
      TILE_TAIL_CASE(4)
      TILE_TAIL_CASE(5)
      TILE_TAIL_CASE(6)
      TILE_TAIL_CASE(7)
      TILE_TAIL_CASE(8)
      TILE_TAIL_CASE(9)
      TILE_TAIL_CASE(10)
      TILE_TAIL_CASE(11)
    default:
      break;
  }
}

// Rows [m, m + rows) x columns [n, n + columns) of one batch: the product of the A panels [tile][k][height] with B.
// `sums` is [rows][genie_block_columns()].
GENIE_INLINE void block_multiply(const frame_t *frame, i64 batch, i64 m, i64 rows, i64 n, i64 columns,
                                 const real_t *a_panels, real_t *sums, real_t *b_buffer) {
  const i64 k_count = genie_k(frame), block_depth = genie_block_depth(frame), stride = genie_block_columns(frame);
  for (i64 k = 0; k < k_count; k += block_depth) {
    const i64 depth = genie_min_i64(block_depth, k_count - k);
    for (i64 j = 0; j < columns; j += TILE_COLUMNS) {
      const real_t *b = panel_of_b(frame, batch, n + j, k, depth, b_buffer);
      for (i64 i = 0; i < rows; i += TILE_ROWS) {
        const i64 height = tile_height(frame, rows, i);
        const real_t *a = a_panels + i * k_count + k * height;
        real_t *tile = sums + i * stride + j;
        if (height != TILE_ROWS) {
          multiply_tail(frame, depth, a, b, tile, stride, k == 0);
        } else if (genie_n(frame) - (n + j) <= LANES) {
          multiply_narrow(frame, depth, a, b, tile, stride, k == 0);
        } else {
          multiply_whole(frame, depth, a, b, tile, stride, k == 0);
        }
        if (k + depth == k_count) {
          store_tile(frame, batch, m + i, n + j, genie_min_i64(TILE_ROWS, rows - i), tile, stride);
        }
      }
    }
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_GEMM_TILE_H_
