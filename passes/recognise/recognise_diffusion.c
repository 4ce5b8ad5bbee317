// diffusion: a number of the call becomes sines and cosines that a product reads, and a result has the shape of an
// input image, perhaps with more channels (a learned variance).
#include "passes/recognise/recogniser.h"

static bool is_cosine(const genie_semantic_graph_t *graph, int node) {
  return genie_semantic_node_is(graph, node, "genie.cos");
}

// An input of at most one dimension that the angle is a multiple of.
static bool is_of_time(const genie_semantic_graph_t *graph, int cosine) {
  const int source = genie_semantic_skip_elementwise(graph, genie_semantic_operand(graph, cosine, 0));
  return source >= 0 && graph->nodes[source].is_argument &&
         graph->nodes[source].argument_role == GENIE_IR_ARGUMENT_INPUT && genie_semantic_type(graph, source).rank <= 1;
}

// The concatenation of this cosine and a sine, which a product reads; -1 if there is none.
static int time_embedding_of(const genie_semantic_graph_t *graph, int cosine) {
  for (int i = 0; i < graph->nodes[cosine].reader_count; ++i) {
    const int joined = genie_semantic_reader(graph, cosine, i);
    bool has_sine = false;
    for (int k = 0; genie_semantic_node_is(graph, joined, "genie.concat") && k < graph->nodes[joined].operand_count;
         ++k) {
      has_sine |= genie_semantic_node_is(graph, genie_semantic_operand(graph, joined, k), "genie.sin");
    }
    for (int k = 0; has_sine && k < graph->nodes[joined].reader_count; ++k) {
      int reader = genie_semantic_reader(graph, joined, k);
      while (genie_semantic_is_view(graph, reader) && graph->nodes[reader].reader_count == 1) {
        reader = genie_semantic_reader(graph, reader, 0);
      }
      if (genie_semantic_is_projection(graph, reader)) {
        return joined;
      }
    }
  }
  return -1;
}

static bool is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16 || dtype == GENIE_DTYPE_F64;
}

// Equal but for the channels of dimension 1.
static bool is_shaped_alike(const genie_tensor_type_t *a, const genie_tensor_type_t *b) {
  bool is_alike = a->rank == b->rank && a->rank >= 3 && is_float(a->dtype) && is_float(b->dtype);
  for (int i = 0; is_alike && i < a->rank; ++i) {
    is_alike = i == 1 || genie_dim_equal(a->dims[i], b->dims[i]);
  }
  return is_alike;
}

static bool find_result_like_input(const genie_semantic_graph_t *graph, int *out_input) {
  const MlirOperation end = mlirBlockGetTerminator(genie_rewrite_body(graph->function));
  for (intptr_t r = 0; r < mlirOperationGetNumOperands(end); ++r) {
    const genie_tensor_type_t result = genie_value_type(mlirOperationGetOperand(end, r));
    for (int i = 0; i < graph->argument_count; ++i) {
      const genie_tensor_type_t input = genie_semantic_type(graph, i);
      if (graph->nodes[i].argument_role == GENIE_IR_ARGUMENT_INPUT && is_shaped_alike(&result, &input)) {
        *out_input = i;
        return true;
      }
    }
  }
  return false;
}

genie_status_t genie_recognise_diffusion(genie_semantic_graph_t *graph) {
  int input;
  if (!find_result_like_input(graph, &input)) {
    return GENIE_OK;
  }
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (!is_cosine(graph, node) || !is_of_time(graph, node)) {
      continue;
    }
    const int embedding = time_embedding_of(graph, node);
    if (embedding >= 0) {
      genie_semantic_say(graph, embedding, GENIE_SEMANTIC_ROLE, "time-embedding", 0.95,
                         "sines and cosines of a number of the call");
      // An input of four dimensions is an image, latent or not, whatever reads it.
      graph->nodes[input].modality |= genie_semantic_type(graph, input).rank == 4 ? GENIE_MODALITY_IMAGE : 0;
      genie_semantic_vote(graph, "diffusion", 0.95,
                          "the result is shaped as an input, and a number of the call enters as sines and cosines");
      return GENIE_OK;
    }
  }
  return GENIE_OK;
}
