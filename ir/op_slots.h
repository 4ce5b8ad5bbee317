// Operand slots of the op table: a slot is one named operand, optional ("bias?") or variadic ("inputs*").
#ifndef GENIE_IR_OP_SLOTS_H_
#define GENIE_IR_OP_SLOTS_H_

#include "ir/genie_ir.h"

enum { GENIE_OP_MAX_SLOTS = 8 };

typedef enum genie_op_slot_kind {
  GENIE_OP_SLOT_SINGLE,
  GENIE_OP_SLOT_OPTIONAL,
  GENIE_OP_SLOT_VARIADIC,
} genie_op_slot_kind_t;

genie_op_slot_kind_t genie_op_slot_kind(const char *slot);

// True for an op with more than one optional or variadic operand: it carries `operandSegmentSizes`.
bool genie_op_has_segments(const genie_op_info_t *info);

// Writes how many operands each slot of `op` has; returns the number of slots.
int genie_op_slot_sizes(MlirOperation op, const genie_op_info_t *info, int capacity, int *out_sizes);

// The default that the table gives attribute `name`, or NULL.
const char *genie_op_attribute_default(const genie_op_info_t *info, const char *name);

// Attribute `name` of a dictionary as an integer, with the table's default; asserts when there is neither.
int64_t genie_op_attribute_i64(const genie_op_info_t *info, MlirAttribute dictionary, const char *name);
bool genie_op_attribute_bool(const genie_op_info_t *info, MlirAttribute dictionary, const char *name);
// Null when absent.
MlirAttribute genie_op_attribute_get(MlirAttribute dictionary, const char *name);

#endif  // GENIE_IR_OP_SLOTS_H_
