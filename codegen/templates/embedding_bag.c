// Sum, mean or largest of the table's rows that each bag names; a task is a bag.
#include "codegen/templates/real.h"

enum { BAG_SUM, BAG_MEAN, BAG_MAX };  // as in lower_embedding_bag.c

i64 genie_columns(const frame_t *frame);
i64 genie_rows(const frame_t *frame);  // of the table
i64 genie_index_count(const frame_t *frame);
i64 genie_mode(const frame_t *frame);
i64 genie_padding(const frame_t *frame);  // an index that is left out; negative: none
i64 genie_bag_begin(const frame_t *frame, i64 bag);
i64 genie_bag_end(const frame_t *frame, i64 bag);
i64 genie_index(const frame_t *frame, i64 at);
real_t genie_sample_weight(const frame_t *frame, i64 at);
real_t genie_table(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 bag, i64 column, real_t value);

enum { STRIP = 64 };  // columns whose sums stay in registers

GENIE_INLINE i64 clamp(i64 value, i64 low, i64 high) {
  return genie_max_i64(low, genie_min_i64(value, high));
}

// Columns [first, first + count) of a bag; `count` is STRIP or less. Returns how many rows took part.
GENIE_INLINE i64 gather_strip(const frame_t *frame, i64 begin, i64 end, i64 first, i64 count, real_t *total) {
  const i64 mode = genie_mode(frame), padding = genie_padding(frame), last_row = genie_rows(frame) - 1;
  i64 taken = 0;
  for (i64 c = 0; c < count; ++c) {
    total[c] = mode == BAG_MAX ? GENIE_LOWEST : 0;
  }
  for (i64 at = begin; at < end; ++at) {
    const i64 index = genie_index(frame, at);
    if (padding >= 0 && index == padding) {
      continue;
    }
    const i64 row = clamp(index, 0, last_row);
    const real_t weight = genie_sample_weight(frame, at);
    ++taken;
    GENIE_VECTORIZE
    for (i64 c = 0; c < count; ++c) {
      const real_t x = genie_table(frame, row, first + c);
      total[c] = mode == BAG_MAX ? real_max(total[c], x) : total[c] + weight * x;
    }
  }
  return taken;
}

GENIE_INLINE void store_strip(const frame_t *frame, i64 bag, i64 first, i64 count, i64 taken, const real_t *total) {
  const i64 mode = genie_mode(frame);
  const real_t scale = mode == BAG_MEAN ? (real_t)1 / (real_t)genie_max_i64(taken, 1) : 1;
  GENIE_VECTORIZE
  for (i64 c = 0; c < count; ++c) {
    const real_t value = mode == BAG_MAX && taken == 0 ? 0 : total[c];
    genie_store(frame, bag, first + c, mode == BAG_MEAN ? value * scale : value);
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 columns = genie_columns(frame), index_count = genie_index_count(frame);
  for (i64 bag = begin; bag < end; ++bag) {
    const i64 low = clamp(genie_bag_begin(frame, bag), 0, index_count);
    const i64 high = clamp(genie_bag_end(frame, bag), low, index_count);
    i64 first = 0;
    for (; first + STRIP <= columns; first += STRIP) {
      real_t total[STRIP];
      const i64 taken = gather_strip(frame, low, high, first, STRIP, total);
      store_strip(frame, bag, first, STRIP, taken, total);
    }
    if (first < columns) {
      real_t total[STRIP];
      const i64 taken = gather_strip(frame, low, high, first, columns - first, total);
      store_strip(frame, bag, first, columns - first, taken, total);
    }
  }
}
