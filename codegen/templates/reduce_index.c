// argmax and argmin over the columns of each row: the first of the extremes, or the first NaN. A task is a row.
#include "codegen/templates/real.h"

i64 genie_size(const frame_t *frame);
i64 genie_is_max(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, i64 index);

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 columns = genie_size(frame), is_max = genie_is_max(frame);
  for (i64 row = begin; row < end; ++row) {
    real_t extreme = is_max ? GENIE_LOWEST : GENIE_HIGHEST;
    GENIE_VECTORIZE_CHAINS(4)
    for (i64 c = 0; c < columns; ++c) {
      const real_t x = genie_x(frame, row, c);
      extreme = is_max ? real_max(extreme, x) : real_min(extreme, x);
    }
    const int is_number = extreme == extreme;
    i64 index = INT64_MAX;
    GENIE_VECTORIZE_CHAINS(4)
    for (i64 c = 0; c < columns; ++c) {
      const real_t x = genie_x(frame, row, c);
      const int is_hit = is_number ? x == extreme : x != x;
      index = genie_min_i64(index, is_hit ? c : INT64_MAX);
    }
    genie_store(frame, row, index == INT64_MAX ? 0 : index);
  }
}
