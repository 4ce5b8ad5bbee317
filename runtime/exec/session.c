#include "runtime/exec/session.h"

#include <string.h>
#include <time.h>

#include "runtime/exec/program_graph.h"
#include "runtime/exec/staging_exchange.h"

uint64_t genie_session_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// ---- Construction ----

static genie_status_t create_places(genie_session_t *session, const genie_session_options_t *options) {
  const uint32_t count = session->model->plan->place_count;
  void *places = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&session->arena, count, sizeof(*session->places), &places));
  session->places = places;
  const genie_device_options_t device_options = {.worker_count = options->thread_count,
                                                 .cache_directory = options->cache_directory,
                                                 .library_path = options->library_path};
  while (session->place_count < count) {
    const uint32_t index = session->place_count++;
    GENIE_RETURN_IF_ERROR(
        genie_place_init(session->model, index, options->device, &device_options, &session->places[index]));
  }
  return GENIE_OK;
}

static genie_status_t create_programs(genie_session_t *session, bool has_profile) {
  const uint32_t count = session->model->plan->entry_count;
  void *programs = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&session->arena, count, sizeof(*session->programs), &programs));
  session->programs = programs;
  void *transfers = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&session->arena, session->model->plan->transfer_count,
                                             sizeof(*session->transfers), &transfers));
  session->transfers = transfers;
  while (session->program_count < count) {
    const uint32_t index = session->program_count++;
    GENIE_RETURN_IF_ERROR(genie_program_init(session->model, index, GENIE_PLAN_NONE, session->places, has_profile,
                                             session->transfers, &session->arena, &session->programs[index]));
    session->programs[index].trace = session->trace;
  }
  return GENIE_OK;
}

static uint64_t largest(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static genie_status_t create_staging_of_place(genie_session_t *session, uint32_t place) {
  uint64_t staging_bytes = 0;
  uint64_t message_bytes = 0;
  for (uint32_t i = 0; i < session->program_count; ++i) {
    staging_bytes = largest(staging_bytes, session->programs[i].staging_bytes[place]);
    message_bytes = largest(message_bytes, session->programs[i].message_bytes[place]);
  }
  return genie_place_create_staging(staging_bytes, message_bytes, &session->places[place]);
}

static genie_status_t create_staging(genie_session_t *session) {
  uint32_t output_count = 0;
  for (uint32_t i = 0; i < session->program_count; ++i) {
    output_count = (uint32_t)largest(output_count, session->programs[i].output_count);
  }
  void *bits = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&session->arena, output_count / 64 + 1, sizeof(uint64_t), &bits));
  session->staged_outputs = bits;
  for (uint32_t i = 0; i < session->place_count; ++i) {
    GENIE_RETURN_IF_ERROR(create_staging_of_place(session, i));
  }
  return session->model->plan->transfer_count == 0
             ? GENIE_OK
             : genie_staging_exchange_create(session->model->plan, session->places, session->allocator,
                                             &session->exchange);
}

static genie_status_t create_graphs(genie_session_t *session, bool is_timed, bool has_profile) {
  for (uint32_t i = 0; (is_timed || has_profile) && i < session->place_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_place_create_clock(&session->places[i]));
  }
  for (uint32_t i = 0; i < session->program_count; ++i) {
    genie_program_t *program = &session->programs[i];
    program->is_timed = is_timed && !has_profile;
    genie_program_bind_staging(program, session->places);
    GENIE_RETURN_IF_ERROR(genie_status_annotate(genie_program_graphs_create(program, session->places, &session->arena),
                                                "entry '%s'", genie_model_entry_name(session->model, i)));
  }
  return GENIE_OK;
}

static genie_status_t fill_session(genie_session_t *session, const genie_session_options_t *options) {
  if (options->has_trace) {
    GENIE_RETURN_IF_ERROR(genie_trace_create(session->allocator, &session->trace));
  }
  GENIE_RETURN_IF_ERROR(create_places(session, options));
  GENIE_RETURN_IF_ERROR(create_programs(session, options->has_profile));
  GENIE_RETURN_IF_ERROR(create_staging(session));
  return create_graphs(session, options->has_device_time, options->has_profile);
}

genie_status_t genie_session_create(const genie_model_t *model, const genie_session_options_t *options,
                                    genie_session_t **out_session) {
  static const genie_session_options_t kDefaults = {0};
  const uint64_t begin_ns = genie_session_now_ns();
  if (model == NULL || out_session == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "genie_session_create: no model, or nowhere to put the session");
  }
  if (options != NULL && options->remote != NULL) {
    return genie_session_create_remote(model, options, out_session);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(model->allocator, 1, sizeof(genie_session_t), &memory));
  genie_session_t *session = memory;
  session->model = model;
  session->allocator = model->allocator;
  genie_arena_init(model->allocator, 0, &session->arena);
  const genie_status_t status = fill_session(session, options == NULL ? &kDefaults : options);
  if (status != GENIE_OK) {
    genie_session_destroy(session);
    return status;
  }
  session->load_ns = genie_session_now_ns() - begin_ns;
  *out_session = session;
  return GENIE_OK;
}

void genie_session_destroy(genie_session_t *session) {
  if (session == NULL) {
    return;
  }
  genie_submission_queue_destroy(session->queue);
  if (session->ops != NULL) {
    session->ops->destroy(session);
    return;
  }
  for (uint32_t i = 0; i < session->program_count; ++i) {
    genie_program_deinit(&session->programs[i], session->places);
  }
  genie_staging_exchange_destroy(session->allocator, session->exchange);
  for (uint32_t i = 0; i < session->place_count; ++i) {
    genie_place_deinit(session->allocator, &session->places[i]);
  }
  genie_arena_deinit(&session->arena);
  genie_arena_deinit(&session->trace_arena);
  genie_trace_destroy(session->trace);
  genie_allocator_free(session->allocator, session);
}

// ---- State ----

genie_status_t genie_session_reset_state(genie_session_t *session) {
  genie_session_settle(session);
  if (session->ops != NULL) {
    return session->ops->reset_state(session);
  }
  for (uint32_t i = 0; i < session->place_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_place_reset_state(session->model, i, &session->places[i]));
  }
  return GENIE_OK;
}

static genie_status_t find_state(genie_session_t *session, const char *name, uint64_t size_bytes,
                                 genie_place_t **out_place, void **out_address) {
  uint32_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_model_find_state(session->model, name, &index));
  const genie_plan_tensor_t *tensor = &session->model->plan->tensors[index];
  if (tensor->maximum_bytes != size_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "state '%.64s' has %llu bytes, not %llu", name,
                             (unsigned long long)tensor->maximum_bytes, (unsigned long long)size_bytes);
  }
  *out_place = &session->places[tensor->place];
  *out_address = genie_place_tensor_address(*out_place, tensor);
  return GENIE_OK;
}

genie_status_t genie_session_read_state(genie_session_t *session, const char *name, void *out_data,
                                        uint64_t size_bytes) {
  genie_session_settle(session);
  if (session->ops != NULL) {
    return session->ops->read_state(session, name, out_data, size_bytes);
  }
  genie_place_t *place = NULL;
  void *address = NULL;
  GENIE_RETURN_IF_ERROR(find_state(session, name, size_bytes, &place, &address));
  return genie_place_copy(place, out_data, address, size_bytes);
}

genie_status_t genie_session_write_state(genie_session_t *session, const char *name, const void *data,
                                         uint64_t size_bytes) {
  genie_session_settle(session);
  if (session->ops != NULL) {
    return session->ops->write_state(session, name, data, size_bytes);
  }
  genie_place_t *place = NULL;
  void *address = NULL;
  GENIE_RETURN_IF_ERROR(find_state(session, name, size_bytes, &place, &address));
  return genie_place_copy(place, address, data, size_bytes);
}

// ---- Measurements ----

void genie_session_get_stats(const genie_session_t *session, genie_session_stats_t *out_stats) {
  if (session->ops != NULL) {
    session->ops->get_stats(session, out_stats);
    return;
  }
  const genie_plan_t *plan = session->model->plan;
  *out_stats = (genie_session_stats_t){
      .run_count = session->run_count,
      .last_run_ns = session->last_run_ns,
      .last_launch_count = session->last_launch_count,
      .last_copy_bytes = session->last_copy_bytes,
      .last_enqueue_ns = session->last_enqueue_ns,
      .load_ns = session->load_ns,
      .thread_count = session->places[0].device->worker_count,
      .target = genie_plan_string(plan, plan->targets[session->places[0].target].name),
  };
  for (uint32_t i = 0; i < session->place_count; ++i) {
    const genie_place_t *place = &session->places[i];
    out_stats->last_device_ns += place->device_ns;
    out_stats->weight_bytes += place->weights.memory.size_bytes;
    out_stats->state_bytes += place->state.size_bytes;
    out_stats->slab_bytes += place->slab.size_bytes;
    out_stats->scratch_bytes += place->scratch_bytes;
    out_stats->code_bytes += plan->targets[place->target].code_bytes;
  }
}

genie_status_t genie_session_list_links(genie_session_t *session, const genie_session_link_t **out_links,
                                        uint32_t *out_link_count) {
  genie_session_settle(session);
  if (session->ops != NULL) {
    return session->ops->list_links(session, out_links, out_link_count);
  }
  *out_links = NULL;
  *out_link_count = 0;
  return GENIE_OK;
}

uint32_t genie_session_profile_count(const genie_session_t *session, uint32_t entry) {
  if (entry >= session->program_count || session->programs[entry].launch_ns == NULL) {
    return 0;
  }
  return session->programs[entry].launch_count;
}

// The step of the launch, or call of a library, at `position`.
static uint32_t find_launch(const genie_program_t *program, uint32_t position) {
  uint32_t step = 0;
  for (uint32_t seen = 0;; ++step) {
    const genie_step_kind_t kind = program->steps[step].kind;
    if ((kind == GENIE_STEP_LAUNCH || kind == GENIE_STEP_LIBRARY_CALL) && seen++ == position) {
      return step;
    }
  }
}

genie_status_t genie_session_profile(const genie_session_t *session, uint32_t entry, uint32_t index,
                                     genie_session_launch_profile_t *out_profile) {
  const uint32_t count = genie_session_profile_count(session, entry);
  if (index >= count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "launch %u: the profile has %u", index, count);
  }
  const genie_program_t *program = &session->programs[entry];
  const genie_plan_t *plan = session->model->plan;
  const uint32_t step = find_launch(program, index);
  const genie_plan_instruction_t *instruction = &plan->instructions[program->steps[step].instruction];
  const genie_plan_kernel_t *kernel = &plan->kernels[instruction->a];
  *out_profile = (genie_session_launch_profile_t){
      .kernel = genie_plan_string(plan, kernel->name),
      .template_name = genie_plan_string(plan, kernel->template_name),
      .module = genie_plan_string(plan, instruction->f),
      .task_count = program->steps[step].launch.task_count,
      .run_count = program->profiled_run_count,
      .total_ns = program->launch_ns[step],
  };
  return GENIE_OK;
}
