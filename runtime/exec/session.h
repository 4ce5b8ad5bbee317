// Inside of genie_session_t: the places of a plan on this machine and the programs of its entries.
#ifndef GENIE_RUNTIME_EXEC_SESSION_H_
#define GENIE_RUNTIME_EXEC_SESSION_H_

#include "runtime/exec/program.h"

struct genie_session {
  const genie_model_t *model;
  genie_allocator_t allocator;
  genie_arena_t arena;                // the tables of all programs
  genie_place_t *places;              // one a place of the plan
  uint32_t place_count;               // that are initialised
  genie_program_t *programs;          // one an entry
  uint32_t program_count;             // that are initialised
  genie_transfer_count_t *transfers;  // [transfer_count]
  genie_exchange_t *exchange;         // between the places, all of which are here; NULL when nothing is sent
  uint64_t *staged_outputs;           // scratch of a run: a bit an output that is copied to the caller afterwards
  uint64_t load_ns;
  uint64_t run_count;
  uint64_t last_run_ns;
  uint64_t last_launch_count;
  uint64_t last_enqueue_ns;
  uint64_t last_copy_bytes;
};

// A clock for durations.
uint64_t genie_session_now_ns(void);

#endif  // GENIE_RUNTIME_EXEC_SESSION_H_
