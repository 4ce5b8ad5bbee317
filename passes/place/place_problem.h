// The placement problem of an entry, as policies see and edit it before it is solved.
//
// Node 0 is the call: it makes the inputs, at the client. The last node is the return: it reads the outputs, at the
// client. Between them is a node for each op that computes; views belong to what they look at. The devices are the
// module's places, in order, and the client after them, which runs nothing else.
#ifndef GENIE_PASSES_PLACE_PLACE_PROBLEM_H_
#define GENIE_PASSES_PLACE_PLACE_PROBLEM_H_

#include "passes/cost/cost_model.h"
#include "passes/graph/rewrite.h"
#include "passes/place/placement.h"

typedef struct genie_place_problem {
  MlirOperation function;
  const genie_cost_machine_t *machine;
  genie_arena_t *arena;
  uint32_t client;  // number of the client's device
  genie_placement_problem_t placement;
  MlirOperation *ops;  // [node_count], null for the call and the return
  int64_t *time_ns;    // as in `placement`, to be edited
  int64_t *added_ns;   // [node_count, device_count] what of it policies have added
  uint64_t *resident_bytes;
  uint32_t *group;
  uint32_t *pin;
  uint64_t memory_limit_bytes[GENIE_PLACEMENT_MAX_DEVICES];
  uint32_t group_count;
} genie_place_problem_t;

// A policy edits times, groups, pins and limits of a problem before it is solved. One file, one row of policies.def.
typedef genie_status_t (*genie_place_policy_fn_t)(genie_place_problem_t *problem);

// Applies all policies in the order of their table, then those of plugins (NULL: none).
struct genie_plugins;
genie_status_t genie_place_policies_apply(const struct genie_plugins *plugins,
                                          genie_place_problem_t *problem) GENIE_MUST_USE;

// All in `arena`. Ops that have a `genie.place` are pinned to it.
genie_status_t genie_place_problem_make(MlirOperation function, const genie_cost_machine_t *machine,
                                        genie_arena_t *arena, genie_place_problem_t *out_problem) GENIE_MUST_USE;

// Puts two nodes into one group, with all that are in a group with either.
void genie_place_problem_join(genie_place_problem_t *problem, uint32_t a, uint32_t b);

// The node of an op; NONE for one that is no node.
uint32_t genie_place_problem_find(const genie_place_problem_t *problem, MlirOperation op);

// Whether `value` is an argument of the entry that holds a state.
bool genie_place_problem_is_state(const genie_place_problem_t *problem, MlirValue value);

#endif  // GENIE_PASSES_PLACE_PLACE_PROBLEM_H_
