// Symbols and expressions: every node refers to earlier ones, and no value over the symbols' ranges overflows.
#include "runtime/base/checked_math.h"
#include "runtime/plan/verifier.h"

static genie_status_t fail_expr(uint32_t index, const char *what) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "exprs[%u]: %s", index, what);
}

static genie_status_t check_symbol(const genie_plan_t *plan, uint32_t index) {
  const genie_plan_symbol_t *symbol = &plan->symbols[index];
  if (!genie_plan_has_string(plan, symbol->name)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "symbols[%u]: name %u is outside strings", index,
                             symbol->name);
  }
  if (symbol->minimum < 0 || symbol->maximum < symbol->minimum || symbol->multiple < 1) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "symbols[%u]: range %lld to %lld in multiples of %lld",
                             index, (long long)symbol->minimum, (long long)symbol->maximum,
                             (long long)symbol->multiple);
  }
  return GENIE_OK;
}

// Node `index`, in whose scope are the common nodes and those from `first` on.
static genie_status_t check_node(const genie_plan_t *plan, uint32_t index, uint32_t first, uint32_t first_symbol,
                                 uint32_t symbol_count, genie_plan_range_t *ranges) {
  const genie_plan_expr_t *node = &plan->exprs[index];
  const uint32_t common = plan->entries[0].first_expr;
  if (node->reserved != 0) {
    return fail_expr(index, "reserved is not zero");
  }
  if (node->op == GENIE_PLAN_EXPR_CONSTANT) {
    ranges[index] = (genie_plan_range_t){node->constant, node->constant};
    return GENIE_OK;
  }
  if (node->op == GENIE_PLAN_EXPR_SYMBOL) {
    if (node->lhs < first_symbol || node->lhs - first_symbol >= symbol_count) {
      return fail_expr(index, "names a symbol that is not its entry's");
    }
    ranges[index] = (genie_plan_range_t){plan->symbols[node->lhs].minimum, plan->symbols[node->lhs].maximum};
    return GENIE_OK;
  }
  if (node->op < GENIE_PLAN_EXPR_CONSTANT || node->op > GENIE_PLAN_EXPR_MAX) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "exprs[%u]: operator %u needs a newer Genie", index, node->op);
  }
  const uint32_t operands[2] = {node->lhs, node->rhs};
  for (int i = 0; i < 2; ++i) {
    if (operands[i] >= index || (operands[i] >= common && operands[i] < first)) {
      return fail_expr(index, "an operand is not an earlier node of its entry");
    }
  }
  return genie_plan_range_combine(node->op, ranges[node->lhs], ranges[node->rhs], &ranges[index])
             ? GENIE_OK
             : fail_expr(index, "could overflow or divide by less than 1 over the symbols' ranges");
}

static genie_status_t check_entry(const genie_plan_t *plan, uint32_t index, uint32_t first_expr, uint32_t first_symbol,
                                  genie_plan_range_t *ranges) {
  const genie_plan_entry_t *entry = &plan->entries[index];
  if (entry->first_expr != first_expr || !genie_plan_has_range(first_expr, entry->expr_count, plan->expr_count)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entries[%u]: expressions %u + %u do not follow %u", index,
                             entry->first_expr, entry->expr_count, first_expr);
  }
  if (entry->first_symbol != first_symbol || entry->symbol_count > GENIE_PLAN_MAX_SYMBOLS ||
      !genie_plan_has_range(first_symbol, entry->symbol_count, plan->symbol_count)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entries[%u]: symbols %u + %u do not follow %u, at most %d",
                             index, entry->first_symbol, entry->symbol_count, first_symbol, GENIE_PLAN_MAX_SYMBOLS);
  }
  for (uint32_t i = 0; i < entry->symbol_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_symbol(plan, first_symbol + i));
    if (plan->symbols[first_symbol + i].entry != index) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "symbols[%u]: entry is not %u", first_symbol + i, index);
    }
  }
  for (uint32_t i = 0; i < entry->expr_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_node(plan, first_expr + i, first_expr, first_symbol, entry->symbol_count, ranges));
  }
  return GENIE_OK;
}

genie_status_t genie_plan_verify_exprs(const genie_plan_t *plan, genie_plan_range_t *out_ranges) {
  const uint32_t common = plan->entries[0].first_expr;
  if (common > plan->expr_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entries[0]: first expression %u of %u", common,
                             plan->expr_count);
  }
  for (uint32_t i = 0; i < common; ++i) {
    if (plan->exprs[i].op != GENIE_PLAN_EXPR_CONSTANT) {
      return fail_expr(i, "is common to all entries and no constant");
    }
    GENIE_RETURN_IF_ERROR(check_node(plan, i, 0, 0, 0, out_ranges));
  }
  uint32_t first_expr = common;
  uint32_t first_symbol = 0;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_entry(plan, i, first_expr, first_symbol, out_ranges));
    first_expr += plan->entries[i].expr_count;
    first_symbol += plan->entries[i].symbol_count;
  }
  if (first_expr != plan->expr_count || first_symbol != plan->symbol_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "exprs or symbols beyond those of the entries");
  }
  return GENIE_OK;
}
