#include "remote_exec/client/weight_upload.h"

static uint64_t chunk_bytes(const genie_plan_t *plan, uint64_t chunk) {
  const uint64_t left = plan->weights_bytes - chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES;
  return left < GENIE_PLAN_WEIGHT_CHUNK_BYTES ? left : GENIE_PLAN_WEIGHT_CHUNK_BYTES;
}

static genie_status_t check_state(const genie_plan_t *plan, const Genie__Wire__SessionState *state,
                                  uint64_t *out_total_bytes) {
  uint64_t next = 0;
  *out_total_bytes = 0;
  for (size_t i = 0; i < state->n_missing; ++i) {
    const Genie__Wire__ChunkRange *range = state->missing[i];
    if (range->first < next || range->count == 0 || (uint64_t)range->first + range->count > plan->weight_chunk_count) {
      return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "the node asks for weight chunks %u to %llu; the plan has %u",
                               range->first, (unsigned long long)range->first + range->count, plan->weight_chunk_count);
    }
    next = (uint64_t)range->first + range->count;
    for (uint64_t chunk = range->first; chunk < next; ++chunk) {
      *out_total_bytes += chunk_bytes(plan, chunk);
    }
  }
  if (state->n_missing > 0 && state->first_offset >= chunk_bytes(plan, state->missing[0]->first)) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "the node asks for a weight chunk from byte %llu",
                             (unsigned long long)state->first_offset);
  }
  return GENIE_OK;
}

static genie_status_t send_chunk(genie_node_link_t *link, const genie_plan_t *plan, uint64_t session_id, uint32_t chunk,
                                 uint64_t offset, uint8_t *buffer) {
  const uint64_t size_bytes = chunk_bytes(plan, chunk) - offset;
  GENIE_RETURN_IF_ERROR(
      genie_plan_read_weights(plan, chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES + offset, size_bytes, buffer));
  Genie__Wire__WeightChunk message = GENIE__WIRE__WEIGHT_CHUNK__INIT;
  message.session_id = session_id;
  message.chunk = chunk;
  message.offset = offset;
  return genie_node_link_send(link, GENIE_WIRE_WEIGHT_CHUNK, &message.base, buffer, size_bytes);
}

genie_status_t genie_weight_upload_send(genie_node_link_t *link, const genie_plan_t *plan,
                                        const Genie__Wire__SessionState *state,
                                        void (*progress)(void *context, const char *node, uint64_t done_bytes,
                                                         uint64_t total_bytes),
                                        void *context, genie_allocator_t allocator) {
  uint64_t total_bytes = 0;
  void *buffer = NULL;
  GENIE_RETURN_IF_ERROR(check_state(plan, state, &total_bytes));
  if (state->n_missing == 0) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, chunk_bytes(plan, 0), 1, &buffer));
  genie_status_t status = GENIE_OK;
  uint64_t done_bytes = state->first_offset;
  for (size_t i = 0; i < state->n_missing && status == GENIE_OK; ++i) {
    const uint32_t first = state->missing[i]->first;
    for (uint32_t j = 0; j < state->missing[i]->count && status == GENIE_OK; ++j) {
      const uint64_t offset = i == 0 && j == 0 ? state->first_offset : 0;
      if (progress != NULL) {
        progress(context, genie_node_link_name(link), done_bytes, total_bytes);
      }
      status = send_chunk(link, plan, state->session_id, first + j, offset, buffer);
      done_bytes += chunk_bytes(plan, first + j) - offset;
    }
  }
  if (status == GENIE_OK && progress != NULL) {
    progress(context, genie_node_link_name(link), done_bytes, total_bytes);
  }
  genie_allocator_free(allocator, buffer);
  return status;
}
