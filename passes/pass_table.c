#include "passes/pass.h"

#define GENIE_PASS(function, name, phase, summary) genie_status_t function(const genie_pass_context_t *, MlirModule);
#include "passes/passes.def"
#undef GENIE_PASS

const genie_pass_info_t genie_pass_table[] = {
#define GENIE_PASS(function, name, phase, summary) {name, phase, summary, function},
#include "passes/passes.def"
#undef GENIE_PASS
};
const int genie_pass_table_count = (int)(sizeof(genie_pass_table) / sizeof(genie_pass_table[0]));
