// Creates ops with result types from their shape rules.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/genie_ir.h"
#include "ir/op_slots.h"

enum { MAX_ATTRIBUTES = 16 };

// Everything that goes into a new op.
typedef struct draft {
  const genie_op_info_t *info;
  int operand_count, attribute_count;
  const MlirValue *operands;
  MlirNamedAttribute attributes[MAX_ATTRIBUTES];
} draft_t;

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString(name)), value);
}

static void collect_attributes(const genie_ir_builder_t *builder, int count, const genie_ir_attribute_t *attributes,
                               draft_t *draft) {
  for (int i = 0; i < count; ++i) {
    if (!mlirAttributeIsNull(attributes[i].value)) {
      assert(draft->attribute_count + 1 < MAX_ATTRIBUTES);
      draft->attributes[draft->attribute_count++] = named(builder->context, attributes[i].name, attributes[i].value);
    }
  }
}

// Which operands belong to which slot, as `operandSegmentSizes`. An absent optional operand is null, or missing at the
// end.
static void append_segments(const genie_ir_builder_t *builder, draft_t *draft) {
  int32_t sizes[GENIE_OP_MAX_SLOTS] = {0};
  int slot = 0;
  int next = 0;
  for (; draft->info->operand_names[slot] != NULL; ++slot) {
    const bool is_variadic = genie_op_slot_kind(draft->info->operand_names[slot]) == GENIE_OP_SLOT_VARIADIC;
    const int end = is_variadic ? draft->operand_count : next + 1;
    for (; next < end; ++next) {
      sizes[slot] += next < draft->operand_count && !mlirValueIsNull(draft->operands[next]);
    }
  }
  draft->attributes[draft->attribute_count++] =
      named(builder->context, "operandSegmentSizes", mlirDenseI32ArrayGet(builder->context, slot, sizes));
}

static genie_status_t infer_types(const genie_ir_builder_t *builder, const draft_t *draft, const MlirType *stated,
                                  MlirType *out_types) {
  MlirType operand_types[64];
  MlirType *types = draft->operand_count <= 64 ? operand_types : calloc((size_t)draft->operand_count, sizeof(*types));
  if (types == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %d operands", draft->operand_count);
  }
  for (int i = 0; i < draft->operand_count; ++i) {
    types[i] = mlirValueIsNull(draft->operands[i]) ? (MlirType){NULL} : mlirValueGetType(draft->operands[i]);
  }
  const genie_shape_query_t query = {
      .info = draft->info,
      .context = builder->context,
      .operand_count = draft->operand_count,
      .operand_types = types,
      .attributes = mlirDictionaryAttrGet(builder->context, draft->attribute_count, draft->attributes),
      .stated_types = stated,
  };
  const genie_status_t status = draft->info->shape_rule(&query, out_types);
  if (types != operand_types) {
    free(types);
  }
  return status;
}

// A kernel starts as one block whose arguments have the operands' types.
static MlirRegion create_kernel_body(const genie_ir_builder_t *builder, const draft_t *draft) {
  const MlirRegion region = mlirRegionCreate();
  const MlirBlock block = mlirBlockCreate(0, NULL, NULL);
  for (int i = 0; i < draft->operand_count; ++i) {
    mlirBlockAddArgument(block, mlirValueGetType(draft->operands[i]), builder->location);
  }
  mlirRegionAppendOwnedBlock(region, block);
  return region;
}

static void insert(const genie_ir_builder_t *builder, MlirOperation op) {
  if (mlirOperationIsNull(builder->before)) {
    mlirBlockAppendOwnedOperation(builder->block, op);
  } else {
    mlirBlockInsertOwnedOperationBefore(builder->block, builder->before, op);
  }
}

static MlirOperation create(const genie_ir_builder_t *builder, const draft_t *draft, int result_count,
                            const MlirType *types) {
  MlirOperationState state =
      mlirOperationStateGet(mlirStringRefCreateFromCString(draft->info->name), builder->location);
  for (int i = 0; i < draft->operand_count; ++i) {
    if (!mlirValueIsNull(draft->operands[i])) {
      mlirOperationStateAddOperands(&state, 1, &draft->operands[i]);
    }
  }
  mlirOperationStateAddAttributes(&state, draft->attribute_count, draft->attributes);
  mlirOperationStateAddResults(&state, result_count, types);
  if (strcmp(draft->info->name, "genie.kernel") == 0) {
    const MlirRegion body = create_kernel_body(builder, draft);
    mlirOperationStateAddOwnedRegions(&state, 1, &body);
  }
  return mlirOperationCreate(&state);
}

static genie_status_t annotate(const genie_ir_builder_t *builder, const char *name, genie_status_t status) {
  char place[256];
  genie_ir_describe_location(builder->location, sizeof(place), place);
  return place[0] == '\0' ? genie_status_annotate(status, "%s", name)
                          : genie_status_annotate(status, "%s: %s", place, name);
}

static genie_status_t build(const genie_ir_builder_t *builder, const char *name, int operand_count,
                            const MlirValue *operands, int attribute_count, const genie_ir_attribute_t *attributes,
                            int stated_count, const MlirType *stated, MlirOperation *out_op) {
  draft_t draft = {.info = genie_op_info_find(name), .operand_count = operand_count, .operands = operands};
  assert(draft.info != NULL && "no such op");
  collect_attributes(builder, attribute_count, attributes, &draft);
  if (genie_op_has_segments(draft.info)) {
    append_segments(builder, &draft);
  }
  MlirType inferred[GENIE_IR_MAX_RESULTS];
  if (draft.info->result_count >= 0) {
    assert(stated == NULL || stated_count == draft.info->result_count);
    const genie_status_t status = infer_types(builder, &draft, stated, inferred);
    if (status != GENIE_OK) {
      return annotate(builder, name, status);
    }
    for (int i = 0; stated != NULL && i < stated_count; ++i) {
      if (!mlirTypeEqual(stated[i], inferred[i])) {
        char expected[256];
        char actual[256];
        genie_type_describe(inferred[i], sizeof(expected), expected);
        genie_type_describe(stated[i], sizeof(actual), actual);
        return annotate(
            builder, name,
            genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the result must be %s, not %s", expected, actual));
      }
    }
    stated_count = draft.info->result_count;
    stated = inferred;
  }
  *out_op = create(builder, &draft, stated_count, stated);
  insert(builder, *out_op);
  return GENIE_OK;
}

genie_status_t genie_ir_build(const genie_ir_builder_t *builder, const char *name, int operand_count,
                              const MlirValue *operands, int attribute_count, const genie_ir_attribute_t *attributes,
                              MlirOperation *out_op) {
  return build(builder, name, operand_count, operands, attribute_count, attributes, 0, NULL, out_op);
}

genie_status_t genie_ir_build_typed(const genie_ir_builder_t *builder, const char *name, int operand_count,
                                    const MlirValue *operands, int attribute_count,
                                    const genie_ir_attribute_t *attributes, int result_count, const MlirType *types,
                                    MlirOperation *out_op) {
  return build(builder, name, operand_count, operands, attribute_count, attributes, result_count, types, out_op);
}

//===-- Constants -------------------------------------------------------------------------------------------------===//

static MlirAttribute scalar_elements(MlirType type, genie_dtype_t dtype, double value) {
  const MlirType element = mlirShapedTypeGetElementType(type);
  const MlirContext context = mlirTypeGetContext(type);
  switch (dtype) {
    case GENIE_DTYPE_F32:
    case GENIE_DTYPE_F64:
    case GENIE_DTYPE_F16:
    case GENIE_DTYPE_BF16:
      return mlirDenseElementsAttrSplatGet(type, mlirFloatAttrDoubleGet(context, element, value));
    case GENIE_DTYPE_BOOL:
      return mlirDenseElementsAttrBoolSplatGet(type, value != 0);
    default:
      return mlirDenseElementsAttrSplatGet(type, mlirIntegerAttrGet(element, (int64_t)value));
  }
}

MlirValue genie_ir_scalar(const genie_ir_builder_t *builder, genie_dtype_t dtype, double value) {
  const MlirType type = genie_type_make_static(builder->context, dtype, 0, NULL);
  const genie_ir_attribute_t attribute = {"value", scalar_elements(type, dtype, value)};
  MlirOperation op = {NULL};
  const genie_status_t status = genie_ir_build_typed(builder, "genie.constant", 0, NULL, 1, &attribute, 1, &type, &op);
  assert(status == GENIE_OK);
  (void)status;
  return mlirOperationGetResult(op, 0);
}

static double splat_number(MlirAttribute elements, genie_dtype_t dtype) {
  const MlirAttribute value = mlirDenseElementsAttrGetSplatValue(elements);
  if (mlirAttributeIsAFloat(value)) {
    return mlirFloatAttrGetValueDouble(value);
  }
  return dtype == GENIE_DTYPE_BOOL ? mlirIntegerAttrGetValueInt(value) != 0
         : dtype == GENIE_DTYPE_U8 ? (double)mlirIntegerAttrGetValueUInt(value)
                                   : (double)mlirIntegerAttrGetValueInt(value);
}

bool genie_ir_splat_value(MlirValue value, double *out_number) {
  if (!mlirValueIsAOpResult(value)) {
    return false;
  }
  const MlirOperation op = mlirOpResultGetOwner(value);
  if (!genie_op_is(op, "genie.constant")) {
    return false;
  }
  const MlirAttribute elements = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("value"));
  if (!mlirAttributeIsADenseElements(elements) || !mlirDenseElementsAttrIsSplat(elements)) {
    return false;
  }
  *out_number = splat_number(elements, genie_value_type(value).dtype);
  return true;
}
