// The rules of the pass `decompose`, by subject.
#ifndef GENIE_PASSES_CANONICALISE_DECOMPOSE_H_
#define GENIE_PASSES_CANONICALISE_DECOMPOSE_H_

#include "passes/graph/rules.h"

extern const genie_rule_t genie_decompose_integer_rules[];

#endif  // GENIE_PASSES_CANONICALISE_DECOMPOSE_H_
