// The command line and the environment of genied; options.def is the table.
#ifndef GENIE_REMOTE_EXEC_DAEMON_OPTIONS_H_
#define GENIE_REMOTE_EXEC_DAEMON_OPTIONS_H_

#include "runtime/base/config_table.h"

// Strings are borrowed from the arguments and the environment, or live in the arena of genie_daemon_options_parse().
typedef struct genie_daemon_options {
#define GENIED_OPTION(kind, type, field, name, value, variable, minimum, maximum, initial, help) type field;
#include "remote_exec/daemon/options.def"
#undef GENIED_OPTION
} genie_daemon_options_t;

// Reads argv[1..] over the environment over the defaults, and checks what can be checked without opening anything.
// Paths that were not given are set from the data directory, 0 limits from the machine. INVALID_ARGUMENT names the
// wrong argument: exit code 2.
genie_status_t genie_daemon_options_parse(int argc, char **argv, genie_arena_t *arena,
                                          genie_daemon_options_t *out_options) GENIE_MUST_USE;

// Appends the text of --help.
void genie_daemon_options_describe(genie_string_builder_t *builder);

#endif  // GENIE_REMOTE_EXEC_DAEMON_OPTIONS_H_
