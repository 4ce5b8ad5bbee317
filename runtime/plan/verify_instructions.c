// Slices and instructions: operands in bounds and in scope, memory within what holds it at every size, code for every
// launch.
#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/plan/verifier.h"

enum { kMaximumFactors = 64, kMaximumSteps = 512 };

#define FAIL(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

// How a kernel is used: a bit a place that launches it, and whether it is a library's function.
typedef struct kernel_use {
  uint64_t places;
  bool is_library_function;
} kernel_use_t;

_Static_assert(GENIE_PLAN_MAX_PLACES <= 64, "a bit a place");

typedef struct scope {
  const genie_plan_t *plan;
  const genie_plan_range_t *ranges;
  const uint32_t *owners;
  kernel_use_t *kernels;  // [kernel_count]
  uint32_t entry;
  uint32_t instruction;
} scope_t;

//===-- Slices ----------------------------------------------------------------------------------------------------===//

static genie_status_t check_slice(const genie_plan_t *plan, uint32_t index, const genie_plan_range_t *ranges) {
  const genie_plan_slice_t *slice = &plan->slices[index];
  const bool is_slab = slice->space == GENIE_PLAN_SPACE_SLAB;
  if ((!is_slab && slice->space != GENIE_PLAN_SPACE_TENSOR) || slice->access < GENIE_PLAN_ACCESS_READ ||
      slice->access > GENIE_PLAN_ACCESS_BOTH || slice->index >= (is_slab ? plan->place_count : plan->tensor_count) ||
      slice->reserved != 0) {
    return FAIL("slices[%u]: space %u, access %u, index %u", index, slice->space, slice->access, slice->index);
  }
  const uint64_t total = is_slab ? plan->places[slice->index].slab_bytes : plan->tensors[slice->index].maximum_bytes;
  if (slice->offset > total || slice->maximum_bytes > total - slice->offset ||
      (is_slab && slice->offset % GENIE_PLAN_SLICE_ALIGNMENT != 0)) {
    return FAIL("slices[%u]: bytes %llu + %llu are outside the %llu of its memory or not on 64", index,
                (unsigned long long)slice->offset, (unsigned long long)slice->maximum_bytes, (unsigned long long)total);
  }
  if (slice->bytes_expr >= plan->expr_count || ranges[slice->bytes_expr].minimum < 0 ||
      (uint64_t)ranges[slice->bytes_expr].maximum > slice->maximum_bytes) {
    return FAIL("slices[%u]: bytes_expr %u can leave 0 to maximum_bytes", index, slice->bytes_expr);
  }
  if (!is_slab && slice->access != GENIE_PLAN_ACCESS_READ &&
      (plan->tensors[slice->index].role == GENIE_PLAN_ROLE_INPUT ||
       plan->tensors[slice->index].role == GENIE_PLAN_ROLE_WEIGHT)) {
    return FAIL("slices[%u]: writes tensor %u, an input or weight", index, slice->index);
  }
  return GENIE_OK;
}

// A product as a constant and sorted non-constant factors.
typedef struct product {
  int64_t constant;
  int step_count;
  int factor_count;
  uint32_t factors[kMaximumFactors];
} product_t;

// Multiplies `product` by expression `expr`, taking products apart. False when it has too many factors; the steps bound
// what a hostile plan, whose products share factors, can make of it.
static bool multiply_by(const genie_plan_t *plan, uint32_t expr, product_t *product) {
  const genie_plan_expr_t *node = &plan->exprs[expr];
  if (++product->step_count > kMaximumSteps) {
    return false;
  }
  if (node->op == GENIE_PLAN_EXPR_CONSTANT) {
    return genie_checked_mul_i64(product->constant, node->constant, &product->constant);
  }
  if (node->op == GENIE_PLAN_EXPR_MUL) {
    return multiply_by(plan, node->lhs, product) && multiply_by(plan, node->rhs, product);
  }
  if (product->factor_count == kMaximumFactors) {
    return false;
  }
  int at = product->factor_count++;
  for (; at > 0 && product->factors[at - 1] > expr; --at) {
    product->factors[at] = product->factors[at - 1];
  }
  product->factors[at] = expr;
  return true;
}

// True when `slice` of a caller's tensor ends within the bytes that the tensor has in every call.
static bool fits_at_every_size(const scope_t *scope, const genie_plan_slice_t *slice) {
  const genie_plan_t *plan = scope->plan;
  const genie_plan_tensor_t *tensor = &plan->tensors[slice->index];
  product_t whole = {.constant = (int64_t)genie_dtype_bytes((genie_dtype_t)tensor->dtype)};
  for (uint32_t dim = 0; dim < tensor->rank; ++dim) {
    if (!multiply_by(plan, plan->indices[tensor->first_dim + dim], &whole)) {
      return false;
    }
  }
  const genie_plan_range_t used = scope->ranges[slice->bytes_expr];
  if (whole.factor_count == 0) {
    return slice->offset + (uint64_t)used.maximum <= (uint64_t)whole.constant;
  }
  product_t part = {.constant = 1};
  if (slice->offset != 0 || !multiply_by(plan, slice->bytes_expr, &part) || part.constant != whole.constant ||
      part.factor_count != whole.factor_count) {
    return false;
  }
  for (int i = 0; i < part.factor_count; ++i) {
    if (part.factors[i] != whole.factors[i]) {
      return false;
    }
  }
  return true;
}

// The slice at `index` as an operand of the current instruction.
static genie_status_t check_operand(const scope_t *scope, uint32_t index) {
  const genie_plan_t *plan = scope->plan;
  if (index >= plan->slice_count) {
    return FAIL("instructions[%u]: slice %u of %u", scope->instruction, index, plan->slice_count);
  }
  const genie_plan_slice_t *slice = &plan->slices[index];
  const uint32_t place = plan->instructions[scope->instruction].place;
  const bool is_slab = slice->space == GENIE_PLAN_SPACE_SLAB;
  if ((is_slab ? slice->index : plan->tensors[slice->index].place) != place) {
    return FAIL("instructions[%u]: slice %u is at another place", scope->instruction, index);
  }
  if (!genie_plan_entry_has_expr(plan, scope->entry, slice->bytes_expr)) {
    return FAIL("instructions[%u]: the bytes of slice %u are an expression of another entry", scope->instruction,
                index);
  }
  if (is_slab || plan->tensors[slice->index].role > GENIE_PLAN_ROLE_OUTPUT) {
    return GENIE_OK;
  }
  if (scope->owners[slice->index] != scope->entry) {
    return FAIL("instructions[%u]: slice %u is of another entry's tensor", scope->instruction, index);
  }
  if (!fits_at_every_size(scope, slice)) {
    return FAIL("instructions[%u]: slice %u can be larger than its tensor in a call", scope->instruction, index);
  }
  return GENIE_OK;
}

//===-- Instructions ----------------------------------------------------------------------------------------------===//

static bool overlaps(const genie_plan_slice_t *a, const genie_plan_slice_t *b) {
  return a->maximum_bytes > 0 && b->maximum_bytes > 0 && a->space == b->space && a->index == b->index &&
         a->offset < b->offset + b->maximum_bytes && b->offset < a->offset + a->maximum_bytes;
}

// A launch may overwrite what it reads only in place: a slice that is only read and one that is only written, of one
// start.
static genie_status_t check_aliases(const scope_t *scope, uint32_t first, uint32_t count) {
  const genie_plan_t *plan = scope->plan;
  for (uint32_t i = 0; i < count; ++i) {
    const genie_plan_slice_t *a = &plan->slices[plan->indices[first + i]];
    for (uint32_t j = i + 1; j < count; ++j) {
      const genie_plan_slice_t *b = &plan->slices[plan->indices[first + j]];
      const bool is_in_place =
          a->offset == b->offset && a->access + b->access == GENIE_PLAN_ACCESS_BOTH && a->access != b->access;
      if (overlaps(a, b) && (a->access | b->access) != GENIE_PLAN_ACCESS_READ && !is_in_place) {
        return FAIL("instructions[%u]: arguments %u and %u overlap and one is written", scope->instruction, i, j);
      }
    }
  }
  return GENIE_OK;
}

static genie_status_t check_launch(const scope_t *scope, const genie_plan_instruction_t *launch) {
  const genie_plan_t *plan = scope->plan;
  if (launch->a >= plan->kernel_count || !genie_plan_has_string(plan, launch->f)) {
    return FAIL("instructions[%u]: kernel %u, module %u", scope->instruction, launch->a, launch->f);
  }
  const genie_plan_kernel_t *kernel = &plan->kernels[launch->a];
  if (!genie_plan_has_range(launch->b, kernel->arg_count, plan->index_count) ||
      !genie_plan_has_range(launch->c, kernel->dim_count, plan->index_count)) {
    return FAIL("instructions[%u]: %u arguments at %u, %u dimensions at %u are outside indices", scope->instruction,
                kernel->arg_count, launch->b, kernel->dim_count, launch->c);
  }
  for (uint32_t i = 0; i < kernel->arg_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_operand(scope, plan->indices[launch->b + i]));
  }
  for (uint32_t i = 0; i < kernel->dim_count; ++i) {
    if (!genie_plan_entry_has_expr(plan, scope->entry, plan->indices[launch->c + i])) {
      return FAIL("instructions[%u]: dimension %u is no expression of its entry", scope->instruction, i);
    }
  }
  if (!genie_plan_entry_has_expr(plan, scope->entry, launch->d) || scope->ranges[launch->d].minimum < 0) {
    return FAIL("instructions[%u]: grid %u is no expression of its entry or can be negative", scope->instruction,
                launch->d);
  }
  if (launch->opcode == GENIE_PLAN_OPCODE_LIBRARY_CALL) {
    scope->kernels[launch->a].is_library_function = true;
    if (scope->ranges[launch->d].minimum != 1 || scope->ranges[launch->d].maximum != 1) {
      return FAIL("instructions[%u]: the grid of a library call is not 1", scope->instruction);
    }
  } else {
    scope->kernels[launch->a].places |= (uint64_t)1 << launch->place;
  }
  return check_aliases(scope, launch->b, kernel->arg_count);
}

static genie_status_t check_copy(const scope_t *scope, const genie_plan_instruction_t *copy) {
  GENIE_RETURN_IF_ERROR(check_operand(scope, copy->a));
  GENIE_RETURN_IF_ERROR(check_operand(scope, copy->b));
  const genie_plan_slice_t *source = &scope->plan->slices[copy->a];
  const genie_plan_slice_t *destination = &scope->plan->slices[copy->b];
  if (source->access != GENIE_PLAN_ACCESS_READ || destination->access != GENIE_PLAN_ACCESS_WRITE ||
      source->bytes_expr != destination->bytes_expr || overlaps(source, destination) ||
      (copy->c | copy->d | copy->e | copy->f) != 0) {
    return FAIL("instructions[%u]: slices %u and %u are no source and destination of equal bytes", scope->instruction,
                copy->a, copy->b);
  }
  return GENIE_OK;
}

// A SEND reads its slice at the transfer's source, a RECEIVE writes it at the destination.
static genie_status_t check_message(const scope_t *scope, const genie_plan_instruction_t *message) {
  const genie_plan_t *plan = scope->plan;
  const bool is_send = message->opcode == GENIE_PLAN_OPCODE_SEND;
  GENIE_RETURN_IF_ERROR(check_operand(scope, message->a));
  if (message->b >= plan->transfer_count || plan->transfers[message->b].entry != scope->entry ||
      (message->c | message->d | message->e | message->f) != 0) {
    return FAIL("instructions[%u]: transfer %u is none of its entry", scope->instruction, message->b);
  }
  const genie_plan_transfer_t *transfer = &plan->transfers[message->b];
  const genie_plan_slice_t *slice = &plan->slices[message->a];
  if (message->place != (is_send ? transfer->source_place : transfer->destination_place)) {
    return FAIL("instructions[%u]: transfer %u goes from place %u to %u, not %s %u", scope->instruction, message->b,
                transfer->source_place, transfer->destination_place, is_send ? "from" : "to", message->place);
  }
  if (slice->access != (is_send ? GENIE_PLAN_ACCESS_READ : GENIE_PLAN_ACCESS_WRITE) ||
      slice->bytes_expr != transfer->bytes_expr) {
    return FAIL("instructions[%u]: slice %u does not %s the bytes of transfer %u", scope->instruction, message->a,
                is_send ? "read" : "write", message->b);
  }
  return GENIE_OK;
}

static genie_status_t check_event(const scope_t *scope, const genie_plan_instruction_t *instruction) {
  const genie_plan_entry_t *entry = &scope->plan->entries[scope->entry];
  if (instruction->a >= entry->event_count ||
      (instruction->b | instruction->c | instruction->d | instruction->e | instruction->f) != 0) {
    return FAIL("instructions[%u]: event %u of %u", scope->instruction, instruction->a, entry->event_count);
  }
  return GENIE_OK;
}

static const char *opcode_name(uint16_t opcode) {
  switch (opcode) {
#define GENIE_PLAN_INSTRUCTION(enumerator, name, number) \
  case number:                                           \
    return #name;
#include "runtime/plan/instruction.def"
#undef GENIE_PLAN_INSTRUCTION
  }
  return "unknown";
}

static genie_status_t check_instruction(const scope_t *scope) {
  const genie_plan_instruction_t *instruction = &scope->plan->instructions[scope->instruction];
  if (instruction->place >= scope->plan->place_count ||
      instruction->stream >= scope->plan->entries[scope->entry].stream_count) {
    return FAIL("instructions[%u]: place %u, stream %u", scope->instruction, instruction->place, instruction->stream);
  }
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
    case GENIE_PLAN_OPCODE_LIBRARY_CALL:
      return check_launch(scope, instruction);
    case GENIE_PLAN_OPCODE_COPY:
      return check_copy(scope, instruction);
    case GENIE_PLAN_OPCODE_SEND:
    case GENIE_PLAN_OPCODE_RECEIVE:
      return check_message(scope, instruction);
    case GENIE_PLAN_OPCODE_SIGNAL:
    case GENIE_PLAN_OPCODE_WAIT:
      return check_event(scope, instruction);
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "instructions[%u]: %s (opcode %u) is not executed by this Genie",
                           scope->instruction, opcode_name(instruction->opcode), instruction->opcode);
}

//===-- Code ------------------------------------------------------------------------------------------------------===//

static bool has_place_of_kind(const genie_plan_t *plan, uint64_t places, const char *kind) {
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    if ((places >> i & 1) != 0 && strcmp(genie_plan_string(plan, plan->places[i].device_kind), kind) == 0) {
      return true;
    }
  }
  return false;
}

// Every target has code for what places of its kind launch, and none for a library's function.
static genie_status_t check_code(const genie_plan_t *plan, const kernel_use_t *kernels) {
  for (uint32_t target = 0; target < plan->target_count; ++target) {
    const char *kind = genie_plan_string(plan, plan->targets[target].device_kind);
    const uint64_t *offsets = genie_plan_code_offsets(plan, target);
    for (uint32_t i = 0; i < plan->kernel_count; ++i) {
      const bool has_code = offsets[i] != GENIE_PLAN_NO_CODE;
      if (kernels[i].is_library_function && (has_code || kernels[i].places != 0)) {
        return FAIL("kernels[%u]: is a library's function and has code or is launched", i);
      }
      if (!has_code && has_place_of_kind(plan, kernels[i].places, kind)) {
        return FAIL("targets[%u] has no code for kernel %u, which a place of kind '%.32s' launches", target, i, kind);
      }
    }
  }
  return GENIE_OK;
}

static genie_status_t check_all(const genie_plan_t *plan, const genie_plan_range_t *ranges, const uint32_t *owners,
                                kernel_use_t *kernels) {
  for (uint32_t i = 0; i < plan->slice_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_slice(plan, i, ranges));
  }
  for (uint32_t entry = 0; entry < plan->entry_count; ++entry) {
    const uint32_t first = plan->entries[entry].first_instruction;
    for (uint32_t i = 0; i < plan->entries[entry].instruction_count; ++i) {
      const scope_t scope = {plan, ranges, owners, kernels, entry, first + i};
      GENIE_RETURN_IF_ERROR(check_instruction(&scope));
    }
  }
  return check_code(plan, kernels);
}

genie_status_t genie_plan_verify_instructions(const genie_plan_t *plan, const genie_plan_range_t *ranges,
                                              const uint32_t *owners) {
  void *kernels = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(plan->allocator, plan->kernel_count + (size_t)1, sizeof(kernel_use_t), &kernels));
  const genie_status_t status = check_all(plan, ranges, owners, kernels);
  genie_allocator_free(plan->allocator, kernels);
  return status;
}
