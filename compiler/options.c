#include "compiler/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LIST } option_kind_t;

typedef struct option_row {
  option_kind_t kind;
  size_t offset;
  const char *spelling, *short_spelling, *value, *help;
} option_row_t;

static const option_row_t option_rows[] = {
#define GENIE_OPTION(kind, field, spelling, short_spelling, value, help) \
  {OPTION_##kind, offsetof(genie_compiler_options_t, field), spelling, short_spelling, value, help},
#include "compiler/options.def"
#undef GENIE_OPTION
};
enum { OPTION_COUNT = sizeof option_rows / sizeof option_rows[0] };

static genie_status_t list_append(genie_option_list_t *list, const char *what, const char *item) {
  if (list->count == GENIE_OPTION_LIST_CAPACITY) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: at most %d are taken", what, GENIE_OPTION_LIST_CAPACITY);
  }
  list->items[list->count++] = item;
  return GENIE_OK;
}

// The row that `argument` names; `out_value` is what follows its '=', or NULL. "-O2" is "-O" with the value "2".
static const option_row_t *row_find(const char *argument, const char **out_value) {
  const char *equals = strchr(argument, '=');
  const size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
  *out_value = equals != NULL ? equals + 1 : NULL;
  for (int i = 0; i < OPTION_COUNT; ++i) {
    const option_row_t *row = &option_rows[i];
    if (strlen(row->spelling) == length && strncmp(argument, row->spelling, length) == 0) {
      return row;
    }
    if (row->short_spelling != NULL && strcmp(argument, row->short_spelling) == 0) {
      return row;
    }
    if (row->kind == OPTION_NUMBER && row->short_spelling != NULL && strncmp(argument, row->short_spelling, 2) == 0) {
      *out_value = argument + 2;
      return row;
    }
  }
  return NULL;
}

static genie_status_t row_set(const option_row_t *row, const char *value, genie_compiler_options_t *options) {
  void *field = (char *)options + row->offset;
  switch (row->kind) {
    case OPTION_FLAG:
      *(bool *)field = true;
      return GENIE_OK;
    case OPTION_TEXT:
      *(const char **)field = value;
      return GENIE_OK;
    case OPTION_LIST:
      return list_append(field, row->spelling, value);
    case OPTION_NUMBER: {
      char *end = NULL;
      errno = 0;
      const long long number = strtoll(value, &end, 10);
      if (errno != 0 || end == value || *end != '\0') {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: '%s' is no number", row->spelling, value);
      }
      *(int64_t *)field = number;
      return GENIE_OK;
    }
  }
  return GENIE_OK;
}

genie_status_t genie_compiler_options_parse(int argc, char **argv, genie_compiler_options_t *out_options) {
  *out_options = (genie_compiler_options_t){.opt_level = 2};
  bool has_ended = false;
  for (int i = 1; i < argc; ++i) {
    const char *argument = argv[i];
    if (has_ended || argument[0] != '-' || argument[1] == '\0') {
      GENIE_RETURN_IF_ERROR(list_append(&out_options->inputs, "input files", argument));
      continue;
    }
    if (strcmp(argument, "--") == 0) {
      has_ended = true;
      continue;
    }
    const char *value;
    const option_row_t *row = row_find(argument, &value);
    if (row == NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "unknown option '%s'; geniec --help lists them", argument);
    }
    if (row->kind == OPTION_FLAG && value != NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s takes no value", row->spelling);
    }
    if (row->kind != OPTION_FLAG && value == NULL) {
      if (++i == argc) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s needs a value: %s", row->spelling, row->value);
      }
      value = argv[i];
    }
    GENIE_RETURN_IF_ERROR(row_set(row, value, out_options));
  }
  if (out_options->opt_level < 0 || out_options->opt_level > 3) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--opt-level: give 0, 1, 2 or 3");
  }
  return GENIE_OK;
}

void genie_compiler_options_print_help(FILE *file) {
  fputs(
      "usage: geniec [options] MODEL.pt2|MODULE.mlir\n"
      "Compiles a captured PyTorch graph (torch.export archive) or a module's text to a plan that genie runs.\n\n",
      file);
  for (int i = 0; i < OPTION_COUNT; ++i) {
    const option_row_t *row = &option_rows[i];
    char left[80];
    snprintf(left, sizeof left, "%s%s%s%s%s", row->short_spelling != NULL ? row->short_spelling : "",
             row->short_spelling != NULL ? ", " : "", row->spelling, row->value != NULL ? "=" : "",
             row->value != NULL ? row->value : "");
    fprintf(file, "  %-28s %s\n", left, row->help);
  }
  fputs("\nExit code: 0 done, 1 the input or the compile failed, 2 wrong usage.\n", file);
}
