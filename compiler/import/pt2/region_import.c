// Regions that torch.export wraps around nodes, for gradients switched off or for autocast: their nodes are inlined.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

// The graph among the node's arguments, and the index of the first operand behind it.
static const genie_pt2_graph_t *graph_of(const pt2_node_t *node, int *out_first_operand) {
  for (int i = 0; i < node->input_count; ++i) {
    if (node->inputs[i].arg.kind == GENIE_PT2_GRAPH) {
      *out_first_operand = i + 1;
      return node->inputs[i].arg.graph;
    }
  }
  return NULL;
}

// Names inside a region are its own: they have a table of their own, into which the operands are bound.
static genie_status_t import_region(pt2_importer_t *im, const genie_pt2_graph_t *graph, const MlirValue *operands) {
  im->graph = graph;
  GENIE_RETURN_IF_ERROR(pt2_prepare_values(im));
  for (int i = 0; i < graph->input_count; ++i) {
    if (graph->inputs[i].kind == GENIE_PT2_TENSOR) {
      genie_pt2_value_table_bind(&im->values, graph->inputs[i].text, operands[i], -1);
    }
  }
  for (int i = 0; i < graph->node_count; ++i) {
    im->position = i;
    GENIE_RETURN_IF_ERROR(pt2_import_node(im, &graph->nodes[i]));
  }
  for (int i = 0; i < graph->input_count; ++i) {
    const int tensor =
        graph->inputs[i].kind == GENIE_PT2_TENSOR ? genie_pt2_value_table_find(&im->values, graph->inputs[i].text) : -1;
    if (tensor >= 0 && im->values.tensors[tensor].is_written) {
      pt2_refuse(im, "mutation", "writes a tensor from inside a region", "export with genie.export");
    }
  }
  return GENIE_OK;
}

static MlirValue output_of(const pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  const int tensor = arg->kind == GENIE_PT2_TENSOR ? genie_pt2_value_table_find(&im->values, arg->text) : -1;
  return tensor >= 0 ? im->values.tensors[tensor].value : (MlirValue){NULL};
}

static void rule_inline(pt2_importer_t *im, const pt2_node_t *node) {
  enum { MAX_VALUES = 256 };
  int first = 0;
  const genie_pt2_graph_t *graph = graph_of(node, &first);
  if (graph == NULL || graph->input_count != node->input_count - first || graph->input_count > MAX_VALUES ||
      graph->output_count > MAX_VALUES) {
    pt2_refuse(im, "argument", "a region of unexpected form", "export with genie.export");
    return;
  }
  MlirValue operands[MAX_VALUES] = {{NULL}}, results[MAX_VALUES] = {{NULL}};
  for (int i = 0; i < graph->input_count; ++i) {
    const genie_pt2_arg_t *arg = &node->inputs[first + i].arg;
    operands[i] = arg->kind == GENIE_PT2_TENSOR ? pt2_tensor_of(im, arg) : (MlirValue){NULL};
  }
  if (pt2_has_failed(im)) {
    return;
  }
  const pt2_importer_t outer = *im;
  const genie_status_t status = import_region(im, graph, operands);
  for (int i = 0; status == GENIE_OK && i < graph->output_count; ++i) {
    results[i] = output_of(im, &graph->outputs[i]);
  }
  // Back to the node around: what the region added to arena, function and findings stays.
  im->graph = outer.graph;
  im->values = outer.values;
  im->position = outer.position;
  im->provenance = outer.provenance;
  im->mapping = outer.mapping;
  im->is_in_place = outer.is_in_place;
  im->builder.location = outer.builder.location;
  if (status != GENIE_OK) {
    pt2_fail(im, status);
  }
  for (int i = 0; i < graph->output_count; ++i) {
    pt2_bind(im, node, i, results[i]);
  }
}

// Inside an active autocast region ops have other dtypes than their operands say.
static void rule_autocast(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_pt2_arg_t *enabled = node->input_count > 2 ? &node->inputs[2].arg : NULL;
  if (enabled == NULL || enabled->kind != GENIE_PT2_BOOL || enabled->integer != 0) {
    pt2_refuse(im, "op", "an active autocast region", "export with genie.export, which makes its casts explicit");
    return;
  }
  rule_inline(im, node);
}

const pt2_rule_row_t pt2_region_composites[] = {
    {"torch.ops.higher_order.wrap_with_set_grad_enabled", rule_inline},
    {"torch.ops.higher_order.wrap_with_autocast", rule_autocast},
    {NULL, NULL},
};
