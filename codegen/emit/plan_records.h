// The records of a plan from the ops of the gplan dialect.
#ifndef GENIE_CODEGEN_EMIT_PLAN_RECORDS_H_
#define GENIE_CODEGEN_EMIT_PLAN_RECORDS_H_

#include "ir/genie_ir.h"
#include "runtime/plan/writer.h"

// What the ops add up to.
typedef struct genie_plan_records_summary {
  int kernel_count, launch_count, target_count, entry_count;
  uint64_t slab_bytes, sum_bytes, state_bytes;
} genie_plan_records_summary_t;

// Appends all records but code and weights of the gplan.plan in `plan`. INVALID_ARGUMENT names an op that refers to
// what the plan does not have. Code offsets and the bounds of each target's code are the caller's to complete.
genie_status_t genie_plan_records_append(MlirModule plan, genie_plan_writer_t *writer,
                                         genie_plan_records_summary_t *out_summary) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_EMIT_PLAN_RECORDS_H_
