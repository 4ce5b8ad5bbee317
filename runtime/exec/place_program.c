#include "runtime/exec/place_program.h"

#include <string.h>

#include "runtime/exec/program_graph.h"
#include "runtime/exec/session.h"

enum { kAlignment = 64 };

// What a program knows of one entry besides its steps.
typedef struct share {
  genie_program_t program;
  uint32_t *bindings;  // [input_count + output_count] of the entry's, those of this place
  uint32_t input_count, output_count;
  void **memory;  // [input_count + output_count] the program's own, host memory
} share_t;

struct genie_place_program {
  const genie_model_t *model;
  genie_allocator_t allocator;
  genie_arena_t arena;
  uint32_t place;
  genie_place_t *places;  // as many as the plan has; only our own is initialised
  share_t *shares;        // one an entry
  uint32_t share_count;   // that are initialised
  genie_transfer_count_t *transfers;
  uint32_t bound_entry;  // GENIE_PLAN_NONE: none
  uint64_t load_ns;
  uint64_t run_count;
  uint64_t last_run_ns;
  uint64_t last_launch_count;
  genie_trace_t *trace;
};

static genie_place_t *own_place(const genie_place_program_t *program) {
  return &program->places[program->place];
}

static genie_status_t allocate(genie_place_program_t *program, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&program->arena, count + 1, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

// ---- Construction ----

static genie_status_t list_bindings(genie_place_program_t *program, share_t *share) {
  const genie_program_t *steps = &share->program;
  const uint32_t count = steps->input_count + steps->output_count;
  GENIE_RETURN_IF_ERROR(allocate(program, count, sizeof(*share->bindings), &share->bindings));
  uint32_t own = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (genie_program_binding_tensor(program->model->plan, steps, i)->place != program->place) {
      continue;
    }
    share->bindings[own++] = i;
    if (i < steps->input_count) {
      ++share->input_count;
    } else {
      ++share->output_count;
    }
  }
  return allocate(program, own, sizeof(*share->memory), &share->memory);
}

static genie_status_t create_shares(genie_place_program_t *program) {
  const genie_plan_t *plan = program->model->plan;
  GENIE_RETURN_IF_ERROR(allocate(program, plan->entry_count, sizeof(*program->shares), &program->shares));
  GENIE_RETURN_IF_ERROR(allocate(program, plan->transfer_count, sizeof(*program->transfers), &program->transfers));
  while (program->share_count < plan->entry_count) {
    const uint32_t entry = program->share_count++;
    share_t *share = &program->shares[entry];
    GENIE_RETURN_IF_ERROR(genie_program_init(program->model, entry, program->place, program->places, false,
                                             program->transfers, &program->arena, &share->program));
    share->program.trace = program->trace;
    GENIE_RETURN_IF_ERROR(list_bindings(program, share));
  }
  return GENIE_OK;
}

// Inputs and outputs lie where kernels use them, or in the mirror of that.
static void set_memory(genie_place_program_t *program, share_t *share) {
  const genie_place_t *place = own_place(program);
  for (uint32_t i = 0; i < share->input_count + share->output_count; ++i) {
    share->memory[i] = genie_place_host_staging(place, share->program.staging_offsets[share->bindings[i]]);
  }
}

static genie_status_t create_memory(genie_place_program_t *program) {
  uint64_t staging_bytes = 0;
  uint64_t message_bytes = 0;
  for (uint32_t i = 0; i < program->share_count; ++i) {
    const uint64_t staging = program->shares[i].program.staging_bytes[program->place];
    const uint64_t message = program->shares[i].program.message_bytes[program->place];
    staging_bytes = staging > staging_bytes ? staging : staging_bytes;
    message_bytes = message > message_bytes ? message : message_bytes;
  }
  genie_place_t *place = own_place(program);
  GENIE_RETURN_IF_ERROR(genie_place_create_staging(staging_bytes, message_bytes, place));
  for (uint32_t i = 0; i < program->share_count; ++i) {
    set_memory(program, &program->shares[i]);
  }
  return GENIE_OK;
}

// The other places are not here, but all that a graph touches is of this one.
static genie_status_t create_graphs(genie_place_program_t *program) {
  for (uint32_t i = 0; i < program->share_count; ++i) {
    genie_program_t *steps = &program->shares[i].program;
    for (uint32_t b = 0; b < program->shares[i].input_count + program->shares[i].output_count; ++b) {
      const uint32_t binding = program->shares[i].bindings[b];
      steps->bindings[binding] = genie_program_staging(program->model->plan, steps, program->places, binding);
    }
    genie_program_set_addresses(steps);
    GENIE_RETURN_IF_ERROR(genie_program_graphs_create(steps, program->places, &program->arena));
  }
  return GENIE_OK;
}

static genie_status_t fill_program(genie_place_program_t *program, const genie_place_program_options_t *options) {
  const genie_device_options_t device_options = {.ordinal = options->ordinal,
                                                 .has_ordinal = options->has_ordinal,
                                                 .worker_count = options->thread_count,
                                                 .cache_directory = options->cache_directory,
                                                 .library_path = options->library_path};
  GENIE_RETURN_IF_ERROR(
      allocate(program, program->model->plan->place_count, sizeof(*program->places), &program->places));
  GENIE_RETURN_IF_ERROR(
      genie_place_init(program->model, program->place, options->device, &device_options, own_place(program)));
  program->trace = options->trace;
  GENIE_RETURN_IF_ERROR(create_shares(program));
  GENIE_RETURN_IF_ERROR(create_memory(program));
  return create_graphs(program);
}

genie_status_t genie_place_program_create(const genie_model_t *model, uint32_t place,
                                          const genie_place_program_options_t *options,
                                          genie_place_program_t **out_program) {
  static const genie_place_program_options_t kDefaults = {0};
  const uint64_t begin_ns = genie_session_now_ns();
  if (place >= model->plan->place_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "place %u: the plan has %u", place, model->plan->place_count);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(model->allocator, 1, sizeof(genie_place_program_t), &memory));
  genie_place_program_t *program = memory;
  program->model = model;
  program->allocator = model->allocator;
  program->place = place;
  program->bound_entry = GENIE_PLAN_NONE;
  genie_arena_init(model->allocator, 0, &program->arena);
  const genie_status_t status = fill_program(program, options == NULL ? &kDefaults : options);
  if (status != GENIE_OK) {
    genie_place_program_destroy(program);
    return status;
  }
  program->load_ns = genie_session_now_ns() - begin_ns;
  *out_program = program;
  return GENIE_OK;
}

void genie_place_program_destroy(genie_place_program_t *program) {
  if (program == NULL) {
    return;
  }
  for (uint32_t i = 0; i < program->share_count; ++i) {
    genie_program_deinit(&program->shares[i].program, program->places);
  }
  if (program->places != NULL) {
    genie_place_deinit(program->allocator, own_place(program));
  }
  genie_arena_deinit(&program->arena);
  genie_allocator_free(program->allocator, program);
}

// ---- Inputs and outputs ----

uint32_t genie_place_program_input_count(const genie_place_program_t *program, uint32_t entry) {
  return program->shares[entry].input_count;
}

uint32_t genie_place_program_output_count(const genie_place_program_t *program, uint32_t entry) {
  return program->shares[entry].output_count;
}

uint32_t genie_place_program_input_position(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  return program->shares[entry].bindings[index];
}

uint32_t genie_place_program_output_position(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  const share_t *share = &program->shares[entry];
  return share->bindings[share->input_count + index] - share->program.input_count;
}

// Of the `index`th of the place's inputs and outputs.
static uint64_t bytes_of(const share_t *share, uint32_t index) {
  return genie_program_binding_bytes(&share->program, share->bindings[index]);
}

uint64_t genie_place_program_input_bytes(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  return bytes_of(&program->shares[entry], index);
}

uint64_t genie_place_program_output_bytes(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  return bytes_of(&program->shares[entry], program->shares[entry].input_count + index);
}

void *genie_place_program_input_memory(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  return program->shares[entry].memory[index];
}

void *genie_place_program_output_memory(const genie_place_program_t *program, uint32_t entry, uint32_t index) {
  return program->shares[entry].memory[program->shares[entry].input_count + index];
}

// ---- Runs ----

genie_status_t genie_place_program_bind(genie_place_program_t *program, uint32_t entry, const int64_t *symbol_values,
                                        uint32_t symbol_count) {
  if (entry >= program->share_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, program->share_count);
  }
  GENIE_RETURN_IF_ERROR(genie_plan_check_symbols(program->model->plan, entry, symbol_values, symbol_count));
  if (symbol_count > 0) {
    genie_program_set_sizes(program->model, symbol_values, &program->shares[entry].program);
  }
  program->bound_entry = entry;
  return GENIE_OK;
}

static void *given(void *const *list, uint32_t index, void *own) {
  return list == NULL || list[index] == NULL ? own : list[index];
}

static bool is_usable(const genie_place_t *place, const void *address) {
  return place->staging.is_host_addressable && (uintptr_t)address % kAlignment == 0;
}

static void move(void *destination, const void *source, uint64_t size_bytes) {
  if (destination != source && size_bytes > 0) {
    memmove(destination, source, size_bytes);
  }
}

static void set_addresses(genie_place_program_t *program, share_t *share, const genie_place_call_t *call) {
  genie_place_t *place = own_place(program);
  for (uint32_t i = 0; i < share->input_count + share->output_count; ++i) {
    const bool is_input = i < share->input_count;
    void *address = is_input ? given(call->inputs, i, share->memory[i])
                             : given(call->outputs, i - share->input_count, share->memory[i]);
    void **binding = &share->program.bindings[share->bindings[i]];
    *binding = address;
    if (is_usable(place, address)) {
      continue;
    }
    *binding = (uint8_t *)place->staging.address + share->program.staging_offsets[share->bindings[i]];
    if (is_input) {
      move(share->memory[i], address, bytes_of(share, i));
    }
  }
  genie_program_set_addresses(&share->program);
}

static void finish_outputs(const share_t *share, const genie_place_call_t *call) {
  for (uint32_t i = 0; i < share->output_count; ++i) {
    const uint32_t index = share->input_count + i;
    void *address = given(call->outputs, i, share->memory[index]);
    if (address != share->program.bindings[share->bindings[index]]) {
      move(address, share->memory[index], bytes_of(share, index));
    }
  }
}

genie_status_t genie_place_run(genie_place_program_t *program, uint32_t entry, const genie_place_call_t *call) {
  const uint64_t begin_ns = genie_session_now_ns();
  if (program->bound_entry != entry) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the sizes of entry %u are not bound", entry);
  }
  share_t *share = &program->shares[entry];
  if (share->program.has_messages && call->exchange == NULL) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "place %u sends or receives, and has no exchange",
                             program->place);
  }
  set_addresses(program, share, call);
  share->program.call = call->call;
  GENIE_RETURN_IF_ERROR(
      genie_program_run(&share->program, program->places, program->model->plan->place_count, call->exchange));
  finish_outputs(share, call);
  ++program->run_count;
  program->last_launch_count = share->program.launch_count;
  program->last_run_ns = genie_session_now_ns() - begin_ns;
  return GENIE_OK;
}

// ---- State ----

genie_status_t genie_place_program_reset_state(genie_place_program_t *program) {
  return genie_place_reset_state(program->model, program->place, own_place(program));
}

static genie_status_t find_state(const genie_place_program_t *program, const char *name, uint64_t size_bytes,
                                 void **out_address) {
  uint32_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_model_find_state(program->model, name, &index));
  const genie_plan_tensor_t *tensor = &program->model->plan->tensors[index];
  if (tensor->place != program->place) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "state '%.64s' is at place %u", name, tensor->place);
  }
  if (tensor->maximum_bytes != size_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "state '%.64s' has %llu bytes, not %llu", name,
                             (unsigned long long)tensor->maximum_bytes, (unsigned long long)size_bytes);
  }
  *out_address = genie_place_tensor_address(own_place(program), tensor);
  return GENIE_OK;
}

genie_status_t genie_place_program_read_state(genie_place_program_t *program, const char *name, void *out_data,
                                              uint64_t size_bytes) {
  void *address = NULL;
  GENIE_RETURN_IF_ERROR(find_state(program, name, size_bytes, &address));
  return genie_place_copy(own_place(program), out_data, address, size_bytes);
}

genie_status_t genie_place_program_write_state(genie_place_program_t *program, const char *name, const void *data,
                                               uint64_t size_bytes) {
  void *address = NULL;
  GENIE_RETURN_IF_ERROR(find_state(program, name, size_bytes, &address));
  return genie_place_copy(own_place(program), address, data, size_bytes);
}

bool genie_place_program_is_device_lost(const genie_place_program_t *program) {
  return genie_device_is_lost(program->places[program->place].device);
}

// ---- Measurements ----

void genie_place_program_get_stats(const genie_place_program_t *program, genie_session_stats_t *out_stats) {
  const genie_plan_t *plan = program->model->plan;
  const genie_place_t *place = own_place(program);
  *out_stats = (genie_session_stats_t){
      .run_count = program->run_count,
      .last_run_ns = program->last_run_ns,
      .last_launch_count = program->last_launch_count,
      .last_copy_bytes = place->copy_bytes,
      .load_ns = program->load_ns,
      .weight_bytes = place->weights.memory.size_bytes,
      .state_bytes = place->state.size_bytes,
      .slab_bytes = place->slab.size_bytes,
      .scratch_bytes = place->scratch_bytes,
      .code_bytes = plan->targets[place->target].code_bytes,
      .thread_count = place->device->worker_count,
      .target = genie_plan_string(plan, plan->targets[place->target].name),
  };
}

uint64_t genie_place_program_transfer_bytes(const genie_place_program_t *program, uint32_t transfer) {
  const genie_plan_transfer_t *record = &program->model->plan->transfers[transfer];
  const genie_transfer_count_t *count = &program->transfers[transfer];
  return record->source_place == program->place ? count->sent_bytes : count->received_bytes;
}

uint64_t genie_place_program_total_bytes(const genie_place_program_t *program, uint32_t transfer) {
  return __atomic_load_n(&program->transfers[transfer].total_bytes, __ATOMIC_RELAXED);
}
