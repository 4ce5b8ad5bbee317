// Opening a channel of UCX beside a connection: addresses and tokens over the connection, then the proof over UCX.
#include <openssl/rand.h>
#include <string.h>

#include "remote_exec/transport/connection.h"
#include "remote_exec/transport/ucx_channel.h"

enum { kMaxAddressBytes = 4096 };

// What a demanded path shows in UCX's description of a request.
static const struct {
  const char *demand;
  const char *words[4];
} kDemands[] = {
    {"rdma", {" rc", "/rc", " dc", "rc_"}},
    {"shm", {"posix", "sysv", "cma", NULL}},
    {"tcp", {"tcp", NULL, NULL, NULL}},
    {"cuda_ipc", {"cuda_ipc", NULL, NULL, NULL}},
};

static genie_status_t check_demand(const char *demand, const genie_ucx_channel_t *channel) {
  if (demand[0] == '\0') {
    return GENIE_OK;
  }
  for (size_t i = 0; i < sizeof(kDemands) / sizeof(kDemands[0]); ++i) {
    if (strcmp(kDemands[i].demand, demand) != 0) {
      continue;
    }
    for (size_t j = 0; j < 4 && kDemands[i].words[j] != NULL; ++j) {
      if (strstr(channel->path, kDemands[i].words[j]) != NULL) {
        return GENIE_OK;
      }
    }
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: the path is \"%s\", but %s is demanded",
                             channel->base.peer.name, channel->path, demand);
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "\"%.32s\" is no path: rdma, shm, tcp or cuda_ipc are",
                           demand);
}

// The worker's address; by its network devices alone with `flags`.
static bool query_address(const genie_ucx_channel_t *channel, uint32_t flags, ucp_worker_attr_t *out_attributes) {
  *out_attributes = (ucp_worker_attr_t){
      .field_mask = UCP_WORKER_ATTR_FIELD_ADDRESS | UCP_WORKER_ATTR_FIELD_ADDRESS_FLAGS, .address_flags = flags};
  return channel->fabric->call.ucp_worker_query(channel->worker, out_attributes) == UCS_OK;
}

static genie_status_t send_address(genie_ucx_channel_t *channel, genie_channel_t *control, const char *demand,
                                   genie_deadline_ns_t deadline) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  ucp_worker_attr_t whole;
  ucp_worker_attr_t network;
  if (RAND_bytes(channel->expected_token, sizeof(channel->expected_token)) != 1 || !query_address(channel, 0, &whole)) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: no random numbers, or no address of UCX",
                             channel->base.peer.name);
  }
  const bool has_network = query_address(channel, UCP_WORKER_ADDRESS_FLAG_NET_ONLY, &network);
  Genie__Wire__UcxAddress message = GENIE__WIRE__UCX_ADDRESS__INIT;
  message.worker = (ProtobufCBinaryData){.data = (uint8_t *)whole.address, .len = whole.address_length};
  message.token = (ProtobufCBinaryData){.data = channel->expected_token, .len = sizeof(channel->expected_token)};
  message.demand = (char *)demand;
  message.host = (ProtobufCBinaryData){.data = (uint8_t *)fabric->host, .len = sizeof(fabric->host)};
  if (has_network) {
    message.network_worker = (ProtobufCBinaryData){.data = (uint8_t *)network.address, .len = network.address_length};
  }
  const genie_status_t status =
      genie_connection_send_control(control, GENIE_WIRE_UCX_ADDRESS, &message.base, NULL, 0, deadline);
  fabric->call.ucp_worker_release_address(channel->worker, whole.address);
  if (has_network) {
    fabric->call.ucp_worker_release_address(channel->worker, network.address);
  }
  return status;
}

// Both sides come to the same choice. Shared memory between two hosts, or two network namespaces of one, would connect
// and then never wake its peer.
static genie_status_t use_address(genie_ucx_channel_t *channel, const Genie__Wire__UcxAddress *message,
                                  genie_wire_side_t side, genie_deadline_ns_t deadline,
                                  uint8_t out_token[GENIE_WIRE_TOKEN_BYTES]) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  const bool is_same_host =
      message->host.len == sizeof(fabric->host) && memcmp(message->host.data, fabric->host, sizeof(fabric->host)) == 0;
  const ProtobufCBinaryData *address = is_same_host ? &message->worker : &message->network_worker;
  if (message->worker.len == 0 || message->worker.len > kMaxAddressBytes || address->len > kMaxAddressBytes ||
      message->token.len != GENIE_WIRE_TOKEN_BYTES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: sends no address of UCX", channel->base.peer.name);
  }
  memcpy(out_token, message->token.data, GENIE_WIRE_TOKEN_BYTES);
  // One side connects and the other waits for it: two connections that cross may leave UCX waiting.
  if (side == GENIE_WIRE_FROM_NODE && address->len > 0) {
    GENIE_RETURN_IF_ERROR(genie_ucx_channel_await_token(channel, deadline));
  }
  const genie_status_t status = address->len > 0
                                    ? genie_ucx_channel_connect(channel, address->data)
                                    : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                                                        "%s: UCX has no network device there", channel->base.peer.name);
  return is_same_host ? status
                      : genie_status_annotate(status,
                                              "the peer is on another host, or in another network namespace, so "
                                              "shared memory is no path to it; of UCX's transports \"%s\" none is",
                                              fabric->transports);
}

static genie_status_t receive_address(genie_ucx_channel_t *channel, genie_channel_t *control, genie_wire_side_t side,
                                      genie_deadline_ns_t deadline, uint8_t out_token[GENIE_WIRE_TOKEN_BYTES]) {
  const genie_wire_side_t from = side == GENIE_WIRE_FROM_NODE ? GENIE_WIRE_FROM_CLIENT : GENIE_WIRE_FROM_NODE;
  void *header = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(channel->base.allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &header));
  genie_wire_prefix_t prefix;
  size_t header_bytes = 0;
  uint64_t payload_bytes = 0;
  genie_wire_control_t message = {0};
  genie_status_t status = genie_connection_receive(control, from, GENIE_WIRE_ROLE_NONE, header, deadline, &prefix,
                                                   &header_bytes, &payload_bytes);
  if (status == GENIE_OK && prefix.kind != GENIE_WIRE_UCX_ADDRESS && prefix.kind != GENIE_WIRE_ERROR) {
    status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: sends another message where UCX_ADDRESS is due",
                               channel->base.peer.name);
  }
  if (status == GENIE_OK) {
    status = genie_wire_control_decode(header, header_bytes, channel->base.allocator, &message);
  }
  if (status == GENIE_OK) {
    status = message.kind == GENIE_WIRE_ERROR ? genie_wire_error_status(message.error, channel->base.peer.name)
                                              : use_address(channel, message.ucx_address, side, deadline, out_token);
  }
  genie_wire_control_deinit(&message);
  genie_allocator_free(channel->base.allocator, header);
  return status;
}

static genie_status_t connect_over(genie_ucx_channel_t *channel, genie_channel_t *control, genie_wire_side_t side,
                                   const char *demand, genie_deadline_ns_t deadline) {
  uint8_t token[GENIE_WIRE_TOKEN_BYTES];
  GENIE_RETURN_IF_ERROR(send_address(channel, control, demand, deadline));
  GENIE_RETURN_IF_ERROR(receive_address(channel, control, side, deadline, token));
  GENIE_RETURN_IF_ERROR(genie_ucx_channel_prove(channel, token, deadline));
  GENIE_RETURN_IF_ERROR(genie_ucx_channel_probe(channel, deadline));
  return check_demand(demand, channel);
}

genie_status_t genie_ucx_open(genie_ucx_fabric_t *fabric, genie_channel_t *control, genie_wire_side_t side,
                              const char *demand, genie_deadline_ns_t deadline, genie_channel_t **out_channel) {
  genie_ucx_channel_t *channel = NULL;
  GENIE_RETURN_IF_ERROR(genie_ucx_channel_create(fabric, &control->peer, control->allocator, &channel));
  const genie_status_t status = connect_over(channel, control, side, demand, deadline);
  if (status != GENIE_OK) {
    genie_channel_close(&channel->base);
    return status;
  }
  channel->control = control;
  *out_channel = &channel->base;
  return GENIE_OK;
}
