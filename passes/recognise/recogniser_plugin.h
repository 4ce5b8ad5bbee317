// Recognisers from shared objects (include/genie/plugin.h).
#ifndef GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_
#define GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_

#include "genie/plugin.h"
#include "passes/recognise/semantic_graph.h"

enum { GENIE_RECOGNISER_MAX_PLUGINS = 16 };

typedef struct genie_recogniser_plugin {
  void *library;
  const char *path;
  int recogniser_count;
  const genie_plugin_recogniser_t *recognisers;
} genie_recogniser_plugin_t;

// In the caller's memory. Starts zeroed.
typedef struct genie_recogniser_plugins {
  int count;
  genie_recogniser_plugin_t plugins[GENIE_RECOGNISER_MAX_PLUGINS];
} genie_recogniser_plugins_t;

// Loads the shared object `path`, which must live as long as the plugins. INVALID_ARGUMENT says what is wrong with it:
// no such file, no genie_plugin_recognisers(), another ABI, an unknown name to run before.
genie_status_t genie_recogniser_plugins_load(genie_recogniser_plugins_t *plugins, const char *path) GENIE_MUST_USE;
void genie_recogniser_plugins_deinit(genie_recogniser_plugins_t *plugins);

// Runs those that want to run before the built-in recogniser `before`, or after all where it is NULL.
genie_status_t genie_recogniser_plugins_run(const genie_recogniser_plugins_t *plugins, const char *before,
                                            genie_semantic_graph_t *graph) GENIE_MUST_USE;

#endif  // GENIE_PASSES_RECOGNISE_RECOGNISER_PLUGIN_H_
