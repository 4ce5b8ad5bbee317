// The code of a CUDA target: PTX and launch records as an image of runtime/plan/cuda_image.h.
#ifndef GENIE_CODEGEN_KERNEL_CUDA_CODE_H_
#define GENIE_CODEGEN_KERNEL_CUDA_CODE_H_

#include "codegen/kernel/code.h"
#include "runtime/base/arena.h"
#include "runtime/plan/cuda_image.h"
#include "runtime/plan/format.h"

// How a kernel is launched.
typedef struct genie_cuda_code_kernel {
  char symbol[GENIE_CUDA_SYMBOL_BYTES];
  int threads;        // of a block
  int frame_entries;  // 8-byte entries of its parameter
  uint32_t shared_bytes;
  int cluster;  // blocks of a cluster
  bool is_programmatic;
} genie_cuda_code_kernel_t;

// Fills code, code_bytes and offsets of `out_target` from PTX text; `kernels` [kernel_count] are NULL where the target
// has no code. Everything is allocated in `arena`.
genie_status_t genie_cuda_code_build(const char *ptx, size_t ptx_length, int kernel_count,
                                     const genie_cuda_code_kernel_t *const *kernels, genie_arena_t *arena,
                                     genie_code_target_t *out_target) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_CUDA_CODE_H_
