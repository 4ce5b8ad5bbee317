// The walk over a program's steps. What can be wrong with a call is found before the first step; the walk checks
// nothing, allocates nothing and takes no lock.
#include "runtime/exec/program.h"
#include "runtime/exec/session.h"

// The exchange works in host memory: what a device keeps elsewhere goes by way of the place's message memory.
static genie_status_t send(genie_place_t *place, const genie_step_t *step, genie_exchange_t *exchange) {
  const genie_step_message_t *message = &step->message;
  genie_device_t *device = place->device;
  const void *address = message->address;
  if (place->message != NULL) {
    address = place->message;
    GENIE_RETURN_IF_ERROR(
        device->ops->copy(device, step->stream, place->message, message->address, (uint64_t)message->size_bytes));
  }
  GENIE_RETURN_IF_ERROR(device->ops->stream_synchronize(device, step->stream));
  return exchange->ops->send(exchange, message->transfer, address, (uint64_t)message->size_bytes);
}

// What is enqueued may still use the memory that the message overwrites.
static genie_status_t receive(genie_place_t *place, const genie_step_t *step, genie_exchange_t *exchange) {
  const genie_step_message_t *message = &step->message;
  genie_device_t *device = place->device;
  void *address = place->message != NULL ? place->message : message->address;
  GENIE_RETURN_IF_ERROR(device->ops->stream_synchronize(device, step->stream));
  GENIE_RETURN_IF_ERROR(exchange->ops->receive(exchange, message->transfer, address, (uint64_t)message->size_bytes));
  return place->message == NULL
             ? GENIE_OK
             : device->ops->copy(device, step->stream, message->address, place->message, (uint64_t)message->size_bytes);
}

static genie_status_t run_step(genie_program_t *program, genie_place_t *place, const genie_step_t *step,
                               genie_exchange_t *exchange) {
  genie_device_t *device = place->device;
  switch (step->kind) {
    case GENIE_STEP_LAUNCH:
      return device->ops->launch(device, step->stream, place->module, &step->launch);
    case GENIE_STEP_COPY:
      place->copy_bytes += (uint64_t)step->copy.size_bytes;
      return device->ops->copy(device, step->stream, step->copy.destination, step->copy.source,
                               (uint64_t)step->copy.size_bytes);
    case GENIE_STEP_SIGNAL:
      return device->ops->event_record(device, step->stream, step->event);
    case GENIE_STEP_WAIT:
      return device->ops->event_wait(device, step->stream, step->event);
    case GENIE_STEP_LIBRARY_CALL:
      return device->ops->library_call(device, step->stream, step->function, &step->launch);
    case GENIE_STEP_SEND:
      GENIE_RETURN_IF_ERROR(send(place, step, exchange));
      program->transfers[step->message.transfer].sent_bytes = (uint64_t)step->message.size_bytes;
      return GENIE_OK;
    case GENIE_STEP_RECEIVE:
      GENIE_RETURN_IF_ERROR(receive(place, step, exchange));
      program->transfers[step->message.transfer].received_bytes = (uint64_t)step->message.size_bytes;
      return GENIE_OK;
  }
  return GENIE_OK;
}

static genie_status_t run_steps(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    GENIE_RETURN_IF_ERROR(run_step(program, &places[step->place], step, exchange));
  }
  return GENIE_OK;
}

// Waits for each step, so that its time is its own.
static genie_status_t run_steps_profiled(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  uint64_t begin_ns = genie_session_now_ns();
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    genie_place_t *place = &places[step->place];
    GENIE_RETURN_IF_ERROR(run_step(program, place, step, exchange));
    GENIE_RETURN_IF_ERROR(place->device->ops->stream_synchronize(place->device, step->stream));
    const uint64_t end_ns = genie_session_now_ns();
    program->launch_ns[i] += end_ns - begin_ns;
    begin_ns = end_ns;
  }
  ++program->profiled_run_count;
  return GENIE_OK;
}

static genie_status_t synchronize(genie_place_t *places, uint32_t place_count, genie_status_t status) {
  for (uint32_t p = 0; p < place_count; ++p) {
    genie_place_t *place = &places[p];
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

static void sum_transfers(const genie_program_t *program) {
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    if (step->kind == GENIE_STEP_RECEIVE || (step->kind == GENIE_STEP_SEND && program->place != GENIE_PLAN_NONE)) {
      program->transfers[step->message.transfer].total_bytes += (uint64_t)step->message.size_bytes;
    }
  }
}

genie_status_t genie_program_run(genie_program_t *program, genie_place_t *places, uint32_t place_count,
                                 genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < place_count; ++i) {
    places[i].copy_bytes = 0;
  }
  const genie_status_t walked =
      program->launch_ns == NULL ? run_steps(program, places, exchange) : run_steps_profiled(program, places, exchange);
  GENIE_RETURN_IF_ERROR(synchronize(places, place_count, walked));
  if (program->has_messages) {
    sum_transfers(program);
  }
  return GENIE_OK;
}
