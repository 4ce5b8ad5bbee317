// --explain=html: a plan as one page for a browser, without anything from elsewhere.
//
// The page is the template explain_page.html with its data, one JSON object: {"version": 1, "model", "explain": as
// `geniec --explain --json` has it, "places": [{name, kind, slab_bytes, state_bytes, sum_bytes}], "entries": [{name,
// "instructions", "edges", "latency_ns" (explain_timeline.h), "memory" (explain_memory.h)}]}.
#ifndef GENIE_COMPILER_EXPLAIN_PAGE_H_
#define GENIE_COMPILER_EXPLAIN_PAGE_H_

#include "ir/genie_ir.h"

// `module` is fused, `plan` was made of it. Writes the page to `path`; errors of genie_text_file_write().
genie_status_t genie_explain_page_write(MlirModule module, MlirModule plan, const char *model,
                                        const char *path) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_EXPLAIN_PAGE_H_
