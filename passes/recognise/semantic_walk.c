// Looking around in a semantic graph.
#include <string.h>

#include "passes/recognise/semantic_graph.h"

bool genie_semantic_node_is(const genie_semantic_graph_t *graph, int node, const char *name) {
  return node >= graph->argument_count && genie_op_is(graph->nodes[node].op, name);
}

int genie_semantic_node_of(const genie_semantic_graph_t *graph, MlirValue value) {
  return mlirValueIsNull(value) ? -1 : genie_pointer_map_get(&graph->node_of, value.ptr);
}

int genie_semantic_operand(const genie_semantic_graph_t *graph, int node, int index) {
  const genie_semantic_node_t *n = &graph->nodes[node];
  return index < n->operand_count ? graph->operands[n->operand_first + index] : -1;
}

int genie_semantic_reader(const genie_semantic_graph_t *graph, int node, int index) {
  return graph->readers[graph->nodes[node].reader_first + index];
}

static bool is_one_of(MlirOperation op, size_t count, const char *const *names) {
  for (size_t i = 0; i < count; ++i) {
    if (genie_op_is(op, names[i])) {
      return true;
    }
  }
  return false;
}

bool genie_semantic_is_view(const genie_semantic_graph_t *graph, int node) {
  static const char *const NAMES[] = {"genie.reshape", "genie.permute", "genie.expand", "genie.slice",
                                      "genie.pad",     "genie.cast",    "genie.flip",   "genie.transfer"};
  return node >= graph->argument_count && is_one_of(graph->nodes[node].op, sizeof NAMES / sizeof NAMES[0], NAMES);
}

int genie_semantic_skip_views(const genie_semantic_graph_t *graph, int node) {
  while (node >= 0 && genie_semantic_is_view(graph, node)) {
    node = genie_semantic_operand(graph, node, 0);
  }
  return node;
}

bool genie_semantic_is_pointwise(const genie_semantic_graph_t *graph, int node) {
  static const char *const INDEXED[] = {"genie.iota",          "genie.size",  "genie.embedding", "genie.take",
                                        "genie.gather",        "genie.index", "genie.pad",       "genie.flip",
                                        "genie.slice_scatter", "genie.concat"};
  return node >= graph->argument_count && genie_op_has_rule(graph->nodes[node].op, "pointwise") &&
         !is_one_of(graph->nodes[node].op, sizeof INDEXED / sizeof INDEXED[0], INDEXED);
}

bool genie_semantic_is_norm(const genie_semantic_graph_t *graph, int node) {
  static const char *const NAMES[] = {"genie.layer_norm", "genie.rms_norm", "genie.group_norm", "genie.batch_norm"};
  return node >= graph->argument_count && is_one_of(graph->nodes[node].op, sizeof NAMES / sizeof NAMES[0], NAMES);
}

bool genie_semantic_joins_modalities(const genie_semantic_graph_t *graph, int node) {
  const unsigned whole = graph->nodes[node].modality;
  bool is_known = false;
  for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
    const int operand = genie_semantic_operand(graph, node, i);
    is_known |= graph->nodes[operand].modality == whole && !graph->nodes[operand].is_fixed;
  }
  return (whole & (whole - 1)) != 0 && !is_known;
}

int64_t genie_semantic_attention_keys(const genie_semantic_graph_t *graph,
                                      const genie_semantic_attention_t *attention) {
  return genie_semantic_size_from_end(graph, attention->key, attention->scores >= 0 ? 1 : 2);
}

bool genie_semantic_is_projection(const genie_semantic_graph_t *graph, int node) {
  if (genie_semantic_node_is(graph, node, "genie.linear")) {
    return true;
  }
  return genie_semantic_node_is(graph, node, "genie.matmul") &&
         graph->nodes[genie_semantic_operand(graph, node, 1)].is_fixed;
}

int genie_semantic_skip_elementwise(const genie_semantic_graph_t *graph, int node) {
  while (node >= graph->argument_count) {
    if (!genie_semantic_is_view(graph, node) && !genie_semantic_is_pointwise(graph, node)) {
      return node;
    }
    int source = -1;
    for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
      const int operand = genie_semantic_operand(graph, node, i);
      if (!graph->nodes[operand].is_fixed && operand != source) {
        if (source >= 0) {
          return node;
        }
        source = operand;
      }
    }
    if (source < 0) {
      return node;
    }
    node = source;
  }
  return node;
}

bool genie_semantic_has_type(const genie_semantic_graph_t *graph, int node) {
  return node >= 0 && !mlirValueIsNull(graph->nodes[node].value) &&
         mlirTypeIsAShaped(mlirValueGetType(graph->nodes[node].value));
}

genie_tensor_type_t genie_semantic_type(const genie_semantic_graph_t *graph, int node) {
  return genie_value_type(graph->nodes[node].value);
}

bool genie_semantic_is_integer(const genie_semantic_graph_t *graph, int node) {
  if (!genie_semantic_has_type(graph, node)) {
    return false;
  }
  const genie_dtype_t dtype = genie_semantic_type(graph, node).dtype;
  return dtype == GENIE_DTYPE_I64 || dtype == GENIE_DTYPE_I32 || dtype == GENIE_DTYPE_I16 || dtype == GENIE_DTYPE_I8 ||
         dtype == GENIE_DTYPE_U8;
}

int64_t genie_semantic_size_from_end(const genie_semantic_graph_t *graph, int node, int from_end) {
  if (!genie_semantic_has_type(graph, node)) {
    return -1;
  }
  const genie_tensor_type_t type = genie_semantic_type(graph, node);
  int64_t size;
  const bool is_known = type.rank >= from_end && genie_dim_is_constant(type.dims[type.rank - from_end], &size);
  return is_known ? size : -1;
}

//===-- Walks -----------------------------------------------------------------------------------------------------===//

typedef int (*neighbour_fn_t)(const genie_semantic_graph_t *graph, int node, int index);

static void walk(genie_semantic_graph_t *graph, int start, bool is_forward, genie_semantic_visit_fn_t visit,
                 void *self) {
  const neighbour_fn_t neighbour = is_forward ? genie_semantic_reader : genie_semantic_operand;
  const int mark = ++graph->walk_count;
  int count = 0;
  graph->walk_pending[count++] = start;
  graph->walk_marks[start] = mark;
  while (count > 0) {
    const int node = graph->walk_pending[--count];
    if (!visit(graph, node, self)) {
      continue;
    }
    const genie_semantic_node_t *n = &graph->nodes[node];
    for (int i = (is_forward ? n->reader_count : n->operand_count) - 1; i >= 0; --i) {
      const int next = neighbour(graph, node, i);
      if (graph->walk_marks[next] != mark) {
        graph->walk_marks[next] = mark;
        graph->walk_pending[count++] = next;
      }
    }
  }
}

void genie_semantic_walk_operands(genie_semantic_graph_t *graph, int node, genie_semantic_visit_fn_t visit,
                                  void *self) {
  walk(graph, node, false, visit, self);
}

void genie_semantic_walk_readers(genie_semantic_graph_t *graph, int node, genie_semantic_visit_fn_t visit, void *self) {
  walk(graph, node, true, visit, self);
}
