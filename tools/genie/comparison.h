// Are two tensors equal within a tolerance?
#ifndef GENIE_TOOLS_GENIE_COMPARISON_H_
#define GENIE_TOOLS_GENIE_COMPARISON_H_

#include "genie/genie.h"

// What was found. An element agrees when |actual - expected| <= atol + rtol * largest; both NaN agree, equal infinities
// too. Integers and bools follow the same rule.
typedef struct genie_comparison {
  bool is_equal;
  bool has_same_type;  // dtype and shape; if false, the rest is unset
  double largest;      // the largest finite |expected|
  double difference;   // the largest |actual - expected|; infinite where only one is a number
  uint64_t worst;      // element with the largest difference
  uint64_t mismatch_count;
} genie_comparison_t;

// `rtol` below 0 takes the dtype's own: f32 1e-5, f64 1e-12, f16 2e-3, bf16 2e-2, others 0.
genie_comparison_t genie_comparison_make(const genie_tensor_t *actual, const genie_tensor_t *expected, double rtol,
                                         double atol);

#endif  // GENIE_TOOLS_GENIE_COMPARISON_H_
