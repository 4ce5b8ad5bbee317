// One call of an entry from the command line: the plan, the session, and the inputs from files and arguments.
#ifndef GENIE_TOOLS_GENIE_CALL_H_
#define GENIE_TOOLS_GENIE_CALL_H_

#include "tools/genie/command.h"
#include "tools/tensor_file/tensor_file.h"

// How inputs that nothing was given for are made up.
typedef struct genie_call_fill {
  bool is_enabled;  // false: a missing input is an error
  uint64_t seed;
  int64_t integer_bound;      // integers are in [0, integer_bound)
  genie_config_list_t sizes;  // "NAME=N": values of dynamic sizes; others take their maximum
} genie_call_fill_t;

// In the caller's memory; zero-initialised is empty.
typedef struct genie_call {
  genie_allocator_t allocator;
  genie_model_t *model;
  genie_session_t *session;
  uint32_t entry;
  uint32_t input_count, output_count;
  genie_tensor_info_t *input_infos;   // [input_count]
  genie_tensor_info_t *output_infos;  // [output_count]
  genie_tensor_t *inputs;             // [input_count]
  bool *is_given;                     // [input_count]
  genie_tensor_t *outputs;            // [output_count]; zeroed: the session's memory
  genie_tensor_file_t *files;         // that inputs lie in
  size_t file_count;
  void **buffers;  // [input_count] that made-up inputs lie in
} genie_call_t;

// Opens the plan at `path`, reads the inputs, checks them by name, and makes the session: what `options` do not say of
// it, `session_options` do.
genie_status_t genie_call_init(genie_command_t *command, const char *path, const genie_trust_options_t *trust,
                               const genie_call_options_t *options, const genie_call_fill_t *fill,
                               const genie_session_options_t *session_options, genie_call_t *call) GENIE_MUST_USE;
void genie_call_deinit(genie_call_t *call);

// Runs the entry; outputs are in the session's memory.
genie_status_t genie_call_run(genie_call_t *call) GENIE_MUST_USE;

// Position of the output of this name; NOT_FOUND lists the names that exist.
genie_status_t genie_call_find_output(const genie_call_t *call, const char *name, uint32_t *out_index) GENIE_MUST_USE;

#endif  // GENIE_TOOLS_GENIE_CALL_H_
