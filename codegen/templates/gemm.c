// c[batch][m][n] = sum over k of a[batch][m][k] * b[batch][k][n], plus bias[n].
//
// The grid is batch x blocks of rows x blocks of columns, columns innermost, so that a range of tasks packs a block of
// A once. B is a weight in panels ("panel_n": [ceil(n / width)][k][width], zeros beyond n), or strided: then it is read
// in place (direct: n contiguous and few rows) or packed, a panel at a time, when a task needs it.
//
// scratch, in parts of whole cache lines: A panels [block rows][k] | sums [block rows][block columns] | one B panel
// [block depth][TILE_COLUMNS]
#include "codegen/templates/gemm_block.h"

i64 genie_m(const frame_t *frame);
// Element [batch][0][0] of the operands, and their strides in elements.
const void *genie_a(const frame_t *frame, i64 batch);
i64 genie_a_dtype(const frame_t *frame);
i64 genie_a_m_stride(const frame_t *frame);
i64 genie_a_k_stride(const frame_t *frame);
const void *genie_b(const frame_t *frame, i64 batch);
i64 genie_b_dtype(const frame_t *frame);
i64 genie_b_width(const frame_t *frame);  // of its panels, a multiple of TILE_COLUMNS; 0 when it is strided
i64 genie_b_is_direct(const frame_t *frame);
i64 genie_b_k_stride(const frame_t *frame);
i64 genie_b_n_stride(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 n);
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  genie_store(frame, batch, m, n, genie_has_bias(frame) ? sum + genie_bias(frame, n) : sum);
}

GENIE_INLINE i64 b_step(const frame_t *frame) {
  if (storage_bytes((int)genie_b_dtype(frame)) != REAL_BYTES) {
    return TILE_COLUMNS;
  }
  return genie_b_width(frame) != 0  ? genie_b_width(frame)
         : genie_b_is_direct(frame) ? genie_b_k_stride(frame)
                                    : TILE_COLUMNS;
}

GENIE_INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer) {
  const int dtype = (int)genie_b_dtype(frame);
  const bool is_wide = storage_bytes(dtype) == REAL_BYTES;
  const i64 width = genie_b_width(frame), columns = genie_min_i64(TILE_COLUMNS, genie_n(frame) - n);
  const char *base = genie_b(frame, batch);
  if (width != 0) {
    const char *panel = base + ((n / width * genie_k(frame) + k) * width + n % width) * storage_bytes(dtype);
    if (is_wide) {
      return (const real_t *)panel;
    }
    panel_pack(buffer, TILE_COLUMNS, TILE_COLUMNS, depth, panel, dtype, 1, width);
    return buffer;
  }
  const i64 k_stride = genie_b_k_stride(frame), n_stride = genie_b_n_stride(frame);
  const char *corner = base + (n * n_stride + k * k_stride) * storage_bytes(dtype);
  if (is_wide && genie_b_is_direct(frame)) {
    return (const real_t *)corner;
  }
  panel_pack(buffer, TILE_COLUMNS, columns, depth, corner, dtype, n_stride, k_stride);
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
  real_t *sums = a_panels + scratch_part(block_rows * genie_k(frame));
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
