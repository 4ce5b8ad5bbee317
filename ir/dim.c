// Dimensions: affine expressions over the symbols of a function, in normal form, and their bounds.
#include <assert.h>
#include <mlir-c/BuiltinAttributes.h>

#include "ir/genie_ir.h"
#include "runtime/base/checked_math.h"

// Hostile text cannot exhaust the stack.
enum { MAX_DEPTH = 256 };

MlirAffineExpr genie_dim_constant(MlirContext context, int64_t value) {
  return mlirAffineConstantExprGet(context, value);
}

MlirAffineExpr genie_dim_symbol(MlirContext context, int index) {
  return mlirAffineSymbolExprGet(context, index);
}

bool genie_dim_equal(MlirAffineExpr a, MlirAffineExpr b) {
  return mlirAffineExprEqual(a, b);
}

bool genie_dim_is_constant(MlirAffineExpr dim, int64_t *out_value) {
  if (!mlirAffineExprIsAConstant(dim)) {
    return false;
  }
  *out_value = mlirAffineConstantExprGetValue(dim);
  return true;
}

int64_t genie_dim_value(MlirAffineExpr dim) {
  assert(mlirAffineExprIsAConstant(dim) && "the dimension is not constant");
  return mlirAffineConstantExprGetValue(dim);
}

MlirAffineExpr genie_dim_add(MlirAffineExpr a, MlirAffineExpr b) {
  return genie_dim_simplify(mlirAffineAddExprGet(a, b));
}

MlirAffineExpr genie_dim_sub(MlirAffineExpr a, MlirAffineExpr b) {
  const MlirAffineExpr minus_one = mlirAffineConstantExprGet(mlirAffineExprGetContext(a), -1);
  return genie_dim_add(a, mlirAffineMulExprGet(b, minus_one));
}

MlirAffineExpr genie_dim_mul(MlirAffineExpr a, MlirAffineExpr b) {
  return genie_dim_simplify(mlirAffineMulExprGet(a, b));
}

MlirAffineExpr genie_dim_floor_div(MlirAffineExpr a, int64_t divisor) {
  assert(divisor > 0);
  const MlirAffineExpr constant = mlirAffineConstantExprGet(mlirAffineExprGetContext(a), divisor);
  return genie_dim_simplify(mlirAffineFloorDivExprGet(a, constant));
}

MlirAffineExpr genie_dim_product(MlirContext context, int count, const MlirAffineExpr *dims) {
  MlirAffineExpr product = genie_dim_constant(context, 1);
  for (int i = 0; i < count; ++i) {
    product = genie_dim_mul(product, dims[i]);
  }
  return product;
}

//===-- Bounds ----------------------------------------------------------------------------------------------------===//

typedef struct interval {
  int64_t minimum, maximum;
} interval_t;

static int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  return genie_checked_add_i64(a, b, &sum) ? sum : a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t saturating_mul(int64_t a, int64_t b) {
  int64_t product = 0;
  return genie_checked_mul_i64(a, b, &product) ? product : (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

static interval_t multiply(interval_t a, interval_t b) {
  const int64_t corners[4] = {saturating_mul(a.minimum, b.minimum), saturating_mul(a.minimum, b.maximum),
                              saturating_mul(a.maximum, b.minimum), saturating_mul(a.maximum, b.maximum)};
  interval_t product = {corners[0], corners[0]};
  for (int i = 1; i < 4; ++i) {
    product.minimum = corners[i] < product.minimum ? corners[i] : product.minimum;
    product.maximum = corners[i] > product.maximum ? corners[i] : product.maximum;
  }
  return product;
}

static const interval_t unbounded = {INT64_MIN, INT64_MAX};

static interval_t bounds_of(MlirAffineExpr dim, int symbol_count, const genie_ir_symbol_t *symbols, int depth) {
  if (depth > MAX_DEPTH) {
    return unbounded;
  }
  if (mlirAffineExprIsAConstant(dim)) {
    const int64_t value = mlirAffineConstantExprGetValue(dim);
    return (interval_t){value, value};
  }
  if (mlirAffineExprIsASymbol(dim)) {
    const intptr_t index = mlirAffineSymbolExprGetPosition(dim);
    return index < symbol_count ? (interval_t){symbols[index].minimum, symbols[index].maximum} : unbounded;
  }
  if (!mlirAffineExprIsABinary(dim)) {
    return unbounded;
  }
  const interval_t lhs = bounds_of(mlirAffineBinaryOpExprGetLHS(dim), symbol_count, symbols, depth + 1);
  const interval_t rhs = bounds_of(mlirAffineBinaryOpExprGetRHS(dim), symbol_count, symbols, depth + 1);
  if (mlirAffineExprIsAAdd(dim)) {
    return (interval_t){saturating_add(lhs.minimum, rhs.minimum), saturating_add(lhs.maximum, rhs.maximum)};
  }
  if (mlirAffineExprIsAMul(dim)) {
    return multiply(lhs, rhs);
  }
  if (rhs.minimum != rhs.maximum || rhs.minimum <= 0) {
    return unbounded;
  }
  const int64_t divisor = rhs.minimum;
  if (mlirAffineExprIsAMod(dim)) {
    return (interval_t){0, divisor - 1};
  }
  if (mlirAffineExprIsAFloorDiv(dim)) {
    return (interval_t){genie_floor_div_i64(lhs.minimum, divisor), genie_floor_div_i64(lhs.maximum, divisor)};
  }
  return (interval_t){-genie_floor_div_i64(saturating_mul(lhs.minimum, -1), divisor),
                      -genie_floor_div_i64(saturating_mul(lhs.maximum, -1), divisor)};
}

void genie_dim_bounds(MlirOperation function, MlirAffineExpr dim, int64_t *out_minimum, int64_t *out_maximum) {
  genie_ir_symbol_t symbols[GENIE_IR_MAX_SYMBOLS];
  const int count = mlirAffineExprIsAConstant(dim) ? 0 : genie_ir_symbols_get(function, symbols);
  const interval_t bounds = bounds_of(dim, count, symbols, 0);
  *out_minimum = bounds.minimum;
  *out_maximum = bounds.maximum;
}
