// The size expressions of one entry: distinct nodes with their ranges, from MLIR's affine expressions.
//
// Nodes are numbered; operands have smaller numbers. Equal expressions have equal numbers.
#ifndef GENIE_CODEGEN_PLAN_SIZE_TABLE_H_
#define GENIE_CODEGEN_PLAN_SIZE_TABLE_H_

#include "ir/genie_ir.h"
#include "runtime/base/arena.h"
#include "runtime/plan/format.h"
#include "runtime/plan/range.h"

typedef struct genie_size_node {
  uint32_t op;   // genie_plan_expr_op_t
  int lhs, rhs;  // nodes; SYMBOL: lhs is the symbol's number
  int64_t constant;
  genie_plan_range_t range;
  MlirValue value;  // null until the plan's builder made an op of it
} genie_size_node_t;

typedef struct genie_size_table {
  genie_arena_t *arena;
  MlirOperation function;
  int symbol_count;
  genie_ir_symbol_t symbols[GENIE_IR_MAX_SYMBOLS];
  genie_size_node_t *nodes;
  int count, capacity;
  int *slots;  // open addressing: node + 1
  int slot_count;
} genie_size_table_t;

// The symbols are those of `function`, a func.func; the memory is the arena's.
void genie_size_table_init(genie_arena_t *arena, MlirOperation function, genie_size_table_t *out_table);

// INVALID_ARGUMENT when a value could overflow 64 bits over the symbols' ranges: a symbol needs a smaller upper bound.
genie_status_t genie_size_table_constant(genie_size_table_t *table, int64_t value, int *out_node) GENIE_MUST_USE;
genie_status_t genie_size_table_symbol(genie_size_table_t *table, int symbol, int *out_node) GENIE_MUST_USE;
genie_status_t genie_size_table_combine(genie_size_table_t *table, genie_plan_expr_op_t op, int lhs, int rhs,
                                        int *out_node) GENIE_MUST_USE;
genie_status_t genie_size_table_affine(genie_size_table_t *table, MlirAffineExpr expr, int *out_node) GENIE_MUST_USE;

// The bytes of a tensor type as the product of its dimensions and its element size. INVALID_ARGUMENT also when a
// dimension can be negative.
genie_status_t genie_size_table_bytes(genie_size_table_t *table, MlirType type, int *out_node) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_PLAN_SIZE_TABLE_H_
