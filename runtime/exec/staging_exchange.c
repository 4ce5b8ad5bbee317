#include "runtime/exec/staging_exchange.h"

#include <string.h>

#include "runtime/base/checked_math.h"

typedef struct staging_exchange {
  genie_exchange_t base;
  const genie_place_t *places;
  uint32_t place_count;
  uint64_t *offsets;              // [transfer_count] into the memory where it waits
  uint32_t *pools;                // [transfer_count] the place whose device that is, or place_count: the host
  uint64_t *bytes;                // [place_count + 1] of each such memory
  uint8_t *memory;                // of the host
  genie_device_memory_t *direct;  // [place_count]
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

static void *direct(const genie_exchange_t *exchange, uint32_t transfer) {
  const staging_exchange_t *staging = (const staging_exchange_t *)exchange;
  const uint32_t pool = staging->pools[transfer];
  return pool == staging->place_count ? NULL : (uint8_t *)staging->direct[pool].address + staging->offsets[transfer];
}

static const genie_exchange_ops_t kOps = {.send = send, .receive = receive, .direct = direct};

// ---- Layout ----

static uint32_t pool_of(const genie_plan_transfer_t *transfer, const staging_exchange_t *staging) {
  const genie_place_t *source = &staging->places[transfer->source_place];
  const genie_place_t *destination = &staging->places[transfer->destination_place];
  return genie_device_can_reach(source->device, destination->device) ? transfer->destination_place
                                                                     : staging->place_count;
}

// Entries share the memory; within one, each transfer has its own. A transfer's bound is that of the slice it sends.
static genie_status_t lay_out_entry(const genie_plan_t *plan, const genie_plan_entry_t *entry, uint64_t *ends,
                                    staging_exchange_t *staging) {
  for (uint32_t i = 0; i < entry->instruction_count; ++i) {
    const genie_plan_instruction_t *instruction = &plan->instructions[entry->first_instruction + i];
    if (instruction->opcode != GENIE_PLAN_OPCODE_SEND) {
      continue;
    }
    const uint32_t pool = pool_of(&plan->transfers[instruction->b], staging);
    uint64_t end = 0;
    staging->pools[instruction->b] = pool;
    staging->offsets[instruction->b] = ends[pool];
    if (!genie_checked_add_u64(ends[pool], plan->slices[instruction->a].maximum_bytes, &end) ||
        !genie_checked_align_u64(end, GENIE_PLAN_SLICE_ALIGNMENT, &ends[pool])) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "what places send each other needs too much memory");
    }
    staging->bytes[pool] = ends[pool] > staging->bytes[pool] ? ends[pool] : staging->bytes[pool];
  }
  return GENIE_OK;
}

static genie_status_t lay_out(const genie_plan_t *plan, uint64_t *ends, staging_exchange_t *staging) {
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    memset(ends, 0, (plan->place_count + 1) * sizeof(*ends));
    GENIE_RETURN_IF_ERROR(lay_out_entry(plan, &plan->entries[i], ends, staging));
  }
  return GENIE_OK;
}

// ---- Construction ----

static genie_status_t allocate(genie_allocator_t allocator, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, count, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

static genie_status_t fill(const genie_plan_t *plan, genie_allocator_t allocator, staging_exchange_t *staging) {
  const uint32_t place_count = plan->place_count;
  uint64_t *ends = NULL;
  GENIE_RETURN_IF_ERROR(allocate(allocator, plan->transfer_count, sizeof(*staging->offsets), &staging->offsets));
  GENIE_RETURN_IF_ERROR(allocate(allocator, plan->transfer_count, sizeof(*staging->pools), &staging->pools));
  GENIE_RETURN_IF_ERROR(allocate(allocator, place_count + 1, sizeof(*staging->bytes), &staging->bytes));
  GENIE_RETURN_IF_ERROR(allocate(allocator, place_count, sizeof(*staging->direct), &staging->direct));
  GENIE_RETURN_IF_ERROR(allocate(allocator, place_count + 1, sizeof(*ends), &ends));
  const genie_status_t status = lay_out(plan, ends, staging);
  genie_allocator_free(allocator, ends);
  GENIE_RETURN_IF_ERROR(status);
  for (uint32_t i = 0; i < place_count; ++i) {
    genie_device_t *device = staging->places[i].device;
    if (staging->bytes[i] > 0) {
      GENIE_RETURN_IF_ERROR(device->ops->memory_allocate(device, staging->bytes[i], &staging->direct[i]));
    }
  }
  return allocate(allocator, staging->bytes[place_count], 1, &staging->memory);
}

genie_status_t genie_staging_exchange_create(const genie_plan_t *plan, const genie_place_t *places,
                                             genie_allocator_t allocator, genie_exchange_t **out_exchange) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(staging_exchange_t), &memory));
  staging_exchange_t *staging = memory;
  *staging = (staging_exchange_t){.base = {.ops = &kOps}, .places = places, .place_count = plan->place_count};
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
  for (uint32_t i = 0; staging->direct != NULL && i < staging->place_count; ++i) {
    genie_device_t *device = staging->places[i].device;
    if (staging->direct[i].address != NULL) {
      device->ops->memory_free(device, &staging->direct[i]);
    }
  }
  genie_allocator_free(allocator, staging->direct);
  genie_allocator_free(allocator, staging->bytes);
  genie_allocator_free(allocator, staging->pools);
  genie_allocator_free(allocator, staging->offsets);
  genie_allocator_free(allocator, staging->memory);
  genie_allocator_free(allocator, staging);
}
