// What a client proves itself with and which nodes it trusts: its private key, and known_nodes.
#ifndef GENIE_REMOTE_EXEC_CLIENT_CLIENT_KEYS_H_
#define GENIE_REMOTE_EXEC_CLIENT_CLIENT_KEYS_H_

#include "remote_exec/identity/known_nodes.h"
#include "runtime/pool/pool.h"

// In the caller's memory; zero-initialised is empty.
typedef struct genie_client_keys {
  genie_identity_t *identity;
  genie_known_nodes_t *known_nodes;
} genie_client_keys_t;

// Loads both files; NULL is the usual place of each, ~/.config/genie/client.pem (made when it is missing) and
// ~/.config/genie/known_nodes. `is_strict`: nodes that nothing names are refused; else they are pinned at first use.
// FAILED_PRECONDITION: there is no HOME. Deinitialise even after a failure.
genie_status_t genie_client_keys_init(const char *key, const char *known_nodes, bool is_strict,
                                      genie_allocator_t allocator, genie_client_keys_t *out_keys) GENIE_MUST_USE;
void genie_client_keys_deinit(genie_client_keys_t *keys);

// How the key of this node of the pool is judged: as the pool says, else by known_nodes. Both outlive the trust.
genie_trust_t genie_client_keys_trust(const genie_client_keys_t *keys, const genie_pool_node_t *node);

#endif  // GENIE_REMOTE_EXEC_CLIENT_CLIENT_KEYS_H_
