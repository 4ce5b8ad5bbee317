#include "runtime/plan/range.h"

#include "runtime/base/checked_math.h"
#include "runtime/plan/format.h"

// The product's extremes lie at the corners of the operands' ranges.
static bool multiply(genie_plan_range_t a, genie_plan_range_t b, genie_plan_range_t *out_range) {
  const int64_t lhs[4] = {a.minimum, a.minimum, a.maximum, a.maximum};
  const int64_t rhs[4] = {b.minimum, b.maximum, b.minimum, b.maximum};
  *out_range = (genie_plan_range_t){INT64_MAX, INT64_MIN};
  for (int i = 0; i < 4; ++i) {
    int64_t product = 0;
    if (!genie_checked_mul_i64(lhs[i], rhs[i], &product)) {
      return false;
    }
    out_range->minimum = product < out_range->minimum ? product : out_range->minimum;
    out_range->maximum = product > out_range->maximum ? product : out_range->maximum;
  }
  return true;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t greatest(int64_t a, int64_t b) {
  return a > b ? a : b;
}

// Division by a positive range: the extremes lie at the corners, and rounding keeps their order.
static bool divide(genie_plan_range_t a, genie_plan_range_t b, bool rounds_up, genie_plan_range_t *out_range) {
  if (b.minimum < 1 || a.minimum == INT64_MIN) {
    return false;
  }
  const int64_t sign = rounds_up ? -1 : 1;
  const int64_t low = sign * genie_floor_div_i64(sign * a.minimum, a.minimum < 0 ? b.minimum : b.maximum);
  const int64_t high = sign * genie_floor_div_i64(sign * a.maximum, a.maximum < 0 ? b.maximum : b.minimum);
  *out_range = (genie_plan_range_t){low, high};
  return true;
}

bool genie_plan_range_combine(uint32_t op, genie_plan_range_t a, genie_plan_range_t b, genie_plan_range_t *out_range) {
  switch (op) {
    case GENIE_PLAN_EXPR_ADD:
      return genie_checked_add_i64(a.minimum, b.minimum, &out_range->minimum) &&
             genie_checked_add_i64(a.maximum, b.maximum, &out_range->maximum);
    case GENIE_PLAN_EXPR_MUL:
      return multiply(a, b, out_range);
    case GENIE_PLAN_EXPR_FLOORDIV:
      return divide(a, b, false, out_range);
    case GENIE_PLAN_EXPR_CEILDIV:
      return divide(a, b, true, out_range);
    case GENIE_PLAN_EXPR_MOD:
      *out_range = a.minimum >= 0 && a.maximum < b.minimum ? a : (genie_plan_range_t){0, b.maximum - 1};
      return b.minimum >= 1 && a.minimum != INT64_MIN;
    case GENIE_PLAN_EXPR_MIN:
      *out_range = (genie_plan_range_t){least(a.minimum, b.minimum), least(a.maximum, b.maximum)};
      return true;
    case GENIE_PLAN_EXPR_MAX:
      *out_range = (genie_plan_range_t){greatest(a.minimum, b.minimum), greatest(a.maximum, b.maximum)};
      return true;
  }
  return false;
}
