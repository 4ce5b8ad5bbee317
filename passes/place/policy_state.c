// state: a cache moves only when it is first written. All ops that read a state and the op that makes its next value
// run where it lies; where another entry has placed it already, these do too.
#include "ir/place.h"
#include "passes/place/place_problem.h"

// The module's genie.state that `symbol` names.
static MlirOperation find_state(MlirOperation function, MlirAttribute symbol) {
  const MlirSymbolTable table = mlirSymbolTableCreate(mlirOperationGetParentOperation(function));
  const MlirOperation state = mlirSymbolTableLookup(table, mlirFlatSymbolRefAttrGetValue(symbol));
  mlirSymbolTableDestroy(table);
  return state;
}

static void join(genie_place_problem_t *problem, uint32_t node, uint32_t *first) {
  if (node == GENIE_PLACEMENT_NONE) {
    return;
  }
  if (*first == GENIE_PLACEMENT_NONE) {
    *first = node;
  }
  genie_place_problem_join(problem, *first, node);
}

// Joins the readers and the writer of the state that argument `index` holds.
static void keep_together(genie_place_problem_t *problem, MlirValue argument, MlirStringRef name) {
  uint32_t first = GENIE_PLACEMENT_NONE;
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(problem->ops[node]); ++i) {
      if (mlirValueEqual(genie_rewrite_view_root(mlirOperationGetOperand(problem->ops[node], i)), argument)) {
        join(problem, node, &first);
      }
    }
  }
  const MlirBlock body = genie_rewrite_body(problem->function);
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (!genie_op_is(op, "genie.state_update")) {
      continue;
    }
    const MlirAttribute symbol = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("state"));
    const MlirValue root = genie_rewrite_view_root(mlirOperationGetOperand(op, 0));
    if (mlirStringRefEqual(mlirFlatSymbolRefAttrGetValue(symbol), name) && mlirValueIsAOpResult(root)) {
      join(problem, genie_place_problem_find(problem, mlirOpResultGetOwner(root)), &first);
    }
  }
  const MlirAttribute symbol = mlirFlatSymbolRefAttrGet(mlirOperationGetContext(problem->function), name);
  const MlirOperation state = find_state(problem->function, symbol);
  if (first != GENIE_PLACEMENT_NONE && !mlirOperationIsNull(state) && genie_ir_has_place(state)) {
    problem->pin[first] = (uint32_t)genie_ir_place(state);
  }
}

genie_status_t genie_place_policy_state(genie_place_problem_t *problem);

genie_status_t genie_place_policy_state(genie_place_problem_t *problem) {
  const MlirBlock body = genie_rewrite_body(problem->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    const MlirValue argument = mlirBlockGetArgument(body, i);
    if (genie_ir_argument_role(problem->function, i, &name) == GENIE_IR_ARGUMENT_STATE) {
      keep_together(problem, argument, name);
    }
  }
  return GENIE_OK;
}
