// cse: ops that compute the same from the same become one. Where in the model they come from does not matter.
#include <string.h>

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

static bool is_annotation(MlirNamedAttribute attribute) {
  const MlirStringRef name = mlirIdentifierStr(attribute.name);
  return name.length > 6 && memcmp(name.data, "genie.", 6) == 0;
}

static uint64_t mix(uint64_t hash, const void *pointer) {
  hash ^= (uint64_t)(uintptr_t)pointer;
  hash *= UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ (hash >> 29);
}

// Attributes are unique in the context and sorted by name.
static uint64_t hash_op(MlirOperation op) {
  uint64_t hash = mix(0, mlirOperationGetName(op).ptr);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    hash = mix(hash, mlirOperationGetOperand(op, i).ptr);
  }
  for (intptr_t i = 0; i < mlirOperationGetNumAttributes(op); ++i) {
    const MlirNamedAttribute attribute = mlirOperationGetAttribute(op, i);
    if (!is_annotation(attribute)) {
      hash = mix(mix(hash, attribute.name.ptr), attribute.attribute.ptr);
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    hash = mix(hash, mlirValueGetType(mlirOperationGetResult(op, i)).ptr);
  }
  return hash;
}

static bool have_equal_attributes(MlirOperation a, MlirOperation b) {
  intptr_t i = 0, k = 0;
  while (true) {
    for (; i < mlirOperationGetNumAttributes(a) && is_annotation(mlirOperationGetAttribute(a, i)); ++i) {
    }
    for (; k < mlirOperationGetNumAttributes(b) && is_annotation(mlirOperationGetAttribute(b, k)); ++k) {
    }
    const bool is_end_of_a = i == mlirOperationGetNumAttributes(a);
    if (is_end_of_a || k == mlirOperationGetNumAttributes(b)) {
      return is_end_of_a && k == mlirOperationGetNumAttributes(b);
    }
    const MlirNamedAttribute x = mlirOperationGetAttribute(a, i++);
    const MlirNamedAttribute y = mlirOperationGetAttribute(b, k++);
    if (x.name.ptr != y.name.ptr || !mlirAttributeEqual(x.attribute, y.attribute)) {
      return false;
    }
  }
}

static bool are_equal(MlirOperation a, MlirOperation b) {
  if (mlirOperationGetName(a).ptr != mlirOperationGetName(b).ptr ||
      mlirOperationGetNumOperands(a) != mlirOperationGetNumOperands(b) ||
      mlirOperationGetNumResults(a) != mlirOperationGetNumResults(b)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(a); ++i) {
    if (!mlirValueEqual(mlirOperationGetOperand(a, i), mlirOperationGetOperand(b, i))) {
      return false;
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(a); ++i) {
    if (!genie_rewrite_same_type(mlirOperationGetResult(a, i), mlirOperationGetResult(b, i))) {
      return false;
    }
  }
  return have_equal_attributes(a, b);
}

// The map holds, for a hash, the op seen first; a collision of unequal ops only loses the later one.
static genie_status_t merge_ops(const genie_op_list_t *list, genie_pointer_map_t *first_of) {
  for (int i = 0; i < list->count; ++i) {
    const MlirOperation op = list->ops[i];
    if (!genie_rewrite_is_pure(op) || mlirOperationGetNumRegions(op) > 0) {
      continue;
    }
    const uint64_t hash = hash_op(op);
    const void *key = (const void *)(uintptr_t)(hash | 1);
    const int first = genie_pointer_map_get(first_of, key);
    if (first < 0) {
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(first_of, key, i));
    } else if (are_equal(list->ops[first], op)) {
      for (intptr_t r = 0; r < mlirOperationGetNumResults(op); ++r) {
        mlirValueReplaceAllUsesOfWith(mlirOperationGetResult(op, r), mlirOperationGetResult(list->ops[first], r));
      }
      mlirOperationDestroy(op);
    }
  }
  return GENIE_OK;
}

static genie_status_t merge_in_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_pointer_map_t first_of;
  genie_pointer_map_init(&first_of);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(genie_rewrite_body(function), &arena, &list);
  if (status == GENIE_OK) {
    status = merge_ops(&list, &first_of);
  }
  genie_pointer_map_deinit(&first_of);
  genie_arena_deinit(&arena);
  return status;
}

genie_status_t genie_pass_cse(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, merge_in_function);
}
