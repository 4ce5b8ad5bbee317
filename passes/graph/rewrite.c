#include "passes/graph/rewrite.h"

#include <assert.h>
#include <string.h>

#include "passes/graph/pointer_map.h"

MlirBlock genie_rewrite_body(MlirOperation function) {
  return mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
}

static bool is_function(MlirOperation op) {
  return mlirStringRefEqual(mlirIdentifierStr(mlirOperationGetName(op)), mlirStringRefCreateFromCString("func.func"));
}

genie_status_t genie_rewrite_each_function(const genie_pass_context_t *context, MlirModule module,
                                           genie_function_fn_t rewrite) {
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (is_function(op) && !mlirBlockIsNull(genie_rewrite_body(op))) {
      GENIE_RETURN_IF_ERROR(rewrite(context, op));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_rewrite_list_ops(MlirBlock block, genie_arena_t *arena, genie_op_list_t *out_list) {
  size_t count = 0;
  const MlirOperation first = mlirBlockGetFirstOperation(block);
  for (MlirOperation op = first; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    ++count;
  }
  *out_list = (genie_op_list_t){.count = (int)count};
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, sizeof(MlirOperation), (void **)&out_list->ops));
  int i = 0;
  for (MlirOperation op = first; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    out_list->ops[i++] = op;
  }
  return GENIE_OK;
}

MlirOperation genie_rewrite_definer(MlirValue value) {
  return mlirValueIsAOpResult(value) ? mlirOpResultGetOwner(value) : (MlirOperation){NULL};
}

MlirOperation genie_rewrite_definer_if(MlirValue value, const char *name) {
  const MlirOperation op = mlirValueIsNull(value) ? (MlirOperation){NULL} : genie_rewrite_definer(value);
  return !mlirOperationIsNull(op) && genie_op_is(op, name) ? op : (MlirOperation){NULL};
}

MlirValue genie_rewrite_result(MlirOperation op) {
  return mlirOperationGetResult(op, 0);
}

bool genie_rewrite_is_unused(MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    if (!mlirOpOperandIsNull(mlirValueGetFirstUse(mlirOperationGetResult(op, i)))) {
      return false;
    }
  }
  return true;
}

bool genie_rewrite_has_one_use(MlirValue value) {
  const MlirOpOperand use = mlirValueGetFirstUse(value);
  return !mlirOpOperandIsNull(use) && mlirOpOperandIsNull(mlirOpOperandGetNextUse(use));
}

bool genie_rewrite_is_view(MlirOperation op) {
  return genie_op_is(op, "genie.reshape") || genie_op_is(op, "genie.permute") || genie_op_is(op, "genie.expand") ||
         genie_op_is(op, "genie.slice");
}

bool genie_rewrite_is_elementwise(MlirOperation op) {
  return genie_op_has_rule(op, "pointwise") &&
         genie_op_info_get(op)->cost_rule == genie_op_info_find("genie.add")->cost_rule;
}

MlirValue genie_rewrite_view_root(MlirValue value) {
  while (mlirValueIsAOpResult(value) && genie_rewrite_is_view(mlirOpResultGetOwner(value))) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
  }
  return value;
}

bool genie_rewrite_is_pure(MlirOperation op) {
  const genie_op_info_t *info = genie_op_info_get(op);
  return info != NULL && mlirOperationGetNumResults(op) > 0;
}

bool genie_rewrite_same_type(MlirValue a, MlirValue b) {
  return mlirTypeEqual(mlirValueGetType(a), mlirValueGetType(b));
}

bool genie_rewrite_same_dims(MlirValue a, MlirValue b) {
  const genie_tensor_type_t x = genie_value_type(a);
  const genie_tensor_type_t y = genie_value_type(b);
  bool is_same = x.rank == y.rank;
  for (int i = 0; is_same && i < x.rank; ++i) {
    is_same = genie_dim_equal(x.dims[i], y.dims[i]);
  }
  return is_same;
}

genie_ir_builder_t genie_rewrite_before(MlirOperation op) {
  return (genie_ir_builder_t){.context = mlirOperationGetContext(op),
                              .block = mlirOperationGetBlock(op),
                              .before = op,
                              .location = mlirOperationGetLocation(op)};
}

void genie_rewrite_copy_annotations(MlirOperation from, MlirOperation to) {
  for (intptr_t i = 0; i < mlirOperationGetNumDiscardableAttributes(from); ++i) {
    const MlirNamedAttribute attribute = mlirOperationGetDiscardableAttribute(from, i);
    const MlirStringRef name = mlirIdentifierStr(attribute.name);
    if (name.length > 6 && memcmp(name.data, "genie.", 6) == 0) {
      mlirOperationSetDiscardableAttributeByName(to, name, attribute.attribute);
    }
  }
}

genie_status_t genie_rewrite_make(MlirOperation origin, const char *name, int operand_count, const MlirValue *operands,
                                  int attribute_count, const genie_ir_attribute_t *attributes, MlirValue *out_value) {
  const genie_ir_builder_t builder = genie_rewrite_before(origin);
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(genie_ir_build(&builder, name, operand_count, operands, attribute_count, attributes, &op));
  genie_rewrite_copy_annotations(origin, op);
  *out_value = genie_rewrite_result(op);
  return GENIE_OK;
}

genie_status_t genie_rewrite_make_typed(MlirOperation origin, const char *name, int operand_count,
                                        const MlirValue *operands, int attribute_count,
                                        const genie_ir_attribute_t *attributes, MlirType type, MlirValue *out_value) {
  const genie_ir_builder_t builder = genie_rewrite_before(origin);
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(
      genie_ir_build_typed(&builder, name, operand_count, operands, attribute_count, attributes, 1, &type, &op));
  genie_rewrite_copy_annotations(origin, op);
  *out_value = genie_rewrite_result(op);
  return GENIE_OK;
}

genie_status_t genie_rewrite_make_reshape(MlirOperation origin, MlirValue x, int rank, const MlirAffineExpr *dims,
                                          MlirValue *out_value) {
  genie_tensor_type_t type = genie_value_type(x);
  assert(rank <= GENIE_IR_MAX_RANK);
  type.rank = rank;
  memcpy(type.dims, dims, (size_t)rank * sizeof(*dims));
  const MlirType result_type = genie_type_make(mlirOperationGetContext(origin), &type);
  *out_value = x;
  return mlirTypeEqual(result_type, mlirValueGetType(x))
             ? GENIE_OK
             : genie_rewrite_make_typed(origin, "genie.reshape", 1, &x, 0, NULL, result_type, out_value);
}

genie_status_t genie_rewrite_make_permute(MlirOperation origin, MlirValue x, int rank, const int64_t *permutation,
                                          MlirValue *out_value) {
  const genie_tensor_type_t from = genie_value_type(x);
  genie_tensor_type_t type = from;
  bool is_identity = true;
  for (int i = 0; i < rank; ++i) {
    type.dims[i] = from.dims[permutation[i]];
    is_identity &= permutation[i] == i;
  }
  if (is_identity) {
    *out_value = x;
    return GENIE_OK;
  }
  const MlirContext context = mlirOperationGetContext(origin);
  const genie_ir_attribute_t attribute = {"permutation", genie_ir_i64_array_attr(context, rank, permutation)};
  return genie_rewrite_make_typed(origin, "genie.permute", 1, &x, 1, &attribute, genie_type_make(context, &type),
                                  out_value);
}

void genie_rewrite_replace(MlirOperation op, MlirValue value) {
  mlirValueReplaceAllUsesOfWith(genie_rewrite_result(op), value);
  mlirOperationDestroy(op);
}

genie_status_t genie_rewrite_replace_by_slices(MlirOperation origin, MlirValue whole, int axis, int op_count,
                                               const MlirOperation *ops) {
  const MlirContext context = mlirOperationGetContext(origin);
  MlirAffineExpr start = genie_dim_constant(context, 0);
  for (int i = 0; i < op_count; ++i) {
    const MlirValue part = genie_rewrite_result(ops[i]);
    const genie_ir_attribute_t attributes[] = {{"axis", genie_ir_i64_attr(context, axis)},
                                               {"start", genie_ir_dim_attr(context, start)}};
    MlirValue slice;
    GENIE_RETURN_IF_ERROR(
        genie_rewrite_make_typed(origin, "genie.slice", 1, &whole, 2, attributes, mlirValueGetType(part), &slice));
    start = genie_dim_add(start, genie_value_type(part).dims[axis]);
    mlirValueReplaceAllUsesOfWith(part, slice);
  }
  return GENIE_OK;
}

genie_status_t genie_rewrite_erase_dead(MlirBlock block) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  const genie_status_t status = genie_rewrite_list_ops(block, &arena, &list);
  for (int i = status == GENIE_OK ? list.count - 1 : -1; i >= 0; --i) {
    if (genie_rewrite_is_pure(list.ops[i]) && genie_rewrite_is_unused(list.ops[i])) {
      mlirOperationDestroy(list.ops[i]);
    }
  }
  genie_arena_deinit(&arena);
  return status;
}

//===-- Order -----------------------------------------------------------------------------------------------------===//

typedef struct sorter {
  genie_op_list_t list;
  genie_pointer_map_t index_of;
  bool *is_placed;
  int *stack;
} sorter_t;

// Places what op `root` needs, then `root`, before `terminator`: depth first, so that ops keep their order where they
// can.
static void place(const sorter_t *sorter, int root, MlirOperation terminator) {
  int depth = 0;
  sorter->stack[depth++] = root;
  while (depth > 0) {
    const int i = sorter->stack[depth - 1];
    const MlirOperation op = sorter->list.ops[i];
    bool is_ready = true;
    for (intptr_t k = 0; !sorter->is_placed[i] && is_ready && k < mlirOperationGetNumOperands(op); ++k) {
      const MlirOperation needed = genie_rewrite_definer(mlirOperationGetOperand(op, k));
      const int n = mlirOperationIsNull(needed) ? -1 : genie_pointer_map_get(&sorter->index_of, needed.ptr);
      if (n >= 0 && !sorter->is_placed[n]) {
        assert(depth < sorter->list.count && "the graph has a cycle");
        sorter->stack[depth++] = n;
        is_ready = false;
      }
    }
    if (is_ready) {
      --depth;
      if (!sorter->is_placed[i]) {
        sorter->is_placed[i] = true;
        mlirOperationMoveBefore(op, terminator);
      }
    }
  }
}

static genie_status_t sort(MlirBlock block, genie_arena_t *arena, sorter_t *sorter) {
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(block, arena, &sorter->list));
  const size_t count = (size_t)sorter->list.count;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, sizeof(bool), (void **)&sorter->is_placed));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count + 1, sizeof(int), (void **)&sorter->stack));
  for (int i = 0; i < sorter->list.count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&sorter->index_of, sorter->list.ops[i].ptr, i));
  }
  const MlirOperation terminator = sorter->list.ops[count - 1];
  for (int i = 0; i < sorter->list.count - 1; ++i) {
    if (!sorter->is_placed[i]) {
      place(sorter, i, terminator);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_rewrite_sort(MlirBlock block) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  sorter_t sorter = {0};
  genie_pointer_map_init(&sorter.index_of);
  const genie_status_t status = sort(block, &arena, &sorter);
  genie_pointer_map_deinit(&sorter.index_of);
  genie_arena_deinit(&arena);
  return status;
}
