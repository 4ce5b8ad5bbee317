// modality: of each input by what reads it first, then of each op by the inputs that it depends on. What depends on
// none (masks, places, numbers of the call) takes the modality of its first reader.
#include "passes/recognise/recogniser.h"

static bool is_input(const genie_semantic_graph_t *graph, int node) {
  return graph->nodes[node].is_argument && graph->nodes[node].argument_role == GENIE_IR_ARGUMENT_INPUT;
}

// The input that an index is picked from, through whatever is computed of it.
static bool mark_index_input(genie_semantic_graph_t *graph, int node, void *self) {
  const unsigned modality = *(const unsigned *)self;
  if (is_input(graph, node) && genie_semantic_is_integer(graph, node)) {
    graph->nodes[node].modality |= modality;
  }
  return genie_semantic_is_integer(graph, node) && !graph->nodes[node].is_fixed;
}

static void mark_inputs(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const bool is_category = genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "category-embedding");
    if (is_category || genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "token-embedding")) {
      unsigned modality = is_category ? GENIE_MODALITY_TABULAR : GENIE_MODALITY_TEXT;
      genie_semantic_walk_operands(graph, genie_semantic_operand(graph, node, 1), mark_index_input, &modality);
    }
  }
  if (genie_semantic_find_vote(graph, "recommendation") != NULL) {
    for (int i = 0; i < graph->argument_count; ++i) {
      if (is_input(graph, i) && (graph->nodes[i].modality == 0 || graph->nodes[i].modality == GENIE_MODALITY_TEXT)) {
        graph->nodes[i].modality = GENIE_MODALITY_TABULAR;
      }
    }
  }
}

static void take_users_word(genie_semantic_node_t *node) {
  const genie_semantic_note_t *note = &node->notes[GENIE_SEMANTIC_MODALITY];
  if (note->is_users) {
    node->modality = genie_semantic_modality_set(note->word);
  }
}

static void spread_forward(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    genie_semantic_node_t *n = &graph->nodes[node];
    for (int i = 0; i < n->operand_count; ++i) {
      n->modality |= graph->nodes[graph->operands[n->operand_first + i]].modality;
    }
    take_users_word(n);
  }
}

// A state's update is of the modality of those that read the state.
static void spread_through_states(genie_semantic_graph_t *graph, bool *is_of_reader) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    genie_semantic_node_t *n = &graph->nodes[node];
    if (n->state >= 0 && n->modality == 0) {
      n->modality = graph->nodes[n->state].modality;
      is_of_reader[node] = true;
    }
  }
}

static void spread_backward(genie_semantic_graph_t *graph, bool *is_of_reader) {
  for (int node = graph->node_count - 1; node >= 0; --node) {
    genie_semantic_node_t *n = &graph->nodes[node];
    for (int i = 0; n->modality == 0 && i < n->reader_count; ++i) {
      n->modality = graph->nodes[genie_semantic_reader(graph, node, i)].modality;
      is_of_reader[node] = n->modality != 0;
    }
  }
}

genie_status_t genie_recognise_modality(genie_semantic_graph_t *graph) {
  mark_inputs(graph);
  bool *is_of_reader;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(bool), (void **)&is_of_reader));
  spread_forward(graph);
  spread_backward(graph, is_of_reader);
  spread_through_states(graph, is_of_reader);
  spread_backward(graph, is_of_reader);
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const char *word = genie_semantic_modality_word(graph, graph->nodes[node].modality);
    if (word != NULL && !genie_semantic_node_is(graph, node, "func.return")) {
      genie_semantic_say(
          graph, node, GENIE_SEMANTIC_MODALITY, word, is_of_reader[node] ? 0.75 : 0.95,
          is_of_reader[node] ? "depends on no such input; its first reader does" : "inputs that it depends on");
    }
  }
  return GENIE_OK;
}
