// softmax and log_softmax along an axis that is not the innermost: a thread is a column.
#include "codegen/templates/cuda/strided.h"

i64 genie_columns(const frame_t *frame);  // elements of the axis
i64 genie_is_log(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);

void genie_kernel(const frame_t *frame) {
  i64 outer, inner;
  if (!strided_column(frame, &outer, &inner)) {
    return;
  }
  const i64 size = genie_columns(frame);
  real_t largest = GENIE_LOWEST;
#pragma clang loop unroll_count(8)
  for (i64 r = 0; r < size; ++r) {
    largest = real_max(largest, genie_x(frame, outer, r, inner));
  }
  real_t sum = 0;
#pragma clang loop unroll_count(4)
  for (i64 r = 0; r < size; ++r) {
    sum += GENIE_MATH(exp)(genie_x(frame, outer, r, inner) - largest);
  }
  const bool is_log = genie_is_log(frame) != 0;
  const real_t scale = is_log ? GENIE_MATH(log)(sum) : 1 / sum;
  for (i64 r = 0; r < size; ++r) {
    const real_t centred = genie_x(frame, outer, r, inner) - largest;
    genie_store(frame, outer, r, inner, is_log ? centred - scale : GENIE_MATH(exp)(centred) * scale);
  }
}
