// The physical order that images take: channels, dimension 1, innermost.
#ifndef GENIE_PASSES_LAYOUT_CHANNELS_LAST_H_
#define GENIE_PASSES_LAYOUT_CHANNELS_LAST_H_

#include "ir/genie_ir.h"

enum { GENIE_CHANNELS_LAST_LEAST_RANK = 3, GENIE_CHANNELS_LAST_GREATEST_RANK = 5 };

// [0, 2, .., rank - 1, 1]
void genie_channels_last_order(int rank, int64_t *out_order);

// True for a kernel's result that its `layouts` place channels-last.
bool genie_channels_last_is(MlirValue value);

#endif  // GENIE_PASSES_LAYOUT_CHANNELS_LAST_H_
