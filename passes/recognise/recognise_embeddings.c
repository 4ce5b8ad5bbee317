// embeddings: a table of which an input picks rows looks up tokens; one that is indexed by places in a sequence, fixed
// or counted, looks up places.
#include "passes/recognise/recogniser.h"

// What an index comes from.
typedef enum index_source {
  INDEX_UNKNOWN,
  INDEX_FIXED,    // equal in every call
  INDEX_DIRECT,   // an input, perhaps clamped or reshaped
  INDEX_COUNTED,  // computed: counters, masks, differences
} index_source_t;

static bool keeps_categories(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_is_view(graph, node) || genie_semantic_node_is(graph, node, "genie.clamp") ||
         genie_semantic_node_is(graph, node, "genie.where");
}

static index_source_t source_of(const genie_semantic_graph_t *graph, int node) {
  while (node >= 0 && !graph->nodes[node].is_fixed) {
    const genie_semantic_node_t *n = &graph->nodes[node];
    if (n->is_argument) {
      return n->argument_role == GENIE_IR_ARGUMENT_INPUT && genie_semantic_is_integer(graph, node) ? INDEX_DIRECT
                                                                                                   : INDEX_COUNTED;
    }
    if (!keeps_categories(graph, node)) {
      return INDEX_COUNTED;
    }
    const bool is_where = genie_semantic_node_is(graph, node, "genie.where");
    const int first = genie_semantic_operand(graph, node, is_where ? 1 : 0);
    node = is_where && graph->nodes[first].is_fixed ? genie_semantic_operand(graph, node, 2) : first;
  }
  return node < 0 ? INDEX_UNKNOWN : INDEX_FIXED;
}

// True if the table is a product's weight as well: the scores of all tokens.
static bool is_tied(const genie_semantic_graph_t *graph, int table) {
  for (int i = 0; i < graph->nodes[table].reader_count; ++i) {
    if (genie_semantic_is_projection(graph, genie_semantic_reader(graph, table, i))) {
      return true;
    }
  }
  return false;
}

// An earlier lookup by an input whose rows are added to these.
static bool is_added_to_earlier(const genie_semantic_graph_t *graph, int node) {
  for (int i = 0; i < graph->nodes[node].reader_count; ++i) {
    const int reader = genie_semantic_reader(graph, node, i);
    for (int k = 0; genie_semantic_node_is(graph, reader, "genie.add") && k < 2; ++k) {
      const int other = genie_semantic_operand(graph, reader, k);
      if (other < node && genie_semantic_is(graph, other, GENIE_SEMANTIC_ROLE, "token-embedding")) {
        return true;
      }
    }
  }
  return false;
}

genie_status_t genie_recognise_embeddings(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (!genie_semantic_node_is(graph, node, "genie.embedding")) {
      continue;
    }
    const index_source_t source = source_of(graph, genie_semantic_operand(graph, node, 1));
    if (source == INDEX_FIXED || source == INDEX_COUNTED) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "position-embedding", source == INDEX_FIXED ? 0.9 : 0.8,
                         source == INDEX_FIXED ? "the same rows of the table in every call" : "the index is counted");
    } else if (is_tied(graph, genie_semantic_operand(graph, node, 0))) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding", 0.99,
                         "an input picks rows of a table that scores the results as well");
    } else if (is_added_to_earlier(graph, node)) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "position-embedding", 0.7,
                         "an input picks rows that are added to those of another input");
    } else {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding", 0.9, "an input picks rows of a table");
    }
  }
  return GENIE_OK;
}
