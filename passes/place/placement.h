// The placement problem, and its solvers: which device runs each node of a graph, so that a call ends soonest, or so
// that a stream of calls flows fastest.
//
// The model is what the executor does. A device runs its nodes one at a time in the order of their indices. A value
// goes to each device that reads it once, as soon as it was produced; what goes from one device to another goes one
// after another: the n-th byte leaves when those before it have left, and arrives `latency_ns` later. A call ends when
// its last node does. genie_placement_evaluate() is this definition; a solution is exact when no assignment evaluates
// to less.
//
// Everything is deterministic: no clock, no random number, ties go to the lower index.
#ifndef GENIE_PASSES_PLACE_PLACEMENT_H_
#define GENIE_PASSES_PLACE_PLACEMENT_H_

#include "runtime/base/arena.h"

enum {
  GENIE_PLACEMENT_MAX_DEVICES = 33,  // 32 of a pool and the client
  GENIE_PLACEMENT_MAX_NODES = 1 << 18,
};

#define GENIE_PLACEMENT_NONE UINT32_MAX
// No node and no transfer is planned to take longer: 73 minutes.
#define GENIE_PLACEMENT_MAX_NS ((int64_t)1 << 42)
// The time of a node on a device that cannot run it.
#define GENIE_PLACEMENT_NEVER INT64_MAX

typedef struct genie_placement_link {
  double bytes_per_s;  // > 0
  int64_t latency_ns;
} genie_placement_link_t;

typedef struct genie_placement_value {
  uint32_t producer;  // a node
  uint64_t size_bytes;
} genie_placement_value_t;

// Borrowed arrays. Nodes are in a topological order: a node reads values of nodes before it.
typedef struct genie_placement_problem {
  uint32_t device_count;
  const uint64_t *memory_limit_bytes;   // [device_count]
  const genie_placement_link_t *links;  // [device_count, device_count]: from, to; the diagonal is not read

  uint32_t node_count;
  const int64_t *time_ns;          // [node_count, device_count], or GENIE_PLACEMENT_NEVER
  const uint64_t *resident_bytes;  // [node_count] weights and state that lie where the node runs
  const uint32_t *group;  // [node_count] below node_count: its nodes share a device; NONE: alone. NULL: all alone
  const uint32_t *pin;    // [node_count] the device that the user wants, or NONE. NULL: no wishes

  uint32_t value_count;
  const genie_placement_value_t *values;
  const uint32_t *first_input;  // [node_count + 1] into `inputs`
  const uint32_t *inputs;       // values that each node reads
} genie_placement_problem_t;

// What an assignment costs.
typedef struct genie_placement_cost {
  int64_t latency_ns;     // when the last node of a call ends
  int64_t bottleneck_ns;  // busy time of the busiest device or link: one call after another flows at this interval
  uint64_t traffic_bytes;
} genie_placement_cost_t;

typedef struct genie_placement {
  uint32_t *device;  // [node_count]
  genie_placement_cost_t cost;
  int64_t bound_ns;  // no assignment has a smaller objective; equal to the cost when it was proven optimal
  bool is_optimal;
} genie_placement_t;

// INVALID_ARGUMENT: an index, order, time or link that the comments above do not allow; the message names it.
genie_status_t genie_placement_check(const genie_placement_problem_t *problem) GENIE_MUST_USE;

// The cost of `device[node_count]`. FAILED_PRECONDITION: a node cannot run where it is, a group is torn, a wish is not
// met, or memory does not suffice; the message says which.
genie_status_t genie_placement_evaluate(const genie_placement_problem_t *problem, const uint32_t *device,
                                        genie_arena_t *arena, genie_placement_cost_t *out_cost) GENIE_MUST_USE;

// Least latency of one call. Chains, and series-parallel graphs whose parallel parts are small, are solved exactly;
// otherwise the best of several heuristics, with a bound. The result lies in `arena`, which takes scratch memory too.
// RESOURCE_EXHAUSTED: no assignment was found that fits the memory; the message has the sums.
genie_status_t genie_placement_solve(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                     genie_placement_t *out_placement) GENIE_MUST_USE;

// Moves what gains little back to its neighbours: a placement whose latency is at most `allowed_ns`, with fewer bytes
// between devices where that is possible. Changes `placement` in place.
genie_status_t genie_placement_save_traffic(const genie_placement_problem_t *problem, int64_t allowed_ns,
                                            genie_arena_t *arena, genie_placement_t *placement) GENIE_MUST_USE;

// Least bottleneck of a stream of calls: consecutive parts of the graph become the stages of a pipeline, each on a
// device of its own. Exact among such pipelines: `is_optimal` speaks of them. Errors as genie_placement_solve().
genie_status_t genie_placement_solve_pipeline(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                              genie_placement_t *out_placement) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_PLACEMENT_H_
