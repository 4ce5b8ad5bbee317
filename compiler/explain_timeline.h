// When each instruction of an entry and each of its edges is predicted to start and end.
//
// Timed as the executor runs a plan: every place takes its list in order, a SEND gives its bytes to the link and goes
// on, a link carries one transfer after another, a RECEIVE waits until its bytes are there. Kernels take what the cost
// model says (`genie.cost_ns`). The caller's tensors take no time unless the pool knows its links.
#ifndef GENIE_COMPILER_EXPLAIN_TIMELINE_H_
#define GENIE_COMPILER_EXPLAIN_TIMELINE_H_

#include <jansson.h>

#include "ir/genie_ir.h"
#include "passes/cost/cost_model.h"

typedef struct genie_explain_entry {
  MlirModule module;
  MlirOperation function;  // func.func of the fused module
  MlirOperation plan;      // the gplan.entry that was made of it
  int first_transfer;      // the number of its first transfer in the plan
  const json_t *edges;     // of genie_explain_make_report(): inputs, transfers, outputs
} genie_explain_entry_t;

// Sets in `out_entry` "instructions", in the plan's order: {kind, place, start_ns, end_ns} with, of a kernel, {kernel,
// family, module, phase, modality, ops, op_count}, of a SEND or RECEIVE, {edge}; "edges": {start_ns, end_ns} for each
// of `edges`; "latency_ns", the end of all. INTERNAL: the plan is not that of the function.
genie_status_t genie_explain_timeline_make(const genie_explain_entry_t *entry, const genie_cost_machine_t *machine,
                                           json_t *out_entry) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_EXPLAIN_TIMELINE_H_
