// Plugins as they should not be, and one whose phases spread. WHICH names the case; each is a shared object of its own.
#include <stddef.h>
#include <string.h>

#include "genie/plugin.h"

static int say_phase(const genie_plugin_host_t *host, genie_plugin_graph_t *graph) {
  for (int node = 0; node < host->node_count(graph); ++node) {
    if (strcmp(host->kind(graph, node), "genie.silu") == 0) {
      host->say(graph, node, "phase", "prefill", 0.99, "the test says so");
    }
  }
  // What does not exist has nothing, and takes nothing.
  const bool is_taken = host->say(graph, 1 << 20, "phase", "prefill", 1, "") ||
                        host->say(graph, 0, "phase", "prefill", 1, "an argument") ||
                        host->say(graph, host->node_count(graph) - 1, "colour", "red", 1, "no such word");
  const bool has_any = host->operand(graph, -1, 0) >= 0 || host->rank(graph, 1 << 20) >= 0 ||
                       host->size(graph, 0, 99) >= 0 || host->said(graph, -5, "phase") != NULL;
  return is_taken || has_any ? 1 : 0;
}

static int fail(const genie_plugin_host_t *host, genie_plugin_graph_t *graph) {
  (void)host, (void)graph;
  return 7;
}

const genie_plugin_recogniser_t *genie_plugin_recognisers(uint32_t abi, int *out_count) {
  static const genie_plugin_recogniser_t SPREADS[] = {{"spreads", "phases", say_phase}};
  static const genie_plugin_recogniser_t FAILS[] = {{"fails", NULL, fail}};
  static const genie_plugin_recogniser_t LOST[] = {{"lost", "nowhere", fail}};
  *out_count = 1;
  const char *which = WHICH;
  if (strcmp(which, "other_abi") == 0) {
    return abi == GENIE_PLUGIN_ABI + 1 ? FAILS : NULL;
  }
  return strcmp(which, "spreads") == 0 ? SPREADS : strcmp(which, "fails") == 0 ? FAILS : LOST;
}
