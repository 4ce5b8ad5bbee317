// What the region of a kernel says: layouts, dependence, what is stored where, and which buffers may be shared.
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/hook.h"

//===-- Layouts ---------------------------------------------------------------------------------------------------===//

// Entry `result` of the attribute `layouts` of a genie.kernel: false for row-major.
static bool layout_of_result(MlirOperation op, intptr_t result, int rank, int64_t storage[GENIE_IR_MAX_RANK]) {
  MlirAttribute layouts = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("layouts"));
  if (mlirAttributeIsNull(layouts) || result >= mlirArrayAttrGetNumElements(layouts)) {
    return false;
  }
  MlirAttribute layout = mlirArrayAttrGetElement(layouts, result);
  if (!mlirAttributeIsADenseI64Array(layout) || mlirDenseArrayGetNumElements(layout) != rank) {
    return false;
  }
  bool is_row_major = true;
  for (int d = 0; d < rank; ++d) {
    storage[d] = mlirDenseI64ArrayGetElement(layout, d);
    is_row_major = is_row_major && storage[d] == d;
  }
  return !is_row_major;
}

const int64_t *genie_region_layout(const genie_lowering_t *lowering, int argument, int64_t storage[GENIE_IR_MAX_RANK]) {
  const int input_count = lowering->state->input_count;
  if (argument >= input_count) {
    const int rank = genie_value_type(mlirOperationGetResult(lowering->op, argument - input_count)).rank;
    return layout_of_result(lowering->op, argument - input_count, rank, storage) ? storage : NULL;
  }
  MlirValue operand = mlirOperationGetOperand(lowering->op, argument);
  if (!mlirValueIsAOpResult(operand)) {
    return NULL;
  }
  MlirOperation producer = mlirOpResultGetOwner(operand);
  const int rank = genie_value_type(operand).rank;
  const intptr_t result = mlirOpResultGetResultNumber(operand);
  return genie_op_is(producer, "genie.kernel") && layout_of_result(producer, result, rank, storage) ? storage : NULL;
}

int genie_region_argument(const genie_lowering_t *lowering, MlirValue value) {
  if (!mlirValueIsABlockArgument(value) || !mlirBlockEqual(mlirBlockArgumentGetOwner(value), lowering->body)) {
    return -1;
  }
  return (int)mlirBlockArgumentGetArgNumber(value);
}

static bool is_view_op(MlirOperation op) {
  return genie_op_is(op, "genie.reshape") || genie_op_is(op, "genie.permute") || genie_op_is(op, "genie.expand") ||
         genie_op_is(op, "genie.slice");
}

bool genie_lower_view(const genie_lowering_t *lowering, MlirValue value, genie_strided_view_t *out_view) {
  MlirValue root = value;
  while (mlirValueIsAOpResult(root) && is_view_op(mlirOpResultGetOwner(root))) {
    root = mlirOperationGetOperand(mlirOpResultGetOwner(root), 0);
  }
  const int argument = genie_region_argument(lowering, root);
  const bool is_constant = mlirValueIsAOpResult(root) && genie_op_is(mlirOpResultGetOwner(root), "genie.constant");
  if (argument < 0 && !is_constant) {
    return false;
  }
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = argument < 0 ? NULL : genie_region_layout(lowering, argument, storage);
  return genie_strided_view_of(value, layout, out_view) && mlirValueEqual(out_view->root, root);
}

genie_dtype_t genie_lower_dtype(MlirValue value) {
  return genie_value_type(value).dtype;
}

//===-- Dependence ------------------------------------------------------------------------------------------------===//

// Ops seen by a walk; a walk visits each once.
typedef struct seen {
  const void *ops[512];
  int count;
} seen_t;

static bool visit(seen_t *seen, MlirOperation op) {
  for (int i = 0; i < seen->count; ++i) {
    if (seen->ops[i] == op.ptr) {
      return false;
    }
  }
  if (seen->count < (int)(sizeof(seen->ops) / sizeof(seen->ops[0]))) {
    seen->ops[seen->count++] = op.ptr;
  }
  return true;
}

static bool depends_on(MlirValue value, MlirOperation op, int first, int count, seen_t *seen) {
  if (!mlirValueIsAOpResult(value)) {
    return false;
  }
  MlirOperation owner = mlirOpResultGetOwner(value);
  if (mlirOperationEqual(owner, op)) {
    const int result = (int)mlirOpResultGetResultNumber(value);
    return result >= first && result < first + count;
  }
  if (!visit(seen, owner)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(owner); ++i) {
    if (depends_on(mlirOperationGetOperand(owner, i), op, first, count, seen)) {
      return true;
    }
  }
  return false;
}

bool genie_region_depends_on_results(MlirValue value, MlirOperation op, int first, int count) {
  seen_t seen = {.count = 0};
  return !mlirOperationIsNull(op) && depends_on(value, op, first, count, &seen);
}

bool genie_region_depends_on(MlirValue value, MlirOperation op) {
  return genie_region_depends_on_results(value, op, 0, GENIE_IR_MAX_RESULTS);
}

//===-- Cost -----------------------------------------------------------------------------------------------------===//

double genie_region_cost(const genie_lowering_t *lowering) {
  double cost = 0.5;
  for (MlirOperation op = mlirBlockGetFirstOperation(lowering->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    cost += genie_op_has_rule(op, "view") || genie_op_has_rule(op, "constant") ? 0.0 : 0.5;
  }
  return cost;
}

//===-- Stores ----------------------------------------------------------------------------------------------------===//

static bool has_dims(MlirValue value, int rank, const MlirAffineExpr *dims) {
  const genie_tensor_type_t type = genie_value_type(value);
  if (type.rank != rank) {
    return false;
  }
  for (int d = 0; d < rank; ++d) {
    if (!mlirAffineExprEqual(type.dims[d], dims[d])) {
      return false;
    }
  }
  return true;
}

// From the yielded value back through reshapes and permutes; the value nearest to the computation wins.
bool genie_region_stored_value(const genie_lowering_t *lowering, int output, int rank, const MlirAffineExpr *space_dims,
                               MlirValue *out_value, genie_strided_view_t *out_view) {
  MlirValue yielded = mlirOperationGetOperand(lowering->yield, output);
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = genie_region_layout(lowering, lowering->state->input_count + output, storage);
  bool is_found = false;
  for (MlirValue value = yielded;; value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0)) {
    genie_strided_view_t view;
    if (has_dims(value, rank, space_dims)) {
      if (mlirValueEqual(value, yielded)) {
        genie_strided_dense(mlirValueGetType(yielded), layout, &view);
        is_found = true;
        *out_value = value;
        *out_view = view;
      } else if (genie_strided_view_into(value, yielded, layout, &view)) {
        is_found = true;
        *out_value = value;
        *out_view = view;
      }
    }
    const bool is_rearranged =
        mlirValueIsAOpResult(value) && (genie_op_is(mlirOpResultGetOwner(value), "genie.reshape") ||
                                        genie_op_is(mlirOpResultGetOwner(value), "genie.permute"));
    if (!is_rearranged) {
      return is_found;
    }
  }
}

//===-- Pieces ----------------------------------------------------------------------------------------------------===//

bool genie_region_is_cut_alike(const genie_lowering_t *lowering, MlirOperation op) {
  const genie_hook_piece_t *piece = &lowering->state->piece;
  if (mlirOperationIsNull(piece->concat) || genie_ir_i64(op, "axis") != piece->axis ||
      mlirOperationGetNumOperands(op) != mlirOperationGetNumOperands(piece->concat)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const genie_tensor_type_t a = genie_value_type(mlirOperationGetOperand(op, i));
    const genie_tensor_type_t b = genie_value_type(mlirOperationGetOperand(piece->concat, i));
    if (a.rank != b.rank || !mlirAffineExprEqual(a.dims[piece->axis], b.dims[piece->axis])) {
      return false;
    }
  }
  return true;
}

//===-- Order in memory -------------------------------------------------------------------------------------------===//

// A strided view of an argument that has the shape of `value` and that `value` is computed of, element by element.
static bool find_view_of_shape(const genie_lowering_t *lowering, MlirValue value, const genie_tensor_type_t *type,
                               seen_t *seen, genie_strided_view_t *out_view) {
  if (!has_dims(value, type->rank, type->dims)) {
    return false;
  }
  if (genie_lower_view(lowering, value, out_view) && mlirValueIsABlockArgument(out_view->root)) {
    return true;
  }
  if (!mlirValueIsAOpResult(value)) {
    return false;
  }
  MlirOperation op = mlirOpResultGetOwner(value);
  if (!genie_op_has_rule(op, "pointwise") || !visit(seen, op)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    if (find_view_of_shape(lowering, mlirOperationGetOperand(op, i), type, seen, out_view)) {
      return true;
    }
  }
  return false;
}

void genie_region_physical_order(const genie_lowering_t *lowering, MlirValue value, int out_order[GENIE_IR_MAX_RANK]) {
  const genie_tensor_type_t type = genie_value_type(value);
  for (int d = 0; d < type.rank; ++d) {
    out_order[d] = d;
  }
  genie_strided_view_t view;
  seen_t seen = {.count = 0};
  if (!find_view_of_shape(lowering, value, &type, &seen, &view)) {
    return;
  }
  int64_t strides[GENIE_IR_MAX_RANK];
  for (int d = 0; d < type.rank; ++d) {
    strides[d] = genie_lower_maximum(lowering, view.strides[d]);
  }
  for (int k = 1; k < type.rank; ++k) {  // insertion sort: stable, and ranks are small
    for (int j = k; j > 0 && strides[out_order[j]] > strides[out_order[j - 1]]; --j) {
      const int swapped = out_order[j];
      out_order[j] = out_order[j - 1];
      out_order[j - 1] = swapped;
    }
  }
}

//===-- Reshapes --------------------------------------------------------------------------------------------------===//

bool genie_region_next_reshape_group(MlirContext context, const genie_tensor_type_t *to,
                                     const genie_tensor_type_t *from, genie_reshape_group_t *group) {
  const int i = group->to_last, j = group->from_last;
  if (i == to->rank && j == from->rank) {
    return false;
  }
  *group = (genie_reshape_group_t){.to_first = i, .from_first = j, .to_last = to->rank, .from_last = from->rank};
  for (int total = 1; total < to->rank - i + from->rank - j; ++total) {
    for (int taken = 0; taken <= total; ++taken) {
      if (taken > to->rank - i || total - taken > from->rank - j) {
        continue;
      }
      MlirAffineExpr a = genie_dim_product(context, taken, to->dims + i);
      MlirAffineExpr b = genie_dim_product(context, total - taken, from->dims + j);
      if (mlirAffineExprEqual(a, b)) {
        group->to_last = i + taken;
        group->from_last = j + total - taken;
        return true;
      }
    }
  }
  return true;
}

//===-- Shared memory ---------------------------------------------------------------------------------------------===//

// Inputs by how the computation of the outputs reads them: at the index of the output only, or elsewhere as well.
typedef struct reads {
  const genie_lowering_t *lowering;
  uint64_t elsewhere;
  seen_t seen_same, seen_elsewhere;
} reads_t;

static bool is_same_shape(MlirValue a, MlirValue b) {
  const genie_tensor_type_t type = genie_value_type(b);
  return has_dims(a, type.rank, type.dims);
}

static void collect_reads(reads_t *reads, MlirValue value, bool is_same) {
  const int argument = genie_region_argument(reads->lowering, value);
  if (argument >= 0) {
    if (!is_same && argument < 64) {
      reads->elsewhere |= UINT64_C(1) << argument;
    }
    return;
  }
  MlirOperation op = mlirOpResultGetOwner(value);
  if (!visit(is_same ? &reads->seen_same : &reads->seen_elsewhere, op)) {
    return;
  }
  const bool is_anchor = mlirOperationEqual(op, reads->lowering->anchor);
  const bool is_scalar =
      (genie_op_has_rule(op, "pointwise") && !genie_op_is(op, "genie.gather") && !genie_op_is(op, "genie.take") &&
       !genie_op_is(op, "genie.index") && !genie_op_is(op, "genie.embedding") && !genie_op_is(op, "genie.concat") &&
       !genie_op_is(op, "genie.pad") && !genie_op_is(op, "genie.flip") && !genie_op_is(op, "genie.slice_scatter")) ||
      (is_anchor && reads->lowering->is_elementwise_anchor);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    MlirValue operand = mlirOperationGetOperand(op, i);
    collect_reads(reads, operand, is_same && is_scalar && is_same_shape(operand, value));
  }
}

static bool is_same_layout(const genie_lowering_t *lowering, int a, int b, int rank) {
  int64_t storage_a[GENIE_IR_MAX_RANK], storage_b[GENIE_IR_MAX_RANK];
  const int64_t *layout_a = genie_region_layout(lowering, a, storage_a);
  const int64_t *layout_b = genie_region_layout(lowering, b, storage_b);
  if (layout_a == NULL || layout_b == NULL) {
    return layout_a == layout_b;
  }
  return memcmp(layout_a, layout_b, (size_t)rank * sizeof(int64_t)) == 0;
}

static uint64_t inputs_like_output(const genie_lowering_t *lowering, int output, uint64_t elsewhere) {
  const struct genie_lowering_state *state = lowering->state;
  MlirValue yielded = mlirOperationGetOperand(lowering->yield, output);
  const genie_tensor_type_t type = genie_value_type(yielded);
  uint64_t inputs = 0;
  for (int i = 0; i < state->input_count && i < 64; ++i) {
    MlirValue argument = mlirBlockGetArgument(lowering->body, i);
    const bool is_alike = genie_dtype_bytes(genie_lower_dtype(argument)) == genie_dtype_bytes(type.dtype) &&
                          has_dims(argument, type.rank, type.dims) &&
                          is_same_layout(lowering, i, state->input_count + output, type.rank);
    if (is_alike && (elsewhere >> i & 1) == 0) {
      inputs |= UINT64_C(1) << i;
    }
  }
  return inputs;
}

static void join_classes(struct genie_lowering_state *state, int a, int b) {
  const int from = state->alias_class[a], to = state->alias_class[b];
  for (int i = 0; i < state->input_count + state->output_count; ++i) {
    state->alias_class[i] = state->alias_class[i] == from ? to : state->alias_class[i];
  }
}

void genie_region_find_in_place(genie_lowering_t *lowering) {
  struct genie_lowering_state *state = lowering->state;
  for (int i = 0; i < state->input_count + state->output_count; ++i) {
    state->alias_class[i] = i;
  }
  reads_t reads = {.lowering = lowering};
  for (int r = 0; r < state->output_count; ++r) {
    collect_reads(&reads, mlirOperationGetOperand(lowering->yield, r), true);
  }
  for (int r = 0; r < state->output_count; ++r) {
    state->in_place[r] = inputs_like_output(lowering, r, reads.elsewhere) | lowering->in_place[r];
    for (int i = 0; i < state->input_count && i < 64; ++i) {
      if ((state->in_place[r] >> i & 1) != 0) {
        join_classes(state, i, state->input_count + r);
      }
    }
  }
}
