#include "compiler/options.h"

#include <stddef.h>
#include <string.h>

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

static genie_status_t take_explain_form(const char *form, genie_compiler_options_t *options) {
  const bool is_json = strcmp(form, "json") == 0;
  if (form[0] == '\0' || strcmp(form, "text") == 0 || is_json) {
    options->is_explained = true;
    options->json = options->json || is_json;
    return GENIE_OK;
  }
  const bool has_path = strncmp(form, "html:", 5) == 0 && form[5] != '\0';
  if (!has_path && strcmp(form, "html") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--explain=%.64s: give text, json, html or html:FILE",
                             form);
  }
  options->has_page = true;
  options->page_path = has_path ? form + 5 : options->page_path;
  return GENIE_OK;
}

genie_status_t genie_compiler_options_parse(int argc, char **argv, genie_arena_t *arena,
                                            genie_compiler_options_t *out_options) {
  *out_options = (genie_compiler_options_t){.opt_level = 2};
  GENIE_RETURN_IF_ERROR(genie_config_parse(&option_table, argc - 1, (const char *const *)argv + 1, arena, out_options,
                                           &out_options->inputs));
  for (size_t i = 0; i < out_options->explain.count; ++i) {
    GENIE_RETURN_IF_ERROR(take_explain_form(out_options->explain.values[i], out_options));
  }
  return GENIE_OK;
}

void genie_compiler_options_describe(genie_string_builder_t *builder) {
  genie_config_describe(&option_table, builder);
}
