// Text that grows: messages, JSON, disassembly.
#ifndef GENIE_RUNTIME_BASE_STRING_BUILDER_H_
#define GENIE_RUNTIME_BASE_STRING_BUILDER_H_

#include "runtime/base/allocator.h"

// In the caller's memory; not thread-safe. After a failed append `has_failed` stays true and appends do nothing, so
// that a long sequence is checked once, at its end.
typedef struct genie_string_builder {
  genie_allocator_t allocator;
  char *text;  // zero-terminated once anything was appended
  size_t length;
  size_t capacity;
  bool has_failed;
} genie_string_builder_t;

void genie_string_builder_init(genie_allocator_t allocator, genie_string_builder_t *out_builder);
void genie_string_builder_deinit(genie_string_builder_t *builder);

void genie_string_builder_append(genie_string_builder_t *builder, const char *text, size_t length);
void genie_string_builder_format(genie_string_builder_t *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The text so far, "" when empty; borrowed until the next append.
const char *genie_string_builder_get(const genie_string_builder_t *builder);

// RESOURCE_EXHAUSTED when any append failed.
genie_status_t genie_string_builder_status(const genie_string_builder_t *builder) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_BASE_STRING_BUILDER_H_
