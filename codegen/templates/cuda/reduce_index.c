// argmax and argmin over the columns of each row: the first of the extremes, or the first NaN. A block is a row.
#include "codegen/templates/cuda/device.h"

i64 genie_size(const frame_t *frame);
i64 genie_is_max(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, i64 index);

GENIE_BLOCK_REDUCE(block_max, real_t, GENIE_REAL_NAME(shuffle_xor), real_max, GENIE_LOWEST)
GENIE_BLOCK_REDUCE(block_min, real_t, GENIE_REAL_NAME(shuffle_xor), real_min, GENIE_HIGHEST)
GENIE_BLOCK_REDUCE(block_first, i64, shuffle_xor_i64, genie_min_i64, INT64_MAX)

void genie_kernel(const frame_t *frame) {
  const i64 row = block_index(), size = genie_size(frame), threads = genie_threads(frame);
  const bool is_max = genie_is_max(frame) != 0;
  real_t extreme = is_max ? GENIE_LOWEST : GENIE_HIGHEST;
#pragma clang loop unroll_count(4)
  for (i64 c = thread_index(); c < size; c += threads) {
    const real_t x = genie_x(frame, row, c);
    extreme = is_max ? real_max(extreme, x) : real_min(extreme, x);
  }
  extreme = is_max ? block_max(frame, extreme) : block_min(frame, extreme);
  const bool is_number = extreme == extreme;
  i64 index = INT64_MAX;
  for (i64 c = thread_index(); c < size && index == INT64_MAX; c += threads) {
    const real_t x = genie_x(frame, row, c);
    index = (is_number ? x == extreme : x != x) ? c : INT64_MAX;
  }
  index = block_first(frame, index);
  if (thread_index() == 0) {
    genie_store(frame, row, index == INT64_MAX ? 0 : index);
  }
}
