// Pipelines: the segments between cuts, in order, become stages; only what a cut makes crosses from a stage to the
// next.
//
// best[set, last, k]: the least bottleneck when the stages so far cover the segments up to cut k, run on the devices of
// `set`, and the last of them is on `last`. A stage more takes a device that is not in the set.
#include <string.h>

#include "passes/place/placement_model.h"

enum {
  kMaxStages = 10,       // devices among which all orders are tried
  kMaxSteps = 60000000,  // extensions tried; cuts are thinned out until they fit
};

typedef struct pipeline {
  genie_placement_model_t *model;
  uint32_t devices[kMaxStages];  // the problem's numbers of the devices in use
  uint32_t device_count;
  uint32_t *cuts;  // the last node of each segment
  uint32_t cut_count;
  int64_t *time_ns;    // [cut_count + 1, device_count] of all nodes up to a cut; NEVER once one cannot run there
  uint64_t *resident;  // [cut_count + 1]
  int64_t *send_ns;    // [cut_count, device_count, device_count] what a cut makes, on a link
  int64_t *best;       // [set, last, cut]
  uint32_t *from;      // the predecessor's (last, cut) as last * cut_count + cut, or NONE
} pipeline_t;

// The `kMaxStages` devices that run the whole soonest, in their order.
static void choose_devices(pipeline_t *pipeline) {
  const genie_placement_problem_t *problem = pipeline->model->problem;
  double speed[GENIE_PLACEMENT_MAX_DEVICES] = {0};
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    for (uint32_t node = 0; node < problem->node_count; ++node) {
      speed[d] += (double)genie_placement_time(problem, node, d);
    }
  }
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    uint32_t faster = 0;
    for (uint32_t e = 0; e < problem->device_count; ++e) {
      faster += speed[e] < speed[d] || (speed[e] == speed[d] && e < d);
    }
    if (faster < kMaxStages) {
      pipeline->devices[pipeline->device_count++] = d;
    }
  }
}

// Keeps evenly spaced cuts, the last among them. True when all stayed.
static bool thin_out_cuts(pipeline_t *pipeline) {
  const uint64_t per_pair = ((uint64_t)1 << pipeline->device_count) * pipeline->device_count * pipeline->device_count;
  uint32_t allowed = 2;
  while ((uint64_t)(allowed + 1) * (allowed + 1) / 2 * per_pair <= kMaxSteps) {
    ++allowed;
  }
  if (pipeline->cut_count <= allowed) {
    return true;
  }
  for (uint32_t i = 0; i < allowed; ++i) {
    pipeline->cuts[i] = pipeline->cuts[(uint64_t)(i + 1) * pipeline->cut_count / allowed - 1];
  }
  pipeline->cut_count = allowed;
  return false;
}

static int64_t add_ns(int64_t a, int64_t b) {
  return a > GENIE_PLACEMENT_NEVER - b ? GENIE_PLACEMENT_NEVER : a + b;
}

static genie_status_t sum_up(pipeline_t *pipeline) {
  const genie_placement_problem_t *problem = pipeline->model->problem;
  genie_arena_t *arena = pipeline->model->arena;
  const uint32_t n = pipeline->device_count;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, ((size_t)pipeline->cut_count + 1) * n, sizeof(int64_t), (void **)&pipeline->time_ns));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)pipeline->cut_count + 1, sizeof(uint64_t), (void **)&pipeline->resident));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)pipeline->cut_count * n * n, sizeof(int64_t), (void **)&pipeline->send_ns));
  uint32_t node = 0;
  for (uint32_t cut = 0; cut < pipeline->cut_count; ++cut) {
    int64_t *now = &pipeline->time_ns[(size_t)(cut + 1) * n];
    memset(now, 0, n * sizeof(int64_t));
    for (; node <= pipeline->cuts[cut]; ++node) {
      for (uint32_t d = 0; d < n; ++d) {
        now[d] = genie_placement_allows(problem, node, pipeline->devices[d])
                     ? add_ns(now[d], genie_placement_time(problem, node, pipeline->devices[d]))
                     : GENIE_PLACEMENT_NEVER;
      }
      pipeline->resident[cut + 1] += problem->resident_bytes[node];
    }
    uint64_t bytes = 0;
    for (uint32_t i = pipeline->model->first_output[pipeline->cuts[cut]];
         i < pipeline->model->first_output[pipeline->cuts[cut] + 1]; ++i) {
      const uint32_t value = pipeline->model->outputs[i];
      const bool is_read = pipeline->model->first_consumer[value] < pipeline->model->first_consumer[value + 1];
      bytes += is_read ? problem->values[value].size_bytes : 0;
    }
    for (uint32_t a = 0; a < n; ++a) {
      for (uint32_t b = 0; b < n; ++b) {
        pipeline->send_ns[((size_t)cut * n + a) * n + b] =
            a == b ? 0 : genie_placement_link_ns(problem, pipeline->devices[a], pipeline->devices[b], bytes);
      }
    }
  }
  return GENIE_OK;
}

// The time of segments (from, to] on device `d`, counted in cuts from 1; NEVER where they do not fit.
static int64_t stage_ns(const pipeline_t *pipeline, uint32_t from, uint32_t to, uint32_t d) {
  int64_t time = 0;
  uint64_t resident = 0;
  for (uint32_t cut = from + 1; cut <= to; ++cut) {
    time = add_ns(time, pipeline->time_ns[(size_t)cut * pipeline->device_count + d]);
    resident += pipeline->resident[cut];
  }
  return resident > pipeline->model->problem->memory_limit_bytes[pipeline->devices[d]] ? GENIE_PLACEMENT_NEVER : time;
}

static int64_t max_ns(int64_t a, int64_t b) {
  return a > b ? a : b;
}

// Extends every pipeline of (set, last) by a stage on `d`.
static void extend(pipeline_t *pipeline, const int64_t *stage, uint32_t set, uint32_t last, uint32_t d) {
  const uint32_t n = pipeline->device_count;
  const uint32_t cuts = pipeline->cut_count;
  const int64_t *best = &pipeline->best[((size_t)set * n + last) * cuts];
  const size_t target = ((size_t)(set | 1u << d) * n + d) * cuts;
  for (uint32_t from = 0; from + 1 < cuts; ++from) {
    if (best[from] == GENIE_PLACEMENT_NEVER) {
      continue;
    }
    const int64_t floor = max_ns(best[from], pipeline->send_ns[((size_t)from * n + last) * n + d]);
    for (uint32_t to = from + 1; to < cuts; ++to) {
      const int64_t time = max_ns(floor, stage[((size_t)d * (cuts + 1) + from + 1) * (cuts + 1) + to + 1]);
      if (time < pipeline->best[target + to]) {
        pipeline->best[target + to] = time;
        pipeline->from[target + to] = last * cuts + from;
      }
    }
  }
}

static genie_status_t run(pipeline_t *pipeline) {
  genie_arena_t *arena = pipeline->model->arena;
  const uint32_t n = pipeline->device_count;
  const uint32_t cuts = pipeline->cut_count;
  const size_t states = ((size_t)1 << n) * n * cuts;
  int64_t *stage;  // [device, from, to]
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)n * (cuts + 1) * (cuts + 1), sizeof(int64_t), (void **)&stage));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, states, sizeof(int64_t), (void **)&pipeline->best));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, states, sizeof(uint32_t), (void **)&pipeline->from));
  for (size_t i = 0; i < states; ++i) {
    pipeline->best[i] = GENIE_PLACEMENT_NEVER;
    pipeline->from[i] = GENIE_PLACEMENT_NONE;
  }
  for (uint32_t d = 0; d < n; ++d) {
    for (uint32_t from = 0; from < cuts; ++from) {
      for (uint32_t to = from + 1; to <= cuts; ++to) {
        stage[((size_t)d * (cuts + 1) + from) * (cuts + 1) + to] = stage_ns(pipeline, from, to, d);
      }
    }
    for (uint32_t to = 0; to < cuts; ++to) {
      pipeline->best[(((size_t)1 << d) * n + d) * cuts + to] = stage[(size_t)d * (cuts + 1) * (cuts + 1) + to + 1];
    }
  }
  for (uint32_t set = 1; set < 1u << n; ++set) {
    for (uint32_t last = 0; last < n; ++last) {
      for (uint32_t d = 0; d < n && (set >> last & 1) != 0; ++d) {
        if ((set >> d & 1) == 0) {
          extend(pipeline, stage, set, last, d);
        }
      }
    }
  }
  return GENIE_OK;
}

// The best whole pipeline as an assignment; false where there is none.
static bool read_back(const pipeline_t *pipeline, uint32_t *device) {
  const uint32_t n = pipeline->device_count;
  const uint32_t cuts = pipeline->cut_count;
  uint32_t set = 0;
  uint32_t last = 0;
  int64_t best = GENIE_PLACEMENT_NEVER;
  for (uint32_t s = 1; s < 1u << n; ++s) {
    for (uint32_t d = 0; d < n; ++d) {
      const int64_t time = pipeline->best[((size_t)s * n + d) * cuts + cuts - 1];
      if (time < best) {
        best = time;
        set = s;
        last = d;
      }
    }
  }
  uint32_t cut = cuts - 1;
  while (best != GENIE_PLACEMENT_NEVER) {
    const uint32_t from = pipeline->from[((size_t)set * n + last) * cuts + cut];
    const bool is_first = from == GENIE_PLACEMENT_NONE;
    const uint32_t first = is_first ? 0 : pipeline->cuts[from % cuts] + 1;
    for (uint32_t node = first; node <= pipeline->cuts[cut]; ++node) {
      device[node] = pipeline->devices[last];
    }
    if (is_first) {
      return true;
    }
    set &= ~(1u << last);
    last = from / cuts;
    cut = from % cuts;
  }
  return false;
}

genie_status_t genie_placement_solve_pipeline(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                              genie_placement_t *out_placement) {
  *out_placement = (genie_placement_t){0};
  GENIE_RETURN_IF_ERROR(genie_placement_check(problem));
  genie_placement_model_t model;
  GENIE_RETURN_IF_ERROR(genie_placement_model_init(problem, arena, &model));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&out_placement->device));
  if (problem->node_count == 0) {
    out_placement->is_optimal = true;
    return GENIE_OK;
  }
  pipeline_t pipeline = {.model = &model};
  choose_devices(&pipeline);
  GENIE_RETURN_IF_ERROR(genie_placement_cuts(&model, &pipeline.cuts, &pipeline.cut_count));
  out_placement->is_optimal = thin_out_cuts(&pipeline) && pipeline.device_count == problem->device_count;
  GENIE_RETURN_IF_ERROR(sum_up(&pipeline));
  GENIE_RETURN_IF_ERROR(run(&pipeline));
  if (!read_back(&pipeline, out_placement->device)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                             "no pipeline fits the memory of the devices; use more devices or lift pinned ones");
  }
  GENIE_RETURN_IF_ERROR(genie_placement_evaluate(problem, out_placement->device, arena, &out_placement->cost));
  out_placement->bound_ns = out_placement->is_optimal ? out_placement->cost.bottleneck_ns : 0;
  return GENIE_OK;
}
