// Reading the arguments of a node.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

void pt2_fail(pt2_importer_t *im, genie_status_t status) {
  if (im->failure == GENIE_OK) {
    im->failure = status;
  } else {
    genie_status_free(status);
  }
}

bool pt2_has_failed(const pt2_importer_t *im) {
  return im->failure != GENIE_OK;
}

void pt2_refuse(pt2_importer_t *im, const char *kind, const char *problem, const char *hint) {
  if (im->failure == GENIE_OK) {
    im->finding_kind = kind;
    im->finding_hint = hint;
    im->failure = genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s", problem);
  }
}

MlirContext pt2_context(const pt2_importer_t *im) {
  return im->builder.context;
}
const pt2_mapping_t *pt2_mapping(const pt2_importer_t *im) {
  return im->mapping;
}

static void refuse_argument(pt2_importer_t *im, const char *name, const char *what) {
  if (im->failure == GENIE_OK) {
    im->finding_kind = "argument";
    im->finding_hint = "use a plain number or tensor there";
    im->failure = genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "argument '%.40s' %s", name, what);
  }
}

const genie_pt2_arg_t *pt2_arg(const pt2_node_t *node, const char *name) {
  for (int i = 0; i < node->input_count; ++i) {
    if (strcmp(node->inputs[i].name, name) == 0) {
      return node->inputs[i].arg.kind == GENIE_PT2_NONE ? NULL : &node->inputs[i].arg;
    }
  }
  return NULL;
}

MlirValue pt2_tensor_of(pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  if (arg == NULL || arg->kind != GENIE_PT2_TENSOR) {
    refuse_argument(im, "a list element", "is no tensor");
    return (MlirValue){NULL};
  }
  const int tensor = genie_pt2_value_table_find(&im->values, arg->text);
  if (tensor < 0) {
    pt2_fail(im,
             genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "tensor '%.60s' is used before it is made", arg->text));
    return (MlirValue){NULL};
  }
  return im->values.tensors[tensor].value;
}

MlirValue pt2_optional_tensor(pt2_importer_t *im, const pt2_node_t *node, const char *name) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  return arg != NULL ? pt2_tensor_of(im, arg) : (MlirValue){NULL};
}

MlirValue pt2_tensor(pt2_importer_t *im, const pt2_node_t *node, const char *name) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  if (arg == NULL) {
    refuse_argument(im, name, "is missing");
    return (MlirValue){NULL};
  }
  return pt2_tensor_of(im, arg);
}

MlirAffineExpr pt2_constant_dim(const pt2_importer_t *im, int64_t value) {
  return genie_dim_constant(im->builder.context, value);
}

MlirAffineExpr pt2_size_of(pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  MlirAffineExpr size = pt2_constant_dim(im, 0);
  if (arg->kind == GENIE_PT2_INT || arg->kind == GENIE_PT2_BOOL) {
    return pt2_constant_dim(im, arg->integer);
  }
  const genie_pt2_size_t *value = arg->kind == GENIE_PT2_SYM_INT ? genie_pt2_graph_sym_int(im->graph, arg->text) : NULL;
  if (value == NULL) {
    refuse_argument(im, arg->kind == GENIE_PT2_SYM_INT ? arg->text : "a size", "is no size");
    return size;
  }
  pt2_fail(im, pt2_size_of_export(im, value, false, &size));
  return size;
}

static int64_t int_of(pt2_importer_t *im, const char *name, const genie_pt2_arg_t *arg) {
  int64_t value = 0;
  if (arg->kind == GENIE_PT2_ENUM) {
    return arg->integer;
  }
  if (arg->kind == GENIE_PT2_FLOAT && floor(arg->number) == arg->number && fabs(arg->number) < 1e15) {
    return (int64_t)arg->number;
  }
  if (arg->kind != GENIE_PT2_INT && arg->kind != GENIE_PT2_BOOL && arg->kind != GENIE_PT2_SYM_INT) {
    refuse_argument(im, name, "is no integer");
  } else if (!genie_dim_is_constant(pt2_size_of(im, arg), &value)) {
    refuse_argument(im, name, "is a dynamic size");
  }
  return value;
}

int64_t pt2_int(pt2_importer_t *im, const pt2_node_t *node, const char *name, int64_t fallback) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  return arg != NULL ? int_of(im, name, arg) : fallback;
}

bool pt2_bool(pt2_importer_t *im, const pt2_node_t *node, const char *name, bool fallback) {
  return pt2_int(im, node, name, fallback) != 0;
}

double pt2_float(pt2_importer_t *im, const pt2_node_t *node, const char *name, double fallback) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  return arg == NULL ? fallback : arg->kind == GENIE_PT2_FLOAT ? arg->number : (double)int_of(im, name, arg);
}

const char *pt2_string(pt2_importer_t *im, const pt2_node_t *node, const char *name, const char *fallback) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  if (arg != NULL && arg->kind != GENIE_PT2_STRING) {
    refuse_argument(im, name, "is no string");
  }
  return arg != NULL && arg->kind == GENIE_PT2_STRING ? arg->text : fallback;
}

int pt2_ints(pt2_importer_t *im, const pt2_node_t *node, const char *name, int capacity, int64_t *out_values) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  if (arg == NULL) {
    return 0;
  }
  if (arg->kind != GENIE_PT2_LIST) {
    out_values[0] = int_of(im, name, arg);
    return 1;
  }
  if (arg->count > capacity) {
    refuse_argument(im, name, "has too many elements");
    return 0;
  }
  for (int i = 0; i < arg->count; ++i) {
    out_values[i] = int_of(im, name, &arg->items[i]);
  }
  return arg->count;
}

void pt2_ints_of(pt2_importer_t *im, const pt2_node_t *node, const char *name, int count, int64_t fallback,
                 int64_t *out_values) {
  int64_t values[GENIE_IR_MAX_RANK];
  const int given = pt2_ints(im, node, name, GENIE_IR_MAX_RANK, values);
  if (given > 1 && given != count) {
    refuse_argument(im, name, "has another number of elements than the operand has dimensions");
  }
  for (int i = 0; i < count; ++i) {
    out_values[i] = given == 0 ? fallback : given == 1 ? values[0] : i < given ? values[i] : fallback;
  }
}

int pt2_axis_of(pt2_importer_t *im, int64_t axis, int rank) {
  const int64_t bound = rank > 0 ? rank : 1;
  if (axis < -bound || axis >= bound) {
    refuse_argument(im, "dim", "is out of range");
    return 0;
  }
  return (int)(axis < 0 ? axis + bound : axis);
}

int pt2_axis(pt2_importer_t *im, const pt2_node_t *node, const char *name, int64_t fallback, int rank) {
  return pt2_axis_of(im, pt2_int(im, node, name, fallback), rank);
}

//===-- Types -----------------------------------------------------------------------------------------------------===//

genie_tensor_type_t pt2_type(MlirValue value) {
  return mlirValueIsNull(value) ? (genie_tensor_type_t){.dtype = GENIE_DTYPE_F32} : genie_value_type(value);
}

int pt2_rank(MlirValue value) {
  return pt2_type(value).rank;
}

MlirAffineExpr pt2_dim(pt2_importer_t *im, MlirValue value, int axis) {
  const genie_tensor_type_t type = pt2_type(value);
  return axis >= 0 && axis < type.rank ? type.dims[axis] : pt2_constant_dim(im, 1);
}

int64_t pt2_static_dim(pt2_importer_t *im, MlirValue value, int axis) {
  int64_t size = 1;
  if (!genie_dim_is_constant(pt2_dim(im, value, axis), &size)) {
    pt2_refuse(im, "shape", "a dynamic size where a fixed one is needed", "export with a fixed size there");
  }
  return size;
}

static const genie_pt2_arg_t *result_arg(const pt2_node_t *node, int index) {
  for (int i = 0; i < node->output_count; ++i) {
    const genie_pt2_arg_t *output = &node->outputs[i];
    if (output->kind == GENIE_PT2_LIST) {
      if (index < output->count) {
        return &output->items[index];
      }
      index -= output->count;
    } else if (index-- == 0) {
      return output;
    }
  }
  return NULL;
}

int pt2_result_count(const pt2_node_t *node) {
  int count = 0;
  for (int i = 0; i < node->output_count; ++i) {
    count += node->outputs[i].kind == GENIE_PT2_LIST ? node->outputs[i].count : 1;
  }
  return count;
}

genie_tensor_type_t pt2_result_type(pt2_importer_t *im, const pt2_node_t *node, int index) {
  genie_tensor_type_t type = {.dtype = GENIE_DTYPE_F32};
  const genie_pt2_arg_t *arg = result_arg(node, index);
  const genie_pt2_tensor_meta_t *meta =
      arg != NULL && arg->kind == GENIE_PT2_TENSOR ? genie_pt2_graph_tensor(im->graph, arg->text) : NULL;
  if (meta == NULL) {
    pt2_fail(im, genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "result %d has no type in the export", index));
    return type;
  }
  genie_tensor_type_t known;
  const genie_status_t status = pt2_type_of_meta(im, meta, false, &known);
  pt2_fail(im, status);
  return status == GENIE_OK ? known : type;
}

bool pt2_is_contiguous(const pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  const genie_pt2_tensor_meta_t *meta =
      arg != NULL && arg->kind == GENIE_PT2_TENSOR ? genie_pt2_graph_tensor(im->graph, arg->text) : NULL;
  int64_t expected = 1;
  for (int i = meta != NULL ? meta->rank - 1 : -1; i >= 0; --i) {
    if (meta->strides[i].expression != NULL || meta->sizes[i].expression != NULL) {
      // Strides over dynamic sizes: contiguous tensors have the only form that export gives them, outermost first.
      return i == 0 && meta->strides[i].expression == NULL && meta->strides[i].value == expected;
    }
    if (meta->sizes[i].value != 1 && meta->strides[i].value != expected) {
      return false;
    }
    expected *= meta->sizes[i].value > 0 ? meta->sizes[i].value : 1;
  }
  return meta != NULL;
}

bool pt2_dtype_is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

// torch.promote_types: bool < integers < floats; u8 with a signed integer gives the next wider signed one; f16 with
// bf16, f32.
genie_dtype_t pt2_promote(genie_dtype_t a, genie_dtype_t b) {
  if (a == b) {
    return a;
  }
  const bool is_float_a = pt2_dtype_is_float(a), is_float_b = pt2_dtype_is_float(b);
  if (is_float_a != is_float_b) {
    return is_float_a ? a : b;
  }
  const size_t bytes_a = genie_dtype_bytes(a), bytes_b = genie_dtype_bytes(b);
  if (is_float_a) {
    return bytes_a == bytes_b ? GENIE_DTYPE_F32 : bytes_a > bytes_b ? a : b;
  }
  if (a == GENIE_DTYPE_BOOL || b == GENIE_DTYPE_BOOL) {
    return a == GENIE_DTYPE_BOOL ? b : a;
  }
  if (bytes_a == bytes_b) {
    return GENIE_DTYPE_I16;  // u8 and i8
  }
  return bytes_a > bytes_b ? a : b;
}

//===-- Results ---------------------------------------------------------------------------------------------------===//

static void bind(pt2_importer_t *im, const pt2_node_t *node, int index, MlirValue value, int base) {
  if (im->failure != GENIE_OK || mlirValueIsNull(value)) {
    return;
  }
  if (im->is_in_place) {
    if (index == 0) {
      im->in_place_result = value;
    }
    return;
  }
  const genie_pt2_arg_t *arg = result_arg(node, index);
  if (arg == NULL || arg->kind != GENIE_PT2_TENSOR) {
    return;  // a result that the graph does not name
  }
  genie_pt2_value_table_bind(&im->values, arg->text, value, base);
}

void pt2_bind(pt2_importer_t *im, const pt2_node_t *node, int index, MlirValue value) {
  bind(im, node, index, value, -1);
}

static int tensor_index(pt2_importer_t *im, const pt2_node_t *node, const char *name) {
  const genie_pt2_arg_t *arg = pt2_arg(node, name);
  return arg != NULL && arg->kind == GENIE_PT2_TENSOR ? genie_pt2_value_table_find(&im->values, arg->text) : -1;
}

void pt2_bind_view_at(pt2_importer_t *im, const pt2_node_t *node, const char *name, int index, MlirValue value) {
  bind(im, node, index, value, tensor_index(im, node, name));
}

void pt2_bind_maybe_view(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue value) {
  const int parent = tensor_index(im, node, name), count = im->values.tensor_count;
  bind(im, node, 0, value, parent);
  if (im->values.tensor_count > count) {
    im->values.tensors[count].origin = (MlirValue){NULL};
  }
}

void pt2_bind_view(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue value) {
  pt2_bind_view_at(im, node, name, 0, value);
}

void pt2_bind_alias(pt2_importer_t *im, const pt2_node_t *node, const char *name) {
  const int tensor = tensor_index(im, node, name);
  const genie_pt2_arg_t *arg = result_arg(node, 0);
  if (tensor < 0) {
    refuse_argument(im, name, "is missing");
  } else if (im->is_in_place) {
    im->in_place_result = im->values.tensors[tensor].value;
  } else if (arg != NULL && arg->kind == GENIE_PT2_TENSOR) {
    genie_pt2_value_table_alias(&im->values, arg->text, tensor);
  }
}
