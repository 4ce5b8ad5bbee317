// The records that instructions refer to: every index in bounds, every tensor within its memory, names that can be
// looked up.
#include <stdlib.h>
#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/plan/cuda_image.h"
#include "runtime/plan/verifier.h"

// Sums of two sizes below this cannot overflow.
static const uint64_t kMaximumBytes = 1ull << 60;
enum { kMaximumDims = 4096 };

#define FAIL(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

static genie_status_t check_places(const genie_plan_t *plan) {
  if (plan->place_count > GENIE_PLAN_MAX_PLACES) {
    return FAIL("places: %u; a plan has at most %d", plan->place_count, GENIE_PLAN_MAX_PLACES);
  }
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    const genie_plan_place_t *place = &plan->places[i];
    if (!genie_plan_has_string(plan, place->name) || !genie_plan_has_string(plan, place->device_kind)) {
      return FAIL("places[%u]: a name is outside strings", i);
    }
    if (place->slab_bytes > kMaximumBytes || place->state_bytes > kMaximumBytes) {
      return FAIL("places[%u]: more than 2^60 bytes of memory", i);
    }
    for (uint32_t other = 0; other < i; ++other) {
      if (strcmp(genie_plan_string(plan, plan->places[other].name), genie_plan_string(plan, place->name)) == 0) {
        return FAIL("places[%u]: has the name of places[%u]", i, other);
      }
    }
  }
  return GENIE_OK;
}

static genie_status_t check_kernels(const genie_plan_t *plan) {
  for (uint32_t i = 0; i < plan->kernel_count; ++i) {
    const genie_plan_kernel_t *kernel = &plan->kernels[i];
    if (!genie_plan_has_string(plan, kernel->name) || !genie_plan_has_string(plan, kernel->template_name)) {
      return FAIL("kernels[%u]: a name is outside strings", i);
    }
    if (kernel->arg_count > GENIE_PLAN_MAX_ARGS || kernel->dim_count > kMaximumDims ||
        kernel->scratch_bytes > kMaximumBytes || kernel->reserved != 0) {
      return FAIL("kernels[%u]: %u arguments, %u dimensions, %llu bytes of scratch", i, kernel->arg_count,
                  kernel->dim_count, (unsigned long long)kernel->scratch_bytes);
    }
  }
  return GENIE_OK;
}

// Code that is more than entry points to jump to.
static genie_status_t check_image(const genie_plan_t *plan, uint32_t index) {
  const genie_plan_target_t *target = &plan->targets[index];
  if (strcmp(genie_plan_string(plan, target->device_kind), GENIE_CUDA_DEVICE_KIND) != 0) {
    return GENIE_OK;
  }
  const genie_status_t status = genie_cuda_image_check(plan->code + target->code_offset, target->code_bytes,
                                                       genie_plan_code_offsets(plan, index), plan->kernel_count);
  return genie_status_annotate(status, "targets[%u]", index);
}

static genie_status_t check_target(const genie_plan_t *plan, uint32_t index) {
  const genie_plan_target_t *target = &plan->targets[index];
  if (!genie_plan_has_string(plan, target->name) || !genie_plan_has_string(plan, target->device_kind) ||
      !genie_plan_has_string(plan, target->features)) {
    return FAIL("targets[%u]: a name is outside strings", index);
  }
  if (target->reserved != 0 || target->code_offset % GENIE_PLAN_PAGE_BYTES != 0 ||
      target->code_offset > plan->code_bytes || target->code_bytes > plan->code_bytes - target->code_offset) {
    return FAIL("targets[%u]: code %llu + %llu is outside code or not on a page", index,
                (unsigned long long)target->code_offset, (unsigned long long)target->code_bytes);
  }
  for (uint32_t kernel = 0; kernel < plan->kernel_count; ++kernel) {
    const uint64_t offset = genie_plan_code_offsets(plan, index)[kernel];
    if (offset >= target->code_bytes && offset != GENIE_PLAN_NO_CODE) {
      return FAIL("code_offsets[%u][%u]: %llu is outside the target's code", index, kernel, (unsigned long long)offset);
    }
  }
  return check_image(plan, index);
}

static genie_status_t check_targets(const genie_plan_t *plan) {
  if (plan->code_offset_count != (uint64_t)plan->target_count * plan->kernel_count) {
    return FAIL("code_offsets: %u, not one for each of %u kernels in %u targets", plan->code_offset_count,
                plan->kernel_count, plan->target_count);
  }
  for (uint32_t i = 0; i < plan->target_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_target(plan, i));
  }
  return GENIE_OK;
}

//===-- Tensors ---------------------------------------------------------------------------------------------------===//

// The most bytes that the tensor's dimensions can take; false when a dimension can be negative or the product is huge.
static bool bound_bytes(const genie_plan_t *plan, const genie_plan_tensor_t *tensor, const genie_plan_range_t *ranges,
                        uint64_t *out_bytes) {
  uint64_t bytes = genie_dtype_bytes((genie_dtype_t)tensor->dtype);
  for (uint32_t dim = 0; dim < tensor->rank; ++dim) {
    const genie_plan_range_t range = ranges[plan->indices[tensor->first_dim + dim]];
    if (range.minimum < 0 || !genie_checked_mul_u64(bytes, (uint64_t)range.maximum, &bytes)) {
      return false;
    }
  }
  *out_bytes = bytes;
  return bytes <= kMaximumBytes;
}

static genie_status_t check_dims(const genie_plan_t *plan, uint32_t index, const genie_plan_range_t *ranges) {
  const genie_plan_tensor_t *tensor = &plan->tensors[index];
  if (tensor->rank > GENIE_PLAN_MAX_RANK || !genie_plan_has_range(tensor->first_dim, tensor->rank, plan->index_count)) {
    return FAIL("tensors[%u]: dimensions %u + %u are outside indices", index, tensor->first_dim, tensor->rank);
  }
  const bool is_static = tensor->role == GENIE_PLAN_ROLE_STATE || tensor->role == GENIE_PLAN_ROLE_WEIGHT;
  for (uint32_t dim = 0; dim < tensor->rank; ++dim) {
    const uint32_t expr = plan->indices[tensor->first_dim + dim];
    if (expr >= plan->expr_count || (is_static && expr >= plan->entries[0].first_expr)) {
      return FAIL("tensors[%u]: dimension %u is %s", index, dim,
                  expr >= plan->expr_count ? "outside exprs" : "not a constant common to all entries");
    }
  }
  uint64_t bytes = 0;
  if (!bound_bytes(plan, tensor, ranges, &bytes) || bytes != tensor->maximum_bytes) {
    return FAIL("tensors[%u]: maximum_bytes is %llu; its dimensions take up to %llu", index,
                (unsigned long long)tensor->maximum_bytes, (unsigned long long)bytes);
  }
  return GENIE_OK;
}

// The memory that holds the tensor: WEIGHTS, its place's states, or the caller's.
static genie_status_t check_storage(const genie_plan_t *plan, uint32_t index) {
  const genie_plan_tensor_t *tensor = &plan->tensors[index];
  const bool is_weight = tensor->role == GENIE_PLAN_ROLE_WEIGHT;
  if (is_weight || tensor->role == GENIE_PLAN_ROLE_STATE) {
    const uint64_t total = is_weight ? plan->weights_bytes : plan->places[tensor->place].state_bytes;
    if (tensor->offset % GENIE_PLAN_SLICE_ALIGNMENT != 0 || tensor->offset > total ||
        tensor->maximum_bytes > total - tensor->offset) {
      return FAIL("tensors[%u]: bytes %llu + %llu are outside the %llu of its memory or not on 64", index,
                  (unsigned long long)tensor->offset, (unsigned long long)tensor->maximum_bytes,
                  (unsigned long long)total);
    }
  } else if (tensor->offset != 0) {
    return FAIL("tensors[%u]: the offset of an input or output is not 0", index);
  }
  if (tensor->initial == GENIE_PLAN_NONE) {
    return GENIE_OK;
  }
  if (tensor->role != GENIE_PLAN_ROLE_STATE || tensor->initial >= plan->tensor_count ||
      plan->tensors[tensor->initial].role != GENIE_PLAN_ROLE_WEIGHT ||
      plan->tensors[tensor->initial].maximum_bytes != tensor->maximum_bytes) {
    return FAIL("tensors[%u]: initial %u is not a weight of its size", index, tensor->initial);
  }
  return GENIE_OK;
}

static genie_status_t check_tensor(const genie_plan_t *plan, uint32_t index, const genie_plan_range_t *ranges) {
  const genie_plan_tensor_t *tensor = &plan->tensors[index];
  if (!genie_plan_has_string(plan, tensor->name)) {
    return FAIL("tensors[%u]: name %u is outside strings", index, tensor->name);
  }
  if (tensor->role < GENIE_PLAN_ROLE_INPUT || tensor->role > GENIE_PLAN_ROLE_WEIGHT ||
      genie_dtype_bytes((genie_dtype_t)tensor->dtype) == 0 || tensor->place >= plan->place_count) {
    return FAIL("tensors[%u]: role %u, dtype %u, place %u", index, tensor->role, tensor->dtype, tensor->place);
  }
  GENIE_RETURN_IF_ERROR(check_dims(plan, index, ranges));
  return check_storage(plan, index);
}

static int compare_states(const void *a, const void *b) {
  const genie_plan_tensor_t *lhs = *(const genie_plan_tensor_t *const *)a;
  const genie_plan_tensor_t *rhs = *(const genie_plan_tensor_t *const *)b;
  if (lhs->place != rhs->place) {
    return lhs->place < rhs->place ? -1 : 1;
  }
  return lhs->offset < rhs->offset ? -1 : lhs->offset > rhs->offset;
}

// States of a place lie beside each other; `states` has room for all tensors.
static genie_status_t check_states_disjoint(const genie_plan_t *plan, const genie_plan_tensor_t **states) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    if (plan->tensors[i].role == GENIE_PLAN_ROLE_STATE && plan->tensors[i].maximum_bytes > 0) {
      states[count++] = &plan->tensors[i];
    }
  }
  qsort(states, count, sizeof(*states), compare_states);
  for (uint32_t i = 1; i < count; ++i) {
    if (states[i - 1]->place == states[i]->place &&
        states[i - 1]->offset + states[i - 1]->maximum_bytes > states[i]->offset) {
      return FAIL("tensors[%u]: overlaps state tensors[%u]", (uint32_t)(states[i] - plan->tensors),
                  (uint32_t)(states[i - 1] - plan->tensors));
    }
  }
  return GENIE_OK;
}

//===-- Entries ---------------------------------------------------------------------------------------------------===//

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static genie_status_t check_distinct(const char **names, uint32_t count, const char *what, uint32_t index) {
  qsort(names, count, sizeof(*names), compare_names);
  for (uint32_t i = 1; i < count; ++i) {
    if (strcmp(names[i - 1], names[i]) == 0) {
      return FAIL("entries[%u]: two %s are named '%.64s'", index, what, names[i]);
    }
  }
  return GENIE_OK;
}

// A list of an entry's inputs or outputs; takes ownership of its tensors for the entry. `names` has room for all
// tensors.
static genie_status_t check_list(const genie_plan_t *plan, uint32_t entry, uint32_t first, uint32_t count,
                                 genie_plan_role_t role, uint32_t *owners, const char **names) {
  const char *what = role == GENIE_PLAN_ROLE_INPUT ? "inputs" : "outputs";
  if (!genie_plan_has_range(first, count, plan->index_count) || count > plan->tensor_count) {
    return FAIL("entries[%u]: %s %u + %u are outside indices", entry, what, first, count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t tensor = plan->indices[first + i];
    if (tensor >= plan->tensor_count || plan->tensors[tensor].role != role || owners[tensor] != GENIE_PLAN_NONE) {
      return FAIL("entries[%u]: %s[%u] is tensor %u, which is none of that role or is listed twice", entry, what, i,
                  tensor);
    }
    owners[tensor] = entry;
    names[i] = genie_plan_string(plan, plan->tensors[tensor].name);
    for (uint32_t dim = 0; dim < plan->tensors[tensor].rank; ++dim) {
      if (!genie_plan_entry_has_expr(plan, entry, plan->indices[plan->tensors[tensor].first_dim + dim])) {
        return FAIL("tensors[%u]: dimension %u is an expression of another entry", tensor, dim);
      }
    }
  }
  return check_distinct(names, count, what, entry);
}

static genie_status_t check_symbol_binding(const genie_plan_t *plan, uint32_t entry, uint32_t index,
                                           const uint32_t *owners) {
  const genie_plan_symbol_t *symbol = &plan->symbols[index];
  if (symbol->bind_tensor < plan->tensor_count && owners[symbol->bind_tensor] == entry &&
      plan->tensors[symbol->bind_tensor].role == GENIE_PLAN_ROLE_INPUT &&
      symbol->bind_dim < plan->tensors[symbol->bind_tensor].rank) {
    const genie_plan_tensor_t *tensor = &plan->tensors[symbol->bind_tensor];
    const genie_plan_expr_t *expr = &plan->exprs[plan->indices[tensor->first_dim + symbol->bind_dim]];
    if (expr->op == GENIE_PLAN_EXPR_SYMBOL && expr->lhs == index) {
      return GENIE_OK;
    }
  }
  return FAIL("symbols[%u]: is not dimension %u of input tensor %u", index, symbol->bind_dim, symbol->bind_tensor);
}

static genie_status_t check_entry(const genie_plan_t *plan, uint32_t index, uint32_t first_instruction,
                                  uint32_t *owners, const char **names) {
  const genie_plan_entry_t *entry = &plan->entries[index];
  if (!genie_plan_has_string(plan, entry->name)) {
    return FAIL("entries[%u]: name %u is outside strings", index, entry->name);
  }
  if (entry->first_instruction != first_instruction ||
      !genie_plan_has_range(first_instruction, entry->instruction_count, plan->instruction_count)) {
    return FAIL("entries[%u]: instructions %u + %u do not follow %u", index, entry->first_instruction,
                entry->instruction_count, first_instruction);
  }
  if (entry->stream_count < 1 || entry->stream_count > GENIE_PLAN_MAX_STREAMS ||
      (uint64_t)entry->stream_count * plan->place_count > GENIE_PLAN_MAX_QUEUES ||
      entry->event_count > GENIE_PLAN_MAX_EVENTS ||
      (entry->reserved[0] | entry->reserved[1] | entry->reserved[2]) != 0) {
    return FAIL("entries[%u]: %u streams, %u events", index, entry->stream_count, entry->event_count);
  }
  GENIE_RETURN_IF_ERROR(
      check_list(plan, index, entry->first_input, entry->input_count, GENIE_PLAN_ROLE_INPUT, owners, names));
  GENIE_RETURN_IF_ERROR(
      check_list(plan, index, entry->first_output, entry->output_count, GENIE_PLAN_ROLE_OUTPUT, owners, names));
  for (uint32_t i = 0; i < entry->symbol_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_symbol_binding(plan, index, entry->first_symbol + i, owners));
  }
  return GENIE_OK;
}

static genie_status_t check_entries(const genie_plan_t *plan, uint32_t *owners, const char **names) {
  uint32_t first_instruction = 0;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_entry(plan, i, first_instruction, owners, names));
    first_instruction += plan->entries[i].instruction_count;
  }
  if (first_instruction != plan->instruction_count) {
    return FAIL("instructions: %u, of which the entries have %u", plan->instruction_count, first_instruction);
  }
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    names[i] = genie_plan_string(plan, plan->entries[i].name);
  }
  return check_distinct(names, plan->entry_count, "entries", 0);
}

static genie_status_t check_transfers(const genie_plan_t *plan, const genie_plan_range_t *ranges) {
  if (plan->transfer_count > GENIE_PLAN_MAX_TRANSFERS) {
    return FAIL("transfers: %u; a plan has at most %d", plan->transfer_count, GENIE_PLAN_MAX_TRANSFERS);
  }
  for (uint32_t i = 0; i < plan->transfer_count; ++i) {
    const genie_plan_transfer_t *transfer = &plan->transfers[i];
    if (transfer->entry >= plan->entry_count || transfer->source_place >= plan->place_count ||
        transfer->destination_place >= plan->place_count || !genie_plan_has_string(plan, transfer->phase) ||
        !genie_plan_has_string(plan, transfer->name) ||
        !genie_plan_entry_has_expr(plan, transfer->entry, transfer->bytes_expr) ||
        ranges[transfer->bytes_expr].minimum < 0) {
      return FAIL("transfers[%u]: an index is out of bounds", i);
    }
    if (transfer->source_place == transfer->destination_place) {
      return FAIL("transfers[%u]: goes from place %u to itself", i, transfer->source_place);
    }
  }
  return GENIE_OK;
}

static genie_status_t check_weight_chunks(const genie_plan_t *plan) {
  const uint64_t chunks =
      plan->weights_bytes / GENIE_PLAN_WEIGHT_CHUNK_BYTES + (plan->weights_bytes % GENIE_PLAN_WEIGHT_CHUNK_BYTES != 0);
  if (plan->weight_chunk_count != chunks) {
    return FAIL("weight_chunks: %u for %llu bytes of weights", plan->weight_chunk_count,
                (unsigned long long)plan->weights_bytes);
  }
  return GENIE_OK;
}

static genie_status_t check_tensors_and_entries(const genie_plan_t *plan, const genie_plan_range_t *ranges,
                                                uint32_t *owners, void *scratch) {
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    owners[i] = GENIE_PLAN_NONE;
    GENIE_RETURN_IF_ERROR(check_tensor(plan, i, ranges));
  }
  GENIE_RETURN_IF_ERROR(check_states_disjoint(plan, scratch));
  GENIE_RETURN_IF_ERROR(check_entries(plan, owners, scratch));
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    if (plan->tensors[i].role <= GENIE_PLAN_ROLE_OUTPUT && owners[i] == GENIE_PLAN_NONE) {
      return FAIL("tensors[%u]: an input or output of no entry", i);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_plan_verify_records(const genie_plan_t *plan, const genie_plan_range_t *ranges,
                                         uint32_t *out_owners) {
  GENIE_RETURN_IF_ERROR(check_places(plan));
  GENIE_RETURN_IF_ERROR(check_kernels(plan));
  GENIE_RETURN_IF_ERROR(check_targets(plan));
  GENIE_RETURN_IF_ERROR(check_weight_chunks(plan));
  void *scratch = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, (size_t)plan->tensor_count + plan->entry_count,
                                                       sizeof(void *), &scratch));
  const genie_status_t status = check_tensors_and_entries(plan, ranges, out_owners, scratch);
  genie_allocator_free(plan->allocator, scratch);
  GENIE_RETURN_IF_ERROR(status);
  return check_transfers(plan, ranges);
}
