// c[batch][m][n] = sum over k of a[batch][m][k] * b[batch][k][n].
//
// The grid is batch x blocks of rows x blocks of columns, columns innermost, so that a range of tasks packs a block of A
// once. B is either a weight in panels of TILE_COLUMNS ("panel_n": [ceil(n / width)][k][width], zeros beyond n), or any
// strided operand that is packed, a panel at a time, when a task needs it.
//
// scratch: A panels [block rows][k] | sums [block rows][block columns] | one B panel [block depth][TILE_COLUMNS]
#include "codegen/templates/gemm_tile.h"

i64 genie_m(const frame_t *frame);
// Element [batch][0][0] of the operands, and their strides in elements.
const void *genie_a(const frame_t *frame, i64 batch);
i64 genie_a_dtype(const frame_t *frame);
i64 genie_a_m_stride(const frame_t *frame);
i64 genie_a_k_stride(const frame_t *frame);
const void *genie_b(const frame_t *frame, i64 batch);
i64 genie_b_dtype(const frame_t *frame);
i64 genie_b_is_packed(const frame_t *frame);
i64 genie_b_k_stride(const frame_t *frame);
i64 genie_b_n_stride(const frame_t *frame);
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  genie_store(frame, batch, m, n, sum);
}

GENIE_INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer) {
  const int dtype = (int)genie_b_dtype(frame);
  const char *base = genie_b(frame, batch);
  if (genie_b_is_packed(frame)) {
    const char *panel = base + (n * genie_k(frame) + k * TILE_COLUMNS) * storage_bytes(dtype);
    if (storage_bytes(dtype) == REAL_BYTES) {
      return (const real_t *)panel;
    }
    panel_pack(buffer, TILE_COLUMNS, TILE_COLUMNS, depth, panel, dtype, 1, TILE_COLUMNS);
    return buffer;
  }
  const i64 k_stride = genie_b_k_stride(frame), n_stride = genie_b_n_stride(frame);
  panel_pack(buffer, TILE_COLUMNS, genie_min_i64(TILE_COLUMNS, genie_n(frame) - n), depth,
             base + (n * n_stride + k * k_stride) * storage_bytes(dtype), dtype, n_stride, k_stride);
  return buffer;
}

// Panels [tile][k][height] of rows [m, m + rows).
static void pack_a(const frame_t *frame, i64 batch, i64 m, i64 rows, real_t *panels) {
  const i64 k_count = genie_k(frame), m_stride = genie_a_m_stride(frame);
  const int dtype = (int)genie_a_dtype(frame);
  const char *base = genie_a(frame, batch);
  for (i64 i = 0; i < rows; i += TILE_ROWS) {
    panel_pack(panels + i * k_count, tile_height(frame, rows, i), genie_min_i64(TILE_ROWS, rows - i), k_count,
               base + (m + i) * m_stride * storage_bytes(dtype), dtype, m_stride, genie_a_k_stride(frame));
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 block_rows = genie_block_rows(frame), block_columns = genie_block_columns(frame);
  const i64 row_blocks = ceil_div(genie_m(frame), block_rows), column_blocks = ceil_div(genie_n(frame), block_columns);
  real_t *a_panels = frame->scratch;
  real_t *sums = a_panels + block_rows * genie_k(frame);
  real_t *b_buffer = sums + block_rows * block_columns;
  i64 packed_block = -1;
  for (i64 task = begin; task < end; ++task) {
    const i64 block = task / column_blocks, batch = block / row_blocks;
    const i64 m = block % row_blocks * block_rows, n = task % column_blocks * block_columns;
    const i64 rows = genie_min_i64(block_rows, genie_m(frame) - m);
    const i64 columns = genie_min_i64(block_columns, genie_n(frame) - n);
    if (block != packed_block) {
      pack_a(frame, batch, m, rows, a_panels);
      packed_block = block;
    }
    block_multiply(frame, batch, m, rows, n, columns, a_panels, sums, b_buffer);
  }
}
