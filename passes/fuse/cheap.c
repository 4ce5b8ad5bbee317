// Which ops are so cheap that every kernel that reads them evaluates them again: masks from indices and sizes, casts
// and comparisons of tensors much smaller than the result.
#include <string.h>

#include "passes/fuse/fuse_graph.h"

enum {
  MAX_OPERATIONS = 8,
  TINY_ELEMENTS = 16,
  MAX_TINY_LOADS = 2,
  SMALL_ELEMENTS = 1 << 16,  // a launch costs more than converting this often
  MAX_SMALL_OPERATIONS = 2,
  HEAVY = 8
};

static const char *const LIGHT_OPS[] = {"genie.add",
                                        "genie.sub",
                                        "genie.mul",
                                        "genie.neg",
                                        "genie.abs",
                                        "genie.cast",
                                        "genie.eq",
                                        "genie.ne",
                                        "genie.lt",
                                        "genie.le",
                                        "genie.gt",
                                        "genie.ge",
                                        "genie.logical_and",
                                        "genie.logical_or",
                                        "genie.logical_xor",
                                        "genie.logical_not",
                                        "genie.bitwise_and",
                                        "genie.bitwise_or",
                                        "genie.bitwise_xor",
                                        "genie.bitwise_not",
                                        "genie.where",
                                        "genie.relu",
                                        "genie.clamp",
                                        "genie.maximum",
                                        "genie.minimum",
                                        "genie.sign",
                                        "genie.iota",
                                        "genie.size",
                                        "genie.shift_left",
                                        "genie.shift_right",
                                        "genie.reshape",
                                        "genie.permute",
                                        "genie.expand",
                                        "genie.slice",
                                        "genie.concat",
                                        "genie.pad",
                                        "genie.flip",
                                        "genie.slice_scatter",
                                        "genie.embedding",
                                        "genie.take",
                                        NULL};

// Ops that are evaluated at an index but read their operands at other indices, or have none.
static const char *const MOVING_OPS[] = {
    "genie.reshape",       "genie.permute",   "genie.expand", "genie.slice", "genie.flip",
    "genie.concat",        "genie.pad",       "genie.gather", "genie.take",  "genie.index",
    "genie.slice_scatter", "genie.embedding", "genie.iota",   "genie.size",  NULL};

static bool is_named(const genie_fuse_node_t *node, const char *const *names) {
  for (int i = 0; names[i] != NULL; ++i) {
    if (strcmp(node->info->name, names[i]) == 0) {
      return true;
    }
  }
  return false;
}

int genie_fuse_graph_weight(const genie_fuse_graph_t *graph, int node) {
  return is_named(&graph->nodes[node], LIGHT_OPS) ? 1 : HEAVY;
}

bool genie_fuse_graph_is_elementwise(const genie_fuse_graph_t *graph, int node) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  return n->is_pointwise && !is_named(n, MOVING_OPS);
}

// What evaluating a value at an index costs, down to buffers.
typedef struct evaluation {
  int operations;
  int loads;
  double loaded_elements;
} evaluation_t;

static bool is_index_op(const genie_fuse_node_t *node) {
  return genie_op_is(node->op, "genie.iota") || genie_op_is(node->op, "genie.size");
}

static bool can_be_cheap(const genie_fuse_graph_t *graph, int node) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  if (n->info == NULL || mlirOperationGetNumResults(n->op) != 1) {
    return false;
  }
  const char *family = genie_fuse_family(n->info);
  if (family == NULL || strcmp(family, "pointwise") != 0) {
    return false;
  }
  return n->is_view || is_index_op(n) || (!is_named(n, MOVING_OPS) && genie_fuse_graph_weight(graph, node) == 1);
}

static evaluation_t evaluation_of_operand(const genie_fuse_graph_t *graph, const evaluation_t *known, MlirValue value) {
  double number;
  const int definer = genie_fuse_graph_definer(graph, value);
  if (definer >= 0 && genie_ir_splat_value(value, &number)) {
    return (evaluation_t){0};
  }
  if (definer >= 0 && (graph->nodes[definer].is_cheap || graph->nodes[definer].is_view)) {
    return known[definer];
  }
  return (evaluation_t){.loads = 1, .loaded_elements = genie_fuse_graph_elements(graph, value)};
}

static bool is_cheap(const genie_fuse_graph_t *graph, int node, const evaluation_t *evaluation) {
  if (graph->nodes[node].is_view || evaluation->operations > MAX_OPERATIONS) {
    return false;  // views are inlined anyway
  }
  const double elements = genie_fuse_graph_elements(graph, genie_rewrite_result(graph->nodes[node].op));
  if (evaluation->loads == 0) {
    return true;
  }
  if (elements <= TINY_ELEMENTS && evaluation->loads <= MAX_TINY_LOADS) {
    return true;
  }
  if (evaluation->loads > 1) {
    return false;
  }
  return evaluation->loaded_elements * 4 <= elements ||
         (elements <= SMALL_ELEMENTS && evaluation->operations <= MAX_SMALL_OPERATIONS);
}

genie_status_t genie_fuse_graph_mark_cheap(genie_fuse_graph_t *graph) {
  evaluation_t *known;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(*known), (void **)&known));
  for (int i = 0; i < graph->node_count; ++i) {
    genie_fuse_node_t *node = &graph->nodes[i];
    if (!can_be_cheap(graph, i)) {
      continue;
    }
    known[i].operations = node->is_view ? 0 : 1;
    for (intptr_t k = 0; k < mlirOperationGetNumOperands(node->op); ++k) {
      const evaluation_t operand = evaluation_of_operand(graph, known, mlirOperationGetOperand(node->op, k));
      known[i].operations += operand.operations;
      known[i].loads += operand.loads;
      known[i].loaded_elements += operand.loaded_elements;
    }
    node->is_cheap = is_cheap(graph, i, &known[i]);
  }
  return GENIE_OK;
}
