#include "tools/genie/comparison.h"

#include <math.h>
#include <string.h>

#include "tools/genie/element.h"
#include "tools/tensor_file/tensor_file.h"

static double default_rtol(genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F32:
      return 1e-5;
    case GENIE_DTYPE_F64:
      return 1e-12;
    case GENIE_DTYPE_F16:
      return 2e-3;
    case GENIE_DTYPE_BF16:
      return 2e-2;
    default:
      return 0;
  }
}

static double difference_of(double actual, double expected) {
  if (actual == expected || (isnan(actual) && isnan(expected))) {
    return 0;
  }
  const double difference = fabs(actual - expected);
  return isnan(difference) ? INFINITY : difference;
}

static double largest_of(const genie_tensor_t *tensor, uint64_t count) {
  double largest = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const double value = fabs(genie_element_get(tensor->dtype, tensor->data, i));
    largest = isfinite(value) && value > largest ? value : largest;
  }
  return largest;
}

genie_comparison_t genie_comparison_make(const genie_tensor_t *actual, const genie_tensor_t *expected, double rtol,
                                         double atol) {
  genie_comparison_t result = {0};
  uint64_t bytes = 0;
  result.has_same_type = actual->dtype == expected->dtype && actual->rank == expected->rank &&
                         memcmp(actual->shape, expected->shape, (size_t)actual->rank * sizeof(int64_t)) == 0 &&
                         genie_tensor_byte_count(expected, &bytes);
  if (!result.has_same_type) {
    return result;
  }
  const uint64_t count = bytes / genie_dtype_bytes(expected->dtype);
  result.largest = largest_of(expected, count);
  const double tolerance = atol + (rtol < 0 ? default_rtol(expected->dtype) : rtol) * result.largest;
  for (uint64_t i = 0; i < count; ++i) {
    const double difference = difference_of(genie_element_get(actual->dtype, actual->data, i),
                                            genie_element_get(expected->dtype, expected->data, i));
    result.mismatch_count += difference > tolerance;
    if (difference > result.difference) {
      result.difference = difference;
      result.worst = i;
    }
  }
  result.is_equal = result.mismatch_count == 0;
  return result;
}
