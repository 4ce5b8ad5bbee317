#include "remote_exec/transport/bench_link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/transport/stream.h"
#include "remote_exec/transport/stream_tls.h"
#include "remote_exec/transport/ucx.h"

enum { kHeaderBytes = 48, kConnectPauseUs = 1000 };

static const uint64_t kConnectNs = 10000000000u;

static void check(genie_status_t status) {
  if (status != GENIE_OK) {
    fprintf(stderr, "channel_bench: %s\n", genie_status_message(status));
    exit(1);
  }
}

static void check_that(bool is_good, const char *what) {
  if (!is_good) {
    fprintf(stderr, "channel_bench: %s fails\n", what);
    exit(1);
  }
}

void bench_link_send(const bench_link_t *link, void *data, size_t bytes) {
  if (link->channel != NULL) {
    static const char header[kHeaderBytes];
    const struct iovec piece = {.iov_base = data, .iov_len = bytes};
    const genie_message_t message = {
        .header = header, .header_bytes = kHeaderBytes, .payload = &piece, .payload_count = bytes > 0 ? 1 : 0};
    check(genie_channel_send(link->channel, &message, GENIE_DEADLINE_NEVER));
    return;
  }
  bytes = bytes > 0 ? bytes : kHeaderBytes;
  for (size_t done = 0; done < bytes;) {
    const ssize_t sent = link->ssl != NULL ? SSL_write(link->ssl, (char *)data + done, (int)(bytes - done))
                                           : send(link->socket, (char *)data + done, bytes - done, MSG_NOSIGNAL);
    check_that(sent > 0, "sending");
    done += (size_t)sent;
  }
}

void bench_link_receive(const bench_link_t *link, void *data, size_t bytes) {
  if (link->channel != NULL) {
    char header[kHeaderBytes];
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    check(genie_channel_receive_header(link->channel, header, sizeof(header), GENIE_DEADLINE_NEVER, &header_bytes,
                                       &payload_bytes));
    check_that(payload_bytes == bytes, "framing");
    check(genie_channel_receive_payload(link->channel, data, bytes, GENIE_DEADLINE_NEVER));
    return;
  }
  bytes = bytes > 0 ? bytes : kHeaderBytes;
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = link->ssl != NULL ? SSL_read(link->ssl, (char *)data + done, (int)(bytes - done))
                                          : recv(link->socket, (char *)data + done, bytes - done, 0);
    check_that(got > 0, "receiving");
    done += (size_t)got;
  }
}

static int listen_once(const struct sockaddr_in *address) {
  const int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  check_that(bind(listener, (const struct sockaddr *)address, sizeof(*address)) == 0 && listen(listener, 1) == 0,
             "listening");
  const int accepted = accept(listener, NULL, NULL);
  close(listener);
  return accepted;
}

static int connect_soon(const struct sockaddr_in *address) {
  for (;;) {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) == 0) {
      return descriptor;
    }
    close(descriptor);
    usleep(kConnectPauseUs);
  }
}

static int plain_socket(const bench_setup_t *setup, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  check_that(inet_pton(AF_INET, setup->host, &address.sin_addr) == 1, "reading the address");
  const int descriptor = setup->is_server ? listen_once(&address) : connect_soon(&address);
  const int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return descriptor;
}

// OpenSSL as its manual shows it: a blocking socket, the defaults, TLS 1.3 with the same cipher.
static SSL *plain_ssl(const bench_setup_t *setup, int descriptor) {
  SSL_CTX *context = SSL_CTX_new(setup->is_server ? TLS_server_method() : TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, GENIE_STREAM_TLS_CIPHERS);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_use_certificate(context, genie_identity_get_x509(setup->identity));
  SSL_CTX_use_PrivateKey(context, genie_identity_get_evp_key(setup->identity));
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, descriptor);
  check_that((setup->is_server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1, "the plain TLS handshake");
  SSL_CTX_free(context);
  return ssl;
}

static genie_status_t judge_all(void *self, const char *peer, const genie_fingerprint_t *key) {
  (void)self;
  (void)peer;
  (void)key;
  return GENIE_OK;
}

static const genie_trust_t kTrustAll = {.judge = judge_all};

static genie_channel_t *accept_stream(const bench_setup_t *setup, const char *address) {
  genie_listener_t *listener = NULL;
  genie_channel_t *channel = NULL;
  check(genie_stream_listen(address, setup->identity, kTrustAll, NULL, genie_allocator_heap(), &listener));
  check(genie_listener_accept(listener, GENIE_DEADLINE_NEVER, &channel));
  check(genie_channel_handshake(channel, GENIE_DEADLINE_NEVER));
  genie_listener_close(listener);
  return channel;
}

static genie_channel_t *stream_channel(const bench_setup_t *setup, int port) {
  char address[64];
  snprintf(address, sizeof(address), "%s:%d", setup->host, port);
  if (setup->is_server) {
    return accept_stream(setup, address);
  }
  for (;;) {
    genie_channel_t *channel = NULL;
    const genie_status_t status =
        genie_stream_connect(address, setup->identity, kTrustAll, NULL, genie_deadline_after_ns(kConnectNs),
                             genie_allocator_heap(), &channel);
    if (genie_status_code(status) != GENIE_STATUS_UNAVAILABLE) {
      check(status);
      return channel;
    }
    genie_status_free(status);
    usleep(kConnectPauseUs);
  }
}

// NULL where the build has no UCX. `transports` is UCX's list.
static genie_channel_t *ucx_channel(const bench_setup_t *setup, int port, const char *transports) {
  const genie_ucx_options_t options = {.transports = transports};
  genie_ucx_fabric_t *fabric = NULL;
  const genie_status_t status = genie_ucx_fabric_create(&options, genie_allocator_heap(), &fabric);
  if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
    genie_status_free(status);
    return NULL;
  }
  check(status);
  check(genie_ucx_fabric_register(fabric, setup->buffer, setup->buffer_bytes, GENIE_UCX_MEMORY_HOST));
  genie_channel_t *channel = NULL;
  check(genie_ucx_open(fabric, stream_channel(setup, port),
                       setup->is_server ? GENIE_WIRE_FROM_NODE : GENIE_WIRE_FROM_CLIENT, "",
                       genie_deadline_after_ns(kConnectNs), &channel));
  return channel;
}

void bench_links_open(const bench_setup_t *setup, bench_link_t links[BENCH_LINK_COUNT]) {
  const int port = setup->port;
  links[BENCH_LINK_TCP] = (bench_link_t){.name = "send/recv", .is_open = true, .socket = plain_socket(setup, port)};
  links[BENCH_LINK_SSL] = (bench_link_t){
      .name = "SSL_write/SSL_read", .is_open = true, .ssl = plain_ssl(setup, plain_socket(setup, port + 1))};
  links[BENCH_LINK_STREAM] =
      (bench_link_t){.name = "stream", .is_open = true, .channel = stream_channel(setup, port + 2)};
  links[BENCH_LINK_UCX_TCP] = (bench_link_t){.name = "ucx tcp", .channel = ucx_channel(setup, port + 3, "tcp")};
  links[BENCH_LINK_UCX_SHM] = (bench_link_t){
      .name = "ucx posix,sysv", .channel = setup->is_one_host ? ucx_channel(setup, port + 4, "posix,sysv") : NULL};
  links[BENCH_LINK_UCX_TCP].is_open = links[BENCH_LINK_UCX_TCP].channel != NULL;
  links[BENCH_LINK_UCX_SHM].is_open = links[BENCH_LINK_UCX_SHM].channel != NULL;
}
