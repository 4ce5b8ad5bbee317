// Who we are (a private key) and whom we trust (a rule over public keys).
#ifndef GENIE_REMOTE_EXEC_IDENTITY_IDENTITY_H_
#define GENIE_REMOTE_EXEC_IDENTITY_IDENTITY_H_

#include "remote_exec/identity/public_key.h"
#include "runtime/base/allocator.h"

// A private key and the self-signed certificate that carries its public half. Immutable: shared by threads.
typedef struct genie_identity genie_identity_t;

// Reads the Ed25519 private key in the PEM file `path`, as `genie keygen` writes it. NOT_FOUND, INVALID_ARGUMENT;
// PERMISSION_DENIED when others may read the file.
genie_status_t genie_identity_load(const char *path, genie_allocator_t allocator,
                                   genie_identity_t **out_identity) GENIE_MUST_USE;

// A new key in memory, which ends with the process.
genie_status_t genie_identity_generate(genie_allocator_t allocator, genie_identity_t **out_identity) GENIE_MUST_USE;

// Reads the key at `path`, or creates it there (mode 0600, and PATH.pub beside it) when nothing is there.
genie_status_t genie_identity_load_or_create(const char *path, genie_allocator_t allocator,
                                             genie_identity_t **out_identity) GENIE_MUST_USE;

// Accepts NULL.
void genie_identity_destroy(genie_identity_t *identity);

const genie_public_key_t *genie_identity_get_public_key(const genie_identity_t *identity);

// Borrowed text "sha256:<hex>".
const char *genie_identity_get_fingerprint(const genie_identity_t *identity);

// The OpenSSL objects, borrowed, as void pointers to EVP_PKEY and X509: for transport/stream_tls.c alone.
void *genie_identity_get_evp_key(const genie_identity_t *identity);
void *genie_identity_get_x509(const genie_identity_t *identity);

// A rule that judges a peer's key: OK, or PERMISSION_DENIED with a line for people. `peer` is its address. Copied by
// value; `self` outlives what it is given to; called from several threads.
typedef struct genie_trust {
  void *self;
  genie_status_t (*judge)(void *self, const char *peer, const genie_fingerprint_t *key);
} genie_trust_t;

// Trusts one key only, which is borrowed: the pool file's.
genie_trust_t genie_trust_pinned(const genie_fingerprint_t *key);

#endif  // GENIE_REMOTE_EXEC_IDENTITY_IDENTITY_H_
