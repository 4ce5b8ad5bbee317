#include "runtime/pool/pool.h"

#include <string.h>

#include "runtime/pool/pool_names.h"

void genie_pool_close(genie_pool_t *pool) {
  if (pool != NULL) {
    const genie_allocator_t allocator = pool->arena.allocator;
    genie_arena_deinit(&pool->arena);
    genie_allocator_free(allocator, pool);
  }
}

// ---- Looking up ----

static genie_status_t no_such_node(const genie_pool_t *pool, const char *name) {
  genie_string_builder_t names;
  genie_string_builder_init(pool->arena.allocator, &names);
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    genie_string_builder_format(&names, "%s%s", i == 0 ? "" : ", ", pool->nodes[i].name);
  }
  const genie_status_t status = genie_status_make(GENIE_STATUS_NOT_FOUND, "the pool has no node '%.64s'; it has %.400s",
                                                  name, genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

static genie_status_t no_such_device(const genie_pool_t *pool, const genie_pool_node_t *node, const char *name) {
  genie_string_builder_t names;
  genie_string_builder_init(pool->arena.allocator, &names);
  for (uint32_t i = 0; i < node->device_count; ++i) {
    genie_string_builder_format(&names, "%s%s", i == 0 ? "" : ", ", node->devices[i].name);
  }
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_NOT_FOUND, "node '%s' has no device '%.64s'; it has %.400s", node->name, name,
                        node->device_count == 0 ? "none" : genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

static bool find_name(const genie_pool_t *pool, const char *name, size_t length, uint32_t *out_node) {
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (strlen(pool->nodes[i].name) == length && memcmp(pool->nodes[i].name, name, length) == 0) {
      *out_node = i;
      return true;
    }
  }
  return false;
}

genie_status_t genie_pool_find_node(const genie_pool_t *pool, const char *name, uint32_t *out_node) {
  return find_name(pool, name, strlen(name), out_node) ? GENIE_OK : no_such_node(pool, name);
}

genie_status_t genie_pool_find_place(const genie_pool_t *pool, const char *place, uint32_t *out_node,
                                     uint32_t *out_device) {
  const char *colon = strchr(place, ':');
  if (colon == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'%.64s' is no place: write NODE:DEVICE, as in local:cpu0",
                             place);
  }
  uint32_t index = 0;
  if (!find_name(pool, place, (size_t)(colon - place), &index)) {
    char name[GENIE_POOL_MAX_NAME_BYTES + 1] = {0};
    memcpy(name, place, colon - place < GENIE_POOL_MAX_NAME_BYTES ? colon - place : GENIE_POOL_MAX_NAME_BYTES);
    return no_such_node(pool, name);
  }
  const genie_pool_node_t *node = &pool->nodes[index];
  for (uint32_t i = 0; i < node->device_count; ++i) {
    if (strcmp(node->devices[i].name, colon + 1) == 0) {
      *out_node = index;
      *out_device = i;
      return GENIE_OK;
    }
  }
  return no_such_device(pool, node, colon + 1);
}

const genie_pool_link_t *genie_pool_find_link(const genie_pool_t *pool, uint32_t from, uint32_t to) {
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    if (pool->links[i].from == from && pool->links[i].to == to) {
      return &pool->links[i];
    }
  }
  return NULL;
}

const char *genie_pool_carrier_name(genie_pool_carrier_t carrier) {
  return carrier == GENIE_POOL_CARRIER_UCX ? "ucx" : "stream";
}

// ---- Changing ----

static genie_status_t copy_device(genie_pool_t *pool, const genie_pool_device_t *device,
                                  genie_pool_device_t *out_copy) {
  char *name = NULL, *kind = NULL;
  if (!genie_pool_is_name(device->name) || !genie_pool_is_name(device->kind)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "a device cannot have the name '%.64s' and the kind '%.64s'", device->name, device->kind);
  }
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&pool->arena, device->name, strlen(device->name), &name));
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&pool->arena, device->kind, strlen(device->kind), &kind));
  *out_copy = *device;
  out_copy->name = name;
  out_copy->kind = kind;
  return GENIE_OK;
}

genie_status_t genie_pool_set_devices(genie_pool_t *pool, uint32_t node, const genie_pool_device_t *devices,
                                      uint32_t device_count) {
  if (device_count > GENIE_POOL_MAX_DEVICES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "a node has at most %d devices", GENIE_POOL_MAX_DEVICES);
  }
  void *copies = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&pool->arena, device_count, sizeof(genie_pool_device_t), &copies));
  for (uint32_t i = 0; i < device_count; ++i) {
    GENIE_RETURN_IF_ERROR(copy_device(pool, &devices[i], (genie_pool_device_t *)copies + i));
  }
  pool->nodes[node].devices = copies;
  pool->nodes[node].device_count = device_count;
  pool->nodes[node].is_implied = false;
  return GENIE_OK;
}

genie_status_t genie_pool_set_link(genie_pool_t *pool, const genie_pool_link_t *link) {
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    if (pool->links[i].from == link->from && pool->links[i].to == link->to) {
      pool->links[i] = *link;
      return GENIE_OK;
    }
  }
  if (pool->link_count == GENIE_POOL_MAX_LINKS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "a pool has at most %d links", GENIE_POOL_MAX_LINKS);
  }
  void *links = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&pool->arena, pool->link_count + 1, sizeof(*link), &links));
  if (pool->link_count > 0) {
    memcpy(links, pool->links, pool->link_count * sizeof(*link));
  }
  pool->links = links;
  pool->links[pool->link_count++] = *link;
  return GENIE_OK;
}
