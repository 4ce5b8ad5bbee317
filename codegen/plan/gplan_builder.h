// Builds ops of the gplan dialect (ir/gplan_ops.td).
#ifndef GENIE_CODEGEN_PLAN_GPLAN_BUILDER_H_
#define GENIE_CODEGEN_PLAN_GPLAN_BUILDER_H_

#include "ir/genie_ir.h"

enum { GENIE_GPLAN_MAX_ATTRIBUTES = 8, GENIE_GPLAN_MAX_SEGMENTS = 3 };

// One op to be built. Fill the fields, then genie_gplan_build().
typedef struct genie_gplan_op {
  const char *name;  // "gplan.launch"
  MlirLocation location;
  int attribute_count;
  MlirNamedAttribute attributes[GENIE_GPLAN_MAX_ATTRIBUTES];
  int operand_count;
  const MlirValue *operands;
  int segment_count;  // 0: the op has no operand segments
  int32_t segments[GENIE_GPLAN_MAX_SEGMENTS];
  bool has_result;
  bool has_body;  // a region with one empty block
} genie_gplan_op_t;

void genie_gplan_set_i64(genie_gplan_op_t *op, const char *name, uint64_t value);
void genie_gplan_set_string(genie_gplan_op_t *op, const char *name, const char *text, size_t length);

// Appends to `block`, or inserts before `before` when that is not null.
MlirOperation genie_gplan_build(const genie_gplan_op_t *op, MlirBlock block, MlirOperation before);

#endif  // GENIE_CODEGEN_PLAN_GPLAN_BUILDER_H_
