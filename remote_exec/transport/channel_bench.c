// Round trips and rates of each carrier between two processes, beside plain loops over the same kind of socket: a
// blocking send/recv loop, and an SSL_write/SSL_read loop. All links are open at once and take turns within a round, so
// that the noise of the machine strikes them alike; what is printed is the median of the rounds.
//
//     channel_bench [ROUNDS]
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote_exec/transport/stream.h"
#include "remote_exec/transport/stream_tls.h"
#include "remote_exec/transport/ucx.h"

enum { kPort = 39471, kPings = 2000, kMaxRounds = 101, kHeaderBytes = 48 };

static const size_t kSizes[] = {64 << 10, 1 << 20, 64 << 20};
static const int kCounts[] = {512, 48, 2};
enum { kSizeCount = sizeof(kSizes) / sizeof(kSizes[0]), kMeasureCount = 1 + 2 * kSizeCount };

typedef struct bench_link {
  const char *name;
  genie_channel_t *channel;  // a carrier of ours, or
  SSL *ssl;                  // plain TLS, or
  int socket;                // plain TCP
} bench_link_t;

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

// A plain link has no framing: both sides know the sizes.
static void send_bytes(const bench_link_t *link, void *data, size_t bytes) {
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

static void receive_bytes(const bench_link_t *link, void *data, size_t bytes) {
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

// A connected TCP socket; both processes call it with the same port.
static int plain_socket(bool is_server, int port) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int one = 1;
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (is_server) {
    check_that(bind(descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(descriptor, 1) == 0,
               "listening");
    const int accepted = accept(descriptor, NULL, NULL);
    close(descriptor);
    descriptor = accepted;
  } else {
    while (connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
      usleep(1000);
    }
  }
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return descriptor;
}

static genie_status_t judge_all(void *self, const char *peer, const genie_fingerprint_t *key) {
  (void)self;
  (void)peer;
  (void)key;
  return GENIE_OK;
}

static const genie_trust_t kTrustAll = {.judge = judge_all};

// OpenSSL as its manual shows it: a blocking socket, the defaults, TLS 1.3 with the same cipher.
static SSL *plain_ssl(bool is_server, int descriptor, const genie_identity_t *identity) {
  SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_use_certificate(context, genie_identity_get_x509(identity));
  SSL_CTX_use_PrivateKey(context, genie_identity_get_evp_key(identity));
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, descriptor);
  check_that((is_server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1, "the plain TLS handshake");
  SSL_CTX_free(context);
  return ssl;
}

static genie_channel_t *stream_channel(bool is_server, int port, const genie_identity_t *identity) {
  char address[64];
  snprintf(address, sizeof(address), "127.0.0.1:%d", port);
  genie_channel_t *channel = NULL;
  if (!is_server) {
    for (;;) {
      const genie_status_t status =
          genie_stream_connect(address, identity, kTrustAll, NULL, genie_deadline_after_ns(UINT64_C(5000000000)),
                               genie_allocator_heap(), &channel);
      if (genie_status_code(status) != GENIE_STATUS_UNAVAILABLE) {
        check(status);
        return channel;
      }
      genie_status_free(status);
      usleep(1000);
    }
  }
  genie_listener_t *listener = NULL;
  check(genie_stream_listen(address, identity, kTrustAll, NULL, genie_allocator_heap(), &listener));
  check(genie_listener_accept(listener, GENIE_DEADLINE_NEVER, &channel));
  check(genie_channel_handshake(channel, GENIE_DEADLINE_NEVER));
  genie_listener_close(listener);
  return channel;
}

// NULL where the build has no UCX. `transports` is UCX's list; `buffer` is registered.
static genie_channel_t *ucx_channel(bool is_server, int port, const genie_identity_t *identity, const char *transports,
                                    uint8_t *buffer) {
  const genie_ucx_options_t options = {.transports = transports};
  genie_ucx_fabric_t *fabric = NULL;
  const genie_status_t status = genie_ucx_fabric_create(&options, genie_allocator_heap(), &fabric);
  if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
    genie_status_free(status);
    return NULL;
  }
  check(status);
  check(genie_ucx_fabric_register(fabric, buffer, kSizes[kSizeCount - 1], GENIE_UCX_MEMORY_HOST));
  genie_channel_t *channel = NULL;
  check(genie_ucx_open(fabric, stream_channel(is_server, port, identity),
                       is_server ? GENIE_WIRE_FROM_NODE : GENIE_WIRE_FROM_CLIENT, "",
                       genie_deadline_after_ns(UINT64_C(10000000000)), &channel));
  return channel;
}

enum { LINK_TCP, LINK_SSL, LINK_STREAM, LINK_UCX_TCP, LINK_UCX_SHM, LINK_COUNT };

static void open_links(bool is_server, const genie_identity_t *identity, uint8_t *buffer,
                       bench_link_t links[LINK_COUNT]) {
  links[LINK_TCP] = (bench_link_t){.name = "send/recv", .socket = plain_socket(is_server, kPort)};
  links[LINK_SSL] = (bench_link_t){.name = "SSL_write/SSL_read",
                                   .ssl = plain_ssl(is_server, plain_socket(is_server, kPort + 1), identity)};
  links[LINK_STREAM] = (bench_link_t){.name = "stream", .channel = stream_channel(is_server, kPort + 2, identity)};
  links[LINK_UCX_TCP] =
      (bench_link_t){.name = "ucx tcp", .channel = ucx_channel(is_server, kPort + 3, identity, "tcp", buffer)};
  links[LINK_UCX_SHM] = (bench_link_t){.name = "ucx posix,sysv",
                                       .channel = ucx_channel(is_server, kPort + 4, identity, "posix,sysv", buffer)};
}

static void serve_round(const bench_link_t *link, uint8_t *buffer) {
  for (int i = 0; i < kPings; ++i) {
    receive_bytes(link, buffer, 0);
    send_bytes(link, buffer, 0);
  }
  for (int s = 0; s < kSizeCount; ++s) {
    for (int i = 0; i < kCounts[s]; ++i) {
      receive_bytes(link, buffer, kSizes[s]);
    }
    send_bytes(link, buffer, 0);
  }
}

static int compare_u64(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a;
  const uint64_t y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static double measure_ping_us(const bench_link_t *link, uint8_t *buffer) {
  uint64_t times[kPings];
  for (int i = 0; i < kPings; ++i) {
    const uint64_t started_ns = genie_deadline_clock_ns();
    send_bytes(link, buffer, 0);
    receive_bytes(link, buffer, 0);
    times[i] = genie_deadline_clock_ns() - started_ns;
  }
  qsort(times, kPings, sizeof(times[0]), compare_u64);
  return (double)times[kPings / 2] / 1e3;
}

// CPU seconds of both processes.
static double cpu_seconds(pid_t child) {
  clockid_t clock;
  struct timespec ours;
  struct timespec theirs = {0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ours);
  if (clock_getcpuclockid(child, &clock) == 0) {
    clock_gettime(clock, &theirs);
  }
  return (double)(ours.tv_sec + theirs.tv_sec) + 1e-9 * (double)(ours.tv_nsec + theirs.tv_nsec);
}

static double measure_rate(const bench_link_t *link, uint8_t *buffer, int size) {
  const uint64_t started_ns = genie_deadline_clock_ns();
  for (int i = 0; i < kCounts[size]; ++i) {
    send_bytes(link, buffer, kSizes[size]);
  }
  receive_bytes(link, buffer, 0);
  return (double)kSizes[size] * kCounts[size] / (double)(genie_deadline_clock_ns() - started_ns);
}

static int compare_double(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof(values[0]), compare_double);
  return values[count / 2];
}

int main(int argc, char **argv) {
  const int asked = argc > 1 ? atoi(argv[1]) : 5;
  const int rounds = asked < 1 ? 1 : asked > kMaxRounds ? kMaxRounds : asked;
  genie_identity_t *identity = NULL;
  check(genie_identity_generate(genie_allocator_heap(), &identity));
  const pid_t child = fork();
  const bool is_server = child == 0;
  uint8_t *buffer = malloc(kSizes[kSizeCount - 1]);
  memset(buffer, is_server, kSizes[kSizeCount - 1]);
  bench_link_t links[LINK_COUNT];
  open_links(is_server, identity, buffer, links);
  static double values[LINK_COUNT][kMeasureCount][kMaxRounds];
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < LINK_COUNT; ++i) {
      const bench_link_t *link = &links[(i + round) % LINK_COUNT];
      if (link->channel == NULL && link->ssl == NULL && link->socket == 0) {
        continue;
      }
      if (is_server) {
        serve_round(link, buffer);
        continue;
      }
      values[link - links][0][round] = measure_ping_us(link, buffer);
      for (int s = 0; s < kSizeCount; ++s) {
        const double started_cpu = cpu_seconds(child);
        values[link - links][1 + s][round] = measure_rate(link, buffer, s);
        values[link - links][1 + kSizeCount + s][round] =
            1e9 * (cpu_seconds(child) - started_cpu) / ((double)kSizes[s] * kCounts[s]);
      }
    }
  }
  if (is_server) {
    exit(0);
  }
  printf("%-20s %8s | GB/s %6s %8s %8s | CPU-s/GB %5s %8s %8s\n", "", "p50 us", "64 KiB", "1 MiB", "64 MiB", "64 KiB",
         "1 MiB", "64 MiB");
  for (int i = 0; i < LINK_COUNT; ++i) {
    printf("%-20s", links[i].name);
    for (int m = 0; m < kMeasureCount; ++m) {
      printf("%s%*.2f", m == 1 || m == 1 + kSizeCount ? " |" : "",
             m == 1                ? 12
             : m == 1 + kSizeCount ? 15
                                   : 9,
             median(values[i][m], rounds));
    }
    printf("\n");
  }
  waitpid(child, NULL, 0);
  return 0;
}
