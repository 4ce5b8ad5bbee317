// estimate: every kernel knows the time that it is predicted to take.
#include "passes/cost/cost_model.h"
#include "passes/graph/rewrite.h"

static int place_of(MlirOperation op) {
  return genie_ir_has(op, "genie.place") ? (int)genie_ir_i64(op, "genie.place") : 0;
}

// Bytes of the weights that each place reads; a weight counts once for each of its readers, as few have several.
static void sum_weights(const genie_op_list_t *list, const genie_cost_machine_t *machine, double *resident) {
  for (int i = 0; i < list->count; ++i) {
    const int place = place_of(list->ops[i]);
    if (genie_op_is(list->ops[i], "genie.kernel") && place < machine->place_count) {
      resident[place] += genie_cost_work_of(list->ops[i]).weight_bytes;
    }
  }
}

static genie_status_t estimate(const genie_cost_machine_t *machine, MlirContext context, const genie_op_list_t *list) {
  double resident[GENIE_COST_MAX_PLACES] = {0};
  sum_weights(list, machine, resident);
  for (int i = 0; i < list->count; ++i) {
    if (!genie_op_is(list->ops[i], "genie.kernel")) {
      continue;
    }
    const int place = place_of(list->ops[i]);
    if (place < 0 || place >= machine->place_count) {
      return genie_status_make(GENIE_STATUS_INTERNAL, "a kernel is on place %d of %d", place, machine->place_count);
    }
    const genie_cost_work_t work = genie_cost_work_of(list->ops[i]);
    const double time = genie_cost_work_ns(&machine->places[place], &work, resident[place]);
    mlirOperationSetDiscardableAttributeByName(list->ops[i], mlirStringRefCreateFromCString("genie.cost_ns"),
                                               genie_ir_i64_attr(context, time < 9e18 ? (int64_t)time : INT64_MAX));
  }
  return GENIE_OK;
}

static genie_status_t estimate_function(const genie_pass_context_t *context, MlirOperation function) {
  const MlirModule module = mlirModuleFromOperation(mlirOperationGetParentOperation(function));
  genie_cost_machine_t machine;
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(module, &machine));
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  if (status == GENIE_OK) {
    status = estimate(&machine, context->context, &list);
  }
  genie_arena_deinit(&arena);
  return status;
}

genie_status_t genie_pass_estimate(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, estimate_function);
}
