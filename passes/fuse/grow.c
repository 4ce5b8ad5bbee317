// Growing a group towards its producers.
#include <string.h>

#include "passes/fuse/fuse_graph.h"

enum { MAX_MEMBERS = 96 };

// True when a member of the group reads `value` itself, not through a view.
static bool is_read_directly(const genie_fuse_graph_t *graph, int group, MlirValue value) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const int user = genie_fuse_graph_node(graph, mlirOpOperandGetOwner(use));
    if (user >= 0 && graph->nodes[user].group == group) {
      return true;
    }
  }
  return false;
}

static bool may_join(genie_fuse_graph_t *graph, int group, int node, MlirValue space) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  if (!n->is_pointwise || n->group != GENIE_FUSE_NO_GROUP || genie_fuse_graph_is_repeated(graph, group, node)) {
    return false;
  }
  const MlirValue result = genie_rewrite_result(n->op);
  if (!genie_fuse_graph_escapes(graph, group, result)) {
    return true;
  }
  return !mlirValueIsNull(space) && !n->is_view && !n->is_cheap && genie_rewrite_same_dims(result, space) &&
         is_read_directly(graph, group, result) && !genie_fuse_graph_is_split(graph, group, node);
}

//===-- Repetition ------------------------------------------------------------------------------------------------===//

// Ops that read each element of an operand once, though the result has more elements.
static bool is_rearranging(MlirOperation op) {
  static const char *const NAMES[] = {"genie.concat", "genie.pad", "genie.slice_scatter"};
  for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); ++i) {
    if (genie_op_is(op, NAMES[i])) {
      return true;
    }
  }
  return false;
}

// How often one evaluation of all of `op` reads each element of `value`.
static double readings(const genie_fuse_graph_t *graph, MlirOperation op, MlirValue value) {
  const char *family = genie_fuse_family(genie_op_info_get(op));
  if (is_rearranging(op) || strcmp(family, "scatter") == 0) {
    return 1;
  }
  // A row is read as a whole, weights once a row, a mask once for each head.
  double space = genie_fuse_graph_elements(graph, mlirOperationGetResult(op, 0));
  if (strcmp(family, "row") == 0) {
    space = genie_fuse_graph_elements(graph, mlirOperationGetOperand(op, 0));
  }
  const double ratio = space / genie_fuse_graph_elements(graph, value);
  return ratio > 1 ? ratio : 1;
}

double genie_fuse_graph_repetition(const genie_fuse_graph_t *graph, int group, MlirValue value) {
  double most = 0;
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    const int node = genie_fuse_graph_node(graph, user);
    double times = 0;
    if (node >= 0 && graph->nodes[node].group == group) {
      times = graph->nodes[node].repetition * readings(graph, user, value);
    } else if (node >= 0 && genie_fuse_graph_is_inlined(graph, node, GENIE_FUSE_ACCESS_INDEXED)) {
      times = genie_fuse_graph_repetition(graph, group, genie_rewrite_result(user)) * readings(graph, user, value);
    }
    most = times > most ? times : most;
  }
  return most;
}

bool genie_fuse_graph_is_repeated(const genie_fuse_graph_t *graph, int group, int node) {
  return genie_fuse_graph_weight(graph, node) > 1 &&
         genie_fuse_graph_repetition(graph, group, genie_rewrite_result(graph->nodes[node].op)) > 1;
}

//===-- Growing ---------------------------------------------------------------------------------------------------===//

static int mark_operands(const genie_fuse_graph_t *graph, int node, bool *is_marked) {
  int count = 0;
  const MlirOperation op = graph->nodes[node].op;
  for (intptr_t k = 0; k < mlirOperationGetNumOperands(op); ++k) {
    const int definer = genie_fuse_graph_definer(graph, mlirOperationGetOperand(op, k));
    if (definer >= 0 && !is_marked[definer]) {
      is_marked[definer] = true;
      ++count;
    }
  }
  return count;
}

// All readers of a node come after it, so going backwards each is decided when its readers are.
genie_status_t genie_fuse_graph_grow_producers(genie_fuse_graph_t *graph, int group, const bool *is_root,
                                               MlirValue space) {
  bool *is_marked;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(bool), (void **)&is_marked));
  memcpy(is_marked, is_root, (size_t)graph->node_count * sizeof(bool));
  int outstanding = 0;
  for (int i = 0; i < graph->node_count; ++i) {
    outstanding += is_marked[i];
  }
  int member_count = 0;
  for (int i = graph->node_count - 1; i >= 0 && outstanding > 0; --i) {
    if (!is_marked[i]) {
      continue;
    }
    --outstanding;
    if (member_count < MAX_MEMBERS && may_join(graph, group, i, space)) {
      genie_fuse_graph_join(graph, group, i);
      ++member_count;
      outstanding += mark_operands(graph, i, is_marked);
    } else if (genie_fuse_graph_is_inlined(graph, i, GENIE_FUSE_ACCESS_INDEXED)) {
      outstanding += mark_operands(graph, i, is_marked);
    }
  }
  return GENIE_OK;
}
