// The family `scan`: cumsum.
#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

enum { WIDTH = 256 };  // columns of a block

genie_status_t genie_lower_scan(genie_lowering_t *lowering) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  const int axis = (int)genie_ir_i64(lowering->anchor, "axis");
  MlirAffineExpr outer = genie_dim_product(lowering->context, axis, type.dims);
  MlirAffineExpr inner = genie_dim_product(lowering->context, type.rank - axis - 1, type.dims + axis + 1);
  lowering->is_elementwise_anchor = true;
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "scan", genie_lower_dtype(x)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_size", type.dims[axis]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_inner", inner));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_width", WIDTH));
  lowering->threads = WIDTH;
  const int args[] = {axis, 1, type.rank - axis - 1};
  const genie_lower_space_t space = genie_lower_space_split(mlirValueGetType(x), 3, args);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &space));
  GENIE_RETURN_IF_ERROR(genie_lower_define_store(lowering, "genie_store", &space));
  lowering->grid = genie_dim_mul(outer, genie_lower_ceildiv(inner, WIDTH));
  lowering->grain = genie_lower_grain((double)genie_lower_maximum(lowering, type.dims[axis]) * 4.0);
  lowering->scratch_bytes = WIDTH * sizeof(double);
  return GENIE_OK;
}
