// decompose: products of integers, which no gemm kernel multiplies, are sums of products. They wrap as PyTorch's do:
// what a narrow type loses of a product is lost of the sum as well.
#include "passes/canonicalise/decompose.h"

static bool is_integer(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_I64 || dtype == GENIE_DTYPE_I32 || dtype == GENIE_DTYPE_I16 || dtype == GENIE_DTYPE_I8 ||
         dtype == GENIE_DTYPE_U8;
}

// `x` with a dimension of 1 in front of dimension `axis`.
static genie_status_t widen(MlirOperation op, MlirValue x, int axis, MlirValue *out_value) {
  const genie_tensor_type_t type = genie_value_type(x);
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  for (int i = 0; i <= type.rank; ++i) {
    dims[i] = i < axis   ? type.dims[i]
              : i > axis ? type.dims[i - 1]
                         : genie_dim_constant(mlirOperationGetContext(op), 1);
  }
  return genie_rewrite_make_reshape(op, x, type.rank + 1, dims, out_value);
}

// lhs [.., M, K] and rows [.., N, K]: the sum over K of [.., M, 1, K] * [.., 1, N, K].
static genie_status_t sum_of_products(MlirOperation op, MlirValue lhs, MlirValue rows, MlirValue *out_value) {
  const MlirContext context = mlirOperationGetContext(op);
  const int lhs_rank = genie_value_type(lhs).rank, rows_rank = genie_value_type(rows).rank;
  const int rank = (lhs_rank > rows_rank ? lhs_rank : rows_rank) + 1;
  if (rank > GENIE_IR_MAX_RANK) {
    char location[256];
    genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(location), location);
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: a product of integers of this many dimensions", location);
  }
  MlirValue a, b, products;
  GENIE_RETURN_IF_ERROR(widen(op, lhs, lhs_rank - 1, &a));
  GENIE_RETURN_IF_ERROR(widen(op, rows, rows_rank - 2, &b));
  const MlirValue sides[] = {a, b};
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.mul", 2, sides, 0, NULL, &products));
  const int64_t axis = rank - 1;
  const genie_ir_attribute_t attributes[] = {{"axes", genie_ir_i64_array_attr(context, 1, &axis)},
                                             {"keepdim", genie_ir_bool_attr(context, false)}};
  return genie_rewrite_make(op, "genie.sum", 1, &products, 2, attributes, out_value);
}

static genie_status_t decompose_matmul(MlirOperation op, MlirValue *out_value) {
  const MlirValue rhs = mlirOperationGetOperand(op, 1);
  const int rank = genie_value_type(rhs).rank;
  if (!is_integer(genie_value_type(rhs).dtype)) {
    return GENIE_OK;
  }
  int64_t permutation[GENIE_IR_MAX_RANK];
  for (int i = 0; i < rank; ++i) {
    permutation[i] = i < rank - 2 ? i : i == rank - 2 ? rank - 1 : rank - 2;
  }
  MlirValue rows;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_permute(op, rhs, rank, permutation, &rows));
  return sum_of_products(op, mlirOperationGetOperand(op, 0), rows, out_value);
}

static genie_status_t decompose_linear(MlirOperation op, MlirValue *out_value) {
  MlirValue x = mlirOperationGetOperand(op, 0), bias = genie_ir_operand(op, "bias");
  if (!is_integer(genie_value_type(x).dtype)) {
    return GENIE_OK;
  }
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(op));
  if (genie_value_type(x).rank == 1) {
    GENIE_RETURN_IF_ERROR(widen(op, x, 0, &x));
  }
  GENIE_RETURN_IF_ERROR(sum_of_products(op, x, mlirOperationGetOperand(op, 1), out_value));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, *out_value, type.rank, type.dims, out_value));
  const MlirValue sides[] = {*out_value, bias};
  return mlirValueIsNull(bias) ? GENIE_OK : genie_rewrite_make(op, "genie.add", 2, sides, 0, NULL, out_value);
}

const genie_rule_t genie_decompose_integer_rules[] = {
    {"genie.matmul", decompose_matmul}, {"genie.linear", decompose_linear}, {NULL, NULL}};
