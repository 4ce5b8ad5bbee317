// A plan as text: the gplan dialect (ir/gplan_ops.td), the same that `geniec --emit=plan` prints.
#ifndef GENIE_RUNTIME_PLAN_DISASSEMBLE_H_
#define GENIE_RUNTIME_PLAN_DISASSEMBLE_H_

#include "runtime/base/string_builder.h"
#include "runtime/plan/reader.h"

// Appends a module that holds the plan. What the text leaves out are code, weights, manifest and signature.
// RESOURCE_EXHAUSTED when there is no memory for it.
genie_status_t genie_plan_disassemble(const genie_plan_t *plan, genie_string_builder_t *out_text) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_DISASSEMBLE_H_
