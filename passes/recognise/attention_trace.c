#include "passes/recognise/attention_trace.h"

bool genie_attention_is_write(const genie_semantic_graph_t *graph, int node, int *out_source) {
  static const struct {
    const char *name;
    int source;
  } WRITES[] = {{"genie.index_copy", 2}, {"genie.index_put", 1}, {"genie.slice_scatter", 1}, {"genie.scatter", 2}};
  for (size_t i = 0; i < sizeof WRITES / sizeof WRITES[0]; ++i) {
    if (genie_semantic_node_is(graph, node, WRITES[i].name)) {
      *out_source = genie_semantic_operand(graph, node, WRITES[i].source);
      return true;
    }
  }
  return false;
}

static void add_once(int node, int *count, int nodes[GENIE_ATTENTION_MAX_SOURCES]) {
  for (int i = 0; i < *count; ++i) {
    if (nodes[i] == node) {
      return;
    }
  }
  if (*count < GENIE_ATTENTION_MAX_SOURCES) {
    nodes[(*count)++] = node;
  }
}

typedef struct trace {
  genie_attention_sources_t *sources;
  int writes;        // passed on the way
  int write_source;  // of the write that is followed
} trace_t;

// A product whose input is itself nearly a product (latent attention): its own input counts as well.
static void add_product(genie_semantic_graph_t *graph, int node, genie_attention_sources_t *sources) {
  add_once(node, &sources->product_count, sources->products);
  int x = genie_semantic_skip_views(graph, genie_semantic_operand(graph, node, 0));
  add_once(x, &sources->count, sources->nodes);
  while (genie_semantic_is_norm(graph, x) || genie_semantic_is_view(graph, x)) {
    x = genie_semantic_operand(graph, x, 0);
  }
  if (genie_semantic_is_projection(graph, x)) {
    add_once(genie_semantic_skip_views(graph, genie_semantic_operand(graph, x, 0)), &sources->count, sources->nodes);
  }
}

static bool visit(genie_semantic_graph_t *graph, int node, void *self) {
  trace_t *trace = self;
  const genie_semantic_node_t *n = &graph->nodes[node];
  int written;
  if (n->is_fixed) {
    return false;
  }
  if (genie_semantic_is_projection(graph, node)) {
    add_product(graph, node, trace->sources);
    return false;
  }
  if (genie_attention_is_write(graph, node, &written)) {
    trace->write_source = written;
    ++trace->writes;
    return false;
  }
  if (n->is_argument) {
    if (n->argument_role == GENIE_IR_ARGUMENT_INPUT && !genie_semantic_is_integer(graph, node)) {
      add_once(node, &trace->sources->count, trace->sources->nodes);
    }
    return false;
  }
  if (genie_semantic_node_is(graph, node, "genie.conv")) {  // keys of images: the convolution is the product
    add_product(graph, node, trace->sources);
    return false;
  }
  const bool is_on_the_way =
      genie_semantic_is_view(graph, node) || genie_semantic_is_pointwise(graph, node) ||
      genie_semantic_is_norm(graph, node) || genie_semantic_node_is(graph, node, "genie.concat") ||
      genie_semantic_node_is(graph, node, "genie.index") || genie_semantic_node_is(graph, node, "genie.take");
  if (!is_on_the_way) {
    add_once(node, &trace->sources->count, trace->sources->nodes);
  }
  return is_on_the_way;
}

void genie_attention_trace(genie_semantic_graph_t *graph, int node, genie_attention_sources_t *out_sources) {
  *out_sources = (genie_attention_sources_t){0};
  int writes = 0;
  for (int next = node; next >= 0 && writes < GENIE_ATTENTION_MAX_SOURCES; ++writes) {
    trace_t trace = {.sources = out_sources, .write_source = -1};
    genie_semantic_walk_operands(graph, next, visit, &trace);
    next = trace.write_source;
  }
}
