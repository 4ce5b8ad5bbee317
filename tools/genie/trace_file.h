// What happened in a session, as a file for chrome://tracing and Perfetto.
#ifndef GENIE_TOOLS_GENIE_TRACE_FILE_H_
#define GENIE_TOOLS_GENIE_TRACE_FILE_H_

#include "genie/genie.h"
#include "runtime/base/allocator.h"

// Reads the trace of a session that was made with has_trace and writes it to `path` as JSON in Chrome's trace format: a
// process a place and a process a direction of a link, times in us from the first event on. "otherData" has
// clock_error_us, how far the clocks of two nodes may be apart, and dropped_events. UNAVAILABLE: the file cannot be
// written.
genie_status_t genie_trace_file_write(genie_session_t *session, const char *path,
                                      genie_allocator_t allocator) GENIE_MUST_USE;

#endif  // GENIE_TOOLS_GENIE_TRACE_FILE_H_
