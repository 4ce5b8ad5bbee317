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

const genie_rule_t genie_simplify_row_rules[] = {{"genie.softmax", softmax_along_last},
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
