// Vectors and storage types of the dense templates (gemm, gemv, conv, attention, pool, recurrent).
//
// A template is compiled once a vector width (GENIE_VECTOR_BYTES) and once a type of arithmetic: float, or double under
// GENIE_REAL_F64. Narrow floats are storage only: they are widened when loaded. Hooks are functions that codegen
// defines; what is known at compile time is a constant in them, so a branch on a hook costs nothing.
#ifndef GENIE_CODEGEN_TEMPLATES_LANES_H_
#define GENIE_CODEGEN_TEMPLATES_LANES_H_

#include <stdbool.h>

#include "codegen/templates/template.h"

enum {
#define GENIE_DTYPE(enumerator, name, number, bytes) GENIE_DTYPE_##enumerator = (number),
#include "include/genie/dtype.def"
#undef GENIE_DTYPE
};

#ifndef GENIE_VECTOR_BYTES
#ifdef __AVX512F__
#define GENIE_VECTOR_BYTES 64
#else
#define GENIE_VECTOR_BYTES 32
#endif
#endif

#ifdef GENIE_REAL_F64
typedef double real_t;
enum { REAL_BYTES = 8 };
#else
typedef float real_t;
enum { REAL_BYTES = 4 };
#endif

enum { LANES = GENIE_VECTOR_BYTES / REAL_BYTES };
typedef real_t real_vector_t __attribute__((ext_vector_type(LANES), aligned(REAL_BYTES)));
typedef real_t real4_t __attribute__((ext_vector_type(4), aligned(REAL_BYTES)));
typedef uint16_t u16_vector_t __attribute__((ext_vector_type(LANES), aligned(2)));
typedef uint16_t u16x4_t __attribute__((ext_vector_type(4), aligned(2)));
typedef uint32_t u32_vector_t __attribute__((ext_vector_type(LANES), aligned(2)));
typedef uint32_t u32x4_t __attribute__((ext_vector_type(4), aligned(4)));
typedef _Float16 f16_vector_t __attribute__((ext_vector_type(LANES), aligned(2)));
typedef _Float16 f16x4_t __attribute__((ext_vector_type(4), aligned(2)));
typedef float f32_vector_t __attribute__((ext_vector_type(LANES), aligned(4)));
typedef float f32x4_t __attribute__((ext_vector_type(4), aligned(4)));

GENIE_INLINE i64 ceil_div(i64 a, i64 b) {
  return (a + b - 1) / b;
}

GENIE_INLINE i64 round_up(i64 value, i64 multiple) {
  return ceil_div(value, multiple) * multiple;
}

// Elements of a part of scratch, so that the next part starts on a cache line.
GENIE_INLINE i64 scratch_part(i64 elements) {
  return round_up(elements, 64 / REAL_BYTES);
}

GENIE_INLINE void fill_zero(real_t *out, i64 count) {
  for (i64 i = 0; i < count; ++i) {
    out[i] = 0;
  }
}

// Bytes of an element of one of the storage types f32, f64, bf16 and f16.
GENIE_INLINE i64 storage_bytes(int dtype) {
  return dtype == GENIE_DTYPE_F64 ? 8 : dtype == GENIE_DTYPE_F32 ? 4 : 2;
}

// `count` consecutive elements of storage `dtype` from element `index` on, widened.
GENIE_INLINE real_vector_t load_lanes(const void *base, int dtype, i64 index) {
  if (dtype == GENIE_DTYPE_BF16) {
    const u16_vector_t bits = *(const u16_vector_t *)((const uint16_t *)base + index);
    const u32_vector_t wide = __builtin_convertvector(bits, u32_vector_t) << 16;
    return __builtin_convertvector(__builtin_bit_cast(f32_vector_t, wide), real_vector_t);
  }
  if (dtype == GENIE_DTYPE_F16) {
    return __builtin_convertvector(*(const f16_vector_t *)((const _Float16 *)base + index), real_vector_t);
  }
  return *(const real_vector_t *)((const real_t *)base + index);
}

GENIE_INLINE real4_t load_4(const void *base, int dtype, i64 index) {
  if (dtype == GENIE_DTYPE_BF16) {
    const u32x4_t wide = __builtin_convertvector(*(const u16x4_t *)((const uint16_t *)base + index), u32x4_t) << 16;
    return __builtin_convertvector(__builtin_bit_cast(f32x4_t, wide), real4_t);
  }
  if (dtype == GENIE_DTYPE_F16) {
    return __builtin_convertvector(*(const f16x4_t *)((const _Float16 *)base + index), real4_t);
  }
  return *(const real4_t *)((const real_t *)base + index);
}

GENIE_INLINE real_t load_1(const void *base, int dtype, i64 index) {
  if (dtype == GENIE_DTYPE_BF16) {
    return (real_t) __builtin_bit_cast(float, (uint32_t)((const uint16_t *)base)[index] << 16);
  }
  if (dtype == GENIE_DTYPE_F16) {
    return (real_t)((const _Float16 *)base)[index];
  }
  return ((const real_t *)base)[index];
}

// `lanes` elements from `index` on, zeros in the other lanes; a whole vector is one load.
GENIE_INLINE real_vector_t load_partial(const void *base, int dtype, i64 index, i64 lanes) {
  if (lanes == LANES) {
    return load_lanes(base, dtype, index);
  }
  real_vector_t value = 0;
  if (lanes >= 4) {
    i64 i = 0;
    GENIE_UNROLL
    for (i64 quarter = 0; quarter < LANES / 4; ++quarter) {
      if (i + 4 <= lanes) {
        const real4_t four = load_4(base, dtype, index + i);
        value[4 * quarter] = four.x;
        value[4 * quarter + 1] = four.y;
        value[4 * quarter + 2] = four.z;
        value[4 * quarter + 3] = four.w;
        i += 4;
      }
    }
    for (; i < lanes; ++i) {
      value[i] = load_1(base, dtype, index + i);
    }
    return value;
  }
  for (i64 i = 0; i < lanes; ++i) {
    value[i] = load_1(base, dtype, index + i);
  }
  return value;
}

// The sum of all lanes, by halves.
GENIE_INLINE real_t sum_lanes(real_vector_t v) {
#if defined(GENIE_REAL_F64) && GENIE_VECTOR_BYTES == 32
  const real4_t quarter = v;
#elif defined(GENIE_REAL_F64) || GENIE_VECTOR_BYTES == 32
  const real4_t quarter = v.lo + v.hi;
#else
  const __typeof__(v.lo) half = v.lo + v.hi;
  const real4_t quarter = half.lo + half.hi;
#endif
  return (quarter.x + quarter.z) + (quarter.y + quarter.w);
}

#endif  // GENIE_CODEGEN_TEMPLATES_LANES_H_
