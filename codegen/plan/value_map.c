#include "codegen/plan/value_map.h"

enum { kInitialCapacity = 64 };

void genie_value_map_init(genie_arena_t *arena, genie_value_map_t *out_map) {
  *out_map = (genie_value_map_t){.arena = arena};
}

static int find_slot(const genie_value_map_t *map, const void *key) {
  uint64_t slot = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15ull >> 20;
  while (map->keys[slot & (uint64_t)(map->capacity - 1)] != NULL &&
         map->keys[slot & (uint64_t)(map->capacity - 1)] != key) {
    ++slot;
  }
  return (int)(slot & (uint64_t)(map->capacity - 1));
}

static genie_status_t grow(genie_value_map_t *map) {
  const genie_value_map_t old = *map;
  map->capacity = old.capacity == 0 ? kInitialCapacity : 2 * old.capacity;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(map->arena, (size_t)map->capacity, sizeof(*map->keys), &memory));
  map->keys = memory;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(map->arena, (size_t)map->capacity, sizeof(*map->numbers), &memory));
  map->numbers = memory;
  for (int i = 0; i < old.capacity; ++i) {
    if (old.keys[i] != NULL) {
      const int slot = find_slot(map, old.keys[i]);
      map->keys[slot] = old.keys[i];
      map->numbers[slot] = old.numbers[i];
    }
  }
  return GENIE_OK;
}

genie_status_t genie_value_map_set(genie_value_map_t *map, MlirValue value, int number) {
  if (2 * map->count >= map->capacity) {
    GENIE_RETURN_IF_ERROR(grow(map));
  }
  const int slot = find_slot(map, value.ptr);
  map->count += map->keys[slot] == NULL;
  map->keys[slot] = value.ptr;
  map->numbers[slot] = number;
  return GENIE_OK;
}

int genie_value_map_get(const genie_value_map_t *map, MlirValue value) {
  if (map->capacity == 0) {
    return -1;
  }
  const int slot = find_slot(map, value.ptr);
  return map->keys[slot] == NULL ? -1 : map->numbers[slot];
}
