// The ends of the stream carrier: who connects, who listens.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/transport/stream_channel.h"
#include "remote_exec/transport/stream_socket.h"

static const uint64_t kDefaultSpinNs = 50000;
static const uint64_t kDefaultUserTimeoutMs = 3000;

typedef struct stream_listener {
  genie_listener_t base;
  genie_stream_options_t options;
  genie_trust_t trust;
  SSL_CTX *context;
  char own_fingerprint[GENIE_FINGERPRINT_TEXT_BYTES];
  int socket;
  genie_wake_t wake;
} stream_listener_t;

static genie_stream_options_t complete_options(const genie_stream_options_t *options) {
  genie_stream_options_t complete = options != NULL ? *options : (genie_stream_options_t){0};
  if (complete.spin_ns == 0) {
    complete.spin_ns = kDefaultSpinNs;
  }
  if (complete.max_payload_bytes == 0 || complete.max_payload_bytes > GENIE_CHANNEL_MAX_PAYLOAD_BYTES) {
    complete.max_payload_bytes = GENIE_CHANNEL_MAX_PAYLOAD_BYTES;
  }
  if (complete.user_timeout_ms == 0) {
    complete.user_timeout_ms = kDefaultUserTimeoutMs;
  }
  return complete;
}

static genie_status_t stream_connect(genie_stream_channel_t *stream, const char *address,
                                     const genie_identity_t *identity, const genie_stream_options_t *options,
                                     genie_deadline_ns_t deadline) {
  SSL_CTX *context = NULL;
  int descriptor = -1;
  GENIE_RETURN_IF_ERROR(genie_stream_socket_connect(address, options->local_address, options->user_timeout_ms,
                                                    &stream->flow.wake, deadline, &descriptor));
  genie_status_t status = genie_stream_tls_context_create(identity, /*is_server=*/false, &context);
  if (status != GENIE_OK) {
    close(descriptor);
    return status;
  }
  status = genie_stream_flow_attach(&stream->flow, context, /*is_server=*/false, descriptor);
  SSL_CTX_free(context);
  return status == GENIE_OK ? genie_channel_handshake(&stream->base, deadline) : status;
}

genie_status_t genie_stream_connect(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                    const genie_stream_options_t *options, genie_deadline_ns_t deadline,
                                    genie_allocator_t allocator, genie_channel_t **out_channel) {
  const genie_stream_options_t complete = complete_options(options);
  genie_stream_channel_t *stream = NULL;
  GENIE_RETURN_IF_ERROR(genie_stream_channel_create(&complete, address, trust, genie_identity_get_fingerprint(identity),
                                                    /*is_client=*/true, allocator, &stream));
  const genie_status_t status = stream_connect(stream, address, identity, &complete, deadline);
  if (status != GENIE_OK) {
    genie_channel_close(&stream->base);
    return status;
  }
  *out_channel = &stream->base;
  return GENIE_OK;
}

static bool is_worth_another_accept(int error) {
  return error == EINTR || error == EAGAIN || error == ECONNABORTED || error == EPROTO;
}

static genie_status_t accept_socket(stream_listener_t *listener, genie_deadline_ns_t deadline, int *out_socket,
                                    char *out_name, size_t name_capacity) {
  for (;;) {
    const genie_wait_result_t waited = genie_wake_poll(&listener->wake, listener->socket, POLLIN, deadline);
    if (waited != GENIE_WAIT_READY) {
      return waited == GENIE_WAIT_DEADLINE
                 ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: nobody connects", listener->base.address)
                 : genie_status_make(GENIE_STATUS_CANCELLED, "%s: the listener was interrupted",
                                     listener->base.address);
    }
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof(peer);
    const int accepted = accept4(listener->socket, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      genie_stream_socket_format((struct sockaddr *)&peer, peer_bytes, out_name, name_capacity);
      *out_socket = accepted;
      return GENIE_OK;
    }
    if (!is_worth_another_accept(errno)) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: cannot accept a connection: %s",
                               listener->base.address, strerror(errno));
    }
  }
}

static genie_status_t stream_accept(genie_listener_t *base, genie_deadline_ns_t deadline,
                                    genie_channel_t **out_channel) {
  stream_listener_t *listener = (stream_listener_t *)base;
  char name[GENIE_CHANNEL_MAX_NAME_BYTES];
  int descriptor = -1;
  GENIE_RETURN_IF_ERROR(accept_socket(listener, deadline, &descriptor, name, sizeof(name)));
  genie_stream_socket_configure(descriptor, listener->options.user_timeout_ms);
  genie_stream_channel_t *stream = NULL;
  genie_status_t status =
      genie_stream_channel_create(&listener->options, name, listener->trust, listener->own_fingerprint,
                                  /*is_client=*/false, base->allocator, &stream);
  if (status != GENIE_OK) {
    close(descriptor);
    return status;
  }
  status = genie_stream_flow_attach(&stream->flow, listener->context, /*is_server=*/true, descriptor);
  if (status != GENIE_OK) {
    genie_channel_close(&stream->base);
    return status;
  }
  *out_channel = &stream->base;
  return GENIE_OK;
}

static void listener_interrupt(genie_listener_t *listener) {
  genie_wake_set(&((stream_listener_t *)listener)->wake);
}

static void listener_close(genie_listener_t *base) {
  stream_listener_t *listener = (stream_listener_t *)base;
  if (listener->socket >= 0) {
    close(listener->socket);
  }
  SSL_CTX_free(listener->context);
  genie_wake_deinit(&listener->wake);
  genie_allocator_free(base->allocator, listener);
}

static const genie_listener_ops_t kListenerOps = {
    .accept = stream_accept,
    .interrupt = listener_interrupt,
    .close = listener_close,
};

static genie_status_t listener_open(stream_listener_t *listener, const char *address,
                                    const genie_identity_t *identity) {
  GENIE_RETURN_IF_ERROR(genie_wake_init(&listener->wake));
  GENIE_RETURN_IF_ERROR(genie_stream_tls_context_create(identity, /*is_server=*/true, &listener->context));
  GENIE_RETURN_IF_ERROR(genie_stream_socket_listen(address, &listener->socket));
  struct sockaddr_storage bound;
  socklen_t bound_bytes = sizeof(bound);
  if (getsockname(listener->socket, (struct sockaddr *)&bound, &bound_bytes) == 0) {
    genie_stream_socket_format((struct sockaddr *)&bound, bound_bytes, listener->base.address,
                               sizeof(listener->base.address));
  }
  return GENIE_OK;
}

genie_status_t genie_stream_listen(const char *address, const genie_identity_t *identity, genie_trust_t trust,
                                   const genie_stream_options_t *options, genie_allocator_t allocator,
                                   genie_listener_t **out_listener) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(stream_listener_t), &memory));
  stream_listener_t *listener = memory;
  listener->base = (genie_listener_t){.ops = &kListenerOps, .allocator = allocator};
  listener->options = complete_options(options);
  listener->trust = trust;
  listener->socket = -1;
  listener->wake.descriptor = -1;
  snprintf(listener->own_fingerprint, sizeof(listener->own_fingerprint), "%s",
           genie_identity_get_fingerprint(identity));
  const genie_status_t status = listener_open(listener, address, identity);
  if (status != GENIE_OK) {
    listener_close(&listener->base);
    return status;
  }
  *out_listener = &listener->base;
  return GENIE_OK;
}
