// phases: attention, convolutions, recurrences and lookups say what they are for; other ops take the latest phase that
// they depend on, or, where they depend on none, the earliest that reads them.
//
// Decode is said of one query that reads a cache to which this call adds its own one place, and of nothing else.
#include <string.h>

#include "passes/recognise/recogniser.h"

// In the order in which a run goes through them. ENCODE and later spread along the data.
typedef enum rank { RANK_NONE, RANK_ENCODE, RANK_FUSE, RANK_PREFILL, RANK_DECODE, RANK_SAMPLE } rank_t;
static const char *const WORDS[] = {NULL, "encode", "fuse", "prefill", "decode", "sample"};

typedef struct guess {
  rank_t rank;
  double confidence;
  const char *reason;
  bool is_anchor;
} guess_t;

typedef struct phases {
  genie_semantic_graph_t *graph;
  guess_t *guesses;
  bool *is_returned;
  bool has_head, has_decode, has_prefill;
  bool is_language_model;  // without attention: recurrent, or of states in space
} phases_t;

static bool has_several_modalities(const genie_semantic_graph_t *graph, int node) {
  const unsigned set = graph->nodes[node].modality;
  return (set & (set - 1)) != 0;
}

static bool is_text_or_unknown(const genie_semantic_graph_t *graph, int node) {
  const unsigned set = graph->nodes[node].modality;
  return set == 0 || (set & GENIE_MODALITY_TEXT) != 0;
}

//===-- Anchors ---------------------------------------------------------------------------------------------------===//

static void set_anchor(phases_t *phases, int node, rank_t rank, double confidence, const char *reason) {
  phases->guesses[node] = (guess_t){.rank = rank, .confidence = confidence, .reason = reason, .is_anchor = true};
}

static bool is_decode(const genie_semantic_graph_t *graph, const genie_semantic_attention_t *attention) {
  return attention->has_one_query && attention->has_one_new_key && attention->cache != GENIE_ATTENTION_CACHE_NONE &&
         !attention->is_cross && is_text_or_unknown(graph, attention->node) &&
         genie_semantic_attention_keys(graph, attention) != 1;
}

// Where places of a sequence become one.
static bool is_pool(const genie_semantic_graph_t *graph, int node) {
  static const char *const NAMES[] = {"genie.index", "genie.take", "genie.gather", "genie.mean", "genie.sum"};
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; ++i) {
    if (genie_semantic_node_is(graph, node, NAMES[i])) {
      return true;
    }
  }
  return genie_semantic_node_is(graph, node, "genie.matmul") && !genie_semantic_is_projection(graph, node);
}

// Marks what reaches a result of the entry with its places as they are.
static genie_status_t find_returned(phases_t *phases) {
  const genie_semantic_graph_t *graph = phases->graph;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&phases->graph->arena, (size_t)graph->node_count, sizeof(bool),
                                             (void **)&phases->is_returned));
  for (int node = graph->node_count - 1; node >= graph->argument_count; --node) {
    for (int i = 0; i < graph->nodes[node].reader_count; ++i) {
      const int reader = genie_semantic_reader(graph, node, i);
      phases->is_returned[node] |= genie_semantic_node_is(graph, reader, "func.return") ||
                                   (phases->is_returned[reader] && !is_pool(graph, reader));
    }
  }
  return GENIE_OK;
}

static void anchor_self(phases_t *phases, const genie_semantic_attention_t *attention) {
  genie_semantic_graph_t *graph = phases->graph;
  const int node = attention->node;
  if (is_decode(graph, attention)) {
    phases->has_decode = true;
    set_anchor(phases, node, RANK_DECODE, attention->cache == GENIE_ATTENTION_CACHE_STATE ? 0.98 : 0.9,
               "one query reads a cache that this call adds one place to");
    return;
  }
  const bool can_decode =
      is_text_or_unknown(graph, node) && (attention->is_causal || attention->cache != GENIE_ATTENTION_CACHE_NONE);
  // A causal stack is a decoder if it scores tokens, or if its states are results as they are.
  if (can_decode && !attention->has_one_query && (phases->has_head || phases->is_returned[node])) {
    phases->has_prefill = true;
    set_anchor(phases, node, RANK_PREFILL, 0.95,
               attention->cache != GENIE_ATTENTION_CACHE_NONE ? "a sequence is written into a cache and reads it"
                                                              : "causal attention over a sequence of a decoder");
  } else if (has_several_modalities(graph, node) && !attention->is_causal) {
    set_anchor(phases, node, RANK_FUSE, 0.85, "attention over states of several modalities");
  } else {
    set_anchor(phases, node, RANK_ENCODE, 0.9,
               attention->is_causal ? "causal attention whose states are pooled" : "attention over a whole input");
  }
}

// The phase of a decoder if this entry has one; else where modalities meet, or part of an encoder.
static void anchor_cross(phases_t *phases, const genie_semantic_attention_t *attention) {
  genie_semantic_graph_t *graph = phases->graph;
  if (phases->has_decode || phases->has_prefill) {
    set_anchor(phases, attention->node, phases->has_decode ? RANK_DECODE : RANK_PREFILL, 0.9,
               "a decoder reads states of an encoder");
  } else if (has_several_modalities(graph, attention->node)) {
    set_anchor(phases, attention->node, RANK_FUSE, 0.95, "states of one modality read those of another");
  } else {
    set_anchor(phases, attention->node, RANK_ENCODE, 0.8, "few queries read the states of an input");
  }
}

static bool is_projection_of(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "projection");
}

// What lies between an attention and the products that make its operands belongs to it.
typedef struct block_walk {
  phases_t *phases;
  int attention;
} block_walk_t;

static bool visit_block(genie_semantic_graph_t *graph, int node, void *self) {
  const block_walk_t *walk = self;
  if (node == walk->attention) {
    return true;
  }
  guess_t *guess = &walk->phases->guesses[node];
  const guess_t *attention = &walk->phases->guesses[walk->attention];
  if (graph->nodes[node].is_argument || guess->is_anchor || graph->nodes[node].is_fixed) {
    return false;
  }
  const bool is_product = is_projection_of(graph, node);
  // Rotations and norms of queries and keys are pointwise, concatenations and norms.
  const bool is_inside = is_product || genie_semantic_is_view(graph, node) ||
                         genie_semantic_is_pointwise(graph, node) || genie_semantic_is_norm(graph, node) ||
                         genie_semantic_node_is(graph, node, "genie.concat") ||
                         genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "kv-update");
  if (is_inside) {
    set_anchor(walk->phases, node, attention->rank, attention->confidence, "makes query, key or value");
  }
  return is_inside && !is_product;
}

static void anchor_block(phases_t *phases, const genie_semantic_attention_t *attention) {
  block_walk_t walk = {.phases = phases, .attention = attention->node};
  const int operands[] = {attention->query, attention->key, attention->value};
  for (int i = 0; i < 3; ++i) {
    genie_semantic_walk_operands(phases->graph, operands[i], visit_block, &walk);
  }
}

static void anchor_attention(phases_t *phases) {
  genie_semantic_graph_t *graph = phases->graph;
  for (int i = 0; i < graph->attention_count; ++i) {
    if (!graph->attentions[i].is_cross) {
      anchor_self(phases, &graph->attentions[i]);
    }
  }
  for (int i = 0; i < graph->attention_count; ++i) {
    if (graph->attentions[i].is_cross) {
      anchor_cross(phases, &graph->attentions[i]);
    }
  }
  for (int i = 0; i < graph->attention_count; ++i) {
    anchor_block(phases, &graph->attentions[i]);
  }
}

static void anchor_others(phases_t *phases) {
  genie_semantic_graph_t *graph = phases->graph;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const genie_semantic_node_t *n = &graph->nodes[node];
    if (n->is_fixed || phases->guesses[node].is_anchor) {
      continue;
    }
    if (genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "sampler")) {
      set_anchor(phases, node, RANK_SAMPLE, 0.9, "chooses tokens");
    } else if (n->modality != 0 && !has_several_modalities(graph, node) &&
               genie_semantic_node_is(graph, node, "genie.conv")) {
      set_anchor(phases, node, phases->is_language_model ? RANK_PREFILL : RANK_ENCODE,
                 phases->is_language_model ? 0.75 : 0.85, "a convolution over an input");
    } else if (genie_semantic_node_is(graph, node, "genie.lstm") || genie_semantic_node_is(graph, node, "genie.gru") ||
               genie_semantic_node_is(graph, node, "genie.rnn")) {
      const bool is_one_way = !genie_ir_bool(n->op, "bidirectional");
      set_anchor(phases, node, phases->is_language_model && is_one_way ? RANK_PREFILL : RANK_ENCODE, 0.8,
                 "a recurrence over a whole input");
    } else if (phases->is_language_model && genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "head")) {
      set_anchor(phases, node, RANK_PREFILL, 0.75, "scores all tokens of a sequence that no attention reads");
    }
  }
}

// What the user or a plugin said of an op holds for what follows from it as well.
static void anchor_said(phases_t *phases) {
  genie_semantic_graph_t *graph = phases->graph;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const genie_semantic_note_t *said = &graph->nodes[node].notes[GENIE_SEMANTIC_PHASE];
    for (int rank = RANK_ENCODE; said->word != NULL && rank <= RANK_SAMPLE; ++rank) {
      if (strcmp(said->word, WORDS[rank]) == 0) {
        set_anchor(phases, node, (rank_t)rank, said->confidence, said->reason);
      }
    }
  }
}

//===-- Spreading -------------------------------------------------------------------------------------------------===//

static void spread_forward(phases_t *phases) {
  genie_semantic_graph_t *graph = phases->graph;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    guess_t *guess = &phases->guesses[node];
    for (int i = 0; !guess->is_anchor && i < graph->nodes[node].operand_count; ++i) {
      const guess_t *operand = &phases->guesses[genie_semantic_operand(graph, node, i)];
      if (operand->rank > guess->rank) {
        *guess = (guess_t){.rank = operand->rank,
                           .confidence = operand->confidence * (operand->is_anchor ? 0.98 : 1),
                           .reason = "follows from it"};
      }
    }
    if (guess->rank == RANK_ENCODE && !guess->is_anchor &&
        genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "fusion")) {
      *guess = (guess_t){.rank = RANK_FUSE, .confidence = 0.9, .reason = "modalities meet here"};
    }
  }
}

// The earliest phase of a node's readers; NULL where none has one.
static const guess_t *earliest_reader(const phases_t *phases, int node) {
  const guess_t *earliest = NULL;
  for (int i = 0; i < phases->graph->nodes[node].reader_count; ++i) {
    const guess_t *reader = &phases->guesses[genie_semantic_reader(phases->graph, node, i)];
    if (reader->rank != RANK_NONE && (earliest == NULL || reader->rank < earliest->rank)) {
      earliest = reader;
    }
  }
  return earliest;
}

static void spread_backward(phases_t *phases) {
  for (int node = phases->graph->node_count - 1; node >= 0; --node) {
    const guess_t *reader = phases->guesses[node].rank == RANK_NONE ? earliest_reader(phases, node) : NULL;
    if (reader != NULL) {
      // Of one modality still: what leads to fusion encodes.
      const bool is_before_fusion = reader->rank == RANK_FUSE && phases->graph->nodes[node].modality != 0 &&
                                    !has_several_modalities(phases->graph, node);
      phases->guesses[node] = (guess_t){.rank = is_before_fusion ? RANK_ENCODE : reader->rank,
                                        .confidence = reader->confidence * (reader->is_anchor ? 0.9 : 1),
                                        .reason = "leads to it"};
    }
  }
}

// What only updates a state is of the phase of those that read it.
static void spread_through_states(phases_t *phases) {
  for (int node = phases->graph->argument_count; node < phases->graph->node_count; ++node) {
    const int state = phases->graph->nodes[node].state;
    if (state >= 0 && phases->guesses[node].rank == RANK_NONE) {
      phases->guesses[node] = phases->guesses[state];
    }
  }
}

static void say_guesses(phases_t *phases) {
  genie_semantic_graph_t *graph = phases->graph;
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const guess_t *guess = &phases->guesses[node];
    if (guess->rank != RANK_NONE && !genie_semantic_node_is(graph, node, "func.return")) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_PHASE, WORDS[guess->rank], guess->confidence, guess->reason);
    }
  }
}

//===-- Entries of one kind ---------------------------------------------------------------------------------------===//

static bool leads_to_lookup_only(genie_semantic_graph_t *graph, int node, const bool *is_sparse) {
  const genie_semantic_node_t *n = &graph->nodes[node];
  for (int i = 0; i < n->reader_count; ++i) {
    if (!is_sparse[genie_semantic_reader(graph, node, i)]) {
      return false;
    }
  }
  return n->reader_count > 0;
}

static genie_status_t split_recommender(genie_semantic_graph_t *graph) {
  bool *is_sparse;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(bool), (void **)&is_sparse));
  for (int node = graph->node_count - 1; node >= graph->argument_count; --node) {
    const bool is_lookup = genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "category-embedding");
    is_sparse[node] =
        is_lookup || (genie_semantic_has_type(graph, node) && leads_to_lookup_only(graph, node, is_sparse));
    if (genie_semantic_has_type(graph, node)) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_PHASE, is_sparse[node] ? "sparse" : "dense",
                         is_lookup ? 0.95 : 0.9,
                         is_lookup         ? "looks up categories"
                         : is_sparse[node] ? "leads to lookups alone"
                                           : "computed of what was looked up, or of numbers");
    }
  }
  return GENIE_OK;
}

static void say_denoise(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    const bool is_text = graph->nodes[node].modality == GENIE_MODALITY_TEXT;
    if (genie_semantic_has_type(graph, node)) {
      genie_semantic_say(graph, node, GENIE_SEMANTIC_PHASE, is_text ? "encode" : "denoise", 0.9,
                         is_text ? "text that the step depends on" : "part of a step of diffusion");
    }
  }
}

genie_status_t genie_recognise_phases(genie_semantic_graph_t *graph) {
  if (genie_semantic_find_vote(graph, "recommendation") != NULL) {
    return split_recommender(graph);
  }
  if (genie_semantic_find_vote(graph, "diffusion") != NULL) {
    say_denoise(graph);
    return GENIE_OK;
  }
  phases_t phases = {.graph = graph};
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&graph->arena, (size_t)graph->node_count, sizeof(*phases.guesses),
                                             (void **)&phases.guesses));
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    phases.has_head |= genie_semantic_is(graph, node, GENIE_SEMANTIC_ROLE, "head");
  }
  phases.is_language_model = phases.has_head && graph->attention_count == 0;
  GENIE_RETURN_IF_ERROR(find_returned(&phases));
  anchor_attention(&phases);
  anchor_others(&phases);
  anchor_said(&phases);
  spread_forward(&phases);
  spread_backward(&phases);
  spread_through_states(&phases);
  spread_backward(&phases);
  say_guesses(&phases);
  return GENIE_OK;
}
