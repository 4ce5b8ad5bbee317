// What every kernel template includes. A template is C that clang compiles to bitcode when Genie is built; its hooks
// (see codegen/kernel/lowering.h) are declared here or in the template and defined by the compiler for each kernel.
//
// Templates are freestanding, refer to no global mutable data, and call nothing but hooks and genie_math_* functions.
// An innermost loop is marked GENIE_VECTORIZE: its iterations are independent but for reductions into local variables.
#ifndef GENIE_CODEGEN_TEMPLATES_TEMPLATE_H_
#define GENIE_CODEGEN_TEMPLATES_TEMPLATE_H_

#include <stdint.h>

#include "runtime/base/kernel_frame.h"

typedef int64_t i64;
#ifdef GENIE_CUDA
typedef struct genie_cuda_frame frame_t;  // only hooks look inside
#ifdef GENIE_CUDA_EMULATED
#define genie_kernel genie_emulated_thread  // emulator.h has the CPU's entry
#endif
#else
typedef genie_kernel_frame_t frame_t;
#endif

#define GENIE_VECTORIZE _Pragma("clang loop vectorize(assume_safety) interleave(enable)")
// As above for a loop that reduces, where one chain of additions would wait for itself; `n` chains run side by side.
#define GENIE_VECTORIZE_CHAINS(n) GENIE_PRAGMA(clang loop vectorize(assume_safety) interleave_count(n))
#define GENIE_PRAGMA(text) _Pragma(#text)
#define GENIE_UNROLL _Pragma("clang loop unroll(full)")
#define GENIE_INLINE static inline __attribute__((always_inline))

GENIE_INLINE i64 genie_min_i64(i64 a, i64 b) {
  return a < b ? a : b;
}
GENIE_INLINE i64 genie_max_i64(i64 a, i64 b) {
  return a > b ? a : b;
}

// The entry of every template: tasks [begin, end) of the grid, or, on a GPU, one thread of a task.
#ifdef GENIE_CUDA
void genie_kernel(const frame_t *frame);
#else
void genie_kernel(const frame_t *frame, i64 begin, i64 end);
#endif

#endif  // GENIE_CODEGEN_TEMPLATES_TEMPLATE_H_
