// genie: runs, measures and inspects plans.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/genie/command.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct command_row {
  const char *name;
  const char *summary;
  genie_status_t (*run)(genie_command_t *command);
} command_row_t;

static const command_row_t kCommands[] = {
#define GENIE_COMMAND(name, summary) {#name, summary, genie_command_##name},
#include "tools/genie/command.def"
#undef GENIE_COMMAND
};
enum { kCommandCount = sizeof(kCommands) / sizeof(kCommands[0]) };

static void print_usage(FILE *file) {
  fprintf(file, "usage: genie COMMAND [ARGUMENT...]\n\ncommands:\n");
  for (int i = 0; i < kCommandCount; ++i) {
    fprintf(file, "  %-10s%s\n", kCommands[i].name, kCommands[i].summary);
  }
  fprintf(file, "\n`genie COMMAND --help` lists a command's options; `genie --version` prints the version.\n");
}

genie_status_t genie_command_parse(genie_command_t *command, const genie_config_table_t *table, void *options,
                                   genie_config_list_t *out_positional) {
  for (int i = 0; i < command->argc && strcmp(command->argv[i], "--") != 0; ++i) {
    command->is_help |= strcmp(command->argv[i], "--help") == 0 || strcmp(command->argv[i], "-h") == 0;
  }
  if (command->is_help) {
    genie_string_builder_t text;
    genie_string_builder_init(command->allocator, &text);
    genie_config_describe(table, &text);
    fputs(genie_string_builder_get(&text), stdout);
    genie_string_builder_deinit(&text);
    return GENIE_OK;
  }
  const genie_status_t status =
      genie_config_parse(table, command->argc, command->argv, command->arena, options, out_positional);
  command->is_usage_wrong = genie_status_code(status) == GENIE_STATUS_INVALID_ARGUMENT;
  return status;
}

genie_status_t genie_command_usage_error(genie_command_t *command, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  command->is_usage_wrong = true;
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s", message);
}

// What was printed may still be in a buffer, and its disk full.
static genie_status_t flush_stdout(void) {
  return fflush(stdout) != 0 || ferror(stdout)
             ? genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot write to stdout")
             : GENIE_OK;
}

static int run_command(const command_row_t *row, int argc, char **argv) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_command_t command = {
      .argc = argc, .argv = (const char *const *)argv, .allocator = genie_allocator_heap(), .arena = &arena};
  genie_status_t status = row->run(&command);
  if (status == GENIE_OK) {
    status = flush_stdout();
  }
  genie_arena_deinit(&arena);
  if (status == GENIE_OK) {
    return EXIT_DONE;
  }
  fflush(stdout);
  fprintf(stderr, "genie %s: %s\n", row->name, genie_status_message(status));
  genie_status_free(status);
  return command.is_usage_wrong ? EXIT_USAGE : EXIT_FAILED;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_usage(stdout);
    return flush_stdout() == GENIE_OK ? EXIT_DONE : EXIT_FAILED;
  }
  if (strcmp(name, "--version") == 0) {
    printf("genie %s (%s), plan format %s\n", genie_version(), GENIE_GIT_HASH, genie_plan_format_version());
    return EXIT_DONE;
  }
  for (int i = 0; i < kCommandCount; ++i) {
    if (strcmp(kCommands[i].name, name) == 0) {
      return run_command(&kCommands[i], argc - 2, argv + 2);
    }
  }
  if (argc < 2) {
    print_usage(stderr);
  } else {
    fprintf(stderr, "genie: no command '%.64s'; `genie --help` lists them\n", name);
  }
  return EXIT_USAGE;
}
