// From a kernel's module (template and hooks) to optimised code, and from many such modules to one object.
#ifndef GENIE_CODEGEN_KERNEL_OPTIMISE_H_
#define GENIE_CODEGEN_KERNEL_OPTIMISE_H_

#include <llvm-c/TargetMachine.h>

#include "codegen/kernel/target.h"
#include "codegen/kernel/template_library.h"

// How a kernel of a GPU is launched: its one parameter is a struct of 8-byte entries.
typedef struct genie_optimise_block {
  int threads, frame_entries;
  int cluster;  // blocks of a cluster, 1 where there are none
} genie_optimise_block_t;

// Links the math library into `module`, names its entry `name`, hides everything else, and optimises for the target;
// `block` is NULL for a CPU. INTERNAL names a hook that the lowering left out.
genie_status_t genie_optimise_kernel(genie_template_library_t *library, LLVMModuleRef module, const char *name,
                                     const genie_target_t *target, LLVMTargetMachineRef machine, int opt_level,
                                     const genie_optimise_block_t *block) GENIE_MUST_USE;

// Optimises memcpy, memmove and memset, which the code generator may call.
genie_status_t genie_optimise_memory(LLVMModuleRef module, LLVMTargetMachineRef machine, int opt_level) GENIE_MUST_USE;

// Machine code or assembly of a module; LLVMDisposeMemoryBuffer() releases it. The module is used up.
genie_status_t genie_optimise_emit(LLVMModuleRef module, LLVMTargetMachineRef machine, bool as_assembly,
                                   LLVMMemoryBufferRef *out_buffer) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_OPTIMISE_H_
