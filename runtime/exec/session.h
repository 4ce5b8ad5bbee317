// Inside of genie_session_t: the places of a plan on this machine and the programs of its entries.
#ifndef GENIE_RUNTIME_EXEC_SESSION_H_
#define GENIE_RUNTIME_EXEC_SESSION_H_

#include "runtime/exec/program.h"
#include "runtime/exec/submission.h"
#include "runtime/exec/trace_events.h"
#include "runtime/exec/traffic.h"

// What a session on other nodes does in place of the functions of genie.h.
typedef struct genie_session_ops {
  void (*destroy)(genie_session_t *session);
  genie_submission_run_fn_t run;
  genie_status_t (*infer_outputs)(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                  uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count);
  genie_status_t (*reset_state)(genie_session_t *session);
  genie_status_t (*read_state)(genie_session_t *session, const char *name, void *out_data, uint64_t size_bytes);
  genie_status_t (*write_state)(genie_session_t *session, const char *name, const void *data, uint64_t size_bytes);
  void (*get_stats)(const genie_session_t *session, genie_session_stats_t *out_stats);
  genie_status_t (*reconnect)(genie_session_t *session);
  // Fills planned, last and total bytes of an edge; NULL when nobody counts them.
  genie_status_t (*count_traffic)(const genie_session_t *session, uint32_t entry, const genie_traffic_edge_t *edge,
                                  genie_session_traffic_t *traffic);
  genie_status_t (*submit)(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs, uint32_t input_count,
                           genie_tensor_t *outputs, uint32_t output_count, const genie_submit_options_t *options,
                           genie_submission_t **out_submission);
  genie_status_t (*list_links)(genie_session_t *session, const genie_session_link_t **out_links,
                               uint32_t *out_link_count);
  // What the nodes recorded, in arrays of the session's trace_arena; adds to trace_dropped_count. `batches` has room
  // for all but the first of GENIE_TRACE_MAX_BATCHES, and `batch_count` counts the first too.
  genie_status_t (*take_traces)(genie_session_t *session, genie_trace_batch_t *batches, uint32_t *batch_count);
} genie_session_ops_t;

enum { GENIE_TRACE_MAX_BATCHES = 65 };  // this process and 64 nodes

struct genie_session {
  const genie_session_ops_t *ops;   // NULL: all places are in this process
  genie_submission_queue_t *queue;  // of submitted calls, NULL until the first
  const genie_model_t *model;
  genie_allocator_t allocator;
  genie_arena_t arena;                // the tables of all programs
  genie_place_t *places;              // one a place of the plan
  uint32_t place_count;               // that are initialised
  genie_program_t *programs;          // one an entry
  uint32_t program_count;             // that are initialised
  genie_transfer_count_t *transfers;  // [transfer_count]
  genie_exchange_t *exchange;         // between the places, all of which are here; NULL when nothing is sent
  uint64_t *staged_outputs;           // scratch of a run: a bit an output that is copied to the caller afterwards
  uint64_t load_ns;
  uint64_t run_count;
  uint64_t last_run_ns;
  uint64_t last_launch_count;
  uint64_t last_enqueue_ns;
  uint64_t last_copy_bytes;
  genie_trace_t *trace;       // NULL: nothing is recorded
  genie_arena_t trace_arena;  // of the events read last
  uint64_t trace_dropped_count;
};

// Makes a session on other nodes, `options->remote` being set; remote_exec/client has it.
genie_status_t genie_session_create_remote(const genie_model_t *model, const genie_session_options_t *options,
                                           genie_session_t **out_session) GENIE_MUST_USE;

// Submits to the session's queue, which is made when there is none; for sessions that run calls by `run`.
genie_status_t genie_session_enqueue(genie_session_t *session, genie_submission_run_fn_t run, uint32_t entry,
                                     const genie_tensor_t *inputs, uint32_t input_count, genie_tensor_t *outputs,
                                     uint32_t output_count, const genie_submit_options_t *options,
                                     genie_submission_t **out_submission) GENIE_MUST_USE;

// Before the session's own thread uses what a submitted call may be using.
static inline void genie_session_settle(genie_session_t *session) {
  if (session->queue != NULL) {
    genie_submission_queue_drain(session->queue);
  }
}

// A clock for durations.
uint64_t genie_session_now_ns(void);

#endif  // GENIE_RUNTIME_EXEC_SESSION_H_
