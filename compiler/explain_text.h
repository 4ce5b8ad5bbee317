// What the parts of the explaining page read from a plan's IR.
#ifndef GENIE_COMPILER_EXPLAIN_TEXT_H_
#define GENIE_COMPILER_EXPLAIN_TEXT_H_

#include <jansson.h>

#include "ir/genie_ir.h"

// The attribute of this name as a JSON string, "" where there is none; bytes that are no UTF-8 become '?'.
json_t *genie_explain_text(MlirOperation op, const char *name);

// "launch", "send", ..: the instruction's name in runtime/plan/instruction.def; NULL for what is no instruction.
const char *genie_explain_instruction_kind(MlirOperation op);

// The number of gplan.transfer in a gplan.entry.
int genie_explain_transfer_count(MlirOperation plan_entry);

#endif  // GENIE_COMPILER_EXPLAIN_TEXT_H_
