// The line of a value in a JSON text: a parser that keeps no positions finds it again for an error message.
#ifndef GENIE_RUNTIME_POOL_JSON_LINE_H_
#define GENIE_RUNTIME_POOL_JSON_LINE_H_

#include <stddef.h>
#include <stdint.h>

// One step from a value to a value inside it.
typedef struct genie_json_step {
  const char *key;  // the member of an object, or NULL
  uint32_t index;   // the element of an array
} genie_json_step_t;

// The line, from 1, of the value that `steps` lead to from the root. `text` is valid JSON; any other bytes give some
// line too. Where a member cannot be found (it is missing, or its key is spelled with escapes), the line of the value
// that should hold it.
uint32_t genie_json_line(const char *text, size_t size_bytes, const genie_json_step_t *steps, size_t step_count);

#endif  // GENIE_RUNTIME_POOL_JSON_LINE_H_
