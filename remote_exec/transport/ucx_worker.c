// What the worker of a ucx channel takes, and how its endpoint comes to be: address, token, probe.
#include <stdio.h>
#include <string.h>

#include "remote_exec/transport/ucx_drive.h"
#include "remote_exec/wire/hello.h"

enum { kProbeBytes = 1 << 20 };

static ucs_status_t take_token(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)data;
  (void)data_bytes;
  (void)param;
  genie_ucx_channel_t *channel = argument;
  channel->has_token = head_bytes == GENIE_WIRE_TOKEN_BYTES && genie_wire_token_is_equal(head, channel->expected_token);
  channel->has_wrong_token = !channel->has_token;
  return UCS_OK;
}

// A message that says one thing by its coming.
static ucs_status_t raise_flag(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)head;
  (void)head_bytes;
  (void)data;
  (void)data_bytes;
  (void)param;
  *(bool *)argument = true;
  return UCS_OK;
}

// What a probe carries is not wanted.
static ucs_status_t take_probe(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                               const ucp_am_recv_param_t *param) {
  (void)argument;
  (void)head;
  (void)head_bytes;
  (void)data;
  (void)data_bytes;
  (void)param;
  return UCS_OK;
}

// Nothing that comes before the token is kept.
static ucs_status_t take_message(void *argument, const void *head, size_t head_bytes, void *data, size_t data_bytes,
                                 const ucp_am_recv_param_t *param) {
  genie_ucx_channel_t *channel = argument;
  if (!channel->has_token) {
    channel->has_wrong_token = true;
    return UCS_OK;
  }
  return genie_ucx_queue_take_message(&channel->queue, head, head_bytes, data, data_bytes, param);
}

static ucs_status_t take_header_apart(void *argument, const void *head, size_t head_bytes, void *data,
                                      size_t data_bytes, const ucp_am_recv_param_t *param) {
  genie_ucx_channel_t *channel = argument;
  if (!channel->has_token) {
    channel->has_wrong_token = true;
    return UCS_OK;
  }
  return genie_ucx_queue_take_header(&channel->queue, head, head_bytes, data, data_bytes, param);
}

static void on_endpoint_error(void *argument, ucp_ep_h endpoint, ucs_status_t status) {
  (void)endpoint;
  ((genie_ucx_channel_t *)argument)->endpoint_status = status;
}

static genie_status_t set_handlers(genie_ucx_channel_t *channel) {
  const struct {
    unsigned id;
    ucp_am_recv_callback_t handler;
    void *argument;
  } handlers[] = {
      {GENIE_UCX_AM_TOKEN, take_token, channel},
      {GENIE_UCX_AM_MESSAGE, take_message, channel},
      {GENIE_UCX_AM_HEADER, take_header_apart, channel},
      {GENIE_UCX_AM_BYE, raise_flag, &channel->has_bye},
      {GENIE_UCX_AM_READY, raise_flag, &channel->has_ready},
      {GENIE_UCX_AM_PROBE, take_probe, NULL},
  };
  for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); ++i) {
    const ucp_am_handler_param_t param = {
        .field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG,
        .id = handlers[i].id,
        .flags = UCP_AM_FLAG_WHOLE_MSG,
        .cb = handlers[i].handler,
        .arg = handlers[i].argument,
    };
    if (channel->fabric->call.ucp_worker_set_am_recv_handler(channel->worker, &param) != UCS_OK) {
      return genie_ucx_error(channel, GENIE_STATUS_INTERNAL, "UCX takes no handler of messages");
    }
  }
  return GENIE_OK;
}

genie_status_t genie_ucx_channel_create_worker(genie_ucx_channel_t *channel) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  GENIE_RETURN_IF_ERROR(genie_wake_init(&channel->wake));
  const ucp_worker_params_t params = {
      .field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_AM_ALIGNMENT,
      .thread_mode = UCS_THREAD_MODE_SERIALIZED,
      .am_alignment = 64,
  };
  ucs_status_t result = fabric->call.ucp_worker_create(fabric->context, &params, &channel->worker);
  if (result == UCS_OK) {
    result = fabric->call.ucp_worker_get_efd(channel->worker, &channel->descriptor);
  }
  if (result != UCS_OK) {
    return genie_ucx_error(channel, GENIE_STATUS_RESOURCE_EXHAUSTED, fabric->call.ucs_status_string(result));
  }
  channel->queue = (genie_ucx_queue_t){
      .fabric = fabric, .worker = channel->worker, .max_payload_bytes = GENIE_CHANNEL_MAX_PAYLOAD_BYTES};
  return set_handlers(channel);
}

genie_status_t genie_ucx_channel_connect(genie_ucx_channel_t *channel, const void *address) {
  const ucp_ep_params_t params = {
      .field_mask =
          UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER,
      .address = address,
      .err_mode = UCP_ERR_HANDLING_MODE_PEER,
      .err_handler = {.cb = on_endpoint_error, .arg = channel},
  };
  pthread_mutex_lock(&channel->lock);
  const ucs_status_t result = channel->fabric->call.ucp_ep_create(channel->worker, &params, &channel->endpoint);
  pthread_mutex_unlock(&channel->lock);
  return result == UCS_OK ? GENIE_OK
                          : genie_ucx_error(channel, GENIE_STATUS_FAILED_PRECONDITION,
                                            channel->fabric->call.ucs_status_string(result));
}

static bool has_token(genie_ucx_channel_t *channel, void *context) {
  (void)context;
  return channel->has_token;
}

genie_status_t genie_ucx_channel_await_token(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  pthread_mutex_lock(&channel->lock);
  const genie_status_t status = genie_ucx_drive(channel, has_token, NULL, deadline);
  pthread_mutex_unlock(&channel->lock);
  return status;
}

genie_status_t genie_ucx_channel_prove(genie_ucx_channel_t *channel, const uint8_t token[GENIE_WIRE_TOKEN_BYTES],
                                       genie_deadline_ns_t deadline) {
  pthread_mutex_lock(&channel->lock);
  genie_status_t status = genie_ucx_finish(
      channel, genie_ucx_post_signal(channel, GENIE_UCX_AM_TOKEN, token, GENIE_WIRE_TOKEN_BYTES), deadline);
  if (status == GENIE_OK) {
    status = genie_ucx_drive(channel, has_token, NULL, deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  return status;
}

static bool is_peer_ready(genie_ucx_channel_t *channel, void *context) {
  (void)context;
  return channel->has_ready;
}

// UCX's text is "am_send(rndv) from host memory length 1048576 rendezvous zero-copy ... tcp/lo": what matters is its
// end.
static void describe_path(genie_ucx_channel_t *channel, const char *text) {
  const char *length = strstr(text, "length ");
  const char *protocol = length != NULL ? strchr(length + strlen("length "), ' ') : NULL;
  snprintf(channel->path, sizeof(channel->path), "ucx %s %s", channel->fabric->version,
           protocol != NULL ? protocol + 1 : text);
  // Behind the transport comes UCX's guess of its speed.
  char *guess = strchr(channel->path, '/');
  guess = guess != NULL ? strchr(guess, ' ') : NULL;
  if (guess != NULL) {
    *guess = '\0';
  }
}

genie_status_t genie_ucx_channel_probe(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(channel->base.allocator, kProbeBytes, 1, &memory));
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_MEMORY_TYPE,
                                     .flags = UCP_AM_SEND_FLAG_RNDV,
                                     .memory_type = UCS_MEMORY_TYPE_HOST};
  char text[512] = "a path that UCX does not tell";
  ucp_request_attr_t attributes = {
      .field_mask = UCP_REQUEST_ATTR_FIELD_INFO_STRING | UCP_REQUEST_ATTR_FIELD_INFO_STRING_SIZE,
      .debug_string = text,
      .debug_string_size = sizeof(text),
  };
  pthread_mutex_lock(&channel->lock);
  void *request =
      fabric->call.ucp_am_send_nbx(channel->endpoint, GENIE_UCX_AM_PROBE, NULL, 0, memory, kProbeBytes, &param);
  if (UCS_PTR_IS_PTR(request)) {
    (void)fabric->call.ucp_request_query(request, &attributes);
  }
  describe_path(channel, text);
  genie_status_t status = genie_ucx_finish(channel, request, deadline);
  if (status == GENIE_OK) {
    status = genie_ucx_finish(channel, genie_ucx_post_signal(channel, GENIE_UCX_AM_READY, NULL, 0), deadline);
  }
  if (status == GENIE_OK) {
    status = genie_ucx_drive(channel, is_peer_ready, NULL, deadline);
  }
  pthread_mutex_unlock(&channel->lock);
  genie_allocator_free(channel->base.allocator, memory);
  return status;
}
