// fusion: an op that joins operands of which none knows all the modalities of its result.
#include "passes/recognise/recogniser.h"

genie_status_t genie_recognise_fusion(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (genie_semantic_has_type(graph, node) && !graph->nodes[node].is_fixed &&
        genie_semantic_joins_modalities(graph, node)) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "fusion", 0.9, "its operands come of different modalities");
    }
  }
  return GENIE_OK;
}
