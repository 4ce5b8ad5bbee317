// Kernels that a vendor's library computes: which regions are one call of it (runtime/plan/library_call.h).
#ifndef GENIE_CODEGEN_KERNEL_LIBRARY_CALL_H_
#define GENIE_CODEGEN_KERNEL_LIBRARY_CALL_H_

#include "codegen/kernel/code.h"
#include "codegen/kernel/operand.h"

enum { GENIE_LIBRARY_MAX_DIMS = 32 };

// A call under construction.
typedef struct genie_library_call {
  const char *function;  // "cublaslt.matmul"
  int dim_count;
  MlirAffineExpr dims[GENIE_LIBRARY_MAX_DIMS];
  int argument_count;
  int arguments[GENIE_CODE_MAX_LIBRARY_ARGUMENTS];  // as in code.h
} genie_library_call_t;

// What follows the anchor in a region with one output.
typedef struct genie_library_epilogue {
  genie_strided_view_t result;  // where each element of the anchor's result is stored in the output
  MlirValue bias;               // added along the result's dimension `bias_dim`; null: none
  MlirValue residual;           // added, of the result's shape, stored alike; null: none
  int activation;               // genie_library_activation_t
} genie_library_epilogue_t;

// Whether the region is its anchor, with `anchor_bias` (or null), and an epilogue that libraries know.
bool genie_library_read_epilogue(const genie_lowering_t *lowering, MlirValue anchor_bias, int bias_dim,
                                 genie_library_epilogue_t *out_epilogue);

// The kernel's argument that `value` is as a whole, dense; -1 where it is none.
int genie_library_argument(const genie_lowering_t *lowering, MlirValue value);

// Appends bias and residual to the arguments and returns FLAGS.
int genie_library_append_epilogue(const genie_lowering_t *lowering, const genie_library_epilogue_t *epilogue,
                                  genie_library_call_t *call);

// lower_gemm.c, lower_conv.c: false where the kernel is no such call, or too small for one to pay.
bool genie_gemm_library_call(genie_lowering_t *lowering, genie_library_call_t *out_call);
bool genie_conv_library_call(genie_lowering_t *lowering, genie_library_call_t *out_call);

#endif  // GENIE_CODEGEN_KERNEL_LIBRARY_CALL_H_
