// The calling convention of compiled kernels: what the executor hands to code that codegen made.
//
// A kernel is a function `void kernel(const genie_kernel_frame_t *frame, int64_t begin, int64_t end)`. Its work is a
// grid of independent tasks; one call does the tasks [begin, end). Calls on disjoint ranges may run at the same time on
// different threads, each with a frame of its own that differs in `scratch` only.
#ifndef GENIE_RUNTIME_BASE_KERNEL_FRAME_H_
#define GENIE_RUNTIME_BASE_KERNEL_FRAME_H_

#include <stdint.h>

typedef struct genie_kernel_frame {
  void *const *args;    // one pointer a slice of the launch, in its order; 64-byte aligned when the slice's offset is
  const int64_t *dims;  // the launch's run-time sizes, in its order
  void *scratch;        // the kernel's `scratch_bytes` of private memory, 64-byte aligned, contents undefined
} genie_kernel_frame_t;

typedef void (*genie_kernel_fn_t)(const genie_kernel_frame_t *frame, int64_t begin, int64_t end);

#endif  // GENIE_RUNTIME_BASE_KERNEL_FRAME_H_
