// What both templates of attention do to a row of scores.
#ifndef GENIE_CODEGEN_TEMPLATES_ATTENTION_ROW_H_
#define GENIE_CODEGEN_TEMPLATES_ATTENTION_ROW_H_

#include "codegen/templates/attention_hooks.h"
#include "codegen/templates/lanes.h"

#ifdef GENIE_REAL_F64
double genie_math_exp_f64(double x);
#define EXP genie_math_exp_f64
#else
float genie_math_exp_f32(float x);
#define EXP genie_math_exp_f32
#endif

#define LOWEST (-__builtin_inf())

// The largest of row[count], which is not NaN unless all are; writes up to a vector beyond the row.
GENIE_INLINE real_t largest_of(real_t *row, i64 count) {
  for (i64 j = count; j % LANES != 0; ++j) {
    row[j] = (real_t)LOWEST;
  }
  real_vector_t largest = (real_t)LOWEST;
  for (i64 j = 0; j < count; j += LANES) {
    const real_vector_t v = *(const real_vector_t *)(row + j);
    largest = v > largest ? v : largest;
  }
  real_t value = (real_t)LOWEST;
  GENIE_UNROLL
  for (int lane = 0; lane < LANES; ++lane) {
    value = largest[lane] > value ? largest[lane] : value;
  }
  return value;
}

// Scales and masks the scores of `query` with keys [key, key + keys), and returns its largest.
GENIE_INLINE real_t mask_row(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key, i64 keys, real_t *row) {
  const i64 kind = genie_mask_kind(frame);
  const real_t scale = genie_scale(frame);
  GENIE_VECTORIZE
  for (i64 j = 0; j < keys; ++j) {
    real_t score = row[j] * scale;
    if (kind == 2) {
      score += genie_mask(frame, batch, head, query, key + j);
    }
    if (kind == 1) {
      score = genie_mask(frame, batch, head, query, key + j) != 0 ? score : (real_t)LOWEST;
    }
    if (genie_is_causal(frame)) {
      score = key + j <= query ? score : (real_t)LOWEST;
    }
    row[j] = score;
  }
  return largest_of(row, keys);
}

#endif  // GENIE_CODEGEN_TEMPLATES_ATTENTION_ROW_H_
