// One call of a batch as several micro-batches, so that consecutive devices work on different ones at the same time.
//
// The ops that a batch_split proves independent are unrolled: micro-batch after micro-batch, each over slices of what
// is whole, and the outputs joined at the end. A place runs its list in order, so that the next place works on what the
// one before it has finished while that goes on.
#ifndef GENIE_PASSES_PLACE_MICRO_BATCH_H_
#define GENIE_PASSES_PLACE_MICRO_BATCH_H_

#include "passes/place/batch_split.h"

// Of an op of an unrolled function: the number of its micro-batch; absent where it is computed once.
#define GENIE_MICRO_BATCH_ATTRIBUTE "genie.micro_batch"
// Set by genie_micro_batch_mark(): the position of the op that it was in the function before.
#define GENIE_MICRO_BATCH_ORIGIN_ATTRIBUTE "genie.micro_origin"

// Numbers the ops of `function`; clones of it keep the numbers.
void genie_micro_batch_mark(MlirOperation function);
void genie_micro_batch_unmark(MlirOperation function);
// The number of `op`, or -1.
int64_t genie_micro_batch_origin(MlirOperation op);

// Unrolls `function` in place into `count` micro-batches; `count` divides the batch, and its split has no obstacle.
genie_status_t genie_micro_batch_unroll(MlirOperation function, int64_t count) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_MICRO_BATCH_H_
