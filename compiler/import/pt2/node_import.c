// Imports one node: finds its rule, runs it, and checks what it made against what the export says.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

//===-- Findings -------------------------------------------------------------------------------------------------===//

static const char *subject_of(const char *target) {
  static const char prefix[] = "torch.ops.";
  return strncmp(target, prefix, sizeof prefix - 1) == 0 ? target + sizeof prefix - 1 : target;
}

// Turns the failure of the node in work into a finding.
genie_status_t pt2_take_failure(pt2_importer_t *im, const char *target) {
  if (im->failure == GENIE_OK) {
    return GENIE_OK;
  }
  const genie_status_code_t code = genie_status_code(im->failure);
  if (code == GENIE_STATUS_RESOURCE_EXHAUSTED || code == GENIE_STATUS_DATA_LOSS) {
    const genie_status_t status = im->failure;
    im->failure = GENIE_OK;
    return status;
  }
  const genie_finding_t finding = {.kind = im->finding_kind != NULL ? im->finding_kind : "shape",
                                   .subject = subject_of(target),
                                   .problem = genie_status_message(im->failure),
                                   .module = im->provenance.module,
                                   .source = im->provenance.source,
                                   .hint = im->finding_hint != NULL ? im->finding_hint : "report it with the model"};
  const genie_status_t status = genie_findings_add(im->findings, &finding);
  genie_status_free(im->failure);
  im->failure = GENIE_OK;
  return status;
}

void pt2_blame_input(pt2_importer_t *im, const char *name) {
  im->provenance = (pt2_provenance_t){.source = name, .file = "", .module = ""};
}

void pt2_reset_failure(pt2_importer_t *im) {
  im->finding_kind = NULL;
  im->finding_hint = NULL;
}

//===-- Nodes ----------------------------------------------------------------------------------------------------===//

// Names the module and what the user said on all ops that the node in work made.
void pt2_annotate_new_ops(pt2_importer_t *im) {
  const MlirContext context = im->builder.context;
  MlirOperation op = mlirOperationIsNull(im->last_op) ? mlirBlockGetFirstOperation(im->builder.block)
                                                      : mlirOperationGetNextInBlock(im->last_op);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    im->last_op = op;
    if (im->provenance.module[0] != '\0') {
      mlirOperationSetAttributeByName(op, ref("genie.module"), mlirStringAttrGet(context, ref(im->provenance.module)));
    }
    for (int i = 0; i < PT2_NOTE_COUNT; ++i) {
      if (im->provenance.notes[i] != NULL) {
        mlirOperationSetAttributeByName(op, ref(pt2_note_names[i]),
                                        mlirStringAttrGet(context, ref(im->provenance.notes[i])));
      }
    }
  }
}

// Nodes that compute sizes or check them: the export states the sizes themselves, and the checks hold by their ranges.
static bool is_bookkeeping(const char *target) {
  static const char *const prefixes[] = {"_operator.", "torch.sym_", "math.", "builtins.", "sym_", "_assert", "_check"};
  const char *overload = pt2_overload_of(target);
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; ++i) {
    if (strncmp(overload, prefixes[i], strlen(prefixes[i])) == 0) {
      return true;
    }
  }
  return false;
}

// True when an operand could not be imported: its own finding stands for all that follow.
static bool has_lost_operand(const pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  if (arg->kind == GENIE_PT2_TENSOR) {
    const int tensor = genie_pt2_value_table_find(&im->values, arg->text);
    return tensor >= 0 && mlirValueIsNull(im->values.tensors[tensor].value);
  }
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    if (has_lost_operand(im, &arg->items[i])) {
      return true;
    }
  }
  return false;
}

// Stands for a result that could not be imported, so that the import goes on and finds all gaps: a value of the type
// that the export states, or none where Genie has no such type.
static void bind_placeholder(pt2_importer_t *im, const genie_pt2_arg_t *arg, bool has_value) {
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    bind_placeholder(im, &arg->items[i], has_value);
  }
  if (arg->kind != GENIE_PT2_TENSOR || genie_pt2_value_table_find(&im->values, arg->text) >= 0) {
    return;
  }
  MlirValue value = {NULL};
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(im->graph, arg->text);
  genie_tensor_type_t type;
  const genie_status_t status = has_value && meta != NULL ? pt2_type_of_meta(im, meta, false, &type) : GENIE_OK;
  if (has_value && meta != NULL && status == GENIE_OK) {
    const MlirType result = genie_type_make(im->builder.context, &type);
    MlirOperationState state = mlirOperationStateGet(ref("builtin.unrealized_conversion_cast"), im->builder.location);
    mlirOperationStateAddResults(&state, 1, &result);
    const MlirOperation op = mlirOperationCreate(&state);
    mlirBlockAppendOwnedOperation(im->builder.block, op);
    value = mlirOperationGetResult(op, 0);
  }
  genie_status_free(status);
  genie_pt2_value_table_bind(&im->values, arg->text, value, -1);
}

static void bind_placeholders(pt2_importer_t *im, const genie_pt2_node_t *node, bool has_values) {
  for (int i = 0; i < node->output_count; ++i) {
    bind_placeholder(im, &node->outputs[i], has_values);
  }
}

static void check_result(pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    check_result(im, &arg->items[i]);
  }
  if (arg->kind != GENIE_PT2_TENSOR || pt2_has_failed(im)) {
    return;
  }
  const int tensor = genie_pt2_value_table_find(&im->values, arg->text);
  if (tensor < 0) {
    if (genie_pt2_value_table_last_use(&im->values, arg->text) >= 0) {
      pt2_refuse(im, "op", "one of its further results is used", "use its first result only");
    }
    return;
  }
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(im->graph, arg->text);
  genie_tensor_type_t stated;
  if (meta == NULL) {
    return;
  }
  pt2_fail(im, pt2_type_of_meta(im, meta, false, &stated));
  const MlirValue value = im->values.tensors[tensor].value;
  if (pt2_has_failed(im) || mlirValueIsNull(value)) {
    return;
  }
  const MlirType expected = genie_type_make(im->builder.context, &stated);
  if (!mlirTypeEqual(expected, mlirValueGetType(value))) {
    char expected_text[200], actual_text[200];
    genie_type_describe(expected, sizeof expected_text, expected_text);
    genie_type_describe(mlirValueGetType(value), sizeof actual_text, actual_text);
    pt2_fail(im, genie_status_make(GENIE_STATUS_INTERNAL, "imported as %s where the export says %s", actual_text,
                                   expected_text));
  }
}

// What to do about ops that no decomposition helps.
static const struct {
  const char *prefix, *problem, *hint;
} KNOWN_GAPS[] = {
    {"torch.ops.higher_order.cond", "control flow that depends on data is not compiled",
     "compute both sides and choose with torch.where"},
    {"torch.ops.higher_order.", "control flow that depends on data is not compiled",
     "export one step, and call the plan in a loop"},
    {"torch.ops.aten._fft_", "Fourier transforms are not compiled", "keep them outside of the export"},
    {"torch.ops.aten.fft_", "Fourier transforms are not compiled", "keep them outside of the export"},
    {"torch.ops.aten.stft", "Fourier transforms are not compiled", "keep them outside of the export"},
    {"torch.ops.aten.istft", "Fourier transforms are not compiled", "keep them outside of the export"},
    {"torch.ops.aten.view_as_complex", "complex numbers are not compiled", "compute with real and imaginary parts"},
    {"torch.ops.aten.rand", "random numbers are not drawn in a plan", "make them outside, and pass them as an input"},
    {"torch.ops.aten.bernoulli", "random numbers are not drawn in a plan",
     "make them outside, and pass them as an input"},
    {"torch.ops.aten.multinomial", "random numbers are not drawn in a plan",
     "return the probabilities, and sample outside"},
};

static void refuse_unknown(pt2_importer_t *im, const char *target) {
  for (size_t i = 0; i < sizeof(KNOWN_GAPS) / sizeof(KNOWN_GAPS[0]); ++i) {
    if (strncmp(target, KNOWN_GAPS[i].prefix, strlen(KNOWN_GAPS[i].prefix)) == 0) {
      pt2_refuse(im, "op", KNOWN_GAPS[i].problem, KNOWN_GAPS[i].hint);
      return;
    }
  }
  const char *overload = pt2_overload_of(target);
  const size_t stem = strcspn(overload, ".");
  bool has_sibling = false;
  for (int i = 0; i < im->mappings->count; ++i) {
    const pt2_mapping_t *row = &im->mappings->rows[i];
    has_sibling = has_sibling || (row->overload_length > stem && row->overload[stem] == '.' &&
                                  strncmp(row->overload, overload, stem) == 0);
  }
  if (has_sibling) {
    pt2_refuse(im, "overload", "this overload is not supported",
               "call the op with plain tensors and numbers, or export with genie.export");
  } else if (strncmp(target, "torch.ops.aten.", 15) == 0) {
    pt2_refuse(im, "op", "this op is not supported",
               "export with genie.export, which decomposes rare ops, or replace it in the model");
  } else {
    pt2_refuse(im, "op", "this op is not PyTorch's own", "replace it by PyTorch's ops, or keep it outside the export");
  }
}

genie_status_t pt2_import_node(pt2_importer_t *im, const genie_pt2_node_t *node) {
  GENIE_RETURN_IF_ERROR(pt2_provenance_of(&im->arena, node, &im->provenance));
  im->builder.location =
      im->provenance.file[0] != '\0'
          ? mlirLocationFileLineColGet(im->builder.context, ref(im->provenance.file), (unsigned)im->provenance.line, 0)
          : mlirLocationUnknownGet(im->builder.context);
  if (is_bookkeeping(node->target)) {
    return GENIE_OK;
  }
  for (int i = 0; i < node->input_count; ++i) {
    if (has_lost_operand(im, &node->inputs[i].arg)) {
      bind_placeholders(im, node, false);
      return GENIE_OK;
    }
  }
  pt2_reset_failure(im);
  im->mapping = pt2_mapping_find(im->mappings, node->target, &im->is_in_place);
  im->in_place_result = (MlirValue){NULL};
  if (im->mapping == NULL) {
    refuse_unknown(im, node->target);
  } else {
    im->mapping->rule(im, node);
    if (im->is_in_place && !pt2_has_failed(im)) {
      pt2_write_in_place(im, node);
    }
  }
  im->is_in_place = false;
  for (int i = 0; i < node->output_count; ++i) {
    check_result(im, &node->outputs[i]);
  }
  const bool has_failed = pt2_has_failed(im);
  GENIE_RETURN_IF_ERROR(pt2_take_failure(im, node->target));
  if (has_failed) {
    bind_placeholders(im, node, true);
  }
  pt2_annotate_new_ops(im);
  return GENIE_OK;
}
