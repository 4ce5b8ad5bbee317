// Values of size expressions. Verified plans cannot overflow here: verify_exprs.c bounds every node.
#include "runtime/base/checked_math.h"
#include "runtime/plan/reader.h"

static int64_t evaluate_node(const genie_plan_expr_t *node, const int64_t *symbol_values, uint32_t first_symbol,
                             const int64_t *values) {
  switch (node->op) {
    case GENIE_PLAN_EXPR_CONSTANT:
      return node->constant;
    case GENIE_PLAN_EXPR_SYMBOL:
      return symbol_values[node->lhs - first_symbol];
    case GENIE_PLAN_EXPR_ADD:
      return values[node->lhs] + values[node->rhs];
    case GENIE_PLAN_EXPR_MUL:
      return values[node->lhs] * values[node->rhs];
    case GENIE_PLAN_EXPR_FLOORDIV:
      return genie_floor_div_i64(values[node->lhs], values[node->rhs]);
    case GENIE_PLAN_EXPR_CEILDIV:
      return -genie_floor_div_i64(-values[node->lhs], values[node->rhs]);
    case GENIE_PLAN_EXPR_MOD:
      return genie_floor_mod_i64(values[node->lhs], values[node->rhs]);
    case GENIE_PLAN_EXPR_MIN:
      return values[node->lhs] < values[node->rhs] ? values[node->lhs] : values[node->rhs];
    case GENIE_PLAN_EXPR_MAX:
      return values[node->lhs] > values[node->rhs] ? values[node->lhs] : values[node->rhs];
  }
  return 0;
}

void genie_plan_evaluate(const genie_plan_t *plan, uint32_t entry, const int64_t *symbol_values, int64_t *out_values) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  const uint32_t common = plan->entries[0].first_expr;
  for (uint32_t i = 0; i < common; ++i) {
    out_values[i] = plan->exprs[i].constant;
  }
  for (uint32_t i = record->first_expr; i < record->first_expr + record->expr_count; ++i) {
    out_values[i] = evaluate_node(&plan->exprs[i], symbol_values, record->first_symbol, out_values);
  }
}

static bool is_in_range(const genie_plan_symbol_t *symbol, int64_t value) {
  return value >= symbol->minimum && value <= symbol->maximum && value % symbol->multiple == 0;
}

genie_status_t genie_plan_check_symbols(const genie_plan_t *plan, uint32_t entry, const int64_t *symbol_values,
                                        uint32_t count) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  if (count != record->symbol_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "entry '%s' has %u sizes, but %u are given",
                             genie_plan_string(plan, record->name), record->symbol_count, count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const genie_plan_symbol_t *symbol = &plan->symbols[record->first_symbol + i];
    if (!is_in_range(symbol, symbol_values[i])) {
      return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                               "size %s is %lld; it must be %lld to %lld, a multiple of %lld",
                               genie_plan_string(plan, symbol->name), (long long)symbol_values[i],
                               (long long)symbol->minimum, (long long)symbol->maximum, (long long)symbol->multiple);
    }
  }
  return GENIE_OK;
}

// The value of a symbol from the input dimension that binds it, checked against its range.
static genie_status_t bind_symbol(const genie_plan_t *plan, const genie_plan_entry_t *entry,
                                  const genie_plan_symbol_t *symbol, const int64_t *const *input_dims,
                                  int64_t *out_value) {
  uint32_t position = 0;
  while (plan->indices[entry->first_input + position] != symbol->bind_tensor) {
    ++position;
  }
  const int64_t value = input_dims[position][symbol->bind_dim];
  if (!is_in_range(symbol, value)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "input '%s': dimension %u is %lld; the plan takes %lld to %lld in multiples of %lld",
                             genie_plan_string(plan, plan->tensors[symbol->bind_tensor].name), symbol->bind_dim,
                             (long long)value, (long long)symbol->minimum, (long long)symbol->maximum,
                             (long long)symbol->multiple);
  }
  *out_value = value;
  return GENIE_OK;
}

static genie_status_t check_input(const genie_plan_t *plan, const genie_plan_tensor_t *tensor, const int64_t *dims,
                                  const int64_t *values) {
  for (uint32_t dim = 0; dim < tensor->rank; ++dim) {
    const int64_t expected = values[plan->indices[tensor->first_dim + dim]];
    if (dims[dim] != expected) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "input '%s': dimension %u is %lld; it must be %lld",
                               genie_plan_string(plan, tensor->name), dim, (long long)dims[dim], (long long)expected);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_plan_bind(const genie_plan_t *plan, uint32_t entry, const int64_t *const *input_dims,
                               int64_t *out_values) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  int64_t symbol_values[GENIE_PLAN_MAX_SYMBOLS];
  for (uint32_t i = 0; i < record->symbol_count; ++i) {
    GENIE_RETURN_IF_ERROR(
        bind_symbol(plan, record, &plan->symbols[record->first_symbol + i], input_dims, &symbol_values[i]));
  }
  genie_plan_evaluate(plan, entry, symbol_values, out_values);
  for (uint32_t i = 0; i < record->input_count; ++i) {
    const genie_plan_tensor_t *tensor = &plan->tensors[plan->indices[record->first_input + i]];
    GENIE_RETURN_IF_ERROR(check_input(plan, tensor, input_dims[i], out_values));
  }
  return GENIE_OK;
}
