// layer_norm and rms_norm over the columns of each row; a task is a row. The variance is that of differences from the
// mean, in a second pass. Scratch: one real a column if genie_is_buffered().
#include "codegen/templates/real.h"

i64 genie_columns(const frame_t *frame);
i64 genie_is_rms(const frame_t *frame);
i64 genie_is_buffered(const frame_t *frame);  // keep a row that is costly to compute again
double genie_eps(const frame_t *frame);
real_t genie_x(const frame_t *frame, i64 row, i64 column);
real_t genie_weight(const frame_t *frame, i64 column);
real_t genie_bias(const frame_t *frame, i64 column);
void genie_store(const frame_t *frame, i64 row, i64 column, real_t value);

enum { BLOCK = 4096 };  // columns whose sum is kept in one real

GENIE_INLINE real_t get(const frame_t *frame, i64 row, i64 column) {
  return genie_is_buffered(frame) ? ((const real_t *)frame->scratch)[column] : genie_x(frame, row, column);
}

// The mean of x (or of x^2), which also fills the buffer.
GENIE_INLINE real_t first_pass(const frame_t *frame, i64 row, i64 columns) {
  const i64 is_rms = genie_is_rms(frame), is_buffered = genie_is_buffered(frame);
  real_t *buffer = frame->scratch;
  double total = 0;
  for (i64 low = 0; low < columns; low += BLOCK) {
    const i64 high = genie_min_i64(low + BLOCK, columns);
    real_t sum = 0;
    GENIE_VECTORIZE_CHAINS(4)
    for (i64 c = low; c < high; ++c) {
      const real_t x = genie_x(frame, row, c);
      if (is_buffered) {
        buffer[c] = x;
      }
      sum += is_rms ? x * x : x;
    }
    total += sum;
  }
  return (real_t)(total / (double)columns);
}

GENIE_INLINE real_t variance(const frame_t *frame, i64 row, i64 columns, real_t mean) {
  double total = 0;
  for (i64 low = 0; low < columns; low += BLOCK) {
    const i64 high = genie_min_i64(low + BLOCK, columns);
    real_t sum = 0;
    GENIE_VECTORIZE_CHAINS(4)
    for (i64 c = low; c < high; ++c) {
      const real_t difference = get(frame, row, c) - mean;
      sum += difference * difference;
    }
    total += sum;
  }
  return (real_t)(total / (double)columns);
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 columns = genie_columns(frame), is_rms = genie_is_rms(frame);
  const real_t eps = (real_t)genie_eps(frame);
  for (i64 row = begin; row < end; ++row) {
    const real_t moment = first_pass(frame, row, columns);
    const real_t mean = is_rms ? 0 : moment;
    const real_t spread = is_rms ? moment : variance(frame, row, columns, mean);
    const real_t scale = 1 / real_sqrt(spread + eps);
    GENIE_VECTORIZE
    for (i64 c = 0; c < columns; ++c) {
      const real_t centred = is_rms ? get(frame, row, c) : get(frame, row, c) - mean;
      genie_store(frame, row, c, centred * scale * genie_weight(frame, c) + genie_bias(frame, c));
    }
  }
}
