// Reductions along axes that are not the innermost: a thread is one result, neighbours read neighbours.
#include "codegen/templates/cuda/strided.h"
#include "codegen/templates/reduce.h"

real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 inner, real_t value);

enum { RUN = 128 };  // elements that are summed in one real before they join the total

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#else
typedef double total_t;
#endif

GENIE_INLINE total_t sum_of(const frame_t *frame, i64 outer, i64 inner, int power, real_t mean) {
  total_t total = 0;
  for (i64 first = 0; first < genie_size(frame); first += RUN) {
    real_t sum = 0;
#pragma clang loop unroll_count(8)
    for (i64 r = first; r < genie_min_i64(first + RUN, genie_size(frame)); ++r) {
      const real_t x = genie_x(frame, outer, r, inner);
      sum += power == 1 ? x : (x - mean) * (x - mean);
    }
    total += sum;
  }
  return total;
}

GENIE_INLINE real_t reduce_column(const frame_t *frame, i64 outer, i64 inner) {
  const i64 operation = genie_operation(frame);
  if (operation == REDUCE_MAX || operation == REDUCE_MIN || operation == REDUCE_PROD) {
    real_t value = reduce_neutral(operation);
#pragma clang loop unroll_count(8)
    for (i64 r = 0; r < genie_size(frame); ++r) {
      value = reduce_join(operation, value, genie_x(frame, outer, r, inner));
    }
    return value;
  }
  const total_t sum = sum_of(frame, outer, inner, 1, 0);
#if !defined(GENIE_INTEGER)
  const total_t size = (total_t)genie_size(frame);
  if (operation == REDUCE_MEAN) {
    return (real_t)(sum / size);
  }
  if (operation == REDUCE_VAR) {
    const total_t squares = sum_of(frame, outer, inner, 2, (real_t)(sum / size));
    const total_t freedom = size - genie_correction(frame);
    return (real_t)(squares / (freedom > 0 ? freedom : 0));
  }
#endif
  return (real_t)sum;
}

void genie_kernel(const frame_t *frame) {
  i64 outer, inner;
  if (strided_column(frame, &outer, &inner)) {
    genie_store(frame, outer, inner, reduce_column(frame, outer, inner));
  }
}
