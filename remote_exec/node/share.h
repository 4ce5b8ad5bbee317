// A node's share of a session: the places of a plan that it hosts, and the connections to the nodes that host the
// others. The daemon has one a session, and a client whose own process hosts places has one too.
//
//     genie_share_create(model, places, place_count, allocator, &share);
//     genie_share_attach(share, &peer, channel);                       // once a node of the session
//     genie_share_bind(share, entry, symbol_values, symbol_count);     // sizes of the call
//     ... fill genie_share_input(share, entry, i) ...
//     genie_share_run(share, call_id, deadline);
//     ... read genie_share_output(share, entry, i) ...
//
// With several hosted places, calls may overlap: genie_share_begin() takes the next one while others are at later
// places.
//
// Threads: one thread binds, runs and begins; cancel, fail and attach may come from any other at any time. Each
// attached connection has a thread that takes in what the peer sends, and each hosted place but the first a thread of
// its own.
#ifndef GENIE_REMOTE_EXEC_NODE_SHARE_H_
#define GENIE_REMOTE_EXEC_NODE_SHARE_H_

#include "remote_exec/transport/channel.h"
#include "runtime/exec/place_program.h"

typedef struct genie_share genie_share_t;

// A place of the plan and what runs it.
typedef struct genie_share_place {
  uint32_t place;  // index in the plan
  genie_place_program_options_t options;
} genie_share_place_t;

// Another node of the session. Borrowed for the call.
typedef struct genie_share_peer {
  const char *name;        // as messages call it
  uint64_t session_id;     // of the session on that node
  const uint32_t *places;  // that it hosts
  uint32_t place_count;
} genie_share_peer_t;

// An input or output of a hosted place.
typedef struct genie_share_tensor {
  uint32_t position;  // among the entry's inputs or outputs
  void *memory;       // the share's, valid while it lives; outputs until the next run
  uint64_t bytes;     // in the sizes bound last
} genie_share_tensor_t;

enum { GENIE_SHARE_DEPTH = 8 };

// A call with memory of its own, the caller's from begin until `done`. Zero-initialise, then fill in.
typedef struct genie_share_call {
  uint64_t id;  // greater than any before
  uint32_t entry;
  const int64_t *symbols;  // [symbol_count]
  uint32_t symbol_count;
  genie_deadline_ns_t deadline;
  // Addresses of the entry's inputs and outputs here, aligned to 64 bytes, sized as genie_share_size() says.
  void *const *inputs;
  void *const *outputs;
  // Told once, when every place is through with the call, on the thread of the last; takes the status. Calls end in
  // their order, and none begins at that place meanwhile.
  void (*done)(struct genie_share_call *call, genie_status_t status);
  // The share's own.
  bool is_bound;
  uint32_t pending_count;
  genie_status_t status;
} genie_share_call_t;

// How much memory a share of these places takes, its mailbox filled by one call included. Saturates at UINT64_MAX.
uint64_t genie_share_measure(const genie_plan_t *plan, const uint32_t *places, uint32_t place_count);

// Loads code, weights and state of each place. What travels is recorded in the trace of the first place's options,
// where all have the same. Errors as genie_place_program_create(). The model outlives the share.
genie_status_t genie_share_create(const genie_model_t *model, const genie_share_place_t *places, uint32_t place_count,
                                  genie_allocator_t allocator, genie_share_t **out_share) GENIE_MUST_USE;
// Accepts NULL. No run is in progress; connections are closed and threads ended.
void genie_share_destroy(genie_share_t *share);

// Gives the share the connection to a peer, whose greeting is done: it takes the channel, also on failure.
// INVALID_ARGUMENT: a place that the plan does not have, or that is attached already.
genie_status_t genie_share_attach(genie_share_t *share, const genie_share_peer_t *peer,
                                  genie_channel_t *channel) GENIE_MUST_USE;

// Sizes of the next run. Errors as genie_place_program_bind().
genie_status_t genie_share_bind(genie_share_t *share, uint32_t entry, const int64_t *symbol_values,
                                uint32_t symbol_count) GENIE_MUST_USE;

// Inputs and outputs of the hosted places, by ascending position. `entry` and `index` are in range.
uint32_t genie_share_input_count(const genie_share_t *share, uint32_t entry);
uint32_t genie_share_output_count(const genie_share_t *share, uint32_t entry);
uint32_t genie_share_input_position(const genie_share_t *share, uint32_t entry, uint32_t index);
uint32_t genie_share_output_position(const genie_share_t *share, uint32_t entry, uint32_t index);
genie_share_tensor_t genie_share_input(const genie_share_t *share, uint32_t entry, uint32_t index);
genie_share_tensor_t genie_share_output(const genie_share_t *share, uint32_t entry, uint32_t index);

// How many calls can be in progress at a time with gain: the places and one on its way out, GENIE_SHARE_DEPTH at most.
uint32_t genie_share_depth(const genie_share_t *share);

// Bytes of the entry's inputs here, then of its outputs, in these sizes, into `out_bytes`; `values` has room for the
// plan's expressions. Errors as genie_share_bind(), which is not needed for it.
genie_status_t genie_share_size(const genie_share_t *share, uint32_t entry, const int64_t *symbol_values,
                                uint32_t symbol_count, int64_t *values, uint64_t *out_bytes) GENIE_MUST_USE;

// What they take at most, each aligned to 64 bytes.
uint64_t genie_share_tensor_bytes(const genie_share_t *share, uint32_t entry);

// Starts a call behind those that are in progress, waiting while there are GENIE_SHARE_DEPTH, and runs the first hosted
// place on this thread. Errors go to `done` alone, those of genie_share_run() and genie_share_bind().
void genie_share_begin(genie_share_t *share, genie_share_call_t *call);

// Waits until every call that was begun has ended.
void genie_share_settle(genie_share_t *share);

// Runs the hosted places of the entry bound last as call `call_id` (greater than any before). ABORTED: a peer was lost,
// the message names it, and so will every later run. DEADLINE_EXCEEDED, CANCELLED. After an error the peers are told,
// so that they do not wait for this call.
genie_status_t genie_share_run(genie_share_t *share, uint64_t call_id, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Instead of running call `call_id`, which cannot be, once earlier ones have ended: the peers are told, what they sent
// for it is dropped.
void genie_share_abandon(genie_share_t *share, uint64_t call_id, genie_status_code_t code);

// Ends this call with CANCELLED: its waits when it runs, the whole of it when it has not begun.
void genie_share_cancel(genie_share_t *share, uint64_t call_id);

// Ends every run, now and later, with this status.
void genie_share_fail(genie_share_t *share, genie_status_code_t code, const char *message);

// The hosted places: how many, and which of the plan's.
uint32_t genie_share_place_count(const genie_share_t *share);
uint32_t genie_share_place_index(const genie_share_t *share, uint32_t index);

// The program of hosted place `index`, below genie_share_program_count(): for its state and its figures, between runs.
uint32_t genie_share_program_count(const genie_share_t *share);
genie_place_program_t *genie_share_program(const genie_share_t *share, uint32_t index);

// The program that has a state of this name. NOT_FOUND: none of the hosted places has.
genie_status_t genie_share_find_state(const genie_share_t *share, const char *name, genie_place_program_t **out_program,
                                      uint64_t *out_bytes) GENIE_MUST_USE;

// Sets every state of the hosted places to its initial value.
genie_status_t genie_share_reset_states(genie_share_t *share) GENIE_MUST_USE;

// Payload of a transfer that a hosted place sends or receives: of the last run of its entry, and of all; between runs.
// NOT_FOUND: no hosted place does.
genie_status_t genie_share_traffic(genie_share_t *share, uint32_t transfer, uint64_t *out_last_bytes,
                                   uint64_t *out_total_bytes) GENIE_MUST_USE;

// What a hosted place sent, or received, along a transfer in all runs that it finished; false when none does. Also
// while calls run.
bool genie_share_edge_bytes(const genie_share_t *share, uint32_t transfer, bool is_sent, uint64_t *out_bytes);

// By how many bytes the tensors that arrived from other nodes are more, or fewer, than the plan says of the runs that
// took them: 0 between calls, unless calls failed.
uint64_t genie_share_difference_bytes(genie_share_t *share);

// Channel figures of the attached peer `index`; false when there are not so many. `out_name` is borrowed.
bool genie_share_peer_stats(genie_share_t *share, uint32_t index, const char **out_name,
                            genie_channel_stats_t *out_stats);

#endif  // GENIE_REMOTE_EXEC_NODE_SHARE_H_
