// Two placement policies as a shared object.
//
// near-caller: what the caller sends is read by the devices that it reaches soonest, and by no others, so that raw data
// never travels further. whole-layers: the ops of one module stay together.
#include <stdlib.h>
#include <string.h>

#include "genie/plugin.h"

static int64_t caller_latency(const genie_plugin_placement_host_t *host, const genie_plugin_placement_t *placement,
                              int device) {
  double bytes_per_s;
  int64_t latency_ns;
  const bool is_there = host->link(placement, GENIE_PLUGIN_CALLER, device, &bytes_per_s, &latency_ns);
  return is_there ? latency_ns : INT64_MAX;
}

static int read_inputs_near(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement) {
  int64_t least = INT64_MAX;
  for (int device = 0; device < host->device_count(placement); ++device) {
    const int64_t latency = caller_latency(host, placement, device);
    least = latency < least ? latency : least;
  }
  for (int edge = 0; edge < host->edge_count(placement); ++edge) {
    int from, to;
    uint64_t bytes;
    host->edge(placement, edge, &from, &to, &bytes);
    if (from != GENIE_PLUGIN_CALLER || to == GENIE_PLUGIN_CALLER || bytes == 0) {
      continue;
    }
    for (int device = 0; device < host->device_count(placement); ++device) {
      if (caller_latency(host, placement, device) > least) {
        host->forbid(placement, to, device);
      }
    }
  }
  return 0;
}

enum { MODULE_BYTES = 256 };

static int keep_modules_whole(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement) {
  char before[MODULE_BYTES] = "", module[MODULE_BYTES];
  for (int op = 0; op < host->op_count(placement); ++op) {
    if (!host->op_said(placement, op, "module", MODULE_BYTES, module)) {
      module[0] = '\0';
    }
    if (module[0] != '\0' && strcmp(module, before) == 0) {
      host->keep_together(placement, op - 1, op);
    }
    memcpy(before, module, MODULE_BYTES);
  }
  return 0;
}

const genie_plugin_policy_t *genie_plugin_policies(uint32_t abi, int *out_count) {
  static const genie_plugin_policy_t POLICIES[] = {{.name = "near-caller", .run = read_inputs_near},
                                                   {.name = "whole-layers", .run = keep_modules_whole}};
  *out_count = sizeof POLICIES / sizeof POLICIES[0];
  return abi == GENIE_PLUGIN_ABI ? POLICIES : NULL;
}
