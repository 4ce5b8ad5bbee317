#include "passes/recognise/causal_mask.h"

#include "ir/evaluate.h"

// What is added to a score of this or less takes it out.
static const double MASKED = -1e30;
enum { MAX_STEPS = 256, MAX_ELEMENTS = 1 << 22 };

//===-- Fixed masks -----------------------------------------------------------------------------------------------===//

static genie_status_t refuse_weight(void *self, MlirStringRef name, genie_host_tensor_t *out_tensor) {
  (void)self, (void)out_tensor;
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "a mask of the weight %.*s", (int)name.length, name.data);
}

// True where the element lets the key through.
static bool element_keeps(const genie_host_tensor_t *tensor, int64_t index, bool keeps_true) {
  if (tensor->dtype == GENIE_DTYPE_BOOL) {
    return (((const uint8_t *)tensor->data)[index] != 0) == keeps_true;
  }
  return ((const float *)tensor->data)[index] > MASKED;
}

// The last two dimensions of the first matrix: all of the diagonal is kept, nothing above it. The keys may begin before
// the queries.
static bool is_lower(const genie_host_tensor_t *tensor, bool keeps_true) {
  const int64_t queries = tensor->dims[tensor->rank - 2], keys = tensor->dims[tensor->rank - 1];
  if (queries < 2 || keys < queries) {
    return false;
  }
  const int64_t past = keys - queries;
  for (int64_t q = 0; q < queries; ++q) {
    if (!element_keeps(tensor, q * keys + past + q, keeps_true)) {
      return false;
    }
    for (int64_t k = past + q + 1; k < keys; ++k) {
      if (element_keeps(tensor, q * keys + k, keeps_true)) {
        return false;
      }
    }
  }
  return true;
}

static bool can_evaluate(const genie_semantic_graph_t *graph, int node) {
  if (!graph->nodes[node].is_fixed || !genie_semantic_has_type(graph, node) ||
      !genie_type_is_static(mlirValueGetType(graph->nodes[node].value))) {
    return false;
  }
  const genie_tensor_type_t type = genie_semantic_type(graph, node);
  int64_t count = 1;
  for (int i = 0; i < type.rank; ++i) {
    count = count > MAX_ELEMENTS ? count : count * genie_dim_value(type.dims[i]);
  }
  return type.rank >= 2 && count <= MAX_ELEMENTS && genie_ir_is_compile_time(graph->nodes[node].value) &&
         (type.dtype == GENIE_DTYPE_BOOL || type.dtype == GENIE_DTYPE_F32);
}

static bool is_fixed_causal(const genie_semantic_graph_t *graph, int node, bool keeps_true) {
  if (!can_evaluate(graph, node)) {
    return false;
  }
  const genie_evaluator_t evaluator = {.allocator = genie_allocator_heap(), .load_weight = refuse_weight};
  genie_host_tensor_t tensor;
  const genie_status_t status = genie_evaluate(&evaluator, graph->nodes[node].value, &tensor);
  if (status != GENIE_OK) {
    genie_status_free(status);
    return false;
  }
  const bool is_causal = is_lower(&tensor, keeps_true);
  genie_host_tensor_deinit(evaluator.allocator, &tensor);
  return is_causal;
}

//===-- Computed masks --------------------------------------------------------------------------------------------===//

// Masks share parts: a search looks at so many ops at most, in all.
typedef struct mask_search {
  const genie_semantic_graph_t *graph;
  int steps_left;
} mask_search_t;

static bool splat_of(const genie_semantic_graph_t *graph, int node, double *out_number) {
  node = genie_semantic_skip_views(graph, node);
  return !mlirValueIsNull(graph->nodes[node].value) && genie_ir_splat_value(graph->nodes[node].value, out_number);
}

// What is added to places, as far as it is known: of iota + 3 it is 3.
static double offset_of(const genie_semantic_graph_t *graph, int node) {
  double offset = 0;
  for (node = genie_semantic_skip_views(graph, node); node >= graph->argument_count;) {
    double number;
    const bool is_add = genie_semantic_node_is(graph, node, "genie.add");
    if (genie_semantic_node_is(graph, node, "genie.iota")) {
      return offset + genie_ir_f64(graph->nodes[node].op, "start");
    }
    if (!is_add && !genie_semantic_node_is(graph, node, "genie.sub")) {
      return offset;
    }
    const int lhs = genie_semantic_operand(graph, node, 0), rhs = genie_semantic_operand(graph, node, 1);
    const bool is_left_number = is_add && splat_of(graph, lhs, &number);
    if (!is_left_number && !splat_of(graph, rhs, &number)) {
      return offset;
    }
    offset += is_add ? number : -number;
    node = genie_semantic_skip_views(graph, is_left_number ? rhs : lhs);
  }
  return offset;
}

// Places of keys run along the last dimension alone.
static bool runs_along_keys(const genie_semantic_graph_t *graph, int node) {
  const int rank = genie_semantic_type(graph, node).rank;
  return rank >= 1 && genie_semantic_size_from_end(graph, node, 1) != 1 &&
         (rank == 1 || genie_semantic_size_from_end(graph, node, 2) == 1);
}

// Places of queries do not run along the last dimension, and are no mere number.
static bool runs_along_queries(const genie_semantic_graph_t *graph, int node) {
  double number;
  return !splat_of(graph, node, &number) &&
         (genie_semantic_type(graph, node).rank == 0 || genie_semantic_size_from_end(graph, node, 1) == 1);
}

// The comparison keeps keys up to the query: key <= query, or query >= key; with `keeps_true` false, its complement. A
// window that reaches beyond the query (key <= query + 4) is not causal.
static bool compares_places(const genie_semantic_graph_t *graph, int node, bool keeps_true) {
  static const struct {
    const char *name;
    bool is_less;
    bool is_strict;
  } COMPARISONS[] = {
      {"genie.le", true, false}, {"genie.lt", true, true}, {"genie.ge", false, false}, {"genie.gt", false, true}};
  for (size_t i = 0; i < sizeof COMPARISONS / sizeof COMPARISONS[0]; ++i) {
    if (!genie_semantic_node_is(graph, node, COMPARISONS[i].name)) {
      continue;
    }
    const int lhs = genie_semantic_operand(graph, node, 0), rhs = genie_semantic_operand(graph, node, 1);
    if (!genie_semantic_is_integer(graph, lhs) || !genie_semantic_is_integer(graph, rhs)) {
      return false;
    }
    const bool is_key_left = COMPARISONS[i].is_less == keeps_true;
    const int key = is_key_left ? lhs : rhs, query = is_key_left ? rhs : lhs;
    const double reach = offset_of(graph, query) - offset_of(graph, key);
    if (reach > (COMPARISONS[i].is_strict == keeps_true ? 1 : 0)) {
      return false;
    }
    return runs_along_keys(graph, key) && runs_along_queries(graph, query);
  }
  return false;
}

static bool find(mask_search_t *search, int node, bool keeps_true);

static bool find_in_operands(mask_search_t *search, int node, int first, bool keeps_true) {
  for (int i = first; i < search->graph->nodes[node].operand_count; ++i) {
    if (find(search, genie_semantic_operand(search->graph, node, i), keeps_true)) {
      return true;
    }
  }
  return false;
}

// where(condition, a, b): the side that fills tells what the condition keeps.
static bool find_in_where(mask_search_t *search, int node) {
  const genie_semantic_graph_t *graph = search->graph;
  double number;
  for (int side = 1; side < 3; ++side) {
    if (splat_of(graph, genie_semantic_operand(graph, node, side), &number) && number <= MASKED) {
      return find(search, genie_semantic_operand(graph, node, 0), side == 2) ||
             find(search, genie_semantic_operand(graph, node, 3 - side), true);
    }
  }
  return find_in_operands(search, node, 1, true);
}

// x * large negative number, and 1 - x: each turns what is kept. A positive scale keeps it.
static bool find_turned(mask_search_t *search, int node, bool is_sub, bool keeps_true) {
  const genie_semantic_graph_t *graph = search->graph;
  double number;
  for (int side = 0; side < (is_sub ? 1 : 2); ++side) {
    if (splat_of(graph, genie_semantic_operand(graph, node, side), &number) &&
        (is_sub ? number == 1 : number <= -1e4)) {
      return find(search, genie_semantic_operand(graph, node, 1 - side), !keeps_true);
    }
    if (!is_sub && splat_of(graph, genie_semantic_operand(graph, node, side), &number) && number > 0) {
      return find(search, genie_semantic_operand(graph, node, 1 - side), keeps_true);
    }
  }
  return false;
}

static bool find(mask_search_t *search, int node, bool keeps_true) {
  const genie_semantic_graph_t *graph = search->graph;
  if (search->steps_left-- <= 0 || graph->nodes[node].is_argument) {
    return false;
  }
  if (compares_places(graph, node, keeps_true) || is_fixed_causal(graph, node, keeps_true)) {
    return true;
  }
  static const char *const JOINS[] = {"genie.add", "genie.bitwise_and", "genie.logical_and", "genie.minimum"};
  for (size_t i = 0; i < sizeof JOINS / sizeof JOINS[0]; ++i) {
    if (genie_semantic_node_is(graph, node, JOINS[i])) {
      return find_in_operands(search, node, 0, keeps_true);
    }
  }
  if (genie_semantic_is_view(graph, node)) {
    return find(search, genie_semantic_operand(graph, node, 0), keeps_true);
  }
  if (genie_semantic_node_is(graph, node, "genie.logical_not") ||
      genie_semantic_node_is(graph, node, "genie.bitwise_not")) {
    return find(search, genie_semantic_operand(graph, node, 0), !keeps_true);
  }
  if (genie_semantic_node_is(graph, node, "genie.where")) {
    return find_in_where(search, node);
  }
  const bool is_sub = genie_semantic_node_is(graph, node, "genie.sub");
  return (is_sub || genie_semantic_node_is(graph, node, "genie.mul")) && find_turned(search, node, is_sub, keeps_true);
}

bool genie_causal_mask_find(const genie_semantic_graph_t *graph, int mask) {
  mask_search_t search = {.graph = graph, .steps_left = MAX_STEPS};
  return mask >= 0 && find(&search, mask, true);
}
