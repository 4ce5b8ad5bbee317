// The reductions of reduce.c and reduce_strided.c; numbers are those of lower_row.c's table.
#ifndef GENIE_CODEGEN_TEMPLATES_REDUCE_H_
#define GENIE_CODEGEN_TEMPLATES_REDUCE_H_

#include "codegen/templates/real.h"

enum { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_VAR };

i64 genie_operation(const frame_t *frame);
i64 genie_size(const frame_t *frame);           // elements that one result is made of
double genie_correction(const frame_t *frame);  // of the variance

GENIE_INLINE real_t reduce_neutral(i64 operation) {
  switch (operation) {
    case REDUCE_MAX:
      return GENIE_LOWEST;
    case REDUCE_MIN:
      return GENIE_HIGHEST;
    case REDUCE_PROD:
      return 1;
    default:
      return 0;
  }
}

GENIE_INLINE real_t reduce_join(i64 operation, real_t a, real_t b) {
  switch (operation) {
    case REDUCE_MAX:
      return real_max(a, b);
    case REDUCE_MIN:
      return real_min(a, b);
    case REDUCE_PROD:
      return a * b;
    default:
      return a + b;
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_REDUCE_H_
