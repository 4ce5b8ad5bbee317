// Interval arithmetic over size expressions: what the verifier bounds a plan's sizes with, and codegen its memory.
#ifndef GENIE_RUNTIME_PLAN_RANGE_H_
#define GENIE_RUNTIME_PLAN_RANGE_H_

#include <stdbool.h>
#include <stdint.h>

// The least and greatest value of an expression over the ranges of its symbols.
typedef struct genie_plan_range {
  int64_t minimum;
  int64_t maximum;
} genie_plan_range_t;

// The range of operator `op` (genie_plan_expr_op_t) over operands in `a` and `b`. False when a value could overflow or
// a divisor could be less than 1.
bool genie_plan_range_combine(uint32_t op, genie_plan_range_t a, genie_plan_range_t b, genie_plan_range_t *out_range);

#endif  // GENIE_RUNTIME_PLAN_RANGE_H_
