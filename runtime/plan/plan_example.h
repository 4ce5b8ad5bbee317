// A small plan whose records a test may change before it is written: for tests and for the corpus.
//
// One CPU place with two targets; a weight, a state that starts as that weight; an entry "main" of two sizes and two
// streams that scales an input into a temporary, adds the state into the output, and copies the state to a second
// output; and an entry "reset" that copies an input over the state. With places, the temporary goes to a second place,
// through a function of a library there, and back over itself on the first place's other stream.
#ifndef GENIE_RUNTIME_PLAN_PLAN_EXAMPLE_H_
#define GENIE_RUNTIME_PLAN_PLAN_EXAMPLE_H_

#include "runtime/base/allocator.h"
#include "runtime/plan/format.h"

enum {
  GENIE_PLAN_EXAMPLE_ROWS = 64,  // upper bound of size "rows"
  GENIE_PLAN_EXAMPLE_COLUMNS = 8,
};

// Records by section; `string_bytes` and so on count them.
typedef struct genie_plan_example {
  char strings[768];
  uint32_t string_bytes;
  genie_plan_symbol_t symbols[2];
  genie_plan_expr_t exprs[16];
  genie_plan_place_t places[2];
  genie_plan_tensor_t tensors[8];
  genie_plan_slice_t slices[16];
  genie_plan_kernel_t kernels[3];
  uint32_t indices[64];
  genie_plan_instruction_t instructions[12];
  genie_plan_entry_t entries[2];
  genie_plan_transfer_t transfers[3];
  genie_plan_target_t targets[2];
  uint64_t code_offsets[6];
  uint32_t symbol_count, expr_count, place_count, tensor_count, slice_count, kernel_count, index_count,
      instruction_count, entry_count, transfer_count, target_count, code_offset_count;
  uint64_t weights_bytes;
} genie_plan_example_t;

// Positions of records that tests change.
enum {
  GENIE_PLAN_EXAMPLE_SCALE = 0,  // instructions: launch of kernel "scale" on stream 0
  GENIE_PLAN_EXAMPLE_SIGNAL = 1,
  GENIE_PLAN_EXAMPLE_WAIT = 2,
  GENIE_PLAN_EXAMPLE_ADD = 3,    // launch of kernel "add" on stream 1
  GENIE_PLAN_EXAMPLE_SAVE = 4,   // copy of the state to the second output
  GENIE_PLAN_EXAMPLE_RESET = 5,  // entry "reset": copy of its input to the state
};

// Adds a string; its offset in STRINGS.
uint32_t genie_plan_example_text(genie_plan_example_t *example, const char *text);

// The same with places.
enum {
  GENIE_PLAN_EXAMPLE_SEND = 1,          // of the temporary, from stream 0 of place 0
  GENIE_PLAN_EXAMPLE_RECEIVE = 2,       // on stream 1 of place 1
  GENIE_PLAN_EXAMPLE_LIBRARY_CALL = 3,  // on stream 1 of place 1
  GENIE_PLAN_EXAMPLE_SEND_BACK = 4,     // from stream 1 of place 1
  GENIE_PLAN_EXAMPLE_RECEIVE_BACK = 5,  // on stream 1 of place 0
  GENIE_PLAN_EXAMPLE_FAR_ADD = 6,       // launch of kernel "add" on stream 1 of place 0
  GENIE_PLAN_EXAMPLE_LIBRARY_KERNEL = 2,
};

void genie_plan_example_make_places(genie_plan_example_t *out_example);
void genie_plan_example_make(genie_plan_example_t *out_example);

// Writes the example to `path` as it stands, signed when `signing_key` is not NULL.
genie_status_t genie_plan_example_write(const genie_plan_example_t *example, const char *path,
                                        const char *signing_key) GENIE_MUST_USE;

// Writes hashes and sizes that fit the (changed) bytes of the plan at `bytes` again, so that only the change is at
// fault.
genie_status_t genie_plan_example_rehash(uint8_t *bytes) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_PLAN_EXAMPLE_H_
