#include "runtime/exec/program.h"

#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/exec/program_graph.h"

// What the construction of one program hands around.
typedef struct program_builder {
  const genie_model_t *model;
  const genie_plan_t *plan;
  const genie_plan_entry_t *entry;
  genie_place_t *places;
  genie_arena_t *arena;
  genie_program_t *program;
} program_builder_t;

static bool is_ours(const program_builder_t *builder, const genie_plan_instruction_t *instruction) {
  return builder->program->place == GENIE_PLAN_NONE || builder->program->place == instruction->place;
}

static genie_status_t allocate(genie_arena_t *arena, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, element_bytes, &memory));
  *(void **)out_pointer = memory;
  return GENIE_OK;
}

// ---- Slots: what an instruction reads, set now or listed to be set in each call ----

static uint32_t find_in_list(const uint32_t *list, uint32_t count, uint32_t value) {
  uint32_t i = 0;
  while (i < count && list[i] != value) {
    ++i;
  }
  return i;
}

static uint32_t binding_of(const program_builder_t *builder, uint32_t tensor) {
  const genie_plan_entry_t *entry = builder->entry;
  if (builder->plan->tensors[tensor].role == GENIE_PLAN_ROLE_INPUT) {
    return find_in_list(builder->plan->indices + entry->first_input, entry->input_count, tensor);
  }
  return entry->input_count + find_in_list(builder->plan->indices + entry->first_output, entry->output_count, tensor);
}

static void resolve_slice(const program_builder_t *builder, uint32_t index, void **slot) {
  const genie_plan_slice_t *slice = &builder->plan->slices[index];
  if (slice->space == GENIE_PLAN_SPACE_SLAB) {
    *slot = (uint8_t *)builder->places[slice->index].slab.address + slice->offset;
    return;
  }
  const genie_plan_tensor_t *tensor = &builder->plan->tensors[slice->index];
  if (tensor->role == GENIE_PLAN_ROLE_INPUT || tensor->role == GENIE_PLAN_ROLE_OUTPUT) {
    builder->program->pointers[builder->program->pointer_count++] =
        (genie_pointer_patch_t){.slot = slot, .binding = binding_of(builder, slice->index), .offset = slice->offset};
    return;
  }
  *slot = (uint8_t *)genie_place_tensor_address(&builder->places[tensor->place], tensor) + slice->offset;
}

static void resolve_size(const program_builder_t *builder, uint32_t expr, int64_t *slot) {
  builder->program->sizes[builder->program->size_count++] = (genie_size_patch_t){.slot = slot, .expr = expr};
}

// ---- Instructions ----

static genie_status_t resolve_launch(const program_builder_t *builder, const genie_plan_instruction_t *instruction,
                                     genie_step_t *step) {
  const genie_plan_kernel_t *kernel = &builder->plan->kernels[instruction->a];
  void **args = NULL;
  int64_t *dims = NULL;
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, kernel->arg_count, sizeof(*args), &args));
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, kernel->dim_count, sizeof(*dims), &dims));
  for (uint32_t i = 0; i < kernel->arg_count; ++i) {
    resolve_slice(builder, builder->plan->indices[instruction->b + i], &args[i]);
  }
  for (uint32_t i = 0; i < kernel->dim_count; ++i) {
    resolve_size(builder, builder->plan->indices[instruction->c + i], &dims[i]);
  }
  step->kind = GENIE_STEP_LAUNCH;
  step->launch = (genie_device_launch_t){.kernel = instruction->a,
                                         .args = args,
                                         .dims = dims,
                                         .arg_count = kernel->arg_count,
                                         .dim_count = kernel->dim_count,
                                         .least_tasks = instruction->e};
  resolve_size(builder, instruction->d, &step->launch.task_count);
  ++builder->program->launch_count;
  return GENIE_OK;
}

static void resolve_message(const program_builder_t *builder, const genie_plan_instruction_t *instruction,
                            genie_step_t *step) {
  const genie_plan_slice_t *slice = &builder->plan->slices[instruction->a];
  uint64_t *largest = &builder->program->message_bytes[instruction->place];
  step->kind = instruction->opcode == GENIE_PLAN_OPCODE_SEND ? GENIE_STEP_SEND : GENIE_STEP_RECEIVE;
  step->message.transfer = instruction->b;
  resolve_slice(builder, instruction->a, &step->message.address);
  resolve_size(builder, slice->bytes_expr, &step->message.size_bytes);
  *largest = slice->maximum_bytes > *largest ? slice->maximum_bytes : *largest;
  builder->program->has_messages = true;
}

static genie_status_t resolve_step(const program_builder_t *builder, uint32_t index, genie_step_t *step) {
  const genie_plan_instruction_t *instruction = &builder->plan->instructions[index];
  step->place = instruction->place;
  step->instruction = index;
  step->stream = builder->places[instruction->place].streams[instruction->stream];
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
    case GENIE_PLAN_OPCODE_LIBRARY_CALL:
      GENIE_RETURN_IF_ERROR(resolve_launch(builder, instruction, step));
      if (instruction->opcode == GENIE_PLAN_OPCODE_LIBRARY_CALL) {
        step->kind = GENIE_STEP_LIBRARY_CALL;
        step->function = genie_plan_string(builder->plan, builder->plan->kernels[instruction->a].template_name);
      }
      return GENIE_OK;
    case GENIE_PLAN_OPCODE_SEND:
    case GENIE_PLAN_OPCODE_RECEIVE:
      resolve_message(builder, instruction, step);
      return GENIE_OK;
    case GENIE_PLAN_OPCODE_COPY:
      step->kind = GENIE_STEP_COPY;
      resolve_slice(builder, instruction->a, &step->copy.source);
      resolve_slice(builder, instruction->b, &step->copy.destination);
      resolve_size(builder, builder->plan->slices[instruction->a].bytes_expr, &step->copy.size_bytes);
      return GENIE_OK;
    case GENIE_PLAN_OPCODE_SIGNAL:
    case GENIE_PLAN_OPCODE_WAIT:
      step->kind = instruction->opcode == GENIE_PLAN_OPCODE_SIGNAL ? GENIE_STEP_SIGNAL : GENIE_STEP_WAIT;
      step->event = builder->program->events[instruction->a];
      return GENIE_OK;
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "instruction %u has opcode %u, which this executor does not run; use a newer Genie", index,
                           instruction->opcode);
}

// Events belong to the place that signals them.
static genie_status_t create_events(const program_builder_t *builder) {
  genie_program_t *program = builder->program;
  const uint32_t event_count = builder->entry->event_count;
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, event_count, sizeof(*program->events), &program->events));
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, event_count, sizeof(*program->event_places), &program->event_places));
  program->event_count = event_count;
  for (uint32_t i = 0; i < builder->entry->instruction_count; ++i) {
    const genie_plan_instruction_t *instruction = &builder->plan->instructions[builder->entry->first_instruction + i];
    if (instruction->opcode == GENIE_PLAN_OPCODE_SIGNAL && is_ours(builder, instruction) &&
        program->events[instruction->a] == NULL) {
      genie_device_t *device = builder->places[instruction->place].device;
      program->event_places[instruction->a] = instruction->place;
      GENIE_RETURN_IF_ERROR(device->ops->event_create(device, &program->events[instruction->a]));
    }
  }
  return GENIE_OK;
}

typedef struct patch_bounds {
  uint64_t pointer_count, size_count, step_count;
} patch_bounds_t;

static patch_bounds_t bound_patches(const program_builder_t *builder) {
  patch_bounds_t bounds = {0};
  for (uint32_t i = 0; i < builder->entry->instruction_count; ++i) {
    const genie_plan_instruction_t *instruction = &builder->plan->instructions[builder->entry->first_instruction + i];
    if (!is_ours(builder, instruction)) {
      continue;
    }
    ++bounds.step_count;
    switch (instruction->opcode) {
      case GENIE_PLAN_OPCODE_LAUNCH:
      case GENIE_PLAN_OPCODE_LIBRARY_CALL:
        bounds.pointer_count += builder->plan->kernels[instruction->a].arg_count;
        bounds.size_count += builder->plan->kernels[instruction->a].dim_count + 1;
        break;
      case GENIE_PLAN_OPCODE_COPY:
      case GENIE_PLAN_OPCODE_SEND:
      case GENIE_PLAN_OPCODE_RECEIVE:
        bounds.pointer_count += 2;
        bounds.size_count += 1;
        break;
      default:
        break;
    }
  }
  return bounds;
}

static genie_status_t resolve_steps(const program_builder_t *builder) {
  genie_program_t *program = builder->program;
  const patch_bounds_t bounds = bound_patches(builder);
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, bounds.pointer_count, sizeof(*program->pointers), &program->pointers));
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, bounds.size_count, sizeof(*program->sizes), &program->sizes));
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, bounds.step_count, sizeof(*program->steps), &program->steps));
  for (uint32_t i = 0; i < builder->entry->instruction_count; ++i) {
    const uint32_t index = builder->entry->first_instruction + i;
    if (is_ours(builder, &builder->plan->instructions[index])) {
      GENIE_RETURN_IF_ERROR(resolve_step(builder, index, &program->steps[program->step_count]));
      ++program->step_count;
    }
  }
  return GENIE_OK;
}

// ---- Inputs and outputs ----

const genie_plan_tensor_t *genie_program_binding_tensor(const genie_plan_t *plan, const genie_program_t *program,
                                                        uint32_t binding) {
  return &plan->tensors[binding < program->input_count
                            ? genie_plan_input(plan, program->entry, binding)
                            : genie_plan_output(plan, program->entry, binding - program->input_count)];
}

uint64_t genie_program_binding_bytes(const genie_program_t *program, uint32_t binding) {
  const genie_plan_tensor_t *tensor = genie_program_binding_tensor(program->plan, program, binding);
  uint64_t bytes = genie_dtype_bytes((genie_dtype_t)tensor->dtype);
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)program->values[program->plan->indices[tensor->first_dim + i]];
  }
  return bytes;
}

static genie_status_t add_to_staging(const program_builder_t *builder, uint32_t binding) {
  genie_program_t *program = builder->program;
  const genie_plan_tensor_t *tensor = genie_program_binding_tensor(builder->plan, program, binding);
  uint64_t *place_bytes = &program->staging_bytes[tensor->place];
  program->staging_offsets[binding] = *place_bytes;
  uint64_t end = 0;
  if (!genie_checked_add_u64(*place_bytes, tensor->maximum_bytes, &end) ||
      !genie_checked_align_u64(end, GENIE_PLAN_SLICE_ALIGNMENT, place_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "entry '%s': inputs and outputs need too much memory",
                             genie_model_entry_name(builder->model, program->entry));
  }
  return GENIE_OK;
}

static genie_status_t lay_out_staging(const program_builder_t *builder) {
  genie_program_t *program = builder->program;
  const uint32_t binding_count = program->input_count + program->output_count;
  const uint32_t place_count = builder->plan->place_count;
  GENIE_RETURN_IF_ERROR(
      allocate(builder->arena, binding_count, sizeof(*program->staging_offsets), &program->staging_offsets));
  GENIE_RETURN_IF_ERROR(
      allocate(builder->arena, place_count, sizeof(*program->staging_bytes), &program->staging_bytes));
  GENIE_RETURN_IF_ERROR(allocate(builder->arena, place_count, sizeof(*program->input_ends), &program->input_ends));
  GENIE_RETURN_IF_ERROR(
      allocate(builder->arena, place_count, sizeof(*program->message_bytes), &program->message_bytes));
  for (uint32_t i = 0; i < binding_count; ++i) {
    if (i == program->input_count) {
      memcpy(program->input_ends, program->staging_bytes, place_count * sizeof(*program->input_ends));
    }
    GENIE_RETURN_IF_ERROR(add_to_staging(builder, i));
  }
  if (program->output_count == 0) {
    memcpy(program->input_ends, program->staging_bytes, place_count * sizeof(*program->input_ends));
  }
  return GENIE_OK;
}

void *genie_program_staging(const genie_plan_t *plan, const genie_program_t *program, const genie_place_t *places,
                            uint32_t binding) {
  const genie_plan_tensor_t *tensor = genie_program_binding_tensor(plan, program, binding);
  return (uint8_t *)places[tensor->place].staging.address + program->staging_offsets[binding];
}

static genie_status_t allocate_bindings(const program_builder_t *builder) {
  genie_program_t *program = builder->program;
  genie_arena_t *arena = builder->arena;
  program->input_count = builder->entry->input_count;
  program->output_count = builder->entry->output_count;
  const size_t binding_count = (size_t)program->input_count + program->output_count;
  GENIE_RETURN_IF_ERROR(allocate(arena, binding_count, sizeof(*program->bindings), &program->bindings));
  GENIE_RETURN_IF_ERROR(allocate(arena, binding_count, sizeof(*program->caller_counts), &program->caller_counts));
  GENIE_RETURN_IF_ERROR(allocate(arena, program->input_count, sizeof(*program->input_dims), &program->input_dims));
  GENIE_RETURN_IF_ERROR(allocate(arena, program->input_count, sizeof(*program->bound_shapes), &program->bound_shapes));
  GENIE_RETURN_IF_ERROR(allocate(arena, builder->plan->expr_count, sizeof(*program->values), &program->values));
  return lay_out_staging(builder);
}

// Sizes that no call changes are written now, and their patches dropped.
static void fix_static_sizes(const program_builder_t *builder) {
  if (builder->entry->symbol_count == 0) {
    genie_program_set_sizes(builder->model, NULL, builder->program);
    builder->program->size_count = 0;
  }
}

genie_status_t genie_program_init(const genie_model_t *model, uint32_t entry, uint32_t place, genie_place_t *places,
                                  bool has_profile, genie_transfer_count_t *transfers, genie_arena_t *arena,
                                  genie_program_t *program) {
  program->plan = model->plan;
  program->entry = entry;
  program->place = place;
  program->transfers = transfers;
  const program_builder_t builder = {.model = model,
                                     .plan = model->plan,
                                     .entry = &model->plan->entries[entry],
                                     .places = places,
                                     .arena = arena,
                                     .program = program};
  GENIE_RETURN_IF_ERROR(allocate_bindings(&builder));
  GENIE_RETURN_IF_ERROR(create_events(&builder));
  GENIE_RETURN_IF_ERROR(resolve_steps(&builder));
  fix_static_sizes(&builder);
  return has_profile ? allocate(arena, program->step_count, sizeof(*program->launch_ns), &program->launch_ns)
                     : GENIE_OK;
}

void genie_program_deinit(genie_program_t *program, genie_place_t *places) {
  genie_program_graphs_destroy(program, places);
  for (uint32_t i = 0; i < program->event_count; ++i) {
    if (program->events[i] != NULL) {
      genie_device_t *device = places[program->event_places[i]].device;
      device->ops->event_destroy(device, program->events[i]);
    }
  }
  *program = (genie_program_t){0};
}

// ---- Before a run ----

void genie_program_set_sizes(const genie_model_t *model, const int64_t *symbol_values, genie_program_t *program) {
  genie_plan_evaluate(model->plan, program->entry, symbol_values, program->values);
  for (uint32_t i = 0; i < program->size_count; ++i) {
    *program->sizes[i].slot = program->values[program->sizes[i].expr];
  }
  program->has_new_sizes = true;
}

void genie_program_bind_staging(genie_program_t *program, const genie_place_t *places) {
  for (uint32_t i = 0; i < program->input_count + program->output_count; ++i) {
    const genie_plan_tensor_t *tensor = genie_program_binding_tensor(program->plan, program, i);
    if (!places[tensor->place].staging.is_host_addressable) {
      program->bindings[i] = genie_program_staging(program->plan, program, places, i);
    }
  }
  genie_program_set_addresses(program);
}

void genie_program_set_addresses(const genie_program_t *program) {
  for (uint32_t i = 0; i < program->pointer_count; ++i) {
    const genie_pointer_patch_t *patch = &program->pointers[i];
    *patch->slot = (uint8_t *)program->bindings[patch->binding] + patch->offset;
  }
}
