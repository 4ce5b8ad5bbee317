// One call of an entry in a session: bind, run, hand out the results.
#include "runtime/exec/binding.h"

static genie_status_t find_program(genie_session_t *session, uint32_t entry, genie_program_t **out_program) {
  if (entry >= session->program_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "entry %u: the plan has %u", entry, session->program_count);
  }
  *out_program = &session->programs[entry];
  return GENIE_OK;
}

static genie_status_t run_here(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                               uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  const uint64_t begin_ns = genie_session_now_ns();
  genie_program_t *program = NULL;
  GENIE_RETURN_IF_ERROR(find_program(session, entry, &program));
  GENIE_RETURN_IF_ERROR(genie_binding_check_inputs(session, program, inputs, input_count));
  GENIE_RETURN_IF_ERROR(genie_binding_check_memory(session, program, inputs, outputs, output_count));
  session->last_copy_bytes = 0;
  genie_binding_set_addresses(session, program, inputs, outputs);
  program->call = session->run_count + 1;
  GENIE_RETURN_IF_ERROR(genie_program_run(program, session->places, session->place_count, session->exchange));
  for (uint32_t i = 0; i < session->place_count; ++i) {
    session->last_copy_bytes += session->places[i].copy_bytes;
  }
  genie_binding_finish_outputs(session, program, outputs);
  genie_binding_count_traffic(program, inputs, outputs);
  ++session->run_count;
  session->last_launch_count = program->launch_count;
  session->last_enqueue_ns = program->enqueue_ns;
  session->last_run_ns = genie_session_now_ns() - begin_ns;
  return GENIE_OK;
}

genie_status_t genie_session_run(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                 uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  genie_session_settle(session);
  return session->ops != NULL ? session->ops->run(session, entry, inputs, input_count, outputs, output_count)
                              : run_here(session, entry, inputs, input_count, outputs, output_count);
}

genie_status_t genie_session_infer_outputs(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                           uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count) {
  genie_session_settle(session);
  if (session->ops != NULL) {
    return session->ops->infer_outputs(session, entry, inputs, input_count, outputs, output_count);
  }
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

// ---- Submitting ----

genie_status_t genie_session_enqueue(genie_session_t *session, genie_submission_run_fn_t run, uint32_t entry,
                                     const genie_tensor_t *inputs, uint32_t input_count, genie_tensor_t *outputs,
                                     uint32_t output_count, const genie_submit_options_t *options,
                                     genie_submission_t **out_submission) {
  GENIE_RETURN_IF_ERROR(
      genie_submission_infer_outputs(session->model, entry, inputs, input_count, outputs, output_count));
  if (session->queue == NULL) {
    GENIE_RETURN_IF_ERROR(genie_submission_queue_create(session, run, session->allocator, &session->queue));
  }
  return genie_submission_queue_add(session->queue, entry, inputs, input_count, outputs, output_count, options,
                                    out_submission);
}

genie_status_t genie_session_submit(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                    uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                    const genie_submit_options_t *options, genie_submission_t **out_submission) {
  return session->ops != NULL
             ? session->ops->submit(session, entry, inputs, input_count, outputs, output_count, options, out_submission)
             : genie_session_enqueue(session, run_here, entry, inputs, input_count, outputs, output_count, options,
                                     out_submission);
}

genie_status_t genie_session_reconnect(genie_session_t *session) {
  genie_session_settle(session);
  return session->ops != NULL ? session->ops->reconnect(session)
                              : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is in this process");
}
