// What --explain says of how an entry was placed by cost: predicted time, how far from the best it can be,
// micro-batches. The time is the placement's, without what later passes save: recompute, narrower types, pieces.
#ifndef GENIE_COMPILER_EXPLAIN_PLACEMENT_H_
#define GENIE_COMPILER_EXPLAIN_PLACEMENT_H_

#include <jansson.h>
#include <stdio.h>

#include "ir/genie_ir.h"

// A line or two of text; nothing where the entry was not placed by cost.
void genie_explain_placement_print(MlirOperation function, FILE *out);

// The same as an object, which the caller releases: {"objective", "latency_ms", "bottleneck_ms", "bound_ms",
// "is_optimal", "micro_batches", "whole_latency_ms"}, the last where there are several. NULL where the entry was not
// placed by cost.
json_t *genie_explain_placement_make(MlirOperation function);

#endif  // GENIE_COMPILER_EXPLAIN_PLACEMENT_H_
