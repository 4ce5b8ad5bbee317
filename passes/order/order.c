// order: kernels in the order that needs the least memory at a time.
//
// A list scheduler over the graph of run-time ops. It is greedy, so it makes several orders (forwards, depth first and
// backwards) and keeps the input's unless one of them has a lower peak. Compile-time ops cost nothing and go first.
// What reads a state's old value stays before the kernel that makes the new one, which can then write it in place. An
// entry on several places keeps its order: it decides what overlaps with what.
#include "passes/order/order_graph.h"

enum { MAX_NODES = 1 << 15 };  // the time of a greedy order is their number times that of the ready ones

//===-- Schedules -------------------------------------------------------------------------------------------------===//

// Memory while an order is followed, forwards or backwards.
typedef struct memory {
  int *readers_left;  // [value_count]: forwards, readers to come; backwards, readers met
  int64_t live_bytes, peak_bytes;
} memory_t;

// What running a node next does to the memory.
typedef struct effect {
  int64_t during_bytes;  // while it runs, beyond what is live
  int64_t after_bytes;   // afterwards
} effect_t;

static effect_t effect_forwards(const genie_order_graph_t *graph, const memory_t *memory,
                                const genie_order_node_t *node) {
  effect_t effect = {0};
  for (int i = 0; i < node->make_count; ++i) {
    const genie_order_value_t *value = &graph->values[node->makes[i]];
    effect.during_bytes += value->bytes;
    effect.after_bytes += value->reader_count > 0 ? value->bytes : 0;
  }
  bool has_reused = false;
  for (int i = 0; i < node->read_count; ++i) {
    const int64_t bytes = graph->values[node->reads[i]].bytes;
    if (memory->readers_left[node->reads[i]] == 1) {
      effect.after_bytes -= bytes;
      if (node->is_reusable[i] && !has_reused) {
        effect.during_bytes -= bytes;
        has_reused = true;
      }
    }
  }
  return effect;
}

// What is live before a node is what it reads and what is live after it but was not made by it.
static effect_t effect_backwards(const genie_order_graph_t *graph, const memory_t *memory,
                                 const genie_order_node_t *node) {
  effect_t effect = {0};
  for (int i = 0; i < node->read_count; ++i) {
    effect.after_bytes += memory->readers_left[node->reads[i]] == 0 ? graph->values[node->reads[i]].bytes : 0;
  }
  effect.during_bytes = effect.after_bytes;
  for (int i = 0; i < node->make_count; ++i) {
    const genie_order_value_t *value = &graph->values[node->makes[i]];
    effect.after_bytes -= value->reader_count > 0 ? value->bytes : 0;
  }
  return effect;
}

static void run(memory_t *memory, const genie_order_node_t *node, effect_t effect, int step) {
  const int64_t during = memory->live_bytes + effect.during_bytes;
  memory->peak_bytes = during > memory->peak_bytes ? during : memory->peak_bytes;
  memory->live_bytes += effect.after_bytes;
  for (int i = 0; i < node->read_count; ++i) {
    memory->readers_left[node->reads[i]] += step;
  }
}

static genie_status_t begin(genie_order_graph_t *graph, bool is_forward, memory_t *out_memory) {
  *out_memory = (memory_t){0};
  GENIE_RETURN_IF_ERROR(
      genie_order_graph_allocate(graph, (size_t)graph->value_count, sizeof(int), &out_memory->readers_left));
  for (int v = 0; v < graph->value_count && is_forward; ++v) {
    out_memory->readers_left[v] = graph->values[v].reader_count;
  }
  return GENIE_OK;
}

static genie_status_t measure(genie_order_graph_t *graph, const int *order, int64_t *out_peak_bytes) {
  memory_t memory;
  GENIE_RETURN_IF_ERROR(begin(graph, true, &memory));
  for (int i = 0; i < graph->node_count; ++i) {
    const genie_order_node_t *node = &graph->nodes[order[i]];
    run(&memory, node, effect_forwards(graph, &memory, node), -1);
  }
  *out_peak_bytes = memory.peak_bytes;
  return GENIE_OK;
}

typedef enum strategy {
  FORWARDS,     // what leaves least memory live
  DEPTH_FIRST,  // what reads the newest value
  BACKWARDS,    // from the end: what leaves least memory live before it
  STRATEGY_COUNT,
} strategy_t;

typedef struct candidate {
  effect_t effect;
  int newest;  // the step that made the newest value that it reads
  int position;
} candidate_t;

static bool is_better(strategy_t strategy, const candidate_t *a, const candidate_t *b) {
  if (strategy == DEPTH_FIRST && a->newest != b->newest) {
    return a->newest > b->newest;
  }
  if (a->effect.after_bytes != b->effect.after_bytes) {
    return a->effect.after_bytes < b->effect.after_bytes;
  }
  if (a->effect.during_bytes != b->effect.during_bytes) {
    return a->effect.during_bytes < b->effect.during_bytes;
  }
  return strategy == BACKWARDS ? a->position > b->position : a->position < b->position;
}

static candidate_t examine(const genie_order_graph_t *graph, strategy_t strategy, const memory_t *memory,
                           const int *made_at, int n) {
  const genie_order_node_t *node = &graph->nodes[n];
  candidate_t candidate = {.newest = -1, .position = n};
  candidate.effect =
      strategy == BACKWARDS ? effect_backwards(graph, memory, node) : effect_forwards(graph, memory, node);
  for (int i = 0; i < node->read_count; ++i) {
    candidate.newest = made_at[node->reads[i]] > candidate.newest ? made_at[node->reads[i]] : candidate.newest;
  }
  return candidate;
}

static int take_best(const genie_order_graph_t *graph, strategy_t strategy, const memory_t *memory, const int *made_at,
                     int *ready, int *ready_count, effect_t *out_effect) {
  int best_at = 0;
  candidate_t best = examine(graph, strategy, memory, made_at, ready[0]);
  for (int i = 1; i < *ready_count; ++i) {
    const candidate_t other = examine(graph, strategy, memory, made_at, ready[i]);
    if (is_better(strategy, &other, &best)) {
      best = other;
      best_at = i;
    }
  }
  ready[best_at] = ready[--*ready_count];
  *out_effect = best.effect;
  return best.position;
}

static genie_status_t schedule(genie_order_graph_t *graph, strategy_t strategy, int *out_order) {
  const bool is_forward = strategy != BACKWARDS;
  const int *start = is_forward ? graph->next_start : graph->previous_start;
  const int *ends = is_forward ? graph->next : graph->previous;
  const int *needs_start = is_forward ? graph->previous_start : graph->next_start;
  const size_t count = (size_t)graph->node_count;
  int *waits = NULL, *ready = NULL, *made_at = NULL, ready_count = 0;
  memory_t memory;
  GENIE_RETURN_IF_ERROR(begin(graph, is_forward, &memory));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, count, sizeof(int), &waits));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, count, sizeof(int), &ready));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)graph->value_count, sizeof(int), &made_at));
  for (int n = 0; n < graph->node_count; ++n) {
    waits[n] = needs_start[n + 1] - needs_start[n];
    if (waits[n] == 0) {
      ready[ready_count++] = n;
    }
  }
  for (int step = 0; step < graph->node_count; ++step) {
    effect_t effect;
    const int n = take_best(graph, strategy, &memory, made_at, ready, &ready_count, &effect);
    const genie_order_node_t *node = &graph->nodes[n];
    out_order[is_forward ? step : graph->node_count - 1 - step] = n;
    run(&memory, node, effect, is_forward ? -1 : 1);
    for (int i = 0; i < node->make_count; ++i) {
      made_at[node->makes[i]] = step + 1;
    }
    for (int e = start[n]; e < start[n + 1]; ++e) {
      if (--waits[ends[e]] == 0) {
        ready[ready_count++] = ends[e];
      }
    }
  }
  return GENIE_OK;
}

//===-- The pass --------------------------------------------------------------------------------------------------===//

static bool is_on_one_place(const genie_order_graph_t *graph) {
  const MlirStringRef name = mlirStringRefCreateFromCString("genie.place");
  for (int n = 1; n < graph->node_count; ++n) {
    if (!mlirAttributeEqual(mlirOperationGetAttributeByName(graph->nodes[n].op, name),
                            mlirOperationGetAttributeByName(graph->nodes[0].op, name))) {
      return false;
    }
  }
  return true;
}

static genie_status_t order_graph(genie_order_graph_t *graph) {
  if (graph->node_count > MAX_NODES || !is_on_one_place(graph)) {
    return GENIE_OK;
  }
  int *best = NULL;
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)graph->node_count, sizeof(int), &best));
  for (int n = 0; n < graph->node_count; ++n) {
    best[n] = n;
  }
  int64_t input_peak = 0;
  GENIE_RETURN_IF_ERROR(measure(graph, best, &input_peak));
  int64_t best_peak = input_peak;
  for (strategy_t strategy = 0; strategy < STRATEGY_COUNT; ++strategy) {
    int *order = NULL;
    int64_t peak = 0;
    GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)graph->node_count, sizeof(int), &order));
    GENIE_RETURN_IF_ERROR(schedule(graph, strategy, order));
    GENIE_RETURN_IF_ERROR(measure(graph, order, &peak));
    if (peak < best_peak) {
      best_peak = peak;
      best = order;
    }
  }
  for (int n = 0; n < graph->node_count && best_peak < input_peak; ++n) {
    mlirOperationMoveBefore(graph->nodes[best[n]].op, graph->list.ops[graph->list.count - 1]);
  }
  return GENIE_OK;
}

static genie_status_t order_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_order_graph_t graph;
  genie_status_t status = genie_order_graph_init(function, &graph);
  if (status == GENIE_OK) {
    status = order_graph(&graph);
  }
  genie_order_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_order(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, order_function);
}
