// A product of any types and strides, without tensor cores: f32 stays f32. The grid is batch x blocks of 64 rows x
// blocks of 64 columns.
#include "codegen/templates/cuda/product.h"
#include "codegen/templates/cuda/simt_tile.h"

typedef struct operand {
  const void *base;
  int dtype;
  i64 first, lines, line_stride, k_stride;
  bool is_deep;
} operand_t;

GENIE_INLINE void load_tile(const operand_t *o, i64 k, i64 k_count, real_t values[SIMT_LOADS]) {
  GENIE_UNROLL
  for (int i = 0; i < SIMT_LOADS; ++i) {
    const i64 line = o->first + simt_line(o->is_deep, i), at = k + simt_depth(o->is_deep, i);
    values[i] =
        line < o->lines && at < k_count ? load_1(o->base, o->dtype, line * o->line_stride + at * o->k_stride) : 0;
  }
}

void genie_kernel(const frame_t *frame) {
  GENIE_SHARED_ARRAY(real_t, a_tile, SIMT_DEPTH * SIMT_STRIDE);
  GENIE_SHARED_ARRAY(real_t, b_tile, SIMT_DEPTH * SIMT_STRIDE);
  const tile_t tile = tile_of_block(frame, SIMT_ROWS, SIMT_COLUMNS);
  const operand_t a = {
      genie_a(frame, tile.batch), (int)genie_a_dtype(frame),   tile.m, genie_m(frame), genie_a_m_stride(frame),
      genie_a_k_stride(frame),    genie_a_m_stride(frame) != 1};
  const operand_t b = {
      genie_b(frame, tile.batch), (int)genie_b_dtype(frame),   tile.n, genie_n(frame), genie_b_n_stride(frame),
      genie_b_k_stride(frame),    genie_b_n_stride(frame) != 1};
  const i64 k_count = genie_k(frame);
  real_t sums[4][4], next_a[SIMT_LOADS], next_b[SIMT_LOADS];
  simt_clear(sums);
  load_tile(&a, 0, k_count, next_a);
  load_tile(&b, 0, k_count, next_b);
#pragma clang loop unroll(disable)
  for (i64 k = 0; k < k_count; k += SIMT_DEPTH) {
    simt_put(a_tile, a.is_deep, next_a);
    simt_put(b_tile, b.is_deep, next_b);
    block_barrier();
    load_tile(&a, k + SIMT_DEPTH, k_count, next_a);
    load_tile(&b, k + SIMT_DEPTH, k_count, next_b);
    simt_multiply(a_tile, b_tile, sums);
    block_barrier();
  }
  GENIE_UNROLL
  for (int i = 0; i < 16; ++i) {
    store_sum(frame, tile.batch, tile.m + thread_index() / 16 * 4 + i / 4, tile.n + thread_index() % 16 * 4 + i % 4,
              sums[i / 4][i % 4]);
  }
}
