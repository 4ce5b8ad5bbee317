// fusion: an op that joins operands of which none knows all the modalities of its result.
#include "passes/recognise/recogniser.h"

static bool joins_modalities(const genie_semantic_graph_t *graph, int node) {
  const unsigned whole = graph->nodes[node].modality;
  bool is_known = false;
  for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
    const int operand = genie_semantic_operand(graph, node, i);
    is_known |= graph->nodes[operand].modality == whole && !graph->nodes[operand].is_fixed;
  }
  return (whole & (whole - 1)) != 0 && !is_known;
}

genie_status_t genie_recognise_fusion(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (genie_semantic_has_type(graph, node) && !graph->nodes[node].is_fixed && joins_modalities(graph, node)) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "fusion", 0.9, "its operands come of different modalities");
    }
  }
  return GENIE_OK;
}
