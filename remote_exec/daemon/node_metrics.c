#include "remote_exec/daemon/node_metrics.h"

#include <stdio.h>
#include <string.h>

static void set_store(genie_node_t *node, genie_metrics_t *metrics) {
  genie_store_stats_t store;
  genie_store_get_stats(node->store, &store);
  const struct {
    genie_metric_t metric;
    uint64_t value;
  } kValues[] = {
      {GENIE_METRIC_MEMORY_WEIGHTS, store.image_bytes - store.idle_image_bytes},
      {GENIE_METRIC_MEMORY_WEIGHTS_IDLE, store.idle_image_bytes},
      {GENIE_METRIC_STORE_DISK_BYTES, store.disk_bytes},
      {GENIE_METRIC_STORE_MEMORY_HITS, store.memory_hits},
      {GENIE_METRIC_STORE_DISK_HITS, store.disk_hits},
      {GENIE_METRIC_STORE_FILE_HITS, store.file_hits},
      {GENIE_METRIC_STORE_UPLOADS, store.uploaded_chunks},
      {GENIE_METRIC_STORE_UPLOADED_BYTES, store.uploaded_bytes},
      {GENIE_METRIC_STORE_REJECTED, store.rejected_chunks},
      {GENIE_METRIC_STORE_CORRUPT, store.corrupt_files},
      {GENIE_METRIC_STORE_EVICTED, store.evicted_files},
  };
  for (size_t i = 0; i < sizeof(kValues) / sizeof(kValues[0]); ++i) {
    genie_metrics_set(metrics, kValues[i].metric, kValues[i].value);
  }
}

// ---- Sessions ----

// What all sessions take, by purpose, as their plans say.
typedef struct purposes {
  uint64_t state_bytes, slab_bytes, plan_bytes;
} purposes_t;

static void add_purposes(void *context, genie_node_session_t *session) {
  purposes_t *purposes = context;
  const genie_plan_t *plan = session->model->plan;
  purposes->plan_bytes += plan->header->file_bytes - plan->weights_bytes;
  for (uint32_t i = 0; i < genie_share_place_count(session->share); ++i) {
    const genie_plan_place_t *place = &plan->places[genie_share_place_index(session->share, i)];
    purposes->state_bytes += place->state_bytes;
    purposes->slab_bytes += place->slab_bytes;
  }
}

static void set_arena(genie_node_t *node, genie_metrics_t *metrics) {
  genie_network_memory_report_t report = {0};
  if (node->arena.memory != NULL) {
    genie_network_memory_get_report(node->arena.memory, &report);
  }
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_NETWORK, report.size_bytes);
  genie_metrics_set(metrics, GENIE_METRIC_NETWORK_SPILLS, atomic_load(&node->arena.spill_count));
}

static void set_values(genie_node_t *node, genie_metrics_t *metrics) {
  purposes_t purposes = {0};
  genie_session_table_visit(node->sessions, add_purposes, &purposes);
  genie_metrics_set(metrics, GENIE_METRIC_SESSIONS, genie_session_table_count(node->sessions));
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_STATE, purposes.state_bytes);
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_SLAB, purposes.slab_bytes);
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_PLAN, purposes.plan_bytes);
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_CHARGED, genie_budget_used(node->budget, GENIE_BUDGET_MEMORY));
  genie_metrics_set(metrics, GENIE_METRIC_MEMORY_LIMIT, (uint64_t)node->options->memory_limit_mib << 20);
  set_store(node, metrics);
  set_arena(node, metrics);
}

// ---- Links ----

typedef struct link_sink {
  genie_metric_family_t family;
  genie_metric_sink_t *sink;
} link_sink_t;

static uint64_t rate(uint64_t bytes, uint64_t ns) {
  static const double kSecond = 1e9;
  return ns == 0 ? 0 : (uint64_t)((double)bytes * kSecond / (double)ns);
}

// `bytes_per_s` is what the link is said to carry; 0: nothing is said.
static void put_share(const link_sink_t *links, const char *peer, const genie_channel_stats_t *stats,
                      uint64_t bytes_per_s) {
  static const double kBillion = 1e9;
  if (bytes_per_s > 0) {
    const double share = (double)rate(stats->sent_bytes, stats->send_ns) / (double)bytes_per_s;
    genie_metric_sink_put(links->sink, (const char *const[]){peer, stats->path, "sent"}, (uint64_t)(share * kBillion));
  }
}

static void put_link(const link_sink_t *links, const char *peer, const genie_channel_stats_t *stats,
                     uint64_t bytes_per_s) {
  if (links->family == GENIE_METRIC_FAMILY_LINK_SHARE) {
    put_share(links, peer, stats, bytes_per_s);
    return;
  }
  const struct {
    const char *direction;
    uint64_t bytes, messages, ns;
  } kWays[] = {{"sent", stats->sent_bytes, stats->sent_messages, stats->send_ns},
               {"received", stats->received_bytes, stats->received_messages, stats->receive_ns}};
  for (size_t i = 0; i < sizeof(kWays) / sizeof(kWays[0]); ++i) {
    const uint64_t value = links->family == GENIE_METRIC_FAMILY_LINK_BYTES      ? kWays[i].bytes
                           : links->family == GENIE_METRIC_FAMILY_LINK_MESSAGES ? kWays[i].messages
                           : links->family == GENIE_METRIC_FAMILY_LINK_BUSY     ? kWays[i].ns
                                                                                : rate(kWays[i].bytes, kWays[i].ns);
    genie_metric_sink_put(links->sink, (const char *const[]){peer, stats->path, kWays[i].direction}, value);
  }
}

static uint64_t rate_to_peer(genie_node_session_t *session, const char *name) {
  uint64_t bytes_per_s = 0;
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < session->peer_count; ++i) {
    if (strcmp(session->peers[i].name, name) == 0) {
      bytes_per_s = session->peers[i].bytes_per_s;
    }
  }
  pthread_mutex_unlock(&session->mutex);
  return bytes_per_s;
}

// Labels of a sample are distinct: peers are named with the session that they belong to.
static void put_session_links(void *context, genie_node_session_t *session) {
  genie_channel_stats_t stats;
  char peer[2 * GENIE_NODE_SESSION_LABEL_BYTES];
  const char *name = NULL;
  for (uint32_t i = 0; genie_share_peer_stats(session->share, i, &name, &stats); ++i) {
    snprintf(peer, sizeof(peer), "%s#%llx", name, (unsigned long long)session->id);
    put_link(context, peer, &stats, rate_to_peer(session, name));
  }
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < GENIE_NODE_SESSION_CALLERS; ++i) {
    if (session->callers[i] != NULL) {
      genie_channel_get_stats(session->callers[i], &stats);
      snprintf(peer, sizeof(peer), "%s#%llx", genie_channel_get_peer(session->callers[i])->name,
               (unsigned long long)session->id);
      put_link(context, peer, &stats, session->bytes_per_s);
    }
  }
  pthread_mutex_unlock(&session->mutex);
}

// ---- Edges of plans ----

static void put_edge(genie_metric_sink_t *sink, const genie_node_session_t *session, uint32_t transfer, bool is_sent) {
  const genie_plan_t *plan = session->model->plan;
  const genie_plan_transfer_t *record = &plan->transfers[transfer];
  uint64_t bytes = 0;
  if (!genie_share_edge_bytes(session->share, transfer, is_sent, &bytes)) {
    return;
  }
  char id[32], index[16];
  snprintf(id, sizeof(id), "%llx", (unsigned long long)session->id);
  snprintf(index, sizeof(index), "%u", transfer);
  const char *const labels[] = {id,
                                index,
                                genie_plan_string(plan, record->name),
                                genie_plan_string(plan, plan->places[record->source_place].name),
                                genie_plan_string(plan, plan->places[record->destination_place].name),
                                is_sent ? "sent" : "received"};
  genie_metric_sink_put(sink, labels, bytes);
}

static void put_session_edges(void *context, genie_node_session_t *session) {
  for (uint32_t i = 0; i < session->model->plan->transfer_count; ++i) {
    put_edge(context, session, i, true);
    put_edge(context, session, i, false);
  }
}

static void put_session_difference(void *context, genie_node_session_t *session) {
  char id[32];
  snprintf(id, sizeof(id), "%llx", (unsigned long long)session->id);
  genie_metric_sink_put(context, (const char *const[]){id}, genie_share_difference_bytes(session->share));
}

static bool is_of_links(genie_metric_family_t family) {
  return family == GENIE_METRIC_FAMILY_LINK_BYTES || family == GENIE_METRIC_FAMILY_LINK_MESSAGES ||
         family == GENIE_METRIC_FAMILY_LINK_BUSY || family == GENIE_METRIC_FAMILY_LINK_RATE ||
         family == GENIE_METRIC_FAMILY_LINK_SHARE;
}

static void collect(void *self, genie_metrics_t *metrics, genie_metric_family_t family, genie_metric_sink_t *sink) {
  genie_node_t *node = self;
  link_sink_t links = {.family = family, .sink = sink};
  if (family == GENIE_METRIC_FAMILY_COUNT) {
    set_values(node, metrics);
  } else if (is_of_links(family)) {
    genie_session_table_visit(node->sessions, put_session_links, &links);
  } else if (family == GENIE_METRIC_FAMILY_EDGE_BYTES) {
    genie_session_table_visit(node->sessions, put_session_edges, sink);
  } else if (family == GENIE_METRIC_FAMILY_CONTRACT_DIFFERENCE) {
    genie_session_table_visit(node->sessions, put_session_difference, sink);
  }
}

void genie_node_metrics_attach(genie_node_t *node, genie_metric_collector_t *out_collector) {
  *out_collector = (genie_metric_collector_t){.collect = collect, .self = node};
  genie_metrics_add_collector(&node->metrics, out_collector);
}

void genie_node_metrics_count_end(genie_node_t *node, genie_status_code_t code) {
  switch (code) {
    case GENIE_STATUS_PERMISSION_DENIED:
      genie_metrics_add(&node->metrics, GENIE_METRIC_CONNECTIONS_UNTRUSTED, 1);
      break;
    case GENIE_STATUS_DATA_LOSS:
    case GENIE_STATUS_INVALID_ARGUMENT:
    case GENIE_STATUS_OUT_OF_RANGE:
      genie_metrics_add(&node->metrics, GENIE_METRIC_CONNECTIONS_MALFORMED, 1);
      break;
    case GENIE_STATUS_DEADLINE_EXCEEDED:
      genie_metrics_add(&node->metrics, GENIE_METRIC_PEERS_LOST, 1);
      break;
    default:
      break;
  }
}
