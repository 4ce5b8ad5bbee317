// Which node and device each place of a plan runs on: what the plan says, what the caller maps elsewhere, and what the
// pool has.
#ifndef GENIE_REMOTE_EXEC_CLIENT_PLACEMENT_H_
#define GENIE_REMOTE_EXEC_CLIENT_PLACEMENT_H_

#include "genie/genie.h"
#include "runtime/plan/reader.h"
#include "runtime/pool/pool.h"

// Where one place is; indices into the pool.
typedef struct genie_placement {
  uint32_t node;
  uint32_t device;
} genie_placement_t;

// Fills `out_placements[place_count]`. INVALID_ARGUMENT, NOT_FOUND: the map, or a node or device that the pool does not
// have. FAILED_PRECONDITION: a device of another kind than the plan's code is for.
genie_status_t genie_placement_resolve(const genie_plan_t *plan, const genie_pool_t *pool,
                                       const genie_remote_options_t *options,
                                       genie_placement_t *out_placements) GENIE_MUST_USE;

// Moves the places of `lost_node` to another node that is not the local one, is not in use by any place, is not in
// `is_excluded[node_count]`, and has a device of each kind. UNAVAILABLE: there is none.
genie_status_t genie_placement_move(const genie_plan_t *plan, const genie_pool_t *pool, uint32_t lost_node,
                                    const bool *is_excluded, genie_placement_t *placements) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_CLIENT_PLACEMENT_H_
