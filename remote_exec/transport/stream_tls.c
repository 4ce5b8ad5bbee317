#include "remote_exec/transport/stream_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { kMaxCertificateBytes = 4096, kRecordHeadBytes = 5 };

// OpenSSL's socket BIO writes by write(), which raises SIGPIPE when the peer is gone; a library may not.
static int write_without_signal(BIO *bio, const char *data, int bytes) {
  if (BIO_get_ktls_send(bio)) {
    return BIO_meth_get_write(BIO_s_socket())(bio, data, bytes);
  }
  int descriptor = -1;
  BIO_get_fd(bio, &descriptor);
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(descriptor, data, (size_t)bytes, MSG_NOSIGNAL);
  if (sent < 0 && BIO_sock_should_retry((int)sent)) {
    BIO_set_retry_write(bio);
  }
  return (int)sent;
}

// OpenSSL asks for a record's head and then for its body. One system call gets what is asked for, to where it is asked
// for, and a little more: small records whole, and behind a large one the next one's head. (OpenSSL's own read-ahead
// moves all that it holds with each record.)
static int read_with_more(BIO *bio, char *data, int bytes) {
  genie_stream_inbox_t *inbox = BIO_get_app_data(bio);
  if (inbox == NULL || BIO_get_ktls_recv(bio)) {
    return BIO_meth_get_read(BIO_s_socket())(bio, data, bytes);
  }
  BIO_clear_retry_flags(bio);
  const size_t held = inbox->end - inbox->begin;
  if (held > 0) {
    const size_t step = held < (size_t)bytes ? held : (size_t)bytes;
    memcpy(data, inbox->bytes + inbox->begin, step);
    inbox->begin += step;
    return (int)step;
  }
  const size_t more = (size_t)bytes < sizeof(inbox->bytes) ? sizeof(inbox->bytes) : kRecordHeadBytes;
  struct iovec pieces[] = {{.iov_base = data, .iov_len = (size_t)bytes}, {.iov_base = inbox->bytes, .iov_len = more}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
  int descriptor = -1;
  BIO_get_fd(bio, &descriptor);
  const ssize_t got = recvmsg(descriptor, &message, 0);
  if (got < 0 && BIO_sock_should_retry((int)got)) {
    BIO_set_retry_read(bio);
  }
  inbox->begin = 0;
  inbox->end = got > bytes ? (size_t)(got - bytes) : 0;
  return got > bytes ? bytes : (int)got;
}

// A BIO that only gathers what is written to it. What does not fit is to be tried again once the outbox was sent.
static int write_to_outbox(BIO *bio, const char *data, int bytes) {
  genie_stream_outbox_t *outbox = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (bytes < 0 || outbox->capacity - outbox->end < (size_t)bytes) {
    BIO_set_retry_write(bio);
    return -1;
  }
  memcpy(outbox->bytes + outbox->end, data, (size_t)bytes);
  outbox->end += (size_t)bytes;
  return bytes;
}

static long control_outbox(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int create_outbox(BIO *bio) {
  BIO_set_init(bio, 1);
  return 1;
}

static BIO_METHOD *socket_method;
static BIO_METHOD *outbox_method;
static pthread_once_t methods_once = PTHREAD_ONCE_INIT;

static void make_outbox_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "genie outbox");
  if (method != NULL && BIO_meth_set_write(method, write_to_outbox) == 1 &&
      BIO_meth_set_ctrl(method, control_outbox) == 1 && BIO_meth_set_create(method, create_outbox) == 1) {
    outbox_method = method;
  }
}

static void make_methods(void) {
  make_outbox_method();
  const BIO_METHOD *base = BIO_s_socket();
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "genie socket");
  if (method != NULL && BIO_meth_set_write(method, write_without_signal) == 1 &&
      BIO_meth_set_read(method, read_with_more) == 1 && BIO_meth_set_puts(method, BIO_meth_get_puts(base)) == 1 &&
      BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(base)) == 1 &&
      BIO_meth_set_create(method, BIO_meth_get_create(base)) == 1 &&
      BIO_meth_set_destroy(method, BIO_meth_get_destroy(base)) == 1) {
    socket_method = method;
  }
}

static bool read_peer_key(X509 *certificate, genie_public_key_t *out_key) {
  EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
  size_t key_bytes = sizeof(out_key->bytes);
  return key != NULL && EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 &&
         EVP_PKEY_get_raw_public_key(key, out_key->bytes, &key_bytes) == 1 && key_bytes == sizeof(out_key->bytes);
}

// Takes the place of OpenSSL's chain verification. The handshake's signature still proves that the peer has the key.
static int judge_certificate(X509_STORE_CTX *store, void *unused) {
  (void)unused;
  const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  genie_stream_judgement_t *judgement = SSL_get_app_data(ssl);
  genie_public_key_t key;
  genie_status_free(judgement->refusal);
  if (!read_peer_key(X509_STORE_CTX_get0_cert(store), &key)) {
    judgement->refusal =
        genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "%s: has no Ed25519 key", judgement->peer->name);
  } else {
    genie_fingerprint_t fingerprint;
    genie_public_key_fingerprint(&key, &fingerprint);
    genie_fingerprint_format(&fingerprint, judgement->peer->fingerprint);
    judgement->refusal = judgement->trust.judge(judgement->trust.self, judgement->peer->name, &fingerprint);
  }
  if (judgement->refusal != GENIE_OK) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

static bool configure(SSL_CTX *context, const genie_identity_t *identity) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_ENABLE_KTLS | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_cert_list(context, kMaxCertificateBytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(context, judge_certificate, NULL);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, GENIE_STREAM_TLS_CIPHERS) == 1 &&
         SSL_CTX_use_certificate(context, genie_identity_get_x509(identity)) == 1 &&
         SSL_CTX_use_PrivateKey(context, genie_identity_get_evp_key(identity)) == 1;
}

genie_status_t genie_stream_tls_context_create(const genie_identity_t *identity, bool is_server,
                                               SSL_CTX **out_context) {
  pthread_once(&methods_once, make_methods);
  SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  if (context == NULL || socket_method == NULL || outbox_method == NULL || !configure(context, identity)) {
    char reason[128];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    SSL_CTX_free(context);
    return genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL cannot set TLS 1.3 up: %s", reason);
  }
  *out_context = context;
  return GENIE_OK;
}

genie_status_t genie_stream_tls_open(SSL_CTX *context, int socket, genie_stream_judgement_t *judgement, SSL **out_ssl) {
  SSL *ssl = SSL_new(context);
  BIO *bio = BIO_new(socket_method);
  if (ssl == NULL || bio == NULL) {
    SSL_free(ssl);
    BIO_free(bio);
    ERR_clear_error();
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a TLS connection");
  }
  BIO_set_fd(bio, socket, BIO_NOCLOSE);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, judgement);
  *out_ssl = ssl;
  return GENIE_OK;
}

genie_status_t genie_stream_tls_use_outbox(SSL *ssl, genie_stream_outbox_t *outbox, bool *out_is_used) {
  *out_is_used = !BIO_get_ktls_send(SSL_get_wbio(ssl));
  if (!*out_is_used) {
    return GENIE_OK;
  }
  BIO *bio = BIO_new(outbox_method);
  if (bio == NULL) {
    ERR_clear_error();
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a TLS connection");
  }
  BIO_set_data(bio, outbox);
  SSL_set0_wbio(ssl, bio);
  return GENIE_OK;
}

void genie_stream_tls_use_inbox(SSL *ssl, genie_stream_inbox_t *inbox) {
  BIO_set_app_data(SSL_get_rbio(ssl), inbox);
}

bool genie_stream_tls_is_refusal(unsigned long error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
    return false;
  }
  switch (ERR_GET_REASON(error)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

void genie_stream_tls_describe(const SSL *ssl, char *out_text, size_t capacity) {
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  const bool is_chacha = cipher != NULL && strstr(SSL_CIPHER_get_name(cipher), "CHACHA20") != NULL;
  const bool is_kernel = BIO_get_ktls_send(SSL_get_wbio(ssl)) > 0;
  snprintf(out_text, capacity, "tls1.3 %s%s tcp", is_chacha ? "chacha20-poly1305" : "aes-256-gcm",
           is_kernel ? " ktls" : "");
}
