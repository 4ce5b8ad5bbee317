#include "runtime/plan/signature.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { kKeyBytes = 32, kSignatureBytes = 64, kKeyLineCapacity = 512 };

static void copy_without_signature(const uint8_t *page, uint8_t out_message[GENIE_PLAN_HEADER_BYTES]) {
  memcpy(out_message, page, GENIE_PLAN_HEADER_BYTES);
  memset(out_message + offsetof(genie_plan_header_t, signature), 0, kSignatureBytes);
}

static genie_status_t read_private_key(const char *path, EVP_PKEY **out_key) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: cannot read the signing key: %s", path, strerror(errno));
  }
  EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, "");
  fclose(file);
  ERR_clear_error();
  if (key == NULL || EVP_PKEY_base_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "%s: no unencrypted Ed25519 private key in PEM (openssl genpkey -algorithm ed25519)",
                             path);
  }
  *out_key = key;
  return GENIE_OK;
}

genie_status_t genie_plan_signature_make(const char *key_path, uint8_t *page) {
  genie_plan_header_t *header = (genie_plan_header_t *)page;
  EVP_PKEY *key = NULL;
  GENIE_RETURN_IF_ERROR(read_private_key(key_path, &key));
  size_t key_bytes = kKeyBytes;
  size_t signature_bytes = kSignatureBytes;
  header->has_signature = 1;
  bool is_signed = EVP_PKEY_get_raw_public_key(key, header->signer_key, &key_bytes) == 1;
  uint8_t message[GENIE_PLAN_HEADER_BYTES];
  copy_without_signature(page, message);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  is_signed = is_signed && context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, header->signature, &signature_bytes, message, sizeof(message)) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return is_signed ? GENIE_OK : genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL cannot sign with %s", key_path);
}

genie_status_t genie_plan_signature_verify(const uint8_t *page) {
  const genie_plan_header_t *header = (const genie_plan_header_t *)page;
  uint8_t message[GENIE_PLAN_HEADER_BYTES];
  copy_without_signature(page, message);
  EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, header->signer_key, kKeyBytes);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const bool is_valid = key != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                        EVP_DigestVerify(context, header->signature, kSignatureBytes, message, sizeof(message)) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  ERR_clear_error();
  return is_valid ? GENIE_OK
                  : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "header: the signature does not match its key");
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_hex_key(const char *text, uint8_t out_key[kKeyBytes]) {
  for (int i = 0; i < kKeyBytes; ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    out_key[i] = (uint8_t)(high * 16 + low);
  }
  return true;
}

// 32 bytes are 43 digits and one '='.
static bool parse_base64_key(const char *text, uint8_t out_key[kKeyBytes]) {
  uint8_t decoded[kKeyBytes + 1];
  if (text[43] != '=' || EVP_DecodeBlock(decoded, (const unsigned char *)text, 44) != kKeyBytes + 1) {
    ERR_clear_error();
    return false;
  }
  memcpy(out_key, decoded, kKeyBytes);
  return true;
}

// Cuts comment and blanks off both ends of `line`.
static char *strip(char *line) {
  line[strcspn(line, "#\r\n")] = '\0';
  line += strspn(line, " \t");
  for (size_t length = strlen(line); length > 0 && strchr(" \t", line[length - 1]) != NULL;) {
    line[--length] = '\0';
  }
  return line;
}

// A public key as `openssl pkey -pubout` writes it is a base64 key behind a fixed prefix, between two lines of dashes.
static bool is_pem_frame(const char *text) {
  return strcmp(text, "-----BEGIN PUBLIC KEY-----") == 0 || strcmp(text, "-----END PUBLIC KEY-----") == 0;
}

static const char *skip_pem_prefix(const char *text) {
  static const char kPrefix[] = "MCowBQYDK2VwAyEA";
  const size_t length = sizeof(kPrefix) - 1;
  return strlen(text) == length + 44 && memcmp(text, kPrefix, length) == 0 ? text + length : text;
}

static genie_status_t find_key_in(FILE *file, const char *path, const uint8_t key[kKeyBytes]) {
  char line[kKeyLineCapacity];
  for (int number = 1; fgets(line, sizeof(line), file) != NULL; ++number) {
    const char *text = skip_pem_prefix(strip(line));
    const size_t length = strlen(text);
    uint8_t candidate[kKeyBytes];
    if (length == 0 || is_pem_frame(text)) {
      continue;
    }
    if (!(length == 64 && parse_hex_key(text, candidate)) && !(length == 44 && parse_base64_key(text, candidate))) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "%s:%d: not an Ed25519 public key (64 hexadecimal digits, 44 base64 digits, or PEM)",
                               path, number);
    }
    if (memcmp(candidate, key, kKeyBytes) == 0) {
      return GENIE_OK;
    }
  }
  char text[2 * kKeyBytes + 1];
  for (int i = 0; i < kKeyBytes; ++i) {
    snprintf(text + 2 * i, 3, "%02x", key[i]);
  }
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "the plan is signed by %s, which %s does not list", text,
                           path);
}

genie_status_t genie_plan_signature_find_key(const char *path, const uint8_t key[32]) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: cannot read the trusted keys: %s", path, strerror(errno));
  }
  const genie_status_t status = find_key_in(file, path, key);
  fclose(file);
  return status;
}
