// simplify: local rewrites that never cost anything, until none is left.
#include "passes/canonicalise/simplify.h"

static genie_status_t simplify(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  static const genie_rule_t *const TABLES[] = {genie_simplify_view_rules, genie_simplify_pointwise_rules,
                                               genie_simplify_product_rules, genie_simplify_row_rules};
  return genie_rules_apply(function, sizeof(TABLES) / sizeof(TABLES[0]), TABLES);
}

genie_status_t genie_pass_simplify(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, simplify);
}
