// When two `genie.kernel` operations are one kernel.
#ifndef GENIE_CODEGEN_KERNEL_KERNEL_KEY_H_
#define GENIE_CODEGEN_KERNEL_KERNEL_KEY_H_

#include "ir/genie_ir.h"
#include "runtime/base/string_builder.h"

// Appends all that the code of `kernel` depends on: family, layouts, types, the ops of its region with their
// attributes, and, where a size is dynamic, the ranges of the symbols of `function`. Equal text means equal code.
void genie_kernel_key_append(MlirOperation kernel, MlirOperation function, genie_string_builder_t *out_key);

#endif  // GENIE_CODEGEN_KERNEL_KERNEL_KEY_H_
