// The family `pointwise`: every element of one iteration space on its own.
#include "codegen/kernel/family.h"
#include "codegen/kernel/hook.h"

enum {
  MAX_INNER = 16384,  // a longer inner dimension is cut into chunks
  CHUNK = 8192,
};

// The space of the results in the physical order of the first one.
static genie_lower_space_t result_space(const genie_lowering_t *lowering) {
  const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(lowering->yield, 0));
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = genie_region_layout(lowering, lowering->state->input_count, storage);
  genie_lower_space_t space = {.rank = type.rank, .arg_count = 2};
  for (int k = 0; k < type.rank; ++k) {
    space.order[k] = layout == NULL ? k : (int)layout[k];
    space.dims[k] = type.dims[space.order[k]];
  }
  return space;
}

// The dimensions of the space that the inner loop walks: the last run that all accesses walk as one.
static genie_status_t choose_inner(genie_lowering_t *lowering, genie_lower_space_t *space) {
  genie_trace_t trace;
  genie_trace_init(lowering, space, &trace);
  const genie_status_t status = genie_lower_stored_trace(lowering, space, &trace);
  int begin = trace.count > 0 ? trace.count - 1 : 0;
  while (begin > 0 && !trace.is_split[begin - 1]) {
    --begin;
  }
  int outer = 0;
  while (outer < space->rank && (trace.map[space->order[outer]] < begin)) {
    ++outer;
  }
  space->arg_dims[0] = outer;
  space->arg_dims[1] = space->rank - outer;
  genie_trace_deinit(&trace);
  return status;
}

genie_status_t genie_lower_pointwise(genie_lowering_t *lowering) {
  GENIE_RETURN_IF_ERROR(genie_lower_use_template(lowering, "pointwise"));
  genie_lower_space_t space = result_space(lowering);
  GENIE_RETURN_IF_ERROR(choose_inner(lowering, &space));
  MlirAffineExpr outer = genie_dim_product(lowering->context, space.arg_dims[0], space.dims);
  MlirAffineExpr inner = genie_dim_product(lowering->context, space.arg_dims[1], space.dims + space.arg_dims[0]);
  const int64_t greatest = genie_lower_maximum(lowering, inner);
  const bool is_chunked = greatest > MAX_INNER;
  MlirAffineExpr chunk = is_chunked ? genie_dim_constant(lowering->context, CHUNK) : inner;
  MlirAffineExpr chunks = is_chunked ? genie_lower_ceildiv(inner, CHUNK) : genie_dim_constant(lowering->context, 1);
  lowering->grid = genie_dim_mul(outer, chunks);
  lowering->grain = genie_lower_grain((double)(is_chunked ? CHUNK : greatest) * genie_region_cost(lowering));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_inner", inner));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_chunk", chunk));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_chunks", chunks));
  return genie_lower_define_store(lowering, "genie_store", &space);
}
