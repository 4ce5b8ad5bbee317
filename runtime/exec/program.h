// An entry of a plan as the executor walks it: addresses resolved, lists laid out, nothing left to look up.
//
// What a call can change is listed apart from the steps: `pointers` are the argument slots that hold an input's or
// output's address, `sizes` the numbers that depend on dynamic dimensions. An entry without symbols has its sizes set
// once, when the session is made.
#ifndef GENIE_RUNTIME_EXEC_PROGRAM_H_
#define GENIE_RUNTIME_EXEC_PROGRAM_H_

#include "runtime/exec/exchange.h"
#include "runtime/exec/place.h"
#include "runtime/exec/trace.h"

typedef enum genie_step_kind {
  GENIE_STEP_LAUNCH,
  GENIE_STEP_COPY,
  GENIE_STEP_SIGNAL,
  GENIE_STEP_WAIT,
  GENIE_STEP_SEND,
  GENIE_STEP_RECEIVE,
  GENIE_STEP_LIBRARY_CALL,
} genie_step_kind_t;

typedef struct genie_step_copy {
  void *destination;
  void *source;
  int64_t size_bytes;
} genie_step_copy_t;

typedef struct genie_step_message {
  void *address;
  int64_t size_bytes;
  uint32_t transfer;
} genie_step_message_t;

typedef struct genie_step {
  genie_step_kind_t kind;
  uint32_t place;
  uint32_t instruction;  // index into the plan's
  genie_device_stream_t *stream;
  union {
    genie_device_launch_t launch;
    genie_step_copy_t copy;
    genie_device_event_t *event;
    genie_step_message_t message;
  };
  const char *function;  // LIBRARY_CALL
} genie_step_t;

// *slot = address of the bound tensor + offset.
typedef struct genie_pointer_patch {
  void **slot;
  uint32_t binding;  // inputs first, then outputs
  uint64_t offset;
} genie_pointer_patch_t;

// *slot = value of the expression.
typedef struct genie_size_patch {
  int64_t *slot;
  uint32_t expr;
} genie_size_patch_t;

typedef struct genie_program_graphs genie_program_graphs_t;

// Payload that crossed along one transfer, counted where it was sent and where it was received.
typedef struct genie_transfer_count {
  uint64_t sent_bytes, received_bytes;  // of the last run
  uint64_t total_bytes;                 // of all, received; or sent where the place is not here
} genie_transfer_count_t;

typedef struct genie_program {
  const genie_plan_t *plan;
  uint32_t entry;
  uint32_t place;  // whose instructions the steps are; GENIE_PLAN_NONE: all
  uint32_t input_count, output_count;
  uint32_t launch_count;
  genie_step_t *steps;
  uint32_t step_count;
  genie_pointer_patch_t *pointers;
  uint32_t pointer_count;
  genie_size_patch_t *sizes;
  uint32_t size_count;
  genie_device_event_t **events;  // one a plan's event of this entry
  uint32_t *event_places;         // the place that made each
  uint32_t event_count;
  int64_t *values;            // of the plan's expressions, as of the last bound shapes; this entry's only
  void **bindings;            // [input_count + output_count] addresses of the current call
  uint64_t *staging_offsets;  // [input_count + output_count] into the staging memory of the tensor's place
  uint64_t *staging_bytes;    // [place_count]
  uint64_t *input_ends;       // [place_count] where inputs end in it and outputs begin
  uint64_t *message_bytes;    // [place_count] the largest message that a place sends or receives
  bool has_messages;
  genie_transfer_count_t *transfers;        // [transfer_count], shared by the programs of a session
  genie_transfer_count_t *caller_counts;    // [input_count + output_count] what went to and came from the caller
  uint64_t run_count;                       // that are counted there
  const int64_t **input_dims;               // [input_count] scratch for binding
  int64_t (*bound_shapes)[GENIE_MAX_RANK];  // [input_count] the shapes that `values` hold for
  bool has_bound_shapes;
  uint64_t *launch_ns;  // [step_count] with a profile, else NULL
  uint64_t profiled_run_count;
  genie_program_graphs_t *graphs;  // of devices that have them; NULL: steps are launched one by one
  bool has_new_sizes;              // since the graphs in use were chosen
  bool is_timed;
  uint64_t enqueue_ns;   // the host's time for the walk, of the last run
  genie_trace_t *trace;  // NULL: steps are not recorded
  uint64_t call;         // the number of the run, for the trace
} genie_program_t;

// Resolves entry `entry` against `places`, of which only number `place` is initialised (GENIE_PLAN_NONE: all are, and
// all run here); tables come from `arena`. UNIMPLEMENTED for an instruction that this executor cannot run. Deinitialise
// even after a failure.
genie_status_t genie_program_init(const genie_model_t *model, uint32_t entry, uint32_t place, genie_place_t *places,
                                  bool has_profile, genie_transfer_count_t *transfers, genie_arena_t *arena,
                                  genie_program_t *program) GENIE_MUST_USE;
void genie_program_deinit(genie_program_t *program, genie_place_t *places);

// Sets every size of the next run, from the values of the entry's symbols, which are in range.
void genie_program_set_sizes(const genie_model_t *model, const int64_t *symbol_values, genie_program_t *program);

// The tensor of binding `binding`: inputs first, then outputs.
const genie_plan_tensor_t *genie_program_binding_tensor(const genie_plan_t *plan, const genie_program_t *program,
                                                        uint32_t binding);

// Bytes of a binding in the sizes that are bound.
uint64_t genie_program_binding_bytes(const genie_program_t *program, uint32_t binding);

// The binding's memory in the staging of its place.
void *genie_program_staging(const genie_plan_t *plan, const genie_program_t *program, const genie_place_t *places,
                            uint32_t binding);

// Writes the addresses in `bindings` where the steps read them.
void genie_program_set_addresses(const genie_program_t *program);

// Binds inputs and outputs of places that the host cannot reach to their staging, where they stay.
void genie_program_bind_staging(genie_program_t *program, const genie_place_t *places);

// Walks the steps and waits for all streams, also after a failure: the caller's memory must not be in use when the call
// returns. Inputs of places that the host cannot reach come from the mirror of their staging, and outputs are there
// afterwards. `exchange` may be NULL when the program has no messages. It checks nothing, allocates nothing and takes
// no lock of its own, but the first time that graphs are made for new sizes.
genie_status_t genie_program_run(genie_program_t *program, genie_place_t *places, uint32_t place_count,
                                 genie_exchange_t *exchange) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_PROGRAM_H_
