#include "passes/graph/rules.h"

#include "passes/graph/pointer_map.h"

enum { MAX_ROUNDS = 32 };

// All rules by the identity of the op's name, which MLIR makes unique.
typedef struct rule_index {
  genie_pointer_map_t first_of;  // name -> index of its first rule
  genie_arena_t arena;
  const genie_rule_t **rules;
  int *next;
  int count;
} rule_index_t;

static genie_status_t add_rule(rule_index_t *index, MlirContext context, const genie_rule_t *rule) {
  const MlirIdentifier name = mlirIdentifierGet(context, mlirStringRefCreateFromCString(rule->name));
  const int first = genie_pointer_map_get(&index->first_of, name.ptr);
  const int added = index->count++;
  index->rules[added] = rule;
  index->next[added] = -1;
  if (first < 0) {
    return genie_pointer_map_set(&index->first_of, name.ptr, added);
  }
  int last = first;
  while (index->next[last] >= 0) {
    last = index->next[last];
  }
  index->next[last] = added;
  return GENIE_OK;
}

static genie_status_t index_init(rule_index_t *index, MlirContext context, int table_count,
                                 const genie_rule_t *const *tables) {
  size_t count = 0;
  for (int t = 0; t < table_count; ++t) {
    for (const genie_rule_t *rule = tables[t]; rule->name != NULL; ++rule) {
      ++count;
    }
  }
  genie_arena_t *arena = &index->arena;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, sizeof(*index->rules), (void **)&index->rules));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, sizeof(*index->next), (void **)&index->next));
  for (int t = 0; t < table_count; ++t) {
    for (const genie_rule_t *rule = tables[t]; rule->name != NULL; ++rule) {
      GENIE_RETURN_IF_ERROR(add_rule(index, context, rule));
    }
  }
  return GENIE_OK;
}

static genie_status_t apply_to_op(const rule_index_t *index, MlirOperation op, bool *out_is_changed) {
  int rule = genie_pointer_map_get(&index->first_of, mlirOperationGetName(op).ptr);
  for (; rule >= 0; rule = index->next[rule]) {
    MlirValue value = {NULL};
    GENIE_RETURN_IF_ERROR(index->rules[rule]->apply(op, &value));
    if (!mlirValueIsNull(value)) {
      genie_rewrite_replace(op, value);
      *out_is_changed = true;
      return GENIE_OK;
    }
  }
  return GENIE_OK;
}

static genie_status_t apply_round(const rule_index_t *index, MlirBlock block, bool *out_is_changed) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_op_list_t list;
  genie_status_t status = genie_rewrite_list_ops(block, &arena, &list);
  *out_is_changed = false;
  for (int i = 0; status == GENIE_OK && i < list.count; ++i) {
    if (!genie_rewrite_is_unused(list.ops[i])) {
      status = apply_to_op(index, list.ops[i], out_is_changed);
    }
  }
  genie_arena_deinit(&arena);
  return status == GENIE_OK ? genie_rewrite_erase_dead(block) : status;
}

genie_status_t genie_rules_apply(MlirOperation function, int table_count, const genie_rule_t *const *tables) {
  rule_index_t index = {0};
  genie_arena_init(genie_allocator_heap(), 0, &index.arena);
  genie_pointer_map_init(&index.first_of);
  genie_status_t status = index_init(&index, mlirOperationGetContext(function), table_count, tables);
  bool is_changed = true;
  for (int round = 0; status == GENIE_OK && is_changed && round < MAX_ROUNDS; ++round) {
    status = apply_round(&index, genie_rewrite_body(function), &is_changed);
  }
  genie_pointer_map_deinit(&index.first_of);
  genie_arena_deinit(&index.arena);
  return status;
}
