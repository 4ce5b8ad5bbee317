// Views, joins and casts at an index. Where an op reads one of several places, it branches, so that nothing outside an
// operand is read; the loop vectoriser turns the branches into masks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/hook.h"

static MlirValue result_of(MlirOperation op) {
  return mlirOperationGetResult(op, 0);
}

//===-- Sources ---------------------------------------------------------------------------------------------------===//

static LLVMValueRef constant_element(genie_hook_t *hook, MlirAttribute elements, genie_dtype_t dtype, intptr_t i) {
  LLVMTypeRef type = genie_hook_storage_type(hook->state->llvm, dtype);
  const char *raw = mlirDenseElementsAttrGetRawData(elements);
  switch (dtype) {
    case GENIE_DTYPE_F32:
      return LLVMConstReal(type, mlirDenseElementsAttrGetFloatValue(elements, i));
    case GENIE_DTYPE_F64:
      return LLVMConstReal(type, mlirDenseElementsAttrGetDoubleValue(elements, i));
    case GENIE_DTYPE_BOOL:
      return LLVMConstInt(type, mlirDenseElementsAttrGetBoolValue(elements, i), false);
    case GENIE_DTYPE_F16: {
      uint16_t bits;
      memcpy(&bits, raw + 2 * i, sizeof(bits));
      return LLVMConstBitCast(LLVMConstInt(LLVMInt16TypeInContext(hook->state->llvm), bits, false), type);
    }
    default: {
      int64_t bits = 0;
      const size_t bytes = genie_dtype_bytes(dtype);
      memcpy(&bits, raw + (size_t)i * bytes, bytes);
      return LLVMConstInt(type, (unsigned long long)bits, false);
    }
  }
}

static genie_status_t load_table(genie_hook_t *hook, MlirAttribute elements, MlirType type, LLVMValueRef *index,
                                 LLVMValueRef *out_result) {
  const genie_dtype_t dtype = genie_type_get(type).dtype;
  const int64_t count = mlirElementsAttrGetNumElements(elements);
  LLVMValueRef *values = malloc((size_t)(count == 0 ? 1 : count) * sizeof(*values));
  if (values == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a constant of %lld elements",
                             (long long)count);
  }
  for (int64_t i = 0; i < count; ++i) {
    values[i] = constant_element(hook, elements, dtype, i);
  }
  LLVMTypeRef storage = genie_hook_storage_type(hook->state->llvm, dtype);
  LLVMValueRef table = genie_hook_table(hook, storage, values, (unsigned)count);
  free(values);
  genie_strided_view_t dense;
  genie_strided_dense(type, NULL, &dense);
  LLVMValueRef offset = genie_hook_i64(hook, 0);
  for (int d = 0; d < dense.rank; ++d) {
    LLVMValueRef stride = genie_hook_size(hook, dense.strides[d]);
    offset = LLVMBuildAdd(hook->builder, offset, LLVMBuildMul(hook->builder, stride, index[d], ""), "");
  }
  LLVMValueRef address = LLVMBuildInBoundsGEP2(hook->builder, storage, table, &offset, 1, "");
  *out_result = genie_hook_from_storage(hook, LLVMBuildLoad2(hook->builder, storage, address, ""), dtype);
  return GENIE_OK;
}

genie_status_t genie_indexed_emit_constant(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                           LLVMValueRef *out_result) {
  MlirAttribute elements = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("value"));
  if (!mlirAttributeIsADenseElements(elements)) {
    return genie_lower_unimplemented(hook->lowering, "a constant that is not dense");
  }
  const genie_dtype_t dtype = genie_lower_dtype(result_of(op));
  if (!mlirDenseElementsAttrIsSplat(elements)) {
    return load_table(hook, elements, mlirValueGetType(result_of(op)), index, out_result);
  }
  *out_result = genie_hook_from_storage(hook, constant_element(hook, elements, dtype, 0), dtype);
  return GENIE_OK;
}

static MlirAffineExpr expression_attribute(MlirOperation op, const char *name) {
  MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
  return mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0);
}

genie_status_t genie_indexed_emit_size(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                       LLVMValueRef *out_result) {
  (void)index;
  LLVMValueRef size = genie_hook_size(hook, expression_attribute(op, "expression"));
  *out_result = genie_hook_cast(hook, size, GENIE_DTYPE_I64, genie_lower_dtype(result_of(op)));
  return GENIE_OK;
}

// start + step * index, in integers where all are whole, else in f64 and rounded once, as torch.arange does.
genie_status_t genie_indexed_emit_iota(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                       LLVMValueRef *out_result) {
  const genie_dtype_t dtype = genie_lower_dtype(result_of(op));
  const double start = genie_ir_f64(op, "start"), step = genie_ir_f64(op, "step");
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef at = index[genie_ir_i64(op, "axis")];
  const bool is_whole = start == (double)(int64_t)start && step == (double)(int64_t)step;
  if (is_whole) {
    LLVMValueRef scaled = LLVMBuildMul(b, genie_hook_i64(hook, (int64_t)step), at, "");
    LLVMValueRef value = LLVMBuildAdd(b, genie_hook_i64(hook, (int64_t)start), scaled, "");
    *out_result = genie_hook_cast(hook, value, GENIE_DTYPE_I64, dtype);
    return GENIE_OK;
  }
  LLVMTypeRef f64 = LLVMDoubleTypeInContext(hook->state->llvm);
  LLVMValueRef scaled = LLVMBuildFMul(b, LLVMConstReal(f64, step), LLVMBuildSIToFP(b, at, f64, ""), "");
  *out_result = genie_hook_cast(hook, LLVMBuildFAdd(b, LLVMConstReal(f64, start), scaled, ""), GENIE_DTYPE_F64, dtype);
  return GENIE_OK;
}

//===-- Same index ------------------------------------------------------------------------------------------------===//

genie_status_t genie_indexed_emit_cast(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                       LLVMValueRef *out_result) {
  MlirValue operand = mlirOperationGetOperand(op, 0);
  LLVMValueRef value;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, operand, index, &value));
  *out_result = genie_hook_cast(hook, value, genie_lower_dtype(operand), genie_lower_dtype(result_of(op)));
  return GENIE_OK;
}

genie_status_t genie_indexed_emit_where(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                        LLVMValueRef *out_result) {
  const int rank = genie_value_type(result_of(op)).rank;
  LLVMValueRef parts[3];
  for (int i = 0; i < 3; ++i) {
    GENIE_RETURN_IF_ERROR(genie_hook_evaluate_broadcast(hook, mlirOperationGetOperand(op, i), rank, index, &parts[i]));
  }
  LLVMValueRef condition =
      genie_hook_cast(hook, parts[0], genie_lower_dtype(mlirOperationGetOperand(op, 0)), GENIE_DTYPE_BOOL);
  *out_result = LLVMBuildSelect(hook->builder, condition, parts[1], parts[2], "");
  return GENIE_OK;
}

//===-- Views -----------------------------------------------------------------------------------------------------===//

// Splits `linear` over dimensions [first, last) of `dims`, row-major.
static void split_linear(genie_hook_t *hook, LLVMValueRef linear, const MlirAffineExpr *dims, int first, int last,
                         LLVMValueRef *out_index) {
  for (int d = last - 1; d > first; --d) {
    int64_t size = 0;
    if (genie_dim_is_constant(dims[d], &size) && size == 1) {
      out_index[d] = genie_hook_i64(hook, 0);
      continue;
    }
    LLVMValueRef divisor = genie_hook_size(hook, dims[d]);
    out_index[d] = LLVMBuildURem(hook->builder, linear, divisor, "");
    linear = LLVMBuildUDiv(hook->builder, linear, divisor, "");
  }
  out_index[first] = linear;
}

static LLVMValueRef join_linear(genie_hook_t *hook, LLVMValueRef *index, const MlirAffineExpr *dims, int first,
                                int last) {
  LLVMValueRef linear = genie_hook_i64(hook, 0);
  for (int d = first; d < last; ++d) {
    linear = LLVMBuildNSWMul(hook->builder, linear, genie_hook_size(hook, dims[d]), "");
    linear = LLVMBuildNSWAdd(hook->builder, linear, index[d], "");
  }
  return linear;
}

genie_status_t genie_indexed_emit_reshape(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                          LLVMValueRef *out_result) {
  MlirValue operand = mlirOperationGetOperand(op, 0);
  const genie_tensor_type_t to = genie_value_type(result_of(op)), from = genie_value_type(operand);
  genie_hook_index_t at;
  genie_reshape_group_t group = {0};
  while (genie_region_next_reshape_group(hook->lowering->context, &to, &from, &group)) {
    if (group.from_first == group.from_last) {
      continue;
    }
    LLVMValueRef linear = join_linear(hook, index, to.dims, group.to_first, group.to_last);
    split_linear(hook, linear, from.dims, group.from_first, group.from_last, at);
  }
  return genie_hook_evaluate(hook, operand, at, out_result);
}

genie_status_t genie_indexed_emit_permute(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                          LLVMValueRef *out_result) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  genie_hook_index_t at;
  for (int d = 0; d < rank; ++d) {
    at[permutation[d]] = index[d];
  }
  return genie_hook_evaluate(hook, mlirOperationGetOperand(op, 0), at, out_result);
}

genie_status_t genie_indexed_emit_expand(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                         LLVMValueRef *out_result) {
  const int rank = genie_value_type(result_of(op)).rank;
  return genie_hook_evaluate_broadcast(hook, mlirOperationGetOperand(op, 0), rank, index, out_result);
}

genie_status_t genie_indexed_emit_slice(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                        LLVMValueRef *out_result) {
  const int rank = genie_value_type(result_of(op)).rank;
  const int64_t axis = genie_ir_i64(op, "axis");
  genie_hook_index_t at;
  memcpy(at, index, (size_t)rank * sizeof(*at));
  LLVMValueRef scaled = LLVMBuildNSWMul(hook->builder, genie_hook_i64(hook, genie_ir_i64(op, "step")), index[axis], "");
  at[axis] = LLVMBuildNSWAdd(hook->builder, genie_hook_size(hook, expression_attribute(op, "start")), scaled, "");
  return genie_hook_evaluate(hook, mlirOperationGetOperand(op, 0), at, out_result);
}

genie_status_t genie_indexed_emit_flip(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                       LLVMValueRef *out_result) {
  const genie_tensor_type_t type = genie_value_type(result_of(op));
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  genie_hook_index_t at;
  memcpy(at, index, (size_t)type.rank * sizeof(*at));
  for (int i = 0; i < count; ++i) {
    LLVMValueRef last =
        LLVMBuildSub(hook->builder, genie_hook_size(hook, type.dims[axes[i]]), genie_hook_i64(hook, 1), "");
    at[axes[i]] = LLVMBuildNSWSub(hook->builder, last, index[axes[i]], "");
  }
  return genie_hook_evaluate(hook, mlirOperationGetOperand(op, 0), at, out_result);
}

//===-- Branches --------------------------------------------------------------------------------------------------===//

// Values that reach one block from several: what concat, pad and slice_scatter merge.
typedef struct branch {
  genie_hook_t *hook;
  LLVMBasicBlockRef end;
  LLVMValueRef phi;
  int memo_count;
} branch_t;

static LLVMBasicBlockRef append_block(genie_hook_t *hook) {
  return LLVMAppendBasicBlockInContext(hook->state->llvm, hook->function, "");
}

static branch_t branch_begin(genie_hook_t *hook, genie_dtype_t dtype) {
  branch_t branch = {.hook = hook, .end = append_block(hook), .memo_count = hook->memo_count};
  LLVMBasicBlockRef current = LLVMGetInsertBlock(hook->builder);
  LLVMPositionBuilderAtEnd(hook->builder, branch.end);
  branch.phi = LLVMBuildPhi(hook->builder, genie_hook_compute_type(hook->state->llvm, dtype), "");
  LLVMPositionBuilderAtEnd(hook->builder, current);
  return branch;
}

// `value` is the result where control is now. What was computed on the way is not known elsewhere.
static void branch_yield(branch_t *branch, LLVMValueRef value) {
  LLVMBasicBlockRef block = LLVMGetInsertBlock(branch->hook->builder);
  LLVMBuildBr(branch->hook->builder, branch->end);
  LLVMAddIncoming(branch->phi, &value, &block, 1);
  branch->hook->memo_count = branch->memo_count;
}

// Goes on where `condition` holds; returns the block for where it does not.
static LLVMBasicBlockRef branch_if(branch_t *branch, LLVMValueRef condition) {
  LLVMBasicBlockRef then = append_block(branch->hook), otherwise = append_block(branch->hook);
  LLVMBuildCondBr(branch->hook->builder, condition, then, otherwise);
  LLVMPositionBuilderAtEnd(branch->hook->builder, then);
  return otherwise;
}

static LLVMValueRef branch_end(branch_t *branch) {
  LLVMPositionBuilderAtEnd(branch->hook->builder, branch->end);
  return branch->phi;
}

genie_status_t genie_indexed_emit_concat(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                         LLVMValueRef *out_result) {
  const genie_tensor_type_t type = genie_value_type(result_of(op));
  const int64_t axis = genie_ir_i64(op, "axis");
  const intptr_t count = mlirOperationGetNumOperands(op);
  MlirAffineExpr start = genie_dim_constant(hook->lowering->context, 0);
  genie_hook_index_t at;
  memcpy(at, index, (size_t)type.rank * sizeof(*at));
  const genie_hook_piece_t *piece = &hook->state->piece;
  if (index[axis] == hook->piece_index && genie_region_is_cut_alike(hook->lowering, op)) {
    at[axis] = LLVMBuildNSWSub(hook->builder, index[axis], genie_hook_size(hook, piece->start), "");
    return genie_hook_evaluate(hook, mlirOperationGetOperand(op, piece->operand), at, out_result);
  }
  branch_t branch = branch_begin(hook, type.dtype);
  for (intptr_t i = 0; i < count; ++i) {
    MlirValue operand = mlirOperationGetOperand(op, i);
    MlirAffineExpr next = genie_dim_add(start, genie_value_type(operand).dims[axis]);
    LLVMBasicBlockRef rest = NULL;
    if (i + 1 < count) {
      rest = branch_if(&branch, LLVMBuildICmp(hook->builder, LLVMIntSLT, index[axis], genie_hook_size(hook, next), ""));
    }
    at[axis] = LLVMBuildNSWSub(hook->builder, index[axis], genie_hook_size(hook, start), "");
    LLVMValueRef value;
    GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, operand, at, &value));
    branch_yield(&branch, value);
    if (rest != NULL) {
      LLVMPositionBuilderAtEnd(hook->builder, rest);
    }
    start = next;
  }
  *out_result = branch_end(&branch);
  return GENIE_OK;
}

// Where an index beyond the operand leads in the modes that repeat elements.
static LLVMValueRef wrap_index(genie_hook_t *hook, MlirStringRef mode, LLVMValueRef at, LLVMValueRef size) {
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef zero = genie_hook_i64(hook, 0);
  LLVMValueRef last = LLVMBuildSub(b, size, genie_hook_i64(hook, 1), "");
  if (mode.data[0] == 'c') {  // circular
    LLVMValueRef up =
        LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, at, zero, ""), LLVMBuildAdd(b, at, size, ""), at, "");
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSGT, up, last, ""), LLVMBuildSub(b, up, size, ""), up, "");
  }
  if (mode.data[2] == 'f') {  // reflect
    LLVMValueRef up = genie_hook_max(hook, at, LLVMBuildSub(b, zero, at, ""));
    at = genie_hook_min(hook, up, LLVMBuildSub(b, LLVMBuildAdd(b, last, last, ""), up, ""));
  }
  return genie_hook_max(hook, genie_hook_min(hook, at, last), zero);
}

static genie_status_t pad_constant(genie_hook_t *hook, MlirOperation op, const int64_t *low, const int64_t *high,
                                   LLVMValueRef *at, LLVMValueRef *out_result) {
  MlirValue operand = mlirOperationGetOperand(op, 0);
  const genie_tensor_type_t from = genie_value_type(operand);
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef is_inside = LLVMConstInt(LLVMInt1TypeInContext(hook->state->llvm), 1, false);
  for (int d = 0; d < from.rank; ++d) {
    if (low[d] > 0 || high[d] > 0) {  // one unsigned comparison catches both ends
      LLVMValueRef is_within = LLVMBuildICmp(b, LLVMIntULT, at[d], genie_hook_size(hook, from.dims[d]), "");
      is_inside = LLVMBuildAnd(b, is_inside, is_within, "");
    }
  }
  branch_t branch = branch_begin(hook, from.dtype);
  LLVMBasicBlockRef outside = branch_if(&branch, is_inside);
  LLVMValueRef value;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, operand, at, &value));
  branch_yield(&branch, value);
  LLVMPositionBuilderAtEnd(b, outside);
  branch_yield(&branch, genie_hook_number(hook, from.dtype, genie_ir_f64(op, "value")));
  *out_result = branch_end(&branch);
  return GENIE_OK;
}

genie_status_t genie_indexed_emit_pad(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                      LLVMValueRef *out_result) {
  MlirValue operand = mlirOperationGetOperand(op, 0);
  const genie_tensor_type_t from = genie_value_type(operand);
  int64_t low[GENIE_IR_MAX_RANK], high[GENIE_IR_MAX_RANK];
  genie_ir_i64_array(op, "low", GENIE_IR_MAX_RANK, low);
  genie_ir_i64_array(op, "high", GENIE_IR_MAX_RANK, high);
  const MlirStringRef mode = genie_ir_string(op, "mode");
  const bool is_constant = mode.length == 8 && memcmp(mode.data, "constant", 8) == 0;
  genie_hook_index_t at;
  for (int d = 0; d < from.rank; ++d) {
    at[d] = low[d] == 0 ? index[d] : LLVMBuildNSWSub(hook->builder, index[d], genie_hook_i64(hook, low[d]), "");
    if (!is_constant && (low[d] > 0 || high[d] > 0)) {
      at[d] = wrap_index(hook, mode, at[d], genie_hook_size(hook, from.dims[d]));
    }
  }
  return is_constant ? pad_constant(hook, op, low, high, at, out_result)
                     : genie_hook_evaluate(hook, operand, at, out_result);
}

genie_status_t genie_indexed_emit_slice_scatter(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                                LLVMValueRef *out_result) {
  MlirValue source = genie_ir_operand(op, "source");
  const genie_tensor_type_t type = genie_value_type(result_of(op));
  const int64_t axis = genie_ir_i64(op, "axis");
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef step = genie_hook_i64(hook, genie_ir_i64(op, "step"));
  LLVMValueRef distance = LLVMBuildSub(b, index[axis], genie_hook_size(hook, expression_attribute(op, "start")), "");
  LLVMValueRef element = LLVMBuildSDiv(b, distance, step, "");
  LLVMValueRef is_hit =
      LLVMBuildICmp(b, LLVMIntULT, element, genie_hook_size(hook, genie_value_type(source).dims[axis]), "");
  LLVMValueRef is_exact = LLVMBuildICmp(b, LLVMIntEQ, LLVMBuildMul(b, element, step, ""), distance, "");
  branch_t branch = branch_begin(hook, type.dtype);
  LLVMBasicBlockRef kept = branch_if(&branch, LLVMBuildAnd(b, is_hit, is_exact, ""));
  genie_hook_index_t at;
  memcpy(at, index, (size_t)type.rank * sizeof(*at));
  at[axis] = element;
  LLVMValueRef value;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, source, at, &value));
  branch_yield(&branch, value);
  LLVMPositionBuilderAtEnd(b, kept);
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, genie_ir_operand(op, "x"), index, &value));
  branch_yield(&branch, value);
  *out_result = branch_end(&branch);
  return GENIE_OK;
}
