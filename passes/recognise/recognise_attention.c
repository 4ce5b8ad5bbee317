// recognise-attention: attention that the model spells out becomes one op, and keys and values that are repeated for
// groups of queries are read where they are.
//
//     matmul(softmax(matmul(q, k^T) * scale + mask), v)
#include <math.h>

#include "passes/graph/rules.h"

enum { MAX_STEPS = 8 };
static const double MASKED = -1e30;  // what this or less is added to is out

static MlirValue operand(MlirOperation op, intptr_t index) {
  return mlirOperationGetOperand(op, index);
}

//===-- Scores ----------------------------------------------------------------------------------------------------===//

typedef struct scores {
  MlirOperation product;  // matmul(q, k^T)
  double scale;
  MlirOperation masking;  // the op that adds the mask, or null
  MlirValue mask;         // added; or, where `masking` is a where, its condition
  double fill;            // of that where
  bool keeps_true;
} scores_t;

static MlirOperation only_reader_of(MlirValue value) {
  const MlirOperation op = genie_rewrite_definer(value);
  return !mlirOperationIsNull(op) && genie_rewrite_has_one_use(value) ? op : (MlirOperation){NULL};
}

// One step inwards over a multiplication or division by a scalar.
static bool step_over_scale(MlirOperation op, scores_t *scores, MlirValue *out_inner) {
  double number;
  if (genie_op_is(op, "genie.mul")) {
    for (int side = 0; side < 2; ++side) {
      if (genie_ir_splat_value(operand(op, side), &number) && genie_value_type(operand(op, side)).rank == 0) {
        scores->scale *= number;
        *out_inner = operand(op, 1 - side);
        return true;
      }
    }
  }
  if (genie_op_is(op, "genie.div") && genie_ir_splat_value(operand(op, 1), &number) && number != 0) {
    scores->scale /= number;
    *out_inner = operand(op, 0);
    return true;
  }
  return false;
}

static bool leads_to_matmul(MlirValue value) {
  for (int step = 0; step < MAX_STEPS; ++step) {
    const MlirOperation op = only_reader_of(value);
    if (mlirOperationIsNull(op)) {
      return false;
    }
    if (genie_op_is(op, "genie.matmul")) {
      return true;
    }
    scores_t ignored = {.scale = 1};
    if (!step_over_scale(op, &ignored, &value)) {
      return false;
    }
  }
  return false;
}

// One step inwards over an added mask or a where that fills.
static bool step_over_mask(MlirOperation op, scores_t *scores, MlirValue *out_inner) {
  if (!mlirOperationIsNull(scores->masking)) {
    return false;
  }
  if (genie_op_is(op, "genie.add")) {
    const int side = leads_to_matmul(operand(op, 0)) ? 0 : 1;
    scores->masking = op;
    scores->mask = operand(op, 1 - side);
    *out_inner = operand(op, side);
    return true;
  }
  if (genie_op_is(op, "genie.where")) {
    for (int side = 1; side < 3; ++side) {
      if (genie_ir_splat_value(operand(op, side), &scores->fill) && scores->fill <= MASKED) {
        scores->masking = op;
        scores->mask = operand(op, 0);
        scores->keeps_true = side == 2;
        *out_inner = operand(op, 3 - side);
        return true;
      }
    }
  }
  return false;
}

// Inwards from what softmax reads: first the mask, then the scale, then the product. With `is_guarded` a guard reads
// the masked scores as well.
static bool match_scores(MlirValue value, bool is_guarded, scores_t *out_scores) {
  *out_scores = (scores_t){.scale = 1};
  bool is_scaled = false;
  for (int step = 0; step < MAX_STEPS; ++step) {
    const MlirOperation op = step == 0 && is_guarded ? genie_rewrite_definer(value) : only_reader_of(value);
    if (mlirOperationIsNull(op)) {
      return false;
    }
    if (genie_op_is(op, "genie.matmul")) {
      out_scores->product = op;
      return true;
    }
    if (step_over_scale(op, out_scores, &value)) {
      is_scaled = true;
    } else if (is_scaled || !step_over_mask(op, out_scores, &value)) {
      return false;
    }
  }
  return false;
}

//===-- Forming ---------------------------------------------------------------------------------------------------===//

// The operand of attention for `scores`' mask; a where with a finite number becomes an addition of it.
static genie_status_t make_mask(MlirOperation op, const scores_t *scores, genie_dtype_t dtype, MlirValue *out_mask) {
  *out_mask = (MlirValue){NULL};
  if (mlirOperationIsNull(scores->masking)) {
    return GENIE_OK;
  }
  *out_mask = scores->mask;
  if (genie_op_is(scores->masking, "genie.add")) {
    return GENIE_OK;
  }
  const genie_ir_builder_t builder = genie_rewrite_before(op);
  const MlirValue zero = genie_ir_scalar(&builder, dtype, 0);
  const MlirValue fill = genie_ir_scalar(&builder, dtype, scores->fill);
  const MlirValue operands[] = {scores->mask, scores->keeps_true ? zero : fill, scores->keeps_true ? fill : zero};
  return genie_rewrite_make(op, "genie.where", 3, operands, 0, NULL, out_mask);
}

// k from k^T: what was permuted, or a permute back.
static genie_status_t make_key(MlirOperation op, MlirValue transposed, MlirValue *out_key) {
  const int rank = genie_value_type(transposed).rank;
  int64_t swapped[GENIE_IR_MAX_RANK], order[GENIE_IR_MAX_RANK];
  for (int i = 0; i < rank; ++i) {
    swapped[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
  }
  const MlirOperation permute = genie_rewrite_definer_if(transposed, "genie.permute");
  if (!mlirOperationIsNull(permute)) {
    genie_ir_i64_array(permute, "permutation", GENIE_IR_MAX_RANK, order);
    int64_t composed[GENIE_IR_MAX_RANK];
    for (int i = 0; i < rank; ++i) {
      composed[i] = order[swapped[i]];
    }
    return genie_rewrite_make_permute(op, operand(permute, 0), rank, composed, out_key);
  }
  return genie_rewrite_make_permute(op, transposed, rank, swapped, out_key);
}

// Leading dimensions of query, key and value must be equal: a matmul would broadcast them, attention does not.
static bool has_equal_batch(MlirValue query, MlirValue transposed_key, MlirValue value) {
  const genie_tensor_type_t q = genie_value_type(query);
  const genie_tensor_type_t k = genie_value_type(transposed_key);
  const genie_tensor_type_t v = genie_value_type(value);
  if (q.rank < 3 || q.rank != k.rank || q.rank != v.rank) {
    return false;
  }
  for (int i = 0; i < q.rank - 2; ++i) {
    if (!genie_dim_equal(q.dims[i], k.dims[i]) || !genie_dim_equal(q.dims[i], v.dims[i])) {
      return false;
    }
  }
  return true;
}

// The one op named `name` that computes `value`'s operand, or null.
static MlirOperation inner(MlirOperation op, const char *name) {
  return mlirOperationIsNull(op) ? op : genie_rewrite_definer_if(operand(op, 0), name);
}

// The softmax in where(not any(not (scores == -inf)), 0, softmax(scores)): rows that are all masked give zeros, which
// attention does by itself. Null where `guard` is something else.
static MlirOperation guarded_softmax(MlirOperation guard) {
  const MlirOperation none = {NULL};
  if (!genie_op_is(guard, "genie.where")) {
    return none;
  }
  const MlirOperation softmax = genie_rewrite_definer_if(operand(guard, 2), "genie.softmax");
  const MlirOperation any = inner(inner(guard, "genie.logical_not"), "genie.any");
  const MlirOperation equal = inner(inner(any, "genie.logical_not"), "genie.eq");
  const MlirOperation expand = genie_rewrite_definer_if(operand(guard, 1), "genie.expand");
  double zero, minimum;
  const bool is_guard =
      !mlirOperationIsNull(softmax) && !mlirOperationIsNull(equal) &&
      genie_ir_splat_value(mlirOperationIsNull(expand) ? operand(guard, 1) : operand(expand, 0), &zero) && zero == 0 &&
      genie_ir_splat_value(operand(equal, 1), &minimum) && isinf(minimum) &&
      mlirValueEqual(operand(equal, 0), operand(softmax, 0));
  return is_guard ? softmax : none;
}

static genie_status_t form_attention(MlirOperation op, MlirValue *out_value) {
  MlirOperation softmax = only_reader_of(operand(op, 0));
  if (mlirOperationIsNull(softmax)) {
    return GENIE_OK;
  }
  const bool is_guarded = !genie_op_is(softmax, "genie.softmax");
  softmax = is_guarded ? guarded_softmax(softmax) : softmax;
  if (mlirOperationIsNull(softmax)) {
    return GENIE_OK;
  }
  const int rank = genie_value_type(operand(softmax, 0)).rank;
  scores_t scores;
  if (genie_ir_i64(softmax, "axis") != rank - 1 || !match_scores(operand(softmax, 0), is_guarded, &scores)) {
    return GENIE_OK;
  }
  const MlirValue query = operand(scores.product, 0), value = operand(op, 1);
  if (!has_equal_batch(query, operand(scores.product, 1), value) ||
      !genie_rewrite_same_dims(genie_rewrite_result(scores.product), operand(softmax, 0))) {
    return GENIE_OK;
  }
  MlirValue key, mask;
  GENIE_RETURN_IF_ERROR(make_key(op, operand(scores.product, 1), &key));
  GENIE_RETURN_IF_ERROR(make_mask(op, &scores, genie_value_type(query).dtype, &mask));
  const MlirValue operands[] = {query, key, value, mask};
  const genie_ir_attribute_t attributes[] = {{"scale", genie_ir_f64_attr(mlirOperationGetContext(op), scores.scale)}};
  return genie_rewrite_make(op, "genie.attention", 4, operands, 1, attributes, out_value);
}

//===-- Grouped queries -------------------------------------------------------------------------------------------===//

// k[.., G, S, D] from its repetition k'[.., G * n, S, D] = reshape(expand(k[.., G, 1, S, D])): n heads read the same
// keys. Null where `value` is no such repetition.
static genie_status_t make_unrepeated(MlirOperation op, MlirValue value, MlirValue *out_source) {
  *out_source = (MlirValue){NULL};
  const MlirOperation merge = genie_rewrite_definer_if(value, "genie.reshape");
  const MlirOperation expand =
      mlirOperationIsNull(merge) ? merge : genie_rewrite_definer_if(operand(merge, 0), "genie.expand");
  if (mlirOperationIsNull(expand)) {
    return GENIE_OK;
  }
  const genie_tensor_type_t repeated = genie_value_type(value);
  const genie_tensor_type_t narrow = genie_value_type(operand(expand, 0));
  const genie_tensor_type_t wide = genie_value_type(operand(merge, 0));
  const int head = repeated.rank - 3;
  int64_t one;
  if (head < 0 || narrow.rank != repeated.rank + 1 || wide.rank != narrow.rank ||
      !genie_dim_is_constant(narrow.dims[head + 1], &one) || one != 1) {
    return GENIE_OK;
  }
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  for (int i = 0; i < repeated.rank; ++i) {
    const int k = i <= head ? i : i + 1;  // where dimension i lies beside the repeated one
    dims[i] = narrow.dims[k];
    if (!genie_dim_equal(narrow.dims[k], wide.dims[k]) ||
        (i != head && !genie_dim_equal(wide.dims[k], repeated.dims[i]))) {
      return GENIE_OK;
    }
  }
  return genie_rewrite_make_reshape(op, operand(expand, 0), repeated.rank, dims, out_source);
}

static genie_status_t read_groups(MlirOperation op, MlirValue *out_value) {
  MlirValue key, value;
  GENIE_RETURN_IF_ERROR(make_unrepeated(op, operand(op, 1), &key));
  if (mlirValueIsNull(key)) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(make_unrepeated(op, operand(op, 2), &value));
  if (mlirValueIsNull(value)) {
    return GENIE_OK;
  }
  const MlirOperation clone = mlirOperationClone(op);
  mlirOperationSetOperand(clone, 1, key);
  mlirOperationSetOperand(clone, 2, value);
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), op, clone);
  *out_value = genie_rewrite_result(clone);
  return GENIE_OK;
}

static const genie_rule_t RULES[] = {{"genie.matmul", form_attention}, {"genie.attention", read_groups}, {NULL, NULL}};

static genie_status_t recognise(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  static const genie_rule_t *const TABLES[] = {RULES};
  return genie_rules_apply(function, 1, TABLES);
}

genie_status_t genie_pass_recognise_attention(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, recognise);
}
