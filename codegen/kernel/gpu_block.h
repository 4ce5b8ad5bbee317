// How lowerings shape the thread blocks of a GPU.
#ifndef GENIE_CODEGEN_KERNEL_GPU_BLOCK_H_
#define GENIE_CODEGEN_KERNEL_GPU_BLOCK_H_

#include "codegen/kernel/lowering.h"

enum { GENIE_GPU_WARP = 32, GENIE_GPU_MAX_THREADS = 1024 };

// Neighbours (8, 4, 2 or 1) that a thread takes at once along a dimension of `size`: as many as are 16 bytes of the
// kernel's narrowest tensor and divide the size, but none where too few of the `elements` would be left for a thread
// each.
int genie_gpu_vector(const genie_lowering_t *lowering, MlirAffineExpr size, MlirAffineExpr elements);

// Whole warps for `count` threads, at least one and at most `most`.
int genie_gpu_threads(int64_t count, int most);

// Sets a grid that has a thread for each of `items`: threads, grid, and the hooks genie_items and genie_is_small.
genie_status_t genie_gpu_thread_grid(genie_lowering_t *lowering, MlirAffineExpr items, int threads) GENIE_MUST_USE;

// Defines the hook genie_vector and, of the hooks `name`, `name`_2, `name`_4 and `name`_8, that for `vector`; the
// others do nothing.
genie_status_t genie_gpu_define_stores(genie_lowering_t *lowering, const char *name, int vector,
                                       const genie_lower_space_t *space) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_GPU_BLOCK_H_
