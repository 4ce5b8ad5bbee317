// What the tests of dense templates share. A test includes one template and defines its hooks from variables, and is
// built once for each vector width and compute type.
#ifndef GENIE_CODEGEN_TEMPLATES_TEMPLATE_TEST_H_
#define GENIE_CODEGEN_TEMPLATES_TEMPLATE_TEST_H_

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka needs the headers above first.
#include "codegen/templates/lanes.h"

#include <cmocka.h>

#ifdef GENIE_REAL_F64
#define REAL_DTYPE GENIE_DTYPE_F64
#define TOLERANCE 1e-12
#else
#define REAL_DTYPE GENIE_DTYPE_F32
#define TOLERANCE 2e-5
#endif

// `i64 genie_<name>(frame)`, which returns the expression `value`.
#define SIZE_HOOK(name, value)             \
  i64 genie_##name(const frame_t *frame) { \
    (void)frame;                           \
    return (value);                        \
  }

// A buffer of `count` elements of storage `dtype` whose bytes beyond are guarded by NaN.
typedef struct buffer {
  int dtype;
  i64 count;
  void *bytes;
} buffer_t;

enum { GUARD = 64 };

static inline void buffer_set(const buffer_t *b, i64 index, double value) {
  switch (b->dtype) {
    case GENIE_DTYPE_BF16:
      ((uint16_t *)b->bytes)[index] = (uint16_t)(__builtin_bit_cast(uint32_t, (float)value) >> 16);
      break;
    case GENIE_DTYPE_F16:
      ((_Float16 *)b->bytes)[index] = (_Float16)value;
      break;
    case GENIE_DTYPE_F64:
      ((double *)b->bytes)[index] = value;
      break;
    default:
      ((float *)b->bytes)[index] = (float)value;
      break;
  }
}

static inline double buffer_get(const buffer_t *b, i64 index) {
  assert_in_range(index, 0, b->count - 1);
  return (double)load_1(b->bytes, b->dtype, index);
}

static inline buffer_t buffer_make(int dtype, i64 count) {
  const size_t bytes = (size_t)(count + GUARD) * (size_t)storage_bytes(dtype);
  buffer_t b = {dtype, count, aligned_alloc(64, (bytes + 63) / 64 * 64)};
  for (i64 i = 0; i < count + GUARD; ++i) {
    buffer_set(&b, i, NAN);
  }
  return b;
}

static inline double draw(void) {
  return (double)(rand() % 4096) / 4096.0 - 0.5;
}

static inline buffer_t buffer_random(int dtype, i64 count) {
  buffer_t b = buffer_make(dtype, count);
  for (i64 i = 0; i < count; ++i) {
    buffer_set(&b, i, draw());
  }
  return b;
}

static inline void buffer_free(buffer_t *b) {
  free(b->bytes);
}

// A result is written once, at most, and never outside.
static inline void buffer_store_once(const buffer_t *b, i64 index, double value) {
  assert_in_range(index, 0, b->count - 1);
  assert_true(isnan(buffer_get(b, index)));
  buffer_set(b, index, value);
}

// Scratch whose end is checked: a template stays within what its lowering asks for.
typedef struct scratch {
  void *bytes;
  size_t size_bytes;
} scratch_t;

static inline scratch_t scratch_make(i64 elements) {
  scratch_t s = {.size_bytes = (size_t)elements * REAL_BYTES};
  s.bytes = aligned_alloc(64, (s.size_bytes + 2 * GUARD + 63) / 64 * 64);
  for (size_t i = 0; i < s.size_bytes + GUARD; ++i) {
    ((uint8_t *)s.bytes)[i] = 0xff;
  }
  return s;
}

static inline void scratch_check(scratch_t *s) {
  for (size_t i = 0; i < GUARD; ++i) {
    assert_int_equal(((uint8_t *)s->bytes)[s->size_bytes + i], 0xff);
  }
  free(s->bytes);
}

static inline void assert_near(double want, double got, double scale) {
  if (!(fabs(want - got) <= TOLERANCE * fmax(1.0, scale))) {
    fail_msg("want %.9g, got %.9g", want, got);
  }
}

// Runs a grid in uneven ranges, as workers do.
static inline void run_grid(const frame_t *frame, i64 tasks) {
  for (i64 begin = 0, step = 1; begin < tasks; begin += step, step = step % 5 + 2) {
    genie_kernel(frame, begin, genie_min_i64(begin + step, tasks));
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_TEMPLATE_TEST_H_
