// Order: every byte that is read was written before it in the same call, and no two streams touch a byte unordered.
//
// The list order of an entry is one order in which its streams may run: a stream runs its instructions in that order,
// and a WAIT comes after the only SIGNAL of its event, so nothing can deadlock. Happens-before is tracked with one
// clock a stream (Mattern's vector clocks); each memory is a sorted list of segments with their last writer and last
// readers.
#include <string.h>

#include "runtime/plan/verifier.h"

typedef struct vector_clock {
  uint32_t time[GENIE_PLAN_MAX_STREAMS];
} vector_clock_t;

typedef struct segment {
  uint64_t begin, end;
  uint32_t writer_time;
  uint32_t writer_stream;
  vector_clock_t read;
} segment_t;

typedef struct memory {
  segment_t *segments;  // ascending, disjoint
  uint32_t count;
  uint32_t capacity;
  uint32_t entry;  // the entry, counted from 1, whose accesses the segments are
} memory_t;

typedef struct schedule {
  const genie_plan_t *plan;
  memory_t *memories;  // one a place's slab, then one a tensor
  vector_clock_t streams[GENIE_PLAN_MAX_STREAMS];
  vector_clock_t *events;
  bool *has_signal;
  uint32_t entry;  // counted from 1
  uint32_t instruction;
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

static bool is_ordered(const schedule_t *schedule, uint32_t stream, uint32_t time) {
  return schedule->streams[schedule->stream].time[stream] >= time;
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
    segment->read.time[schedule->stream] = schedule->streams[schedule->stream].time[schedule->stream];
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
    for (uint32_t stream = 0; stream < GENIE_PLAN_MAX_STREAMS; ++stream) {
      if (!is_ordered(schedule, stream, segment->read.time[stream])) {
        return fail_race(schedule, index, "read", stream);
      }
    }
  }
  const segment_t written = {.begin = slice->offset,
                             .end = end,
                             .writer_time = schedule->streams[schedule->stream].time[schedule->stream],
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

static genie_status_t signal_event(schedule_t *schedule, uint32_t event) {
  if (schedule->has_signal[event]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "instructions[%u]: event %u is signalled twice",
                             schedule->instruction, event);
  }
  schedule->has_signal[event] = true;
  schedule->events[event] = schedule->streams[schedule->stream];
  return GENIE_OK;
}

static genie_status_t wait_for_event(schedule_t *schedule, uint32_t event) {
  if (!schedule->has_signal[event]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "instructions[%u]: waits for event %u before it is signalled", schedule->instruction,
                             event);
  }
  vector_clock_t *clock = &schedule->streams[schedule->stream];
  for (uint32_t i = 0; i < GENIE_PLAN_MAX_STREAMS; ++i) {
    const uint32_t time = schedule->events[event].time[i];
    clock->time[i] = time > clock->time[i] ? time : clock->time[i];
  }
  return GENIE_OK;
}

static genie_status_t check_instruction(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  const genie_plan_instruction_t *instruction = &plan->instructions[schedule->instruction];
  schedule->stream = instruction->stream;
  ++schedule->streams[schedule->stream].time[schedule->stream];
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
      return check_accesses(schedule, plan->kernels[instruction->a].arg_count, plan->indices + instruction->b);
    case GENIE_PLAN_OPCODE_COPY:
      return check_accesses(schedule, 2, (const uint32_t[]){instruction->a, instruction->b});
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
  memset(schedule->streams, 0, sizeof(schedule->streams));
  memset(schedule->has_signal, 0, entry->event_count * sizeof(*schedule->has_signal));
  ++schedule->entry;
  for (uint32_t i = 0; i < entry->instruction_count; ++i) {
    schedule->instruction = entry->first_instruction + i;
    GENIE_RETURN_IF_ERROR(check_instruction(schedule));
  }
  return check_outputs(schedule, entry);
}

static genie_status_t allocate_schedule(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  uint32_t event_count = 1;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    event_count = plan->entries[i].event_count > event_count ? plan->entries[i].event_count : event_count;
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, (size_t)plan->place_count + plan->tensor_count,
                                                       sizeof(memory_t), &memory));
  schedule->memories = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, event_count, sizeof(vector_clock_t), &memory));
  schedule->events = memory;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, event_count, sizeof(bool), &memory));
  schedule->has_signal = memory;
  return GENIE_OK;
}

static void release_schedule(schedule_t *schedule) {
  const genie_plan_t *plan = schedule->plan;
  const uint32_t memory_count = schedule->memories == NULL ? 0 : plan->place_count + plan->tensor_count;
  for (uint32_t i = 0; i < memory_count; ++i) {
    genie_allocator_free(plan->allocator, schedule->memories[i].segments);
  }
  genie_allocator_free(plan->allocator, schedule->memories);
  genie_allocator_free(plan->allocator, schedule->events);
  genie_allocator_free(plan->allocator, schedule->has_signal);
}

genie_status_t genie_plan_verify_schedule(const genie_plan_t *plan) {
  schedule_t schedule = {.plan = plan};
  genie_status_t status = allocate_schedule(&schedule);
  for (uint32_t i = 0; status == GENIE_OK && i < plan->entry_count; ++i) {
    status = check_entry(&schedule, &plan->entries[i]);
  }
  release_schedule(&schedule);
  return status;
}
