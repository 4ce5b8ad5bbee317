// A hash map from MLIR values, by identity, to small numbers. Memory from an arena.
#ifndef GENIE_CODEGEN_PLAN_VALUE_MAP_H_
#define GENIE_CODEGEN_PLAN_VALUE_MAP_H_

#include <mlir-c/IR.h>

#include "runtime/base/arena.h"

typedef struct genie_value_map {
  genie_arena_t *arena;
  const void **keys;
  int *numbers;
  int capacity;  // a power of two, or 0
  int count;
} genie_value_map_t;

void genie_value_map_init(genie_arena_t *arena, genie_value_map_t *out_map);

// Sets or replaces.
genie_status_t genie_value_map_set(genie_value_map_t *map, MlirValue value, int number) GENIE_MUST_USE;

// The number of `value`, or -1.
int genie_value_map_get(const genie_value_map_t *map, MlirValue value);

#endif  // GENIE_CODEGEN_PLAN_VALUE_MAP_H_
