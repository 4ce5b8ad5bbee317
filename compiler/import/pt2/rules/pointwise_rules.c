// Pointwise ops: dtypes made explicit as PyTorch promotes, and activations that are compositions.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

// The operand of a unary op is called self or input.
static MlirValue operand_of(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_pt2_arg_t *arg = node->input_count > 0 ? &node->inputs[0].arg : NULL;
  return pt2_tensor_of(im, arg);
}

// Computes in the result's dtype: integers are promoted to floats by exp and its like. Further arguments of the schema
// are the attributes that the column names, all real numbers or strings.
void pt2_rule_unary(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue x = pt2_cast(im, operand_of(im, node), type.dtype);
  pt2_bind(im, node, 0, pt2_unary(im, pt2_mapping(im)->op->name, x));
}

// A boolean result of an operand of any dtype.
void pt2_rule_predicate(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind(im, node, 0, pt2_unary(im, pt2_mapping(im)->op->name, operand_of(im, node)));
}

static const genie_pt2_arg_t *other_of(const pt2_node_t *node) {
  const genie_pt2_arg_t *other = pt2_arg(node, "other");
  return other != NULL ? other : pt2_arg(node, "exponent");
}

// Computes in the result's dtype; add and sub scale their second operand by `alpha`.
void pt2_rule_binary(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const genie_pt2_arg_t *self = pt2_arg(node, "self");
  const MlirValue lhs = pt2_operand_of(im, self != NULL ? self : pt2_arg(node, "input"), type.dtype);
  MlirValue rhs = pt2_operand_of(im, other_of(node), type.dtype);
  const genie_pt2_arg_t *alpha = pt2_arg(node, "alpha");
  if (alpha != NULL && !((alpha->kind == GENIE_PT2_INT && alpha->integer == 1) ||
                         (alpha->kind == GENIE_PT2_FLOAT && alpha->number == 1))) {
    rhs = pt2_binary(im, "genie.mul", rhs, pt2_operand_of(im, alpha, type.dtype));
  }
  pt2_bind(im, node, 0, pt2_binary(im, pt2_mapping(im)->op->name, lhs, rhs));
}

// The dtype in which PyTorch compares: tensors with dimensions outrank 0-d tensors, which outrank numbers, unless the
// lower rank is of a higher category (bool, integer, float).
static int category(genie_dtype_t dtype) {
  return pt2_dtype_is_float(dtype) ? 2 : dtype == GENIE_DTYPE_BOOL ? 0 : 1;
}

static genie_dtype_t combine(genie_dtype_t higher, genie_dtype_t lower) {
  return higher == GENIE_DTYPE_INVALID                                         ? lower
         : lower == GENIE_DTYPE_INVALID || category(higher) >= category(lower) ? higher
                                                                               : lower;
}

static void add_participant(pt2_importer_t *im, const genie_pt2_arg_t *arg, genie_dtype_t out_ranks[3]) {
  genie_dtype_t dtype = GENIE_DTYPE_BOOL;
  int rank = 2;
  if (arg == NULL || arg->kind == GENIE_PT2_BOOL) {
    // numbers and booleans keep rank 2
  } else if (arg->kind == GENIE_PT2_TENSOR) {
    const genie_tensor_type_t type = pt2_type(pt2_tensor_of(im, arg));
    dtype = type.dtype;
    rank = type.rank > 0 ? 0 : 1;
  } else {
    dtype = arg->kind == GENIE_PT2_FLOAT ? GENIE_DTYPE_F32 : GENIE_DTYPE_I64;
  }
  out_ranks[rank] = out_ranks[rank] == GENIE_DTYPE_INVALID ? dtype : pt2_promote(out_ranks[rank], dtype);
}

static genie_dtype_t common_dtype(pt2_importer_t *im, const genie_pt2_arg_t *a, const genie_pt2_arg_t *b) {
  genie_dtype_t ranks[3] = {GENIE_DTYPE_INVALID, GENIE_DTYPE_INVALID, GENIE_DTYPE_INVALID};
  add_participant(im, a, ranks);
  add_participant(im, b, ranks);
  return combine(combine(ranks[0], ranks[1]), ranks[2]);
}

// A boolean result; the operands are brought to their common dtype.
void pt2_rule_compare(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_pt2_arg_t *self = pt2_arg(node, "self"), *other = other_of(node);
  const genie_dtype_t dtype = common_dtype(im, self, other);
  const MlirValue lhs = pt2_operand_of(im, self, dtype), rhs = pt2_operand_of(im, other, dtype);
  pt2_bind(im, node, 0, pt2_binary(im, pt2_mapping(im)->op->name, lhs, rhs));
}

// where(condition, self, other), either of the values a number.
void pt2_rule_where(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue condition = pt2_cast(im, pt2_tensor(im, node, "condition"), GENIE_DTYPE_BOOL);
  pt2_bind(
      im, node, 0,
      pt2_where(im, condition, pt2_operand(im, node, "self", type.dtype), pt2_operand(im, node, "other", type.dtype)));
}

//===-- Clamps ----------------------------------------------------------------------------------------------------===//

static MlirValue clamp(pt2_importer_t *im, MlirValue x, bool has_minimum, double minimum, bool has_maximum,
                       double maximum) {
  genie_ir_attribute_t attributes[2];
  int count = 0;
  if (has_minimum) {
    attributes[count++] = pt2_attr_f64(im, "minimum", minimum);
  }
  if (has_maximum) {
    attributes[count++] = pt2_attr_f64(im, "maximum", maximum);
  }
  return count == 0 ? x : pt2_build(im, "genie.clamp", 1, &x, count, attributes);
}

// clamp, clamp_min, clamp_max, hardtanh and relu6; bounds that are tensors become minimum and maximum.
void pt2_rule_clamp(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  const MlirValue x = pt2_cast(im, operand_of(im, node), dtype);
  const char *overload = pt2_mapping(im)->overload;
  if (strncmp(overload, "relu6", 5) == 0) {
    pt2_bind(im, node, 0, clamp(im, x, true, 0, true, 6));
    return;
  }
  const bool is_hardtanh = strncmp(overload, "hardtanh", 8) == 0;
  const char *low = is_hardtanh ? "min_val" : "min", *high = is_hardtanh ? "max_val" : "max";
  const bool has_low = is_hardtanh || pt2_arg(node, low) != NULL, has_high = is_hardtanh || pt2_arg(node, high) != NULL;
  const double minimum = has_low ? pt2_float(im, node, low, -1) : 0,
               maximum = has_high ? pt2_float(im, node, high, 1) : 0;
  pt2_bind(im, node, 0, clamp(im, x, has_low, minimum, has_high, maximum));
}

static void rule_clamp_tensor(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  MlirValue x = pt2_cast(im, operand_of(im, node), dtype);
  if (pt2_arg(node, "min") != NULL) {
    x = pt2_binary(im, "genie.maximum", x, pt2_operand(im, node, "min", dtype));
  }
  if (pt2_arg(node, "max") != NULL) {
    x = pt2_binary(im, "genie.minimum", x, pt2_operand(im, node, "max", dtype));
  }
  pt2_bind(im, node, 0, x);
}

//===-- Compositions ----------------------------------------------------------------------------------------------===//

static MlirValue self_in_result_dtype(pt2_importer_t *im, const pt2_node_t *node, genie_dtype_t *out_dtype) {
  *out_dtype = pt2_result_type(im, node, 0).dtype;
  return pt2_cast(im, operand_of(im, node), *out_dtype);
}

static MlirValue scale(pt2_importer_t *im, MlirValue x, double factor) {
  return pt2_binary(im, "genie.mul", x, pt2_scalar(im, pt2_type(x).dtype, factor));
}

static MlirValue offset(pt2_importer_t *im, MlirValue x, double addend) {
  return pt2_binary(im, "genie.add", x, pt2_scalar(im, pt2_type(x).dtype, addend));
}

static void rule_square(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", x, x));
}

static void rule_exp2(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.pow", pt2_scalar(im, dtype, 2), x));
}

static void rule_erfc(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.sub", pt2_scalar(im, dtype, 1), pt2_unary(im, "genie.erf", x)));
}

// sinh and cosh: (e^x -+ e^-x) / 2
static void rule_hyperbolic(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const bool is_sinh = strncmp(pt2_mapping(im)->overload, "sinh", 4) == 0;
  const MlirValue up = pt2_unary(im, is_sinh ? "genie.expm1" : "genie.exp", x);
  const MlirValue down = pt2_unary(im, is_sinh ? "genie.expm1" : "genie.exp", pt2_unary(im, "genie.neg", x));
  pt2_bind(im, node, 0, scale(im, pt2_binary(im, is_sinh ? "genie.sub" : "genie.add", up, down), 0.5));
}

static MlirValue one_minus_square_root(pt2_importer_t *im, MlirValue x) {
  const MlirValue one = pt2_scalar(im, pt2_type(x).dtype, 1);
  const MlirValue product =
      pt2_binary(im, "genie.mul", pt2_binary(im, "genie.sub", one, x), pt2_binary(im, "genie.add", one, x));
  return pt2_unary(im, "genie.sqrt", product);
}

// asin(x) = atan2(x, sqrt(1 - x^2)), acos(x) = atan2(sqrt(1 - x^2), x)
static void rule_arc(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype), side = one_minus_square_root(im, x);
  const bool is_sine =
      strncmp(pt2_mapping(im)->overload, "asin", 4) == 0 || strncmp(pt2_mapping(im)->overload, "arcsin", 6) == 0;
  pt2_bind(im, node, 0, pt2_binary(im, "genie.atan2", is_sine ? x : side, is_sine ? side : x));
}

// sign(x) f(|x|): functions that are odd, precise for small x by log1p.
static MlirValue with_sign_of(pt2_importer_t *im, MlirValue size, MlirValue x) {
  const MlirValue is_below = pt2_binary(im, "genie.lt", x, pt2_scalar(im, pt2_type(x).dtype, 0));
  return pt2_where(im, is_below, pt2_unary(im, "genie.neg", size), size);
}

// log(2 a), which asinh and acosh are, to the last bit of their dtype, where a^2 might overflow; else `value`.
static MlirValue unless_large(pt2_importer_t *im, MlirValue a, MlirValue value) {
  const genie_dtype_t dtype = pt2_type(a).dtype;
  const MlirValue is_large = pt2_binary(im, "genie.gt", a, pt2_scalar(im, dtype, dtype == GENIE_DTYPE_F16 ? 100 : 1e9));
  return pt2_where(im, is_large, offset(im, pt2_unary(im, "genie.log", a), 0.69314718055994531), value);
}

// asinh(x) = sign(x) log1p(a + a^2 / (1 + sqrt(1 + a^2))), a = |x|; atanh(x) = sign(x) log1p(2 a / (1 - a)) / 2;
// acosh(x) = log1p(t + sqrt(2 t + t^2)), t = x - 1.
static void rule_arc_hyperbolic(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const char *overload = pt2_mapping(im)->overload;
  const char *name = strncmp(overload, "arc", 3) == 0 ? overload + 3 : overload + 1;
  if (strncmp(name, "cosh", 4) == 0) {
    const MlirValue t = offset(im, x, -1);
    const MlirValue root = pt2_unary(im, "genie.sqrt", pt2_binary(im, "genie.mul", t, offset(im, t, 2)));
    const MlirValue small = pt2_unary(im, "genie.log1p", pt2_binary(im, "genie.add", t, root));
    pt2_bind(im, node, 0, unless_large(im, x, small));
    return;
  }
  const MlirValue a = pt2_unary(im, "genie.abs", x);
  MlirValue size;
  if (strncmp(name, "sinh", 4) == 0) {
    const MlirValue square = pt2_binary(im, "genie.mul", a, a);
    const MlirValue root = pt2_unary(im, "genie.sqrt", offset(im, square, 1));
    const MlirValue rest = pt2_binary(im, "genie.div", square, offset(im, root, 1));
    const MlirValue small = pt2_unary(im, "genie.log1p", pt2_binary(im, "genie.add", a, rest));
    size = unless_large(im, a, small);
  } else {
    const MlirValue rest = pt2_binary(im, "genie.sub", pt2_scalar(im, dtype, 1), a);
    size = scale(im, pt2_unary(im, "genie.log1p", scale(im, pt2_binary(im, "genie.div", a, rest), 2)), 0.5);
  }
  pt2_bind(im, node, 0, with_sign_of(im, size, x));
}

// True where the sign bit is set, of -0 as well; a NaN's is not looked at.
static MlirValue is_negative(pt2_importer_t *im, MlirValue x) {
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue zero = pt2_scalar(im, dtype, 0), is_below = pt2_binary(im, "genie.lt", x, zero);
  if (!pt2_dtype_is_float(dtype)) {
    return is_below;
  }
  const MlirValue is_inverse_below = pt2_binary(im, "genie.lt", pt2_unary(im, "genie.reciprocal", x), zero);
  return pt2_binary(im, "genie.logical_or", is_below, is_inverse_below);
}

static void rule_signbit(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind(im, node, 0, is_negative(im, operand_of(im, node)));
}

static void rule_copysign(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = pt2_unary(im, "genie.abs", self_in_result_dtype(im, node, &dtype));
  const MlirValue sign = is_negative(im, pt2_operand(im, node, "other", dtype));
  pt2_bind(im, node, 0, pt2_where(im, sign, pt2_unary(im, "genie.neg", x), x));
}

// hypot: the larger side times sqrt(1 + (smaller / larger)^2), which does not overflow before its result.
static void rule_hypot(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = pt2_unary(im, "genie.abs", self_in_result_dtype(im, node, &dtype));
  const MlirValue y = pt2_unary(im, "genie.abs", pt2_operand(im, node, "other", dtype));
  const MlirValue large = pt2_binary(im, "genie.maximum", x, y), zero = pt2_scalar(im, dtype, 0);
  const MlirValue ratio = pt2_binary(im, "genie.div", pt2_binary(im, "genie.minimum", x, y), large);
  const MlirValue root = pt2_unary(im, "genie.sqrt", offset(im, pt2_binary(im, "genie.mul", ratio, ratio), 1));
  const MlirValue is_plain =
      pt2_binary(im, "genie.logical_or", pt2_binary(im, "genie.eq", large, zero), pt2_unary(im, "genie.isinf", large));
  pt2_bind(im, node, 0, pt2_where(im, is_plain, large, pt2_binary(im, "genie.mul", large, root)));
}

// fmax, fmin: the other operand where one is NaN.
static void rule_number_extremum(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype), y = pt2_operand(im, node, "other", dtype);
  const char *name = strncmp(pt2_mapping(im)->overload, "fmax", 4) == 0 ? "genie.maximum" : "genie.minimum";
  MlirValue result = pt2_binary(im, name, x, y);
  if (pt2_dtype_is_float(dtype)) {
    result = pt2_where(im, pt2_unary(im, "genie.isnan", y), x, result);
    result = pt2_where(im, pt2_unary(im, "genie.isnan", x), y, result);
  }
  pt2_bind(im, node, 0, result);
}

// ldexp: self * 2^other
static void rule_ldexp(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const MlirValue power = pt2_binary(im, "genie.pow", pt2_scalar(im, dtype, 2), pt2_operand(im, node, "other", dtype));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", x, power));
}

// sgn of real numbers is sign.
static void rule_sign(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind(im, node, 0, pt2_unary(im, "genie.sign", operand_of(im, node)));
}

static void rule_isfinite(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const MlirValue is_odd =
      pt2_binary(im, "genie.logical_or", pt2_unary(im, "genie.isnan", x), pt2_unary(im, "genie.isinf", x));
  pt2_bind(im, node, 0, pt2_unary(im, "genie.logical_not", is_odd));
}

static double largest(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F16    ? 65504
         : dtype == GENIE_DTYPE_BF16 ? 3.3895313892515355e38
         : dtype == GENIE_DTYPE_F64  ? 1.7976931348623157e308
                                     : 3.4028234663852886e38;
}

static void rule_nan_to_num(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = operand_of(im, node);
  const genie_dtype_t dtype = pt2_type(x).dtype;
  if (pt2_dtype_is_float(dtype)) {
    const double high = pt2_float(im, node, "posinf", largest(dtype)),
                 low = pt2_float(im, node, "neginf", -largest(dtype));
    const MlirValue zero = pt2_scalar(im, dtype, 0), is_infinite = pt2_unary(im, "genie.isinf", x);
    const MlirValue is_low = pt2_binary(im, "genie.lt", x, zero);
    const MlirValue bound = pt2_where(im, is_low, pt2_scalar(im, dtype, low), pt2_scalar(im, dtype, high));
    const MlirValue finite = pt2_where(im, is_infinite, bound, x);
    x = pt2_where(im, pt2_unary(im, "genie.isnan", x), pt2_scalar(im, dtype, pt2_float(im, node, "nan", 0)), finite);
  }
  pt2_bind(im, node, 0, x);
}

// rsub(self, other, alpha) = other - alpha * self
static void rule_rsub(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  MlirValue x = self_in_result_dtype(im, node, &dtype);
  const double alpha = pt2_float(im, node, "alpha", 1);
  x = alpha == 1 ? x : scale(im, x, alpha);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.sub", pt2_operand(im, node, "other", dtype), x));
}

// addcmul, addcdiv: self + value * tensor1 (*, /) tensor2
static void rule_addc(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const bool is_product = strncmp(pt2_mapping(im)->overload, "addcmul", 7) == 0;
  MlirValue term = pt2_binary(im, is_product ? "genie.mul" : "genie.div", pt2_operand(im, node, "tensor1", dtype),
                              pt2_operand(im, node, "tensor2", dtype));
  const double value = pt2_float(im, node, "value", 1);
  term = value == 1 ? term : scale(im, term, value);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.add", x, term));
}

// lerp: self + weight * (end - self)
static void rule_lerp(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const MlirValue span = pt2_binary(im, "genie.sub", pt2_operand(im, node, "end", dtype), x);
  pt2_bind(im, node, 0,
           pt2_binary(im, "genie.add", x, pt2_binary(im, "genie.mul", pt2_operand(im, node, "weight", dtype), span)));
}

// div with rounding_mode None, "floor" or "trunc"
static void rule_div_mode(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const char *mode = pt2_string(im, node, "rounding_mode", "none");
  const char *name = strcmp(mode, "floor") == 0   ? "genie.floor_divide"
                     : strcmp(mode, "trunc") == 0 ? "genie.trunc_divide"
                                                  : "genie.div";
  pt2_bind(im, node, 0, pt2_binary(im, name, x, pt2_operand(im, node, "other", dtype)));
}

// pow.Scalar: number ^ tensor
static void rule_pow_scalar(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  pt2_bind(im, node, 0,
           pt2_binary(im, "genie.pow", pt2_operand(im, node, "self", dtype), pt2_operand(im, node, "exponent", dtype)));
}

static void rule_masked_fill(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue x = self_in_result_dtype(im, node, &dtype);
  const MlirValue mask = pt2_cast(im, pt2_tensor(im, node, "mask"), GENIE_DTYPE_BOOL);
  pt2_bind(im, node, 0, pt2_where(im, mask, pt2_operand(im, node, "value", dtype), x));
}

// tril and triu: keeps x where column - row (<=, >=) diagonal.
static void rule_triangle(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const genie_tensor_type_t type = pt2_type(x);
  if (type.rank < 2) {
    pt2_refuse(im, "shape", "a triangle of fewer than two dimensions", "use a matrix");
    return;
  }
  const bool is_lower = strncmp(pt2_mapping(im)->overload, "tril", 4) == 0;
  const genie_tensor_type_t rows = {
      .dtype = GENIE_DTYPE_I64, .rank = 2, .dims = {type.dims[type.rank - 2], pt2_constant_dim(im, 1)}};
  const genie_tensor_type_t columns = {.dtype = GENIE_DTYPE_I64, .rank = 1, .dims = {type.dims[type.rank - 1]}};
  const MlirValue row = pt2_iota(im, &rows, (double)pt2_int(im, node, "diagonal", 0), 1, 0);
  const MlirValue column = pt2_iota(im, &columns, 0, 1, 0);
  const MlirValue keeps = pt2_binary(im, is_lower ? "genie.le" : "genie.ge", column, row);
  pt2_bind(im, node, 0, pt2_where(im, keeps, x, pt2_scalar(im, type.dtype, 0)));
}

//===-- Activations -----------------------------------------------------------------------------------------------===//

static MlirValue softplus(pt2_importer_t *im, MlirValue x) {
  return pt2_build(im, "genie.softplus", 1, &x, 0, NULL);
}

static void rule_log_sigmoid(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  pt2_bind(im, node, 0, pt2_unary(im, "genie.neg", softplus(im, pt2_unary(im, "genie.neg", x))));
}

static MlirValue elu(pt2_importer_t *im, MlirValue x, double alpha, double factor, double input_scale) {
  const genie_ir_attribute_t attributes[] = {pt2_attr_f64(im, "alpha", alpha), pt2_attr_f64(im, "scale", factor),
                                             pt2_attr_f64(im, "input_scale", input_scale)};
  return pt2_build(im, "genie.elu", 1, &x, 3, attributes);
}

// Klambauer et al., Self-Normalizing Neural Networks.
static void rule_selu(pt2_importer_t *im, const pt2_node_t *node) {
  pt2_bind(im, node, 0, elu(im, operand_of(im, node), 1.6732632423543772, 1.0507009873554805, 1));
}

static void rule_celu(pt2_importer_t *im, const pt2_node_t *node) {
  const double alpha = pt2_float(im, node, "alpha", 1);
  pt2_bind(im, node, 0, elu(im, operand_of(im, node), alpha, 1, 1 / alpha));
}

static void rule_glu(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const int axis = pt2_axis(im, node, "dim", -1, pt2_rank(x));
  const MlirAffineExpr half = genie_dim_floor_div(pt2_dim(im, x, axis), 2);
  const MlirValue value = pt2_slice(im, x, axis, pt2_constant_dim(im, 0), half, 1);
  const MlirValue gate = pt2_slice(im, x, axis, half, half, 1);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", value, pt2_unary(im, "genie.sigmoid", gate)));
}

// x > 0 ? x : weight * x, the weight along the channels (dimension 1).
static void rule_prelu(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const genie_tensor_type_t type = pt2_type(x);
  MlirValue weight = pt2_tensor(im, node, "weight");
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  for (int i = 0; i < type.rank; ++i) {
    dims[i] = i == 1 || type.rank == 1 ? pt2_dim(im, weight, 0) : pt2_constant_dim(im, 1);
  }
  weight = pt2_reshape(im, weight, type.rank, dims);
  const MlirValue is_positive = pt2_binary(im, "genie.gt", x, pt2_scalar(im, type.dtype, 0));
  pt2_bind(im, node, 0, pt2_where(im, is_positive, x, pt2_binary(im, "genie.mul", weight, x)));
}

static void rule_threshold(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue is_above = pt2_binary(im, "genie.gt", x, pt2_operand(im, node, "threshold", dtype));
  pt2_bind(im, node, 0, pt2_where(im, is_above, x, pt2_operand(im, node, "value", dtype)));
}

static void rule_hardshrink(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue bound = pt2_scalar(im, dtype, pt2_float(im, node, "lambd", 0.5));
  const MlirValue is_small = pt2_binary(im, "genie.le", pt2_unary(im, "genie.abs", x), bound);
  pt2_bind(im, node, 0, pt2_where(im, is_small, pt2_scalar(im, dtype, 0), x));
}

// x - clamp(x, -lambd, lambd)
static void rule_softshrink(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  const double bound = pt2_float(im, node, "lambd", 0.5);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.sub", x, clamp(im, x, true, -bound, true, bound)));
}

static void rule_softsign(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.div", x, offset(im, pt2_unary(im, "genie.abs", x), 1)));
}

static void rule_tanhshrink(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = operand_of(im, node);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.sub", x, pt2_unary(im, "genie.tanh", x)));
}

// log(sigmoid^-1): log(x / (1 - x)), x clamped to [eps, 1 - eps] if eps is given
static void rule_logit(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  MlirValue x = self_in_result_dtype(im, node, &dtype);
  if (pt2_arg(node, "eps") != NULL) {
    const double eps = pt2_float(im, node, "eps", 0);
    x = clamp(im, x, true, eps, true, 1 - eps);
  }
  const MlirValue rest = pt2_binary(im, "genie.sub", pt2_scalar(im, dtype, 1), x);
  pt2_bind(im, node, 0, pt2_unary(im, "genie.log", pt2_binary(im, "genie.div", x, rest)));
}

// x == y within tolerances is rare in models; the exact composition is |a - b| <= atol + rtol |b|.
static void rule_isclose(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = common_dtype(im, pt2_arg(node, "self"), pt2_arg(node, "other"));
  const MlirValue a = pt2_operand(im, node, "self", dtype), b = pt2_operand(im, node, "other", dtype);
  const MlirValue distance = pt2_unary(im, "genie.abs", pt2_binary(im, "genie.sub", a, b));
  const MlirValue bound = offset(im, scale(im, pt2_unary(im, "genie.abs", b), pt2_float(im, node, "rtol", 1e-5)),
                                 pt2_float(im, node, "atol", 1e-8));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.le", distance, bound));
}

// log(e^a + e^b) = max + log1p(e^-|a - b|)
static void rule_logaddexp(pt2_importer_t *im, const pt2_node_t *node) {
  genie_dtype_t dtype;
  const MlirValue a = self_in_result_dtype(im, node, &dtype), b = pt2_operand(im, node, "other", dtype);
  const MlirValue distance = pt2_unary(im, "genie.abs", pt2_binary(im, "genie.sub", a, b));
  const MlirValue rest = pt2_unary(im, "genie.log1p", pt2_unary(im, "genie.exp", pt2_unary(im, "genie.neg", distance)));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.add", pt2_binary(im, "genie.maximum", a, b), rest));
}

const pt2_rule_row_t pt2_pointwise_composites[] = {
    {"square.default", rule_square},
    {"exp2.default", rule_exp2},
    {"erfc.default", rule_erfc},
    {"sinh.default", rule_hyperbolic},
    {"cosh.default", rule_hyperbolic},
    {"asin.default", rule_arc},
    {"arcsin.default", rule_arc},
    {"acos.default", rule_arc},
    {"arccos.default", rule_arc},
    {"asinh.default", rule_arc_hyperbolic},
    {"arcsinh.default", rule_arc_hyperbolic},
    {"acosh.default", rule_arc_hyperbolic},
    {"arccosh.default", rule_arc_hyperbolic},
    {"atanh.default", rule_arc_hyperbolic},
    {"arctanh.default", rule_arc_hyperbolic},
    {"signbit.default", rule_signbit},
    {"copysign.Tensor", rule_copysign},
    {"copysign.Scalar", rule_copysign},
    {"hypot.default", rule_hypot},
    {"fmax.default", rule_number_extremum},
    {"fmin.default", rule_number_extremum},
    {"ldexp.Tensor", rule_ldexp},
    {"sgn.default", rule_sign},
    {"isfinite.default", rule_isfinite},
    {"isclose.default", rule_isclose},
    {"nan_to_num.default", rule_nan_to_num},
    {"rsub.Scalar", rule_rsub},
    {"rsub.Tensor", rule_rsub},
    {"addcmul.default", rule_addc},
    {"addcdiv.default", rule_addc},
    {"lerp.Scalar", rule_lerp},
    {"lerp.Tensor", rule_lerp},
    {"logaddexp.default", rule_logaddexp},
    {"div.Tensor_mode", rule_div_mode},
    {"div.Scalar_mode", rule_div_mode},
    {"pow.Scalar", rule_pow_scalar},
    {"masked_fill.Scalar", rule_masked_fill},
    {"masked_fill.Tensor", rule_masked_fill},
    {"tril.default", rule_triangle},
    {"triu.default", rule_triangle},
    {"clamp.Tensor", rule_clamp_tensor},
    {"clamp_min.Tensor", rule_clamp_tensor},
    {"clamp_max.Tensor", rule_clamp_tensor},
    {"log_sigmoid.default", rule_log_sigmoid},
    {"selu.default", rule_selu},
    {"celu.default", rule_celu},
    {"glu.default", rule_glu},
    {"prelu.default", rule_prelu},
    {"_prelu_kernel.default", rule_prelu},
    {"threshold.default", rule_threshold},
    {"hardshrink.default", rule_hardshrink},
    {"softshrink.default", rule_softshrink},
    {"softsign.default", rule_softsign},
    {"tanhshrink.default", rule_tanhshrink},
    {"logit.default", rule_logit},
    {NULL, NULL},
};
