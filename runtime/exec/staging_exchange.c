#include "runtime/exec/staging_exchange.h"

#include <string.h>

#include "runtime/base/checked_math.h"

typedef struct staging_exchange {
  genie_exchange_t base;
  uint64_t *offsets;  // [transfer_count] into `memory`
  uint8_t *memory;
} staging_exchange_t;

static genie_status_t send(genie_exchange_t *exchange, uint32_t transfer, const void *address, uint64_t size_bytes) {
  const staging_exchange_t *staging = (const staging_exchange_t *)exchange;
  if (size_bytes > 0) {
    memcpy(staging->memory + staging->offsets[transfer], address, size_bytes);
  }
  return GENIE_OK;
}

static genie_status_t receive(genie_exchange_t *exchange, uint32_t transfer, void *address, uint64_t size_bytes) {
  const staging_exchange_t *staging = (const staging_exchange_t *)exchange;
  if (size_bytes > 0) {
    memcpy(address, staging->memory + staging->offsets[transfer], size_bytes);
  }
  return GENIE_OK;
}

static const genie_exchange_ops_t kOps = {.send = send, .receive = receive};

// Entries share the memory; within one, each transfer has its own. A transfer's bound is that of the slice it sends.
static genie_status_t lay_out(const genie_plan_t *plan, uint64_t *offsets, uint64_t *out_bytes) {
  *out_bytes = 0;
  for (uint32_t entry = 0; entry < plan->entry_count; ++entry) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->entries[entry].instruction_count; ++i) {
      const genie_plan_instruction_t *instruction = &plan->instructions[plan->entries[entry].first_instruction + i];
      if (instruction->opcode != GENIE_PLAN_OPCODE_SEND) {
        continue;
      }
      offsets[instruction->b] = bytes;
      uint64_t end = 0;
      if (!genie_checked_add_u64(bytes, plan->slices[instruction->a].maximum_bytes, &end) ||
          !genie_checked_align_u64(end, GENIE_PLAN_SLICE_ALIGNMENT, &bytes)) {
        return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "what places send each other needs too much memory");
      }
    }
    *out_bytes = bytes > *out_bytes ? bytes : *out_bytes;
  }
  return GENIE_OK;
}

static genie_status_t fill(const genie_plan_t *plan, genie_allocator_t allocator, staging_exchange_t *staging) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(allocator, plan->transfer_count, sizeof(*staging->offsets), &memory));
  staging->offsets = memory;
  uint64_t size_bytes = 0;
  GENIE_RETURN_IF_ERROR(lay_out(plan, staging->offsets, &size_bytes));
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, size_bytes, 1, &memory));
  staging->memory = memory;
  return GENIE_OK;
}

genie_status_t genie_staging_exchange_create(const genie_plan_t *plan, genie_allocator_t allocator,
                                             genie_exchange_t **out_exchange) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(staging_exchange_t), &memory));
  staging_exchange_t *staging = memory;
  staging->base.ops = &kOps;
  const genie_status_t status = fill(plan, allocator, staging);
  if (status != GENIE_OK) {
    genie_staging_exchange_destroy(allocator, &staging->base);
    return status;
  }
  *out_exchange = &staging->base;
  return GENIE_OK;
}

void genie_staging_exchange_destroy(genie_allocator_t allocator, genie_exchange_t *exchange) {
  staging_exchange_t *staging = (staging_exchange_t *)exchange;
  if (staging == NULL) {
    return;
  }
  genie_allocator_free(allocator, staging->offsets);
  genie_allocator_free(allocator, staging->memory);
  genie_allocator_free(allocator, staging);
}
