// Strides through chains of views.
#include "ir/strided_view.h"

#include <assert.h>
#include <string.h>

static MlirContext context_of(const genie_strided_view_t *view) {
  return mlirTypeGetContext(mlirValueGetType(view->root));
}

static bool is_constant(MlirAffineExpr dim, int64_t expected) {
  int64_t value = 0;
  return genie_dim_is_constant(dim, &value) && value == expected;
}

void genie_strided_dense(MlirType type, const int64_t *layout, genie_strided_view_t *out_view) {
  const MlirContext context = mlirTypeGetContext(type);
  const genie_tensor_type_t tensor = genie_type_get(type);
  out_view->rank = tensor.rank;
  out_view->offset = genie_dim_constant(context, 0);
  memcpy(out_view->dims, tensor.dims, sizeof(tensor.dims));
  MlirAffineExpr stride = genie_dim_constant(context, 1);
  for (int i = tensor.rank - 1; i >= 0; --i) {
    const int dim = layout == NULL ? i : (int)layout[i];
    out_view->strides[dim] = stride;
    stride = genie_dim_mul(stride, tensor.dims[dim]);
  }
}

//===-- Reshape ---------------------------------------------------------------------------------------------------===//

// A run of dimensions that lie one after the other in memory: `count` elements at distance `stride`.
typedef struct run {
  MlirAffineExpr count, stride;
} run_t;

// Merges dimensions, outermost first, wherever the outer one steps over exactly the inner one.
static int merge_runs(const genie_strided_view_t *view, run_t out_runs[GENIE_IR_MAX_RANK]) {
  int count = 0;
  for (int i = 0; i < view->rank; ++i) {
    if (is_constant(view->dims[i], 1)) {
      continue;
    }
    run_t *last = count == 0 ? NULL : &out_runs[count - 1];
    if (last != NULL && genie_dim_equal(last->stride, genie_dim_mul(view->strides[i], view->dims[i]))) {
      last->count = genie_dim_mul(last->count, view->dims[i]);
      last->stride = view->strides[i];
    } else {
      out_runs[count++] = (run_t){.count = view->dims[i], .stride = view->strides[i]};
    }
  }
  return count;
}

// Gives the dimensions of `shape` strides such that they cover the runs of `view` in order.
static bool apply_reshape(genie_strided_view_t *view, const genie_tensor_type_t *shape) {
  const MlirContext context = context_of(view);
  const MlirAffineExpr zero = genie_dim_constant(context, 0);
  const MlirAffineExpr one = genie_dim_constant(context, 1);
  run_t runs[GENIE_IR_MAX_RANK];
  int remaining = merge_runs(view, runs);
  const bool is_empty = is_constant(genie_dim_product(context, shape->rank, shape->dims), 0);
  MlirAffineExpr strides[GENIE_IR_MAX_RANK];
  MlirAffineExpr covered = one;  // elements of the current run that inner dimensions cover
  for (int i = shape->rank - 1; i >= 0; --i) {
    if (is_empty || is_constant(shape->dims[i], 1)) {
      strides[i] = zero;
      continue;
    }
    if (remaining == 0) {
      return false;
    }
    const run_t *run = &runs[remaining - 1];
    strides[i] = genie_dim_mul(run->stride, covered);
    covered = genie_dim_mul(covered, shape->dims[i]);
    if (genie_dim_equal(covered, run->count)) {
      covered = one;
      --remaining;
    }
  }
  if (!is_empty && (remaining != 0 || !is_constant(covered, 1))) {
    return false;
  }
  view->rank = shape->rank;
  memcpy(view->dims, shape->dims, sizeof(shape->dims));
  memcpy(view->strides, strides, sizeof(strides));
  return true;
}

//===-- The other views -------------------------------------------------------------------------------------------===//

static void apply_permute(genie_strided_view_t *view, MlirOperation op) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  const genie_strided_view_t before = *view;
  for (int i = 0; i < view->rank; ++i) {
    view->dims[i] = before.dims[permutation[i]];
    view->strides[i] = before.strides[permutation[i]];
  }
}

// The view of the operand of `op` from that of its result.
static void undo_permute(genie_strided_view_t *view, MlirOperation op) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  const genie_strided_view_t before = *view;
  for (int i = 0; i < view->rank; ++i) {
    view->dims[permutation[i]] = before.dims[i];
    view->strides[permutation[i]] = before.strides[i];
  }
}

static void apply_expand(genie_strided_view_t *view, const genie_tensor_type_t *shape) {
  const MlirAffineExpr zero = genie_dim_constant(context_of(view), 0);
  const genie_strided_view_t before = *view;
  const int shift = shape->rank - before.rank;
  view->rank = shape->rank;
  for (int i = 0; i < shape->rank; ++i) {
    const bool is_kept = i >= shift && genie_dim_equal(before.dims[i - shift], shape->dims[i]);
    view->dims[i] = shape->dims[i];
    view->strides[i] = is_kept ? before.strides[i - shift] : zero;
  }
}

static void apply_slice(genie_strided_view_t *view, MlirOperation op, const genie_tensor_type_t *shape) {
  const int axis = (int)genie_ir_i64(op, "axis");
  const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("start"));
  const MlirAffineExpr start = mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0);
  const MlirAffineExpr step = genie_dim_constant(context_of(view), genie_ir_i64(op, "step"));
  view->offset = genie_dim_add(view->offset, genie_dim_mul(start, view->strides[axis]));
  view->strides[axis] = genie_dim_mul(view->strides[axis], step);
  view->dims[axis] = shape->dims[axis];
}

static bool apply(genie_strided_view_t *view, MlirOperation op) {
  const genie_tensor_type_t shape = genie_value_type(mlirOperationGetResult(op, 0));
  if (genie_op_is(op, "genie.reshape")) {
    return apply_reshape(view, &shape);
  }
  if (genie_op_is(op, "genie.permute")) {
    apply_permute(view, op);
  } else if (genie_op_is(op, "genie.expand")) {
    apply_expand(view, &shape);
  } else {
    apply_slice(view, op, &shape);
  }
  return true;
}

static bool is_strided_op(MlirOperation op) {
  return genie_op_is(op, "genie.reshape") || genie_op_is(op, "genie.permute") || genie_op_is(op, "genie.expand") ||
         genie_op_is(op, "genie.slice");
}

bool genie_strided_view_of(MlirValue value, const int64_t *layout, genie_strided_view_t *out_view) {
  if (mlirValueIsAOpResult(value) && is_strided_op(mlirOpResultGetOwner(value))) {
    const MlirOperation op = mlirOpResultGetOwner(value);
    return genie_strided_view_of(mlirOperationGetOperand(op, 0), layout, out_view) && apply(out_view, op);
  }
  genie_strided_dense(mlirValueGetType(value), layout, out_view);
  out_view->root = value;
  return true;
}

bool genie_strided_view_into(MlirValue result, MlirValue yielded, const int64_t *layout,
                             genie_strided_view_t *out_view) {
  genie_strided_dense(mlirValueGetType(yielded), layout, out_view);
  out_view->root = yielded;
  for (MlirValue value = yielded; !mlirValueEqual(value, result);) {
    if (!mlirValueIsAOpResult(value)) {
      return false;
    }
    const MlirOperation op = mlirOpResultGetOwner(value);
    value = mlirOperationGetNumOperands(op) > 0 ? mlirOperationGetOperand(op, 0) : (MlirValue){NULL};
    if (genie_op_is(op, "genie.permute")) {
      undo_permute(out_view, op);
    } else if (genie_op_is(op, "genie.reshape")) {
      const genie_tensor_type_t shape = genie_value_type(value);
      if (!apply_reshape(out_view, &shape)) {
        return false;
      }
    } else {
      return false;
    }
  }
  return true;
}
