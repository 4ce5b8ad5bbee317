#include "runtime/exec/binding.h"

#include <string.h>

#include "runtime/base/string_builder.h"
#include "runtime/exec/expr_text.h"

enum { kAlignment = 64 };

static const genie_plan_tensor_t *tensor_of(const genie_session_t *session, uint32_t index) {
  return &session->model->plan->tensors[index];
}

static uint32_t input_index(const genie_session_t *session, const genie_program_t *program, uint32_t position) {
  return genie_plan_input(session->model->plan, program->entry, position);
}

static uint32_t output_index(const genie_session_t *session, const genie_program_t *program, uint32_t position) {
  return genie_plan_output(session->model->plan, program->entry, position);
}

static const char *name_of(const genie_model_t *model, const genie_plan_tensor_t *tensor) {
  return genie_plan_string(model->plan, tensor->name);
}

// ---- Messages ----

static void append_given(const genie_tensor_t *tensor, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "%s [", genie_dtype_name(tensor->dtype));
  for (int32_t i = 0; i < tensor->rank && i < GENIE_MAX_RANK; ++i) {
    genie_string_builder_format(builder, "%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
  }
  genie_string_builder_format(builder, "]");
}

static void append_expected(const genie_model_t *model, const genie_plan_tensor_t *tensor,
                            genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "%s [", genie_dtype_name((genie_dtype_t)tensor->dtype));
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    genie_string_builder_format(builder, "%s", i == 0 ? "" : ", ");
    genie_expr_text_append(model->plan, model->plan->indices[tensor->first_dim + i], builder);
  }
  genie_string_builder_format(builder, "]");
}

static genie_status_t mismatch(const genie_model_t *model, const char *what, const genie_plan_tensor_t *tensor,
                               const genie_tensor_t *given) {
  genie_string_builder_t text;
  genie_string_builder_init(model->allocator, &text);
  genie_string_builder_format(&text, "%s '%s' is ", what, name_of(model, tensor));
  append_expected(model, tensor, &text);
  genie_string_builder_format(&text, ", but the tensor given is ");
  append_given(given, &text);
  const genie_status_t status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s", genie_string_builder_get(&text));
  genie_string_builder_deinit(&text);
  return status;
}

static genie_status_t wrong_count(const genie_model_t *model, uint32_t entry, const char *what, uint32_t given,
                                  uint32_t expected) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entry '%s' has %u %s%s, but %u %s given",
                           genie_model_entry_name(model, entry), expected, what, expected == 1 ? "" : "s", given,
                           given == 1 ? "is" : "are");
}

// ---- Shapes ----

static bool has_type_of(const genie_plan_tensor_t *tensor, const genie_tensor_t *given) {
  return given->dtype == (genie_dtype_t)tensor->dtype && given->rank >= 0 && (uint32_t)given->rank == tensor->rank;
}

static bool has_bound_shapes(const genie_program_t *program, const genie_tensor_t *inputs) {
  if (!program->has_bound_shapes) {
    return false;
  }
  for (uint32_t i = 0; i < program->input_count; ++i) {
    if (memcmp(program->bound_shapes[i], inputs[i].shape, (size_t)inputs[i].rank * sizeof(int64_t)) != 0) {
      return false;
    }
  }
  return true;
}

static genie_status_t bind_shapes(const genie_session_t *session, genie_program_t *program,
                                  const genie_tensor_t *inputs) {
  for (uint32_t i = 0; i < program->input_count; ++i) {
    program->input_dims[i] = inputs[i].shape;
  }
  program->has_bound_shapes = false;
  GENIE_RETURN_IF_ERROR(genie_plan_bind(session->model->plan, program->entry, program->input_dims, program->values));
  for (uint32_t i = 0; i < program->input_count; ++i) {
    memcpy(program->bound_shapes[i], inputs[i].shape, (size_t)inputs[i].rank * sizeof(int64_t));
  }
  for (uint32_t i = 0; i < program->size_count; ++i) {
    *program->sizes[i].slot = program->values[program->sizes[i].expr];
  }
  program->has_new_sizes = true;
  program->has_bound_shapes = true;
  return GENIE_OK;
}

genie_status_t genie_binding_check_types(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                         uint32_t input_count) {
  const uint32_t expected = model->plan->entries[entry].input_count;
  if (input_count != expected) {
    return wrong_count(model, entry, "input", input_count, expected);
  }
  for (uint32_t i = 0; i < input_count; ++i) {
    const genie_plan_tensor_t *tensor = &model->plan->tensors[genie_plan_input(model->plan, entry, i)];
    if (!has_type_of(tensor, &inputs[i])) {
      return mismatch(model, "input", tensor, &inputs[i]);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_binding_check_inputs(const genie_session_t *session, genie_program_t *program,
                                          const genie_tensor_t *inputs, uint32_t input_count) {
  GENIE_RETURN_IF_ERROR(genie_binding_check_types(session->model, program->entry, inputs, input_count));
  return has_bound_shapes(program, inputs) ? GENIE_OK : bind_shapes(session, program, inputs);
}

void genie_binding_describe_output(const genie_session_t *session, const genie_program_t *program, uint32_t index,
                                   genie_tensor_t *out_output) {
  const genie_plan_tensor_t *tensor = tensor_of(session, output_index(session, program, index));
  *out_output = (genie_tensor_t){.dtype = (genie_dtype_t)tensor->dtype, .rank = (int32_t)tensor->rank};
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    out_output->shape[i] = program->values[session->model->plan->indices[tensor->first_dim + i]];
  }
}

// ---- Memory ----

// Of a tensor whose shape is checked: the verifier has bounded it.
static uint64_t bytes_of(const genie_tensor_t *tensor) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)tensor->shape[i];
  }
  return bytes;
}

static void *staging_of(const genie_session_t *session, const genie_program_t *program, uint32_t binding) {
  return genie_program_staging(session->model->plan, program, session->places, binding);
}

static genie_place_t *place_of(const genie_session_t *session, const genie_program_t *program, uint32_t binding) {
  return &session->places[genie_program_binding_tensor(session->model->plan, program, binding)->place];
}

// Where the session gives an output to a caller that brings no memory.
static void *own_memory_of(const genie_session_t *session, const genie_program_t *program, uint32_t binding) {
  return genie_place_host_staging(place_of(session, program, binding), program->staging_offsets[binding]);
}

// The place whose staging memory, or its mirror, holds the tensor; NULL when none does.
static const genie_place_t *find_staging(const genie_session_t *session, const genie_tensor_t *tensor) {
  for (uint32_t i = 0; i < session->place_count; ++i) {
    const genie_place_t *place = &session->places[i];
    const uintptr_t begin = (uintptr_t)genie_place_host_staging(place, 0);
    if (begin != 0 && (uintptr_t)tensor->data >= begin && (uintptr_t)tensor->data - begin < place->staging.size_bytes) {
      return place;
    }
  }
  return NULL;
}

static bool is_overlapping(const genie_tensor_t *a, uint64_t a_bytes, const genie_tensor_t *b, uint64_t b_bytes) {
  const uintptr_t a_begin = (uintptr_t)a->data;
  const uintptr_t b_begin = (uintptr_t)b->data;
  return a_bytes > 0 && b_bytes > 0 && a_begin < b_begin + b_bytes && b_begin < a_begin + a_bytes;
}

static genie_status_t check_overlap(const genie_session_t *session, const genie_program_t *program,
                                    const genie_tensor_t *inputs, const genie_tensor_t *outputs, uint32_t index) {
  const uint64_t bytes = bytes_of(&outputs[index]);
  for (uint32_t i = 0; i < program->input_count + index; ++i) {
    const genie_tensor_t *other = i < program->input_count ? &inputs[i] : &outputs[i - program->input_count];
    const bool is_moved = i < program->input_count && find_staging(session, other) != NULL;
    if (other->data != NULL && !is_moved && is_overlapping(&outputs[index], bytes, other, bytes_of(other))) {
      return genie_status_make(
          GENIE_STATUS_INVALID_ARGUMENT, "output '%s' overlaps %s '%s' in memory",
          name_of(session->model, tensor_of(session, output_index(session, program, index))),
          i < program->input_count ? "input" : "output",
          name_of(session->model, tensor_of(session, i < program->input_count
                                                         ? input_index(session, program, i)
                                                         : output_index(session, program, i - program->input_count))));
    }
  }
  return GENIE_OK;
}

static genie_status_t check_output(const genie_session_t *session, const genie_program_t *program, uint32_t index,
                                   const genie_tensor_t *output) {
  genie_tensor_t expected;
  genie_binding_describe_output(session, program, index, &expected);
  if (output->dtype == expected.dtype && output->rank == expected.rank &&
      memcmp(output->shape, expected.shape, (size_t)expected.rank * sizeof(int64_t)) == 0) {
    return GENIE_OK;
  }
  genie_string_builder_t text;
  genie_string_builder_init(session->allocator, &text);
  append_given(&expected, &text);
  genie_string_builder_format(&text, " in this call, but the memory given is for ");
  append_given(output, &text);
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "output '%s' is %s",
                        name_of(session->model, tensor_of(session, output_index(session, program, index))),
                        genie_string_builder_get(&text));
  genie_string_builder_deinit(&text);
  return status;
}

// ---- The session's own memory, given back to it ----

// An output of the last run may be an input of the next: it is moved to where inputs are staged, before anything is
// written. That works unless it lies there itself, which outputs of other entries may.
static bool can_move_input(const genie_session_t *session, const genie_program_t *program,
                           const genie_tensor_t *input) {
  const genie_place_t *place = find_staging(session, input);
  return place == NULL || (uintptr_t)input->data - (uintptr_t)genie_place_host_staging(place, 0) >=
                              program->input_ends[place - session->places];
}

static genie_status_t check_session_memory(const genie_session_t *session, const genie_program_t *program,
                                           const genie_tensor_t *inputs, const genie_tensor_t *outputs) {
  for (uint32_t i = 0; i < program->input_count; ++i) {
    if (!can_move_input(session, program, &inputs[i])) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "input '%s' is in the session's memory, as an output of another entry; copy it first",
                               name_of(session->model, tensor_of(session, input_index(session, program, i))));
    }
  }
  for (uint32_t i = 0; i < program->output_count; ++i) {
    if (find_staging(session, &outputs[i]) != NULL &&
        outputs[i].data != own_memory_of(session, program, program->input_count + i)) {
      return genie_status_make(
          GENIE_STATUS_INVALID_ARGUMENT,
          "output '%s' is to be written to the session's memory, as an output of an earlier run; set "
          "its data to NULL",
          name_of(session->model, tensor_of(session, output_index(session, program, i))));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_binding_check_memory(const genie_session_t *session, const genie_program_t *program,
                                          const genie_tensor_t *inputs, const genie_tensor_t *outputs,
                                          uint32_t output_count) {
  if (output_count != program->output_count) {
    return wrong_count(session->model, program->entry, "output", output_count, program->output_count);
  }
  for (uint32_t i = 0; i < program->input_count; ++i) {
    if (inputs[i].data == NULL && bytes_of(&inputs[i]) > 0) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "input '%s' has no data",
                               name_of(session->model, tensor_of(session, input_index(session, program, i))));
    }
  }
  for (uint32_t i = 0; i < output_count; ++i) {
    if (outputs[i].data != NULL) {
      GENIE_RETURN_IF_ERROR(check_output(session, program, i, &outputs[i]));
    }
  }
  for (uint32_t i = 0; i < output_count; ++i) {
    if (outputs[i].data != NULL) {
      GENIE_RETURN_IF_ERROR(check_overlap(session, program, inputs, outputs, i));
    }
  }
  return check_session_memory(session, program, inputs, outputs);
}

static bool is_usable(const genie_place_t *place, const void *data) {
  return place->staging.is_host_addressable && data != NULL && (uintptr_t)data % kAlignment == 0;
}

static void set_staged(genie_session_t *session, uint32_t output, bool is_staged) {
  const uint64_t bit = (uint64_t)1 << (output % 64);
  if (is_staged) {
    session->staged_outputs[output / 64] |= bit;
  } else {
    session->staged_outputs[output / 64] &= ~bit;
  }
}

static bool is_staged(const genie_session_t *session, uint32_t output) {
  return (session->staged_outputs[output / 64] >> (output % 64) & 1) != 0;
}

// Copies an input to where it is staged: on the CPU the memory itself, else its mirror, from which a run uploads it.
static void stage_input(genie_session_t *session, const genie_program_t *program, uint32_t binding,
                        const genie_tensor_t *input) {
  const uint64_t bytes = bytes_of(input);
  uint8_t *staged = own_memory_of(session, program, binding);
  if (staged != input->data && bytes > 0) {
    session->last_copy_bytes += bytes;
    memmove(staged, input->data, bytes);
  }
}

void genie_binding_set_addresses(genie_session_t *session, genie_program_t *program, const genie_tensor_t *inputs,
                                 const genie_tensor_t *outputs) {
  for (uint32_t i = 0; i < program->input_count; ++i) {
    program->bindings[i] = inputs[i].data;
    if (!is_usable(place_of(session, program, i), inputs[i].data) || find_staging(session, &inputs[i]) != NULL) {
      program->bindings[i] = staging_of(session, program, i);
      stage_input(session, program, i, &inputs[i]);
    }
  }
  for (uint32_t i = 0; i < program->output_count; ++i) {
    const uint32_t binding = program->input_count + i;
    const bool is_direct = is_usable(place_of(session, program, binding), outputs[i].data);
    program->bindings[binding] = is_direct ? outputs[i].data : staging_of(session, program, binding);
    set_staged(session, i, !is_direct && outputs[i].data != NULL);
  }
  genie_program_set_addresses(program);
}

void genie_binding_finish_outputs(genie_session_t *session, const genie_program_t *program, genie_tensor_t *outputs) {
  for (uint32_t i = 0; i < program->output_count; ++i) {
    void *own = own_memory_of(session, program, program->input_count + i);
    if (outputs[i].data == NULL) {
      genie_binding_describe_output(session, program, i, &outputs[i]);
      outputs[i].data = own;
    } else if (is_staged(session, i) && outputs[i].data != own) {
      const uint64_t bytes = bytes_of(&outputs[i]);
      session->last_copy_bytes += bytes;
      if (bytes > 0) {
        memcpy(outputs[i].data, own, bytes);
      }
    }
  }
}

void genie_binding_count_traffic(genie_program_t *program, const genie_tensor_t *inputs,
                                 const genie_tensor_t *outputs) {
  for (uint32_t i = 0; i < program->input_count + program->output_count; ++i) {
    const genie_tensor_t *tensor = i < program->input_count ? &inputs[i] : &outputs[i - program->input_count];
    const uint64_t bytes = bytes_of(tensor);
    genie_transfer_count_t *count = &program->caller_counts[i];
    count->sent_bytes = count->received_bytes = bytes;
    count->total_bytes += bytes;
  }
  ++program->run_count;
}
