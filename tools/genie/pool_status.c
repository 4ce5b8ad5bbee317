// genie pool status: every node is asked at the same time, so that one that is not there costs all of them one timeout.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tools/genie/pool_command.h"
#include "tools/genie/tensor_text.h"

enum { kMostThreads = 32, kPings = 5, kDeviceTextBytes = 256, kProbeBytes = 1 << 20, kProbes = 3 };
static const uint64_t kTimeoutNs = (uint64_t)3 * 1000000000;

// What a node said.
typedef struct answer {
  const genie_pool_node_t *node;
  genie_status_t status;
  char software[128];
  char devices[kDeviceTextBytes];
  char path[GENIE_CHANNEL_MAX_NAME_BYTES];
  uint64_t memory_used_bytes, memory_limit_bytes, store_bytes;
  uint64_t round_trip_ns;
  double sent_bytes_per_s;  // of a probe's payload, beyond the round trip
  double link_bytes_per_s;  // that the pool says; 0: nothing
  bool is_ucx;              // what the pool says of sessions' connections to it
  uint32_t session_count;
  uint64_t call_count;
} answer_t;

typedef struct asking {
  genie_pool_command_t *pool;
  answer_t *answers;
  uint32_t count;
  uint32_t next;  // atomic
} asking_t;

// ---- Asking ----

static void list_devices(const Genie__Wire__NodeInfo *info, answer_t *answer) {
  size_t length = 0;
  for (size_t i = 0; i < info->n_devices && length < sizeof(answer->devices); ++i) {
    length += (size_t)snprintf(answer->devices + length, sizeof(answer->devices) - length, "%s%s%s", i == 0 ? "" : ",",
                               info->devices[i]->name, info->devices[i]->is_lost ? "(lost)" : "");
  }
}

static genie_status_t ask_questions(genie_node_probe_t *probe, answer_t *answer) {
  const genie_deadline_ns_t deadline = genie_deadline_after_ns(kTimeoutNs);
  genie_wire_control_t info = {0}, stats = {0};
  GENIE_RETURN_IF_ERROR(genie_node_probe_ask(probe, GENIE_WIRE_GET_NODE_INFO, GENIE_WIRE_NODE_INFO, deadline, &info));
  snprintf(answer->software, sizeof(answer->software), "%s", info.node_info->software);
  answer->memory_limit_bytes = info.node_info->memory_limit_bytes;
  list_devices(info.node_info, answer);
  genie_wire_control_deinit(&info);
  GENIE_RETURN_IF_ERROR(
      genie_node_probe_ask(probe, GENIE_WIRE_GET_NODE_STATS, GENIE_WIRE_NODE_STATS, deadline, &stats));
  answer->memory_used_bytes = stats.node_stats->memory_used_bytes;
  answer->store_bytes = stats.node_stats->store_used_bytes;
  answer->session_count = stats.node_stats->session_count;
  answer->call_count = stats.node_stats->call_count;
  genie_wire_control_deinit(&stats);
  answer->round_trip_ns = UINT64_MAX;
  for (int i = 0; i < kPings; ++i) {
    uint64_t ns = 0;
    GENIE_RETURN_IF_ERROR(genie_node_probe_ping(probe, 0, 0, deadline, &ns));
    answer->round_trip_ns = ns < answer->round_trip_ns ? ns : answer->round_trip_ns;
  }
  snprintf(answer->path, sizeof(answer->path), "%s", genie_node_probe_path(probe));
  return GENIE_OK;
}

static genie_status_t measure_rate(genie_node_probe_t *probe, answer_t *answer) {
  static const double kSecond = 1e9;
  uint64_t best_ns = UINT64_MAX;
  for (int i = 0; i < kProbes; ++i) {
    uint64_t ns = 0;
    GENIE_RETURN_IF_ERROR(genie_node_probe_ping(probe, kProbeBytes, 0, genie_deadline_after_ns(kTimeoutNs), &ns));
    best_ns = ns < best_ns ? ns : best_ns;
  }
  const uint64_t moving_ns = best_ns > answer->round_trip_ns ? best_ns - answer->round_trip_ns : best_ns;
  answer->sent_bytes_per_s = (double)kProbeBytes * kSecond / (double)moving_ns;
  return GENIE_OK;
}

// What the pool says of the link from this process to the node.
static void look_up_link(const genie_pool_t *pool, answer_t *answer) {
  const uint32_t node = (uint32_t)(answer->node - pool->nodes);
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    const genie_pool_link_t *link = &pool->links[i];
    const bool is_there = pool->nodes[link->from].address == NULL && link->to == node;
    const bool is_back = pool->nodes[link->to].address == NULL && link->from == node;
    answer->is_ucx |= (is_there || is_back) && link->carrier == GENIE_POOL_CARRIER_UCX;
    answer->link_bytes_per_s = is_there ? link->bytes_per_s : answer->link_bytes_per_s;
  }
}

static genie_status_t ask_node(const genie_pool_command_t *pool, answer_t *answer) {
  genie_node_probe_t *probe = NULL;
  GENIE_RETURN_IF_ERROR(genie_node_probe_open(answer->node, &pool->keys, genie_deadline_after_ns(kTimeoutNs),
                                              pool->command->allocator, &probe));
  genie_status_t status = ask_questions(probe, answer);
  if (status == GENIE_OK) {
    status = measure_rate(probe, answer);
  }
  look_up_link(pool->pool, answer);
  genie_node_probe_close(probe);
  return status;
}

static void *ask_nodes(void *self) {
  asking_t *asking = self;
  for (;;) {
    const uint32_t index = __atomic_fetch_add(&asking->next, 1, __ATOMIC_RELAXED);
    if (index >= asking->count) {
      return NULL;
    }
    asking->answers[index].status = ask_node(asking->pool, &asking->answers[index]);
  }
}

static void ask_all(asking_t *asking) {
  pthread_t threads[kMostThreads];
  uint32_t started = 0;
  while (started + 1 < asking->count && started < kMostThreads &&
         pthread_create(&threads[started], NULL, ask_nodes, asking) == 0) {
    ++started;
  }
  ask_nodes(asking);
  for (uint32_t i = 0; i < started; ++i) {
    pthread_join(threads[i], NULL);
  }
}

// ---- Printing ----

static double in_gb(uint64_t bytes) {
  return (double)bytes / 1e9;
}
static double in_us(uint64_t ns) {
  return (double)ns / 1e3;
}

// "1.0 MB at 1.12 GB/s (90 % of the link's) by tls1.3 aes-256-gcm tcp". Sessions whose link is ucx's have a path of
// their own, which genie run -v tells.
static void describe_link(const answer_t *answer, char *out_text, size_t capacity) {
  char share[64] = "";
  if (answer->link_bytes_per_s > 0) {
    snprintf(share, sizeof(share), " (%.0f %% of the link's)",
             100 * answer->sent_bytes_per_s / answer->link_bytes_per_s);
  }
  snprintf(out_text, capacity, "%s: %.1f MB at %.2f GB/s%s%s", answer->path, kProbeBytes / 1e6,
           answer->sent_bytes_per_s / 1e9, share, answer->is_ucx ? "; sessions: ucx" : "");
}

static void append_table(const asking_t *asking, genie_string_builder_t *text) {
  static const char kRow[] = "%-16s %-24s %-12s %-28s %-16s %-20s %-10s %s\n";
  genie_string_builder_format(text, kRow, "NODE", "ADDRESS", "STATE", "VERSION", "DEVICES", "MEMORY IN USE", "RTT",
                              "PATH");
  for (uint32_t i = 0; i < asking->count; ++i) {
    const answer_t *answer = &asking->answers[i];
    char memory[64], round_trip[32], link[2 * GENIE_CHANNEL_MAX_NAME_BYTES];
    if (answer->status != GENIE_OK) {
      genie_string_builder_format(text, "%-16s %-24s %-12s %s\n", answer->node->name, answer->node->address,
                                  "unreachable", genie_status_message(answer->status));
      continue;
    }
    snprintf(memory, sizeof(memory), "%.2f of %.1f GB", in_gb(answer->memory_used_bytes),
             in_gb(answer->memory_limit_bytes));
    snprintf(round_trip, sizeof(round_trip), "%.0f us", in_us(answer->round_trip_ns));
    describe_link(answer, link, sizeof(link));
    genie_string_builder_format(text, kRow, answer->node->name, answer->node->address, "up", answer->software,
                                answer->devices, memory, round_trip, link);
  }
}

static void append_string_json(const char *name, const char *value, genie_string_builder_t *text) {
  genie_string_builder_format(text, ", \"%s\": ", name);
  genie_tensor_text_json_string(value, text);
}

static void append_json(const asking_t *asking, genie_string_builder_t *text) {
  genie_string_builder_format(text, "{\"nodes\": [");
  for (uint32_t i = 0; i < asking->count; ++i) {
    const answer_t *answer = &asking->answers[i];
    genie_string_builder_format(text, "%s\n  {\"name\": \"%s\", \"address\": \"%s\", \"is_up\": %s", i == 0 ? "" : ",",
                                answer->node->name, answer->node->address,
                                answer->status == GENIE_OK ? "true" : "false");
    if (answer->status != GENIE_OK) {
      append_string_json("error", genie_status_message(answer->status), text);
    } else {
      append_string_json("software", answer->software, text);
      append_string_json("devices", answer->devices, text);
      append_string_json("path", answer->path, text);
      genie_string_builder_format(
          text,
          ", \"memory_used_bytes\": %llu, \"memory_limit_bytes\": %llu, \"store_bytes\": %llu, \"sessions\": %u, "
          "\"calls\": %llu, \"round_trip_ns\": %llu, \"probe_bytes\": %d, \"bytes_per_s\": %.0f, "
          "\"link_bytes_per_s\": %.0f, \"carrier\": \"%s\"",
          (unsigned long long)answer->memory_used_bytes, (unsigned long long)answer->memory_limit_bytes,
          (unsigned long long)answer->store_bytes, answer->session_count, (unsigned long long)answer->call_count,
          (unsigned long long)answer->round_trip_ns, kProbeBytes, answer->sent_bytes_per_s, answer->link_bytes_per_s,
          answer->is_ucx ? "ucx" : "stream");
    }
    genie_string_builder_format(text, "}");
  }
  genie_string_builder_format(text, "%s]}\n", asking->count > 0 ? "\n" : "");
}

static genie_status_t print(const asking_t *asking) {
  genie_string_builder_t text;
  genie_string_builder_init(asking->pool->command->allocator, &text);
  (asking->pool->options->is_json ? append_json : append_table)(asking, &text);
  const genie_status_t status = genie_string_builder_status(&text);
  fputs(genie_string_builder_get(&text), stdout);
  genie_string_builder_deinit(&text);
  return status;
}

// ---- The command ----

static genie_status_t collect_nodes(genie_pool_command_t *pool, asking_t *asking) {
  void *answers = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(pool->command->arena, pool->pool->node_count, sizeof(answer_t), &answers));
  asking->answers = answers;
  for (uint32_t i = 0; i < pool->pool->node_count; ++i) {
    const genie_pool_node_t *node = &pool->pool->nodes[i];
    if (node->address != NULL && genie_pool_command_wants(pool, node)) {
      asking->answers[asking->count++] = (answer_t){.node = node};
    }
  }
  return GENIE_OK;
}

genie_status_t genie_pool_status(genie_pool_command_t *pool) {
  asking_t asking = {.pool = pool};
  uint32_t missing = 0;
  GENIE_RETURN_IF_ERROR(collect_nodes(pool, &asking));
  ask_all(&asking);
  genie_status_t status = print(&asking);
  for (uint32_t i = 0; i < asking.count; ++i) {
    missing += asking.answers[i].status != GENIE_OK;
    genie_status_free(asking.answers[i].status);
  }
  if (status == GENIE_OK && missing > 0) {
    status = genie_status_make(GENIE_STATUS_UNAVAILABLE, "%u of %u nodes cannot be reached", missing, asking.count);
  }
  return status;
}
