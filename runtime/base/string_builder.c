#include "runtime/base/string_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void genie_string_builder_init(genie_allocator_t allocator, genie_string_builder_t *out_builder) {
  *out_builder = (genie_string_builder_t){.allocator = allocator};
}

void genie_string_builder_deinit(genie_string_builder_t *builder) {
  genie_allocator_free(builder->allocator, builder->text);
  builder->text = NULL;
  builder->length = builder->capacity = 0;
}

static bool reserve(genie_string_builder_t *builder, size_t extra) {
  if (builder->has_failed || extra > SIZE_MAX / 4 || builder->length > SIZE_MAX / 4) {
    builder->has_failed = true;
    return false;
  }
  const size_t needed = builder->length + extra + 1;
  if (needed <= builder->capacity) {
    return true;
  }
  const size_t capacity = needed * 2 < 256 ? 256 : needed * 2;
  char *text = builder->allocator.allocate(builder->allocator.self, capacity, 64);
  if (text == NULL) {
    builder->has_failed = true;
    return false;
  }
  if (builder->length > 0) {
    memcpy(text, builder->text, builder->length);
  }
  genie_allocator_free(builder->allocator, builder->text);
  builder->text = text;
  builder->capacity = capacity;
  return true;
}

void genie_string_builder_append(genie_string_builder_t *builder, const char *text, size_t length) {
  if (reserve(builder, length)) {
    memcpy(builder->text + builder->length, text, length);
    builder->length += length;
    builder->text[builder->length] = '\0';
  }
}

void genie_string_builder_format(genie_string_builder_t *builder, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list counted;
  va_copy(counted, args);
  const int length = vsnprintf(NULL, 0, format, counted);
  va_end(counted);
  if (length < 0) {
    builder->has_failed = true;
  } else if (reserve(builder, (size_t)length)) {
    vsnprintf(builder->text + builder->length, (size_t)length + 1, format, args);
    builder->length += (size_t)length;
  }
  va_end(args);
}

const char *genie_string_builder_get(const genie_string_builder_t *builder) {
  return builder->length == 0 ? "" : builder->text;
}

genie_status_t genie_string_builder_status(const genie_string_builder_t *builder) {
  return builder->has_failed
             ? genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %zu bytes of text", builder->length)
             : GENIE_OK;
}
