#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/hook.h"

//===-- What was computed already ---------------------------------------------------------------------------------===//

static bool is_same_index(const genie_hook_memo_t *memo, const LLVMValueRef *index) {
  for (int d = 0; d < memo->rank; ++d) {
    if (memo->index[d] != index[d]) {
      return false;
    }
  }
  return true;
}

static genie_status_t remember(genie_hook_t *hook, MlirValue value, int rank, LLVMValueRef *index, LLVMValueRef result,
                               bool is_bound) {
  if (hook->memo_count == hook->memo_capacity) {
    const int capacity = hook->memo_capacity == 0 ? 64 : 2 * hook->memo_capacity;
    genie_hook_memo_t *grown = realloc(hook->memo, (size_t)capacity * sizeof(*grown));
    if (grown == NULL) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a kernel's hook");
    }
    hook->memo = grown;
    hook->memo_capacity = capacity;
  }
  genie_hook_memo_t *memo = &hook->memo[hook->memo_count++];
  *memo = (genie_hook_memo_t){.value = value, .rank = rank, .result = result, .is_bound = is_bound};
  memcpy(memo->index, index, (size_t)rank * sizeof(*index));
  return GENIE_OK;
}

static const genie_hook_memo_t *recall(const genie_hook_t *hook, MlirValue value, LLVMValueRef *index) {
  for (int i = hook->memo_count - 1; i >= 0; --i) {
    if (mlirValueEqual(hook->memo[i].value, value) &&
        (hook->memo[i].is_bound || is_same_index(&hook->memo[i], index))) {
      return &hook->memo[i];
    }
  }
  return NULL;
}

genie_status_t genie_hook_bind(genie_hook_t *hook, MlirValue value, LLVMValueRef *index, LLVMValueRef result) {
  return remember(hook, value, genie_value_type(value).rank, index, result, true);
}

//===-- Leaves ----------------------------------------------------------------------------------------------------===//

static genie_status_t load_argument(genie_hook_t *hook, const genie_strided_view_t *view, LLVMValueRef *index,
                                    LLVMValueRef *out_result) {
  const genie_dtype_t dtype = genie_lower_dtype(view->root);
  LLVMValueRef address = genie_hook_argument_address(hook, view, index);
  LLVMValueRef load = LLVMBuildLoad2(hook->builder, genie_hook_storage_type(hook->state->llvm, dtype), address, "");
  LLVMSetAlignment(load, (unsigned)genie_dtype_bytes(dtype));
  genie_hook_tag_access(hook, load, genie_region_argument(hook->lowering, view->root));
  *out_result = genie_hook_from_storage(hook, load, dtype);
  return GENIE_OK;
}

//===-- Scalar ops ------------------------------------------------------------------------------------------------===//

// The number attributes of `op` follow its operands; an absent bound is infinite.
static int append_attributes(genie_hook_t *hook, MlirOperation op, const genie_op_info_t *info, char *suffix,
                             size_t suffix_capacity, LLVMValueRef *arguments, int count) {
  for (const char *const *entry = info->attribute_names; *entry != NULL; ++entry) {
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry, "=?"), *entry);
    const bool is_optional = strchr(*entry, '?') != NULL;
    if (strcmp(name, "approximate") == 0) {
      MlirStringRef text = genie_ir_string(op, name);
      if (text.length != 4 || memcmp(text.data, "none", 4) != 0) {
        snprintf(suffix, suffix_capacity, "_%.*s", (int)text.length, text.data);
      }
      continue;
    }
    const double absent = strcmp(name, "minimum") == 0 ? -INFINITY : INFINITY;
    const double number = is_optional && !genie_ir_has(op, name) ? absent : genie_ir_f64(op, name);
    arguments[count++] = LLVMConstReal(LLVMDoubleTypeInContext(hook->state->llvm), number);
  }
  return count;
}

static genie_status_t call_scalar(genie_hook_t *hook, MlirOperation op, const char *name, LLVMValueRef *arguments,
                                  int count, LLVMValueRef *out_result) {
  LLVMTypeRef type = genie_template_library_function_type(hook->state->library, name);
  MlirValue result = mlirOperationGetResult(op, 0);
  LLVMTypeRef expected = genie_hook_compute_type(hook->state->llvm, genie_lower_dtype(result));
  if (type == NULL || (int)LLVMCountParamTypes(type) != count || LLVMGetReturnType(type) != expected) {
    char reason[160];
    snprintf(reason, sizeof(reason), "no scalar code %s", name);
    return genie_lower_unimplemented(hook->lowering, reason);
  }
  LLVMValueRef function = LLVMGetNamedFunction(hook->state->module, name);
  if (function == NULL) {
    function = LLVMAddFunction(hook->state->module, name, type);
    LLVMSetVisibility(function, LLVMHiddenVisibility);
  }
  *out_result = LLVMBuildCall2(hook->builder, type, function, arguments, (unsigned)count, "");
  return GENIE_OK;
}

static genie_status_t evaluate_scalar(genie_hook_t *hook, MlirOperation op, const genie_op_info_t *info,
                                      LLVMValueRef *index, LLVMValueRef *out_result) {
  enum { MAX_ARGUMENTS = 16 };
  LLVMValueRef arguments[MAX_ARGUMENTS];
  const int rank = genie_value_type(mlirOperationGetResult(op, 0)).rank;
  const int operand_count = (int)mlirOperationGetNumOperands(op);
  if (operand_count == 0 || operand_count > 4) {
    return genie_lower_unimplemented(hook->lowering, info->name);
  }
  for (int i = 0; i < operand_count; ++i) {
    GENIE_RETURN_IF_ERROR(
        genie_hook_evaluate_broadcast(hook, mlirOperationGetOperand(op, i), rank, index, &arguments[i]));
  }
  char suffix[32] = "", name[128];
  const int count = append_attributes(hook, op, info, suffix, sizeof(suffix), arguments, operand_count);
  const genie_dtype_t dtype = genie_lower_dtype(mlirOperationGetOperand(op, 0));
  snprintf(name, sizeof(name), "genie_scalar_%s%s_%s", info->name + strlen("genie."), suffix,
           genie_hook_compute_name(dtype));
  return call_scalar(hook, op, name, arguments, count, out_result);
}

//===-- Ops that read elsewhere -----------------------------------------------------------------------------------===//

#define GENIE_INDEXED(op)                                                                                  \
  genie_status_t genie_indexed_emit_##op(genie_hook_t *hook, MlirOperation operation, LLVMValueRef *index, \
                                         LLVMValueRef *out_result);
#include "codegen/kernel/indexed.def"
#undef GENIE_INDEXED

static const struct {
  const char *name;
  genie_indexed_emit_fn_t emit;
} indexed_table[] = {
#define GENIE_INDEXED(op) {"genie." #op, genie_indexed_emit_##op},
#include "codegen/kernel/indexed.def"
#undef GENIE_INDEXED
};

static genie_indexed_emit_fn_t find_indexed(const char *name) {
  for (size_t i = 0; i < sizeof(indexed_table) / sizeof(indexed_table[0]); ++i) {
    if (strcmp(indexed_table[i].name, name) == 0) {
      return indexed_table[i].emit;
    }
  }
  return NULL;
}

static genie_status_t evaluate_op(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index, LLVMValueRef *out_result) {
  const genie_op_info_t *info = genie_op_info_get(op);
  if (info == NULL) {
    return genie_lower_unimplemented(hook->lowering, "a kernel holds an op of another dialect");
  }
  const genie_indexed_emit_fn_t emit = find_indexed(info->name);
  if (emit != NULL) {
    return emit(hook, op, index, out_result);
  }
  if (strcmp(info->lower_rule, "pointwise") != 0) {
    char reason[160];
    snprintf(reason, sizeof(reason), "%s cannot be evaluated at an index", info->name);
    return genie_lower_unimplemented(hook->lowering, reason);
  }
  return evaluate_scalar(hook, op, info, index, out_result);
}

//===-- Evaluation ------------------------------------------------------------------------------------------------===//

genie_status_t genie_hook_evaluate(genie_hook_t *hook, MlirValue value, LLVMValueRef *index, LLVMValueRef *out_result) {
  const genie_tensor_type_t type = genie_value_type(value);
  genie_hook_index_t at;
  for (int d = 0; d < type.rank; ++d) {
    int64_t size = 0;
    at[d] = genie_dim_is_constant(type.dims[d], &size) && size == 1 ? genie_hook_i64(hook, 0) : index[d];
  }
  const genie_hook_memo_t *memo = recall(hook, value, at);
  if (memo != NULL) {
    if (!is_same_index(memo, at)) {
      return genie_lower_unimplemented(hook->lowering, "the epilogue reads the anchor's result at another index");
    }
    *out_result = memo->result;
    return GENIE_OK;
  }
  genie_strided_view_t view;
  if (genie_lower_view(hook->lowering, value, &view) && mlirValueIsABlockArgument(view.root)) {
    GENIE_RETURN_IF_ERROR(load_argument(hook, &view, at, out_result));
  } else {
    GENIE_RETURN_IF_ERROR(evaluate_op(hook, mlirOpResultGetOwner(value), at, out_result));
  }
  return remember(hook, value, type.rank, at, *out_result, false);
}

genie_status_t genie_hook_evaluate_broadcast(genie_hook_t *hook, MlirValue value, int rank, LLVMValueRef *index,
                                             LLVMValueRef *out_result) {
  const int skipped = rank - genie_value_type(value).rank;
  return genie_hook_evaluate(hook, value, index + skipped, out_result);
}
