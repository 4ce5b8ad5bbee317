// The command line of geniec; options.def is the table.
#ifndef GENIE_COMPILER_OPTIONS_H_
#define GENIE_COMPILER_OPTIONS_H_

#include "runtime/base/config_table.h"

typedef struct genie_compiler_options {
#define GENIE_OPTION(kind, type, field, name, alias, value, help) type field;
#include "compiler/options.def"
#undef GENIE_OPTION
  genie_config_list_t inputs;  // arguments that are no options
  // What --explain asks for.
  bool is_explained;      // on stdout, as JSON with `json`
  bool has_page;          // in a file
  const char *page_path;  // NULL: beside the plan
} genie_compiler_options_t;

// Reads argv[1..]; lists live in `arena`. INVALID_ARGUMENT names the wrong argument: exit code 2.
genie_status_t genie_compiler_options_parse(int argc, char **argv, genie_arena_t *arena,
                                            genie_compiler_options_t *out_options) GENIE_MUST_USE;

// Appends the text of --help.
void genie_compiler_options_describe(genie_string_builder_t *builder);

#endif  // GENIE_COMPILER_OPTIONS_H_
