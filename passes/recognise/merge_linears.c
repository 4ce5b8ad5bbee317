// merge-linears: the query, key and value products of one input become one product, whose result attention reads in
// slices: the input is packed once, and one kernel runs instead of three.
#include <string.h>

#include "passes/graph/rewrite.h"

enum { MAX_MERGED = 8 };

typedef struct merge {
  MlirOperation linears[MAX_MERGED];
  int count;
} merge_t;

static MlirValue operand(MlirOperation op, intptr_t index) {
  return mlirOperationGetOperand(op, index);
}

// True when all that reads `value`, through reshapes and permutes, is attention as query, key or value.
static bool feeds_attention_only(MlirValue value) {
  MlirOpOperand use = mlirValueGetFirstUse(value);
  if (mlirOpOperandIsNull(use)) {
    return false;
  }
  for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (genie_op_is(user, "genie.reshape") || genie_op_is(user, "genie.permute")) {
      if (!feeds_attention_only(genie_rewrite_result(user))) {
        return false;
      }
    } else if (!genie_op_is(user, "genie.attention") || mlirOpOperandGetOperandNumber(use) > 2) {
      return false;
    }
  }
  return true;
}

// A product with weights of its own, which nobody else reads.
static bool is_candidate(MlirOperation op, MlirValue x) {
  if (!genie_op_is(op, "genie.linear") || !mlirValueEqual(operand(op, 0), x)) {
    return false;
  }
  for (intptr_t i = 1; i < mlirOperationGetNumOperands(op); ++i) {
    if (!genie_ir_is_compile_time(operand(op, i)) || !genie_rewrite_has_one_use(operand(op, i))) {
      return false;
    }
  }
  return feeds_attention_only(genie_rewrite_result(op));
}

static bool is_alike(MlirOperation a, MlirOperation b) {
  return mlirOperationGetNumOperands(a) == mlirOperationGetNumOperands(b) &&
         genie_value_type(operand(a, 1)).dtype == genie_value_type(operand(b, 1)).dtype;
}

// The products of `first`'s input that can become one with it, in the order of the block.
static merge_t find_merge(MlirOperation first) {
  const MlirValue x = operand(first, 0);
  merge_t merge = {.linears = {first}, .count = 1};
  for (MlirOpOperand use = mlirValueGetFirstUse(x); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (merge.count < MAX_MERGED && !mlirOperationEqual(user, first) && is_candidate(user, x) &&
        is_alike(first, user) && mlirOperationIsBeforeInBlock(first, user)) {
      int at = merge.count++;
      for (; at > 1 && mlirOperationIsBeforeInBlock(user, merge.linears[at - 1]); --at) {
        merge.linears[at] = merge.linears[at - 1];
      }
      merge.linears[at] = user;
    }
  }
  return merge;
}

static genie_status_t join_operands(const merge_t *merge, intptr_t index, MlirValue *out_joined) {
  MlirValue parts[MAX_MERGED];
  for (int i = 0; i < merge->count; ++i) {
    parts[i] = operand(merge->linears[i], index);
  }
  const genie_ir_attribute_t axis = {"axis", genie_ir_i64_attr(mlirOperationGetContext(merge->linears[0]), 0)};
  return genie_rewrite_make(merge->linears[0], "genie.concat", merge->count, parts, 1, &axis, out_joined);
}

static genie_status_t apply(const merge_t *merge) {
  const MlirOperation first = merge->linears[0];
  const bool has_bias = mlirOperationGetNumOperands(first) == 3;
  MlirValue operands[3] = {operand(first, 0)}, whole;
  GENIE_RETURN_IF_ERROR(join_operands(merge, 1, &operands[1]));
  if (has_bias) {
    GENIE_RETURN_IF_ERROR(join_operands(merge, 2, &operands[2]));
  }
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(first, "genie.linear", 3, operands, 0, NULL, &whole));
  return genie_rewrite_replace_by_slices(first, whole, genie_value_type(whole).rank - 1, merge->count, merge->linears);
}

static genie_status_t merge_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  for (int i = 0; status == GENIE_OK && i < list.count; ++i) {
    const MlirOperation op = list.ops[i];
    if (genie_op_is(op, "genie.linear") && is_candidate(op, operand(op, 0))) {
      const merge_t merge = find_merge(op);
      status = merge.count > 1 ? apply(&merge) : GENIE_OK;
    }
  }
  genie_arena_deinit(&arena);
  return status == GENIE_OK ? genie_rewrite_erase_dead(genie_rewrite_body(function)) : status;
}

genie_status_t genie_pass_merge_linears(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, merge_in_function);
}
