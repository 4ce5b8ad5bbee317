// The normal form of dimensions: a sum of products of atoms, in one order. An atom is a symbol or a quotient, remainder
// or dimension that does not simplify further.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/genie_ir.h"
#include "runtime/base/checked_math.h"

// What does not fit stays as it is written: correct, but not comparable with other spellings.
enum { MAX_FACTORS = 6, MAX_TERMS = 32, MAX_DEPTH = 24 };

typedef struct term {
  int64_t coefficient;
  int count;
  MlirAffineExpr factors[MAX_FACTORS];  // ascending by compare_atoms()
} term_t;

typedef struct polynomial {
  MlirContext context;
  int count;
  term_t terms[MAX_TERMS];  // ascending by compare_products(), coefficients not zero, the constant last
} polynomial_t;

//===-- Order -----------------------------------------------------------------------------------------------------===//

typedef enum atom_kind {
  ATOM_SYMBOL,
  ATOM_DIM,
  ATOM_CONSTANT,
  ATOM_ADD,
  ATOM_MUL,
  ATOM_DIV,
  ATOM_CEIL,
  ATOM_MOD
} atom_kind_t;

static atom_kind_t kind_of(MlirAffineExpr atom) {
  return mlirAffineExprIsASymbol(atom)     ? ATOM_SYMBOL
         : mlirAffineExprIsADim(atom)      ? ATOM_DIM
         : mlirAffineExprIsAConstant(atom) ? ATOM_CONSTANT
         : mlirAffineExprIsAAdd(atom)      ? ATOM_ADD
         : mlirAffineExprIsAMul(atom)      ? ATOM_MUL
         : mlirAffineExprIsAFloorDiv(atom) ? ATOM_DIV
         : mlirAffineExprIsACeilDiv(atom)  ? ATOM_CEIL
                                           : ATOM_MOD;
}

static int compare_numbers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

// A total order that depends on what is written only, never on addresses.
static int compare_atoms(MlirAffineExpr a, MlirAffineExpr b) {
  if (mlirAffineExprEqual(a, b)) {
    return 0;
  }
  const atom_kind_t kind = kind_of(a);
  if (kind != kind_of(b)) {
    return compare_numbers(kind, kind_of(b));
  }
  switch (kind) {
    case ATOM_SYMBOL:
      return compare_numbers(mlirAffineSymbolExprGetPosition(a), mlirAffineSymbolExprGetPosition(b));
    case ATOM_DIM:
      return compare_numbers(mlirAffineDimExprGetPosition(a), mlirAffineDimExprGetPosition(b));
    case ATOM_CONSTANT:
      return compare_numbers(mlirAffineConstantExprGetValue(a), mlirAffineConstantExprGetValue(b));
    default:
      break;
  }
  const int order = compare_atoms(mlirAffineBinaryOpExprGetLHS(a), mlirAffineBinaryOpExprGetLHS(b));
  return order != 0 ? order : compare_atoms(mlirAffineBinaryOpExprGetRHS(a), mlirAffineBinaryOpExprGetRHS(b));
}

// Products with fewer factors come later, the constant last.
static int compare_products(const term_t *a, const term_t *b) {
  for (int i = 0; i < a->count && i < b->count; ++i) {
    const int order = compare_atoms(a->factors[i], b->factors[i]);
    if (order != 0) {
      return order;
    }
  }
  return compare_numbers(b->count, a->count);
}

//===-- Arithmetic; each returns false when the result does not fit -----------------------------------------------===//

static bool add_term(polynomial_t *sum, const term_t *term) {
  int at = 0;
  while (at < sum->count && compare_products(&sum->terms[at], term) < 0) {
    ++at;
  }
  if (at < sum->count && compare_products(&sum->terms[at], term) == 0) {
    int64_t *coefficient = &sum->terms[at].coefficient;
    if (!genie_checked_add_i64(*coefficient, term->coefficient, coefficient)) {
      return false;
    }
    if (*coefficient == 0) {
      --sum->count;
      memmove(&sum->terms[at], &sum->terms[at + 1], (size_t)(sum->count - at) * sizeof(term_t));
    }
    return true;
  }
  if (term->coefficient == 0) {
    return true;
  }
  if (sum->count == MAX_TERMS) {
    return false;
  }
  memmove(&sum->terms[at + 1], &sum->terms[at], (size_t)(sum->count - at) * sizeof(term_t));
  sum->terms[at] = *term;
  ++sum->count;
  return true;
}

static bool add_constant(polynomial_t *sum, int64_t value) {
  const term_t term = {.coefficient = value};
  return add_term(sum, &term);
}

static bool add_atom(polynomial_t *sum, MlirAffineExpr atom) {
  const term_t term = {.coefficient = 1, .count = 1, .factors = {atom}};
  return add_term(sum, &term);
}

// sum += a * scale
static bool add_scaled(polynomial_t *sum, const polynomial_t *a, int64_t scale) {
  for (int i = 0; i < a->count; ++i) {
    term_t term = a->terms[i];
    if (!genie_checked_mul_i64(term.coefficient, scale, &term.coefficient) || !add_term(sum, &term)) {
      return false;
    }
  }
  return true;
}

static bool multiply_terms(const term_t *a, const term_t *b, term_t *out_term) {
  if (a->count + b->count > MAX_FACTORS ||
      !genie_checked_mul_i64(a->coefficient, b->coefficient, &out_term->coefficient)) {
    return false;
  }
  out_term->count = 0;
  for (int i = 0, j = 0; i < a->count || j < b->count;) {
    const bool takes_a = j == b->count || (i < a->count && compare_atoms(a->factors[i], b->factors[j]) <= 0);
    out_term->factors[out_term->count++] = takes_a ? a->factors[i++] : b->factors[j++];
  }
  return true;
}

static bool add_product(polynomial_t *sum, const polynomial_t *a, const polynomial_t *b) {
  for (int i = 0; i < a->count; ++i) {
    for (int j = 0; j < b->count; ++j) {
      term_t term;
      if (!multiply_terms(&a->terms[i], &b->terms[j], &term) || !add_term(sum, &term)) {
        return false;
      }
    }
  }
  return true;
}

static bool constant_of(const polynomial_t *a, int64_t *out_value) {
  if (a->count > 1 || (a->count == 1 && a->terms[0].count != 0)) {
    return false;
  }
  *out_value = a->count == 0 ? 0 : a->terms[0].coefficient;
  return true;
}

static MlirAffineExpr expression_of(const polynomial_t *a) {
  MlirAffineExpr sum = mlirAffineConstantExprGet(a->context, 0);
  for (int i = 0; i < a->count; ++i) {
    const term_t *term = &a->terms[i];
    MlirAffineExpr product = mlirAffineConstantExprGet(a->context, 1);
    for (int j = 0; j < term->count; ++j) {
      product = mlirAffineMulExprGet(product, term->factors[j]);
    }
    product = mlirAffineMulExprGet(product, mlirAffineConstantExprGet(a->context, term->coefficient));
    sum = i == 0 ? product : mlirAffineAddExprGet(sum, product);
  }
  return sum;
}

//===-- Quotients and remainders ----------------------------------------------------------------------------------===//

static int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t remainder = a % b;
    a = b;
    b = remainder;
  }
  return a < 0 ? -a : a;
}

// Splits `a` into divisor * out_whole + out_rest, coefficients of the rest in [0, divisor).
static bool split(const polynomial_t *a, int64_t divisor, polynomial_t *out_whole, polynomial_t *out_rest) {
  for (int i = 0; i < a->count; ++i) {
    term_t whole = a->terms[i];
    term_t rest = a->terms[i];
    whole.coefficient = genie_floor_div_i64(a->terms[i].coefficient, divisor);
    rest.coefficient = genie_floor_mod_i64(a->terms[i].coefficient, divisor);
    if (!add_term(out_whole, &whole) || !add_term(out_rest, &rest)) {
      return false;
    }
  }
  return true;
}

// Divides rest and divisor by their common factor: floor((g p + k) / (g d)) = floor((p + floor(k / g)) / d).
static void reduce_fraction(polynomial_t *rest, int64_t *divisor) {
  int64_t common = *divisor;
  for (int i = 0; i < rest->count; ++i) {
    if (rest->terms[i].count != 0) {
      common = greatest_common_divisor(rest->terms[i].coefficient, common);
    }
  }
  int kept = 0;
  for (int i = 0; i < rest->count; ++i) {
    rest->terms[i].coefficient = genie_floor_div_i64(rest->terms[i].coefficient, common);
    if (rest->terms[i].coefficient != 0) {
      rest->terms[kept++] = rest->terms[i];
    }
  }
  rest->count = kept;
  *divisor /= common;
}

static bool to_polynomial(MlirAffineExpr dim, int depth, polynomial_t *out_sum);

// floor((floor(p / a) + k) / b) = floor((p + a k) / (a b)): makes the one out of the other. False when it is not so.
static bool unnest(const polynomial_t *rest, int64_t divisor, int depth, polynomial_t *out_inner,
                   int64_t *out_divisor) {
  const bool has_constant = rest->count == 2 && rest->terms[1].count == 0;
  if ((rest->count != 1 && !has_constant) || rest->terms[0].count != 1 || rest->terms[0].coefficient != 1) {
    return false;
  }
  const MlirAffineExpr atom = rest->terms[0].factors[0];
  if (!mlirAffineExprIsAFloorDiv(atom) || !mlirAffineExprIsAConstant(mlirAffineBinaryOpExprGetRHS(atom))) {
    return false;
  }
  const int64_t inner_divisor = mlirAffineConstantExprGetValue(mlirAffineBinaryOpExprGetRHS(atom));
  const int64_t constant = has_constant ? rest->terms[1].coefficient : 0;
  int64_t shift = 0;
  *out_inner = (polynomial_t){.context = rest->context};
  return inner_divisor > 0 && genie_checked_mul_i64(inner_divisor, divisor, out_divisor) &&
         genie_checked_mul_i64(inner_divisor, constant, &shift) &&
         to_polynomial(mlirAffineBinaryOpExprGetLHS(atom), depth + 1, out_inner) && add_constant(out_inner, shift);
}

static bool add_quotient(polynomial_t *sum, const polynomial_t *a, int64_t divisor, int depth) {
  polynomial_t rest = {.context = a->context};
  polynomial_t inner;
  int64_t value = 0;
  int64_t inner_divisor = 0;
  if (depth > MAX_DEPTH || !split(a, divisor, sum, &rest)) {
    return false;
  }
  reduce_fraction(&rest, &divisor);
  if (constant_of(&rest, &value)) {
    return add_constant(sum, genie_floor_div_i64(value, divisor));
  }
  if (divisor == 1) {
    return add_scaled(sum, &rest, 1);
  }
  if (unnest(&rest, divisor, depth, &inner, &inner_divisor)) {
    return add_quotient(sum, &inner, inner_divisor, depth + 1);
  }
  return add_atom(sum, mlirAffineFloorDivExprGet(expression_of(&rest), mlirAffineConstantExprGet(a->context, divisor)));
}

static bool add_remainder(polynomial_t *sum, const polynomial_t *a, int64_t divisor) {
  polynomial_t whole = {.context = a->context};
  polynomial_t rest = {.context = a->context};
  int64_t value = 0;
  if (!split(a, divisor, &whole, &rest)) {
    return false;
  }
  if (constant_of(&rest, &value)) {
    return add_constant(sum, value);
  }
  return add_atom(sum, mlirAffineModExprGet(expression_of(&rest), mlirAffineConstantExprGet(a->context, divisor)));
}

static bool add_division(polynomial_t *sum, MlirAffineExpr dim, const polynomial_t *lhs, const polynomial_t *rhs,
                         int depth) {
  int64_t divisor = 0;
  if (!constant_of(rhs, &divisor) || divisor <= 0) {
    return add_atom(sum, dim);
  }
  if (mlirAffineExprIsAMod(dim)) {
    return add_remainder(sum, lhs, divisor);
  }
  if (mlirAffineExprIsAFloorDiv(dim)) {
    return add_quotient(sum, lhs, divisor, depth);
  }
  polynomial_t raised = *lhs;  // ceil(p / d) = floor((p + d - 1) / d)
  return add_constant(&raised, divisor - 1) && add_quotient(sum, &raised, divisor, depth);
}

// Adds `dim` to `out_sum`.
static bool to_polynomial(MlirAffineExpr dim, int depth, polynomial_t *out_sum) {
  if (mlirAffineExprIsAConstant(dim)) {
    return add_constant(out_sum, mlirAffineConstantExprGetValue(dim));
  }
  if (!mlirAffineExprIsABinary(dim)) {
    return add_atom(out_sum, dim);
  }
  if (depth > MAX_DEPTH) {
    return false;
  }
  const MlirAffineExpr lhs_dim = mlirAffineBinaryOpExprGetLHS(dim);
  const MlirAffineExpr rhs_dim = mlirAffineBinaryOpExprGetRHS(dim);
  if (mlirAffineExprIsAAdd(dim)) {
    return to_polynomial(lhs_dim, depth + 1, out_sum) && to_polynomial(rhs_dim, depth + 1, out_sum);
  }
  polynomial_t lhs = {.context = out_sum->context};
  polynomial_t rhs = {.context = out_sum->context};
  if (!to_polynomial(lhs_dim, depth + 1, &lhs) || !to_polynomial(rhs_dim, depth + 1, &rhs)) {
    return false;
  }
  return mlirAffineExprIsAMul(dim) ? add_product(out_sum, &lhs, &rhs) : add_division(out_sum, dim, &lhs, &rhs, depth);
}

//===-- Interface -------------------------------------------------------------------------------------------------===//

MlirAffineExpr genie_dim_simplify(MlirAffineExpr dim) {
  if (!mlirAffineExprIsABinary(dim)) {
    return dim;
  }
  polynomial_t sum = {.context = mlirAffineExprGetContext(dim)};
  return to_polynomial(dim, 0, &sum) ? expression_of(&sum) : dim;
}

// Divides the term by another; false when a factor is missing or the coefficient does not divide.
static bool divide_term(const term_t *term, const term_t *divisor, term_t *out_quotient) {
  if (divisor->coefficient == 0 || term->coefficient % divisor->coefficient != 0) {
    return false;
  }
  *out_quotient = (term_t){.coefficient = term->coefficient / divisor->coefficient};
  int taken = 0;
  for (int i = 0; i < term->count; ++i) {
    if (taken < divisor->count && mlirAffineExprEqual(term->factors[i], divisor->factors[taken])) {
      ++taken;
    } else {
      out_quotient->factors[out_quotient->count++] = term->factors[i];
    }
  }
  return taken == divisor->count;
}

// Long division: the leading terms divide until nothing is left.
bool genie_dim_divide(MlirAffineExpr a, MlirAffineExpr b, MlirAffineExpr *out_quotient) {
  polynomial_t remainder = {.context = mlirAffineExprGetContext(a)};
  polynomial_t divisor = {.context = remainder.context};
  polynomial_t quotient = {.context = remainder.context};
  if (!to_polynomial(a, 0, &remainder) || !to_polynomial(b, 0, &divisor) || divisor.count == 0) {
    return false;
  }
  for (int steps = 0; remainder.count > 0; ++steps) {
    term_t term;
    polynomial_t single = {.context = remainder.context, .count = 1};
    polynomial_t product = {.context = remainder.context};
    if (steps > MAX_TERMS || !divide_term(&remainder.terms[0], &divisor.terms[0], &term)) {
      return false;
    }
    single.terms[0] = term;
    if (!add_term(&quotient, &term) || !add_product(&product, &single, &divisor) ||
        !add_scaled(&remainder, &product, -1)) {
      return false;
    }
  }
  *out_quotient = expression_of(&quotient);
  return true;
}
