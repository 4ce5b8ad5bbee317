// recommender: several tables of which each row of the batch takes one row or the sum of a bag, which meet other
// features (DLRM, DCN, factorisation machines); or candidates whose rows are scored against what became of a history
// that was looked up in the same table (SASRec, two towers).
#include "passes/recognise/recogniser.h"

static bool is_bag(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_node_is(graph, node, "genie.embedding_bag");
}

static bool is_lookup(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding");
}

// A lookup of one row for each row of the batch: [B, D], not added to another one.
static bool is_row_lookup(const genie_semantic_graph_t *graph, int node) {
  if (!is_lookup(graph, node) || genie_semantic_type(graph, node).rank != 2) {
    return false;
  }
  for (int i = 0; i < graph->nodes[node].reader_count; ++i) {
    const int reader = genie_semantic_reader(graph, node, i);
    if (genie_semantic_node_is(graph, reader, "genie.add") || genie_semantic_is_norm(graph, reader)) {
      return false;
    }
  }
  return true;
}

// One table for all columns: the index is an input and a fixed offset for each column.
static bool is_offset_lookup(const genie_semantic_graph_t *graph, int node) {
  if (!genie_semantic_node_is(graph, node, "genie.embedding")) {
    return false;
  }
  const int index = genie_semantic_skip_views(graph, genie_semantic_operand(graph, node, 1));
  if (!genie_semantic_node_is(graph, index, "genie.add")) {
    return false;
  }
  const int a = genie_semantic_operand(graph, index, 0), b = genie_semantic_operand(graph, index, 1);
  const int ids = graph->nodes[a].is_fixed ? b : a, offsets = graph->nodes[a].is_fixed ? a : b;
  const bool is_of_input = graph->nodes[ids].is_argument && graph->nodes[ids].argument_role == GENIE_IR_ARGUMENT_INPUT;
  return is_of_input && graph->nodes[offsets].is_fixed && graph->nodes[offsets].is_argument &&
         genie_semantic_size_from_end(graph, offsets, 1) == genie_semantic_size_from_end(graph, ids, 1) &&
         genie_semantic_size_from_end(graph, ids, 1) > 1;
}

static void say_category(genie_semantic_graph_t *graph, int node, double confidence, const char *reason) {
  genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "category-embedding", confidence, reason);
}

// Histories that are looked up in a table of which each row of the batch takes a row as well (DIN).
static void find_histories(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (!genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "category-embedding")) {
      continue;
    }
    const int table = genie_semantic_operand(graph, node, 0);
    for (int i = 0; i < graph->nodes[table].reader_count; ++i) {
      const int reader = genie_semantic_reader(graph, table, i);
      if (is_lookup(graph, reader) && genie_semantic_operand(graph, reader, 0) == table) {
        say_category(graph, reader, 0.95, "a history in a table of categories");
      }
    }
  }
}

static void find_tables(genie_semantic_graph_t *graph) {
  int tables = 0, offset_tables = 0, last_table = -1;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    offset_tables += is_offset_lookup(graph, node);
    if (is_bag(graph, node) || is_row_lookup(graph, node)) {
      const int table = genie_semantic_operand(graph, node, 0);
      tables += table != last_table;
      last_table = table;
    }
  }
  if (tables < 2 && offset_tables == 0) {
    return;
  }
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (is_bag(graph, node)) {
      say_category(graph, node, 0.99, "sums a bag of rows for each row of the batch");
    } else if (is_row_lookup(graph, node)) {
      say_category(graph, node, 0.95, "one row of the table for each row of the batch");
    } else if (is_offset_lookup(graph, node)) {
      say_category(graph, node, 0.95, "one table for all columns, each at its offset");
    }
  }
  find_histories(graph);
  genie_semantic_vote(graph, "recommendation", 0.95,
                      genie_semantic_format(graph, "%d tables of categories are looked up once a row of the batch",
                                            tables > offset_tables ? tables : offset_tables));
}

//===-- Candidates ------------------------------------------------------------------------------------------------===//

typedef struct history_search {
  int table, candidates;
  int found;
} history_search_t;

static bool visit_for_history(genie_semantic_graph_t *graph, int node, void *self) {
  history_search_t *search = self;
  if (node != search->candidates && is_lookup(graph, node) && genie_semantic_operand(graph, node, 0) == search->table) {
    search->found = node;
  }
  return search->found < 0 && !graph->nodes[node].is_fixed;
}

// The lookup whose rows are an operand of the product or multiplication as they are; -1 of none.
static int bare_lookup(const genie_semantic_graph_t *graph, int node, int index) {
  const int source = genie_semantic_skip_views(graph, genie_semantic_operand(graph, node, index));
  return source >= 0 && is_lookup(graph, source) ? source : -1;
}

static void find_candidates(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (!genie_semantic_node_is(graph, node, "genie.matmul") && !genie_semantic_node_is(graph, node, "genie.mul")) {
      continue;
    }
    for (int side = 0; side < 2; ++side) {
      const int candidates = bare_lookup(graph, node, side);
      if (candidates < 0) {
        continue;
      }
      history_search_t search = {
          .table = genie_semantic_operand(graph, candidates, 0), .candidates = candidates, .found = -1};
      genie_semantic_walk_operands(graph, genie_semantic_operand(graph, node, 1 - side), visit_for_history, &search);
      if (search.found >= 0) {
        say_category(graph, candidates, 0.95, "candidates whose rows are scored against a history");
        say_category(graph, search.found, 0.95, "a history in the table of the candidates");
        genie_semantic_vote(graph, "recommendation", 0.9, "candidates are scored with rows of the history's own table");
        return;
      }
    }
  }
}

genie_status_t genie_recognise_recommender(genie_semantic_graph_t *graph) {
  find_tables(graph);
  find_candidates(graph);
  return GENIE_OK;
}
