// Size expressions as a person writes them, for messages and introspection.
#ifndef GENIE_RUNTIME_EXEC_EXPR_TEXT_H_
#define GENIE_RUNTIME_EXEC_EXPR_TEXT_H_

#include "runtime/base/string_builder.h"
#include "runtime/plan/reader.h"

// Appends expression `expr`, as in "128", "s0" or "(s0 + 1)*s1"; an expression of very many terms is cut with "...".
void genie_expr_text_append(const genie_plan_t *plan, uint32_t expr, genie_string_builder_t *builder);

#endif  // GENIE_RUNTIME_EXEC_EXPR_TEXT_H_
