// Inside of the placement solvers: a problem with its consumers listed, and the scratch memory that evaluates it.
#ifndef GENIE_PASSES_PLACE_PLACEMENT_MODEL_H_
#define GENIE_PASSES_PLACE_PLACEMENT_MODEL_H_

#include "passes/place/placement.h"

typedef struct genie_placement_model {
  const genie_placement_problem_t *problem;
  genie_arena_t *arena;
  uint32_t *first_consumer;  // [value_count + 1] into `consumers`
  uint32_t *consumers;       // nodes that read each value, in order
  uint32_t *first_output;    // [node_count + 1] into `outputs`
  uint32_t *outputs;         // values that each node makes, in order
  uint32_t *leader;          // [node_count] the first node of the group, itself where it is alone
  bool is_memory_binding;    // one device alone could not hold all that is resident

  // Of genie_placement_model_run().
  int64_t *arrival_ns;  // [value_count, device_count]
  int64_t *finish_ns;   // [node_count]
} genie_placement_model_t;

// When devices and links are free again.
typedef struct genie_placement_clock {
  int64_t device_ns[GENIE_PLACEMENT_MAX_DEVICES];
  int64_t link_ns[GENIE_PLACEMENT_MAX_DEVICES][GENIE_PLACEMENT_MAX_DEVICES];
} genie_placement_clock_t;

// Everything is free.
void genie_placement_clock_reset(const genie_placement_problem_t *problem, genie_placement_clock_t *clock);

genie_status_t genie_placement_model_init(const genie_placement_problem_t *problem, genie_arena_t *arena,
                                          genie_placement_model_t *out_model) GENIE_MUST_USE;

// How long `size_bytes` occupy the link between two different devices.
int64_t genie_placement_link_ns(const genie_placement_problem_t *problem, uint32_t from, uint32_t to,
                                uint64_t size_bytes);

// Runs `node` on `device[node]`, then sends what it made to the devices of those consumers that lie below `last_node`.
// Its producers ran before. Returns when the node ends.
int64_t genie_placement_model_run(genie_placement_model_t *model, const uint32_t *device, uint32_t node,
                                  uint32_t last_node, genie_placement_clock_t *clock);

// The latency of a whole assignment, in which every node can run where it is.
int64_t genie_placement_model_latency(genie_placement_model_t *model, const uint32_t *device);

// Whether all nodes can run where they are and memory suffices.
bool genie_placement_model_is_feasible(const genie_placement_model_t *model, const uint32_t *device);

static inline int64_t genie_placement_time(const genie_placement_problem_t *problem, uint32_t node, uint32_t device) {
  return problem->time_ns[(size_t)node * problem->device_count + device];
}

// Whether a node may run on a device at all, its wish respected.
static inline bool genie_placement_allows(const genie_placement_problem_t *problem, uint32_t node, uint32_t device) {
  return genie_placement_time(problem, node, device) != GENIE_PLACEMENT_NEVER &&
         (problem->pin == NULL || problem->pin[node] == GENIE_PLACEMENT_NONE || problem->pin[node] == device);
}

// ---- The solvers that genie_placement_solve() takes the best of ----

// Nodes through which every path from a first to a last node goes and between which no group spans, ascending; the
// graph's last node is always the last of them. They cut the graph into segments that run one after another whatever
// the assignment is: only what a cut itself makes crosses it.
genie_status_t genie_placement_cuts(const genie_placement_model_t *model, uint32_t **out_cuts,
                                    uint32_t *out_count) GENIE_MUST_USE;

// Dynamic programming over the cuts, segments between them enumerated where they are small. Leaves device[0] at NONE
// when nothing feasible was found.
genie_status_t genie_placement_serial(genie_placement_model_t *model, uint32_t *device,
                                      bool *out_is_optimal) GENIE_MUST_USE;

// Each node in order where it ends first ("heterogeneous earliest finish time", Topcuoglu et al. 2002, with the order
// given). Leaves device[0] at NONE when memory does not suffice.
// `by_chain` decides for a whole chain of nodes at its first.
genie_status_t genie_placement_earliest_finish(genie_placement_model_t *model, bool by_chain,
                                               uint32_t *device) GENIE_MUST_USE;

// Moves nodes with their groups, and runs of nodes, between devices while that shortens the call. `device` is feasible.
genie_status_t genie_placement_improve(genie_placement_model_t *model, uint32_t *device) GENIE_MUST_USE;

// A latency that no assignment can undercut: over the segments between cuts, the longest path with its transfers, or
// the work shared as evenly as the devices allow.
genie_status_t genie_placement_bound(genie_placement_model_t *model, int64_t *out_bound_ns) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_PLACEMENT_MODEL_H_
