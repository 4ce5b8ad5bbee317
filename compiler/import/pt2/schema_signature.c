// What the inputs and outputs of a graph stand for, and the ranges of its symbols.
#include <string.h>

#include "compiler/import/pt2/schema_reader.h"

// {"parameter": {...}} and its like: the kind's key and its content.
static genie_status_t read_spec_key(const genie_pt2_schema_reader_t *reader, const json_t *json, const char **out_key,
                                    const json_t **out_content) {
  if (!json_is_object(json) || json_object_size(json) != 1) {
    return genie_pt2_schema_malformed(reader, "a signature entry is a union of one key");
  }
  *out_key = json_object_iter_key(json_object_iter((json_t *)json));
  *out_content = json_object_get(json, *out_key);
  return GENIE_OK;
}

static const struct spec_row {
  const char *key;
  int kind;
  const char *target_key;
} input_spec_rows[] =
    {
        {"user_input", GENIE_PT2_INPUT_USER, NULL},
        {"parameter", GENIE_PT2_INPUT_PARAMETER, "parameter_name"},
        {"buffer", GENIE_PT2_INPUT_BUFFER, "buffer_name"},
        {"tensor_constant", GENIE_PT2_INPUT_CONSTANT_TENSOR, "tensor_constant_name"},
        {"constant_input", GENIE_PT2_INPUT_CONSTANT, NULL},
},
  output_spec_rows[] = {
      {"user_output", GENIE_PT2_OUTPUT_USER, NULL},
      {"buffer_mutation", GENIE_PT2_OUTPUT_BUFFER_MUTATION, "buffer_name"},
      {"user_input_mutation", GENIE_PT2_OUTPUT_INPUT_MUTATION, "user_input_name"},
};

static const struct spec_row *find_spec_row(const struct spec_row *rows, size_t count, const char *key) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(rows[i].key, key) == 0) {
      return &rows[i];
    }
  }
  return NULL;
}

// The `arg` of a spec is an argument union for user values, and a bare {"name": NAME} for tensors.
static genie_status_t read_spec(genie_pt2_schema_reader_t *reader, const struct spec_row *row, const json_t *content,
                                genie_pt2_arg_t *out_arg, const char **out_target) {
  reader->place = row->key;
  if (row->target_key != NULL) {
    GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_string(reader, content, row->target_key, out_target));
  }
  const json_t *arg = json_object_get(content, "arg");
  if (json_is_string(json_object_get(arg, "name"))) {
    out_arg->kind = GENIE_PT2_TENSOR;
    return genie_pt2_schema_read_named(reader, arg, out_arg);
  }
  return arg != NULL ? genie_pt2_schema_read_arg(reader, arg, out_arg) : GENIE_OK;
}

genie_status_t genie_pt2_schema_read_input_specs(genie_pt2_schema_reader_t *reader, const json_t *array) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_input_spec_t), &memory));
  genie_pt2_input_spec_t *specs = memory;
  for (size_t i = 0; i < count; ++i) {
    const char *key;
    const json_t *content;
    reader->place = "input_specs";
    GENIE_RETURN_IF_ERROR(read_spec_key(reader, json_array_get(array, i), &key, &content));
    const struct spec_row *row =
        find_spec_row(input_spec_rows, sizeof input_spec_rows / sizeof input_spec_rows[0], key);
    specs[i].kind = row != NULL ? (genie_pt2_input_kind_t)row->kind : GENIE_PT2_INPUT_FOREIGN;
    specs[i].target = key;
    if (row != NULL && row->kind != GENIE_PT2_INPUT_CONSTANT) {
      GENIE_RETURN_IF_ERROR(read_spec(reader, row, content, &specs[i].arg, &specs[i].target));
    }
  }
  reader->program->input_specs = specs;
  reader->program->input_spec_count = (int)count;
  return GENIE_OK;
}

genie_status_t genie_pt2_schema_read_output_specs(genie_pt2_schema_reader_t *reader, const json_t *array) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_output_spec_t), &memory));
  genie_pt2_output_spec_t *specs = memory;
  for (size_t i = 0; i < count; ++i) {
    const char *key;
    const json_t *content;
    reader->place = "output_specs";
    GENIE_RETURN_IF_ERROR(read_spec_key(reader, json_array_get(array, i), &key, &content));
    const struct spec_row *row =
        find_spec_row(output_spec_rows, sizeof output_spec_rows / sizeof output_spec_rows[0], key);
    specs[i].kind = row != NULL ? (genie_pt2_output_kind_t)row->kind : GENIE_PT2_OUTPUT_FOREIGN;
    specs[i].target = key;
    if (row != NULL) {
      GENIE_RETURN_IF_ERROR(read_spec(reader, row, content, &specs[i].arg, &specs[i].target));
    }
  }
  reader->program->output_specs = specs;
  reader->program->output_spec_count = (int)count;
  return GENIE_OK;
}

genie_status_t genie_pt2_schema_read_ranges(genie_pt2_schema_reader_t *reader, const json_t *json) {
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, json_object_size(json), sizeof(genie_pt2_range_t), &memory));
  genie_pt2_range_t *ranges = memory;
  int count = 0;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) {
    const json_t *minimum = json_object_get(value, "min_val"), *maximum = json_object_get(value, "max_val");
    const bool has_maximum = json_is_integer(maximum) && json_integer_value(maximum) < INT32_MAX;
    ranges[count++] = (genie_pt2_range_t){.symbol = key,
                                          .minimum = json_is_integer(minimum) ? json_integer_value(minimum) : 0,
                                          .maximum = has_maximum ? json_integer_value(maximum) : 0,
                                          .has_maximum = has_maximum};
  }
  reader->program->ranges = ranges;
  reader->program->range_count = count;
  return GENIE_OK;
}
