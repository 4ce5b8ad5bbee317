// Ops that read where another tensor says. An index outside of its dimension is moved to the nearest element, negative
// ones count from the end: no value of an index tensor makes a kernel read outside of a buffer.
#include <string.h>

#include "codegen/kernel/hook.h"

genie_status_t genie_hook_position(genie_hook_t *hook, MlirValue positions, int rank, LLVMValueRef *at,
                                   MlirAffineExpr size, LLVMValueRef *out_position) {
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef value;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate_broadcast(hook, positions, rank, at, &value));
  LLVMValueRef position = genie_hook_cast(hook, value, genie_lower_dtype(positions), GENIE_DTYPE_I64);
  LLVMValueRef zero = genie_hook_i64(hook, 0);
  LLVMValueRef count = genie_hook_size(hook, size);
  LLVMValueRef is_negative = LLVMBuildICmp(b, LLVMIntSLT, position, zero, "");
  position = LLVMBuildSelect(b, is_negative, LLVMBuildAdd(b, position, count, ""), position, "");
  LLVMValueRef last = LLVMBuildSub(b, count, genie_hook_i64(hook, 1), "");
  *out_position = genie_hook_max(hook, genie_hook_min(hook, position, last), zero);
  return GENIE_OK;
}

genie_status_t genie_indexed_emit_gather(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                         LLVMValueRef *out_result) {
  MlirValue x = genie_ir_operand(op, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  const int64_t axis = genie_ir_i64(op, "axis");
  genie_hook_index_t at;
  memcpy(at, index, (size_t)type.rank * sizeof(*at));
  GENIE_RETURN_IF_ERROR(
      genie_hook_position(hook, genie_ir_operand(op, "index"), type.rank, index, type.dims[axis], &at[axis]));
  return genie_hook_evaluate(hook, x, at, out_result);
}

genie_status_t genie_indexed_emit_take(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                       LLVMValueRef *out_result) {
  MlirValue x = genie_ir_operand(op, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  const int64_t axis = genie_ir_i64(op, "axis");
  genie_hook_index_t at;
  memcpy(at, index, (size_t)type.rank * sizeof(*at));
  GENIE_RETURN_IF_ERROR(
      genie_hook_position(hook, genie_ir_operand(op, "index"), 1, &index[axis], type.dims[axis], &at[axis]));
  return genie_hook_evaluate(hook, x, at, out_result);
}

genie_status_t genie_indexed_emit_index(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                        LLVMValueRef *out_result) {
  MlirValue x = genie_ir_operand(op, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  const int result_rank = genie_value_type(mlirOperationGetResult(op, 0)).rank;
  int64_t axes[GENIE_IR_MAX_RANK];
  const int axis_count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  intptr_t first, count;
  genie_ir_operand_range(op, "indices", &first, &count);
  const int index_rank = result_rank - (type.rank - axis_count);
  const int first_axis = (int)axes[0];
  genie_hook_index_t at;
  memcpy(at, index, (size_t)first_axis * sizeof(*at));
  for (int i = 0; i < axis_count; ++i) {
    MlirValue positions = mlirOperationGetOperand(op, first + i);
    GENIE_RETURN_IF_ERROR(
        genie_hook_position(hook, positions, index_rank, index + first_axis, type.dims[axes[i]], &at[axes[i]]));
  }
  for (int d = first_axis + axis_count; d < type.rank; ++d) {
    at[d] = index[d - axis_count + index_rank];
  }
  return genie_hook_evaluate(hook, x, at, out_result);
}

genie_status_t genie_indexed_emit_embedding(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                            LLVMValueRef *out_result) {
  MlirValue table = genie_ir_operand(op, "table"), positions = genie_ir_operand(op, "index");
  const int rank = genie_value_type(positions).rank;
  genie_hook_index_t at;
  GENIE_RETURN_IF_ERROR(genie_hook_position(hook, positions, rank, index, genie_value_type(table).dims[0], &at[0]));
  at[1] = index[rank];
  return genie_hook_evaluate(hook, table, at, out_result);
}
