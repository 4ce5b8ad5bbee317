// Tensor types: element types, dimensions and the encoding that names dynamic ones.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ir/genie_ir.h"

MlirType genie_dtype_to_mlir(MlirContext context, genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F32:
      return mlirF32TypeGet(context);
    case GENIE_DTYPE_F64:
      return mlirF64TypeGet(context);
    case GENIE_DTYPE_F16:
      return mlirF16TypeGet(context);
    case GENIE_DTYPE_BF16:
      return mlirBF16TypeGet(context);
    case GENIE_DTYPE_U8:
      return mlirIntegerTypeUnsignedGet(context, 8);
    case GENIE_DTYPE_BOOL:
      return mlirIntegerTypeGet(context, 1);
    default:
      assert(genie_dtype_bytes(dtype) != 0 && "no such dtype");
      return mlirIntegerTypeGet(context, (unsigned)genie_dtype_bytes(dtype) * 8);
  }
}

static genie_dtype_t integer_dtype(MlirType type) {
  const unsigned width = mlirIntegerTypeGetWidth(type);
  if (mlirIntegerTypeIsUnsigned(type)) {
    return width == 8 ? GENIE_DTYPE_U8 : GENIE_DTYPE_INVALID;
  }
  if (mlirIntegerTypeIsSigned(type)) {
    return GENIE_DTYPE_INVALID;
  }
  return width == 1    ? GENIE_DTYPE_BOOL
         : width == 8  ? GENIE_DTYPE_I8
         : width == 16 ? GENIE_DTYPE_I16
         : width == 32 ? GENIE_DTYPE_I32
         : width == 64 ? GENIE_DTYPE_I64
                       : GENIE_DTYPE_INVALID;
}

genie_dtype_t genie_dtype_from_mlir(MlirType type) {
  return mlirTypeIsAF32(type)       ? GENIE_DTYPE_F32
         : mlirTypeIsAF64(type)     ? GENIE_DTYPE_F64
         : mlirTypeIsAF16(type)     ? GENIE_DTYPE_F16
         : mlirTypeIsABF16(type)    ? GENIE_DTYPE_BF16
         : mlirTypeIsAInteger(type) ? integer_dtype(type)
                                    : GENIE_DTYPE_INVALID;
}

// One more than the last symbol in `dim`.
static intptr_t symbols_used(MlirAffineExpr dim) {
  if (mlirAffineExprIsASymbol(dim)) {
    return mlirAffineSymbolExprGetPosition(dim) + 1;
  }
  if (!mlirAffineExprIsABinary(dim)) {
    return 0;
  }
  const intptr_t lhs = symbols_used(mlirAffineBinaryOpExprGetLHS(dim));
  const intptr_t rhs = symbols_used(mlirAffineBinaryOpExprGetRHS(dim));
  return lhs > rhs ? lhs : rhs;
}

static MlirAffineMap map_of_dims(MlirContext context, int count, MlirAffineExpr *dims) {
  intptr_t symbol_count = 0;
  for (int i = 0; i < count; ++i) {
    const intptr_t used = symbols_used(dims[i]);
    symbol_count = used > symbol_count ? used : symbol_count;
  }
  return mlirAffineMapGet(context, 0, symbol_count, count, dims);
}

MlirAttribute genie_ir_dim_attr(MlirContext context, MlirAffineExpr dim) {
  MlirAffineExpr simple = genie_dim_simplify(dim);
  return mlirAffineMapAttrGet(map_of_dims(context, 1, &simple));
}

MlirType genie_type_make(MlirContext context, const genie_tensor_type_t *type) {
  assert(type->rank >= 0 && type->rank <= GENIE_IR_MAX_RANK);
  int64_t shape[GENIE_IR_MAX_RANK];
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  bool is_dynamic = false;
  for (int i = 0; i < type->rank; ++i) {
    dims[i] = genie_dim_simplify(type->dims[i]);
    if (!genie_dim_is_constant(dims[i], &shape[i])) {
      shape[i] = mlirShapedTypeGetDynamicSize();
      is_dynamic = true;
    }
  }
  const MlirAttribute encoding =
      is_dynamic ? mlirAffineMapAttrGet(map_of_dims(context, type->rank, dims)) : mlirAttributeGetNull();
  return mlirRankedTensorTypeGet(type->rank, shape, genie_dtype_to_mlir(context, type->dtype), encoding);
}

MlirType genie_type_make_static(MlirContext context, genie_dtype_t dtype, int rank, const int64_t *dims) {
  return mlirRankedTensorTypeGet(rank, dims, genie_dtype_to_mlir(context, dtype), mlirAttributeGetNull());
}

genie_tensor_type_t genie_type_get(MlirType type) {
  assert(mlirTypeIsARankedTensor(type));
  const MlirContext context = mlirTypeGetContext(type);
  genie_tensor_type_t tensor = {.dtype = genie_dtype_from_mlir(mlirShapedTypeGetElementType(type)),
                                .rank = (int)mlirShapedTypeGetRank(type)};
  assert(tensor.rank <= GENIE_IR_MAX_RANK);
  const MlirAttribute encoding = mlirRankedTensorTypeGetEncoding(type);
  for (int i = 0; i < tensor.rank; ++i) {
    tensor.dims[i] = mlirShapedTypeIsDynamicDim(type, i)
                         ? mlirAffineMapGetResult(mlirAffineMapAttrGetValue(encoding), i)
                         : genie_dim_constant(context, mlirShapedTypeGetDimSize(type, i));
  }
  return tensor;
}

genie_tensor_type_t genie_value_type(MlirValue value) {
  return genie_type_get(mlirValueGetType(value));
}

bool genie_type_is_static(MlirType type) {
  return mlirShapedTypeHasStaticShape(type);
}

// Text that stops growing at its capacity.
typedef struct bounded_text {
  char *text;
  size_t capacity, length;
} bounded_text_t;

static void append_bounded(MlirStringRef part, void *user_data) {
  bounded_text_t *bounded = user_data;
  const size_t room = bounded->capacity - 1 - bounded->length;
  const size_t length = part.length < room ? part.length : room;
  memcpy(bounded->text + bounded->length, part.data, length);
  bounded->length += length;
  bounded->text[bounded->length] = '\0';
}

static void append_word(bounded_text_t *bounded, const char *word) {
  append_bounded(mlirStringRefCreateFromCString(word), bounded);
}

void genie_type_describe(MlirType type, size_t capacity, char *out_text) {
  bounded_text_t bounded = {.text = out_text, .capacity = capacity};
  out_text[0] = '\0';
  if (mlirTypeIsNull(type)) {
    append_word(&bounded, "no type");
    return;
  }
  if (!mlirTypeIsARankedTensor(type) || mlirShapedTypeGetRank(type) > GENIE_IR_MAX_RANK) {
    mlirTypePrint(type, append_bounded, &bounded);
    return;
  }
  const genie_tensor_type_t tensor = genie_type_get(type);
  append_word(&bounded, "[");
  for (int i = 0; i < tensor.rank; ++i) {
    append_word(&bounded, i == 0 ? "" : ", ");
    mlirAffineExprPrint(tensor.dims[i], append_bounded, &bounded);
  }
  append_word(&bounded, "] ");
  append_word(&bounded, genie_dtype_name(tensor.dtype));
}
