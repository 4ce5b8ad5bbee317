// A bump allocator: the compiler's memory. Everything it gave is released at once.
#ifndef GENIE_RUNTIME_BASE_ARENA_H_
#define GENIE_RUNTIME_BASE_ARENA_H_

#include "runtime/base/allocator.h"

typedef struct genie_arena_block genie_arena_block_t;

// In the caller's memory; not thread-safe.
typedef struct genie_arena {
  genie_allocator_t allocator;
  genie_arena_block_t *blocks;  // newest first
  size_t limit_bytes;           // 0: none
  size_t used_bytes;
} genie_arena_t;

// `limit_bytes` bounds what hostile input can make the arena take; 0 means no bound.
void genie_arena_init(genie_allocator_t allocator, size_t limit_bytes, genie_arena_t *out_arena);
void genie_arena_deinit(genie_arena_t *arena);

// Zeroed, 16-byte aligned memory that lives until the arena is deinitialised. RESOURCE_EXHAUSTED past the limit.
genie_status_t genie_arena_allocate(genie_arena_t *arena, size_t count, size_t element_bytes,
                                    void **out_pointer) GENIE_MUST_USE;

// Copies `length` bytes of `text` and a terminating zero.
genie_status_t genie_arena_copy_string(genie_arena_t *arena, const char *text, size_t length,
                                       char **out_text) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_BASE_ARENA_H_
