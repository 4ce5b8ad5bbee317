// Values and nodes of a graph.
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/schema_reader.h"

//===-- Values ----------------------------------------------------------------------------------------------------===//

static genie_status_t read_size(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_size_t *out_size) {
  *out_size = (genie_pt2_size_t){0};
  const json_t *number = json_object_get(json, "as_int"), *expression = json_object_get(json, "as_expr");
  if (json_is_integer(number)) {
    out_size->value = json_integer_value(number);
    return GENIE_OK;
  }
  return json_is_object(expression) ? genie_pt2_schema_get_string(reader, expression, "expr_str", &out_size->expression)
                                    : genie_pt2_schema_malformed(reader, "a size is neither as_int nor as_expr");
}

static genie_status_t read_sizes(genie_pt2_schema_reader_t *reader, const json_t *array, int *out_count,
                                 const genie_pt2_size_t **out_sizes) {
  const size_t count = json_array_size(array);
  if (count > GENIE_PT2_MAX_RANK) {
    return genie_pt2_schema_malformed(reader, "a tensor of more than 32 dimensions");
  }
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_size_t), &memory));
  genie_pt2_size_t *sizes = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_size(reader, json_array_get(array, i), &sizes[i]));
  }
  *out_count = (int)count;
  *out_sizes = sizes;
  return GENIE_OK;
}

genie_status_t genie_pt2_schema_read_meta(genie_pt2_schema_reader_t *reader, const json_t *json,
                                          genie_pt2_tensor_meta_t *out_meta) {
  *out_meta = (genie_pt2_tensor_meta_t){0};
  const json_t *dtype = json_object_get(json, "dtype"), *layout = json_object_get(json, "layout"), *sizes, *strides;
  if (!json_is_integer(dtype)) {
    return genie_pt2_schema_malformed(reader, "a tensor without dtype");
  }
  out_meta->dtype = (int)json_integer_value(dtype);
  out_meta->layout = json_is_integer(layout) ? (int)json_integer_value(layout) : 7;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "sizes", &sizes));
  GENIE_RETURN_IF_ERROR(read_sizes(reader, sizes, &out_meta->rank, &out_meta->sizes));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "strides", &strides));
  int stride_count;
  GENIE_RETURN_IF_ERROR(read_sizes(reader, strides, &stride_count, &out_meta->strides));
  if (stride_count != out_meta->rank) {
    return genie_pt2_schema_malformed(reader, "a tensor's strides and sizes differ in number");
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

static genie_status_t read_values(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_graph_t *graph) {
  const json_t *tensors;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_object(reader, json, "tensor_values", &tensors));
  void *memory;
  GENIE_RETURN_IF_ERROR(
      genie_pt2_schema_allocate(reader, json_object_size(tensors), sizeof(genie_pt2_tensor_value_t), &memory));
  genie_pt2_tensor_value_t *values = memory;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)tensors, key, value) {
    reader->place = key;
    values[graph->tensor_count].name = key;
    GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_meta(reader, value, &values[graph->tensor_count].meta));
    ++graph->tensor_count;
  }
  qsort(values, (size_t)graph->tensor_count, sizeof *values, compare_tensors);
  graph->tensors = values;

  const json_t *sym_ints = json_object_get(json, "sym_int_values");
  GENIE_RETURN_IF_ERROR(
      genie_pt2_schema_allocate(reader, json_object_size(sym_ints), sizeof(genie_pt2_sym_int_value_t), &memory));
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

static genie_status_t read_node(genie_pt2_schema_reader_t *reader, const json_t *json, genie_pt2_node_t *out_node) {
  *out_node = (genie_pt2_node_t){0};
  reader->place = "a node";
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_string(reader, json, "target", &out_node->target));
  reader->place = out_node->target;
  const json_t *inputs, *outputs;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "inputs", &inputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "outputs", &outputs));
  void *memory;
  const size_t count = json_array_size(inputs);
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_input_t), &memory));
  genie_pt2_input_t *rows = memory;
  for (size_t i = 0; i < count; ++i) {
    const json_t *row = json_array_get(inputs, i);
    const json_t *kind = json_object_get(row, "kind");
    rows[i].name = genie_pt2_schema_optional_string(row, "name");
    rows[i].is_keyword = json_is_integer(kind) && json_integer_value(kind) == 2;
    GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_arg(reader, json_object_get(row, "arg"), &rows[i].arg));
    reader->place = out_node->target;
  }
  out_node->inputs = rows;
  out_node->input_count = (int)count;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_args(reader, outputs, &out_node->output_count, &out_node->outputs));
  const json_t *metadata = json_object_get(json, "metadata");
  out_node->stack_trace = genie_pt2_schema_optional_string(metadata, "stack_trace");
  out_node->module_stack = genie_pt2_schema_optional_string(metadata, "nn_module_stack");
  out_node->annotations = genie_pt2_schema_optional_string(metadata, "custom");
  return GENIE_OK;
}

genie_status_t genie_pt2_schema_read_graph(genie_pt2_schema_reader_t *reader, const json_t *json,
                                           genie_pt2_graph_t *out_graph) {
  *out_graph = (genie_pt2_graph_t){0};
  reader->place = "graph";
  const json_t *inputs, *outputs, *nodes;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "inputs", &inputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "outputs", &outputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, json, "nodes", &nodes));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_args(reader, inputs, &out_graph->input_count, &out_graph->inputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_args(reader, outputs, &out_graph->output_count, &out_graph->outputs));
  GENIE_RETURN_IF_ERROR(read_values(reader, json, out_graph));
  const size_t count = json_array_size(nodes);
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_node_t), &memory));
  genie_pt2_node_t *rows = memory;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_node(reader, json_array_get(nodes, i), &rows[i]));
  }
  out_graph->nodes = rows;
  out_graph->node_count = (int)count;
  return GENIE_OK;
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
