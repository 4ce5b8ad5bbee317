// Views and data movement. Result shapes are those that the export states.
#include <string.h>

#include "compiler/import/pt2/rule.h"

static MlirValue self_of(pt2_importer_t *im, const pt2_node_t *node) {
  return pt2_tensor_of(im, node->input_count > 0 ? &node->inputs[0].arg : NULL);
}

static const char *self_name(const pt2_node_t *node) {
  return node->input_count > 0 ? node->inputs[0].name : "self";
}

static void bind_view(pt2_importer_t *im, const pt2_node_t *node, MlirValue value) {
  pt2_bind_view(im, node, self_name(node), value);
}

static bool starts_with(const pt2_importer_t *im, const char *prefix) {
  return strncmp(pt2_mapping(im)->overload, prefix, strlen(prefix)) == 0;
}

// view, reshape, flatten, unsqueeze, squeeze and their like
void pt2_rule_reshape(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue x = self_of(im, node);
  if (type.dtype != pt2_type(x).dtype) {
    pt2_refuse(im, "overload", "reinterprets bytes as another dtype", "convert with .to(dtype)");
  }
  const MlirValue result = pt2_reshape(im, x, type.rank, type.dims);
  const bool may_copy = starts_with(im, "reshape") || starts_with(im, "flatten") || starts_with(im, "ravel");
  if (may_copy && !pt2_is_contiguous(im, &node->inputs[0].arg)) {
    pt2_bind_maybe_view(im, node, self_name(node), result);
  } else {
    bind_view(im, node, result);
  }
}

void pt2_rule_expand(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  bind_view(im, node, pt2_expand(im, self_of(im, node), type.rank, type.dims));
}

// Which dimension of x each dimension of the result is.
static void permutation_of(pt2_importer_t *im, const pt2_node_t *node, int rank, int64_t *out_permutation) {
  for (int i = 0; i < rank; ++i) {
    out_permutation[i] = i;
  }
  if (starts_with(im, "permute")) {
    int64_t dims[GENIE_IR_MAX_RANK];
    const int count = pt2_ints(im, node, "dims", GENIE_IR_MAX_RANK, dims);
    for (int i = 0; i < count && i < rank; ++i) {
      out_permutation[i] = pt2_axis_of(im, dims[i], rank);
    }
  } else if (starts_with(im, "numpy_T")) {
    for (int i = 0; i < rank; ++i) {
      out_permutation[i] = rank - 1 - i;
    }
  } else if (rank >= 2) {  // transpose, swapaxes, t, mT
    const bool has_dims = pt2_arg(node, "dim0") != NULL || pt2_arg(node, "axis0") != NULL;
    const char *first = pt2_arg(node, "axis0") != NULL ? "axis0" : "dim0";
    const char *second = pt2_arg(node, "axis1") != NULL ? "axis1" : "dim1";
    const int a = has_dims ? pt2_axis(im, node, first, 0, rank) : rank - 2;
    const int b = has_dims ? pt2_axis(im, node, second, 1, rank) : rank - 1;
    out_permutation[a] = b;
    out_permutation[b] = a;
  }
}

void pt2_rule_permute(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  int64_t permutation[GENIE_IR_MAX_RANK];
  permutation_of(im, node, pt2_rank(x), permutation);
  bind_view(im, node, pt2_permute(im, x, permutation));
}

// movedim: source dimensions go to their destinations, the others keep their order.
static void rule_movedim(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int rank = pt2_rank(x);
  int64_t source[GENIE_IR_MAX_RANK], destination[GENIE_IR_MAX_RANK], permutation[GENIE_IR_MAX_RANK];
  const int count = pt2_ints(im, node, "source", GENIE_IR_MAX_RANK, source);
  if (pt2_ints(im, node, "destination", GENIE_IR_MAX_RANK, destination) != count) {
    pt2_refuse(im, "argument", "source and destination differ in number", "give as many of one as of the other");
    return;
  }
  bool is_moved[GENIE_IR_MAX_RANK] = {false};
  for (int i = 0; i < rank; ++i) {
    permutation[i] = -1;
  }
  for (int i = 0; i < count; ++i) {
    const int from = pt2_axis_of(im, source[i], rank);
    permutation[pt2_axis_of(im, destination[i], rank)] = from;
    is_moved[from] = true;
  }
  for (int i = 0, next = 0; i < rank; ++i) {
    if (permutation[i] < 0) {
      while (is_moved[next]) {
        ++next;
      }
      permutation[i] = next++;
    }
  }
  bind_view(im, node, pt2_permute(im, x, permutation));
}

//===-- Slices ----------------------------------------------------------------------------------------------------===//

// A start as PyTorch takes it: negative counts from the end, beyond the ends is clamped.
static MlirAffineExpr start_of(pt2_importer_t *im, const genie_pt2_arg_t *arg, MlirAffineExpr size) {
  int64_t start, length;
  if (arg == NULL || arg->kind == GENIE_PT2_NONE) {
    return pt2_constant_dim(im, 0);
  }
  MlirAffineExpr expression = pt2_size_of(im, arg);
  if (!genie_dim_is_constant(expression, &start)) {
    return expression;
  }
  if (!genie_dim_is_constant(size, &length)) {
    return start < 0 ? genie_dim_add(size, expression) : expression;
  }
  start = start < 0 ? start + length : start;
  return pt2_constant_dim(im, start < 0 ? 0 : start > length ? length : start);
}

static void slice_arguments(pt2_importer_t *im, const pt2_node_t *node, MlirValue x, int *out_axis,
                            MlirAffineExpr *out_start, int64_t *out_step) {
  *out_axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  *out_step = pt2_int(im, node, "step", 1);
  *out_start = start_of(im, pt2_arg(node, "start"), pt2_dim(im, x, *out_axis));
}

// slice and narrow
void pt2_rule_slice(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  int axis;
  MlirAffineExpr start;
  int64_t step;
  slice_arguments(im, node, x, &axis, &start, &step);
  bind_view(im, node, pt2_slice(im, x, axis, start, type.dims[axis], step));
}

// x with a slice replaced by src
void pt2_rule_slice_scatter(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const genie_dtype_t dtype = pt2_type(x).dtype;
  int axis;
  MlirAffineExpr start;
  int64_t step;
  slice_arguments(im, node, x, &axis, &start, &step);
  const MlirValue operands[] = {x, pt2_operand(im, node, "src", dtype)};
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", axis), pt2_attr_size(im, "start", start),
                                             pt2_attr_i64(im, "step", step)};
  pt2_bind(im, node, 0, pt2_build(im, "genie.slice_scatter", 2, operands, 3, attributes));
}

static MlirValue select_at(pt2_importer_t *im, MlirValue x, int axis, MlirAffineExpr start) {
  return pt2_squeeze(im, pt2_slice(im, x, axis, start, pt2_constant_dim(im, 1), 1), axis);
}

static void rule_select(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  bind_view(im, node, select_at(im, x, axis, start_of(im, pt2_arg(node, "index"), pt2_dim(im, x, axis))));
}

static void rule_select_scatter(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  const MlirAffineExpr start = start_of(im, pt2_arg(node, "index"), pt2_dim(im, x, axis));
  const MlirValue source = pt2_unsqueeze(im, pt2_operand(im, node, "src", pt2_type(x).dtype), axis);
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", axis), pt2_attr_size(im, "start", start)};
  pt2_bind(im, node, 0, pt2_build(im, "genie.slice_scatter", 2, (MlirValue[]){x, source}, 2, attributes));
}

// split, split_with_sizes, chunk, tensor_split: the results' sizes follow one another along the dimension.
static void rule_split(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  MlirAffineExpr start = pt2_constant_dim(im, 0);
  const int count = pt2_result_count(node);
  for (int i = 0; i < count && !pt2_has_failed(im); ++i) {
    const genie_tensor_type_t type = pt2_result_type(im, node, i);
    if (axis >= type.rank) {
      return;
    }
    pt2_bind_view_at(im, node, self_name(node), i, pt2_slice(im, x, axis, start, type.dims[axis], 1));
    start = genie_dim_add(start, type.dims[axis]);
  }
}

static void rule_unbind(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  const int count = pt2_result_count(node);
  for (int i = 0; i < count && !pt2_has_failed(im); ++i) {
    pt2_bind_view_at(im, node, self_name(node), i, select_at(im, x, axis, pt2_constant_dim(im, i)));
  }
}

// unfold: windows of `size` every `step` along `dimension`, the window last. Few windows are slices side by side.
static void rule_unfold(pt2_importer_t *im, const pt2_node_t *node) {
  enum { MAX_WINDOWS = 64 };
  const MlirValue x = self_of(im, node);
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const int axis = pt2_axis(im, node, "dimension", 0, pt2_rank(x));
  const int64_t size = pt2_int(im, node, "size", 1), step = pt2_int(im, node, "step", 1);
  int64_t count;
  if (type.rank < 2 || !genie_dim_is_constant(type.dims[axis], &count) || count > MAX_WINDOWS || count < 1) {
    pt2_refuse(im, "shape", "unfolds into more than 64 windows, or a number that depends on sizes",
               "use a convolution");
    return;
  }
  MlirValue windows[MAX_WINDOWS];
  for (int64_t i = 0; i < count; ++i) {
    const MlirValue window = pt2_slice(im, x, axis, pt2_constant_dim(im, i * step), pt2_constant_dim(im, size), 1);
    windows[i] = pt2_unsqueeze(im, window, axis);
  }
  MlirValue joined = pt2_concat(im, (int)count, windows, axis);
  int64_t permutation[GENIE_IR_MAX_RANK];
  for (int i = 0, from = 0; i < type.rank; ++i, ++from) {
    from += from == axis + 1;
    permutation[i] = i == type.rank - 1 ? axis + 1 : from;
  }
  bind_view(im, node, pt2_permute(im, joined, permutation));
}

//===-- Joining ---------------------------------------------------------------------------------------------------===//

enum { MAX_JOINED = 1024 };

static int list_of(pt2_importer_t *im, const pt2_node_t *node, genie_dtype_t dtype, MlirValue out_values[MAX_JOINED]) {
  const genie_pt2_arg_t *list = node->input_count > 0 ? &node->inputs[0].arg : NULL;
  if (list == NULL || list->kind != GENIE_PT2_LIST || list->count == 0 || list->count > MAX_JOINED) {
    pt2_refuse(im, "argument", "joins no list of 1 to 1024 tensors", "join fewer tensors at once");
    return 0;
  }
  for (int i = 0; i < list->count; ++i) {
    out_values[i] = pt2_cast(im, pt2_tensor_of(im, &list->items[i]), dtype);
  }
  return list->count;
}

// cat skips empty 1-d tensors, a relic that models still use to start an accumulation.
void pt2_rule_concat(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  MlirValue values[MAX_JOINED];
  const int given = list_of(im, node, type.dtype, values);
  int count = 0;
  for (int i = 0; i < given; ++i) {
    int64_t size;
    const bool is_empty =
        pt2_rank(values[i]) == 1 && genie_dim_is_constant(pt2_dim(im, values[i], 0), &size) && size == 0;
    if (!is_empty || type.rank == 1) {
      values[count++] = values[i];
    }
  }
  const int axis = pt2_axis(im, node, pt2_arg(node, "axis") != NULL ? "axis" : "dim", 0, type.rank);
  if (count > 0) {
    pt2_bind(im, node, 0, pt2_concat(im, count, values, axis));
  }
}

static void rule_stack(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const int axis = pt2_axis(im, node, "dim", 0, type.rank);
  MlirValue values[MAX_JOINED];
  const int count = list_of(im, node, type.dtype, values);
  for (int i = 0; i < count; ++i) {
    values[i] = pt2_unsqueeze(im, values[i], axis);
  }
  if (count > 0) {
    pt2_bind(im, node, 0, pt2_concat(im, count, values, axis));
  }
}

// hstack, vstack: cat along dimension 1 (0 of vectors), or 0 after vectors became rows
static void rule_hstack(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  MlirValue values[MAX_JOINED];
  const int count = list_of(im, node, type.dtype, values);
  const bool is_vertical = starts_with(im, "vstack");
  for (int i = 0; is_vertical && i < count; ++i) {
    values[i] = pt2_rank(values[i]) == 1 ? pt2_unsqueeze(im, values[i], 0) : values[i];
  }
  if (count > 0) {
    pt2_bind(im, node, 0, pt2_concat(im, count, values, is_vertical || type.rank == 1 ? 0 : 1));
  }
}

// meshgrid: each vector along its own dimension of the grid
static void rule_meshgrid(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_pt2_arg_t *list = pt2_arg(node, "tensors");
  const bool is_xy = strcmp(pt2_string(im, node, "indexing", "ij"), "xy") == 0;
  for (int i = 0; list != NULL && i < list->count && !pt2_has_failed(im); ++i) {
    const genie_tensor_type_t type = pt2_result_type(im, node, i);
    const MlirValue x = pt2_tensor_of(im, &list->items[i]);
    const int along = is_xy && i < 2 ? 1 - i : i;
    MlirAffineExpr dims[GENIE_IR_MAX_RANK];
    for (int axis = 0; axis < type.rank; ++axis) {
      dims[axis] = axis == along ? type.dims[axis] : pt2_constant_dim(im, 1);
    }
    pt2_bind(im, node, i, pt2_expand(im, pt2_reshape(im, x, type.rank, dims), type.rank, type.dims));
  }
}

//===-- Repetition and rotation -----------------------------------------------------------------------------------===//

// Repeats `axis` as a whole (`is_interleaved`: each element) by a new dimension, an expand and a reshape.
static MlirValue repeat_axis(pt2_importer_t *im, MlirValue x, int axis, int64_t times, bool is_interleaved) {
  if (times == 1 || mlirValueIsNull(x)) {
    return x;
  }
  const int at = is_interleaved ? axis + 1 : axis;
  MlirValue wide = pt2_unsqueeze(im, x, at);
  genie_tensor_type_t type = pt2_type(wide);
  type.dims[at] = pt2_constant_dim(im, times);
  wide = pt2_expand(im, wide, type.rank, type.dims);
  genie_tensor_type_t merged = pt2_type(x);
  merged.dims[axis] = genie_dim_mul(merged.dims[axis], pt2_constant_dim(im, times));
  return pt2_reshape(im, wide, merged.rank, merged.dims);
}

// repeat and tile: the repeats of the last dimensions; new leading dimensions where there are more
static void rule_repeat(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  int64_t repeats[GENIE_IR_MAX_RANK];
  const char *name = pt2_arg(node, "dims") != NULL ? "dims" : "repeats";
  const int count = pt2_ints(im, node, name, GENIE_IR_MAX_RANK, repeats);
  while (pt2_rank(x) < count && !pt2_has_failed(im)) {
    x = pt2_unsqueeze(im, x, 0);
  }
  const int rank = pt2_rank(x);
  for (int i = 0; i < count && rank >= count; ++i) {
    const int axis = rank - count + i;
    int64_t size;
    if (genie_dim_is_constant(pt2_dim(im, x, axis), &size) && size == 1) {
      genie_tensor_type_t type = pt2_type(x);
      type.dims[axis] = pt2_constant_dim(im, repeats[i]);
      x = pt2_expand(im, x, rank, type.dims);
    } else {
      x = repeat_axis(im, x, axis, repeats[i], false);
    }
  }
  pt2_bind(im, node, 0, x);
}

static void rule_repeat_interleave(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  if (pt2_arg(node, "dim") == NULL) {
    const MlirAffineExpr count = genie_dim_product(pt2_context(im), pt2_rank(x), pt2_type(x).dims);
    x = pt2_reshape(im, x, 1, &count);
  }
  const int axis = pt2_axis(im, node, "dim", 0, pt2_rank(x));
  pt2_bind(im, node, 0, repeat_axis(im, x, axis, pt2_int(im, node, "repeats", 1), true));
}

// roll along one or more dimensions: two slices change places
static void rule_roll(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  const genie_tensor_type_t type = pt2_type(x);
  int64_t shifts[GENIE_IR_MAX_RANK], axes[GENIE_IR_MAX_RANK];
  const int count = pt2_ints(im, node, "shifts", GENIE_IR_MAX_RANK, shifts);
  const int axis_count = pt2_ints(im, node, "dims", GENIE_IR_MAX_RANK, axes);
  if (axis_count == 0) {
    const MlirAffineExpr flat = genie_dim_product(pt2_context(im), type.rank, type.dims);
    x = pt2_reshape(im, x, 1, &flat);
    axes[0] = 0;
  }
  for (int i = 0; i < count && !pt2_has_failed(im); ++i) {
    const int axis = pt2_axis_of(im, axes[i], pt2_rank(x));
    const int64_t size = pt2_static_dim(im, x, axis);
    const int64_t shift = size > 0 ? (shifts[i] % size + size) % size : 0;
    if (shift != 0) {
      const MlirAffineExpr split = pt2_constant_dim(im, size - shift), zero = pt2_constant_dim(im, 0);
      const MlirValue parts[] = {pt2_slice(im, x, axis, split, pt2_constant_dim(im, shift), 1),
                                 pt2_slice(im, x, axis, zero, split, 1)};
      x = pt2_concat(im, 2, parts, axis);
    }
  }
  pt2_bind(im, node, 0, pt2_reshape(im, x, type.rank, type.dims));
}

// diff: x[1:] - x[:-1] along a dimension, n times, of what prepend, x and append are when joined
static void rule_diff(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  const int axis = pt2_axis(im, node, "dim", -1, pt2_rank(x));
  const int64_t times = pt2_int(im, node, "n", 1);
  MlirValue parts[3];
  int count = 0;
  if (pt2_arg(node, "prepend") != NULL) {
    parts[count++] = pt2_operand(im, node, "prepend", dtype);
  }
  parts[count++] = pt2_cast(im, x, dtype);
  if (pt2_arg(node, "append") != NULL) {
    parts[count++] = pt2_operand(im, node, "append", dtype);
  }
  x = pt2_concat(im, count, parts, axis);
  for (int64_t i = 0; i < times && !pt2_has_failed(im); ++i) {
    const MlirAffineExpr one = pt2_constant_dim(im, 1), length = genie_dim_sub(pt2_dim(im, x, axis), one);
    const MlirValue later = pt2_slice(im, x, axis, one, length, 1);
    const MlirValue earlier = pt2_slice(im, x, axis, pt2_constant_dim(im, 0), length, 1);
    x = pt2_binary(im, dtype == GENIE_DTYPE_BOOL ? "genie.ne" : "genie.sub", later, earlier);
  }
  pt2_bind(im, node, 0, x);
}

// diagonal: elements (i, i + offset), by a flat view and a strided slice
static void rule_diagonal(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  const int rank = pt2_rank(x);
  const genie_tensor_type_t result = pt2_result_type(im, node, 0);
  const int axis1 = pt2_axis(im, node, "dim1", 0, rank), axis2 = pt2_axis(im, node, "dim2", 1, rank);
  const int64_t offset = pt2_int(im, node, "offset", 0);
  if (rank < 2 || axis1 == axis2) {
    pt2_refuse(im, "argument", "a diagonal of fewer than two dimensions", "use a matrix");
    return;
  }
  int64_t permutation[GENIE_IR_MAX_RANK];
  int at = 0;
  for (int i = 0; i < rank; ++i) {
    if (i != axis1 && i != axis2) {
      permutation[at++] = i;
    }
  }
  permutation[at++] = axis1;
  permutation[at] = axis2;
  x = pt2_permute(im, x, permutation);
  const int64_t columns = pt2_static_dim(im, x, rank - 1);
  genie_tensor_type_t flat = pt2_type(x);
  flat.dims[rank - 2] = genie_dim_mul(flat.dims[rank - 2], flat.dims[rank - 1]);
  x = pt2_reshape(im, x, rank - 1, flat.dims);
  const MlirAffineExpr start = pt2_constant_dim(im, offset >= 0 ? offset : -offset * columns);
  bind_view(im, node, pt2_slice(im, x, rank - 2, start, result.dims[result.rank - 1], columns + 1));
}

//===-- Padding ---------------------------------------------------------------------------------------------------===//

// What leaves at one end of a dimension comes in at the other.
static MlirValue pad_around(pt2_importer_t *im, MlirValue x, int axis, int64_t low, int64_t high) {
  const MlirAffineExpr size = pt2_dim(im, x, axis), zero = pt2_constant_dim(im, 0);
  MlirValue parts[3];
  int count = 0;
  if (low > 0) {
    const MlirAffineExpr start = genie_dim_add(size, pt2_constant_dim(im, -low));
    parts[count++] = pt2_slice(im, x, axis, start, pt2_constant_dim(im, low), 1);
  }
  parts[count++] = x;
  if (high > 0) {
    parts[count++] = pt2_slice(im, x, axis, zero, pt2_constant_dim(im, high), 1);
  }
  return count == 1 ? x : pt2_concat(im, count, parts, axis);
}

static void pad_circular(pt2_importer_t *im, const pt2_node_t *node, MlirValue x, const int64_t *low,
                         const int64_t *high) {
  for (int axis = 0; axis < pt2_rank(x); ++axis) {
    if (low[axis] < 0 || high[axis] < 0) {
      pt2_refuse(im, "argument", "a circular padding that takes elements away", "slice the tensor");
      return;
    }
    x = pad_around(im, x, axis, low[axis], high[axis]);
  }
  pt2_bind(im, node, 0, x);
}

// The schema lists (low, high) from the last dimension on.
void pt2_rule_pad(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const int rank = pt2_rank(x);
  int64_t pads[2 * GENIE_IR_MAX_RANK] = {0}, low[GENIE_IR_MAX_RANK] = {0}, high[GENIE_IR_MAX_RANK] = {0};
  const char *name = pt2_arg(node, "padding") != NULL ? "padding" : "pad";
  const int count = pt2_ints(im, node, name, 2 * GENIE_IR_MAX_RANK, pads);
  if (count > 2 * rank || count % 2 != 0) {
    pt2_refuse(im, "argument", "pads more dimensions than there are", "pad each dimension once");
    return;
  }
  for (int i = 0; i < count / 2; ++i) {
    low[rank - 1 - i] = pads[2 * i];
    high[rank - 1 - i] = pads[2 * i + 1];
  }
  const char *mode = starts_with(im, "reflection")    ? "reflect"
                     : starts_with(im, "replication") ? "replicate"
                     : starts_with(im, "circular")    ? "circular"
                                                      : pt2_string(im, node, "mode", "constant");
  if (strcmp(mode, "circular") == 0) {
    pad_circular(im, node, x, low, high);
    return;
  }
  if (strcmp(mode, "constant") != 0 && strcmp(mode, "reflect") != 0 && strcmp(mode, "replicate") != 0) {
    pt2_refuse(im, "argument", "this padding mode is not supported", "use constant, reflect, replicate or circular");
    return;
  }
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64s(im, "low", rank, low), pt2_attr_i64s(im, "high", rank, high),
                                             pt2_attr_f64(im, "value", pt2_float(im, node, "value", 0)),
                                             pt2_attr_string(im, "mode", mode)};
  pt2_bind(im, node, 0, pt2_build(im, "genie.pad", 1, &x, 4, attributes));
}

// pixel_shuffle: [.., C r r, H, W] to [.., C, H r, W r]; pixel_unshuffle is its inverse
static void rule_pixel_shuffle(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = self_of(im, node);
  const genie_tensor_type_t from = pt2_type(x), to = pt2_result_type(im, node, 0);
  const int lead = from.rank - 3;
  const bool is_up = starts_with(im, "pixel_shuffle");
  const MlirAffineExpr r = pt2_constant_dim(im, pt2_int(im, node, is_up ? "upscale_factor" : "downscale_factor", 1));
  if (lead < 0 || from.rank + 2 > GENIE_IR_MAX_RANK) {
    pt2_refuse(im, "shape", "needs 3 to 6 dimensions", "merge leading dimensions");
    return;
  }
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  int64_t permutation[GENIE_IR_MAX_RANK];
  for (int i = 0; i < GENIE_IR_MAX_RANK; ++i) {
    dims[i] = i < lead ? from.dims[i] : r;
    permutation[i] = i;
  }
  static const int64_t up[] = {0, 3, 1, 4, 2}, down[] = {0, 2, 4, 1, 3};
  if (is_up) {  // C, r, r, H, W -> C, H, r, W, r
    dims[lead] = to.dims[lead];
    dims[lead + 3] = from.dims[lead + 1];
    dims[lead + 4] = from.dims[lead + 2];
  } else {  // C, H, r, W, r -> C, r, r, H, W
    dims[lead] = from.dims[lead];
    dims[lead + 1] = to.dims[lead + 1];
    dims[lead + 3] = to.dims[lead + 2];
  }
  for (int i = 0; i < 5; ++i) {
    permutation[lead + i] = lead + (is_up ? up[i] : down[i]);
  }
  x = pt2_permute(im, pt2_reshape(im, x, from.rank + 2, dims), permutation);
  pt2_bind(im, node, 0, pt2_reshape(im, x, to.rank, to.dims));
}

static void rule_channel_shuffle(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const genie_tensor_type_t type = pt2_type(x);
  const int64_t groups = pt2_int(im, node, "groups", 1);
  if (type.rank < 2 || groups < 1) {
    pt2_refuse(im, "shape", "needs a channel dimension", "use [N, C, ..]");
    return;
  }
  MlirAffineExpr dims[GENIE_IR_MAX_RANK + 1];
  dims[0] = type.dims[0];
  dims[1] = pt2_constant_dim(im, groups);
  dims[2] = genie_dim_floor_div(type.dims[1], groups);
  for (int i = 2; i < type.rank; ++i) {
    dims[i + 1] = type.dims[i];
  }
  const MlirValue split = pt2_transpose(im, pt2_reshape(im, x, type.rank + 1, dims), 1, 2);
  pt2_bind(im, node, 0, pt2_reshape(im, split, type.rank, type.dims));
}

const pt2_rule_row_t pt2_view_composites[] = {
    {"movedim.int", rule_movedim},
    {"movedim.intlist", rule_movedim},
    {"select.int", rule_select},
    {"select_copy.int", rule_select},
    {"select_scatter.default", rule_select_scatter},
    {"split.Tensor", rule_split},
    {"split.sizes", rule_split},
    {"split_with_sizes.default", rule_split},
    {"split_with_sizes_copy.default", rule_split},
    {"chunk.default", rule_split},
    {"unsafe_split.Tensor", rule_split},
    {"unsafe_chunk.default", rule_split},
    {"tensor_split.sections", rule_split},
    {"tensor_split.indices", rule_split},
    {"unbind.int", rule_unbind},
    {"unfold.default", rule_unfold},
    {"stack.default", rule_stack},
    {"hstack.default", rule_hstack},
    {"vstack.default", rule_hstack},
    {"meshgrid.default", rule_meshgrid},
    {"meshgrid.indexing", rule_meshgrid},
    {"repeat.default", rule_repeat},
    {"tile.default", rule_repeat},
    {"repeat_interleave.self_int", rule_repeat_interleave},
    {"roll.default", rule_roll},
    {"diff.default", rule_diff},
    {"diagonal.default", rule_diagonal},
    {"pixel_shuffle.default", rule_pixel_shuffle},
    {"pixel_unshuffle.default", rule_pixel_shuffle},
    {"channel_shuffle.default", rule_channel_shuffle},
    {NULL, NULL},
};
