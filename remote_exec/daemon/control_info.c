// What a client may ask of a node: its devices, its figures, the traffic of a session, and an echo.
#include <stdio.h>
#include <string.h>

#include "remote_exec/daemon/control_service.h"
#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"

enum { kDevices = 64, kLinks = 64 };

genie_status_t genie_control_answer_traffic(genie_control_t *control, const Genie__Wire__GetTraffic *request) {
  genie_control_session_t *opened = NULL;
  Genie__Wire__Traffic traffic = GENIE__WIRE__TRAFFIC__INIT;
  traffic.session_id = request->session_id;
  traffic.transfer = request->transfer;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->share == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is not ready");
  }
  if (status == GENIE_OK) {
    genie_node_session_stop_calls(opened->session);
    status = genie_share_traffic(opened->session->share, request->transfer, &traffic.last_bytes, &traffic.total_bytes);
    genie_node_session_let_calls(opened->session);
  }
  return status == GENIE_OK ? genie_control_answer(control, GENIE_WIRE_TRAFFIC, &traffic.base)
                            : genie_control_answer_failure(control, request->session_id, status);
}

genie_status_t genie_control_answer_trace(genie_control_t *control, const Genie__Wire__GetTrace *request) {
  enum { kRecords = 1024 };
  genie_control_session_t *opened = NULL;
  genie_status_t status = genie_control_find_session(control, request->session_id, &opened);
  if (status == GENIE_OK && opened->session->trace == NULL) {
    status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session was opened without a trace");
  }
  if (status != GENIE_OK) {
    return genie_control_answer_failure(control, request->session_id, status);
  }
  genie_trace_record_t records[kRecords];
  Genie__Wire__Trace trace = GENIE__WIRE__TRACE__INIT;
  trace.session_id = request->session_id;
  const uint32_t count = genie_trace_take(opened->session->trace, records, kRecords, &trace.dropped_count);
  trace.records = (ProtobufCBinaryData){.data = (uint8_t *)records, .len = count * sizeof(*records)};
  trace.has_more = count == kRecords;
  return genie_control_answer(control, GENIE_WIRE_TRACE, &trace.base);
}

typedef struct device_list {
  genie_node_t *node;
  Genie__Wire__DeviceInfo infos[kDevices];
  Genie__Wire__DeviceInfo *pointers[kDevices];
  char names[kDevices][64];
  size_t count;
  uint64_t host_memory_bytes;  // that sessions may take
} device_list_t;

static void add_device(void *context, const char *name, const char *kind, uint32_t ordinal) {
  device_list_t *list = context;
  if (list->count < kDevices) {
    Genie__Wire__DeviceInfo *info = &list->infos[list->count];
    genie__wire__device_info__init(info);
    snprintf(list->names[list->count], sizeof(list->names[0]), "%s", name);
    info->name = list->names[list->count];
    info->kind = (char *)kind;
    info->is_lost = genie_lost_devices_has(list->node, kind, ordinal);
    info->memory_bytes = strcmp(kind, "cpu") == 0 ? list->host_memory_bytes : 0;
    list->pointers[list->count++] = info;
  }
}

genie_status_t genie_control_answer_info(const genie_control_t *control) {
  const genie_daemon_options_t *options = control->node->options;
  device_list_t devices = {.node = control->node, .host_memory_bytes = (uint64_t)options->memory_limit_mib << 20};
  genie_node_list_devices(control->node, add_device, &devices);
  Genie__Wire__NodeInfo info = GENIE__WIRE__NODE_INFO__INIT;
  info.software = (char *)control->node->software;
  info.n_devices = devices.count;
  info.devices = devices.pointers;
  info.memory_limit_bytes = (uint64_t)options->memory_limit_mib << 20;
  info.store_limit_bytes = (uint64_t)options->disk_limit_mib << 20;
  return genie_control_answer(control, GENIE_WIRE_NODE_INFO, &info.base);
}

// Connections to other nodes of this connection's sessions.
typedef struct link_list {
  Genie__Wire__LinkStats rows[kLinks];
  Genie__Wire__LinkStats *pointers[kLinks];
  genie_channel_stats_t stats[kLinks];
  size_t count;
} link_list_t;

static void add_links(const genie_control_session_t *opened, link_list_t *list) {
  const char *name = NULL;
  for (uint32_t i = 0;
       list->count < kLinks && genie_share_peer_stats(opened->session->share, i, &name, &list->stats[list->count]);
       ++i) {
    const genie_channel_stats_t *stats = &list->stats[list->count];
    Genie__Wire__LinkStats *row = &list->rows[list->count];
    genie__wire__link_stats__init(row);
    row->peer = (char *)name;
    row->path = (char *)stats->path;
    row->sent_bytes = stats->sent_bytes;
    row->received_bytes = stats->received_bytes;
    row->send_ns = stats->send_ns;
    row->receive_ns = stats->receive_ns;
    list->pointers[list->count++] = row;
  }
}

genie_status_t genie_control_answer_stats(const genie_control_t *control) {
  const genie_node_t *node = control->node;
  Genie__Wire__NodeStats stats = GENIE__WIRE__NODE_STATS__INIT;
  genie_store_stats_t store;
  stats.uptime_ns = genie_deadline_clock_ns() - node->start_ns;
  stats.session_count = genie_session_table_count(node->sessions);
  stats.call_count = atomic_load(&node->call_count);
  stats.failed_call_count = atomic_load(&node->failed_call_count);
  stats.memory_used_bytes = genie_budget_used(node->budget, GENIE_BUDGET_MEMORY);
  genie_store_get_stats(node->store, &store);
  stats.store_used_bytes = store.disk_bytes;
  link_list_t links = {0};
  for (int i = 0; i < GENIE_CONTROL_SESSIONS; ++i) {
    if (control->sessions[i].session != NULL && control->sessions[i].session->share != NULL) {
      add_links(&control->sessions[i], &links);
    }
  }
  stats.links = links.pointers;
  stats.n_links = links.count;
  return genie_control_answer(control, GENIE_WIRE_NODE_STATS, &stats.base);
}

genie_status_t genie_control_answer_ping(const genie_control_t *control, const Genie__Wire__Ping *ping,
                                         uint64_t payload_bytes) {
  Genie__Wire__Pong pong = GENIE__WIRE__PONG__INIT;
  pong.sequence = ping->sequence;
  pong.clock_ns = genie_deadline_clock_ns();
  GENIE_RETURN_IF_ERROR(genie_control_skip(control, payload_bytes));
  if (ping->reply_bytes > GENIE_WIRE_MAX_PROBE_BYTES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "a ping asks for %llu bytes",
                             (unsigned long long)ping->reply_bytes);
  }
  void *payload = NULL;
  if (ping->reply_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(control->node->allocator, ping->reply_bytes, 1, &payload));
  }
  const genie_status_t status =
      genie_connection_send_control(control->channel, GENIE_WIRE_PONG, &pong.base, payload, ping->reply_bytes,
                                    genie_liveness_transfer_deadline(ping->reply_bytes));
  genie_allocator_free(control->node->allocator, payload);
  return status;
}
