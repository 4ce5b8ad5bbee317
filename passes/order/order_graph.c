#include "passes/order/order_graph.h"

#include <string.h>

//===-- Values ----------------------------------------------------------------------------------------------------===//

genie_status_t genie_order_graph_allocate(genie_order_graph_t *graph, size_t count, size_t element_bytes,
                                          void *out_memory) {
  return genie_arena_allocate(&graph->arena, count + 1, element_bytes, (void **)out_memory);
}

static bool is_compile_time(MlirOperation op) {
  return mlirOperationGetNumResults(op) > 0 && genie_ir_is_compile_time(mlirOperationGetResult(op, 0));
}

static int64_t bytes_of(const genie_order_graph_t *graph, MlirValue value) {
  const genie_tensor_type_t type = genie_value_type(value);
  double bytes = (double)genie_dtype_bytes(type.dtype);
  for (int d = 0; d < type.rank; ++d) {
    int64_t minimum = 0, maximum = 0;
    genie_dim_bounds(graph->function, type.dims[d], &minimum, &maximum);
    bytes *= (double)maximum;
  }
  return bytes < 0x1p40 ? ((int64_t)bytes + 63) / 64 * 64 : INT64_C(1) << 40;
}

static int value_of(const genie_order_graph_t *graph, MlirValue value) {
  return genie_pointer_map_get(&graph->value_of, value.ptr);
}

static bool is_result(const genie_order_graph_t *graph, const genie_order_node_t *node, intptr_t result, int read) {
  const MlirValue value = mlirOperationGetResult(node->op, result);
  return graph->values[value_of(graph, value)].bytes == graph->values[read].bytes;
}

// As far as the IR tells: read at the index that is stored, by ops that are evaluated at an index.
static bool can_take_over(const genie_order_graph_t *graph, const genie_order_node_t *node, intptr_t operand,
                          int read) {
  if (!genie_op_is(node->op, "genie.kernel") || graph->values[read].bytes == 0) {
    return false;
  }
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(node->op, 0));
  MlirOpOperand use = mlirValueGetFirstUse(mlirBlockGetArgument(body, operand));
  for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (!genie_op_has_rule(user, "pointwise") && !genie_op_has_rule(user, "row")) {
      return false;
    }
  }
  for (intptr_t r = 0; r < mlirOperationGetNumResults(node->op); ++r) {
    if (is_result(graph, node, r, read)) {
      return true;
    }
  }
  return false;
}

static genie_status_t add_makes(genie_order_graph_t *graph, genie_order_node_t *node) {
  const intptr_t count = mlirOperationGetNumResults(node->op);
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)count, sizeof(int), &node->makes));
  for (intptr_t r = 0; r < count; ++r) {
    const MlirValue result = mlirOperationGetResult(node->op, r);
    if (genie_op_is(node->op, "genie.reshape")) {
      const int source = value_of(graph, mlirOperationGetOperand(node->op, 0));
      if (source >= 0) {
        GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&graph->value_of, result.ptr, source));
      }
      continue;
    }
    graph->values[graph->value_count].bytes = bytes_of(graph, result);
    node->makes[node->make_count++] = graph->value_count;
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&graph->value_of, result.ptr, graph->value_count++));
  }
  return GENIE_OK;
}

static genie_status_t add_reads(genie_order_graph_t *graph, genie_order_node_t *node) {
  const intptr_t count = mlirOperationGetNumOperands(node->op);
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)count, sizeof(int), &node->reads));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)count, sizeof(bool), &node->is_reusable));
  for (intptr_t i = 0; i < count; ++i) {
    const int value = value_of(graph, mlirOperationGetOperand(node->op, i));
    bool is_new = value >= 0;
    for (int k = 0; k < node->read_count && is_new; ++k) {
      if (node->reads[k] == value) {
        node->is_reusable[k] = false;
        is_new = false;
      }
    }
    if (is_new) {
      node->is_reusable[node->read_count] = can_take_over(graph, node, i, value);
      node->reads[node->read_count++] = value;
      ++graph->values[value].reader_count;
    }
  }
  return GENIE_OK;
}

//===-- Edges -----------------------------------------------------------------------------------------------------===//

static genie_status_t add_edge(genie_order_graph_t *graph, int from, int to) {
  if (graph->edge_count == graph->edge_capacity) {
    const int capacity = graph->edge_capacity == 0 ? 256 : 2 * graph->edge_capacity;
    genie_order_edge_t *edges = NULL;
    GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)capacity, sizeof(genie_order_edge_t), &edges));
    if (graph->edge_count > 0) {
      memcpy(edges, graph->edges, (size_t)graph->edge_count * sizeof(genie_order_edge_t));
    }
    graph->edges = edges;
    graph->edge_capacity = capacity;
  }
  graph->edges[graph->edge_count++] = (genie_order_edge_t){from, to};
  return GENIE_OK;
}

static int definer_of(const genie_order_graph_t *graph, MlirValue value) {
  const MlirOperation op = genie_rewrite_definer(value);
  return mlirOperationIsNull(op) ? -1 : genie_pointer_map_get(&graph->node_of, op.ptr);
}

static genie_status_t add_operand_edges(genie_order_graph_t *graph, int n) {
  const MlirOperation op = graph->nodes[n].op;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const int definer = definer_of(graph, mlirOperationGetOperand(op, i));
    if (definer >= 0) {
      GENIE_RETURN_IF_ERROR(add_edge(graph, definer, n));
    }
  }
  return GENIE_OK;
}

static bool reads_value(const genie_order_node_t *node, int value) {
  for (int i = 0; i < node->read_count; ++i) {
    if (node->reads[i] == value) {
      return true;
    }
  }
  return false;
}

static MlirValue skip_reshapes(MlirValue value) {
  while (!mlirOperationIsNull(genie_rewrite_definer_if(value, "genie.reshape"))) {
    value = mlirOperationGetOperand(genie_rewrite_definer(value), 0);
  }
  return value;
}

// What reads a state's old value before the new one is made, in the input's order, stays before.
static genie_status_t add_state_edges(genie_order_graph_t *graph, int update) {
  const MlirOperation op = graph->nodes[update].op;
  const int definer = definer_of(graph, skip_reshapes(mlirOperationGetOperand(op, 0)));
  const MlirStringRef state =
      mlirFlatSymbolRefAttrGetValue(mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("state")));
  const MlirBlock body = genie_rewrite_body(graph->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body) && definer >= 0; ++i) {
    MlirStringRef name = {0};
    if (genie_ir_argument_role(graph->function, i, &name) != GENIE_IR_ARGUMENT_STATE ||
        !mlirStringRefEqual(name, state)) {
      continue;
    }
    const int old = value_of(graph, mlirBlockGetArgument(body, i));
    for (int n = 0; n < definer; ++n) {
      if (reads_value(&graph->nodes[n], old)) {
        GENIE_RETURN_IF_ERROR(add_edge(graph, n, definer));
      }
    }
  }
  return GENIE_OK;
}

// Memory of the caller or of a state is no temporary.
static void exclude(genie_order_graph_t *graph, MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const int value = value_of(graph, mlirOperationGetOperand(op, i));
    if (value >= 0) {
      graph->values[value].bytes = 0;
    }
  }
}

static genie_status_t index_edges(genie_order_graph_t *graph, bool is_forward, int **out_start, int **out_ends) {
  int *start = NULL, *ends = NULL, *fill = NULL;
  const size_t count = (size_t)graph->node_count;
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, count + 1, sizeof(int), &start));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, count + 1, sizeof(int), &fill));
  GENIE_RETURN_IF_ERROR(genie_order_graph_allocate(graph, (size_t)graph->edge_count, sizeof(int), &ends));
  for (int e = 0; e < graph->edge_count; ++e) {
    ++start[(is_forward ? graph->edges[e].from : graph->edges[e].to) + 1];
  }
  for (int n = 0; n < graph->node_count; ++n) {
    start[n + 1] += start[n];
    fill[n] = start[n];
  }
  for (int e = 0; e < graph->edge_count; ++e) {
    const genie_order_edge_t edge = graph->edges[e];
    ends[fill[is_forward ? edge.from : edge.to]++] = is_forward ? edge.to : edge.from;
  }
  *out_start = start;
  *out_ends = ends;
  return GENIE_OK;
}

// The old value of each state that the entry reads; it takes no temporary memory.
static genie_status_t add_states(genie_order_graph_t *graph) {
  const MlirBlock body = genie_rewrite_body(graph->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name = {0};
    if (genie_ir_argument_role(graph->function, i, &name) == GENIE_IR_ARGUMENT_STATE) {
      GENIE_RETURN_IF_ERROR(
          genie_pointer_map_set(&graph->value_of, mlirBlockGetArgument(body, i).ptr, graph->value_count++));
    }
  }
  return GENIE_OK;
}

static genie_status_t add_nodes(genie_order_graph_t *graph) {
  intptr_t value_count = mlirBlockGetNumArguments(genie_rewrite_body(graph->function));
  for (int i = 0; i < graph->list.count; ++i) {
    value_count += mlirOperationGetNumResults(graph->list.ops[i]);
  }
  GENIE_RETURN_IF_ERROR(
      genie_order_graph_allocate(graph, (size_t)graph->list.count, sizeof(genie_order_node_t), &graph->nodes));
  GENIE_RETURN_IF_ERROR(
      genie_order_graph_allocate(graph, (size_t)value_count, sizeof(genie_order_value_t), &graph->values));
  GENIE_RETURN_IF_ERROR(add_states(graph));
  for (int i = 0; i < graph->list.count - 1; ++i) {
    const MlirOperation op = graph->list.ops[i];
    if (!is_compile_time(op)) {
      genie_order_node_t *node = &graph->nodes[graph->node_count];
      node->op = op;
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&graph->node_of, op.ptr, graph->node_count++));
      GENIE_RETURN_IF_ERROR(add_makes(graph, node));
    }
  }
  return GENIE_OK;
}

static genie_status_t add_memory(genie_order_graph_t *graph) {
  exclude(graph, graph->list.ops[graph->list.count - 1]);
  for (int n = 0; n < graph->node_count; ++n) {
    if (genie_op_is(graph->nodes[n].op, "genie.state_update")) {
      exclude(graph, graph->nodes[n].op);
    }
  }
  for (int n = 0; n < graph->node_count; ++n) {
    GENIE_RETURN_IF_ERROR(add_reads(graph, &graph->nodes[n]));
  }
  return GENIE_OK;
}

static genie_status_t add_edges(genie_order_graph_t *graph) {
  int last_update = -1;
  for (int n = 0; n < graph->node_count; ++n) {
    GENIE_RETURN_IF_ERROR(add_operand_edges(graph, n));
    if (genie_op_is(graph->nodes[n].op, "genie.state_update")) {
      GENIE_RETURN_IF_ERROR(add_state_edges(graph, n));
      if (last_update >= 0) {
        GENIE_RETURN_IF_ERROR(add_edge(graph, last_update, n));
      }
      last_update = n;
    }
  }
  return GENIE_OK;
}

genie_status_t genie_order_graph_init(MlirOperation function, genie_order_graph_t *out_graph) {
  *out_graph = (genie_order_graph_t){.function = function};
  genie_arena_init(genie_allocator_heap(), 0, &out_graph->arena);
  genie_pointer_map_init(&out_graph->node_of);
  genie_pointer_map_init(&out_graph->value_of);
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(function), &out_graph->arena, &out_graph->list));
  GENIE_RETURN_IF_ERROR(add_nodes(out_graph));
  GENIE_RETURN_IF_ERROR(add_memory(out_graph));
  GENIE_RETURN_IF_ERROR(add_edges(out_graph));
  GENIE_RETURN_IF_ERROR(index_edges(out_graph, true, &out_graph->next_start, &out_graph->next));
  return index_edges(out_graph, false, &out_graph->previous_start, &out_graph->previous);
}

void genie_order_graph_deinit(genie_order_graph_t *graph) {
  genie_pointer_map_deinit(&graph->value_of);
  genie_pointer_map_deinit(&graph->node_of);
  genie_arena_deinit(&graph->arena);
}
