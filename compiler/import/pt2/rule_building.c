// Building genie ops from rules.
#include <assert.h>
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

static const MlirValue null_value = {NULL};

static bool has_null(int count, const MlirValue *values, const char *name) {
  // Optional operands are null by right; a required one that is null follows a failure.
  const genie_op_info_t *info = genie_op_info_find(name);
  assert(info != NULL && "no such op");
  for (int i = 0; i < count && info->operand_names[i] != NULL; ++i) {
    const char *slot = info->operand_names[i], last = slot[strlen(slot) - 1];
    if (last == '*') {
      break;
    }
    if (last != '?' && mlirValueIsNull(values[i])) {
      return true;
    }
  }
  return false;
}

MlirOperation pt2_build_op(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                           int attribute_count, const genie_ir_attribute_t *attributes) {
  MlirOperation op = {NULL};
  if (im->failure == GENIE_OK && has_null(operand_count, operands, name)) {
    pt2_fail(im, genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s lacks an operand", name));
  }
  if (im->failure == GENIE_OK) {
    pt2_fail(im, genie_ir_build(&im->builder, name, operand_count, operands, attribute_count, attributes, &op));
  }
  return op;
}

static MlirValue first_result(MlirOperation op) {
  return mlirOperationIsNull(op) ? null_value : mlirOperationGetResult(op, 0);
}

MlirValue pt2_build(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                    int attribute_count, const genie_ir_attribute_t *attributes) {
  return first_result(pt2_build_op(im, name, operand_count, operands, attribute_count, attributes));
}

MlirValue pt2_build_typed(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                          int attribute_count, const genie_ir_attribute_t *attributes,
                          const genie_tensor_type_t *type) {
  MlirOperation op = {NULL};
  if (im->failure == GENIE_OK && has_null(operand_count, operands, name)) {
    pt2_fail(im, genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s lacks an operand", name));
  }
  if (im->failure == GENIE_OK) {
    const MlirType result = genie_type_make(im->builder.context, type);
    pt2_fail(im, genie_ir_build_typed(&im->builder, name, operand_count, operands, attribute_count, attributes, 1,
                                      &result, &op));
  }
  return first_result(op);
}

MlirValue pt2_unary(pt2_importer_t *im, const char *name, MlirValue x) {
  return pt2_build(im, name, 1, &x, 0, NULL);
}

MlirValue pt2_binary(pt2_importer_t *im, const char *name, MlirValue lhs, MlirValue rhs) {
  return pt2_build(im, name, 2, (MlirValue[]){lhs, rhs}, 0, NULL);
}

MlirValue pt2_cast(pt2_importer_t *im, MlirValue x, genie_dtype_t dtype) {
  genie_tensor_type_t type = pt2_type(x);
  if (mlirValueIsNull(x) || type.dtype == dtype) {
    return x;
  }
  type.dtype = dtype;
  return pt2_build_typed(im, "genie.cast", 1, &x, 0, NULL, &type);
}

static MlirValue constant_of(pt2_importer_t *im, MlirType type, MlirAttribute elements) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  const genie_ir_attribute_t attribute = {"value", elements};
  return pt2_build_typed(im, "genie.constant", 0, NULL, 1, &attribute, &tensor);
}

MlirValue pt2_scalar_int(pt2_importer_t *im, genie_dtype_t dtype, int64_t value) {
  if (pt2_dtype_is_float(dtype) || dtype == GENIE_DTYPE_BOOL) {
    return pt2_scalar(im, dtype, dtype == GENIE_DTYPE_BOOL ? value != 0 : (double)value);
  }
  const MlirType type = genie_type_make_static(im->builder.context, dtype, 0, NULL);
  const MlirType element = mlirShapedTypeGetElementType(type);
  return constant_of(im, type, mlirDenseElementsAttrSplatGet(type, mlirIntegerAttrGet(element, value)));
}

MlirValue pt2_scalar(pt2_importer_t *im, genie_dtype_t dtype, double value) {
  if (im->failure != GENIE_OK) {
    return null_value;
  }
  if (!pt2_dtype_is_float(dtype) && dtype != GENIE_DTYPE_BOOL && !(value > -9.3e18 && value < 9.2e18)) {
    pt2_refuse(im, "argument", "a number that its integer dtype cannot hold", "use a number within the dtype's range");
    return null_value;
  }
  return genie_ir_scalar(&im->builder, dtype, value);
}

MlirValue pt2_size_value(pt2_importer_t *im, MlirAffineExpr size) {
  int64_t constant;
  if (genie_dim_is_constant(size, &constant)) {
    return pt2_scalar_int(im, GENIE_DTYPE_I64, constant);
  }
  const genie_tensor_type_t type = {.dtype = GENIE_DTYPE_I64};
  const genie_ir_attribute_t attribute = pt2_attr_size(im, "expression", size);
  return pt2_build_typed(im, "genie.size", 0, NULL, 1, &attribute, &type);
}

MlirValue pt2_operand_of(pt2_importer_t *im, const genie_pt2_arg_t *arg, genie_dtype_t dtype) {
  switch (arg != NULL ? arg->kind : GENIE_PT2_NONE) {
    case GENIE_PT2_TENSOR:
      return pt2_cast(im, pt2_tensor_of(im, arg), dtype);
    case GENIE_PT2_FLOAT:
      return pt2_scalar(im, dtype, arg->number);
    case GENIE_PT2_INT:
    case GENIE_PT2_BOOL:
      return pt2_scalar_int(im, dtype, arg->integer);
    case GENIE_PT2_SYM_INT:
      return pt2_cast(im, pt2_size_value(im, pt2_size_of(im, arg)), dtype);
    default:
      pt2_refuse(im, "argument", "an operand that is neither tensor nor number", "use a tensor or a number");
      return null_value;
  }
}

MlirValue pt2_operand(pt2_importer_t *im, const pt2_node_t *node, const char *name, genie_dtype_t dtype) {
  return pt2_operand_of(im, pt2_arg(node, name), dtype);
}

static bool has_dims(MlirValue x, int rank, const MlirAffineExpr *dims) {
  const genie_tensor_type_t type = pt2_type(x);
  bool is_equal = type.rank == rank;
  for (int i = 0; is_equal && i < rank; ++i) {
    is_equal = genie_dim_equal(type.dims[i], genie_dim_simplify(dims[i]));
  }
  return is_equal;
}

static MlirValue retype(pt2_importer_t *im, const char *name, MlirValue x, int rank, const MlirAffineExpr *dims) {
  if (im->failure != GENIE_OK || mlirValueIsNull(x) || has_dims(x, rank, dims)) {
    return x;
  }
  if (rank > GENIE_IR_MAX_RANK) {
    pt2_refuse(im, "shape", "an intermediate of more than 8 dimensions", "merge dimensions in the model");
    return null_value;
  }
  genie_tensor_type_t type = {.dtype = pt2_type(x).dtype, .rank = rank};
  memcpy(type.dims, dims, (size_t)rank * sizeof *dims);
  return pt2_build_typed(im, name, 1, &x, 0, NULL, &type);
}

MlirValue pt2_reshape(pt2_importer_t *im, MlirValue x, int rank, const MlirAffineExpr *dims) {
  return retype(im, "genie.reshape", x, rank, dims);
}

MlirValue pt2_expand(pt2_importer_t *im, MlirValue x, int rank, const MlirAffineExpr *dims) {
  return retype(im, "genie.expand", x, rank, dims);
}

MlirValue pt2_permute(pt2_importer_t *im, MlirValue x, const int64_t *permutation) {
  const int rank = pt2_rank(x);
  bool is_identity = true;
  for (int i = 0; i < rank; ++i) {
    is_identity = is_identity && permutation[i] == i;
  }
  if (is_identity) {
    return x;
  }
  const genie_ir_attribute_t attribute = pt2_attr_i64s(im, "permutation", rank, permutation);
  return pt2_build(im, "genie.permute", 1, &x, 1, &attribute);
}

MlirValue pt2_transpose(pt2_importer_t *im, MlirValue x, int axis0, int axis1) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  for (int i = 0; i < GENIE_IR_MAX_RANK; ++i) {
    permutation[i] = i == axis0 ? axis1 : i == axis1 ? axis0 : i;
  }
  return pt2_permute(im, x, permutation);
}

MlirValue pt2_unsqueeze(pt2_importer_t *im, MlirValue x, int axis) {
  const genie_tensor_type_t type = pt2_type(x);
  MlirAffineExpr dims[GENIE_IR_MAX_RANK + 1];
  for (int i = 0, from = 0; i <= type.rank; ++i) {
    dims[i] = i == axis ? pt2_constant_dim(im, 1) : type.dims[from++];
  }
  return pt2_reshape(im, x, type.rank + 1, dims);
}

MlirValue pt2_squeeze(pt2_importer_t *im, MlirValue x, int axis) {
  const genie_tensor_type_t type = pt2_type(x);
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  int rank = 0;
  for (int i = 0; i < type.rank; ++i) {
    if (i != axis) {
      dims[rank++] = type.dims[i];
    }
  }
  return pt2_reshape(im, x, rank, dims);
}

MlirValue pt2_slice(pt2_importer_t *im, MlirValue x, int axis, MlirAffineExpr start, MlirAffineExpr length,
                    int64_t step) {
  genie_tensor_type_t type = pt2_type(x);
  int64_t first;
  if (mlirValueIsNull(x) || axis >= type.rank ||
      (step == 1 && genie_dim_is_constant(start, &first) && first == 0 && genie_dim_equal(type.dims[axis], length))) {
    return x;
  }
  type.dims[axis] = length;
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", axis), pt2_attr_size(im, "start", start),
                                             pt2_attr_i64(im, "step", step)};
  return pt2_build_typed(im, "genie.slice", 1, &x, 3, attributes, &type);
}

MlirValue pt2_concat(pt2_importer_t *im, int count, const MlirValue *values, int axis) {
  if (count == 1) {
    return values[0];
  }
  for (int i = 0; i < count; ++i) {
    if (mlirValueIsNull(values[i])) {
      return null_value;
    }
  }
  const genie_ir_attribute_t attribute = pt2_attr_i64(im, "axis", axis);
  return pt2_build(im, "genie.concat", count, values, 1, &attribute);
}

MlirValue pt2_reduce(pt2_importer_t *im, const char *name, MlirValue x, int axis_count, const int64_t *axes,
                     bool keepdim) {
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64s(im, "axes", axis_count, axes),
                                             pt2_attr_bool(im, "keepdim", keepdim)};
  return pt2_build(im, name, 1, &x, 2, attributes);
}

MlirValue pt2_where(pt2_importer_t *im, MlirValue condition, MlirValue lhs, MlirValue rhs) {
  return pt2_build(im, "genie.where", 3, (MlirValue[]){condition, lhs, rhs}, 0, NULL);
}

MlirValue pt2_iota(pt2_importer_t *im, const genie_tensor_type_t *type, double start, double step, int axis) {
  const genie_ir_attribute_t attributes[] = {pt2_attr_f64(im, "start", start), pt2_attr_f64(im, "step", step),
                                             pt2_attr_i64(im, "axis", axis)};
  return pt2_build_typed(im, "genie.iota", 0, NULL, 3, attributes, type);
}

genie_ir_attribute_t pt2_attr_i64(const pt2_importer_t *im, const char *name, int64_t value) {
  return (genie_ir_attribute_t){name, genie_ir_i64_attr(im->builder.context, value)};
}
genie_ir_attribute_t pt2_attr_f64(const pt2_importer_t *im, const char *name, double value) {
  return (genie_ir_attribute_t){name, genie_ir_f64_attr(im->builder.context, value)};
}
genie_ir_attribute_t pt2_attr_bool(const pt2_importer_t *im, const char *name, bool value) {
  return (genie_ir_attribute_t){name, genie_ir_bool_attr(im->builder.context, value)};
}
genie_ir_attribute_t pt2_attr_string(const pt2_importer_t *im, const char *name, const char *value) {
  return (genie_ir_attribute_t){name, genie_ir_string_attr(im->builder.context, value)};
}
genie_ir_attribute_t pt2_attr_i64s(const pt2_importer_t *im, const char *name, int count, const int64_t *values) {
  return (genie_ir_attribute_t){name, genie_ir_i64_array_attr(im->builder.context, count, values)};
}
genie_ir_attribute_t pt2_attr_size(const pt2_importer_t *im, const char *name, MlirAffineExpr value) {
  return (genie_ir_attribute_t){name, genie_ir_dim_attr(im->builder.context, value)};
}
