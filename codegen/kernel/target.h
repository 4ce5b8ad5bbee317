// The targets that kernels are compiled for.
#ifndef GENIE_CODEGEN_KERNEL_TARGET_H_
#define GENIE_CODEGEN_KERNEL_TARGET_H_

#include <llvm-c/TargetMachine.h>

#include "codegen/kernel/lowering.h"

enum { GENIE_TARGET_MAX_COUNT = 8 };

typedef struct genie_target {
  char name[32];
  char cpu[64];
  char features[2048];     // LLVM's, "+avx2,-sse4a,..."
  char cpu_features[512];  // what the code needs, as in /proc/cpuinfo
  int vector_bytes, vector_count;
} genie_target_t;

// By name, "host" included. INVALID_ARGUMENT names the targets that exist.
genie_status_t genie_target_find(const char *name, size_t length, genie_target_t *out_target) GENIE_MUST_USE;

// The targets that `module` states, least demanding first; `host` where it states none.
genie_status_t genie_target_list(MlirModule module, int capacity, genie_target_t *out_targets,
                                 int *out_count) GENIE_MUST_USE;

// A machine for position-independent code; LLVMDisposeTargetMachine() releases it.
genie_status_t genie_target_create_machine(const genie_target_t *target, int opt_level,
                                           LLVMTargetMachineRef *out_machine) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_TARGET_H_
