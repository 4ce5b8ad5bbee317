// workload: what the entry as a whole is. Votes of other recognisers come first, then modalities, then phases.
#include "passes/recognise/recogniser.h"

typedef struct census {
  unsigned inputs;  // modalities that enter
  int attention, convolutions, recurrences, fusions;
  int phases[4];  // ops of encode, fuse, prefill, decode
  const char *decode_reason;
} census_t;

static census_t take_census(const genie_semantic_graph_t *graph) {
  static const char *const PHASES[] = {"encode", "fuse", "prefill", "decode"};
  census_t census = {.attention = graph->attention_count};
  for (int node = 0; node < graph->node_count; ++node) {
    const genie_semantic_node_t *n = &graph->nodes[node];
    if (n->is_argument && n->argument_role == GENIE_IR_ARGUMENT_INPUT) {
      census.inputs |= n->modality;
      continue;
    }
    census.convolutions += genie_semantic_node_is(graph, node, "genie.conv") && !n->is_fixed;
    census.recurrences += genie_semantic_node_is(graph, node, "genie.lstm") ||
                          genie_semantic_node_is(graph, node, "genie.gru") ||
                          genie_semantic_node_is(graph, node, "genie.rnn");
    census.fusions += !n->is_argument && !n->is_fixed && genie_semantic_joins_modalities(graph, node);
    for (int i = 0; i < 4; ++i) {
      census.phases[i] += genie_semantic_is(graph, node, GENIE_SEMANTIC_PHASE, PHASES[i]);
    }
  }
  return census;
}

static genie_semantic_vote_t verdict(const char *workload, double confidence, const char *reason) {
  return (genie_semantic_vote_t){.workload = workload, .confidence = confidence, .reason = reason};
}

static genie_semantic_vote_t by_modality(genie_semantic_graph_t *graph, const census_t *census) {
  const bool is_generating = census->phases[2] > 0 || census->phases[3] > 0;
  const unsigned seen = census->inputs & (GENIE_MODALITY_IMAGE | GENIE_MODALITY_VIDEO);
  const unsigned heard = census->inputs & GENIE_MODALITY_AUDIO, read = census->inputs & GENIE_MODALITY_TEXT;
  const char *names = genie_semantic_modality_word(graph, census->inputs);
  if (heard != 0 && seen == 0 && (read == 0 || is_generating)) {
    return verdict("speech", 0.95, read != 0 ? "sound enters, and a decoder writes text" : "sound enters");
  }
  if ((census->inputs & (census->inputs - 1)) != 0) {
    return verdict("multi-modal", census->fusions > 0 ? 0.95 : 0.8,
                   genie_semantic_format(graph, "%s enter and meet in %d %s", names, census->fusions,
                                         census->fusions == 1 ? "op" : "ops"));
  }
  if (census->phases[3] > 0) {
    return verdict("llm-decode", 0.98, "one query reads a cache that the call adds one place to");
  }
  if (census->phases[2] > 0) {
    return verdict("llm-prefill", 0.95, "a decoder reads a whole sequence");
  }
  if (seen != 0) {
    return verdict("vision", 0.95, genie_semantic_format(graph, "only %s enters", names));
  }
  if (read != 0 && (census->attention > 0 || census->recurrences > 0 || census->convolutions > 0)) {
    return verdict("encoder", 0.9, "text enters, and every token is read with those around it");
  }
  if (read != 0) {
    return verdict("encoder", 0.6, "text enters");
  }
  return verdict("other", 0.5, "nothing tells");
}

genie_status_t genie_recognise_workload(genie_semantic_graph_t *graph) {
  const genie_semantic_vote_t *best = NULL;
  for (int i = 0; i < graph->vote_count; ++i) {
    if (best == NULL || graph->votes[i].confidence > best->confidence) {
      best = &graph->votes[i];
    }
  }
  if (best != NULL) {
    graph->workload = *best;
    return GENIE_OK;
  }
  const census_t census = take_census(graph);
  graph->workload = by_modality(graph, &census);
  return GENIE_OK;
}
