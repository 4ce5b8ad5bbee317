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
  genie_dim_t *exprs;  // range and text of those expressions that are dimensions of named tensors
  uint32_t *states;    // indices of the plan's state tensors
  uint32_t state_count;
  bool has_weight_verification;  // sessions compare the weights with their hashes
};

// What the public functions say about tensor `tensor` of the plan.
void genie_model_describe_tensor(const genie_model_t *model, uint32_t tensor, genie_tensor_info_t *out_info);

// Index of the plan's state tensor of this name. NOT_FOUND lists the states that exist.
genie_status_t genie_model_find_state(const genie_model_t *model, const char *name,
                                      uint32_t *out_tensor) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_MODEL_H_
