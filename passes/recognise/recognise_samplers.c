// samplers: the head scores all rows of a token table; an arg-max, top-k or sort of its scores whose indices are a
// result of the entry chooses tokens.
#include "passes/recognise/recogniser.h"

// True if a table that looks tokens up has this many rows.
static bool is_vocabulary(const genie_semantic_graph_t *graph, int64_t rows) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding") &&
        genie_semantic_size_from_end(graph, genie_semantic_operand(graph, node, 0), 2) == rows) {
      return true;
    }
  }
  return false;
}

static void find_heads(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (genie_semantic_is_projection(graph, node)) {
      const int64_t rows = genie_semantic_size_from_end(graph, node, 1);
      if (rows > 1 && rows != genie_semantic_size_from_end(graph, genie_semantic_operand(graph, node, 0), 1) &&
          is_vocabulary(graph, rows)) {
        genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "head", 0.9,
                           "as many results as the token table has rows");
      }
    }
  }
}

static bool chooses(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_node_is(graph, node, "genie.argmax") || genie_semantic_node_is(graph, node, "genie.topk") ||
         genie_semantic_node_is(graph, node, "genie.sort");
}

// The head whose scores an op chooses from, through what is pointwise; -1 of none.
static int head_of(const genie_semantic_graph_t *graph, int node) {
  const int source = genie_semantic_skip_elementwise(graph, genie_semantic_operand(graph, node, 0));
  return source >= 0 && genie_semantic_is(graph, source, GENIE_SEMANTIC_ROLE, "head") ? source : -1;
}

static bool visit_for_return(genie_semantic_graph_t *graph, int node, void *self) {
  *(bool *)self |= genie_semantic_node_is(graph, node, "func.return");
  return !genie_semantic_is_projection(graph, node) && !genie_semantic_node_is(graph, node, "genie.embedding");
}

static bool mark_sampler(genie_semantic_graph_t *graph, int node, void *self) {
  (void)self;
  if (genie_semantic_node_is(graph, node, "func.return")) {
    return false;
  }
  genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "sampler", 0.9, "chooses by the scores of all tokens");
  return true;
}

genie_status_t genie_recognise_samplers(genie_semantic_graph_t *graph) {
  find_heads(graph);
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    bool reaches_return = false;
    if (chooses(graph, node) && head_of(graph, node) >= 0) {
      genie_semantic_walk_readers(graph, node, visit_for_return, &reaches_return);
    }
    if (reaches_return) {
      genie_semantic_walk_readers(graph, node, mark_sampler, NULL);
    }
  }
  return GENIE_OK;
}
