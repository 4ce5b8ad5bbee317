#include "passes/place/placement_model.h"

// For each node, the last node of all groups that begin at or before it.
static genie_status_t find_group_ends(const genie_placement_model_t *model, uint32_t **out_end) {
  const uint32_t node_count = model->problem->node_count;
  uint32_t *end;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, (size_t)node_count + 1, sizeof(uint32_t), (void **)&end));
  for (uint32_t node = 0; node < node_count; ++node) {
    end[model->leader[node]] = node;
  }
  for (uint32_t node = 1; node < node_count; ++node) {
    end[node] = end[node] > end[node - 1] ? end[node] : end[node - 1];
  }
  *out_end = end;
  return GENIE_OK;
}

// The last node that reads what `node` makes, or `node` itself. A node that nobody waits for holds the rest of the
// graph together: its work may last until the end.
static uint32_t last_reader(const genie_placement_model_t *model, uint32_t node) {
  uint32_t last = node;
  for (uint32_t i = model->first_output[node]; i < model->first_output[node + 1]; ++i) {
    const uint32_t value = model->outputs[i];
    if (model->first_consumer[value + 1] > model->first_consumer[value]) {
      const uint32_t reader = model->consumers[model->first_consumer[value + 1] - 1];
      last = reader > last ? reader : last;
    }
  }
  return last == node ? GENIE_PLACEMENT_NONE : last;
}

genie_status_t genie_placement_cuts(const genie_placement_model_t *model, uint32_t **out_cuts, uint32_t *out_count) {
  const genie_placement_problem_t *problem = model->problem;
  uint32_t *cuts;
  uint32_t *group_end;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&cuts));
  GENIE_RETURN_IF_ERROR(find_group_ends(model, &group_end));
  uint32_t count = 0;
  uint32_t reach = 0;  // the last node that reads what earlier nodes have made
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    const bool is_source = problem->first_input[node] == problem->first_input[node + 1];
    if (is_source && node > 0) {
      count = 0;  // its paths begin here: they go through none of the earlier nodes
    }
    if (reach <= node && !(is_source && node > 0) && group_end[node] <= node) {
      cuts[count++] = node;
    }
    const uint32_t last = last_reader(model, node);
    reach = last > reach ? last : reach;
  }
  if (problem->node_count > 0 && (count == 0 || cuts[count - 1] != problem->node_count - 1)) {
    cuts[count++] = problem->node_count - 1;
  }
  *out_cuts = cuts;
  *out_count = count;
  return GENIE_OK;
}
