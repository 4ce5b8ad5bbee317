// The verifier: the rules of docs/plan-format.md, each checked once when a plan is opened.
//
// Every message is one line that names the section and the index of the record at fault. Only the reader calls
// genie_plan_verify(); the other functions are its parts, in the order in which each may rely on those before it.
#ifndef GENIE_RUNTIME_PLAN_VERIFIER_H_
#define GENIE_RUNTIME_PLAN_VERIFIER_H_

#include "runtime/plan/range.h"
#include "runtime/plan/reader.h"

// Checks every record of a plan whose sections are typed and hashed. INVALID_ARGUMENT, or UNIMPLEMENTED for what the
// format allows and this version cannot run.
genie_status_t genie_plan_verify(const genie_plan_t *plan) GENIE_MUST_USE;

// verify_header.c: the header page of a file of `file_bytes`: version, flags, and section bounds. The page is in
// memory.
genie_status_t genie_plan_verify_header(const genie_plan_header_t *header, uint64_t file_bytes) GENIE_MUST_USE;

// verify_exprs.c: symbols and expressions; fills out_ranges[expr_count].
genie_status_t genie_plan_verify_exprs(const genie_plan_t *plan, genie_plan_range_t *out_ranges) GENIE_MUST_USE;

// verify_records.c: places, tensors, kernels, targets, code offsets, entries' lists, transfers. Fills
// out_owners[tensor_count] with the entry whose input or output a tensor is (NONE for states and weights).
genie_status_t genie_plan_verify_records(const genie_plan_t *plan, const genie_plan_range_t *ranges,
                                         uint32_t *out_owners) GENIE_MUST_USE;

// verify_instructions.c: slices and the operands of every instruction.
genie_status_t genie_plan_verify_instructions(const genie_plan_t *plan, const genie_plan_range_t *ranges,
                                              const uint32_t *owners) GENIE_MUST_USE;

// verify_schedule.c: order: what is read was written before, streams do not race, events cannot deadlock.
genie_status_t genie_plan_verify_schedule(const genie_plan_t *plan) GENIE_MUST_USE;

// True when `offset` is a string of the plan.
static inline bool genie_plan_has_string(const genie_plan_t *plan, uint32_t offset) {
  return offset < plan->string_bytes;
}

// True when [first, first + count) lies within [0, total).
static inline bool genie_plan_has_range(uint32_t first, uint32_t count, uint32_t total) {
  return first <= total && count <= total - first;
}

// True when `entry` may use expression `expr`: one of its own or a common constant.
static inline bool genie_plan_entry_has_expr(const genie_plan_t *plan, uint32_t entry, uint32_t expr) {
  const genie_plan_entry_t *owner = &plan->entries[entry];
  return expr < plan->entries[0].first_expr ||
         (expr >= owner->first_expr && expr - owner->first_expr < owner->expr_count);
}

#endif  // GENIE_RUNTIME_PLAN_VERIFIER_H_
