// Inside of a session whose places are on other nodes.
//
// The thread that uses the session sends calls and, while no submission was ever made, receives their results itself:
// one message each way and no hop between threads. The first submission starts a receiving thread for each node, which
// then takes all results.
#ifndef GENIE_REMOTE_EXEC_CLIENT_REMOTE_SESSION_H_
#define GENIE_REMOTE_EXEC_CLIENT_REMOTE_SESSION_H_

#include <pthread.h>

#include "remote_exec/client/client_keys.h"
#include "remote_exec/client/node_link.h"
#include "remote_exec/client/placement.h"
#include "remote_exec/node/share.h"
#include "remote_exec/transport/ucx.h"
#include "runtime/exec/session.h"

// Of two nodes one is ahead of the other by unanswered calls at most, and half of what a mailbox holds.
enum { GENIE_REMOTE_CALLS_IN_FLIGHT = 16, GENIE_REMOTE_CALLS_UNANSWERED = 32, GENIE_REMOTE_FAILURE_BYTES = 512 };

typedef struct genie_remote_session genie_remote_session_t;

// A node of the session.
typedef struct genie_remote_node {
  genie_remote_session_t *session;
  uint32_t pool_node;
  genie_node_link_t *link;
  genie_channel_t *calls;  // NULL until it is connected
  uint64_t session_id;     // on the node
  uint8_t token[GENIE_WIRE_TOKEN_BYTES];
  uint64_t memory_bytes;  // that the session takes there
  uint32_t *places;
  uint32_t place_count;
  uint8_t *header;            // GENIE_WIRE_MAX_HEADER_BYTES, of its results; of one thread at a time
  uint32_t unanswered_count;  // calls sent whose result has not come, those given up included; the session's mutex
  pthread_t receiver;
  bool has_receiver;
} genie_remote_node_t;

// A call that was sent and whose results have not all arrived. In its sender's memory.
typedef struct genie_remote_call {
  struct genie_remote_call *next;
  uint64_t id;
  uint32_t entry;
  genie_deadline_ns_t deadline;
  genie_tensor_t *outputs;  // [output_count], data and shape set
  uint64_t pending;         // a bit a node whose result is missing
  uint32_t filling_count;   // threads that write to the outputs
  bool is_given_up;         // cancelled or late: results that still come are dropped
  genie_status_t status;
  bool is_cancelled;  // by its owner; the session's mutex
  // Sends the call anew, on the thread that repeats calls; NULL: it is not repeated.
  genie_status_t (*repeat)(genie_remote_session_t *session, struct genie_remote_call *call);
  uint32_t repeat_count;
  // Told when it has ended, by the thread that ended it; the call is its owner's from then on. NULL: nobody.
  void (*done)(struct genie_remote_call *call);
} genie_remote_call_t;

enum { GENIE_REMOTE_MAX_NODES = 64 };

// What the caller and the session gave each other in an input or output.
typedef struct genie_remote_count {
  uint64_t last_bytes, total_bytes;
} genie_remote_count_t;

// What must be kept of the options to open the session again.
typedef struct genie_remote_setup {
  genie_pool_t *pool;
  genie_client_keys_t keys;
  char *weights_path;             // where nodes may see the plan, or NULL
  genie_ucx_fabric_t *fabric;     // NULL: no link of this process is UCX's
  genie_placement_t *placements;  // [place_count]
  bool *is_excluded;              // [pool->node_count] nodes that could not be opened
  uint32_t thread_count;          // of places in this process
  uint64_t call_timeout_ns;
  bool may_retry;
  genie_upload_progress_fn_t progress;
  void *progress_context;
} genie_remote_setup_t;

// Memory of a session-owned output.
typedef struct genie_remote_buffer {
  void *data;
  uint64_t bytes;
} genie_remote_buffer_t;

struct genie_remote_session {
  genie_session_t base;       // first: what the public functions know
  pthread_mutex_t use_mutex;  // of connections and scratch: who uses the session, and the thread that repeats calls
  pthread_t repeater;
  bool has_repeater;
  genie_remote_setup_t setup;
  genie_remote_node_t *nodes;
  uint32_t node_count;
  genie_share_t *share;              // of the places in this process, or NULL
  int64_t *values;                   // [expr_count] scratch: expressions of the call that is prepared
  uint32_t *tensor_node;             // [tensor_count] the node of each tensor; UINT32_MAX: this process
  genie_remote_buffer_t *buffers;    // [most outputs of an entry] session-owned outputs
  genie_remote_buffer_t *retired;    // likewise: those of the run before, which may be inputs now
  const genie_tensor_t *run_inputs;  // of the run that is prepared
  uint32_t run_input_count;
  uint32_t buffer_count;
  uint8_t *header;  // GENIE_WIRE_MAX_HEADER_BYTES, of calls
  genie_wire_slot_t *slots;
  uint32_t *wanted;
  struct iovec *pieces;
  uint64_t last_call_id;
  genie_arena_t link_arena;  // of the links listed last

  pthread_mutex_t mutex;  // of all below
  pthread_cond_t changed;
  genie_remote_count_t *counts;  // [tensor_count] of inputs and outputs
  int64_t *last_symbols;         // [symbol_count] of the plan's, in the last run of each entry that was done
  bool *has_run;                 // [entry_count]
  genie_remote_call_t *calls;    // in flight, oldest first
  uint32_t call_count;
  genie_remote_call_t *ended;    // whose `done` is due
  genie_remote_call_t *repeats;  // to be sent anew, by id
  bool is_repeater_ending;
  bool is_ending;
  genie_status_code_t failure;  // OK, or why every call fails
  char failure_message[GENIE_REMOTE_FAILURE_BYTES];
};

// ---- Opening: session_opening.c ----

// Connects to the nodes of setup.placements, opens the session on each, sends the weights that they lack, connects them
// to each other and opens call connections. On failure some may be connected; `*out_failed_node` is the pool node that
// failed, or UINT32_MAX.
genie_status_t genie_remote_session_connect(genie_remote_session_t *session, uint32_t *out_failed_node) GENIE_MUST_USE;

// Ends all connections and threads; calls in flight end with the failure, or CANCELLED.
void genie_remote_session_disconnect(genie_remote_session_t *session);

// ---- Calls: remote_call.c ----

// Checks the call, sets dtype and shape of the outputs and gives those without data memory from `take_memory`, then
// sends it to every node. `call->outputs` are `outputs`. After an error nothing is in flight.
typedef genie_status_t (*genie_remote_memory_fn_t)(void *context, uint32_t output, uint64_t bytes, void **out_data);
genie_status_t genie_remote_call_prepare(genie_remote_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                         uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                         genie_remote_memory_fn_t take_memory, void *context,
                                         int64_t *out_symbols) GENIE_MUST_USE;
genie_status_t genie_remote_call_send(genie_remote_session_t *session, genie_remote_call_t *call,
                                      const genie_tensor_t *inputs, const int64_t *symbols) GENIE_MUST_USE;

// Receives one result from a node, for whichever call in flight it is.
genie_status_t genie_remote_receive_result(genie_remote_node_t *node, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Waits for all results, on this thread where no receiver is running, and takes the call's status.
genie_status_t genie_remote_call_finish(genie_remote_session_t *session, genie_remote_call_t *call) GENIE_MUST_USE;

// Fails the session: calls in flight and all later ones. The first failure stays. Any thread.
void genie_remote_session_fail(genie_remote_session_t *session, genie_status_code_t code, const char *message);

// The failure, or OK.
genie_status_t genie_remote_session_check(genie_remote_session_t *session) GENIE_MUST_USE;

// Ends a call that is in flight with this status, unless it has ended: results that come later are dropped, and the
// nodes are told. Takes the status. Any thread.
void genie_remote_call_give_up(genie_remote_session_t *session, genie_remote_call_t *call, genie_status_t status);

// ---- Repeating: remote_repeat.c ----

// Whether a call that ended so may be repeated elsewhere.
bool genie_remote_may_repeat(const genie_remote_session_t *session, genie_status_t status);

// Starts the thread that repeats calls, where the session's options and plan allow that.
genie_status_t genie_remote_repeat_start(genie_remote_session_t *session) GENIE_MUST_USE;
// No call is in flight or to be repeated.
void genie_remote_repeat_end(genie_remote_session_t *session);

// Takes a call that ended, to send it anew: true, and it is in flight again. Any thread.
bool genie_remote_repeat_add(genie_remote_session_t *session, genie_remote_call_t *call);

// As genie_session_reconnect(), with `use_mutex`.
genie_status_t genie_remote_session_reconnect(genie_session_t *session) GENIE_MUST_USE;

// ---- Traffic: remote_traffic.c ----

// Notes what a run that is done took and gave; any thread.
void genie_remote_traffic_add(genie_remote_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                              const genie_tensor_t *outputs, const int64_t *symbols);

// Counts of an edge; those of a transfer are asked for at the node where it arrives.
genie_status_t genie_remote_traffic_count(const genie_session_t *session, uint32_t entry,
                                          const genie_traffic_edge_t *edge,
                                          genie_session_traffic_t *traffic) GENIE_MUST_USE;

// ---- Traces: remote_trace.c ----

genie_status_t genie_remote_session_take_traces(genie_session_t *session, genie_trace_batch_t *batches,
                                                uint32_t *batch_count) GENIE_MUST_USE;

// ---- Links: remote_links.c ----

genie_status_t genie_remote_session_list_links(genie_session_t *session, const genie_session_link_t **out_links,
                                               uint32_t *out_link_count) GENIE_MUST_USE;

// ---- States: remote_state.c ----

genie_status_t genie_remote_session_reset_state(genie_session_t *session) GENIE_MUST_USE;
genie_status_t genie_remote_session_read_state(genie_session_t *session, const char *name, void *out_data,
                                               uint64_t size_bytes) GENIE_MUST_USE;
genie_status_t genie_remote_session_write_state(genie_session_t *session, const char *name, const void *data,
                                                uint64_t size_bytes) GENIE_MUST_USE;

// ---- Submissions: remote_submission.c ----

genie_status_t genie_remote_session_submit(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                           uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                           const genie_submit_options_t *options,
                                           genie_submission_t **out_submission) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_CLIENT_REMOTE_SESSION_H_
