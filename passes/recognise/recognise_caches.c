// caches: keys that are a state, or an input that the call gives back, with rows of this call written into them or
// appended. A tensor that is only read is no cache.
#include "passes/recognise/attention_trace.h"
#include "passes/recognise/recogniser.h"

static bool is_state(const genie_semantic_graph_t *graph, int node) {
  return graph->nodes[node].is_argument && graph->nodes[node].argument_role == GENIE_IR_ARGUMENT_STATE;
}

static bool is_input(const genie_semantic_graph_t *graph, int node) {
  return graph->nodes[node].is_argument && graph->nodes[node].argument_role == GENIE_IR_ARGUMENT_INPUT;
}

// A reader of `node`, through views, of this kind; -1 of none.
static int reader_of_kind(const genie_semantic_graph_t *graph, int node, const char *name) {
  for (int i = 0; i < graph->nodes[node].reader_count; ++i) {
    const int reader = genie_semantic_reader(graph, node, i);
    const int found = genie_semantic_node_is(graph, reader, name) ? reader
                      : genie_semantic_is_view(graph, reader)     ? reader_of_kind(graph, reader, name)
                                                                  : -1;
    if (found >= 0) {
      return found;
    }
  }
  return -1;
}

// How many rows the write adds: 1, or another number; -1 if unknown. Rows are what the axis of the write counts.
static int64_t written_rows(const genie_semantic_graph_t *graph, int write, int source) {
  const MlirOperation op = graph->nodes[write].op;
  if (!genie_semantic_has_type(graph, source)) {
    return -1;
  }
  const genie_tensor_type_t type = genie_semantic_type(graph, source), whole = genie_semantic_type(graph, write);
  if (genie_op_is(op, "genie.index_put")) {  // value[.., rows, ..] for indices of `axes`
    int64_t axes[GENIE_IR_MAX_RANK];
    const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
    const int from_end = whole.rank - (count > 0 ? (int)axes[count - 1] : 0);
    return type.rank < from_end ? 1 : genie_semantic_size_from_end(graph, source, from_end);
  }
  return genie_semantic_size_from_end(graph, source, type.rank - (int)genie_ir_i64(op, "axis"));
}

static genie_attention_cache_t see_write(genie_semantic_graph_t *graph, int node, bool *out_is_one_row) {
  int source;
  if (!genie_attention_is_write(graph, node, &source)) {
    return GENIE_ATTENTION_CACHE_NONE;
  }
  const int cache = genie_semantic_skip_views(graph, genie_semantic_operand(graph, node, 0));
  const int update = reader_of_kind(graph, node, "genie.state_update");
  const bool is_kept = is_state(graph, cache) && update >= 0;
  const bool is_returned = is_input(graph, cache) && reader_of_kind(graph, node, "func.return") >= 0;
  if (!is_kept && !is_returned) {
    return GENIE_ATTENTION_CACHE_NONE;
  }
  *out_is_one_row = written_rows(graph, node, source) == 1;
  genie_semantic_say(
      graph, node, GENIE_SEMANTIC_ROLE, "kv-update", is_kept ? 0.99 : 0.9,
      is_kept ? "attention reads the state with what it writes" : "attention reads the input with what it writes");
  if (update >= 0) {
    genie_semantic_say(graph, update, GENIE_SEMANTIC_ROLE, "kv-update", 0.99, "keeps keys or values for the next call");
  }
  return is_kept ? GENIE_ATTENTION_CACHE_STATE : GENIE_ATTENTION_CACHE_INPUT;
}

// concat(past, new): the past is an input, and the whole or the new part is a result.
static genie_attention_cache_t see_concat(genie_semantic_graph_t *graph, int node, bool *out_is_one_row) {
  if (!genie_semantic_node_is(graph, node, "genie.concat") || graph->nodes[node].operand_count != 2) {
    return GENIE_ATTENTION_CACHE_NONE;
  }
  const int past = genie_semantic_operand(graph, node, 0), added = genie_semantic_operand(graph, node, 1);
  if (!is_input(graph, genie_semantic_skip_views(graph, past)) || graph->nodes[added].is_fixed ||
      (reader_of_kind(graph, node, "func.return") < 0 && reader_of_kind(graph, added, "func.return") < 0)) {
    return GENIE_ATTENTION_CACHE_NONE;
  }
  const int from_end = genie_semantic_type(graph, node).rank - (int)genie_ir_i64(graph->nodes[node].op, "axis");
  *out_is_one_row = genie_semantic_size_from_end(graph, added, from_end) == 1;
  genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "kv-update", 0.9,
                     "attention reads an input with rows of this call appended, which are a result");
  return GENIE_ATTENTION_CACHE_INPUT;
}

static genie_attention_cache_t see_operand(genie_semantic_graph_t *graph, int operand, bool *out_is_one_row) {
  const int node = genie_semantic_skip_views(graph, operand);
  if (node < graph->argument_count) {
    return GENIE_ATTENTION_CACHE_NONE;
  }
  const genie_attention_cache_t cache = see_write(graph, node, out_is_one_row);
  return cache != GENIE_ATTENTION_CACHE_NONE ? cache : see_concat(graph, node, out_is_one_row);
}

genie_status_t genie_recognise_caches(genie_semantic_graph_t *graph) {
  for (int i = 0; i < graph->attention_count; ++i) {
    genie_semantic_attention_t *attention = &graph->attentions[i];
    bool is_one_key = false, is_one_value = false;
    const genie_attention_cache_t keys = see_operand(graph, attention->key, &is_one_key);
    const genie_attention_cache_t values = see_operand(graph, attention->value, &is_one_value);
    if (keys == GENIE_ATTENTION_CACHE_NONE || values == GENIE_ATTENTION_CACHE_NONE) {
      continue;
    }
    attention->cache = keys;
    attention->has_one_new_key = is_one_key && is_one_value;
    const genie_semantic_note_t *note = &graph->nodes[attention->node].notes[GENIE_SEMANTIC_ATTENTION];
    genie_semantic_say(graph, attention->node, GENIE_SEMANTIC_ATTENTION,
                       genie_semantic_format(graph, "%s,cached", note->word), 0.98,
                       genie_semantic_format(graph, "%s; keys and values are kept across calls", note->reason));
  }
  return GENIE_OK;
}
