#include "compiler/options.h"

#include <stddef.h>

static const genie_config_option_t option_rows[] = {
#define GENIE_OPTION(config_kind, type, field, option_name, option_alias, option_value, option_help) \
  {.name = option_name,                                                                              \
   .alias = option_alias,                                                                            \
   .kind = GENIE_CONFIG_##config_kind,                                                               \
   .offset = offsetof(genie_compiler_options_t, field),                                              \
   .value = option_value,                                                                            \
   .help = option_help,                                                                              \
   .minimum = 0,                                                                                     \
   .maximum = 3},
#include "compiler/options.def"
#undef GENIE_OPTION
};

static const genie_config_table_t option_table = {
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
    .usage = "geniec MODEL.pt2|MODULE.mlir [OPTION...]",
    .summary =
        "Compiles a captured PyTorch graph (a torch.export archive) or a module's text to a plan that genie runs. "
        "Exit code: 0 done, 1 the input or the compile failed, 2 wrong usage.",
    .maximum_positional = 16,
};

genie_status_t genie_compiler_options_parse(int argc, char **argv, genie_arena_t *arena,
                                            genie_compiler_options_t *out_options) {
  *out_options = (genie_compiler_options_t){.opt_level = 2};
  return genie_config_parse(&option_table, argc - 1, (const char *const *)argv + 1, arena, out_options,
                            &out_options->inputs);
}

void genie_compiler_options_describe(genie_string_builder_t *builder) {
  genie_config_describe(&option_table, builder);
}
