// The family `sort`: sort and topk.
#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

enum {
  MAX_INSERTED = 64,  // more than this are taken from a sorted row
  PAIR_BYTES = 16,
};

// The space of a tensor with the arguments (row, at).
static genie_lower_space_t row_space(MlirType type, int axis) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  genie_lower_space_t space = {.rank = tensor.rank, .arg_count = 2, .arg_dims = {tensor.rank - 1, 1}};
  for (int d = 0, k = 0; d < tensor.rank; ++d) {
    const int place = d == axis ? tensor.rank - 1 : k++;
    space.order[place] = d;
    space.dims[place] = tensor.dims[d];
  }
  return space;
}

genie_status_t genie_lower_sort(genie_lowering_t *lowering) {
  MlirOperation op = lowering->anchor;
  MlirValue x = genie_ir_operand(op, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  if (type.rank == 0) {
    return genie_lower_unimplemented(lowering, "a sort of one number");
  }
  const bool is_topk = genie_op_is(op, "genie.topk");
  const int axis = (int)genie_ir_i64(op, "axis");
  MlirAffineExpr size = type.dims[axis];
  MlirAffineExpr taken = is_topk ? genie_dim_constant(lowering->context, genie_ir_i64(op, "k")) : size;
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "sort", genie_lower_dtype(x)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_size", size));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_taken", taken));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_descending", genie_ir_bool(op, is_topk ? "largest" : "descending")));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_inserts", is_topk && genie_ir_i64(op, "k") <= MAX_INSERTED));
  const genie_lower_space_t space = row_space(mlirValueGetType(x), axis);
  const genie_lower_space_t stored = row_space(mlirValueGetType(mlirOperationGetResult(op, 0)), axis);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &space));
  GENIE_RETURN_IF_ERROR(genie_lower_define_store_results(lowering, "genie_store", 0, 2, &stored));
  lowering->grid = genie_dim_product(lowering->context, space.rank - 1, space.dims);
  lowering->threads = genie_gpu_threads(genie_lower_maximum(lowering, size), GENIE_GPU_MAX_THREADS);
  lowering->grain = genie_lower_grain((double)genie_lower_maximum(lowering, size) * 8.0);
  lowering->scratch_bytes = 2 * PAIR_BYTES * (uint64_t)genie_lower_maximum(lowering, size) + PAIR_BYTES;
  return GENIE_OK;
}
