// Products with weights take their composite form: linear with its bias, convolution with its bias and padding.
#include <string.h>

#include "passes/canonicalise/simplify.h"

static MlirValue operand0(MlirOperation op) {
  return mlirOperationGetOperand(op, 0);
}

// matmul(x, w[K, N]) with a weight -> linear(x, w^T): the transposed weight is computed when the plan is made.
static genie_status_t matmul_to_linear(MlirOperation op, MlirValue *out_value) {
  MlirValue rhs = mlirOperationGetOperand(op, 1);
  const MlirOperation expand = genie_rewrite_definer_if(rhs, "genie.expand");
  if (!mlirOperationIsNull(expand) && genie_value_type(operand0(expand)).rank == 2) {
    rhs = operand0(expand);  // one matrix for the whole batch
  }
  if (genie_value_type(rhs).rank != 2 || !genie_ir_is_compile_time(rhs) || genie_ir_is_compile_time(operand0(op))) {
    return GENIE_OK;
  }
  static const int64_t TRANSPOSED[] = {1, 0};
  MlirValue weight;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_permute(op, rhs, 2, TRANSPOSED, &weight));
  const MlirValue operands[] = {operand0(op), weight, {NULL}};
  return genie_rewrite_make(op, "genie.linear", 3, operands, 0, NULL, out_value);
}

// True when `bias` holds one compile-time number for each of `channels` in dimension `axis` of a result of `rank`.
static bool is_channel_bias(MlirValue bias, int rank, int axis, MlirAffineExpr channels) {
  if (!genie_ir_is_compile_time(bias)) {
    return false;
  }
  const genie_tensor_type_t type = genie_value_type(bias);
  if (type.rank > rank || type.rank < rank - axis) {
    return false;
  }
  for (int i = 0; i < type.rank; ++i) {
    const bool is_channel = i + rank - type.rank == axis;
    int64_t size;
    if (is_channel ? !genie_dim_equal(type.dims[i], channels)
                   : !(genie_dim_is_constant(type.dims[i], &size) && size == 1)) {
      return false;
    }
  }
  return true;
}

// A clone of `product` with `bias` as its third operand, where `op` is: the bias need not be known any earlier.
static genie_status_t rebuild_with_bias(MlirOperation op, MlirOperation product, MlirValue bias, int attribute_count,
                                        const genie_ir_attribute_t *attributes, MlirValue *out_value) {
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(product));
  const int axis = genie_op_is(product, "genie.linear") ? type.rank - 1 : 1;
  MlirValue flat;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, bias, 1, &type.dims[axis], &flat));
  const MlirValue operands[] = {operand0(product), mlirOperationGetOperand(product, 1), flat};
  const char *name = genie_op_info_get(product)->name;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, name, 3, operands, attribute_count, attributes, out_value));
  genie_rewrite_copy_annotations(product, genie_rewrite_definer(*out_value));
  return GENIE_OK;
}

static int conv_attributes(MlirOperation conv, genie_ir_attribute_t out_attributes[5]) {
  static const char *const NAMES[] = {"stride", "padding_low", "padding_high", "dilation", "groups"};
  for (int i = 0; i < 5; ++i) {
    out_attributes[i] = (genie_ir_attribute_t){
        NAMES[i], mlirOperationGetAttributeByName(conv, mlirStringRefCreateFromCString(NAMES[i]))};
  }
  return 5;
}

// The operand of `op` on `side` if it is a linear or convolution without bias that only `op` reads.
static MlirOperation bare_product(MlirOperation op, int side) {
  const MlirValue value = mlirOperationGetOperand(op, side);
  const MlirOperation product = genie_rewrite_definer(value);
  const bool is_product = !mlirOperationIsNull(product) && mlirOperationGetNumOperands(product) == 2 &&
                          (genie_op_is(product, "genie.linear") || genie_op_is(product, "genie.conv"));
  return is_product && genie_rewrite_has_one_use(value) ? product : (MlirOperation){NULL};
}

// linear(x, w) + b -> linear(x, w, b), and likewise for a convolution.
static genie_status_t add_bias(MlirOperation op, MlirValue *out_value) {
  for (int side = 0; side < 2; ++side) {
    const MlirOperation product = bare_product(op, side);
    const MlirValue bias = mlirOperationGetOperand(op, 1 - side);
    if (mlirOperationIsNull(product) ||
        !genie_rewrite_same_type(genie_rewrite_result(product), genie_rewrite_result(op))) {
      continue;
    }
    const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(product));
    const int axis = genie_op_is(product, "genie.linear") ? type.rank - 1 : 1;
    if (is_channel_bias(bias, type.rank, axis, type.dims[axis])) {
      genie_ir_attribute_t attributes[5];
      const int count = genie_op_is(product, "genie.conv") ? conv_attributes(product, attributes) : 0;
      return rebuild_with_bias(op, product, bias, count, attributes, out_value);
    }
  }
  return GENIE_OK;
}

// conv(pad(x)) with zeros around the spatial dimensions -> conv with larger padding.
static genie_status_t conv_of_pad(MlirOperation op, MlirValue *out_value) {
  const MlirOperation pad = genie_rewrite_definer_if(operand0(op), "genie.pad");
  if (mlirOperationIsNull(pad) || genie_ir_f64(pad, "value") != 0 ||
      !mlirStringRefEqual(genie_ir_string(pad, "mode"), mlirStringRefCreateFromCString("constant"))) {
    return GENIE_OK;
  }
  int64_t pad_low[GENIE_IR_MAX_RANK], pad_high[GENIE_IR_MAX_RANK], low[GENIE_IR_MAX_RANK], high[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(pad, "low", GENIE_IR_MAX_RANK, pad_low);
  genie_ir_i64_array(pad, "high", GENIE_IR_MAX_RANK, pad_high);
  const int spatial = genie_ir_i64_array(op, "padding_low", GENIE_IR_MAX_RANK, low);
  genie_ir_i64_array(op, "padding_high", GENIE_IR_MAX_RANK, high);
  for (int i = 0; i < rank; ++i) {
    const bool is_spatial = i >= rank - spatial;
    if (pad_low[i] < 0 || pad_high[i] < 0 || (!is_spatial && (pad_low[i] != 0 || pad_high[i] != 0))) {
      return GENIE_OK;
    }
    if (is_spatial) {
      low[i - (rank - spatial)] += pad_low[i];
      high[i - (rank - spatial)] += pad_high[i];
    }
  }
  const MlirContext context = mlirOperationGetContext(op);
  genie_ir_attribute_t attributes[5];
  const int count = conv_attributes(op, attributes);
  attributes[1].value = genie_ir_i64_array_attr(context, spatial, low);
  attributes[2].value = genie_ir_i64_array_attr(context, spatial, high);
  const bool has_bias = mlirOperationGetNumOperands(op) == 3;
  const MlirValue operands[] = {operand0(pad), mlirOperationGetOperand(op, 1),
                                has_bias ? mlirOperationGetOperand(op, 2) : (MlirValue){NULL}};
  return genie_rewrite_make(op, "genie.conv", 3, operands, count, attributes, out_value);
}

// reshape(linear(x)) that keeps the last dimension -> linear(reshape(x)): what follows finds the product in front of
// it, and the reshape meets the one that flattened x.
static genie_status_t reshape_in_front_of_linear(MlirOperation op, MlirValue *out_value) {
  const MlirOperation linear = genie_rewrite_definer_if(operand0(op), "genie.linear");
  if (mlirOperationIsNull(linear) || !genie_rewrite_has_one_use(operand0(op))) {
    return GENIE_OK;
  }
  const genie_tensor_type_t from = genie_value_type(operand0(op)), to = genie_value_type(genie_rewrite_result(op));
  if (to.rank < 2 || !genie_dim_equal(from.dims[from.rank - 1], to.dims[to.rank - 1])) {
    return GENIE_OK;
  }
  const genie_tensor_type_t x_type = genie_value_type(operand0(linear));
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  memcpy(dims, to.dims, sizeof(dims));
  dims[to.rank - 1] = x_type.dims[x_type.rank - 1];
  MlirValue x;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(linear, operand0(linear), to.rank, dims, &x));
  const MlirValue operands[] = {x, mlirOperationGetOperand(linear, 1), genie_ir_operand(linear, "bias")};
  return genie_rewrite_make(linear, "genie.linear", 3, operands, 0, NULL, out_value);
}

// The operand of the reshape that makes `value` [B * H, M, N] of [B, H, M, N]; null where there is none.
static MlirValue unflattened(MlirValue value) {
  const MlirOperation reshape = genie_rewrite_definer_if(value, "genie.reshape");
  if (mlirOperationIsNull(reshape)) {
    return (MlirValue){NULL};
  }
  const genie_tensor_type_t to = genie_value_type(value), from = genie_value_type(operand0(reshape));
  const bool is_flattened = to.rank == 3 && from.rank == 4 && genie_dim_equal(to.dims[1], from.dims[2]) &&
                            genie_dim_equal(to.dims[2], from.dims[3]);
  return is_flattened ? operand0(reshape) : (MlirValue){NULL};
}

// A product of matrices whose two batch dimensions were made one -> the product with two, for attention to be seen.
static genie_status_t matmul_of_flattened(MlirOperation op, MlirValue *out_value) {
  const MlirValue operands[] = {unflattened(operand0(op)), unflattened(mlirOperationGetOperand(op, 1))};
  if (mlirValueIsNull(operands[0]) || mlirValueIsNull(operands[1])) {
    return GENIE_OK;
  }
  const genie_tensor_type_t a = genie_value_type(operands[0]), b = genie_value_type(operands[1]);
  if (!genie_dim_equal(a.dims[0], b.dims[0]) || !genie_dim_equal(a.dims[1], b.dims[1])) {
    return GENIE_OK;
  }
  MlirValue product;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.matmul", 2, operands, 0, NULL, &product));
  return genie_rewrite_make_reshape(op, product, 3, genie_value_type(genie_rewrite_result(op)).dims, out_value);
}

static bool is_all(MlirOperation op, const char *name, int64_t expected) {
  int64_t numbers[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, name, GENIE_IR_MAX_RANK, numbers);
  for (int i = 0; i < count; ++i) {
    if (numbers[i] != expected) {
      return false;
    }
  }
  return true;
}

static bool has_one_pixel(MlirValue image) {
  const genie_tensor_type_t type = genie_value_type(image);
  for (int i = 2; i < type.rank; ++i) {
    int64_t size;
    if (!genie_dim_is_constant(type.dims[i], &size) || size != 1) {
      return false;
    }
  }
  return true;
}

// A convolution of single pixels -> linear, which has a kernel for few rows.
static genie_status_t conv_of_pixels(MlirOperation op, MlirValue *out_value) {
  const MlirValue weight = mlirOperationGetOperand(op, 1);
  if (genie_ir_i64(op, "groups") != 1 || !has_one_pixel(operand0(op)) || !has_one_pixel(weight) ||
      !is_all(op, "padding_low", 0) || !is_all(op, "padding_high", 0)) {
    return GENIE_OK;
  }
  const genie_tensor_type_t x_type = genie_value_type(operand0(op)), weight_type = genie_value_type(weight);
  MlirValue x, matrix, y;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, operand0(op), 2, x_type.dims, &x));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, weight, 2, weight_type.dims, &matrix));
  const MlirValue operands[] = {x, matrix, genie_ir_operand(op, "bias")};
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.linear", 3, operands, 0, NULL, &y));
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(op));
  return genie_rewrite_make_reshape(op, y, type.rank, type.dims, out_value);
}

const genie_rule_t genie_simplify_product_rules[] = {{"genie.matmul", matmul_to_linear},
                                                     {"genie.matmul", matmul_of_flattened},
                                                     {"genie.reshape", reshape_in_front_of_linear},
                                                     {"genie.add", add_bias},
                                                     {"genie.conv", conv_of_pad},
                                                     {"genie.conv", conv_of_pixels},
                                                     {NULL, NULL}};
