// Masks that keep a query from later keys.
#ifndef GENIE_PASSES_RECOGNISE_CAUSAL_MASK_H_
#define GENIE_PASSES_RECOGNISE_CAUSAL_MASK_H_

#include "passes/recognise/semantic_graph.h"

// True if `mask`, of an attention [.., queries, keys], is causal: a comparison of places along keys with places along
// queries, anywhere in what is joined to the mask, or a fixed matrix with nothing above its diagonal.
bool genie_causal_mask_find(const genie_semantic_graph_t *graph, int mask);

#endif  // GENIE_PASSES_RECOGNISE_CAUSAL_MASK_H_
