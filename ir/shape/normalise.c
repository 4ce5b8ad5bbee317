// Shape rules of softmax, scans and normalisations: the result is like x, and what else there is must match it.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

genie_status_t genie_shape_along_axis(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, genie_shape_operand(query, 0).rank, &axis));
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_norm(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  const int64_t rank = genie_shape_i64(query, "normalized_rank");
  if (rank < 1 || rank > x.rank) {
    return genie_shape_refuse("normalized_rank %lld is outside 1..%d", (long long)rank, x.rank);
  }
  genie_tensor_type_t expected = {.dtype = x.dtype, .rank = (int)rank};
  for (int i = 0; i < expected.rank; ++i) {
    expected.dims[i] = x.dims[x.rank - expected.rank + i];
  }
  for (intptr_t i = 1; i < query->operand_count; ++i) {
    if (!genie_shape_has_operand(query, i)) {
      continue;
    }
    const genie_tensor_type_t parameter = genie_shape_operand(query, i);
    if (!genie_shape_same_dims(&parameter, &expected)) {
      return genie_shape_refuse("%s must be %s, not %s", i == 1 ? "weight" : "bias",
                                genie_shape_text(&expected, query->context).text,
                                genie_shape_text(&parameter, query->context).text);
    }
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

// Parameters from operand 1 on are [C], channels in dimension 1.
genie_status_t genie_shape_channel_norm(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  if (x.rank < 2) {
    return genie_shape_refuse("x must be [N, C, ..], not %s", genie_shape_text(&x, query->context).text);
  }
  for (intptr_t i = 1; i < query->operand_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, i, x.dims[1], "a parameter"));
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_group_norm(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_channel_norm(query, out_types));
  const int64_t groups = genie_shape_i64(query, "groups");
  int64_t channels = 0;
  const bool is_constant = genie_dim_is_constant(genie_shape_operand(query, 0).dims[1], &channels);
  if (groups < 1 || !is_constant || channels % groups != 0) {
    return genie_shape_refuse("%s channels do not divide into %lld groups",
                              genie_shape_dim_text(genie_shape_operand(query, 0).dims[1]).text, (long long)groups);
  }
  return GENIE_OK;
}
