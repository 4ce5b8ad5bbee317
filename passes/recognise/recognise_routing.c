// routing: a mixture of experts. The top k of few scores, which a product made of the states, where the choice picks
// weights or tokens (gather, take, index, one-hot comparison, scatter) and the scores weigh what comes of it.
#include "passes/recognise/recogniser.h"

enum { MAX_EXPERTS = 1024 };

// The product whose results are the scores, behind a softmax or sigmoid; -1 of none.
static int router_of(const genie_semantic_graph_t *graph, int topk) {
  int node = genie_semantic_operand(graph, topk, 0);
  while (node >= graph->argument_count && !genie_semantic_is_projection(graph, node)) {
    const bool is_on_the_way = genie_semantic_is_view(graph, node) ||
                               genie_semantic_node_is(graph, node, "genie.softmax") ||
                               genie_semantic_is_pointwise(graph, node);
    if (!is_on_the_way) {
      return -1;
    }
    int next = -1;
    for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
      const int operand = genie_semantic_operand(graph, node, i);
      next = graph->nodes[operand].is_fixed ? next : operand;
    }
    node = next;
  }
  return node;
}

typedef struct choice {
  bool picks, weighs;
} choice_t;

// What the choice is used for, up to the first product or result.
static bool visit(genie_semantic_graph_t *graph, int node, void *self) {
  static const char *const PICKS[] = {"genie.gather",  "genie.take",      "genie.index",     "genie.eq",
                                      "genie.scatter", "genie.index_put", "genie.embedding", "genie.sort"};
  choice_t *choice = self;
  for (size_t i = 0; i < sizeof PICKS / sizeof PICKS[0]; ++i) {
    choice->picks |= genie_semantic_node_is(graph, node, PICKS[i]);
  }
  choice->weighs |=
      genie_semantic_node_is(graph, node, "genie.mul") || genie_semantic_node_is(graph, node, "genie.matmul");
  return !genie_semantic_is_norm(graph, node) && !genie_semantic_node_is(graph, node, "genie.attention");
}

// The weights of this product are picked by the choice: its second operand depends on no product between.
static bool has_picked_weights(const genie_semantic_graph_t *graph, int node, int topk) {
  if (!genie_semantic_node_is(graph, node, "genie.matmul")) {
    return false;
  }
  for (int side = 0; side < 2; ++side) {
    int weights = genie_semantic_skip_views(graph, genie_semantic_operand(graph, node, side));
    const bool is_picked = genie_semantic_node_is(graph, weights, "genie.take") ||
                           genie_semantic_node_is(graph, weights, "genie.index") ||
                           genie_semantic_node_is(graph, weights, "genie.gather");
    if (is_picked && graph->nodes[genie_semantic_operand(graph, weights, 0)].is_fixed) {
      for (int k = 1; k < graph->nodes[weights].operand_count; ++k) {
        if (genie_semantic_skip_elementwise(graph, genie_semantic_operand(graph, weights, k)) == topk) {
          return true;
        }
      }
    }
  }
  return false;
}

genie_status_t genie_recognise_routing(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (!genie_semantic_node_is(graph, node, "genie.topk")) {
      continue;
    }
    const int router = router_of(graph, node);
    const int64_t experts = genie_semantic_size_from_end(graph, genie_semantic_operand(graph, node, 0), 1);
    choice_t choice = {0};
    genie_semantic_walk_readers(graph, node, visit, &choice);
    if (router < 0 || experts < 2 || experts > MAX_EXPERTS || !choice.picks || !choice.weighs) {
      continue;
    }
    const char *reason =
        genie_semantic_format(graph, "the top of %lld scores picks what is computed and weighs it", (long long)experts);
    genie_semantic_say(graph, router, GENIE_SEMANTIC_ROLE, "router", 0.95, reason);
    genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "routing", 0.95, reason);
    for (int i = node + 1; i < graph->node_count; ++i) {
      if (has_picked_weights(graph, i, node)) {
        genie_semantic_say(graph, i, GENIE_SEMANTIC_ROLE, "expert", 0.95,
                           "a product with weights that the routing picked");
      }
    }
  }
  return GENIE_OK;
}
