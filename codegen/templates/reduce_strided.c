// Reductions along axes that are not the innermost: many results of a block at once. A task is a block of the inner
// dimension at one outer index. Scratch: three reals a column of a block.
#include "codegen/templates/reduce.h"

i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 inner, real_t value);

enum { RUN = 128 };  // elements that are summed in one real before they join the total

typedef struct block {
  i64 outer, low, count;
  real_t *restrict total;
  real_t *restrict part;
  real_t *restrict mean;
} block_t;

GENIE_INLINE void fill(real_t *values, i64 count, real_t value) {
  GENIE_VECTORIZE
  for (i64 i = 0; i < count; ++i) {
    values[i] = value;
  }
}

// total = the reduction of x, or of (x - mean)^2.
GENIE_INLINE void reduce_block(const frame_t *frame, const block_t *b, i64 operation, int is_squared) {
  const i64 size = genie_size(frame);
  fill(b->total, b->count, reduce_neutral(operation));
  for (i64 first = 0; first < size; first += RUN) {
    fill(b->part, b->count, reduce_neutral(operation));
    for (i64 r = first; r < genie_min_i64(first + RUN, size); ++r) {
      GENIE_VECTORIZE
      for (i64 i = 0; i < b->count; ++i) {
        const real_t x = genie_x(frame, b->outer, r, b->low + i);
        const real_t difference = is_squared ? x - b->mean[i] : x;
        b->part[i] = reduce_join(operation, b->part[i], is_squared ? difference * difference : x);
      }
    }
    GENIE_VECTORIZE
    for (i64 i = 0; i < b->count; ++i) {
      b->total[i] = reduce_join(operation, b->total[i], b->part[i]);
    }
  }
}

GENIE_INLINE void do_block(const frame_t *frame, const block_t *b) {
  const i64 operation = genie_operation(frame), size = genie_size(frame);
  reduce_block(frame, b, operation, 0);
  real_t divisor = operation == REDUCE_MEAN ? (real_t)size : 1;
#if !defined(GENIE_INTEGER)
  if (operation == REDUCE_VAR) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < b->count; ++i) {
      b->mean[i] = b->total[i] / (real_t)size;
    }
    reduce_block(frame, b, operation, 1);
    const double freedom = (double)size - genie_correction(frame);
    divisor = (real_t)(freedom > 0 ? freedom : 0);
  }
#endif
  GENIE_VECTORIZE
  for (i64 i = 0; i < b->count; ++i) {
    genie_store(frame, b->outer, b->low + i, b->total[i] / divisor);
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 inner = genie_inner(frame), width = genie_width(frame);
  const i64 blocks = (inner + width - 1) / width;
  real_t *scratch = frame->scratch;
  for (i64 task = begin; task < end; ++task) {
    const i64 low = task % blocks * width;
    const block_t b = {task / blocks,      low, genie_min_i64(width, inner - low), scratch, scratch + width,
                       scratch + 2 * width};
    do_block(frame, &b);
  }
}
