#include "remote_exec/client/placement.h"

#include <string.h>

// Where the caller puts a place; NULL: where the plan does.
static const char *find_mapped(const genie_remote_options_t *options, const char *place) {
  const size_t length = strlen(place);
  for (uint32_t i = 0; i < options->place_map_count; ++i) {
    const char *pair = options->place_map[i];
    if (strncmp(pair, place, length) == 0 && pair[length] == '=') {
      return pair + length + 1;
    }
  }
  return NULL;
}

static bool has_place(const genie_plan_t *plan, const char *pair, size_t length) {
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    const char *name = genie_plan_string(plan, plan->places[i].name);
    if (strlen(name) == length && memcmp(name, pair, length) == 0) {
      return true;
    }
  }
  return false;
}

static genie_status_t check_map(const genie_plan_t *plan, const genie_remote_options_t *options) {
  for (uint32_t i = 0; i < options->place_map_count; ++i) {
    const char *pair = options->place_map[i];
    const char *equals = strchr(pair, '=');
    if (equals == NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'%.100s': a place is moved by PLACE=NODE:DEVICE", pair);
    }
    if (!has_place(plan, pair, (size_t)(equals - pair))) {
      return genie_status_make(GENIE_STATUS_NOT_FOUND, "the plan has no place '%.*s'; its first is '%.64s'",
                               (int)(equals - pair), pair, genie_plan_string(plan, plan->places[0].name));
    }
  }
  return GENIE_OK;
}

static genie_status_t resolve_place(const genie_plan_t *plan, const genie_pool_t *pool,
                                    const genie_remote_options_t *options, uint32_t place,
                                    genie_placement_t *out_placement) {
  const char *name = genie_plan_string(plan, plan->places[place].name);
  const char *kind = genie_plan_string(plan, plan->places[place].device_kind);
  const char *mapped = find_mapped(options, name);
  mapped = mapped != NULL ? mapped : name;
  GENIE_RETURN_IF_ERROR(genie_status_annotate(
      genie_pool_find_place(pool, mapped, &out_placement->node, &out_placement->device), "place '%s'", name));
  const genie_pool_device_t *device = &pool->nodes[out_placement->node].devices[out_placement->device];
  if (strcmp(device->kind, kind) != 0 && strcmp(device->kind, "null") != 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                             "place '%s' is planned for a device of kind '%s', '%s' is one of kind '%s'", name, kind,
                             mapped, device->kind);
  }
  return GENIE_OK;
}

genie_status_t genie_placement_resolve(const genie_plan_t *plan, const genie_pool_t *pool,
                                       const genie_remote_options_t *options, genie_placement_t *out_placements) {
  GENIE_RETURN_IF_ERROR(check_map(plan, options));
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    GENIE_RETURN_IF_ERROR(resolve_place(plan, pool, options, i, &out_placements[i]));
  }
  return GENIE_OK;
}

// ---- After a loss ----

static bool is_in_use(const genie_plan_t *plan, const genie_placement_t *placements, uint32_t node) {
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    if (placements[i].node == node) {
      return true;
    }
  }
  return false;
}

static bool find_device(const genie_pool_node_t *node, const char *kind, uint32_t *out_device) {
  for (uint32_t i = 0; i < node->device_count; ++i) {
    if (strcmp(node->devices[i].kind, kind) == 0) {
      *out_device = i;
      return true;
    }
  }
  return false;
}

// Whether `node` has a device for each place of `lost_node`; then the places are moved.
static bool try_node(const genie_plan_t *plan, const genie_pool_t *pool, uint32_t lost_node, uint32_t node,
                     genie_placement_t *placements) {
  uint32_t device = 0;
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    const char *kind = genie_plan_string(plan, plan->places[i].device_kind);
    if (placements[i].node == lost_node && !find_device(&pool->nodes[node], kind, &device)) {
      return false;
    }
  }
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    const char *kind = genie_plan_string(plan, plan->places[i].device_kind);
    if (placements[i].node == lost_node && find_device(&pool->nodes[node], kind, &device)) {
      placements[i] = (genie_placement_t){.node = node, .device = device};
    }
  }
  return true;
}

genie_status_t genie_placement_move(const genie_plan_t *plan, const genie_pool_t *pool, uint32_t lost_node,
                                    const bool *is_excluded, genie_placement_t *placements) {
  for (uint32_t node = 0; node < pool->node_count; ++node) {
    if (node != lost_node && pool->nodes[node].address != NULL && !is_excluded[node] &&
        !is_in_use(plan, placements, node) && try_node(plan, pool, lost_node, node, placements)) {
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "no other node of the pool can hold the places of node '%s'",
                           pool->nodes[lost_node].name);
}
