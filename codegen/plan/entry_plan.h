// Where every value of an entry lives, and for how long: the analysis behind the plan's slices and copies.
#ifndef GENIE_CODEGEN_PLAN_ENTRY_PLAN_H_
#define GENIE_CODEGEN_PLAN_ENTRY_PLAN_H_

#include "codegen/kernel/code.h"
#include "codegen/plan/size_table.h"
#include "codegen/plan/value_map.h"
#include "codegen/plan/weight_table.h"
#include "ir/place.h"

typedef enum genie_buffer_home {
  GENIE_BUFFER_SLAB,
  GENIE_BUFFER_INPUT,   // `index` is the position among the entry's inputs
  GENIE_BUFFER_OUTPUT,  // `index` is the position among the entry's outputs
  GENIE_BUFFER_STATE,   // `index` is the position of the genie.state in the module
  GENIE_BUFFER_WEIGHT,  // `index` is the weight's number in the weight table
} genie_buffer_home_t;

// Memory that one or more values share.
typedef struct genie_buffer {
  genie_buffer_home_t home;
  int index;
  int place;        // whose memory it is
  int bytes;        // node of the size table
  int first, last;  // steps: an op's position in its block; `step_count` is the end of the call
  int shared_with;  // the buffer whose memory this one took over in place, or -1
  int elsewhere;    // of a weight: its buffer at another place, or -1
  uint64_t offset;  // of a slab buffer
} genie_buffer_t;

// A copy at the end of a call, in order.
typedef struct genie_end_copy {
  int source, destination;  // buffers
} genie_end_copy_t;

// A value that crosses: sent at the step of its genie.transfer, received before the step that reads it first.
typedef struct genie_plan_crossing {
  MlirOperation transfer;
  int source, destination;  // buffers
  int send_step, receive_step;
} genie_plan_crossing_t;

typedef struct genie_entry_plan {
  MlirOperation function;
  MlirBlock body;
  genie_arena_t *arena;
  genie_size_table_t sizes;
  genie_value_map_t buffer_of;  // run-time values to buffers
  genie_buffer_t *buffers;
  int buffer_count, buffer_capacity;
  int step_count;
  int input_count, output_count;
  intptr_t *input_arguments;  // [input_count]: argument numbers
  MlirType *output_types;     // [output_count]
  int *output_buffers;        // [output_count]: buffers that stand for the outputs' memory
  genie_end_copy_t *copies;
  int copy_count, copy_capacity;
  genie_plan_crossing_t *crossings;  // in the order of their transfers
  int crossing_count;
  uint64_t slab_bytes[GENIE_IR_MAX_PLACES];
  uint64_t sum_bytes[GENIE_IR_MAX_PLACES];  // of temporaries without reuse
} genie_entry_plan_t;

// Analyses `function`. `states[state_count]` are the module's genie.state ops. UNIMPLEMENTED names an op that no kernel
// computes. All memory is the arena's.
genie_status_t genie_entry_plan_make(genie_arena_t *arena, MlirOperation function, const genie_weight_table_t *weights,
                                     const genie_codegen_code_t *code, int state_count, const MlirOperation *states,
                                     genie_entry_plan_t *out_plan) GENIE_MUST_USE;

// The buffer of `value` as an op at `place` reads it: a weight has one at each place.
int genie_entry_plan_buffer(const genie_entry_plan_t *plan, MlirValue value, int place);

// The buffer whose memory `buffer` is, after in-place reuse.
int genie_entry_plan_root(const genie_entry_plan_t *plan, int buffer);

#endif  // GENIE_CODEGEN_PLAN_ENTRY_PLAN_H_
