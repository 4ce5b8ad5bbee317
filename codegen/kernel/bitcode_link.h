// What LLVM's C interface lacks of its linker.
#ifndef GENIE_CODEGEN_KERNEL_BITCODE_LINK_H_
#define GENIE_CODEGEN_KERNEL_BITCODE_LINK_H_

#include <llvm-c/Types.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Moves into `destination` what it declares and `source` defines, with all that this needs. Takes `source`.
bool genie_bitcode_link_needed(LLVMModuleRef destination, LLVMModuleRef source);

#ifdef __cplusplus
}
#endif
#endif  // GENIE_CODEGEN_KERNEL_BITCODE_LINK_H_
