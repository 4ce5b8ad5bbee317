// Ed25519 public keys, by which nodes and clients know each other, and their written forms.
#ifndef GENIE_REMOTE_EXEC_IDENTITY_PUBLIC_KEY_H_
#define GENIE_REMOTE_EXEC_IDENTITY_PUBLIC_KEY_H_

#include "runtime/base/status.h"

enum {
  GENIE_PUBLIC_KEY_BYTES = 32,
  GENIE_FINGERPRINT_BYTES = 32,
  GENIE_FINGERPRINT_TEXT_BYTES = 72,  // "sha256:", 64 digits and the zero
};

typedef struct genie_public_key {
  uint8_t bytes[GENIE_PUBLIC_KEY_BYTES];
} genie_public_key_t;

// The SHA-256 of a raw public key: what is pinned, listed and shown.
typedef struct genie_fingerprint {
  uint8_t bytes[GENIE_FINGERPRINT_BYTES];
} genie_fingerprint_t;

void genie_public_key_fingerprint(const genie_public_key_t *key, genie_fingerprint_t *out_fingerprint);

// "sha256:" and 64 lower-case hexadecimal digits.
void genie_fingerprint_format(const genie_fingerprint_t *fingerprint, char out_text[GENIE_FINGERPRINT_TEXT_BYTES]);

// The inverse of format; `length` bytes of `text`, digits of either case. INVALID_ARGUMENT.
genie_status_t genie_fingerprint_parse(const char *text, size_t length,
                                       genie_fingerprint_t *out_fingerprint) GENIE_MUST_USE;

// Any written form of a key: "sha256:<hex>" of it, the key itself as 64 hexadecimal or 44 base64 digits, or the line
// between the dashes of a PEM file. INVALID_ARGUMENT.
genie_status_t genie_fingerprint_parse_key(const char *text, size_t length,
                                           genie_fingerprint_t *out_fingerprint) GENIE_MUST_USE;

bool genie_fingerprint_is_equal(const genie_fingerprint_t *a, const genie_fingerprint_t *b);

#endif  // GENIE_REMOTE_EXEC_IDENTITY_PUBLIC_KEY_H_
