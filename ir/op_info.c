// Look-up in the op table, and operands by the table's names.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/genie_ir.h"
#include "ir/op_slots.h"

static int compare_name(const void *key, const void *row) {
  return strcmp(key, ((const genie_op_info_t *)row)->name);
}

// The script sorts the table by name.
const genie_op_info_t *genie_op_info_find(const char *name) {
  return bsearch(name, genie_op_table, (size_t)genie_op_table_count, sizeof(genie_op_table[0]), compare_name);
}

const genie_op_info_t *genie_op_info_get(MlirOperation op) {
  const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
  char text[64];
  if (name.length >= sizeof(text) || name.length < 6 || memcmp(name.data, "genie.", 6) != 0) {
    return NULL;
  }
  memcpy(text, name.data, name.length);
  text[name.length] = '\0';
  return genie_op_info_find(text);
}

bool genie_op_has_rule(MlirOperation op, const char *rule) {
  const genie_op_info_t *info = genie_op_info_get(op);
  return info != NULL && strcmp(info->lower_rule, rule) == 0;
}

bool genie_op_is(MlirOperation op, const char *name) {
  const MlirStringRef actual = mlirIdentifierStr(mlirOperationGetName(op));
  return actual.length == strlen(name) && memcmp(actual.data, name, actual.length) == 0;
}

genie_op_cost_t genie_op_cost(MlirOperation op) {
  genie_op_cost_t cost = {0};
  const genie_op_info_t *info = genie_op_info_get(op);
  if (info != NULL) {
    info->cost_rule(op, &cost);
  }
  return cost;
}

static bool name_matches(const char *slot, const char *name) {
  const size_t length = strlen(name);
  return strncmp(slot, name, length) == 0 && (slot[length] == '\0' || slot[length] == '?' || slot[length] == '*');
}

genie_op_slot_kind_t genie_op_slot_kind(const char *slot) {
  const size_t length = strlen(slot);
  return slot[length - 1] == '?'   ? GENIE_OP_SLOT_OPTIONAL
         : slot[length - 1] == '*' ? GENIE_OP_SLOT_VARIADIC
                                   : GENIE_OP_SLOT_SINGLE;
}

bool genie_op_has_segments(const genie_op_info_t *info) {
  int flexible = 0;
  for (int i = 0; info->operand_names[i] != NULL; ++i) {
    flexible += genie_op_slot_kind(info->operand_names[i]) != GENIE_OP_SLOT_SINGLE;
  }
  return flexible > 1;
}

static int slot_count(const genie_op_info_t *info) {
  int count = 0;
  while (info->operand_names[count] != NULL) {
    ++count;
  }
  return count;
}

int genie_op_slot_sizes(MlirOperation op, const genie_op_info_t *info, int capacity, int *out_sizes) {
  const int count = slot_count(info);
  assert(count <= capacity);
  (void)capacity;
  if (genie_op_has_segments(info)) {
    const MlirAttribute segments =
        mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("operandSegmentSizes"));
    for (int i = 0; i < count; ++i) {
      out_sizes[i] = mlirDenseI32ArrayGetElement(segments, i);
    }
    return count;
  }
  for (int i = 0; i < count; ++i) {
    const bool is_single = genie_op_slot_kind(info->operand_names[i]) == GENIE_OP_SLOT_SINGLE;
    out_sizes[i] = is_single ? 1 : (int)mlirOperationGetNumOperands(op) - (count - 1);
  }
  return count;
}

void genie_ir_operand_range(MlirOperation op, const char *name, intptr_t *out_first, intptr_t *out_count) {
  const genie_op_info_t *info = genie_op_info_get(op);
  assert(info != NULL && "not a genie op");
  int sizes[GENIE_OP_MAX_SLOTS];
  const int count = genie_op_slot_sizes(op, info, GENIE_OP_MAX_SLOTS, sizes);
  intptr_t first = 0;
  for (int i = 0; i < count; ++i) {
    if (name_matches(info->operand_names[i], name)) {
      *out_first = first;
      *out_count = sizes[i];
      return;
    }
    first += sizes[i];
  }
  assert(false && "the op has no operand of this name");
  *out_first = *out_count = 0;
}

MlirValue genie_ir_operand(MlirOperation op, const char *name) {
  intptr_t first = 0;
  intptr_t count = 0;
  genie_ir_operand_range(op, name, &first, &count);
  return count == 0 ? (MlirValue){NULL} : mlirOperationGetOperand(op, first);
}
