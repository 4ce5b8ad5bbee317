// Inside of genie_model_t: a verified plan and what its introspection needs.
#ifndef GENIE_RUNTIME_EXEC_MODEL_H_
#define GENIE_RUNTIME_EXEC_MODEL_H_

#include "genie/genie.h"
#include "runtime/base/arena.h"
#include "runtime/plan/reader.h"

struct genie_model {
  genie_allocator_t allocator;
  genie_arena_t arena;  // all below but the plan
  genie_plan_t *plan;
  void *plan_bytes;    // of a model opened in parts
  genie_dim_t *exprs;  // range and text of those expressions that are dimensions of named tensors
  uint32_t *states;    // indices of the plan's state tensors
  uint32_t state_count;
  bool has_weight_verification;  // sessions compare the weights with their hashes
};

// Opens a plan from the bytes before its weights, which are copied; weights are read from `source` while a session or
// place program is made. `name` stands for the file in messages. Errors as genie_model_open().
genie_status_t genie_model_open_parts(const char *name, const void *bytes, uint64_t size_bytes,
                                      const genie_plan_weight_source_t *source, const genie_model_options_t *options,
                                      genie_model_t **out_model) GENIE_MUST_USE;

// The values of all symbols of `entry` in a call with inputs of these shapes, checked as genie_session_run() checks
// them: counts, dtypes, ranks and dimensions. `out_values` has room for genie_model_symbol_count().
genie_status_t genie_model_bind_symbols(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                        uint32_t input_count, int64_t *out_values) GENIE_MUST_USE;

// What the public functions say about tensor `tensor` of the plan.
void genie_model_describe_tensor(const genie_model_t *model, uint32_t tensor, genie_tensor_info_t *out_info);

// Index of the plan's state tensor of this name. NOT_FOUND lists the states that exist.
genie_status_t genie_model_find_state(const genie_model_t *model, const char *name,
                                      uint32_t *out_tensor) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_MODEL_H_
