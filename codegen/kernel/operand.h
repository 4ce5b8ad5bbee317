// What the dense lowerings (gemm, conv, attention, pool, recurrent) ask of an operand.
#ifndef GENIE_CODEGEN_KERNEL_OPERAND_H_
#define GENIE_CODEGEN_KERNEL_OPERAND_H_

#include "codegen/kernel/lowering.h"

// A float operand in memory, strided, or a weight in panels.
typedef struct genie_operand {
  genie_strided_view_t view;  // of the operand; of a packed one, of the packed tensor as a whole
  genie_dtype_t dtype;
  int64_t width;    // panel width of a packed weight, else 0
  int64_t groups;   // of a packed weight
  char format[16];  // of a packed weight, else ""
} genie_operand_t;

// UNIMPLEMENTED where `value` is neither strided nor a packed weight as it was packed, or is no float; `role` names the
// operand in the message. A packed weight may be permuted: `out_operand->view` then only has rank 0 and the root.
genie_status_t genie_operand_get(const genie_lowering_t *lowering, MlirValue value, const char *role,
                                 genie_operand_t *out_operand) GENIE_MUST_USE;

// Whether dimension `dim` of a strided operand is whole groups of 16 bytes that are aligned: what a GPU loads at once.
bool genie_operand_has_groups(const genie_operand_t *operand, int dim);

// Whether tensor cores multiply the types: both f16, or both bf16.
bool genie_operand_is_narrow_pair(const genie_operand_t *a, const genie_operand_t *b);

// A space of the leading `rank` of some dimensions, with `arg_count` arguments.
genie_lower_space_t genie_operand_space(int rank, const MlirAffineExpr *dims, int arg_count, const int *arg_dims);

// `const void *name(frame, i0..)`: the address of the first element of what the first `rank` dimensions of the view
// select; `space` has these dimensions.
genie_status_t genie_operand_define_base(genie_lowering_t *lowering, const char *name, const genie_operand_t *operand,
                                         int rank, const genie_lower_space_t *space) GENIE_MUST_USE;

// `i64 genie_has_bias(frame)` and `real_t genie_bias(frame, i64 n)` for an optional one-dimensional bias.
genie_status_t genie_operand_define_bias(genie_lowering_t *lowering, MlirValue bias) GENIE_MUST_USE;

// The store of a GPU's product: of two neighbouring columns at once on tensor cores where `n` is even.
genie_status_t genie_operand_define_pair_store(genie_lowering_t *lowering, MlirAffineExpr n,
                                               const genie_lower_space_t *space) GENIE_MUST_USE;

// The template of `stem` for a compute type and the target's vectors: "gemm" for f32 in 64-byte vectors is
// "gemm_f32_64"; for a GPU "gemm_f32".
genie_status_t genie_operand_use_template(genie_lowering_t *lowering, const char *stem, bool is_double) GENIE_MUST_USE;

// How templates on gemm_block.h cut their work: elements of the compute type.
typedef struct genie_gemm_block {
  int64_t rows, columns, depth;
} genie_gemm_block_t;

// Blocks for a product of at most m x n x k that is repeated `batch` times.
genie_gemm_block_t genie_gemm_block_choose(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t element_bytes);

// Defines the hooks of gemm_block.h (genie_n, genie_k, the block, genie_tail_rows) and sets grid, grain and scratch;
// `extra_bytes` of scratch follow those of gemm_block.h.
genie_status_t genie_gemm_block_define(genie_lowering_t *lowering, const genie_gemm_block_t *block,
                                       MlirAffineExpr batch, MlirAffineExpr m, MlirAffineExpr n, MlirAffineExpr k,
                                       int64_t element_bytes, uint64_t extra_bytes) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_OPERAND_H_
