// genie pool measure: small plans of our own, compiled when Genie was built, run on every device and between the nodes.
//
// A figure is of the best run: whatever else a machine does can only make one slower. What a call costs besides is
// measured too and taken off.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/genie/pool_command.h"
#include "tools/genie/progress_bar.h"

// A plan that the build embedded.
typedef struct embedded {
  const char *name;
  const char *place;  // that the plan has, for a device
  const char *kind;   // of device
  const unsigned char *bytes;
  const size_t *size_bytes;
} embedded_t;

#ifdef GENIE_HAS_MEASURE_PLANS
extern const unsigned char genie_embedded_measure_cpu[], genie_embedded_measure_cuda[], genie_embedded_measure_link[];
extern const size_t genie_embedded_measure_cpu_bytes, genie_embedded_measure_cuda_bytes,
    genie_embedded_measure_link_bytes;
static const embedded_t kDevicePlans[] = {
    {"measure_cpu", "local:cpu0", "cpu", genie_embedded_measure_cpu, &genie_embedded_measure_cpu_bytes},
    {"measure_cuda", "local:cuda0", "cuda", genie_embedded_measure_cuda, &genie_embedded_measure_cuda_bytes},
};
static const embedded_t kLinkPlan = {"measure_link", NULL, NULL, genie_embedded_measure_link,
                                     &genie_embedded_measure_link_bytes};
enum { kDevicePlanCount = sizeof(kDevicePlans) / sizeof(kDevicePlans[0]) };
#else
static const embedded_t *const kDevicePlans = NULL;
static const embedded_t kLinkPlan = {0};
enum { kDevicePlanCount = 0 };
#endif

static const struct {
  const char *entry;
  const char *state;
  genie_dtype_t dtype;
} kMatmuls[] = {
    {"matmul_f32", "f32_a", GENIE_DTYPE_F32},
    {"matmul_f16", "f16_a", GENIE_DTYPE_F16},
    {"matmul_bf16", "bf16_a", GENIE_DTYPE_BF16},
};
enum { kMatmulCount = sizeof(kMatmuls) / sizeof(kMatmuls[0]), kChain = 8, kLeastRuns = 3, kMostDevices = 64 };
static const uint64_t kTimeoutNs = (uint64_t)20 * 1000000000;
static const uint64_t kProbeBytes = 32 << 20;
static const double kSecond = 1e9;

typedef struct measuring {
  genie_pool_command_t *pool;
  genie_progress_bar_t bar;
  char pool_path[32];  // a descriptor with every device that the nodes have
  uint32_t failure_count;
} measuring_t;

// What failed is said and the rest goes on. Takes `status`.
static void note_failure(measuring_t *measuring, const char *what, genie_status_t status) {
  if (status != GENIE_OK) {
    genie_progress_bar_clear(&measuring->bar);
    fprintf(stderr, "genie pool: %s is not measured: %s\n", what, genie_status_message(status));
    genie_status_free(status);
    measuring->failure_count += 1;
  }
}

// ---- Runs of a plan ----

// A model from memory: a file that has no name.
static genie_status_t open_embedded(const embedded_t *embedded, genie_model_t **out_model) {
  char path[64];
  const int file = memfd_create(embedded->name, MFD_CLOEXEC);
  if (file < 0 || write(file, embedded->bytes, *embedded->size_bytes) != (ssize_t)*embedded->size_bytes) {
    if (file >= 0) {
      close(file);
    }
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a plan");
  }
  snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
  const genie_status_t status = genie_model_open(path, NULL, out_model);
  close(file);
  return status;
}

static genie_status_t open_session(const measuring_t *measuring, genie_model_t *model, const char *const *map,
                                   uint32_t map_count, genie_session_t **out_session) {
  const genie_pool_options_t *options = measuring->pool->options;
  const genie_remote_options_t remote = {.pool = measuring->pool_path,
                                         .place_map = map,
                                         .place_map_count = map_count,
                                         .is_strict = options->is_strict,
                                         .key = options->key,
                                         .known_nodes = options->known_nodes,
                                         .call_timeout_ns = kTimeoutNs};
  return genie_session_create(model, &(genie_session_options_t){.remote = &remote}, out_session);
}

// The shortest time of an entry without inputs and outputs.
static genie_status_t best_of(const measuring_t *measuring, genie_model_t *model, genie_session_t *session,
                              const char *name, double *out_ns) {
  uint32_t entry = 0;
  const genie_deadline_ns_t end = genie_deadline_after_ns((uint64_t)(measuring->pool->options->seconds * kSecond));
  GENIE_RETURN_IF_ERROR(genie_model_find_entry(model, name, &entry));
  GENIE_RETURN_IF_ERROR(genie_session_run(session, entry, NULL, 0, NULL, 0));
  *out_ns = 0;
  for (int run = 0; run < kLeastRuns || !genie_deadline_has_passed(end); ++run) {
    const uint64_t begin_ns = genie_deadline_clock_ns();
    GENIE_RETURN_IF_ERROR(genie_session_run(session, entry, NULL, 0, NULL, 0));
    const double ns = (double)(genie_deadline_clock_ns() - begin_ns);
    *out_ns = run == 0 || ns < *out_ns ? ns : *out_ns;
  }
  return GENIE_OK;
}

static double state_dim(const genie_model_t *model, const char *name, uint64_t *out_bytes) {
  genie_tensor_info_t info = {0};
  for (uint32_t i = 0; i < genie_model_state_count(model); ++i) {
    const genie_status_t status = genie_model_state_info(model, i, &info);
    if (status == GENIE_OK && strcmp(info.name, name) == 0) {
      *out_bytes = info.maximum_bytes;
      return (double)info.dims[0].maximum;
    }
    genie_status_free(status);
  }
  *out_bytes = 0;
  return 0;
}

// Four digits: what a measurement is worth. 0 for what is lost in noise.
static double rounded(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.4g", value);
  return value > 0 ? strtod(text, NULL) : 0;
}

// What moving or computing `amount` reaches in a second, beyond the time that a call takes anyway.
static double rate_of(double amount, double ns, double base_ns) {
  return ns > base_ns ? rounded(amount * kSecond / (ns - base_ns)) : 0;
}

// ---- Devices ----

static genie_status_t run_device(const measuring_t *measuring, genie_model_t *model, genie_session_t *session,
                                 genie_pool_device_t *device) {
  double fill_ns = 0, base_ns = 0, chain_ns = 0, ns = 0;
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "fill", &fill_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "one", &base_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "nine", &chain_ns));
  device->launch_ns = rounded((chain_ns - base_ns) / kChain);
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "copy", &ns));
  (void)state_dim(model, "memory", &bytes);
  device->memory_bytes_per_s = rate_of(2 * (double)bytes, ns, base_ns);
  for (int i = 0; i < kMatmulCount; ++i) {
    const double size = state_dim(model, kMatmuls[i].state, &bytes);
    GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, kMatmuls[i].entry, &ns));
    device->flops_per_s[kMatmuls[i].dtype] = rate_of(2 * size * size * size, ns, base_ns);
  }
  return GENIE_OK;
}

static genie_status_t measure_device(const measuring_t *measuring, const genie_pool_node_t *node,
                                     genie_pool_device_t *device) {
  const embedded_t *plan = NULL;
  char map[3 * GENIE_POOL_MAX_NAME_BYTES];
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  for (int i = 0; i < kDevicePlanCount; ++i) {
    plan = strcmp(kDevicePlans[i].kind, device->kind) == 0 ? &kDevicePlans[i] : plan;
  }
  if (plan == NULL) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "there is no plan for devices of kind '%s'", device->kind);
  }
  snprintf(map, sizeof(map), "%s=%s:%s", plan->place, node->name, device->name);
  GENIE_RETURN_IF_ERROR(open_embedded(plan, &model));
  genie_status_t status = open_session(measuring, model, (const char *const[]){map}, 1, &session);
  if (status == GENIE_OK) {
    status = run_device(measuring, model, session, device);
  }
  genie_session_destroy(session);
  genie_model_close(model);
  return status;
}

// Its devices with new figures; those that could not be measured keep their old ones.
static genie_status_t measure_devices(measuring_t *measuring, uint32_t index) {
  genie_pool_t *pool = measuring->pool->pool;
  const genie_pool_node_t *node = &pool->nodes[index];
  genie_pool_device_t devices[GENIE_POOL_MAX_DEVICES];
  for (uint32_t i = 0; i < node->device_count; ++i) {
    char label[3 * GENIE_POOL_MAX_NAME_BYTES];
    genie_pool_device_t measured = node->devices[i];
    snprintf(label, sizeof(label), "%s:%s", node->name, measured.name);
    genie_progress_bar_step(&measuring->bar, label);
    const genie_status_t status = measure_device(measuring, node, &measured);
    devices[i] = status == GENIE_OK ? measured : node->devices[i];
    note_failure(measuring, label, status);
  }
  return genie_pool_set_devices(pool, index, devices, node->device_count);
}

// ---- Links ----

static genie_status_t set_link(genie_pool_t *pool, uint32_t from, uint32_t to, double bytes_per_s, double latency_ns) {
  const genie_pool_link_t *known = genie_pool_find_link(pool, from, to);
  genie_pool_link_t link = known != NULL ? *known : (genie_pool_link_t){.from = from, .to = to};
  link.bytes_per_s = bytes_per_s;
  link.latency_ns = latency_ns;
  return genie_pool_set_link(pool, &link);
}

// The shortest of some pings with these payloads.
static genie_status_t best_ping(const measuring_t *measuring, genie_node_probe_t *probe, uint64_t sent_bytes,
                                uint64_t reply_bytes, double *out_ns) {
  const genie_deadline_ns_t end = genie_deadline_after_ns((uint64_t)(measuring->pool->options->seconds * kSecond));
  uint64_t ns = 0;
  *out_ns = 0;
  for (int run = 0; run < kLeastRuns || !genie_deadline_has_passed(end); ++run) {
    GENIE_RETURN_IF_ERROR(
        genie_node_probe_ping(probe, sent_bytes, reply_bytes, genie_deadline_after_ns(kTimeoutNs), &ns));
    *out_ns = run == 0 || (double)ns < *out_ns ? (double)ns : *out_ns;
  }
  return GENIE_OK;
}

static genie_status_t ping_node(const measuring_t *measuring, genie_node_probe_t *probe, uint32_t node) {
  genie_pool_t *pool = measuring->pool->pool;
  double small_ns = 0, sent_ns = 0, received_ns = 0;
  uint32_t local = 0;
  GENIE_RETURN_IF_ERROR(genie_pool_find_node(pool, GENIE_POOL_LOCAL_NODE, &local));
  GENIE_RETURN_IF_ERROR(best_ping(measuring, probe, 0, 0, &small_ns));
  GENIE_RETURN_IF_ERROR(best_ping(measuring, probe, kProbeBytes, 0, &sent_ns));
  GENIE_RETURN_IF_ERROR(best_ping(measuring, probe, 0, kProbeBytes, &received_ns));
  const double bytes = (double)kProbeBytes, latency_ns = rounded(small_ns / 2);
  GENIE_RETURN_IF_ERROR(set_link(pool, local, node, rate_of(bytes, sent_ns, small_ns), latency_ns));
  return set_link(pool, node, local, rate_of(bytes, received_ns, small_ns), latency_ns);
}

static genie_status_t measure_client_link(const measuring_t *measuring, uint32_t node) {
  genie_node_probe_t *probe = NULL;
  GENIE_RETURN_IF_ERROR(genie_node_probe_open(&measuring->pool->pool->nodes[node], &measuring->pool->keys,
                                              genie_deadline_after_ns(kTimeoutNs), measuring->pool->command->allocator,
                                              &probe));
  const genie_status_t status = ping_node(measuring, probe, node);
  genie_node_probe_close(probe);
  return status;
}

static const char *find_cpu(const genie_pool_node_t *node) {
  for (uint32_t i = 0; i < node->device_count; ++i) {
    if (strcmp(node->devices[i].kind, "cpu") == 0) {
      return node->devices[i].name;
    }
  }
  return NULL;
}

static genie_status_t run_link(const measuring_t *measuring, genie_model_t *model, genie_session_t *session,
                               uint32_t from, uint32_t to) {
  double fill_ns = 0, large_ns = 0, read_ns = 0, one_ns = 0, nine_ns = 0;
  uint64_t bytes = 0;
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "fill", &fill_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "large", &large_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "read", &read_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "one", &one_ns));
  GENIE_RETURN_IF_ERROR(best_of(measuring, model, session, "nine", &nine_ns));
  (void)state_dim(model, "large_a", &bytes);
  return set_link(measuring->pool->pool, from, to, rate_of((double)bytes, large_ns, read_ns),
                  rounded((nine_ns - one_ns) / kChain));
}

static genie_status_t measure_link(const measuring_t *measuring, uint32_t from, uint32_t to) {
  const genie_pool_node_t *nodes = measuring->pool->pool->nodes;
  const char *from_device = find_cpu(&nodes[from]), *to_device = find_cpu(&nodes[to]);
  char maps[2][3 * GENIE_POOL_MAX_NAME_BYTES];
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  if (from_device == NULL || to_device == NULL) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "one of them offers no CPU");
  }
  snprintf(maps[0], sizeof(maps[0]), "local:cpu0=%s:%s", nodes[from].name, from_device);
  snprintf(maps[1], sizeof(maps[1]), "local:cpu1=%s:%s", nodes[to].name, to_device);
  GENIE_RETURN_IF_ERROR(open_embedded(&kLinkPlan, &model));
  genie_status_t status = open_session(measuring, model, (const char *const[]){maps[0], maps[1]}, 2, &session);
  if (status == GENIE_OK) {
    status = run_link(measuring, model, session, from, to);
  }
  genie_session_destroy(session);
  genie_model_close(model);
  return status;
}

// ---- What there is ----

// Devices that the node offers and the pool does not name are added.
static genie_status_t discover_devices(genie_pool_t *pool, uint32_t index, const Genie__Wire__NodeInfo *info) {
  const genie_pool_node_t *node = &pool->nodes[index];
  genie_pool_device_t devices[kMostDevices];
  uint32_t count = node->device_count;
  if (count > 0) {
    memcpy(devices, node->devices, count * sizeof(*devices));
  }
  for (size_t i = 0; i < info->n_devices; ++i) {
    uint32_t known = 0;
    while (known < count && strcmp(devices[known].name, info->devices[i]->name) != 0) {
      ++known;
    }
    if (known == kMostDevices) {
      break;
    }
    if (known == count) {
      devices[count++] = (genie_pool_device_t){.name = info->devices[i]->name, .kind = info->devices[i]->kind};
    }
    devices[known].memory_bytes =
        info->devices[i]->memory_bytes > 0 ? info->devices[i]->memory_bytes : devices[known].memory_bytes;
  }
  return genie_pool_set_devices(pool, index, devices, count);
}

static genie_status_t discover(genie_pool_command_t *command, uint32_t index) {
  genie_node_probe_t *probe = NULL;
  genie_wire_control_t info = {0};
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(kTimeoutNs);
  GENIE_RETURN_IF_ERROR(genie_node_probe_open(&command->pool->nodes[index], &command->keys, deadline,
                                              command->command->allocator, &probe));
  genie_status_t status = genie_node_probe_ask(probe, GENIE_WIRE_GET_NODE_INFO, GENIE_WIRE_NODE_INFO, deadline, &info);
  if (status == GENIE_OK) {
    status = discover_devices(command->pool, index, info.node_info);
    genie_wire_control_deinit(&info);
  }
  genie_node_probe_close(probe);
  return status;
}

// The nodes that are measured: those that the file names and that are reached. The process's own devices become places
// that a plan may use only where the file names the node `local`.
static uint32_t discover_all(measuring_t *measuring, uint32_t *out_nodes) {
  const genie_pool_t *pool = measuring->pool->pool;
  uint32_t count = 0;
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (pool->nodes[i].is_implied || !genie_pool_command_wants(measuring->pool, &pool->nodes[i])) {
      continue;
    }
    const genie_status_t status = pool->nodes[i].address == NULL ? GENIE_OK : discover(measuring->pool, i);
    if (status == GENIE_OK) {
      out_nodes[count++] = i;
    }
    note_failure(measuring, pool->nodes[i].name, status);
  }
  return count;
}

// ---- The command ----

static uint32_t count_steps(const measuring_t *measuring, const uint32_t *nodes, uint32_t count) {
  const genie_pool_t *pool = measuring->pool->pool;
  uint32_t steps = 0, remote = 0;
  for (uint32_t i = 0; i < count; ++i) {
    steps += pool->nodes[nodes[i]].device_count;
    remote += pool->nodes[nodes[i]].address != NULL;
  }
  return measuring->pool->options->has_no_links ? steps : steps + remote * remote;
}

static void measure_links(measuring_t *measuring, const uint32_t *nodes, uint32_t count) {
  const genie_pool_t *pool = measuring->pool->pool;
  char label[3 * GENIE_POOL_MAX_NAME_BYTES];
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t j = 0; j < count; ++j) {
      const genie_pool_node_t *from = &pool->nodes[nodes[i]], *to = &pool->nodes[nodes[j]];
      if (from->address == NULL || to->address == NULL) {
        continue;
      }
      snprintf(label, sizeof(label), "%s to %s", i == j ? GENIE_POOL_LOCAL_NODE : from->name, to->name);
      genie_progress_bar_step(&measuring->bar, label);
      note_failure(measuring, label,
                   i == j ? measure_client_link(measuring, nodes[i]) : measure_link(measuring, nodes[i], nodes[j]));
    }
  }
}

static void print_rates(const genie_pool_t *pool) {
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    for (uint32_t j = 0; j < pool->nodes[i].device_count; ++j) {
      const genie_pool_device_t *device = &pool->nodes[i].devices[j];
      if (device->memory_bytes_per_s > 0) {
        printf("%s:%s: f32 %.4g, f16 %.4g, bf16 %.4g GFLOP/s, memory %.4g GB/s, launch %.4g us\n", pool->nodes[i].name,
               device->name, device->flops_per_s[GENIE_DTYPE_F32] / kSecond,
               device->flops_per_s[GENIE_DTYPE_F16] / kSecond, device->flops_per_s[GENIE_DTYPE_BF16] / kSecond,
               device->memory_bytes_per_s / kSecond, device->launch_ns / 1e3);
      }
    }
  }
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    const genie_pool_link_t *link = &pool->links[i];
    printf("%s to %s: %.4g GB/s, %.4g us\n", pool->nodes[link->from].name, pool->nodes[link->to].name,
           link->bytes_per_s / kSecond, link->latency_ns / 1e3);
  }
}

static genie_status_t print_json(const genie_pool_command_t *pool) {
  genie_string_builder_t text;
  genie_string_builder_init(pool->command->allocator, &text);
  genie_pool_format(pool->pool, &text);
  const genie_status_t status = genie_string_builder_status(&text);
  fputs(genie_string_builder_get(&text), stdout);
  genie_string_builder_deinit(&text);
  return status;
}

static genie_status_t measure_nodes(measuring_t *measuring, uint32_t *nodes) {
  const uint32_t count = discover_all(measuring, nodes);
  GENIE_RETURN_IF_ERROR(genie_pool_write(measuring->pool->pool, measuring->pool_path));
  genie_progress_bar_init(count_steps(measuring, nodes, count), &measuring->bar);
  for (uint32_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(measure_devices(measuring, nodes[i]));
  }
  if (!measuring->pool->options->has_no_links) {
    measure_links(measuring, nodes, count);
  }
  genie_progress_bar_clear(&measuring->bar);
  return genie_pool_write(measuring->pool->pool, measuring->pool->options->pool);
}

genie_status_t genie_pool_measure(genie_pool_command_t *pool) {
  measuring_t measuring = {.pool = pool, .pool_path = "/tmp/genie-pool-XXXXXX"};
  void *nodes = NULL;
  if (kDevicePlanCount == 0) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                             "this genie was built without the compiler, and so without plans to measure with");
  }
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(pool->command->arena, pool->pool->node_count, sizeof(uint32_t), &nodes));
  const int file = mkostemp(measuring.pool_path, O_CLOEXEC);
  if (file < 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot write to /tmp: %m");
  }
  close(file);
  genie_status_t status = measure_nodes(&measuring, nodes);
  unlink(measuring.pool_path);
  if (status == GENIE_OK) {
    status = pool->options->is_json ? print_json(pool) : GENIE_OK;
    if (!pool->options->is_json) {
      print_rates(pool->pool);
    }
  }
  if (status == GENIE_OK && measuring.failure_count > 0) {
    status = genie_status_make(GENIE_STATUS_UNAVAILABLE, "%u figures are missing", measuring.failure_count);
  }
  return status;
}
