#include "remote_exec/daemon/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const genie_config_option_t kOptions[] = {
#define GENIED_OPTION(config_kind, type, field, option_name, option_value, option_variable, least, most, initial, \
                      option_help)                                                                                \
  {.name = option_name,                                                                                           \
   .kind = GENIE_CONFIG_##config_kind,                                                                            \
   .offset = offsetof(genie_daemon_options_t, field),                                                             \
   .value = option_value,                                                                                         \
   .help = option_help,                                                                                           \
   .variable = option_variable,                                                                                   \
   .minimum = least,                                                                                              \
   .maximum = most},
#include "remote_exec/daemon/options.def"
#undef GENIED_OPTION
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genied [OPTION...]",
    .summary =
        "Executes plans for clients that it knows by their keys. Runs in the foreground; SIGTERM lets sessions "
        "end and then stops it, a second one stops it at once. Exit code: 0 stopped as asked, 1 it could not "
        "start, 2 wrong usage.",
};

static genie_status_t format_path(genie_arena_t *arena, const char *directory, const char *name,
                                  const char **out_path) {
  char path[4096];
  const int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
  if (length < 0 || (size_t)length >= sizeof(path)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the path '%.64s...' is too long", directory);
  }
  char *copy = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, path, (size_t)length, &copy));
  *out_path = copy;
  return GENIE_OK;
}

// systemd names its directory in STATE_DIRECTORY.
static genie_status_t choose_data_directory(genie_arena_t *arena, genie_daemon_options_t *options) {
  const char *state = getenv("STATE_DIRECTORY");
  const char *home = getenv("HOME");
  if (options->data_dir != NULL) {
    return GENIE_OK;
  }
  if (state != NULL && state[0] == '/') {
    options->data_dir = state;
    return GENIE_OK;
  }
  if (home == NULL || home[0] != '/') {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no --data-dir, and HOME is not set");
  }
  return format_path(arena, home, ".local/state/genied", &options->data_dir);
}

static genie_status_t fill_paths(genie_arena_t *arena, genie_daemon_options_t *options) {
  GENIE_RETURN_IF_ERROR(choose_data_directory(arena, options));
  if (options->key == NULL) {
    GENIE_RETURN_IF_ERROR(format_path(arena, options->data_dir, "node.pem", &options->key));
  }
  if (options->authorized_keys == NULL) {
    GENIE_RETURN_IF_ERROR(format_path(arena, options->data_dir, "authorized_keys", &options->authorized_keys));
  }
  return GENIE_OK;
}

static void fill_limits(genie_daemon_options_t *options) {
  if (options->memory_limit_mib == 0) {
    const long page_count = sysconf(_SC_PHYS_PAGES);
    const long page_bytes = sysconf(_SC_PAGESIZE);
    options->memory_limit_mib = page_count > 0 ? (int64_t)page_count / 4 * 3 * page_bytes / (1024 * 1024) : 1024;
  }
  if (options->client_memory_limit_mib == 0) {
    options->client_memory_limit_mib = options->memory_limit_mib;
  }
}

genie_status_t genie_daemon_options_parse(int argc, char **argv, genie_arena_t *arena,
                                          genie_daemon_options_t *out_options) {
  *out_options = (genie_daemon_options_t){
#define GENIED_OPTION(kind, type, field, name, value, variable, minimum, maximum, initial, help) .field = initial,
#include "remote_exec/daemon/options.def"
#undef GENIED_OPTION
  };
  genie_config_list_t positional;
  GENIE_RETURN_IF_ERROR(
      genie_config_parse(&kTable, argc - 1, (const char *const *)argv + 1, arena, out_options, &positional));
  if (strcmp(out_options->log_format, "text") != 0 && strcmp(out_options->log_format, "json") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--log-format takes text or json, not '%.64s'",
                             out_options->log_format);
  }
  if (strcmp(out_options->integrity, "none") != 0 && strcmp(out_options->integrity, "xxh3") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--integrity takes none or xxh3, not '%.64s'",
                             out_options->integrity);
  }
  GENIE_RETURN_IF_ERROR(fill_paths(arena, out_options));
  fill_limits(out_options);
  return GENIE_OK;
}

void genie_daemon_options_describe(genie_string_builder_t *builder) {
  genie_config_describe(&kTable, builder);
}
