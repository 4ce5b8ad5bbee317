// index_copy, index_put and scatter: a block owns columns of the inner dimension at one outer index, of these a part of
// the axis, copies them from x unless the result has the memory of x already, and applies the updates that fall there:
// in order, a thread a column; or, where updates replace, whose order nobody defines, all at a time. Where they replace
// in place, blocks share out the updates instead, in groups of neighbours.
#include "codegen/templates/cuda/device.h"

enum { SCATTER_REPLACE, SCATTER_ADD, SCATTER_MULTIPLY, SCATTER_MAX, SCATTER_MIN };  // as in lower_scatter.c

i64 genie_size(const frame_t *frame);  // of the axis that positions count in
i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block, at most its threads
i64 genie_count(const frame_t *frame);  // updates
i64 genie_parts(const frame_t *frame);  // of the axis
i64 genie_operation(const frame_t *frame);
i64 genie_is_in_place(const frame_t *frame);                                 // x and the result are one memory
i64 genie_position(const frame_t *frame, i64 outer, i64 update, i64 inner);  // negative: no update here
real_t genie_x(const frame_t *frame, i64 outer, i64 at, i64 inner);
real_t genie_source(const frame_t *frame, i64 outer, i64 update, i64 inner);
real_t genie_get(const frame_t *frame, i64 outer, i64 at, i64 inner);
void genie_store(const frame_t *frame, i64 outer, i64 at, i64 inner, real_t value);
// Neighbours that are loaded and stored at a time: 8, 4, 2 or 1. It divides the inner dimension.
i64 genie_vector(const frame_t *frame);
#define GENIE_UPDATES(count, ...)                                                                 \
  void genie_source_##count(const frame_t *frame, i64 outer, i64 update, i64 inner, real_t *out); \
  void genie_store_##count(const frame_t *frame, i64 outer, i64 at, i64 inner, __VA_ARGS__);
GENIE_UPDATES(2, real_t a, real_t b)
GENIE_UPDATES(4, real_t a, real_t b, real_t c, real_t d)
GENIE_UPDATES(8, real_t a, real_t b, real_t c, real_t d, real_t e, real_t f, real_t g, real_t h)

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

// What a block owns: columns [low, low + columns) at `outer`, positions [first, end) of the axis.
typedef struct region {
  i64 outer, low, columns, first, end;
} region_t;

GENIE_INLINE void copy_region(const frame_t *frame, const region_t *g) {
  for (i64 item = thread_index(); item < (g->end - g->first) * g->columns; item += genie_threads(frame)) {
    const i64 at = g->first + item / g->columns, inner = g->low + item % g->columns;
    genie_store(frame, g->outer, at, inner, genie_x(frame, g->outer, at, inner));
  }
}

GENIE_INLINE void apply_update(const frame_t *frame, const region_t *g, i64 update, i64 inner) {
  const i64 operation = genie_operation(frame), at = genie_position(frame, g->outer, update, inner);
  if (at >= g->first && at < g->end) {
    const real_t value = genie_source(frame, g->outer, update, inner);
    const real_t old = operation == SCATTER_REPLACE ? value : genie_get(frame, g->outer, at, inner);
    genie_store(frame, g->outer, at, inner, join(operation, old, value));
  }
}

GENIE_INLINE void replace_group(const frame_t *frame, i64 outer, i64 update, i64 inner) {
  const i64 at = genie_position(frame, outer, update, inner);
  real_t v[8];
  if (at < 0) {
    return;
  }
  switch (genie_vector(frame)) {
    case 8:
      genie_source_8(frame, outer, update, inner, v);
      genie_store_8(frame, outer, at, inner, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
      break;
    case 4:
      genie_source_4(frame, outer, update, inner, v);
      genie_store_4(frame, outer, at, inner, v[0], v[1], v[2], v[3]);
      break;
    case 2:
      genie_source_2(frame, outer, update, inner, v);
      genie_store_2(frame, outer, at, inner, v[0], v[1]);
      break;
    default:
      genie_store(frame, outer, at, inner, genie_source(frame, outer, update, inner));
  }
}

// The block's share of the updates of its columns.
GENIE_INLINE void replace_in_place(const frame_t *frame, const region_t *g, i64 part) {
  const i64 vector = genie_vector(frame), groups = g->columns / vector;
  const i64 step = genie_parts(frame) * genie_threads(frame);
  for (i64 item = part * genie_threads(frame) + thread_index(); item < genie_count(frame) * groups; item += step) {
    replace_group(frame, g->outer, item / groups, g->low + item % groups * vector);
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 width = genie_width(frame), blocks = (genie_inner(frame) + width - 1) / width;
  const i64 parts = genie_parts(frame), rows = (genie_size(frame) + parts - 1) / parts, block = block_index() / parts;
  region_t g = {.outer = block / blocks, .low = block % blocks * width, .first = block_index() % parts * rows};
  g.columns = genie_min_i64(width, genie_inner(frame) - g.low);
  g.end = genie_min_i64(g.first + rows, genie_size(frame));
  if (genie_is_in_place(frame) && genie_operation(frame) == SCATTER_REPLACE) {
    replace_in_place(frame, &g, block_index() % parts);
    return;
  }
  if (!genie_is_in_place(frame)) {
    copy_region(frame, &g);
    block_barrier();
  }
  if (genie_operation(frame) == SCATTER_REPLACE) {
#pragma clang loop unroll_count(2)
    for (i64 item = thread_index(); item < genie_count(frame) * g.columns; item += genie_threads(frame)) {
      apply_update(frame, &g, item / g.columns, g.low + item % g.columns);
    }
  } else if (thread_index() < g.columns) {
    for (i64 u = 0; u < genie_count(frame); ++u) {
      apply_update(frame, &g, u, g.low + thread_index());
    }
  }
}
