// Options of a program as one table: parsed from arguments and environment, printed as help, listed in the reference.
//
//     typedef struct { int64_t threads; bool is_json; } options_t;
//     static const genie_config_option_t kOptions[] = {
//         {.name = "--threads", .kind = GENIE_CONFIG_I64, .offset = offsetof(options_t, threads), .value = "N",
//          .minimum = 1, .maximum = 1024, .variable = "GENIE_THREADS", .help = "threads that compute"},
//         {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(options_t, is_json), .help = "print JSON"},
//     };
//
// The environment is read here and nowhere else; main passes what it finds on. Nothing is global; parsing is not hot.
#ifndef GENIE_RUNTIME_BASE_CONFIG_TABLE_H_
#define GENIE_RUNTIME_BASE_CONFIG_TABLE_H_

#include "runtime/base/arena.h"
#include "runtime/base/string_builder.h"

// The kind of a value, and the type of the field that it is stored in.
typedef enum genie_config_kind {
  GENIE_CONFIG_FLAG,    // bool, set by presence
  GENIE_CONFIG_STRING,  // const char *, borrowed from the arguments
  GENIE_CONFIG_I64,     // int64_t within [minimum, maximum]
  GENIE_CONFIG_F64,     // double, finite and not negative
  GENIE_CONFIG_LIST,    // genie_config_list_t: a string each time that the option is given
  GENIE_CONFIG_FORMS,   // likewise, but only as "--name=value"; "--name" alone gives ""
} genie_config_kind_t;

// Strings borrowed from the arguments, in their order.
typedef struct genie_config_list {
  const char **values;
  size_t count;
} genie_config_list_t;

typedef struct genie_config_option {
  const char *name;   // with its dashes: "--threads", "-o"
  const char *alias;  // another spelling, or NULL
  genie_config_kind_t kind;
  size_t offset;         // of the field in the options struct
  const char *value;     // what the help calls the value: "FILE"
  const char *help;      // one sentence
  const char *variable;  // environment variable that gives the default, or NULL
  int64_t minimum, maximum;
} genie_config_option_t;

typedef struct genie_config_table {
  const genie_config_option_t *options;
  size_t option_count;
  const char *usage;                              // after "usage: ": "genie run PLAN [OPTION...]"
  const char *summary;                            // one paragraph, or NULL
  size_t minimum_positional, maximum_positional;  // arguments that are no options
} genie_config_table_t;

// Fills the fields of `options` (which hold the defaults) first from the environment, then from `argv[0 .. argc)`,
// which starts after the program's name. "--name value" and "--name=value" are the same; "--" ends the options; "-" is
// positional. Lists and positional arguments live in `arena`. INVALID_ARGUMENT names the argument: the usage is wrong.
genie_status_t genie_config_parse(const genie_config_table_t *table, int argc, const char *const *argv,
                                  genie_arena_t *arena, void *options,
                                  genie_config_list_t *out_positional) GENIE_MUST_USE;

// Appends the text of --help.
void genie_config_describe(const genie_config_table_t *table, genie_string_builder_t *builder);

#endif  // GENIE_RUNTIME_BASE_CONFIG_TABLE_H_
