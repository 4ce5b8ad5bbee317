// A plan as text: the gplan dialect (ir/gplan_ops.td), the same that `geniec --emit=plan` prints.
#ifndef GENIE_RUNTIME_PLAN_DISASSEMBLE_H_
#define GENIE_RUNTIME_PLAN_DISASSEMBLE_H_

#include "runtime/base/string_builder.h"
#include "runtime/plan/reader.h"

// Appends a module that holds the plan. What the text leaves out are code, weights, manifest and signature.
// RESOURCE_EXHAUSTED when there is no memory for it.
genie_status_t genie_plan_disassemble(const genie_plan_t *plan, genie_string_builder_t *out_text) GENIE_MUST_USE;

// As above, of one place alone: its tensors, the transfers that it sends or receives, and of each entry its own list of
// instructions. The text parses, but it is no whole plan.
genie_status_t genie_plan_disassemble_place(const genie_plan_t *plan, uint32_t place,
                                            genie_string_builder_t *out_text) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_DISASSEMBLE_H_
