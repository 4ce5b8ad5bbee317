// Reductions along axes that are not the innermost: neighbours read neighbours. A block is genie_width() results, each
// of which genie_splits() threads share, whose parts are joined in their order.
#include "codegen/templates/cuda/device.h"
#include "codegen/templates/reduce.h"

i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);
i64 genie_splits(const frame_t *frame);  // times the width: the block's threads
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 inner, real_t value);

enum {
  RUN = 128,  // elements that are summed in one real before they join the total
  MAX_THREADS = 1024,
};

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#else
typedef double total_t;
#endif

GENIE_INLINE total_t join_totals(const frame_t *frame, total_t value) {
  GENIE_SHARED_ARRAY(total_t, parts, MAX_THREADS);
  const int width = (int)genie_width(frame), splits = (int)genie_splits(frame);
  if (splits == 1) {
    return value;
  }
  parts[thread_index()] = value;
  block_barrier();
  value = 0;
  for (int i = 0; i < splits; ++i) {
    value += parts[i * width + thread_index() % width];
  }
  block_barrier();
  return value;
}

GENIE_INLINE real_t join_values(const frame_t *frame, i64 operation, real_t value) {
  GENIE_SHARED_ARRAY(real_t, parts, MAX_THREADS);
  const int width = (int)genie_width(frame), splits = (int)genie_splits(frame);
  if (splits == 1) {
    return value;
  }
  parts[thread_index()] = value;
  block_barrier();
  value = reduce_neutral(operation);
  for (int i = 0; i < splits; ++i) {
    value = reduce_join(operation, value, parts[i * width + thread_index() % width]);
  }
  block_barrier();
  return value;
}

GENIE_INLINE total_t sum_of(const frame_t *frame, i64 outer, i64 inner, int power, real_t mean) {
  const i64 splits = genie_splits(frame), end = inner < genie_inner(frame) ? genie_size(frame) : 0;
  total_t total = 0;
  for (i64 first = thread_index() / genie_width(frame); first < end; first += RUN * splits) {
    real_t sum = 0;
#pragma clang loop unroll_count(8)
    for (i64 r = first; r < genie_min_i64(first + RUN * splits, end); r += splits) {
      const real_t x = genie_x(frame, outer, r, inner);
      sum += power == 1 ? x : (x - mean) * (x - mean);
    }
    total += sum;
  }
  return join_totals(frame, total);
}

GENIE_INLINE real_t reduce_column(const frame_t *frame, i64 outer, i64 inner) {
  const i64 operation = genie_operation(frame);
  if (operation == REDUCE_MAX || operation == REDUCE_MIN || operation == REDUCE_PROD) {
    const i64 end = inner < genie_inner(frame) ? genie_size(frame) : 0;
    real_t value = reduce_neutral(operation);
#pragma clang loop unroll_count(8)
    for (i64 r = thread_index() / genie_width(frame); r < end; r += genie_splits(frame)) {
      value = reduce_join(operation, value, genie_x(frame, outer, r, inner));
    }
    return join_values(frame, operation, value);
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
  const i64 blocks = (genie_inner(frame) + genie_width(frame) - 1) / genie_width(frame);
  const i64 outer = block_index() / blocks;
  const i64 inner = block_index() % blocks * genie_width(frame) + thread_index() % genie_width(frame);
  const real_t value = reduce_column(frame, outer, inner);
  if (thread_index() < genie_width(frame) && inner < genie_inner(frame)) {
    genie_store(frame, outer, inner, value);
  }
}
