#include "codegen/kernel/hook.h"

#include <stdio.h>

LLVMValueRef genie_hook_i64(const genie_hook_t *hook, int64_t value) {
  return LLVMConstInt(LLVMInt64TypeInContext(hook->state->llvm), (unsigned long long)value, true);
}

static void tag_invariant(const genie_hook_t *hook, LLVMValueRef load) {
  LLVMContextRef llvm = hook->state->llvm;
  const unsigned kind = LLVMGetMDKindIDInContext(llvm, "invariant.load", 14);
  LLVMSetMetadata(load, kind, LLVMMetadataAsValue(llvm, LLVMMDNodeInContext2(llvm, NULL, 0)));
}

static LLVMValueRef load_invariant(genie_hook_t *hook, LLVMTypeRef type, LLVMValueRef base, int entry) {
  LLVMValueRef offset = genie_hook_i64(hook, entry);
  LLVMValueRef load =
      LLVMBuildLoad2(hook->builder, type, LLVMBuildInBoundsGEP2(hook->builder, type, base, &offset, 1, ""), "");
  tag_invariant(hook, load);
  return load;
}

// Entry `entry` of field `field` of a CPU's frame (args, dims).
static LLVMValueRef load_table_entry(genie_hook_t *hook, int field, LLVMTypeRef type, int entry) {
  LLVMTypeRef pointer = LLVMPointerTypeInContext(hook->state->llvm, 0);
  return load_invariant(hook, type, load_invariant(hook, pointer, hook->frame, field), entry);
}

// A GPU's frame holds the arguments, then the dims. Arguments are global memory on 16 bytes.
static LLVMValueRef load_global_argument(genie_hook_t *hook, int argument) {
  LLVMContextRef llvm = hook->state->llvm;
  LLVMValueRef load = load_invariant(hook, LLVMPointerTypeInContext(llvm, 1), hook->frame, argument);
  LLVMMetadataRef alignment = LLVMValueAsMetadata(genie_hook_i64(hook, 16));
  LLVMSetMetadata(load, LLVMGetMDKindIDInContext(llvm, "align", 5),
                  LLVMMetadataAsValue(llvm, LLVMMDNodeInContext2(llvm, &alignment, 1)));
  return LLVMBuildAddrSpaceCast(hook->builder, load, LLVMPointerTypeInContext(llvm, 0), "");
}

static LLVMValueRef load_dim(genie_hook_t *hook, int entry) {
  LLVMTypeRef i64 = LLVMInt64TypeInContext(hook->state->llvm);
  const struct genie_lowering_state *state = hook->state;
  return hook->lowering->target->is_cuda
             ? load_invariant(hook, i64, hook->frame, state->input_count + state->output_count + entry)
             : load_table_entry(hook, 1, i64, entry);
}

// The entry of the frame's dims that carries `symbol`; the 64 symbols of a function always fit.
static int dim_of_symbol(struct genie_lowering_state *state, MlirAffineExpr symbol) {
  for (int i = 0; i < state->dim_count; ++i) {
    if (mlirAffineExprEqual(state->dims[i], symbol)) {
      return i;
    }
  }
  state->dims[state->dim_count] = symbol;
  return state->dim_count++;
}

// floor(a / b), or its ceiling, for b > 0.
static LLVMValueRef build_division(genie_hook_t *hook, LLVMValueRef a, LLVMValueRef b, bool is_ceiling) {
  LLVMBuilderRef builder = hook->builder;
  if (is_ceiling) {
    a = LLVMBuildAdd(builder, a, LLVMBuildSub(builder, b, genie_hook_i64(hook, 1), ""), "");
  }
  LLVMValueRef quotient = LLVMBuildSDiv(builder, a, b, "");
  LLVMValueRef rest = LLVMBuildSub(builder, a, LLVMBuildMul(builder, quotient, b, ""), "");
  LLVMValueRef is_below = LLVMBuildICmp(builder, LLVMIntSLT, rest, genie_hook_i64(hook, 0), "");
  LLVMValueRef less = LLVMBuildSub(builder, quotient, genie_hook_i64(hook, 1), "");
  return LLVMBuildSelect(builder, is_below, less, quotient, "");
}

LLVMValueRef genie_hook_size(genie_hook_t *hook, MlirAffineExpr size) {
  LLVMBuilderRef b = hook->builder;
  if (mlirAffineExprIsAConstant(size)) {
    return genie_hook_i64(hook, mlirAffineConstantExprGetValue(size));
  }
  if (mlirAffineExprIsASymbol(size)) {
    return load_dim(hook, dim_of_symbol(hook->state, size));
  }
  LLVMValueRef lhs = genie_hook_size(hook, mlirAffineBinaryOpExprGetLHS(size));
  LLVMValueRef rhs = genie_hook_size(hook, mlirAffineBinaryOpExprGetRHS(size));
  if (mlirAffineExprIsAAdd(size)) {
    return LLVMBuildNSWAdd(b, lhs, rhs, "");
  }
  if (mlirAffineExprIsAMul(size)) {
    return LLVMBuildNSWMul(b, lhs, rhs, "");
  }
  if (mlirAffineExprIsAMod(size)) {
    return LLVMBuildSub(b, lhs, LLVMBuildMul(b, build_division(hook, lhs, rhs, false), rhs, ""), "");
  }
  return build_division(hook, lhs, rhs, mlirAffineExprIsACeilDiv(size));
}

LLVMValueRef genie_hook_min(genie_hook_t *hook, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildSelect(hook->builder, LLVMBuildICmp(hook->builder, LLVMIntSLT, a, b, ""), a, b, "");
}

LLVMValueRef genie_hook_max(genie_hook_t *hook, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildSelect(hook->builder, LLVMBuildICmp(hook->builder, LLVMIntSGT, a, b, ""), a, b, "");
}

// offset + sum(strides[d] * index[d]), without the terms that are known to be zero.
static LLVMValueRef build_offset(genie_hook_t *hook, const genie_strided_view_t *view, LLVMValueRef *index) {
  LLVMValueRef sum = genie_hook_size(hook, view->offset);
  for (int d = 0; d < view->rank; ++d) {
    int64_t stride = -1;
    const bool is_zero = (LLVMIsConstant(index[d]) && LLVMIsNull(index[d])) ||
                         (genie_dim_is_constant(view->strides[d], &stride) && stride == 0);
    if (!is_zero) {
      LLVMValueRef term = LLVMBuildNSWMul(hook->builder, genie_hook_size(hook, view->strides[d]), index[d], "");
      sum = LLVMBuildNSWAdd(hook->builder, sum, term, "");
    }
  }
  return sum;
}

LLVMValueRef genie_hook_argument_base(genie_hook_t *hook, int argument) {
  return hook->lowering->target->is_cuda
             ? load_global_argument(hook, argument)
             : load_table_entry(hook, 0, LLVMPointerTypeInContext(hook->state->llvm, 0), argument);
}

static LLVMValueRef build_address(genie_hook_t *hook, int argument, genie_dtype_t dtype,
                                  const genie_strided_view_t *view, LLVMValueRef *index) {
  LLVMTypeRef storage = genie_hook_storage_type(hook->state->llvm, dtype);
  LLVMValueRef base = genie_hook_argument_base(hook, argument);
  LLVMValueRef offset = build_offset(hook, view, index);
  return LLVMBuildInBoundsGEP2(hook->builder, storage, base, &offset, 1, "");
}

LLVMValueRef genie_hook_argument_address(genie_hook_t *hook, const genie_strided_view_t *view, LLVMValueRef *index) {
  const int argument = genie_region_argument(hook->lowering, view->root);
  return build_address(hook, argument, genie_lower_dtype(view->root), view, index);
}

LLVMValueRef genie_hook_output_address(genie_hook_t *hook, int output, const genie_strided_view_t *view,
                                       LLVMValueRef *index) {
  const genie_dtype_t dtype = genie_lower_dtype(mlirOperationGetOperand(hook->lowering->yield, output));
  return build_address(hook, hook->state->input_count + output, dtype, view, index);
}

// Each alias class is a type of its own to type-based alias analysis, beside `float` and the others of C, so that
// neither another argument nor the template's own memory is taken to overlap it.
void genie_hook_tag_access(const genie_hook_t *hook, LLVMValueRef instruction, int argument) {
  LLVMContextRef llvm = hook->state->llvm;
  LLVMMetadataRef zero = LLVMValueAsMetadata(genie_hook_i64(hook, 0));
  LLVMMetadataRef root_name = LLVMMDStringInContext2(llvm, "Simple C/C++ TBAA", 17);
  LLVMMetadataRef root = LLVMMDNodeInContext2(llvm, &root_name, 1);
  LLVMMetadataRef char_parts[] = {LLVMMDStringInContext2(llvm, "omnipotent char", 15), root, zero};
  LLVMMetadataRef any = LLVMMDNodeInContext2(llvm, char_parts, 3);
  char name[32];
  const int length = snprintf(name, sizeof(name), "genie argument %d", hook->state->alias_class[argument]);
  LLVMMetadataRef type_parts[] = {LLVMMDStringInContext2(llvm, name, (size_t)length), any, zero};
  LLVMMetadataRef type = LLVMMDNodeInContext2(llvm, type_parts, 3);
  LLVMMetadataRef tag_parts[] = {type, type, zero};
  LLVMMetadataRef tag = LLVMMDNodeInContext2(llvm, tag_parts, 3);
  LLVMSetMetadata(instruction, LLVMGetMDKindIDInContext(llvm, "tbaa", 4), LLVMMetadataAsValue(llvm, tag));
}

LLVMValueRef genie_hook_table(genie_hook_t *hook, LLVMTypeRef element_type, LLVMValueRef *elements, unsigned count) {
  LLVMValueRef values = LLVMConstArray2(element_type, elements, count);
  LLVMValueRef table = LLVMAddGlobal(hook->state->module, LLVMTypeOf(values), "genie_table");
  LLVMSetInitializer(table, values);
  LLVMSetGlobalConstant(table, true);
  LLVMSetLinkage(table, LLVMPrivateLinkage);
  LLVMSetUnnamedAddress(table, LLVMGlobalUnnamedAddr);
  return table;
}
