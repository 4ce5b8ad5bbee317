// View ops as address arithmetic: which element of a buffer a value's element is.
#ifndef GENIE_IR_STRIDED_VIEW_H_
#define GENIE_IR_STRIDED_VIEW_H_

#include "ir/genie_ir.h"

// Element (i0, .., i[rank-1]) of the value lies `offset + sum(strides[d] * i[d])` elements into `root`'s buffer.
// Expressions are affine over the function's symbols; an expanded dimension has stride 0.
typedef struct genie_strided_view {
  MlirValue root;
  int rank;
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  MlirAffineExpr strides[GENIE_IR_MAX_RANK];
  MlirAffineExpr offset;
} genie_strided_view_t;

// Strides of a dense buffer of `type` whose dimensions lie in the physical order `layout`, outermost first (NULL:
// row-major).
void genie_strided_dense(MlirType type, const int64_t *layout, genie_strided_view_t *out_view);

// Follows reshape, permute, expand and slice from `value` up to the first value that is no view (a block argument or
// the result of another op) and returns true if the whole chain is strided. `layout` is the physical order of the root.
// False: a reshape that no strides can describe; the caller materialises a copy.
bool genie_strided_view_of(MlirValue value, const int64_t *layout, genie_strided_view_t *out_view);

// The address of an op's `result` inside the buffer of `yielded`, to which a chain of reshape and permute ops
// leads from `result`: where a kernel stores. False when there is no such chain or it is not strided.
bool genie_strided_view_into(MlirValue result, MlirValue yielded, const int64_t *layout,
                             genie_strided_view_t *out_view);

#endif  // GENIE_IR_STRIDED_VIEW_H_
