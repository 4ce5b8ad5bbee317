// What the commands of `genie` share: how they are called, and the options that name a plan and how to run it.
//
// Data goes to stdout, diagnostics to stderr. A command returns a status and prints no error itself: main does, once.
// Exit status: 0 done, 1 the input or the run failed, 2 wrong usage.
#ifndef GENIE_TOOLS_GENIE_COMMAND_H_
#define GENIE_TOOLS_GENIE_COMMAND_H_

#include <stddef.h>

#include "genie/genie.h"
#include "runtime/base/config_table.h"

typedef struct genie_command {
  int argc;  // after the command's name
  const char *const *argv;
  genie_allocator_t allocator;
  genie_arena_t *arena;  // lives as long as the command
  bool is_usage_wrong;   // the error is the caller's use of options
  bool is_help;          // --help was given and answered: nothing is left to do
} genie_command_t;

#define GENIE_COMMAND(name, summary) genie_status_t genie_command_##name(genie_command_t *command) GENIE_MUST_USE;
#include "tools/genie/command.def"
#undef GENIE_COMMAND

// Parses the command's arguments; sets `is_help` or `is_usage_wrong`.
genie_status_t genie_command_parse(genie_command_t *command, const genie_config_table_t *table, void *options,
                                   genie_config_list_t *out_positional) GENIE_MUST_USE;

// INVALID_ARGUMENT that counts as wrong usage.
genie_status_t genie_command_usage_error(genie_command_t *command, const char *format, ...)
    __attribute__((format(printf, 2, 3))) GENIE_MUST_USE;

// Which plan may be opened; the first members of a command's options.
typedef struct genie_trust_options {
  bool is_signature_required;
  const char *trusted_keys;
} genie_trust_options_t;

#define GENIE_TRUST_OPTIONS(type, field)                                                     \
  {.name = "--require-signed",                                                               \
   .kind = GENIE_CONFIG_FLAG,                                                                \
   .offset = offsetof(type, field) + offsetof(genie_trust_options_t, is_signature_required), \
   .variable = "GENIE_REQUIRE_SIGNED",                                                       \
   .help = "refuse a plan that is not signed"},                                              \
      {.name = "--trusted-keys",                                                             \
       .kind = GENIE_CONFIG_STRING,                                                          \
       .offset = offsetof(type, field) + offsetof(genie_trust_options_t, trusted_keys),      \
       .value = "FILE",                                                                      \
       .variable = "GENIE_TRUSTED_KEYS",                                                     \
       .help = "the plan must be signed by a key listed in FILE"}

// Where places are that are not in this process.
typedef struct genie_remote_call_options {
  const char *pool;
  genie_config_list_t places;
  const char *key;
  const char *known_nodes;
  bool is_strict;
  bool may_retry;
  double timeout_seconds;
  const char *weights_path;
} genie_remote_call_options_t;

#define GENIE_REMOTE_OPTIONS(type, field)                                                                 \
  {.name = "--pool",                                                                                      \
   .kind = GENIE_CONFIG_STRING,                                                                           \
   .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, pool),                         \
   .value = "FILE",                                                                                       \
   .variable = "GENIE_POOL",                                                                              \
   .help = "run the plan's places on the nodes of this pool descriptor"},                                 \
      {.name = "--place",                                                                                 \
       .kind = GENIE_CONFIG_LIST,                                                                         \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, places),                   \
       .value = "PLACE=NODE:DEVICE",                                                                      \
       .help = "run a place elsewhere than the plan says, as in local:cpu0=node1:cpu0; may be repeated"}, \
      {.name = "--key",                                                                                   \
       .kind = GENIE_CONFIG_STRING,                                                                       \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, key),                      \
       .value = "FILE",                                                                                   \
       .variable = "GENIE_KEY",                                                                           \
       .help = "private key that nodes know this client by; default: ~/.config/genie/client.pem"},        \
      {.name = "--known-nodes",                                                                           \
       .kind = GENIE_CONFIG_STRING,                                                                       \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, known_nodes),              \
       .value = "FILE",                                                                                   \
       .variable = "GENIE_KNOWN_NODES",                                                                   \
       .help = "keys of nodes whose key the pool does not name; default: ~/.config/genie/known_nodes"},   \
      {.name = "--strict-keys",                                                                           \
       .kind = GENIE_CONFIG_FLAG,                                                                         \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, is_strict),                \
       .help = "refuse a node whose key is not known; else it is remembered at first use"},               \
      {.name = "--retry",                                                                                 \
       .kind = GENIE_CONFIG_FLAG,                                                                         \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, may_retry),                \
       .help = "repeat a call without state that lost a node, on another node if need be"},               \
      {.name = "--timeout",                                                                               \
       .kind = GENIE_CONFIG_F64,                                                                          \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, timeout_seconds),          \
       .value = "SECONDS",                                                                                \
       .help = "a call on other nodes fails after this; default: none"},                                  \
      {.name = "--weights-path",                                                                          \
       .kind = GENIE_CONFIG_STRING,                                                                       \
       .offset = offsetof(type, field) + offsetof(genie_remote_call_options_t, weights_path),             \
       .value = "FILE",                                                                                   \
       .help = "where nodes may see the plan, an absolute path: those that share its folder read the weights there"}

// How an entry is run.
typedef struct genie_call_options {
  genie_remote_call_options_t remote;
  const char *entry;
  const char *device;
  int64_t thread_count;
  const char *cache_directory;
  const char *library_path;
  const char *inputs_file;
  genie_config_list_t inputs;
} genie_call_options_t;

#define GENIE_CALL_OPTIONS(type, field)                                                                  \
  GENIE_REMOTE_OPTIONS(type, field.remote),                                                              \
      {.name = "--entry",                                                                                \
       .kind = GENIE_CONFIG_STRING,                                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, entry),                          \
       .value = "NAME",                                                                                  \
       .help = "the entry to run; default: the first"},                                                  \
      {.name = "--threads",                                                                              \
       .kind = GENIE_CONFIG_I64,                                                                         \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, thread_count),                   \
       .value = "N",                                                                                     \
       .minimum = 0,                                                                                     \
       .maximum = 1024,                                                                                  \
       .variable = "GENIE_THREADS",                                                                      \
       .help = "threads that compute; 0, the default: one for each usable CPU"},                         \
      {.name = "--device",                                                                               \
       .kind = GENIE_CONFIG_STRING,                                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, device),                         \
       .value = "KIND",                                                                                  \
       .help = "run all places on this kind of device; 'null' executes nothing"},                        \
      {.name = "--cache",                                                                                \
       .kind = GENIE_CONFIG_STRING,                                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, cache_directory),                \
       .value = "DIR",                                                                                   \
       .variable = "GENIE_CACHE",                                                                        \
       .help = "where devices keep code that they compiled; default: genie in the user's cache folder"}, \
      {.name = "--library-path",                                                                         \
       .kind = GENIE_CONFIG_STRING,                                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, library_path),                   \
       .value = "DIR[:DIR...]",                                                                          \
       .variable = "GENIE_LIBRARY_PATH",                                                                 \
       .help = "where vendors' libraries (cuBLASLt, cuDNN) are looked for first"},                       \
      {.name = "--inputs",                                                                               \
       .kind = GENIE_CONFIG_STRING,                                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, inputs_file),                    \
       .value = "FILE",                                                                                  \
       .help = "a safetensors file with the inputs by name"},                                            \
      {.name = "--input",                                                                                \
       .kind = GENIE_CONFIG_LIST,                                                                        \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, inputs),                         \
       .value = "NAME=VALUE",                                                                            \
       .help = "an input: NAME=@FILE.npy, or NAME=2x3xf32=1,2,... (one value fills it); may be repeated"}

#endif  // GENIE_TOOLS_GENIE_COMMAND_H_
