// Where the operands of an attention come from.
#ifndef GENIE_PASSES_RECOGNISE_ATTENTION_TRACE_H_
#define GENIE_PASSES_RECOGNISE_ATTENTION_TRACE_H_

#include "passes/recognise/semantic_graph.h"

enum { GENIE_ATTENTION_MAX_SOURCES = 8 };

// What the products that make a query, key or value read, behind views; the products themselves.
typedef struct genie_attention_sources {
  int count, product_count;
  int nodes[GENIE_ATTENTION_MAX_SOURCES], products[GENIE_ATTENTION_MAX_SOURCES];
} genie_attention_sources_t;

// From `node` back over views, norms, pointwise ops, concatenations and writes into caches to the products; where there
// is no product, the arguments. Of a write into a cache it follows what is written.
void genie_attention_trace(genie_semantic_graph_t *graph, int node, genie_attention_sources_t *out_sources);

// True of an op that writes part of a tensor: index_copy, index_put, slice_scatter, scatter. `out_source` is the
// operand that is written.
bool genie_attention_is_write(const genie_semantic_graph_t *graph, int node, int *out_source);

#endif  // GENIE_PASSES_RECOGNISE_ATTENTION_TRACE_H_
