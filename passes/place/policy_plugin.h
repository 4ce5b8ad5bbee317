// Placement policies from shared objects.
#ifndef GENIE_PASSES_PLACE_POLICY_PLUGIN_H_
#define GENIE_PASSES_PLACE_POLICY_PLUGIN_H_

#include "passes/place/place_problem.h"
#include "passes/plugin.h"

// INVALID_ARGUMENT: one without a name or a function.
genie_status_t genie_policy_plugin_check(const genie_plugin_t *plugin) GENIE_MUST_USE;

// Runs the policies of all plugins in order. INVALID_ARGUMENT names the plugin and the policy that failed, or that left
// no device for an op.
genie_status_t genie_policy_plugins_run(const genie_plugins_t *plugins, genie_place_problem_t *problem) GENIE_MUST_USE;

#endif  // GENIE_PASSES_PLACE_POLICY_PLUGIN_H_
