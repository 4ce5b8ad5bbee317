// A latency that no assignment can undercut.
//
// Segments between cuts run one after another, so the bound adds up over them, by the device of each cut. Within a
// segment it is the larger of two relaxations: the longest path when every node and every transfer has all it needs to
// itself, each reader's best device for its producer; and the work of the segment shared as evenly as one may divide
// it.
#include <string.h>

#include "passes/place/placement_model.h"

enum { kRounds = 40 };

static int64_t max_ns(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static int64_t add_ns(int64_t a, int64_t b) {
  return a > GENIE_PLACEMENT_NEVER - b ? GENIE_PLACEMENT_NEVER : a + b;
}

//===-- Work ------------------------------------------------------------------------------------------------------===//

// Work that devices share, by linear programming's dual: whatever the weights of the devices are, the busiest device is
// busy for at least the sum of each node's least weighted time. `out_load` gets what each device would then have.
static double weighted_work(const genie_placement_problem_t *problem, uint32_t first, uint32_t end,
                            const double *weight, double *out_load) {
  double sum = 0;
  memset(out_load, 0, problem->device_count * sizeof(double));
  for (uint32_t node = first; node < end; ++node) {
    uint32_t best = GENIE_PLACEMENT_NONE;
    double least = 0;
    for (uint32_t d = 0; d < problem->device_count; ++d) {
      if (genie_placement_allows(problem, node, d)) {
        const double time = weight[d] * (double)genie_placement_time(problem, node, d);
        if (best == GENIE_PLACEMENT_NONE || time < least) {
          best = d;
          least = time;
        }
      }
    }
    if (best != GENIE_PLACEMENT_NONE) {
      sum += least;
      out_load[best] += (double)genie_placement_time(problem, node, best);
    }
  }
  return sum;
}

// Weights that make the bound large: more for devices that get more than their share.
static int64_t shared_work(const genie_placement_problem_t *problem, uint32_t first, uint32_t end) {
  double weight[GENIE_PLACEMENT_MAX_DEVICES];
  double load[GENIE_PLACEMENT_MAX_DEVICES];
  double best = 0;
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    weight[d] = 1.0 / problem->device_count;
  }
  for (int round = 0; round < kRounds && end > first; ++round) {
    const double bound = weighted_work(problem, first, end, weight, load);
    best = bound > best ? bound : best;
    double most = 0;
    double sum = 0;
    for (uint32_t d = 0; d < problem->device_count; ++d) {
      most = load[d] > most ? load[d] : most;
    }
    for (uint32_t d = 0; d < problem->device_count && most > 0; ++d) {
      weight[d] *= 0.5 + load[d] / most / (1 + 0.1 * round);
      sum += weight[d];
    }
    for (uint32_t d = 0; d < problem->device_count && sum > 0; ++d) {
      weight[d] /= sum;
    }
  }
  return (int64_t)(best * (1 - 1e-12));
}

//===-- Paths -----------------------------------------------------------------------------------------------------===//

typedef struct paths {
  const genie_placement_problem_t *problem;
  int64_t *end_ns;  // [node_count, device_count] when a node can have ended there at the earliest
} paths_t;

// When `value` can be on device `to` at the earliest.
static int64_t arrival_ns(const paths_t *paths, uint32_t value, uint32_t to) {
  const genie_placement_problem_t *problem = paths->problem;
  const uint32_t producer = problem->values[value].producer;
  int64_t least = GENIE_PLACEMENT_NEVER;
  for (uint32_t from = 0; from < problem->device_count; ++from) {
    int64_t time = paths->end_ns[(size_t)producer * problem->device_count + from];
    if (time != GENIE_PLACEMENT_NEVER && from != to) {
      time = add_ns(time, genie_placement_link_ns(problem, from, to, problem->values[value].size_bytes));
      time = add_ns(time, problem->links[from * problem->device_count + to].latency_ns);
    }
    least = time < least ? time : least;
  }
  return least;
}

static void run_paths(const paths_t *paths, uint32_t first, uint32_t last) {
  const genie_placement_problem_t *problem = paths->problem;
  for (uint32_t node = first; node <= last; ++node) {
    for (uint32_t d = 0; d < problem->device_count; ++d) {
      int64_t time = 0;
      const bool is_allowed = genie_placement_allows(problem, node, d);
      for (uint32_t i = problem->first_input[node]; is_allowed && i < problem->first_input[node + 1]; ++i) {
        time = max_ns(time, arrival_ns(paths, problem->inputs[i], d));
      }
      paths->end_ns[(size_t)node * problem->device_count + d] =
          is_allowed ? add_ns(time, genie_placement_time(problem, node, d)) : GENIE_PLACEMENT_NEVER;
    }
  }
}

//===-- The bound -------------------------------------------------------------------------------------------------===//

// Lowers `after[d]`, the bound when cut `last` has ended on d, by what follows from `before_ns` at the cut before.
static void extend(const paths_t *paths, uint32_t first, uint32_t last, int64_t work_ns, int64_t before_ns,
                   int64_t *after) {
  const genie_placement_problem_t *problem = paths->problem;
  run_paths(paths, first, last);
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    const int64_t path = paths->end_ns[(size_t)last * problem->device_count + d];
    if (path != GENIE_PLACEMENT_NEVER) {
      const int64_t time = add_ns(before_ns, max_ns(path, add_ns(work_ns, genie_placement_time(problem, last, d))));
      after[d] = time < after[d] ? time : after[d];
    }
  }
}

static void extend_from_all(const paths_t *paths, uint32_t first, uint32_t last, int64_t *bound) {
  const uint32_t device_count = paths->problem->device_count;
  int64_t after[GENIE_PLACEMENT_MAX_DEVICES];
  const int64_t work_ns = shared_work(paths->problem, first, last);
  for (uint32_t d = 0; d < device_count; ++d) {
    after[d] = GENIE_PLACEMENT_NEVER;
  }
  if (first == 0) {
    extend(paths, first, last, work_ns, 0, after);
  }
  for (uint32_t from = 0; first > 0 && from < device_count; ++from) {
    if (bound[from] == GENIE_PLACEMENT_NEVER) {
      continue;
    }
    for (uint32_t d = 0; d < device_count; ++d) {
      paths->end_ns[(size_t)(first - 1) * device_count + d] = d == from ? 0 : GENIE_PLACEMENT_NEVER;
    }
    extend(paths, first, last, work_ns, bound[from], after);
  }
  memcpy(bound, after, device_count * sizeof(int64_t));
}

genie_status_t genie_placement_bound(genie_placement_model_t *model, int64_t *out_bound_ns) {
  const genie_placement_problem_t *problem = model->problem;
  paths_t paths = {.problem = problem};
  uint32_t *cuts;
  uint32_t cut_count;
  int64_t bound[GENIE_PLACEMENT_MAX_DEVICES] = {0};
  GENIE_RETURN_IF_ERROR(genie_placement_cuts(model, &cuts, &cut_count));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, (size_t)problem->node_count * problem->device_count + 1,
                                             sizeof(int64_t), (void **)&paths.end_ns));
  for (uint32_t cut = 0; cut < cut_count; ++cut) {
    extend_from_all(&paths, cut == 0 ? 0 : cuts[cut - 1] + 1, cuts[cut], bound);
  }
  *out_bound_ns = GENIE_PLACEMENT_NEVER;
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    *out_bound_ns = bound[d] < *out_bound_ns ? bound[d] : *out_bound_ns;
  }
  *out_bound_ns = *out_bound_ns == GENIE_PLACEMENT_NEVER || cut_count == 0 ? 0 : *out_bound_ns;
  return GENIE_OK;
}
