// The JSON of an archive as genie_pt2_program_t. Keys that are not known are ignored, except inside an argument union.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/bounded_json.h"
#include "compiler/import/pt2/exported_program.h"

enum { SCHEMA_MAJOR = 8 };

// Where in the document the reader is, for messages.
typedef struct reader {
  genie_pt2_program_t *program;
  const char *path;
  const char *place;
} reader_t;

static genie_status_t malformed(const reader_t *reader, const char *what) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: %.120s: %.120s; is this written by torch.export.save?",
                           reader->path, reader->place, what);
}

static genie_status_t allocate(reader_t *reader, size_t count, size_t element_bytes, void **out_pointer) {
  return genie_arena_allocate(&reader->program->arena, count, element_bytes, out_pointer);
}

static genie_status_t get_object(const reader_t *reader, const json_t *parent, const char *key,
                                 const json_t **out_value) {
  *out_value = json_object_get(parent, key);
  return json_is_object(*out_value) ? GENIE_OK : malformed(reader, key);
}

static genie_status_t get_array(const reader_t *reader, const json_t *parent, const char *key,
                                const json_t **out_value) {
  *out_value = json_object_get(parent, key);
  return json_is_array(*out_value) && json_array_size(*out_value) < INT32_MAX ? GENIE_OK : malformed(reader, key);
}

static genie_status_t get_string(const reader_t *reader, const json_t *parent, const char *key,
                                 const char **out_value) {
  *out_value = json_string_value(json_object_get(parent, key));
  return *out_value != NULL ? GENIE_OK : malformed(reader, key);
}

static const char *optional_string(const json_t *parent, const char *key) {
  const char *value = json_string_value(json_object_get(parent, key));
  return value != NULL ? value : "";
}

//===-- Arguments -------------------------------------------------------------------------------------------------===//

static genie_status_t read_arg(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg);
static genie_status_t read_graph(reader_t *reader, const json_t *json, genie_pt2_graph_t *out_graph);

static genie_status_t read_named(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  return get_string(reader, json, "name", &out_arg->text);
}

static genie_status_t read_int(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  if (!json_is_integer(json)) {
    return malformed(reader, "as_int holds no integer");
  }
  out_arg->integer = json_integer_value(json);
  return GENIE_OK;
}

// Infinities and NaN are written as strings, for JSON has none.
static genie_status_t read_float(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  const char *text = json_string_value(json);
  if (json_is_number(json)) {
    out_arg->number = json_number_value(json);
  } else if (text != NULL && strcmp(text, "Infinity") == 0) {
    out_arg->number = INFINITY;
  } else if (text != NULL && strcmp(text, "-Infinity") == 0) {
    out_arg->number = -INFINITY;
  } else if (text != NULL && strcmp(text, "NaN") == 0) {
    out_arg->number = NAN;
  } else {
    return malformed(reader, "as_float holds no number");
  }
  return GENIE_OK;
}

static genie_status_t read_bool(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  if (!json_is_boolean(json)) {
    return malformed(reader, "as_bool holds no boolean");
  }
  out_arg->integer = json_is_true(json);
  return GENIE_OK;
}

static genie_status_t read_string(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  out_arg->text = json_string_value(json);
  return out_arg->text != NULL ? GENIE_OK : malformed(reader, "as_string holds no string");
}

static genie_status_t read_none(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  (void)reader, (void)json, (void)out_arg;
  return GENIE_OK;
}

static genie_status_t read_device(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  return get_string(reader, json, "type", &out_arg->text);
}

static genie_status_t read_subgraph(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  const json_t *graph;
  GENIE_RETURN_IF_ERROR(get_object(reader, json, "graph", &graph));
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, 1, sizeof(genie_pt2_graph_t), &memory));
  out_arg->graph = memory;
  out_arg->text = optional_string(json, "name");
  return read_graph(reader, graph, memory);
}

// A symbolic value: {"as_name": NAME}, or a number under another key, which gives a plain argument of `plain_kind`.
static genie_status_t read_symbolic(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  const json_t *name = json_object_get(json, "as_name");
  if (json_is_string(name)) {
    out_arg->text = json_string_value(name);
    return GENIE_OK;
  }
  const json_t *value = json_object_get(json, "as_int");
  if (value != NULL) {
    out_arg->kind = GENIE_PT2_INT;
    return read_int(reader, value, out_arg);
  }
  value = json_object_get(json, "as_float");
  if (value != NULL) {
    out_arg->kind = GENIE_PT2_FLOAT;
    return read_float(reader, value, out_arg);
  }
  value = json_object_get(json, "as_bool");
  if (value != NULL) {
    out_arg->kind = GENIE_PT2_BOOL;
    return read_bool(reader, value, out_arg);
  }
  return malformed(reader, "unknown symbolic argument");
}

static genie_status_t read_optional_tensor(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  const json_t *tensor = json_object_get(json, "as_tensor");
  out_arg->kind = tensor != NULL ? GENIE_PT2_TENSOR : GENIE_PT2_NONE;
  return tensor != NULL ? read_named(reader, tensor, out_arg) : GENIE_OK;
}

typedef genie_status_t (*read_value_fn_t)(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg);

// The argument union: how each key's value is read, alone and as an element of a list.
static const struct arg_reader {
  const char *key;
  genie_pt2_arg_kind_t kind;
  int list_depth;
  read_value_fn_t read;
} arg_readers[] = {
    {"as_none", GENIE_PT2_NONE, 0, read_none},
    {"as_tensor", GENIE_PT2_TENSOR, 0, read_named},
    {"as_tensors", GENIE_PT2_TENSOR, 1, read_named},
    {"as_nested_tensors", GENIE_PT2_TENSOR, 2, read_named},
    {"as_int", GENIE_PT2_INT, 0, read_int},
    {"as_ints", GENIE_PT2_INT, 1, read_int},
    {"as_int_lists", GENIE_PT2_INT, 2, read_int},
    {"as_float", GENIE_PT2_FLOAT, 0, read_float},
    {"as_floats", GENIE_PT2_FLOAT, 1, read_float},
    {"as_float_lists", GENIE_PT2_FLOAT, 2, read_float},
    {"as_bool", GENIE_PT2_BOOL, 0, read_bool},
    {"as_bools", GENIE_PT2_BOOL, 1, read_bool},
    {"as_string", GENIE_PT2_STRING, 0, read_string},
    {"as_strings", GENIE_PT2_STRING, 1, read_string},
    {"as_sym_int", GENIE_PT2_SYM_INT, 0, read_symbolic},
    {"as_sym_ints", GENIE_PT2_SYM_INT, 1, read_symbolic},
    {"as_sym_float", GENIE_PT2_SYM_FLOAT, 0, read_symbolic},
    {"as_sym_floats", GENIE_PT2_SYM_FLOAT, 1, read_symbolic},
    {"as_sym_bool", GENIE_PT2_SYM_BOOL, 0, read_symbolic},
    {"as_sym_bools", GENIE_PT2_SYM_BOOL, 1, read_symbolic},
    {"as_scalar_type", GENIE_PT2_ENUM, 0, read_int},
    {"as_memory_format", GENIE_PT2_ENUM, 0, read_int},
    {"as_layout", GENIE_PT2_ENUM, 0, read_int},
    {"as_device", GENIE_PT2_DEVICE, 0, read_device},
    {"as_graph", GENIE_PT2_GRAPH, 0, read_subgraph},
    {"as_optional_tensor", GENIE_PT2_TENSOR, 0, read_optional_tensor},
    {"as_optional_tensors", GENIE_PT2_TENSOR, 1, read_optional_tensor},
    {"as_custom_obj", GENIE_PT2_FOREIGN, 0, read_none},
    {"as_operator", GENIE_PT2_FOREIGN, 0, read_none},
    {"as_complex", GENIE_PT2_FOREIGN, 0, read_none},
    {"as_opaque_obj", GENIE_PT2_FOREIGN, 0, read_none},
    {"as_string_to_argument", GENIE_PT2_FOREIGN, 0, read_none},
};

static genie_status_t read_value(reader_t *reader, const struct arg_reader *row, int list_depth, const json_t *json,
                                 genie_pt2_arg_t *out_arg) {
  *out_arg = (genie_pt2_arg_t){.kind = row->kind, .text = row->key};
  if (list_depth == 0) {
    return row->read(reader, json, out_arg);
  }
  if (!json_is_array(json)) {
    return malformed(reader, row->key);
  }
  const size_t count = json_array_size(json);
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_arg_t), &memory));
  genie_pt2_arg_t *items = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_value(reader, row, list_depth - 1, json_array_get(json, i), &items[i]));
  }
  *out_arg = (genie_pt2_arg_t){.kind = GENIE_PT2_LIST, .text = row->key, .count = (int)count, .items = items};
  return GENIE_OK;
}

static genie_status_t read_arg(reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  if (!json_is_object(json) || json_object_size(json) != 1) {
    return malformed(reader, "an argument is a union of one key");
  }
  const char *key = json_object_iter_key(json_object_iter((json_t *)json));
  for (size_t i = 0; i < sizeof arg_readers / sizeof arg_readers[0]; ++i) {
    if (strcmp(arg_readers[i].key, key) == 0) {
      return read_value(reader, &arg_readers[i], arg_readers[i].list_depth, json_object_get(json, key), out_arg);
    }
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "%s: %.120s: arguments of kind '%.60s' are unknown; export with PyTorch 2.9 to 2.14",
                           reader->path, reader->place, key);
}

static genie_status_t read_args(reader_t *reader, const json_t *array, int *out_count,
                                const genie_pt2_arg_t **out_args) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_arg_t), &memory));
  genie_pt2_arg_t *args = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_arg(reader, json_array_get(array, i), &args[i]));
  }
  *out_count = (int)count;
  *out_args = args;
  return GENIE_OK;
}

//===-- Values ----------------------------------------------------------------------------------------------------===//

static genie_status_t read_size(reader_t *reader, const json_t *json, genie_pt2_size_t *out_size) {
  *out_size = (genie_pt2_size_t){0};
  const json_t *number = json_object_get(json, "as_int"), *expression = json_object_get(json, "as_expr");
  if (json_is_integer(number)) {
    out_size->value = json_integer_value(number);
    return GENIE_OK;
  }
  return json_is_object(expression) ? get_string(reader, expression, "expr_str", &out_size->expression)
                                    : malformed(reader, "a size is neither as_int nor as_expr");
}

static genie_status_t read_sizes(reader_t *reader, const json_t *array, int *out_count,
                                 const genie_pt2_size_t **out_sizes) {
  const size_t count = json_array_size(array);
  if (count > GENIE_PT2_MAX_RANK) {
    return malformed(reader, "a tensor of more than 32 dimensions");
  }
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_size_t), &memory));
  genie_pt2_size_t *sizes = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_size(reader, json_array_get(array, i), &sizes[i]));
  }
  *out_count = (int)count;
  *out_sizes = sizes;
  return GENIE_OK;
}

static genie_status_t read_meta(reader_t *reader, const json_t *json, genie_pt2_tensor_meta_t *out_meta) {
  *out_meta = (genie_pt2_tensor_meta_t){0};
  const json_t *dtype = json_object_get(json, "dtype"), *layout = json_object_get(json, "layout"), *sizes, *strides;
  if (!json_is_integer(dtype)) {
    return malformed(reader, "a tensor without dtype");
  }
  out_meta->dtype = (int)json_integer_value(dtype);
  out_meta->layout = json_is_integer(layout) ? (int)json_integer_value(layout) : 7;
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "sizes", &sizes));
  GENIE_RETURN_IF_ERROR(read_sizes(reader, sizes, &out_meta->rank, &out_meta->sizes));
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "strides", &strides));
  int stride_count;
  GENIE_RETURN_IF_ERROR(read_sizes(reader, strides, &stride_count, &out_meta->strides));
  if (stride_count != out_meta->rank) {
    return malformed(reader, "a tensor's strides and sizes differ in number");
  }
  const json_t *offset = json_object_get(json, "storage_offset");
  return offset != NULL ? read_size(reader, offset, &out_meta->storage_offset) : GENIE_OK;
}

static int compare_tensors(const void *a, const void *b) {
  return strcmp(((const genie_pt2_tensor_value_t *)a)->name, ((const genie_pt2_tensor_value_t *)b)->name);
}

static int compare_sym_ints(const void *a, const void *b) {
  return strcmp(((const genie_pt2_sym_int_value_t *)a)->name, ((const genie_pt2_sym_int_value_t *)b)->name);
}

static genie_status_t read_values(reader_t *reader, const json_t *json, genie_pt2_graph_t *graph) {
  const json_t *tensors;
  GENIE_RETURN_IF_ERROR(get_object(reader, json, "tensor_values", &tensors));
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, json_object_size(tensors), sizeof(genie_pt2_tensor_value_t), &memory));
  genie_pt2_tensor_value_t *values = memory;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)tensors, key, value) {
    reader->place = key;
    values[graph->tensor_count].name = key;
    GENIE_RETURN_IF_ERROR(read_meta(reader, value, &values[graph->tensor_count].meta));
    ++graph->tensor_count;
  }
  qsort(values, (size_t)graph->tensor_count, sizeof *values, compare_tensors);
  graph->tensors = values;

  const json_t *sym_ints = json_object_get(json, "sym_int_values");
  GENIE_RETURN_IF_ERROR(allocate(reader, json_object_size(sym_ints), sizeof(genie_pt2_sym_int_value_t), &memory));
  genie_pt2_sym_int_value_t *sizes = memory;
  json_object_foreach((json_t *)sym_ints, key, value) {
    reader->place = key;
    sizes[graph->sym_int_count].name = key;
    GENIE_RETURN_IF_ERROR(read_size(reader, value, &sizes[graph->sym_int_count].size));
    ++graph->sym_int_count;
  }
  qsort(sizes, (size_t)graph->sym_int_count, sizeof *sizes, compare_sym_ints);
  graph->sym_ints = sizes;
  return GENIE_OK;
}

//===-- Graph -----------------------------------------------------------------------------------------------------===//

static genie_status_t read_node(reader_t *reader, const json_t *json, genie_pt2_node_t *out_node) {
  *out_node = (genie_pt2_node_t){0};
  reader->place = "a node";
  GENIE_RETURN_IF_ERROR(get_string(reader, json, "target", &out_node->target));
  reader->place = out_node->target;
  const json_t *inputs, *outputs;
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "inputs", &inputs));
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "outputs", &outputs));
  void *memory;
  const size_t count = json_array_size(inputs);
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_input_t), &memory));
  genie_pt2_input_t *rows = memory;
  for (size_t i = 0; i < count; ++i) {
    const json_t *row = json_array_get(inputs, i);
    const json_t *kind = json_object_get(row, "kind");
    rows[i].name = optional_string(row, "name");
    rows[i].is_keyword = json_is_integer(kind) && json_integer_value(kind) == 2;
    GENIE_RETURN_IF_ERROR(read_arg(reader, json_object_get(row, "arg"), &rows[i].arg));
    reader->place = out_node->target;
  }
  out_node->inputs = rows;
  out_node->input_count = (int)count;
  GENIE_RETURN_IF_ERROR(read_args(reader, outputs, &out_node->output_count, &out_node->outputs));
  const json_t *metadata = json_object_get(json, "metadata");
  out_node->stack_trace = optional_string(metadata, "stack_trace");
  out_node->module_stack = optional_string(metadata, "nn_module_stack");
  out_node->annotations = optional_string(metadata, "custom");
  return GENIE_OK;
}

static genie_status_t read_graph(reader_t *reader, const json_t *json, genie_pt2_graph_t *out_graph) {
  *out_graph = (genie_pt2_graph_t){0};
  reader->place = "graph";
  const json_t *inputs, *outputs, *nodes;
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "inputs", &inputs));
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "outputs", &outputs));
  GENIE_RETURN_IF_ERROR(get_array(reader, json, "nodes", &nodes));
  GENIE_RETURN_IF_ERROR(read_args(reader, inputs, &out_graph->input_count, &out_graph->inputs));
  GENIE_RETURN_IF_ERROR(read_args(reader, outputs, &out_graph->output_count, &out_graph->outputs));
  GENIE_RETURN_IF_ERROR(read_values(reader, json, out_graph));
  const size_t count = json_array_size(nodes);
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_node_t), &memory));
  genie_pt2_node_t *rows = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_node(reader, json_array_get(nodes, i), &rows[i]));
  }
  out_graph->nodes = rows;
  out_graph->node_count = (int)count;
  return GENIE_OK;
}

//===-- Signature -------------------------------------------------------------------------------------------------===//

// {"parameter": {...}} and its like: the kind's key and its content.
static genie_status_t read_spec_key(const reader_t *reader, const json_t *json, const char **out_key,
                                    const json_t **out_content) {
  if (!json_is_object(json) || json_object_size(json) != 1) {
    return malformed(reader, "a signature entry is a union of one key");
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
static genie_status_t read_spec(reader_t *reader, const struct spec_row *row, const json_t *content,
                                genie_pt2_arg_t *out_arg, const char **out_target) {
  reader->place = row->key;
  if (row->target_key != NULL) {
    GENIE_RETURN_IF_ERROR(get_string(reader, content, row->target_key, out_target));
  }
  const json_t *arg = json_object_get(content, "arg");
  if (json_is_string(json_object_get(arg, "name"))) {
    out_arg->kind = GENIE_PT2_TENSOR;
    return read_named(reader, arg, out_arg);
  }
  return arg != NULL ? read_arg(reader, arg, out_arg) : GENIE_OK;
}

static genie_status_t read_input_specs(reader_t *reader, const json_t *array) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_input_spec_t), &memory));
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

static genie_status_t read_output_specs(reader_t *reader, const json_t *array) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_output_spec_t), &memory));
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

static genie_status_t read_ranges(reader_t *reader, const json_t *json) {
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, json_object_size(json), sizeof(genie_pt2_range_t), &memory));
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

//===-- Payloads --------------------------------------------------------------------------------------------------===//

static genie_status_t read_payloads(reader_t *reader, const char *folder, const json_t *root,
                                    genie_pt2_payload_t *payloads) {
  const json_t *config = json_object_get(root, "config");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)config, key, value) {
    reader->place = key;
    genie_pt2_payload_t *payload = &payloads[reader->program->payload_count];
    *payload = (genie_pt2_payload_t){.name = key, .folder = folder, .is_pickled = true};
    const json_t *meta = json_object_get(value, "tensor_meta");
    if (json_is_object(meta)) {
      payload->is_pickled = json_is_true(json_object_get(value, "use_pickle"));
      GENIE_RETURN_IF_ERROR(get_string(reader, value, "path_name", &payload->member));
      GENIE_RETURN_IF_ERROR(read_meta(reader, meta, &payload->meta));
    }
    ++reader->program->payload_count;
  }
  return GENIE_OK;
}

static int compare_payloads(const void *a, const void *b) {
  return strcmp(((const genie_pt2_payload_t *)a)->name, ((const genie_pt2_payload_t *)b)->name);
}

static genie_status_t read_all_payloads(reader_t *reader) {
  genie_pt2_program_t *program = reader->program;
  const size_t count = json_object_size(json_object_get(program->weights, "config")) +
                       json_object_size(json_object_get(program->constants, "config"));
  void *memory;
  GENIE_RETURN_IF_ERROR(allocate(reader, count, sizeof(genie_pt2_payload_t), &memory));
  program->payloads = memory;
  GENIE_RETURN_IF_ERROR(read_payloads(reader, "data/weights", program->weights, memory));
  GENIE_RETURN_IF_ERROR(read_payloads(reader, "data/constants", program->constants, memory));
  qsort(memory, (size_t)program->payload_count, sizeof(genie_pt2_payload_t), compare_payloads);
  return GENIE_OK;
}

//===-- Program ---------------------------------------------------------------------------------------------------===//

static genie_status_t check_schema(const reader_t *reader, const json_t *root) {
  const json_t *version = json_object_get(root, "schema_version");
  const json_t *major = json_object_get(version, "major");
  if (!json_is_integer(major)) {
    return malformed(reader, "schema_version");
  }
  return json_integer_value(major) == SCHEMA_MAJOR
             ? GENIE_OK
             : genie_status_make(
                   GENIE_STATUS_UNIMPLEMENTED,
                   "%s: export schema %lld (PyTorch %.20s); schema %d is read: export with PyTorch 2.9 to 2.14",
                   reader->path, (long long)json_integer_value(major), optional_string(root, "torch_version"),
                   SCHEMA_MAJOR);
}

static genie_status_t read_root(reader_t *reader, const json_t *root) {
  genie_pt2_program_t *program = reader->program;
  reader->place = "the program";
  GENIE_RETURN_IF_ERROR(check_schema(reader, root));
  const json_t *module, *graph, *signature, *inputs, *outputs;
  GENIE_RETURN_IF_ERROR(get_object(reader, root, "graph_module", &module));
  GENIE_RETURN_IF_ERROR(get_object(reader, module, "graph", &graph));
  GENIE_RETURN_IF_ERROR(get_object(reader, module, "signature", &signature));
  GENIE_RETURN_IF_ERROR(get_array(reader, signature, "input_specs", &inputs));
  GENIE_RETURN_IF_ERROR(get_array(reader, signature, "output_specs", &outputs));
  GENIE_RETURN_IF_ERROR(read_graph(reader, graph, &program->graph));
  GENIE_RETURN_IF_ERROR(read_input_specs(reader, inputs));
  GENIE_RETURN_IF_ERROR(read_output_specs(reader, outputs));
  reader->place = "signature";
  if (program->input_spec_count != program->graph.input_count ||
      program->output_spec_count != program->graph.output_count) {
    return malformed(reader, "it does not match the graph's inputs and outputs");
  }
  GENIE_RETURN_IF_ERROR(read_ranges(reader, json_object_get(root, "range_constraints")));
  const json_t *entry = json_array_get(json_object_get(module, "module_call_graph"), 0);
  program->out_spec = optional_string(json_object_get(entry, "signature"), "out_spec");
  program->torch_version = optional_string(root, "torch_version");
  return GENIE_OK;
}

static genie_status_t load_json(genie_pt2_program_t *program, const char *member, json_t **out_root) {
  // The text is needed only while it is parsed, so it has an arena of its own.
  genie_arena_t scratch;
  genie_arena_init(genie_allocator_heap(), (size_t)GENIE_JSON_MAX_BYTES + 4096, &scratch);
  char *text;
  size_t length;
  genie_status_t status =
      genie_pt2_archive_read(program->archive, member, GENIE_JSON_MAX_BYTES, &scratch, &text, &length);
  if (status == GENIE_OK) {
    status = genie_status_annotate(genie_json_parse(member, text, length, out_root), "%s",
                                   genie_pt2_archive_path(program->archive));
  }
  genie_arena_deinit(&scratch);
  return status;
}

static genie_status_t load_config(genie_pt2_program_t *program, const char *folder, const char *model,
                                  json_t **out_root) {
  char member[256];
  snprintf(member, sizeof member, "%s/%s_%s_config.json", folder, model, strrchr(folder, '/') + 1);
  return genie_pt2_archive_has(program->archive, member) ? load_json(program, member, out_root) : GENIE_OK;
}

static genie_status_t program_load(const char *path, genie_pt2_program_t *program) {
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_open(path, &program->archive));
  const char *model;
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_model_name(program->archive, &program->arena, &model));
  char member[256];
  snprintf(member, sizeof member, "models/%s.json", model);
  GENIE_RETURN_IF_ERROR(load_json(program, member, &program->model));
  GENIE_RETURN_IF_ERROR(load_config(program, "data/weights", model, &program->weights));
  GENIE_RETURN_IF_ERROR(load_config(program, "data/constants", model, &program->constants));
  reader_t reader = {.program = program, .path = path, .place = ""};
  GENIE_RETURN_IF_ERROR(read_root(&reader, program->model));
  return read_all_payloads(&reader);
}

genie_status_t genie_pt2_program_read(const char *path, genie_pt2_program_t *out_program) {
  *out_program = (genie_pt2_program_t){0};
  genie_arena_init(genie_allocator_heap(), (size_t)2 << 30, &out_program->arena);
  const genie_status_t status = program_load(path, out_program);
  if (status != GENIE_OK) {
    genie_pt2_program_deinit(out_program);
  }
  return status;
}

void genie_pt2_program_deinit(genie_pt2_program_t *program) {
  json_decref(program->model);
  json_decref(program->weights);
  json_decref(program->constants);
  genie_pt2_archive_close(program->archive);
  genie_arena_deinit(&program->arena);
  *program = (genie_pt2_program_t){0};
}

const genie_pt2_tensor_meta_t *genie_pt2_graph_tensor(const genie_pt2_graph_t *graph, const char *name) {
  const genie_pt2_tensor_value_t key = {.name = name};
  const genie_pt2_tensor_value_t *found =
      graph->tensor_count > 0 ? bsearch(&key, graph->tensors, (size_t)graph->tensor_count, sizeof key, compare_tensors)
                              : NULL;
  return found != NULL ? &found->meta : NULL;
}

const genie_pt2_size_t *genie_pt2_graph_sym_int(const genie_pt2_graph_t *graph, const char *name) {
  const genie_pt2_sym_int_value_t key = {.name = name};
  const genie_pt2_sym_int_value_t *found =
      graph->sym_int_count > 0
          ? bsearch(&key, graph->sym_ints, (size_t)graph->sym_int_count, sizeof key, compare_sym_ints)
          : NULL;
  return found != NULL ? &found->size : NULL;
}

const genie_pt2_payload_t *genie_pt2_program_payload(const genie_pt2_program_t *program, const char *name) {
  const genie_pt2_payload_t key = {.name = name};
  return program->payload_count > 0
             ? bsearch(&key, program->payloads, (size_t)program->payload_count, sizeof key, compare_payloads)
             : NULL;
}
