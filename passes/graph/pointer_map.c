#include "passes/graph/pointer_map.h"

#include "runtime/base/allocator.h"

enum { INITIAL_CAPACITY = 64 };

void genie_pointer_map_init(genie_pointer_map_t *out_map) {
  *out_map = (genie_pointer_map_t){0};
}

void genie_pointer_map_deinit(genie_pointer_map_t *map) {
  genie_allocator_free(genie_allocator_heap(), map->keys);
  genie_allocator_free(genie_allocator_heap(), map->values);
  genie_pointer_map_init(map);
}

// The slot that holds `key`, or the free one where it belongs. Asserts a free slot: the map is never full.
static int slot_of(const genie_pointer_map_t *map, const void *key) {
  const uint64_t hash = ((uint64_t)(uintptr_t)key >> 4) * UINT64_C(0x9E3779B97F4A7C15);
  int slot = (int)(hash >> 33) & (map->capacity - 1);
  while (map->keys[slot] != NULL && map->keys[slot] != key) {
    slot = (slot + 1) & (map->capacity - 1);
  }
  return slot;
}

static genie_status_t grow(genie_pointer_map_t *map) {
  genie_pointer_map_t larger = {.capacity = map->capacity == 0 ? INITIAL_CAPACITY : map->capacity * 2};
  const genie_allocator_t heap = genie_allocator_heap();
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(heap, (size_t)larger.capacity, sizeof(void *), (void **)&larger.keys));
  const genie_status_t status =
      genie_allocator_allocate_array(heap, (size_t)larger.capacity, sizeof(int), (void **)&larger.values);
  if (status != GENIE_OK) {
    genie_allocator_free(heap, larger.keys);
    return status;
  }
  for (int i = 0; i < map->capacity; ++i) {
    if (map->keys[i] != NULL) {
      const int slot = slot_of(&larger, map->keys[i]);
      larger.keys[slot] = map->keys[i];
      larger.values[slot] = map->values[i];
    }
  }
  larger.count = map->count;
  genie_pointer_map_deinit(map);
  *map = larger;
  return GENIE_OK;
}

genie_status_t genie_pointer_map_set(genie_pointer_map_t *map, const void *key, int value) {
  if (map->count * 2 >= map->capacity) {
    GENIE_RETURN_IF_ERROR(grow(map));
  }
  const int slot = slot_of(map, key);
  map->count += map->keys[slot] == NULL;
  map->keys[slot] = key;
  map->values[slot] = value;
  return GENIE_OK;
}

int genie_pointer_map_get(const genie_pointer_map_t *map, const void *key) {
  if (map->capacity == 0) {
    return -1;
  }
  const int slot = slot_of(map, key);
  return map->keys[slot] == key ? map->values[slot] : -1;
}
