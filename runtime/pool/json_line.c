#include "runtime/pool/json_line.h"

#include <stdbool.h>
#include <string.h>

typedef struct cursor {
  const char *at;
  const char *end;
} cursor_t;

static bool is_at(const cursor_t *cursor, char c) {
  return cursor->at < cursor->end && *cursor->at == c;
}

static void skip_space(cursor_t *cursor) {
  while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) != NULL && *cursor->at != '\0') {
    ++cursor->at;
  }
}

static void skip_string(cursor_t *cursor) {
  for (++cursor->at; cursor->at < cursor->end && *cursor->at != '"'; ++cursor->at) {
    if (*cursor->at == '\\' && cursor->at + 1 < cursor->end) {
      ++cursor->at;
    }
  }
  if (cursor->at < cursor->end) {
    ++cursor->at;
  }
}

// Past one value; nesting is counted, not recursed into.
static void skip_value(cursor_t *cursor) {
  size_t depth = 0;
  while (cursor->at < cursor->end) {
    const char c = *cursor->at;
    if (c == '"') {
      skip_string(cursor);
    } else {
      if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
        return;
      }
      depth += c == '[' || c == '{';
      depth -= c == ']' || c == '}';
      ++cursor->at;
    }
  }
}

// Past the comma after a member or an element; false at the end of what holds it.
static bool next(cursor_t *cursor) {
  skip_value(cursor);
  if (!is_at(cursor, ',')) {
    return false;
  }
  ++cursor->at;
  skip_space(cursor);
  return true;
}

static bool enter_member(cursor_t *cursor, const char *key) {
  const size_t length = strlen(key);
  ++cursor->at;
  skip_space(cursor);
  while (is_at(cursor, '"')) {
    const char *name = cursor->at + 1;
    skip_string(cursor);
    const bool is_found = (size_t)(cursor->at - name) == length + 1 && memcmp(name, key, length) == 0;
    skip_space(cursor);
    if (is_at(cursor, ':')) {
      ++cursor->at;
    }
    skip_space(cursor);
    if (is_found) {
      return true;
    }
    if (!next(cursor)) {
      return false;
    }
  }
  return false;
}

static bool enter_element(cursor_t *cursor, uint32_t index) {
  ++cursor->at;
  skip_space(cursor);
  for (uint32_t i = 0; i < index; ++i) {
    if (!next(cursor)) {
      return false;
    }
  }
  return true;
}

static uint32_t line_of(const char *text, const char *position) {
  uint32_t line = 1;
  for (const char *at = text; at < position; ++at) {
    line += *at == '\n';
  }
  return line;
}

uint32_t genie_json_line(const char *text, size_t size_bytes, const genie_json_step_t *steps, size_t step_count) {
  cursor_t cursor = {.at = text, .end = text + size_bytes};
  skip_space(&cursor);
  const char *found = cursor.at;
  for (size_t i = 0; i < step_count; ++i) {
    const bool is_entered = is_at(&cursor, '{') && steps[i].key != NULL   ? enter_member(&cursor, steps[i].key)
                            : is_at(&cursor, '[') && steps[i].key == NULL ? enter_element(&cursor, steps[i].index)
                                                                          : false;
    if (!is_entered) {
      break;
    }
    found = cursor.at;
  }
  return line_of(text, found);
}
