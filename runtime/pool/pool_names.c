#include "runtime/pool/pool_names.h"

#include <string.h>

#define KEY_PREFIX "sha256:"

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool genie_pool_is_name(const char *text) {
  const size_t length = strnlen(text, GENIE_POOL_MAX_NAME_BYTES + 1);
  if (length == 0 || length > GENIE_POOL_MAX_NAME_BYTES || !is_alphanumeric(text[0])) {
    return false;
  }
  for (size_t i = 1; i < length; ++i) {
    if (!is_alphanumeric(text[i]) && strchr("._-", text[i]) == NULL) {
      return false;
    }
  }
  return true;
}

static bool read_port(const char *text, uint16_t *out_port) {
  uint32_t port = 0;
  for (const char *at = text; *at != '\0'; ++at) {
    if (*at < '0' || *at > '9' || port > UINT16_MAX) {
      return false;
    }
    port = port * 10 + (uint32_t)(*at - '0');
  }
  *out_port = (uint16_t)port;
  return port > 0 && port <= UINT16_MAX;
}

bool genie_pool_split_address(const char *address, char out_host[GENIE_POOL_MAX_HOST_BYTES + 1], uint16_t *out_port) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL) {
    return false;
  }
  const bool is_bracketed = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
  const char *host = address + is_bracketed;
  const size_t length = (size_t)(colon - host) - is_bracketed;
  if (length == 0 || length > GENIE_POOL_MAX_HOST_BYTES) {
    return false;
  }
  for (size_t i = 0; i < length; ++i) {
    if (!is_alphanumeric(host[i]) && strchr(is_bracketed ? ":.%" : ".-_", host[i]) == NULL) {
      return false;
    }
  }
  memcpy(out_host, host, length);
  out_host[length] = '\0';
  return read_port(colon + 1, out_port);
}

bool genie_pool_read_key(const char *text, uint8_t out_key[GENIE_POOL_KEY_BYTES]) {
  static const char kDigits[] = "0123456789abcdef";
  const size_t prefix = strlen(KEY_PREFIX);
  if (strncmp(text, KEY_PREFIX, prefix) != 0 || strlen(text) != prefix + 2 * (size_t)GENIE_POOL_KEY_BYTES) {
    return false;
  }
  for (size_t i = 0; i < GENIE_POOL_KEY_BYTES; ++i) {
    const char *high = strchr(kDigits, text[prefix + 2 * i]);
    const char *low = strchr(kDigits, text[prefix + 2 * i + 1]);
    if (high == NULL || low == NULL) {
      return false;
    }
    out_key[i] = (uint8_t)((high - kDigits) << 4 | (low - kDigits));
  }
  return true;
}
