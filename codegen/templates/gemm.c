// c[batch][m][n] = epilogue(sum over k of a[batch][m][k] * b[batch][k][n]).
//
// The grid is batch x blocks of rows x blocks of columns, columns innermost, so that a range of tasks packs a block of A
// once. B is either a weight in panels of TILE_COLUMNS ("panel_n": [ceil(n / width)][k][width], zeros beyond n), or any
// strided operand that is packed, a panel at a time, when a task needs it.
//
// scratch: A panels [rows of a block][k] | sums [rows of a block][columns of a block] | one B panel [depth of a block][TILE_COLUMNS]
#include "codegen/templates/gemm_tile.h"

i64 genie_batch(const frame_t *frame);
i64 genie_m(const frame_t *frame);
i64 genie_n(const frame_t *frame);
i64 genie_k(const frame_t *frame);
// Rows (a multiple of TILE_ROWS) and columns (a multiple of TILE_COLUMNS) of a task, steps of k of a pass.
i64 genie_block_rows(const frame_t *frame);
i64 genie_block_columns(const frame_t *frame);
i64 genie_block_depth(const frame_t *frame);
// Element [batch][0][0] of the operands, and their strides in elements.
const void *genie_a(const frame_t *frame, i64 batch);
int genie_a_dtype(const frame_t *frame);
i64 genie_a_m_stride(const frame_t *frame);
i64 genie_a_k_stride(const frame_t *frame);
const void *genie_b(const frame_t *frame, i64 batch);
int genie_b_dtype(const frame_t *frame);
bool genie_b_is_packed(const frame_t *frame);
i64 genie_b_k_stride(const frame_t *frame);
i64 genie_b_n_stride(const frame_t *frame);
// The rows that a last, partial tile computes: m % TILE_ROWS where m is known, else 0 for "round up to 4".
i64 genie_tail_rows(const frame_t *frame);
void genie_epilogue(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

// Height of the tile that holds the last `rows` < TILE_ROWS rows.
INLINE i64 tail_height(const frame_t *frame, i64 rows) {
  const i64 known = genie_tail_rows(frame);
  return known != 0 ? known : min_i64(ceil_div(rows, 4) * 4, TILE_ROWS);
}

static __attribute__((noinline)) void store_tile(const frame_t *frame, i64 batch, i64 m, i64 n, i64 rows,
                                                 const real_t *sums, i64 stride) {
  const i64 columns = min_i64(TILE_COLUMNS, genie_n(frame) - n);
  if (columns == TILE_COLUMNS) {
    for (i64 i = 0; i < rows; ++i) {
#pragma clang loop vectorize(assume_safety) interleave(disable)
      for (i64 j = 0; j < TILE_COLUMNS; ++j) {
        genie_epilogue(frame, batch, m + i, n + j, sums[i * stride + j]);
      }
    }
    return;
  }
  for (i64 i = 0; i < rows; ++i) {
#pragma clang loop vectorize(assume_safety) interleave(disable)
    for (i64 j = 0; j < columns; ++j) {
      genie_epilogue(frame, batch, m + i, n + j, sums[i * stride + j]);
    }
  }
}

static __attribute__((noinline)) void multiply_full(i64 depth, const real_t *a, const real_t *b, real_t *sums,
                                                    i64 stride, bool is_first) {
  tile_multiply(TILE_ROWS, depth, a, b, sums, stride, is_first);
}

#define TAIL_CASE(height)                                            \
  case height:                                                       \
    if (height < TILE_ROWS) {                                        \
      tile_multiply(height, depth, a, b, sums, stride, is_first);    \
    }                                                                \
    break;

INLINE void multiply_tail(const frame_t *frame, i64 height, i64 depth, const real_t *a, const real_t *b, real_t *sums,
                          i64 stride, bool is_first) {
  if (genie_tail_rows(frame) == 0) {
    switch (height) {
      TAIL_CASE(4)
      TAIL_CASE(8)
      default:
        multiply_full(depth, a, b, sums, stride, is_first);
    }
    return;
  }
  switch (genie_tail_rows(frame)) {
    TAIL_CASE(1) TAIL_CASE(2) TAIL_CASE(3) TAIL_CASE(4) TAIL_CASE(5) TAIL_CASE(6)
    TAIL_CASE(7) TAIL_CASE(8) TAIL_CASE(9) TAIL_CASE(10) TAIL_CASE(11)
    default:
      break;
  }
}

// Panels of rows [m, m + rows) for every pass: [pass][tile][depth of the pass][height].
static void pack_a(const frame_t *frame, i64 batch, i64 m, i64 rows, real_t *panels) {
  const i64 k_count = genie_k(frame), block_depth = genie_block_depth(frame);
  const int dtype = genie_a_dtype(frame);
  const i64 m_stride = genie_a_m_stride(frame), k_stride = genie_a_k_stride(frame);
  const char *base = genie_a(frame, batch);
  for (i64 k = 0; k < k_count; k += block_depth) {
    const i64 depth = min_i64(block_depth, k_count - k);
    for (i64 i = 0; i < rows; i += TILE_ROWS) {
      const char *source = base + ((m + i) * m_stride + k * k_stride) * storage_bytes(dtype);
      if (rows - i >= TILE_ROWS) {
        panel_pack(panels, TILE_ROWS, TILE_ROWS, depth, source, dtype, m_stride, k_stride);
        panels += TILE_ROWS * depth;
        continue;
      }
      const i64 height = tail_height(frame, rows - i);
      panel_pack(panels, (int)height, rows - i, depth, source, dtype, m_stride, k_stride);
      panels += height * depth;
    }
  }
}

// Panel of columns [n, n + TILE_COLUMNS) over [k, k + depth): in place, or packed into `buffer`.
INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer) {
  const int dtype = genie_b_dtype(frame);
  const char *base = genie_b(frame, batch);
  const bool is_wide = storage_bytes(dtype) == REAL_BYTES;
  if (genie_b_is_packed(frame)) {
    const char *panel = base + (n * genie_k(frame) + k * TILE_COLUMNS) * storage_bytes(dtype);
    if (is_wide) {
      return (const real_t *)panel;
    }
    panel_pack(buffer, TILE_COLUMNS, TILE_COLUMNS, depth, panel, dtype, 1, TILE_COLUMNS);
    return buffer;
  }
  const i64 k_stride = genie_b_k_stride(frame), n_stride = genie_b_n_stride(frame);
  panel_pack(buffer, TILE_COLUMNS, min_i64(TILE_COLUMNS, genie_n(frame) - n), depth,
             base + (n * n_stride + k * k_stride) * storage_bytes(dtype), dtype, n_stride, k_stride);
  return buffer;
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 m_count = genie_m(frame), n_count = genie_n(frame), k_count = genie_k(frame);
  const i64 block_rows = genie_block_rows(frame), block_columns = genie_block_columns(frame);
  const i64 block_depth = genie_block_depth(frame);
  const i64 row_blocks = ceil_div(m_count, block_rows), column_blocks = ceil_div(n_count, block_columns);
  real_t *a_panels = frame->scratch;
  real_t *sums = a_panels + block_rows * k_count;
  real_t *b_buffer = sums + block_rows * block_columns;
  i64 packed_block = -1;
  for (i64 task = begin; task < end; ++task) {
    const i64 block = task / column_blocks;
    const i64 batch = block / row_blocks, m = block % row_blocks * block_rows;
    const i64 n = task % column_blocks * block_columns;
    const i64 rows = min_i64(block_rows, m_count - m), columns = min_i64(block_columns, n_count - n);
    if (block != packed_block) {
      pack_a(frame, batch, m, rows, a_panels);
      packed_block = block;
    }
    const i64 full_rows = rows / TILE_ROWS * TILE_ROWS;
    const i64 tail = rows - full_rows == 0 ? 0 : tail_height(frame, rows - full_rows);
    for (i64 k = 0; k < k_count; k += block_depth) {
      const i64 depth = min_i64(block_depth, k_count - k);
      const bool is_first = k == 0, is_last = k + depth == k_count;
      const real_t *a_pass = a_panels + (full_rows + tail) * k;
      for (i64 j = 0; j < columns; j += TILE_COLUMNS) {
        const real_t *b = panel_of_b(frame, batch, n + j, k, depth, b_buffer);
        for (i64 i = 0; i < full_rows; i += TILE_ROWS) {
          real_t *tile = sums + i * block_columns + j;
          multiply_full(depth, a_pass + i * depth, b, tile, block_columns, is_first);
          if (is_last) {
            store_tile(frame, batch, m + i, n + j, TILE_ROWS, tile, block_columns);
          }
        }
        if (tail != 0) {
          real_t *tile = sums + full_rows * block_columns + j;
          multiply_tail(frame, tail, depth, a_pass + full_rows * depth, b, tile, block_columns, is_first);
          if (is_last) {
            store_tile(frame, batch, m + full_rows, n + j, rows - full_rows, tile, block_columns);
          }
        }
      }
    }
  }
}
