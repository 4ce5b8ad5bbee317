#include "codegen/plan/size_table.h"

#include <string.h>

enum { kInitialNodes = 64 };

void genie_size_table_init(genie_arena_t *arena, MlirOperation function, genie_size_table_t *out_table) {
  *out_table = (genie_size_table_t){.arena = arena, .function = function};
  out_table->symbol_count = genie_ir_symbols_get(function, out_table->symbols);
}

static uint64_t hash_node(const genie_size_node_t *node) {
  uint64_t hash = node->op;
  hash = hash * 0x9e3779b97f4a7c15ull + (uint64_t)node->lhs;
  hash = hash * 0x9e3779b97f4a7c15ull + (uint64_t)node->rhs;
  hash = hash * 0x9e3779b97f4a7c15ull + (uint64_t)node->constant;
  return hash ^ hash >> 29;
}

static int *find_slot(const genie_size_table_t *table, const genie_size_node_t *node) {
  for (uint64_t at = hash_node(node);; ++at) {
    int *slot = &table->slots[at & (uint64_t)(table->slot_count - 1)];
    const genie_size_node_t *other = &table->nodes[*slot - 1];
    if (*slot == 0 || (other->op == node->op && other->lhs == node->lhs && other->rhs == node->rhs &&
                       other->constant == node->constant)) {
      return slot;
    }
  }
}

static genie_status_t grow(genie_size_table_t *table) {
  const int capacity = table->capacity == 0 ? kInitialNodes : 2 * table->capacity;
  void *nodes = NULL;
  void *slots = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(table->arena, (size_t)capacity, sizeof(genie_size_node_t), &nodes));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(table->arena, (size_t)capacity * 2, sizeof(int), &slots));
  if (table->count > 0) {
    memcpy(nodes, table->nodes, (size_t)table->count * sizeof(genie_size_node_t));
  }
  table->nodes = nodes;
  table->capacity = capacity;
  table->slots = slots;
  table->slot_count = capacity * 2;
  for (int i = 0; i < table->count; ++i) {
    *find_slot(table, &table->nodes[i]) = i + 1;
  }
  return GENIE_OK;
}

static genie_status_t intern(genie_size_table_t *table, const genie_size_node_t *node, int *out_node) {
  if (table->count == table->capacity) {
    GENIE_RETURN_IF_ERROR(grow(table));
  }
  int *slot = find_slot(table, node);
  if (*slot == 0) {
    table->nodes[table->count] = *node;
    *slot = ++table->count;
  }
  *out_node = *slot - 1;
  return GENIE_OK;
}

genie_status_t genie_size_table_constant(genie_size_table_t *table, int64_t value, int *out_node) {
  const genie_size_node_t node = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = value, .range = {value, value}};
  return intern(table, &node, out_node);
}

genie_status_t genie_size_table_symbol(genie_size_table_t *table, int symbol, int *out_node) {
  const genie_size_node_t node = {.op = GENIE_PLAN_EXPR_SYMBOL,
                                  .lhs = symbol,
                                  .range = {table->symbols[symbol].minimum, table->symbols[symbol].maximum}};
  return intern(table, &node, out_node);
}

static genie_status_t fail_overflow(const genie_size_table_t *table) {
  char place[256];
  genie_ir_describe_location(mlirOperationGetLocation(table->function), sizeof(place), place);
  for (int i = 0; i < table->symbol_count; ++i) {
    if (table->symbols[i].maximum > INT32_MAX) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "%s: size %s has no upper bound: export the model with torch.export.Dim(..., max=...)",
                               place, table->symbols[i].name);
    }
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "%s: a size overflows 64 bits at the upper bounds of the dynamic dimensions: lower them",
                           place);
}

genie_status_t genie_size_table_combine(genie_size_table_t *table, genie_plan_expr_op_t op, int lhs, int rhs,
                                        int *out_node) {
  genie_size_node_t node = {.op = op, .lhs = lhs, .rhs = rhs};
  if (!genie_plan_range_combine(op, table->nodes[lhs].range, table->nodes[rhs].range, &node.range)) {
    return fail_overflow(table);
  }
  const bool is_constant = table->nodes[lhs].op == GENIE_PLAN_EXPR_CONSTANT &&
                           table->nodes[rhs].op == GENIE_PLAN_EXPR_CONSTANT && node.range.minimum == node.range.maximum;
  if (is_constant) {
    return genie_size_table_constant(table, node.range.minimum, out_node);
  }
  if (op == GENIE_PLAN_EXPR_MUL && table->nodes[lhs].op == GENIE_PLAN_EXPR_CONSTANT &&
      table->nodes[lhs].constant == 1) {
    *out_node = rhs;
    return GENIE_OK;
  }
  return intern(table, &node, out_node);
}

static genie_status_t binary_op_of(const genie_size_table_t *table, MlirAffineExpr expr, genie_plan_expr_op_t *out_op) {
  if (mlirAffineExprIsAAdd(expr)) {
    *out_op = GENIE_PLAN_EXPR_ADD;
  } else if (mlirAffineExprIsAMul(expr)) {
    *out_op = GENIE_PLAN_EXPR_MUL;
  } else if (mlirAffineExprIsAFloorDiv(expr)) {
    *out_op = GENIE_PLAN_EXPR_FLOORDIV;
  } else if (mlirAffineExprIsACeilDiv(expr)) {
    *out_op = GENIE_PLAN_EXPR_CEILDIV;
  } else if (mlirAffineExprIsAMod(expr)) {
    *out_op = GENIE_PLAN_EXPR_MOD;
  } else {
    char place[256];
    genie_ir_describe_location(mlirOperationGetLocation(table->function), sizeof(place), place);
    return genie_status_make(GENIE_STATUS_INTERNAL, "%s: a size is no expression over symbols", place);
  }
  return GENIE_OK;
}

genie_status_t genie_size_table_affine(genie_size_table_t *table, MlirAffineExpr expr, int *out_node) {
  if (mlirAffineExprIsAConstant(expr)) {
    return genie_size_table_constant(table, mlirAffineConstantExprGetValue(expr), out_node);
  }
  if (mlirAffineExprIsASymbol(expr) && mlirAffineSymbolExprGetPosition(expr) < table->symbol_count) {
    return genie_size_table_symbol(table, (int)mlirAffineSymbolExprGetPosition(expr), out_node);
  }
  genie_plan_expr_op_t op = GENIE_PLAN_EXPR_ADD;
  GENIE_RETURN_IF_ERROR(binary_op_of(table, expr, &op));
  int lhs = 0;
  int rhs = 0;
  GENIE_RETURN_IF_ERROR(genie_size_table_affine(table, mlirAffineBinaryOpExprGetLHS(expr), &lhs));
  GENIE_RETURN_IF_ERROR(genie_size_table_affine(table, mlirAffineBinaryOpExprGetRHS(expr), &rhs));
  return genie_size_table_combine(table, op, lhs, rhs, out_node);
}

genie_status_t genie_size_table_bytes(genie_size_table_t *table, MlirType type, int *out_node) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  int bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_size_table_constant(table, (int64_t)genie_dtype_bytes(tensor.dtype), &bytes));
  // Constants first, so that they fold into one factor.
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < tensor.rank; ++i) {
      if (mlirAffineExprIsAConstant(tensor.dims[i]) != (pass == 0)) {
        continue;
      }
      int dim = 0;
      GENIE_RETURN_IF_ERROR(genie_size_table_affine(table, tensor.dims[i], &dim));
      if (table->nodes[dim].range.minimum < 0) {
        return genie_status_make(
            GENIE_STATUS_INVALID_ARGUMENT,
            "dimension %d of a tensor can be negative (down to %lld) within the sizes' ranges: raise "
            "the lower bounds of the dynamic dimensions",
            i, (long long)table->nodes[dim].range.minimum);
      }
      GENIE_RETURN_IF_ERROR(genie_size_table_combine(table, GENIE_PLAN_EXPR_MUL, bytes, dim, &bytes));
    }
  }
  *out_node = bytes;
  return GENIE_OK;
}
