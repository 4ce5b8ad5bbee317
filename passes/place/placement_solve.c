#include <inttypes.h>
#include <string.h>

#include "passes/place/placement_model.h"

typedef struct candidates {
  genie_placement_model_t *model;
  uint32_t *best;
  uint32_t *trial;
  int64_t best_ns;
} candidates_t;

static void consider(candidates_t *candidates) {
  if (candidates->trial[0] == GENIE_PLACEMENT_NONE ||
      !genie_placement_model_is_feasible(candidates->model, candidates->trial)) {
    return;
  }
  const int64_t time = genie_placement_model_latency(candidates->model, candidates->trial);
  if (time < candidates->best_ns) {
    candidates->best_ns = time;
    memcpy(candidates->best, candidates->trial, candidates->model->problem->node_count * sizeof(uint32_t));
  }
}

// As consider(), after the candidate was improved.
static genie_status_t improve_and_consider(candidates_t *candidates) {
  if (candidates->trial[0] == GENIE_PLACEMENT_NONE ||
      !genie_placement_model_is_feasible(candidates->model, candidates->trial)) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_placement_improve(candidates->model, candidates->trial));
  consider(candidates);
  return GENIE_OK;
}

static genie_status_t no_assignment(const genie_placement_problem_t *problem) {
  uint64_t needed = 0;
  uint64_t limit = 0;
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    needed += problem->resident_bytes[node];
  }
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    limit = problem->memory_limit_bytes[d] > UINT64_MAX - limit ? UINT64_MAX : limit + problem->memory_limit_bytes[d];
  }
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                           "no placement was found that fits the devices: weights and state are %" PRIu64
                           " bytes, the devices hold %" PRIu64 " together; use more devices or lift pinned ones",
                           needed, limit);
}

static genie_status_t search(candidates_t *candidates) {
  genie_placement_model_t *model = candidates->model;
  const genie_placement_problem_t *problem = model->problem;
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    for (uint32_t node = 0; node < problem->node_count; ++node) {
      const bool is_pinned = problem->pin != NULL && problem->pin[model->leader[node]] != GENIE_PLACEMENT_NONE;
      candidates->trial[node] = is_pinned ? problem->pin[model->leader[node]] : d;
    }
    consider(candidates);
  }
  if (candidates->best_ns != GENIE_PLACEMENT_NEVER) {
    memcpy(candidates->trial, candidates->best, problem->node_count * sizeof(uint32_t));
    GENIE_RETURN_IF_ERROR(improve_and_consider(candidates));
  }
  for (int by_chain = 0; by_chain < 2; ++by_chain) {
    GENIE_RETURN_IF_ERROR(genie_placement_earliest_finish(model, by_chain != 0, candidates->trial));
    GENIE_RETURN_IF_ERROR(improve_and_consider(candidates));
  }
  return GENIE_OK;
}

genie_status_t genie_placement_solve(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                     genie_placement_t *out_placement) {
  *out_placement = (genie_placement_t){0};
  GENIE_RETURN_IF_ERROR(genie_placement_check(problem));
  genie_placement_model_t model;
  GENIE_RETURN_IF_ERROR(genie_placement_model_init(problem, arena, &model));
  candidates_t candidates = {.model = &model, .best_ns = GENIE_PLACEMENT_NEVER};
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&candidates.best));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&candidates.trial));
  out_placement->device = candidates.best;
  if (problem->node_count == 0) {
    out_placement->is_optimal = true;
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_placement_serial(&model, candidates.trial, &out_placement->is_optimal));
  if (out_placement->is_optimal) {
    consider(&candidates);
  } else {
    GENIE_RETURN_IF_ERROR(improve_and_consider(&candidates));
    GENIE_RETURN_IF_ERROR(search(&candidates));
  }
  if (candidates.best_ns == GENIE_PLACEMENT_NEVER) {
    return no_assignment(problem);
  }
  GENIE_RETURN_IF_ERROR(genie_placement_evaluate(problem, candidates.best, arena, &out_placement->cost));
  out_placement->bound_ns = candidates.best_ns;
  if (!out_placement->is_optimal) {
    GENIE_RETURN_IF_ERROR(genie_placement_bound(&model, &out_placement->bound_ns));
    out_placement->is_optimal = out_placement->bound_ns >= candidates.best_ns;
  }
  return GENIE_OK;
}
