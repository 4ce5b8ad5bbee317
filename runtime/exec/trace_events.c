#include "runtime/exec/trace_events.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/exec/session.h"

// A record and how far off its times may be.
typedef struct noted {
  genie_trace_record_t record;
  uint64_t error_ns;
} noted_t;

static bool is_known(const genie_plan_t *plan, const genie_trace_record_t *record) {
  switch ((genie_trace_record_kind_t)record->kind) {
    case GENIE_TRACE_RECORD_STEP:
      return record->index < plan->instruction_count;
    case GENIE_TRACE_RECORD_SENT:
    case GENIE_TRACE_RECORD_ARRIVED:
      return record->index < plan->transfer_count;
    case GENIE_TRACE_RECORD_CALLED:
    case GENIE_TRACE_RECORD_TAKEN:
    case GENIE_TRACE_RECORD_ANSWERED:
    case GENIE_TRACE_RECORD_RESULT:
      return record->index < plan->place_count;
  }
  return false;
}

// ---- Descriptions ----

static const char *place_name(const genie_plan_t *plan, uint32_t place) {
  return genie_plan_string(plan, plan->places[place].name);
}

static const char *transfer_name(const genie_plan_t *plan, uint32_t transfer) {
  return genie_plan_string(plan, plan->transfers[transfer].name);
}

static void describe_step(const genie_plan_t *plan, uint32_t index, genie_session_trace_event_t *event) {
  const genie_plan_instruction_t *instruction = &plan->instructions[index];
  event->kind = GENIE_TRACE_INSTRUCTION;
  event->source = place_name(plan, instruction->place);
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
    case GENIE_PLAN_OPCODE_LIBRARY_CALL:
      event->name = genie_plan_string(plan, plan->kernels[instruction->a].name);
      event->module = genie_plan_string(plan, instruction->f);
      event->what = instruction->opcode == GENIE_PLAN_OPCODE_LAUNCH ? "launch" : "library_call";
      return;
    case GENIE_PLAN_OPCODE_SEND:
    case GENIE_PLAN_OPCODE_RECEIVE:
      event->name = transfer_name(plan, instruction->b);
      event->what = instruction->opcode == GENIE_PLAN_OPCODE_SEND ? "send" : "receive";
      return;
    case GENIE_PLAN_OPCODE_COPY:
      event->name = event->what = "copy";
      return;
  }
  event->name = event->what = instruction->opcode == GENIE_PLAN_OPCODE_SIGNAL ? "signal" : "wait";
}

static void describe(const genie_plan_t *plan, const genie_trace_record_t *record, genie_session_trace_event_t *event) {
  event->module = event->source = event->destination = "";
  switch ((genie_trace_record_kind_t)record->kind) {
    case GENIE_TRACE_RECORD_STEP:
      describe_step(plan, record->index, event);
      return;
    case GENIE_TRACE_RECORD_SENT:
    case GENIE_TRACE_RECORD_ARRIVED:
      event->kind = GENIE_TRACE_TRANSFER;
      event->what = "transfer";
      event->name = transfer_name(plan, record->index);
      event->source = place_name(plan, plan->transfers[record->index].source_place);
      event->destination = place_name(plan, plan->transfers[record->index].destination_place);
      return;
    case GENIE_TRACE_RECORD_CALLED:
    case GENIE_TRACE_RECORD_TAKEN:
      event->kind = GENIE_TRACE_CALL;
      event->name = event->what = "inputs";
      event->destination = place_name(plan, record->index);
      return;
    case GENIE_TRACE_RECORD_ANSWERED:
    case GENIE_TRACE_RECORD_RESULT:
      event->kind = GENIE_TRACE_RESULT;
      event->name = event->what = "outputs";
      event->source = place_name(plan, record->index);
      return;
  }
}

// ---- Joining ----

// Records of the same journey get the same number; those of instructions stand alone.
static uint32_t journey_of(uint32_t kind) {
  return kind == GENIE_TRACE_RECORD_STEP ? 0 : kind / 2;
}

// What was sent before what arrived of one journey, journeys together.
static int compare_noted(const void *left, const void *right) {
  const genie_trace_record_t *a = &((const noted_t *)left)->record;
  const genie_trace_record_t *b = &((const noted_t *)right)->record;
  const uint64_t keys[][2] = {{journey_of(a->kind), journey_of(b->kind)},
                              {a->call, b->call},
                              {a->index, b->index},
                              {a->kind, b->kind},
                              {a->begin_ns, b->begin_ns}};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); ++i) {
    if (keys[i][0] != keys[i][1]) {
      return keys[i][0] < keys[i][1] ? -1 : 1;
    }
  }
  return 0;
}

static bool is_same_journey(const genie_trace_record_t *sent, const genie_trace_record_t *arrived) {
  return journey_of(sent->kind) != 0 && sent->kind + 1 == arrived->kind && sent->index == arrived->index &&
         sent->call == arrived->call;
}

static int compare_events(const void *left, const void *right) {
  const uint64_t a = ((const genie_session_trace_event_t *)left)->begin_ns;
  const uint64_t b = ((const genie_session_trace_event_t *)right)->begin_ns;
  return (a > b) - (a < b);
}

static genie_session_trace_event_t make_event(const genie_plan_t *plan, const noted_t *noted) {
  genie_session_trace_event_t event = {.call = noted->record.call,
                                       .bytes = noted->record.bytes,
                                       .begin_ns = noted->record.begin_ns,
                                       .end_ns = noted->record.end_ns,
                                       .error_ns = noted->error_ns};
  describe(plan, &noted->record, &event);
  return event;
}

// Where clocks differ by more than the journey took, it ends no earlier than it begins.
static void join(genie_session_trace_event_t *event, const noted_t *arrived) {
  event->end_ns = arrived->record.end_ns > event->begin_ns ? arrived->record.end_ns : event->begin_ns;
  event->error_ns = arrived->error_ns > event->error_ns ? arrived->error_ns : event->error_ns;
}

static genie_status_t gather(const genie_plan_t *plan, const genie_trace_batch_t *batches, uint32_t batch_count,
                             noted_t *noted) {
  for (uint32_t i = 0; i < batch_count; ++i) {
    for (uint32_t k = 0; k < batches[i].count; ++k) {
      const genie_trace_record_t *record = &batches[i].records[k];
      if (!is_known(plan, record)) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a trace has record %u of %u, which the plan has not",
                                 record->kind, record->index);
      }
      *noted++ = (noted_t){.record = *record, .error_ns = batches[i].error_ns};
    }
  }
  return GENIE_OK;
}

genie_status_t genie_trace_make_events(const genie_plan_t *plan, const genie_trace_batch_t *batches,
                                       uint32_t batch_count, genie_arena_t *arena,
                                       genie_session_trace_event_t **out_events, uint32_t *out_event_count) {
  size_t count = 0;
  for (uint32_t i = 0; i < batch_count; ++i) {
    count += batches[i].count;
  }
  void *noted_memory = NULL;
  void *event_memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count + 1, sizeof(noted_t), &noted_memory));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count + 1, sizeof(genie_session_trace_event_t), &event_memory));
  noted_t *noted = noted_memory;
  genie_session_trace_event_t *events = event_memory;
  GENIE_RETURN_IF_ERROR(gather(plan, batches, batch_count, noted));
  qsort(noted, count, sizeof(*noted), compare_noted);
  uint32_t event_count = 0;
  for (size_t i = 0; i < count; ++i) {
    events[event_count] = make_event(plan, &noted[i]);
    if (i + 1 < count && is_same_journey(&noted[i].record, &noted[i + 1].record)) {
      join(&events[event_count], &noted[++i]);
    }
    ++event_count;
  }
  qsort(events, event_count, sizeof(*events), compare_events);
  *out_events = events;
  *out_event_count = event_count;
  return GENIE_OK;
}

// ---- Sessions ----

static genie_status_t take_here(genie_session_t *session, genie_trace_batch_t *out_batch) {
  void *records = NULL;
  uint64_t dropped_count = 0;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&session->trace_arena, GENIE_TRACE_CAPACITY, sizeof(genie_trace_record_t), &records));
  const uint32_t count = genie_trace_take(session->trace, records, GENIE_TRACE_CAPACITY, &dropped_count);
  session->trace_dropped_count += dropped_count;
  *out_batch = (genie_trace_batch_t){.records = records, .count = count};
  return GENIE_OK;
}

genie_status_t genie_session_trace(genie_session_t *session, const genie_session_trace_event_t **out_events,
                                   uint32_t *out_event_count, uint64_t *out_dropped_count) {
  if (session->trace == NULL) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session was made without has_trace");
  }
  genie_session_settle(session);
  genie_arena_deinit(&session->trace_arena);
  genie_arena_init(session->allocator, 0, &session->trace_arena);
  genie_trace_batch_t batches[GENIE_TRACE_MAX_BATCHES];
  genie_session_trace_event_t *events = NULL;
  uint32_t batch_count = 1;
  session->trace_dropped_count = 0;
  if (session->ops != NULL) {
    GENIE_RETURN_IF_ERROR(session->ops->take_traces(session, &batches[1], &batch_count));
  }
  GENIE_RETURN_IF_ERROR(take_here(session, &batches[0]));
  GENIE_RETURN_IF_ERROR(genie_trace_make_events(session->model->plan, batches, batch_count, &session->trace_arena,
                                                &events, out_event_count));
  *out_events = events;
  *out_dropped_count = session->trace_dropped_count;
  return GENIE_OK;
}
