// The hooks of products: c[batch][m][n] = sum over k of a[batch][m][k] * b[batch][k][n], plus bias[n].
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_PRODUCT_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_PRODUCT_H_

#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

i64 genie_m(const frame_t *frame);
i64 genie_n(const frame_t *frame);
i64 genie_k(const frame_t *frame);
// Element [batch][0][0] of the operands, and their strides in elements.
const void *genie_a(const frame_t *frame, i64 batch);
i64 genie_a_dtype(const frame_t *frame);
i64 genie_a_m_stride(const frame_t *frame);
i64 genie_a_k_stride(const frame_t *frame);
const void *genie_b(const frame_t *frame, i64 batch);
i64 genie_b_dtype(const frame_t *frame);
i64 genie_b_k_stride(const frame_t *frame);
i64 genie_b_n_stride(const frame_t *frame);
// The operand's rows (of k), or b's rows of n, are whole and aligned groups of 16 bytes.
i64 genie_a_is_vector(const frame_t *frame);
i64 genie_b_is_vector(const frame_t *frame);
i64 genie_b_is_vector_n(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 n);
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

// Which tile of the result a block makes: columns innermost.
typedef struct tile {
  i64 batch, m, n;
} tile_t;

GENIE_INLINE tile_t tile_of_block(const frame_t *frame, i64 rows, i64 columns) {
  const i64 column_blocks = ceil_div(genie_n(frame), columns), row_blocks = ceil_div(genie_m(frame), rows);
  const i64 block = block_index();
  return (tile_t){.batch = block / column_blocks / row_blocks,
                  .m = block / column_blocks % row_blocks * rows,
                  .n = block % column_blocks * columns};
}

GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  if (m < genie_m(frame) && n < genie_n(frame)) {
    genie_store(frame, batch, m, n, genie_has_bias(frame) ? sum + genie_bias(frame, n) : sum);
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_PRODUCT_H_
