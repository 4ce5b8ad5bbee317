// Writes in place, made functional: a write to a view is a write to the tensor that it is a view of.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

enum { MAX_CHAIN = 16 };

// The view ops between a tensor's value and its parent's, outermost first. Returns -1 when there are others.
static int chain_of(const genie_pt2_tensor_t *tensor, MlirOperation out_ops[MAX_CHAIN]) {
  int count = 0;
  MlirValue value = tensor->view;
  if (mlirValueIsNull(tensor->origin)) {
    return -1;
  }
  while (!mlirValueEqual(value, tensor->origin)) {
    if (mlirValueIsABlockArgument(value) || count == MAX_CHAIN) {
      return -1;
    }
    const MlirOperation op = mlirOpResultGetOwner(value);
    if (!genie_op_is(op, "genie.reshape") && !genie_op_is(op, "genie.permute") && !genie_op_is(op, "genie.slice")) {
      return -1;
    }
    out_ops[count++] = op;
    value = mlirOperationGetOperand(op, 0);
  }
  return count;
}

static MlirValue reapply(pt2_importer_t *im, MlirOperation op, MlirValue operand) {
  const MlirOperation copy = mlirOperationClone(op);
  mlirOperationSetOperand(copy, 0, operand);
  mlirBlockAppendOwnedOperation(im->builder.block, copy);
  return mlirOperationGetResult(copy, 0);
}

// `operand` of the view op `op`, changed so that the op would now yield `result`.
static MlirValue invert(pt2_importer_t *im, MlirOperation op, MlirValue operand, MlirValue result) {
  const genie_tensor_type_t type = pt2_type(operand);
  if (genie_op_is(op, "genie.reshape")) {
    return pt2_reshape(im, result, type.rank, type.dims);
  }
  if (genie_op_is(op, "genie.permute")) {
    int64_t permutation[GENIE_IR_MAX_RANK] = {0}, inverse[GENIE_IR_MAX_RANK] = {0};
    genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
    for (int i = 0; i < type.rank; ++i) {
      inverse[permutation[i]] = i;
    }
    return pt2_permute(im, result, inverse);
  }
  const MlirAttribute start = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("start"));
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "axis", genie_ir_i64(op, "axis")),
                                             {"start", start},
                                             pt2_attr_i64(im, "step", genie_ir_i64(op, "step"))};
  return pt2_build(im, "genie.slice_scatter", 2, (MlirValue[]){operand, result}, 3, attributes);
}

// Writes through the chain of views from `tensor` to its parent.
static void write_parent(pt2_importer_t *im, const genie_pt2_tensor_t *tensor, genie_pt2_tensor_t *parent) {
  MlirOperation ops[MAX_CHAIN];
  MlirValue operands[MAX_CHAIN + 1];
  const int count = chain_of(tensor, ops);
  if (count < 0) {
    pt2_refuse(im, "mutation", "writes to what may or may not be a view of a tensor that is read later",
               "export with genie.export, which makes the graph functional");
    return;
  }
  operands[count] = parent->value;
  for (int i = count - 1; i > 0; --i) {
    operands[i] = reapply(im, ops[i], operands[i + 1]);
  }
  MlirValue value = tensor->value;
  for (int i = 0; i < count; ++i) {
    value = invert(im, ops[i], operands[i + 1], value);
  }
  parent->value = value;
}

static bool matters(const pt2_importer_t *im, const genie_pt2_tensor_t *tensor) {
  return tensor->last_use > im->position || tensor->is_persistent;
}

// Computes the other views of the storage again from their parents, which come before them in the table.
static void refresh_views(pt2_importer_t *im, int base, const bool *is_current) {
  for (int i = 0; i < im->values.tensor_count; ++i) {
    genie_pt2_tensor_t *tensor = &im->values.tensors[i];
    if (tensor->base != base || is_current[i] || tensor->parent < 0 || mlirValueIsNull(tensor->value)) {
      continue;
    }
    MlirOperation ops[MAX_CHAIN];
    const int count = chain_of(tensor, ops);
    if (count < 0 && matters(im, tensor)) {
      pt2_refuse(im, "mutation", "writes a tensor while what may be a view of it is read later",
                 "export with genie.export, which makes the graph functional");
      return;
    }
    MlirValue value = im->values.tensors[tensor->parent].value;
    for (int j = count - 1; j >= 0; --j) {
      value = reapply(im, ops[j], value);
    }
    if (count >= 0) {
      tensor->value = value;
      tensor->view = value;
      tensor->origin = im->values.tensors[tensor->parent].value;
    }
  }
}

// Whether anyone but `tensor` sees a write to its storage.
static bool is_observed(const pt2_importer_t *im, int index) {
  for (int i = 0; i < im->values.tensor_count; ++i) {
    const genie_pt2_tensor_t *other = &im->values.tensors[i];
    if (i != index && other->base == im->values.tensors[index].base && matters(im, other)) {
      return true;
    }
  }
  return false;
}

static void write_tensor(pt2_importer_t *im, int index, MlirValue value) {
  genie_pt2_tensor_t *tensors = im->values.tensors;
  tensors[index].value = value;
  tensors[index].is_written = true;
  if (!is_observed(im, index)) {
    return;
  }
  void *memory;
  const genie_status_t status =
      genie_arena_allocate(&im->arena, (size_t)im->values.tensor_count, sizeof(bool), &memory);
  if (status != GENIE_OK) {
    pt2_fail(im, status);
    return;
  }
  bool *is_current = memory;
  is_current[index] = true;
  for (int i = index; tensors[i].parent >= 0 && !pt2_has_failed(im); i = tensors[i].parent) {
    const int parent = tensors[i].parent;
    write_parent(im, &tensors[i], &tensors[parent]);
    tensors[parent].is_written = true;
    is_current[parent] = true;
  }
  refresh_views(im, tensors[index].base, is_current);
}

void pt2_write_in_place(pt2_importer_t *im, const genie_pt2_node_t *node) {
  const genie_pt2_arg_t *target = node->input_count > 0 ? &node->inputs[0].arg : NULL;
  const int index =
      target != NULL && target->kind == GENIE_PT2_TENSOR ? genie_pt2_value_table_find(&im->values, target->text) : -1;
  if (index < 0 || pt2_has_failed(im)) {
    pt2_refuse(im, "mutation", "an in-place op without a tensor to write", "use the functional op");
    return;
  }
  const genie_pt2_tensor_t *tensor = &im->values.tensors[index];
  if (im->values.tensors[tensor->base].is_weight) {
    pt2_refuse(im, "mutation", "writes a parameter", "make it a buffer: register_buffer");
    return;
  }
  const genie_tensor_type_t type = pt2_type(tensor->value);
  const MlirValue value = pt2_expand(im, pt2_cast(im, im->in_place_result, type.dtype), type.rank, type.dims);
  if (pt2_has_failed(im)) {
    return;
  }
  write_tensor(im, index, value);
  if (node->output_count > 0 && node->outputs[0].kind == GENIE_PT2_TENSOR) {
    genie_pt2_value_table_alias(&im->values, node->outputs[0].text, index);
  }
}
