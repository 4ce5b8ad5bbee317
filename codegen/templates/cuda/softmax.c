// softmax and log_softmax over the columns of each row; a block is a row.
#include "codegen/templates/cuda/row.h"

i64 genie_is_log(const frame_t *frame);

void genie_kernel(const frame_t *frame) {
  const i64 row = block_index();
  const int vector = (int)genie_vector(frame);
  const bool is_held = genie_items(frame) > 0, is_log = genie_is_log(frame) != 0;
  real_t x[MOST_ITEMS];
  row_load(frame, row, GENIE_LOWEST, x);
  real_t largest = GENIE_LOWEST;
  GENIE_EACH_PART(frame, row, x, {
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      largest = real_max(largest, part[v]);
    }
  })
  largest = block_max(frame, largest);
  real_t sum = 0;
  GENIE_EACH_PART(frame, row, x, {
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      const real_t power = GENIE_MATH(exp)(part[v] - largest);
      part[v] = is_held && !is_log ? power : part[v];
      sum += power;
    }
  })
  sum = block_sum(frame, sum);
  const real_t scale = is_log ? GENIE_MATH(log)(sum) : 1 / sum;
  GENIE_EACH_PART(frame, row, x, {
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      const real_t power = is_held ? part[v] : GENIE_MATH(exp)(part[v] - largest);
      part[v] = is_log ? part[v] - largest - scale : power * scale;
    }
    row_store(frame, row, column, part);
  })
}
