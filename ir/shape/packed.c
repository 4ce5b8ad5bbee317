// Shape rules of packed weights: ir/pack.h owns the layouts.
#include "ir/op_rules.h"
#include "ir/pack.h"
#include "ir/shape/shape.h"

// The type of `weight` when packed as the op's attributes say.
static genie_status_t packed_type(const genie_shape_query_t *query, const genie_tensor_type_t *weight,
                                  MlirType *out_type) {
  const MlirStringRef name = mlirStringAttrGetValue(genie_op_attribute_get(query->attributes, "format"));
  const int64_t width = genie_shape_i64(query, "width"), groups = genie_shape_i64(query, "groups");
  const genie_pack_format_t *format = genie_pack_find(name.data, name.length);
  if (format == NULL) {
    return genie_shape_refuse("there is no packing '%.*s'", (int)name.length, name.data);
  }
  int64_t dims[GENIE_IR_MAX_RANK];
  int64_t packed[GENIE_IR_MAX_RANK + 1];
  bool is_static = width >= 1 && groups >= 1 && (groups == 1 || format->has_groups) &&
                   weight->rank >= format->least_rank && weight->rank <= format->greatest_rank;
  for (int i = 0; is_static && i < weight->rank; ++i) {
    is_static = genie_dim_is_constant(weight->dims[i], &dims[i]);
  }
  if (is_static && format->is_transform) {
    is_static = weight->dtype == GENIE_DTYPE_F32 && dims[2] == 3 && dims[3] == 3;
  }
  if (!is_static || dims[0] % groups != 0) {
    return genie_shape_refuse("%s cannot be packed as '%.*s' by %lld", genie_shape_text(weight, query->context).text,
                              (int)name.length, name.data, (long long)width);
  }
  const int rank = format->shape(weight->rank, dims, groups, width, packed);
  if (rank > GENIE_IR_MAX_RANK) {
    return genie_shape_refuse("the packed weight would have rank %d; at most %d is supported", rank, GENIE_IR_MAX_RANK);
  }
  *out_type = genie_type_make_static(query->context, weight->dtype, rank, packed);
  return GENIE_OK;
}

genie_status_t genie_shape_pack(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  return packed_type(query, &x, &out_types[0]);
}

genie_status_t genie_shape_unpack(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  genie_tensor_type_t weight;
  GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, 0, &weight));
  MlirType packed;
  GENIE_RETURN_IF_ERROR(packed_type(query, &weight, &packed));
  if (!mlirTypeEqual(packed, query->operand_types[0])) {
    const genie_tensor_type_t expected = genie_type_get(packed);
    const genie_tensor_type_t x = genie_shape_operand(query, 0);
    return genie_shape_refuse("%s is packed as %s, not %s", genie_shape_text(&weight, query->context).text,
                              genie_shape_text(&expected, query->context).text,
                              genie_shape_text(&x, query->context).text);
  }
  out_types[0] = query->stated_types[0];
  return GENIE_OK;
}
