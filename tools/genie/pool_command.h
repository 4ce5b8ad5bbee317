// What the actions of `genie pool` share.
#ifndef GENIE_TOOLS_GENIE_POOL_COMMAND_H_
#define GENIE_TOOLS_GENIE_POOL_COMMAND_H_

#include "remote_exec/client/node_probe.h"
#include "tools/genie/command.h"

typedef struct genie_pool_options {
  const char *pool;
  const char *key;
  const char *known_nodes;
  bool is_strict;
  bool is_json;
  genie_config_list_t nodes;  // only these; empty: all
  double seconds;             // of each figure
  bool has_no_links;
} genie_pool_options_t;

typedef struct genie_pool_command {
  genie_command_t *command;
  const genie_pool_options_t *options;
  genie_pool_t *pool;
  genie_client_keys_t keys;
} genie_pool_command_t;

// Whether the options name this node, or none.
bool genie_pool_command_wants(const genie_pool_command_t *pool, const genie_pool_node_t *node);

// Prints which nodes are there, and how they are.
genie_status_t genie_pool_status(genie_pool_command_t *pool) GENIE_MUST_USE;

// Measures devices and links and writes the figures into the descriptor.
genie_status_t genie_pool_measure(genie_pool_command_t *pool) GENIE_MUST_USE;

#endif  // GENIE_TOOLS_GENIE_POOL_COMMAND_H_
