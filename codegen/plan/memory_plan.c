#include "codegen/plan/memory_plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/plan/format.h"

// Largest first; equal sizes in order of their first use, so that the result does not depend on the sort.
static int compare_size(const void *a, const void *b) {
  const genie_memory_range_t *lhs = *(genie_memory_range_t *const *)a;
  const genie_memory_range_t *rhs = *(genie_memory_range_t *const *)b;
  if (lhs->size_bytes != rhs->size_bytes) {
    return lhs->size_bytes > rhs->size_bytes ? -1 : 1;
  }
  if (lhs->first != rhs->first) {
    return lhs->first < rhs->first ? -1 : 1;
  }
  return lhs < rhs ? -1 : 1;
}

static bool meets(const genie_memory_range_t *a, const genie_memory_range_t *b) {
  return a->first <= b->last && b->first <= a->last;
}

static uint64_t aligned(uint64_t bytes) {
  return (bytes + GENIE_PLAN_SLICE_ALIGNMENT - 1) & ~(uint64_t)(GENIE_PLAN_SLICE_ALIGNMENT - 1);
}

// The tightest gap between `placed` ranges (in order of offset) that `range` meets; after the last one if there is
// none.
static uint64_t find_offset(const genie_memory_range_t *range, int placed_count, genie_memory_range_t *const *placed) {
  const uint64_t size = aligned(range->size_bytes);
  uint64_t best_offset = UINT64_MAX;
  uint64_t best_gap = UINT64_MAX;
  uint64_t end = 0;
  for (int i = 0; i < placed_count; ++i) {
    if (!meets(range, placed[i])) {
      continue;
    }
    if (placed[i]->offset > end && placed[i]->offset - end >= size && placed[i]->offset - end < best_gap) {
      best_gap = placed[i]->offset - end;
      best_offset = end;
    }
    const uint64_t placed_end = placed[i]->offset + aligned(placed[i]->size_bytes);
    end = placed_end > end ? placed_end : end;
  }
  return best_offset != UINT64_MAX ? best_offset : end;
}

static void insert_by_offset(genie_memory_range_t *range, int placed_count, genie_memory_range_t **placed) {
  int at = placed_count;
  for (; at > 0 && placed[at - 1]->offset > range->offset; --at) {
    placed[at] = placed[at - 1];
  }
  placed[at] = range;
}

genie_status_t genie_memory_plan(genie_arena_t *arena, int count, genie_memory_range_t *ranges,
                                 uint64_t *out_total_bytes) {
  *out_total_bytes = 0;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, 2 * (size_t)count + 1, sizeof(genie_memory_range_t *), &memory));
  genie_memory_range_t **order = memory;
  genie_memory_range_t **placed = order + count;
  for (int i = 0; i < count; ++i) {
    order[i] = &ranges[i];
  }
  qsort(order, (size_t)count, sizeof(*order), compare_size);
  for (int i = 0; i < count; ++i) {
    order[i]->offset = find_offset(order[i], i, placed);
    insert_by_offset(order[i], i, placed);
    uint64_t end = 0;
    if (!genie_checked_add_u64(order[i]->offset, aligned(order[i]->size_bytes), &end)) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the temporaries need more than 2^64 bytes");
    }
    *out_total_bytes = end > *out_total_bytes ? end : *out_total_bytes;
  }
  return GENIE_OK;
}
