// An entry function as recognisers see it: nodes for arguments and ops, who reads whom, and what is known of each.
//
// Recognisers look at structure and data flow: names of modules and classes are not reachable from here. All memory is
// the graph's and lives until genie_semantic_graph_deinit(). Nothing here is thread-safe.
#ifndef GENIE_PASSES_RECOGNISE_SEMANTIC_GRAPH_H_
#define GENIE_PASSES_RECOGNISE_SEMANTIC_GRAPH_H_

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

typedef enum genie_semantic {
#define GENIE_SEMANTIC(enumerator, attribute, summary) GENIE_SEMANTIC_##enumerator,
#define GENIE_SEMANTIC_WORD(of, word, summary)
#define GENIE_WORKLOAD(word, summary)
#include "passes/recognise/semantics.def"
#undef GENIE_SEMANTIC
#undef GENIE_SEMANTIC_WORD
#undef GENIE_WORKLOAD
  GENIE_SEMANTIC_COUNT
} genie_semantic_t;

// "genie.phase" of GENIE_SEMANTIC_PHASE.
const char *genie_semantic_attribute(genie_semantic_t semantic);

// What is said of a node. `word` is NULL where nothing is known.
typedef struct genie_semantic_note {
  const char *word;
  const char *reason;
  double confidence;  // 0 to 1
  bool is_users;      // an annotation: no recogniser changes it
} genie_semantic_note_t;

// Sets of modalities: a bit for each that is known by name, in the order of the alphabet.
enum {
  GENIE_MODALITY_AUDIO = 1,
  GENIE_MODALITY_IMAGE = 2,
  GENIE_MODALITY_TABULAR = 4,
  GENIE_MODALITY_TEXT = 8,
  GENIE_MODALITY_VIDEO = 16
};

typedef struct genie_semantic_node {
  MlirOperation op;  // null of an argument
  MlirValue value;   // its first result, or the argument; null if it has none
  bool is_argument;
  genie_ir_argument_role_t argument_role;
  bool is_fixed;                     // equal in every call: weights, constants, places, and what follows from them
  int operand_first, operand_count;  // of genie_semantic_graph_t.operands
  int reader_first, reader_count;    // of genie_semantic_graph_t.readers
  int state;                         // of a state_update: the argument that it replaces; -1 otherwise
  unsigned modality;
  int stack, layer;  // -1: in none
  genie_semantic_note_t notes[GENIE_SEMANTIC_COUNT];
} genie_semantic_node_t;

typedef enum genie_attention_cache {
  GENIE_ATTENTION_CACHE_NONE,
  GENIE_ATTENTION_CACHE_STATE,  // a state that this call writes
  GENIE_ATTENTION_CACHE_INPUT   // an input that this call extends
} genie_attention_cache_t;

// What is known of one attention.
typedef struct genie_semantic_attention {
  int node;               // the attention, or the last product of one that is spelled out
  int query, key, value;  // nodes; the keys of one that is spelled out are transposed
  int mask;               // what joins the mask to the scores, or the mask; -1: none
  int scores;             // of one that is spelled out; -1 of an op
  bool is_cross, is_causal, is_grouped;
  bool is_query_fixed;  // learned queries
  genie_attention_cache_t cache;
  bool has_one_query;    // always
  bool has_one_new_key;  // this call adds one place to the cache
} genie_semantic_attention_t;

// A chain of isomorphic parts.
typedef struct genie_semantic_stack {
  int layer_count, ops_per_layer;
  int first;         // node
  int crossing;      // values that go from one layer to the next
  const char *kind;  // "encoder", "decoder", "convolutional" or "" for others
} genie_semantic_stack_t;

// An opinion about the class of the whole entry.
typedef struct genie_semantic_vote {
  const char *workload, *reason;
  double confidence;
} genie_semantic_vote_t;

enum { GENIE_SEMANTIC_MAX_VOTES = 16 };

typedef struct genie_semantic_graph {
  MlirOperation function;
  genie_arena_t arena;
  int node_count, argument_count;
  genie_semantic_node_t *nodes;  // arguments, then ops in their order
  int *operands, *readers;       // node indices
  genie_pointer_map_t node_of;   // of values and of ops
  int attention_count;
  genie_semantic_attention_t *attentions;
  int stack_count;
  genie_semantic_stack_t *stacks;
  int vote_count;
  genie_semantic_vote_t votes[GENIE_SEMANTIC_MAX_VOTES];
  genie_semantic_vote_t workload;  // the outcome
  int *walk_marks, *walk_pending;  // of the walk under way: the last walk that saw a node, nodes to see
  int walk_count;
} genie_semantic_graph_t;

// Of `function`, which must outlive the graph and not change; takes over what the user annotated.
genie_status_t genie_semantic_graph_init(MlirOperation function, genie_semantic_graph_t *out_graph) GENIE_MUST_USE;
void genie_semantic_graph_deinit(genie_semantic_graph_t *graph);
// Writes notes, layers and the workload as attributes of the ops and the function.
genie_status_t genie_semantic_graph_write(genie_semantic_graph_t *graph) GENIE_MUST_USE;

// Says `word` of a node unless the user, or a recogniser with at least this confidence, said something. `word` and
// `reason` must live as long as the graph. True if it is taken.
bool genie_semantic_say(genie_semantic_graph_t *graph, int node, genie_semantic_t semantic, const char *word,
                        double confidence, const char *reason);
// True if `word` is what is known of the node.
bool genie_semantic_is(const genie_semantic_graph_t *graph, int node, genie_semantic_t semantic, const char *word);
void genie_semantic_vote(genie_semantic_graph_t *graph, const char *workload, double confidence, const char *reason);
// The vote for this class, or NULL.
const genie_semantic_vote_t *genie_semantic_find_vote(const genie_semantic_graph_t *graph, const char *workload);

// printf into the graph's memory; "" when memory is short.
const char *genie_semantic_format(genie_semantic_graph_t *graph, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// "image+text" of a set; NULL of the empty one.
const char *genie_semantic_modality_word(genie_semantic_graph_t *graph, unsigned modality);
// The set that a word names; names that are unknown do not count.
unsigned genie_semantic_modality_set(const char *word);

//===-- Looking around --------------------------------------------------------------------------------------------===//

// True of an op node of this kind, as in genie_semantic_node_is(graph, node, "genie.linear").
bool genie_semantic_node_is(const genie_semantic_graph_t *graph, int node, const char *name);
// The node of a value; -1 of none.
int genie_semantic_node_of(const genie_semantic_graph_t *graph, MlirValue value);
int genie_semantic_operand(const genie_semantic_graph_t *graph, int node, int index);
int genie_semantic_reader(const genie_semantic_graph_t *graph, int node, int index);
// True of ops that only rearrange or convert: views, concat of one, pad, cast.
bool genie_semantic_is_view(const genie_semantic_graph_t *graph, int node);
// `node`, or what it is a view of.
int genie_semantic_skip_views(const genie_semantic_graph_t *graph, int node);
// `node`, or the one operand that is not fixed from which views and pointwise ops computed it.
int genie_semantic_skip_elementwise(const genie_semantic_graph_t *graph, int node);
// True of an op that computes each element by itself from elements of its operands.
bool genie_semantic_is_pointwise(const genie_semantic_graph_t *graph, int node);
// True if no operand depends on all the modalities of the result.
bool genie_semantic_joins_modalities(const genie_semantic_graph_t *graph, int node);
// How many keys an attention has; -1 if that is dynamic.
int64_t genie_semantic_attention_keys(const genie_semantic_graph_t *graph, const genie_semantic_attention_t *attention);
// True of a layer_norm, rms_norm, group_norm or batch_norm.
bool genie_semantic_is_norm(const genie_semantic_graph_t *graph, int node);
// True of a linear, or a matmul with a fixed operand.
bool genie_semantic_is_projection(const genie_semantic_graph_t *graph, int node);
// The type of the node's value; only of nodes that have one.
genie_tensor_type_t genie_semantic_type(const genie_semantic_graph_t *graph, int node);
bool genie_semantic_has_type(const genie_semantic_graph_t *graph, int node);
bool genie_semantic_is_integer(const genie_semantic_graph_t *graph, int node);
// The size of a dimension counted from the end (1: the last); -1 where it is dynamic or absent.
int64_t genie_semantic_size_from_end(const genie_semantic_graph_t *graph, int node, int from_end);

// Called for nodes from one node on; `visit` says whether to go on beyond a node, and starts no walk itself. Every node
// is visited once.
typedef bool (*genie_semantic_visit_fn_t)(genie_semantic_graph_t *graph, int node, void *self);
void genie_semantic_walk_operands(genie_semantic_graph_t *graph, int node, genie_semantic_visit_fn_t visit, void *self);
void genie_semantic_walk_readers(genie_semantic_graph_t *graph, int node, genie_semantic_visit_fn_t visit, void *self);

#endif  // GENIE_PASSES_RECOGNISE_SEMANTIC_GRAPH_H_
