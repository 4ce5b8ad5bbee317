// fuse-pointwise: what no anchor took becomes kernels whose results share one iteration space.
//
// Going backwards, an op joins the one kernel that reads it; an op that several kernels read joins one of them as a
// further result where the iteration spaces are equal, and otherwise becomes a kernel itself. A view that somebody
// needs as a buffer becomes a copy.
#include "passes/fuse/fuse_graph.h"

enum { MAX_READERS = 16, MAX_MEMBERS = 96 };

typedef struct readers {
  int groups[MAX_READERS];  // distinct
  int count;
  bool is_demanded;  // somebody outside all groups reads the buffer
  bool is_overflown;
} readers_t;

static void add_reader(readers_t *readers, int group) {
  for (int i = 0; i < readers->count; ++i) {
    if (readers->groups[i] == group) {
      return;
    }
  }
  if (readers->count == MAX_READERS) {
    readers->is_overflown = true;
    return;
  }
  readers->groups[readers->count++] = group;
}

static void find_readers(const genie_fuse_graph_t *graph, MlirValue value, readers_t *readers) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    const int node = genie_fuse_graph_node(graph, user);
    if (node >= 0 && graph->nodes[node].group != GENIE_FUSE_NO_GROUP) {
      add_reader(readers, graph->nodes[node].group);
    } else if (node >= 0 && genie_fuse_graph_is_inlined(graph, node, GENIE_FUSE_ACCESS_INDEXED)) {
      find_readers(graph, genie_rewrite_result(user), readers);
    } else {
      readers->is_demanded = true;
    }
  }
}

static MlirValue space_of(const genie_fuse_graph_t *graph, int group) {
  return genie_rewrite_result(graph->nodes[graph->groups[group].anchor].op);
}

static bool has_room(const genie_fuse_graph_t *graph, int group) {
  int count = 0;
  for (int i = graph->groups[group].first; i >= 0; i = graph->nodes[i].next_member) {
    ++count;
  }
  return count < MAX_MEMBERS;
}

// How many results a kernel of this group stores.
static int result_count(const genie_fuse_graph_t *graph, int group) {
  int count = 0;
  for (int i = graph->groups[group].first; i >= 0; i = graph->nodes[i].next_member) {
    count += genie_fuse_graph_escapes(graph, group, genie_rewrite_result(graph->nodes[i].op));
  }
  return count;
}

static bool may_join(const genie_fuse_graph_t *graph, int node, const readers_t *readers) {
  return readers->count == 1 && !readers->is_demanded && !readers->is_overflown &&
         has_room(graph, readers->groups[0]) && !genie_fuse_graph_is_repeated(graph, readers->groups[0], node);
}

// A kernel among the readers that can store this result beside its own.
static int host_of(genie_fuse_graph_t *graph, int node, const readers_t *readers) {
  const MlirValue result = genie_rewrite_result(graph->nodes[node].op);
  for (int i = 0; i < readers->count; ++i) {
    const int group = readers->groups[i];
    if (genie_rewrite_same_dims(space_of(graph, group), result) && has_room(graph, group) &&
        result_count(graph, group) < GENIE_IR_MAX_RESULTS && !genie_fuse_graph_is_split(graph, group, node)) {
      return group;
    }
  }
  return GENIE_FUSE_NO_GROUP;
}

// Kernels of one iteration space that read the same value become one.
static void merge_readers(genie_fuse_graph_t *graph, readers_t *readers) {
  for (int i = 1; i < readers->count;) {
    const int group = readers->groups[0];
    const int other = readers->groups[i];
    if (genie_rewrite_same_dims(space_of(graph, group), space_of(graph, other)) && has_room(graph, group) &&
        result_count(graph, group) + result_count(graph, other) <= GENIE_IR_MAX_RESULTS &&
        !genie_fuse_graph_is_split(graph, group, graph->groups[other].anchor)) {
      genie_fuse_graph_merge(graph, group, other);
      readers->groups[i] = readers->groups[--readers->count];
    } else {
      ++i;
    }
  }
}

static void decide(genie_fuse_graph_t *graph, int node) {
  const genie_fuse_node_t *n = &graph->nodes[node];
  const MlirValue result = genie_rewrite_result(n->op);
  readers_t readers = {0};
  find_readers(graph, result, &readers);
  const bool is_unread = readers.count == 0 && !readers.is_demanded;
  if (is_unread || (!readers.is_demanded && (n->is_view || n->is_cheap))) {
    return;  // every kernel has its own
  }
  if (readers.count > 1 && !readers.is_overflown) {
    merge_readers(graph, &readers);
  }
  if (may_join(graph, node, &readers)) {
    genie_fuse_graph_join(graph, readers.groups[0], node);
    return;
  }
  const int host = n->is_view ? GENIE_FUSE_NO_GROUP : host_of(graph, node, &readers);
  if (host != GENIE_FUSE_NO_GROUP) {
    genie_fuse_graph_join(graph, host, node);
  } else {
    genie_fuse_graph_add_group(graph, "pointwise", node);
  }
}

static genie_status_t fuse_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_fuse_graph_t graph;
  genie_status_t status = genie_fuse_graph_init(function, &graph);
  if (status == GENIE_OK) {
    status = genie_fuse_graph_mark_cheap(&graph);
  }
  for (int i = status == GENIE_OK ? graph.node_count - 1 : -1; i >= 0; --i) {
    if (graph.nodes[i].is_pointwise) {
      decide(&graph, i);
    }
  }
  if (status == GENIE_OK) {
    status = genie_fuse_graph_build(&graph);
  }
  genie_fuse_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_fuse_pointwise(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, fuse_function);
}
