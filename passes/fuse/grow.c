// Growing a group towards its producers.
#include <string.h>

#include "passes/fuse/fuse_graph.h"

enum { MAX_MEMBERS = 96, MAX_BROADCAST_WEIGHT = 1 };

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

// Evaluating a heavy producer once for each of many readers of the same element costs more than a buffer.
static bool is_repeated(const genie_fuse_graph_t *graph, int node, MlirValue space) {
  const double own = genie_fuse_graph_elements(graph, genie_rewrite_result(graph->nodes[node].op));
  return genie_fuse_graph_weight(graph, node) > MAX_BROADCAST_WEIGHT &&
         genie_fuse_graph_elements(graph, space) > own * 1.5;
}

static bool may_join(genie_fuse_graph_t *graph, int group, int node, MlirValue space, bool has_extra_results) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  if (!n->is_pointwise || n->group != GENIE_FUSE_NO_GROUP || is_repeated(graph, node, space)) {
    return false;
  }
  const MlirValue result = genie_rewrite_result(n->op);
  if (!genie_fuse_graph_escapes(graph, group, result)) {
    return true;
  }
  return has_extra_results && !n->is_view && !n->is_cheap && genie_rewrite_same_dims(result, space) &&
         is_read_directly(graph, group, result) && !genie_fuse_graph_is_split(graph, group, node);
}

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
genie_status_t genie_fuse_graph_grow_producers(genie_fuse_graph_t *graph, int group, const bool *is_root, MlirValue space,
                                               bool has_extra_results) {
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
    if (member_count < MAX_MEMBERS && may_join(graph, group, i, space, has_extra_results)) {
      genie_fuse_graph_join(graph, group, i);
      ++member_count;
      outstanding += mark_operands(graph, i, is_marked);
    } else if (genie_fuse_graph_is_inlined(graph, i, GENIE_FUSE_ACCESS_INDEXED)) {
      outstanding += mark_operands(graph, i, is_marked);
    }
  }
  return GENIE_OK;
}
