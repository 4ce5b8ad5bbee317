// What shape rules share, and the rules of structural ops.
#include "ir/shape/shape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ir/op_rules.h"

genie_shape_text_t genie_shape_text(const genie_tensor_type_t *tensor, MlirContext context) {
  genie_shape_text_t text;
  genie_type_describe(genie_type_make(context, tensor), sizeof(text.text), text.text);
  return text;
}

static void append_dim(MlirStringRef part, void *user_data) {
  genie_shape_text_t *text = user_data;
  const size_t used = strlen(text->text);
  snprintf(text->text + used, sizeof(text->text) - used, "%.*s", (int)part.length, part.data);
}

genie_shape_text_t genie_shape_dim_text(MlirAffineExpr dim) {
  genie_shape_text_t text = {{0}};
  mlirAffineExprPrint(dim, append_dim, &text);
  return text;
}

bool genie_shape_has_operand(const genie_shape_query_t *query, intptr_t index) {
  return index < query->operand_count && !mlirTypeIsNull(query->operand_types[index]);
}

genie_tensor_type_t genie_shape_operand(const genie_shape_query_t *query, intptr_t index) {
  assert(genie_shape_has_operand(query, index));
  return genie_type_get(query->operand_types[index]);
}

genie_status_t genie_shape_require(const genie_shape_query_t *query, intptr_t count) {
  for (intptr_t i = 0; i < count; ++i) {
    if (!genie_shape_has_operand(query, i)) {
      return genie_shape_refuse("operand '%s' is missing", query->info->operand_names[i]);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_shape_stated_type(const genie_shape_query_t *query, int index, genie_tensor_type_t *out_tensor) {
  if (query->stated_types == NULL || mlirTypeIsNull(query->stated_types[index])) {
    return genie_shape_refuse("the result type must be stated");
  }
  *out_tensor = genie_type_get(query->stated_types[index]);
  return GENIE_OK;
}

MlirType genie_shape_type(const genie_shape_query_t *query, const genie_tensor_type_t *tensor) {
  return genie_type_make(query->context, tensor);
}

int64_t genie_shape_i64(const genie_shape_query_t *query, const char *name) {
  return genie_op_attribute_i64(query->info, query->attributes, name);
}

bool genie_shape_bool(const genie_shape_query_t *query, const char *name) {
  return genie_op_attribute_bool(query->info, query->attributes, name);
}

genie_status_t genie_shape_i64_array(const genie_shape_query_t *query, const char *name, int count,
                                     int64_t *out_numbers, int *out_count) {
  const MlirAttribute attribute = genie_op_attribute_get(query->attributes, name);
  if (mlirAttributeIsNull(attribute) || !mlirAttributeIsADenseI64Array(attribute)) {
    return genie_shape_refuse("attribute '%s' must be an array of i64", name);
  }
  const int actual = (int)mlirDenseArrayGetNumElements(attribute);
  if (actual > GENIE_IR_MAX_RANK || (count >= 0 && actual != count)) {
    return genie_shape_refuse("attribute '%s' has %d numbers, not %d", name, actual,
                              count >= 0 ? count : GENIE_IR_MAX_RANK);
  }
  for (int i = 0; i < actual; ++i) {
    out_numbers[i] = mlirDenseI64ArrayGetElement(attribute, i);
  }
  if (out_count != NULL) {
    *out_count = actual;
  }
  return GENIE_OK;
}

genie_status_t genie_shape_axis(const genie_shape_query_t *query, int rank, int *out_axis) {
  const int64_t axis = genie_shape_i64(query, "axis");
  if (axis < 0 || axis >= rank) {
    return genie_shape_refuse("axis %lld is outside rank %d", (long long)axis, rank);
  }
  *out_axis = (int)axis;
  return GENIE_OK;
}

static bool is_one(MlirAffineExpr dim) {
  int64_t value = 0;
  return genie_dim_is_constant(dim, &value) && value == 1;
}

genie_status_t genie_shape_broadcast_into(const genie_shape_query_t *query, const genie_tensor_type_t *b,
                                          genie_tensor_type_t *dims) {
  genie_tensor_type_t wide = dims->rank >= b->rank ? *dims : *b;
  const genie_tensor_type_t *narrow = dims->rank >= b->rank ? b : dims;
  const int shift = wide.rank - narrow->rank;
  for (int i = 0; i < narrow->rank; ++i) {
    MlirAffineExpr *dim = &wide.dims[i + shift];
    if (is_one(*dim)) {
      *dim = narrow->dims[i];
    } else if (!is_one(narrow->dims[i]) && !genie_dim_equal(*dim, narrow->dims[i])) {
      return genie_shape_refuse("%s and %s do not broadcast: size %s of dimension %d against %s",
                                genie_shape_text(dims, query->context).text, genie_shape_text(b, query->context).text,
                                genie_shape_dim_text(dims->dims[dims->rank - narrow->rank + i]).text, i + shift,
                                genie_shape_dim_text(b->dims[b->rank - narrow->rank + i]).text);
    }
  }
  wide.dtype = dims->dtype;
  *dims = wide;
  return GENIE_OK;
}

bool genie_shape_same_dims(const genie_tensor_type_t *a, const genie_tensor_type_t *b) {
  bool is_same = a->rank == b->rank;
  for (int i = 0; is_same && i < a->rank; ++i) {
    is_same = genie_dim_equal(a->dims[i], b->dims[i]);
  }
  return is_same;
}

bool genie_shape_is_index(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_I32 || dtype == GENIE_DTYPE_I64;
}

bool genie_shape_is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

// The slot that operand `index` belongs to; the last, variadic one takes all that remain.
static const char *slot_name(const genie_shape_query_t *query, intptr_t index) {
  intptr_t slot = 0;
  while (slot < index && query->info->operand_names[slot + 1] != NULL) {
    ++slot;
  }
  return query->info->operand_names[slot];
}

genie_status_t genie_shape_require_dtype(const genie_shape_query_t *query, intptr_t index, genie_dtype_t dtype) {
  const genie_tensor_type_t tensor = genie_shape_operand(query, index);
  if (tensor.dtype == dtype) {
    return GENIE_OK;
  }
  const char *slot = slot_name(query, index);
  return genie_shape_refuse("operand '%.*s' is %s, not %s", (int)strcspn(slot, "?*"), slot,
                            genie_dtype_name(tensor.dtype), genie_dtype_name(dtype));
}

genie_status_t genie_shape_require_vector(const genie_shape_query_t *query, intptr_t index, MlirAffineExpr size,
                                          const char *name) {
  if (!genie_shape_has_operand(query, index)) {
    return GENIE_OK;
  }
  const genie_tensor_type_t vector = genie_shape_operand(query, index);
  if (vector.rank != 1 || !genie_dim_equal(vector.dims[0], size)) {
    return genie_shape_refuse("%s must be [%s], not %s", name, genie_shape_dim_text(size).text,
                              genie_shape_text(&vector, query->context).text);
  }
  return GENIE_OK;
}

//===-- Structural ops --------------------------------------------------------------------------------------------===//

genie_status_t genie_shape_none(const genie_shape_query_t *query, MlirType *out_types) {
  (void)query, (void)out_types;
  return GENIE_OK;
}

genie_status_t genie_shape_stated(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t stated;
  for (int i = 0; i < query->info->result_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, i, &stated));
    out_types[i] = query->stated_types[i];
  }
  return GENIE_OK;
}
