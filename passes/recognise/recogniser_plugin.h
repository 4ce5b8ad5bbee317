// Recognisers from shared objects.
#ifndef GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_
#define GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_

#include "passes/plugin.h"
#include "passes/recognise/semantic_graph.h"

// INVALID_ARGUMENT: one without a name or a function, or that wants to run before something unknown.
genie_status_t genie_recogniser_plugin_check(const genie_plugin_t *plugin) GENIE_MUST_USE;

// Runs those that want to run before the built-in recogniser `before`, or after all where it is NULL.
genie_status_t genie_recogniser_plugins_run(const genie_plugins_t *plugins, const char *before,
                                            genie_semantic_graph_t *graph) GENIE_MUST_USE;

#endif  // GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_
