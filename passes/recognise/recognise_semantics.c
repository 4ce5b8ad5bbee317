// recognise-semantics: runs the annotating recognisers of recognisers.def, and those of plugins, over each entry, and
// writes what they found as attributes.
#include <string.h>

#include "passes/recognise/recogniser.h"
#include "passes/recognise/recogniser_plugin.h"
#include "passes/recognise/semantic_report.h"

static genie_status_t run_all(const genie_pass_context_t *context, genie_semantic_graph_t *graph) {
  for (int i = 0; i < genie_recogniser_count; ++i) {
    const genie_recogniser_info_t *recogniser = &genie_recogniser_table[i];
    GENIE_RETURN_IF_ERROR(genie_recogniser_plugins_run(context->plugins, recogniser->name, graph));
    GENIE_RETURN_IF_ERROR(genie_status_annotate(recogniser->run(graph), "recogniser %s", recogniser->name));
  }
  GENIE_RETURN_IF_ERROR(genie_recogniser_plugins_run(context->plugins, NULL, graph));
  GENIE_RETURN_IF_ERROR(genie_semantic_graph_write(graph));
  return context->semantics != NULL ? genie_semantic_report_add(context->semantics, graph) : GENIE_OK;
}

static genie_status_t recognise(const genie_pass_context_t *context, MlirOperation function) {
  genie_semantic_graph_t graph;
  GENIE_RETURN_IF_ERROR(genie_semantic_graph_init(function, &graph));
  const genie_status_t status = run_all(context, &graph);
  genie_semantic_graph_deinit(&graph);
  return status;
}

//===-- The module ------------------------------------------------------------------------------------------------===//

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static MlirAttribute entry_of(MlirAttribute workload, const char *name) {
  return mlirDictionaryAttrGetElementByName(workload, ref(name));
}

static bool is_class(MlirAttribute workload, const char *name) {
  return mlirStringRefEqual(mlirStringAttrGetValue(entry_of(workload, "class")), ref(name));
}

static double confidence_of(MlirAttribute workload) {
  return mlirFloatAttrGetValueDouble(entry_of(workload, "confidence"));
}

// Of two entries of a module: generation is what its step does; else the surer one.
static MlirAttribute stronger(MlirAttribute a, MlirAttribute b) {
  if (is_class(a, "llm-decode") || is_class(b, "llm-decode")) {
    return is_class(a, "llm-decode") ? a : b;
  }
  return confidence_of(b) > confidence_of(a) ? b : a;
}

genie_status_t genie_pass_recognise_semantics(const genie_pass_context_t *context, MlirModule module) {
  GENIE_RETURN_IF_ERROR(genie_rewrite_each_function(context, module, recognise));
  MlirAttribute whole = {NULL};
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    const MlirAttribute workload = mlirOperationGetAttributeByName(op, ref("genie.workload"));
    if (genie_op_is(op, "func.func") && !mlirAttributeIsNull(workload)) {
      whole = mlirAttributeIsNull(whole) ? workload : stronger(whole, workload);
    }
  }
  if (!mlirAttributeIsNull(whole)) {
    mlirOperationSetAttributeByName(mlirModuleGetOperation(module), ref("genie.workload"), whole);
  }
  return GENIE_OK;
}
