#include "codegen/plan/gplan_builder.h"

#include <assert.h>

static void set(genie_gplan_op_t *op, const char *name, MlirAttribute value) {
  assert(op->attribute_count < GENIE_GPLAN_MAX_ATTRIBUTES);
  const MlirContext context = mlirLocationGetContext(op->location);
  op->attributes[op->attribute_count++] =
      mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString(name)), value);
}

void genie_gplan_set_i64(genie_gplan_op_t *op, const char *name, uint64_t value) {
  const MlirContext context = mlirLocationGetContext(op->location);
  set(op, name, mlirIntegerAttrGet(mlirIntegerTypeGet(context, 64), (int64_t)value));
}

void genie_gplan_set_string(genie_gplan_op_t *op, const char *name, const char *text, size_t length) {
  set(op, name, mlirStringAttrGet(mlirLocationGetContext(op->location), mlirStringRefCreate(text, length)));
}

MlirOperation genie_gplan_build(const genie_gplan_op_t *op, MlirBlock block, MlirOperation before) {
  const MlirContext context = mlirLocationGetContext(op->location);
  MlirOperationState state = mlirOperationStateGet(mlirStringRefCreateFromCString(op->name), op->location);
  mlirOperationStateAddAttributes(&state, op->attribute_count, op->attributes);
  mlirOperationStateAddOperands(&state, op->operand_count, op->operands);
  if (op->segment_count > 0) {
    const MlirNamedAttribute segments =
        mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString("operandSegmentSizes")),
                              mlirDenseI32ArrayGet(context, op->segment_count, op->segments));
    mlirOperationStateAddAttributes(&state, 1, &segments);
  }
  if (op->has_result) {
    const MlirType index = mlirIndexTypeGet(context);
    mlirOperationStateAddResults(&state, 1, &index);
  }
  if (op->has_body) {
    MlirRegion body = mlirRegionCreate();
    mlirRegionAppendOwnedBlock(body, mlirBlockCreate(0, NULL, NULL));
    mlirOperationStateAddOwnedRegions(&state, 1, &body);
  }
  const MlirOperation result = mlirOperationCreate(&state);
  assert(!mlirOperationIsNull(result));
  if (mlirOperationIsNull(before)) {
    mlirBlockAppendOwnedOperation(block, result);
  } else {
    mlirBlockInsertOwnedOperationBefore(block, before, result);
  }
  return result;
}
