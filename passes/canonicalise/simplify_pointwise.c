// Arithmetic with neutral numbers, exact casts, and pointwise ops that have a simpler form.
#include "passes/canonicalise/simplify.h"

static bool is_splat(MlirValue value, double number) {
  double found;
  return genie_ir_splat_value(value, &found) && found == number;
}

static bool is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

// `value` in place of `op`, where broadcasting changed nothing; else expanded to the op's shape.
static genie_status_t replace_broadcast(MlirOperation op, MlirValue value, MlirValue *out_value) {
  if (genie_rewrite_same_type(value, genie_rewrite_result(op))) {
    *out_value = value;
    return GENIE_OK;
  }
  if (genie_value_type(value).dtype != genie_value_type(genie_rewrite_result(op)).dtype) {
    return GENIE_OK;
  }
  return genie_rewrite_make_typed(op, "genie.expand", 1, &value, 0, NULL, mlirValueGetType(genie_rewrite_result(op)),
                                  out_value);
}

static MlirValue lhs(MlirOperation op) {
  return mlirOperationGetOperand(op, 0);
}
static MlirValue rhs(MlirOperation op) {
  return mlirOperationGetOperand(op, 1);
}

static bool is_bool(MlirOperation op) {
  return genie_value_type(genie_rewrite_result(op)).dtype == GENIE_DTYPE_BOOL;
}

// x + 0, 0 + x
static genie_status_t add_zero(MlirOperation op, MlirValue *out_value) {
  if (is_bool(op)) {
    return GENIE_OK;
  }
  if (is_splat(rhs(op), 0)) {
    return replace_broadcast(op, lhs(op), out_value);
  }
  return is_splat(lhs(op), 0) ? replace_broadcast(op, rhs(op), out_value) : GENIE_OK;
}

static genie_status_t sub_zero(MlirOperation op, MlirValue *out_value) {
  return is_splat(rhs(op), 0) ? replace_broadcast(op, lhs(op), out_value) : GENIE_OK;
}

// x * 1, 1 * x
static genie_status_t mul_one(MlirOperation op, MlirValue *out_value) {
  if (is_splat(rhs(op), 1)) {
    return replace_broadcast(op, lhs(op), out_value);
  }
  return is_splat(lhs(op), 1) ? replace_broadcast(op, rhs(op), out_value) : GENIE_OK;
}

// x * sigmoid(x)
static genie_status_t mul_sigmoid(MlirOperation op, MlirValue *out_value) {
  for (int side = 0; side < 2; ++side) {
    const MlirValue x = mlirOperationGetOperand(op, side);
    const MlirOperation sigmoid = genie_rewrite_definer_if(mlirOperationGetOperand(op, 1 - side), "genie.sigmoid");
    if (!mlirOperationIsNull(sigmoid) && mlirValueEqual(lhs(sigmoid), x)) {
      return genie_rewrite_make(op, "genie.silu", 1, &x, 0, NULL, out_value);
    }
  }
  return GENIE_OK;
}

static genie_status_t div_one(MlirOperation op, MlirValue *out_value) {
  return is_splat(rhs(op), 1) ? replace_broadcast(op, lhs(op), out_value) : GENIE_OK;
}

// x / c = x * (1 / c), exact for a power of two.
static genie_status_t div_power_of_two(MlirOperation op, MlirValue *out_value) {
  double number;
  const genie_dtype_t dtype = genie_value_type(lhs(op)).dtype;
  if (!is_float(dtype) || genie_value_type(rhs(op)).rank != 0 || !genie_ir_splat_value(rhs(op), &number)) {
    return GENIE_OK;
  }
  for (double power = 1.0 / 1024; power <= 1024; power *= 2) {
    if (number == power || number == -power) {
      const genie_ir_builder_t builder = genie_rewrite_before(op);
      const MlirValue operands[] = {lhs(op), genie_ir_scalar(&builder, dtype, 1 / number)};
      return genie_rewrite_make(op, "genie.mul", 2, operands, 0, NULL, out_value);
    }
  }
  return GENIE_OK;
}

static genie_status_t neg_neg(MlirOperation op, MlirValue *out_value) {
  const MlirOperation inner = genie_rewrite_definer_if(lhs(op), "genie.neg");
  if (!mlirOperationIsNull(inner)) {
    *out_value = lhs(inner);
  }
  return GENIE_OK;
}

static genie_status_t not_not(MlirOperation op, MlirValue *out_value) {
  const MlirOperation inner = genie_rewrite_definer_if(lhs(op), "genie.logical_not");
  if (!mlirOperationIsNull(inner) && genie_value_type(lhs(inner)).dtype == GENIE_DTYPE_BOOL) {
    *out_value = lhs(inner);
  }
  return GENIE_OK;
}

// The powers that have an op of their own.
static genie_status_t pow_special(MlirOperation op, MlirValue *out_value) {
  static const struct {
    double exponent;
    const char *name;
    bool is_square;
  } CASES[] = {{2, "genie.mul", true},
               {0.5, "genie.sqrt", false},
               {-0.5, "genie.rsqrt", false},
               {-1, "genie.reciprocal", false}};
  const MlirValue x = lhs(op);
  if (!genie_rewrite_same_dims(x, genie_rewrite_result(op))) {
    return GENIE_OK;
  }
  if (is_splat(rhs(op), 1)) {
    *out_value = x;
    return GENIE_OK;
  }
  const bool is_float_power = is_float(genie_value_type(x).dtype);
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); ++i) {
    if (is_splat(rhs(op), CASES[i].exponent) && (is_float_power || CASES[i].is_square)) {
      const MlirValue operands[] = {x, x};
      return genie_rewrite_make(op, CASES[i].name, CASES[i].is_square ? 2 : 1, operands, 0, NULL, out_value);
    }
  }
  if (is_splat(rhs(op), 3)) {
    const MlirValue twice[] = {x, x};
    MlirValue square;
    GENIE_RETURN_IF_ERROR(genie_rewrite_make(op, "genie.mul", 2, twice, 0, NULL, &square));
    const MlirValue operands[] = {square, x};
    return genie_rewrite_make(op, "genie.mul", 2, operands, 0, NULL, out_value);
  }
  return GENIE_OK;
}

// x and true, x or false, of bools.
static genie_status_t logic_with_neutral(MlirOperation op, MlirValue *out_value) {
  const double neutral = genie_op_is(op, "genie.bitwise_and") || genie_op_is(op, "genie.logical_and") ? 1 : 0;
  for (int side = 0; side < 2; ++side) {
    const MlirValue x = mlirOperationGetOperand(op, side);
    if (is_splat(mlirOperationGetOperand(op, 1 - side), neutral) && genie_value_type(x).dtype == GENIE_DTYPE_BOOL) {
      return replace_broadcast(op, x, out_value);
    }
  }
  return GENIE_OK;
}

static genie_status_t where_known(MlirOperation op, MlirValue *out_value) {
  double number;
  if (!genie_ir_splat_value(mlirOperationGetOperand(op, 0), &number)) {
    return GENIE_OK;
  }
  return replace_broadcast(op, mlirOperationGetOperand(op, number != 0 ? 1 : 2), out_value);
}

static genie_status_t drop_cast(MlirOperation op, MlirValue *out_value) {
  if (genie_rewrite_same_type(lhs(op), genie_rewrite_result(op))) {
    *out_value = lhs(op);
  }
  return GENIE_OK;
}

// True when every value of `from` is a value of `to`.
static bool is_exact_cast(genie_dtype_t from, genie_dtype_t to) {
  static const struct {
    genie_dtype_t from, to;
  } EXACT[] = {
      {GENIE_DTYPE_F16, GENIE_DTYPE_F32}, {GENIE_DTYPE_BF16, GENIE_DTYPE_F32}, {GENIE_DTYPE_F32, GENIE_DTYPE_F64},
      {GENIE_DTYPE_F16, GENIE_DTYPE_F64}, {GENIE_DTYPE_BF16, GENIE_DTYPE_F64}, {GENIE_DTYPE_I32, GENIE_DTYPE_I64},
      {GENIE_DTYPE_I16, GENIE_DTYPE_I64}, {GENIE_DTYPE_I8, GENIE_DTYPE_I64},   {GENIE_DTYPE_U8, GENIE_DTYPE_I64},
      {GENIE_DTYPE_I16, GENIE_DTYPE_I32}, {GENIE_DTYPE_I8, GENIE_DTYPE_I32},   {GENIE_DTYPE_U8, GENIE_DTYPE_I32},
      {GENIE_DTYPE_I32, GENIE_DTYPE_F64}};
  if (from == GENIE_DTYPE_BOOL || from == to) {
    return true;
  }
  for (size_t i = 0; i < sizeof(EXACT) / sizeof(EXACT[0]); ++i) {
    if (EXACT[i].from == from && EXACT[i].to == to) {
      return true;
    }
  }
  return false;
}

// cast(cast(x)) where the first lost nothing.
static genie_status_t merge_casts(MlirOperation op, MlirValue *out_value) {
  const MlirOperation inner = genie_rewrite_definer_if(lhs(op), "genie.cast");
  if (mlirOperationIsNull(inner) ||
      !is_exact_cast(genie_value_type(lhs(inner)).dtype, genie_value_type(lhs(op)).dtype)) {
    return GENIE_OK;
  }
  const MlirValue x = lhs(inner);
  return genie_rewrite_make_typed(op, "genie.cast", 1, &x, 0, NULL, mlirValueGetType(genie_rewrite_result(op)),
                                  out_value);
}

const genie_rule_t genie_simplify_pointwise_rules[] = {{"genie.add", add_zero},
                                                       {"genie.sub", sub_zero},
                                                       {"genie.mul", mul_one},
                                                       {"genie.mul", mul_sigmoid},
                                                       {"genie.div", div_one},
                                                       {"genie.div", div_power_of_two},
                                                       {"genie.neg", neg_neg},
                                                       {"genie.logical_not", not_not},
                                                       {"genie.pow", pow_special},
                                                       {"genie.bitwise_and", logic_with_neutral},
                                                       {"genie.bitwise_or", logic_with_neutral},
                                                       {"genie.logical_and", logic_with_neutral},
                                                       {"genie.logical_or", logic_with_neutral},
                                                       {"genie.where", where_known},
                                                       {"genie.cast", drop_cast},
                                                       {"genie.cast", merge_casts},
                                                       {NULL, NULL}};
