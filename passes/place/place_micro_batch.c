#include <inttypes.h>
#include <string.h>

#include "passes/place/micro_batch.h"
#include "passes/place/placement_model.h"
#include "passes/place/placer.h"

enum {
  kMaxCount = 16,     // more rarely pay: every micro-batch has its launches and its transfers
  kMaxNodes = 40000,  // of an unrolled function
};
// What splitting must gain, as for using several devices at all.
static const double kLeastGain = 1.05;
// What it may cost a stream of calls.
static const double kMostLoss = 1.02;

typedef struct splitter {
  const genie_placer_t *placer;
  const genie_placed_t *whole;
  int64_t batch;
  uint32_t *latency_device, *pipeline_device;  // [origin_count] by the op's number; NONE: it is no node
  uint32_t origin_count;
  genie_placed_t best;
  int64_t best_count;
} splitter_t;

//===-- Candidates ------------------------------------------------------------------------------------------------===//

static genie_status_t by_origin(splitter_t *splitter, const uint32_t *device, uint32_t **out_by_origin) {
  const genie_place_problem_t *problem = &splitter->whole->problem;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(splitter->placer->arena, splitter->origin_count, sizeof(uint32_t), (void **)out_by_origin));
  memset(*out_by_origin, 0xff, splitter->origin_count * sizeof(uint32_t));
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    (*out_by_origin)[genie_micro_batch_origin(problem->ops[node])] = device[node];
  }
  return GENIE_OK;
}

// Where consecutive stages would lie: what a stream of whole calls gets.
static genie_status_t find_pipeline(splitter_t *splitter) {
  genie_place_problem_t problem;
  genie_placement_t placement;
  GENIE_RETURN_IF_ERROR(genie_placer_prepare(splitter->placer, splitter->whole->function, &problem));
  genie_placer_free_ends(&problem);
  const genie_status_t status = genie_placement_solve_pipeline(&problem.placement, splitter->placer->arena, &placement);
  if (status != GENIE_OK) {
    genie_status_free(status);  // no pipeline fits: the placement of one call is the only candidate
    splitter->pipeline_device = splitter->latency_device;
    return GENIE_OK;
  }
  return by_origin(splitter, placement.device, &splitter->pipeline_device);
}

// The copies of an op stay together.
static genie_status_t join_copies(const splitter_t *splitter, genie_place_problem_t *problem) {
  uint32_t *first;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(splitter->placer->arena, splitter->origin_count, sizeof(uint32_t), (void **)&first));
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    uint32_t *of_origin = &first[genie_micro_batch_origin(problem->ops[node])];
    if (*of_origin == 0) {
      *of_origin = node;
    } else {
      genie_place_problem_join(problem, *of_origin, node);
    }
  }
  return GENIE_OK;
}

// Gives the nodes of an unrolled problem the devices of their origins; what was no node goes with what it reads.
static void spread(const splitter_t *splitter, const genie_place_problem_t *problem, const uint32_t *by_origin_device,
                   uint32_t *device) {
  const genie_placement_problem_t *placement = &problem->placement;
  const uint32_t last = placement->node_count - 1;
  device[0] = splitter->whole->placement.device[0];
  device[last] = splitter->whole->placement.device[splitter->whole->problem.placement.node_count - 1];
  for (uint32_t node = 1; node < last; ++node) {
    device[node] = by_origin_device[genie_micro_batch_origin(problem->ops[node])];
    if (device[node] == GENIE_PLACEMENT_NONE) {
      const uint32_t producer = placement->values[placement->inputs[placement->first_input[node]]].producer;
      device[node] = producer == 0 ? 0 : device[producer];
    }
  }
}

// Keeps `candidate` if it is the best so far; the other function is erased.
static void keep_better(splitter_t *splitter, genie_placed_t *candidate, int64_t count) {
  const bool is_better = mlirOperationIsNull(splitter->best.function) ||
                         candidate->placement.cost.latency_ns < splitter->best.placement.cost.latency_ns;
  const MlirOperation loser = is_better ? splitter->best.function : candidate->function;
  if (is_better) {
    splitter->best = *candidate;
    splitter->best_count = count;
  }
  if (!mlirOperationIsNull(loser)) {
    mlirOperationDestroy(loser);
  }
}

static genie_status_t evaluate(const splitter_t *splitter, const uint32_t *by_origin_device, genie_placed_t *candidate,
                               bool *out_is_possible) {
  genie_placement_t placement = {0};
  const genie_placement_problem_t *problem = &candidate->problem.placement;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(splitter->placer->arena, problem->node_count, sizeof(uint32_t), (void **)&placement.device));
  spread(splitter, &candidate->problem, by_origin_device, placement.device);
  const genie_status_t status =
      genie_placement_evaluate(problem, placement.device, splitter->placer->arena, &placement.cost);
  if (status != GENIE_OK) {
    genie_status_free(status);  // memory or a rule forbids it
    return GENIE_OK;
  }
  if (!*out_is_possible || placement.cost.latency_ns < candidate->placement.cost.latency_ns) {
    candidate->placement = placement;
    *out_is_possible = true;
  }
  return GENIE_OK;
}

static genie_status_t prepare(const splitter_t *splitter, int64_t count, genie_placed_t *candidate) {
  GENIE_RETURN_IF_ERROR(genie_micro_batch_unroll(candidate->function, count));
  GENIE_RETURN_IF_ERROR(genie_placer_prepare(splitter->placer, candidate->function, &candidate->problem));
  if (splitter->placer->is_throughput) {
    genie_placer_free_ends(&candidate->problem);
  }
  return join_copies(splitter, &candidate->problem);
}

static bool is_allowed(const splitter_t *splitter, const genie_placed_t *candidate) {
  return !splitter->placer->is_throughput ||
         (double)candidate->placement.cost.bottleneck_ns <=
             kMostLoss * (double)splitter->whole->placement.cost.bottleneck_ns ||
         splitter->placer->micro_batches > 1;
}

static genie_status_t try_count(splitter_t *splitter, int64_t count) {
  genie_placed_t candidate = {.function = mlirOperationClone(splitter->whole->function)};
  mlirBlockAppendOwnedOperation(mlirModuleGetBody(splitter->placer->module), candidate.function);
  bool is_possible = false;
  genie_status_t status = prepare(splitter, count, &candidate);
  if (status == GENIE_OK) {
    status = evaluate(splitter, splitter->latency_device, &candidate, &is_possible);
  }
  if (status == GENIE_OK && !splitter->placer->is_throughput) {
    status = evaluate(splitter, splitter->pipeline_device, &candidate, &is_possible);
  }
  if (status == GENIE_OK && is_possible && is_allowed(splitter, &candidate)) {
    keep_better(splitter, &candidate, count);
  } else {
    mlirOperationDestroy(candidate.function);
  }
  return status;
}

//===-- The choice ------------------------------------------------------------------------------------------------===//

// Of one call, the boundaries between stages move while that helps.
static genie_status_t improve(splitter_t *splitter) {
  genie_placement_model_t model;
  genie_placed_t *best = &splitter->best;
  GENIE_RETURN_IF_ERROR(genie_placement_model_init(&best->problem.placement, splitter->placer->arena, &model));
  GENIE_RETURN_IF_ERROR(genie_placement_improve(&model, best->placement.device));
  GENIE_RETURN_IF_ERROR(genie_placement_bound(&model, &best->placement.bound_ns));
  return genie_placement_evaluate(&best->problem.placement, best->placement.device, splitter->placer->arena,
                                  &best->placement.cost);
}

// The unrolled function takes the place of the other one.
static genie_status_t take(splitter_t *splitter, genie_placed_t *whole) {
  const MlirContext context = mlirOperationGetContext(whole->function);
  const MlirAttribute name =
      mlirOperationGetAttributeByName(whole->function, mlirStringRefCreateFromCString("sym_name"));
  const MlirNamedAttribute rows[] = {
      mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString("count")),
                            genie_ir_i64_attr(context, splitter->best_count)),
      mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString("whole_latency_ns")),
                            genie_ir_i64_attr(context, whole->placement.cost.latency_ns))};
  mlirOperationMoveBefore(splitter->best.function, whole->function);
  mlirOperationDestroy(whole->function);
  mlirOperationSetAttributeByName(splitter->best.function, mlirStringRefCreateFromCString("sym_name"), name);
  mlirOperationSetDiscardableAttributeByName(splitter->best.function,
                                             mlirStringRefCreateFromCString("genie.micro_batches"),
                                             mlirDictionaryAttrGet(context, 2, rows));
  *whole = splitter->best;
  splitter->best.function = (MlirOperation){NULL};
  return genie_ir_verify(whole->function);
}

static genie_status_t choose(splitter_t *splitter, genie_placed_t *whole) {
  const int64_t wanted = splitter->placer->micro_batches;
  const uint32_t nodes = whole->problem.placement.node_count;
  GENIE_RETURN_IF_ERROR(by_origin(splitter, whole->placement.device, &splitter->latency_device));
  GENIE_RETURN_IF_ERROR(find_pipeline(splitter));
  const int64_t first = wanted > 1 ? wanted : 2, last = wanted > 1 ? wanted : kMaxCount;
  for (int64_t count = first; count <= last && count <= splitter->batch; ++count) {
    if (splitter->batch % count == 0 && (wanted > 1 || count * nodes <= kMaxNodes)) {
      GENIE_RETURN_IF_ERROR(try_count(splitter, count));
    }
  }
  if (mlirOperationIsNull(splitter->best.function)) {
    return wanted > 1 ? genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                          "--micro-batches=%" PRId64 ": a batch of %" PRId64
                                          " is not divided by it, or it does not fit the devices",
                                          wanted, splitter->batch)
                      : GENIE_OK;
  }
  if (!splitter->placer->is_throughput) {
    GENIE_RETURN_IF_ERROR(improve(splitter));
  }
  const bool is_worth_it =
      kLeastGain * (double)splitter->best.placement.cost.latency_ns <= (double)whole->placement.cost.latency_ns;
  return is_worth_it || wanted > 1 ? take(splitter, whole) : GENIE_OK;
}

genie_status_t genie_placer_split_batch(const genie_placer_t *placer, genie_placed_t *whole) {
  if (placer->micro_batches == 1 || (placer->machine->place_count < 2 && placer->micro_batches == 0)) {
    return GENIE_OK;
  }
  genie_batch_split_t split;
  genie_status_t status = genie_batch_split_init(whole->function, &split);
  splitter_t splitter = {.placer = placer, .whole = whole, .batch = split.batch};
  if (status == GENIE_OK && split.batch == 1 && placer->micro_batches > 1) {
    status =
        genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--micro-batches=%" PRId64 ": the batch cannot be split: %s",
                          placer->micro_batches, split.obstacle);
  }
  genie_batch_split_deinit(&split);
  if (status != GENIE_OK || splitter.batch == 1) {
    return status;
  }
  genie_micro_batch_mark(whole->function);
  for (MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(whole->function)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    ++splitter.origin_count;
  }
  status = choose(&splitter, whole);
  if (!mlirOperationIsNull(splitter.best.function)) {
    mlirOperationDestroy(splitter.best.function);
  }
  genie_micro_batch_unmark(whole->function);
  return status;
}
