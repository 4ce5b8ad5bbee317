// layout: images between convolutions, pooling and the pointwise kernels around them lie channels-last.
//
// The attribute `layouts` of a kernel gives the physical order of each result. A result may leave row-major order only
// if other kernels alone read it, and every one of them can: what reads through strides must find strides in the new
// order.
#include <string.h>

#include "ir/strided_view.h"
#include "passes/graph/rewrite.h"
#include "passes/layout/channels_last.h"

enum { MAX_RESULTS = 64 };

static MlirBlock body_of(MlirOperation kernel) {
  return mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
}

static bool is_family(MlirOperation kernel, const char *family) {
  return mlirStringRefEqual(genie_ir_string(kernel, "family"), mlirStringRefCreateFromCString(family));
}

//===-- Who can read it -------------------------------------------------------------------------------------------===//

// True when `value`, inside a kernel, and all views of it that are read with strides, are strided views of a
// channels-last root.
static bool is_readable(MlirValue value, const int64_t *order) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (genie_rewrite_is_view(user)) {
      if (!is_readable(genie_rewrite_result(user), order)) {
        return false;
      }
      continue;
    }
    const bool is_indexed = genie_op_has_rule(user, "pointwise") || genie_op_has_rule(user, "row") ||
                            (genie_op_has_rule(user, "attention") && mlirOpOperandGetOperandNumber(use) >= 3);
    const bool is_strided = genie_op_has_rule(user, "conv") || genie_op_has_rule(user, "pool") ||
                            genie_op_has_rule(user, "gemm") || genie_op_has_rule(user, "attention");
    genie_strided_view_t view;
    if (!is_indexed && !(is_strided && genie_strided_view_of(value, order, &view))) {
      return false;
    }
  }
  return true;
}

static bool can_all_read(MlirValue result, const int64_t *order) {
  for (MlirOpOperand use = mlirValueGetFirstUse(result); !mlirOpOperandIsNull(use);
       use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (!genie_op_is(user, "genie.kernel") ||
        !is_readable(mlirBlockGetArgument(body_of(user), mlirOpOperandGetOperandNumber(use)), order)) {
      return false;
    }
  }
  return true;
}

//===-- Who wants it ----------------------------------------------------------------------------------------------===//

// A pointwise kernel follows its operands of the same shape.
static bool reads_channels_last(MlirOperation kernel, MlirValue result) {
  bool has_any = false;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(kernel); ++i) {
    const MlirValue operand = mlirOperationGetOperand(kernel, i);
    if (genie_value_type(operand).rank == genie_value_type(result).rank) {
      if (genie_channels_last_is(operand)) {
        has_any = true;
      } else if (genie_rewrite_same_dims(operand, result)) {
        return false;
      }
    }
  }
  return has_any;
}

// An op whose result has channels in dimension 1, and stores it at any stride.
static bool makes_images(MlirOperation kernel, MlirValue yielded) {
  for (MlirOperation op = mlirBlockGetFirstOperation(body_of(kernel)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_has_rule(op, "conv") || genie_op_has_rule(op, "pool")) {
      return genie_rewrite_same_dims(genie_rewrite_result(op), yielded);
    }
  }
  return false;
}

static bool wants_channels_last(MlirOperation kernel, intptr_t result) {
  const MlirValue value = mlirOperationGetResult(kernel, result);
  if (is_family(kernel, "conv") || is_family(kernel, "pool")) {
    return makes_images(kernel, mlirOperationGetOperand(mlirBlockGetTerminator(body_of(kernel)), result));
  }
  return is_family(kernel, "pointwise") && reads_channels_last(kernel, value);
}

static void choose_layouts(MlirOperation kernel) {
  const MlirContext context = mlirOperationGetContext(kernel);
  const intptr_t count = mlirOperationGetNumResults(kernel);
  MlirAttribute layouts[MAX_RESULTS];
  int chosen_count = 0;
  for (intptr_t r = 0; r < count && count <= MAX_RESULTS; ++r) {
    const MlirValue result = mlirOperationGetResult(kernel, r);
    const int rank = genie_value_type(result).rank;
    int64_t order[GENIE_IR_MAX_RANK];
    for (int i = 0; i < rank; ++i) {
      order[i] = i;
    }
    if (rank >= GENIE_CHANNELS_LAST_LEAST_RANK && rank <= GENIE_CHANNELS_LAST_GREATEST_RANK &&
        wants_channels_last(kernel, r)) {
      genie_channels_last_order(rank, order);
      if (can_all_read(result, order)) {
        ++chosen_count;
      } else {
        for (int i = 0; i < rank; ++i) {
          order[i] = i;
        }
      }
    }
    layouts[r] = genie_ir_i64_array_attr(context, rank, order);
  }
  // The results of a pointwise kernel are written in one order, or one of them in leaps: all or none.
  if (chosen_count > 0 && (chosen_count == count || !is_family(kernel, "pointwise"))) {
    mlirOperationSetAttributeByName(kernel, mlirStringRefCreateFromCString("layouts"),
                                    mlirArrayAttrGet(context, count, layouts));
  }
}

static genie_status_t choose_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(function));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.kernel")) {
      choose_layouts(op);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_pass_layout(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, choose_in_function);
}
