// The memory that tensors from other nodes wait in: network memory, registered once with what carries them, and the
// heap when that is full. How often it was full is counted.
#ifndef GENIE_REMOTE_EXEC_DAEMON_NODE_ARENA_H_
#define GENIE_REMOTE_EXEC_DAEMON_NODE_ARENA_H_

#include <stdatomic.h>

#include "remote_exec/memory/network_memory.h"
#include "remote_exec/transport/ucx.h"

// In the caller's memory. Zero-initialised, it gives heap memory only.
typedef struct genie_node_arena {
  genie_allocator_t heap;
  genie_network_memory_t *memory;
  atomic_uint_least64_t spill_count;  // pieces that came from the heap because the memory was full
} genie_node_arena_t;

// Takes `size_bytes` of the kind "plain", "hugepage" or "dpdk", and no other (FAILED_PRECONDITION, UNIMPLEMENTED), and
// makes it known to `fabric`, which may be NULL. INVALID_ARGUMENT: there is no such kind. The fabric ends before the
// arena.
genie_status_t genie_node_arena_init(const char *kind, uint64_t size_bytes, genie_ucx_fabric_t *fabric,
                                     genie_allocator_t heap, genie_node_arena_t *out_arena) GENIE_MUST_USE;
void genie_node_arena_deinit(genie_node_arena_t *arena);

// Thread-safe; the arena outlives what it gave.
genie_allocator_t genie_node_arena_allocator(genie_node_arena_t *arena);

#endif  // GENIE_REMOTE_EXEC_DAEMON_NODE_ARENA_H_
