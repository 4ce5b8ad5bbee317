// Integer arithmetic that reports overflow. Every size that comes from a file, a flag or a shape is summed with these.
#ifndef GENIE_RUNTIME_BASE_CHECKED_MATH_H_
#define GENIE_RUNTIME_BASE_CHECKED_MATH_H_

#include <stdbool.h>
#include <stdint.h>

// Each returns false, and leaves *out_value unspecified, when the exact result does not fit.
static inline bool genie_checked_add_i64(int64_t a, int64_t b, int64_t *out_value) {
  return !__builtin_add_overflow(a, b, out_value);
}
static inline bool genie_checked_sub_i64(int64_t a, int64_t b, int64_t *out_value) {
  return !__builtin_sub_overflow(a, b, out_value);
}
static inline bool genie_checked_mul_i64(int64_t a, int64_t b, int64_t *out_value) {
  return !__builtin_mul_overflow(a, b, out_value);
}
static inline bool genie_checked_add_u64(uint64_t a, uint64_t b, uint64_t *out_value) {
  return !__builtin_add_overflow(a, b, out_value);
}
static inline bool genie_checked_mul_u64(uint64_t a, uint64_t b, uint64_t *out_value) {
  return !__builtin_mul_overflow(a, b, out_value);
}

// Rounds up to a power-of-two `alignment`; false on overflow.
static inline bool genie_checked_align_u64(uint64_t value, uint64_t alignment, uint64_t *out_value) {
  if (__builtin_add_overflow(value, alignment - 1, out_value)) {
    return false;
  }
  *out_value &= ~(alignment - 1);
  return true;
}

// floor(a / b) and a - b * floor(a / b) for b > 0: the division of shape expressions (Python's // and %).
static inline int64_t genie_floor_div_i64(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && a < 0);
}
static inline int64_t genie_floor_mod_i64(int64_t a, int64_t b) {
  return a - b * genie_floor_div_i64(a, b);
}

#endif  // GENIE_RUNTIME_BASE_CHECKED_MATH_H_
