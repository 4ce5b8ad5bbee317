// A hash map from pointers (operations, values, types) to indices.
#ifndef GENIE_PASSES_GRAPH_POINTER_MAP_H_
#define GENIE_PASSES_GRAPH_POINTER_MAP_H_

#include "runtime/base/status.h"

typedef struct genie_pointer_map {
  const void **keys;
  int *values;
  int capacity;  // a power of two, or 0
  int count;
} genie_pointer_map_t;

// Starts empty; releases with genie_pointer_map_deinit().
void genie_pointer_map_init(genie_pointer_map_t *out_map);
void genie_pointer_map_deinit(genie_pointer_map_t *map);

// Sets `key` (not NULL) to `value`; replaces an older one.
genie_status_t genie_pointer_map_set(genie_pointer_map_t *map, const void *key, int value) GENIE_MUST_USE;

// The value of `key`, or -1.
int genie_pointer_map_get(const genie_pointer_map_t *map, const void *key);

#endif  // GENIE_PASSES_GRAPH_POINTER_MAP_H_
