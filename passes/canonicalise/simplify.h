// The rules of the pass `simplify`, by subject.
#ifndef GENIE_PASSES_CANONICALISE_SIMPLIFY_H_
#define GENIE_PASSES_CANONICALISE_SIMPLIFY_H_

#include "passes/graph/rules.h"

extern const genie_rule_t genie_simplify_view_rules[];
extern const genie_rule_t genie_simplify_pointwise_rules[];
extern const genie_rule_t genie_simplify_product_rules[];
extern const genie_rule_t genie_simplify_row_rules[];

#endif  // GENIE_PASSES_CANONICALISE_SIMPLIFY_H_
