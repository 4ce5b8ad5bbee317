// Reductions over the columns of each row; a task is a row.
#include "codegen/templates/reduce.h"

real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, real_t value);

enum { BLOCK = 4096 };  // columns whose sum is kept in one real

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#else
typedef double total_t;
#endif

GENIE_INLINE real_t extremum_or_product(const frame_t *frame, i64 operation, i64 row, i64 columns) {
  real_t value = reduce_neutral(operation);
  GENIE_VECTORIZE_CHAINS(4)
  for (i64 c = 0; c < columns; ++c) {
    value = reduce_join(operation, value, genie_x(frame, row, c));
  }
  return value;
}

// The sum of (x - mean)^power for power 1 or 2.
GENIE_INLINE total_t sum_of(const frame_t *frame, i64 row, i64 columns, int power, real_t mean) {
  total_t total = 0;
  for (i64 low = 0; low < columns; low += BLOCK) {
    const i64 high = genie_min_i64(low + BLOCK, columns);
    real_t sum = 0;
    GENIE_VECTORIZE_CHAINS(4)
    for (i64 c = low; c < high; ++c) {
      const real_t x = genie_x(frame, row, c);
      sum += power == 1 ? x : (x - mean) * (x - mean);
    }
    total += sum;
  }
  return total;
}

GENIE_INLINE real_t reduce_row(const frame_t *frame, i64 row, i64 columns) {
  const i64 operation = genie_operation(frame);
  if (operation == REDUCE_MAX || operation == REDUCE_MIN || operation == REDUCE_PROD) {
    return extremum_or_product(frame, operation, row, columns);
  }
  const total_t sum = sum_of(frame, row, columns, 1, 0);
#if !defined(GENIE_INTEGER)
  if (operation == REDUCE_MEAN) {
    return (real_t)(sum / (total_t)columns);
  }
  if (operation == REDUCE_VAR) {
    const total_t squares = sum_of(frame, row, columns, 2, (real_t)(sum / (total_t)columns));
    const total_t freedom = (total_t)columns - genie_correction(frame);
    return (real_t)(squares / (freedom > 0 ? freedom : 0));
  }
#endif
  return (real_t)sum;
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 columns = genie_size(frame);
  for (i64 row = begin; row < end; ++row) {
    genie_store(frame, row, reduce_row(frame, row, columns));
  }
}
