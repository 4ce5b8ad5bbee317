// One step of a program, for those who walk them: program_run.c in every run, program_graph.c when it makes a graph.
#ifndef GENIE_RUNTIME_EXEC_PROGRAM_STEP_H_
#define GENIE_RUNTIME_EXEC_PROGRAM_STEP_H_

#include "runtime/exec/program.h"

// Enqueues `step` at its place; messages block. `exchange` is used by messages only.
genie_status_t genie_program_run_step(genie_program_t *program, genie_place_t *place, const genie_step_t *step,
                                      genie_exchange_t *exchange) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_PROGRAM_STEP_H_
