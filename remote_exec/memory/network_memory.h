// Memory that networks and devices reach: one range, of one kind of pages, touched at the start, registered once with
// each library that wants to know it (UCX, CUDA), and given out in pieces.
//
//     const genie_network_memory_options_t options = {.kind = GENIE_NETWORK_MEMORY_HUGEPAGE, .size_bytes = 64 << 20};
//     genie_network_memory_create(&options, allocator, &memory);
//     genie_network_memory_register(memory, &ucx_registrar);
//     genie_network_memory_allocate(memory, bytes, &piece);
//
// Threads: all functions are thread-safe; none is for a hot path. No memory is made after creation.
#ifndef GENIE_REMOTE_EXEC_MEMORY_NETWORK_MEMORY_H_
#define GENIE_REMOTE_EXEC_MEMORY_NETWORK_MEMORY_H_

#include "runtime/base/allocator.h"

typedef struct genie_network_memory genie_network_memory_t;

typedef enum genie_network_memory_kind {
  GENIE_NETWORK_MEMORY_PLAIN,     // pages as the system gives them, transparent huge ones where it has them
  GENIE_NETWORK_MEMORY_HUGEPAGE,  // reserved pages of 2 MiB
  GENIE_NETWORK_MEMORY_DPDK,      // from DPDK's environment abstraction layer; a build with -DGENIE_DPDK=ON
} genie_network_memory_kind_t;

enum {
  GENIE_NETWORK_MEMORY_ALIGNMENT = 64,
  GENIE_NETWORK_MEMORY_MAX_REGISTRATIONS = 8,
  GENIE_NETWORK_MEMORY_MAX_REASON_BYTES = 160,
};

typedef struct genie_network_memory_options {
  genie_network_memory_kind_t kind;
  bool is_demanded;     // no other kind will do
  uint64_t size_bytes;  // rounded up to whole pages
} genie_network_memory_options_t;

// Takes the memory and touches every page of it. Where the kind cannot be had, plain pages are taken instead and the
// report says why; with `is_demanded` that is FAILED_PRECONDITION (UNIMPLEMENTED: the build lacks it).
// RESOURCE_EXHAUSTED: no memory of any kind.
genie_status_t genie_network_memory_create(const genie_network_memory_options_t *options, genie_allocator_t allocator,
                                           genie_network_memory_t **out_memory) GENIE_MUST_USE;
// Ends all registrations, the last first, then returns the memory. Accepts NULL.
void genie_network_memory_destroy(genie_network_memory_t *memory);

// What is in use.
typedef struct genie_network_memory_report {
  genie_network_memory_kind_t kind;
  uint64_t page_bytes;
  uint64_t size_bytes, used_bytes;
  uint32_t registration_count;
  char reason[GENIE_NETWORK_MEMORY_MAX_REASON_BYTES];  // why it is not the kind that was asked for; "" when it is
} genie_network_memory_report_t;

void genie_network_memory_get_report(genie_network_memory_t *memory, genie_network_memory_report_t *out_report);

// "plain", "hugepage", "dpdk". Static storage.
const char *genie_network_memory_kind_name(genie_network_memory_kind_t kind);

// The whole range.
void *genie_network_memory_base(const genie_network_memory_t *memory);

// ---- Registration ----

// A library that must know the range. Copied.
typedef struct genie_network_registrar {
  const char *name;  // "ucx"; static storage
  void *self;
  // Makes the range known; the handle is the library's own.
  genie_status_t (*add)(void *self, void *address, uint64_t size_bytes, void **out_handle);
  void (*remove)(void *self, void *handle);
} genie_network_registrar_t;

// Registers the whole range, unless a registrar of this name has done so. What the registrar answers is passed on.
// RESOURCE_EXHAUSTED: too many registrars.
genie_status_t genie_network_memory_register(genie_network_memory_t *memory,
                                             const genie_network_registrar_t *registrar) GENIE_MUST_USE;

// The handle that the registrar of this name gave; NULL when there is none.
void *genie_network_memory_handle(genie_network_memory_t *memory, const char *name);

// ---- Pieces ----

// A piece of at least `size_bytes`, aligned to GENIE_NETWORK_MEMORY_ALIGNMENT; its contents are undefined.
// RESOURCE_EXHAUSTED: there is no such piece.
genie_status_t genie_network_memory_allocate(genie_network_memory_t *memory, uint64_t size_bytes,
                                             void **out_piece) GENIE_MUST_USE;
// Accepts NULL.
void genie_network_memory_free(genie_network_memory_t *memory, void *piece);

// The same as an allocator. Alignments up to 4096.
genie_allocator_t genie_network_memory_allocator(genie_network_memory_t *memory);

#endif  // GENIE_REMOTE_EXEC_MEMORY_NETWORK_MEMORY_H_
