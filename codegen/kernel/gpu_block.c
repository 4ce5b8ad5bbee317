#include "codegen/kernel/gpu_block.h"

#include <stdio.h>

#include "codegen/kernel/hook.h"

enum { VECTOR_BYTES = 16, LEAST_ITEMS = 132 * 256 };  // threads that keep a large GPU busy

static int narrowest_element(const genie_lowering_t *lowering) {
  int narrowest = 8;
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(lowering->body); ++i) {
    const int bytes = (int)genie_dtype_bytes(genie_lower_dtype(mlirBlockGetArgument(lowering->body, i)));
    narrowest = bytes < narrowest ? bytes : narrowest;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(lowering->yield); ++i) {
    const int bytes = (int)genie_dtype_bytes(genie_lower_dtype(mlirOperationGetOperand(lowering->yield, i)));
    narrowest = bytes < narrowest ? bytes : narrowest;
  }
  return narrowest < 2 ? 2 : narrowest;
}

int genie_gpu_vector(const genie_lowering_t *lowering, MlirAffineExpr size, MlirAffineExpr elements) {
  int64_t constant = 0;
  if (!genie_dim_is_constant(size, &constant)) {
    return 1;
  }
  const int64_t count = genie_lower_maximum(lowering, elements);
  int vector = VECTOR_BYTES / narrowest_element(lowering);
  while (vector > 1 && (constant % vector != 0 || count / vector < LEAST_ITEMS)) {
    vector /= 2;
  }
  return vector;
}

int genie_gpu_threads(int64_t count, int most) {
  const int64_t warps = (count + GENIE_GPU_WARP - 1) / GENIE_GPU_WARP;
  const int64_t threads = (warps < 1 ? 1 : warps) * GENIE_GPU_WARP;
  return threads > most ? most : (int)threads;
}

genie_status_t genie_gpu_thread_grid(genie_lowering_t *lowering, MlirAffineExpr items, int threads) {
  lowering->threads = threads;
  lowering->grid = genie_lower_ceildiv(items, threads);
  const bool is_small = genie_lower_maximum(lowering, items) < INT32_MAX - GENIE_GPU_MAX_THREADS;
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_items", items));
  return genie_lower_define_i64(lowering, "genie_is_small", is_small);
}

genie_status_t genie_gpu_define_stores(genie_lowering_t *lowering, const char *name, int vector,
                                       const genie_lower_space_t *space) {
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_vector", vector));
  GENIE_RETURN_IF_ERROR(vector == 1 ? genie_lower_define_store(lowering, name, space)
                                    : genie_lower_define_store_vector(lowering, name, vector, space));
  if (vector != 1) {
    GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, name));
  }
  for (int other = 2; other <= GENIE_LOWER_MAX_VECTOR; other *= 2) {
    char full_name[64];
    snprintf(full_name, sizeof(full_name), "%s_%d", name, other);
    if (other != vector) {
      GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, full_name));
    }
  }
  return GENIE_OK;
}
