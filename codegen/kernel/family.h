// The lowerings of all families (families.def).
#ifndef GENIE_CODEGEN_KERNEL_FAMILY_H_
#define GENIE_CODEGEN_KERNEL_FAMILY_H_

#include "codegen/kernel/lowering.h"

#define GENIE_FAMILY(family) genie_status_t genie_lower_##family(genie_lowering_t *lowering) GENIE_MUST_USE;
#include "codegen/kernel/families.def"
#undef GENIE_FAMILY

#endif  // GENIE_CODEGEN_KERNEL_FAMILY_H_
