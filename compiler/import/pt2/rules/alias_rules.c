// Ops that compute nothing: aliases, copies, conversions, and overwriting a tensor.
#include <string.h>

#include "compiler/import/pt2/rule.h"

static void rule_alias(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind_alias(im, node, "self");
}

// An exported model is in inference mode, where dropout returns its input.
static void rule_dropout(pt2_importer_t *im, const pt2_node_t *node) {
  if (pt2_bool(im, node, "train", false) && pt2_float(im, node, "p", 0.5) != 0) {
    pt2_refuse(im, "argument", "dropout that drops (train=True)", "call model.eval() before the export");
  }
  pt2_bind_alias(im, node, "input");
}

static void rule_copy_of_self(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind(im, node, 0, pt2_tensor(im, node, "self"));
}

// Returns its operand itself where that is contiguous.
static void rule_contiguous(pt2_importer_t *im, const pt2_node_t *node) {
  if (pt2_is_contiguous(im, pt2_arg(node, "self")) && pt2_int(im, node, "memory_format", 1) == 1) {
    pt2_bind_alias(im, node, "self");
  } else {
    pt2_bind_maybe_view(im, node, "self", pt2_tensor(im, node, "self"));
  }
}

// `to.*` returns its operand where nothing changes; `_to_copy` and `type_as` of another dtype are new tensors.
void pt2_rule_cast(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "self");
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const bool is_copy = strncmp(pt2_mapping(im)->overload, "_to_copy", 8) == 0 || pt2_bool(im, node, "copy", false);
  if (type.dtype == pt2_type(x).dtype && !is_copy) {
    pt2_bind_alias(im, node, "self");
  } else {
    pt2_bind(im, node, 0, pt2_cast(im, x, type.dtype));
  }
}

// copy(self, src): src, converted and broadcast to self.
static void rule_copy(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_type(pt2_tensor(im, node, "self"));
  const MlirValue source = pt2_cast(im, pt2_tensor(im, node, "src"), type.dtype);
  pt2_bind(im, node, 0, pt2_expand(im, source, type.rank, type.dims));
}

static void rule_fill(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_type(pt2_tensor(im, node, "self"));
  const MlirValue value = pt2_operand(im, node, "value", type.dtype);
  pt2_bind(im, node, 0, pt2_expand(im, value, type.rank, type.dims));
}

static void rule_zero(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_type(pt2_tensor(im, node, "self"));
  pt2_bind(im, node, 0, pt2_expand(im, pt2_scalar(im, type.dtype, 0), type.rank, type.dims));
}

const pt2_rule_row_t pt2_alias_composites[] = {
    {"alias.default", rule_alias},
    {"detach.default", rule_alias},
    {"detach_.default", rule_alias},
    {"lift_fresh.default", rule_alias},
    {"resolve_conj.default", rule_alias},
    {"resolve_neg.default", rule_alias},
    {"dropout.default", rule_dropout},
    {"feature_dropout.default", rule_dropout},
    {"alpha_dropout.default", rule_dropout},
    {"clone.default", rule_copy_of_self},
    {"lift_fresh_copy.default", rule_copy_of_self},
    {"alias_copy.default", rule_copy_of_self},
    {"detach_copy.default", rule_copy_of_self},
    {"contiguous.default", rule_contiguous},
    {"copy.default", rule_copy},
    {"fill.Scalar", rule_fill},
    {"fill.Tensor", rule_fill},
    {"zero.default", rule_zero},
    {NULL, NULL},
};
