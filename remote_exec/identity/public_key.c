#include "remote_exec/identity/public_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char kFingerprintPrefix[] = "sha256:";
// What comes before the key's own digits in the base64 of a PEM public key: the DER header of Ed25519.
static const char kPemPrefix[] = "MCowBQYDK2VwAyEA";

enum { kHexDigits = 64, kBase64Digits = 44 };

void genie_public_key_fingerprint(const genie_public_key_t *key, genie_fingerprint_t *out_fingerprint) {
  unsigned int length = 0;
  EVP_Digest(key->bytes, sizeof(key->bytes), out_fingerprint->bytes, &length, EVP_sha256(), NULL);
}

void genie_fingerprint_format(const genie_fingerprint_t *fingerprint, char out_text[GENIE_FINGERPRINT_TEXT_BYTES]) {
  char *cursor = out_text + snprintf(out_text, GENIE_FINGERPRINT_TEXT_BYTES, "%s", kFingerprintPrefix);
  for (int i = 0; i < GENIE_FINGERPRINT_BYTES; ++i) {
    cursor += snprintf(cursor, 3, "%02x", fingerprint->bytes[i]);
  }
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, size_t length, uint8_t out_bytes[32]) {
  if (length != kHexDigits) {
    return false;
  }
  for (int i = 0; i < kHexDigits / 2; ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    out_bytes[i] = (uint8_t)(high * 16 + low);
  }
  return true;
}

// 32 bytes are 43 digits and one '='. The decoder skips blanks, which are no digits here.
static bool parse_base64(const char *text, size_t length, uint8_t out_bytes[32]) {
  unsigned char decoded[GENIE_PUBLIC_KEY_BYTES + 1];
  unsigned char digits[kBase64Digits + 1] = {0};
  if (length != kBase64Digits || text[kBase64Digits - 1] != '=' || memchr(text, '=', length) != text + length - 1) {
    return false;
  }
  memcpy(digits, text, length);
  if (strpbrk((const char *)digits, " \t\r\n-") != NULL ||
      EVP_DecodeBlock(decoded, digits, kBase64Digits) != GENIE_PUBLIC_KEY_BYTES + 1) {
    ERR_clear_error();
    return false;
  }
  memcpy(out_bytes, decoded, GENIE_PUBLIC_KEY_BYTES);
  return true;
}

genie_status_t genie_fingerprint_parse(const char *text, size_t length, genie_fingerprint_t *out_fingerprint) {
  const size_t prefix = sizeof(kFingerprintPrefix) - 1;
  if (length < prefix || memcmp(text, kFingerprintPrefix, prefix) != 0 ||
      !parse_hex(text + prefix, length - prefix, out_fingerprint->bytes)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "no key fingerprint: it is \"sha256:\" and 64 hexadecimal digits");
  }
  return GENIE_OK;
}

genie_status_t genie_fingerprint_parse_key(const char *text, size_t length, genie_fingerprint_t *out_fingerprint) {
  const size_t pem_prefix = sizeof(kPemPrefix) - 1;
  genie_public_key_t key;
  if (length >= sizeof(kFingerprintPrefix) - 1 &&
      memcmp(text, kFingerprintPrefix, sizeof(kFingerprintPrefix) - 1) == 0) {
    return genie_fingerprint_parse(text, length, out_fingerprint);
  }
  if (length == pem_prefix + kBase64Digits && memcmp(text, kPemPrefix, pem_prefix) == 0) {
    text += pem_prefix;
    length -= pem_prefix;
  }
  if (!parse_hex(text, length, key.bytes) && !parse_base64(text, length, key.bytes)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "no Ed25519 key (sha256:<hex>, 64 hexadecimal digits, 44 base64 digits, or PEM)");
  }
  genie_public_key_fingerprint(&key, out_fingerprint);
  return GENIE_OK;
}

bool genie_fingerprint_is_equal(const genie_fingerprint_t *a, const genie_fingerprint_t *b) {
  return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
