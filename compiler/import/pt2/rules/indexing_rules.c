// Reads and writes at computed places.
#include <string.h>

#include "compiler/import/pt2/rule.h"

// The index tensors of index and index_put, with the dimension that each indexes.
typedef struct index_list {
  int count;
  MlirValue values[GENIE_IR_MAX_RANK];
  int64_t axes[GENIE_IR_MAX_RANK];
} index_list_t;

static index_list_t indices_of(pt2_importer_t *im, const pt2_node_t *node, int rank) {
  index_list_t list = {0};
  const genie_pt2_arg_t *arg = pt2_arg(node, "indices");
  for (int i = 0; arg != NULL && arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    if (arg->items[i].kind == GENIE_PT2_NONE) {
      continue;
    }
    const MlirValue index = pt2_tensor_of(im, &arg->items[i]);
    const genie_dtype_t dtype = pt2_type(index).dtype;
    if (dtype == GENIE_DTYPE_BOOL || dtype == GENIE_DTYPE_U8) {
      pt2_refuse(im, "argument", "indexes by a mask, whose result's size depends on data",
                 "use torch.where or masked_fill, which keep the shape");
    } else if (list.count == GENIE_IR_MAX_RANK || i >= rank) {
      pt2_refuse(im, "argument", "more indices than dimensions", "index each dimension once");
    } else if (!pt2_has_failed(im)) {
      list.axes[list.count] = i;
      list.values[list.count++] =
          dtype == GENIE_DTYPE_I64 || dtype == GENIE_DTYPE_I32 ? index : pt2_cast(im, index, GENIE_DTYPE_I64);
    }
  }
  // Index tensors have one dtype.
  for (int i = 0; i < list.count; ++i) {
    if (pt2_type(list.values[i]).dtype != pt2_type(list.values[0]).dtype) {
      for (int j = 0; j < list.count; ++j) {
        list.values[j] = pt2_cast(im, list.values[j], GENIE_DTYPE_I64);
      }
    }
  }
  return list;
}

// Brings the indexed dimensions to the front when they are not neighbours, where PyTorch puts the index's dimensions.
static MlirValue gather_axes(pt2_importer_t *im, MlirValue x, index_list_t *list,
                             int64_t out_permutation[GENIE_IR_MAX_RANK]) {
  const int rank = pt2_rank(x);
  bool is_consecutive = true, is_indexed[GENIE_IR_MAX_RANK] = {false};
  for (int i = 0; i < list->count; ++i) {
    is_consecutive = is_consecutive && list->axes[i] == list->axes[0] + i;
    is_indexed[list->axes[i]] = true;
  }
  for (int i = 0; i < rank; ++i) {
    out_permutation[i] = i;
  }
  if (is_consecutive) {
    return x;
  }
  int at = 0;
  for (int i = 0; i < list->count; ++i) {
    out_permutation[at++] = list->axes[i];
    list->axes[i] = i;
  }
  for (int i = 0; i < rank; ++i) {
    if (!is_indexed[i]) {
      out_permutation[at++] = i;
    }
  }
  return pt2_permute(im, x, out_permutation);
}

void pt2_rule_index(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self");
  index_list_t list = indices_of(im, node, pt2_rank(x));
  int64_t permutation[GENIE_IR_MAX_RANK];
  if (pt2_has_failed(im) || list.count == 0) {
    pt2_bind(im, node, 0, x);
    return;
  }
  x = gather_axes(im, x, &list, permutation);
  MlirValue operands[1 + GENIE_IR_MAX_RANK] = {x};
  memcpy(operands + 1, list.values, (size_t)list.count * sizeof *operands);
  const genie_ir_attribute_t axes = pt2_attr_i64s(im, "axes", list.count, list.axes);
  pt2_bind(im, node, 0, pt2_build(im, "genie.index", 1 + list.count, operands, 1, &axes));
}

// A mask as the only index replaces elements where it is true, which keeps the shape.
static bool masked_put(pt2_importer_t *im, const pt2_node_t *node, MlirValue x) {
  const genie_pt2_arg_t *arg = pt2_arg(node, "indices");
  if (arg == NULL || arg->kind != GENIE_PT2_LIST || arg->count != 1 || arg->items[0].kind != GENIE_PT2_TENSOR) {
    return false;
  }
  const genie_tensor_type_t type = pt2_type(x);
  MlirValue mask = pt2_tensor_of(im, &arg->items[0]);
  const MlirValue value = pt2_operand(im, node, "values", type.dtype);
  if (pt2_type(mask).dtype != GENIE_DTYPE_BOOL || pt2_rank(value) != 0 || pt2_bool(im, node, "accumulate", false)) {
    return false;
  }
  while (pt2_rank(mask) < type.rank && !pt2_has_failed(im)) {
    mask = pt2_unsqueeze(im, mask, pt2_rank(mask));
  }
  pt2_bind(im, node, 0, pt2_where(im, mask, value, x));
  return true;
}

void pt2_rule_index_put(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self");
  if (masked_put(im, node, x)) {
    return;
  }
  index_list_t list = indices_of(im, node, pt2_rank(x));
  int64_t permutation[GENIE_IR_MAX_RANK], inverse[GENIE_IR_MAX_RANK];
  if (pt2_has_failed(im)) {
    return;
  }
  x = gather_axes(im, x, &list, permutation);
  MlirValue operands[2 + GENIE_IR_MAX_RANK] = {x, pt2_operand(im, node, "values", pt2_type(x).dtype)};
  memcpy(operands + 2, list.values, (size_t)list.count * sizeof *operands);
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64s(im, "axes", list.count, list.axes),
                                             pt2_attr_bool(im, "accumulate", pt2_bool(im, node, "accumulate", false))};
  const MlirValue result = pt2_build(im, "genie.index_put", 2 + list.count, operands, 2, attributes);
  for (int i = 0; i < pt2_rank(x); ++i) {
    inverse[permutation[i]] = i;
  }
  pt2_bind(im, node, 0, pt2_permute(im, result, inverse));
}

// An index that is smaller than x beside the axis touches a corner of x only: the scatter works on that corner.
static MlirValue scatter(pt2_importer_t *im, MlirValue x, MlirValue index, MlirValue source, int axis,
                         const char *reduce) {
  const MlirAffineExpr zero = pt2_constant_dim(im, 0);
  for (int i = 0; i < pt2_rank(x) && pt2_rank(index) == pt2_rank(x); ++i) {
    const MlirAffineExpr size = pt2_dim(im, index, i);
    if (i == axis || genie_dim_equal(size, pt2_dim(im, x, i)) || pt2_has_failed(im)) {
      continue;
    }
    const MlirValue corner = scatter(im, pt2_slice(im, x, i, zero, size, 1), index, source, axis, reduce);
    const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", i), pt2_attr_size(im, "start", zero)};
    return pt2_build(im, "genie.slice_scatter", 2, (MlirValue[]){x, corner}, 2, attributes);
  }
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", axis), pt2_attr_string(im, "reduce", reduce)};
  return pt2_build(im, "genie.scatter", 3, (MlirValue[]){x, index, source}, 2, attributes);
}

// scatter.src, scatter.value, scatter_add, scatter.reduce, scatter_reduce.two: source is read over the index's shape.
static void rule_scatter(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "self"), index = pt2_tensor(im, node, "index");
  const genie_tensor_type_t index_type = pt2_type(index);
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  const char *overload = pt2_mapping(im)->overload;
  const char *reduce = strncmp(overload, "scatter_add", 11) == 0 ? "add" : pt2_string(im, node, "reduce", "replace");
  MlirValue source = pt2_operand(im, node, pt2_arg(node, "src") != NULL ? "src" : "value", pt2_type(x).dtype);
  if (strcmp(reduce, "sum") == 0) {
    reduce = "add";
  } else if (strcmp(reduce, "replace") != 0 && strcmp(reduce, "add") != 0) {
    pt2_refuse(im, "argument", "scatters by this reduction", "use sum");
    return;
  }
  if (!pt2_bool(im, node, "include_self", true)) {
    pt2_refuse(im, "argument", "include_self=False", "start from zeros");
    return;
  }
  if (pt2_rank(source) == 0) {
    source = pt2_expand(im, source, index_type.rank, index_type.dims);
  }
  for (int i = 0; i < index_type.rank && pt2_rank(source) == index_type.rank; ++i) {
    source = pt2_slice(im, source, i, pt2_constant_dim(im, 0), index_type.dims[i], 1);
  }
  pt2_bind(im, node, 0, scatter(im, x, index, source, axis, reduce));
}

// index_add(self, dim, index, source, alpha): accumulates slices, as index_put with accumulate does
static void rule_index_add(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self");
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const int rank = pt2_rank(x), axis = pt2_axis(im, node, "dim", 0, rank);
  MlirValue source = pt2_operand(im, node, "source", dtype);
  const double alpha = pt2_float(im, node, "alpha", 1);
  source = alpha == 1 ? source : pt2_binary(im, "genie.mul", source, pt2_scalar(im, dtype, alpha));
  x = pt2_transpose(im, x, 0, axis);
  source = pt2_transpose(im, source, 0, axis);
  const int64_t axes[] = {0};
  const MlirValue operands[] = {x, source, pt2_tensor(im, node, "index")};
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64s(im, "axes", 1, axes), pt2_attr_bool(im, "accumulate", true)};
  pt2_bind(im, node, 0, pt2_transpose(im, pt2_build(im, "genie.index_put", 3, operands, 2, attributes), 0, axis));
}

// index_select with a 0-d or 1-d index
static void rule_index_select(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "self");
  MlirValue index = pt2_tensor(im, node, "index");
  const MlirAffineExpr one = pt2_constant_dim(im, 1);
  index = pt2_rank(index) == 0 ? pt2_reshape(im, index, 1, &one) : index;
  const genie_ir_attribute_t axis = pt2_attr_i64(im, "axis", pt2_axis(im, node, "dim", 0, pt2_rank(x)));
  pt2_bind(im, node, 0, pt2_build(im, "genie.take", 2, (MlirValue[]){x, index}, 1, &axis));
}

// index_fill(self, dim, index, value): index_copy of a constant slice
static void rule_index_fill(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "self"), index = pt2_tensor(im, node, "index");
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  genie_tensor_type_t type = pt2_type(x);
  type.dims[axis] = pt2_dim(im, index, 0);
  const MlirValue source = pt2_expand(im, pt2_operand(im, node, "value", type.dtype), type.rank, type.dims);
  const genie_ir_attribute_t attribute = pt2_attr_i64(im, "axis", axis);
  pt2_bind(im, node, 0, pt2_build(im, "genie.index_copy", 3, (MlirValue[]){x, index, source}, 1, &attribute));
}

// take_along_dim: gather, its operand and index broadcast to each other in the other dimensions; flat without dim
static void rule_take_along(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self"), index = pt2_tensor(im, node, "indices");
  if (pt2_arg(node, "dim") == NULL) {
    const genie_tensor_type_t x_type = pt2_type(x), index_type = pt2_type(index);
    const MlirAffineExpr x_count = genie_dim_product(pt2_context(im), x_type.rank, x_type.dims);
    const MlirAffineExpr index_count = genie_dim_product(pt2_context(im), index_type.rank, index_type.dims);
    x = pt2_reshape(im, x, 1, &x_count);
    index = pt2_reshape(im, index, 1, &index_count);
  }
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  genie_tensor_type_t wide = pt2_result_type(im, node, 0);
  if (wide.rank != pt2_rank(x) || pt2_rank(index) != wide.rank) {
    pt2_refuse(im, "shape", "operand and index differ in dimensions", "give both as many");
    return;
  }
  index = pt2_expand(im, index, wide.rank, wide.dims);
  wide.dims[axis] = pt2_dim(im, x, axis);
  x = pt2_expand(im, x, wide.rank, wide.dims);
  const genie_ir_attribute_t attribute = pt2_attr_i64(im, "axis", axis);
  pt2_bind(im, node, 0, pt2_build(im, "genie.gather", 2, (MlirValue[]){x, index}, 1, &attribute));
}

// Results whose sizes depend on data have no place in a plan.
static void rule_data_dependent(pt2_importer_t *im, const pt2_node_t *node) {
  (void)node;
  pt2_refuse(im, "shape", "its result's size or value is known only when it runs, and steers the graph",
             "use masks and torch.where, which keep shapes");
}

const pt2_rule_row_t pt2_indexing_composites[] = {
    {"scatter.src", rule_scatter},
    {"scatter.value", rule_scatter},
    {"scatter.reduce", rule_scatter},
    {"scatter.value_reduce", rule_scatter},
    {"scatter_add.default", rule_scatter},
    {"scatter_reduce.two", rule_scatter},
    {"index_add.default", rule_index_add},
    {"index_select.default", rule_index_select},
    {"take_along_dim.default", rule_take_along},
    {"index_fill.int_Scalar", rule_index_fill},
    {"index_fill.int_Tensor", rule_index_fill},
    {"nonzero.default", rule_data_dependent},
    {"nonzero_numpy.default", rule_data_dependent},
    {"masked_select.default", rule_data_dependent},
    {"item.default", rule_data_dependent},
    {"_local_scalar_dense.default", rule_data_dependent},
    {"unique_consecutive.default", rule_data_dependent},
    {"_unique2.default", rule_data_dependent},
    {"repeat_interleave.Tensor", rule_data_dependent},
    {"repeat_interleave.self_Tensor", rule_data_dependent},
    {NULL, NULL},
};
