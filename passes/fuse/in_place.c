// in-place: a kernel that only replaces some elements of a buffer that nobody reads afterwards writes into that buffer.
//
// The attribute `in_place` of such a kernel has an entry for each result: the number of the operand whose buffer it takes,
// or -1. A decode step's cache writes become stores of one row.
#include "passes/graph/rewrite.h"

enum { NOT_IN_PLACE = -1, MAX_RESULTS = 64 };

static const char *const UPDATING_OPS[] = {"genie.index_copy", "genie.index_put", "genie.scatter",
                                           "genie.slice_scatter"};

static bool is_updating(MlirOperation op) {
  for (size_t i = 0; i < sizeof(UPDATING_OPS) / sizeof(UPDATING_OPS[0]); ++i) {
    if (genie_op_is(op, UPDATING_OPS[i])) {
      return true;
    }
  }
  return false;
}

// The operand of `kernel` that result `result` is an update of, and that the kernel reads for nothing else.
static intptr_t updated_operand(MlirOperation kernel, intptr_t result) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
  const MlirValue yielded = mlirOperationGetOperand(mlirBlockGetTerminator(body), result);
  const MlirOperation update = genie_rewrite_definer(yielded);
  if (mlirOperationIsNull(update) || !is_updating(update)) {
    return NOT_IN_PLACE;
  }
  const MlirValue x = mlirOperationGetOperand(update, 0);
  if (!mlirValueIsABlockArgument(x) || !genie_rewrite_has_one_use(x)) {
    return NOT_IN_PLACE;
  }
  return mlirBlockArgumentGetArgNumber(x);
}

// True when every use of `value` other than by `kernel` is by a kernel in front of it.
static bool is_last_reader(MlirOperation kernel, MlirValue value) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (!mlirOperationEqual(user, kernel) &&
        !(genie_op_is(user, "genie.kernel") && mlirOperationIsBeforeInBlock(user, kernel))) {
      return false;
    }
  }
  return true;
}

static intptr_t in_place_operand(MlirOperation kernel, intptr_t result) {
  int64_t operands[MAX_RESULTS];
  if (!genie_ir_has(kernel, "in_place")) {
    return NOT_IN_PLACE;
  }
  const int count = genie_ir_i64_array(kernel, "in_place", MAX_RESULTS, operands);
  return result < count ? (intptr_t)operands[result] : NOT_IN_PLACE;
}

// True when `value`, or what later kernels make of it in place, becomes the content of `state`.
static bool becomes_state(MlirValue value, MlirStringRef state) {
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (genie_op_is(user, "genie.state_update") && mlirStringRefEqual(genie_ir_string(user, "state"), state)) {
      return true;
    }
    for (intptr_t r = 0; genie_op_is(user, "genie.kernel") && r < mlirOperationGetNumResults(user); ++r) {
      if (in_place_operand(user, r) == (intptr_t)mlirOpOperandGetOperandNumber(use) &&
          becomes_state(mlirOperationGetResult(user, r), state)) {
        return true;
      }
    }
  }
  return false;
}

// Temporaries may always be overwritten after their last reader; of what a function is given, only the state that the
// result replaces.
static bool may_overwrite(MlirOperation function, MlirOperation kernel, MlirValue old, MlirValue updated) {
  if (!is_last_reader(kernel, old) || !genie_rewrite_same_type(old, updated)) {
    return false;
  }
  if (!mlirValueIsABlockArgument(old)) {
    return genie_op_is(mlirOpResultGetOwner(old), "genie.kernel");
  }
  MlirStringRef name;
  return genie_ir_argument_role(function, mlirBlockArgumentGetArgNumber(old), &name) == GENIE_IR_ARGUMENT_STATE &&
         becomes_state(updated, name);
}

static void mark_kernel(MlirOperation function, MlirOperation kernel) {
  int64_t operands[MAX_RESULTS];
  const intptr_t count = mlirOperationGetNumResults(kernel);
  bool has_any = false;
  for (intptr_t r = 0; r < count && count <= MAX_RESULTS; ++r) {
    operands[r] = updated_operand(kernel, r);
    if (operands[r] != NOT_IN_PLACE && !may_overwrite(function, kernel, mlirOperationGetOperand(kernel, operands[r]),
                                                      mlirOperationGetResult(kernel, r))) {
      operands[r] = NOT_IN_PLACE;
    }
    has_any |= operands[r] != NOT_IN_PLACE;
  }
  if (has_any) {
    mlirOperationSetAttributeByName(kernel, mlirStringRefCreateFromCString("in_place"),
                                    genie_ir_i64_array_attr(mlirOperationGetContext(kernel), (int)count, operands));
  }
}

// Backwards: whether a result becomes state depends on the kernels behind.
static genie_status_t mark_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  const genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  for (int i = status == GENIE_OK ? list.count - 1 : -1; i >= 0; --i) {
    if (genie_op_is(list.ops[i], "genie.kernel")) {
      mark_kernel(function, list.ops[i]);
    }
  }
  genie_arena_deinit(&arena);
  return status;
}

genie_status_t genie_pass_in_place(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, mark_function);
}
