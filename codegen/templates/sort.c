// sort and topk along an axis: a task is a row. NaN is above every number, equal elements keep their order. Few largest
// are found by insertion, else a row is merge-sorted. Scratch: two pairs an element of a row.
#include "codegen/templates/real.h"

i64 genie_size(const frame_t *frame);   // elements of a row
i64 genie_taken(const frame_t *frame);  // how many of them are stored
i64 genie_descending(const frame_t *frame);
i64 genie_inserts(const frame_t *frame);  // few are taken: insert
real_t genie_x(const frame_t *frame, i64 row, i64 at);
void genie_store(const frame_t *frame, i64 row, i64 at, real_t value, i64 index);

typedef struct pair {
  real_t key;
  i64 index;
} pair_t;

enum { RUN = 16 };  // elements that are sorted by insertion

// a goes before b: strictly, so that equal ones stay.
GENIE_INLINE int is_before(real_t a, real_t b, i64 descending) {
  const int is_a_nan = a != a, is_b_nan = b != b;
  return descending ? a > b || (is_a_nan && !is_b_nan) : a < b || (is_b_nan && !is_a_nan);
}

// Inserts into the sorted pairs [0, count).
GENIE_INLINE void insert(pair_t *pairs, i64 count, pair_t item, i64 descending) {
  i64 at = count;
  while (at > 0 && is_before(item.key, pairs[at - 1].key, descending)) {
    pairs[at] = pairs[at - 1];
    --at;
  }
  pairs[at] = item;
}

static void take_few(const frame_t *frame, i64 row, pair_t *pairs, i64 size, i64 taken, i64 descending) {
  i64 count = 0;
  for (i64 i = 0; i < size; ++i) {
    const pair_t item = {genie_x(frame, row, i), i};
    if (count < taken) {
      insert(pairs, count++, item, descending);
    } else if (is_before(item.key, pairs[taken - 1].key, descending)) {
      insert(pairs, taken - 1, item, descending);
    }
  }
}

static void merge(const pair_t *from, pair_t *to, i64 low, i64 middle, i64 high, i64 descending) {
  i64 a = low, b = middle;
  for (i64 i = low; i < high; ++i) {
    const int takes_b = a >= middle || (b < high && is_before(from[b].key, from[a].key, descending));
    to[i] = takes_b ? from[b++] : from[a++];
  }
}

static pair_t *sort_row(const frame_t *frame, i64 row, pair_t *pairs, i64 size, i64 descending) {
  for (i64 low = 0; low < size; low += RUN) {
    for (i64 i = low; i < genie_min_i64(low + RUN, size); ++i) {
      insert(pairs + low, i - low, (pair_t){genie_x(frame, row, i), i}, descending);
    }
  }
  pair_t *from = pairs, *to = pairs + size;
  for (i64 width = RUN; width < size; width *= 2) {
    for (i64 low = 0; low < size; low += 2 * width) {
      merge(from, to, low, genie_min_i64(low + width, size), genie_min_i64(low + 2 * width, size), descending);
    }
    pair_t *swapped = from;
    from = to;
    to = swapped;
  }
  return from;
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 size = genie_size(frame), taken = genie_taken(frame), descending = genie_descending(frame);
  for (i64 row = begin; row < end; ++row) {
    pair_t *sorted = frame->scratch;
    if (genie_inserts(frame)) {
      take_few(frame, row, sorted, size, taken, descending);
    } else {
      sorted = sort_row(frame, row, sorted, size, descending);
    }
    for (i64 i = 0; i < taken; ++i) {
      genie_store(frame, row, i, sorted[i].key, sorted[i].index);
    }
  }
}
