#include "passes/place/policy_plugin.h"

#define GENIE_PLACE_POLICY(function, name, summary) genie_status_t function(genie_place_problem_t *problem);
#include "passes/place/policies.def"
#undef GENIE_PLACE_POLICY

genie_status_t genie_place_policies_apply(const genie_plugins_t *plugins, genie_place_problem_t *problem) {
#define GENIE_PLACE_POLICY(function, name, summary) \
  GENIE_RETURN_IF_ERROR(genie_status_annotate(function(problem), "placement policy " name));
#include "passes/place/policies.def"
#undef GENIE_PLACE_POLICY
  return genie_policy_plugins_run(plugins, problem);
}
