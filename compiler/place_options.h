// --pool and --place: the places of a compile as module attributes, for the passes of the phase "place".
#ifndef GENIE_COMPILER_PLACE_OPTIONS_H_
#define GENIE_COMPILER_PLACE_OPTIONS_H_

#include "compiler/options.h"
#include "ir/genie_ir.h"

// Sets `genie.places`, with the figures that the pool has, `genie.links` and `genie.place_rules`. The first place is
// the pool's first device, or the first that a rule names: ops that no rule reaches and nothing draws elsewhere are
// there. Nothing is set without --pool and --place. INVALID_ARGUMENT: what is wrong with an option; errors of the
// pool's file.
genie_status_t genie_place_options_apply(const genie_compiler_options_t *options, MlirModule module) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_PLACE_OPTIONS_H_
