// Placement policies as they should not be, and one that asks for everything. WHICH names the case; each is a shared
// object of its own.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "genie/plugin.h"

// Over examples/06-plugin-policy/model.mlir: two devices, twelve ops in a chain.
static int ask(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement) {
  double rate;
  int64_t latency;
  int from, to;
  uint64_t bytes;
  char text[64];
  const bool sees_devices =
      host->device_count(placement) == 2 && strcmp(host->device_name(placement, 1), "centre:cpu0") == 0 &&
      strcmp(host->device_kind(placement, 0), "cpu") == 0 && host->device_flops_per_s(placement, 1, "f32") == 8e11 &&
      host->device_bytes_per_s(placement, 0) == 2e10 && host->device_memory_bytes(placement, 0) == UINT64_MAX &&
      host->link(placement, GENIE_PLUGIN_CALLER, 1, &rate, &latency) && latency == 900000;
  const bool sees_ops = host->op_count(placement) == 12 && strcmp(host->op_kind(placement, 1), "genie.relu") == 0 &&
                        host->op_said(placement, 4, "module", sizeof text, text) && strcmp(text, "layers.1") == 0 &&
                        host->op_flops(placement, 0) == 2.0 * 256 * 1024 * 1024 &&
                        host->op_resident_bytes(placement, 0) == 4 << 20 && !host->op_reads_state(placement, 0) &&
                        host->op_pin(placement, 0) == -1 &&
                        host->op_time_ns(placement, 0, 0) > host->op_time_ns(placement, 0, 1);
  const bool sees_edges = host->edge_count(placement) == 13 && host->edge(placement, 0, &from, &to, &bytes) &&
                          from == GENIE_PLUGIN_CALLER && to == 0 && bytes == 1 << 20 &&
                          host->edge(placement, 12, &from, &to, &bytes) && from == 11 && to == GENIE_PLUGIN_CALLER;
  // What does not exist has nothing, and takes nothing.
  const bool has_any = host->op_time_ns(placement, 12, 0) != -1 || host->op_time_ns(placement, 0, 2) != -1 ||
                       host->op_said(placement, -1, "module", sizeof text, text) ||
                       host->op_said(placement, 0, "colour", sizeof text, text) ||
                       host->op_attribute_i64(placement, 0, "genie.place", &latency) ||
                       host->link(placement, 0, 0, &rate, &latency) || host->edge(placement, 13, &from, &to, &bytes) ||
                       host->keep_together(placement, 0, 12) || host->pin(placement, 0, GENIE_PLUGIN_CALLER) ||
                       host->forbid(placement, 99, 0) || host->add_cost(placement, 0, 2, 1);
  if (!sees_devices || !sees_ops || !sees_edges || has_any) {
    return 1;
  }
  const int64_t time = host->op_time_ns(placement, 0, 0);
  const bool is_taken = host->pin(placement, 0, 1) && host->op_pin(placement, 0) == 1 &&
                        host->keep_together(placement, 0, 1) && host->add_cost(placement, 0, 0, 500) &&
                        host->op_time_ns(placement, 0, 0) == time + 500 && host->add_cost(placement, 0, 0, INT64_MIN) &&
                        host->op_time_ns(placement, 0, 0) == 0;
  const bool is_torn = host->pin(placement, 1, 0) || host->forbid(placement, 0, 1) ||
                       (host->pin(placement, 5, 0) && host->keep_together(placement, 0, 5));
  printf("%s\n", is_taken && !is_torn ? "asked" : "wrong");
  return is_taken && !is_torn ? 0 : 2;
}

static int stop(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement) {
  (void)host, (void)placement;
  return 7;
}

static int forbid_all(const genie_plugin_placement_host_t *host, genie_plugin_placement_t *placement) {
  return host->forbid(placement, 4, 0) && host->forbid(placement, 4, 1) ? 0 : 1;
}

const genie_plugin_policy_t *genie_plugin_policies(uint32_t abi, int *out_count) {
  static const genie_plugin_policy_t ASKS[] = {{"asks", ask}};
  static const genie_plugin_policy_t STOPS[] = {{"stops", stop}};
  static const genie_plugin_policy_t FORBIDS[] = {{"forbids", forbid_all}};
  static const genie_plugin_policy_t NAMELESS[] = {{NULL, stop}};
  *out_count = abi == GENIE_PLUGIN_ABI ? 1 : 0;
  const char *which = WHICH;
  return strcmp(which, "asks") == 0      ? ASKS
         : strcmp(which, "stops") == 0   ? STOPS
         : strcmp(which, "forbids") == 0 ? FORBIDS
                                         : NAMELESS;
}
