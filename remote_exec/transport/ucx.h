// The ucx carrier: messages as UCX active messages, for RDMA and GPUDirect fabrics, shared memory and CUDA IPC.
//
// Only for links that the pool declares trusted: UCX encrypts nothing, and over TCP a peer can reach any memory of the
// process. It stands beside an authenticated stream channel, over which worker addresses and tokens are exchanged; the
// first active message of each side proves the other's token. Neither a UCX listener nor put or get is ever used.
//
// A channel moves only while a thread is within a call on it, as a rule the one that waits for the next message.
//
// Payloads above GENIE_UCX_EAGER_BYTES travel by rendezvous: from the sender's memory to where the receiver says, which
// is direct when that memory is registered with the fabric and the payload is taken by one call. UCX is loaded at run
// time: a program that never makes a fabric needs none.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_H_

#include "remote_exec/transport/channel.h"
#include "remote_exec/wire/message.h"

enum { GENIE_UCX_EAGER_BYTES = 8192 };

// UCX loaded and configured, with the memory that is registered with it. Shared by channels, which it outlives.
typedef struct genie_ucx_fabric genie_ucx_fabric_t;

// NULL and 0 mean the default of each. Strings are copied.
typedef struct genie_ucx_options {
  const char *library_folder;  // where libucp.so.0 lies; default: where the build found UCX, else the system's
  const char *transports;      // UCX's names: default "rc,ud,posix,sysv,cuda_copy,cuda_ipc,gdr_copy,tcp"
  const char *net_devices;     // UCX's names, as in "mlx5_0:1,eth1"; default: all
  const char *tcp_port_range;  // "19000-19099", for firewalls; default: any
  uint64_t user_timeout_ms;    // how long sent bytes may stay unacknowledged over TCP, default 3000
  uint64_t spin_ns;            // polling before sleeping, default 50 us; GENIE_UCX_NO_SPIN: none
  bool has_integrity;          // XXH3-64 of each payload in host memory, checked by the receiver
} genie_ucx_options_t;

#define GENIE_UCX_NO_SPIN UINT64_MAX

typedef enum genie_ucx_memory { GENIE_UCX_MEMORY_HOST, GENIE_UCX_MEMORY_CUDA } genie_ucx_memory_t;

// Loads UCX 1.22 or later. Call it before other threads start: UCX reads the environment, and what would take over the
// process (signal handlers) is switched off there. UNIMPLEMENTED: built without UCX's headers; NOT_FOUND: no library;
// FAILED_PRECONDITION: too old a one.
genie_status_t genie_ucx_fabric_create(const genie_ucx_options_t *options, genie_allocator_t allocator,
                                       genie_ucx_fabric_t **out_fabric) GENIE_MUST_USE;

// Accepts NULL.
void genie_ucx_fabric_destroy(genie_ucx_fabric_t *fabric);

// Registers memory, once, from before the first channel until the fabric ends: the arena, or a device's memory.
// Payloads within it need no registration of their own.
genie_status_t genie_ucx_fabric_register(genie_ucx_fabric_t *fabric, void *address, uint64_t bytes,
                                         genie_ucx_memory_t kind) GENIE_MUST_USE;

// Makes a channel beside `control`, a connection of role CALL or PEER that has said Hello and on which nothing else is
// under way; `side` is ours. Both sides call it. `demand` is "", "rdma", "shm", "tcp" or "cuda_ipc": the path that must
// be had; FAILED_PRECONDITION says which one there is instead. Takes `control` when it succeeds.
genie_status_t genie_ucx_open(genie_ucx_fabric_t *fabric, genie_channel_t *control, genie_wire_side_t side,
                              const char *demand, genie_deadline_ns_t deadline,
                              genie_channel_t **out_channel) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_H_
