#include "runtime/base/allocator.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/checked_math.h"

enum { kArrayAlignment = 64 };

static void *heap_allocate(void *self, size_t size_bytes, size_t alignment) {
  (void)self;
  uint64_t rounded = 0;
  if (!genie_checked_align_u64(size_bytes == 0 ? 1 : size_bytes, alignment, &rounded)) {
    return NULL;
  }
  return aligned_alloc(alignment, rounded);
}

static void heap_deallocate(void *self, void *pointer) {
  (void)self;
  free(pointer);
}

genie_allocator_t genie_allocator_heap(void) {
  return (genie_allocator_t){.allocate = heap_allocate, .deallocate = heap_deallocate};
}

genie_status_t genie_allocator_allocate_array(genie_allocator_t allocator, size_t count, size_t element_bytes,
                                              void **out_pointer) {
  uint64_t size_bytes = 0;
  void *pointer = genie_checked_mul_u64(count, element_bytes, &size_bytes)
                      ? allocator.allocate(allocator.self, size_bytes, kArrayAlignment)
                      : NULL;
  if (pointer == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %zu elements of %zu bytes", count,
                             element_bytes);
  }
  memset(pointer, 0, size_bytes);
  *out_pointer = pointer;
  return GENIE_OK;
}

void genie_allocator_free(genie_allocator_t allocator, void *pointer) {
  if (pointer != NULL) {
    allocator.deallocate(allocator.self, pointer);
  }
}
