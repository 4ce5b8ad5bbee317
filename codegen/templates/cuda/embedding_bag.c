// Sum, mean or largest of the table's rows that each bag names; a block is a bag, a thread a column.
#include "codegen/templates/cuda/device.h"

enum { BAG_SUM, BAG_MEAN, BAG_MAX };  // as in lower_embedding_bag.c

i64 genie_columns(const frame_t *frame);
i64 genie_rows(const frame_t *frame);  // of the table
i64 genie_index_count(const frame_t *frame);
i64 genie_mode(const frame_t *frame);
i64 genie_padding(const frame_t *frame);  // an index that is left out; negative: none
i64 genie_bag_begin(const frame_t *frame, i64 bag);
i64 genie_bag_end(const frame_t *frame, i64 bag);
i64 genie_index(const frame_t *frame, i64 at);
real_t genie_sample_weight(const frame_t *frame, i64 at);
real_t genie_table(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 bag, i64 column, real_t value);

GENIE_INLINE i64 clamp(i64 value, i64 low, i64 high) {
  return genie_max_i64(low, genie_min_i64(value, high));
}

GENIE_INLINE real_t gather_column(const frame_t *frame, i64 begin, i64 end, i64 column) {
  const i64 mode = genie_mode(frame), padding = genie_padding(frame), last_row = genie_rows(frame) - 1;
  i64 taken = 0;
  real_t total = mode == BAG_MAX ? GENIE_LOWEST : 0;
#pragma clang loop unroll_count(4)
  for (i64 at = begin; at < end; ++at) {
    const i64 index = genie_index(frame, at);
    const bool is_taken = padding < 0 || index != padding;
    const real_t x = genie_table(frame, clamp(index, 0, last_row), column);
    const real_t joined = mode == BAG_MAX ? real_max(total, x) : total + genie_sample_weight(frame, at) * x;
    total = is_taken ? joined : total;
    taken += is_taken;
  }
  if (mode == BAG_MEAN) {
    return total * ((real_t)1 / (real_t)genie_max_i64(taken, 1));
  }
  return mode == BAG_MAX && taken == 0 ? 0 : total;
}

void genie_kernel(const frame_t *frame) {
  const i64 bag = block_index(), index_count = genie_index_count(frame);
  const i64 low = clamp(genie_bag_begin(frame, bag), 0, index_count);
  const i64 high = clamp(genie_bag_end(frame, bag), low, index_count);
  for (i64 column = thread_index(); column < genie_columns(frame); column += genie_threads(frame)) {
    genie_store(frame, bag, column, gather_column(frame, low, high, column));
  }
}
