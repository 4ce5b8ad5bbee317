// A product of bf16 or f16 on tensor cores. The grid is batch x blocks of 64 rows x blocks of 64 columns.
#include "codegen/templates/cuda/mma_tile.h"
#include "codegen/templates/cuda/product.h"

i64 genie_vector(const frame_t *frame);
void genie_store_2(const frame_t *frame, i64 batch, i64 m, i64 n, real_t v0, real_t v1);

typedef struct operand {
  const void *base;
  i64 first, lines, line_stride, k_stride;
  bool is_vector, is_vector_line;  // groups of 16 bytes along k, or along the lines
} operand_t;

GENIE_INLINE void load_tile(const operand_t *o, i64 k, i64 k_count, words_t groups[MMA_GROUPS]) {
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    if (o->is_vector_line) {  // group: depth x 8 lines, turned in put_tile()
      const int item = thread_index() + i * MMA_THREADS;
      const i64 line = o->first + item % 8 * 8, at = k + item / 8;
      groups[i] = line < o->lines && at < k_count ? load_words(o->base, line + at * o->k_stride) : 0;
      continue;
    }
    const i64 line = o->first + mma_line(i), at = k + mma_depth(i), index = line * o->line_stride + at * o->k_stride;
    const bool is_inside = line < o->lines && at < k_count;
    if (o->is_vector) {
      groups[i] = is_inside ? load_words(o->base, index) : 0;
    } else {
      groups[i] = gather_group(o->base, index, o->k_stride, is_inside ? k_count - at : 0);
    }
  }
}

GENIE_INLINE void put_tile(const operand_t *o, shared_u16_t *tile, const words_t groups[MMA_GROUPS]) {
  if (!o->is_vector_line) {
    mma_put(tile, groups);
    return;
  }
  GENIE_UNROLL
  for (int i = 0; i < MMA_GROUPS; ++i) {
    const int item = thread_index() + i * MMA_THREADS;
    GENIE_UNROLL
    for (int e = 0; e < 8; ++e) {
      tile[(item % 8 * 8 + e) * TILE_STRIDE + item / 8] = (uint16_t)(groups[i][e / 2] >> e % 2 * 16);
    }
  }
}

GENIE_INLINE void store_pair(const frame_t *frame, i64 batch, i64 m, i64 n, float v0, float v1) {
  if (genie_vector(frame) != 2) {
    store_sum(frame, batch, m, n, v0);
    store_sum(frame, batch, m, n + 1, v1);
  } else if (m < genie_m(frame) && n < genie_n(frame)) {
    const bool has_bias = genie_has_bias(frame);
    genie_store_2(frame, batch, m, n, has_bias ? v0 + genie_bias(frame, n) : v0,
                  has_bias ? v1 + genie_bias(frame, n + 1) : v1);
  }
}

void genie_kernel(const frame_t *frame) {
  GENIE_SHARED_ARRAY(uint16_t, a_tile, MMA_LINES *TILE_STRIDE);
  GENIE_SHARED_ARRAY(uint16_t, b_tile, MMA_LINES *TILE_STRIDE);
  const tile_t tile = tile_of_block(frame, MMA_LINES, MMA_LINES);
  const bool is_bf16 = genie_a_dtype(frame) == GENIE_DTYPE_BF16;
  const operand_t a = {
      genie_a(frame, tile.batch),    tile.m, genie_m(frame), genie_a_m_stride(frame), genie_a_k_stride(frame),
      genie_a_is_vector(frame) != 0, false};
  const operand_t b = {genie_b(frame, tile.batch),
                       tile.n,
                       genie_n(frame),
                       genie_b_n_stride(frame),
                       genie_b_k_stride(frame),
                       genie_b_is_vector(frame) != 0,
                       genie_b_is_vector_n(frame) != 0};
  const i64 k_count = genie_k(frame);
  mma_sums_t sums;
  words_t next_a[MMA_GROUPS], next_b[MMA_GROUPS];
  mma_clear(sums);
  load_tile(&a, 0, k_count, next_a);
  load_tile(&b, 0, k_count, next_b);
#pragma clang loop unroll(disable)
  for (i64 k = 0; k < k_count; k += TILE_K) {
    put_tile(&a, a_tile, next_a);
    put_tile(&b, b_tile, next_b);
    block_barrier();
    load_tile(&a, k + TILE_K, k_count, next_a);
    load_tile(&b, k + TILE_K, k_count, next_b);
    mma_multiply(is_bf16, a_tile, b_tile, sums);
    block_barrier();
  }
  GENIE_UNROLL
  for (int i = 0; i < 16; ++i) {
    const int row = i / 8, column = i / 2 % 4, c = i % 2 * 2;
    store_pair(frame, tile.batch, tile.m + mma_row(row, c), tile.n + mma_column(column, c), sums[row][column][c],
               sums[row][column][c + 1]);
  }
}
