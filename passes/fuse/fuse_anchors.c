// fuse-anchors: every op with a template of its own becomes a kernel, together with the index-evaluable producers that
// its family admits, the pointwise ops behind it, and the views through which its result leaves.
#include <string.h>

#include "ir/strided_view.h"
#include "passes/fuse/fuse_graph.h"
#include "passes/fuse/library_epilogue.h"

enum { MAX_EPILOGUE = 40, MAX_EPILOGUE_PRODUCER_WEIGHT = 1 };

static const char *const FAMILIES_WITH_EPILOGUE[] = {"row",  "attention", "gemm",         "conv",
                                                     "pool", "scan",      "embedding_bag"};

static bool has_epilogue(const char *family) {
  for (size_t i = 0; i < sizeof(FAMILIES_WITH_EPILOGUE) / sizeof(FAMILIES_WITH_EPILOGUE[0]); ++i) {
    if (strcmp(FAMILIES_WITH_EPILOGUE[i], family) == 0) {
      return true;
    }
  }
  return false;
}

//===-- Prologue --------------------------------------------------------------------------------------------------===//

static genie_status_t grow_prologue(genie_fuse_graph_t *graph, int group) {
  const genie_fuse_group_t *g = &graph->groups[group];
  const MlirOperation anchor = graph->nodes[g->anchor].op;
  bool *is_root;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(bool), (void **)&is_root));
  for (intptr_t k = 0; k < mlirOperationGetNumOperands(anchor); ++k) {
    const int definer = genie_fuse_graph_definer(graph, mlirOperationGetOperand(anchor, k));
    if (definer >= 0 && genie_fuse_graph_access(anchor, k) == GENIE_FUSE_ACCESS_INDEXED) {
      is_root[definer] = true;
    }
  }
  // What a row kernel reads at the index of its result, it can store as well.
  const MlirValue result = genie_rewrite_result(anchor);
  const bool is_space =
      strcmp(g->family, "row") == 0 && genie_rewrite_same_dims(mlirOperationGetOperand(anchor, 0), result);
  return genie_fuse_graph_grow_producers(graph, group, is_root, is_space ? result : (MlirValue){NULL});
}

// The number of ways in which the group reads `value`, views of it included.
static int count_readings(const genie_fuse_graph_t *graph, int group, MlirValue value) {
  int count = 0;
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    const int node = genie_fuse_graph_node(graph, user);
    if (node >= 0 && graph->nodes[node].group == group) {
      ++count;
    } else if (node >= 0 && genie_fuse_graph_is_inlined(graph, node, GENIE_FUSE_ACCESS_INDEXED)) {
      count += count_readings(graph, group, genie_rewrite_result(user));
    }
  }
  return count;
}

// A scatter may write its result over what it updates, so that the updates must not be computed from there meanwhile.
static void keep_updated_apart(genie_fuse_graph_t *graph, int group) {
  const int anchor = graph->groups[group].anchor;
  MlirValue updated = mlirOperationGetOperand(graph->nodes[anchor].op, 0);
  for (MlirOperation view = genie_rewrite_definer(updated); !mlirOperationIsNull(view) && genie_rewrite_is_view(view);
       view = genie_rewrite_definer(updated)) {
    updated = mlirOperationGetOperand(view, 0);
  }
  if (count_readings(graph, group, updated) <= 1) {
    return;
  }
  while (graph->groups[group].first != anchor) {
    genie_fuse_graph_leave(graph, graph->groups[group].first);
  }
  graph->groups[group].is_without_views = true;
}

//===-- Epilogue --------------------------------------------------------------------------------------------------===//

// The first node behind the group that reads what it computes; -1 if there is none.
static int next_user(const genie_fuse_graph_t *graph, int group) {
  int first = -1;
  for (int i = graph->groups[group].anchor; i >= 0; i = graph->nodes[i].next_member) {
    MlirOpOperand use = mlirValueGetFirstUse(genie_rewrite_result(graph->nodes[i].op));
    for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
      const int user = genie_fuse_graph_node(graph, mlirOpOperandGetOwner(use));
      if (user >= 0 && graph->nodes[user].group != group && (first < 0 || user < first)) {
        first = user;
      }
    }
  }
  return first;
}

// True when `value` depends on a member of the group through views and cheap ops only.
static bool reads_group_through_views(const genie_fuse_graph_t *graph, int group, MlirValue value) {
  const int definer = genie_fuse_graph_definer(graph, value);
  if (definer < 0 || graph->nodes[definer].is_compile_time) {
    return false;
  }
  if (graph->nodes[definer].group == group) {
    return true;
  }
  if (!genie_fuse_graph_is_inlined(graph, definer, GENIE_FUSE_ACCESS_INDEXED)) {
    return false;
  }
  const MlirOperation op = graph->nodes[definer].op;
  for (intptr_t k = 0; k < mlirOperationGetNumOperands(op); ++k) {
    if (reads_group_through_views(graph, group, mlirOperationGetOperand(op, k))) {
      return true;
    }
  }
  return false;
}

static bool is_epilogue_op(const genie_fuse_graph_t *graph, int group, int node, MlirValue space) {
  if (!genie_fuse_graph_is_elementwise(graph, node) || graph->nodes[node].group != GENIE_FUSE_NO_GROUP) {
    return false;
  }
  const MlirOperation op = graph->nodes[node].op;
  if (!genie_rewrite_same_dims(genie_rewrite_result(op), space)) {
    return false;
  }
  for (intptr_t k = 0; k < mlirOperationGetNumOperands(op); ++k) {
    const MlirValue operand = mlirOperationGetOperand(op, k);
    const int definer = genie_fuse_graph_definer(graph, operand);
    const bool is_member = definer >= 0 && graph->nodes[definer].group == group;
    if (is_member ? !genie_rewrite_same_dims(operand, space) : reads_group_through_views(graph, group, operand)) {
      return false;
    }
  }
  return true;
}

// The number of members whose results leave the group; `out_last` is the last of them.
static int count_exits(const genie_fuse_graph_t *graph, int group, int *out_last) {
  int count = 0;
  for (int i = graph->groups[group].anchor; i >= 0; i = graph->nodes[i].next_member) {
    if (genie_fuse_graph_escapes(graph, group, genie_rewrite_result(graph->nodes[i].op))) {
      ++count;
      *out_last = i;
    }
  }
  return count;
}

static bool has_exit_before_anchor(const genie_fuse_graph_t *graph, int group) {
  for (int i = graph->groups[group].first; i != graph->groups[group].anchor; i = graph->nodes[i].next_member) {
    if (genie_fuse_graph_escapes(graph, group, genie_rewrite_result(graph->nodes[i].op))) {
      return true;
    }
  }
  return false;
}

// Joins pointwise ops behind the anchor as long as a point comes where only one value leaves: a value that is stored
// and read again elsewhere gains nothing here. Ops after the last such point are given back.
//
// What others read of the prologue may lead back into the epilogue by way of them: then the group would be split.
static void grow_epilogue(genie_fuse_graph_t *graph, int group) {
  const MlirValue space = genie_rewrite_result(graph->nodes[graph->groups[group].anchor].op);
  const bool has_prologue_exit = has_exit_before_anchor(graph, group);
  int pending[MAX_EPILOGUE];
  int pending_count = 0;
  while (pending_count < MAX_EPILOGUE) {
    const int user = next_user(graph, group);
    if (user < 0 || !is_epilogue_op(graph, group, user, space) || !genie_fuse_library_admits(graph, group, user) ||
        (has_prologue_exit && genie_fuse_graph_is_split(graph, group, user))) {
      break;
    }
    genie_fuse_graph_join(graph, group, user);
    pending[pending_count++] = user;
    int last = -1;
    if (count_exits(graph, group, &last) == 1 && last == user) {
      pending_count = 0;
    }
  }
  while (pending_count > 0) {
    genie_fuse_graph_leave(graph, pending[--pending_count]);
  }
}

// What epilogue ops add or multiply: light producers that only the epilogue reads.
static genie_status_t grow_epilogue_producers(genie_fuse_graph_t *graph, int group) {
  if (has_exit_before_anchor(graph, group)) {
    return GENIE_OK;
  }
  bool *is_root;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(bool), (void **)&is_root));
  const int anchor = graph->groups[group].anchor;
  for (int i = graph->nodes[anchor].next_member; i >= 0; i = graph->nodes[i].next_member) {
    const MlirOperation op = graph->nodes[i].op;
    for (intptr_t k = 0; k < mlirOperationGetNumOperands(op); ++k) {
      const int definer = genie_fuse_graph_definer(graph, mlirOperationGetOperand(op, k));
      if (definer >= 0 && graph->nodes[definer].group != group && genie_fuse_graph_is_elementwise(graph, definer) &&
          genie_fuse_graph_weight(graph, definer) <= MAX_EPILOGUE_PRODUCER_WEIGHT) {
        is_root[definer] = true;
      }
    }
  }
  return genie_fuse_graph_grow_producers(graph, group, is_root, (MlirValue){NULL});
}

//===-- Views behind ----------------------------------------------------------------------------------------------===//

// True when some reader needs `value`, a view, as a buffer: it cannot read the view's source through strides.
static bool needs_buffer(const genie_fuse_graph_t *graph, MlirValue value) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    const int node = genie_fuse_graph_node(graph, user);
    if (node < 0 || !graph->nodes[node].is_computed) {
      return true;
    }
    if (graph->nodes[node].is_view) {
      if (needs_buffer(graph, genie_rewrite_result(user))) {
        return true;
      }
    } else if (genie_fuse_graph_access(user, mlirOpOperandGetOperandNumber(use)) == GENIE_FUSE_ACCESS_STRIDED) {
      genie_strided_view_t view;
      if (!genie_strided_view_of(value, NULL, &view)) {
        return true;
      }
    }
  }
  return false;
}

// The only reader of `value` if it is a reshape or a permute; -1 otherwise.
static int only_view(const genie_fuse_graph_t *graph, MlirValue value) {
  if (!genie_rewrite_has_one_use(value)) {
    return -1;
  }
  const MlirOperation user = mlirOpOperandGetOwner(mlirValueGetFirstUse(value));
  const int node = genie_fuse_graph_node(graph, user);
  const bool is_storable = genie_op_is(user, "genie.reshape") || genie_op_is(user, "genie.permute");
  return node >= 0 && graph->nodes[node].group == GENIE_FUSE_NO_GROUP && is_storable ? node : -1;
}

static void absorb_views(genie_fuse_graph_t *graph, int group) {
  int exit = -1;
  if (count_exits(graph, group, &exit) != 1) {
    return;
  }
  const MlirValue stored = genie_rewrite_result(graph->nodes[exit].op);
  int chain[GENIE_IR_MAX_RANK];
  int length = 0, wanted = 0;
  MlirValue value = stored;
  while (length < GENIE_IR_MAX_RANK) {
    const int view = only_view(graph, value);
    genie_strided_view_t address;
    if (view < 0 || !genie_strided_view_into(stored, genie_rewrite_result(graph->nodes[view].op), NULL, &address)) {
      break;
    }
    value = genie_rewrite_result(graph->nodes[view].op);
    chain[length++] = view;
    if (needs_buffer(graph, value)) {
      wanted = length;
    }
  }
  for (int i = 0; i < wanted; ++i) {
    genie_fuse_graph_join(graph, group, chain[i]);
  }
}

//===-- Pass ------------------------------------------------------------------------------------------------------===//

static genie_status_t fuse_anchor(genie_fuse_graph_t *graph, int node) {
  const char *family = genie_fuse_family(graph->nodes[node].info);
  const int group = genie_fuse_graph_add_group(graph, family, node);
  GENIE_RETURN_IF_ERROR(grow_prologue(graph, group));
  if (strcmp(family, "scatter") == 0) {
    keep_updated_apart(graph, group);
  }
  if (has_epilogue(family) && mlirOperationGetNumResults(graph->nodes[node].op) == 1) {
    grow_epilogue(graph, group);
    GENIE_RETURN_IF_ERROR(grow_epilogue_producers(graph, group));
    absorb_views(graph, group);
  }
  return GENIE_OK;
}

static genie_status_t fuse_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_fuse_graph_t graph;
  genie_status_t status = genie_fuse_graph_init(function, &graph);
  if (status == GENIE_OK) {
    status = genie_fuse_graph_mark_cheap(&graph);
  }
  for (int i = 0; status == GENIE_OK && i < graph.node_count; ++i) {
    const genie_fuse_node_t *node = &graph.nodes[i];
    if (node->is_computed && !node->is_pointwise && node->group == GENIE_FUSE_NO_GROUP) {
      status = fuse_anchor(&graph, i);
    }
  }
  if (status == GENIE_OK) {
    status = genie_fuse_graph_build(&graph);
  }
  genie_fuse_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_fuse_anchors(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, fuse_function);
}
