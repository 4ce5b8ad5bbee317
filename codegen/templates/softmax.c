// softmax and log_softmax over the columns of each row; a task is a row. Scratch: one real a column.
#include "codegen/templates/real.h"

i64 genie_columns(const frame_t *frame);
i64 genie_is_log(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 row, i64 column);
void genie_store(const frame_t *frame, i64 row, i64 column, real_t value);

GENIE_INLINE real_t load_row(const frame_t *frame, i64 row, i64 columns, real_t *buffer) {
  real_t largest = GENIE_LOWEST;
  GENIE_VECTORIZE_CHAINS(4)
  for (i64 c = 0; c < columns; ++c) {
    const real_t x = genie_x(frame, row, c);
    buffer[c] = x;
    largest = real_max(largest, x);
  }
  return largest;
}

GENIE_INLINE void softmax_row(const frame_t *frame, i64 row, i64 columns, real_t *buffer, real_t largest) {
  real_t sum = 0;
  GENIE_VECTORIZE_CHAINS(2)
  for (i64 c = 0; c < columns; ++c) {
    const real_t power = GENIE_MATH(exp)(buffer[c] - largest);
    buffer[c] = power;
    sum += power;
  }
  const real_t scale = 1 / sum;
  GENIE_VECTORIZE
  for (i64 c = 0; c < columns; ++c) {
    genie_store(frame, row, c, buffer[c] * scale);
  }
}

GENIE_INLINE void log_softmax_row(const frame_t *frame, i64 row, i64 columns, real_t *buffer, real_t largest) {
#pragma clang fp reassociate(off)
  real_t sum = 0;
  {
#pragma clang fp reassociate(on)
    GENIE_VECTORIZE_CHAINS(2)
    for (i64 c = 0; c < columns; ++c) {
      sum += GENIE_MATH(exp)(buffer[c] - largest);
    }
  }
  const real_t logarithm = GENIE_MATH(log)(sum);
  GENIE_VECTORIZE
  for (i64 c = 0; c < columns; ++c) {
    genie_store(frame, row, c, (buffer[c] - largest) - logarithm);
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 columns = genie_columns(frame);
  real_t *buffer = frame->scratch;
  for (i64 row = begin; row < end; ++row) {
    const real_t largest = load_row(frame, row, columns, buffer);
    if (genie_is_log(frame)) {
      log_softmax_row(frame, row, columns, buffer, largest);
    } else {
      softmax_row(frame, row, columns, buffer, largest);
    }
  }
}
