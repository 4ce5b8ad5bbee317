#include "passes/fuse/fuse_graph.h"

#include <assert.h>
#include <string.h>

#include "ir/evaluate.h"
#include "ir/strided_view.h"

//===-- Kinds of ops ----------------------------------------------------------------------------------------------===//

static const char *const ANCHOR_FAMILIES[] = {"row",  "gemm",    "conv",          "attention", "pool", "scan",
                                              "sort", "scatter", "embedding_bag", "recurrent", NULL};

const char *genie_fuse_family(const genie_op_info_t *info) {
  if (info == NULL) {
    return NULL;
  }
  if (strcmp(info->lower_rule, "pointwise") == 0 || strcmp(info->lower_rule, "view") == 0) {
    return "pointwise";
  }
  for (int i = 0; ANCHOR_FAMILIES[i] != NULL; ++i) {
    if (strcmp(info->lower_rule, ANCHOR_FAMILIES[i]) == 0) {
      return ANCHOR_FAMILIES[i];
    }
  }
  return NULL;
}

// Operands [first, first + count) of a family's anchor that its template loads at any index.
static const struct {
  const char *family;
  intptr_t first, count;
} INDEXED_OPERANDS[] = {
    {"pointwise", 0, INTPTR_MAX}, {"row", 0, INTPTR_MAX},     {"scan", 0, INTPTR_MAX},          {"sort", 0, INTPTR_MAX},
    {"attention", 3, 1},          {"scatter", 1, INTPTR_MAX}, {"embedding_bag", 1, INTPTR_MAX},
};

genie_fuse_access_t genie_fuse_graph_access(MlirOperation op, intptr_t operand) {
  const char *family = genie_fuse_family(genie_op_info_get(op));
  for (size_t i = 0; family != NULL && i < sizeof(INDEXED_OPERANDS) / sizeof(INDEXED_OPERANDS[0]); ++i) {
    if (strcmp(INDEXED_OPERANDS[i].family, family) == 0) {
      const intptr_t distance = operand - INDEXED_OPERANDS[i].first;
      return distance >= 0 && distance < INDEXED_OPERANDS[i].count ? GENIE_FUSE_ACCESS_INDEXED
                                                                   : GENIE_FUSE_ACCESS_STRIDED;
    }
  }
  return family == NULL ? GENIE_FUSE_ACCESS_INDEXED : GENIE_FUSE_ACCESS_STRIDED;
}

static bool is_argument_compile_time(const genie_fuse_graph_t *graph, MlirValue value) {
  MlirStringRef name;
  const intptr_t index = mlirBlockArgumentGetArgNumber(value);
  return genie_ir_argument_role(graph->function, index, &name) == GENIE_IR_ARGUMENT_WEIGHT;
}

// Attributes may hold sizes: `size`'s expression and `slice`'s start.
static bool has_symbolic_attribute(MlirOperation op) {
  static const char *const NAMES[] = {"expression", "start"};
  for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); ++i) {
    const MlirAttribute attribute = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(NAMES[i]));
    if (!mlirAttributeIsNull(attribute) && mlirAttributeIsAAffineMap(attribute) &&
        !mlirAffineExprIsAConstant(mlirAffineMapGetResult(mlirAffineMapAttrGetValue(attribute), 0))) {
      return true;
    }
  }
  return false;
}

// A view that is returned or becomes state is a copy to be made at run time, whatever it copies.
static bool is_result_copy(MlirOperation op) {
  if (!genie_rewrite_is_view(op)) {
    return false;
  }
  MlirOpOperand use = mlirValueGetFirstUse(genie_rewrite_result(op));
  for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (genie_op_info_get(user) == NULL || genie_op_is(user, "genie.state_update")) {
      return true;
    }
  }
  return false;
}

static bool is_op_compile_time(const genie_fuse_graph_t *graph, const genie_fuse_node_t *node) {
  if (node->info == NULL || is_result_copy(node->op) || has_symbolic_attribute(node->op) ||
      !genie_evaluate_supports(node->op)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(node->op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(node->op, i);
    const int definer = genie_fuse_graph_definer(graph, operand);
    if (definer >= 0 ? !graph->nodes[definer].is_compile_time : !is_argument_compile_time(graph, operand)) {
      return false;
    }
  }
  return true;
}

static void classify(const genie_fuse_graph_t *graph, genie_fuse_node_t *node) {
  node->group = GENIE_FUSE_NO_GROUP;
  node->next_member = -1;
  node->repetition = 1;
  node->info = genie_op_info_get(node->op);
  node->is_compile_time = is_op_compile_time(graph, node);
  const char *family = genie_fuse_family(node->info);
  node->is_computed = family != NULL && !node->is_compile_time;
  node->is_pointwise = node->is_computed && strcmp(family, "pointwise") == 0;
  node->is_view = node->info != NULL && genie_rewrite_is_view(node->op);
}

//===-- Graph -----------------------------------------------------------------------------------------------------===//

static genie_status_t fill(genie_fuse_graph_t *graph, const genie_op_list_t *list) {
  const size_t count = (size_t)list->count;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, count, sizeof(*graph->nodes), (void **)&graph->nodes));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, count, sizeof(*graph->groups), (void **)&graph->groups));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, count, sizeof(int), (void **)&graph->visited));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, count, sizeof(int), (void **)&graph->stack));
  for (int i = 0; i < list->count; ++i) {
    graph->nodes[i].op = list->ops[i];
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&graph->index_of, list->ops[i].ptr, i));
    graph->node_count = i + 1;
    classify(graph, &graph->nodes[i]);
  }
  return GENIE_OK;
}

genie_status_t genie_fuse_graph_init(MlirOperation function, genie_fuse_graph_t *out_graph) {
  *out_graph = (genie_fuse_graph_t){.function = function, .block = genie_rewrite_body(function)};
  genie_arena_init(genie_allocator_heap(), 0, &out_graph->arena);
  genie_pointer_map_init(&out_graph->index_of);
  genie_op_list_t list;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(out_graph->block, &out_graph->arena, &list));
  return fill(out_graph, &list);
}

void genie_fuse_graph_deinit(genie_fuse_graph_t *graph) {
  genie_pointer_map_deinit(&graph->index_of);
  genie_arena_deinit(&graph->arena);
}

int genie_fuse_graph_node(const genie_fuse_graph_t *graph, MlirOperation op) {
  return genie_pointer_map_get(&graph->index_of, op.ptr);
}

int genie_fuse_graph_definer(const genie_fuse_graph_t *graph, MlirValue value) {
  return mlirValueIsAOpResult(value) ? genie_fuse_graph_node(graph, mlirOpResultGetOwner(value)) : -1;
}

int genie_fuse_graph_add_group(genie_fuse_graph_t *graph, const char *family, int anchor) {
  const int group = graph->group_count++;
  graph->groups[group] = (genie_fuse_group_t){.family = family, .anchor = anchor, .first = anchor, .last = anchor};
  graph->nodes[anchor].group = group;
  return group;
}

void genie_fuse_graph_join(genie_fuse_graph_t *graph, int group, int node) {
  assert(graph->nodes[node].group == GENIE_FUSE_NO_GROUP);
  const double repetition = genie_fuse_graph_repetition(graph, group, genie_rewrite_result(graph->nodes[node].op));
  graph->nodes[node].repetition = repetition > 1 ? repetition : 1;
  graph->nodes[node].group = group;
  genie_fuse_group_t *g = &graph->groups[group];
  if (node < g->first) {
    graph->nodes[node].next_member = g->first;
    g->first = node;
    return;
  }
  int before = g->first;
  while (graph->nodes[before].next_member >= 0 && graph->nodes[before].next_member < node) {
    before = graph->nodes[before].next_member;
  }
  graph->nodes[node].next_member = graph->nodes[before].next_member;
  graph->nodes[before].next_member = node;
  g->last = node > g->last ? node : g->last;
}

void genie_fuse_graph_leave(genie_fuse_graph_t *graph, int node) {
  genie_fuse_group_t *g = &graph->groups[graph->nodes[node].group];
  assert(node != g->anchor);
  int *link = &g->first;
  int previous = -1;
  while (*link != node) {
    previous = *link;
    link = &graph->nodes[*link].next_member;
  }
  *link = graph->nodes[node].next_member;
  g->last = g->last == node ? previous : g->last;
  graph->nodes[node].next_member = -1;
  graph->nodes[node].group = GENIE_FUSE_NO_GROUP;
}

bool genie_fuse_graph_escapes(const genie_fuse_graph_t *graph, int group, MlirValue value) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    const int node = genie_fuse_graph_node(graph, user);
    if (node >= 0 && graph->nodes[node].group == group) {
      if (genie_fuse_graph_access(user, mlirOpOperandGetOperandNumber(use)) == GENIE_FUSE_ACCESS_STRIDED) {
        return true;
      }
      continue;
    }
    const bool is_inlined = node >= 0 && genie_fuse_graph_is_inlined(graph, node, GENIE_FUSE_ACCESS_INDEXED);
    if (!is_inlined || genie_fuse_graph_escapes(graph, group, genie_rewrite_result(user))) {
      return true;
    }
  }
  return false;
}

//===-- Paths -----------------------------------------------------------------------------------------------------===//

// Pushes the users of one op's results that are not yet visited.
static int push_users(genie_fuse_graph_t *graph, MlirOperation op, int depth) {
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    MlirOpOperand use = mlirValueGetFirstUse(mlirOperationGetResult(op, i));
    for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
      const int user = genie_fuse_graph_node(graph, mlirOpOperandGetOwner(use));
      if (user >= 0 && graph->visited[user] != graph->stamp) {
        graph->visited[user] = graph->stamp;
        graph->stack[depth++] = user;
      }
    }
  }
  return depth;
}

typedef struct span {
  const genie_fuse_graph_t *graph;
  int group, node, other;
} span_t;

static bool is_inside(const span_t *span, int node) {
  const int group = span->graph->nodes[node].group;
  return node == span->node || group == span->group || (group >= 0 && group == span->other);
}

// The first node of the same group, or the node itself; then the next one.
static int first_of(const genie_fuse_graph_t *graph, int node) {
  const int group = graph->nodes[node].group;
  return group >= 0 ? graph->groups[group].first : node;
}

static bool is_read_inside(const span_t *span, int node) {
  const MlirOperation op = span->graph->nodes[node].op;
  for (intptr_t r = 0; r < mlirOperationGetNumResults(op); ++r) {
    MlirOpOperand use = mlirValueGetFirstUse(mlirOperationGetResult(op, r));
    for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
      const int user = genie_fuse_graph_node(span->graph, mlirOpOperandGetOwner(use));
      if (user >= 0 && is_inside(span, user)) {
        return true;
      }
    }
  }
  return false;
}

// Pushes the users of all ops that run together with `node`.
static int push_users_of_group(genie_fuse_graph_t *graph, int node, int depth) {
  for (int i = first_of(graph, node); i >= 0; i = graph->nodes[i].next_member) {
    graph->visited[i] = graph->stamp;
    depth = push_users(graph, graph->nodes[i].op, depth);
  }
  return depth;
}

bool genie_fuse_graph_is_split(genie_fuse_graph_t *graph, int group, int node) {
  const span_t span = {graph, group, node, graph->nodes[node].group};
  ++graph->stamp;
  int depth = push_users_of_group(graph, graph->groups[group].first, 0);
  depth = push_users_of_group(graph, node, depth);
  while (depth > 0) {
    const int reached = graph->stack[--depth];
    if (is_inside(&span, reached)) {
      continue;
    }
    for (int i = first_of(graph, reached); i >= 0; i = graph->nodes[i].next_member) {
      if (is_read_inside(&span, i)) {
        return true;
      }
    }
    depth = push_users_of_group(graph, reached, depth);
  }
  return false;
}

void genie_fuse_graph_merge(genie_fuse_graph_t *graph, int group, int other) {
  int member = graph->groups[other].first;
  while (member >= 0) {
    const int next = graph->nodes[member].next_member;
    graph->nodes[member].group = GENIE_FUSE_NO_GROUP;
    graph->nodes[member].next_member = -1;
    genie_fuse_graph_join(graph, group, member);
    member = next;
  }
  graph->groups[other].first = -1;
}

//===-- What a kernel evaluates again -----------------------------------------------------------------------------===//

double genie_fuse_graph_elements(const genie_fuse_graph_t *graph, MlirValue value) {
  const genie_tensor_type_t type = genie_value_type(value);
  double elements = 1;
  for (int i = 0; i < type.rank; ++i) {
    int64_t minimum, maximum;
    genie_dim_bounds(graph->function, type.dims[i], &minimum, &maximum);
    elements *= (double)maximum;
  }
  return elements;
}

// A view of a weight costs nothing to read through; any other compile-time value is computed when the plan is made.
static bool is_view_of_weight(const genie_fuse_graph_t *graph, int node) {
  genie_strided_view_t view;
  return graph->nodes[node].is_view &&
         genie_strided_view_of(genie_rewrite_result(graph->nodes[node].op), NULL, &view) &&
         mlirValueIsABlockArgument(view.root);
}

bool genie_fuse_graph_is_inlined(const genie_fuse_graph_t *graph, int node, genie_fuse_access_t access) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  if (n->group != GENIE_FUSE_NO_GROUP) {
    return false;
  }
  if (access == GENIE_FUSE_ACCESS_STRIDED) {
    genie_strided_view_t view;
    return n->is_view && !n->is_compile_time && genie_strided_view_of(genie_rewrite_result(n->op), NULL, &view);
  }
  if (n->is_compile_time) {
    double number;
    return n->is_cheap || is_view_of_weight(graph, node) || genie_ir_splat_value(genie_rewrite_result(n->op), &number);
  }
  return n->is_view || n->is_cheap;
}
