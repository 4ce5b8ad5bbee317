// Copies on a GPU whose result runs along another dimension than their source: a special case of `pointwise`.
#ifndef GENIE_CODEGEN_KERNEL_LOWER_TRANSPOSE_H_
#define GENIE_CODEGEN_KERNEL_LOWER_TRANSPOSE_H_

#include "codegen/kernel/lowering.h"

// Lowers the kernel if it is such a copy, of constant sizes and large enough for tiles; else `*out_is_done` is false
// and nothing has happened.
genie_status_t genie_lower_transpose(genie_lowering_t *lowering, bool *out_is_done) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_LOWER_TRANSPOSE_H_
