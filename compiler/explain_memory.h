// How much of each place's temporaries is alive at each instruction of an entry.
#ifndef GENIE_COMPILER_EXPLAIN_MEMORY_H_
#define GENIE_COMPILER_EXPLAIN_MEMORY_H_

#include <jansson.h>

#include "ir/genie_ir.h"

// Sets in `out_entry` "memory": for each of `place_count` places a list of [instruction, bytes], one for each of its
// own instructions in the plan's order; bytes are those of the ranges of its slab that were written before or there and
// are read there or later, for the greatest sizes. RESOURCE_EXHAUSTED when there is no memory for it.
genie_status_t genie_explain_memory_make(MlirOperation plan_entry, int place_count, json_t *out_entry) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_EXPLAIN_MEMORY_H_
