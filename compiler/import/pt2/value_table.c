#include "compiler/import/pt2/value_table.h"

#include <assert.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct genie_pt2_name {
  const char *text;  // NULL: free
  int tensor;        // -1: not bound yet
  int last_use;
};

genie_status_t genie_pt2_value_table_init(genie_arena_t *arena, size_t capacity, genie_pt2_value_table_t *out_table) {
  *out_table = (genie_pt2_value_table_t){.arena = arena, .name_capacity = 16, .tensor_capacity = (int)capacity};
  while (out_table->name_capacity < 2 * capacity + 2) {
    out_table->name_capacity *= 2;
  }
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, out_table->name_capacity, sizeof(genie_pt2_name_t), &memory));
  out_table->names = memory;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, capacity, sizeof(genie_pt2_tensor_t), &memory));
  out_table->tensors = memory;
  return GENIE_OK;
}

static genie_pt2_name_t *slot_of(const genie_pt2_value_table_t *table, const char *name) {
  const size_t mask = table->name_capacity - 1;
  size_t at = XXH3_64bits(name, strlen(name)) & mask;
  while (table->names[at].text != NULL && strcmp(table->names[at].text, name) != 0) {
    at = (at + 1) & mask;
  }
  return &table->names[at];
}

static genie_pt2_name_t *slot_make(genie_pt2_value_table_t *table, const char *name) {
  genie_pt2_name_t *slot = slot_of(table, name);
  if (slot->text == NULL) {
    assert(table->name_count + 1 < table->name_capacity && "names beyond the capacity given");
    ++table->name_count;
    *slot = (genie_pt2_name_t){.text = name, .tensor = -1, .last_use = -1};
  }
  return slot;
}

void genie_pt2_value_table_note_use(genie_pt2_value_table_t *table, const char *name, int position) {
  genie_pt2_name_t *slot = slot_make(table, name);
  slot->last_use = position > slot->last_use ? position : slot->last_use;
}

int genie_pt2_value_table_last_use(const genie_pt2_value_table_t *table, const char *name) {
  const genie_pt2_name_t *slot = slot_of(table, name);
  return slot->text != NULL ? slot->last_use : -1;
}

void genie_pt2_value_table_alias(genie_pt2_value_table_t *table, const char *name, int tensor) {
  genie_pt2_name_t *slot = slot_make(table, name);
  slot->tensor = tensor;
  if (slot->last_use > table->tensors[tensor].last_use) {
    table->tensors[tensor].last_use = slot->last_use;
  }
}

genie_pt2_tensor_t *genie_pt2_value_table_bind(genie_pt2_value_table_t *table, const char *name, MlirValue value,
                                               int parent) {
  assert(table->tensor_count < table->tensor_capacity && "tensors beyond the capacity given");
  const int index = table->tensor_count++;
  const genie_pt2_tensor_t *owner = parent >= 0 ? &table->tensors[parent] : NULL;
  table->tensors[index] = (genie_pt2_tensor_t){.value = value,
                                               .base = owner != NULL ? owner->base : index,
                                               .parent = parent,
                                               .origin = owner != NULL ? owner->value : (MlirValue){NULL},
                                               .view = value,
                                               .last_use = -1};
  genie_pt2_value_table_alias(table, name, index);
  return &table->tensors[index];
}

int genie_pt2_value_table_find(const genie_pt2_value_table_t *table, const char *name) {
  const genie_pt2_name_t *slot = slot_of(table, name);
  return slot->text != NULL ? slot->tensor : -1;
}
