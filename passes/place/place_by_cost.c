// place-by-cost: chooses the places of ops that have none, where the module asks for it by `genie.objective`:
// "latency" (one call is done soonest) or "throughput" (a stream of calls flows fastest).
#include <string.h>

#include "ir/place.h"
#include "passes/place/place_problem.h"
#include "passes/place/place_rules.h"
#include "passes/place/placement_model.h"
#include "passes/place/placer.h"

typedef genie_status_t (*solve_fn_t)(genie_place_problem_t *problem, genie_arena_t *arena,
                                     genie_placement_t *out_placement);

void genie_placer_free_ends(genie_place_problem_t *problem) {
  const uint32_t devices = problem->placement.device_count;
  const uint32_t last = problem->placement.node_count - 1;
  for (uint32_t d = 0; d < devices; ++d) {
    problem->time_ns[d] = 0;
    problem->time_ns[(size_t)last * devices + d] = 0;
  }
}

// One device alone is better than several that gain little: predictions are not that good, and every transfer can fail.
static const double kLeastGain = 1.05;

// Replaces a placement by the best on one device if that is nearly as fast.
static genie_status_t prefer_one_device(const genie_place_problem_t *problem, genie_arena_t *arena,
                                        genie_placement_t *placement) {
  const uint32_t count = problem->placement.node_count;
  uint32_t *device;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, sizeof(uint32_t), (void **)&device));
  double best_ns = kLeastGain * (double)placement->cost.latency_ns;
  for (uint32_t d = 0; d < problem->client; ++d) {
    for (uint32_t node = 0; node < count; ++node) {
      device[node] = node == 0 || node == count - 1 ? problem->client : d;
    }
    genie_placement_cost_t cost;
    const genie_status_t status = genie_placement_evaluate(&problem->placement, device, arena, &cost);
    if (status != GENIE_OK) {
      genie_status_free(status);  // it does not fit there
    } else if ((double)cost.latency_ns < best_ns) {
      best_ns = (double)cost.latency_ns;
      memcpy(placement->device, device, count * sizeof(uint32_t));
      placement->cost = cost;
    }
  }
  placement->is_optimal = placement->is_optimal && placement->cost.latency_ns <= placement->bound_ns;
  return GENIE_OK;
}

// Part of the latency that is given for fewer bytes between devices.
static const double kTrafficShare = 1.02;

static genie_status_t place_for_latency(genie_place_problem_t *problem, genie_arena_t *arena,
                                        genie_placement_t *out_placement) {
  GENIE_RETURN_IF_ERROR(genie_placement_solve(&problem->placement, arena, out_placement));
  const double allowed_ns = kTrafficShare * (double)out_placement->cost.latency_ns;
  GENIE_RETURN_IF_ERROR(genie_placement_save_traffic(&problem->placement, (int64_t)allowed_ns, arena, out_placement));
  return prefer_one_device(problem, arena, out_placement);
}

// A pipeline, or, where branches share the work better than stages do, what is best for one call.
static genie_status_t place_for_throughput(genie_place_problem_t *problem, genie_arena_t *arena,
                                           genie_placement_t *out_placement) {
  genie_placement_t branches;
  GENIE_RETURN_IF_ERROR(genie_placement_solve(&problem->placement, arena, &branches));
  genie_placer_free_ends(problem);
  GENIE_RETURN_IF_ERROR(genie_placement_solve_pipeline(&problem->placement, arena, out_placement));
  if (branches.cost.bottleneck_ns < out_placement->cost.bottleneck_ns) {
    *out_placement = branches;
    out_placement->is_optimal = false;
    out_placement->bound_ns = 0;
  }
  return GENIE_OK;
}

// NULL where the module has no objective.
static genie_status_t find_solver(MlirModule module, solve_fn_t *out_solve) {
  *out_solve = NULL;
  const MlirAttribute objective = mlirOperationGetAttributeByName(mlirModuleGetOperation(module),
                                                                  mlirStringRefCreateFromCString("genie.objective"));
  if (mlirAttributeIsNull(objective)) {
    return GENIE_OK;
  }
  const MlirStringRef text =
      mlirAttributeIsAString(objective) ? mlirStringAttrGetValue(objective) : mlirStringRefCreateFromCString("");
  if (mlirStringRefEqual(text, mlirStringRefCreateFromCString("latency"))) {
    *out_solve = place_for_latency;
  } else if (mlirStringRefEqual(text, mlirStringRefCreateFromCString("throughput"))) {
    *out_solve = place_for_throughput;
  } else {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.objective' must be \"latency\" or \"throughput\"");
  }
  return GENIE_OK;
}

// Places the states that an entry's ops now keep, so that the next entry finds them.
static void place_states(const genie_place_problem_t *problem, const uint32_t *device) {
  const MlirSymbolTable table = mlirSymbolTableCreate(mlirOperationGetParentOperation(problem->function));
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(problem->ops[node]); ++i) {
      const MlirValue root = genie_rewrite_view_root(mlirOperationGetOperand(problem->ops[node], i));
      if (!genie_place_problem_is_state(problem, root)) {
        continue;
      }
      MlirStringRef name;
      (void)genie_ir_argument_role(problem->function, mlirBlockArgumentGetArgNumber(root), &name);
      const MlirOperation state = mlirSymbolTableLookup(table, name);
      if (!mlirOperationIsNull(state)) {
        genie_ir_set_place(state, (int)device[node]);
      }
    }
  }
  mlirSymbolTableDestroy(table);
}

// Whether the user or a policy keeps a node from some device.
static bool is_bound(const genie_place_problem_t *problem, uint32_t node) {
  for (uint32_t d = 0; d < problem->client; ++d) {
    if (!genie_placement_allows(&problem->placement, node, d)) {
      return true;
    }
  }
  return false;
}

static void place_ops(const genie_place_problem_t *problem, const uint32_t *device) {
  const MlirAttribute is_true = genie_ir_bool_attr(mlirOperationGetContext(problem->function), true);
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    genie_ir_set_place(problem->ops[node], (int)device[node]);
    if (is_bound(problem, node)) {
      mlirOperationSetDiscardableAttributeByName(problem->ops[node],
                                                 mlirStringRefCreateFromCString(GENIE_PLACER_BOUND_ATTRIBUTE), is_true);
    }
  }
}

static void note(const genie_placer_t *placer, const genie_place_problem_t *problem,
                 const genie_placement_t *placement) {
  const MlirContext context = mlirOperationGetContext(problem->function);
  int64_t added_ns = 0;
  for (uint32_t node = 0; node < problem->placement.node_count; ++node) {
    added_ns += problem->added_ns[(size_t)node * problem->placement.device_count + placement->device[node]];
  }
  const struct {
    const char *name;
    MlirAttribute value;
  } rows[] = {
      {"added_ns", genie_ir_i64_attr(context, added_ns)},
      {"bottleneck_ns", genie_ir_i64_attr(context, placement->cost.bottleneck_ns)},
      {"bound_ns", genie_ir_i64_attr(context, placement->bound_ns)},
      {"is_optimal", genie_ir_bool_attr(context, placement->is_optimal)},
      {"latency_ns", genie_ir_i64_attr(context, placement->cost.latency_ns)},
      {"objective", genie_ir_string_attr(context, placer->is_throughput ? "throughput" : "latency")},
      {"traffic_bytes", genie_ir_i64_attr(context, (int64_t)placement->cost.traffic_bytes)},
  };
  enum { ROWS = sizeof rows / sizeof rows[0] };
  MlirNamedAttribute named[ROWS];
  for (int i = 0; i < ROWS; ++i) {
    named[i] =
        mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString(rows[i].name)), rows[i].value);
  }
  mlirOperationSetDiscardableAttributeByName(problem->function, mlirStringRefCreateFromCString("genie.placement"),
                                             mlirDictionaryAttrGet(context, ROWS, named));
}

// The user's wishes: ops that a rule names and that have no place yet. A rule that matches nothing is found later.
static genie_status_t pin_by_rules(MlirModule module, genie_place_problem_t *problem, genie_arena_t *arena) {
  genie_place_rules_t rules;
  GENIE_RETURN_IF_ERROR(genie_place_rules_read(module, arena, &rules));
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    const int place = genie_place_rules_match(&rules, problem->ops[node]);
    if (place >= 0) {
      problem->pin[node] = (uint32_t)place;
    }
  }
  return GENIE_OK;
}

genie_status_t genie_placer_prepare(const genie_placer_t *placer, MlirOperation function,
                                    genie_place_problem_t *out_problem) {
  GENIE_RETURN_IF_ERROR(genie_place_problem_make(function, placer->machine, placer->arena, out_problem));
  GENIE_RETURN_IF_ERROR(pin_by_rules(placer->module, out_problem, placer->arena));
  return genie_place_policies_apply(placer->context->plugins, out_problem);
}

static genie_status_t place_function(genie_placer_t *placer, solve_fn_t solve, MlirOperation function) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  placer->arena = &arena;
  genie_placed_t placed = {.function = function};
  genie_status_t status = genie_placer_prepare(placer, function, &placed.problem);
  if (status == GENIE_OK) {
    status = solve(&placed.problem, &arena, &placed.placement);
  }
  if (status == GENIE_OK) {
    status = genie_placer_split_batch(placer, &placed);
  }
  if (status == GENIE_OK) {
    place_ops(&placed.problem, placed.placement.device);
    place_states(&placed.problem, placed.placement.device);
    note(placer, &placed.problem, &placed.placement);
  }
  genie_arena_deinit(&arena);
  return status;
}

// 0 where the module does not say.
static genie_status_t read_micro_batches(MlirModule module, int64_t *out_count) {
  const MlirAttribute count = mlirOperationGetAttributeByName(mlirModuleGetOperation(module),
                                                              mlirStringRefCreateFromCString("genie.micro_batches"));
  *out_count = 0;
  if (!mlirAttributeIsNull(count) && (!mlirAttributeIsAInteger(count) || mlirIntegerAttrGetValueInt(count) < 0)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.micro_batches' must be a number from 0 on");
  }
  *out_count = mlirAttributeIsNull(count) ? 0 : mlirIntegerAttrGetValueInt(count);
  return GENIE_OK;
}

genie_status_t genie_pass_place_by_cost(const genie_pass_context_t *context, MlirModule module) {
  solve_fn_t solve = NULL;
  GENIE_RETURN_IF_ERROR(find_solver(module, &solve));
  if (solve == NULL) {
    return GENIE_OK;
  }
  genie_cost_machine_t machine;
  genie_placer_t placer = {
      .context = context, .module = module, .machine = &machine, .is_throughput = solve == place_for_throughput};
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(module, &machine));
  GENIE_RETURN_IF_ERROR(read_micro_batches(module, &placer.micro_batches));
  for (MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module)), next; !mlirOperationIsNull(op);
       op = next) {
    next = mlirOperationGetNextInBlock(op);
    if (genie_op_is(op, "func.func")) {
      GENIE_RETURN_IF_ERROR(place_function(&placer, solve, op));
    }
  }
  return GENIE_OK;
}
