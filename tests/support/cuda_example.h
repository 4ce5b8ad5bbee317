// A small image of CUDA code for tests: kernels written in PTX by hand, for any GPU since sm_70.
#ifndef GENIE_TESTS_SUPPORT_CUDA_EXAMPLE_H_
#define GENIE_TESTS_SUPPORT_CUDA_EXAMPLE_H_

#include "runtime/base/allocator.h"

// One thread of each block works; `i` is the block.
typedef enum genie_cuda_example_kernel {
  GENIE_CUDA_EXAMPLE_FILL,         // args[0][i] = dims[0] + i, i64
  GENIE_CUDA_EXAMPLE_COUNT,        // args[0][i] += 1, i64
  GENIE_CUDA_EXAMPLE_FAULT,        // writes to address 64, which is nobody's
  GENIE_CUDA_EXAMPLE_ADD,          // args[2][i] = args[0][i] + args[1][i], f32
  GENIE_CUDA_EXAMPLE_DOUBLE_ROWS,  // args[1] = args[0] + args[0] in row i of dims[0] f32
  GENIE_CUDA_EXAMPLE_KERNEL_COUNT,
} genie_cuda_example_kernel_t;

typedef struct genie_cuda_example {
  void *code;  // the caller frees it with the heap's allocator
  uint64_t code_bytes;
  uint64_t offsets[GENIE_CUDA_EXAMPLE_KERNEL_COUNT];
} genie_cuda_example_t;

// An image of `kernels` [kernel_count], at `out_example->offsets` in the same order. `ptx` NULL: the text of all that
// are above; else this text in its place.
genie_status_t genie_cuda_example_make(const char *ptx, const genie_cuda_example_kernel_t *kernels,
                                       uint32_t kernel_count, genie_cuda_example_t *out_example) GENIE_MUST_USE;

#endif  // GENIE_TESTS_SUPPORT_CUDA_EXAMPLE_H_
