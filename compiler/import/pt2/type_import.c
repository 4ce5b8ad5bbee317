#include "compiler/import/pt2/importer_state.h"

enum { LAYOUT_STRIDED = 7, LAYOUT_UNKNOWN = 0 };

// torch/_export/serde/schema.py, ScalarType.
static const struct {
  int number;
  genie_dtype_t dtype;
  const char *name;
} schema_dtypes[] = {
    {1, GENIE_DTYPE_U8, "uint8"},
    {2, GENIE_DTYPE_I8, "int8"},
    {3, GENIE_DTYPE_I16, "int16"},
    {4, GENIE_DTYPE_I32, "int32"},
    {5, GENIE_DTYPE_I64, "int64"},
    {6, GENIE_DTYPE_F16, "float16"},
    {7, GENIE_DTYPE_F32, "float32"},
    {8, GENIE_DTYPE_F64, "float64"},
    {9, GENIE_DTYPE_INVALID, "complex32"},
    {10, GENIE_DTYPE_INVALID, "complex64"},
    {11, GENIE_DTYPE_INVALID, "complex128"},
    {12, GENIE_DTYPE_BOOL, "bool"},
    {13, GENIE_DTYPE_BF16, "bfloat16"},
    {28, GENIE_DTYPE_INVALID, "uint16"},
    {29, GENIE_DTYPE_INVALID, "float8_e4m3fn"},
    {30, GENIE_DTYPE_INVALID, "float8_e5m2"},
    {31, GENIE_DTYPE_INVALID, "float8_e4m3fnuz"},
    {32, GENIE_DTYPE_INVALID, "float8_e5m2fnuz"},
    {33, GENIE_DTYPE_INVALID, "float8_e8m0fnu"},
    {34, GENIE_DTYPE_INVALID, "uint32"},
    {35, GENIE_DTYPE_INVALID, "uint64"},
};

genie_dtype_t pt2_dtype_of(int schema_dtype, const char **out_name) {
  for (size_t i = 0; i < sizeof schema_dtypes / sizeof schema_dtypes[0]; ++i) {
    if (schema_dtypes[i].number == schema_dtype) {
      *out_name = schema_dtypes[i].name;
      return schema_dtypes[i].dtype;
    }
  }
  *out_name = "unknown";
  return GENIE_DTYPE_INVALID;
}

genie_status_t pt2_size_of_export(pt2_importer_t *im, const genie_pt2_size_t *size, bool can_add_symbols,
                                  MlirAffineExpr *out_size) {
  if (size->expression != NULL) {
    return genie_pt2_size_parse(im->builder.context, size->expression, can_add_symbols, &im->symbols, out_size);
  }
  *out_size = genie_dim_constant(im->builder.context, size->value);
  return GENIE_OK;
}

genie_status_t pt2_type_of_meta(pt2_importer_t *im, const genie_pt2_tensor_meta_t *meta, bool can_add_symbols,
                                genie_tensor_type_t *out_type) {
  const char *name;
  *out_type = (genie_tensor_type_t){.dtype = pt2_dtype_of(meta->dtype, &name), .rank = meta->rank};
  if (out_type->dtype == GENIE_DTYPE_INVALID) {
    im->finding_kind = "dtype";
    im->finding_hint = "keep this part of the model outside the export, or in float32";
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "dtype %s", name);
  }
  if (meta->layout != LAYOUT_STRIDED && meta->layout != LAYOUT_UNKNOWN) {
    im->finding_kind = "shape";
    im->finding_hint = "convert it with .to_dense() before the export";
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "a sparse or mkldnn layout");
  }
  if (meta->rank > GENIE_IR_MAX_RANK) {
    im->finding_kind = "shape";
    im->finding_hint = "merge dimensions in the model";
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%d dimensions, more than %d", meta->rank, GENIE_IR_MAX_RANK);
  }
  for (int i = 0; i < meta->rank; ++i) {
    const genie_status_t status = pt2_size_of_export(im, &meta->sizes[i], can_add_symbols, &out_type->dims[i]);
    int64_t constant;
    if (status != GENIE_OK) {
      im->finding_kind = "shape";
      im->finding_hint = "export with sizes that follow from the inputs' sizes";
      return status;
    }
    if (genie_dim_is_constant(out_type->dims[i], &constant) && constant < 0) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a negative size in the export");
    }
  }
  return GENIE_OK;
}
