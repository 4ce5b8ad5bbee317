// The family `embedding_bag`.
#include <string.h>

#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

// Templates' numbers: templates/embedding_bag.c.
static const char *const mode_names[] = {"sum", "mean", "max"};

static genie_status_t find_mode(const genie_lowering_t *lowering, int *out_mode) {
  const MlirStringRef mode = genie_ir_string(lowering->anchor, "mode");
  for (int i = 0; i < 3; ++i) {
    if (strlen(mode_names[i]) == mode.length && memcmp(mode_names[i], mode.data, mode.length) == 0) {
      *out_mode = i;
      return GENIE_OK;
    }
  }
  return genie_lower_unimplemented(lowering, "an embedding_bag of this mode");
}

// Where bag `bag + next` begins: offsets, or every `length` indices. The last bag ends with the indices.
static genie_status_t build_bound(genie_hook_t *hook, MlirValue index, MlirValue offsets, int next,
                                  MlirAffineExpr index_count, LLVMValueRef *out_bound) {
  LLVMBuilderRef b = hook->builder;
  LLVMValueRef bag = LLVMBuildAdd(b, LLVMGetParam(hook->function, 1), genie_hook_i64(hook, next), "");
  if (mlirValueIsNull(offsets)) {
    *out_bound = LLVMBuildMul(b, bag, genie_hook_size(hook, genie_value_type(index).dims[1]), "");
    return GENIE_OK;
  }
  LLVMValueRef count = genie_hook_size(hook, genie_value_type(offsets).dims[0]);
  LLVMValueRef last = LLVMBuildSub(b, count, genie_hook_i64(hook, 1), "");
  LLVMValueRef at = genie_hook_min(hook, bag, last);
  LLVMValueRef value;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, offsets, &at, &value));
  value = genie_hook_cast(hook, value, genie_lower_dtype(offsets), GENIE_DTYPE_I64);
  LLVMValueRef is_end = LLVMBuildICmp(b, LLVMIntSGT, bag, last, "");
  *out_bound = LLVMBuildSelect(b, is_end, genie_hook_size(hook, index_count), value, "");
  return GENIE_OK;
}

static genie_status_t define_bound(genie_lowering_t *lowering, const char *name, int next, MlirAffineExpr index_count) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  LLVMValueRef bound = NULL;
  const genie_status_t status = build_bound(&hook, genie_ir_operand(lowering->anchor, "index"),
                                            genie_ir_operand(lowering->anchor, "offsets"), next, index_count, &bound);
  if (status == GENIE_OK) {
    LLVMBuildRet(hook.builder, bound);
  }
  genie_hook_end(&hook);
  return status;
}

genie_status_t genie_lower_embedding_bag(genie_lowering_t *lowering) {
  MlirOperation op = lowering->anchor;
  MlirValue table = genie_ir_operand(op, "table"), index = genie_ir_operand(op, "index");
  MlirValue weights = genie_ir_operand(op, "sample_weights"), result = mlirOperationGetResult(op, 0);
  const genie_tensor_type_t table_type = genie_value_type(table), index_type = genie_value_type(index);
  MlirAffineExpr index_count = genie_dim_product(lowering->context, index_type.rank, index_type.dims);
  int mode = 0;
  GENIE_RETURN_IF_ERROR(find_mode(lowering, &mode));
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "embedding_bag", table_type.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_columns", table_type.dims[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_rows", table_type.dims[0]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_index_count", index_count));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_mode", mode));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_padding", genie_ir_i64(op, "padding_index")));
  GENIE_RETURN_IF_ERROR(define_bound(lowering, "genie_bag_begin", 0, index_count));
  GENIE_RETURN_IF_ERROR(define_bound(lowering, "genie_bag_end", 1, index_count));
  const genie_lower_space_t linear = genie_lower_space_split(mlirValueGetType(index), 1, &index_type.rank);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_index", index, &linear));
  GENIE_RETURN_IF_ERROR(mlirValueIsNull(weights)
                            ? genie_lower_define_f64(lowering, "genie_sample_weight", 1.0)
                            : genie_lower_define_load(lowering, "genie_sample_weight", weights, &linear));
  const genie_lower_space_t rows = genie_lower_space_of(mlirValueGetType(table));
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_table", table, &rows));
  const genie_lower_space_t bags = genie_lower_space_of(mlirValueGetType(result));
  GENIE_RETURN_IF_ERROR(genie_lower_define_store(lowering, "genie_store", &bags));
  lowering->grid = bags.dims[0];
  lowering->threads = genie_gpu_threads(genie_lower_maximum(lowering, table_type.dims[1]), 256);
  lowering->grain = genie_lower_grain((double)genie_lower_maximum(lowering, table_type.dims[1]) * 16.0);
  return GENIE_OK;
}
