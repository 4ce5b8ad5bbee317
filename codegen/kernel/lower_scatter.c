// The family `scatter`: index_copy, index_put and scatter. The result may have the memory of x: then only what is
// updated is written, which the kernel sees by comparing the two addresses.
#include <stdio.h>
#include <string.h>

#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

enum { WIDTH = 4096, GPU_WIDTH = 256 };  // columns of a block

// Templates' numbers: templates/scatter.c. The names are those of the attribute `reduce`.
static const struct {
  const char *name;
  int operation;
} operation_table[] = {
    {"replace", 0}, {"add", 1}, {"sum", 1}, {"multiply", 2}, {"prod", 2}, {"amax", 3}, {"amin", 4},
};

// x as [outer, axis, inner], where `axis_count` dimensions from `axis` are one axis, and the updates as [outer, count,
// inner], where the updates' dimensions have the same split.
typedef struct plan {
  genie_tensor_type_t x;
  int axis, axis_count;
  int operation;
  genie_lower_space_t space;    // of x and the result
  genie_lower_space_t updates;  // of the source
} plan_t;

static genie_status_t find_operation(const genie_lowering_t *lowering, int *out_operation) {
  const MlirStringRef name = genie_ir_string(lowering->anchor, "reduce");
  for (size_t i = 0; i < sizeof(operation_table) / sizeof(operation_table[0]); ++i) {
    if (strlen(operation_table[i].name) == name.length &&
        memcmp(operation_table[i].name, name.data, name.length) == 0) {
      *out_operation = operation_table[i].operation;
      return GENIE_OK;
    }
  }
  return genie_lower_unimplemented(lowering, "scatter with this reduction");
}

static genie_lower_space_t split_space(const genie_tensor_type_t *type, int first, int count) {
  genie_lower_space_t space = {
      .rank = type->rank, .arg_count = 3, .arg_dims = {first, count, type->rank - first - count}};
  for (int d = 0; d < type->rank; ++d) {
    space.order[d] = d;
    space.dims[d] = type->dims[d];
  }
  return space;
}

//===-- Positions -------------------------------------------------------------------------------------------------===//

// Positions along the axis, of an update at an index of the updates' space.
typedef genie_status_t (*position_fn_t)(genie_hook_t *hook, const plan_t *plan, LLVMValueRef *index,
                                        LLVMValueRef *out_position);

static genie_status_t position_of_index_copy(genie_hook_t *hook, const plan_t *plan, LLVMValueRef *index,
                                             LLVMValueRef *out_position) {
  MlirValue positions = genie_ir_operand(hook->lowering->anchor, "index");
  return genie_hook_position(hook, positions, 1, &index[plan->axis], plan->x.dims[plan->axis], out_position);
}

// An index tensor that is smaller than x beside the axis leaves the rest of x alone: -1 there.
static genie_status_t position_of_scatter(genie_hook_t *hook, const plan_t *plan, LLVMValueRef *index,
                                          LLVMValueRef *out_position) {
  LLVMBuilderRef b = hook->builder;
  MlirValue positions = genie_ir_operand(hook->lowering->anchor, "index");
  const genie_tensor_type_t type = genie_value_type(positions);
  LLVMValueRef is_covered = LLVMConstInt(LLVMInt1TypeInContext(hook->state->llvm), 1, false);
  genie_hook_index_t at;
  for (int d = 0; d < type.rank; ++d) {
    at[d] = index[d];
    if (d != plan->axis && !mlirAffineExprEqual(type.dims[d], plan->x.dims[d])) {
      LLVMValueRef size = genie_hook_size(hook, type.dims[d]);
      is_covered = LLVMBuildAnd(b, is_covered, LLVMBuildICmp(b, LLVMIntSLT, index[d], size, ""), "");
      LLVMValueRef last = LLVMBuildSub(b, size, genie_hook_i64(hook, 1), "");
      at[d] = genie_hook_max(hook, genie_hook_min(hook, index[d], last), genie_hook_i64(hook, 0));
    }
  }
  LLVMValueRef position;
  GENIE_RETURN_IF_ERROR(genie_hook_position(hook, positions, type.rank, at, plan->x.dims[plan->axis], &position));
  *out_position = LLVMBuildSelect(b, is_covered, position, genie_hook_i64(hook, -1), "");
  return GENIE_OK;
}

// Row-major over the indexed axes.
static genie_status_t position_of_index_put(genie_hook_t *hook, const plan_t *plan, LLVMValueRef *index,
                                            LLVMValueRef *out_position) {
  intptr_t first, count;
  genie_ir_operand_range(hook->lowering->anchor, "indices", &first, &count);
  LLVMValueRef linear = genie_hook_i64(hook, 0);
  for (int i = 0; i < plan->axis_count; ++i) {
    MlirValue positions = mlirOperationGetOperand(hook->lowering->anchor, first + i);
    MlirAffineExpr size = plan->x.dims[plan->axis + i];
    LLVMValueRef position;
    GENIE_RETURN_IF_ERROR(
        genie_hook_position(hook, positions, plan->updates.arg_dims[1], &index[plan->axis], size, &position));
    linear =
        LLVMBuildAdd(hook->builder, LLVMBuildMul(hook->builder, linear, genie_hook_size(hook, size), ""), position, "");
  }
  *out_position = linear;
  return GENIE_OK;
}

// Every dimension of the updates stays apart: positions may depend on each.
static genie_status_t define_position(genie_lowering_t *lowering, const plan_t *plan, position_fn_t position) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, "genie_position", &hook)) {
    return GENIE_OK;
  }
  genie_trace_t trace;
  genie_trace_init(lowering, &plan->updates, &trace);
  for (int i = 0; i < trace.count; ++i) {
    trace.is_split[i] = true;
  }
  genie_hook_index_t index;
  genie_trace_split_index(&trace, &plan->updates, &hook, index);
  LLVMValueRef result = NULL;
  const genie_status_t status = position(&hook, plan, index, &result);
  if (status == GENIE_OK) {
    LLVMBuildRet(hook.builder, result);
  }
  genie_trace_deinit(&trace);
  genie_hook_end(&hook);
  return status;
}

//===-- The three ops ---------------------------------------------------------------------------------------------===//

// Parts of the axis on a GPU, where there are many positions to copy or updates to apply and few blocks besides.
static int64_t gpu_parts(const genie_lowering_t *lowering, MlirAffineExpr size, MlirAffineExpr count) {
  enum { MOST_PARTS = 32, FULL_BLOCKS = 528, LEAST_WORK = 64 };
  const int64_t positions = genie_lower_maximum(lowering, size), updates = genie_lower_maximum(lowering, count);
  const int64_t work = (positions > updates ? positions : updates) / LEAST_WORK;
  const int64_t blocks = genie_lower_maximum(lowering, lowering->grid);
  const int64_t wanted = blocks >= FULL_BLOCKS ? 1 : FULL_BLOCKS / (blocks > 0 ? blocks : 1);
  int64_t parts = work < wanted ? work : wanted;
  parts = parts > MOST_PARTS ? MOST_PARTS : parts;
  return parts < 1 ? 1 : parts > positions && positions > 0 ? positions : parts;
}

// Updates that replace, `vector` neighbours at a time.
static genie_status_t define_groups(genie_lowering_t *lowering, const plan_t *plan, MlirValue source, int vector) {
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_vector", vector));
  for (int v = 2; v <= GENIE_LOWER_MAX_VECTOR; v *= 2) {
    char load[32], store[32];
    snprintf(load, sizeof(load), "genie_source_%d", v);
    snprintf(store, sizeof(store), "genie_store_%d", v);
    if (v == vector) {
      GENIE_RETURN_IF_ERROR(genie_lower_define_load_vector(lowering, "genie_source", v, source, &plan->updates));
      GENIE_RETURN_IF_ERROR(genie_lower_define_store_vector(lowering, "genie_store", v, &plan->space));
    } else {
      GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, load));
      GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, store));
    }
  }
  return GENIE_OK;
}

static genie_status_t lower_updates(genie_lowering_t *lowering, const plan_t *plan, MlirValue source,
                                    position_fn_t position) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  const int argument = genie_region_argument(lowering, x);
  if (argument >= 0 && argument < 64) {
    lowering->in_place[0] = UINT64_C(1) << argument;
  }
  MlirAffineExpr outer = genie_dim_product(lowering->context, plan->axis, plan->x.dims);
  MlirAffineExpr size = genie_dim_product(lowering->context, plan->axis_count, plan->x.dims + plan->axis);
  const int last = plan->axis + plan->axis_count;
  MlirAffineExpr inner = genie_dim_product(lowering->context, plan->x.rank - last, plan->x.dims + last);
  MlirAffineExpr count =
      genie_dim_product(lowering->context, plan->updates.arg_dims[1], plan->updates.dims + plan->axis);
  const int width = lowering->target->is_cuda ? GPU_WIDTH : WIDTH;
  lowering->threads = GPU_WIDTH;
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "scatter", genie_lower_dtype(x)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_size", size));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_inner", inner));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_count", count));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_width", width));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_operation", plan->operation));
  GENIE_RETURN_IF_ERROR(genie_lower_define_same_memory(lowering, "genie_is_in_place", x, 0));
  GENIE_RETURN_IF_ERROR(define_position(lowering, plan, position));
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &plan->space));
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_source", source, &plan->updates));
  GENIE_RETURN_IF_ERROR(genie_lower_define_output_load(lowering, "genie_get", 0, &plan->space));
  GENIE_RETURN_IF_ERROR(genie_lower_define_store(lowering, "genie_store", &plan->space));
  if (lowering->target->is_cuda) {
    const bool is_uniform = position != position_of_scatter;  // along the inner dimension
    MlirAffineExpr updated = genie_dim_mul(genie_dim_mul(outer, count), inner);
    const int vector = is_uniform && plan->operation == 0 ? genie_gpu_vector(lowering, inner, updated) : 1;
    GENIE_RETURN_IF_ERROR(define_groups(lowering, plan, source, vector));
  }
  lowering->grid = genie_dim_mul(outer, genie_lower_ceildiv(inner, width));
  const int64_t parts = lowering->target->is_cuda ? gpu_parts(lowering, size, count) : 1;
  lowering->grid = genie_dim_mul(lowering->grid, genie_dim_constant(lowering->context, parts));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_parts", parts));
  lowering->grain = genie_lower_grain((double)genie_lower_maximum(lowering, size));
  return GENIE_OK;
}

static genie_status_t lower_index_put(genie_lowering_t *lowering, plan_t *plan) {
  MlirOperation op = lowering->anchor;
  int64_t axes[GENIE_IR_MAX_RANK];
  plan->axis_count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  plan->axis = (int)axes[0];
  for (int i = 1; i < plan->axis_count; ++i) {
    if (axes[i] != axes[i - 1] + 1) {
      return genie_lower_unimplemented(lowering, "index_put of axes that are not neighbours");
    }
  }
  // The updates' shape: x with the indexed axes replaced by the broadcast shape of the indices.
  genie_tensor_type_t updates = {.dtype = plan->x.dtype};
  for (int d = 0; d < plan->axis; ++d) {
    updates.dims[updates.rank++] = plan->x.dims[d];
  }
  intptr_t first, count;
  genie_ir_operand_range(op, "indices", &first, &count);
  int index_rank = 0;
  for (intptr_t i = 0; i < count; ++i) {
    const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(op, first + i));
    index_rank = type.rank > index_rank ? type.rank : index_rank;
  }
  if (index_rank + plan->x.rank - plan->axis_count > GENIE_IR_MAX_RANK) {
    return genie_lower_unimplemented(lowering, "index_put of more than 8 dimensions");
  }
  for (int k = 0; k < index_rank; ++k) {
    MlirAffineExpr dim = genie_dim_constant(lowering->context, 1);
    for (intptr_t i = 0; i < count; ++i) {
      const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(op, first + i));
      const int d = k - (index_rank - type.rank);
      int64_t size = 0;
      if (d >= 0 && !(genie_dim_is_constant(type.dims[d], &size) && size == 1)) {
        dim = type.dims[d];
      }
    }
    updates.dims[updates.rank++] = dim;
  }
  for (int d = plan->axis + plan->axis_count; d < plan->x.rank; ++d) {
    updates.dims[updates.rank++] = plan->x.dims[d];
  }
  plan->space = split_space(&plan->x, plan->axis, plan->axis_count);
  plan->updates = split_space(&updates, plan->axis, index_rank);
  plan->operation = genie_ir_bool(op, "accumulate") ? 1 : 0;
  return lower_updates(lowering, plan, genie_ir_operand(op, "value"), position_of_index_put);
}

genie_status_t genie_lower_scatter(genie_lowering_t *lowering) {
  MlirOperation op = lowering->anchor;
  plan_t plan = {.x = genie_value_type(genie_ir_operand(op, "x")), .axis_count = 1};
  if (genie_op_is(op, "genie.index_put")) {
    return lower_index_put(lowering, &plan);
  }
  MlirValue source = genie_ir_operand(op, "source");
  const bool is_scatter = genie_op_is(op, "genie.scatter");
  const genie_tensor_type_t updates = genie_value_type(is_scatter ? genie_ir_operand(op, "index") : source);
  if (plan.x.rank == 0 || updates.rank != plan.x.rank) {
    return genie_lower_unimplemented(lowering, "updates of another rank");
  }
  plan.axis = (int)genie_ir_i64(op, "axis");
  plan.space = split_space(&plan.x, plan.axis, 1);
  plan.updates = plan.space;
  plan.updates.dims[plan.axis] = updates.dims[plan.axis];
  if (is_scatter) {
    GENIE_RETURN_IF_ERROR(find_operation(lowering, &plan.operation));
  }
  return lower_updates(lowering, &plan, source, is_scatter ? position_of_scatter : position_of_index_copy);
}
