// What each pointwise op computes on scalars, with PyTorch's semantics: genie_scalar_<op>_<dtype>. f16 and bf16 use
// f32. Number attributes of an op follow its operands as doubles in the op's order; an absent bound is infinite; a
// string attribute that is not "none" is part of the name. Compiled without contraction: each op rounds as it does
// alone.
#include <stdint.h>

#include "codegen/templates/math.h"

#pragma clang fp contract(off)

typedef float f32;
typedef double f64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef _Bool bool;

#define UNARY(op, T, expression)   \
  T genie_scalar_##op##_##T(T x) { \
    return (T)(expression);        \
  }
#define UNARY_BOOL(op, T, expression)  \
  _Bool genie_scalar_##op##_##T(T x) { \
    return (expression);               \
  }
#define BINARY(op, T, expression)       \
  T genie_scalar_##op##_##T(T a, T b) { \
    return (T)(expression);             \
  }
#define BINARY_BOOL(op, T, expression)      \
  _Bool genie_scalar_##op##_##T(T a, T b) { \
    return (expression);                    \
  }

//===-- All numbers -----------------------------------------------------------------------------------------------===//

#define COMPARE_OPS(T)                              \
  BINARY_BOOL(eq, T, a == b)                        \
  BINARY_BOOL(ne, T, a != b)                        \
  BINARY_BOOL(lt, T, a < b)                         \
  BINARY_BOOL(le, T, a <= b)                        \
  BINARY_BOOL(gt, T, a > b)                         \
  BINARY_BOOL(ge, T, a >= b)                        \
  BINARY_BOOL(logical_and, T, (a != 0) & (b != 0))  \
  BINARY_BOOL(logical_or, T, (a != 0) | (b != 0))   \
  BINARY_BOOL(logical_xor, T, (a != 0) != (b != 0)) \
  UNARY_BOOL(logical_not, T, x == 0)

#define NUMBER_OPS(T)                                      \
  COMPARE_OPS(T)                                           \
  UNARY(relu, T, x < 0 ? 0 : x)                            \
  UNARY(sign, T, x != x ? 0 : (x > 0) - (x < 0))           \
  T genie_scalar_clamp_##T(T x, double low, double high) { \
    return clamp_##T(x, low, high);                        \
  }

//===-- Floats ----------------------------------------------------------------------------------------------------===//

#define SUFFIX_f32(name) name##f
#define SUFFIX_f64(name) name
#define MATH(name, T) genie_math_##name##_##T

#define FLOAT_OPS(T, B)                                                                                \
  static inline T clamp_##T(T x, double low, double high) {                                            \
    const T raised = x < (T)low ? (T)low : x;                                                          \
    return raised > (T)high ? (T)high : raised;                                                        \
  }                                                                                                    \
  static inline T softplus_##T(T x) {                                                                  \
    return x > (T)20 ? x : MATH(log1p, T)(MATH(exp, T)(x));                                            \
  }                                                                                                    \
  static inline T remainder_##T(T a, T b) {                                                            \
    const T r = MATH(fmod, T)(a, b);                                                                   \
    return r != 0 && (b < 0) != (r < 0) ? r + b : r;                                                   \
  }                                                                                                    \
  static inline T floor_divide_##T(T a, T b) {                                                         \
    const T r = MATH(fmod, T)(a, b);                                                                   \
    T quotient = (a - r) / b;                                                                          \
    quotient = r != 0 && (b < 0) != (r < 0) ? quotient - 1 : quotient;                                 \
    const T below = B(__builtin_floor)(quotient);                                                      \
    const T nearest = quotient - below > (T)0.5 ? below + 1 : below;                                   \
    const T value = quotient == 0 ? B(__builtin_copysign)((T)0, a / b) : nearest;                      \
    return b == 0 ? a / b : value;                                                                     \
  }                                                                                                    \
  static inline T power_##T(T a, T b) {                                                                \
    if (b == (T)2) {                                                                                   \
      return a * a;                                                                                    \
    }                                                                                                  \
    if (b == (T)3) {                                                                                   \
      return a * a * a;                                                                                \
    }                                                                                                  \
    if (b == (T)1) {                                                                                   \
      return a;                                                                                        \
    }                                                                                                  \
    if (b == (T)0.5) {                                                                                 \
      return B(__builtin_sqrt)(a);                                                                     \
    }                                                                                                  \
    if (b == (T) - 0.5) {                                                                              \
      return (T)1 / B(__builtin_sqrt)(a);                                                              \
    }                                                                                                  \
    if (b == (T) - 1) {                                                                                \
      return (T)1 / a;                                                                                 \
    }                                                                                                  \
    if (b == (T) - 2) {                                                                                \
      return (T)1 / (a * a);                                                                           \
    }                                                                                                  \
    return MATH(pow, T)(a, b);                                                                         \
  }                                                                                                    \
  NUMBER_OPS(T)                                                                                        \
  UNARY(silu, T, x / ((T)1 + MATH(exp, T)(-x)))                                                        \
  UNARY(sigmoid, T, (T)1 / ((T)1 + MATH(exp, T)(-x)))                                                  \
  UNARY(tanh, T, MATH(tanh, T)(x))                                                                     \
  UNARY(exp, T, MATH(exp, T)(x))                                                                       \
  UNARY(expm1, T, MATH(expm1, T)(x))                                                                   \
  UNARY(log, T, MATH(log, T)(x))                                                                       \
  UNARY(log1p, T, MATH(log1p, T)(x))                                                                   \
  UNARY(log2, T, MATH(log2, T)(x))                                                                     \
  UNARY(log10, T, MATH(log10, T)(x))                                                                   \
  UNARY(sqrt, T, B(__builtin_sqrt)(x))                                                                 \
  UNARY(rsqrt, T, (T)1 / B(__builtin_sqrt)(x))                                                         \
  UNARY(abs, T, B(__builtin_fabs)(x))                                                                  \
  UNARY(neg, T, -x)                                                                                    \
  UNARY(sin, T, MATH(sin, T)(x))                                                                       \
  UNARY(cos, T, MATH(cos, T)(x))                                                                       \
  UNARY(tan, T, MATH(tan, T)(x))                                                                       \
  UNARY(atan, T, MATH(atan2, T)(x, (T)1))                                                              \
  UNARY(erf, T, MATH(erf, T)(x))                                                                       \
  UNARY(floor, T, B(__builtin_floor)(x))                                                               \
  UNARY(ceil, T, B(__builtin_ceil)(x))                                                                 \
  UNARY(round, T, B(__builtin_roundeven)(x))                                                           \
  UNARY(trunc, T, B(__builtin_trunc)(x))                                                               \
  UNARY(reciprocal, T, (T)1 / x)                                                                       \
  UNARY_BOOL(isnan, T, x != x)                                                                         \
  UNARY_BOOL(isinf, T, B(__builtin_fabs)(x) == (T)__builtin_inf())                                     \
  UNARY(hardsigmoid, T, clamp_##T(x + (T)3, 0, 6) / (T)6)                                              \
  UNARY(hardswish, T, x *clamp_##T(x + (T)3, 0, 6) / (T)6)                                             \
  UNARY(mish, T, x *MATH(tanh, T)(softplus_##T(x)))                                                    \
  UNARY(gelu, T, x *(T)0.5 * ((T)1 + MATH(erf, T)(x * (T)0.70710678118654752440)))                     \
  UNARY(gelu_tanh, T, /* (1 + tanh(u)) / 2 is sigmoid(2u), which keeps its digits where it is small */ \
        x / ((T)1 + MATH(exp, T)((T) - 1.59576912160573071176 * (x + (T)0.044715 * x * x * x))))       \
  T genie_scalar_softplus_##T(T x, double beta, double threshold) {                                    \
    const T scaled = x * (T)beta;                                                                      \
    return scaled > (T)threshold ? x : MATH(log1p, T)(MATH(exp, T)(scaled)) / (T)beta;                 \
  }                                                                                                    \
  T genie_scalar_elu_##T(T x, double alpha, double scale, double input_scale) {                        \
    return x > 0 ? x * (T)scale : MATH(expm1, T)(x * (T)input_scale) * (T)(alpha * scale);             \
  }                                                                                                    \
  T genie_scalar_leaky_relu_##T(T x, double slope) {                                                   \
    return x > 0 ? x : x * (T)slope;                                                                   \
  }                                                                                                    \
  BINARY(add, T, a + b)                                                                                \
  BINARY(sub, T, a - b)                                                                                \
  BINARY(mul, T, a *b)                                                                                 \
  BINARY(div, T, a / b)                                                                                \
  BINARY(floor_divide, T, floor_divide_##T(a, b))                                                      \
  BINARY(trunc_divide, T, B(__builtin_trunc)(a / b))                                                   \
  BINARY(remainder, T, remainder_##T(a, b))                                                            \
  BINARY(fmod, T, MATH(fmod, T)(a, b))                                                                 \
  BINARY(pow, T, power_##T(a, b))                                                                      \
  BINARY(maximum, T, a != a || a > b ? a : b)                                                          \
  BINARY(minimum, T, a != a || a < b ? a : b)                                                          \
  BINARY(atan2, T, MATH(atan2, T)(a, b))

FLOAT_OPS(f32, SUFFIX_f32)
FLOAT_OPS(f64, SUFFIX_f64)

//===-- Integers --------------------------------------------------------------------------------------------------===//

// Arithmetic wraps, in 64 bits where the type is narrower. Division by zero gives 0 rather than a trap; PyTorch raises.
#define INTEGER_OPS(T)                                                                                            \
  static inline T clamp_##T(T x, double low, double high) {                                                       \
    const i64 least = low > -9.0e18 ? (i64)low : INT64_MIN;                                                       \
    const i64 greatest = high < 9.0e18 ? (i64)high : INT64_MAX;                                                   \
    const i64 raised = (i64)x < least ? least : (i64)x;                                                           \
    return (T)(raised > greatest ? greatest : raised);                                                            \
  }                                                                                                               \
  static inline T trunc_divide_##T(T a, T b) {                                                                    \
    const int is_special = b == 0 || b == (T) - 1;                                                                \
    const T quotient = (T)(a / (is_special ? 1 : b));                                                             \
    return b == 0 ? 0 : b == (T) - 1 && (T) - 1 < 0 ? (T)(0 - (uint64_t)a) : is_special ? (T)(a == b) : quotient; \
  }                                                                                                               \
  static inline T fmod_##T(T a, T b) {                                                                            \
    return (T)((uint64_t)a - (uint64_t)trunc_divide_##T(a, b) * (uint64_t)b);                                     \
  }                                                                                                               \
  static inline T floor_divide_##T(T a, T b) {                                                                    \
    const T r = fmod_##T(a, b);                                                                                   \
    return (T)(trunc_divide_##T(a, b) - (b != 0 && r != 0 && (r < 0) != (b < 0)));                                \
  }                                                                                                               \
  static inline T remainder_##T(T a, T b) {                                                                       \
    const T r = fmod_##T(a, b);                                                                                   \
    return b == 0 ? 0 : r != 0 && (r < 0) != (b < 0) ? (T)(r + b) : r;                                            \
  }                                                                                                               \
  static inline T power_##T(T a, T b) {                                                                           \
    uint64_t value = 1, factor = (uint64_t)a;                                                                     \
    for (uint64_t rest = b < 0 ? 0 : (uint64_t)b; rest != 0; rest >>= 1) {                                        \
      value = (rest & 1) != 0 ? value * factor : value;                                                           \
      factor *= factor;                                                                                           \
    }                                                                                                             \
    return b >= 0 ? (T)value : a == 1 ? 1 : a == (T) - 1 ? (T)((b & 1) != 0 ? -1 : 1) : 0;                        \
  }                                                                                                               \
  NUMBER_OPS(T)                                                                                                   \
  UNARY(abs, T, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)                                                            \
  UNARY(neg, T, 0 - (uint64_t)x)                                                                                  \
  UNARY(bitwise_not, T, ~x)                                                                                       \
  UNARY(floor, T, x)                                                                                              \
  UNARY(ceil, T, x)                                                                                               \
  UNARY(round, T, x)                                                                                              \
  UNARY(trunc, T, x)                                                                                              \
  UNARY_BOOL(isnan, T, (void)x, 0)                                                                                \
  UNARY_BOOL(isinf, T, (void)x, 0)                                                                                \
  BINARY(add, T, (uint64_t)a + (uint64_t)b)                                                                       \
  BINARY(sub, T, (uint64_t)a - (uint64_t)b)                                                                       \
  BINARY(mul, T, (uint64_t)a *(uint64_t)b)                                                                        \
  BINARY(floor_divide, T, floor_divide_##T(a, b))                                                                 \
  BINARY(trunc_divide, T, trunc_divide_##T(a, b))                                                                 \
  BINARY(remainder, T, remainder_##T(a, b))                                                                       \
  BINARY(fmod, T, fmod_##T(a, b))                                                                                 \
  BINARY(pow, T, power_##T(a, b))                                                                                 \
  BINARY(maximum, T, a > b ? a : b)                                                                               \
  BINARY(minimum, T, a < b ? a : b)                                                                               \
  BINARY(bitwise_and, T, a &b)                                                                                    \
  BINARY(bitwise_or, T, a | b)                                                                                    \
  BINARY(bitwise_xor, T, a ^ b)                                                                                   \
  BINARY(shift_left, T, (uint64_t)b >= sizeof(T) * 8 ? 0 : (uint64_t)a << ((uint64_t)b & 63))                     \
  BINARY(shift_right, T, (uint64_t)b >= sizeof(T) * 8 ? (a < 0 ? -1 : 0) : a >> ((uint64_t)b & 63))

#undef UNARY_BOOL
#define UNARY_BOOL(op, T, ...)         \
  _Bool genie_scalar_##op##_##T(T x) { \
    return (__VA_ARGS__);              \
  }

INTEGER_OPS(i8)
INTEGER_OPS(i16)
INTEGER_OPS(i32)
INTEGER_OPS(i64)
INTEGER_OPS(u8)

//===-- Booleans --------------------------------------------------------------------------------------------------===//

COMPARE_OPS(bool)
UNARY(bitwise_not, bool, !x)
UNARY(relu, bool, x)
UNARY(abs, bool, x)
UNARY(sign, bool, x)
BINARY(add, bool, a | b)
BINARY(mul, bool, a &b)
BINARY(maximum, bool, a | b)
BINARY(minimum, bool, a &b)
BINARY(bitwise_and, bool, a &b)
BINARY(bitwise_or, bool, a | b)
BINARY(bitwise_xor, bool, a ^ b)
