// The targets that kernels are compiled for.
#ifndef GENIE_CODEGEN_KERNEL_TARGET_H_
#define GENIE_CODEGEN_KERNEL_TARGET_H_

#include <llvm-c/TargetMachine.h>

#include "codegen/kernel/lowering.h"

enum { GENIE_TARGET_MAX_COUNT = 8 };

typedef struct genie_target {
  char name[32];
  char device_kind[8];  // "cpu", "cuda"
  char cpu[64];
  char features[2048];  // LLVM's, "+avx2,-sse4a,..."
  char needs[512];      // of a device: CPU features as in /proc/cpuinfo, "sm_90"
  int vector_bytes, vector_count;
  bool is_cuda;  // code for a GPU
  bool has_programmatic_launch;
  bool has_clusters;  // blocks that read one another's shared memory
  bool is_emulated;   // the templates of GPUs, compiled for a CPU
} genie_target_t;

// By name, "host" included. INVALID_ARGUMENT names the targets that exist.
genie_status_t genie_target_find(const char *name, size_t length, genie_target_t *out_target) GENIE_MUST_USE;

// The targets that `module` states, those of a kind together, least demanding first; `host` where it states none.
genie_status_t genie_target_list(MlirModule module, int capacity, genie_target_t *out_targets,
                                 int *out_count) GENIE_MUST_USE;

// A machine for position-independent code; LLVMDisposeTargetMachine() releases it.
genie_status_t genie_target_create_machine(const genie_target_t *target, int opt_level,
                                           LLVMTargetMachineRef *out_machine) GENIE_MUST_USE;

// The triple that LLVM knows the target's kind by.
const char *genie_target_triple(const genie_target_t *target);

#endif  // GENIE_CODEGEN_KERNEL_TARGET_H_
