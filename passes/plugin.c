#include "passes/plugin.h"

#include <dlfcn.h>

#include "passes/place/policy_plugin.h"
#include "passes/recognise/recogniser_plugin.h"

// Asks the object for what it has; `out_is_plugin` is false where it defines neither function.
static void read_tables(genie_plugin_t *plugin, bool *out_is_plugin) {
  genie_plugin_recognisers_fn_t recognisers;
  genie_plugin_policies_fn_t policies;
  *(void **)&recognisers = dlsym(plugin->library, "genie_plugin_recognisers");
  *(void **)&policies = dlsym(plugin->library, "genie_plugin_policies");
  *out_is_plugin = recognisers != NULL || policies != NULL;
  if (recognisers != NULL) {
    plugin->recognisers = recognisers(GENIE_PLUGIN_ABI, &plugin->recogniser_count);
  }
  if (policies != NULL) {
    plugin->policies = policies(GENIE_PLUGIN_ABI, &plugin->policy_count);
  }
  plugin->recogniser_count = plugin->recognisers == NULL ? 0 : plugin->recogniser_count;
  plugin->policy_count = plugin->policies == NULL ? 0 : plugin->policy_count;
}

static genie_status_t check(const genie_plugin_t *plugin, bool is_plugin) {
  if (!is_plugin) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--plugin=%s: defines neither genie_plugin_recognisers() nor genie_plugin_policies()",
                             plugin->path);
  }
  if (plugin->recogniser_count < 1 && plugin->policy_count < 1) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--plugin=%s: has no recogniser and no policy for plugin ABI %d, which this compiler has",
                             plugin->path, GENIE_PLUGIN_ABI);
  }
  GENIE_RETURN_IF_ERROR(genie_recogniser_plugin_check(plugin));
  return genie_policy_plugin_check(plugin);
}

genie_status_t genie_plugins_load(genie_plugins_t *plugins, const char *path) {
  if (plugins->count == GENIE_PLUGIN_MAX_COUNT) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--plugin: at most %d are taken", GENIE_PLUGIN_MAX_COUNT);
  }
  genie_plugin_t plugin = {.path = path, .library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
  if (plugin.library == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--plugin=%s: cannot be loaded: %s", path, dlerror());
  }
  bool is_plugin;
  read_tables(&plugin, &is_plugin);
  const genie_status_t status = check(&plugin, is_plugin);
  if (status != GENIE_OK) {
    dlclose(plugin.library);
    return status;
  }
  plugins->plugins[plugins->count++] = plugin;
  return GENIE_OK;
}

void genie_plugins_deinit(genie_plugins_t *plugins) {
  for (int i = 0; i < plugins->count; ++i) {
    dlclose(plugins->plugins[i].library);
  }
  plugins->count = 0;
}
