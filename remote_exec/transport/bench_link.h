// The links that channel_bench compares: carriers of ours, and plain loops over the same kind of socket.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_BENCH_LINK_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_BENCH_LINK_H_

#include <openssl/ssl.h>

#include "remote_exec/identity/identity.h"
#include "remote_exec/transport/channel.h"

typedef enum bench_link_kind {
  BENCH_LINK_TCP,     // a blocking send/recv loop
  BENCH_LINK_SSL,     // a blocking SSL_write/SSL_read loop
  BENCH_LINK_STREAM,  // our carriers
  BENCH_LINK_UCX_TCP,
  BENCH_LINK_UCX_SHM,
  BENCH_LINK_COUNT,
} bench_link_kind_t;

typedef struct bench_link {
  const char *name;
  bool is_open;              // this build, and this pair of machines, has it
  genie_channel_t *channel;  // a carrier of ours, or
  SSL *ssl;                  // plain TLS, or
  int socket;                // plain TCP
} bench_link_t;

// What both processes agree on before they open links.
typedef struct bench_setup {
  const char *host;  // where the server listens
  int port;          // of the first link; the others follow
  bool is_server;
  bool is_one_host;  // the two can share memory
  const genie_identity_t *identity;
  uint8_t *buffer;  // what is sent and received, registered with UCX
  size_t buffer_bytes;
} bench_setup_t;

// Opens all links, in the same order in both processes. Ends the program when one fails.
void bench_links_open(const bench_setup_t *setup, bench_link_t links[BENCH_LINK_COUNT]);

// Sends and receives `bytes`; 0 is the smallest message. A plain link has no framing: both sides know the sizes.
void bench_link_send(const bench_link_t *link, void *data, size_t bytes);
void bench_link_receive(const bench_link_t *link, void *data, size_t bytes);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_BENCH_LINK_H_
