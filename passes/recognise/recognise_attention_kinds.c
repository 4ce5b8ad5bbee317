// attention-kinds: self where query and key come from the same states, else cross; causal by its mask; grouped where
// several heads of queries read one of keys.
#include "passes/recognise/attention_trace.h"
#include "passes/recognise/causal_mask.h"
#include "passes/recognise/recogniser.h"

static bool share_a_source(const genie_attention_sources_t *a, const genie_attention_sources_t *b) {
  for (int i = 0; i < a->count; ++i) {
    for (int k = 0; k < b->count; ++k) {
      if (a->nodes[i] == b->nodes[k]) {
        return true;
      }
    }
  }
  return false;
}

typedef struct target_search {
  const genie_attention_sources_t *targets;
  bool is_found;
} target_search_t;

static bool visit_for_target(genie_semantic_graph_t *graph, int node, void *self) {
  target_search_t *search = self;
  for (int i = 0; i < search->targets->count; ++i) {
    search->is_found |= search->targets->nodes[i] == node;
  }
  // Through norms, convolutions (keys of a coarser image) and what is pointwise, concatenated or viewed alone: no
  // product, attention or the like.
  return !search->is_found && !graph->nodes[node].is_fixed &&
         (genie_semantic_is_norm(graph, node) || genie_semantic_is_view(graph, node) ||
          genie_semantic_node_is(graph, node, "genie.conv") || genie_semantic_is_pointwise(graph, node) ||
          genie_semantic_node_is(graph, node, "genie.concat"));
}

// True if one of `from` is one of `to` after norms and the like: the query alone was normalised, or is a part of what
// the keys are made of.
static bool is_near(genie_semantic_graph_t *graph, const genie_attention_sources_t *from,
                    const genie_attention_sources_t *to) {
  target_search_t search = {.targets = to};
  for (int i = 0; i < from->count && !search.is_found; ++i) {
    genie_semantic_walk_operands(graph, from->nodes[i], visit_for_target, &search);
  }
  return search.is_found;
}

static void say_projections(genie_semantic_graph_t *graph, const genie_attention_sources_t *sources) {
  for (int i = 0; i < sources->product_count; ++i) {
    genie_semantic_say(graph, sources->products[i], GENIE_SEMANTIC_ROLE, "projection", 0.95,
                       "attention reads it as query, key or value");
  }
}

// Keys that several heads read, repeated or not.
static bool has_fewer_heads(const genie_semantic_graph_t *graph, int key, int query) {
  const int64_t queries = genie_semantic_size_from_end(graph, query, 3);
  for (int node = key; genie_semantic_is_view(graph, node); node = genie_semantic_operand(graph, node, 0)) {
    // reshape(expand(k[.., G, 1, S, D]))
    const int wide = genie_semantic_operand(graph, node, 0);
    if (genie_semantic_node_is(graph, node, "genie.reshape") && genie_semantic_node_is(graph, wide, "genie.expand") &&
        genie_semantic_type(graph, wide).rank == 5 && genie_semantic_size_from_end(graph, wide, 3) > 1 &&
        genie_semantic_size_from_end(graph, genie_semantic_operand(graph, wide, 0), 3) == 1) {
      return true;
    }
  }
  const int64_t keys = genie_semantic_size_from_end(graph, key, 3);
  return keys > 0 && queries > keys;
}

static void find_sources(genie_semantic_graph_t *graph, genie_semantic_attention_t *attention) {
  genie_attention_sources_t query, key, value;
  genie_attention_trace(graph, attention->query, &query);
  genie_attention_trace(graph, attention->key, &key);
  genie_attention_trace(graph, attention->value, &value);
  say_projections(graph, &query);
  say_projections(graph, &key);
  say_projections(graph, &value);
  attention->is_query_fixed = query.count == 0;
  attention->is_cross = !share_a_source(&query, &key) && !is_near(graph, &query, &key) && !is_near(graph, &key, &query);
}

static void see(genie_semantic_graph_t *graph, genie_semantic_attention_t *attention) {
  const int node = attention->node;
  find_sources(graph, attention);
  attention->is_causal |= genie_causal_mask_find(graph, attention->mask);
  attention->is_grouped = has_fewer_heads(graph, attention->key, attention->query);
  attention->has_one_query = genie_semantic_size_from_end(graph, attention->query, 2) == 1;
  genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "attention", 0.97,
                     attention->scores >= 0 ? "a product with the softmax of a product" : "it is one op");
  genie_semantic_say(
      graph, node, GENIE_SEMANTIC_ATTENTION,
      genie_semantic_format(graph, "%s%s%s", attention->is_cross ? "cross" : "self",
                            attention->is_causal ? ",causal" : "", attention->is_grouped ? ",grouped" : ""),
      0.95,
      genie_semantic_format(graph, "query and key come from %s%s%s",
                            attention->is_cross ? "different states" : "the same states",
                            attention->is_causal ? "; the mask keeps no later key" : "",
                            attention->is_grouped ? "; fewer heads of keys than of queries" : ""));
}

//===-- Finding them ----------------------------------------------------------------------------------------------===//

enum { MAX_STEPS = 12 };

// The product of two values of the call that `node` was computed of by pointwise ops; -1 of none.
static int product_behind(const genie_semantic_graph_t *graph, int node, int steps) {
  const bool is_product = genie_semantic_node_is(graph, node, "genie.matmul") &&
                          !graph->nodes[genie_semantic_operand(graph, node, 0)].is_fixed &&
                          !graph->nodes[genie_semantic_operand(graph, node, 1)].is_fixed;
  if (is_product) {
    return node;
  }
  if (steps > MAX_STEPS || (!genie_semantic_is_view(graph, node) && !genie_semantic_is_pointwise(graph, node))) {
    return -1;
  }
  for (int i = 0; i < graph->nodes[node].operand_count; ++i) {
    const int operand = genie_semantic_operand(graph, node, i);
    // Scores keep their rows and columns; a mask that a product made would be none of them.
    const int found = graph->nodes[operand].is_fixed ? -1 : product_behind(graph, operand, steps + 4 * (i > 0) + 1);
    if (found >= 0) {
      return found;
    }
  }
  return -1;
}

// matmul(softmax(.. matmul(q, k^T) ..), v), with whatever is pointwise between.
static bool find_spelled_out(const genie_semantic_graph_t *graph, int node, genie_semantic_attention_t *out_attention) {
  if (!genie_semantic_node_is(graph, node, "genie.matmul")) {
    return false;
  }
  const int softmax = genie_semantic_skip_elementwise(graph, genie_semantic_operand(graph, node, 0));
  if (!genie_semantic_node_is(graph, softmax, "genie.softmax")) {
    return false;
  }
  const int scores = product_behind(graph, genie_semantic_operand(graph, softmax, 0), 0);
  if (scores < 0) {
    return false;
  }
  *out_attention = (genie_semantic_attention_t){.node = node,
                                                .query = genie_semantic_operand(graph, scores, 0),
                                                .key = genie_semantic_operand(graph, scores, 1),
                                                .value = genie_semantic_operand(graph, node, 1),
                                                .mask = genie_semantic_operand(graph, softmax, 0),
                                                .scores = scores};
  return true;
}

static bool find_op(const genie_semantic_graph_t *graph, int node, genie_semantic_attention_t *out_attention) {
  if (!genie_semantic_node_is(graph, node, "genie.attention")) {
    return false;
  }
  const MlirOperation op = graph->nodes[node].op;
  *out_attention = (genie_semantic_attention_t){.node = node,
                                                .query = genie_semantic_operand(graph, node, 0),
                                                .key = genie_semantic_operand(graph, node, 1),
                                                .value = genie_semantic_operand(graph, node, 2),
                                                .mask = genie_semantic_node_of(graph, genie_ir_operand(op, "mask")),
                                                .scores = -1,
                                                .is_causal = genie_ir_bool(op, "is_causal")};
  return true;
}

genie_status_t genie_recognise_attention_kinds(genie_semantic_graph_t *graph) {
  genie_semantic_attention_t attention;
  int count = 0;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    count += find_op(graph, node, &attention) || find_spelled_out(graph, node, &attention);
  }
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)count + 1, sizeof(*graph->attentions), (void **)&graph->attentions));
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (find_op(graph, node, &attention) || find_spelled_out(graph, node, &attention)) {
      graph->attentions[graph->attention_count] = attention;
      see(graph, &graph->attentions[graph->attention_count++]);
    }
  }
  return GENIE_OK;
}
