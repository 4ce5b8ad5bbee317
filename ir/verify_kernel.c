// The region rules of genie.kernel.
#include <string.h>

#include "ir/verify.h"

static genie_status_t verify_arguments(MlirOperation op, MlirBlock body) {
  const intptr_t count = mlirOperationGetNumOperands(op);
  if (mlirBlockGetNumArguments(body) != count) {
    return genie_verify_refuse("has %d inputs but its block has %d arguments", (int)count,
                               (int)mlirBlockGetNumArguments(body));
  }
  for (intptr_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_verify_same_type("must have a block argument",
                                                 mlirValueGetType(mlirOperationGetOperand(op, i)),
                                                 mlirValueGetType(mlirBlockGetArgument(body, i))));
  }
  return GENIE_OK;
}

static genie_status_t verify_yield(MlirOperation op, MlirBlock body) {
  const MlirOperation yield = mlirBlockGetTerminator(body);
  if (mlirOperationIsNull(yield) || !genie_op_is(yield, "genie.yield")) {
    return genie_verify_refuse("must end in genie.yield");
  }
  const intptr_t count = mlirOperationGetNumResults(op);
  if (mlirOperationGetNumOperands(yield) != count) {
    return genie_verify_refuse("has %d results but yields %d values", (int)count,
                               (int)mlirOperationGetNumOperands(yield));
  }
  for (intptr_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_verify_same_type("must yield a value", mlirValueGetType(mlirOperationGetResult(op, i)),
                                                 mlirValueGetType(mlirOperationGetOperand(yield, i))));
  }
  return GENIE_OK;
}

// Ops that can be evaluated at an index; any other is an anchor.
static bool is_index_evaluable(MlirOperation op) {
  return genie_op_has_rule(op, "pointwise") || genie_op_has_rule(op, "view") || genie_op_has_rule(op, "constant");
}

// A product may normalise the rows that it reads.
static bool is_normalised_product(MlirOperation kernel, MlirOperation op) {
  return mlirStringRefEqual(genie_ir_string(kernel, "family"), mlirStringRefCreateFromCString("gemm")) &&
         (genie_op_is(op, "genie.rms_norm") || genie_op_is(op, "genie.layer_norm"));
}

static genie_status_t verify_anchor(MlirOperation kernel, MlirBlock body) {
  MlirOperation anchor = {NULL};
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.yield") || is_index_evaluable(op) || is_normalised_product(kernel, op)) {
      continue;
    }
    const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
    if (genie_op_info_get(op) == NULL || genie_op_has_rule(op, "none") || genie_op_has_rule(op, "kernel")) {
      return genie_verify_refuse("cannot hold '%.*s'", (int)name.length, name.data);
    }
    if (!mlirOperationIsNull(anchor)) {
      const MlirStringRef first = mlirIdentifierStr(mlirOperationGetName(anchor));
      return genie_verify_refuse("has two anchors, '%.*s' and '%.*s'", (int)first.length, first.data, (int)name.length,
                                 name.data);
    }
    anchor = op;
  }
  return GENIE_OK;
}

static bool is_permutation(MlirAttribute layout, intptr_t rank) {
  if (!mlirAttributeIsADenseI64Array(layout) || mlirDenseArrayGetNumElements(layout) != rank) {
    return false;
  }
  unsigned seen = 0;
  for (intptr_t i = 0; i < rank; ++i) {
    const int64_t dim = mlirDenseI64ArrayGetElement(layout, i);
    if (dim < 0 || dim >= rank || (seen >> dim & 1)) {
      return false;
    }
    seen |= 1u << dim;
  }
  return true;
}

static genie_status_t verify_layouts(MlirOperation op) {
  const MlirAttribute layouts = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("layouts"));
  if (mlirAttributeIsNull(layouts)) {
    return GENIE_OK;
  }
  const intptr_t count = mlirOperationGetNumResults(op);
  if (mlirArrayAttrGetNumElements(layouts) != count) {
    return genie_verify_refuse("has %d results but %d layouts", (int)count, (int)mlirArrayAttrGetNumElements(layouts));
  }
  for (intptr_t i = 0; i < count; ++i) {
    const intptr_t rank = mlirShapedTypeGetRank(mlirValueGetType(mlirOperationGetResult(op, i)));
    if (!is_permutation(mlirArrayAttrGetElement(layouts, i), rank)) {
      return genie_verify_refuse("layout %d must name each of the %d dimensions once", (int)i, (int)rank);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_verify_kernel(MlirOperation op) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
  if (mlirBlockIsNull(body)) {
    return genie_verify_refuse("has no block");
  }
  GENIE_RETURN_IF_ERROR(verify_arguments(op, body));
  GENIE_RETURN_IF_ERROR(verify_yield(op, body));
  GENIE_RETURN_IF_ERROR(verify_anchor(op, body));
  return verify_layouts(op);
}
