// Reductions over the columns of each row; a block is a row.
#include "codegen/templates/reduce.h"

#include "codegen/templates/cuda/device.h"

i64 genie_vector(const frame_t *frame);  // divides the columns
real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, real_t value);

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#define SHUFFLE_TOTAL shuffle_xor_i64
#else
typedef double total_t;
#define SHUFFLE_TOTAL shuffle_xor_f64
#endif

GENIE_INLINE total_t add(total_t a, total_t b) {
  return a + b;
}
GENIE_INLINE real_t multiply(real_t a, real_t b) {
  return a * b;
}
GENIE_BLOCK_REDUCE(block_total, total_t, SHUFFLE_TOTAL, add, (total_t)0)
GENIE_BLOCK_REDUCE(block_max, real_t, GENIE_REAL_NAME(shuffle_xor), real_max, GENIE_LOWEST)
GENIE_BLOCK_REDUCE(block_min, real_t, GENIE_REAL_NAME(shuffle_xor), real_min, GENIE_HIGHEST)
GENIE_BLOCK_REDUCE(block_product, real_t, GENIE_REAL_NAME(shuffle_xor), multiply, (real_t)1)

// The thread's part of the row, joined; of squares of differences from `mean` where power is 2.
GENIE_INLINE real_t reduce_part(const frame_t *frame, i64 operation, i64 row, int power, real_t mean) {
  const int vector = (int)genie_vector(frame);
  real_t value = reduce_neutral(operation);
#pragma clang loop unroll_count(4)
  for (i64 c = (i64)thread_index() * vector; c < genie_size(frame); c += genie_threads(frame) * vector) {
    real_t part[8];
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      part[v] = genie_x(frame, row, c + v);
    }
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      value = reduce_join(operation, value, power == 1 ? part[v] : (part[v] - mean) * (part[v] - mean));
    }
  }
  return value;
}

GENIE_INLINE real_t reduce_row(const frame_t *frame, i64 row) {
  const i64 operation = genie_operation(frame);
  const real_t value = reduce_part(frame, operation, row, 1, 0);
  switch (operation) {
    case REDUCE_MAX:
      return block_max(frame, value);
    case REDUCE_MIN:
      return block_min(frame, value);
    case REDUCE_PROD:
      return block_product(frame, value);
    default:
      break;
  }
  const total_t sum = block_total(frame, value);
#if !defined(GENIE_INTEGER)
  const total_t size = (total_t)genie_size(frame);
  if (operation == REDUCE_MEAN) {
    return (real_t)(sum / size);
  }
  if (operation == REDUCE_VAR) {
    const total_t squares = block_total(frame, reduce_part(frame, operation, row, 2, (real_t)(sum / size)));
    const total_t freedom = size - genie_correction(frame);
    return (real_t)(squares / (freedom > 0 ? freedom : 0));
  }
#endif
  return (real_t)sum;
}

void genie_kernel(const frame_t *frame) {
  const i64 row = block_index();
  const real_t value = reduce_row(frame, row);
  if (thread_index() == 0) {
    genie_store(frame, row, value);
  }
}
