// stacks: a chain of layers is a decoder if a layer has causal or cached attention in a decoder's phase, an encoder if
// it has attention over all, convolutional if it has convolutions alone.
#include <string.h>

#include "passes/recognise/recogniser.h"

static const char *kind_of(const genie_semantic_graph_t *graph, int stack) {
  bool has_decoder = false, has_attention = false, has_convolution = false;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (graph->nodes[node].stack != stack) {
      continue;
    }
    has_convolution |= genie_semantic_node_is(graph, node, "genie.conv");
    if (genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "attention")) {
      has_attention = true;
      has_decoder |= genie_semantic_is(graph, node, GENIE_SEMANTIC_PHASE, "prefill") ||
                     genie_semantic_is(graph, node, GENIE_SEMANTIC_PHASE, "decode");
    }
  }
  return has_decoder ? "decoder" : has_attention ? "encoder" : has_convolution ? "convolutional" : "";
}

genie_status_t genie_recognise_stacks(genie_semantic_graph_t *graph) {
  for (int i = 0; i < graph->stack_count; ++i) {
    graph->stacks[i].kind = kind_of(graph, i);
  }
  return GENIE_OK;
}
