// Offsets for temporaries: ranges whose lifetimes meet do not overlap.
#ifndef GENIE_CODEGEN_PLAN_MEMORY_PLAN_H_
#define GENIE_CODEGEN_PLAN_MEMORY_PLAN_H_

#include "runtime/base/arena.h"

// One range of memory, in use from step `first` to step `last`, both included.
typedef struct genie_memory_range {
  uint64_t size_bytes;
  int first, last;
  uint64_t offset;  // out: a multiple of 64
} genie_memory_range_t;

// Places ranges largest first, each into the tightest gap that holds it among those it meets (greedy by size with best
// fit; Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). Gives the bytes in all.
// The arena is for work only.
genie_status_t genie_memory_plan(genie_arena_t *arena, int count, genie_memory_range_t *ranges,
                                 uint64_t *out_total_bytes) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_PLAN_MEMORY_PLAN_H_
