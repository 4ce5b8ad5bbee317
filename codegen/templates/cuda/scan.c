// cumsum along an axis. Of the innermost axis a block is a row, which its threads take a stretch at a time; else a
// thread is a column.
#include "codegen/templates/cuda/strided.h"

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#define SHUFFLE_UP shuffle_up_i64
#else
typedef double total_t;
#define SHUFFLE_UP shuffle_up_f64
#endif

i64 genie_size(const frame_t *frame);  // of the axis
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);

// The sum of the values of all threads of the block up to this one, and of all of them.
GENIE_INLINE total_t block_scan(const frame_t *frame, total_t value, total_t *out_all) {
  GENIE_SHARED_ARRAY(total_t, warps, WARP);
  GENIE_UNROLL
  for (int distance = 1; distance < WARP; distance *= 2) {
    const total_t before = SHUFFLE_UP(value, distance);
    value += lane_index() >= distance ? before : 0;
  }
  if (lane_index() == WARP - 1) {
    warps[warp_index()] = value;
  }
  block_barrier();
  total_t before = 0, all = 0;
  for (int w = 0; w < (int)genie_threads(frame) / WARP; ++w) {
    before += w < warp_index() ? warps[w] : 0;
    all += warps[w];
  }
  block_barrier();
  *out_all = all;
  return before + value;
}

GENIE_INLINE void scan_row(const frame_t *frame, i64 outer) {
  total_t carry = 0;
  for (i64 first = 0; first < genie_size(frame); first += genie_threads(frame)) {
    const i64 at = first + thread_index();
    const bool is_inside = at < genie_size(frame);
    total_t all;
    const total_t sum = block_scan(frame, is_inside ? (total_t)genie_x(frame, outer, at, 0) : 0, &all);
    if (is_inside) {
      genie_store(frame, outer, at, 0, (real_t)(carry + sum));
    }
    carry += all;
  }
}

void genie_kernel(const frame_t *frame) {
  if (genie_inner(frame) == 1) {
    scan_row(frame, block_index());
    return;
  }
  i64 outer, inner;
  if (!strided_column(frame, &outer, &inner)) {
    return;
  }
  total_t total = 0;
  for (i64 r = 0; r < genie_size(frame); ++r) {
    total += genie_x(frame, outer, r, inner);
    genie_store(frame, outer, r, inner, (real_t)total);
  }
}
