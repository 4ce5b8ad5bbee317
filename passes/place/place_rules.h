// Rules that place ops by the module of the model that they come from: `--place 'encoder.*=node1:cpu0'`.
//
// The module attribute `genie.place_rules = [{pattern = "encoder.*", place = 1 : i64}, ...]` holds them. A pattern is
// matched against the path in `genie.module` ("encoder.layer.0:BertLayer" has the path "encoder.layer.0"): `*` stands
// for any characters, dots too, `?` for one, and a pattern that ends in ".*" takes the module before it as well. The
// last rule that matches wins.
#ifndef GENIE_PASSES_PLACE_PLACE_RULES_H_
#define GENIE_PASSES_PLACE_PLACE_RULES_H_

#include "passes/pass.h"
#include "runtime/base/arena.h"

typedef struct genie_place_rule {
  const char *pattern;
  const char *parent;  // the pattern of the module before ".*", or ""
  int place;
  int match_count;
} genie_place_rule_t;

typedef struct genie_place_rules {
  genie_place_rule_t *rules;
  int count;
} genie_place_rules_t;

// INVALID_ARGUMENT: the attribute is not as above, or names a place that the module does not have.
genie_status_t genie_place_rules_read(MlirModule module, genie_arena_t *arena,
                                      genie_place_rules_t *out_rules) GENIE_MUST_USE;

// The place of the last rule that matches, counted; -1 if none does.
int genie_place_rules_match(genie_place_rules_t *rules, MlirOperation op);

// INVALID_ARGUMENT names a rule that matched nothing, and paths of the module that are nearest to it.
genie_status_t genie_place_rules_check(const genie_place_rules_t *rules, MlirModule module) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_PLACE_RULES_H_
