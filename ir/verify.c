// What MLIR's verifier asks of every op of the dialect: types, and the result type that the shape rule gives.
#include "ir/verify.h"

#include <stdio.h>
#include <string.h>

#include "ir/dialect.h"
#include "ir/op_slots.h"

enum { MAX_OPERANDS = 1024 };

//===-- Types -----------------------------------------------------------------------------------------------------===//

static genie_status_t verify_encoding(MlirType type) {
  const MlirAttribute encoding = mlirRankedTensorTypeGetEncoding(type);
  const bool has_encoding = !mlirAttributeIsNull(encoding);
  if (mlirShapedTypeHasStaticShape(type)) {
    return has_encoding ? genie_verify_refuse("has a static tensor type with an encoding") : GENIE_OK;
  }
  if (!has_encoding || !mlirAttributeIsAAffineMap(encoding)) {
    return genie_verify_refuse("has a dynamic tensor type without an affine_map that gives its dimensions");
  }
  const MlirAffineMap map = mlirAffineMapAttrGetValue(encoding);
  const intptr_t rank = mlirShapedTypeGetRank(type);
  if (mlirAffineMapGetNumDims(map) != 0 || mlirAffineMapGetNumResults(map) != rank ||
      mlirAffineMapGetNumSymbols(map) > GENIE_IR_MAX_SYMBOLS) {
    return genie_verify_refuse("has a tensor type whose affine_map is not ()[symbols] -> one size for each dimension");
  }
  for (intptr_t i = 0; i < rank; ++i) {
    int64_t value = 0;
    const bool is_constant = genie_dim_is_constant(mlirAffineMapGetResult(map, i), &value);
    const bool is_dynamic = mlirShapedTypeIsDynamicDim(type, i);
    if (is_constant == is_dynamic || (is_constant && value != mlirShapedTypeGetDimSize(type, i))) {
      return genie_verify_refuse("has a tensor type whose affine_map contradicts dimension %d", (int)i);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_verify_type(MlirType type) {
  if (!mlirTypeIsARankedTensor(type)) {
    return genie_verify_refuse("works on ranked tensors only");
  }
  if (mlirShapedTypeGetRank(type) > GENIE_IR_MAX_RANK) {
    return genie_verify_refuse("has a tensor of rank %d; at most %d is supported", (int)mlirShapedTypeGetRank(type),
                               GENIE_IR_MAX_RANK);
  }
  if (genie_dtype_from_mlir(mlirShapedTypeGetElementType(type)) == GENIE_DTYPE_INVALID) {
    return genie_verify_refuse("has a tensor whose element type is no dtype of Genie");
  }
  GENIE_RETURN_IF_ERROR(verify_encoding(type));
  const genie_tensor_type_t tensor = genie_type_get(type);
  if (!mlirTypeEqual(genie_type_make(mlirTypeGetContext(type), &tensor), type)) {
    return genie_verify_refuse(
        "has a tensor type whose sizes are not in normal form over the symbols up to the last used");
  }
  return GENIE_OK;
}

static genie_status_t verify_types(MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    GENIE_RETURN_IF_ERROR(genie_verify_type(mlirValueGetType(mlirOperationGetOperand(op, i))));
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    GENIE_RETURN_IF_ERROR(genie_verify_type(mlirValueGetType(mlirOperationGetResult(op, i))));
  }
  return GENIE_OK;
}

genie_status_t genie_verify_same_type(const char *what, MlirType expected, MlirType actual) {
  if (mlirTypeEqual(expected, actual)) {
    return GENIE_OK;
  }
  char wanted[256];
  char found[256];
  genie_type_describe(expected, sizeof(wanted), wanted);
  genie_type_describe(actual, sizeof(found), found);
  return genie_verify_refuse("%s of type %s, not %s", what, wanted, found);
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
    return genie_verify_refuse("has more than %d operands", MAX_OPERANDS);
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
    GENIE_RETURN_IF_ERROR(genie_verify_same_type("must have a result", expected[i], stated[i]));
  }
  return GENIE_OK;
}

// A slice stays inside its operand for all values of the symbols: 0 <= start and start + (n - 1) step < size.
static genie_status_t verify_slice_range(MlirOperation op, MlirValue part) {
  const int axis = (int)genie_ir_i64(op, "axis");
  const MlirContext context = mlirOperationGetContext(op);
  const MlirAffineExpr size = genie_value_type(mlirOperationGetOperand(op, 0)).dims[axis];
  const MlirAffineExpr count = genie_value_type(part).dims[axis];
  const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("start"));
  const MlirAffineExpr start = mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0);
  const MlirAffineExpr last =
      genie_dim_add(start, genie_dim_mul(genie_dim_sub(count, genie_dim_constant(context, 1)),
                                         genie_dim_constant(context, genie_ir_i64(op, "step"))));
  int64_t least = 0;
  int64_t room = 0;
  int64_t greatest_count = 0;
  int64_t unused = 0;
  genie_dim_bounds(op, start, &least, &unused);
  genie_dim_bounds(op, genie_dim_sub(size, last), &room, &unused);
  genie_dim_bounds(op, count, &unused, &greatest_count);
  if (least < 0 || (room < 1 && greatest_count > 0)) {
    return genie_verify_refuse("may leave its operand: axis %d, for some value of the symbols", axis);
  }
  return GENIE_OK;
}

genie_status_t genie_verify_op(MlirOperation op) {
  const genie_op_info_t *info = genie_op_info_get(op);
  GENIE_RETURN_IF_ERROR(verify_types(op));
  if (genie_op_is(op, "genie.kernel")) {
    return genie_verify_kernel(op);
  }
  if (genie_op_is(op, "genie.state_update")) {
    return GENIE_OK;  // verified with the module's symbols
  }
  GENIE_RETURN_IF_ERROR(verify_shape(op, info));
  if (genie_op_is(op, "genie.slice")) {
    return verify_slice_range(op, mlirOperationGetResult(op, 0));
  }
  if (genie_op_is(op, "genie.slice_scatter")) {
    return verify_slice_range(op, genie_ir_operand(op, "source"));
  }
  return GENIE_OK;
}
