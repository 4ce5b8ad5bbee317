#include "codegen/kernel/kernel_key.h"

#include <string.h>

typedef struct key {
  genie_string_builder_t *text;
  MlirBlock body;
  bool has_dynamic;
} kernel_key_t;

static void append_text(MlirStringRef text, void *builder) {
  genie_string_builder_append(builder, text.data, text.length);
}

static void append_type(kernel_key_t *key, MlirType type) {
  genie_string_builder_append(key->text, ":", 1);
  mlirTypePrint(type, append_text, key->text);
  key->has_dynamic = key->has_dynamic || !genie_type_is_static(type);
}

// Values by the number of their block argument, or of their op in the block and result.
static void append_value(kernel_key_t *key, MlirValue value) {
  if (mlirValueIsABlockArgument(value)) {
    genie_string_builder_format(key->text, " a%d", (int)mlirBlockArgumentGetArgNumber(value));
    return;
  }
  int number = 0;
  MlirOperation owner = mlirOpResultGetOwner(value);
  for (MlirOperation op = mlirBlockGetFirstOperation(key->body); !mlirOperationEqual(op, owner); ++number) {
    op = mlirOperationGetNextInBlock(op);
  }
  genie_string_builder_format(key->text, " %d.%d", number, (int)mlirOpResultGetResultNumber(value));
}

// All attributes but those that only tell where an op came from.
static void append_attributes(kernel_key_t *key, MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumAttributes(op); ++i) {
    const MlirNamedAttribute attribute = mlirOperationGetAttribute(op, i);
    const MlirStringRef name = mlirIdentifierStr(attribute.name);
    if (name.length > 6 && memcmp(name.data, "genie.", 6) == 0) {
      continue;
    }
    genie_string_builder_format(key->text, " %.*s=", (int)name.length, name.data);
    mlirAttributePrint(attribute.attribute, append_text, key->text);
  }
}

static void append_op(kernel_key_t *key, MlirOperation op) {
  append_text(mlirIdentifierStr(mlirOperationGetName(op)), key->text);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    append_value(key, mlirOperationGetOperand(op, i));
  }
  append_attributes(key, op);
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    append_type(key, mlirValueGetType(mlirOperationGetResult(op, i)));
  }
  genie_string_builder_append(key->text, "\n", 1);
}

// The layouts of operands are those of the kernels that made them.
static void append_operands(kernel_key_t *key, MlirOperation kernel) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(kernel); ++i) {
    MlirValue operand = mlirOperationGetOperand(kernel, i);
    append_type(key, mlirValueGetType(operand));
    if (!mlirValueIsAOpResult(operand)) {
      continue;
    }
    MlirAttribute layouts =
        mlirOperationGetAttributeByName(mlirOpResultGetOwner(operand), mlirStringRefCreateFromCString("layouts"));
    const intptr_t result = mlirOpResultGetResultNumber(operand);
    if (!mlirAttributeIsNull(layouts) && result < mlirArrayAttrGetNumElements(layouts)) {
      mlirAttributePrint(mlirArrayAttrGetElement(layouts, result), append_text, key->text);
    }
  }
}

void genie_kernel_key_append(MlirOperation kernel, MlirOperation function, genie_string_builder_t *out_key) {
  kernel_key_t key = {.text = out_key, .body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0))};
  append_attributes(&key, kernel);
  append_operands(&key, kernel);
  genie_string_builder_append(out_key, "\n", 1);
  for (MlirOperation op = mlirBlockGetFirstOperation(key.body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    append_op(&key, op);
  }
  if (!key.has_dynamic) {
    return;
  }
  genie_ir_symbol_t symbols[GENIE_IR_MAX_SYMBOLS];
  const int count = genie_ir_symbols_get(function, symbols);
  for (int i = 0; i < count; ++i) {
    genie_string_builder_format(out_key, "%lld-%lld/%lld ", (long long)symbols[i].minimum,
                                (long long)symbols[i].maximum, (long long)symbols[i].multiple);
  }
}
