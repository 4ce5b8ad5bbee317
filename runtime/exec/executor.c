// One call of an entry: bind, walk the steps, wait. What can be wrong with a call is found before the first step; the
// walk checks nothing, allocates nothing and takes no lock.
#include "runtime/exec/binding.h"

static genie_status_t run_step(genie_place_t *place, const genie_step_t *step) {
  genie_device_t *device = place->device;
  switch (step->kind) {
    case GENIE_STEP_LAUNCH:
      return device->ops->launch(device, step->stream, place->module, &step->launch);
    case GENIE_STEP_COPY:
      return device->ops->copy(device, step->stream, step->copy.destination, step->copy.source,
                               (uint64_t)step->copy.size_bytes);
    case GENIE_STEP_SIGNAL:
      return device->ops->event_record(device, step->stream, step->event);
    case GENIE_STEP_WAIT:
      return device->ops->event_wait(device, step->stream, step->event);
  }
  return GENIE_OK;
}

static genie_status_t run_steps(genie_session_t *session, const genie_program_t *program) {
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    GENIE_RETURN_IF_ERROR(run_step(&session->places[step->place], step));
    if (step->kind == GENIE_STEP_COPY) {
      session->last_copy_bytes += (uint64_t)step->copy.size_bytes;
    }
  }
  return GENIE_OK;
}

// Waits for each step, so that its time is its own.
static genie_status_t run_steps_profiled(genie_session_t *session, genie_program_t *program) {
  uint64_t begin_ns = genie_session_now_ns();
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    genie_place_t *place = &session->places[step->place];
    GENIE_RETURN_IF_ERROR(run_step(place, step));
    GENIE_RETURN_IF_ERROR(place->device->ops->stream_synchronize(place->device, step->stream));
    const uint64_t end_ns = genie_session_now_ns();
    program->launch_ns[i] += end_ns - begin_ns;
    begin_ns = end_ns;
  }
  ++program->profiled_run_count;
  return GENIE_OK;
}

// All streams, also after a failure: the caller's memory must not be in use when the call returns.
static genie_status_t synchronize(genie_session_t *session, genie_status_t status) {
  for (uint32_t p = 0; p < session->place_count; ++p) {
    genie_place_t *place = &session->places[p];
    for (uint32_t s = 0; s < place->stream_count; ++s) {
      const genie_status_t waited = place->device->ops->stream_synchronize(place->device, place->streams[s]);
      if (status == GENIE_OK) {
        status = waited;
      } else {
        genie_status_free(waited);
      }
    }
  }
  return status;
}

static genie_status_t find_program(genie_session_t *session, uint32_t entry, genie_program_t **out_program) {
  if (entry >= session->program_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, session->program_count);
  }
  *out_program = &session->programs[entry];
  return GENIE_OK;
}

genie_status_t genie_session_run(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                 uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  const uint64_t begin_ns = genie_session_now_ns();
  genie_program_t *program = NULL;
  GENIE_RETURN_IF_ERROR(find_program(session, entry, &program));
  GENIE_RETURN_IF_ERROR(genie_binding_check_inputs(session, program, inputs, input_count));
  GENIE_RETURN_IF_ERROR(genie_binding_check_memory(session, program, inputs, outputs, output_count));
  session->last_copy_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_binding_set_addresses(session, program, inputs, outputs));
  const genie_status_t walked =
      program->launch_ns == NULL ? run_steps(session, program) : run_steps_profiled(session, program);
  GENIE_RETURN_IF_ERROR(synchronize(session, walked));
  GENIE_RETURN_IF_ERROR(genie_binding_finish_outputs(session, program, outputs));
  ++session->run_count;
  session->last_launch_count = program->launch_count;
  session->last_run_ns = genie_session_now_ns() - begin_ns;
  return GENIE_OK;
}

genie_status_t genie_session_infer_outputs(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                           uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  genie_program_t *program = NULL;
  GENIE_RETURN_IF_ERROR(find_program(session, entry, &program));
  GENIE_RETURN_IF_ERROR(genie_binding_check_inputs(session, program, inputs, input_count));
  if (output_count != program->output_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entry '%s' has %u outputs, but %u are given",
                             genie_model_entry_name(session->model, entry), program->output_count, output_count);
  }
  for (uint32_t i = 0; i < output_count; ++i) {
    void *data = outputs[i].data;
    genie_binding_describe_output(session, program, i, &outputs[i]);
    outputs[i].data = data;
  }
  return GENIE_OK;
}
