#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct status_record {
  genie_status_code_t code;
  char message[];
} status_record_t;

// What a status becomes when there is no memory for its record; never freed.
static const struct {
  genie_status_code_t code;
  char message[16];
} kOutOfMemory = {GENIE_STATUS_RESOURCE_EXHAUSTED, "out of memory"};

static const status_record_t *record_of(genie_status_t status) {
  return (const status_record_t *)status;
}

static genie_status_t make_record(genie_status_code_t code, const char *prefix, const char *format, va_list args) {
  va_list counted;
  va_copy(counted, args);
  const int body_length = vsnprintf(NULL, 0, format, counted);
  va_end(counted);
  const size_t prefix_length = strlen(prefix);
  status_record_t *record = body_length < 0 ? NULL : malloc(sizeof(*record) + prefix_length + (size_t)body_length + 1);
  if (record == NULL) {
    return (genie_status_t)&kOutOfMemory;
  }
  record->code = code;
  vsnprintf(record->message, (size_t)body_length + 1, format, args);
  memcpy(record->message + body_length, prefix, prefix_length + 1);
  return (genie_status_t)record;
}

genie_status_t genie_status_make(genie_status_code_t code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const genie_status_t status = make_record(code, "", format, args);
  va_end(args);
  return status;
}

genie_status_t genie_status_annotate(genie_status_t status, const char *format, ...) {
  if (status == GENIE_OK) {
    return status;
  }
  const char *message = genie_status_message(status);
  const size_t length = strlen(message);
  char *suffix = malloc(length + 3);
  if (suffix == NULL) {
    return status;
  }
  memcpy(suffix, ": ", 2);
  memcpy(suffix + 2, message, length + 1);
  va_list args;
  va_start(args, format);
  const genie_status_t annotated = make_record(genie_status_code(status), suffix, format, args);
  va_end(args);
  free(suffix);
  genie_status_free(status);
  return annotated;
}

genie_status_code_t genie_status_code(genie_status_t status) {
  return status == GENIE_OK ? GENIE_STATUS_OK : record_of(status)->code;
}

const char *genie_status_message(genie_status_t status) {
  return status == GENIE_OK ? "" : record_of(status)->message;
}

const char *genie_status_code_name(genie_status_code_t code) {
  switch (code) {
#define GENIE_STATUS_CODE(name, number, remedy) \
  case GENIE_STATUS_##name:                     \
    return #name;
#include "genie/status.def"
#undef GENIE_STATUS_CODE
  }
  return "UNKNOWN";
}

const char *genie_status_code_remedy(genie_status_code_t code) {
  switch (code) {
#define GENIE_STATUS_CODE(name, number, remedy) \
  case GENIE_STATUS_##name:                     \
    return remedy;
#include "genie/status.def"
#undef GENIE_STATUS_CODE
  }
  return "report a bug";
}

void genie_status_free(genie_status_t status) {
  if (status != GENIE_OK && status != (genie_status_t)&kOutOfMemory) {
    free((void *)status);
  }
}
