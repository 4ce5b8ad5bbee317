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

// How an entry is run.
typedef struct genie_call_options {
  const char *entry;
  const char *device;
  int64_t thread_count;
  const char *inputs_file;
  genie_config_list_t inputs;
} genie_call_options_t;

#define GENIE_CALL_OPTIONS(type, field)                                                \
  {.name = "--entry",                                                                  \
   .kind = GENIE_CONFIG_STRING,                                                        \
   .offset = offsetof(type, field) + offsetof(genie_call_options_t, entry),            \
   .value = "NAME",                                                                    \
   .help = "the entry to run; default: the first"},                                    \
      {.name = "--threads",                                                            \
       .kind = GENIE_CONFIG_I64,                                                       \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, thread_count), \
       .value = "N",                                                                   \
       .minimum = 0,                                                                   \
       .maximum = 1024,                                                                \
       .variable = "GENIE_THREADS",                                                    \
       .help = "threads that compute; 0, the default: one for each usable CPU"},       \
      {.name = "--device",                                                             \
       .kind = GENIE_CONFIG_STRING,                                                    \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, device),       \
       .value = "KIND",                                                                \
       .help = "run all places on this kind of device; 'null' executes nothing"},      \
      {.name = "--inputs",                                                             \
       .kind = GENIE_CONFIG_STRING,                                                    \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, inputs_file),  \
       .value = "FILE",                                                                \
       .help = "a safetensors file with the inputs by name"},                          \
      {.name = "--input",                                                              \
       .kind = GENIE_CONFIG_LIST,                                                      \
       .offset = offsetof(type, field) + offsetof(genie_call_options_t, inputs),       \
       .value = "NAME=VALUE",                                                          \
       .help = "an input: NAME=@FILE.npy, or NAME=2x3xf32=1,2,... (one value fills it); may be repeated"}

#endif  // GENIE_TOOLS_GENIE_COMMAND_H_
