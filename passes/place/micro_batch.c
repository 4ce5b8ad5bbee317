#include "passes/place/micro_batch.h"

#include <stdlib.h>

typedef struct unroll {
  MlirContext context;
  MlirOperation terminator;
  genie_batch_split_t split;
  genie_arena_t arena;
  genie_op_list_t list;
  genie_pointer_map_t number_of;  // split results -> their numbers
  int result_count;
  int64_t count;     // micro-batches
  MlirValue *parts;  // [count, result_count]
} unroll_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

//===-- Marks -----------------------------------------------------------------------------------------------------===//

void genie_micro_batch_mark(MlirOperation function) {
  const MlirContext context = mlirOperationGetContext(function);
  int64_t number = 0;
  for (MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(function)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    mlirOperationSetDiscardableAttributeByName(op, text_of(GENIE_MICRO_BATCH_ORIGIN_ATTRIBUTE),
                                               genie_ir_i64_attr(context, number++));
  }
}

void genie_micro_batch_unmark(MlirOperation function) {
  for (MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(function)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    mlirOperationRemoveDiscardableAttributeByName(op, text_of(GENIE_MICRO_BATCH_ORIGIN_ATTRIBUTE));
  }
}

int64_t genie_micro_batch_origin(MlirOperation op) {
  const MlirAttribute number =
      mlirOperationGetDiscardableAttributeByName(op, text_of(GENIE_MICRO_BATCH_ORIGIN_ATTRIBUTE));
  return mlirAttributeIsNull(number) ? -1 : mlirIntegerAttrGetValueInt(number);
}

//===-- Parts -----------------------------------------------------------------------------------------------------===//

// The type of a micro-batch's part of a value of `type`.
static MlirType part_type(const unroll_t *unroll, MlirValue value, int axis) {
  genie_tensor_type_t type = genie_value_type(value);
  type.dims[axis] = genie_dim_constant(unroll->context, genie_dim_value(type.dims[axis]) / unroll->count);
  return genie_type_make(unroll->context, &type);
}

// A view of micro-batch `part` of a value that is there as a whole, for `reader`.
static genie_status_t slice(const unroll_t *unroll, MlirValue value, int axis, int64_t part, MlirOperation reader,
                            MlirValue *out_part) {
  const int64_t run = genie_dim_value(genie_value_type(value).dims[axis]) / unroll->count;
  const MlirAffineExpr start = genie_dim_constant(unroll->context, part * run);
  const genie_ir_attribute_t attributes[] = {{"axis", genie_ir_i64_attr(unroll->context, axis)},
                                             {"start", genie_ir_dim_attr(unroll->context, start)}};
  return genie_rewrite_make_typed(reader, "genie.slice", 1, &value, 2, attributes, part_type(unroll, value, axis),
                                  out_part);
}

static MlirValue *part_of(const unroll_t *unroll, MlirValue value, int64_t part) {
  const int number = genie_pointer_map_get(&unroll->number_of, value.ptr);
  return number < 0 ? NULL : &unroll->parts[part * unroll->result_count + number];
}

// Makes the copy of a split op that computes micro-batch `part`.
static genie_status_t copy_op(unroll_t *unroll, MlirOperation op, int64_t part) {
  const MlirOperation copy = mlirOperationClone(op);
  mlirBlockInsertOwnedOperationBefore(mlirOperationGetBlock(op), unroll->terminator, copy);
  mlirOperationSetDiscardableAttributeByName(copy, text_of(GENIE_MICRO_BATCH_ATTRIBUTE),
                                             genie_ir_i64_attr(unroll->context, part));
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    const MlirValue *made = part_of(unroll, operand, part);
    const int axis = genie_batch_split_operand_axis(&unroll->split, op, i);
    if (made != NULL) {
      mlirOperationSetOperand(copy, i, *made);
    } else if (axis != GENIE_BATCH_WHOLE) {
      MlirValue view;
      GENIE_RETURN_IF_ERROR(slice(unroll, operand, axis, part, copy, &view));
      mlirOperationSetOperand(copy, i, view);
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    const MlirValue result = mlirOperationGetResult(op, i);
    const MlirValue made = mlirOperationGetResult(copy, i);
    mlirValueSetType(made, part_type(unroll, result, genie_batch_split_axis(&unroll->split, result)));
    *part_of(unroll, result, part) = made;
  }
  return GENIE_OK;
}

static bool is_split(const unroll_t *unroll, MlirOperation op) {
  return mlirOperationGetNumResults(op) > 0 &&
         genie_batch_split_axis(&unroll->split, mlirOperationGetResult(op, 0)) != GENIE_BATCH_WHOLE;
}

// Outputs are joined where the last of them is made.
static genie_status_t join_outputs(unroll_t *unroll) {
  MlirValue *parts;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&unroll->arena, (size_t)unroll->count, sizeof(*parts), (void **)&parts));
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(unroll->terminator); ++i) {
    const MlirValue output = mlirOperationGetOperand(unroll->terminator, i);
    if (part_of(unroll, output, 0) == NULL) {
      continue;
    }
    for (int64_t part = 0; part < unroll->count; ++part) {
      parts[part] = *part_of(unroll, output, part);
    }
    const int axis = genie_batch_split_axis(&unroll->split, output);
    const genie_ir_attribute_t attribute = {"axis", genie_ir_i64_attr(unroll->context, axis)};
    const genie_ir_builder_t builder = genie_rewrite_before(unroll->terminator);
    MlirOperation joined;
    GENIE_RETURN_IF_ERROR(genie_ir_build(&builder, "genie.concat", (int)unroll->count, parts, 1, &attribute, &joined));
    genie_rewrite_copy_annotations(mlirOpResultGetOwner(output), joined);
    mlirOperationSetOperand(unroll->terminator, i, genie_rewrite_result(joined));
  }
  return GENIE_OK;
}

static genie_status_t number_results(unroll_t *unroll) {
  for (int i = 0; i < unroll->list.count; ++i) {
    for (intptr_t k = 0; is_split(unroll, unroll->list.ops[i]) && k < mlirOperationGetNumResults(unroll->list.ops[i]);
         ++k) {
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(
          &unroll->number_of, mlirOperationGetResult(unroll->list.ops[i], k).ptr, unroll->result_count++));
    }
  }
  return genie_arena_allocate(&unroll->arena, (size_t)(unroll->count * unroll->result_count) + 1, sizeof(MlirValue),
                              (void **)&unroll->parts);
}

static genie_status_t run(unroll_t *unroll, MlirOperation function) {
  const MlirBlock body = genie_rewrite_body(function);
  GENIE_RETURN_IF_ERROR(genie_batch_split_init(function, &unroll->split));
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(body, &unroll->arena, &unroll->list));
  unroll->terminator = unroll->list.ops[unroll->list.count - 1];
  GENIE_RETURN_IF_ERROR(number_results(unroll));
  for (int64_t part = 0; part < unroll->count; ++part) {
    for (int i = 0; i < unroll->list.count; ++i) {
      if (is_split(unroll, unroll->list.ops[i])) {
        GENIE_RETURN_IF_ERROR(copy_op(unroll, unroll->list.ops[i], part));
      }
    }
  }
  GENIE_RETURN_IF_ERROR(join_outputs(unroll));
  return genie_rewrite_erase_dead(body);
}

genie_status_t genie_micro_batch_unroll(MlirOperation function, int64_t count) {
  unroll_t unroll = {.context = mlirOperationGetContext(function), .count = count};
  genie_arena_init(genie_allocator_heap(), 0, &unroll.arena);
  genie_pointer_map_init(&unroll.number_of);
  const genie_status_t status = run(&unroll, function);
  genie_batch_split_deinit(&unroll.split);
  genie_pointer_map_deinit(&unroll.number_of);
  genie_arena_deinit(&unroll.arena);
  return status;
}
