// Whether an entry can run a batch in parts, proved by data flow: which axis of every value is made of one block an
// item of the batch, blocks that follow from the same blocks of what is read.
//
// A value is *split* along an axis whose size is the batch times a run: block i, `run` long, follows from item i of the
// inputs. Other values are *whole*: they follow from weights, constants and inputs that have no batch, and are computed
// once. An op that mixes items, such as a normalisation over the batch, is an obstacle.
#ifndef GENIE_PASSES_PLACE_BATCH_SPLIT_H_
#define GENIE_PASSES_PLACE_BATCH_SPLIT_H_

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

enum { GENIE_BATCH_WHOLE = -1, GENIE_BATCH_OBSTACLE_BYTES = 256 };

typedef struct genie_batch_split {
  int64_t batch;                // items; 1 where there is an obstacle
  genie_pointer_map_t axis_of;  // values that are split -> their axis
  char obstacle[GENIE_BATCH_OBSTACLE_BYTES];
} genie_batch_split_t;

// The batch is the first dimension of the first input that has one; inputs whose first dimension is as large are split.
// An obstacle is no error: `out_split->obstacle` names it.
genie_status_t genie_batch_split_init(MlirOperation function, genie_batch_split_t *out_split) GENIE_MUST_USE;
void genie_batch_split_deinit(genie_batch_split_t *split);

// The axis along which `value` is split, or WHOLE.
int genie_batch_split_axis(const genie_batch_split_t *split, MlirValue value);

// The axis of operand `index` of a split op along which its block is taken, or WHOLE where it is read as it is.
int genie_batch_split_operand_axis(const genie_batch_split_t *split, MlirOperation op, intptr_t index);

#endif  // GENIE_PASSES_PLACE_BATCH_SPLIT_H_
