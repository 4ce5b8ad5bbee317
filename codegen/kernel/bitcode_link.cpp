#include "codegen/kernel/bitcode_link.h"

#include <memory>

#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"

bool genie_bitcode_link_needed(LLVMModuleRef destination, LLVMModuleRef source) {
  std::unique_ptr<llvm::Module> owned(llvm::unwrap(source));
  return !llvm::Linker::linkModules(*llvm::unwrap(destination), std::move(owned), llvm::Linker::LinkOnlyNeeded);
}
