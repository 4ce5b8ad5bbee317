// Which names, addresses and keys a descriptor may hold; shared by its parser and its setters.
#ifndef GENIE_RUNTIME_POOL_POOL_NAMES_H_
#define GENIE_RUNTIME_POOL_POOL_NAMES_H_

#include "runtime/pool/pool.h"

// A letter or digit, then letters, digits, '.', '_' and '-'; at most GENIE_POOL_MAX_NAME_BYTES.
bool genie_pool_is_name(const char *text);

// Splits "HOST:PORT" or "[IPV6]:PORT"; the host is copied without brackets. False when it is neither.
bool genie_pool_split_address(const char *address, char out_host[GENIE_POOL_MAX_HOST_BYTES + 1], uint16_t *out_port);

// Reads "sha256:" and 64 lower-case hexadecimal digits.
bool genie_pool_read_key(const char *text, uint8_t out_key[GENIE_POOL_KEY_BYTES]);

#endif  // GENIE_RUNTIME_POOL_POOL_NAMES_H_
