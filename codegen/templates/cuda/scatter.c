// index_copy, index_put and scatter: a block owns columns of the inner dimension at one outer index, copies them from x
// unless the result has the memory of x already, and applies the updates that fall into them, in order, a thread a
// column.
#include "codegen/templates/cuda/device.h"

enum { SCATTER_REPLACE, SCATTER_ADD, SCATTER_MULTIPLY, SCATTER_MAX, SCATTER_MIN };  // as in lower_scatter.c

i64 genie_size(const frame_t *frame);  // of the axis that positions count in
i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block, at most its threads
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

GENIE_INLINE void copy_block(const frame_t *frame, i64 outer, i64 low, i64 columns) {
  for (i64 item = thread_index(); item < genie_size(frame) * columns; item += genie_threads(frame)) {
    const i64 at = item / columns, inner = low + item % columns;
    genie_store(frame, outer, at, inner, genie_x(frame, outer, at, inner));
  }
}

GENIE_INLINE void update_column(const frame_t *frame, i64 outer, i64 inner) {
  const i64 operation = genie_operation(frame);
  for (i64 u = 0; u < genie_count(frame); ++u) {
    const i64 at = genie_position(frame, outer, u, inner);
    if (at >= 0) {
      const real_t update = genie_source(frame, outer, u, inner);
      const real_t old = operation == SCATTER_REPLACE ? update : genie_get(frame, outer, at, inner);
      genie_store(frame, outer, at, inner, join(operation, old, update));
    }
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 width = genie_width(frame), blocks = (genie_inner(frame) + width - 1) / width;
  const i64 outer = block_index() / blocks, low = block_index() % blocks * width;
  const i64 columns = genie_min_i64(width, genie_inner(frame) - low);
  if (!genie_is_in_place(frame)) {
    copy_block(frame, outer, low, columns);
    block_barrier();
  }
  if (thread_index() < columns) {
    update_column(frame, outer, low + thread_index());
  }
}
