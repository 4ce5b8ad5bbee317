// Which 3 x 3 convolutions are computed by minimal filtering (ir/winograd.h) instead of directly.
//
// The choice compares times in multiply-adds of one core:
//
//     direct    9 C O pixels                                          + 9 C O load
//     F(m x m)  ((m + 2)^2 C O + in(m) C + out(m) O) tiles            + (m + 2)^2 C O load
//
// a product a tap or point, the transforms of a tile, and the weight from memory, whose bytes (m + 2)^2 / 9 of the
// direct ones are also the price in the plan's size. docs/decisions says where the numbers are from.
#ifndef GENIE_PASSES_LAYOUT_FILTERING_H_
#define GENIE_PASSES_LAYOUT_FILTERING_H_

#include "ir/genie_ir.h"

// The packing of the weight of `conv`, a genie.conv in `function` that reads a channels-last image: "winograd_4" or
// "winograd_2" where minimal filtering is possible and clearly faster, else NULL.
const char *genie_filtering_choose(MlirOperation function, MlirOperation conv);

#endif  // GENIE_PASSES_LAYOUT_FILTERING_H_
