// Order: every byte that is read was written before it in the same call, and no two streams touch a byte unordered.
//
// The list order of an entry is one order in which its queues (a stream of a place) may run: a queue runs its
// instructions in that order, a WAIT comes after the only SIGNAL of its event and a RECEIVE after the only SEND of its
// transfer, so nothing can deadlock. Happens-before is tracked with one clock a queue (Mattern's vector clocks); each
// memory is a sorted list of segments with their last writer and last readers. A memory belongs to one place, so its
// segments name streams of that place alone.
#include <string.h>

#include "runtime/plan/verifier.h"

typedef struct segment {
  uint64_t begin, end;
  uint32_t writer_time;
  uint32_t writer_stream;
  uint32_t read_time[GENIE_PLAN_MAX_STREAMS];
} segment_t;

typedef struct memory {
  segment_t *segments;  // ascending, disjoint
  uint32_t count;
  uint32_t capacity;
  uint32_t entry;  // the entry, counted from 1, whose accesses the segments are
} memory_t;

typedef enum transfer_state {
  TRANSFER_UNSENT,
  TRANSFER_SENT,
  TRANSFER_RECEIVED,
} transfer_state_t;

typedef struct schedule {
  const genie_plan_t *plan;
  memory_t *memories;  // one a place's slab, then one a tensor
  // Vector clocks: a time for each of `queue_count` queues, queue = place * stream_count + stream.
  uint32_t *queues;     // [queue_count]
  uint32_t *events;     // [event_count]
  uint32_t *transfers;  // [transfer_count]
  bool *has_signal;
  uint32_t *event_places;
  uint8_t *transfer_states;  // transfer_state_t
  uint32_t queue_count;      // of the current entry
  uint32_t stream_count;
  uint32_t entry;  // counted from 1
  uint32_t instruction;
  uint32_t place;
  uint32_t stream;
} schedule_t;

//===-- Segments --------------------------------------------------------------------------------------------------===//

static genie_status_t reserve_segments(const genie_plan_t *plan, memory_t *memory, uint32_t extra) {
  if (memory->count + extra <= memory->capacity) {
    return GENIE_OK;
  }
  const uint32_t capacity = 2 * (memory->count + extra) + 14;
  void *segments = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, capacity, sizeof(segment_t), &segments));
  if (memory->count > 0) {
    memcpy(segments, memory->segments, memory->count * sizeof(segment_t));
  }
  genie_allocator_free(plan->allocator, memory->segments);
  memory->segments = segments;
  memory->capacity = capacity;
  return GENIE_OK;
}

// Index of the first segment that ends after `position`.
static uint32_t find_segment(const memory_t *memory, uint64_t position) {
  uint32_t low = 0;
  uint32_t high = memory->count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (memory->segments[middle].end <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Makes `position` a border of segments; there is room for one more.
static void split_at(memory_t *memory, uint64_t position) {
  const uint32_t index = find_segment(memory, position);
  if (index == memory->count || memory->segments[index].begin >= position) {
    return;
  }
  memmove(&memory->segments[index + 1], &memory->segments[index], (memory->count - index) * sizeof(segment_t));
  memory->segments[index].end = position;
  memory->segments[index + 1].begin = position;
  ++memory->count;
}

// Replaces all segments within [begin, end), whose borders are split, by one; there is room for one more.
static void overwrite(memory_t *memory, const segment_t *segment) {
  const uint32_t first = find_segment(memory, segment->begin);
  uint32_t last = first;
  while (last < memory->count && memory->segments[last].begin < segment->end) {
    ++last;
  }
  memmove(&memory->segments[first + 1], &memory->segments[last], (memory->count - last) * sizeof(segment_t));
  memory->segments[first] = *segment;
  memory->count = memory->count - (last - first) + 1;
}

//===-- Accesses --------------------------------------------------------------------------------------------------===//

// The memory at `index`, empty when this entry did not touch it yet.
static memory_t *require_memory(const schedule_t *schedule, uint32_t index) {
  memory_t *memory = &schedule->memories[index];
  if (memory->entry != schedule->entry) {
    memory->entry = schedule->entry;
    memory->count = 0;
  }
  return memory;
}

static memory_t *memory_of(const schedule_t *schedule, const genie_plan_slice_t *slice) {
  const bool is_slab = slice->space == GENIE_PLAN_SPACE_SLAB;
  return require_memory(schedule, is_slab ? slice->index : schedule->plan->place_count + slice->index);
}

// Inputs, weights and states hold values before the entry starts.
static bool holds_value_at_start(const genie_plan_t *plan, const genie_plan_slice_t *slice) {
  return slice->space == GENIE_PLAN_SPACE_TENSOR && plan->tensors[slice->index].role != GENIE_PLAN_ROLE_OUTPUT;
}

static genie_status_t fail_race(const schedule_t *schedule, uint32_t slice, const char *what, uint32_t stream) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: slices[%u] races with a %s of stream %u",
                           schedule->instruction, slice, what, stream);
}

// The clock of the current queue.
static uint32_t *own_clock(const schedule_t *schedule) {
  return schedule->queues +
         (size_t)(schedule->place * schedule->stream_count + schedule->stream) * schedule->queue_count;
}

// What the current queue knows of `stream` of its place.
static uint32_t time_of(const schedule_t *schedule, uint32_t stream) {
  return own_clock(schedule)[schedule->place * schedule->stream_count + stream];
}

static bool is_ordered(const schedule_t *schedule, uint32_t stream, uint32_t time) {
  return time_of(schedule, stream) >= time;
}

static genie_status_t check_read(schedule_t *schedule, uint32_t index) {
  const genie_plan_slice_t *slice = &schedule->plan->slices[index];
  memory_t *memory = memory_of(schedule, slice);
  const uint64_t end = slice->offset + slice->maximum_bytes;
  GENIE_RETURN_IF_ERROR(reserve_segments(schedule->plan, memory, 4));
  if (holds_value_at_start(schedule->plan, slice) && memory->count == 0) {
    memory->segments[memory->count++] = (segment_t){.end = schedule->plan->tensors[slice->index].maximum_bytes};
  }
  split_at(memory, slice->offset);
  split_at(memory, end);
  uint64_t position = slice->offset;
  for (uint32_t i = find_segment(memory, position); position < end; ++i) {
    if (i == memory->count || memory->segments[i].begin > position) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "instructions[%u]: slices[%u] reads byte %llu before it is written",
                               schedule->instruction, index, (unsigned long long)position);
    }
    segment_t *segment = &memory->segments[i];
    if (!is_ordered(schedule, segment->writer_stream, segment->writer_time)) {
      return fail_race(schedule, index, "write", segment->writer_stream);
    }
    segment->read_time[schedule->stream] = time_of(schedule, schedule->stream);
    position = segment->end;
  }
  return GENIE_OK;
}

static genie_status_t check_write(schedule_t *schedule, uint32_t index) {
  const genie_plan_slice_t *slice = &schedule->plan->slices[index];
  memory_t *memory = memory_of(schedule, slice);
  const uint64_t end = slice->offset + slice->maximum_bytes;
  GENIE_RETURN_IF_ERROR(reserve_segments(schedule->plan, memory, 4));
  if (holds_value_at_start(schedule->plan, slice) && memory->count == 0) {
    memory->segments[memory->count++] = (segment_t){.end = schedule->plan->tensors[slice->index].maximum_bytes};
  }
  split_at(memory, slice->offset);
  split_at(memory, end);
  for (uint32_t i = find_segment(memory, slice->offset); i < memory->count && memory->segments[i].begin < end; ++i) {
    const segment_t *segment = &memory->segments[i];
    if (!is_ordered(schedule, segment->writer_stream, segment->writer_time)) {
      return fail_race(schedule, index, "write", segment->writer_stream);
    }
    for (uint32_t stream = 0; stream < schedule->stream_count; ++stream) {
      if (!is_ordered(schedule, stream, segment->read_time[stream])) {
        return fail_race(schedule, index, "read", stream);
      }
    }
  }
  const segment_t written = {.begin = slice->offset,
                             .end = end,
                             .writer_time = time_of(schedule, schedule->stream),
                             .writer_stream = schedule->stream};
  overwrite(memory, &written);
  return GENIE_OK;
}

// All reads of an instruction come before its writes.
static genie_status_t check_accesses(schedule_t *schedule, uint32_t count, const uint32_t *slices) {
  for (int pass = 0; pass < 2; ++pass) {
    const uint16_t access = pass == 0 ? GENIE_PLAN_ACCESS_READ : GENIE_PLAN_ACCESS_WRITE;
    for (uint32_t i = 0; i < count; ++i) {
      const genie_plan_slice_t *slice = &schedule->plan->slices[slices[i]];
      if ((slice->access & access) == 0 || slice->maximum_bytes == 0) {
        continue;
      }
      GENIE_RETURN_IF_ERROR(pass == 0 ? check_read(schedule, slices[i]) : check_write(schedule, slices[i]));
    }
  }
  return GENIE_OK;
}

//===-- Instructions ----------------------------------------------------------------------------------------------===//

static void store_clock(const schedule_t *schedule, uint32_t *out_clock) {
  memcpy(out_clock, own_clock(schedule), schedule->queue_count * sizeof(*out_clock));
}

// What `other` knows, the current queue knows now.
static void join_clock(const schedule_t *schedule, const uint32_t *other) {
  uint32_t *clock = own_clock(schedule);
  for (uint32_t i = 0; i < schedule->queue_count; ++i) {
    clock[i] = other[i] > clock[i] ? other[i] : clock[i];
  }
}

static genie_status_t signal_event(schedule_t *schedule, uint32_t event) {
  if (schedule->has_signal[event]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: event %u is signalled twice",
                             schedule->instruction, event);
  }
  schedule->has_signal[event] = true;
  schedule->event_places[event] = schedule->place;
  store_clock(schedule, schedule->events + (size_t)event * schedule->queue_count);
  return GENIE_OK;
}

static genie_status_t wait_for_event(schedule_t *schedule, uint32_t event) {
  if (!schedule->has_signal[event]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "instructions[%u]: waits for event %u before it is signalled", schedule->instruction,
                             event);
  }
  if (schedule->event_places[event] != schedule->place) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: event %u is signalled at place %u",
                             schedule->instruction, event, schedule->event_places[event]);
  }
  join_clock(schedule, schedule->events + (size_t)event * schedule->queue_count);
  return GENIE_OK;
}

static genie_status_t send(schedule_t *schedule, const genie_plan_instruction_t *instruction) {
  GENIE_RETURN_IF_ERROR(check_accesses(schedule, 1, &instruction->a));
  uint8_t *state = &schedule->transfer_states[instruction->b];
  if (*state != TRANSFER_UNSENT) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: transfer %u is sent twice",
                             schedule->instruction, instruction->b);
  }
  *state = TRANSFER_SENT;
  store_clock(schedule, schedule->transfers + (size_t)instruction->b * schedule->queue_count);
  return GENIE_OK;
}

static genie_status_t receive(schedule_t *schedule, const genie_plan_instruction_t *instruction) {
  uint8_t *state = &schedule->transfer_states[instruction->b];
  if (*state != TRANSFER_SENT) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: transfer %u is received %s",
                             schedule->instruction, instruction->b,
                             *state == TRANSFER_UNSENT ? "before it is sent" : "twice");
  }
  *state = TRANSFER_RECEIVED;
  join_clock(schedule, schedule->transfers + (size_t)instruction->b * schedule->queue_count);
  return check_accesses(schedule, 1, &instruction->a);
}

static genie_status_t check_instruction(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  const genie_plan_instruction_t *instruction = &plan->instructions[schedule->instruction];
  schedule->place = instruction->place;
  schedule->stream = instruction->stream;
  ++own_clock(schedule)[schedule->place * schedule->stream_count + schedule->stream];
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
    case GENIE_PLAN_OPCODE_LIBRARY_CALL:
      return check_accesses(schedule, plan->kernels[instruction->a].arg_count, plan->indices + instruction->b);
    case GENIE_PLAN_OPCODE_COPY:
      return check_accesses(schedule, 2, (const uint32_t[]){instruction->a, instruction->b});
    case GENIE_PLAN_OPCODE_SEND:
      return send(schedule, instruction);
    case GENIE_PLAN_OPCODE_RECEIVE:
      return receive(schedule, instruction);
    case GENIE_PLAN_OPCODE_SIGNAL:
      return signal_event(schedule, instruction->a);
    case GENIE_PLAN_OPCODE_WAIT:
      return wait_for_event(schedule, instruction->a);
  }
  return GENIE_OK;
}

static genie_status_t check_outputs(const schedule_t *schedule, const genie_plan_entry_t *entry) {
  const genie_plan_t *plan = schedule->plan;
  for (uint32_t i = 0; i < entry->output_count; ++i) {
    const uint32_t tensor = plan->indices[entry->first_output + i];
    const memory_t *memory = require_memory(schedule, plan->place_count + tensor);
    uint64_t position = 0;
    for (uint32_t s = 0; s < memory->count && memory->segments[s].begin == position; ++s) {
      position = memory->segments[s].end;
    }
    if (position != plan->tensors[tensor].maximum_bytes) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "tensors[%u]: output '%.64s' is not written from byte %llu on", tensor,
                               genie_plan_string(plan, plan->tensors[tensor].name), (unsigned long long)position);
    }
  }
  return GENIE_OK;
}

static genie_status_t check_entry(schedule_t *schedule, const genie_plan_entry_t *entry) {
  schedule->stream_count = entry->stream_count;
  schedule->queue_count = schedule->plan->place_count * entry->stream_count;
  memset(schedule->queues, 0, (size_t)schedule->queue_count * schedule->queue_count * sizeof(*schedule->queues));
  memset(schedule->has_signal, 0, entry->event_count * sizeof(*schedule->has_signal));
  ++schedule->entry;
  for (uint32_t i = 0; i < entry->instruction_count; ++i) {
    schedule->instruction = entry->first_instruction + i;
    GENIE_RETURN_IF_ERROR(check_instruction(schedule));
  }
  return check_outputs(schedule, entry);
}

static genie_status_t check_all_moved(const schedule_t *schedule) {
  for (uint32_t i = 0; i < schedule->plan->transfer_count; ++i) {
    if (schedule->transfer_states[i] != TRANSFER_RECEIVED) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "transfers[%u]: is not %s", i,
                               schedule->transfer_states[i] == TRANSFER_SENT ? "received" : "sent");
    }
  }
  return GENIE_OK;
}

static genie_status_t allocate(const genie_plan_t *plan, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, count + 1, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

static genie_status_t allocate_schedule(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  size_t event_count = 0;
  size_t queue_count = 0;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    const genie_plan_entry_t *entry = &plan->entries[i];
    const size_t queues = (size_t)plan->place_count * entry->stream_count;
    event_count = entry->event_count > event_count ? entry->event_count : event_count;
    queue_count = queues > queue_count ? queues : queue_count;
  }
  const size_t clock_bytes = queue_count * sizeof(uint32_t);
  const size_t memory_count = (size_t)plan->place_count + plan->tensor_count;
  GENIE_RETURN_IF_ERROR(allocate(plan, memory_count, sizeof(memory_t), &schedule->memories));
  GENIE_RETURN_IF_ERROR(allocate(plan, queue_count, clock_bytes, &schedule->queues));
  GENIE_RETURN_IF_ERROR(allocate(plan, event_count, clock_bytes, &schedule->events));
  GENIE_RETURN_IF_ERROR(allocate(plan, plan->transfer_count, clock_bytes, &schedule->transfers));
  GENIE_RETURN_IF_ERROR(allocate(plan, event_count, sizeof(uint32_t), &schedule->event_places));
  GENIE_RETURN_IF_ERROR(allocate(plan, plan->transfer_count, sizeof(uint8_t), &schedule->transfer_states));
  return allocate(plan, event_count, sizeof(bool), &schedule->has_signal);
}

static void release_schedule(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  const uint32_t memory_count = schedule->memories == NULL ? 0 : plan->place_count + plan->tensor_count;
  for (uint32_t i = 0; i < memory_count; ++i) {
    genie_allocator_free(plan->allocator, schedule->memories[i].segments);
  }
  genie_allocator_free(plan->allocator, schedule->memories);
  genie_allocator_free(plan->allocator, schedule->queues);
  genie_allocator_free(plan->allocator, schedule->events);
  genie_allocator_free(plan->allocator, schedule->transfers);
  genie_allocator_free(plan->allocator, schedule->event_places);
  genie_allocator_free(plan->allocator, schedule->transfer_states);
  genie_allocator_free(plan->allocator, schedule->has_signal);
}

genie_status_t genie_plan_verify_schedule(const genie_plan_t *plan) {
  schedule_t schedule = {.plan = plan};
  genie_status_t status = allocate_schedule(&schedule);
  for (uint32_t i = 0; status == GENIE_OK && i < plan->entry_count; ++i) {
    status = check_entry(&schedule, &plan->entries[i]);
  }
  if (status == GENIE_OK) {
    status = check_all_moved(&schedule);
  }
  release_schedule(&schedule);
  return status;
}
