// cumsum along an axis: a task is a block of the inner dimension at one outer index. Scratch: one total a column.
#include "codegen/templates/real.h"

#if defined(GENIE_INTEGER)
typedef int64_t total_t;
#else
typedef double total_t;
#endif

i64 genie_size(const frame_t *frame);  // of the axis
i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 size = genie_size(frame), inner = genie_inner(frame), width = genie_width(frame);
  const i64 blocks = (inner + width - 1) / width;
  total_t *total = frame->scratch;
  for (i64 task = begin; task < end; ++task) {
    const i64 outer = task / blocks, low = task % blocks * width;
    const i64 count = genie_min_i64(width, inner - low);
    for (i64 i = 0; i < count; ++i) {
      total[i] = 0;
    }
    for (i64 r = 0; r < size; ++r) {
      GENIE_VECTORIZE
      for (i64 i = 0; i < count; ++i) {
        total[i] += genie_x(frame, outer, r, low + i);
        genie_store(frame, outer, r, low + i, (real_t)total[i]);
      }
    }
  }
}
