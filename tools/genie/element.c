#include "tools/genie/element.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool genie_element_is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// Rounds to nearest even; a NaN stays one.
static uint16_t bf16_of_float(float value) {
  const uint32_t bits = bits_of_float(value);
  if (isnan(value)) {
    return (uint16_t)(bits >> 16 | 0x40);
  }
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double genie_element_get(genie_dtype_t dtype, const void *data, uint64_t index) {
  switch (dtype) {
    case GENIE_DTYPE_F32: {
      float value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return value;
    }
    case GENIE_DTYPE_F64: {
      double value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return value;
    }
    case GENIE_DTYPE_F16: {
      _Float16 value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return (double)value;
    }
    case GENIE_DTYPE_BF16: {
      uint16_t value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return float_of_bits((uint32_t)value << 16);
    }
    case GENIE_DTYPE_I64: {
      int64_t value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return (double)value;
    }
    case GENIE_DTYPE_I32: {
      int32_t value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return value;
    }
    case GENIE_DTYPE_I16: {
      int16_t value;
      memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
      return value;
    }
    case GENIE_DTYPE_I8:
      return ((const int8_t *)data)[index];
    case GENIE_DTYPE_U8:
    case GENIE_DTYPE_BOOL:
      return ((const uint8_t *)data)[index];
    case GENIE_DTYPE_INVALID:
      break;
  }
  return NAN;
}

static void set_integer(genie_dtype_t dtype, void *data, uint64_t index, int64_t value) {
  // Little-endian: the low bytes come first.
  const size_t bytes = genie_dtype_bytes(dtype);
  memcpy((char *)data + index * bytes, &value, bytes);
}

void genie_element_set(genie_dtype_t dtype, void *data, uint64_t index, double value) {
  if (dtype == GENIE_DTYPE_F64) {
    memcpy((char *)data + index * sizeof(value), &value, sizeof(value));
  } else if (dtype == GENIE_DTYPE_F32) {
    const float single = (float)value;
    memcpy((char *)data + index * sizeof(single), &single, sizeof(single));
  } else if (dtype == GENIE_DTYPE_F16) {
    const _Float16 half = (_Float16)value;
    memcpy((char *)data + index * sizeof(half), &half, sizeof(half));
  } else if (dtype == GENIE_DTYPE_BF16) {
    const uint16_t half = bf16_of_float((float)value);
    memcpy((char *)data + index * sizeof(half), &half, sizeof(half));
  } else {
    set_integer(dtype, data, index, (int64_t)value);
  }
}

static bool parse_bool(const char *text, int64_t *out_value) {
  *out_value = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
  return *out_value != 0 || strcmp(text, "0") == 0 || strcmp(text, "false") == 0;
}

static bool parse_integer(genie_dtype_t dtype, const char *text, int64_t *out_value) {
  if (dtype == GENIE_DTYPE_BOOL) {
    return parse_bool(text, out_value);
  }
  char *end = NULL;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  const int bits = 8 * (int)genie_dtype_bytes(dtype);
  const bool is_signed = dtype != GENIE_DTYPE_U8;
  const int64_t maximum = bits == 64 ? INT64_MAX : ((int64_t)1 << (is_signed ? bits - 1 : bits)) - 1;
  const int64_t minimum = is_signed ? -maximum - 1 : 0;
  *out_value = value;
  return end != text && *end == '\0' && errno == 0 && value >= minimum && value <= maximum;
}

bool genie_element_parse(genie_dtype_t dtype, const char *text, size_t length, void *data, uint64_t index) {
  char number[64];
  if (length == 0 || length >= sizeof(number)) {
    return false;
  }
  memcpy(number, text, length);
  number[length] = '\0';
  if (genie_element_is_float(dtype)) {
    char *end = NULL;
    const double value = strtod(number, &end);
    genie_element_set(dtype, data, index, value);
    return *end == '\0';
  }
  int64_t value = 0;
  if (!parse_integer(dtype, number, &value)) {
    return false;
  }
  set_integer(dtype, data, index, value);
  return true;
}

static int digits_of(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F64 ? 17 : dtype == GENIE_DTYPE_F32 ? 9 : dtype == GENIE_DTYPE_F16 ? 5 : 4;
}

static void print_float(genie_dtype_t dtype, double value, genie_string_builder_t *builder) {
  char text[64];
  for (int digits = digits_of(dtype) / 2; digits <= digits_of(dtype); ++digits) {
    double read = 0;
    snprintf(text, sizeof(text), "%.*g", digits, value);
    genie_element_set(dtype, &read, 0, strtod(text, NULL));
    if (genie_element_get(dtype, &read, 0) == value) {
      break;
    }
  }
  genie_string_builder_format(builder, "%s", text);
}

void genie_element_print(genie_dtype_t dtype, const void *data, uint64_t index, genie_string_builder_t *builder) {
  if (genie_element_is_float(dtype)) {
    print_float(dtype, genie_element_get(dtype, data, index), builder);
  } else if (dtype == GENIE_DTYPE_I64) {
    int64_t value;
    memcpy(&value, (const char *)data + index * sizeof(value), sizeof(value));
    genie_string_builder_format(builder, "%lld", (long long)value);
  } else {
    genie_string_builder_format(builder, "%lld", (long long)genie_element_get(dtype, data, index));
  }
}
