// known_nodes: the client's file of nodes and their keys, as SSH's known_hosts. One node a line:
//     HOST:PORT sha256:<64 hex digits>
// A node that is not listed is pinned at first use, when the rule allows it: appended, never rewritten.
#ifndef GENIE_REMOTE_EXEC_IDENTITY_KNOWN_NODES_H_
#define GENIE_REMOTE_EXEC_IDENTITY_KNOWN_NODES_H_

#include "remote_exec/identity/identity.h"

enum { GENIE_KNOWN_NODES_MAX_BYTES = 1 << 20, GENIE_KNOWN_NODES_MAX_COUNT = 4096 };

// Thread-safe.
typedef struct genie_known_nodes genie_known_nodes_t;

// Reads the file, which need not exist. INVALID_ARGUMENT names the line. `may_pin`: whether unknown nodes are pinned at
// first use; else they are PERMISSION_DENIED, with the line to add.
genie_status_t genie_known_nodes_load(const char *path, bool may_pin, genie_allocator_t allocator,
                                      genie_known_nodes_t **out_nodes) GENIE_MUST_USE;

// Accepts NULL.
void genie_known_nodes_destroy(genie_known_nodes_t *nodes);

// Trusts a node when its address and key are listed, or by pinning. A listed node with another key is
// PERMISSION_DENIED with one line that names both keys and the line to remove. `nodes` outlives it.
genie_trust_t genie_known_nodes_trust(genie_known_nodes_t *nodes);

#endif  // GENIE_REMOTE_EXEC_IDENTITY_KNOWN_NODES_H_
