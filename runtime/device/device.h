// A device: memory, code and streams behind one vtable. The executor knows devices through this header alone.
//
// null/ is the commented template to clone, cpu/ runs kernels on a pool of pinned threads. A device is created by its
// module's constructor, shared by sessions, and outlives everything made from it. Functions that take a stream may be
// called from one thread a stream at a time, and a module is launched from one thread at a time (it may own the scratch
// memory of its kernels); all others are thread-safe. After creation and load, nothing on the path of launch, copy,
// record and wait allocates memory or takes a lock. Every destroy, free and unload accepts NULL or empty memory.
#ifndef GENIE_RUNTIME_DEVICE_DEVICE_H_
#define GENIE_RUNTIME_DEVICE_DEVICE_H_

#include "runtime/base/allocator.h"
#include "runtime/base/kernel_frame.h"

typedef struct genie_device genie_device_t;
typedef struct genie_device_module genie_device_module_t;
typedef struct genie_device_stream genie_device_stream_t;
typedef struct genie_device_event genie_device_event_t;
typedef struct genie_device_graph genie_device_graph_t;

// The offset of a kernel that is not for this device; it is never launched on it.
#define GENIE_DEVICE_NO_CODE UINT64_MAX

// Device memory; `address` is a device pointer (host-addressable when `is_host_addressable`).
typedef struct genie_device_memory {
  void *address;
  uint64_t size_bytes;
  bool is_host_addressable;
  uint64_t handle;  // the device's own name for it
} genie_device_memory_t;

// What a launch runs: a kernel of a loaded module over a grid of tasks.
typedef struct genie_device_launch {
  uint32_t kernel;      // index into the plan's kernels
  void *const *args;    // valid until the launch has finished
  const int64_t *dims;  // likewise
  uint32_t arg_count;
  uint32_t dim_count;
  int64_t task_count;   // 0 does nothing
  int64_t least_tasks;  // fewer tasks than this are not worth a further thread
} genie_device_launch_t;

typedef struct genie_device_ops {
  void (*destroy)(genie_device_t *device);

  // 64-byte aligned, zeroed memory. RESOURCE_EXHAUSTED: free something or use a smaller plan.
  genie_status_t (*memory_allocate)(genie_device_t *device, uint64_t size_bytes, genie_device_memory_t *out_memory);
  void (*memory_free)(genie_device_t *device, genie_device_memory_t *memory);

  // Loads a plan's verified code blob; `kernel_offsets[kernel_count]` are entry points from its start,
  // `scratch_bytes` the largest private memory that any of them needs. FAILED_PRECONDITION: this device cannot run it.
  genie_status_t (*module_load)(genie_device_t *device, const void *code, uint64_t code_bytes,
                                const uint64_t *kernel_offsets, uint32_t kernel_count, uint64_t scratch_bytes,
                                genie_device_module_t **out_module);
  void (*module_unload)(genie_device_t *device, genie_device_module_t *module);

  genie_status_t (*stream_create)(genie_device_t *device, genie_device_stream_t **out_stream);
  void (*stream_destroy)(genie_device_t *device, genie_device_stream_t *stream);
  genie_status_t (*event_create)(genie_device_t *device, genie_device_event_t **out_event);
  void (*event_destroy)(genie_device_t *device, genie_device_event_t *event);

  // Enqueued in order on a stream. A device without asynchrony finishes each before it returns.
  genie_status_t (*launch)(genie_device_t *device, genie_device_stream_t *stream, genie_device_module_t *module,
                           const genie_device_launch_t *launch);
  genie_status_t (*copy)(genie_device_t *device, genie_device_stream_t *stream, void *destination, const void *source,
                         uint64_t size_bytes);
  genie_status_t (*event_record)(genie_device_t *device, genie_device_stream_t *stream, genie_device_event_t *event);
  genie_status_t (*event_wait)(genie_device_t *device, genie_device_stream_t *stream, genie_device_event_t *event);
  // Sets `size_bytes` at a device address to zero.
  genie_status_t (*zero)(genie_device_t *device, genie_device_stream_t *stream, void *address, uint64_t size_bytes);
  // Blocks until all that was enqueued on the stream has finished. A failure of enqueued work surfaces here: ABORTED
  // when the device is lost, and then by every later call on it.
  genie_status_t (*stream_synchronize)(genie_device_t *device, genie_device_stream_t *stream);
  // A kernel of a vendor library (runtime/plan/library_call.h); UNIMPLEMENTED where the device has none. The first call
  // with these dims opens the library and chooses an algorithm, which takes long; later ones find it.
  genie_status_t (*library_call)(genie_device_t *device, genie_device_stream_t *stream, const char *function,
                                 const genie_device_launch_t *launch);

  // ---- What not every device has: NULL without it ----

  // As event_record, for event_elapsed: in a graph, the event is recorded by each launch of it.
  genie_status_t (*event_stamp)(genie_device_t *device, genie_device_stream_t *stream, genie_device_event_t *event);
  // Nanoseconds on the device between two stamped events that have happened.
  genie_status_t (*event_elapsed)(genie_device_t *device, genie_device_event_t *begin, genie_device_event_t *end,
                                  uint64_t *out_ns);

  // Host memory that the device may read and write by itself while the host goes on; it is the caller's, at a page, and
  // stays as it is until it is unregistered. Copies from and to other host memory are staged, and finish at once.
  genie_status_t (*host_register)(genie_device_t *device, void *address, uint64_t size_bytes);
  void (*host_unregister)(genie_device_t *device, void *address);

  // Whether the device was lost: ABORTED is then all that it answers, in this process, and whoever runs the process
  // starts another. Thread-safe. NULL: it cannot be lost alone.
  bool (*is_lost)(const genie_device_t *device);

  // A graph: what is enqueued on `stream` between begin and end, and on streams that wait for its events, is kept
  // instead of being run, and runs as a whole at each graph_launch, with the addresses and sizes that it had. All
  // streams have joined `stream` by an event before the end. graph_end also ends a capture in which a call failed, and
  // then fails.
  genie_status_t (*graph_begin)(genie_device_t *device, genie_device_stream_t *stream);
  genie_status_t (*graph_end)(genie_device_t *device, genie_device_stream_t *stream, genie_device_graph_t **out_graph);
  genie_status_t (*graph_launch)(genie_device_t *device, genie_device_stream_t *stream, genie_device_graph_t *graph);
  void (*graph_destroy)(genie_device_t *device, genie_device_graph_t *graph);

  // Whether copies on `device` may read and write memory of `other`, a device of the same kind, at its address. NULL:
  // it reaches its own alone.
  bool (*can_reach)(const genie_device_t *device, const genie_device_t *other);

  // A file descriptor by which another process maps the same memory; the caller closes it. Import maps it, `size_bytes`
  // as the exporter's; both ends free their memory as any other.
  genie_status_t (*memory_export)(genie_device_t *device, const genie_device_memory_t *memory, int *out_file);
  genie_status_t (*memory_import)(genie_device_t *device, int file, uint64_t size_bytes,
                                  genie_device_memory_t *out_memory);
} genie_device_ops_t;

struct genie_device {
  const genie_device_ops_t *ops;
  genie_allocator_t allocator;
  const char *kind;       // "cpu": matches a plan's places; static storage
  const char *features;   // comma-separated, matched against a target's; "*": all. Lives as long as the device
  uint32_t worker_count;  // tasks that run at a time
};

// Zero-initialised: the defaults. Strings are copied where they are kept.
typedef struct genie_device_options {
  uint32_t ordinal;             // which of the machine's devices of this kind
  bool has_ordinal;             // `ordinal` is meant even when it is 0, where something else could say which
  uint32_t worker_count;        // 0 lets the device choose
  const char *cache_directory;  // where it keeps machine code that it made of a plan's code; NULL: nowhere
  const char *library_path;     // folders of vendor libraries, ':' between them, searched before the system's; or NULL
} genie_device_options_t;

// Opens a device module by kind. NOT_FOUND names the kinds that exist, or the devices of that kind.
// FAILED_PRECONDITION: what it needs is not installed; the message names it. `options` may be NULL.
genie_status_t genie_device_create(const char *kind, const genie_device_options_t *options, genie_allocator_t allocator,
                                   genie_device_t **out_device) GENIE_MUST_USE;

// Accepts NULL.
void genie_device_destroy(genie_device_t *device);

static inline bool genie_device_can_reach(const genie_device_t *device, const genie_device_t *other) {
  return device->ops == other->ops && device->ops->can_reach != NULL && device->ops->can_reach(device, other);
}

static inline bool genie_device_is_lost(const genie_device_t *device) {
  return device->ops->is_lost != NULL && device->ops->is_lost(device);
}

#endif  // GENIE_RUNTIME_DEVICE_DEVICE_H_
