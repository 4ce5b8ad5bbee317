// split: a large value goes from node to node in pieces, so that sending overlaps with computing.
//
// The pieces are blocks of rows: of the value's outermost dimension that is not 1. Where the ops that make the value
// compute rows apart, they are cut too, so that a piece is sent while the next is computed; likewise the ops that read
// it, so that they begin with the first piece. What they are made of and what they make is cut and joined again where
// an op needs all rows. Values that are smaller, have open sizes, or stay within a node go whole, and so does what no
// product can be cut for: there is nothing to overlap. A blind system does not know what rows are.
#include <stdio.h>
#include <string.h>

#include "ir/place.h"
#include "passes/graph/rewrite.h"

enum {
  LEAST_PIECE_BYTES = 1 << 20,
  MAX_PIECES = 8,
  MAX_CUT_OPS = 16,  // on either side of a transfer
};

typedef struct splitter {
  MlirModule module;
  MlirContext context;
  MlirOperation function;
  MlirOperation transfer;
  int axis;
  int64_t rows;
  int piece_count;
  MlirOperation readers[MAX_CUT_OPS];  // that are cut, in order: each reads what the one before makes
  int reader_count;
} splitter_t;

typedef struct block {
  int64_t first, count;  // rows
} block_t;

//===-- Ops that compute rows apart -------------------------------------------------------------------------------===//

static bool is_product(MlirOperation op) {
  return genie_op_is(op, "genie.linear");
}

// An op whose rows along `axis` follow from the same rows of its first operand, and of the others where it is
// elementwise.
static bool computes_rows_apart(MlirOperation op, int axis) {
  if (mlirOperationGetNumResults(op) != 1 || mlirOperationGetNumRegions(op) != 0) {
    return false;
  }
  const int rank = genie_value_type(genie_rewrite_result(op)).rank;
  if (genie_rewrite_is_elementwise(op)) {
    return true;
  }
  if (is_product(op)) {
    return axis < rank - 1;
  }
  if (genie_op_is(op, "genie.layer_norm") || genie_op_is(op, "genie.rms_norm")) {
    return axis < rank - (int)genie_ir_i64(op, "normalized_rank");
  }
  return genie_op_is(op, "genie.softmax") && axis < rank - 1 && genie_ir_i64(op, "axis") == rank - 1;
}

static bool has_fixed_sizes(MlirValue value) {
  const genie_tensor_type_t type = genie_value_type(value);
  for (int i = 0; i < type.rank; ++i) {
    int64_t size = 0;
    if (!genie_dim_is_constant(type.dims[i], &size)) {
      return false;
    }
  }
  return true;
}

static int64_t size_of(MlirValue value, int axis) {
  int64_t size = 0;
  genie_dim_is_constant(genie_value_type(value).dims[axis], &size);
  return size;
}

// The axis of `operand` along which a block of rows of the op's result needs a block of it; -1: it is read whole.
static int operand_axis(const splitter_t *splitter, MlirOperation op, intptr_t index) {
  const MlirValue operand = mlirOperationGetOperand(op, index);
  if (!genie_rewrite_is_elementwise(op)) {
    return index == 0 ? splitter->axis : -1;
  }
  const int axis = splitter->axis - (genie_value_type(genie_rewrite_result(op)).rank - genie_value_type(operand).rank);
  return axis >= 0 && size_of(operand, axis) == splitter->rows ? axis : -1;
}

static bool can_cut(const splitter_t *splitter, MlirOperation op) {
  if (mlirOperationIsNull(op) || !computes_rows_apart(op, splitter->axis) ||
      size_of(genie_rewrite_result(op), splitter->axis) != splitter->rows ||
      genie_ir_is_compile_time(genie_rewrite_result(op))) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    if (!has_fixed_sizes(mlirOperationGetOperand(op, i))) {
      return false;
    }
  }
  return true;
}

//===-- Pieces ----------------------------------------------------------------------------------------------------===//

static MlirType type_of_rows(const splitter_t *splitter, MlirValue value, int axis, int64_t count) {
  genie_tensor_type_t type = genie_value_type(value);
  type.dims[axis] = genie_dim_constant(splitter->context, count);
  return genie_type_make(splitter->context, &type);
}

// A view of rows of `value`, made before `where`.
static genie_status_t slice(const splitter_t *splitter, MlirOperation where, MlirValue value, int axis, block_t block,
                            MlirValue *out_piece) {
  const genie_ir_attribute_t attributes[] = {
      {"axis", genie_ir_i64_attr(splitter->context, axis)},
      {"start", genie_ir_dim_attr(splitter->context, genie_dim_constant(splitter->context, block.first))}};
  const genie_ir_builder_t builder = genie_rewrite_before(where);
  const MlirType type = type_of_rows(splitter, value, axis, block.count);
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(genie_ir_build_typed(&builder, "genie.slice", 1, &value, 2, attributes, 1, &type, &op));
  genie_rewrite_copy_annotations(where, op);
  genie_ir_set_place(op, genie_ir_value_place(value));
  *out_piece = genie_rewrite_result(op);
  return GENIE_OK;
}

// `op` for a block of rows, before `where`; `operands` are its operands for them.
static MlirValue clone_rows(const splitter_t *splitter, MlirOperation op, MlirOperation where,
                            const MlirValue *operands, block_t block) {
  const MlirOperation clone = mlirOperationClone(op);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    mlirOperationSetOperand(clone, i, operands[i]);
  }
  mlirValueSetType(genie_rewrite_result(clone),
                   type_of_rows(splitter, genie_rewrite_result(op), splitter->axis, block.count));
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(where), where, clone);
  return genie_rewrite_result(clone);
}

// Whether the op that makes `value` is cut: its result goes nowhere else.
static bool is_maker_cut(const splitter_t *splitter, MlirValue value, int depth) {
  return depth < MAX_CUT_OPS && genie_rewrite_has_one_use(value) && can_cut(splitter, genie_rewrite_definer(value));
}

// Rows of `value`, computed apart as far up as ops allow.
static genie_status_t make_piece(const splitter_t *splitter, MlirValue value, int axis, block_t block, int depth,
                                 MlirValue *out_piece) {
  if (axis != splitter->axis || !is_maker_cut(splitter, value, depth)) {
    return slice(splitter, splitter->transfer, value, axis, block, out_piece);
  }
  const MlirOperation op = genie_rewrite_definer(value);
  MlirValue operands[GENIE_IR_MAX_RANK];
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    operands[i] = mlirOperationGetOperand(op, i);
    const int along = operand_axis(splitter, op, i);
    if (along >= 0) {
      GENIE_RETURN_IF_ERROR(make_piece(splitter, operands[i], along, block, depth + 1, &operands[i]));
    }
  }
  *out_piece = clone_rows(splitter, op, splitter->transfer, operands, block);
  return GENIE_OK;
}

static bool has_product_above(const splitter_t *splitter, MlirValue value, int depth) {
  if (!is_maker_cut(splitter, value, depth)) {
    return false;
  }
  const MlirOperation op = genie_rewrite_definer(value);
  bool has_product = is_product(op);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op) && !has_product; ++i) {
    has_product = operand_axis(splitter, op, i) == splitter->axis &&
                  has_product_above(splitter, mlirOperationGetOperand(op, i), depth + 1);
  }
  return has_product;
}

//===-- Readers ---------------------------------------------------------------------------------------------------===//

// The chain of ops behind the transfer that are cut. True when a product is among them.
static bool find_readers(splitter_t *splitter) {
  MlirValue value = genie_rewrite_result(splitter->transfer);
  bool has_product = false;
  splitter->reader_count = 0;
  while (splitter->reader_count < MAX_CUT_OPS && genie_rewrite_has_one_use(value)) {
    const MlirOpOperand use = mlirValueGetFirstUse(value);
    const MlirOperation reader = mlirOpOperandGetOwner(use);
    if (genie_op_info_get(reader) == NULL || mlirOperationGetNumOperands(reader) > GENIE_IR_MAX_RANK ||
        genie_ir_place(reader) != genie_ir_place(splitter->transfer) || !can_cut(splitter, reader) ||
        operand_axis(splitter, reader, mlirOpOperandGetOperandNumber(use)) != splitter->axis) {
      break;
    }
    splitter->readers[splitter->reader_count++] = reader;
    has_product = has_product || is_product(reader);
    value = genie_rewrite_result(reader);
  }
  return has_product;
}

// The readers for one piece, before the last of them.
static genie_status_t read_piece(const splitter_t *splitter, block_t block, MlirValue *piece) {
  MlirValue whole = genie_rewrite_result(splitter->transfer);
  for (int r = 0; r < splitter->reader_count; ++r) {
    const MlirOperation reader = splitter->readers[r];
    const MlirOperation where = splitter->readers[splitter->reader_count - 1];
    MlirValue operands[GENIE_IR_MAX_RANK];
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(reader); ++i) {
      operands[i] = mlirOperationGetOperand(reader, i);
      const int along = operand_axis(splitter, reader, i);
      if (mlirValueEqual(operands[i], whole)) {
        operands[i] = *piece;
      } else if (along >= 0) {
        GENIE_RETURN_IF_ERROR(slice(splitter, where, operands[i], along, block, &operands[i]));
      }
    }
    *piece = clone_rows(splitter, reader, where, operands, block);
    whole = genie_rewrite_result(reader);
  }
  return GENIE_OK;
}

//===-- Transfers -------------------------------------------------------------------------------------------------===//

static block_t block_at(const splitter_t *splitter, int index) {
  const int64_t first = splitter->rows * index / splitter->piece_count;
  return (block_t){.first = first, .count = splitter->rows * (index + 1) / splitter->piece_count - first};
}

static void name_piece(const splitter_t *splitter, MlirOperation piece, block_t block) {
  const MlirStringRef attribute = mlirStringRefCreateFromCString("genie.value");
  const MlirStringRef name = genie_ir_string(splitter->transfer, "genie.value");
  char text[512];
  snprintf(text, sizeof text, "%.*s[%lld:%lld]", (int)(name.length < 400 ? name.length : 400), name.data,
           (long long)block.first, (long long)(block.first + block.count));
  mlirOperationSetDiscardableAttributeByName(piece, attribute, genie_ir_string_attr(splitter->context, text));
}

static genie_status_t send_piece(const splitter_t *splitter, block_t block, MlirValue *out_piece) {
  MlirValue piece;
  GENIE_RETURN_IF_ERROR(make_piece(splitter, mlirOperationGetOperand(splitter->transfer, 0), splitter->axis, block,
                                   /*depth=*/0, &piece));
  *out_piece = clone_rows(splitter, splitter->transfer, splitter->transfer, &piece, block);
  name_piece(splitter, genie_rewrite_definer(*out_piece), block);
  return GENIE_OK;
}

// What the last reader makes, or what arrives, from its pieces.
static genie_status_t join(const splitter_t *splitter, const MlirValue *pieces) {
  const MlirOperation last =
      splitter->reader_count > 0 ? splitter->readers[splitter->reader_count - 1] : splitter->transfer;
  const genie_ir_attribute_t attribute = {"axis", genie_ir_i64_attr(splitter->context, splitter->axis)};
  const genie_ir_builder_t builder = genie_rewrite_before(last);
  MlirOperation whole;
  GENIE_RETURN_IF_ERROR(genie_ir_build(&builder, "genie.concat", splitter->piece_count, pieces, 1, &attribute, &whole));
  genie_rewrite_copy_annotations(last, whole);
  genie_ir_set_place(whole, genie_ir_place(splitter->transfer));
  mlirValueReplaceAllUsesOfWith(genie_rewrite_result(last), genie_rewrite_result(whole));
  return GENIE_OK;
}

static genie_status_t split(splitter_t *splitter) {
  MlirValue pieces[MAX_PIECES];
  for (int i = 0; i < splitter->piece_count; ++i) {
    GENIE_RETURN_IF_ERROR(send_piece(splitter, block_at(splitter, i), &pieces[i]));
  }
  for (int i = 0; i < splitter->piece_count; ++i) {
    GENIE_RETURN_IF_ERROR(read_piece(splitter, block_at(splitter, i), &pieces[i]));
  }
  return join(splitter, pieces);
}

static bool crosses_nodes(const splitter_t *splitter) {
  const MlirStringRef from =
      genie_ir_place_name(splitter->module, genie_ir_value_place(mlirOperationGetOperand(splitter->transfer, 0)));
  const MlirStringRef to = genie_ir_place_name(splitter->module, genie_ir_place(splitter->transfer));
  const char *colon = memchr(from.data, ':', from.length);
  const size_t length = colon != NULL ? (size_t)(colon - from.data) + 1 : from.length;
  return to.length < length || memcmp(from.data, to.data, length) != 0;
}

// Finds axis, rows and number of pieces. False: the transfer goes whole.
static bool choose_pieces(splitter_t *splitter) {
  const MlirValue value = mlirOperationGetOperand(splitter->transfer, 0);
  if (!has_fixed_sizes(value) || !crosses_nodes(splitter)) {
    return false;
  }
  const genie_tensor_type_t type = genie_value_type(value);
  for (splitter->axis = 0; splitter->axis < type.rank && size_of(value, splitter->axis) == 1; ++splitter->axis) {
  }
  if (splitter->axis >= type.rank - 1) {
    return false;
  }
  splitter->rows = size_of(value, splitter->axis);
  const int64_t bytes = (int64_t)genie_value_maximum_bytes(splitter->function, value);
  int64_t count = bytes / LEAST_PIECE_BYTES < MAX_PIECES ? bytes / LEAST_PIECE_BYTES : MAX_PIECES;
  count = count < splitter->rows ? count : splitter->rows;
  splitter->piece_count = (int)count;
  const bool reads_product = find_readers(splitter);
  return count > 1 && (reads_product || has_product_above(splitter, value, /*depth=*/0));
}

static genie_status_t split_in_function(const genie_pass_context_t *context, MlirOperation function) {
  genie_arena_t arena;
  genie_op_list_t list;
  splitter_t splitter = {.module = mlirModuleFromOperation(mlirOperationGetParentOperation(function)),
                         .context = context->context,
                         .function = function};
  const MlirBlock body = genie_rewrite_body(function);
  const MlirAttribute mode = mlirOperationGetAttributeByName(mlirModuleGetOperation(splitter.module),
                                                             mlirStringRefCreateFromCString("genie.semantics"));
  if (genie_ir_place_count(splitter.module) == 1 || !mlirAttributeIsNull(mode)) {
    return GENIE_OK;
  }
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_status_t status = genie_rewrite_list_ops(body, &arena, &list);
  for (int i = 0; status == GENIE_OK && i < list.count; ++i) {
    splitter.transfer = list.ops[i];
    if (genie_op_is(splitter.transfer, "genie.transfer") && choose_pieces(&splitter)) {
      status = split(&splitter);
    }
  }
  genie_arena_deinit(&arena);
  GENIE_RETURN_IF_ERROR(status);
  GENIE_RETURN_IF_ERROR(genie_rewrite_erase_dead(body));
  return genie_rewrite_sort(body);
}

genie_status_t genie_pass_split(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, split_in_function);
}
