// The compute type of a template that is compiled for several: GENIE_REAL is 32 or 64 (float or double), or
// GENIE_INTEGER is defined (int64_t).
#ifndef GENIE_CODEGEN_TEMPLATES_REAL_H_
#define GENIE_CODEGEN_TEMPLATES_REAL_H_

#include "codegen/templates/math.h"
#include "codegen/templates/template.h"

#if defined(GENIE_INTEGER)
typedef int64_t real_t;
#define GENIE_LOWEST INT64_MIN
#define GENIE_HIGHEST INT64_MAX
GENIE_INLINE real_t real_max(real_t a, real_t b) {
  return a > b ? a : b;
}
GENIE_INLINE real_t real_min(real_t a, real_t b) {
  return a < b ? a : b;
}
#else
#if GENIE_REAL == 64
typedef double real_t;
#define GENIE_MATH(name) genie_math_##name##_f64
GENIE_INLINE real_t real_sqrt(real_t x) {
  return __builtin_sqrt(x);
}
#else
typedef float real_t;
#define GENIE_MATH(name) genie_math_##name##_f32
GENIE_INLINE real_t real_sqrt(real_t x) {
  return __builtin_sqrtf(x);
}
#endif
#define GENIE_LOWEST (-(real_t)__builtin_inf())
#define GENIE_HIGHEST ((real_t)__builtin_inf())
// NaN if either is.
GENIE_INLINE real_t real_max(real_t a, real_t b) {
  return __builtin_elementwise_maximum(a, b);
}
GENIE_INLINE real_t real_min(real_t a, real_t b) {
  return __builtin_elementwise_minimum(a, b);
}
#endif

#endif  // GENIE_CODEGEN_TEMPLATES_REAL_H_
