// What a session does and when, recorded where it happens: what places execute, what travels between nodes, and what
// goes to and comes from the caller. genie_session_trace() makes events of the records of all nodes.
//
// A recorder is thread-safe. It holds at most its capacity: later records are counted and dropped until some are taken.
#ifndef GENIE_RUNTIME_EXEC_TRACE_H_
#define GENIE_RUNTIME_EXEC_TRACE_H_

#include "genie/genie.h"
#include "runtime/base/allocator.h"

enum { GENIE_TRACE_CAPACITY = 1 << 15 };

typedef enum genie_trace_record_kind {
  GENIE_TRACE_RECORD_STEP = 1,      // `index`: an instruction of the plan
  GENIE_TRACE_RECORD_SENT = 2,      // `index`: a transfer, whose bytes were given to the network
  GENIE_TRACE_RECORD_ARRIVED = 3,   // `index`: a transfer, from its message's header to its last byte
  GENIE_TRACE_RECORD_CALLED = 4,    // `index`: a place; the caller sent the inputs for its node
  GENIE_TRACE_RECORD_TAKEN = 5,     // `index`: a place; its node received them
  GENIE_TRACE_RECORD_ANSWERED = 6,  // `index`: a place; its node sent the outputs
  GENIE_TRACE_RECORD_RESULT = 7,    // `index`: a place; the caller received them
} genie_trace_record_kind_t;

// As it travels in a TRACE message (docs/wire-protocol.md): fixed, little-endian, no padding.
typedef struct genie_trace_record {
  uint32_t kind;
  uint32_t index;
  uint64_t call;
  uint64_t bytes;  // payload that moved; 0 of other instructions
  uint64_t begin_ns, end_ns;
} genie_trace_record_t;

typedef struct genie_trace genie_trace_t;

// Records of one process, in the caller's clock.
typedef struct genie_trace_batch {
  genie_trace_record_t *records;
  uint32_t count;
  uint64_t error_ns;  // how far times may be off
} genie_trace_batch_t;

genie_status_t genie_trace_create(genie_allocator_t allocator, genie_trace_t **out_trace) GENIE_MUST_USE;
// Accepts NULL. Nobody records any more.
void genie_trace_destroy(genie_trace_t *trace);

// Bytes that a recorder takes.
uint64_t genie_trace_measure(void);

// Records something that began at `begin_ns` and has just ended; NULL records nothing.
void genie_trace_add(genie_trace_t *trace, genie_trace_record_kind_t kind, uint32_t index, uint64_t call,
                     uint64_t bytes, uint64_t begin_ns);

// The clock of records; 0 when `trace` is NULL.
uint64_t genie_trace_now_ns(const genie_trace_t *trace);

// Moves the oldest records to `records`, and the number of those dropped since the last time.
uint32_t genie_trace_take(genie_trace_t *trace, genie_trace_record_t *records, uint32_t capacity,
                          uint64_t *out_dropped_count);

#endif  // GENIE_RUNTIME_EXEC_TRACE_H_
