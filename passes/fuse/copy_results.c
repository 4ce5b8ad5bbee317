// copy-results: what an entry returns, or makes its state, without computing it is copied by a kernel.
//
// A returned argument, weight or constant, a value that is returned twice, and one that also becomes state each get an
// identity reshape, which the fuse passes turn into a copy.
#include "ir/place.h"
#include "passes/graph/rewrite.h"

static bool is_state_update(MlirOperation op) {
  return genie_op_is(op, "genie.state_update");
}

static bool becomes_state(MlirValue value) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    if (is_state_update(mlirOpOperandGetOwner(use))) {
      return true;
    }
  }
  return false;
}

// True when an earlier operand of `op` is the same value.
static bool is_repeated(MlirOperation op, intptr_t index) {
  for (intptr_t i = 0; i < index; ++i) {
    if (mlirValueEqual(mlirOperationGetOperand(op, i), mlirOperationGetOperand(op, index))) {
      return true;
    }
  }
  return false;
}

static genie_status_t copy_operand(MlirOperation op, intptr_t index) {
  const MlirValue value = mlirOperationGetOperand(op, index);
  MlirValue copy;
  GENIE_RETURN_IF_ERROR(
      genie_rewrite_make_typed(op, "genie.reshape", 1, &value, 0, NULL, mlirValueGetType(value), &copy));
  if (!genie_ir_has_place(op) && genie_ir_value_place(value) > 0) {
    genie_ir_set_place(mlirOpResultGetOwner(copy), genie_ir_value_place(value));
  }
  mlirOperationSetOperand(op, index, copy);
  return GENIE_OK;
}

static genie_status_t copy_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  const MlirBlock block = genie_rewrite_body(function);
  const MlirOperation terminator = mlirBlockGetTerminator(block);
  MlirOperation op = mlirBlockGetFirstOperation(block);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    const bool is_return = mlirOperationEqual(op, terminator);
    if (!is_return && !is_state_update(op)) {
      continue;
    }
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
      const MlirValue value = mlirOperationGetOperand(op, i);
      if (mlirValueIsABlockArgument(value) || genie_ir_is_compile_time(value) ||
          (is_return && (is_repeated(op, i) || becomes_state(value)))) {
        GENIE_RETURN_IF_ERROR(copy_operand(op, i));
      }
    }
  }
  return GENIE_OK;
}

genie_status_t genie_pass_copy_results(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, copy_in_function);
}
