#include "runtime/exec/trace.h"

#include <pthread.h>
#include <string.h>

#include "runtime/exec/session.h"

struct genie_trace {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;  // of all below
  uint64_t dropped_count;
  uint32_t first, count;  // of a ring
  genie_trace_record_t records[GENIE_TRACE_CAPACITY];
};

genie_status_t genie_trace_create(genie_allocator_t allocator, genie_trace_t **out_trace) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_trace_t), &memory));
  genie_trace_t *trace = memory;
  trace->allocator = allocator;
  pthread_mutex_init(&trace->mutex, NULL);
  *out_trace = trace;
  return GENIE_OK;
}

void genie_trace_destroy(genie_trace_t *trace) {
  if (trace != NULL) {
    pthread_mutex_destroy(&trace->mutex);
    genie_allocator_free(trace->allocator, trace);
  }
}

uint64_t genie_trace_measure(void) {
  return sizeof(genie_trace_t);
}

uint64_t genie_trace_now_ns(const genie_trace_t *trace) {
  return trace == NULL ? 0 : genie_session_now_ns();
}

void genie_trace_add(genie_trace_t *trace, genie_trace_record_kind_t kind, uint32_t index, uint64_t call,
                     uint64_t bytes, uint64_t begin_ns) {
  if (trace == NULL) {
    return;
  }
  const genie_trace_record_t record = {.kind = kind,
                                       .index = index,
                                       .call = call,
                                       .bytes = bytes,
                                       .begin_ns = begin_ns,
                                       .end_ns = genie_session_now_ns()};
  pthread_mutex_lock(&trace->mutex);
  if (trace->count < GENIE_TRACE_CAPACITY) {
    trace->records[(trace->first + trace->count++) % GENIE_TRACE_CAPACITY] = record;
  } else {
    ++trace->dropped_count;
  }
  pthread_mutex_unlock(&trace->mutex);
}

uint32_t genie_trace_take(genie_trace_t *trace, genie_trace_record_t *records, uint32_t capacity,
                          uint64_t *out_dropped_count) {
  pthread_mutex_lock(&trace->mutex);
  const uint32_t count = trace->count < capacity ? trace->count : capacity;
  for (uint32_t i = 0; i < count; ++i) {
    records[i] = trace->records[(trace->first + i) % GENIE_TRACE_CAPACITY];
  }
  trace->first = (trace->first + count) % GENIE_TRACE_CAPACITY;
  trace->count -= count;
  *out_dropped_count = trace->dropped_count;
  trace->dropped_count = 0;
  pthread_mutex_unlock(&trace->mutex);
  return count;
}
