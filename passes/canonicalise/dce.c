// dce: ops that nobody reads are gone.
#include "passes/graph/rewrite.h"

static genie_status_t erase_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  return genie_rewrite_erase_dead(genie_rewrite_body(function));
}

genie_status_t genie_pass_dce(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, erase_in_function);
}
