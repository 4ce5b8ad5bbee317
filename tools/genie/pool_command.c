// genie pool: the nodes of a pool descriptor, as they are now.
#include "tools/genie/pool_command.h"

#include <string.h>

static const genie_config_option_t kOptions[] = {
    {.name = "--pool",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(genie_pool_options_t, pool),
     .value = "FILE",
     .variable = "GENIE_POOL",
     .help = "the pool descriptor (default pool.json)"},
    {.name = "--node",
     .kind = GENIE_CONFIG_LIST,
     .offset = offsetof(genie_pool_options_t, nodes),
     .value = "NAME",
     .help = "only this node; may be repeated"},
    {.name = "--key",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(genie_pool_options_t, key),
     .value = "FILE",
     .variable = "GENIE_KEY",
     .help = "private key that nodes know this client by; default: ~/.config/genie/client.pem"},
    {.name = "--known-nodes",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(genie_pool_options_t, known_nodes),
     .value = "FILE",
     .variable = "GENIE_KNOWN_NODES",
     .help = "keys of nodes whose key the pool does not name; default: ~/.config/genie/known_nodes"},
    {.name = "--strict-keys",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(genie_pool_options_t, is_strict),
     .help = "refuse a node whose key is not known; else it is remembered at first use"},
    {.name = "--seconds",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(genie_pool_options_t, seconds),
     .value = "S",
     .help = "measure: how long each figure is measured (default 0.5)"},
    {.name = "--no-links",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(genie_pool_options_t, has_no_links),
     .help = "measure: devices only"},
    {.name = "--json",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(genie_pool_options_t, is_json),
     .help = "print JSON"},
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie pool status|measure [OPTION...]",
    .summary =
        "status prints which nodes of the pool are there, and how they are; its exit status is 1 when one is not.\n"
        "measure runs small plans on every device and between the nodes, and writes peak rates, memory and link rates\n"
        "into the descriptor. docs/pool.md says what they mean.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

bool genie_pool_command_wants(const genie_pool_command_t *pool, const genie_pool_node_t *node) {
  for (size_t i = 0; i < pool->options->nodes.count; ++i) {
    if (strcmp(pool->options->nodes.values[i], node->name) == 0) {
      return true;
    }
  }
  return pool->options->nodes.count == 0;
}

static genie_status_t check_nodes(const genie_pool_command_t *pool) {
  uint32_t node = 0;
  for (size_t i = 0; i < pool->options->nodes.count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_pool_find_node(pool->pool, pool->options->nodes.values[i], &node));
  }
  return GENIE_OK;
}

static genie_status_t run(genie_pool_command_t *pool, genie_status_t (*action)(genie_pool_command_t *pool)) {
  const genie_pool_options_t *options = pool->options;
  const genie_allocator_t allocator = pool->command->allocator;
  GENIE_RETURN_IF_ERROR(genie_pool_open(options->pool, allocator, &pool->pool));
  GENIE_RETURN_IF_ERROR(check_nodes(pool));
  GENIE_RETURN_IF_ERROR(
      genie_client_keys_init(options->key, options->known_nodes, options->is_strict, allocator, &pool->keys));
  return action(pool);
}

genie_status_t genie_command_pool(genie_command_t *command) {
  genie_pool_options_t options = {.pool = "pool.json", .seconds = 0.5};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  const bool is_measure = strcmp(positional.values[0], "measure") == 0;
  if (!is_measure && strcmp(positional.values[0], "status") != 0) {
    return genie_command_usage_error(command, "there is status and measure, no '%.32s'", positional.values[0]);
  }
  genie_pool_command_t pool = {.command = command, .options = &options};
  const genie_status_t status = run(&pool, is_measure ? genie_pool_measure : genie_pool_status);
  genie_client_keys_deinit(&pool.keys);
  genie_pool_close(pool.pool);
  return status;
}
