// The C API of libgenie: open a plan, make a session, run it.
//
//     genie_model_t *model = NULL;
//     genie_session_t *session = NULL;
//     genie_status_t status = genie_model_open("model.gplan", NULL, &model);
//     if (status == GENIE_OK) status = genie_session_create(model, NULL, &session);
//     genie_tensor_t input = {.data = ids, .dtype = GENIE_DTYPE_I64, .rank = 2, .shape = {1, 128}};
//     genie_tensor_t output = {0};  // data NULL: the session's memory
//     if (status == GENIE_OK) status = genie_session_run(session, 0, &input, 1, &output, 1);
//     if (status != GENIE_OK) fprintf(stderr, "%s\n", genie_status_message(status));
//     genie_status_free(status);
//     genie_session_destroy(session);
//     genie_model_close(model);
//
// A model is an opened, verified plan: the file that geniec makes.
// Ownership. A model outlives its sessions. Strings that functions return belong to the model and live as long as it.
// Tensors are borrowed: the caller's memory is used during the call only.
// Threads. A model is immutable after it was opened; any thread may read it and make sessions of it. A session is used
// by one thread at a time; sessions are independent of each other.
// Errors. Every function that can fail returns a status (genie/status.h). Outputs are untouched on failure unless a
// function says otherwise.
#ifndef GENIE_GENIE_H_
#define GENIE_GENIE_H_

#include "genie/dtype.h"
#include "genie/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- Version ----

// As in "0.1.0"; static storage.
GENIE_API const char *genie_version(void);

// The newest plan format that this library reads, as in "1.1"; static storage. Older plans of the same major load too.
GENIE_API const char *genie_plan_format_version(void);

// ---- Tensors ----

enum { GENIE_MAX_RANK = 8 };

// A dense tensor in row-major order. `data` is borrowed; memory aligned to 64 bytes is used in place, other memory is
// copied. A tensor without elements may have NULL data.
typedef struct genie_tensor {
  void *data;
  genie_dtype_t dtype;
  int32_t rank;
  int64_t shape[GENIE_MAX_RANK];
} genie_tensor_t;

// ---- Models ----

typedef struct genie_model genie_model_t;

// Zero-initialise, then set what differs from the default.
typedef struct genie_model_options {
  // Refuse a plan that is not signed, and check the hashes of the weights when a session reads them.
  bool require_signed;
  // A file of Ed25519 public keys, PEM, or hex or base64 one a line: the plan must be signed by one of them. NULL: any
  // signer.
  const char *trusted_keys;
  // Check the hashes of the weights when a session reads them: about half a second of one core for each GB.
  bool verify_weights;
  uint64_t reserved[4];  // 0
} genie_model_options_t;

// Opens and verifies the plan at `path`; `options` may be NULL. After this no run can read or write out of bounds.
// NOT_FOUND, PERMISSION_DENIED: the file, or its signature. DATA_LOSS: it is truncated or damaged; the message names
// the byte. UNIMPLEMENTED: it was made by a newer Genie. INVALID_ARGUMENT: it is not a plan.
GENIE_API genie_status_t genie_model_open(const char *path, const genie_model_options_t *options,
                                          genie_model_t **out_model) GENIE_MUST_USE;

// Accepts NULL. All sessions of the model are gone before.
GENIE_API void genie_model_close(genie_model_t *model);

// One dimension of a tensor of the model. It is static when minimum == maximum.
typedef struct genie_dim {
  int64_t minimum;
  int64_t maximum;
  const char *expression;  // over the entry's symbols, as in "128", "s0" or "s0*s1 + 2"
} genie_dim_t;

// What a model says about an input, output or state.
typedef struct genie_tensor_info {
  const char *name;
  genie_dtype_t dtype;
  int32_t rank;
  genie_dim_t dims[GENIE_MAX_RANK];
  uint64_t maximum_bytes;  // at the upper bound of all symbols
} genie_tensor_info_t;

// A run-time size with its range, bound by the inputs of a call.
typedef struct genie_symbol_info {
  const char *name;
  int64_t minimum;
  int64_t maximum;
  int64_t multiple;  // values are multiples of this
} genie_symbol_info_t;

// Entries are numbered from 0 in the plan's order, their inputs and outputs likewise. Functions below that take an
// index answer OUT_OF_RANGE when there is no such entry, input, output, state or symbol.
GENIE_API uint32_t genie_model_entry_count(const genie_model_t *model);

// "" when `entry` is out of range.
GENIE_API const char *genie_model_entry_name(const genie_model_t *model, uint32_t entry);

// NOT_FOUND lists the entries that exist.
GENIE_API genie_status_t genie_model_find_entry(const genie_model_t *model, const char *name,
                                                uint32_t *out_entry) GENIE_MUST_USE;

// 0 when `entry` is out of range.
GENIE_API uint32_t genie_model_input_count(const genie_model_t *model, uint32_t entry);
GENIE_API uint32_t genie_model_output_count(const genie_model_t *model, uint32_t entry);
GENIE_API uint32_t genie_model_symbol_count(const genie_model_t *model, uint32_t entry);
GENIE_API uint32_t genie_model_state_count(const genie_model_t *model);

GENIE_API genie_status_t genie_model_input_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                                genie_tensor_info_t *out_info) GENIE_MUST_USE;
GENIE_API genie_status_t genie_model_output_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                                 genie_tensor_info_t *out_info) GENIE_MUST_USE;
GENIE_API genie_status_t genie_model_symbol_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                                 genie_symbol_info_t *out_info) GENIE_MUST_USE;
GENIE_API genie_status_t genie_model_state_info(const genie_model_t *model, uint32_t index,
                                                genie_tensor_info_t *out_info) GENIE_MUST_USE;

// The shape of an input when the entry's symbols have `symbol_values[genie_model_symbol_count()]`, which may be NULL
// when there are none. OUT_OF_RANGE: a value is outside its symbol's range, or no multiple of what it must be.
GENIE_API genie_status_t genie_model_input_shape(const genie_model_t *model, uint32_t entry, uint32_t index,
                                                 const int64_t *symbol_values,
                                                 int64_t out_shape[GENIE_MAX_RANK]) GENIE_MUST_USE;

// ---- Sessions ----

typedef struct genie_session genie_session_t;

// How much of a node's missing weights has been sent.
typedef void (*genie_upload_progress_fn_t)(void *context, const char *node, uint64_t done_bytes, uint64_t total_bytes);

// Where the places of a plan are when they are not in this process. Zero-initialise, then set what differs from the
// default. Borrowed while the session is made.
typedef struct genie_remote_options {
  // The descriptor of nodes, devices and links (docs/pool.md). A place of the plan is a node and its device, as in
  // "node1:cpu0"; places of node "local" run in this process.
  const char *pool;
  // Places elsewhere than the plan says: "PLACE=NODE:DEVICE", as in "local:cpu0=node1:cpu0".
  const char *const *place_map;
  uint32_t place_map_count;
  bool may_retry;  // a call without state that lost a node is repeated, on another node that can hold the place if need
                   // be; the session is made anew for that
  bool is_strict;  // refuse a node whose key neither the pool nor `known_nodes` has; else it is pinned at first use
  const char *key;  // PEM file of this client's private key; NULL: ~/.config/genie/client.pem, made when missing
  const char *known_nodes;              // NULL: ~/.config/genie/known_nodes
  uint64_t call_timeout_ns;             // of every call; 0: none
  genie_upload_progress_fn_t progress;  // called by the thread that makes the session; NULL: none
  void *progress_context;
  // The absolute path under which nodes may see the plan's file: one that shares its folder (genied --weights-from)
  // reads the weights there, the others are sent them. NULL: all are sent them.
  const char *weights_path;
  uint64_t reserved[7];  // 0
} genie_remote_options_t;

// Zero-initialise, then set what differs from the default.
typedef struct genie_session_options {
  const char *device;     // kind of device that runs all places, NULL: as the plan says. "null" executes nothing
  uint32_t thread_count;  // threads that compute, the caller's included; 0: one for each CPU that the process may use
  bool has_profile;       // measure every launch: genie_session_profile(); adds a clock read around each
  bool
      has_device_time;  // measure runs by the clocks of devices that have one: last_device_ns; a run takes some us more
  // For devices that compile a plan's code: a folder where the result is kept for the next session. NULL: nowhere.
  const char *cache_directory;
  // For devices that use a vendor's libraries: folders to look in before where the system looks, ':' between them, or
  // NULL.
  const char *library_path;
  const genie_remote_options_t *remote;  // NULL: all places are in this process
  // Record what every place does and what travels: genie_session_trace(). Kernels of a GPU are then waited for one by
  // one.
  bool has_trace;
  uint64_t reserved[2];  // 0
} genie_session_options_t;

// Reads the weights into memory, loads the code and initialises the state; `options` may be NULL.
// FAILED_PRECONDITION: this machine lacks a CPU feature that every variant in the plan needs; the message names it.
// RESOURCE_EXHAUSTED: too little memory. DATA_LOSS: the weights are damaged. Of a session on other nodes, whose weights
// are sent to those that lack them: UNAVAILABLE, DEADLINE_EXCEEDED: a node is not there; PERMISSION_DENIED: one side
// does not know the other's key; what a node answers, with its name. Profiles are of places in this process.
GENIE_API genie_status_t genie_session_create(const genie_model_t *model, const genie_session_options_t *options,
                                              genie_session_t **out_session) GENIE_MUST_USE;

// Accepts NULL. Ends the session's threads and releases session-owned outputs.
GENIE_API void genie_session_destroy(genie_session_t *session);

// Runs `entry` to completion. `inputs` and `outputs` are in the plan's order and complete.
//
// An output with data NULL receives the session's memory, valid until the next run or destruction of the session, and
// its dtype and shape. An output with data set names the dtype and shape that the run gives, and receives the values;
// it must not overlap an input or another output. An output in the session's memory may be an input of the next run of
// the same entry.
// INVALID_ARGUMENT: a count, dtype, rank or shape is not what the entry takes; the message names the tensor and the
// expected shape. OUT_OF_RANGE: a dynamic size is outside its range. After an error the state is unchanged, except when
// a device failed in the run (ABORTED, INTERNAL).
// Sessions on other nodes fail with ABORTED when a node is lost, at most 3 s later; the message names it, and so does
// every later run until genie_session_reconnect(). DEADLINE_EXCEEDED: the options' call_timeout_ns has passed.
GENIE_API genie_status_t genie_session_run(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                           uint32_t input_count, genie_tensor_t *outputs,
                                           uint32_t output_count) GENIE_MUST_USE;

// Fills dtype, rank and shape of `outputs` as a run with `inputs` would (their data is not read), leaves data as it is.
// Fails as genie_session_run().
GENIE_API genie_status_t genie_session_infer_outputs(genie_session_t *session, uint32_t entry,
                                                     const genie_tensor_t *inputs, uint32_t input_count,
                                                     genie_tensor_t *outputs, uint32_t output_count) GENIE_MUST_USE;

// Opens a session on other nodes anew after a loss: where it was, or on other nodes of the pool that have a device of
// the kind. All states have their initial values again. Fails as genie_session_create(), and may be repeated then.
// FAILED_PRECONDITION: the session is not on other nodes.
GENIE_API genie_status_t genie_session_reconnect(genie_session_t *session) GENIE_MUST_USE;

// ---- Calls in flight ----

// A call that was submitted and is not destroyed yet.
typedef struct genie_submission genie_submission_t;

// Zero-initialise, then set what differs from the default.
typedef struct genie_submit_options {
  uint64_t timeout_ns;  // the call fails with DEADLINE_EXCEEDED after this; 0: the session's
  // Called once when the call is done, on a thread of the session; it may not call functions of the session, and not
  // destroy the submission. NULL: none.
  void (*completed)(void *context, genie_submission_t *submission);
  void *context;
  uint64_t reserved[4];  // 0
} genie_submit_options_t;

// Starts a call and returns; calls of a session run in the order of their submission, on several places at a time where
// the plan has several. Blocks while 16 calls are in flight. `inputs` may be changed when it returns. Outputs with data
// NULL lie in memory of the submission until it is destroyed; dtype and shape of all are set when it returns.
// An error here is the only report: `completed` is not called then. Otherwise it is called exactly once.
GENIE_API genie_status_t genie_session_submit(genie_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                                              uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                              const genie_submit_options_t *options,
                                              genie_submission_t **out_submission) GENIE_MUST_USE;

// Waits until the call is done and gives its status, the first time; later GENIE_OK or the bare code. Waits at most
// `timeout_ns`, UINT64_MAX for ever: DEADLINE_EXCEEDED, and the call goes on. Any thread, one at a time.
GENIE_API genie_status_t genie_submission_wait(genie_submission_t *submission, uint64_t timeout_ns) GENIE_MUST_USE;

// Asks for the call's end: it ends with CANCELLED unless it is done first. Any thread.
GENIE_API void genie_submission_cancel(genie_submission_t *submission);

// Waits for the call if it is not done, and frees it with its outputs; accepts NULL. Before its session's destruction.
GENIE_API void genie_submission_destroy(genie_submission_t *submission);

// ---- State: what a session keeps between runs ----

// Sets every state to its initial value.
GENIE_API genie_status_t genie_session_reset_state(genie_session_t *session) GENIE_MUST_USE;

// Copies a state out of or into the session. `size_bytes` is the state's size as genie_model_state_info() gives it
// (INVALID_ARGUMENT otherwise). NOT_FOUND lists the states that exist.
GENIE_API genie_status_t genie_session_read_state(genie_session_t *session, const char *name, void *out_data,
                                                  uint64_t size_bytes) GENIE_MUST_USE;
GENIE_API genie_status_t genie_session_write_state(genie_session_t *session, const char *name, const void *data,
                                                   uint64_t size_bytes) GENIE_MUST_USE;

// ---- Measurements ----

typedef struct genie_session_stats {
  uint64_t run_count;
  uint64_t last_run_ns;        // wall time of the last run
  uint64_t last_launch_count;  // kernels that the last run launched
  uint64_t last_copy_bytes;    // moved by copy instructions and for unaligned inputs and outputs
  uint64_t load_ns;            // wall time of genie_session_create()
  uint64_t weight_bytes;       // memory by purpose
  uint64_t state_bytes;
  uint64_t slab_bytes;     // temporaries: the planned peak
  uint64_t scratch_bytes;  // private memory of threads
  uint64_t code_bytes;
  uint32_t thread_count;
  uint32_t reserved;
  const char *target;        // the code variant in use, as in "x86-64-v4"
  uint64_t last_device_ns;   // with has_device_time: of the last run, on the devices, without moving inputs and outputs
  uint64_t last_enqueue_ns;  // the host's time until the last run's work was enqueued
} genie_session_stats_t;

GENIE_API void genie_session_get_stats(const genie_session_t *session, genie_session_stats_t *out_stats);

// One connection that a session's calls or tensors use.
typedef struct genie_session_link {
  const char *from;  // node that counts; "local" is this process
  const char *to;
  const char *path;             // what carries it, as in "tls1.3 aes-256-gcm tcp"
  uint64_t sent_bytes;          // by `from`, since the connection began
  uint64_t received_bytes;      // likewise
  uint64_t send_ns;             // spent sending those bytes
  uint64_t receive_ns;          // spent receiving them
  double expected_bytes_per_s;  // what the pool says of the link from `from` to `to`; 0: nothing
  uint64_t reserved[2];         // 0
} genie_session_link_t;

// Asks the session's nodes and lists its connections: those of this process first, then each of two nodes once. Strings
// and rows belong to the session and live until the next call. None in a session that is in this process alone.
GENIE_API genie_status_t genie_session_list_links(genie_session_t *session, const genie_session_link_t **out_links,
                                                  uint32_t *out_link_count) GENIE_MUST_USE;

// One launch of an entry, accumulated over all runs since creation.
typedef struct genie_session_launch_profile {
  const char *kernel;         // unique name of the kernel
  const char *template_name;  // the family that it was made from
  const char *module;         // the module path of the model that it computes
  int64_t task_count;         // of the last run
  uint64_t run_count;
  uint64_t total_ns;
} genie_session_launch_profile_t;

// 0 unless the session was made with has_profile.
GENIE_API uint32_t genie_session_profile_count(const genie_session_t *session, uint32_t entry);

// OUT_OF_RANGE: no such launch.
GENIE_API genie_status_t genie_session_profile(const genie_session_t *session, uint32_t entry, uint32_t index,
                                               genie_session_launch_profile_t *out_profile) GENIE_MUST_USE;

// One edge of the traffic contract: what moves between the caller and a place, or from place to place, in a run of an
// entry. Payload bytes, without headers.
typedef struct genie_session_traffic {
  const char *name;         // the value that moves: an input, an output, or where in the model it comes from
  const char *phase;        // of the model, "" where it has none
  const char *source;       // a place of the plan, "" for the caller
  const char *destination;  // likewise
  uint64_t maximum_bytes;   // at the upper bound of all sizes
  uint64_t planned_bytes;   // what the plan says for the sizes of the last run; 0 before the first
  uint64_t last_bytes;      // counted in the last run
  uint64_t total_bytes;     // counted in all runs
  uint64_t reserved[2];
} genie_session_traffic_t;

// Edges of an entry: its inputs, what crosses between places, its outputs. 0 when `entry` is out of range.
GENIE_API uint32_t genie_session_traffic_count(const genie_session_t *session, uint32_t entry);

// OUT_OF_RANGE: no such edge. In a session on other nodes what crosses between places is asked for at the node where it
// arrives, which may fail as a run does; submitted calls count there alone.
GENIE_API genie_status_t genie_session_traffic(const genie_session_t *session, uint32_t entry, uint32_t index,
                                               genie_session_traffic_t *out_traffic) GENIE_MUST_USE;

typedef enum genie_session_trace_kind {
  GENIE_TRACE_INSTRUCTION = 1,  // a place executed an instruction of its list
  GENIE_TRACE_TRANSFER = 2,     // what one node sent another was on its way
  GENIE_TRACE_CALL = 3,         // the inputs of a call were on their way to a node
  GENIE_TRACE_RESULT = 4,       // its outputs to the caller
} genie_session_trace_kind_t;

// Something that happened in a session.
typedef struct genie_session_trace_event {
  genie_session_trace_kind_t kind;
  const char *what;         // "launch", "copy", "send", "receive", ..; "transfer", "inputs", "outputs"
  const char *name;         // of the kernel, or of the value that moves
  const char *module;       // of the model, of a launch; else ""
  const char *source;       // the place that executes; where what moves comes from, "" the caller
  const char *destination;  // of what moves, "" the caller
  uint64_t call;            // runs of the session, from 1
  uint64_t bytes;           // payload that moved
  uint64_t begin_ns;        // by this process's monotonic clock
  uint64_t end_ns;
  uint64_t error_ns;  // how far both may be off: half of the round trip by which a node's clock was read
  uint64_t reserved[2];
} genie_session_trace_event_t;

// What happened since the session was made or the trace was read last, by begin; of a session on other nodes, on all of
// them. Events belong to the session and live until the next call. `out_dropped_count`: records that did not fit, of
// 32768 a process. FAILED_PRECONDITION: the session was made without has_trace. ABORTED, DEADLINE_EXCEEDED: a node is
// gone. No run is in progress.
GENIE_API genie_status_t genie_session_trace(genie_session_t *session, const genie_session_trace_event_t **out_events,
                                             uint32_t *out_event_count, uint64_t *out_dropped_count) GENIE_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif  // GENIE_GENIE_H_
