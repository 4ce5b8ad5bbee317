// sort and topk along an axis: a block is a row. NaN is above every number, equal elements keep their order. Few
// largest are found one after the other; else every element counts those that go before it.
#include "codegen/templates/cuda/device.h"

i64 genie_size(const frame_t *frame);   // elements of a row
i64 genie_taken(const frame_t *frame);  // how many of them are stored
i64 genie_descending(const frame_t *frame);
i64 genie_inserts(const frame_t *frame);  // few are taken
real_t genie_x(const frame_t *frame, i64 row, i64 at);
void genie_store(const frame_t *frame, i64 row, i64 at, real_t value, i64 index);

typedef struct item {
  real_t key;
  i64 index;  // INT64_MAX: none, behind all
} item_t;

// a's key goes before b's: strictly.
GENIE_INLINE bool is_before(const frame_t *frame, real_t a, real_t b) {
  const bool is_a_nan = a != a, is_b_nan = b != b;
  return genie_descending(frame) ? a > b || (is_a_nan && !is_b_nan) : a < b || (is_b_nan && !is_a_nan);
}

// Whether a goes before b, those of equal keys by their index.
GENIE_INLINE bool precedes(const frame_t *frame, item_t a, item_t b) {
  if (a.index == INT64_MAX || b.index == INT64_MAX) {
    return a.index != INT64_MAX;
  }
  const bool is_less = is_before(frame, a.key, b.key), is_more = is_before(frame, b.key, a.key);
  return is_less || (!is_more && a.index < b.index);
}

// The first of all threads' items.
GENIE_INLINE item_t block_first(const frame_t *frame, item_t item) {
  GENIE_SHARED_ARRAY(real_t, keys, WARP);
  GENIE_SHARED_ARRAY(i64, indices, WARP);
  GENIE_UNROLL
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    const item_t other = {GENIE_REAL_NAME(shuffle_xor)(item.key, mask), shuffle_xor_i64(item.index, mask)};
    item = precedes(frame, other, item) ? other : item;
  }
  if (lane_index() == 0) {
    keys[warp_index()] = item.key;
    indices[warp_index()] = item.index;
  }
  block_barrier();
  for (int w = 0; w < (int)genie_threads(frame) / WARP; ++w) {
    const item_t other = {keys[w], indices[w]};
    item = precedes(frame, other, item) ? other : item;
  }
  block_barrier();
  return item;
}

GENIE_INLINE void take_few(const frame_t *frame, i64 row) {
  item_t last = {0, -1};
  for (i64 taken = 0; taken < genie_taken(frame); ++taken) {
    item_t best = {0, INT64_MAX};
    for (i64 i = thread_index(); i < genie_size(frame); i += genie_threads(frame)) {
      const item_t item = {genie_x(frame, row, i), i};
      if ((last.index < 0 || precedes(frame, last, item)) && precedes(frame, item, best)) {
        best = item;
      }
    }
    last = block_first(frame, best);
    if (thread_index() == 0) {
      genie_store(frame, row, taken, last.key, last.index);
    }
  }
}

GENIE_INLINE void sort_row(const frame_t *frame, i64 row) {
  const i64 size = genie_size(frame);
  for (i64 i = thread_index(); i < size; i += genie_threads(frame)) {
    const real_t key = genie_x(frame, row, i);
    i64 rank = 0;
    for (i64 j = 0; j < size; ++j) {
      const real_t other = genie_x(frame, row, j);
      rank += is_before(frame, other, key) || (j < i && !is_before(frame, key, other));
    }
    if (rank < genie_taken(frame)) {
      genie_store(frame, row, rank, key, i);
    }
  }
}

void genie_kernel(const frame_t *frame) {
  if (genie_inserts(frame)) {
    take_few(frame, block_index());
  } else {
    sort_row(frame, block_index());
  }
}
