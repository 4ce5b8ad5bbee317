// Loads, stores and conversions of runs of elements.
#include <math.h>
#include <string.h>

#include "ir/evaluate/evaluate_op.h"

genie_block_class_t genie_block_class_of(genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F32:
    case GENIE_DTYPE_F16:
    case GENIE_DTYPE_BF16:
      return GENIE_BLOCK_F32;
    case GENIE_DTYPE_F64:
      return GENIE_BLOCK_F64;
    default:
      return GENIE_BLOCK_I64;
  }
}

static float from_bf16(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}

// Rounds to nearest even; NaN stays NaN.
static uint16_t to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return value != value ? (uint16_t)(bits >> 16 | 0x40) : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_f16(uint16_t bits) {
  _Float16 half;
  memcpy(&half, &bits, sizeof(half));
  return (float)half;
}

static uint16_t to_f16(float value) {
  const _Float16 half = (_Float16)value;
  uint16_t bits;
  memcpy(&bits, &half, sizeof(bits));
  return bits;
}

#define LOAD(type, field, convert)                \
  do {                                            \
    const type *elements = data;                  \
    for (int i = 0; i < stored; ++i) {            \
      out_block->field[i] = convert(elements[i]); \
    }                                             \
    for (int i = stored; i < count; ++i) {        \
      out_block->field[i] = out_block->field[0];  \
    }                                             \
  } while (0)

void genie_block_load(genie_dtype_t dtype, const void *data, bool is_contiguous, int count, genie_block_t *out_block) {
  const int stored = is_contiguous ? count : 1;
  switch (dtype) {
    case GENIE_DTYPE_F32:
      LOAD(float, f32, );
      break;
    case GENIE_DTYPE_F64:
      LOAD(double, f64, );
      break;
    case GENIE_DTYPE_F16:
      LOAD(uint16_t, f32, from_f16);
      break;
    case GENIE_DTYPE_BF16:
      LOAD(uint16_t, f32, from_bf16);
      break;
    case GENIE_DTYPE_I8:
      LOAD(int8_t, i64, );
      break;
    case GENIE_DTYPE_I16:
      LOAD(int16_t, i64, );
      break;
    case GENIE_DTYPE_I32:
      LOAD(int32_t, i64, );
      break;
    case GENIE_DTYPE_I64:
      LOAD(int64_t, i64, );
      break;
    default:
      LOAD(uint8_t, i64, );
      break;
  }
}

// Truncates; what does not fit gives the least integer, as the CPU's conversion does.
static int64_t integer_of(double value) {
  return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static bool truth(double value) {
  return value != 0;
}

#define STORE(type, convert)                        \
  do {                                              \
    type *elements = data;                          \
    if (from == GENIE_BLOCK_F32) {                  \
      for (int i = 0; i < count; ++i) {             \
        elements[i] = (type)convert(block->f32[i]); \
      }                                             \
    } else if (from == GENIE_BLOCK_F64) {           \
      for (int i = 0; i < count; ++i) {             \
        elements[i] = (type)convert(block->f64[i]); \
      }                                             \
    } else {                                        \
      for (int i = 0; i < count; ++i) {             \
        elements[i] = (type)convert(block->i64[i]); \
      }                                             \
    }                                               \
  } while (0)

static void store_integers(genie_block_class_t from, const genie_block_t *block, int count, genie_dtype_t dtype,
                           void *data) {
  genie_block_t integers;
  if (from == GENIE_BLOCK_F32) {
    for (int i = 0; i < count; ++i) {
      integers.i64[i] = integer_of(block->f32[i]);
    }
  } else if (from == GENIE_BLOCK_F64) {
    for (int i = 0; i < count; ++i) {
      integers.i64[i] = integer_of(block->f64[i]);
    }
  } else {
    integers = *block;
  }
  block = &integers;
  from = GENIE_BLOCK_I64;
  switch (dtype) {
    case GENIE_DTYPE_I8:
      STORE(int8_t, );
      break;
    case GENIE_DTYPE_I16:
      STORE(int16_t, );
      break;
    case GENIE_DTYPE_I32:
      STORE(int32_t, );
      break;
    case GENIE_DTYPE_U8:
      STORE(uint8_t, );
      break;
    default:
      STORE(int64_t, );
      break;
  }
}

void genie_block_store(genie_block_class_t from, const genie_block_t *block, int count, genie_dtype_t dtype,
                       void *data) {
  switch (dtype) {
    case GENIE_DTYPE_F32:
      STORE(float, );
      break;
    case GENIE_DTYPE_F64:
      STORE(double, );
      break;
    case GENIE_DTYPE_F16:
      STORE(uint16_t, to_f16);
      break;
    case GENIE_DTYPE_BF16:
      STORE(uint16_t, to_bf16);
      break;
    case GENIE_DTYPE_BOOL:
      STORE(uint8_t, truth);
      break;
    default:
      store_integers(from, block, count, dtype, data);
      break;
  }
}
