// authorized_keys: the file that lists who may use a node. One key a line in any form of public_key.h, then, after a
// blank, a comment; '#' starts a comment; the PEM files of `genie keygen` may be appended as they are. There are no
// options: a line that starts with anything else is an error that names it.
#ifndef GENIE_REMOTE_EXEC_IDENTITY_AUTHORIZED_KEYS_H_
#define GENIE_REMOTE_EXEC_IDENTITY_AUTHORIZED_KEYS_H_

#include "remote_exec/identity/identity.h"

enum { GENIE_AUTHORIZED_KEYS_MAX_BYTES = 1 << 20, GENIE_AUTHORIZED_KEYS_MAX_COUNT = 4096 };

// Immutable: shared by threads.
typedef struct genie_authorized_keys genie_authorized_keys_t;

// NOT_FOUND; INVALID_ARGUMENT names the line; PERMISSION_DENIED when others may write the file.
genie_status_t genie_authorized_keys_load(const char *path, genie_allocator_t allocator,
                                          genie_authorized_keys_t **out_keys) GENIE_MUST_USE;

// The same of `bytes` of text; `name` is what errors call it.
genie_status_t genie_authorized_keys_parse(const char *name, const char *text, size_t bytes,
                                           genie_allocator_t allocator,
                                           genie_authorized_keys_t **out_keys) GENIE_MUST_USE;

// Accepts NULL.
void genie_authorized_keys_destroy(genie_authorized_keys_t *keys);

size_t genie_authorized_keys_count(const genie_authorized_keys_t *keys);

// Trusts the listed keys. `keys` outlives it.
genie_trust_t genie_authorized_keys_trust(const genie_authorized_keys_t *keys);

#endif  // GENIE_REMOTE_EXEC_IDENTITY_AUTHORIZED_KEYS_H_
