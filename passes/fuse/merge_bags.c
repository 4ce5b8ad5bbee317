// merge-bags: on a GPU, bags that look up one table each, by the rows of one tensor of indices and with the same
// offsets, become one bag over all tables behind one another: one kernel instead of one a table.
#include <string.h>

#include "ir/device_kind.h"
#include "passes/graph/rewrite.h"

enum { MOST_TABLES = 64 };
static const double MOST_BYTES = 8e9;  // of the tables, which are in memory together when the plan is written

// Bags of one group by the row of indices that each looks up.
typedef struct bags {
  MlirOperation first;
  MlirValue indices, offsets;  // [count, length], [bags]
  int64_t count, length, bag_count, rows, columns;
  MlirOperation ops[MOST_TABLES];
} bags_t;

static bool constants(MlirValue value, int rank, int64_t *out_dims) {
  const genie_tensor_type_t type = genie_value_type(value);
  for (int d = 0; d < rank && type.rank == rank; ++d) {
    if (!genie_dim_is_constant(type.dims[d], &out_dims[d])) {
      return false;
    }
  }
  return type.rank == rank;
}

static MlirAffineExpr start_of(MlirOperation slice) {
  const MlirAttribute map = mlirOperationGetAttributeByName(slice, mlirStringRefCreateFromCString("start"));
  return mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0);
}

// The row of a tensor [n, length] that `value` [length] is, and the tensor; false where it is none.
static bool find_row(MlirValue value, MlirValue *out_indices, int64_t *out_row) {
  const MlirOperation reshape = genie_rewrite_definer_if(value, "genie.reshape");
  const MlirOperation slice = mlirOperationIsNull(reshape)
                                  ? reshape
                                  : genie_rewrite_definer_if(mlirOperationGetOperand(reshape, 0), "genie.slice");
  if (mlirOperationIsNull(slice) || genie_ir_i64(slice, "axis") != 0) {
    return false;
  }
  int64_t part[2], whole[2], length = 0;
  *out_indices = mlirOperationGetOperand(slice, 0);
  return constants(genie_rewrite_result(slice), 2, part) && constants(*out_indices, 2, whole) && part[0] == 1 &&
         part[1] == whole[1] && constants(value, 1, &length) && length == whole[1] &&
         genie_dim_is_constant(start_of(slice), out_row);
}

static bool is_same_place(MlirOperation a, MlirOperation b) {
  const MlirStringRef name = mlirStringRefCreateFromCString("genie.place");
  return mlirAttributeEqual(mlirOperationGetAttributeByName(a, name), mlirOperationGetAttributeByName(b, name));
}

// A bag that can be one of several: it sums all rows of a weight of its own between offsets.
static bool is_candidate(MlirOperation op) {
  if (!genie_op_is(op, "genie.embedding_bag") || !genie_op_is_on(op, "cuda")) {
    return false;
  }
  const MlirValue table = genie_ir_operand(op, "table"), index = genie_ir_operand(op, "index");
  return !mlirValueIsNull(genie_ir_operand(op, "offsets")) && mlirValueIsNull(genie_ir_operand(op, "sample_weights")) &&
         !genie_ir_bool(op, "include_last_offset") && genie_ir_i64(op, "padding_index") < 0 &&
         genie_ir_is_compile_time(table) && genie_rewrite_has_one_use(table) &&
         genie_value_type(index).dtype == GENIE_DTYPE_I64 &&
         genie_value_type(genie_ir_operand(op, "offsets")).dtype == GENIE_DTYPE_I64;
}

static bool is_alike(MlirOperation a, MlirOperation b) {
  return is_candidate(b) && is_same_place(a, b) &&
         mlirValueEqual(genie_ir_operand(a, "offsets"), genie_ir_operand(b, "offsets")) &&
         genie_rewrite_same_type(genie_ir_operand(a, "table"), genie_ir_operand(b, "table")) &&
         mlirStringRefEqual(genie_ir_string(a, "mode"), genie_ir_string(b, "mode"));
}

// All rows of the indices that `first` looks up one of; false where a row has no bag, or two.
static bool find_bags(const genie_op_list_t *list, MlirOperation first, bags_t *bags) {
  int64_t row = 0, table[2], indices[2];
  *bags = (bags_t){.first = first, .offsets = genie_ir_operand(first, "offsets")};
  if (!find_row(genie_ir_operand(first, "index"), &bags->indices, &row) || !constants(bags->indices, 2, indices) ||
      !constants(bags->offsets, 1, &bags->bag_count) || !constants(genie_ir_operand(first, "table"), 2, table)) {
    return false;
  }
  const double bytes = (double)indices[0] * (double)table[0] * (double)table[1] *
                       (double)genie_dtype_bytes(genie_value_type(genie_ir_operand(first, "table")).dtype);
  if (indices[0] < 2 || indices[0] > MOST_TABLES || bytes > MOST_BYTES) {
    return false;
  }
  bags->count = indices[0];
  bags->length = indices[1];
  bags->rows = table[0];
  bags->columns = table[1];
  int64_t found = 0;
  for (int i = 0; i < list->count; ++i) {
    MlirValue of;
    if (!is_alike(first, list->ops[i]) || !find_row(genie_ir_operand(list->ops[i], "index"), &of, &row) ||
        !mlirValueEqual(of, bags->indices)) {
      continue;
    }
    if (!mlirOperationIsNull(bags->ops[row])) {
      return false;
    }
    bags->ops[row] = list->ops[i];
    ++found;
  }
  return found == bags->count;
}

// x [1 or count, length] + step * row, as one row of count * length.
static genie_status_t make_steps(const bags_t *bags, MlirValue x, int64_t step, int64_t length, MlirValue *out_value) {
  const MlirContext context = mlirOperationGetContext(bags->first);
  const genie_ir_attribute_t attributes[] = {
      {"start", mlirFloatAttrDoubleGet(context, mlirF64TypeGet(context), 0)},
      {"step", mlirFloatAttrDoubleGet(context, mlirF64TypeGet(context), (double)step)},
      {"axis", genie_ir_i64_attr(context, 0)},
  };
  const int64_t column[] = {bags->count, 1};
  MlirValue operands[2] = {x}, sum;
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_typed(bags->first, "genie.iota", 0, NULL, 3, attributes,
                                                 genie_type_make_static(context, GENIE_DTYPE_I64, 2, column),
                                                 &operands[1]));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make(bags->first, "genie.add", 2, operands, 0, NULL, &sum));
  MlirAffineExpr flat = genie_dim_constant(context, bags->count * length);
  return genie_rewrite_make_reshape(bags->first, sum, 1, &flat, out_value);
}

// An index outside of its table stays within it.
static genie_status_t make_clamped(const bags_t *bags, MlirValue *out_value) {
  const MlirContext context = mlirOperationGetContext(bags->first);
  const genie_ir_attribute_t bounds[] = {
      {"minimum", mlirFloatAttrDoubleGet(context, mlirF64TypeGet(context), 0)},
      {"maximum", mlirFloatAttrDoubleGet(context, mlirF64TypeGet(context), (double)(bags->rows - 1))},
  };
  return genie_rewrite_make(bags->first, "genie.clamp", 1, &bags->indices, 2, bounds, out_value);
}

static genie_status_t make_bag(const bags_t *bags, MlirValue *out_bag) {
  const MlirContext context = mlirOperationGetContext(bags->first);
  MlirValue tables[MOST_TABLES], operands[3], inside, offsets;
  for (int i = 0; i < bags->count; ++i) {
    tables[i] = genie_ir_operand(bags->ops[i], "table");
  }
  const genie_ir_attribute_t axis = {"axis", genie_ir_i64_attr(context, 0)};
  const MlirAffineExpr row[] = {genie_dim_constant(context, 1), genie_dim_constant(context, bags->bag_count)};
  GENIE_RETURN_IF_ERROR(
      genie_rewrite_make(bags->first, "genie.concat", (int)bags->count, tables, 1, &axis, &operands[0]));
  GENIE_RETURN_IF_ERROR(make_clamped(bags, &inside));
  GENIE_RETURN_IF_ERROR(make_steps(bags, inside, bags->rows, bags->length, &operands[1]));
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_reshape(bags->first, bags->offsets, 2, row, &offsets));
  GENIE_RETURN_IF_ERROR(make_steps(bags, offsets, bags->length, bags->bag_count, &operands[2]));
  const genie_ir_attribute_t mode = {
      "mode", mlirOperationGetAttributeByName(bags->first, mlirStringRefCreateFromCString("mode"))};
  const int64_t dims[] = {bags->count * bags->bag_count, bags->columns};
  const genie_dtype_t dtype = genie_value_type(operands[0]).dtype;
  return genie_rewrite_make_typed(bags->first, "genie.embedding_bag", 3, operands, 1, &mode,
                                  genie_type_make_static(context, dtype, 2, dims), out_bag);
}

static genie_status_t apply(const bags_t *bags) {
  MlirValue whole;
  GENIE_RETURN_IF_ERROR(make_bag(bags, &whole));
  return genie_rewrite_replace_by_slices(bags->first, whole, /*axis=*/0, (int)bags->count, bags->ops);
}

static genie_status_t merge_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  for (int i = 0; status == GENIE_OK && i < list.count; ++i) {
    bags_t bags;
    if (is_candidate(list.ops[i]) && find_bags(&list, list.ops[i], &bags)) {
      status = apply(&bags);
    }
  }
  genie_arena_deinit(&arena);
  return status == GENIE_OK ? genie_rewrite_erase_dead(genie_rewrite_body(function)) : status;
}

genie_status_t genie_pass_merge_bags(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, merge_in_function);
}
