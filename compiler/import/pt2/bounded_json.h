// JSON from hostile bytes: size, depth and number of values are bounded before a tree is built.
#ifndef GENIE_COMPILER_IMPORT_PT2_BOUNDED_JSON_H_
#define GENIE_COMPILER_IMPORT_PT2_BOUNDED_JSON_H_

#include <jansson.h>

#include "runtime/base/status.h"

// jansson takes up to some 150 bytes a value, so the tree of the largest input accepted has about 1.2 GB.
enum { GENIE_JSON_MAX_DEPTH = 96, GENIE_JSON_MAX_VALUES = 8 << 20, GENIE_JSON_MAX_BYTES = 256 << 20 };

// Parses `length` bytes; `name` stands in messages for what they are. The caller releases the tree with json_decref().
// INVALID_ARGUMENT with line and column, OUT_OF_RANGE beyond a bound.
genie_status_t genie_json_parse(const char *name, const char *text, size_t length, json_t **out_root) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_PT2_BOUNDED_JSON_H_
