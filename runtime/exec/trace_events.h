// Records of a session's processes as events in the words of the plan.
#ifndef GENIE_RUNTIME_EXEC_TRACE_EVENTS_H_
#define GENIE_RUNTIME_EXEC_TRACE_EVENTS_H_

#include "runtime/base/arena.h"
#include "runtime/exec/trace.h"
#include "runtime/plan/reader.h"

// What was sent and what arrived of one transfer, or of one call of a place, become one event, from the first byte's
// sending to the last one's arrival. Events are by begin. Records that the plan does not have are INVALID_ARGUMENT:
// they come from other nodes.
genie_status_t genie_trace_make_events(const genie_plan_t *plan, const genie_trace_batch_t *batches,
                                       uint32_t batch_count, genie_arena_t *arena,
                                       genie_session_trace_event_t **out_events,
                                       uint32_t *out_event_count) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_TRACE_EVENTS_H_
