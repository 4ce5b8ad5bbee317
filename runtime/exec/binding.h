// Inputs and outputs of a call: checked against the entry, then bound to addresses that kernels can use.
#ifndef GENIE_RUNTIME_EXEC_BINDING_H_
#define GENIE_RUNTIME_EXEC_BINDING_H_

#include "runtime/exec/session.h"

// Checks counts, dtypes and ranks of the inputs.
genie_status_t genie_binding_check_types(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                         uint32_t input_count) GENIE_MUST_USE;

// Checks counts, dtypes, ranks and dimensions of the inputs and evaluates the sizes of the call; nothing is evaluated
// when the shapes are those of the last call. Fills `values` and the sizes of `program`.
genie_status_t genie_binding_check_inputs(const genie_session_t *session, genie_program_t *program,
                                          const genie_tensor_t *inputs, uint32_t input_count) GENIE_MUST_USE;

// What output `index` is in this call, `data` left NULL. The inputs are checked.
void genie_binding_describe_output(const genie_session_t *session, const genie_program_t *program, uint32_t index,
                                   genie_tensor_t *out_output);

// Checks the outputs that the caller provides, and the data of all tensors.
genie_status_t genie_binding_check_memory(const genie_session_t *session, const genie_program_t *program,
                                          const genie_tensor_t *inputs, const genie_tensor_t *outputs,
                                          uint32_t output_count) GENIE_MUST_USE;

// Sets the addresses of the call; copies inputs whose own memory a kernel cannot use.
void genie_binding_set_addresses(genie_session_t *session, genie_program_t *program, const genie_tensor_t *inputs,
                                 const genie_tensor_t *outputs);

// After the run: copies staged outputs to the caller's memory, and describes those in the session's memory.
void genie_binding_finish_outputs(genie_session_t *session, const genie_program_t *program, genie_tensor_t *outputs);

// Counts what the run took from the caller and gave to it.
void genie_binding_count_traffic(genie_program_t *program, const genie_tensor_t *inputs, const genie_tensor_t *outputs);

#endif  // GENIE_RUNTIME_EXEC_BINDING_H_
