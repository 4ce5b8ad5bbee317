// fold: small values that follow from constants alone become constants. Large ones, and those that need weights, stay
// expressions that are evaluated when the plan is made; what follows from indices (iota) is cheap to evaluate in
// kernels.
#include "ir/evaluate.h"
#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

enum { MAX_ELEMENTS = 1024 };

static genie_status_t refuse_weight(void *self, MlirStringRef name, genie_host_tensor_t *out_tensor) {
  (void)self, (void)out_tensor;
  return genie_status_make(GENIE_STATUS_INTERNAL, "folding reads the weight %.*s", (int)name.length, name.data);
}

static bool follows_from_constants(MlirOperation op, const genie_pointer_map_t *known) {
  if (mlirOperationGetNumResults(op) != 1 || mlirOperationGetNumOperands(op) == 0 || !genie_rewrite_is_pure(op) ||
      !genie_ir_is_compile_time(genie_rewrite_result(op))) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirOperation definer = genie_rewrite_definer(mlirOperationGetOperand(op, i));
    if (mlirOperationIsNull(definer) || genie_pointer_map_get(known, definer.ptr) < 0) {
      return false;
    }
  }
  return genie_evaluate_supports(op);
}

static bool is_small(MlirValue value) {
  const genie_tensor_type_t type = genie_value_type(value);
  int64_t elements = 1;
  for (int i = 0; i < type.rank; ++i) {
    elements *= genie_dim_value(type.dims[i]);
    if (elements > MAX_ELEMENTS) {
      return false;
    }
  }
  return true;
}

static genie_status_t replace_by_constant(MlirOperation op, MlirOperation *out_constant) {
  const genie_evaluator_t evaluator = {.allocator = genie_allocator_heap(), .load_weight = refuse_weight};
  genie_host_tensor_t tensor;
  GENIE_RETURN_IF_ERROR(genie_evaluate(&evaluator, genie_rewrite_result(op), &tensor));
  const genie_ir_attribute_t value = {"value", genie_evaluate_to_attribute(mlirOperationGetContext(op), &tensor)};
  genie_host_tensor_deinit(evaluator.allocator, &tensor);
  MlirValue constant;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_typed(op, "genie.constant", 0, NULL, 1, &value,
                                                 mlirValueGetType(genie_rewrite_result(op)), &constant));
  *out_constant = mlirOpResultGetOwner(constant);
  genie_rewrite_replace(op, constant);
  return GENIE_OK;
}

static genie_status_t fold_ops(const genie_op_list_t *list, genie_pointer_map_t *known) {
  for (int i = 0; i < list->count; ++i) {
    MlirOperation op = list->ops[i];
    if (!genie_op_is(op, "genie.constant")) {
      if (!follows_from_constants(op, known)) {
        continue;
      }
      if (is_small(genie_rewrite_result(op))) {
        GENIE_RETURN_IF_ERROR(replace_by_constant(op, &op));
      }
    }
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(known, op.ptr, i));
  }
  return GENIE_OK;
}

static genie_status_t fold_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_pointer_map_t known;
  genie_pointer_map_init(&known);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  if (status == GENIE_OK) {
    status = fold_ops(&list, &known);
  }
  genie_pointer_map_deinit(&known);
  genie_arena_deinit(&arena);
  return status == GENIE_OK ? genie_rewrite_erase_dead(genie_rewrite_body(function)) : status;
}

genie_status_t genie_pass_fold(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, fold_function);
}
