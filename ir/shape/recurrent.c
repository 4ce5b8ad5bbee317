// Shape rules of recurrent layers.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

// One recurrent op: `gates` times the hidden size is the row count of its weights.
typedef struct recurrence {
  int gates;
  intptr_t first_weight;
  genie_tensor_type_t x, h0;
  MlirAffineExpr batch, hidden;
  int64_t layers, directions;
} recurrence_t;

static genie_status_t read_operands(const genie_shape_query_t *query, recurrence_t *recurrence) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, recurrence->first_weight));
  recurrence->x = genie_shape_operand(query, 0);
  recurrence->h0 = genie_shape_operand(query, 1);
  recurrence->layers = genie_shape_i64(query, "layers");
  recurrence->directions = genie_shape_bool(query, "bidirectional") ? 2 : 1;
  const bool is_batch_first = genie_shape_bool(query, "batch_first");
  const genie_tensor_type_t *x = &recurrence->x;
  const genie_tensor_type_t *h0 = &recurrence->h0;
  int64_t states = 0;
  const bool matches = x->rank == 3 && h0->rank == 3 && genie_dim_is_constant(h0->dims[0], &states) &&
                       recurrence->layers >= 1 && states == recurrence->layers * recurrence->directions &&
                       genie_dim_equal(x->dims[is_batch_first ? 0 : 1], h0->dims[1]);
  if (!matches) {
    return genie_shape_refuse("x %s and h0 %s must be %s and [%lld, B, H]", genie_shape_text(x, query->context).text,
                              genie_shape_text(h0, query->context).text, is_batch_first ? "[B, T, I]" : "[T, B, I]",
                              (long long)(recurrence->layers * recurrence->directions));
  }
  recurrence->batch = h0->dims[1];
  recurrence->hidden = h0->dims[2];
  return GENIE_OK;
}

static genie_status_t check_matrix(const genie_shape_query_t *query, intptr_t index, MlirAffineExpr rows,
                                   MlirAffineExpr columns) {
  const genie_tensor_type_t weight = genie_shape_operand(query, index);
  if (weight.rank != 2 || !genie_dim_equal(weight.dims[0], rows) || !genie_dim_equal(weight.dims[1], columns)) {
    return genie_shape_refuse("a weight must be [%s, %s], not %s", genie_shape_dim_text(rows).text,
                              genie_shape_dim_text(columns).text, genie_shape_text(&weight, query->context).text);
  }
  return GENIE_OK;
}

static genie_status_t check_weights(const genie_shape_query_t *query, const recurrence_t *recurrence) {
  const bool has_bias = genie_shape_bool(query, "has_bias");
  const int64_t each = has_bias ? 4 : 2;
  const int64_t expected = recurrence->layers * recurrence->directions * each;
  const intptr_t actual = query->operand_count - recurrence->first_weight;
  if (actual != expected) {
    return genie_shape_refuse("%lld weights, not %lld", (long long)actual, (long long)expected);
  }
  const MlirAffineExpr rows = genie_dim_mul(recurrence->hidden, genie_dim_constant(query->context, recurrence->gates));
  MlirAffineExpr width = recurrence->x.dims[2];
  for (intptr_t i = 0; i < actual; i += each) {
    const intptr_t first = recurrence->first_weight + i;
    if (i == recurrence->directions * each) {
      width = genie_dim_mul(recurrence->hidden, genie_dim_constant(query->context, recurrence->directions));
    }
    GENIE_RETURN_IF_ERROR(check_matrix(query, first, rows, width));
    GENIE_RETURN_IF_ERROR(check_matrix(query, first + 1, rows, recurrence->hidden));
    if (has_bias) {
      GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, first + 2, rows, "a bias"));
      GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, first + 3, rows, "a bias"));
    }
  }
  return GENIE_OK;
}

static genie_status_t infer(const genie_shape_query_t *query, recurrence_t *recurrence, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(read_operands(query, recurrence));
  for (intptr_t i = 1; i < query->operand_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, i, recurrence->x.dtype));
  }
  GENIE_RETURN_IF_ERROR(check_weights(query, recurrence));
  genie_tensor_type_t result = recurrence->x;
  result.dims[2] = genie_dim_mul(recurrence->hidden, genie_dim_constant(query->context, recurrence->directions));
  out_types[0] = genie_shape_type(query, &result);
  out_types[1] = query->operand_types[1];
  return GENIE_OK;
}

genie_status_t genie_shape_lstm(const genie_shape_query_t *query, MlirType *out_types) {
  recurrence_t recurrence = {.gates = 4, .first_weight = 3};
  GENIE_RETURN_IF_ERROR(infer(query, &recurrence, out_types));
  const genie_tensor_type_t c0 = genie_shape_operand(query, 2);
  if (!genie_shape_same_dims(&c0, &recurrence.h0)) {
    return genie_shape_refuse("c0 %s must be like h0 %s", genie_shape_text(&c0, query->context).text,
                              genie_shape_text(&recurrence.h0, query->context).text);
  }
  out_types[2] = query->operand_types[2];
  return GENIE_OK;
}

genie_status_t genie_shape_rnn(const genie_shape_query_t *query, MlirType *out_types) {
  recurrence_t recurrence = {.gates = 1, .first_weight = 2};
  return infer(query, &recurrence, out_types);
}

genie_status_t genie_shape_gru(const genie_shape_query_t *query, MlirType *out_types) {
  recurrence_t recurrence = {.gates = 3, .first_weight = 2};
  return infer(query, &recurrence, out_types);
}
