// Recognisers from a shared object: `geniec --plugin ./libmine.so model.pt2`.
//
// The object defines one function, genie_plugin_recognisers(). The compiler calls each recogniser that it gives with a
// host, a table of functions, and the graph of an entry. Nodes are numbered in an order in which what is read comes
// first: the entry's arguments, then its ops. A recogniser looks at structure and data flow and says what it found,
// with a confidence; it cannot change the graph. What the user annotated is never overridden, and a word gives way to
// one of higher confidence.
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

#ifdef __cplusplus
}
#endif

#endif  // GENIE_PLUGIN_H_
