// Memory from the caller: an allocator is passed to every constructor and kept by what it made.
#ifndef GENIE_RUNTIME_BASE_ALLOCATOR_H_
#define GENIE_RUNTIME_BASE_ALLOCATOR_H_

#include "runtime/base/status.h"

// A borrowed vtable; copied by value. `self` outlives everything allocated through it. Thread-safe if its functions
// are.
typedef struct genie_allocator {
  void *self;
  // Returns NULL when there is no memory. `alignment` is a power of two, at most 4096.
  void *(*allocate)(void *self, size_t size_bytes, size_t alignment);
  // Accepts NULL.
  void (*deallocate)(void *self, void *pointer);
} genie_allocator_t;

// The process heap (aligned_alloc and free); thread-safe.
genie_allocator_t genie_allocator_heap(void);

// Allocates `count` elements of `element_bytes`, zeroed, 64-byte aligned. RESOURCE_EXHAUSTED on overflow or no memory.
genie_status_t genie_allocator_allocate_array(genie_allocator_t allocator, size_t count, size_t element_bytes,
                                              void **out_pointer) GENIE_MUST_USE;

// Releases what `allocator` gave; accepts NULL.
void genie_allocator_free(genie_allocator_t allocator, void *pointer);

#endif  // GENIE_RUNTIME_BASE_ALLOCATOR_H_
