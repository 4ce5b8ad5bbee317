// What import rules are written with: reading a node's arguments, building genie ops, binding results.
//
// A rule is a function that turns one node into ops. Failures are sticky: the first one is kept in the importer, all
// that follows in the rule returns null values and builds nothing, and the driver turns it into a finding at the node's
// source line. So rules read like expressions and check nothing but what they themselves refuse. Every name here begins
// with pt2_, the vocabulary of this folder.
#ifndef GENIE_COMPILER_IMPORT_PT2_RULE_H_
#define GENIE_COMPILER_IMPORT_PT2_RULE_H_

#include "compiler/import/pt2/exported_program.h"
#include "ir/genie_ir.h"

typedef struct pt2_importer pt2_importer_t;
typedef genie_pt2_node_t pt2_node_t;

typedef void (*pt2_rule_fn_t)(pt2_importer_t *im, const pt2_node_t *node);

// How an overload is imported: by the rule of the op table's row whose `aten` column names it, or by a composite rule
// that builds several ops. `arguments` is the text between parentheses in the column, "" when there is none.
typedef struct pt2_mapping {
  const char *overload;  // "linear.default"
  size_t overload_length;
  pt2_rule_fn_t rule;
  const genie_op_info_t *op;  // NULL for composites
  const char *arguments;
} pt2_mapping_t;

// A named rule of the op table's `importRule` column, or a composite's overload and rule.
typedef struct pt2_rule_row {
  const char *name;
  pt2_rule_fn_t rule;
} pt2_rule_row_t;

// The rule families, each in its file of rules/; terminated by a NULL name.
extern const pt2_rule_row_t pt2_named_rules[];
extern const pt2_rule_row_t pt2_alias_composites[], pt2_pointwise_composites[], pt2_view_composites[],
    pt2_factory_composites[], pt2_reduce_composites[], pt2_norm_composites[], pt2_product_composites[],
    pt2_window_composites[], pt2_indexing_composites[], pt2_attention_composites[], pt2_region_composites[];

// The rules that the op table names; each is defined in its family's file.
void pt2_rule_direct(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_unary(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_predicate(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_binary(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_compare(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_clamp(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_cast(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_where(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_reshape(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_permute(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_expand(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_slice(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_concat(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_pad(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_iota(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_reduce(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_softmax(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_scan(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_norm(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_batch_norm(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_group_norm(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_matmul(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_conv(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_pool(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_adaptive_pool(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_upsample(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_index(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_index_put(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_slice_scatter(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_attention(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_embedding_bag(pt2_importer_t *im, const pt2_node_t *node);
void pt2_rule_recurrent(pt2_importer_t *im, const pt2_node_t *node);

//===-- Failures --------------------------------------------------------------------------------------------------===//

// Refuses the node: `problem` says what about it, `hint` what the user can do; static strings or printf formats without
// arguments. `kind` is that of genie_finding_t.
void pt2_refuse(pt2_importer_t *im, const char *kind, const char *problem, const char *hint);
// Keeps `status` as the failure, or releases it if there is one already.
void pt2_fail(pt2_importer_t *im, genie_status_t status);
bool pt2_has_failed(const pt2_importer_t *im);

MlirContext pt2_context(const pt2_importer_t *im);
const pt2_mapping_t *pt2_mapping(const pt2_importer_t *im);

//===-- Arguments -------------------------------------------------------------------------------------------------===//

// The argument that the schema calls `name`; NULL when it is defaulted or None.
const genie_pt2_arg_t *pt2_arg(const pt2_node_t *node, const char *name);
// The tensor argument `name`; refuses the node when there is none.
MlirValue pt2_tensor(pt2_importer_t *im, const pt2_node_t *node, const char *name);
// Null when it is defaulted or None.
MlirValue pt2_optional_tensor(pt2_importer_t *im, const pt2_node_t *node, const char *name);
MlirValue pt2_tensor_of(pt2_importer_t *im, const genie_pt2_arg_t *arg);
// Integers and booleans; symbolic integers whose value is known.
int64_t pt2_int(pt2_importer_t *im, const pt2_node_t *node, const char *name, int64_t fallback);
bool pt2_bool(pt2_importer_t *im, const pt2_node_t *node, const char *name, bool fallback);
double pt2_float(pt2_importer_t *im, const pt2_node_t *node, const char *name, double fallback);
const char *pt2_string(pt2_importer_t *im, const pt2_node_t *node, const char *name, const char *fallback);
// Writes up to `capacity` integers and returns how many there are; a single integer is a list of one; 0 when absent.
int pt2_ints(pt2_importer_t *im, const pt2_node_t *node, const char *name, int capacity, int64_t *out_values);
// As pt2_ints, repeating a single value to `count`, and `fallback` when absent or empty.
void pt2_ints_of(pt2_importer_t *im, const pt2_node_t *node, const char *name, int count, int64_t fallback,
                 int64_t *out_values);
// A size: an integer or a symbolic integer.
MlirAffineExpr pt2_size_of(pt2_importer_t *im, const genie_pt2_arg_t *arg);
// A dimension of a tensor of `rank`, counted from the end when negative; refuses one out of range.
int pt2_axis(pt2_importer_t *im, const pt2_node_t *node, const char *name, int64_t fallback, int rank);
int pt2_axis_of(pt2_importer_t *im, int64_t axis, int rank);

//===-- Types -----------------------------------------------------------------------------------------------------===//

// The type of a value; a 0-d f32 for a null value.
genie_tensor_type_t pt2_type(MlirValue value);
int pt2_rank(MlirValue value);
MlirAffineExpr pt2_dim(pt2_importer_t *im, MlirValue value, int axis);
// The constant size of a dimension; refuses a dynamic one.
int64_t pt2_static_dim(pt2_importer_t *im, MlirValue value, int axis);
// What the export says of result `index` (lists count each element).
genie_tensor_type_t pt2_result_type(pt2_importer_t *im, const pt2_node_t *node, int index);
// How many tensors the node yields.
int pt2_result_count(const pt2_node_t *node);
// True when the export says that the argument lies densely in row-major order. False may also mean that it is not
// known.
bool pt2_is_contiguous(const pt2_importer_t *im, const genie_pt2_arg_t *arg);
bool pt2_dtype_is_float(genie_dtype_t dtype);
// PyTorch's promotion of two element types.
genie_dtype_t pt2_promote(genie_dtype_t a, genie_dtype_t b);
MlirAffineExpr pt2_constant_dim(const pt2_importer_t *im, int64_t value);

//===-- Building --------------------------------------------------------------------------------------------------===//

// An operation whose result types follow from its shape rule, or null.
MlirOperation pt2_build_op(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                           int attribute_count, const genie_ir_attribute_t *attributes);
// Its first result.
MlirValue pt2_build(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                    int attribute_count, const genie_ir_attribute_t *attributes);
// With the result's type stated.
MlirValue pt2_build_typed(pt2_importer_t *im, const char *name, int operand_count, const MlirValue *operands,
                          int attribute_count, const genie_ir_attribute_t *attributes, const genie_tensor_type_t *type);

MlirValue pt2_unary(pt2_importer_t *im, const char *name, MlirValue x);
MlirValue pt2_binary(pt2_importer_t *im, const char *name, MlirValue lhs, MlirValue rhs);
// `x` itself when it has the dtype.
MlirValue pt2_cast(pt2_importer_t *im, MlirValue x, genie_dtype_t dtype);
MlirValue pt2_scalar(pt2_importer_t *im, genie_dtype_t dtype, double value);
MlirValue pt2_scalar_int(pt2_importer_t *im, genie_dtype_t dtype, int64_t value);
// A 0-d i64 of a size; a constant when it is known.
MlirValue pt2_size_value(pt2_importer_t *im, MlirAffineExpr size);
// The tensor or number argument `name` in `dtype`; refuses when absent.
MlirValue pt2_operand(pt2_importer_t *im, const pt2_node_t *node, const char *name, genie_dtype_t dtype);
MlirValue pt2_operand_of(pt2_importer_t *im, const genie_pt2_arg_t *arg, genie_dtype_t dtype);
// `x` itself when the shape is equal.
MlirValue pt2_reshape(pt2_importer_t *im, MlirValue x, int rank, const MlirAffineExpr *dims);
MlirValue pt2_expand(pt2_importer_t *im, MlirValue x, int rank, const MlirAffineExpr *dims);
MlirValue pt2_permute(pt2_importer_t *im, MlirValue x, const int64_t *permutation);
MlirValue pt2_transpose(pt2_importer_t *im, MlirValue x, int axis0, int axis1);
MlirValue pt2_unsqueeze(pt2_importer_t *im, MlirValue x, int axis);
MlirValue pt2_squeeze(pt2_importer_t *im, MlirValue x, int axis);
MlirValue pt2_slice(pt2_importer_t *im, MlirValue x, int axis, MlirAffineExpr start, MlirAffineExpr length,
                    int64_t step);
MlirValue pt2_concat(pt2_importer_t *im, int count, const MlirValue *values, int axis);
MlirValue pt2_reduce(pt2_importer_t *im, const char *name, MlirValue x, int axis_count, const int64_t *axes,
                     bool keepdim);
MlirValue pt2_where(pt2_importer_t *im, MlirValue condition, MlirValue lhs, MlirValue rhs);
// start + step * index along `axis` of a tensor of `type`.
MlirValue pt2_iota(pt2_importer_t *im, const genie_tensor_type_t *type, double start, double step, int axis);

genie_ir_attribute_t pt2_attr_i64(const pt2_importer_t *im, const char *name, int64_t value);
genie_ir_attribute_t pt2_attr_f64(const pt2_importer_t *im, const char *name, double value);
genie_ir_attribute_t pt2_attr_bool(const pt2_importer_t *im, const char *name, bool value);
genie_ir_attribute_t pt2_attr_string(const pt2_importer_t *im, const char *name, const char *value);
genie_ir_attribute_t pt2_attr_i64s(const pt2_importer_t *im, const char *name, int count, const int64_t *values);
genie_ir_attribute_t pt2_attr_size(const pt2_importer_t *im, const char *name, MlirAffineExpr value);

//===-- Results ---------------------------------------------------------------------------------------------------===//

// Binds result `index`. The driver compares its type with what the export says.
void pt2_bind(pt2_importer_t *im, const pt2_node_t *node, int index, MlirValue value);
// Binds a result to a value that shares storage with argument `name`, computed from it by reshape, permute and slice: a
// write to one is a write to the other.
void pt2_bind_view(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue value);
void pt2_bind_view_at(pt2_importer_t *im, const pt2_node_t *node, const char *name, int index, MlirValue value);
// Binds result 0 to a value that may share storage with argument `name` or not: a write to one is refused while the
// other lives.
void pt2_bind_maybe_view(pt2_importer_t *im, const pt2_node_t *node, const char *name, MlirValue value);
// Binds result 0 to the very tensor that argument `name` is.
void pt2_bind_alias(pt2_importer_t *im, const pt2_node_t *node, const char *name);

#endif  // GENIE_COMPILER_IMPORT_PT2_RULE_H_
