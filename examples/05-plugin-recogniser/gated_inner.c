// A recogniser as a shared object: gated feed-forward networks.
//
//     mul(activation(linear(x)), linear(x))
#include <stddef.h>
#include <string.h>

#include "genie/plugin.h"

static bool is_kind(const genie_plugin_host_t *host, const genie_plugin_graph_t *graph, int node, const char *kind) {
  return node >= 0 && strcmp(host->kind(graph, node), kind) == 0;
}

static bool is_activation(const genie_plugin_host_t *host, const genie_plugin_graph_t *graph, int node) {
  return is_kind(host, graph, node, "genie.silu") || is_kind(host, graph, node, "genie.gelu") ||
         is_kind(host, graph, node, "genie.relu") || is_kind(host, graph, node, "genie.sigmoid");
}

// The gate is an activation of one product, the other operand another product of the same states.
static bool is_gated(const genie_plugin_host_t *host, const genie_plugin_graph_t *graph, int gate, int value) {
  const int product = is_activation(host, graph, gate) ? host->operand(graph, gate, 0) : -1;
  return is_kind(host, graph, product, "genie.linear") && is_kind(host, graph, value, "genie.linear") &&
         product != value && host->operand(graph, product, 0) == host->operand(graph, value, 0);
}

static int run(const genie_plugin_host_t *host, genie_plugin_graph_t *graph) {
  for (int node = 0; node < host->node_count(graph); ++node) {
    if (!is_kind(host, graph, node, "genie.mul")) {
      continue;
    }
    const int a = host->operand(graph, node, 0), b = host->operand(graph, node, 1);
    if (is_gated(host, graph, a, b) || is_gated(host, graph, b, a)) {
      host->say(graph, node, "role", "gate", 0.9, "an activated product weighs another product of the same states");
    }
  }
  return 0;
}

const genie_plugin_recogniser_t *genie_plugin_recognisers(uint32_t abi, int *out_count) {
  static const genie_plugin_recogniser_t RECOGNISERS[] = {{.name = "gated-inner", .before = NULL, .run = run}};
  *out_count = sizeof RECOGNISERS / sizeof RECOGNISERS[0];
  return abi == GENIE_PLUGIN_ABI ? RECOGNISERS : NULL;
}
