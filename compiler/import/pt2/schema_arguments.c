// Arguments of nodes: unions of one key.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/schema_reader.h"

genie_status_t genie_pt2_schema_read_named(genie_pt2_schema_reader_t *reader, const json_t *json,
                                           genie_pt2_arg_t *out_arg) {
  return genie_pt2_schema_get_string(reader, json, "name", &out_arg->text);
}

static genie_status_t read_int(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  if (!json_is_integer(json)) {
    return genie_pt2_schema_malformed(reader, "as_int holds no integer");
  }
  out_arg->integer = json_integer_value(json);
  return GENIE_OK;
}

// Infinities and NaN are written as strings, for JSON has none.
static genie_status_t read_float(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
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
    return genie_pt2_schema_malformed(reader, "as_float holds no number");
  }
  return GENIE_OK;
}

static genie_status_t read_bool(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  if (!json_is_boolean(json)) {
    return genie_pt2_schema_malformed(reader, "as_bool holds no boolean");
  }
  out_arg->integer = json_is_true(json);
  return GENIE_OK;
}

static genie_status_t read_string(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  out_arg->text = json_string_value(json);
  return out_arg->text != NULL ? GENIE_OK : genie_pt2_schema_malformed(reader, "as_string holds no string");
}

static genie_status_t read_none(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  (void)reader, (void)json, (void)out_arg;
  return GENIE_OK;
}

static genie_status_t read_device(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  return genie_pt2_schema_get_string(reader, json, "type", &out_arg->text);
}

static genie_status_t read_subgraph(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
  const json_t *graph;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_object(reader, json, "graph", &graph));
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, 1, sizeof(genie_pt2_graph_t), &memory));
  out_arg->graph = memory;
  out_arg->text = genie_pt2_schema_optional_string(json, "name");
  return genie_pt2_schema_read_graph(reader, graph, memory);
}

// A symbolic value: {"as_name": NAME}, or a number under another key, which gives a plain argument of `plain_kind`.
static genie_status_t read_symbolic(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_arg_t *out_arg) {
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
  return genie_pt2_schema_malformed(reader, "unknown symbolic argument");
}

static genie_status_t read_optional_tensor(genie_pt2_schema_reader_t *reader, const json_t *json,
                                           genie_pt2_arg_t *out_arg) {
  const json_t *tensor = json_object_get(json, "as_tensor");
  out_arg->kind = tensor != NULL ? GENIE_PT2_TENSOR : GENIE_PT2_NONE;
  return tensor != NULL ? genie_pt2_schema_read_named(reader, tensor, out_arg) : GENIE_OK;
}

typedef genie_status_t (*read_value_fn_t)(genie_pt2_schema_reader_t *reader, const json_t *json,
                                          genie_pt2_arg_t *out_arg);

// The argument union: how each key's value is read, alone and as an element of a list.
static const struct arg_reader {
  const char *key;
  genie_pt2_arg_kind_t kind;
  int list_depth;
  read_value_fn_t read;
} arg_readers[] = {
    {"as_none", GENIE_PT2_NONE, 0, read_none},
    {"as_tensor", GENIE_PT2_TENSOR, 0, genie_pt2_schema_read_named},
    {"as_tensors", GENIE_PT2_TENSOR, 1, genie_pt2_schema_read_named},
    {"as_nested_tensors", GENIE_PT2_TENSOR, 2, genie_pt2_schema_read_named},
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

static genie_status_t read_value(genie_pt2_schema_reader_t *reader, const struct arg_reader *row, int list_depth,
                                 const json_t *json, genie_pt2_arg_t *out_arg) {
  *out_arg = (genie_pt2_arg_t){.kind = row->kind, .text = row->key};
  if (list_depth == 0) {
    return row->read(reader, json, out_arg);
  }
  if (!json_is_array(json)) {
    return genie_pt2_schema_malformed(reader, row->key);
  }
  const size_t count = json_array_size(json);
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_arg_t), &memory));
  genie_pt2_arg_t *items = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_value(reader, row, list_depth - 1, json_array_get(json, i), &items[i]));
  }
  *out_arg = (genie_pt2_arg_t){.kind = GENIE_PT2_LIST, .text = row->key, .count = (int)count, .items = items};
  return GENIE_OK;
}

genie_status_t genie_pt2_schema_read_arg(genie_pt2_schema_reader_t *reader, const json_t *json,
                                         genie_pt2_arg_t *out_arg) {
  if (!json_is_object(json) || json_object_size(json) != 1) {
    return genie_pt2_schema_malformed(reader, "an argument is a union of one key");
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

genie_status_t genie_pt2_schema_read_args(genie_pt2_schema_reader_t *reader, const json_t *array, int *out_count,
                                          const genie_pt2_arg_t **out_args) {
  const size_t count = json_array_size(array);
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_arg_t), &memory));
  genie_pt2_arg_t *args = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_arg(reader, json_array_get(array, i), &args[i]));
  }
  *out_count = (int)count;
  *out_args = args;
  return GENIE_OK;
}
