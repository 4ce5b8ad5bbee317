#include "runtime/base/config_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
  const genie_config_table_t *table;
  genie_arena_t *arena;
  void *options;
  size_t list_capacity;  // of every list: no more values than arguments
} parser_t;

static genie_status_t append_to_list(const parser_t *parser, genie_config_list_t *list, const char *value) {
  if (list->values == NULL) {
    void *values = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(parser->arena, parser->list_capacity, sizeof(*list->values), &values));
    list->values = values;
  }
  list->values[list->count++] = value;
  return GENIE_OK;
}

// ---- Values ----

static genie_status_t parse_i64(const genie_config_option_t *option, const char *origin, const char *text,
                                int64_t *out_value) {
  char *end = NULL;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || value < option->minimum || value > option->maximum) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s takes a whole number from %lld to %lld, not '%.64s'",
                             origin, (long long)option->minimum, (long long)option->maximum, text);
  }
  *out_value = value;
  return GENIE_OK;
}

static genie_status_t parse_f64(const char *origin, const char *text, double *out_value) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(value) || value < 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s takes a number from 0, not '%.64s'", origin, text);
  }
  *out_value = value;
  return GENIE_OK;
}

// `origin` names where the text comes from: the option, or the environment variable.
static genie_status_t store_value(const parser_t *parser, const genie_config_option_t *option, const char *origin,
                                  const char *text) {
  void *field = (char *)parser->options + option->offset;
  switch (option->kind) {
    case GENIE_CONFIG_FLAG:
      *(bool *)field = strcmp(text, "0") != 0 && text[0] != '\0';
      return GENIE_OK;
    case GENIE_CONFIG_STRING:
      *(const char **)field = text;
      return GENIE_OK;
    case GENIE_CONFIG_I64:
      return parse_i64(option, origin, text, field);
    case GENIE_CONFIG_F64:
      return parse_f64(origin, text, field);
    case GENIE_CONFIG_LIST:
    case GENIE_CONFIG_FORMS:
      return append_to_list(parser, field, text);
  }
  return GENIE_OK;
}

// ---- Options ----

static size_t edit_distance(const char *a, const char *b) {
  enum { kMostLength = 32 };
  const size_t a_length = strlen(a);
  const size_t b_length = strlen(b);
  if (a_length > kMostLength || b_length > kMostLength) {
    return SIZE_MAX;
  }
  size_t row[kMostLength + 1];
  for (size_t j = 0; j <= b_length; ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a_length; ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b_length; ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      const size_t shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      row[j] = replaced < shifted ? replaced : shifted;
    }
  }
  return row[b_length];
}

static genie_status_t unknown_option(const genie_config_table_t *table, const char *name) {
  const char *nearest = NULL;
  size_t nearest_distance = 3;
  for (size_t i = 0; i < table->option_count; ++i) {
    const size_t distance = edit_distance(table->options[i].name, name);
    if (distance < nearest_distance) {
      nearest = table->options[i].name;
      nearest_distance = distance;
    }
  }
  return nearest == NULL ? genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "unknown option '%.64s'", name)
                         : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                             "unknown option '%.64s'; did you mean '%s'?", name, nearest);
}

static bool is_name(const char *name, const char *argument, size_t length) {
  return name != NULL && strlen(name) == length && memcmp(name, argument, length) == 0;
}

static const genie_config_option_t *find_option(const genie_config_table_t *table, const char *name, size_t length) {
  for (size_t i = 0; i < table->option_count; ++i) {
    if (is_name(table->options[i].name, name, length) || is_name(table->options[i].alias, name, length)) {
      return &table->options[i];
    }
  }
  return NULL;
}

// Parses the option at argv[*index] and moves *index past what it used.
static genie_status_t parse_option(const parser_t *parser, int argc, const char *const *argv, int *index) {
  const char *argument = argv[(*index)++];
  const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
  const size_t length = equals == NULL ? strlen(argument) : (size_t)(equals - argument);
  const genie_config_option_t *option = find_option(parser->table, argument, length);
  if (option == NULL) {
    char *name = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(parser->arena, argument, length, &name));
    return unknown_option(parser->table, name);
  }
  if (option->kind == GENIE_CONFIG_FLAG) {
    return equals == NULL ? store_value(parser, option, option->name, "1")
                          : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s takes no value", option->name);
  }
  if (equals != NULL) {
    return store_value(parser, option, option->name, equals + 1);
  }
  if (option->kind == GENIE_CONFIG_FORMS) {
    return store_value(parser, option, option->name, "");
  }
  if (*index >= argc) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s needs a value: %s %s", option->name, option->name,
                             option->value);
  }
  return store_value(parser, option, option->name, argv[(*index)++]);
}

static genie_status_t read_environment(const parser_t *parser) {
  for (size_t i = 0; i < parser->table->option_count; ++i) {
    const genie_config_option_t *option = &parser->table->options[i];
    const char *text = option->variable == NULL ? NULL : getenv(option->variable);
    if (text != NULL && text[0] != '\0') {
      GENIE_RETURN_IF_ERROR(store_value(parser, option, option->variable, text));
    }
  }
  return GENIE_OK;
}

static genie_status_t check_positional(const genie_config_table_t *table, const genie_config_list_t *positional) {
  if (positional->count < table->minimum_positional) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "too few arguments; usage: %s", table->usage);
  }
  if (positional->count > table->maximum_positional) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "one argument too many: '%.64s'; usage: %s",
                             positional->values[table->maximum_positional], table->usage);
  }
  return GENIE_OK;
}

genie_status_t genie_config_parse(const genie_config_table_t *table, int argc, const char *const *argv,
                                  genie_arena_t *arena, void *options, genie_config_list_t *out_positional) {
  const parser_t parser = {.table = table, .arena = arena, .options = options, .list_capacity = (size_t)argc + 1};
  *out_positional = (genie_config_list_t){0};
  GENIE_RETURN_IF_ERROR(read_environment(&parser));
  bool has_ended = false;
  for (int i = 0; i < argc;) {
    if (has_ended || argv[i][0] != '-' || argv[i][1] == '\0') {
      GENIE_RETURN_IF_ERROR(append_to_list(&parser, out_positional, argv[i++]));
    } else if (strcmp(argv[i], "--") == 0) {
      has_ended = true;
      ++i;
    } else {
      GENIE_RETURN_IF_ERROR(parse_option(&parser, argc, argv, &i));
    }
  }
  return check_positional(table, out_positional);
}

// ---- Help ----

void genie_config_describe(const genie_config_table_t *table, genie_string_builder_t *builder) {
  enum { kColumn = 30 };
  genie_string_builder_format(builder, "usage: %s\n", table->usage);
  if (table->summary != NULL) {
    genie_string_builder_format(builder, "\n%s\n", table->summary);
  }
  genie_string_builder_format(builder, "\noptions:\n");
  for (size_t i = 0; i < table->option_count; ++i) {
    const genie_config_option_t *option = &table->options[i];
    const size_t begin = builder->length;
    const bool is_flag = option->kind == GENIE_CONFIG_FLAG;
    const bool is_form = option->kind == GENIE_CONFIG_FORMS;
    genie_string_builder_format(builder, "  %s%s%s%s%s%s", option->alias == NULL ? "" : option->alias,
                                option->alias == NULL ? "" : ", ", option->name,
                                is_flag   ? ""
                                : is_form ? "[="
                                          : " ",
                                is_flag ? "" : option->value, is_form ? "]" : "");
    const size_t width = builder->length - begin;
    if (width >= kColumn) {
      genie_string_builder_format(builder, "\n%*s", kColumn, "");
    } else {
      genie_string_builder_format(builder, "%*s", (int)(kColumn - width), "");
    }
    genie_string_builder_format(builder, "%s", option->help);
    if (option->variable != NULL) {
      genie_string_builder_format(builder, " (%s)", option->variable);
    }
    genie_string_builder_format(builder, "\n");
  }
}
