// What a plan ships as weights: the distinct compile-time values that an entry reads at run time.
//
// A compile-time value is a weight argument, a constant, or an op whose operands are such. Two are one weight when the
// same ops compute them from the same file ranges, in whichever entry. Made alike by codegen/plan, which places the
// weights, and codegen/emit, which evaluates them: the order is that of first use.
#ifndef GENIE_CODEGEN_PLAN_WEIGHT_TABLE_H_
#define GENIE_CODEGEN_PLAN_WEIGHT_TABLE_H_

#include "codegen/plan/value_map.h"
#include "ir/genie_ir.h"

typedef struct genie_weight {
  const char *name;  // of the weight that it is made of: "layer.0.weight", "layer.0.weight:pack"
  MlirType type;
  MlirValue value;       // one that has these bytes; null when `symbol` is only a state's initial value
  MlirOperation symbol;  // its genie.weight; null when it is computed
  uint64_t offset;       // into the plan's weights, a multiple of 64
  uint64_t size_bytes;
} genie_weight_t;

typedef struct genie_weight_table {
  genie_weight_t *weights;
  int count;
  uint64_t size_bytes;  // of all, with their padding
  genie_arena_t arena;
  MlirSymbolTable symbols;    // of the module
  genie_value_map_t numbers;  // of values: their expression
  struct genie_weight_expression *expressions;
  int expression_count, expression_capacity;
} genie_weight_table_t;

// `module` outlives the table. INVALID_ARGUMENT names a weight symbol that does not exist.
genie_status_t genie_weight_table_create(MlirModule module, genie_weight_table_t **out_table) GENIE_MUST_USE;
void genie_weight_table_destroy(genie_weight_table_t *table);

// The weight that holds `value`; NULL when it is a run-time value or no entry reads it.
const genie_weight_t *genie_weight_table_find(const genie_weight_table_t *table, MlirValue value);

// True when the value is known when the plan is made.
bool genie_weight_table_is_known(const genie_weight_table_t *table, MlirValue value);

// The weight of a genie.weight symbol; NULL when nothing at run time reads it. A state whose initial value is all zeros
// does not.
const genie_weight_t *genie_weight_table_find_symbol(const genie_weight_table_t *table, MlirOperation symbol);

// The op `name` in the body of the module (a genie.weight or genie.state), or null.
MlirOperation genie_weight_table_lookup(const genie_weight_table_t *table, MlirStringRef name);

#endif  // GENIE_CODEGEN_PLAN_WEIGHT_TABLE_H_
