// Shared objects with recognisers and placement policies (include/genie/plugin.h).
#ifndef GENIE_PASSES_PLUGIN_H_
#define GENIE_PASSES_PLUGIN_H_

#include "genie/plugin.h"
#include "runtime/base/status.h"

enum { GENIE_PLUGIN_MAX_COUNT = 16 };

typedef struct genie_plugin {
  void *library;
  const char *path;
  int recogniser_count;
  const genie_plugin_recogniser_t *recognisers;
  int policy_count;
  const genie_plugin_policy_t *policies;
} genie_plugin_t;

// In the caller's memory. Starts zeroed.
typedef struct genie_plugins {
  int count;
  genie_plugin_t plugins[GENIE_PLUGIN_MAX_COUNT];
} genie_plugins_t;

// Loads the shared object `path`, which must live as long as the plugins. INVALID_ARGUMENT says what is wrong with it:
// no such file, neither recognisers nor policies, another ABI, an unknown recogniser to run before.
genie_status_t genie_plugins_load(genie_plugins_t *plugins, const char *path) GENIE_MUST_USE;
void genie_plugins_deinit(genie_plugins_t *plugins);

#endif  // GENIE_PASSES_PLUGIN_H_
