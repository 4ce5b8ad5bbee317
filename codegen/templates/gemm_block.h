// The walk over a task's block that gemm and conv share. A template that includes this file defines panel_of_b(),
// b_step() and store_sum().
#ifndef GENIE_CODEGEN_TEMPLATES_GEMM_BLOCK_H_
#define GENIE_CODEGEN_TEMPLATES_GEMM_BLOCK_H_

#include "codegen/templates/gemm_tile.h"

i64 genie_n(const frame_t *frame);
i64 genie_k(const frame_t *frame);
// Rows (a multiple of TILE_ROWS) and columns (a multiple of TILE_COLUMNS) of a task, steps of k of a pass.
i64 genie_block_rows(const frame_t *frame);
i64 genie_block_columns(const frame_t *frame);
i64 genie_block_depth(const frame_t *frame);
// The rows that a last, partial tile computes: m % TILE_ROWS where m is known, else 0 for "round up to a half or whole
// tile".
i64 genie_tail_rows(const frame_t *frame);

// Columns [n, n + TILE_COLUMNS) of B over [k, k + depth), in place or packed into `buffer`: rows of k lie b_step()
// apart.
GENIE_INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer);
GENIE_INLINE i64 b_step(const frame_t *frame);
GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

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
  // A product over no k at all is zero, in one empty pass.
  for (i64 k = 0; k < genie_max_i64(k_count, 1); k += block_depth) {
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

#endif  // GENIE_CODEGEN_TEMPLATES_GEMM_BLOCK_H_
