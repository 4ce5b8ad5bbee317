// Shape rules of reductions, sorts and top-k.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

// The operand without `axes`, or with size 1 there if `keepdim`.
static genie_status_t reduce(const genie_shape_query_t *query, genie_tensor_type_t *out_tensor, int *out_axis_count) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  int64_t axes[GENIE_IR_MAX_RANK];
  int count = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "axes", -1, axes, &count));
  for (int i = 0; i < count; ++i) {
    if (axes[i] < 0 || axes[i] >= x.rank || (i > 0 && axes[i] <= axes[i - 1])) {
      return genie_shape_refuse("axes must be distinct, ascending and inside rank %d", x.rank);
    }
  }
  const bool keeps = genie_shape_bool(query, "keepdim");
  *out_tensor = (genie_tensor_type_t){.dtype = x.dtype};
  int next = 0;
  for (int i = 0; i < x.rank; ++i) {
    const bool is_reduced = next < count && axes[next] == i;
    next += is_reduced;
    if (!is_reduced || keeps) {
      out_tensor->dims[out_tensor->rank++] = is_reduced ? genie_dim_constant(query->context, 1) : x.dims[i];
    }
  }
  *out_axis_count = count;
  return GENIE_OK;
}

genie_status_t genie_shape_reduce(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t tensor;
  int count = 0;
  GENIE_RETURN_IF_ERROR(reduce(query, &tensor, &count));
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_reduce_bool(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t tensor;
  int count = 0;
  GENIE_RETURN_IF_ERROR(reduce(query, &tensor, &count));
  tensor.dtype = GENIE_DTYPE_BOOL;
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_reduce_index(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t tensor;
  int count = 0;
  GENIE_RETURN_IF_ERROR(reduce(query, &tensor, &count));
  if (count != 1) {
    return genie_shape_refuse("reduces exactly one axis, not %d", count);
  }
  tensor.dtype = GENIE_DTYPE_I64;
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_sort(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t tensor = genie_shape_operand(query, 0);
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, tensor.rank, &axis));
  out_types[0] = query->operand_types[0];
  tensor.dtype = GENIE_DTYPE_I64;
  out_types[1] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_topk(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t tensor = genie_shape_operand(query, 0);
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, tensor.rank, &axis));
  const int64_t k = genie_shape_i64(query, "k");
  int64_t size = 0;
  if (k < 0 || (genie_dim_is_constant(tensor.dims[axis], &size) && k > size)) {
    return genie_shape_refuse("k = %lld is outside the %s elements of axis %d", (long long)k,
                              genie_shape_dim_text(tensor.dims[axis]).text, axis);
  }
  tensor.dims[axis] = genie_dim_constant(query->context, k);
  out_types[0] = genie_shape_type(query, &tensor);
  tensor.dtype = GENIE_DTYPE_I64;
  out_types[1] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}
