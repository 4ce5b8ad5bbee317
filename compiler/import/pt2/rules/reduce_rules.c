// Reductions, softmax, scans and orders.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

static MlirValue self_of(pt2_importer_t *im, const pt2_node_t *node) {
  return pt2_tensor_of(im, node->input_count > 0 ? &node->inputs[0].arg : NULL);
}

// The axes of argument dim, ascending; all when it is absent or an empty list.
static int axes_of(pt2_importer_t *im, const pt2_node_t *node, int rank, int64_t out_axes[GENIE_IR_MAX_RANK]) {
  int64_t given[GENIE_IR_MAX_RANK];
  const int count = pt2_ints(im, node, "dim", GENIE_IR_MAX_RANK, given);
  bool is_reduced[GENIE_IR_MAX_RANK] = {false};
  for (int i = 0; i < count; ++i) {
    is_reduced[pt2_axis_of(im, given[i], rank)] = true;
  }
  int axis_count = 0;
  for (int i = 0; i < rank; ++i) {
    if (count == 0 || is_reduced[i]) {
      out_axes[axis_count++] = i;
    }
  }
  return axis_count;
}

static MlirValue reduce(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue x) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int rank = pt2_rank(x);
  if (rank == 0) {
    const MlirAffineExpr one = pt2_constant_dim(im, 1);
    x = pt2_reshape(im, x, 1, &one);
    axes[0] = 0;
    return pt2_reduce(im, name, x, 1, axes, false);
  }
  const int count = axes_of(im, node, rank, axes);
  return pt2_reduce(im, name, x, count, axes, pt2_bool(im, node, "keepdim", false));
}

// sum, mean, prod compute in the result's dtype; amax, amin, any, all, argmax and argmin in the operand's.
void pt2_rule_reduce(pt2_importer_t *im, const pt2_node_t *node) {
  const char *name = pt2_mapping(im)->op->name;
  const bool is_arithmetic =
      strcmp(name, "genie.sum") == 0 || strcmp(name, "genie.mean") == 0 || strcmp(name, "genie.prod") == 0;
  MlirValue x = self_of(im, node);
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  x = is_arithmetic ? pt2_cast(im, x, dtype) : x;
  const bool is_index = strcmp(name, "genie.argmax") == 0 || strcmp(name, "genie.argmin") == 0;
  if (is_index && pt2_arg(node, "dim") == NULL) {
    const bool keeps = pt2_bool(im, node, "keepdim", false);
    const genie_tensor_type_t type = pt2_type(x), result = pt2_result_type(im, node, 0);
    const MlirAffineExpr flat = genie_dim_product(pt2_context(im), type.rank, type.dims);
    const int64_t axis = 0;
    x = pt2_reduce(im, name, pt2_reshape(im, x, 1, &flat), 1, &axis, false);
    pt2_bind(im, node, 0, keeps ? pt2_reshape(im, x, result.rank, result.dims) : x);
    return;
  }
  MlirValue result = reduce(im, node, name, x);
  if (strcmp(name, "genie.any") == 0 || strcmp(name, "genie.all") == 0) {
    result = pt2_cast(im, result, dtype);  // of u8 they are u8
  }
  pt2_bind(im, node, 0, result);
}

// max.dim and min.dim: values and indices; max.default and min.default: values only
static void rule_extremum(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const bool is_max = strncmp(pt2_mapping(im)->overload, "max", 3) == 0;
  pt2_bind(im, node, 0, reduce(im, node, is_max ? "genie.amax" : "genie.amin", x));
  if (pt2_result_count(node) > 1 && node->outputs[1].kind == GENIE_PT2_TENSOR) {
    pt2_bind(im, node, 1, reduce(im, node, is_max ? "genie.argmax" : "genie.argmin", x));
  }
}

static void rule_aminmax(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  pt2_bind(im, node, 0, reduce(im, node, "genie.amin", x));
  pt2_bind(im, node, 1, reduce(im, node, "genie.amax", x));
}

// The divisor of a variance is n - correction; `unbiased` is correction 1 or 0.
static MlirValue variance(pt2_importer_t *im, const pt2_node_t *node, MlirValue x) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = axes_of(im, node, pt2_rank(x), axes);
  const double correction = pt2_arg(node, "correction") != NULL    ? pt2_float(im, node, "correction", 1)
                            : pt2_bool(im, node, "unbiased", true) ? 1
                                                                   : 0;
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64s(im, "axes", count, axes),
                                             pt2_attr_bool(im, "keepdim", pt2_bool(im, node, "keepdim", false)),
                                             pt2_attr_f64(im, "correction", correction)};
  return pt2_build(im, "genie.var", 1, &x, 3, attributes);
}

// var, std, var_mean, std_mean
static void rule_variance(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const char *overload = pt2_mapping(im)->overload;
  const MlirValue var = variance(im, node, x);
  pt2_bind(im, node, 0, strncmp(overload, "std", 3) == 0 ? pt2_unary(im, "genie.sqrt", var) : var);
  if (strncmp(overload + 3, "_mean", 5) == 0) {
    pt2_bind(im, node, 1, reduce(im, node, "genie.mean", x));
  }
}

// The norm of order `ord` over dim: 1, 2, inf and 0.
static void rule_vector_norm(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  const MlirValue x = pt2_cast(im, self_of(im, node), dtype);
  const double order = pt2_float(im, node, pt2_arg(node, "p") != NULL ? "p" : "ord", 2);
  MlirValue result;
  if (order == 2) {
    result = pt2_unary(im, "genie.sqrt", reduce(im, node, "genie.sum", pt2_binary(im, "genie.mul", x, x)));
  } else if (order == 1) {
    result = reduce(im, node, "genie.sum", pt2_unary(im, "genie.abs", x));
  } else if (isinf(order)) {
    result = reduce(im, node, order > 0 ? "genie.amax" : "genie.amin", pt2_unary(im, "genie.abs", x));
  } else if (order == 0) {
    const MlirValue is_set = pt2_binary(im, "genie.ne", x, pt2_scalar(im, dtype, 0));
    result = reduce(im, node, "genie.sum", pt2_cast(im, is_set, dtype));
  } else {
    const MlirValue exponent = pt2_scalar(im, dtype, order), inverse = pt2_scalar(im, dtype, 1 / order);
    const MlirValue powers = pt2_binary(im, "genie.pow", pt2_unary(im, "genie.abs", x), exponent);
    result = pt2_binary(im, "genie.pow", reduce(im, node, "genie.sum", powers), inverse);
  }
  pt2_bind(im, node, 0, result);
}

// log(sum(exp(x - max))) + max; an infinite max would make NaN of x - max, so it counts as 0
static void rule_logsumexp(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue x = pt2_cast(im, self_of(im, node), type.dtype);
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = axes_of(im, node, pt2_rank(x), axes);
  const MlirValue peak = pt2_reduce(im, "genie.amax", x, count, axes, true);
  const MlirValue base = pt2_where(im, pt2_unary(im, "genie.isinf", peak), pt2_scalar(im, type.dtype, 0), peak);
  const MlirValue sum =
      pt2_reduce(im, "genie.sum", pt2_unary(im, "genie.exp", pt2_binary(im, "genie.sub", x, base)), count, axes, true);
  const MlirValue result = pt2_binary(im, "genie.add", pt2_unary(im, "genie.log", sum), base);
  pt2_bind(im, node, 0, pt2_reshape(im, result, type.rank, type.dims));
}

// softmax.int, _softmax and the log forms: in the result's dtype. `half_to_float` is what the result's dtype says
// already.
void pt2_rule_softmax(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_cast(im, self_of(im, node), pt2_result_type(im, node, 0).dtype);
  const genie_ir_attribute_t axis = pt2_attr_i64(im, "axis", pt2_axis(im, node, "dim", -1, pt2_rank(x)));
  pt2_bind(im, node, 0, pt2_build(im, pt2_mapping(im)->op->name, 1, &x, 1, &axis));
}

// _safe_softmax: rows that are -inf throughout give zeros.
static void rule_safe_softmax(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  const MlirValue x = pt2_cast(im, self_of(im, node), dtype);
  const int64_t axis = pt2_axis(im, node, "dim", -1, pt2_rank(x));
  const genie_ir_attribute_t attribute = pt2_attr_i64(im, "axis", axis);
  const MlirValue softmax = pt2_build(im, "genie.softmax", 1, &x, 1, &attribute);
  const MlirValue peak = pt2_reduce(im, "genie.amax", x, 1, &axis, true);
  const MlirValue is_masked = pt2_binary(im, "genie.eq", peak, pt2_scalar(im, dtype, -INFINITY));
  pt2_bind(im, node, 0, pt2_where(im, is_masked, pt2_scalar(im, dtype, 0), softmax));
}

// softmin(x) = softmax(-x) arrives decomposed; cumsum computes in the result's dtype.
void pt2_rule_scan(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_cast(im, self_of(im, node), pt2_result_type(im, node, 0).dtype);
  if (pt2_rank(x) == 0) {
    pt2_bind(im, node, 0, x);
    return;
  }
  const genie_ir_attribute_t axis = pt2_attr_i64(im, "axis", pt2_axis(im, node, "dim", 0, pt2_rank(x)));
  pt2_bind(im, node, 0, pt2_build(im, pt2_mapping(im)->op->name, 1, &x, 1, &axis));
}

// argsort: the indices of sort
static void rule_argsort(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", pt2_axis(im, node, "dim", -1, pt2_rank(x))),
                                             pt2_attr_bool(im, "descending", pt2_bool(im, node, "descending", false))};
  const MlirOperation op = pt2_build_op(im, "genie.sort", 1, &x, 2, attributes);
  if (!mlirOperationIsNull(op)) {
    pt2_bind(im, node, 0, mlirOperationGetResult(op, 1));
  }
}

// sort.stable has its arguments as keywords
static void rule_sort_stable(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", pt2_axis(im, node, "dim", -1, pt2_rank(x))),
                                             pt2_attr_bool(im, "descending", pt2_bool(im, node, "descending", false))};
  const MlirOperation op = pt2_build_op(im, "genie.sort", 1, &x, 2, attributes);
  for (int i = 0; !mlirOperationIsNull(op) && i < 2; ++i) {
    pt2_bind(im, node, i, mlirOperationGetResult(op, i));
  }
}

// Value and index at place `rank` of the order along `axis`; `place` is static.
static MlirOperation sorted_place(pt2_importer_t *im, MlirValue x, int axis, int64_t place, bool keepdim,
                                  MlirValue out_results[2]) {
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", axis), pt2_attr_bool(im, "descending", false)};
  const MlirOperation op = pt2_build_op(im, "genie.sort", 1, &x, 2, attributes);
  const MlirAffineExpr start = pt2_constant_dim(im, place), one = pt2_constant_dim(im, 1);
  for (int i = 0; !mlirOperationIsNull(op) && i < 2; ++i) {
    const MlirValue slice = pt2_slice(im, mlirOperationGetResult(op, i), axis, start, one, 1);
    out_results[i] = keepdim ? slice : pt2_squeeze(im, slice, axis);
  }
  return op;
}

// kthvalue, median.dim (the lower of two middles) and median.default. A median is NaN where an element is: NaN is last
// in an order.
static void rule_order_statistic(pt2_importer_t *im, const pt2_node_t *node) {
  const char *overload = pt2_mapping(im)->overload;
  const bool is_median = strncmp(overload, "median", 6) == 0, is_all = strcmp(overload, "median.default") == 0;
  MlirValue x = self_of(im, node);
  if (is_all) {
    const genie_tensor_type_t type = pt2_type(x);
    const MlirAffineExpr flat = genie_dim_product(pt2_context(im), type.rank, type.dims);
    x = pt2_reshape(im, x, 1, &flat);
  }
  if (pt2_rank(x) == 0) {
    pt2_refuse(im, "shape", "an order of a 0-d tensor", "give it a dimension");
    return;
  }
  const int axis = is_all ? 0 : pt2_axis(im, node, "dim", -1, pt2_rank(x));
  const int64_t size = pt2_static_dim(im, x, axis), place = is_median ? (size - 1) / 2 : pt2_int(im, node, "k", 1) - 1;
  if (pt2_has_failed(im) || place < 0 || place >= size) {
    pt2_refuse(im, "argument", "an order statistic outside of its dimension", "use a place that there is");
    return;
  }
  const bool keepdim = pt2_bool(im, node, "keepdim", false);
  MlirValue at[2], last[2];
  if (mlirOperationIsNull(sorted_place(im, x, axis, place, keepdim, at))) {
    return;
  }
  if (is_median && pt2_dtype_is_float(pt2_type(x).dtype) &&
      !mlirOperationIsNull(sorted_place(im, x, axis, size - 1, keepdim, last))) {
    const MlirValue is_nan = pt2_unary(im, "genie.isnan", last[0]);
    at[0] = pt2_where(im, is_nan, last[0], at[0]);
    at[1] = pt2_where(im, is_nan, last[1], at[1]);
  }
  pt2_bind(im, node, 0, at[0]);
  if (!is_all) {
    pt2_bind(im, node, 1, at[1]);
  }
}

// searchsorted and bucketize: how many of the ascending boundaries lie before each value; `right`: before or at it. All
// lie before a NaN.
static void rule_search(pt2_importer_t *im, const pt2_node_t *node) {
  const bool is_bucketize = strncmp(pt2_mapping(im)->overload, "bucketize", 9) == 0;
  MlirValue edges = pt2_tensor(im, node, is_bucketize ? "boundaries" : "sorted_sequence");
  const genie_pt2_arg_t *given = pt2_arg(node, "self");
  const genie_dtype_t values_dtype =
      given != NULL && given->kind == GENIE_PT2_TENSOR ? pt2_type(pt2_tensor_of(im, given)).dtype : GENIE_DTYPE_BOOL;
  const genie_dtype_t dtype = pt2_promote(pt2_type(edges).dtype, values_dtype);
  MlirValue x = pt2_operand_of(im, given, dtype);
  const bool is_right =
      pt2_bool(im, node, "right", false) || strcmp(pt2_string(im, node, "side", "left"), "right") == 0;
  const int rank = pt2_rank(x), edges_rank = pt2_rank(edges);
  if (pt2_arg(node, "sorter") != NULL || (edges_rank != 1 && edges_rank != rank) || rank == GENIE_IR_MAX_RANK) {
    pt2_refuse(im, "argument", "a search with a sorter, or in other rows than there are values", "sort before it");
    return;
  }
  edges = pt2_cast(im, edges, dtype);
  edges = edges_rank > 1 ? pt2_unsqueeze(im, edges, rank - 1) : edges;
  x = pt2_unsqueeze(im, x, rank);
  MlirValue is_before = pt2_binary(im, is_right ? "genie.le" : "genie.lt", edges, x);
  if (pt2_dtype_is_float(dtype)) {
    is_before = pt2_binary(im, "genie.logical_or", is_before, pt2_unary(im, "genie.isnan", x));
  }
  const int64_t axis = rank;
  x = pt2_reduce(im, "genie.sum", pt2_cast(im, is_before, GENIE_DTYPE_I64), 1, &axis, false);
  pt2_bind(im, node, 0, pt2_cast(im, x, pt2_result_type(im, node, 0).dtype));
}

// sum of all is what trace, count_nonzero reduce to
static void rule_count_nonzero(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = self_of(im, node);
  const MlirValue is_set = pt2_binary(im, "genie.ne", x, pt2_scalar_int(im, pt2_type(x).dtype, 0));
  pt2_bind(im, node, 0, reduce(im, node, "genie.sum", pt2_cast(im, is_set, GENIE_DTYPE_I64)));
}

// cosine_similarity: x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along dim
static void rule_cosine_similarity(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue a = pt2_operand(im, node, "x1", type.dtype), b = pt2_operand(im, node, "x2", type.dtype);
  const MlirValue product = pt2_binary(im, "genie.mul", a, b);
  const int64_t axis = pt2_axis(im, node, "dim", 1, pt2_rank(product));
  const MlirValue eps = pt2_scalar(im, type.dtype, pt2_float(im, node, "eps", 1e-8));
  MlirValue result = pt2_reduce(im, "genie.sum", product, 1, &axis, false);
  const MlirValue sides[] = {a, b};
  for (int i = 0; i < 2; ++i) {
    const int64_t own_axis = axis - (pt2_rank(product) - pt2_rank(sides[i]));
    const MlirValue square =
        pt2_reduce(im, "genie.sum", pt2_binary(im, "genie.mul", sides[i], sides[i]), 1, &own_axis, false);
    result =
        pt2_binary(im, "genie.div", result, pt2_binary(im, "genie.maximum", pt2_unary(im, "genie.sqrt", square), eps));
  }
  pt2_bind(im, node, 0, result);
}

// histc: how many elements lie in each of `bins` equal parts of [min, max].
static void rule_histogram(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self");
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const int64_t bins = pt2_int(im, node, "bins", 100);
  const double low = pt2_float(im, node, "min", 0), high = pt2_float(im, node, "max", 0);
  if (low >= high || bins < 1) {
    pt2_refuse(im, "argument", "a histogram whose range depends on data", "state min and max");
    return;
  }
  const genie_dtype_t work = dtype == GENIE_DTYPE_F64 ? dtype : GENIE_DTYPE_F32;
  const MlirAffineExpr column[] = {genie_dim_product(pt2_context(im), pt2_rank(x), pt2_type(x).dims),
                                   pt2_constant_dim(im, 1)};
  x = pt2_cast(im, pt2_reshape(im, x, 2, column), work);
  MlirValue bin = pt2_binary(im, "genie.sub", x, pt2_scalar(im, work, low));
  bin = pt2_binary(im, "genie.mul", bin, pt2_scalar(im, work, (double)bins / (high - low)));
  bin = pt2_binary(im, "genie.minimum", pt2_unary(im, "genie.floor", bin), pt2_scalar(im, work, (double)(bins - 1)));
  const genie_tensor_type_t type = {.dtype = work, .rank = 2, .dims = {column[1], pt2_constant_dim(im, bins)}};
  MlirValue counts = pt2_binary(im, "genie.eq", bin, pt2_iota(im, &type, 0, 1, 1));
  counts = pt2_binary(im, "genie.bitwise_and", counts, pt2_binary(im, "genie.le", x, pt2_scalar(im, work, high)));
  const int64_t axis = 0;
  counts = pt2_reduce(im, "genie.sum", pt2_cast(im, counts, GENIE_DTYPE_I64), 1, &axis, false);
  pt2_bind(im, node, 0, pt2_cast(im, counts, dtype));
}

const pt2_rule_row_t pt2_reduce_composites[] = {
    {"histc.default", rule_histogram},
    {"max.dim", rule_extremum},
    {"min.dim", rule_extremum},
    {"max.default", rule_extremum},
    {"min.default", rule_extremum},
    {"aminmax.default", rule_aminmax},
    {"var.correction", rule_variance},
    {"var.dim", rule_variance},
    {"var.default", rule_variance},
    {"std.correction", rule_variance},
    {"std.dim", rule_variance},
    {"std.default", rule_variance},
    {"var_mean.correction", rule_variance},
    {"var_mean.dim", rule_variance},
    {"std_mean.correction", rule_variance},
    {"linalg_vector_norm.default", rule_vector_norm},
    {"norm.ScalarOpt_dim", rule_vector_norm},
    {"norm.Scalar", rule_vector_norm},
    {"logsumexp.default", rule_logsumexp},
    {"_safe_softmax.default", rule_safe_softmax},
    {"median.default", rule_order_statistic},
    {"median.dim", rule_order_statistic},
    {"kthvalue.default", rule_order_statistic},
    {"searchsorted.Tensor", rule_search},
    {"searchsorted.Scalar", rule_search},
    {"bucketize.Tensor", rule_search},
    {"bucketize.Scalar", rule_search},
    {"argsort.default", rule_argsort},
    {"argsort.stable", rule_argsort},
    {"sort.stable", rule_sort_stable},
    {"count_nonzero.default", rule_count_nonzero},
    {"count_nonzero.dim_IntList", rule_count_nonzero},
    {"cosine_similarity.default", rule_cosine_similarity},
    {NULL, NULL},
};
