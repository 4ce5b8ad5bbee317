#include <string.h>

#include "passes/place/placement_model.h"

enum {
  kNodesRun = 3000000,  // by all trials of genie_placement_improve()
};

//===-- Earliest finish -------------------------------------------------------------------------------------------===//

// The only node that makes what `node` reads, where that node's values are read by `node` alone; else NONE.
static uint32_t chain_predecessor(const genie_placement_model_t *model, uint32_t node) {
  const genie_placement_problem_t *problem = model->problem;
  uint32_t producer = GENIE_PLACEMENT_NONE;
  for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
    const uint32_t other = problem->values[problem->inputs[i]].producer;
    if (producer != GENIE_PLACEMENT_NONE && producer != other) {
      return GENIE_PLACEMENT_NONE;
    }
    producer = other;
  }
  if (producer == GENIE_PLACEMENT_NONE) {
    return GENIE_PLACEMENT_NONE;
  }
  for (uint32_t i = model->first_output[producer]; i < model->first_output[producer + 1]; ++i) {
    const uint32_t value = model->outputs[i];
    for (uint32_t k = model->first_consumer[value]; k < model->first_consumer[value + 1]; ++k) {
      if (model->consumers[k] != node) {
        return GENIE_PLACEMENT_NONE;
      }
    }
  }
  return producer;
}

// Units that are placed as one: groups, and chains where asked. unit[node] is the unit's first node; next[node] the
// unit's next node, or NONE.
static genie_status_t find_units(const genie_placement_model_t *model, bool by_chain, uint32_t **out_unit,
                                 uint32_t **out_next) {
  const uint32_t node_count = model->problem->node_count;
  uint32_t *unit, *next, *last;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, node_count, sizeof(uint32_t), (void **)&unit));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, node_count, sizeof(uint32_t), (void **)&next));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, node_count, sizeof(uint32_t), (void **)&last));
  for (uint32_t node = 0; node < node_count; ++node) {
    const uint32_t predecessor = by_chain ? chain_predecessor(model, node) : GENIE_PLACEMENT_NONE;
    unit[node] = node;
    if (model->leader[node] != node) {
      unit[node] = unit[model->leader[node]];
    } else if (predecessor != GENIE_PLACEMENT_NONE && model->leader[predecessor] == predecessor) {
      unit[node] = unit[predecessor];
    }
    next[node] = GENIE_PLACEMENT_NONE;
    if (unit[node] != node) {
      next[last[unit[node]]] = node;
    }
    last[unit[node]] = node;
  }
  *out_unit = unit;
  *out_next = next;
  return GENIE_OK;
}

typedef struct finish {
  genie_placement_model_t *model;
  const uint32_t *next;
  uint32_t *device;
  int64_t link_ns[GENIE_PLACEMENT_MAX_DEVICES][GENIE_PLACEMENT_MAX_DEVICES];
  int64_t device_ns[GENIE_PLACEMENT_MAX_DEVICES];
  uint64_t used[GENIE_PLACEMENT_MAX_DEVICES];
} finish_t;

// When `node` could start on `here`: its inputs travel without waiting for each other.
static int64_t ready_ns(const finish_t *finish, uint32_t node, uint32_t here) {
  const genie_placement_problem_t *problem = finish->model->problem;
  int64_t ready = 0;
  for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
    const genie_placement_value_t *value = &problem->values[problem->inputs[i]];
    const uint32_t from = finish->device[value->producer];
    int64_t arrival = finish->model->finish_ns[value->producer];
    if (from != here && from != GENIE_PLACEMENT_NONE) {
      arrival += problem->links[from * problem->device_count + here].latency_ns +
                 genie_placement_link_ns(problem, from, here, value->size_bytes);
    }
    ready = arrival > ready ? arrival : ready;
  }
  return ready;
}

// When the unit that begins at `node` would end on `here`, or NEVER.
static int64_t unit_finish_ns(const finish_t *finish, uint32_t node, uint32_t here, uint64_t *out_resident) {
  const genie_placement_problem_t *problem = finish->model->problem;
  int64_t time = finish->device_ns[here];
  uint64_t resident = 0;
  for (uint32_t member = node; member != GENIE_PLACEMENT_NONE; member = finish->next[member]) {
    if (!genie_placement_allows(problem, member, here)) {
      return GENIE_PLACEMENT_NEVER;
    }
    if (member == node) {
      const int64_t ready = ready_ns(finish, member, here);
      time = ready > time ? ready : time;
    }
    time += genie_placement_time(problem, member, here);
    resident += problem->resident_bytes[member];
  }
  *out_resident = resident;
  const uint64_t limit = problem->memory_limit_bytes[here];
  return resident > limit || finish->used[here] > limit - resident ? GENIE_PLACEMENT_NEVER : time;
}

genie_status_t genie_placement_earliest_finish(genie_placement_model_t *model, bool by_chain, uint32_t *device) {
  const genie_placement_problem_t *problem = model->problem;
  uint32_t *unit, *next;
  GENIE_RETURN_IF_ERROR(find_units(model, by_chain, &unit, &next));
  finish_t finish = {.model = model, .next = next, .device = device};
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    device[node] = GENIE_PLACEMENT_NONE;
  }
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    if (unit[node] == node) {
      int64_t best_ns = GENIE_PLACEMENT_NEVER;
      uint32_t best = GENIE_PLACEMENT_NONE;
      uint64_t best_resident = 0;
      for (uint32_t d = 0; d < problem->device_count; ++d) {
        uint64_t resident;
        const int64_t time = unit_finish_ns(&finish, node, d, &resident);
        if (time < best_ns) {
          best_ns = time;
          best = d;
          best_resident = resident;
        }
      }
      if (best == GENIE_PLACEMENT_NONE) {
        device[0] = GENIE_PLACEMENT_NONE;
        return GENIE_OK;
      }
      finish.used[best] += best_resident;
      for (uint32_t member = node; member != GENIE_PLACEMENT_NONE; member = next[member]) {
        device[member] = best;
      }
    }
    const uint32_t here = device[node];
    const int64_t ready = ready_ns(&finish, node, here);
    const int64_t start = ready > finish.device_ns[here] ? ready : finish.device_ns[here];
    finish.device_ns[here] = start + genie_placement_time(problem, node, here);
    model->finish_ns[node] = finish.device_ns[here];
  }
  return GENIE_OK;
}

//===-- Improvement -----------------------------------------------------------------------------------------------===//

typedef struct improve {
  genie_placement_model_t *model;
  uint32_t *device;  // the best so far
  uint32_t *trial;
  int64_t best_ns;
  uint64_t trials_left;
} improve_t;

// Takes nodes [first, last] and the groups that they are of to device `to`, if that is better.
static bool try_move(improve_t *improve, uint32_t first, uint32_t last, uint32_t to) {
  const uint32_t node_count = improve->model->problem->node_count;
  if (improve->trials_left == 0) {
    return false;
  }
  memcpy(improve->trial, improve->device, node_count * sizeof(uint32_t));
  for (uint32_t node = first; node <= last; ++node) {
    improve->trial[improve->model->leader[node]] = to;
    improve->trial[node] = to;
  }
  for (uint32_t node = 0; node < node_count; ++node) {
    improve->trial[node] = improve->trial[improve->model->leader[node]];
  }
  improve->trials_left -= 1;
  if (!genie_placement_model_is_feasible(improve->model, improve->trial)) {
    return false;
  }
  const int64_t time = genie_placement_model_latency(improve->model, improve->trial);
  if (time >= improve->best_ns) {
    return false;
  }
  improve->best_ns = time;
  memcpy(improve->device, improve->trial, node_count * sizeof(uint32_t));
  return true;
}

// Runs of equal devices as wholes, and their ends by 1, 2, 4 ... nodes to the device of the neighbouring run.
static bool move_runs(improve_t *improve) {
  const uint32_t node_count = improve->model->problem->node_count;
  bool is_better = false;
  for (uint32_t first = 0; first < node_count;) {
    uint32_t last = first;
    while (last + 1 < node_count && improve->device[last + 1] == improve->device[first]) {
      ++last;
    }
    for (uint32_t to = 0; to < improve->model->problem->device_count; ++to) {
      is_better = (to != improve->device[first] && try_move(improve, first, last, to)) || is_better;
    }
    for (uint32_t length = 1; length < last - first + 1; length *= 2) {
      if (last + 1 < node_count) {
        is_better = try_move(improve, last - length + 1, last, improve->device[last + 1]) || is_better;
      }
      if (first > 0) {
        is_better = try_move(improve, first, first + length - 1, improve->device[first - 1]) || is_better;
      }
    }
    first = last + 1;
  }
  return is_better;
}

// Nodes to where what they read comes from.
static bool move_to_producers(improve_t *improve) {
  const genie_placement_problem_t *problem = improve->model->problem;
  bool is_better = false;
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
      const uint32_t producer = problem->values[problem->inputs[i]].producer;
      if (improve->device[producer] != improve->device[node]) {
        is_better = try_move(improve, node, node, improve->device[producer]) || is_better;
        is_better = try_move(improve, producer, producer, improve->device[node]) || is_better;
      }
    }
  }
  return is_better;
}

// Single nodes to every device, where the graph is small enough to try them all.
static bool move_nodes(improve_t *improve) {
  bool is_better = false;
  for (uint32_t node = 0; node < improve->model->problem->node_count; ++node) {
    for (uint32_t to = 0; to < improve->model->problem->device_count; ++to) {
      is_better = (to != improve->device[node] && try_move(improve, node, node, to)) || is_better;
    }
  }
  return is_better;
}

genie_status_t genie_placement_improve(genie_placement_model_t *model, uint32_t *device) {
  const uint32_t node_count = model->problem->node_count;
  improve_t improve = {.model = model,
                       .device = device,
                       .best_ns = genie_placement_model_latency(model, device),
                       .trials_left = kNodesRun / (node_count + 1)};
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, node_count, sizeof(uint32_t), (void **)&improve.trial));
  while (move_runs(&improve) || move_to_producers(&improve) || move_nodes(&improve)) {
  }
  return GENIE_OK;
}
