// layers: chains of isomorphic subgraphs. Ops of equal kind, attributes and types follow each other at a distance, the
// period, that repeats; every operand must then be found at the same place of its own layer or of the one before, or be
// shared by all. The boundary of layers is put where the fewest values cross.
#include <string.h>

#include "passes/recognise/recogniser.h"

// The search gives up after so many comparisons of ops: a graph that needs more has no layers that are worth it.
enum { MIN_OPS = 4, MAX_PERIOD = 4096, MAX_CANDIDATES = 64, MAX_COMPARISONS = 1 << 26 };

typedef struct sequence {
  genie_semantic_graph_t *graph;
  int count;
  int *nodes;        // of the stream, in order
  int *position_of;  // of each node; -1 of others
  uint64_t *hashes;
  int comparisons_left;
} sequence_t;

// A periodic stretch of the sequence: positions [start, start + period * layers).
typedef struct repetition {
  int start, period, layers;
} repetition_t;

//===-- The sequence ----------------------------------------------------------------------------------------------===//

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value;
  hash *= UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ (hash >> 29);
}

static bool is_annotation(MlirStringRef name) {
  return name.length > 6 && memcmp(name.data, "genie.", 6) == 0;
}

// Kind, attributes, and types of operands and results; all unique in the context. A state's name is its layer's own.
static uint64_t hash_of(MlirOperation op) {
  uint64_t hash = mix(0, (uint64_t)(uintptr_t)mlirOperationGetName(op).ptr);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    hash = mix(hash, (uint64_t)(uintptr_t)mlirValueGetType(mlirOperationGetOperand(op, i)).ptr);
  }
  for (intptr_t i = 0; i < mlirOperationGetNumAttributes(op); ++i) {
    const MlirNamedAttribute attribute = mlirOperationGetAttribute(op, i);
    if (!is_annotation(mlirIdentifierStr(attribute.name)) && !mlirAttributeIsAFlatSymbolRef(attribute.attribute)) {
      hash = mix(hash, (uint64_t)(uintptr_t)attribute.attribute.ptr);
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    hash = mix(hash, (uint64_t)(uintptr_t)mlirValueGetType(mlirOperationGetResult(op, i)).ptr);
  }
  return hash;
}

static genie_status_t allocate_ints(genie_semantic_graph_t *graph, int count, int **out_numbers) {
  return genie_arena_allocate(&graph->arena, (size_t)count, sizeof(int), (void **)out_numbers);
}

// What depends on states that a product, convolution, recurrence or lookup made. Masks, places and counters stand
// beside the stream: the first layer computes some for all.
static bool is_of_stream(const sequence_t *sequence, int node) {
  const genie_semantic_graph_t *graph = sequence->graph;
  if (genie_semantic_node_is(graph, node, "func.return")) {
    return false;
  }
  bool is_stream = genie_semantic_is_projection(graph, node) || genie_semantic_node_is(graph, node, "genie.conv") ||
                   genie_semantic_node_is(graph, node, "genie.lstm") ||
                   genie_semantic_node_is(graph, node, "genie.gru") ||
                   genie_semantic_node_is(graph, node, "genie.rnn") ||
                   genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding") ||
                   genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "category-embedding");
  for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
    is_stream |= sequence->position_of[genie_semantic_operand(graph, node, i)] >= 0;
  }
  return is_stream;
}

static genie_status_t sequence_init(genie_semantic_graph_t *graph, sequence_t *out_sequence) {
  *out_sequence = (sequence_t){.graph = graph, .comparisons_left = MAX_COMPARISONS};
  GENIE_RETURN_IF_ERROR(allocate_ints(graph, graph->node_count, &out_sequence->nodes));
  GENIE_RETURN_IF_ERROR(allocate_ints(graph, graph->node_count, &out_sequence->position_of));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(uint64_t), (void **)&out_sequence->hashes));
  for (int node = 0; node < graph->node_count; ++node) {
    out_sequence->position_of[node] = -1;
    if (node >= graph->argument_count && !graph->nodes[node].is_fixed && is_of_stream(out_sequence, node)) {
      out_sequence->position_of[node] = out_sequence->count;
      out_sequence->hashes[out_sequence->count] = hash_of(graph->nodes[node].op);
      out_sequence->nodes[out_sequence->count++] = node;
    }
  }
  return GENIE_OK;
}

//===-- Isomorphism -----------------------------------------------------------------------------------------------===//

// The operand of the op at `position` corresponds to that of the op one period before.
static bool operands_correspond(const sequence_t *sequence, int position, int period, int start) {
  const genie_semantic_graph_t *graph = sequence->graph;
  const int later = sequence->nodes[position], earlier = sequence->nodes[position - period];
  for (int i = 0; i < graph->nodes[later].operand_count; ++i) {
    const int a = genie_semantic_operand(graph, later, i), b = genie_semantic_operand(graph, earlier, i);
    const int at = sequence->position_of[a], before = sequence->position_of[b];
    const bool is_shared = a == b;
    const bool is_own_argument = at < 0 && before < 0;  // weights, states and constants of each layer
    const bool is_shifted = at >= 0 && before >= 0 && at - before == period;
    // The first layer reads what comes from outside where the others read the layer before.
    const bool is_from_outside = before < start && !graph->nodes[b].is_fixed && at >= start && at < position;
    const bool is_first = position - period < start + period && is_from_outside;
    if (!is_shared && !is_own_argument && !is_shifted && !is_first) {
      return false;
    }
  }
  return true;
}

// How many positions from `start` on repeat what is a period before them.
static int repeated_length(sequence_t *sequence, int start, int period) {
  int length = 0;
  while (sequence->comparisons_left-- > 0 && start + period + length < sequence->count &&
         sequence->hashes[start + length] == sequence->hashes[start + period + length] &&
         operands_correspond(sequence, start + period + length, period, start)) {
    ++length;
  }
  return length;
}

// Values of the first layer that are read beyond it; with none there is no chain. What a state keeps for the next call
// stays in its layer.
static int crossing_values(sequence_t *sequence, const repetition_t *repetition) {
  const genie_semantic_graph_t *graph = sequence->graph;
  const int from = repetition->start, to = from + repetition->period;
  int crossing = 0;
  sequence->comparisons_left -= repetition->period;
  for (int position = from; position < to; ++position) {
    const genie_semantic_node_t *n = &graph->nodes[sequence->nodes[position]];
    bool is_read = false;
    for (int i = 0; i < n->reader_count; ++i) {
      const int reader = genie_semantic_reader(graph, sequence->nodes[position], i);
      is_read |= graph->nodes[reader].state < 0 && sequence->position_of[reader] >= to;
    }
    crossing += is_read;
  }
  return crossing;
}

static bool is_worth_it(const sequence_t *sequence, const repetition_t *repetition) {
  for (int i = 0; i < repetition->period; ++i) {
    const int node = sequence->nodes[repetition->start + i];
    if (genie_semantic_is_projection(sequence->graph, node) ||
        genie_semantic_node_is(sequence->graph, node, "genie.conv") ||
        genie_semantic_node_is(sequence->graph, node, "genie.attention") ||
        genie_semantic_node_is(sequence->graph, node, "genie.lstm")) {
      return true;
    }
  }
  return false;
}

// The start, within one period after `repetition->start`, at which the fewest values cross; a later start loses ops.
static void choose_boundary(sequence_t *sequence, int length, repetition_t *repetition, int *out_crossing) {
  const repetition_t whole = *repetition;
  *out_crossing = INT32_MAX;
  for (int shift = 0; shift < whole.period; ++shift) {
    const repetition_t candidate = {
        .start = whole.start + shift, .period = whole.period, .layers = 1 + (length - shift) / whole.period};
    if (candidate.layers < 2 || length - shift < whole.period || sequence->comparisons_left <= 0) {
      break;
    }
    const int crossing = crossing_values(sequence, &candidate);
    if (crossing > 0 && (crossing < *out_crossing)) {
      *out_crossing = crossing;
      *repetition = candidate;
    }
  }
}

//===-- Choosing --------------------------------------------------------------------------------------------------===//

typedef struct found {
  repetition_t repetition;
  int crossing;
} found_t;

// The best repetition that begins at `position`: the most ops in layers.
static found_t best_from(sequence_t *sequence, int position, int limit) {
  found_t best = {0};
  int seen = 0;
  for (int later = position + MIN_OPS; later < limit && later - position <= MAX_PERIOD && seen < MAX_CANDIDATES;
       ++later) {
    if (sequence->hashes[later] != sequence->hashes[position]) {
      continue;
    }
    ++seen;
    const int period = later - position;
    repetition_t repetition = {.start = position, .period = period};
    sequence->comparisons_left -= period;
    const int length = is_worth_it(sequence, &repetition) ? repeated_length(sequence, position, period) : 0;
    if (length < period) {
      continue;
    }
    repetition.layers = 1 + length / period;
    int crossing;
    choose_boundary(sequence, length, &repetition, &crossing);
    const int covered = repetition.layers * repetition.period;
    if (crossing <= 4 && covered > best.repetition.layers * best.repetition.period) {
      best = (found_t){.repetition = repetition, .crossing = crossing};
    }
  }
  return best;
}

static void add_stack(sequence_t *sequence, const found_t *found) {
  genie_semantic_graph_t *graph = sequence->graph;
  const repetition_t *repetition = &found->repetition;
  const int id = graph->stack_count++;
  graph->stacks[id] = (genie_semantic_stack_t){.layer_count = repetition->layers,
                                               .ops_per_layer = repetition->period,
                                               .first = sequence->nodes[repetition->start],
                                               .crossing = found->crossing,
                                               .kind = ""};
  for (int i = 0; i < repetition->layers * repetition->period; ++i) {
    genie_semantic_node_t *node = &graph->nodes[sequence->nodes[repetition->start + i]];
    node->stack = id;
    node->layer = i / repetition->period;
  }
}

// What stands beside the stream and is read in one layer alone belongs to it, and so does the update of a state by what
// the layer made.
static void take_in_side_ops(const sequence_t *sequence) {
  genie_semantic_graph_t *graph = sequence->graph;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    genie_semantic_node_t *n = &graph->nodes[node];
    if (n->state >= 0 && n->stack < 0) {
      n->stack = graph->nodes[genie_semantic_operand(graph, node, 0)].stack;
      n->layer = graph->nodes[genie_semantic_operand(graph, node, 0)].layer;
    }
  }
  for (int node = graph->node_count - 1; node >= graph->argument_count; --node) {
    genie_semantic_node_t *n = &graph->nodes[node];
    const genie_semantic_node_t *first = n->reader_count > 0 ? &graph->nodes[genie_semantic_reader(graph, node, 0)] : n;
    bool is_inside = n->stack < 0 && !n->is_fixed && first->stack >= 0;
    for (int i = 1; is_inside && i < n->reader_count; ++i) {
      const genie_semantic_node_t *reader = &graph->nodes[genie_semantic_reader(graph, node, i)];
      is_inside = reader->stack == first->stack && reader->layer == first->layer;
    }
    if (is_inside && sequence->position_of[node] < 0) {
      n->stack = first->stack;
      n->layer = first->layer;
    }
  }
}

genie_status_t genie_recognise_layers(genie_semantic_graph_t *graph) {
  sequence_t sequence;
  GENIE_RETURN_IF_ERROR(sequence_init(graph, &sequence));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, (size_t)(sequence.count / MIN_OPS + 1),
                                             sizeof(*graph->stacks), (void **)&graph->stacks));
  for (int position = 0; position + 2 * MIN_OPS <= sequence.count && sequence.comparisons_left > 0;) {
    const found_t found = best_from(&sequence, position, sequence.count);
    if (found.repetition.layers < 2) {
      ++position;
      continue;
    }
    add_stack(&sequence, &found);
    position = found.repetition.start + found.repetition.layers * found.repetition.period;
  }
  take_in_side_ops(&sequence);
  return GENIE_OK;
}
