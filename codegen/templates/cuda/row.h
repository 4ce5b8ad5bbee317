// A row in a block's registers: thread t holds genie_vector() neighbours at each of columns (i * threads + t) * vector.
//
// Rows of up to genie_items() * threads * vector columns are held; where genie_items() is 0 a row is longer, and what
// is read twice is computed twice.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_ROW_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_ROW_H_

#include "codegen/templates/cuda/device.h"

enum { MOST_ITEMS = 32 };  // of a thread, as in lower_row.c

i64 genie_items(const frame_t *frame);   // vectors that a thread holds, or 0
i64 genie_vector(const frame_t *frame);  // divides the columns
i64 genie_columns(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, i64 column, real_t value);
void genie_store_2(const frame_t *frame, i64 row, i64 column, real_t v0, real_t v1);
void genie_store_4(const frame_t *frame, i64 row, i64 column, real_t v0, real_t v1, real_t v2, real_t v3);
void genie_store_8(const frame_t *frame, i64 row, i64 column, real_t v0, real_t v1, real_t v2, real_t v3, real_t v4,
                   real_t v5, real_t v6, real_t v7);

// The column of the first of a thread's neighbours number `item`.
GENIE_INLINE i64 row_column(const frame_t *frame, i64 item) {
  return (item * genie_threads(frame) + thread_index()) * genie_vector(frame);
}

GENIE_INLINE void row_store(const frame_t *frame, i64 row, i64 column, const real_t *v) {
  switch (genie_vector(frame)) {
    case 8:
      genie_store_8(frame, row, column, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
      break;
    case 4:
      genie_store_4(frame, row, column, v[0], v[1], v[2], v[3]);
      break;
    case 2:
      genie_store_2(frame, row, column, v[0], v[1]);
      break;
    default:
      genie_store(frame, row, column, v[0]);
  }
}

// Reads the thread's part of the row into `x`, `fill` where the row has ended.
GENIE_INLINE void row_load(const frame_t *frame, i64 row, real_t fill, real_t x[MOST_ITEMS]) {
  const int items = (int)genie_items(frame), vector = (int)genie_vector(frame);
  GENIE_UNROLL
  for (int i = 0; i < items; ++i) {
    const i64 column = row_column(frame, i);
    const bool is_inside = column < genie_columns(frame);
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      x[i * vector + v] = fill;
    }
    if (is_inside) {
      GENIE_UNROLL
      for (int v = 0; v < vector; ++v) {
        x[i * vector + v] = genie_x(frame, row, column + v);
      }
    }
  }
}

// The body runs for each of the thread's neighbours `v` of the row, which stand at `column`. `x` is the array that
// row_load() filled; where rows are longer it is loaded anew, a vector at a time. `at` indexes x.
#define GENIE_EACH_PART(frame, row, x, body)                               \
  if (genie_items(frame) > 0) {                                            \
    GENIE_UNROLL                                                           \
    for (int item = 0; item < (int)genie_items(frame); ++item) {           \
      const i64 column = row_column(frame, item);                          \
      real_t *part = x + item * (int)genie_vector(frame);                  \
      if (column < genie_columns(frame)) {                                 \
        body                                                               \
      }                                                                    \
    }                                                                      \
  } else {                                                                 \
    for (i64 column = row_column(frame, 0); column < genie_columns(frame); \
         column += genie_threads(frame) * genie_vector(frame)) {           \
      real_t part[8];                                                      \
      GENIE_UNROLL                                                         \
      for (int v = 0; v < (int)genie_vector(frame); ++v) {                 \
        part[v] = genie_x(frame, row, column + v);                         \
      }                                                                    \
      body                                                                 \
    }                                                                      \
  }

GENIE_INLINE real_t row_add(real_t a, real_t b) {
  return a + b;
}
GENIE_BLOCK_REDUCE(block_sum, real_t, GENIE_REAL_NAME(shuffle_xor), row_add, (real_t)0)
GENIE_BLOCK_REDUCE(block_max, real_t, GENIE_REAL_NAME(shuffle_xor), real_max, GENIE_LOWEST)

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_ROW_H_
