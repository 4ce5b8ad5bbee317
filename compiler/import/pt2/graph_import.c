// Drives the import of one archive: symbols, arguments, nodes, outputs.
#include "compiler/import/pt2/importer_state.h"

enum { MAX_OUTPUTS = 4096 };

static size_t count_tensors(const genie_pt2_arg_t *arg) {
  size_t count = arg->kind == GENIE_PT2_TENSOR;
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    count += count_tensors(&arg->items[i]);
  }
  return count;
}

static void note_uses(pt2_importer_t *im, const genie_pt2_arg_t *arg, int position) {
  if (arg->kind == GENIE_PT2_TENSOR) {
    genie_pt2_value_table_note_use(&im->values, arg->text, position);
  }
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    note_uses(im, &arg->items[i], position);
  }
}

genie_status_t pt2_prepare_values(pt2_importer_t *im) {
  const genie_pt2_graph_t *graph = im->graph;
  // Hostile signatures may name other tensors than the graph's inputs.
  size_t count = (size_t)im->program->input_spec_count;
  for (int i = 0; i < graph->input_count; ++i) {
    count += count_tensors(&graph->inputs[i]);
  }
  for (int i = 0; i < graph->output_count; ++i) {
    count += count_tensors(&graph->outputs[i]);
  }
  for (int i = 0; i < graph->node_count; ++i) {
    for (int j = 0; j < graph->nodes[i].input_count; ++j) {
      count += count_tensors(&graph->nodes[i].inputs[j].arg);
    }
    for (int j = 0; j < graph->nodes[i].output_count; ++j) {
      count += count_tensors(&graph->nodes[i].outputs[j]);
    }
  }
  GENIE_RETURN_IF_ERROR(genie_pt2_value_table_init(&im->arena, count, &im->values));
  for (int i = 0; i < graph->node_count; ++i) {
    for (int j = 0; j < graph->nodes[i].input_count; ++j) {
      note_uses(im, &graph->nodes[i].inputs[j].arg, i);
    }
  }
  for (int i = 0; i < graph->output_count; ++i) {
    note_uses(im, &graph->outputs[i], graph->node_count);
  }
  return GENIE_OK;
}

static genie_status_t import_program(pt2_importer_t *im) {
  if (im->program->output_spec_count > MAX_OUTPUTS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: more than %d outputs",
                             genie_pt2_archive_path(im->program->archive), MAX_OUTPUTS);
  }
  pt2_mapping_table_t mappings;
  GENIE_RETURN_IF_ERROR(pt2_mapping_table_init(&im->arena, &mappings));
  im->mappings = &mappings;
  GENIE_RETURN_IF_ERROR(pt2_import_symbols(im));
  GENIE_RETURN_IF_ERROR(pt2_prepare_values(im));
  pt2_entry_t entry = {0};
  GENIE_RETURN_IF_ERROR(pt2_import_arguments(im, &entry));
  GENIE_RETURN_IF_ERROR(pt2_create_function(im, &entry));
  GENIE_RETURN_IF_ERROR(pt2_bind_inputs(im, &entry));
  for (int i = 0; i < im->graph->node_count; ++i) {
    im->position = i;
    GENIE_RETURN_IF_ERROR(pt2_import_node(im, &im->graph->nodes[i]));
  }
  return pt2_import_outputs(im, &entry);
}

// The module's attribute `genie.framework` = "torch 2.13.0".
static void note_framework(const genie_pt2_program_t *program, MlirModule module) {
  char text[96];
  snprintf(text, sizeof text, "torch %s", program->torch_version);
  if (program->torch_version[0] != '\0') {
    mlirOperationSetAttributeByName(
        mlirModuleGetOperation(module), mlirStringRefCreateFromCString("genie.framework"),
        mlirStringAttrGet(mlirModuleGetContext(module), mlirStringRefCreateFromCString(text)));
  }
}

genie_status_t genie_import_pt2(const genie_import_options_t *options, const char *path, MlirModule module,
                                genie_findings_t *findings) {
  genie_pt2_program_t program;
  GENIE_RETURN_IF_ERROR(genie_pt2_program_read(path, &program));
  const MlirContext context = mlirModuleGetContext(module);
  pt2_importer_t im = {.options = options,
                       .program = &program,
                       .graph = &program.graph,
                       .findings = findings,
                       .module = module,
                       .builder = {.context = context, .location = mlirLocationUnknownGet(context)}};
  genie_arena_init(genie_allocator_heap(), (size_t)2 << 30, &im.arena);
  note_framework(&program, module);
  genie_status_t status = pt2_module_symbols_init(&im);
  if (status == GENIE_OK) {
    status = import_program(&im);
  }
  pt2_module_symbols_deinit(&im);
  genie_status_free(im.failure);
  genie_arena_deinit(&im.arena);
  genie_pt2_program_deinit(&program);
  return status;
}
