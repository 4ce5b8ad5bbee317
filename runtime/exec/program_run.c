// The walk over a program's steps. What can be wrong with a call is found before the first step; the walk checks
// nothing, allocates nothing and takes no lock.
#include "runtime/exec/program_graph.h"
#include "runtime/exec/program_staging.h"
#include "runtime/exec/program_step.h"
#include "runtime/exec/session.h"

// Graphs run on the first stream; what comes after one has to follow it there.
static genie_device_stream_t *message_stream(const genie_program_t *program, const genie_place_t *place,
                                             const genie_step_t *step) {
  return program->graphs == NULL ? step->stream : place->streams[0];
}

// The exchange works in host memory: what a device keeps elsewhere goes by way of the place's message memory, unless
// the exchange has memory of the destination's device for it.
static genie_status_t send(const genie_program_t *program, const genie_place_t *place, const genie_step_t *step,
                           genie_exchange_t *exchange) {
  genie_device_stream_t *stream = message_stream(program, place, step);
  const genie_step_message_t *message = &step->message;
  genie_device_t *device = place->device;
  const void *address = message->address;
  void *direct = genie_exchange_direct(exchange, message->transfer);
  if (direct != NULL) {
    GENIE_RETURN_IF_ERROR(device->ops->copy(device, stream, direct, address, (uint64_t)message->size_bytes));
    return device->ops->stream_synchronize(device, stream);
  }
  if (place->message != NULL) {
    address = place->message;
    GENIE_RETURN_IF_ERROR(
        device->ops->copy(device, stream, place->message, message->address, (uint64_t)message->size_bytes));
  }
  GENIE_RETURN_IF_ERROR(device->ops->stream_synchronize(device, stream));
  return exchange->ops->send(exchange, message->transfer, address, (uint64_t)message->size_bytes);
}

// What is enqueued may still use the memory that the message overwrites.
static genie_status_t receive(const genie_program_t *program, const genie_place_t *place, const genie_step_t *step,
                              genie_exchange_t *exchange) {
  genie_device_stream_t *stream = message_stream(program, place, step);
  const genie_step_message_t *message = &step->message;
  genie_device_t *device = place->device;
  const void *direct = genie_exchange_direct(exchange, message->transfer);
  if (direct != NULL) {
    return device->ops->copy(device, stream, message->address, direct, (uint64_t)message->size_bytes);
  }
  void *address = place->message != NULL ? place->message : message->address;
  GENIE_RETURN_IF_ERROR(device->ops->stream_synchronize(device, stream));
  GENIE_RETURN_IF_ERROR(exchange->ops->receive(exchange, message->transfer, address, (uint64_t)message->size_bytes));
  return place->message == NULL
             ? GENIE_OK
             : device->ops->copy(device, stream, message->address, place->message, (uint64_t)message->size_bytes);
}

genie_status_t genie_program_run_step(genie_program_t *program, genie_place_t *place, const genie_step_t *step,
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
      GENIE_RETURN_IF_ERROR(send(program, place, step, exchange));
      program->transfers[step->message.transfer].sent_bytes = (uint64_t)step->message.size_bytes;
      return GENIE_OK;
    case GENIE_STEP_RECEIVE:
      GENIE_RETURN_IF_ERROR(receive(program, place, step, exchange));
      program->transfers[step->message.transfer].received_bytes = (uint64_t)step->message.size_bytes;
      return GENIE_OK;
  }
  return GENIE_OK;
}

static genie_status_t run_steps(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < program->step_count;) {
    const genie_step_t *step = &program->steps[i];
    genie_place_t *place = &places[step->place];
    uint32_t step_count = 1;
    genie_device_graph_t *graph = genie_program_graph_at(program, i, &step_count);
    GENIE_RETURN_IF_ERROR(graph != NULL ? place->device->ops->graph_launch(place->device, place->streams[0], graph)
                                        : genie_program_run_step(program, place, step, exchange));
    i += step_count;
  }
  return GENIE_OK;
}

// Other streams than the first, which carries the inputs, start behind them; graphs see to that themselves.
static genie_status_t upload(const genie_program_t *program, genie_place_t *places, uint32_t place_count) {
  for (uint32_t i = 0; i < place_count; ++i) {
    genie_place_t *place = &places[i];
    if (place->mirror == NULL || genie_program_graph_uploads(program, i)) {
      continue;
    }
    GENIE_RETURN_IF_ERROR(genie_program_upload(program, places, i));
    GENIE_RETURN_IF_ERROR(genie_program_stamp(program, place, place->begin_event));
    if (place->stream_count > 1) {
      GENIE_RETURN_IF_ERROR(place->device->ops->stream_synchronize(place->device, place->streams[0]));
    }
  }
  return GENIE_OK;
}

// Those behind the first have to end before it carries the outputs.
static genie_status_t download(const genie_program_t *program, genie_place_t *places, uint32_t place_count) {
  for (uint32_t i = 0; i < place_count; ++i) {
    genie_place_t *place = &places[i];
    if (place->mirror == NULL || genie_program_graph_downloads(program, i)) {
      continue;
    }
    for (uint32_t s = 1; s < place->stream_count; ++s) {
      GENIE_RETURN_IF_ERROR(place->device->ops->stream_synchronize(place->device, place->streams[s]));
    }
    GENIE_RETURN_IF_ERROR(genie_program_stamp(program, place, place->end_event));
    GENIE_RETURN_IF_ERROR(genie_program_download(program, places, i));
  }
  return GENIE_OK;
}

static genie_status_t read_time(const genie_program_t *program, genie_place_t *places, uint32_t place_count) {
  for (uint32_t i = 0; program->is_timed && i < place_count; ++i) {
    genie_place_t *place = &places[i];
    if (place->begin_event != NULL) {
      GENIE_RETURN_IF_ERROR(
          place->device->ops->event_elapsed(place->device, place->begin_event, place->end_event, &place->device_ns));
    }
  }
  return GENIE_OK;
}

// One step, waited for, so that its time is its own; a device with a clock measures it without the wait.
static genie_status_t run_step_profiled(genie_program_t *program, genie_place_t *place, const genie_step_t *step,
                                        genie_exchange_t *exchange, uint64_t *out_ns) {
  const genie_device_ops_t *ops = place->device->ops;
  const uint64_t begin_ns = genie_session_now_ns();
  if (place->begin_event != NULL) {
    GENIE_RETURN_IF_ERROR(ops->event_stamp(place->device, step->stream, place->begin_event));
  }
  GENIE_RETURN_IF_ERROR(genie_program_run_step(program, place, step, exchange));
  if (place->begin_event != NULL) {
    GENIE_RETURN_IF_ERROR(ops->event_stamp(place->device, step->stream, place->end_event));
  }
  GENIE_RETURN_IF_ERROR(ops->stream_synchronize(place->device, step->stream));
  *out_ns = genie_session_now_ns() - begin_ns;
  return place->begin_event == NULL ? GENIE_OK
                                    : ops->event_elapsed(place->device, place->begin_event, place->end_event, out_ns);
}

static genie_status_t run_steps_profiled(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    uint64_t step_ns = 0;
    GENIE_RETURN_IF_ERROR(run_step_profiled(program, &places[step->place], step, exchange, &step_ns));
    program->launch_ns[i] += step_ns;
  }
  ++program->profiled_run_count;
  return GENIE_OK;
}

static bool is_enqueued(genie_step_kind_t kind) {
  return kind == GENIE_STEP_LAUNCH || kind == GENIE_STEP_LIBRARY_CALL || kind == GENIE_STEP_COPY;
}

// Every step is recorded when it is done.
static genie_status_t run_steps_traced(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < program->step_count; ++i) {
    const genie_step_t *step = &program->steps[i];
    genie_place_t *place = &places[step->place];
    const bool is_message = step->kind == GENIE_STEP_SEND || step->kind == GENIE_STEP_RECEIVE;
    const uint64_t begin_ns = genie_session_now_ns();
    GENIE_RETURN_IF_ERROR(genie_program_run_step(program, place, step, exchange));
    if (is_enqueued(step->kind)) {
      GENIE_RETURN_IF_ERROR(place->device->ops->stream_synchronize(place->device, step->stream));
    }
    genie_trace_add(program->trace, GENIE_TRACE_RECORD_STEP, step->instruction, program->call,
                    is_message ? (uint64_t)step->message.size_bytes : 0, begin_ns);
  }
  return GENIE_OK;
}

static genie_status_t walk(genie_program_t *program, genie_place_t *places, genie_exchange_t *exchange) {
  return program->launch_ns != NULL ? run_steps_profiled(program, places, exchange)
         : program->trace != NULL   ? run_steps_traced(program, places, exchange)
                                    : run_steps(program, places, exchange);
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
      // Metrics read it while calls run.
      uint64_t *total = &program->transfers[step->message.transfer].total_bytes;
      __atomic_store_n(total, *total + (uint64_t)step->message.size_bytes, __ATOMIC_RELAXED);
    }
  }
}

static genie_status_t enqueue(genie_program_t *program, genie_place_t *places, uint32_t place_count,
                              genie_exchange_t *exchange) {
  GENIE_RETURN_IF_ERROR(genie_program_graphs_choose(program, places));
  GENIE_RETURN_IF_ERROR(upload(program, places, place_count));
  GENIE_RETURN_IF_ERROR(walk(program, places, exchange));
  return download(program, places, place_count);
}

genie_status_t genie_program_run(genie_program_t *program, genie_place_t *places, uint32_t place_count,
                                 genie_exchange_t *exchange) {
  for (uint32_t i = 0; i < place_count; ++i) {
    places[i].copy_bytes = 0;
  }
  const uint64_t begin_ns = genie_session_now_ns();
  const genie_status_t walked = enqueue(program, places, place_count, exchange);
  program->enqueue_ns = genie_session_now_ns() - begin_ns;
  GENIE_RETURN_IF_ERROR(synchronize(places, place_count, walked));
  GENIE_RETURN_IF_ERROR(read_time(program, places, place_count));
  if (program->has_messages) {
    sum_transfers(program);
  }
  return GENIE_OK;
}
