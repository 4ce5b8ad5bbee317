// The ops of an entry and the groups that will become kernels: what the fuse passes decide on before they edit.
//
// A pass takes a snapshot of a function's block, puts nodes into groups, and has the groups built. Nothing is edited
// before, so that use lists mean what the model means. Views and cheap index-only ops belong to no group: every kernel
// that reads through them gets copies of its own.
#ifndef GENIE_PASSES_FUSE_FUSE_GRAPH_H_
#define GENIE_PASSES_FUSE_FUSE_GRAPH_H_

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

enum { GENIE_FUSE_NO_GROUP = -1 };

typedef struct genie_fuse_node {
  MlirOperation op;
  const genie_op_info_t *info;  // NULL: not of the genie dialect
  int group;                    // GENIE_FUSE_NO_GROUP until a pass decides
  int next_member;              // the next node of the group in block order, or -1
  double repetition;            // of a member: how often its kernel evaluates each of its elements
  bool is_compile_time;         // known when the plan is made
  bool is_computed;             // must end in some kernel
  bool is_pointwise;            // is_computed, and can be evaluated at an index
  bool is_view;                 // reshape, permute, expand or slice
  bool is_cheap;                // not worth a buffer: kernels that read it evaluate it again
} genie_fuse_node_t;

typedef struct genie_fuse_group {
  const char *family;
  int anchor;             // the node that names the kernel's location
  int first, last;        // first is -1 in a group that was merged into another
  bool is_without_views;  // clones only scalars: the simplest kernels
} genie_fuse_group_t;

typedef struct genie_fuse_graph {
  MlirOperation function;
  MlirBlock block;
  genie_arena_t arena;
  genie_fuse_node_t *nodes;
  int node_count;
  genie_fuse_group_t *groups;
  int group_count;
  int *visited;  // a stamp a node, for genie_fuse_graph_reaches()
  int stamp;
  int *stack;
  genie_pointer_map_t index_of;  // op -> node
} genie_fuse_graph_t;

// Deinitialise in every case, also after a failure.
genie_status_t genie_fuse_graph_init(MlirOperation function, genie_fuse_graph_t *out_graph) GENIE_MUST_USE;
void genie_fuse_graph_deinit(genie_fuse_graph_t *graph);

// The node of the op that computes `value`; -1 for block arguments.
int genie_fuse_graph_definer(const genie_fuse_graph_t *graph, MlirValue value);
int genie_fuse_graph_node(const genie_fuse_graph_t *graph, MlirOperation op);

// A new group that holds `anchor` alone; its number.
int genie_fuse_graph_add_group(genie_fuse_graph_t *graph, const char *family, int anchor);
void genie_fuse_graph_join(genie_fuse_graph_t *graph, int group, int node);
// Takes back the joining of `node`.
void genie_fuse_graph_leave(genie_fuse_graph_t *graph, int node);

// True when `value`, computed in `group`, is read outside it, other than through views that nobody outside reads, or by
// its anchor with strides: then it needs a buffer.
bool genie_fuse_graph_escapes(const genie_fuse_graph_t *graph, int group, MlirValue value);

// Moves all of `other` into `group`; `other` is empty from then on.
void genie_fuse_graph_merge(genie_fuse_graph_t *graph, int group, int other);

// True when a path leads from `group` or `node` (with its own group, if it has one) through at least one node outside
// both back to either: then the two cannot be one kernel. Every group counts as one node.
bool genie_fuse_graph_is_split(genie_fuse_graph_t *graph, int group, int node);

// How an op's operand may be read: at any index that codegen asks for, or only as memory with strides.
typedef enum genie_fuse_access { GENIE_FUSE_ACCESS_INDEXED, GENIE_FUSE_ACCESS_STRIDED } genie_fuse_access_t;
genie_fuse_access_t genie_fuse_graph_access(MlirOperation op, intptr_t operand);

// True when a kernel that reads the node's result with `access` evaluates it again instead of reading a buffer.
bool genie_fuse_graph_is_inlined(const genie_fuse_graph_t *graph, int node, genie_fuse_access_t access);

// Decides `is_cheap` of all nodes: a few operations on indices, sizes, scalars or much smaller tensors.
genie_status_t genie_fuse_graph_mark_cheap(genie_fuse_graph_t *graph) GENIE_MUST_USE;
// Operations of evaluating the node's op once, operands not counted: 1 for the likes of add, more for the likes of exp.
int genie_fuse_graph_weight(const genie_fuse_graph_t *graph, int node);
// True for an op that computes one element from the elements of its operands at the same index.
bool genie_fuse_graph_is_elementwise(const genie_fuse_graph_t *graph, int node);

// How often the kernel of `group` would evaluate each element of `value`, from how its members read it: more than once
// where it is broadcast.
double genie_fuse_graph_repetition(const genie_fuse_graph_t *graph, int group, MlirValue value);
// True for an op that is too heavy to be evaluated by `group` as often as that: it is computed once, into a buffer.
bool genie_fuse_graph_is_repeated(const genie_fuse_graph_t *graph, int group, int node);

// Joins to `group` the producers of its members that can be evaluated at an index and that nobody else reads, and,
// where `space` is not null, producers with its dimensions that others read as well. `is_root[i]` names the nodes to
// start from: the definers of operands through which the group reads at an index.
genie_status_t genie_fuse_graph_grow_producers(genie_fuse_graph_t *graph, int group, const bool *is_root,
                                               MlirValue space) GENIE_MUST_USE;

// Upper bound of the number of elements of `value`.
double genie_fuse_graph_elements(const genie_fuse_graph_t *graph, MlirValue value);

// Builds all groups as genie.kernel ops, erases what became useless, and restores dominance order.
genie_status_t genie_fuse_graph_build(genie_fuse_graph_t *graph) GENIE_MUST_USE;

// The kernel family of an op's lower rule; NULL when it is not computed by a kernel.
const char *genie_fuse_family(const genie_op_info_t *info);

#endif  // GENIE_PASSES_FUSE_FUSE_GRAPH_H_
