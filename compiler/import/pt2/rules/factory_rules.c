// Tensors from nothing: ranges, fills, identities.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

static double number_of(pt2_importer_t *im, const pt2_node_t *node, const char *name, double fallback) {
  return pt2_float(im, node, name, fallback);
}

// arange: start + step * i. A start that depends on sizes is added to a range from 0.
void pt2_rule_iota(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const double step = number_of(im, node, "step", 1);
  const genie_pt2_arg_t *start = pt2_arg(node, "start");
  if (start != NULL && start->kind == GENIE_PT2_SYM_INT) {
    const MlirValue base = pt2_operand_of(im, start, type.dtype);
    pt2_bind(im, node, 0, pt2_binary(im, "genie.add", pt2_iota(im, &type, 0, step, 0), base));
  } else {
    pt2_bind(im, node, 0, pt2_iota(im, &type, number_of(im, node, "start", 0), step, 0));
  }
}

// linspace(start, end, steps)
static void rule_linspace(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const double start = number_of(im, node, "start", 0), end = number_of(im, node, "end", 0);
  const int64_t steps = pt2_int(im, node, "steps", 1);
  pt2_bind(im, node, 0, pt2_iota(im, &type, start, steps > 1 ? (end - start) / (double)(steps - 1) : 0, 0));
}

static void fill(pt2_importer_t *im, const pt2_node_t *node, MlirValue value) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  pt2_bind(im, node, 0, pt2_expand(im, pt2_cast(im, value, type.dtype), type.rank, type.dims));
}

// full, full_like, new_full, scalar_tensor
static void rule_full(pt2_importer_t *im, const pt2_node_t *node) {
  const char *name = pt2_arg(node, "fill_value") != NULL ? "fill_value" : "s";
  fill(im, node, pt2_operand(im, node, name, pt2_result_type(im, node, 0).dtype));
}

// zeros, ones and their like; empty tensors are zeros, which any content may be
static void rule_zeros(pt2_importer_t *im, const pt2_node_t *node) {
  fill(im, node, pt2_scalar_int(im, pt2_result_type(im, node, 0).dtype, 0));
}

static void rule_ones(pt2_importer_t *im, const pt2_node_t *node) {
  fill(im, node, pt2_scalar_int(im, pt2_result_type(im, node, 0).dtype, 1));
}

static MlirValue index_along(pt2_importer_t *im, const genie_tensor_type_t *shape, int axis) {
  genie_tensor_type_t type = {.dtype = GENIE_DTYPE_I64, .rank = shape->rank};
  for (int i = 0; i < shape->rank; ++i) {
    type.dims[i] = i == axis ? shape->dims[i] : pt2_constant_dim(im, 1);
  }
  return pt2_iota(im, &type, 0, 1, axis);
}

static void rule_eye(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue is_equal = pt2_binary(im, "genie.eq", index_along(im, &type, 0), index_along(im, &type, 1));
  pt2_bind(im, node, 0, pt2_cast(im, is_equal, type.dtype));
}

// one_hot(x, num_classes)
static void rule_one_hot(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue x = pt2_tensor(im, node, "self");
  const MlirValue wide = pt2_unsqueeze(im, pt2_cast(im, x, GENIE_DTYPE_I64), pt2_rank(x));
  const MlirValue classes = index_along(im, &type, type.rank - 1);
  pt2_bind(im, node, 0, pt2_cast(im, pt2_binary(im, "genie.eq", wide, classes), type.dtype));
}

const pt2_rule_row_t pt2_factory_composites[] = {
    {"linspace.default", rule_linspace},
    {"full.default", rule_full},
    {"full_like.default", rule_full},
    {"new_full.default", rule_full},
    {"scalar_tensor.default", rule_full},
    {"zeros.default", rule_zeros},
    {"zeros_like.default", rule_zeros},
    {"new_zeros.default", rule_zeros},
    {"empty.memory_format", rule_zeros},
    {"empty_like.default", rule_zeros},
    {"empty_strided.default", rule_zeros},
    {"empty_permuted.default", rule_zeros},
    {"new_empty.default", rule_zeros},
    {"new_empty_strided.default", rule_zeros},
    {"ones.default", rule_ones},
    {"ones_like.default", rule_ones},
    {"new_ones.default", rule_ones},
    {"eye.default", rule_eye},
    {"eye.m", rule_eye},
    {"one_hot.default", rule_one_hot},
    {NULL, NULL},
};
