// A program's steps as graphs, on devices that have them: what a place does between two messages is enqueued once, kept
// by the device, and replayed as it is. Addresses never change, because inputs and outputs are staged; sizes do, so
// there is a graph for each set of sizes that comes again.
#ifndef GENIE_RUNTIME_EXEC_PROGRAM_GRAPH_H_
#define GENIE_RUNTIME_EXEC_PROGRAM_GRAPH_H_

#include "runtime/exec/program.h"

// Finds what can be a graph; `program->graphs` stays NULL when nothing can. The program's bindings are its staging. A
// program without symbols has its graphs made now, and with them the choices that vendor libraries make; others when
// sizes are seen for the second time.
genie_status_t genie_program_graphs_create(genie_program_t *program, genie_place_t *places,
                                           genie_arena_t *arena) GENIE_MUST_USE;
void genie_program_graphs_destroy(genie_program_t *program, genie_place_t *places);

// Chooses the graphs for the sizes that are set. Afterwards genie_program_graph_at() says what to launch.
genie_status_t genie_program_graphs_choose(genie_program_t *program, genie_place_t *places) GENIE_MUST_USE;

// Whether the graphs that were chosen also bring the inputs of place `place` to it, and its outputs to the host.
bool genie_program_graph_uploads(const genie_program_t *program, uint32_t place);
bool genie_program_graph_downloads(const genie_program_t *program, uint32_t place);

// The graph that begins at step `step`, and how many steps it replaces; NULL when that step is run by itself.
genie_device_graph_t *genie_program_graph_at(const genie_program_t *program, uint32_t step, uint32_t *out_step_count);

#endif  // GENIE_RUNTIME_EXEC_PROGRAM_GRAPH_H_
