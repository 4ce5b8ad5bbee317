// softmax and log_softmax along an axis that is not the innermost: many columns of a block at once. A task is a block
// of the inner dimension at one outer index. Scratch: two reals a column of a block.
#include "codegen/templates/real.h"

i64 genie_size(const frame_t *frame);  // of the axis
i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block
i64 genie_is_log(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);

GENIE_INLINE void block(const frame_t *frame, i64 outer, i64 low, i64 high) {
  const i64 size = genie_size(frame), count = high - low;
  real_t *restrict largest = frame->scratch;
  real_t *restrict sum = largest + genie_width(frame);
  for (i64 i = 0; i < count; ++i) {
    largest[i] = GENIE_LOWEST;
    sum[i] = 0;
  }
  for (i64 r = 0; r < size; ++r) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < count; ++i) {
      largest[i] = real_max(largest[i], genie_x(frame, outer, r, low + i));
    }
  }
  for (i64 r = 0; r < size; ++r) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < count; ++i) {
      sum[i] += GENIE_MATH(exp)(genie_x(frame, outer, r, low + i) - largest[i]);
    }
  }
  const i64 is_log = genie_is_log(frame);
  GENIE_VECTORIZE
  for (i64 i = 0; i < count; ++i) {
    sum[i] = is_log ? GENIE_MATH(log)(sum[i]) : 1 / sum[i];
  }
  for (i64 r = 0; r < size; ++r) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < count; ++i) {
#pragma clang fp reassociate(off)
      const real_t x = genie_x(frame, outer, r, low + i) - largest[i];
      genie_store(frame, outer, r, low + i, is_log ? x - sum[i] : GENIE_MATH(exp)(x) * sum[i]);
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 inner = genie_inner(frame), width = genie_width(frame);
  const i64 blocks = (inner + width - 1) / width;
  for (i64 task = begin; task < end; ++task) {
    const i64 low = task % blocks * width;
    block(frame, task / blocks, low, genie_min_i64(low + width, inner));
  }
}
