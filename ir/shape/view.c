// Shape rules of views, concat and pad.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

// Operand 0 and the stated result, which has its dtype.
static genie_status_t operand_and_stated(const genie_shape_query_t *query, genie_tensor_type_t *out_x,
                                         genie_tensor_type_t *out_stated) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, 0, out_stated));
  *out_x = genie_shape_operand(query, 0);
  if (out_x->dtype != out_stated->dtype) {
    return genie_shape_refuse("a view keeps the element type: %s becomes %s", genie_dtype_name(out_x->dtype),
                              genie_dtype_name(out_stated->dtype));
  }
  return GENIE_OK;
}

genie_status_t genie_shape_reshape(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t stated;
  GENIE_RETURN_IF_ERROR(operand_and_stated(query, &x, &stated));
  const MlirAffineExpr before = genie_dim_product(query->context, x.rank, x.dims);
  const MlirAffineExpr after = genie_dim_product(query->context, stated.rank, stated.dims);
  if (!genie_dim_equal(before, after)) {
    return genie_shape_refuse("%s has %s elements, %s has %s", genie_shape_text(&x, query->context).text,
                              genie_shape_dim_text(before).text, genie_shape_text(&stated, query->context).text,
                              genie_shape_dim_text(after).text);
  }
  out_types[0] = query->stated_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_permute(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  int64_t permutation[GENIE_IR_MAX_RANK];
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "permutation", x.rank, permutation, NULL));
  genie_tensor_type_t result = {.dtype = x.dtype, .rank = x.rank};
  unsigned seen = 0;
  for (int i = 0; i < x.rank; ++i) {
    if (permutation[i] < 0 || permutation[i] >= x.rank || (seen >> permutation[i] & 1)) {
      return genie_shape_refuse("permutation must name each of the %d dimensions once", x.rank);
    }
    seen |= 1u << permutation[i];
    result.dims[i] = x.dims[permutation[i]];
  }
  out_types[0] = genie_shape_type(query, &result);
  return GENIE_OK;
}

genie_status_t genie_shape_expand(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t stated;
  GENIE_RETURN_IF_ERROR(operand_and_stated(query, &x, &stated));
  const int shift = stated.rank - x.rank;
  bool is_valid = shift >= 0;
  for (int i = 0; is_valid && i < x.rank; ++i) {
    int64_t size = 0;
    is_valid =
        genie_dim_equal(x.dims[i], stated.dims[i + shift]) || (genie_dim_is_constant(x.dims[i], &size) && size == 1);
  }
  if (!is_valid) {
    return genie_shape_refuse("%s does not expand to %s", genie_shape_text(&x, query->context).text,
                              genie_shape_text(&stated, query->context).text);
  }
  out_types[0] = query->stated_types[0];
  return GENIE_OK;
}

// Attribute `start`: an affine_map<()[symbols] -> (first index)>.
static genie_status_t slice_start(const genie_shape_query_t *query, MlirAffineExpr *out_start) {
  const MlirAttribute attribute = genie_op_attribute_get(query->attributes, "start");
  if (mlirAttributeIsNull(attribute) || !mlirAttributeIsAAffineMap(attribute)) {
    return genie_shape_refuse("attribute 'start' must be an affine_map");
  }
  const MlirAffineMap map = mlirAffineMapAttrGetValue(attribute);
  if (mlirAffineMapGetNumDims(map) != 0 || mlirAffineMapGetNumResults(map) != 1) {
    return genie_shape_refuse("attribute 'start' must be affine_map<()[symbols] -> (index)>");
  }
  *out_start = mlirAffineMapGetResult(map, 0);
  return GENIE_OK;
}

// The sliced part of `x` is of `part`'s size along `axis` and equal elsewhere, and lies inside where sizes are
// constant.
static genie_status_t check_slice(const genie_shape_query_t *query, const genie_tensor_type_t *x,
                                  const genie_tensor_type_t *part) {
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, x->rank, &axis));
  MlirAffineExpr start;
  GENIE_RETURN_IF_ERROR(slice_start(query, &start));
  const int64_t step = genie_shape_i64(query, "step");
  genie_tensor_type_t expected = *x;
  if (part->rank == x->rank) {
    expected.dims[axis] = part->dims[axis];
  }
  if (step < 1 || !genie_shape_same_dims(&expected, part)) {
    return genie_shape_refuse("%s is no slice of axis %d of %s", genie_shape_text(part, query->context).text, axis,
                              genie_shape_text(x, query->context).text);
  }
  // start + (extent - 1) * step + 1 <= size, where the difference is constant.
  const MlirAffineExpr one = genie_dim_constant(query->context, 1);
  const MlirAffineExpr last = genie_dim_add(
      start, genie_dim_mul(genie_dim_sub(part->dims[axis], one), genie_dim_constant(query->context, step)));
  int64_t room = 0;
  int64_t extent = 1;
  int64_t first = 0;
  const bool is_empty = genie_dim_is_constant(part->dims[axis], &extent) && extent == 0;
  const bool is_known = genie_dim_is_constant(genie_dim_sub(x->dims[axis], last), &room);
  if ((is_known && !is_empty && room < 1) || (genie_dim_is_constant(start, &first) && first < 0)) {
    return genie_shape_refuse("slice from %s of %s elements by %lld leaves axis %d of size %s",
                              genie_shape_dim_text(start).text, genie_shape_dim_text(part->dims[axis]).text,
                              (long long)step, axis, genie_shape_dim_text(x->dims[axis]).text);
  }
  return GENIE_OK;
}

genie_status_t genie_shape_slice(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t stated;
  GENIE_RETURN_IF_ERROR(operand_and_stated(query, &x, &stated));
  GENIE_RETURN_IF_ERROR(check_slice(query, &x, &stated));
  out_types[0] = query->stated_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_slice_scatter(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  const genie_tensor_type_t source = genie_shape_operand(query, 1);
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, x.dtype));
  GENIE_RETURN_IF_ERROR(check_slice(query, &x, &source));
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_flip(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  int64_t axes[GENIE_IR_MAX_RANK];
  int count = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "axes", -1, axes, &count));
  for (int i = 0; i < count; ++i) {
    if (axes[i] < 0 || axes[i] >= x.rank) {
      return genie_shape_refuse("axis %lld is outside rank %d", (long long)axes[i], x.rank);
    }
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_concat(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t result = genie_shape_operand(query, 0);
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, result.rank, &axis));
  for (intptr_t i = 1; i < query->operand_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, i, result.dtype));
    const genie_tensor_type_t part = genie_shape_operand(query, i);
    genie_tensor_type_t expected = result;
    if (part.rank == result.rank) {
      expected.dims[axis] = part.dims[axis];
    }
    if (!genie_shape_same_dims(&expected, &part)) {
      return genie_shape_refuse("%s does not join %s along axis %d", genie_shape_text(&part, query->context).text,
                                genie_shape_text(&result, query->context).text, axis);
    }
    result.dims[axis] = genie_dim_add(result.dims[axis], part.dims[axis]);
  }
  out_types[0] = genie_shape_type(query, &result);
  return GENIE_OK;
}

genie_status_t genie_shape_pad(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t x = genie_shape_operand(query, 0);
  int64_t low[GENIE_IR_MAX_RANK];
  int64_t high[GENIE_IR_MAX_RANK];
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "low", x.rank, low, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "high", x.rank, high, NULL));
  for (int i = 0; i < x.rank; ++i) {
    const MlirAffineExpr around =
        genie_dim_add(genie_dim_constant(query->context, low[i]), genie_dim_constant(query->context, high[i]));
    const MlirAffineExpr size = genie_dim_add(x.dims[i], around);
    int64_t value = 0;
    if (genie_dim_is_constant(size, &value) && value < 0) {
      return genie_shape_refuse("padding %lld and %lld leaves %lld elements of dimension %d", (long long)low[i],
                                (long long)high[i], (long long)value, i);
    }
    x.dims[i] = size;
  }
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}
