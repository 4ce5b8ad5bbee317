// Computes values that are known when the plan is made, on the host: weights in their packed layout, folded constants.
//
// Tensors are dense and row-major. Nothing here is thread-safe. What an op or dtype lacks answers UNIMPLEMENTED with
// the op's name; genie_evaluate_supports() tells beforehand.
#ifndef GENIE_IR_EVALUATE_H_
#define GENIE_IR_EVALUATE_H_

#include "ir/genie_ir.h"
#include "runtime/base/allocator.h"

typedef struct genie_host_tensor {
  genie_dtype_t dtype;
  int rank;
  int64_t dims[GENIE_IR_MAX_RANK];
  void *data;   // elements; at least one element's alignment
  void *owned;  // what deinit frees, or NULL when `data` is borrowed
} genie_host_tensor_t;

int64_t genie_host_tensor_count(const genie_host_tensor_t *tensor);
size_t genie_host_tensor_bytes(const genie_host_tensor_t *tensor);
void genie_host_tensor_deinit(genie_allocator_t allocator, genie_host_tensor_t *tensor);

// True when every result of `op` can be computed: its kind, dtypes and sizes are known to the evaluator.
bool genie_evaluate_supports(MlirOperation op);

// Computes the results of `op`, one that genie_evaluate_supports(), from its operands in order; null-value operands do
// not count. A result may borrow the data of an operand (a reshape).
genie_status_t genie_evaluate_op(genie_allocator_t allocator, MlirOperation op, const genie_host_tensor_t *operands,
                                 genie_host_tensor_t *out_results) GENIE_MUST_USE;

// Where weights come from.
typedef struct genie_evaluator {
  genie_allocator_t allocator;
  void *self;
  // The dense elements of the `genie.weight` of this name; borrowed (a mapped file) or owned by the tensor. Called as
  // often as the weight is needed.
  genie_status_t (*load_weight)(void *self, MlirStringRef name, genie_host_tensor_t *out_tensor);
} genie_evaluator_t;

// Computes a value for which genie_ir_is_compile_time() holds. Intermediate tensors are released as soon as they are
// used, so that the peak is that of one weight's chain. The caller deinits `out_tensor`.
genie_status_t genie_evaluate(const genie_evaluator_t *evaluator, MlirValue value,
                              genie_host_tensor_t *out_tensor) GENIE_MUST_USE;

// The tensor as the `value` of a genie.constant; only for small ones.
MlirAttribute genie_evaluate_to_attribute(MlirContext context, const genie_host_tensor_t *tensor);

#endif  // GENIE_IR_EVALUATE_H_
