// recompute: what is cheaper to compute again than to send is computed where it is read.
//
// A small op (no product, hardly any weights) whose result crosses to another place gets a copy there when the time of
// the copy, and of sending what it reads and would not be there otherwise, is predicted to be less than the time of
// sending its result. Ops are taken last first, so that what a copy reads may be copied in turn. What the user or a
// policy keeps from some device is not copied.
#include "ir/place.h"
#include "passes/cost/cost_model.h"
#include "passes/graph/rewrite.h"
#include "passes/place/placer.h"

// Weights beyond this are not carried to a further place for it.
static const double kMostWeightBytes = 64 * 1024;
// Sending must be predicted to take longer by this factor: predictions are not that good.
static const double kLeastGain = 1.1;

typedef struct recomputer {
  const genie_cost_machine_t *machine;
  MlirOperation function;
} recomputer_t;

static bool is_at(MlirOperation op, int place) {
  return genie_op_info_get(op) != NULL && !genie_rewrite_is_view(op) && genie_ir_has_place(op) &&
         genie_ir_place(op) == place;
}

// Whether an op at `place` other than `except` reads `value` or a view of it.
static bool is_read_at(MlirValue value, int place, MlirOperation except) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation reader = mlirOpOperandGetOwner(use);
    if (mlirOperationEqual(reader, except)) {
      continue;
    }
    const bool is_view = genie_op_info_get(reader) != NULL && genie_rewrite_is_view(reader);
    if (is_at(reader, place) || (is_view && is_read_at(genie_rewrite_result(reader), place, except))) {
      return true;
    }
  }
  return false;
}

static double send_ns(const recomputer_t *recomputer, MlirValue value, int place) {
  const double bytes = genie_value_maximum_bytes(recomputer->function, value);
  const MlirOperation op = genie_rewrite_definer(value);
  const genie_cost_link_t *link = mlirOperationIsNull(op) || !genie_ir_has_place(op)
                                      ? &recomputer->machine->from_client[place]
                                      : &recomputer->machine->links[genie_ir_place(op)][place];
  return link->latency_ns + 1e9 * bytes / link->bytes_per_s;
}

// The time of computing `op` at `place` with all that it reads; negative where that is not to be.
static double recompute_ns(const recomputer_t *recomputer, MlirOperation op, int place) {
  const genie_cost_work_t work = genie_cost_work_of(op);
  double time = genie_cost_work_ns(&recomputer->machine->places[place], &work, 1e18);
  if (work.class != GENIE_COST_CLASS_MOVE && work.class != GENIE_COST_CLASS_ROW) {
    return -1;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue root = genie_rewrite_view_root(mlirOperationGetOperand(op, i));
    MlirStringRef name;
    const bool is_argument = mlirValueIsABlockArgument(root);
    const double bytes = genie_value_maximum_bytes(recomputer->function, root);
    if (genie_ir_is_compile_time(root) && bytes > kMostWeightBytes) {
      return -1;  // however little of a table is read, all of it would be there
    }
    if (is_argument && genie_ir_argument_role(recomputer->function, mlirBlockArgumentGetArgNumber(root), &name) ==
                           GENIE_IR_ARGUMENT_STATE) {
      return -1;
    }
    const bool is_there = genie_ir_is_compile_time(root) || is_read_at(root, place, op) ||
                          (!is_argument && is_at(mlirOpResultGetOwner(root), place));
    time += is_there ? 0 : send_ns(recomputer, root, place);
  }
  return time;
}

static bool pays(const recomputer_t *recomputer, MlirOperation op, int place) {
  const double again_ns = recompute_ns(recomputer, op, place);
  return again_ns >= 0 && kLeastGain * again_ns < send_ns(recomputer, genie_rewrite_result(op), place);
}

// What `operand`, the result of `op` or a view of it, is over `copy`.
static MlirValue over_copy(MlirValue operand, MlirOperation op, MlirOperation copy, MlirOperation reader) {
  const MlirOperation definer = mlirOpResultGetOwner(operand);
  if (mlirOperationEqual(definer, op)) {
    return genie_rewrite_result(copy);
  }
  const MlirValue below = over_copy(mlirOperationGetOperand(definer, 0), op, copy, reader);
  const MlirOperation view = mlirOperationClone(definer);
  mlirOperationSetOperand(view, 0, below);
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(reader), reader, view);
  return genie_rewrite_result(view);
}

static void copy_to(MlirOperation op, int place, const genie_op_list_t *list) {
  const MlirOperation copy = mlirOperationClone(op);
  genie_ir_set_place(copy, place);
  mlirBlockInsertOwnedOperationAfter(mlirOperationGetBlock(op), op, copy);
  for (int i = 0; i < list->count; ++i) {
    const MlirOperation reader = list->ops[i];
    for (intptr_t k = 0; is_at(reader, place) && k < mlirOperationGetNumOperands(reader); ++k) {
      const MlirValue operand = mlirOperationGetOperand(reader, k);
      if (mlirValueEqual(genie_rewrite_view_root(operand), genie_rewrite_result(op))) {
        mlirOperationSetOperand(reader, k, over_copy(operand, op, copy, reader));
      }
    }
  }
}

static bool is_candidate(MlirOperation op) {
  return genie_op_info_get(op) != NULL && genie_ir_has_place(op) && !genie_ir_has(op, GENIE_PLACER_BOUND_ATTRIBUTE) &&
         genie_rewrite_is_pure(op) && !genie_rewrite_is_view(op) && mlirOperationGetNumResults(op) == 1;
}

static void unbind(MlirBlock body) {
  const MlirStringRef name = mlirStringRefCreateFromCString(GENIE_PLACER_BOUND_ATTRIBUTE);
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    mlirOperationRemoveDiscardableAttributeByName(op, name);
  }
}

static genie_status_t recompute_in(recomputer_t *recomputer, genie_arena_t *arena) {
  const MlirBlock body = genie_rewrite_body(recomputer->function);
  genie_op_list_t list;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(body, arena, &list));
  for (int i = list.count; i-- > 0;) {
    const MlirOperation op = list.ops[i];
    bool is_changed = false;
    if (!is_candidate(op)) {
      continue;
    }
    for (int place = 0; place < recomputer->machine->place_count; ++place) {
      if (place != genie_ir_place(op) && is_read_at(genie_rewrite_result(op), place, op) &&
          pays(recomputer, op, place)) {
        copy_to(op, place, &list);
        is_changed = true;
      }
    }
    if (is_changed) {  // the copies are looked at as well: what they read lies before them
      GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(body, arena, &list));
      while (i < list.count && !mlirOperationEqual(list.ops[i], op)) {
        ++i;
      }
    }
  }
  unbind(body);
  return genie_rewrite_erase_dead(body);
}

genie_status_t genie_pass_recompute(const genie_pass_context_t *context, MlirModule module) {
  (void)context;
  const MlirOperation top = mlirModuleGetOperation(module);
  genie_cost_machine_t machine;
  if (mlirAttributeIsNull(mlirOperationGetAttributeByName(top, mlirStringRefCreateFromCString("genie.objective")))) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(module, &machine));
  genie_status_t status = GENIE_OK;
  for (MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
       status == GENIE_OK && !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      genie_arena_t arena;
      genie_arena_init(genie_allocator_heap(), 0, &arena);
      recomputer_t recomputer = {.machine = &machine, .function = op};
      status = recompute_in(&recomputer, &arena);
      genie_arena_deinit(&arena);
    }
  }
  return status;
}
