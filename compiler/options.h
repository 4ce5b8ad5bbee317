// The command line of geniec; options.def is the table.
#ifndef GENIE_COMPILER_OPTIONS_H_
#define GENIE_COMPILER_OPTIONS_H_

#include <stdio.h>

#include "runtime/base/status.h"

enum { GENIE_OPTION_LIST_CAPACITY = 64 };

// Strings borrowed from argv.
typedef struct genie_option_list {
  int count;
  const char *items[GENIE_OPTION_LIST_CAPACITY];
} genie_option_list_t;

#define GENIE_OPTION_TYPE_FLAG bool
#define GENIE_OPTION_TYPE_TEXT const char *
#define GENIE_OPTION_TYPE_NUMBER int64_t
#define GENIE_OPTION_TYPE_LIST genie_option_list_t

typedef struct genie_compiler_options {
#define GENIE_OPTION(kind, field, spelling, short_spelling, value, help) GENIE_OPTION_TYPE_##kind field;
#include "compiler/options.def"
#undef GENIE_OPTION
  genie_option_list_t inputs;  // arguments that are no options
} genie_compiler_options_t;

// Reads argv[1..]. INVALID_ARGUMENT names the wrong option (exit code 2). An absent TEXT is NULL, an absent opt_level 2.
genie_status_t genie_compiler_options_parse(int argc, char **argv, genie_compiler_options_t *out_options) GENIE_MUST_USE;

void genie_compiler_options_print_help(FILE *file);

#endif  // GENIE_COMPILER_OPTIONS_H_
