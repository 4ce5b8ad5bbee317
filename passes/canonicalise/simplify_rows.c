// Row ops work along the last dimensions: others are permuted there and back.
#include <string.h>

#include "passes/canonicalise/simplify.h"

// The order that puts `axes` last, the others first, each in their old order.
static void order_with_last(int rank, int axis_count, const int64_t *axes, int64_t *out_order) {
  int position = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t d = 0; d < rank; ++d) {
      bool is_axis = false;
      for (int i = 0; i < axis_count; ++i) {
        is_axis |= axes[i] == d;
      }
      if (is_axis == (pass == 1)) {
        out_order[position++] = d;
      }
    }
  }
}

static bool are_last(int rank, int axis_count, const int64_t *axes) {
  for (int i = 0; i < axis_count; ++i) {
    if (axes[i] != rank - axis_count + i) {
      return false;
    }
  }
  return true;
}

// softmax along any axis -> permute, softmax along the last, permute back.
static genie_status_t softmax_along_last(MlirOperation op, MlirValue *out_value) {
  const MlirValue x = mlirOperationGetOperand(op, 0);
  const int rank = genie_value_type(x).rank;
  const int64_t axis = genie_ir_i64(op, "axis");
  if (axis == rank - 1) {
    return GENIE_OK;
  }
  int64_t order[GENIE_IR_MAX_RANK], back[GENIE_IR_MAX_RANK];
  order_with_last(rank, 1, &axis, order);
  for (int i = 0; i < rank; ++i) {
    back[order[i]] = i;
  }
  MlirValue moved;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_permute(op, x, rank, order, &moved));
  const genie_ir_attribute_t attribute = {"axis", genie_ir_i64_attr(mlirOperationGetContext(op), rank - 1)};
  MlirValue normalised;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, genie_op_info_get(op)->name, 1, &moved, 1, &attribute, &normalised));
  return genie_rewrite_make_permute(op, normalised, rank, back, out_value);
}

// A clone of the reduction `op` over the last `axis_count` dimensions of `x`, without keepdim.
static MlirValue clone_reduction(MlirOperation op, MlirValue x, int axis_count) {
  const MlirContext context = mlirOperationGetContext(op);
  genie_tensor_type_t type = genie_value_type(x);
  int64_t axes[GENIE_IR_MAX_RANK];
  for (int i = 0; i < axis_count; ++i) {
    axes[i] = type.rank - axis_count + i;
  }
  type.rank -= axis_count;
  type.dtype = genie_value_type(genie_rewrite_result(op)).dtype;
  const MlirOperation clone = mlirOperationClone(op);
  mlirOperationSetOperand(clone, 0, x);
  mlirOperationSetAttributeByName(clone, mlirStringRefCreateFromCString("axes"),
                                  genie_ir_i64_array_attr(context, axis_count, axes));
  mlirOperationSetAttributeByName(clone, mlirStringRefCreateFromCString("keepdim"), genie_ir_bool_attr(context, false));
  mlirValueSetType(genie_rewrite_result(clone), genie_type_make(context, &type));
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), op, clone);
  return genie_rewrite_result(clone);
}

// A reduction along any axes, perhaps with keepdim -> permute, reduction along the last, reshape.
static genie_status_t reduce_last(MlirOperation op, MlirValue *out_value) {
  const MlirValue x = mlirOperationGetOperand(op, 0);
  const int rank = genie_value_type(x).rank;
  int64_t axes[GENIE_IR_MAX_RANK];
  const int axis_count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  if (axis_count == 0 || are_last(rank, axis_count, axes)) {
    return GENIE_OK;
  }
  int64_t order[GENIE_IR_MAX_RANK];
  order_with_last(rank, axis_count, axes, order);
  MlirValue moved;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_permute(op, x, rank, order, &moved));
  const MlirValue reduced = clone_reduction(op, moved, axis_count);
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(op));
  return genie_rewrite_make_reshape(op, reduced, type.rank, type.dims, out_value);
}

// The value behind views that only repeat or rearrange it.
static MlirValue behind_views(MlirValue value) {
  for (;;) {
    const MlirOperation op = genie_rewrite_definer(value);
    if (mlirOperationIsNull(op) ||
        !(genie_op_is(op, "genie.reshape") || genie_op_is(op, "genie.expand") || genie_op_is(op, "genie.permute"))) {
      return value;
    }
    value = mlirOperationGetOperand(op, 0);
  }
}

// Whether a mask is true everywhere: a constant, positions compared with what none is below, or both of two such.
static bool is_true_everywhere(MlirValue mask) {
  const MlirValue value = behind_views(mask);
  const MlirOperation op = genie_rewrite_definer(value);
  double number = 0;
  if (mlirOperationIsNull(op)) {
    return false;
  }
  if (genie_ir_splat_value(value, &number)) {
    return number != 0;
  }
  if (genie_op_is(op, "genie.logical_and") || genie_op_is(op, "genie.bitwise_and") || genie_op_is(op, "genie.mul")) {
    return is_true_everywhere(mlirOperationGetOperand(op, 0)) && is_true_everywhere(mlirOperationGetOperand(op, 1));
  }
  if (!genie_op_is(op, "genie.ge")) {
    return false;
  }
  const MlirOperation iota = genie_rewrite_definer(behind_views(mlirOperationGetOperand(op, 0)));
  return !mlirOperationIsNull(iota) && genie_op_is(iota, "genie.iota") && genie_ir_f64(iota, "step") >= 0 &&
         genie_ir_splat_value(behind_views(mlirOperationGetOperand(op, 1)), &number) &&
         genie_ir_f64(iota, "start") >= number;
}

// attention with a boolean mask that keeps every key -> without it.
static genie_status_t attention_without_mask(MlirOperation op, MlirValue *out_value) {
  const MlirValue mask = genie_ir_operand(op, "mask");
  if (mlirValueIsNull(mask) || genie_value_type(mask).dtype != GENIE_DTYPE_BOOL || !is_true_everywhere(mask)) {
    return GENIE_OK;
  }
  const MlirContext context = mlirOperationGetContext(op);
  const MlirValue operands[] = {genie_ir_operand(op, "query"), genie_ir_operand(op, "key"),
                                genie_ir_operand(op, "value")};
  const genie_ir_attribute_t attributes[] = {{"is_causal", genie_ir_bool_attr(context, genie_ir_bool(op, "is_causal"))},
                                             {"scale", genie_ir_f64_attr(context, genie_ir_f64(op, "scale"))}};
  return genie_rewrite_make(op, "genie.attention", 3, operands, 2, attributes, out_value);
}

const genie_rule_t genie_simplify_row_rules[] = {{"genie.attention", attention_without_mask},
                                                 {"genie.softmax", softmax_along_last},
                                                 {"genie.log_softmax", softmax_along_last},
                                                 {"genie.sum", reduce_last},
                                                 {"genie.mean", reduce_last},
                                                 {"genie.amax", reduce_last},
                                                 {"genie.amin", reduce_last},
                                                 {"genie.prod", reduce_last},
                                                 {"genie.any", reduce_last},
                                                 {"genie.all", reduce_last},
                                                 {"genie.var", reduce_last},
                                                 {"genie.argmax", reduce_last},
                                                 {"genie.argmin", reduce_last},
                                                 {NULL, NULL}};
