#include "compiler/import/pt2/bounded_json.h"

#include "runtime/base/status.h"

static genie_status_t check_bounds(const char *name, const char *text, size_t length) {
  size_t value_count = 1, depth = 0;
  bool is_in_string = false;
  for (size_t i = 0; i < length; ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        is_in_string = false;
      }
      continue;
    }
    is_in_string = c == '"';
    depth += c == '{' || c == '[';
    depth -= (c == '}' || c == ']') && depth > 0;
    value_count += c == '{' || c == '[' || c == ',';
    if (depth > GENIE_JSON_MAX_DEPTH || value_count > GENIE_JSON_MAX_VALUES) {
      return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: JSON nested deeper than %d or of more than %d values",
                               name, GENIE_JSON_MAX_DEPTH, GENIE_JSON_MAX_VALUES);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_json_parse(const char *name, const char *text, size_t length, json_t **out_root) {
  if (length > GENIE_JSON_MAX_BYTES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: JSON of more than %d bytes", name, GENIE_JSON_MAX_BYTES);
  }
  GENIE_RETURN_IF_ERROR(check_bounds(name, text, length));
  json_error_t error;
  *out_root = json_loadb(text, length, 0, &error);
  return *out_root != NULL ? GENIE_OK
                           : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s:%d:%d: malformed JSON: %s", name,
                                               error.line, error.column, error.text);
}
