// An entry of a plan as the executor walks it: addresses resolved, lists laid out, nothing left to look up.
//
// What a call can change is listed apart from the steps: `pointers` are the argument slots that hold an input's or
// output's address, `sizes` the numbers that depend on dynamic dimensions. An entry without symbols has its sizes set
// once, when the session is made.
#ifndef GENIE_RUNTIME_EXEC_PROGRAM_H_
#define GENIE_RUNTIME_EXEC_PROGRAM_H_

#include "runtime/exec/place.h"

typedef enum genie_step_kind {
  GENIE_STEP_LAUNCH,
  GENIE_STEP_COPY,
  GENIE_STEP_SIGNAL,
  GENIE_STEP_WAIT,
} genie_step_kind_t;

typedef struct genie_step_copy {
  void *destination;
  void *source;
  int64_t size_bytes;
} genie_step_copy_t;

typedef struct genie_step {
  genie_step_kind_t kind;
  uint32_t place;
  uint32_t instruction;  // index into the plan's
  genie_device_stream_t *stream;
  union {
    genie_device_launch_t launch;
    genie_step_copy_t copy;
    genie_device_event_t *event;
  };
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

typedef struct genie_program {
  uint32_t entry;
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
  uint64_t *staging_offsets;  // [input_count + output_count] into the session's staging memory
  uint64_t staging_bytes;
  const int64_t **input_dims;               // [input_count] scratch for binding
  int64_t (*bound_shapes)[GENIE_MAX_RANK];  // [input_count] the shapes that `values` hold for
  bool has_bound_shapes;
  uint64_t *launch_ns;  // [step_count] with a profile, else NULL
  uint64_t profiled_run_count;
} genie_program_t;

// Resolves entry `entry` against the places; tables come from `arena`. UNIMPLEMENTED for an instruction that this
// executor cannot run. Deinitialise even after a failure.
genie_status_t genie_program_init(const genie_model_t *model, uint32_t entry, genie_place_t *places, bool has_profile,
                                  genie_arena_t *arena, genie_program_t *program) GENIE_MUST_USE;
void genie_program_deinit(genie_program_t *program, genie_place_t *places);

#endif  // GENIE_RUNTIME_EXEC_PROGRAM_H_
