#include "runtime/base/arena.h"

#include <string.h>

#include "runtime/base/checked_math.h"

enum { kArenaAlignment = 16, kMinimumBlockBytes = 64 * 1024 };

struct genie_arena_block {
  genie_arena_block_t *next;
  size_t capacity_bytes;
  size_t used_bytes;
  _Alignas(kArenaAlignment) char bytes[];
};

void genie_arena_init(genie_allocator_t allocator, size_t limit_bytes, genie_arena_t *out_arena) {
  *out_arena = (genie_arena_t){.allocator = allocator, .limit_bytes = limit_bytes};
}

void genie_arena_deinit(genie_arena_t *arena) {
  for (genie_arena_block_t *block = arena->blocks; block != NULL;) {
    genie_arena_block_t *next = block->next;
    genie_allocator_free(arena->allocator, block);
    block = next;
  }
  arena->blocks = NULL;
  arena->used_bytes = 0;
}

static genie_status_t add_block(genie_arena_t *arena, size_t size_bytes) {
  const size_t capacity_bytes = size_bytes < kMinimumBlockBytes ? kMinimumBlockBytes : size_bytes;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(arena->allocator, sizeof(genie_arena_block_t) + capacity_bytes, 1, &memory));
  genie_arena_block_t *block = memory;
  *block = (genie_arena_block_t){.next = arena->blocks, .capacity_bytes = capacity_bytes};
  arena->blocks = block;
  return GENIE_OK;
}

genie_status_t genie_arena_allocate(genie_arena_t *arena, size_t count, size_t element_bytes, void **out_pointer) {
  uint64_t size_bytes = 0;
  uint64_t total_bytes = 0;
  if (!genie_checked_mul_u64(count, element_bytes, &size_bytes) || size_bytes > SIZE_MAX / 2 ||
      !genie_checked_align_u64(size_bytes, kArenaAlignment, &size_bytes) ||
      !genie_checked_add_u64(arena->used_bytes, size_bytes, &total_bytes) ||
      (arena->limit_bytes != 0 && total_bytes > arena->limit_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the input needs more than %zu bytes of working memory",
                             arena->limit_bytes);
  }
  genie_arena_block_t *block = arena->blocks;
  if (block == NULL || block->capacity_bytes - block->used_bytes < size_bytes) {
    GENIE_RETURN_IF_ERROR(add_block(arena, size_bytes));
    block = arena->blocks;
  }
  *out_pointer = block->bytes + block->used_bytes;
  block->used_bytes += size_bytes;
  arena->used_bytes = total_bytes;
  return GENIE_OK;
}

genie_status_t genie_arena_copy_string(genie_arena_t *arena, const char *text, size_t length, char **out_text) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, length + 1, 1, &memory));
  memcpy(memory, text, length);
  *out_text = memory;
  return GENIE_OK;
}
