#include "codegen/kernel/lowering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/hook.h"
#include "runtime/base/checked_math.h"

genie_status_t genie_lower_unimplemented(const genie_lowering_t *lowering, const char *reason) {
  char location[256];
  genie_ir_describe_location(mlirOperationGetLocation(lowering->op), sizeof(location), location);
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: a %s kernel: %s", location, lowering->state->family,
                           reason);
}

genie_status_t genie_lower_use_template(genie_lowering_t *lowering, const char *name) {
  struct genie_lowering_state *state = lowering->state;
  snprintf(state->template_name, sizeof(state->template_name), "%s", name);
  genie_region_find_in_place(lowering);
  const genie_template_variant_t variant = lowering->target->is_emulated ? GENIE_TEMPLATE_EMULATED
                                           : lowering->target->is_cuda   ? GENIE_TEMPLATE_CUDA
                                                                         : GENIE_TEMPLATE_CPU;
  return genie_template_library_load(state->library, name, variant, &state->module);
}

const char *genie_lower_real_name(genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F64:
      return "f64";
    case GENIE_DTYPE_F32:
    case GENIE_DTYPE_F16:
    case GENIE_DTYPE_BF16:
      return "f32";
    default:
      return "i64";
  }
}

genie_status_t genie_lower_use_typed_template(genie_lowering_t *lowering, const char *stem, genie_dtype_t dtype) {
  char name[64];
  snprintf(name, sizeof(name), "%s_%s", stem, genie_lower_real_name(dtype));
  return genie_lower_use_template(lowering, name);
}

//===-- Spaces and sizes ------------------------------------------------------------------------------------------===//

genie_lower_space_t genie_lower_space_split(MlirType type, int arg_count, const int *arg_dims) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  genie_lower_space_t space = {.rank = tensor.rank, .arg_count = arg_count};
  for (int d = 0; d < tensor.rank; ++d) {
    space.dims[d] = tensor.dims[d];
    space.order[d] = d;
  }
  for (int a = 0; a < arg_count; ++a) {
    space.arg_dims[a] = arg_dims[a];
  }
  return space;
}

genie_lower_space_t genie_lower_space_of(MlirType type) {
  static const int ones[GENIE_IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  return genie_lower_space_split(type, genie_type_get(type).rank, ones);
}

int64_t genie_lower_maximum(const genie_lowering_t *lowering, MlirAffineExpr size) {
  int64_t minimum = 0, maximum = 0;
  genie_dim_bounds(lowering->function, size, &minimum, &maximum);
  return maximum;
}

int64_t genie_lower_minimum(const genie_lowering_t *lowering, MlirAffineExpr size) {
  int64_t minimum = 0, maximum = 0;
  genie_dim_bounds(lowering->function, size, &minimum, &maximum);
  return minimum;
}

MlirAffineExpr genie_lower_ceildiv(MlirAffineExpr size, int64_t divisor) {
  MlirContext context = mlirAffineExprGetContext(size);
  return mlirAffineCeilDivExprGet(size, genie_dim_constant(context, divisor));
}

int64_t genie_lower_grain(double operations_per_task) {
  // Some 20 microseconds at two scalar operations a nanosecond.
  const double grain = 40000.0 / (operations_per_task > 1.0 ? operations_per_task : 1.0);
  return grain > 1.0 ? (int64_t)grain : 1;
}

//===-- Hooks -----------------------------------------------------------------------------------------------------===//

bool genie_hook_begin(genie_lowering_t *lowering, const char *name, genie_hook_t *out_hook) {
  struct genie_lowering_state *state = lowering->state;
  LLVMValueRef function = LLVMGetNamedFunction(state->module, name);
  if (function == NULL) {
    return false;
  }
  *out_hook = (genie_hook_t){.lowering = lowering, .state = state, .builder = state->builder, .function = function};
  LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(state->llvm, function, "");
  LLVMPositionBuilderAtEnd(state->builder, entry);
  out_hook->frame = LLVMCountParams(function) > 0 ? LLVMGetParam(function, 0) : NULL;
  return true;
}

void genie_hook_end(genie_hook_t *hook) {
  free(hook->memo);
  hook->memo = NULL;
}

static genie_status_t wrong_arity(const genie_hook_t *hook, const char *name, unsigned expected) {
  return genie_status_make(GENIE_STATUS_INTERNAL, "template %s: hook %s has %u parameters, the lowering gives %u",
                           hook->state->template_name, name, LLVMCountParams(hook->function), expected);
}

static LLVMTypeRef return_type(const genie_hook_t *hook) {
  return LLVMGetReturnType(LLVMGlobalGetValueType(hook->function));
}

genie_status_t genie_lower_define_size(genie_lowering_t *lowering, const char *name, MlirAffineExpr size) {
  genie_hook_t hook;
  if (genie_hook_begin(lowering, name, &hook)) {
    LLVMBuildRet(hook.builder, genie_hook_size(&hook, size));
    genie_hook_end(&hook);
  }
  return GENIE_OK;
}

genie_status_t genie_lower_define_i64(genie_lowering_t *lowering, const char *name, int64_t value) {
  genie_hook_t hook;
  if (genie_hook_begin(lowering, name, &hook)) {
    LLVMBuildRet(hook.builder, LLVMConstInt(return_type(&hook), (unsigned long long)value, true));
    genie_hook_end(&hook);
  }
  return GENIE_OK;
}

genie_status_t genie_lower_define_f64(genie_lowering_t *lowering, const char *name, double value) {
  genie_hook_t hook;
  if (genie_hook_begin(lowering, name, &hook)) {
    LLVMBuildRet(hook.builder, LLVMConstReal(return_type(&hook), value));
    genie_hook_end(&hook);
  }
  return GENIE_OK;
}

genie_status_t genie_lower_define_nothing(genie_lowering_t *lowering, const char *name) {
  genie_hook_t hook;
  if (genie_hook_begin(lowering, name, &hook)) {
    LLVMBuildRetVoid(hook.builder);
    genie_hook_end(&hook);
  }
  return GENIE_OK;
}

genie_status_t genie_lower_define_address(genie_lowering_t *lowering, const char *name,
                                          const genie_strided_view_t *view, const genie_lower_space_t *space) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  genie_status_t status = GENIE_OK;
  genie_trace_t trace;
  genie_trace_init(lowering, space, &trace);
  if (LLVMCountParams(hook.function) != (unsigned)space->arg_count + 1) {
    status = wrong_arity(&hook, name, (unsigned)space->arg_count + 1);
  } else if (genie_region_argument(lowering, view->root) < 0) {
    status = genie_lower_unimplemented(lowering, "an operand that is not in memory");
  } else {
    genie_trace_view(&trace, view);
    genie_hook_index_t index;
    genie_trace_split_index(&trace, space, &hook, index);
    LLVMBuildRet(hook.builder, genie_hook_argument_address(&hook, view, index));
  }
  genie_trace_deinit(&trace);
  genie_hook_end(&hook);
  return status;
}

static genie_status_t build_load(genie_hook_t *hook, const genie_trace_t *trace, const genie_lower_space_t *space,
                                 MlirValue value, genie_dtype_t dtype) {
  genie_hook_index_t index;
  genie_trace_split_index(trace, space, hook, index);
  LLVMValueRef result;
  GENIE_RETURN_IF_ERROR(genie_hook_evaluate_broadcast(hook, value, space->rank, index, &result));
  result = genie_hook_cast(hook, result, genie_lower_dtype(value), dtype);
  LLVMBuildRet(hook->builder, genie_hook_to_declared(hook, result, dtype, return_type(hook)));
  return GENIE_OK;
}

genie_status_t genie_lower_define_load(genie_lowering_t *lowering, const char *name, MlirValue value,
                                       const genie_lower_space_t *space) {
  return genie_lower_define_load_as(lowering, name, value, genie_lower_dtype(value), space);
}

genie_status_t genie_lower_define_load_as(genie_lowering_t *lowering, const char *name, MlirValue value,
                                          genie_dtype_t dtype, const genie_lower_space_t *space) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  if (LLVMCountParams(hook.function) != (unsigned)space->arg_count + 1) {
    genie_hook_end(&hook);
    return wrong_arity(&hook, name, (unsigned)space->arg_count + 1);
  }
  genie_trace_t trace;
  genie_trace_init(lowering, space, &trace);
  genie_trace_value(&trace, value);
  const genie_status_t status = build_load(&hook, &trace, space, value, dtype);
  genie_trace_deinit(&trace);
  genie_hook_end(&hook);
  return status;
}

static void dense_output(const genie_lowering_t *lowering, int output, genie_strided_view_t *out_view) {
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = genie_region_layout(lowering, lowering->state->input_count + output, storage);
  genie_strided_dense(mlirValueGetType(mlirOperationGetOperand(lowering->yield, output)), layout, out_view);
}

genie_status_t genie_lower_define_output_load(genie_lowering_t *lowering, const char *name, int output,
                                              const genie_lower_space_t *space) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  const genie_dtype_t dtype = genie_lower_dtype(mlirOperationGetOperand(lowering->yield, output));
  genie_strided_view_t view;
  dense_output(lowering, output, &view);
  genie_trace_t trace;
  genie_trace_init(lowering, space, &trace);
  genie_trace_view(&trace, &view);
  genie_hook_index_t index;
  genie_trace_split_index(&trace, space, &hook, index);
  LLVMValueRef address = genie_hook_output_address(&hook, output, &view, index);
  LLVMValueRef load = LLVMBuildLoad2(hook.builder, genie_hook_storage_type(hook.state->llvm, dtype), address, "");
  LLVMSetAlignment(load, (unsigned)genie_dtype_bytes(dtype));
  genie_hook_tag_access(&hook, load, hook.state->input_count + output);
  LLVMValueRef value = genie_hook_from_storage(&hook, load, dtype);
  LLVMBuildRet(hook.builder, genie_hook_to_declared(&hook, value, dtype, return_type(&hook)));
  genie_trace_deinit(&trace);
  genie_hook_end(&hook);
  return GENIE_OK;
}

genie_status_t genie_lower_define_same_memory(genie_lowering_t *lowering, const char *name, MlirValue x, int output) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  LLVMValueRef result = genie_hook_i64(&hook, 0);
  const int argument = genie_region_argument(lowering, x);
  if (argument >= 0) {
    LLVMValueRef a = genie_hook_argument_base(&hook, argument);
    LLVMValueRef b = genie_hook_argument_base(&hook, hook.state->input_count + output);
    LLVMValueRef is_same = LLVMBuildICmp(hook.builder, LLVMIntEQ, a, b, "");
    result = LLVMBuildZExt(hook.builder, is_same, LLVMInt64TypeInContext(hook.state->llvm), "");
  }
  LLVMBuildRet(hook.builder, result);
  genie_hook_end(&hook);
  return GENIE_OK;
}

//===-- Neighbours ------------------------------------------------------------------------------------------------===//

// A concatenation along the walked dimension `walked_dim`, of size `size`, whose joints lie between groups of `vector`
// neighbours, so that a group is of one operand; or null.
static MlirOperation find_joint(const genie_lowering_t *lowering, int vector, int walked_dim, MlirAffineExpr size) {
  enum { MOST_OPERANDS = 3 };
  const MlirOperation none = {NULL};
  if (vector == 1 || !mlirOperationIsNull(lowering->state->piece.concat)) {
    return none;
  }
  for (MlirOperation op = mlirBlockGetFirstOperation(lowering->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (!genie_op_is(op, "genie.concat") || genie_ir_i64(op, "axis") != walked_dim ||
        mlirOperationGetNumOperands(op) > MOST_OPERANDS ||
        !mlirAffineExprEqual(genie_value_type(mlirOperationGetResult(op, 0)).dims[walked_dim], size)) {
      continue;
    }
    bool is_fit = true;
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
      int64_t part = 0;
      is_fit = is_fit &&
               genie_dim_is_constant(genie_value_type(mlirOperationGetOperand(op, i)).dims[walked_dim], &part) &&
               part % vector == 0;
    }
    if (is_fit) {
      return op;
    }
  }
  return none;
}

// Builds code for `vector` neighbours from `index` on along the dimension `walked_dim`.
typedef genie_status_t (*neighbours_fn_t)(genie_hook_t *hook, const void *self, LLVMValueRef *index);

// Calls `build` once, or, where a concatenation has its joints between groups, once for each of its operands, each in a
// branch that ends the hook: so the loads of neighbours can become one.
static genie_status_t build_neighbours(genie_hook_t *hook, int vector, int walked_dim, MlirAffineExpr size,
                                       LLVMValueRef *index, neighbours_fn_t build, const void *self) {
  const MlirOperation joint = find_joint(hook->lowering, vector, walked_dim, size);
  const intptr_t count = mlirOperationIsNull(joint) ? 1 : mlirOperationGetNumOperands(joint);
  MlirAffineExpr start = genie_dim_constant(hook->lowering->context, 0);
  genie_status_t status = GENIE_OK;
  for (intptr_t i = 0; i < count && status == GENIE_OK; ++i) {
    LLVMBasicBlockRef rest = NULL;
    if (count > 1) {
      MlirAffineExpr next = genie_dim_add(start, genie_value_type(mlirOperationGetOperand(joint, i)).dims[walked_dim]);
      if (i + 1 < count) {
        LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(hook->state->llvm, hook->function, "");
        rest = LLVMAppendBasicBlockInContext(hook->state->llvm, hook->function, "");
        LLVMValueRef is_here =
            LLVMBuildICmp(hook->builder, LLVMIntSLT, index[walked_dim], genie_hook_size(hook, next), "");
        LLVMBuildCondBr(hook->builder, is_here, then, rest);
        LLVMPositionBuilderAtEnd(hook->builder, then);
      }
      hook->state->piece = (genie_hook_piece_t){joint, walked_dim, (int)i, start, size};
      start = next;
    }
    const int memo_count = hook->memo_count;
    status = build(hook, self, index);
    hook->memo_count = memo_count;
    LLVMBuildRetVoid(hook->builder);
    if (rest != NULL) {
      LLVMPositionBuilderAtEnd(hook->builder, rest);
    }
  }
  if (count > 1) {
    hook->state->piece = (genie_hook_piece_t){.concat = {NULL}};
  }
  return status;
}

// The index of neighbour `neighbour` of `index`.
static void neighbour_index(genie_hook_t *hook, LLVMValueRef *index, int walked_dim, int neighbour,
                            genie_hook_index_t out_index) {
  memcpy(out_index, index, sizeof(genie_hook_index_t));
  if (neighbour > 0) {
    out_index[walked_dim] = LLVMBuildNSWAdd(hook->builder, index[walked_dim], genie_hook_i64(hook, neighbour), "");
  }
  if (!mlirOperationIsNull(hook->state->piece.concat)) {
    hook->piece_index = out_index[walked_dim];
  }
}

//===-- Loads of neighbours ---------------------------------------------------------------------------------------===//

typedef struct load_shape {
  MlirValue value;
  int rank, vector, walked_dim;
} load_shape_t;

static genie_status_t build_load_group(genie_hook_t *hook, const void *self, LLVMValueRef *index) {
  const load_shape_t *shape = self;
  const genie_dtype_t dtype = genie_lower_dtype(shape->value);
  LLVMValueRef out = LLVMGetParam(hook->function, LLVMCountParams(hook->function) - 1);
  LLVMTypeRef type = genie_hook_compute_type(hook->state->llvm, dtype);
  LLVMValueRef results[GENIE_LOWER_MAX_VECTOR];
  for (int j = 0; j < shape->vector; ++j) {
    genie_hook_index_t at;
    neighbour_index(hook, index, shape->walked_dim, j, at);
    GENIE_RETURN_IF_ERROR(genie_hook_evaluate_broadcast(hook, shape->value, shape->rank, at, &results[j]));
  }
  for (int j = 0; j < shape->vector; ++j) {
    LLVMValueRef offset = genie_hook_i64(hook, j);
    LLVMBuildStore(hook->builder, results[j], LLVMBuildInBoundsGEP2(hook->builder, type, out, &offset, 1, ""));
  }
  return GENIE_OK;
}

genie_status_t genie_lower_define_load_vector(genie_lowering_t *lowering, const char *name, int vector, MlirValue value,
                                              const genie_lower_space_t *space) {
  char full_name[64];
  snprintf(full_name, sizeof(full_name), "%s_%d", name, vector);
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, full_name, &hook)) {
    return GENIE_OK;
  }
  genie_status_t status = GENIE_OK;
  if (LLVMCountParams(hook.function) != (unsigned)space->arg_count + 2) {
    status = wrong_arity(&hook, full_name, (unsigned)space->arg_count + 2);
  } else {
    genie_trace_t trace;
    genie_trace_init(lowering, space, &trace);
    genie_trace_value(&trace, value);
    genie_hook_index_t index;
    genie_trace_split_index(&trace, space, &hook, index);
    const int walked_dim = trace.count > 0 ? trace.value_dim[trace.count - 1] : 0;
    const load_shape_t shape = {value, space->rank, vector, walked_dim};
    MlirAffineExpr size = trace.count > 0 ? trace.dims[trace.count - 1] : genie_dim_constant(lowering->context, 1);
    status = build_neighbours(&hook, vector, walked_dim, size, index, build_load_group, &shape);
    genie_trace_deinit(&trace);
  }
  genie_hook_end(&hook);
  return status;
}

//===-- Stores ----------------------------------------------------------------------------------------------------===//

// What a store hook writes: the outputs, the value behind each, and where it goes.
typedef struct stores {
  int count;
  int outputs[GENIE_IR_MAX_RESULTS];
  MlirValue values[GENIE_IR_MAX_RESULTS];
  genie_strided_view_t views[GENIE_IR_MAX_RESULTS];
} stores_t;

// Whether `value` needs one of results [first, first + count) of the anchor; also true where it needs none of its
// results.
static bool belongs_to(const genie_lowering_t *lowering, MlirValue value, int first, int count) {
  if (mlirOperationIsNull(lowering->anchor) || !genie_region_depends_on(value, lowering->anchor)) {
    return first == 0;
  }
  if (mlirOperationGetNumResults(lowering->anchor) == count) {
    return true;
  }
  return genie_region_depends_on_results(value, lowering->anchor, first, count);
}

static genie_status_t collect_stores(const genie_lowering_t *lowering, int first, int count,
                                     const genie_lower_space_t *space, stores_t *out_stores) {
  *out_stores = (stores_t){.count = 0};
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  for (int k = 0; k < space->rank; ++k) {
    dims[space->order[k]] = space->dims[k];
  }
  const genie_hook_piece_t *piece = &lowering->state->piece;
  if (!mlirOperationIsNull(piece->concat)) {
    dims[piece->axis] = piece->whole;
  }
  for (int r = 0; r < lowering->state->output_count; ++r) {
    if (!belongs_to(lowering, mlirOperationGetOperand(lowering->yield, r), first, count)) {
      continue;
    }
    const int i = out_stores->count++;
    out_stores->outputs[i] = r;
    if (!genie_region_stored_value(lowering, r, space->rank, dims, &out_stores->values[i], &out_stores->views[i])) {
      return genie_lower_unimplemented(lowering, "an output whose shape is not that of the anchor's result");
    }
  }
  return GENIE_OK;
}

// What one store hook does: which results of the anchor it takes, for how many neighbours along its last argument.
typedef struct store_shape {
  const char *name;
  int first, count, vector;
  const genie_lower_space_t *space;
} store_shape_t;

static genie_status_t bind_results(genie_hook_t *hook, const store_shape_t *shape, int neighbour, LLVMValueRef *index) {
  MlirOperation anchor = hook->lowering->anchor;
  for (int i = 0; i < shape->count && !mlirOperationIsNull(anchor); ++i) {
    MlirValue result = mlirOperationGetResult(anchor, shape->first + i);
    const int parameter = 1 + shape->space->arg_count + neighbour * shape->count + i;
    LLVMValueRef declared = LLVMGetParam(hook->function, (unsigned)parameter);
    LLVMValueRef value = genie_hook_from_declared(hook, declared, genie_lower_dtype(result));
    GENIE_RETURN_IF_ERROR(genie_hook_bind(hook, result, index, value));
  }
  return GENIE_OK;
}

static genie_status_t build_values(genie_hook_t *hook, const stores_t *stores, LLVMValueRef *index,
                                   LLVMValueRef *out_values) {
  for (int i = 0; i < stores->count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_hook_evaluate(hook, stores->values[i], index, &out_values[i]));
    out_values[i] = genie_hook_to_storage(hook, out_values[i], genie_lower_dtype(stores->values[i]));
  }
  return GENIE_OK;
}

static void build_store(genie_hook_t *hook, const stores_t *stores, int i, LLVMValueRef *index, LLVMValueRef value) {
  LLVMValueRef address = genie_hook_output_address(hook, stores->outputs[i], &stores->views[i], index);
  LLVMValueRef store = LLVMBuildStore(hook->builder, value, address);
  LLVMSetAlignment(store, (unsigned)genie_dtype_bytes(genie_lower_dtype(stores->values[i])));
  genie_hook_tag_access(hook, store, hook->state->input_count + stores->outputs[i]);
}

typedef struct store_group {
  const store_shape_t *shape;
  const stores_t *stores;
  int walked_dim;
} store_group_t;

// Computes all values before it stores any, so that an output may take over the memory of an input.
static genie_status_t build_stores(genie_hook_t *hook, const void *self, LLVMValueRef *index) {
  const store_group_t *group = self;
  const store_shape_t *shape = group->shape;
  const stores_t *stores = group->stores;
  LLVMValueRef values[GENIE_LOWER_MAX_VECTOR][GENIE_IR_MAX_RESULTS];
  genie_hook_index_t at[GENIE_LOWER_MAX_VECTOR];
  for (int j = 0; j < shape->vector; ++j) {
    neighbour_index(hook, index, group->walked_dim, j, at[j]);
    const int memo_count = hook->memo_count;
    GENIE_RETURN_IF_ERROR(bind_results(hook, shape, j, at[j]));
    GENIE_RETURN_IF_ERROR(build_values(hook, stores, at[j], values[j]));
    hook->memo_count = shape->vector > 1 ? memo_count : hook->memo_count;
  }
  for (int i = 0; i < stores->count; ++i) {
    for (int j = 0; j < shape->vector; ++j) {
      build_store(hook, stores, i, at[j], values[j][i]);
    }
  }
  return GENIE_OK;
}

static genie_status_t define_store(genie_hook_t *hook, const store_shape_t *shape, genie_trace_t *trace) {
  genie_lowering_t *lowering = hook->lowering;
  const unsigned arity = (unsigned)(1 + shape->space->arg_count + shape->count * shape->vector);
  if (LLVMCountParams(hook->function) != arity) {
    return wrong_arity(hook, shape->name, arity);
  }
  stores_t stores;
  GENIE_RETURN_IF_ERROR(collect_stores(lowering, shape->first, shape->count, shape->space, &stores));
  for (int i = 0; i < stores.count; ++i) {
    genie_trace_value(trace, stores.values[i]);
    genie_trace_view(trace, &stores.views[i]);
  }
  genie_hook_index_t index;
  genie_trace_split_index(trace, shape->space, hook, index);
  const int walked_dim = trace->count > 0 ? trace->value_dim[trace->count - 1] : 0;
  const store_group_t group = {shape, &stores, walked_dim};
  MlirAffineExpr size = trace->count > 0 ? trace->dims[trace->count - 1] : genie_dim_constant(lowering->context, 1);
  return build_neighbours(hook, shape->vector, walked_dim, size, index, build_stores, &group);
}

static genie_status_t define_store_hook(genie_lowering_t *lowering, const store_shape_t *shape) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, shape->name, &hook)) {
    return GENIE_OK;
  }
  genie_trace_t trace;
  genie_trace_init(lowering, shape->space, &trace);
  const genie_status_t status = define_store(&hook, shape, &trace);
  genie_trace_deinit(&trace);
  genie_hook_end(&hook);
  return status;
}

genie_status_t genie_lower_define_store_results(genie_lowering_t *lowering, const char *name, int first, int count,
                                                const genie_lower_space_t *space) {
  const store_shape_t shape = {.name = name, .first = first, .count = count, .vector = 1, .space = space};
  return define_store_hook(lowering, &shape);
}

genie_status_t genie_lower_define_store(genie_lowering_t *lowering, const char *name,
                                        const genie_lower_space_t *space) {
  const int count = mlirOperationIsNull(lowering->anchor) ? 0 : 1;
  return genie_lower_define_store_results(lowering, name, 0, count, space);
}

genie_status_t genie_lower_define_store_vector(genie_lowering_t *lowering, const char *name, int vector,
                                               const genie_lower_space_t *space) {
  char full_name[64];
  snprintf(full_name, sizeof(full_name), "%s_%d", name, vector);
  const int count = mlirOperationIsNull(lowering->anchor) ? 0 : 1;
  const store_shape_t shape = {.name = full_name, .count = count, .vector = vector, .space = space};
  return define_store_hook(lowering, &shape);
}

genie_status_t genie_lower_stored_trace(genie_lowering_t *lowering, const genie_lower_space_t *space,
                                        genie_trace_t *trace) {
  stores_t stores;
  GENIE_RETURN_IF_ERROR(collect_stores(lowering, 0, 1, space, &stores));
  for (int i = 0; i < stores.count; ++i) {
    genie_trace_value(trace, stores.values[i]);
    genie_trace_view(trace, &stores.views[i]);
  }
  return GENIE_OK;
}
