// One place of a plan, executed alone: its device, weights, state and slab, and its share of every entry. What a node
// runs for each place that it hosts.
//
//     genie_place_program_create(model, place, &options, &program);
//     genie_place_program_bind(program, entry, symbol_values, symbol_count);     // the sizes of the call
//     ... fill genie_place_program_input_memory(program, entry, i) with genie_place_program_input_bytes() bytes ...
//     genie_place_run(program, entry, &(genie_place_call_t){.exchange = exchange});
//     ... read genie_place_program_output_memory(program, entry, i) ...
//
// A program is used by one thread at a time; the programs of several places of one model are independent, each with a
// thread of its own, and meet in the exchange. Between bind and the end of the run no other bind. After creation a call
// allocates nothing and takes no lock of its own.
#ifndef GENIE_RUNTIME_EXEC_PLACE_PROGRAM_H_
#define GENIE_RUNTIME_EXEC_PLACE_PROGRAM_H_

#include "runtime/exec/exchange.h"
#include "runtime/exec/model.h"
#include "runtime/exec/trace.h"

typedef struct genie_place_program genie_place_program_t;

// Zero-initialise, then set what differs from the default.
typedef struct genie_place_program_options {
  const char *device;     // kind of device that runs the place, as genie_device_create() takes it; NULL: as planned
  uint32_t thread_count;  // of a CPU device, the caller's included; 0: one for each CPU that the process may use
  uint32_t ordinal;       // which device of its kind; 0: as the number at the end of the place's name says, unless
  bool has_ordinal;       // the ordinal is meant even when it is 0
  const char *cache_directory;  // where the device keeps machine code that it made; NULL: nowhere
  const char *library_path;     // folders of vendor libraries, ':' between them; or NULL
  genie_trace_t *trace;         // where runs are recorded, which outlives the program; or NULL
} genie_place_program_options_t;

// Opens the device and loads code, those weights that the place uses, and the state. Errors as genie_session_create();
// OUT_OF_RANGE: the plan has no such place. The model outlives the program.
genie_status_t genie_place_program_create(const genie_model_t *model, uint32_t place,
                                          const genie_place_program_options_t *options,
                                          genie_place_program_t **out_program) GENIE_MUST_USE;
// Accepts NULL.
void genie_place_program_destroy(genie_place_program_t *program);

// The inputs and outputs of `entry` that belong to this place, in the entry's order, and what each is among all of the
// entry's: positions for genie_plan_input() and genie_plan_output(). `entry` and `index` are in range.
uint32_t genie_place_program_input_count(const genie_place_program_t *program, uint32_t entry);
uint32_t genie_place_program_output_count(const genie_place_program_t *program, uint32_t entry);
uint32_t genie_place_program_input_position(const genie_place_program_t *program, uint32_t entry, uint32_t index);
uint32_t genie_place_program_output_position(const genie_place_program_t *program, uint32_t entry, uint32_t index);

// Sets the sizes of the next run of `entry`: one value a symbol of the entry, as genie_model_bind_symbols() finds them
// from the shapes of all inputs. OUT_OF_RANGE: no such entry, or a value is outside its symbol's range or no multiple
// of what it must be. INVALID_ARGUMENT: their number.
genie_status_t genie_place_program_bind(genie_place_program_t *program, uint32_t entry, const int64_t *symbol_values,
                                        uint32_t symbol_count) GENIE_MUST_USE;

// Bytes of an input or output of this place in the sizes that are bound.
uint64_t genie_place_program_input_bytes(const genie_place_program_t *program, uint32_t entry, uint32_t index);
uint64_t genie_place_program_output_bytes(const genie_place_program_t *program, uint32_t entry, uint32_t index);

// The program's own host memory for an input or output, 64-byte aligned, with room for its maximum. Outputs are valid
// until the next run.
void *genie_place_program_input_memory(const genie_place_program_t *program, uint32_t entry, uint32_t index);
void *genie_place_program_output_memory(const genie_place_program_t *program, uint32_t entry, uint32_t index);

// What a run brings. A NULL list, or a NULL address in one, means the program's own memory; other addresses are host
// memory, used in place when 64-byte aligned and else copied.
typedef struct genie_place_call {
  void *const *inputs;   // [genie_place_program_input_count()]
  void *const *outputs;  // [genie_place_program_output_count()]
  // Used on the calling thread only. NULL when the place neither sends nor receives in this entry; FAILED_PRECONDITION
  // if it does.
  genie_exchange_t *exchange;
  uint64_t call;  // its number, for the trace
} genie_place_call_t;

// Runs the place's list of `entry` to completion, in the sizes bound last (FAILED_PRECONDITION when another entry's
// are). An error of the exchange or the device ends the call; states may then be between two calls.
genie_status_t genie_place_run(genie_place_program_t *program, uint32_t entry,
                               const genie_place_call_t *call) GENIE_MUST_USE;

// Whether the place's device was lost: every run fails with ABORTED, and so does what else opens the device in this
// process. Thread-safe.
bool genie_place_program_is_device_lost(const genie_place_program_t *program);

// Sets every state of the place to its initial value.
genie_status_t genie_place_program_reset_state(genie_place_program_t *program) GENIE_MUST_USE;

// As genie_session_read_state() and genie_session_write_state(); NOT_FOUND also when the state is at another place.
genie_status_t genie_place_program_read_state(genie_place_program_t *program, const char *name, void *out_data,
                                              uint64_t size_bytes) GENIE_MUST_USE;
genie_status_t genie_place_program_write_state(genie_place_program_t *program, const char *name, const void *data,
                                               uint64_t size_bytes) GENIE_MUST_USE;

// Memory, code and time as of a session; counts are of this place alone.
void genie_place_program_get_stats(const genie_place_program_t *program, genie_session_stats_t *out_stats);

// Payload bytes of transfer `transfer` that this place sent or received in the last run of its entry.
uint64_t genie_place_program_transfer_bytes(const genie_place_program_t *program, uint32_t transfer);

// And in all runs; also while one goes on.
uint64_t genie_place_program_total_bytes(const genie_place_program_t *program, uint32_t transfer);

#endif  // GENIE_RUNTIME_EXEC_PLACE_PROGRAM_H_
