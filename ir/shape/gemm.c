// Shape rules of products and attention.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

genie_status_t genie_shape_linear(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  genie_tensor_type_t x = genie_shape_operand(query, 0);
  const genie_tensor_type_t weight = genie_shape_operand(query, 1);
  if (x.rank < 1 || weight.rank != 2 || !genie_dim_equal(x.dims[x.rank - 1], weight.dims[1])) {
    return genie_shape_refuse("x %s and weight %s do not match: x must be [.., K], weight [N, K]",
                              genie_shape_text(&x, query->context).text,
                              genie_shape_text(&weight, query->context).text);
  }
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, x.dtype));
  if (genie_shape_has_operand(query, 2)) {
    GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 2, x.dtype));
  }
  GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, 2, weight.dims[0], "bias"));
  x.dims[x.rank - 1] = weight.dims[0];
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}

// The leading dimensions of both, broadcast; `tensor` keeps its last two.
static genie_status_t broadcast_leading(const genie_shape_query_t *query, const genie_tensor_type_t *a,
                                        const genie_tensor_type_t *b, genie_tensor_type_t *out_tensor) {
  genie_tensor_type_t lead = *a;
  genie_tensor_type_t other = *b;
  lead.rank -= 2;
  other.rank -= 2;
  GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &other, &lead));
  *out_tensor = lead;
  return GENIE_OK;
}

genie_status_t genie_shape_matmul(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  const genie_tensor_type_t lhs = genie_shape_operand(query, 0);
  const genie_tensor_type_t rhs = genie_shape_operand(query, 1);
  if (lhs.rank < 2 || rhs.rank < 2 || !genie_dim_equal(lhs.dims[lhs.rank - 1], rhs.dims[rhs.rank - 2])) {
    return genie_shape_refuse("lhs %s and rhs %s do not match: lhs must be [.., M, K], rhs [.., K, N]",
                              genie_shape_text(&lhs, query->context).text, genie_shape_text(&rhs, query->context).text);
  }
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, lhs.dtype));
  genie_tensor_type_t result;
  GENIE_RETURN_IF_ERROR(broadcast_leading(query, &lhs, &rhs, &result));
  result.dims[result.rank++] = lhs.dims[lhs.rank - 2];
  result.dims[result.rank++] = rhs.dims[rhs.rank - 1];
  out_types[0] = genie_shape_type(query, &result);
  return GENIE_OK;
}

// The mask broadcasts to [.., H, L, S].
static genie_status_t check_mask(const genie_shape_query_t *query, const genie_tensor_type_t *query_type,
                                 MlirAffineExpr key_length) {
  if (!genie_shape_has_operand(query, 3)) {
    return GENIE_OK;
  }
  const genie_tensor_type_t mask = genie_shape_operand(query, 3);
  genie_tensor_type_t scores = *query_type;
  scores.dims[scores.rank - 1] = key_length;
  genie_tensor_type_t both = scores;
  GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &mask, &both));
  if (mask.rank > scores.rank || !genie_shape_same_dims(&both, &scores)) {
    return genie_shape_refuse("mask %s does not broadcast to %s", genie_shape_text(&mask, query->context).text,
                              genie_shape_text(&scores, query->context).text);
  }
  if (mask.dtype != GENIE_DTYPE_BOOL && !genie_shape_is_float(mask.dtype)) {
    return genie_shape_refuse("mask must be bool or float, not %s", genie_dtype_name(mask.dtype));
  }
  return GENIE_OK;
}

// Query heads are a multiple of key heads (grouped queries).
static bool heads_match(MlirAffineExpr query_heads, MlirAffineExpr key_heads) {
  int64_t h = 0;
  int64_t g = 0;
  return genie_dim_equal(query_heads, key_heads) ||
         (genie_dim_is_constant(query_heads, &h) && genie_dim_is_constant(key_heads, &g) && g > 0 && h % g == 0);
}

genie_status_t genie_shape_attention(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 3));
  genie_tensor_type_t q = genie_shape_operand(query, 0);
  const genie_tensor_type_t k = genie_shape_operand(query, 1);
  const genie_tensor_type_t v = genie_shape_operand(query, 2);
  bool matches = q.rank >= 3 && k.rank == q.rank && v.rank == q.rank;
  if (matches) {
    matches = genie_dim_equal(q.dims[q.rank - 1], k.dims[k.rank - 1]) &&
              genie_dim_equal(k.dims[k.rank - 2], v.dims[v.rank - 2]) &&
              genie_dim_equal(k.dims[k.rank - 3], v.dims[v.rank - 3]) &&
              heads_match(q.dims[q.rank - 3], k.dims[k.rank - 3]);
  }
  for (int i = 0; matches && i < q.rank - 3; ++i) {
    matches = genie_dim_equal(q.dims[i], k.dims[i]) && genie_dim_equal(k.dims[i], v.dims[i]);
  }
  if (!matches) {
    return genie_shape_refuse("query %s, key %s and value %s must be [.., H, L, E], [.., G, S, E] and [.., G, S, D]",
                              genie_shape_text(&q, query->context).text, genie_shape_text(&k, query->context).text,
                              genie_shape_text(&v, query->context).text);
  }
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, q.dtype));
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 2, q.dtype));
  GENIE_RETURN_IF_ERROR(check_mask(query, &q, k.dims[k.rank - 2]));
  q.dims[q.rank - 1] = v.dims[v.rank - 1];
  out_types[0] = genie_shape_type(query, &q);
  return GENIE_OK;
}
