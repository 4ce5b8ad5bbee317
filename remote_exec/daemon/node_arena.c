#include "remote_exec/daemon/node_arena.h"

#include <string.h>

static genie_status_t find_kind(const char *name, genie_network_memory_kind_t *out_kind) {
  for (int kind = GENIE_NETWORK_MEMORY_PLAIN; kind <= GENIE_NETWORK_MEMORY_DPDK; ++kind) {
    if (strcmp(genie_network_memory_kind_name((genie_network_memory_kind_t)kind), name) == 0) {
      *out_kind = (genie_network_memory_kind_t)kind;
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--network-memory takes plain, hugepage or dpdk, not '%.32s'",
                           name);
}

// The fabric forgets the memory when it ends, which is before.
static genie_status_t add_to_fabric(void *self, void *address, uint64_t size_bytes, void **out_handle) {
  *out_handle = self;
  return genie_ucx_fabric_register(self, address, size_bytes, GENIE_UCX_MEMORY_HOST);
}

static void remove_from_fabric(void *self, void *handle) {
  (void)self;
  (void)handle;
}

genie_status_t genie_node_arena_init(const char *kind, uint64_t size_bytes, genie_ucx_fabric_t *fabric,
                                     genie_allocator_t heap, genie_node_arena_t *out_arena) {
  genie_network_memory_options_t options = {.is_demanded = true, .size_bytes = size_bytes};
  out_arena->heap = heap;
  GENIE_RETURN_IF_ERROR(find_kind(kind, &options.kind));
  GENIE_RETURN_IF_ERROR(genie_network_memory_create(&options, heap, &out_arena->memory));
  const genie_network_registrar_t ucx = {
      .name = "ucx", .self = fabric, .add = add_to_fabric, .remove = remove_from_fabric};
  return fabric == NULL ? GENIE_OK : genie_network_memory_register(out_arena->memory, &ucx);
}

void genie_node_arena_deinit(genie_node_arena_t *arena) {
  genie_network_memory_destroy(arena->memory);
  arena->memory = NULL;
}

static bool is_ours(const genie_node_arena_t *arena, const void *pointer) {
  genie_network_memory_report_t report;
  if (arena->memory == NULL) {
    return false;
  }
  genie_network_memory_get_report(arena->memory, &report);
  const uint8_t *base = genie_network_memory_base(arena->memory);
  return (const uint8_t *)pointer >= base && (const uint8_t *)pointer < base + report.size_bytes;
}

static void *allocate(void *self, size_t size_bytes, size_t alignment) {
  genie_node_arena_t *arena = self;
  if (arena->memory != NULL) {
    const genie_allocator_t memory = genie_network_memory_allocator(arena->memory);
    void *piece = memory.allocate(memory.self, size_bytes, alignment);
    if (piece != NULL) {
      return piece;
    }
    atomic_fetch_add(&arena->spill_count, 1);
  }
  return arena->heap.allocate(arena->heap.self, size_bytes, alignment);
}

static void deallocate(void *self, void *pointer) {
  genie_node_arena_t *arena = self;
  const genie_allocator_t owner = is_ours(arena, pointer) ? genie_network_memory_allocator(arena->memory) : arena->heap;
  owner.deallocate(owner.self, pointer);
}

genie_allocator_t genie_node_arena_allocator(genie_node_arena_t *arena) {
  return (genie_allocator_t){.self = arena, .allocate = allocate, .deallocate = deallocate};
}
