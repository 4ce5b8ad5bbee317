// Shape rules of pointwise ops, those without operands among them.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

genie_status_t genie_shape_elementwise(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

static genie_status_t broadcast(const genie_shape_query_t *query, genie_tensor_type_t *out_tensor) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  *out_tensor = genie_shape_operand(query, 0);
  const genie_tensor_type_t rhs = genie_shape_operand(query, 1);
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, out_tensor->dtype));
  return genie_shape_broadcast_into(query, &rhs, out_tensor);
}

genie_status_t genie_shape_broadcast(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t tensor;
  GENIE_RETURN_IF_ERROR(broadcast(query, &tensor));
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_broadcast_bool(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t tensor;
  GENIE_RETURN_IF_ERROR(broadcast(query, &tensor));
  tensor.dtype = GENIE_DTYPE_BOOL;
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_predicate(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t tensor = genie_shape_operand(query, 0);
  tensor.dtype = GENIE_DTYPE_BOOL;
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_cast(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t stated;
  GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, 0, &stated));
  genie_tensor_type_t tensor = genie_shape_operand(query, 0);
  tensor.dtype = stated.dtype;
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_where(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 3));
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 0, GENIE_DTYPE_BOOL));
  genie_tensor_type_t tensor = genie_shape_operand(query, 1);
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 2, tensor.dtype));
  const genie_tensor_type_t rhs = genie_shape_operand(query, 2);
  const genie_tensor_type_t condition = genie_shape_operand(query, 0);
  GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &rhs, &tensor));
  GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &condition, &tensor));
  out_types[0] = genie_shape_type(query, &tensor);
  return GENIE_OK;
}

genie_status_t genie_shape_size(const genie_shape_query_t *query, MlirType *out_types) {
  const MlirAttribute expression = genie_op_attribute_get(query->attributes, "expression");
  if (mlirAttributeIsNull(expression) || !mlirAttributeIsAAffineMap(expression)) {
    return genie_shape_refuse("attribute 'expression' must be an affine_map");
  }
  const MlirAffineMap map = mlirAffineMapAttrGetValue(expression);
  if (mlirAffineMapGetNumDims(map) != 0 || mlirAffineMapGetNumResults(map) != 1) {
    return genie_shape_refuse("attribute 'expression' must be affine_map<()[symbols] -> (size)>");
  }
  out_types[0] = genie_type_make_static(query->context, GENIE_DTYPE_I64, 0, NULL);
  return GENIE_OK;
}

genie_status_t genie_shape_iota(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t stated;
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, 0, &stated));
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, stated.rank, &axis));
  out_types[0] = query->stated_types[0];
  return GENIE_OK;
}
