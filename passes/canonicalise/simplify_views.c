// Views and data movement that do nothing, or do in two steps what one can.
#include "passes/canonicalise/simplify.h"

static MlirValue operand0(MlirOperation op) {
  return mlirOperationGetOperand(op, 0);
}

// An op of type x -> x that moves nothing.
static genie_status_t drop_if_same_type(MlirOperation op, MlirValue *out_value) {
  if (genie_rewrite_same_type(operand0(op), genie_rewrite_result(op))) {
    *out_value = operand0(op);
  }
  return GENIE_OK;
}

// reshape(reshape(x)) and expand(expand(x)): the last type decides.
static genie_status_t merge_with_inner(MlirOperation op, const char *name, MlirValue *out_value) {
  const MlirOperation inner = genie_rewrite_definer_if(operand0(op), name);
  if (mlirOperationIsNull(inner)) {
    return GENIE_OK;
  }
  const MlirValue x = operand0(inner);
  return genie_rewrite_make_typed(op, name, 1, &x, 0, NULL, mlirValueGetType(genie_rewrite_result(op)), out_value);
}

static genie_status_t merge_reshapes(MlirOperation op, MlirValue *out_value) {
  return merge_with_inner(op, "genie.reshape", out_value);
}

static genie_status_t merge_expands(MlirOperation op, MlirValue *out_value) {
  return merge_with_inner(op, "genie.expand", out_value);
}

static genie_status_t drop_identity_permute(MlirOperation op, MlirValue *out_value) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  for (int i = 0; i < rank; ++i) {
    if (permutation[i] != i) {
      return GENIE_OK;
    }
  }
  *out_value = operand0(op);
  return GENIE_OK;
}

static genie_status_t merge_permutes(MlirOperation op, MlirValue *out_value) {
  const MlirOperation inner = genie_rewrite_definer_if(operand0(op), "genie.permute");
  if (mlirOperationIsNull(inner)) {
    return GENIE_OK;
  }
  int64_t outer_order[GENIE_IR_MAX_RANK], inner_order[GENIE_IR_MAX_RANK], order[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, outer_order);
  genie_ir_i64_array(inner, "permutation", GENIE_IR_MAX_RANK, inner_order);
  for (int i = 0; i < rank; ++i) {
    order[i] = inner_order[outer_order[i]];
  }
  return genie_rewrite_make_permute(op, operand0(inner), rank, order, out_value);
}

static bool is_one(MlirAffineExpr dim) {
  int64_t value;
  return genie_dim_is_constant(dim, &value) && value == 1;
}

// A permute that leaves the order of all dimensions but those of size 1 is a reshape.
static genie_status_t reshape_instead_of_permute(MlirOperation op, MlirValue *out_value) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  const genie_tensor_type_t type = genie_value_type(operand0(op));
  int64_t last = -1;
  for (int i = 0; i < rank; ++i) {
    if (is_one(type.dims[permutation[i]])) {
      continue;
    }
    if (permutation[i] < last) {
      return GENIE_OK;
    }
    last = permutation[i];
  }
  const genie_tensor_type_t result = genie_value_type(genie_rewrite_result(op));
  return genie_rewrite_make_reshape(op, operand0(op), rank, result.dims, out_value);
}

// A slice with all elements: its type is that of x, and with it start 0 (a later start would leave x).
static genie_status_t drop_full_slice(MlirOperation op, MlirValue *out_value) {
  return genie_ir_i64(op, "step") == 1 ? drop_if_same_type(op, out_value) : GENIE_OK;
}

static genie_status_t drop_single_concat(MlirOperation op, MlirValue *out_value) {
  if (mlirOperationGetNumOperands(op) == 1) {
    *out_value = operand0(op);
  }
  return GENIE_OK;
}

static genie_status_t drop_empty_pad(MlirOperation op, MlirValue *out_value) {
  int64_t low[GENIE_IR_MAX_RANK], high[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "low", GENIE_IR_MAX_RANK, low);
  genie_ir_i64_array(op, "high", GENIE_IR_MAX_RANK, high);
  for (int i = 0; i < rank; ++i) {
    if (low[i] != 0 || high[i] != 0) {
      return GENIE_OK;
    }
  }
  *out_value = operand0(op);
  return GENIE_OK;
}

//===-- Indexing --------------------------------------------------------------------------------------------------===//

// True when `index` counts 0, 1, .. over all of an axis of size `size`, along dimension `out_along` of its own and of
// no other. An axis of size 1 runs along none: -1.
static bool counts_axis(MlirValue index, MlirAffineExpr size, int *out_along) {
  MlirValue counted = index;
  const MlirOperation reshape = genie_rewrite_definer_if(index, "genie.reshape");
  if (!mlirOperationIsNull(reshape)) {
    counted = operand0(reshape);
  }
  const MlirOperation iota = genie_rewrite_definer_if(counted, "genie.iota");
  if (mlirOperationIsNull(iota) || genie_ir_f64(iota, "start") != 0 || genie_ir_f64(iota, "step") != 1 ||
      genie_value_type(counted).rank != 1 || !genie_dim_equal(genie_value_type(counted).dims[0], size)) {
    return false;
  }
  const genie_tensor_type_t type = genie_value_type(index);
  *out_along = -1;
  for (int i = 0; i < type.rank; ++i) {
    if (!is_one(type.dims[i])) {
      if (*out_along >= 0) {
        return false;
      }
      *out_along = i;
    }
  }
  return true;
}

// index(x, every position of its axes in order) is x under another shape.
static genie_status_t index_by_all_positions(MlirOperation op, MlirValue *out_value) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  const genie_tensor_type_t type = genie_value_type(operand0(op)), result = genie_value_type(genie_rewrite_result(op));
  const int index_rank = result.rank - (type.rank - count);
  int last = -1;
  for (int i = 0; i < count; ++i) {
    const MlirValue index = mlirOperationGetOperand(op, 1 + i);
    int along;
    if (!counts_axis(index, type.dims[axes[i]], &along)) {
      return GENIE_OK;
    }
    if (along >= 0) {
      along += index_rank - genie_value_type(index).rank;
      if (along <= last) {
        return GENIE_OK;
      }
      last = along;
    }
  }
  return genie_rewrite_make_reshape(op, operand0(op), result.rank, result.dims, out_value);
}

// Sums of zeros.
static genie_status_t cumsum_of_zeros(MlirOperation op, MlirValue *out_value) {
  double number;
  if (genie_ir_splat_value(operand0(op), &number) && number == 0) {
    return drop_if_same_type(op, out_value);
  }
  return GENIE_OK;
}

//===-- Pointwise ops move in front of views ----------------------------------------------------------------------===//

static bool is_scalar(MlirValue value) {
  double number;
  return genie_value_type(value).rank == 0 && genie_ir_splat_value(value, &number);
}

// True when `value` is computed, by an op that is no view or through reshapes and permutes that nobody else reads.
static bool leads_to_op(MlirValue value) {
  MlirOperation op = genie_rewrite_definer(value);
  while (!mlirOperationIsNull(op) && (genie_op_is(op, "genie.reshape") || genie_op_is(op, "genie.permute"))) {
    if (!genie_rewrite_has_one_use(genie_rewrite_result(op))) {
      return false;
    }
    op = genie_rewrite_definer(operand0(op));
  }
  return !mlirOperationIsNull(op) && !genie_rewrite_is_view(op);
}

// op(view(x)) -> view(op(x)) for a reshape or permute that only `op` reads, so that the op can join x's producer.
// `x_operand` is the operand that the view gives; the others are scalars.
static genie_status_t hoist_over_view(MlirOperation op, intptr_t x_operand, MlirValue *out_value) {
  const MlirValue viewed = mlirOperationGetOperand(op, x_operand);
  const MlirOperation view = genie_rewrite_definer(viewed);
  if (mlirOperationIsNull(view) || !genie_rewrite_has_one_use(viewed) ||
      !(genie_op_is(view, "genie.reshape") || genie_op_is(view, "genie.permute")) || genie_ir_is_compile_time(viewed) ||
      !genie_rewrite_same_dims(viewed, genie_rewrite_result(op))) {
    return GENIE_OK;
  }
  if (!leads_to_op(operand0(view))) {
    return GENIE_OK;  // nothing in front of the view to join
  }
  genie_tensor_type_t type = genie_value_type(operand0(view));
  type.dtype = genie_value_type(genie_rewrite_result(op)).dtype;
  const MlirType moved_type = genie_type_make(mlirOperationGetContext(op), &type);
  const MlirOperation moved = mlirOperationClone(op);
  mlirOperationSetOperand(moved, x_operand, operand0(view));
  mlirValueSetType(genie_rewrite_result(moved), moved_type);
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), op, moved);
  const MlirOperation behind = mlirOperationClone(view);
  mlirOperationSetOperand(behind, 0, genie_rewrite_result(moved));
  mlirValueSetType(genie_rewrite_result(behind), mlirValueGetType(genie_rewrite_result(op)));
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), op, behind);
  *out_value = genie_rewrite_result(behind);
  return GENIE_OK;
}

static genie_status_t hoist_unary(MlirOperation op, MlirValue *out_value) {
  return hoist_over_view(op, 0, out_value);
}

static genie_status_t hoist_binary(MlirOperation op, MlirValue *out_value) {
  if (is_scalar(mlirOperationGetOperand(op, 1))) {
    return hoist_over_view(op, 0, out_value);
  }
  return is_scalar(operand0(op)) ? hoist_over_view(op, 1, out_value) : GENIE_OK;
}

const genie_rule_t genie_simplify_view_rules[] = {{"genie.reshape", drop_if_same_type},
                                                  {"genie.reshape", merge_reshapes},
                                                  {"genie.permute", drop_identity_permute},
                                                  {"genie.permute", merge_permutes},
                                                  {"genie.permute", reshape_instead_of_permute},
                                                  {"genie.expand", drop_if_same_type},
                                                  {"genie.expand", merge_expands},
                                                  {"genie.slice", drop_full_slice},
                                                  {"genie.concat", drop_single_concat},
                                                  {"genie.pad", drop_empty_pad},
                                                  {"genie.index", index_by_all_positions},
                                                  {"genie.cumsum", cumsum_of_zeros},
                                                  {"genie.relu", hoist_unary},
                                                  {"genie.silu", hoist_unary},
                                                  {"genie.gelu", hoist_unary},
                                                  {"genie.sigmoid", hoist_unary},
                                                  {"genie.tanh", hoist_unary},
                                                  {"genie.exp", hoist_unary},
                                                  {"genie.clamp", hoist_unary},
                                                  {"genie.cast", hoist_unary},
                                                  {"genie.neg", hoist_unary},
                                                  {"genie.hardswish", hoist_unary},
                                                  {"genie.hardsigmoid", hoist_unary},
                                                  {"genie.mish", hoist_unary},
                                                  {"genie.softplus", hoist_unary},
                                                  {"genie.elu", hoist_unary},
                                                  {"genie.leaky_relu", hoist_unary},
                                                  {"genie.erf", hoist_unary},
                                                  {"genie.sqrt", hoist_unary},
                                                  {"genie.rsqrt", hoist_unary},
                                                  {"genie.log", hoist_unary},
                                                  {"genie.abs", hoist_unary},
                                                  {"genie.add", hoist_binary},
                                                  {"genie.sub", hoist_binary},
                                                  {"genie.mul", hoist_binary},
                                                  {"genie.div", hoist_binary},
                                                  {NULL, NULL}};
