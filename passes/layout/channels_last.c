#include "passes/layout/channels_last.h"

#include "passes/graph/rewrite.h"

void genie_channels_last_order(int rank, int64_t *out_order) {
  out_order[0] = 0;
  for (int i = 1; i + 1 < rank; ++i) {
    out_order[i] = i + 1;
  }
  out_order[rank - 1] = 1;
}

bool genie_channels_last_is(MlirValue value) {
  const MlirOperation kernel = genie_rewrite_definer_if(value, "genie.kernel");
  if (mlirOperationIsNull(kernel) || !genie_ir_has(kernel, "layouts")) {
    return false;
  }
  const MlirAttribute layouts = mlirOperationGetAttributeByName(kernel, mlirStringRefCreateFromCString("layouts"));
  const MlirAttribute layout = mlirArrayAttrGetElement(layouts, mlirOpResultGetResultNumber(value));
  const intptr_t rank = mlirDenseArrayGetNumElements(layout);
  return rank >= GENIE_CHANNELS_LAST_LEAST_RANK && mlirDenseI64ArrayGetElement(layout, rank - 1) == 1;
}
