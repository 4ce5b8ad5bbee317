// Local rewrites: a table of rules, each for one op name, applied until none does anything.
#ifndef GENIE_PASSES_GRAPH_RULES_H_
#define GENIE_PASSES_GRAPH_RULES_H_

#include "passes/graph/rewrite.h"

// Looks at `op`; when it can do better, builds the replacement before `op` and gives it in `out_value` (of the same
// type as the op's one result, or left null). It does not erase or change `op` or any other.
typedef genie_status_t (*genie_rule_fn_t)(MlirOperation op, MlirValue *out_value);

typedef struct genie_rule {
  const char *name;  // of the op, as in "genie.reshape"; NULL ends a table
  genie_rule_fn_t apply;
} genie_rule_t;

// Applies the rules of all `table_count` tables to the body of `function` until nothing changes.
genie_status_t genie_rules_apply(MlirOperation function, int table_count,
                                 const genie_rule_t *const *tables) GENIE_MUST_USE;

#endif  // GENIE_PASSES_GRAPH_RULES_H_
