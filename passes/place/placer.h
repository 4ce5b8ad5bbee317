// What place-by-cost and its choice of micro-batches share.
#ifndef GENIE_PASSES_PLACE_PLACER_H_
#define GENIE_PASSES_PLACE_PLACER_H_

#include "passes/place/place_problem.h"

// Of an op that the user or a policy keeps from some device, from place-by-cost to recompute, which removes it: the op
// runs where it is placed and is computed nowhere else.
#define GENIE_PLACER_BOUND_ATTRIBUTE "genie.is_bound"

typedef struct genie_placer {
  const genie_pass_context_t *context;
  MlirModule module;
  const genie_cost_machine_t *machine;
  bool is_throughput;     // a stream of calls, not one
  int64_t micro_batches;  // 0: as many as pay; 1: none; others are what the user wants
  genie_arena_t *arena;   // of the function at hand
} genie_placer_t;

// An entry, its problem and an answer.
typedef struct genie_placed {
  MlirOperation function;
  genie_place_problem_t problem;
  genie_placement_t placement;
} genie_placed_t;

// The problem of `function` with the user's rules and all policies applied.
genie_status_t genie_placer_prepare(const genie_placer_t *placer, MlirOperation function,
                                    genie_place_problem_t *out_problem) GENIE_MUST_USE;

// Of a stream of calls only the stages count: the ends of a call may lie anywhere.
void genie_placer_free_ends(genie_place_problem_t *problem);

// Splits the batch of `whole`, which is placed, where that is predicted to pay: then `whole` is the unrolled function,
// which has taken the place of the other one, with its problem and answer. INVALID_ARGUMENT: the user wants a number of
// micro-batches that is not possible; the message says why.
genie_status_t genie_placer_split_batch(const genie_placer_t *placer, genie_placed_t *whole) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_PLACER_H_
