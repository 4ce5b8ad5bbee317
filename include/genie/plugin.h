// Recognisers and placement policies from a shared object: `geniec --plugin ./libmine.so model.pt2`.
//
// The object defines genie_plugin_recognisers(), genie_plugin_policies() or both. The compiler calls what they give
// with a host, a table of functions.
//
// A recogniser gets the graph of an entry. Nodes are numbered in an order in which what is read comes first: the
// entry's arguments, then its ops. It looks at structure and data flow and says what it found, with a confidence; it
// cannot change the graph. What the user annotated is never overridden, and a word gives way to one of higher
// confidence.
//
// A policy gets the placement problem of an entry, before it is solved: the devices and links of the pool, the ops that
// compute, and what they hand to each other. It says which ops stay together, where they must or must not run, and what
// running them somewhere costs more. docs/placement.md tells what the compiler makes of it.
//
// Everything runs on one thread. Strings that a function of the host returns live until the recogniser returns; strings
// that it is given are copied. A node number that does not exist is answered as one that has nothing.
#ifndef GENIE_PLUGIN_H_
#define GENIE_PLUGIN_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Changes when a plugin that was built before would misread this header. Functions are added at the host's end only.
#define GENIE_PLUGIN_ABI 1

typedef struct genie_plugin_graph genie_plugin_graph_t;

typedef struct genie_plugin_host {
  uint32_t abi;           // GENIE_PLUGIN_ABI
  uint32_t struct_bytes;  // of this table in the compiler that calls

  int (*node_count)(const genie_plugin_graph_t *graph);
  // "genie.linear" of an op; "input", "weight" or "state" of an argument. docs/reference/ops.md lists the ops.
  const char *(*kind)(const genie_plugin_graph_t *graph, int node);
  // True of what is equal in every call: weights, constants and what is computed of them alone.
  bool (*is_fixed)(const genie_plugin_graph_t *graph, int node);

  int (*operand_count)(const genie_plugin_graph_t *graph, int node);
  int (*operand)(const genie_plugin_graph_t *graph, int node, int index);  // a node, or -1
  int (*reader_count)(const genie_plugin_graph_t *graph, int node);
  int (*reader)(const genie_plugin_graph_t *graph, int node, int index);  // a node, or -1

  // Of the node's first result: rank (-1: it has none), sizes (-1: dynamic), "f32" and the like.
  int (*rank)(const genie_plugin_graph_t *graph, int node);
  int64_t (*size)(const genie_plugin_graph_t *graph, int node, int axis);
  const char *(*dtype)(const genie_plugin_graph_t *graph, int node);

  // Attributes of the op as docs/reference/ops.md names them; false where there is none of that name and type.
  bool (*attribute_i64)(const genie_plugin_graph_t *graph, int node, const char *name, int64_t *out_number);
  bool (*attribute_f64)(const genie_plugin_graph_t *graph, int node, const char *name, double *out_number);
  // `out_text` takes up to `capacity` bytes with the terminating zero.
  bool (*attribute_string)(const genie_plugin_graph_t *graph, int node, const char *name, int capacity, char *out_text);

  // What is known so far; `what` is "phase", "modality", "role" or "attention". NULL: nothing.
  const char *(*said)(const genie_plugin_graph_t *graph, int node, const char *what);
  // Says `word`, with a confidence between 0 and 1 and the reason in a few words. True if it was taken.
  bool (*say)(genie_plugin_graph_t *graph, int node, const char *what, const char *word, double confidence,
              const char *reason);
  // An opinion about the class of the whole entry; the strongest vote wins over what the compiler finds itself.
  void (*vote)(genie_plugin_graph_t *graph, const char *workload, double confidence, const char *reason);
} genie_plugin_host_t;

typedef struct genie_plugin_recogniser {
  const char *name;    // for messages
  const char *before;  // the built-in recogniser that it runs before ("phases": its phases spread along the data), or
                       // NULL: after all of them
  // 0, or another number: the compilation fails and names the recogniser.
  int (*run)(const genie_plugin_host_t *host, genie_plugin_graph_t *graph);
} genie_plugin_recogniser_t;

// What a plugin defines: its recognisers, which live as long as it is loaded. `abi` is the compiler's; a plugin that
// needs another returns NULL.
__attribute__((visibility("default"))) const genie_plugin_recogniser_t *genie_plugin_recognisers(uint32_t abi,
                                                                                                 int *out_count);
typedef const genie_plugin_recogniser_t *(*genie_plugin_recognisers_fn_t)(uint32_t abi, int *out_count);

// ---- Placement policies ----

typedef struct genie_plugin_placement genie_plugin_placement_t;

// The caller of the model, as an end of a link or an edge.
#define GENIE_PLUGIN_CALLER (-1)

// Ops and devices are numbered from 0; ops in an order in which what is read comes first. What does not exist has
// nothing, and takes nothing.
typedef struct genie_plugin_placement_host {
  uint32_t abi;           // GENIE_PLUGIN_ABI
  uint32_t struct_bytes;  // of this table in the compiler that calls

  // The places that are to be chosen from.
  int (*device_count)(const genie_plugin_placement_t *placement);
  const char *(*device_name)(const genie_plugin_placement_t *placement, int device);  // "node1:cpu0"
  const char *(*device_kind)(const genie_plugin_placement_t *placement, int device);  // "cpu", "cuda"
  double (*device_flops_per_s)(const genie_plugin_placement_t *placement, int device, const char *dtype);
  double (*device_bytes_per_s)(const genie_plugin_placement_t *placement, int device);     // of its memory
  uint64_t (*device_memory_bytes)(const genie_plugin_placement_t *placement, int device);  // UINT64_MAX: unknown
  // False where there is no such link. An end may be GENIE_PLUGIN_CALLER.
  bool (*link)(const genie_plugin_placement_t *placement, int from, int to, double *out_bytes_per_s,
               int64_t *out_latency_ns);

  int (*op_count)(const genie_plugin_placement_t *placement);
  const char *(*op_kind)(const genie_plugin_placement_t *placement, int op);  // "genie.linear"
  // Attributes of the op as docs/reference/ops.md names them; false where there is none of that name and type.
  bool (*op_attribute_i64)(const genie_plugin_placement_t *placement, int op, const char *name, int64_t *out_number);
  bool (*op_attribute_f64)(const genie_plugin_placement_t *placement, int op, const char *name, double *out_number);
  bool (*op_attribute_string)(const genie_plugin_placement_t *placement, int op, const char *name, int capacity,
                              char *out_text);
  // What recognisers or the user said: "phase", "modality", "role", "attention"; or "module", the path of the module
  // that it comes from. `out_text` takes up to `capacity` bytes with the terminating zero; false: nothing was said.
  bool (*op_said)(const genie_plugin_placement_t *placement, int op, const char *what, int capacity, char *out_text);
  double (*op_flops)(const genie_plugin_placement_t *placement, int op);
  uint64_t (*op_resident_bytes)(const genie_plugin_placement_t *placement, int op);  // weights and state that it reads
  bool (*op_reads_state)(const genie_plugin_placement_t *placement, int op);
  // Predicted, with what policies added; -1: it cannot run there.
  int64_t (*op_time_ns)(const genie_plugin_placement_t *placement, int op, int device);
  int (*op_pin)(const genie_plugin_placement_t *placement, int op);  // the device that it is pinned to, or -1

  // What ops hand to each other, what the caller sends to them and what it gets from them: one edge a value and reader.
  int (*edge_count)(const genie_plugin_placement_t *placement);
  bool (*edge)(const genie_plugin_placement_t *placement, int edge, int *out_from, int *out_to, uint64_t *out_bytes);

  // Answers. False, and without effect, where a number does not exist or the user or an earlier policy decided
  // otherwise.
  bool (*keep_together)(genie_plugin_placement_t *placement, int op, int other);
  bool (*pin)(genie_plugin_placement_t *placement, int op, int device);
  bool (*forbid)(genie_plugin_placement_t *placement, int op, int device);
  // `ns` may be negative; the time stays at least 0.
  bool (*add_cost)(genie_plugin_placement_t *placement, int op, int device, int64_t ns);
} genie_plugin_placement_host_t;

typedef struct genie_plugin_policy {
  const char *name;  // for messages
  // 0, or another number: the compilation fails and names the policy. So it does where a policy leaves no device for an
  // op.
  int (*run)(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement);
} genie_plugin_policy_t;

// The policies of a plugin, applied in their order after the compiler's own. As genie_plugin_recognisers().
__attribute__((visibility("default"))) const genie_plugin_policy_t *genie_plugin_policies(uint32_t abi, int *out_count);
typedef const genie_plugin_policy_t *(*genie_plugin_policies_fn_t)(uint32_t abi, int *out_count);

#ifdef __cplusplus
}
#endif

#endif  // GENIE_PLUGIN_H_
