// recognise-norm: an rms_norm that the model spells out becomes one op.
//
//     x * rsqrt(mean(x * x, last) + eps) [* weight]
#include "passes/graph/rules.h"

static MlirValue operand(MlirOperation op, intptr_t index) {
  return mlirOperationGetOperand(op, index);
}

static MlirValue skip_expand(MlirValue value) {
  const MlirOperation expand = genie_rewrite_definer_if(value, "genie.expand");
  return mlirOperationIsNull(expand) ? value : operand(expand, 0);
}

// `value` = mean(x * x) over the last dimension, kept.
static bool is_mean_square(MlirValue value, MlirValue x) {
  const MlirOperation mean = genie_rewrite_definer_if(value, "genie.mean");
  if (mlirOperationIsNull(mean) || !genie_ir_bool(mean, "keepdim")) {
    return false;
  }
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(mean, "axes", GENIE_IR_MAX_RANK, axes);
  const MlirOperation square = genie_rewrite_definer_if(operand(mean, 0), "genie.mul");
  return count == 1 && axes[0] == genie_value_type(x).rank - 1 && !mlirOperationIsNull(square) &&
         mlirValueEqual(operand(square, 0), x) && mlirValueEqual(operand(square, 1), x);
}

// `value` = rsqrt(mean(x * x) + eps)
static bool is_inverse_rms(MlirValue value, MlirValue x, double *out_eps) {
  const MlirOperation rsqrt = genie_rewrite_definer_if(skip_expand(value), "genie.rsqrt");
  const MlirOperation add =
      mlirOperationIsNull(rsqrt) ? rsqrt : genie_rewrite_definer_if(operand(rsqrt, 0), "genie.add");
  if (mlirOperationIsNull(add)) {
    return false;
  }
  for (int side = 0; side < 2; ++side) {
    if (genie_ir_splat_value(operand(add, side), out_eps) && is_mean_square(operand(add, 1 - side), x)) {
      return true;
    }
  }
  return false;
}

static genie_status_t form_norm(MlirOperation op, MlirValue *out_value) {
  for (int side = 0; side < 2; ++side) {
    const MlirValue x = operand(op, side);
    double eps;
    if (is_inverse_rms(operand(op, 1 - side), x, &eps) && genie_rewrite_same_type(x, genie_rewrite_result(op))) {
      const MlirContext context = mlirOperationGetContext(op);
      const genie_ir_attribute_t attributes[] = {{"normalized_rank", genie_ir_i64_attr(context, 1)},
                                                 {"eps", genie_ir_f64_attr(context, eps)}};
      const MlirValue operands[] = {x, {NULL}};
      return genie_rewrite_make(op, "genie.rms_norm", 2, operands, 2, attributes, out_value);
    }
  }
  return GENIE_OK;
}

// rms_norm(x) * weight[last] -> rms_norm(x, weight)
static genie_status_t add_weight(MlirOperation op, MlirValue *out_value) {
  for (int side = 0; side < 2; ++side) {
    const MlirOperation norm = genie_rewrite_definer_if(operand(op, side), "genie.rms_norm");
    const MlirValue weight = skip_expand(operand(op, 1 - side));
    if (mlirOperationIsNull(norm) || mlirOperationGetNumOperands(norm) != 1 ||
        !genie_rewrite_has_one_use(genie_rewrite_result(norm)) || genie_ir_i64(norm, "normalized_rank") != 1) {
      continue;
    }
    const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(norm));
    const genie_tensor_type_t weight_type = genie_value_type(weight);
    if (weight_type.rank == 1 && genie_dim_equal(weight_type.dims[0], type.dims[type.rank - 1]) &&
        genie_rewrite_same_type(genie_rewrite_result(norm), genie_rewrite_result(op))) {
      const MlirContext context = mlirOperationGetContext(op);
      const genie_ir_attribute_t attributes[] = {{"normalized_rank", genie_ir_i64_attr(context, 1)},
                                                 {"eps", genie_ir_f64_attr(context, genie_ir_f64(norm, "eps"))}};
      const MlirValue operands[] = {operand(norm, 0), weight};
      return genie_rewrite_make(op, "genie.rms_norm", 2, operands, 2, attributes, out_value);
    }
  }
  return GENIE_OK;
}

static const genie_rule_t RULES[] = {{"genie.mul", form_norm}, {"genie.mul", add_weight}, {NULL, NULL}};

static genie_status_t recognise(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  static const genie_rule_t *const TABLES[] = {RULES};
  return genie_rules_apply(function, 1, TABLES);
}

genie_status_t genie_pass_recognise_norm(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, recognise);
}
