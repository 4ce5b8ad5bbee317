#include <string.h>

#include "passes/place/placement_model.h"

enum { kNodesTried = 4000000 };

typedef struct saver {
  const genie_placement_problem_t *problem;
  genie_placement_model_t model;
  genie_arena_t *arena;
  int64_t allowed_ns;
  uint32_t *device;  // the best so far
  uint32_t *trial;
  uint64_t best_bytes;
  uint64_t trials_left;
} saver_t;

// What crosses between devices.
static uint64_t traffic_bytes(const saver_t *saver, const uint32_t *device) {
  const genie_placement_problem_t *problem = saver->problem;
  uint64_t bytes = 0;
  for (uint32_t value = 0; value < problem->value_count; ++value) {
    uint64_t sent = UINT64_C(1) << device[problem->values[value].producer];
    for (uint32_t i = saver->model.first_consumer[value]; i < saver->model.first_consumer[value + 1]; ++i) {
      const uint32_t to = device[saver->model.consumers[i]];
      bytes += (sent >> to & 1) == 0 ? problem->values[value].size_bytes : 0;
      sent |= UINT64_C(1) << to;
    }
  }
  return bytes;
}

// Takes nodes [first, last] to device `to` if that saves bytes and is allowed.
static bool try_move(saver_t *saver, uint32_t first, uint32_t last, uint32_t to) {
  const uint32_t count = saver->problem->node_count;
  if (saver->trials_left == 0) {
    return false;
  }
  saver->trials_left -= 1;
  memcpy(saver->trial, saver->device, count * sizeof(uint32_t));
  for (uint32_t node = first; node <= last; ++node) {
    saver->trial[node] = to;
  }
  const uint64_t bytes = traffic_bytes(saver, saver->trial);
  if (bytes >= saver->best_bytes || !genie_placement_model_is_feasible(&saver->model, saver->trial) ||
      genie_placement_model_latency(&saver->model, saver->trial) > saver->allowed_ns) {
    return false;
  }
  saver->best_bytes = bytes;
  memcpy(saver->device, saver->trial, count * sizeof(uint32_t));
  return true;
}

// Each run of nodes on one device to the devices of the runs beside it.
static bool move_runs(saver_t *saver) {
  const uint32_t count = saver->problem->node_count;
  bool is_better = false;
  for (uint32_t first = 0; first < count;) {
    uint32_t last = first;
    while (last + 1 < count && saver->device[last + 1] == saver->device[first]) {
      ++last;
    }
    if (first > 0) {
      is_better = try_move(saver, first, last, saver->device[first - 1]) || is_better;
    }
    if (last + 1 < count) {
      is_better = try_move(saver, first, last, saver->device[last + 1]) || is_better;
    }
    first = last + 1;
  }
  return is_better;
}

// Single nodes to where what they read was made, and to where what they make is read.
static bool move_nodes(saver_t *saver) {
  const genie_placement_problem_t *problem = saver->problem;
  bool is_better = false;
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
      const uint32_t producer = problem->values[problem->inputs[i]].producer;
      if (saver->device[producer] != saver->device[node]) {
        is_better = try_move(saver, node, node, saver->device[producer]) || is_better;
      }
      if (saver->device[producer] != saver->device[node]) {
        is_better = try_move(saver, producer, producer, saver->device[node]) || is_better;
      }
    }
  }
  return is_better;
}

genie_status_t genie_placement_save_traffic(const genie_placement_problem_t *problem, int64_t allowed_ns,
                                            genie_arena_t *arena, genie_placement_t *placement) {
  saver_t saver = {.problem = problem,
                   .arena = arena,
                   .allowed_ns = allowed_ns,
                   .device = placement->device,
                   .trials_left = kNodesTried / (problem->node_count + 1)};
  GENIE_RETURN_IF_ERROR(genie_placement_model_init(problem, arena, &saver.model));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&saver.trial));
  saver.best_bytes = traffic_bytes(&saver, saver.device);
  while (move_runs(&saver) || move_nodes(&saver)) {
  }
  GENIE_RETURN_IF_ERROR(genie_placement_evaluate(problem, placement->device, arena, &placement->cost));
  placement->is_optimal = placement->is_optimal && placement->cost.latency_ns <= placement->bound_ns;
  return GENIE_OK;
}
