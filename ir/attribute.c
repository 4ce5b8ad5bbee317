// Attributes of ops: construction, and reading with the op table's defaults.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/genie_ir.h"
#include "ir/op_slots.h"

MlirAttribute genie_ir_i64_attr(MlirContext context, int64_t value) {
  return mlirIntegerAttrGet(mlirIntegerTypeGet(context, 64), value);
}

MlirAttribute genie_ir_f64_attr(MlirContext context, double value) {
  return mlirFloatAttrDoubleGet(context, mlirF64TypeGet(context), value);
}

MlirAttribute genie_ir_bool_attr(MlirContext context, bool value) {
  return mlirBoolAttrGet(context, value);
}

MlirAttribute genie_ir_string_attr(MlirContext context, const char *text) {
  return mlirStringAttrGet(context, mlirStringRefCreateFromCString(text));
}

MlirAttribute genie_ir_i64_array_attr(MlirContext context, int count, const int64_t *numbers) {
  return mlirDenseI64ArrayGet(context, count, numbers);
}

const char *genie_op_attribute_default(const genie_op_info_t *info, const char *name) {
  const size_t length = strlen(name);
  for (int i = 0; info != NULL && info->attribute_names[i] != NULL; ++i) {
    const char *entry = info->attribute_names[i];
    if (strncmp(entry, name, length) == 0 && entry[length] == '=') {
      return entry + length + 1;
    }
  }
  return NULL;
}

MlirAttribute genie_op_attribute_get(MlirAttribute dictionary, const char *name) {
  return mlirDictionaryAttrGetElementByName(dictionary, mlirStringRefCreateFromCString(name));
}

static int64_t parse_i64(const char *text) {
  assert(text != NULL && "the attribute is absent and has no default");
  return strtoll(text, NULL, 10);
}

static bool parse_bool(const char *text) {
  assert(text != NULL && "the attribute is absent and has no default");
  return strcmp(text, "true") == 0;
}

int64_t genie_op_attribute_i64(const genie_op_info_t *info, MlirAttribute dictionary, const char *name) {
  const MlirAttribute attribute = genie_op_attribute_get(dictionary, name);
  return mlirAttributeIsNull(attribute) ? parse_i64(genie_op_attribute_default(info, name))
                                        : mlirIntegerAttrGetValueInt(attribute);
}

bool genie_op_attribute_bool(const genie_op_info_t *info, MlirAttribute dictionary, const char *name) {
  const MlirAttribute attribute = genie_op_attribute_get(dictionary, name);
  return mlirAttributeIsNull(attribute) ? parse_bool(genie_op_attribute_default(info, name))
                                        : mlirBoolAttrGetValue(attribute);
}

static MlirAttribute get(MlirOperation op, const char *name) {
  return mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
}

static const char *default_of(MlirOperation op, const char *name) {
  return genie_op_attribute_default(genie_op_info_get(op), name);
}

bool genie_ir_has(MlirOperation op, const char *name) {
  return !mlirAttributeIsNull(get(op, name));
}

int64_t genie_ir_i64(MlirOperation op, const char *name) {
  const MlirAttribute attribute = get(op, name);
  return mlirAttributeIsNull(attribute) ? parse_i64(default_of(op, name)) : mlirIntegerAttrGetValueInt(attribute);
}

double genie_ir_f64(MlirOperation op, const char *name) {
  const MlirAttribute attribute = get(op, name);
  if (!mlirAttributeIsNull(attribute)) {
    return mlirFloatAttrGetValueDouble(attribute);
  }
  const char *text = default_of(op, name);
  assert(text != NULL && "the attribute is absent and has no default");
  return strtod(text, NULL);
}

bool genie_ir_bool(MlirOperation op, const char *name) {
  const MlirAttribute attribute = get(op, name);
  return mlirAttributeIsNull(attribute) ? parse_bool(default_of(op, name)) : mlirBoolAttrGetValue(attribute);
}

MlirStringRef genie_ir_string(MlirOperation op, const char *name) {
  const MlirAttribute attribute = get(op, name);
  if (!mlirAttributeIsNull(attribute)) {
    return mlirAttributeIsAFlatSymbolRef(attribute) ? mlirFlatSymbolRefAttrGetValue(attribute)
                                                    : mlirStringAttrGetValue(attribute);
  }
  const char *text = default_of(op, name);
  assert(text != NULL && "the attribute is absent and has no default");
  return mlirStringRefCreateFromCString(text);
}

int genie_ir_i64_array(MlirOperation op, const char *name, int capacity, int64_t *out_numbers) {
  const MlirAttribute attribute = get(op, name);
  assert(!mlirAttributeIsNull(attribute) && mlirAttributeIsADenseI64Array(attribute));
  const int count = (int)mlirDenseArrayGetNumElements(attribute);
  for (int i = 0; i < count && i < capacity; ++i) {
    out_numbers[i] = mlirDenseI64ArrayGetElement(attribute, i);
  }
  return count;
}
