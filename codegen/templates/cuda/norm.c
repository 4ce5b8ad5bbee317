// layer_norm and rms_norm over the columns of each row; a block is a row. The variance is that of differences from the
// mean.
#include "codegen/templates/cuda/row.h"

i64 genie_is_rms(const frame_t *frame);
double genie_eps(const frame_t *frame);
real_t genie_weight(const frame_t *frame, i64 column);
real_t genie_bias(const frame_t *frame, i64 column);

// Of rows far from zero, a sum in f32 would lose the differences.
GENIE_INLINE double add_f64(double a, double b) {
  return a + b;
}
GENIE_BLOCK_REDUCE(block_total, double, shuffle_xor_f64, add_f64, 0.0)

void genie_kernel(const frame_t *frame) {
  const i64 row = block_index();
  const int vector = (int)genie_vector(frame);
  const bool is_rms = genie_is_rms(frame) != 0;
  const real_t count = (real_t)genie_columns(frame);
  real_t x[MOST_ITEMS];
  row_load(frame, row, 0, x);
  real_t mean = 0;
  if (!is_rms) {
    GENIE_EACH_PART(frame, row, x, {
      GENIE_UNROLL
      for (int v = 0; v < vector; ++v) {
        mean += part[v];
      }
    })
    mean = (real_t)(block_total(frame, mean) / (double)genie_columns(frame));
  }
  real_t square = 0;
  GENIE_EACH_PART(frame, row, x, {
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      const real_t centred = part[v] - mean;
      square += centred * centred;
    }
  })
  const real_t scale = 1 / real_sqrt(block_sum(frame, square) / count + (real_t)genie_eps(frame));
  GENIE_EACH_PART(frame, row, x, {
    GENIE_UNROLL
    for (int v = 0; v < vector; ++v) {
      part[v] = (part[v] - mean) * scale * genie_weight(frame, column + v) + genie_bias(frame, column + v);
    }
    row_store(frame, row, column, part);
  })
}
