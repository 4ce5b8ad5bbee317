#include "remote_exec/client/node_probe.h"

#include <stdio.h>
#include <string.h>

#include "remote_exec/transport/stream.h"

struct genie_node_probe {
  genie_allocator_t allocator;
  const char *name;
  genie_channel_t *channel;
  uint8_t *header;   // GENIE_WIRE_MAX_HEADER_BYTES
  uint8_t *payload;  // GENIE_WIRE_MAX_PROBE_BYTES, made when it is first needed
  uint64_t sequence;
  genie_channel_stats_t stats;
};

static genie_status_t open_channel(genie_node_probe_t *probe, const genie_pool_node_t *node,
                                   const genie_client_keys_t *keys, genie_deadline_ns_t deadline) {
  genie_wire_hello_t hello = {.role = GENIE_WIRE_ROLE_CONTROL};
  void *header = NULL;
  snprintf(hello.software, sizeof(hello.software), "libgenie");
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(probe->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &header));
  probe->header = header;
  GENIE_RETURN_IF_ERROR(genie_stream_connect(node->address, keys->identity, genie_client_keys_trust(keys, node), NULL,
                                             deadline, probe->allocator, &probe->channel));
  return genie_connection_greet(probe->channel, &hello, deadline, NULL);
}

genie_status_t genie_node_probe_open(const genie_pool_node_t *node, const genie_client_keys_t *keys,
                                     genie_deadline_ns_t deadline, genie_allocator_t allocator,
                                     genie_node_probe_t **out_probe) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_node_probe_t), &memory));
  genie_node_probe_t *probe = memory;
  *probe = (genie_node_probe_t){.allocator = allocator, .name = node->name};
  const genie_status_t status = open_channel(probe, node, keys, deadline);
  if (status != GENIE_OK) {
    genie_node_probe_close(probe);
    return genie_status_annotate(status, "node '%s'", node->name);
  }
  *out_probe = probe;
  return GENIE_OK;
}

void genie_node_probe_close(genie_node_probe_t *probe) {
  if (probe != NULL) {
    genie_channel_close(probe->channel);
    genie_allocator_free(probe->allocator, probe->header);
    genie_allocator_free(probe->allocator, probe->payload);
    genie_allocator_free(probe->allocator, probe);
  }
}

const char *genie_node_probe_path(genie_node_probe_t *probe) {
  genie_channel_get_stats(probe->channel, &probe->stats);
  return probe->stats.path;
}

// ---- Questions ----

static genie_status_t take_payload(genie_node_probe_t *probe, uint64_t payload_bytes, genie_deadline_ns_t deadline) {
  return payload_bytes == 0 ? GENIE_OK
         : payload_bytes <= GENIE_WIRE_MAX_PROBE_BYTES && probe->payload != NULL
             ? genie_channel_receive_payload(probe->channel, probe->payload, payload_bytes, deadline)
             : genie_channel_skip_payload(probe->channel, payload_bytes, deadline);
}

static genie_status_t check_answer(const genie_node_probe_t *probe, const genie_wire_control_t *answer,
                                   genie_wire_kind_t kind) {
  if (answer->kind == kind) {
    return GENIE_OK;
  }
  return answer->kind == GENIE_WIRE_ERROR
             ? genie_wire_error_status(answer->error, probe->name)
             : genie_status_make(GENIE_STATUS_INTERNAL, "node '%s' answers with message %d", probe->name,
                                 (int)answer->kind);
}

// The next message that is no heartbeat, with its payload.
static genie_status_t receive(genie_node_probe_t *probe, genie_wire_kind_t kind, genie_deadline_ns_t deadline,
                              genie_wire_control_t *out_answer) {
  genie_wire_prefix_t prefix = {.kind = GENIE_WIRE_HEARTBEAT};
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  while (prefix.kind == GENIE_WIRE_HEARTBEAT) {
    GENIE_RETURN_IF_ERROR(genie_connection_receive(probe->channel, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CONTROL,
                                                   probe->header, deadline, &prefix, &header_bytes, &payload_bytes));
  }
  GENIE_RETURN_IF_ERROR(take_payload(probe, payload_bytes, deadline));
  genie_wire_control_t answer = {0};
  GENIE_RETURN_IF_ERROR(genie_wire_control_decode(probe->header, header_bytes, probe->allocator, &answer));
  const genie_status_t status = check_answer(probe, &answer, kind);
  if (status != GENIE_OK) {
    genie_wire_control_deinit(&answer);
    return status;
  }
  *out_answer = answer;
  return GENIE_OK;
}

genie_status_t genie_node_probe_ask(genie_node_probe_t *probe, genie_wire_kind_t question, genie_wire_kind_t answer,
                                    genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) {
  const Genie__Wire__GetNodeInfo info = GENIE__WIRE__GET_NODE_INFO__INIT;
  const Genie__Wire__GetNodeStats stats = GENIE__WIRE__GET_NODE_STATS__INIT;
  const ProtobufCMessage *message = question == GENIE_WIRE_GET_NODE_INFO ? &info.base : &stats.base;
  genie_status_t status = genie_connection_send_control(probe->channel, question, message, NULL, 0, deadline);
  if (status == GENIE_OK) {
    status = receive(probe, answer, deadline, out_answer);
  }
  return genie_status_annotate(status, "node '%s'", probe->name);
}

static genie_status_t exchange(genie_node_probe_t *probe, uint64_t sent_bytes, uint64_t reply_bytes,
                               genie_deadline_ns_t deadline) {
  Genie__Wire__Ping ping = GENIE__WIRE__PING__INIT;
  genie_wire_control_t pong = {0};
  ping.sequence = ++probe->sequence;
  ping.reply_bytes = reply_bytes;
  GENIE_RETURN_IF_ERROR(
      genie_connection_send_control(probe->channel, GENIE_WIRE_PING, &ping.base, probe->payload, sent_bytes, deadline));
  GENIE_RETURN_IF_ERROR(receive(probe, GENIE_WIRE_PONG, deadline, &pong));
  const bool is_right = pong.pong->sequence == ping.sequence;
  genie_wire_control_deinit(&pong);
  return is_right ? GENIE_OK : genie_status_make(GENIE_STATUS_INTERNAL, "answers a ping that was not sent");
}

genie_status_t genie_node_probe_ping(genie_node_probe_t *probe, uint64_t sent_bytes, uint64_t reply_bytes,
                                     genie_deadline_ns_t deadline, uint64_t *out_ns) {
  void *payload = NULL;
  if (probe->payload == NULL && sent_bytes + reply_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(probe->allocator, GENIE_WIRE_MAX_PROBE_BYTES, 1, &payload));
    probe->payload = payload;
  }
  const uint64_t begin_ns = genie_deadline_clock_ns();
  const genie_status_t status = exchange(probe, sent_bytes, reply_bytes, deadline);
  *out_ns = genie_deadline_clock_ns() - begin_ns;
  return genie_status_annotate(status, "node '%s'", probe->name);
}
