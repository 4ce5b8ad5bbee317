// stems: what reads a float input first tells what the input is. A 2-d convolution of few channels, or a product of
// patches cut from four dimensions, reads an image; a 3-d convolution a video; a 1-d convolution over a long signal or
// over the bands of a spectrogram reads sound.
#include "passes/recognise/recogniser.h"

enum { LONG_SIGNAL = 400, MAX_IMAGE_CHANNELS = 16, MIN_BANDS = 40, MAX_BANDS = 256 };

static bool is_float_input(const genie_semantic_graph_t *graph, int node) {
  const genie_semantic_node_t *n = &graph->nodes[node];
  if (!n->is_argument || n->argument_role != GENIE_IR_ARGUMENT_INPUT) {
    return false;
  }
  const genie_dtype_t dtype = genie_semantic_type(graph, node).dtype;
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16 ||
         dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_U8;
}

static void mark_input(genie_semantic_graph_t *graph, int input, unsigned modality) {
  graph->nodes[input].modality |= modality;
}

static bool is_patch_conv(const genie_semantic_graph_t *graph, int node) {
  int64_t stride[GENIE_IR_MAX_RANK];
  const int spatial = genie_ir_i64_array(graph->nodes[node].op, "stride", GENIE_IR_MAX_RANK, stride);
  const int weight = genie_semantic_operand(graph, node, 1);
  for (int i = 0; i < spatial; ++i) {
    if (stride[i] < 2 || genie_semantic_size_from_end(graph, weight, spatial - i) != stride[i]) {
      return false;
    }
  }
  return true;
}

static void see_image_conv(genie_semantic_graph_t *graph, int node, int input) {
  const int64_t channels = genie_semantic_size_from_end(graph, genie_semantic_operand(graph, node, 0), 3);
  if (genie_semantic_type(graph, input).rank == 3 && channels == 1) {
    // A matrix taken for an image of one channel: a spectrogram.
    mark_input(graph, input, GENIE_MODALITY_AUDIO);
    genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "audio-stem", 0.7,
                       "a convolution over a matrix that becomes an image of one channel");
    return;
  }
  const bool is_video = genie_semantic_type(graph, input).rank == 5;  // its images are taken together
  mark_input(graph, input, is_video ? GENIE_MODALITY_VIDEO : GENIE_MODALITY_IMAGE);
  const bool is_patches = is_patch_conv(graph, node);
  genie_semantic_say(
      graph, node, GENIE_SEMANTIC_ROLE, is_patches ? "patch-stem" : "conv-stem",
      channels <= MAX_IMAGE_CHANNELS ? 0.98 : 0.8,
      is_patches ? "a convolution whose windows do not overlap reads an image" : "a convolution reads an image");
}

static void see_signal_conv(genie_semantic_graph_t *graph, int node, int input) {
  const int x = genie_semantic_operand(graph, node, 0);
  const int64_t length = genie_semantic_size_from_end(graph, x, 1), bands = genie_semantic_size_from_end(graph, x, 2);
  const bool is_spectrogram = bands >= MIN_BANDS && bands <= MAX_BANDS;
  const bool is_wave = bands <= 2 && (length >= LONG_SIGNAL || length < 0);
  if (is_spectrogram || is_wave) {
    mark_input(graph, input, GENIE_MODALITY_AUDIO);
    genie_semantic_say(
        graph, node, GENIE_SEMANTIC_ROLE, "audio-stem", is_wave ? 0.95 : 0.9,
        is_wave ? "a 1-d convolution over a long signal" : "a 1-d convolution over bands of a spectrogram");
  }
}

static void see_conv(genie_semantic_graph_t *graph, int node) {
  const int input = genie_semantic_skip_elementwise(graph, genie_semantic_operand(graph, node, 0));
  if (input < 0 || !is_float_input(graph, input)) {
    return;
  }
  const int rank = genie_semantic_type(graph, node).rank;
  if (rank == 3) {
    see_signal_conv(graph, node, input);
  } else if (rank == 4) {
    see_image_conv(graph, node, input);
  } else if (rank == 5) {
    mark_input(graph, input, GENIE_MODALITY_VIDEO);
    genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, is_patch_conv(graph, node) ? "patch-stem" : "conv-stem", 0.9,
                       "a 3-d convolution reads an input");
  }
}

// A product of patches: rows of an input of four dimensions, rearranged.
static void see_product(genie_semantic_graph_t *graph, int node) {
  const int x = genie_semantic_operand(graph, node, 0);
  const int input = genie_semantic_skip_elementwise(graph, x);
  if (input < 0 || !is_float_input(graph, input) || genie_semantic_type(graph, input).rank != 4 || x == input) {
    return;
  }
  const int64_t channels = genie_semantic_size_from_end(graph, input, 3);
  if (channels >= 1 && channels <= MAX_IMAGE_CHANNELS) {
    mark_input(graph, input, GENIE_MODALITY_IMAGE);
    genie_semantic_say(graph, node, GENIE_SEMANTIC_ROLE, "patch-stem", 0.85,
                       "a product of patches cut from an input of four dimensions");
  }
}

genie_status_t genie_recognise_stems(genie_semantic_graph_t *graph) {
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    if (genie_semantic_node_is(graph, node, "genie.conv")) {
      see_conv(graph, node);
    } else if (genie_semantic_is_projection(graph, node)) {
      see_product(graph, node);
    }
  }
  return GENIE_OK;
}
