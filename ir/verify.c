// What MLIR's verifier asks of the dialect, in C.
#include <stdio.h>
#include <string.h>

#include "ir/dialect.h"
#include "ir/genie_ir.h"
#include "ir/op_slots.h"

enum { MAX_OPERANDS = 1024 };

static bool ref_equals(MlirStringRef text, const char *expected) {
  return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static genie_status_t refuse(const char *text) { return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s", text); }

//===-- Types -----------------------------------------------------------------------------------------------------===//

static genie_status_t verify_encoding(MlirType type) {
  const MlirAttribute encoding = mlirRankedTensorTypeGetEncoding(type);
  const bool has_encoding = !mlirAttributeIsNull(encoding);
  if (mlirShapedTypeHasStaticShape(type)) {
    return has_encoding ? refuse("has a static tensor type with an encoding") : GENIE_OK;
  }
  if (!has_encoding || !mlirAttributeIsAAffineMap(encoding)) {
    return refuse("has a dynamic tensor type without an affine_map that gives its dimensions");
  }
  const MlirAffineMap map = mlirAffineMapAttrGetValue(encoding);
  const intptr_t rank = mlirShapedTypeGetRank(type);
  if (mlirAffineMapGetNumDims(map) != 0 || mlirAffineMapGetNumResults(map) != rank ||
      mlirAffineMapGetNumSymbols(map) > GENIE_IR_MAX_SYMBOLS) {
    return refuse("has a tensor type whose affine_map must be ()[symbols] -> one size for each dimension");
  }
  for (intptr_t i = 0; i < rank; ++i) {
    int64_t value = 0;
    const bool is_constant = genie_dim_is_constant(mlirAffineMapGetResult(map, i), &value);
    const bool is_dynamic = mlirShapedTypeIsDynamicDim(type, i);
    if (is_constant == is_dynamic || (is_constant && value != mlirShapedTypeGetDimSize(type, i))) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "has a tensor type whose affine_map contradicts dimension %d", (int)i);
    }
  }
  return GENIE_OK;
}

static genie_status_t verify_type(MlirType type) {
  if (!mlirTypeIsARankedTensor(type)) {
    return refuse("works on ranked tensors only");
  }
  if (mlirShapedTypeGetRank(type) > GENIE_IR_MAX_RANK) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "has a tensor of rank %d; at most %d is supported",
                             (int)mlirShapedTypeGetRank(type), GENIE_IR_MAX_RANK);
  }
  if (genie_dtype_from_mlir(mlirShapedTypeGetElementType(type)) == GENIE_DTYPE_INVALID) {
    return refuse("has a tensor whose element type is no dtype of Genie");
  }
  GENIE_RETURN_IF_ERROR(verify_encoding(type));
  const genie_tensor_type_t tensor = genie_type_get(type);
  if (!mlirTypeEqual(genie_type_make(mlirTypeGetContext(type), &tensor), type)) {
    return refuse("has a tensor type whose sizes are not in simplified form with only the symbols up to the last used");
  }
  return GENIE_OK;
}

static genie_status_t verify_types(MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    GENIE_RETURN_IF_ERROR(verify_type(mlirValueGetType(mlirOperationGetOperand(op, i))));
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    GENIE_RETURN_IF_ERROR(verify_type(mlirValueGetType(mlirOperationGetResult(op, i))));
  }
  return GENIE_OK;
}

//===-- Shapes ----------------------------------------------------------------------------------------------------===//

// Operand types by slot, null for an absent optional operand.
static int slot_types(MlirOperation op, const genie_op_info_t *info, MlirType *out_types) {
  int sizes[GENIE_OP_MAX_SLOTS];
  const int slots = genie_op_slot_sizes(op, info, GENIE_OP_MAX_SLOTS, sizes);
  int count = 0;
  intptr_t next = 0;
  for (int i = 0; i < slots; ++i) {
    if (sizes[i] == 0 && genie_op_slot_kind(info->operand_names[i]) == GENIE_OP_SLOT_OPTIONAL) {
      out_types[count++] = (MlirType){NULL};
    }
    for (int j = 0; j < sizes[i]; ++j) {
      out_types[count++] = mlirValueGetType(mlirOperationGetOperand(op, next++));
    }
  }
  return count;
}

static genie_status_t verify_shape(MlirOperation op, const genie_op_info_t *info) {
  MlirType operand_types[MAX_OPERANDS + GENIE_OP_MAX_SLOTS];
  MlirType stated[GENIE_IR_MAX_RESULTS] = {{NULL}};
  MlirType expected[GENIE_IR_MAX_RESULTS] = {{NULL}};
  if (mlirOperationGetNumOperands(op) > MAX_OPERANDS) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "has more than %d operands", MAX_OPERANDS);
  }
  for (int i = 0; i < info->result_count; ++i) {
    stated[i] = mlirValueGetType(mlirOperationGetResult(op, i));
  }
  const genie_shape_query_t query = {
      .info = info,
      .context = mlirOperationGetContext(op),
      .operand_count = slot_types(op, info, operand_types),
      .operand_types = operand_types,
      .attributes = genie_dialect_attributes(op),
      .stated_types = stated,
  };
  GENIE_RETURN_IF_ERROR(info->shape_rule(&query, expected));
  for (int i = 0; i < info->result_count; ++i) {
    if (!mlirTypeEqual(stated[i], expected[i])) {
      char wanted[256];
      char actual[256];
      genie_type_describe(expected[i], sizeof(wanted), wanted);
      genie_type_describe(stated[i], sizeof(actual), actual);
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "must have a result of type %s, not %s", wanted, actual);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_verify_op(MlirOperation op) {
  const genie_op_info_t *info = genie_op_info_get(op);
  GENIE_RETURN_IF_ERROR(verify_types(op));
  if (genie_op_is(op, "genie.kernel")) {
    return GENIE_OK;
  }
  return verify_shape(op, info);
}

//===-- Discardable attributes ------------------------------------------------------------------------------------===//

genie_status_t genie_verify_attribute(MlirOperation op, MlirStringRef name, MlirAttribute value) {
  (void)op;
  const bool is_text = ref_equals(name, "genie.phase") || ref_equals(name, "genie.module");
  if (is_text && !mlirAttributeIsAString(value)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "attribute '%.*s' must be a string", (int)name.length,
                             name.data);
  }
  return GENIE_OK;
}

genie_status_t genie_verify_argument_attribute(MlirOperation function, intptr_t argument, MlirStringRef name,
                                               MlirAttribute value) {
  (void)function, (void)argument, (void)name, (void)value;
  return GENIE_OK;
}

genie_status_t genie_verify_result_attribute(MlirOperation function, intptr_t result, MlirStringRef name,
                                             MlirAttribute value) {
  (void)function, (void)result, (void)name, (void)value;
  return GENIE_OK;
}
