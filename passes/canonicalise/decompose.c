// decompose: ops without a kernel family become ops that have one; batch normalisation disappears into the convolution
// in front of it.
#include "passes/canonicalise/decompose.h"

#include <string.h>

static MlirValue operand0(MlirOperation op) {
  return mlirOperationGetOperand(op, 0);
}

static genie_status_t binary(MlirOperation origin, const char *name, MlirValue a, MlirValue b, MlirValue *out_value) {
  const MlirValue operands[] = {a, b};
  return genie_rewrite_make(origin, name, 2, operands, 0, NULL, out_value);
}

//===-- batch_norm ------------------------------------------------------------------------------------------------===//

// y = x * scale[c] + shift[c]
typedef struct channel_affine {
  MlirValue scale, shift;
} channel_affine_t;

static genie_status_t cast_to(MlirOperation op, MlirValue value, genie_dtype_t dtype, MlirValue *out_value) {
  genie_tensor_type_t type = genie_value_type(value);
  *out_value = value;
  if (type.dtype == dtype) {
    return GENIE_OK;
  }
  type.dtype = dtype;
  return genie_rewrite_make_typed(op, "genie.cast", 1, &value, 0, NULL,
                                  genie_type_make(mlirOperationGetContext(op), &type), out_value);
}

// The operand of this name, widened to f32 where it is narrower; null when absent.
static genie_status_t wide_operand(MlirOperation op, const char *name, MlirValue *out_value) {
  *out_value = genie_ir_operand(op, name);
  if (mlirValueIsNull(*out_value) || genie_value_type(*out_value).dtype == GENIE_DTYPE_F64) {
    return GENIE_OK;
  }
  return cast_to(op, *out_value, GENIE_DTYPE_F32, out_value);
}

// scale = weight / sqrt(var + eps), shift = bias - mean * scale
static genie_status_t make_channel_affine(MlirOperation op, channel_affine_t *out_affine) {
  MlirValue weight, bias, mean, var;
  GENIE_RETURN_IF_ERROR(wide_operand(op, "weight", &weight));
  GENIE_RETURN_IF_ERROR(wide_operand(op, "bias", &bias));
  GENIE_RETURN_IF_ERROR(wide_operand(op, "mean", &mean));
  GENIE_RETURN_IF_ERROR(wide_operand(op, "var", &var));
  const genie_ir_builder_t builder = genie_rewrite_before(op);
  const MlirValue eps = genie_ir_scalar(&builder, genie_value_type(var).dtype, genie_ir_f64(op, "eps"));
  MlirValue shifted, scale, moved;
  GENIE_RETURN_IF_ERROR(binary(op, "genie.add", var, eps, &shifted));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.rsqrt", 1, &shifted, 0, NULL, &scale));
  if (!mlirValueIsNull(weight)) {
    GENIE_RETURN_IF_ERROR(binary(op, "genie.mul", scale, weight, &scale));
  }
  GENIE_RETURN_IF_ERROR(binary(op, "genie.mul", mean, scale, &moved));
  out_affine->scale = scale;
  return mlirValueIsNull(bias) ? genie_rewrite_make(op, "genie.neg", 1, &moved, 0, NULL, &out_affine->shift)
                               : binary(op, "genie.sub", bias, moved, &out_affine->shift);
}

// `vector` [C] as [C, 1, ..] of `rank`.
static genie_status_t spread_channels(MlirOperation op, MlirValue vector, int rank, MlirValue *out_value) {
  const genie_tensor_type_t type = genie_value_type(vector);
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  dims[0] = type.dims[0];
  for (int i = 1; i < rank; ++i) {
    dims[i] = genie_dim_constant(mlirOperationGetContext(op), 1);
  }
  return genie_rewrite_make_reshape(op, vector, rank, dims, out_value);
}

// The convolution or linear in front of a batch_norm, when its weights are known and nobody else reads its result.
static MlirOperation foldable_product(MlirOperation op) {
  const MlirOperation product = genie_rewrite_definer(operand0(op));
  if (mlirOperationIsNull(product) || !(genie_op_is(product, "genie.conv") || genie_op_is(product, "genie.linear")) ||
      !genie_rewrite_has_one_use(operand0(op)) || !genie_ir_is_compile_time(mlirOperationGetOperand(product, 1))) {
    return (MlirOperation){NULL};
  }
  const bool is_linear = genie_op_is(product, "genie.linear");
  const bool has_bias = mlirOperationGetNumOperands(product) == 3;
  if ((is_linear && genie_value_type(operand0(op)).rank != 2) ||
      (has_bias && !genie_ir_is_compile_time(mlirOperationGetOperand(product, 2)))) {
    return (MlirOperation){NULL};
  }
  return product;
}

// conv(x, w, b) * scale + shift = conv(x, w * scale, b * scale + shift), rounded to the weight's dtype at the end.
static genie_status_t fold_into_product(MlirOperation op, MlirOperation product, const channel_affine_t *affine,
                                        MlirValue *out_value) {
  const genie_dtype_t dtype = genie_value_type(mlirOperationGetOperand(product, 1)).dtype;
  const genie_dtype_t wide = genie_value_type(affine->scale).dtype;
  MlirValue spread, weight, shift = affine->shift;
  GENIE_RETURN_IF_ERROR(cast_to(op, mlirOperationGetOperand(product, 1), wide, &weight));
  GENIE_RETURN_IF_ERROR(spread_channels(op, affine->scale, genie_value_type(weight).rank, &spread));
  GENIE_RETURN_IF_ERROR(binary(op, "genie.mul", weight, spread, &weight));
  if (mlirOperationGetNumOperands(product) == 3) {
    MlirValue bias;
    GENIE_RETURN_IF_ERROR(cast_to(op, mlirOperationGetOperand(product, 2), wide, &bias));
    GENIE_RETURN_IF_ERROR(binary(op, "genie.mul", bias, affine->scale, &bias));
    GENIE_RETURN_IF_ERROR(binary(op, "genie.add", bias, shift, &shift));
  }
  MlirValue operands[] = {operand0(product), {NULL}, {NULL}};
  GENIE_RETURN_IF_ERROR(cast_to(op, weight, dtype, &operands[1]));
  GENIE_RETURN_IF_ERROR(cast_to(op, shift, dtype, &operands[2]));
  const MlirOperation folded = mlirOperationClone(product);
  mlirOperationSetOperands(folded, 3, operands);
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), op, folded);
  *out_value = genie_rewrite_result(folded);
  return GENIE_OK;
}

static genie_status_t decompose_batch_norm(MlirOperation op, MlirValue *out_value) {
  channel_affine_t affine;
  GENIE_RETURN_IF_ERROR(make_channel_affine(op, &affine));
  const MlirOperation product = foldable_product(op);
  if (!mlirOperationIsNull(product) && genie_ir_is_compile_time(affine.shift)) {
    return fold_into_product(op, product, &affine, out_value);
  }
  const MlirValue x = operand0(op);
  const int trailing = genie_value_type(x).rank - 1;  // [C, 1, ..] broadcasts against [N, C, ..]
  MlirValue scale, shift, scaled;
  GENIE_RETURN_IF_ERROR(cast_to(op, affine.scale, genie_value_type(x).dtype, &scale));
  GENIE_RETURN_IF_ERROR(cast_to(op, affine.shift, genie_value_type(x).dtype, &shift));
  GENIE_RETURN_IF_ERROR(spread_channels(op, scale, trailing, &scale));
  GENIE_RETURN_IF_ERROR(spread_channels(op, shift, trailing, &shift));
  GENIE_RETURN_IF_ERROR(binary(op, "genie.mul", x, scale, &scaled));
  return binary(op, "genie.add", scaled, shift, out_value);
}

//===-- group_norm ------------------------------------------------------------------------------------------------===//

// Normalises [N, G, everything else] over its last dimension, then scales and shifts each channel.
static genie_status_t decompose_group_norm(MlirOperation op, MlirValue *out_value) {
  const MlirContext context = mlirOperationGetContext(op);
  const MlirValue x = operand0(op);
  const genie_tensor_type_t type = genie_value_type(x);
  const int64_t groups = genie_ir_i64(op, "groups");
  int64_t channels;
  if (!genie_dim_is_constant(type.dims[1], &channels) || groups <= 0 || channels % groups != 0) {
    char location[256];
    genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(location), location);
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: group_norm of a dynamic number of channels", location);
  }
  MlirAffineExpr size = genie_dim_constant(context, channels / groups);
  for (int i = 2; i < type.rank; ++i) {
    size = genie_dim_mul(size, type.dims[i]);
  }
  const MlirAffineExpr grouped_dims[] = {type.dims[0], genie_dim_constant(context, groups), size};
  MlirValue grouped, normalised;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, x, 3, grouped_dims, &grouped));
  const MlirValue operands[] = {grouped, {NULL}, {NULL}};
  const genie_ir_attribute_t attributes[] = {{"normalized_rank", genie_ir_i64_attr(context, 1)},
                                             {"eps", genie_ir_f64_attr(context, genie_ir_f64(op, "eps"))}};
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.layer_norm", 3, operands, 2, attributes, &normalised));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(op, normalised, type.rank, type.dims, out_value));
  static const struct {
    const char *operand, *name;
  } STEPS[] = {{"weight", "genie.mul"}, {"bias", "genie.add"}};
  for (int i = 0; i < 2; ++i) {
    MlirValue vector = genie_ir_operand(op, STEPS[i].operand);
    if (!mlirValueIsNull(vector)) {
      GENIE_RETURN_IF_ERROR(spread_channels(op, vector, type.rank - 1, &vector));
      GENIE_RETURN_IF_ERROR(binary(op, STEPS[i].name, *out_value, vector, out_value));
    }
  }
  return GENIE_OK;
}

//===-- Pooling and reductions ------------------------------------------------------------------------------------===//

// Adaptive pooling to one element is a mean.
static genie_status_t pool_to_mean(MlirOperation op, MlirValue *out_value) {
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(op));
  int64_t axes[GENIE_IR_MAX_RANK];
  int axis_count = 0;
  for (int i = 2; i < type.rank; ++i) {
    int64_t size;
    if (!genie_dim_is_constant(type.dims[i], &size) || size != 1) {
      return GENIE_OK;
    }
    axes[axis_count++] = i;
  }
  const MlirContext context = mlirOperationGetContext(op);
  const MlirValue x = operand0(op);
  const genie_ir_attribute_t attributes[] = {{"axes", genie_ir_i64_array_attr(context, axis_count, axes)},
                                             {"keepdim", genie_ir_bool_attr(context, true)}};
  return genie_rewrite_make(op, "genie.mean", 1, &x, 2, attributes, out_value);
}

static const genie_rule_t RULES[] = {{"genie.batch_norm", decompose_batch_norm},
                                     {"genie.group_norm", decompose_group_norm},
                                     {"genie.adaptive_avg_pool", pool_to_mean},
                                     {NULL, NULL}};

static genie_status_t decompose(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  static const genie_rule_t *const TABLES[] = {RULES, genie_decompose_integer_rules};
  return genie_rules_apply(function, 2, TABLES);
}

genie_status_t genie_pass_decompose(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, decompose);
}
