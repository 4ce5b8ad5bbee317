// TLS of the stream carrier: contexts, the judgement of the peer's key, and a socket BIO that raises no SIGPIPE.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_STREAM_TLS_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_STREAM_TLS_H_

#include <openssl/ssl.h>

#include "remote_exec/identity/identity.h"
#include "remote_exec/transport/channel.h"

// What both sides offer, the first that both have wins.
#define GENIE_STREAM_TLS_CIPHERS "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

// What the judgement of a peer's key needs and leaves; lives as long as the SSL that points to it.
typedef struct genie_stream_judgement {
  genie_trust_t trust;
  genie_channel_peer_t *peer;  // its fingerprint is filled in
  genie_status_t refusal;      // why the key was refused, owned
} genie_stream_judgement_t;

// A context for either end: TLS 1.3 only, mutual authentication, no tickets, no sessions, no 0-RTT.
genie_status_t genie_stream_tls_context_create(const genie_identity_t *identity, bool is_server,
                                               SSL_CTX **out_context) GENIE_MUST_USE;

// An SSL over `socket`, which the caller still owns.
genie_status_t genie_stream_tls_open(SSL_CTX *context, int socket, genie_stream_judgement_t *judgement,
                                     SSL **out_ssl) GENIE_MUST_USE;

// Ciphertext that TLS made and the socket has not taken yet: [begin, end) of `bytes`. Whoever calls into the SSL
// appends to it; one thread sends it, so that records leave in batches and no lock is held by a system call.
typedef struct genie_stream_outbox {
  uint8_t *bytes;
  size_t capacity, begin, end;
} genie_stream_outbox_t;

// From here on `ssl` writes to `outbox`, which outlives it, unless the kernel does its TLS. `out_is_used` says which.
genie_status_t genie_stream_tls_use_outbox(SSL *ssl, genie_stream_outbox_t *outbox, bool *out_is_used) GENIE_MUST_USE;

enum { GENIE_STREAM_INBOX_BYTES = 4096 };

// Ciphertext that the socket gave before OpenSSL asked for it: [begin, end) of `bytes`.
typedef struct genie_stream_inbox {
  uint8_t bytes[GENIE_STREAM_INBOX_BYTES];
  size_t begin, end;
} genie_stream_inbox_t;

// From here on `ssl` reads through `inbox`, which outlives it, unless the kernel does its TLS. After the handshake:
// before, the kernel may still be asked to, and must then find all that follows in the socket.
void genie_stream_tls_use_inbox(SSL *ssl, genie_stream_inbox_t *inbox);

// Whether OpenSSL's pending error is an alert by which the peer refuses our key.
bool genie_stream_tls_is_refusal(unsigned long error);

// "tls1.3 aes-256-gcm tcp", with "ktls" where the kernel encrypts.
void genie_stream_tls_describe(const SSL *ssl, char *out_text, size_t capacity);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_STREAM_TLS_H_
