// Matrix products.
#include <string.h>

#include "compiler/import/pt2/rule.h"

// Operands of rank 1 become a row or a column, which the result loses again.
static MlirValue matmul(pt2_importer_t *im, MlirValue lhs, MlirValue rhs) {
  const bool is_row = pt2_rank(lhs) == 1, is_column = pt2_rank(rhs) == 1;
  lhs = is_row ? pt2_unsqueeze(im, lhs, 0) : lhs;
  rhs = is_column ? pt2_unsqueeze(im, rhs, 1) : rhs;
  MlirValue result = pt2_binary(im, "genie.matmul", lhs, rhs);
  result = is_column ? pt2_squeeze(im, result, pt2_rank(result) - 1) : result;
  return is_row ? pt2_squeeze(im, result, pt2_rank(result) - (is_column ? 1 : 2)) : result;
}

static const genie_pt2_arg_t *second_of(const pt2_node_t *node) {
  return node->input_count > 1 ? &node->inputs[1].arg : NULL;
}

// _int_mm: i8 operands, an i32 result
static void rule_int_mm(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue lhs = pt2_operand(im, node, "self", GENIE_DTYPE_I32);
  pt2_bind(im, node, 0, matmul(im, lhs, pt2_operand(im, node, "mat2", GENIE_DTYPE_I32)));
}

// matmul, mm, bmm, mv, dot
void pt2_rule_matmul(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue lhs = pt2_tensor_of(im, node->input_count > 0 ? &node->inputs[0].arg : NULL);
  pt2_bind(im, node, 0, matmul(im, lhs, pt2_tensor_of(im, second_of(node))));
}

static MlirValue scaled(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue x) {
  const double factor = pt2_float(im, node, name, 1);
  return factor == 1 ? x : pt2_binary(im, "genie.mul", x, pt2_scalar(im, pt2_type(x).dtype, factor));
}

// beta * self + alpha * (a @ b): addmm, baddbmm, addmv, and addbmm, which sums over the batch
static void rule_addmm(pt2_importer_t *im, const pt2_node_t *node) {
  const char *overload = pt2_mapping(im)->overload;
  const bool is_summed = strncmp(overload, "addbmm", 6) == 0;
  const bool is_batched = is_summed || strncmp(overload, "baddbmm", 7) == 0;
  const bool is_vector = strncmp(overload, "addmv", 5) == 0;
  const MlirValue a = pt2_tensor(im, node, is_batched ? "batch1" : is_vector ? "mat" : "mat1");
  const MlirValue b = pt2_tensor(im, node, is_batched ? "batch2" : is_vector ? "vec" : "mat2");
  const int64_t batch_axis = 0;
  MlirValue product = matmul(im, a, b);
  product = is_summed ? pt2_reduce(im, "genie.sum", product, 1, &batch_axis, false) : product;
  product = scaled(im, node, "alpha", product);
  if (pt2_float(im, node, "beta", 1) == 0) {
    pt2_bind(im, node, 0, product);  // self may hold NaN, which 0 does not silence
    return;
  }
  const MlirValue self = scaled(im, node, "beta", pt2_operand(im, node, "self", pt2_type(product).dtype));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.add", product, self));
}

static void rule_outer(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_dtype_t dtype = pt2_result_type(im, node, 0).dtype;
  const MlirValue column = pt2_unsqueeze(im, pt2_operand(im, node, "self", dtype), 1);
  const MlirValue row = pt2_unsqueeze(im, pt2_operand(im, node, "vec2", dtype), 0);
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", column, row));
}

// bilinear: y[b, o] = sum_ij x1[b, i] w[o, i, j] x2[b, j] + bias[o]
static void rule_bilinear(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue a = pt2_tensor(im, node, "input1"), b = pt2_tensor(im, node, "input2");
  const MlirValue w = pt2_tensor(im, node, "weight"), bias = pt2_optional_tensor(im, node, "bias");
  const genie_tensor_type_t a_type = pt2_type(a), w_type = pt2_type(w);
  if (a_type.rank < 1 || w_type.rank != 3) {
    pt2_refuse(im, "shape", "bilinear of these shapes", "use [.., I], [.., J] and [O, I, J]");
    return;
  }
  const MlirAffineExpr rows = genie_dim_product(pt2_context(im), a_type.rank - 1, a_type.dims);
  const MlirAffineExpr left[] = {rows, w_type.dims[1]}, right[] = {rows, pt2_constant_dim(im, 1), w_type.dims[2]};
  const MlirAffineExpr flat[] = {w_type.dims[1], genie_dim_mul(w_type.dims[0], w_type.dims[2])};
  const MlirAffineExpr apart[] = {rows, w_type.dims[0], w_type.dims[2]};
  static const int64_t order[] = {1, 0, 2};
  const MlirValue weights = pt2_reshape(im, pt2_permute(im, w, order), 2, flat);
  const MlirValue half = pt2_reshape(im, matmul(im, pt2_reshape(im, a, 2, left), weights), 3, apart);
  const int64_t axis = 2;
  MlirValue result =
      pt2_reduce(im, "genie.sum", pt2_binary(im, "genie.mul", half, pt2_reshape(im, b, 3, right)), 1, &axis, false);
  result = mlirValueIsNull(bias) ? result : pt2_binary(im, "genie.add", result, bias);
  pt2_bind(im, node, 0, pt2_reshape(im, result, type.rank, type.dims));
}

//===-- einsum ----------------------------------------------------------------------------------------------------===//

// Two operands (or one), each letter at most once in each: letters are batch (in both and in the result), left, right,
// and summed. Both operands are brought to [batch, left, summed] and [batch, summed, right], multiplied, and put in
// order.
enum { LETTERS = 52 };

typedef struct einsum_operand {
  MlirValue value;
  int rank;
  int letters[GENIE_IR_MAX_RANK];
} einsum_operand_t;

static int letter_of(char c) {
  return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1;
}

// Reads the letters of one term; false on anything else, ellipses and repeated letters included.
static bool parse_term(const char **text, int *out_rank, int out_letters[GENIE_IR_MAX_RANK]) {
  *out_rank = 0;
  bool is_seen[LETTERS] = {false};
  for (; **text != '\0' && **text != ',' && **text != '-'; ++*text) {
    if (**text == ' ') {
      continue;
    }
    const int letter = letter_of(**text);
    if (letter < 0 || is_seen[letter] || *out_rank == GENIE_IR_MAX_RANK) {
      return false;
    }
    is_seen[letter] = true;
    out_letters[(*out_rank)++] = letter;
  }
  return true;
}

static bool has_letter(const einsum_operand_t *operand, int letter) {
  for (int i = 0; i < operand->rank; ++i) {
    if (operand->letters[i] == letter) {
      return true;
    }
  }
  return false;
}

// Sums out the letters that neither `other` nor `result` has.
static void sum_lonely(pt2_importer_t *im, einsum_operand_t *operand, const einsum_operand_t *other,
                       const einsum_operand_t *result) {
  int64_t axes[GENIE_IR_MAX_RANK];
  int count = 0, kept = 0;
  for (int i = 0; i < operand->rank; ++i) {
    const int letter = operand->letters[i];
    if (has_letter(other, letter) || has_letter(result, letter)) {
      operand->letters[kept++] = letter;
    } else {
      axes[count++] = i;
    }
  }
  if (count > 0) {
    operand->value = pt2_reduce(im, "genie.sum", operand->value, count, axes, false);
    operand->rank = kept;
  }
}

// The letters of `operand` that (are, are not) in `a` and (are, are not) in `b`, with their axes and sizes.
typedef struct letter_group {
  int count;
  int64_t axes[GENIE_IR_MAX_RANK];
  int letters[GENIE_IR_MAX_RANK];
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
} letter_group_t;

static letter_group_t group_of(const einsum_operand_t *operand, const einsum_operand_t *other, bool is_in_other,
                               const einsum_operand_t *result, bool is_in_result) {
  letter_group_t group = {0};
  const genie_tensor_type_t type = pt2_type(operand->value);
  // In the order of the result where the letters are in it, so that both operands agree.
  const einsum_operand_t *order = is_in_result ? result : is_in_other && other->rank < operand->rank ? other : operand;
  for (int i = 0; i < LETTERS; ++i) {
    const int letter = i < order->rank ? order->letters[i] : -1;
    if (letter < 0 || !has_letter(operand, letter) || has_letter(other, letter) != is_in_other ||
        has_letter(result, letter) != is_in_result) {
      continue;
    }
    for (int axis = 0; axis < operand->rank; ++axis) {
      if (operand->letters[axis] == letter) {
        group.axes[group.count] = axis;
        group.dims[group.count] = type.dims[axis];
      }
    }
    group.letters[group.count++] = letter;
  }
  return group;
}

// `operand` as a tensor of three dimensions, each the product of a group.
static MlirValue grouped(pt2_importer_t *im, const einsum_operand_t *operand, const letter_group_t *a,
                         const letter_group_t *b, const letter_group_t *c) {
  const letter_group_t *groups[] = {a, b, c};
  int64_t permutation[GENIE_IR_MAX_RANK] = {0};
  MlirAffineExpr dims[3];
  int count = 0;
  for (int i = 0; i < 3; ++i) {
    dims[i] = genie_dim_product(pt2_context(im), groups[i]->count, groups[i]->dims);
    for (int j = 0; j < groups[i]->count; ++j) {
      permutation[count++] = groups[i]->axes[j];
    }
  }
  return pt2_reshape(im, pt2_permute(im, operand->value, permutation), 3, dims);
}

static MlirValue contract(pt2_importer_t *im, einsum_operand_t *a, einsum_operand_t *b,
                          const einsum_operand_t *result) {
  sum_lonely(im, a, b, result);
  sum_lonely(im, b, a, result);
  if (pt2_has_failed(im)) {
    return (MlirValue){NULL};
  }
  const letter_group_t batch_a = group_of(a, b, true, result, true), batch_b = group_of(b, a, true, result, true);
  const letter_group_t left = group_of(a, b, false, result, true), right = group_of(b, a, false, result, true);
  letter_group_t summed_a = group_of(a, b, true, result, false), summed_b = summed_a;
  const genie_tensor_type_t b_type = pt2_type(b->value);
  for (int i = 0; i < summed_b.count; ++i) {
    for (int axis = 0; axis < b->rank; ++axis) {
      if (b->letters[axis] == summed_b.letters[i]) {
        summed_b.axes[i] = axis;
        summed_b.dims[i] = b_type.dims[axis];
      }
    }
  }
  const MlirValue product = pt2_binary(im, "genie.matmul", grouped(im, a, &batch_a, &left, &summed_a),
                                       grouped(im, b, &batch_b, &summed_b, &right));
  // [batch, left, right] apart again, then in the result's order.
  const letter_group_t *groups[] = {&batch_a, &left, &right};
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  int letters[GENIE_IR_MAX_RANK], rank = 0;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < groups[i]->count; ++j) {
      dims[rank] = groups[i]->dims[j];
      letters[rank++] = groups[i]->letters[j];
    }
  }
  int64_t permutation[GENIE_IR_MAX_RANK] = {0};
  for (int i = 0; i < result->rank; ++i) {
    for (int j = 0; j < rank; ++j) {
      permutation[i] = letters[j] == result->letters[i] ? j : permutation[i];
    }
  }
  return pt2_permute(im, pt2_reshape(im, product, rank, dims), permutation);
}

static bool parse_equation(pt2_importer_t *im, const char *text, const genie_pt2_arg_t *tensors,
                           einsum_operand_t operands[2], einsum_operand_t *out_result) {
  for (int i = 0; i < tensors->count; ++i) {
    operands[i].value = pt2_tensor_of(im, &tensors->items[i]);
    if (!parse_term(&text, &operands[i].rank, operands[i].letters) || operands[i].rank != pt2_rank(operands[i].value)) {
      return false;
    }
    if (i + 1 < tensors->count && *text++ != ',') {
      return false;
    }
  }
  if (strncmp(text, "->", 2) != 0) {
    return false;
  }
  text += 2;
  if (!parse_term(&text, &out_result->rank, out_result->letters) || *text != '\0') {
    return false;
  }
  for (int i = 0; i < out_result->rank; ++i) {
    if (!has_letter(&operands[0], out_result->letters[i]) && !has_letter(&operands[1], out_result->letters[i])) {
      return false;
    }
  }
  return true;
}

static void rule_einsum(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_pt2_arg_t *tensors = pt2_arg(node, "tensors");
  const char *equation = pt2_string(im, node, "equation", "");
  einsum_operand_t operands[2] = {{.rank = 0}, {.rank = 0}}, result;
  if (tensors == NULL || tensors->kind != GENIE_PT2_LIST || tensors->count < 1 || tensors->count > 2 ||
      !parse_equation(im, equation, tensors, operands, &result)) {
    pt2_refuse(im, "argument", "an einsum of more than two operands, with an ellipsis or with repeated letters",
               "write it with matmul, permute and sum");
    return;
  }
  if (tensors->count == 1) {
    sum_lonely(im, &operands[0], &result, &result);
    int64_t permutation[GENIE_IR_MAX_RANK] = {0};
    for (int i = 0; i < result.rank; ++i) {
      for (int j = 0; j < operands[0].rank; ++j) {
        permutation[i] = operands[0].letters[j] == result.letters[i] ? j : permutation[i];
      }
    }
    pt2_bind(im, node, 0, pt2_permute(im, operands[0].value, permutation));
    return;
  }
  pt2_bind(im, node, 0, contract(im, &operands[0], &operands[1], &result));
}

//===-- Products with the weights of experts ----------------------------------------------------------------------===//

// Which expert each of the rows [S] belongs to, i64: how many groups end at the row or before. Past the last group it
// is the number of experts.
static MlirValue expert_of_rows(pt2_importer_t *im, MlirAffineExpr rows, MlirValue ends) {
  const genie_tensor_type_t type = {.dtype = pt2_type(ends).dtype, .rank = 1, .dims = {rows}};
  const MlirValue row = pt2_unsqueeze(im, pt2_iota(im, &type, 0, 1, 0), 1);
  const MlirValue has_ended = pt2_binary(im, "genie.ge", row, pt2_unsqueeze(im, ends, 0));
  const int64_t axis = 1;
  return pt2_reduce(im, "genie.sum", pt2_cast(im, has_ended, GENIE_DTYPE_I64), 1, &axis, false);
}

// Few rows: the weights of each row's expert are picked.
static MlirValue multiply_picked(pt2_importer_t *im, MlirValue x, MlirValue weight, MlirValue expert) {
  const genie_ir_attribute_t axis = pt2_attr_i64(im, "axis", 0);
  const MlirValue picked = pt2_build(im, "genie.take", 2, (MlirValue[]){weight, expert}, 1, &axis);
  return pt2_squeeze(im, pt2_binary(im, "genie.matmul", pt2_unsqueeze(im, x, 1), picked), 1);
}

// Many rows: every expert reads its weights once and computes all rows, of which each picks its own.
static MlirValue multiply_all(pt2_importer_t *im, MlirValue x, MlirValue weight, MlirValue expert) {
  const MlirAffineExpr dims[] = {pt2_dim(im, weight, 0), pt2_dim(im, x, 0), pt2_dim(im, x, 1)};
  const MlirValue products = pt2_binary(im, "genie.matmul", pt2_expand(im, x, 3, dims), weight);
  const genie_tensor_type_t type = {.dtype = GENIE_DTYPE_I64, .rank = 1, .dims = {pt2_dim(im, x, 0)}};
  const genie_ir_attribute_t axes = pt2_attr_i64s(im, "axes", 2, (int64_t[]){0, 1});
  return pt2_build(im, "genie.index", 3, (MlirValue[]){products, expert, pt2_iota(im, &type, 0, 1, 0)}, 1, &axes);
}

// grouped_mm: rows of `x` [S, K], sorted by expert, times the weights [E, K, N] of theirs; `offs` [E] are where groups
// end. Rows of no group give zeros.
static void rule_grouped_product(pt2_importer_t *im, const pt2_node_t *node) {
  const bool is_aten = pt2_arg(node, "mat2") != NULL;
  const MlirValue x = pt2_tensor(im, node, is_aten ? "self" : "input");
  const MlirValue weight = pt2_tensor(im, node, is_aten ? "mat2" : "weight");
  const MlirValue ends = pt2_tensor(im, node, "offs");
  if (pt2_rank(x) != 2 || pt2_rank(weight) != 3 || pt2_rank(ends) != 1 || pt2_arg(node, "bias") != NULL) {
    pt2_refuse(im, "argument", "a grouped product of other than rows [S, K] with weights [E, K, N]",
               "use one group of rows for each expert");
    return;
  }
  const int64_t experts = pt2_static_dim(im, weight, 0);
  const MlirValue group = expert_of_rows(im, pt2_dim(im, x, 0), ends);
  const MlirValue count = pt2_scalar_int(im, GENIE_DTYPE_I64, experts);
  const MlirValue expert = pt2_binary(im, "genie.minimum", group, pt2_scalar_int(im, GENIE_DTYPE_I64, experts - 1));
  int64_t rows;
  const bool is_few = genie_dim_is_constant(pt2_dim(im, x, 0), &rows) && rows <= experts;
  const MlirValue y = (is_few ? multiply_picked : multiply_all)(im, x, weight, expert);
  const MlirValue is_of_group = pt2_unsqueeze(im, pt2_binary(im, "genie.lt", group, count), 1);
  pt2_bind(im, node, 0, pt2_where(im, is_of_group, y, pt2_scalar(im, pt2_type(y).dtype, 0)));
}

const pt2_rule_row_t pt2_product_composites[] = {
    {"_grouped_mm.default", rule_grouped_product},
    {"torch.ops.transformers.grouped_mm_fallback.default", rule_grouped_product},
    {"addmm.default", rule_addmm},
    {"baddbmm.default", rule_addmm},
    {"addbmm.default", rule_addmm},
    {"addmv.default", rule_addmm},
    {"_int_mm.default", rule_int_mm},
    {"outer.default", rule_outer},
    {"bilinear.default", rule_bilinear},
    {"einsum.default", rule_einsum},
    {NULL, NULL},
};
