#include "passes/place/placement_model.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static genie_status_t check_nodes(const genie_placement_problem_t *problem) {
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    bool can_run = false;
    for (uint32_t device = 0; device < problem->device_count; ++device) {
      const int64_t time = genie_placement_time(problem, node, device);
      if (time != GENIE_PLACEMENT_NEVER && (time < 0 || time > GENIE_PLACEMENT_MAX_NS)) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node %" PRIu32 " takes %" PRId64 " ns", node, time);
      }
      can_run = can_run || time != GENIE_PLACEMENT_NEVER;
    }
    if (!can_run) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no device can run node %" PRIu32, node);
    }
    if (problem->group != NULL && problem->group[node] != GENIE_PLACEMENT_NONE &&
        problem->group[node] >= problem->node_count) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node %" PRIu32 " is of a group without a place", node);
    }
    if (problem->pin != NULL && problem->pin[node] != GENIE_PLACEMENT_NONE &&
        problem->pin[node] >= problem->device_count) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node %" PRIu32 " is pinned to no device", node);
    }
    if (problem->first_input[node] > problem->first_input[node + 1]) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the inputs of node %" PRIu32 " run backwards", node);
    }
    for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
      if (problem->inputs[i] >= problem->value_count || problem->values[problem->inputs[i]].producer >= node) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "node %" PRIu32 " reads a value that no earlier node makes", node);
      }
    }
  }
  return GENIE_OK;
}

genie_status_t genie_placement_check(const genie_placement_problem_t *problem) {
  if (problem->device_count == 0 || problem->device_count > GENIE_PLACEMENT_MAX_DEVICES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "placement over %" PRIu32 " devices; 1 to %d are possible",
                             problem->device_count, GENIE_PLACEMENT_MAX_DEVICES);
  }
  if (problem->node_count > GENIE_PLACEMENT_MAX_NODES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "placement of %" PRIu32 " nodes; at most %d are possible",
                             problem->node_count, GENIE_PLACEMENT_MAX_NODES);
  }
  for (uint32_t from = 0; from < problem->device_count; ++from) {
    for (uint32_t to = 0; to < problem->device_count; ++to) {
      const genie_placement_link_t *link = &problem->links[from * problem->device_count + to];
      if (from != to &&
          (!(link->bytes_per_s > 0) || link->latency_ns < 0 || link->latency_ns > GENIE_PLACEMENT_MAX_NS)) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "the link from device %" PRIu32 " to %" PRIu32 " has no rate", from, to);
      }
    }
  }
  return check_nodes(problem);
}

// Starts of the lists of items that have the keys 0 .. key_count: first[key + 1] - first[key] items have `key`.
static genie_status_t list_starts(genie_arena_t *arena, uint32_t key_count, const uint32_t *keys, uint32_t item_count,
                                  uint32_t **out_first) {
  uint32_t *first;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)key_count + 1, sizeof(uint32_t), (void **)&first));
  for (uint32_t i = 0; i < item_count; ++i) {
    first[keys[i] + 1] += 1;
  }
  for (uint32_t key = 0; key < key_count; ++key) {
    first[key + 1] += first[key];
  }
  *out_first = first;
  return GENIE_OK;
}

static genie_status_t list_consumers(genie_placement_model_t *model) {
  const genie_placement_problem_t *problem = model->problem;
  const uint32_t input_count = problem->node_count == 0 ? 0 : problem->first_input[problem->node_count];
  uint32_t *fill;
  GENIE_RETURN_IF_ERROR(
      list_starts(model->arena, problem->value_count, problem->inputs, input_count, &model->first_consumer));
  GENIE_RETURN_IF_ERROR(list_starts(model->arena, problem->value_count, problem->inputs, input_count, &fill));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)input_count + 1, sizeof(uint32_t), (void **)&model->consumers));
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
      model->consumers[fill[problem->inputs[i]]++] = node;
    }
  }
  return GENIE_OK;
}

static genie_status_t list_outputs(genie_placement_model_t *model) {
  const genie_placement_problem_t *problem = model->problem;
  uint32_t *producers;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)problem->value_count + 1, sizeof(uint32_t), (void **)&producers));
  for (uint32_t value = 0; value < problem->value_count; ++value) {
    producers[value] = problem->values[value].producer;
  }
  uint32_t *fill;
  GENIE_RETURN_IF_ERROR(
      list_starts(model->arena, problem->node_count, producers, problem->value_count, &model->first_output));
  GENIE_RETURN_IF_ERROR(list_starts(model->arena, problem->node_count, producers, problem->value_count, &fill));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)problem->value_count + 1, sizeof(uint32_t), (void **)&model->outputs));
  for (uint32_t value = 0; value < problem->value_count; ++value) {
    model->outputs[fill[producers[value]]++] = value;
  }
  return GENIE_OK;
}

static genie_status_t find_leaders(genie_placement_model_t *model) {
  const genie_placement_problem_t *problem = model->problem;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&model->leader));
  uint32_t *first;  // a group's first member + 1
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, (size_t)problem->node_count + 1, sizeof(uint32_t), (void **)&first));
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    const uint32_t group = problem->group == NULL ? GENIE_PLACEMENT_NONE : problem->group[node];
    model->leader[node] = node;
    if (group == GENIE_PLACEMENT_NONE) {
      continue;
    }
    if (first[group] == 0) {
      first[group] = node + 1;
    }
    model->leader[node] = first[group] - 1;
  }
  return GENIE_OK;
}

// Whether a device could be asked to hold more than it can.
static bool is_memory_binding(const genie_placement_problem_t *problem) {
  for (uint32_t device = 0; device < problem->device_count; ++device) {
    uint64_t sum = 0;
    for (uint32_t node = 0; node < problem->node_count; ++node) {
      if (genie_placement_allows(problem, node, device) &&
          (__builtin_add_overflow(sum, problem->resident_bytes[node], &sum) ||
           sum > problem->memory_limit_bytes[device])) {
        return true;
      }
    }
  }
  return false;
}

genie_status_t genie_placement_model_init(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                          genie_placement_model_t *out_model) {
  *out_model =
      (genie_placement_model_t){.problem = problem, .arena = arena, .is_memory_binding = is_memory_binding(problem)};
  GENIE_RETURN_IF_ERROR(list_consumers(out_model));
  GENIE_RETURN_IF_ERROR(list_outputs(out_model));
  GENIE_RETURN_IF_ERROR(find_leaders(out_model));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)problem->value_count * problem->device_count + 1,
                                             sizeof(int64_t), (void **)&out_model->arrival_ns));
  return genie_arena_allocate(arena, (size_t)problem->node_count + 1, sizeof(int64_t), (void **)&out_model->finish_ns);
}

int64_t genie_placement_link_ns(const genie_placement_problem_t *problem, uint32_t from, uint32_t to,
                                uint64_t size_bytes) {
  const double time = ceil((double)size_bytes / problem->links[from * problem->device_count + to].bytes_per_s * 1e9);
  return time < (double)GENIE_PLACEMENT_MAX_NS ? (int64_t)time : GENIE_PLACEMENT_MAX_NS;
}

static int64_t max_ns(int64_t a, int64_t b) {
  return a > b ? a : b;
}

// Sends `value`, made on `from` at `time`, once to each device that reads it.
static void send_value(genie_placement_model_t *model, const uint32_t *device, uint32_t value, int64_t time,
                       uint32_t last_node, genie_placement_clock_t *clock) {
  const genie_placement_problem_t *problem = model->problem;
  const uint32_t from = device[problem->values[value].producer];
  int64_t *arrival = &model->arrival_ns[(size_t)value * problem->device_count];
  uint64_t sent = UINT64_C(1) << from;
  arrival[from] = time;
  for (uint32_t i = model->first_consumer[value]; i < model->first_consumer[value + 1]; ++i) {
    const uint32_t consumer = model->consumers[i];
    if (consumer > last_node) {
      break;
    }
    const uint32_t to = device[consumer];
    if ((sent >> to & 1) != 0) {
      continue;
    }
    sent |= UINT64_C(1) << to;
    int64_t *free_ns = &clock->link_ns[from][to];
    *free_ns = max_ns(*free_ns, time) + genie_placement_link_ns(problem, from, to, problem->values[value].size_bytes);
    arrival[to] = *free_ns + problem->links[from * problem->device_count + to].latency_ns;
  }
}

int64_t genie_placement_model_run(genie_placement_model_t *model, const uint32_t *device, uint32_t node,
                                  uint32_t last_node, genie_placement_clock_t *clock) {
  const genie_placement_problem_t *problem = model->problem;
  const uint32_t here = device[node];
  int64_t start = clock->device_ns[here];
  for (uint32_t i = problem->first_input[node]; i < problem->first_input[node + 1]; ++i) {
    start = max_ns(start, model->arrival_ns[(size_t)problem->inputs[i] * problem->device_count + here]);
  }
  const int64_t finish = start + genie_placement_time(problem, node, here);
  clock->device_ns[here] = finish;
  model->finish_ns[node] = finish;
  for (uint32_t i = model->first_output[node]; i < model->first_output[node + 1]; ++i) {
    send_value(model, device, model->outputs[i], finish, last_node, clock);
  }
  return finish;
}

void genie_placement_clock_reset(const genie_placement_problem_t *problem, genie_placement_clock_t *clock) {
  memset(clock->device_ns, 0, problem->device_count * sizeof(int64_t));
  for (uint32_t from = 0; from < problem->device_count; ++from) {
    memset(clock->link_ns[from], 0, problem->device_count * sizeof(int64_t));
  }
}

int64_t genie_placement_model_latency(genie_placement_model_t *model, const uint32_t *device) {
  genie_placement_clock_t clock;
  genie_placement_clock_reset(model->problem, &clock);
  int64_t latency = 0;
  for (uint32_t node = 0; node < model->problem->node_count; ++node) {
    latency = max_ns(latency, genie_placement_model_run(model, device, node, UINT32_MAX, &clock));
  }
  return latency;
}

// FAILED_PRECONDITION when the sums of resident bytes are above a limit.
static genie_status_t check_memory(const genie_placement_problem_t *problem, const uint32_t *device) {
  uint64_t used[GENIE_PLACEMENT_MAX_DEVICES] = {0};
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    if (__builtin_add_overflow(used[device[node]], problem->resident_bytes[node], &used[device[node]]) ||
        used[device[node]] > problem->memory_limit_bytes[device[node]]) {
      return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                               "device %" PRIu32 " holds %" PRIu64 " bytes, which node %" PRIu32 " exceeds",
                               device[node], problem->memory_limit_bytes[device[node]], node);
    }
  }
  return GENIE_OK;
}

static genie_status_t check_groups(const genie_placement_model_t *model, const uint32_t *device) {
  for (uint32_t node = 0; node < model->problem->node_count; ++node) {
    if (device[node] != device[model->leader[node]]) {
      return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                               "nodes %" PRIu32 " and %" PRIu32 " are of one group, but on devices %" PRIu32
                               " and %" PRIu32,
                               model->leader[node], node, device[model->leader[node]], device[node]);
    }
  }
  return GENIE_OK;
}

bool genie_placement_model_is_feasible(const genie_placement_model_t *model, const uint32_t *device) {
  const genie_placement_problem_t *problem = model->problem;
  uint64_t used[GENIE_PLACEMENT_MAX_DEVICES] = {0};
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    if (!genie_placement_allows(problem, node, device[node]) || device[node] != device[model->leader[node]]) {
      return false;
    }
    if (model->is_memory_binding &&
        (__builtin_add_overflow(used[device[node]], problem->resident_bytes[node], &used[device[node]]) ||
         used[device[node]] > problem->memory_limit_bytes[device[node]])) {
      return false;
    }
  }
  return true;
}

// Busy times of devices and links, and what crosses.
static void sum_up(const genie_placement_model_t *model, const uint32_t *device, genie_placement_cost_t *cost) {
  const genie_placement_problem_t *problem = model->problem;
  genie_placement_clock_t busy = {0};
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    busy.device_ns[device[node]] += genie_placement_time(problem, node, device[node]);
  }
  for (uint32_t value = 0; value < problem->value_count; ++value) {
    const uint32_t from = device[problem->values[value].producer];
    uint64_t sent = UINT64_C(1) << from;
    for (uint32_t i = model->first_consumer[value]; i < model->first_consumer[value + 1]; ++i) {
      const uint32_t to = device[model->consumers[i]];
      if ((sent >> to & 1) == 0) {
        sent |= UINT64_C(1) << to;
        cost->traffic_bytes += problem->values[value].size_bytes;
        busy.link_ns[from][to] += genie_placement_link_ns(problem, from, to, problem->values[value].size_bytes);
      }
    }
  }
  for (uint32_t from = 0; from < problem->device_count; ++from) {
    cost->bottleneck_ns = max_ns(cost->bottleneck_ns, busy.device_ns[from]);
    for (uint32_t to = 0; to < problem->device_count; ++to) {
      cost->bottleneck_ns = max_ns(cost->bottleneck_ns, busy.link_ns[from][to]);
    }
  }
}

genie_status_t genie_placement_evaluate(const genie_placement_problem_t *problem, const uint32_t *device,
                                        genie_arena_t *arena, genie_placement_cost_t *out_cost) {
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    if (device[node] >= problem->device_count || !genie_placement_allows(problem, node, device[node])) {
      return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "node %" PRIu32 " cannot run on device %" PRIu32, node,
                               device[node]);
    }
  }
  GENIE_RETURN_IF_ERROR(check_memory(problem, device));
  genie_placement_model_t model;
  GENIE_RETURN_IF_ERROR(genie_placement_model_init(problem, arena, &model));
  GENIE_RETURN_IF_ERROR(check_groups(&model, device));
  *out_cost = (genie_placement_cost_t){.latency_ns = genie_placement_model_latency(&model, device)};
  sum_up(&model, device, out_cost);
  return GENIE_OK;
}
