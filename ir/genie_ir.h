// The `genie` dialect as C sees it: context, op table, tensor types with symbolic dimensions, builders and accessors.
//
// Ownership is MLIR's: operations belong to their block, types and attributes to the context. Nothing here is
// thread-safe; contexts are single-threaded. Failures that a user can cause are statuses with the op's source location
// in the message; a broken IR invariant is an assertion.
#ifndef GENIE_IR_GENIE_IR_H_
#define GENIE_IR_GENIE_IR_H_

#include <mlir-c/AffineExpr.h>
#include <mlir-c/AffineMap.h>
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <mlir-c/IR.h>

#include "genie/dtype.h"
#include "runtime/base/status.h"

enum { GENIE_IR_MAX_RANK = 8, GENIE_IR_MAX_RESULTS = 8, GENIE_IR_MAX_SYMBOLS = 64 };

//===-- Context ---------------------------------------------------------------------------------------------------===//

// A context without threads that has func, genie and gplan loaded. Release with mlirContextDestroy().
MlirContext genie_ir_context_create(void);

// Collects the diagnostics that MLIR reports while `capture` is attached (parse and verify errors with locations).
typedef struct genie_ir_diagnostics genie_ir_diagnostics_t;
genie_status_t genie_ir_diagnostics_create(MlirContext context, genie_ir_diagnostics_t **out_capture) GENIE_MUST_USE;
// INVALID_ARGUMENT with the first error and its location, or GENIE_OK when none was reported since the last call.
genie_status_t genie_ir_diagnostics_take(genie_ir_diagnostics_t *capture) GENIE_MUST_USE;
void genie_ir_diagnostics_destroy(genie_ir_diagnostics_t *capture);

// Verifies `operation` and all inside; the first error as a status.
genie_status_t genie_ir_verify(MlirOperation operation) GENIE_MUST_USE;

//===-- Op table --------------------------------------------------------------------------------------------------===//

typedef struct genie_op_info genie_op_info_t;

// What a shape rule works from. `operand_types` has one entry for each operand of the table, null for an absent
// optional one; a variadic operand, always the last, contributes as many as there are. `stated_types` are the result
// types that the op states, or NULL: a rule that cannot infer them then refuses.
typedef struct genie_shape_query {
  const genie_op_info_t *info;
  MlirContext context;
  intptr_t operand_count;
  const MlirType *operand_types;
  MlirAttribute attributes;  // a dictionary
  const MlirType *stated_types;
} genie_shape_query_t;

// Writes the `info->result_count` result types. INVALID_ARGUMENT says in one line what is wrong, without the op's name.
typedef genie_status_t (*genie_shape_rule_fn_t)(const genie_shape_query_t *query, MlirType *out_types);

// Work of one execution at the upper bound of all symbols: floating-point operations, bytes read, bytes written.
typedef struct genie_op_cost {
  double flops;
  double read_bytes;
  double written_bytes;
} genie_op_cost_t;
typedef void (*genie_cost_rule_fn_t)(MlirOperation op, genie_op_cost_t *out_cost);

// One row of the table that a script derives from genie_ops.td.
struct genie_op_info {
  const char *name;                    // "genie.linear"
  const char *lower_rule;              // "gemm"
  const char *import_rule;             // "direct"
  const char *const *aten;             // NULL-terminated: the overloads with their argument lists, as in the record
  const char *const *operand_names;    // NULL-terminated, in order; a trailing '?' or '*' marks optional or variadic
  const char *const *attribute_names;  // NULL-terminated, with "=default" where the record has one, '?' if optional
  int result_count;                    // -1: as many as the op states (a kernel)
  genie_shape_rule_fn_t shape_rule;
  genie_cost_rule_fn_t cost_rule;
};

extern const genie_op_info_t genie_op_table[];
extern const int genie_op_table_count;

// NULL when the op is not of the genie dialect.
const genie_op_info_t *genie_op_info_get(MlirOperation op);
const genie_op_info_t *genie_op_info_find(const char *name);

// True for an op whose lower rule is `rule`, as in genie_op_has_rule(op, "pointwise").
bool genie_op_has_rule(MlirOperation op, const char *rule);
// True for an op of this full name, as in genie_op_is(op, "genie.linear").
bool genie_op_is(MlirOperation op, const char *name);

// The work of `op` by its cost rule; zero for an op of another dialect. Of a kernel: that of the ops inside, with the
// bytes of the kernel's own operands and results.
genie_op_cost_t genie_op_cost(MlirOperation op);

// Bytes of a tensor at the upper bound of the symbols of the function that `op` is or lies in.
double genie_value_maximum_bytes(MlirOperation op, MlirValue value);

//===-- Types -----------------------------------------------------------------------------------------------------===//

// The element type and dimensions of a tensor type. Dimensions are affine expressions over symbols; a constant is an
// affine constant.
typedef struct genie_tensor_type {
  genie_dtype_t dtype;
  int rank;
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
} genie_tensor_type_t;

MlirType genie_dtype_to_mlir(MlirContext context, genie_dtype_t dtype);
genie_dtype_t genie_dtype_from_mlir(MlirType element_type);  // INVALID if none

// A ranked tensor type; dynamic dimensions become `?` with the encoding map (only where any dimension is not constant).
// Dimensions are simplified, and the map has the symbols up to the last that it uses, so that equal types are equal
// pointers.
MlirType genie_type_make(MlirContext context, const genie_tensor_type_t *type);
MlirType genie_type_make_static(MlirContext context, genie_dtype_t dtype, int rank, const int64_t *dims);
// Asserts a ranked tensor type that the dialect accepts.
genie_tensor_type_t genie_type_get(MlirType type);
genie_tensor_type_t genie_value_type(MlirValue value);
bool genie_type_is_static(MlirType type);

// "[2, s0 * 4] f32": a type for messages; `capacity` bytes at most.
void genie_type_describe(MlirType type, size_t capacity, char *out_text);

// Dimensions are simplified by each of these, so that equal sizes are equal pointers. A bare symbol: symbol `index` of
// the function.
MlirAffineExpr genie_dim_constant(MlirContext context, int64_t value);
bool genie_dim_is_constant(MlirAffineExpr dim, int64_t *out_value);
MlirAffineExpr genie_dim_symbol(MlirContext context, int index);
bool genie_dim_equal(MlirAffineExpr a, MlirAffineExpr b);
// The dim when constant; asserts otherwise.
int64_t genie_dim_value(MlirAffineExpr dim);
MlirAffineExpr genie_dim_add(MlirAffineExpr a, MlirAffineExpr b);
MlirAffineExpr genie_dim_sub(MlirAffineExpr a, MlirAffineExpr b);
MlirAffineExpr genie_dim_mul(MlirAffineExpr a, MlirAffineExpr b);
MlirAffineExpr genie_dim_floor_div(MlirAffineExpr a, int64_t divisor);
MlirAffineExpr genie_dim_simplify(MlirAffineExpr dim);
// a / b when b divides a as polynomials over the symbols ("s0 * 384" by "s0 * 32" is 12); false otherwise.
bool genie_dim_divide(MlirAffineExpr a, MlirAffineExpr b, MlirAffineExpr *out_quotient);
MlirAffineExpr genie_dim_product(MlirContext context, int count, const MlirAffineExpr *dims);

// A symbol of a function: attribute `genie.symbols` = [{name = "s0", min = 1, max = 64, multiple = 1}, ...].
typedef struct genie_ir_symbol {
  char name[32];
  int64_t minimum, maximum, multiple;
} genie_ir_symbol_t;
int genie_ir_symbols_get(MlirOperation function, genie_ir_symbol_t out_symbols[GENIE_IR_MAX_SYMBOLS]);
void genie_ir_symbols_set(MlirOperation function, int count, const genie_ir_symbol_t *symbols);

// Least and greatest value of `dim` over the ranges of `function`'s symbols (interval arithmetic; saturates).
void genie_dim_bounds(MlirOperation function, MlirAffineExpr dim, int64_t *out_minimum, int64_t *out_maximum);

//===-- Building and reading --------------------------------------------------------------------------------------===//

typedef struct genie_ir_builder {
  MlirContext context;
  MlirBlock block;
  MlirOperation before;  // insert before this op; null: append
  MlirLocation location;
} genie_ir_builder_t;

typedef struct genie_ir_attribute {
  const char *name;
  MlirAttribute value;  // a null attribute is left out
} genie_ir_attribute_t;

// Creates and inserts `name` with result types from its shape rule. Null operands stand for absent optional ones.
// INVALID_ARGUMENT, with the location, when the shape rule refuses.
genie_status_t genie_ir_build(const genie_ir_builder_t *builder, const char *name, int operand_count,
                              const MlirValue *operands, int attribute_count, const genie_ir_attribute_t *attributes,
                              MlirOperation *out_op) GENIE_MUST_USE;
// As genie_ir_build, with result types stated (view ops, factories, kernels); the op's shape rule checks them. A kernel
// gets a region with one block whose arguments have the operands' types.
genie_status_t genie_ir_build_typed(const genie_ir_builder_t *builder, const char *name, int operand_count,
                                    const MlirValue *operands, int attribute_count,
                                    const genie_ir_attribute_t *attributes, int result_count, const MlirType *types,
                                    MlirOperation *out_op) GENIE_MUST_USE;

// A 0-d constant of `dtype`, converted from `value`.
MlirValue genie_ir_scalar(const genie_ir_builder_t *builder, genie_dtype_t dtype, double value);
// True when `value` is a constant whose elements all equal one number.
bool genie_ir_splat_value(MlirValue value, double *out_number);

// Attribute accessors; defaults of the op table apply when an attribute is absent; asserts when there is neither.
int64_t genie_ir_i64(MlirOperation op, const char *name);
double genie_ir_f64(MlirOperation op, const char *name);
bool genie_ir_bool(MlirOperation op, const char *name);
// Borrowed; valid as long as the context.
MlirStringRef genie_ir_string(MlirOperation op, const char *name);
// Writes up to `capacity` numbers, returns how many there are.
int genie_ir_i64_array(MlirOperation op, const char *name, int capacity, int64_t *out_numbers);
bool genie_ir_has(MlirOperation op, const char *name);
// Operand by the op table's name; null when it is optional and absent. For variadic ones see genie_ir_operand_range().
MlirValue genie_ir_operand(MlirOperation op, const char *name);
void genie_ir_operand_range(MlirOperation op, const char *name, intptr_t *out_first, intptr_t *out_count);

MlirAttribute genie_ir_i64_attr(MlirContext context, int64_t value);
MlirAttribute genie_ir_f64_attr(MlirContext context, double value);
MlirAttribute genie_ir_bool_attr(MlirContext context, bool value);
MlirAttribute genie_ir_string_attr(MlirContext context, const char *text);
MlirAttribute genie_ir_i64_array_attr(MlirContext context, int count, const int64_t *numbers);
MlirAttribute genie_ir_dim_attr(MlirContext context, MlirAffineExpr dim);  // affine_map<()[...] -> (dim)>

// "model.py:12" (or the op's name where it has no file location) for messages; `capacity` bytes at most.
void genie_ir_describe_location(MlirLocation location, size_t capacity, char *out_text);

// What marks the arguments and results of an entry function:
//   argument attributes genie.input = "name" | genie.weight = @symbol | genie.state = @symbol; result genie.output =
//   "name"
typedef enum genie_ir_argument_role {
  GENIE_IR_ARGUMENT_INPUT,
  GENIE_IR_ARGUMENT_WEIGHT,
  GENIE_IR_ARGUMENT_STATE
} genie_ir_argument_role_t;
genie_ir_argument_role_t genie_ir_argument_role(MlirOperation function, intptr_t index, MlirStringRef *out_name);

// True when the value is a weight argument, a constant, or computed from such alone by ops that ir/evaluate.h supports:
// known when the plan is made.
bool genie_ir_is_compile_time(MlirValue value);

#endif  // GENIE_IR_GENIE_IR_H_
