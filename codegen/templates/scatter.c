// index_copy, index_put and scatter: a task owns a block of the inner dimension at one outer index, copies it from x
// unless the result has the memory of x already, and applies the updates that fall into it, in order.
#include "codegen/templates/real.h"

enum { SCATTER_REPLACE, SCATTER_ADD, SCATTER_MULTIPLY, SCATTER_MAX, SCATTER_MIN };  // as in lower_scatter.c

i64 genie_size(const frame_t *frame);  // of the axis that positions count in
i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block
i64 genie_count(const frame_t *frame);  // updates
i64 genie_operation(const frame_t *frame);
i64 genie_is_in_place(const frame_t *frame);                                 // x and the result are one memory
i64 genie_position(const frame_t *frame, i64 outer, i64 update, i64 inner);  // negative: no update here
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
real_t genie_source(const frame_t *frame, i64 outer, i64 update, i64 inner);
real_t genie_get(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);

GENIE_INLINE real_t join(i64 operation, real_t old, real_t update) {
  switch (operation) {
    case SCATTER_ADD:
      return old + update;
    case SCATTER_MULTIPLY:
      return old * update;
    case SCATTER_MAX:
      return real_max(old, update);
    case SCATTER_MIN:
      return real_min(old, update);
    default:
      return update;
  }
}

GENIE_INLINE void copy_block(const frame_t *frame, i64 outer, i64 low, i64 high) {
  const i64 size = genie_size(frame);
  for (i64 a = 0; a < size; ++a) {
    GENIE_VECTORIZE
    for (i64 i = low; i < high; ++i) {
      genie_store(frame, outer, a, i, genie_x(frame, outer, a, i));
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 inner = genie_inner(frame), width = genie_width(frame), count = genie_count(frame);
  const i64 operation = genie_operation(frame), is_in_place = genie_is_in_place(frame);
  const i64 blocks = (inner + width - 1) / width;
  for (i64 task = begin; task < end; ++task) {
    const i64 outer = task / blocks, low = task % blocks * width;
    const i64 high = genie_min_i64(low + width, inner);
    if (!is_in_place) {
      copy_block(frame, outer, low, high);
    }
    for (i64 u = 0; u < count; ++u) {
      GENIE_VECTORIZE
      for (i64 i = low; i < high; ++i) {
        const i64 at = genie_position(frame, outer, u, i);
        if (at >= 0) {
          const real_t update = genie_source(frame, outer, u, i);
          const real_t old = operation == SCATTER_REPLACE ? update : genie_get(frame, outer, at, i);
          genie_store(frame, outer, at, i, join(operation, old, update));
        }
      }
    }
  }
}
