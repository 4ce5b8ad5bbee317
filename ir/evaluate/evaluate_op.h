// The parts of the evaluator: each family computes results into tensors that the dispatcher allocated.
#ifndef GENIE_IR_EVALUATE_EVALUATE_OP_H_
#define GENIE_IR_EVALUATE_EVALUATE_OP_H_

#include "ir/evaluate.h"

// Computes one result, whose dtype, dims and storage are set.
typedef genie_status_t (*genie_evaluate_fn_t)(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                              genie_host_tensor_t *result);

// Whether the family computes this op. Pointwise ops are looked up by name and dtype.
genie_evaluate_fn_t genie_evaluate_find_pointwise(MlirOperation op);
genie_evaluate_fn_t genie_evaluate_find_movement(MlirOperation op);
genie_evaluate_fn_t genie_evaluate_find_compute(MlirOperation op);

//===-- Blocks: runs of elements in a compute type ----------------------------------------------------------------===//

typedef enum genie_block_class { GENIE_BLOCK_F32, GENIE_BLOCK_F64, GENIE_BLOCK_I64 } genie_block_class_t;

enum { GENIE_BLOCK_COUNT = 512 };

typedef union genie_block {
  float f32[GENIE_BLOCK_COUNT];
  double f64[GENIE_BLOCK_COUNT];
  int64_t i64[GENIE_BLOCK_COUNT];
} genie_block_t;

// The class in which a dtype is computed: f32 for f32, f16 and bf16; i64 for integers and bool.
genie_block_class_t genie_block_class_of(genie_dtype_t dtype);

// Loads `count` elements from `data`, one element if !is_contiguous (repeated), into the class of `dtype`.
void genie_block_load(genie_dtype_t dtype, const void *data, bool is_contiguous, int count, genie_block_t *out_block);
// Stores a block of class `from` as `dtype`, converting as PyTorch does.
void genie_block_store(genie_block_class_t from, const genie_block_t *block, int count, genie_dtype_t dtype,
                       void *data);

// Copies a strided box: element i of `dims` from source + i * source_strides to target + i * target_strides (in
// elements).
void genie_strided_copy(int rank, const int64_t *dims, size_t element_bytes, const void *source,
                        const int64_t *source_strides, void *target, const int64_t *target_strides);

// Row-major strides of a dense tensor.
void genie_host_tensor_strides(const genie_host_tensor_t *tensor, int64_t *out_strides);

#endif  // GENIE_IR_EVALUATE_EVALUATE_OP_H_
