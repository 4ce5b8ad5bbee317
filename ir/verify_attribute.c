// The attributes of the dialect on functions, arguments, results and any op.
#include <string.h>

#include "ir/dialect.h"
#include "ir/place.h"
#include "ir/verify.h"

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static bool equals(MlirStringRef text, const char *expected) {
  return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static genie_status_t require_string(MlirStringRef name, MlirAttribute value) {
  return mlirAttributeIsAString(value)
             ? GENIE_OK
             : genie_verify_refuse("attribute '%.*s' must be a string", (int)name.length, name.data);
}

//===-- Symbols of sizes ------------------------------------------------------------------------------------------===//

static bool read_number(MlirAttribute dictionary, const char *name, int64_t *out_number) {
  const MlirAttribute value = mlirDictionaryAttrGetElementByName(dictionary, ref(name));
  if (mlirAttributeIsNull(value) || !mlirAttributeIsAInteger(value)) {
    return false;
  }
  *out_number = mlirIntegerAttrGetValueInt(value);
  return true;
}

static MlirAttribute name_of(MlirAttribute symbol) {
  return mlirDictionaryAttrGetElementByName(symbol, ref("name"));
}

static genie_status_t verify_symbol(MlirAttribute symbols, intptr_t index) {
  const MlirAttribute symbol = mlirArrayAttrGetElement(symbols, index);
  int64_t minimum = 0;
  int64_t maximum = 0;
  int64_t multiple = 0;
  if (!mlirAttributeIsADictionary(symbol) || mlirAttributeIsNull(name_of(symbol)) ||
      !mlirAttributeIsAString(name_of(symbol)) || !read_number(symbol, "min", &minimum) ||
      !read_number(symbol, "max", &maximum) || !read_number(symbol, "multiple", &multiple)) {
    return genie_verify_refuse("symbol %d of 'genie.symbols' must be {name, min, max, multiple}", (int)index);
  }
  if (minimum < 0 || minimum > maximum || multiple < 1) {
    return genie_verify_refuse("symbol %d of 'genie.symbols' must have 0 <= min <= max and a positive multiple",
                               (int)index);
  }
  for (intptr_t i = 0; i < index; ++i) {
    if (mlirAttributeEqual(name_of(mlirArrayAttrGetElement(symbols, i)), name_of(symbol))) {
      return genie_verify_refuse("symbol %d of 'genie.symbols' has the name of symbol %d", (int)index, (int)i);
    }
  }
  return GENIE_OK;
}

static genie_status_t verify_symbols(MlirOperation op, MlirAttribute value) {
  if (!genie_op_is(op, "func.func") || !mlirAttributeIsAArray(value) ||
      mlirArrayAttrGetNumElements(value) > GENIE_IR_MAX_SYMBOLS) {
    return genie_verify_refuse("'genie.symbols' must be an array of at most %d symbols on a function",
                               GENIE_IR_MAX_SYMBOLS);
  }
  for (intptr_t i = 0; i < mlirArrayAttrGetNumElements(value); ++i) {
    GENIE_RETURN_IF_ERROR(verify_symbol(value, i));
  }
  return GENIE_OK;
}

static bool is_one_of(MlirStringRef name, size_t count, const char *const *names) {
  for (size_t i = 0; i < count; ++i) {
    if (equals(name, names[i])) {
      return true;
    }
  }
  return false;
}

// What the recognisers and the user say of ops, functions and modules.
static genie_status_t verify_annotation(MlirStringRef name, MlirAttribute value) {
  static const char *const STRINGS[] = {"genie.module", "genie.phase", "genie.modality", "genie.role",
                                        "genie.attention"};
  static const char *const DICTIONARIES[] = {"genie.confidence", "genie.workload"};
  static const char *const INTEGERS[] = {"genie.stack", "genie.layer"};
  if (is_one_of(name, sizeof STRINGS / sizeof STRINGS[0], STRINGS)) {
    return require_string(name, value);
  }
  if (is_one_of(name, sizeof DICTIONARIES / sizeof DICTIONARIES[0], DICTIONARIES) &&
      !mlirAttributeIsADictionary(value)) {
    return genie_verify_refuse("attribute '%.*s' must be a dictionary", (int)name.length, name.data);
  }
  if (is_one_of(name, sizeof INTEGERS / sizeof INTEGERS[0], INTEGERS) && !mlirAttributeIsAInteger(value)) {
    return genie_verify_refuse("attribute '%.*s' must be an integer", (int)name.length, name.data);
  }
  return GENIE_OK;
}

genie_status_t genie_verify_attribute(MlirOperation op, MlirStringRef name, MlirAttribute value) {
  GENIE_RETURN_IF_ERROR(verify_annotation(name, value));
  if (equals(name, "genie.symbols")) {
    return verify_symbols(op, value);
  }
  if (equals(name, "genie.place") && (!mlirAttributeIsAInteger(value) || mlirIntegerAttrGetValueInt(value) < 0 ||
                                      mlirIntegerAttrGetValueInt(value) >= GENIE_IR_MAX_PLACES)) {
    return genie_verify_refuse("attribute 'genie.place' must be the number of a place, below %d", GENIE_IR_MAX_PLACES);
  }
  if (equals(name, "genie.places") && (!mlirAttributeIsAArray(value) || mlirArrayAttrGetNumElements(value) < 1 ||
                                       mlirArrayAttrGetNumElements(value) > GENIE_IR_MAX_PLACES)) {
    return genie_verify_refuse("attribute 'genie.places' must be an array of 1 to %d places", GENIE_IR_MAX_PLACES);
  }
  if (equals(name, "genie.target") && !mlirAttributeIsADictionary(value)) {
    return genie_verify_refuse("attribute 'genie.target' must be a dictionary");
  }
  return GENIE_OK;
}

//===-- Weights and states ----------------------------------------------------------------------------------------===//

// The module-level op `kind` that defines `symbol`; its tensor type must be `type`.
static genie_status_t verify_reference(MlirOperation op, const char *kind, MlirAttribute symbol, MlirType type) {
  if (!mlirAttributeIsAFlatSymbolRef(symbol)) {
    return genie_verify_refuse("must name a %s as @symbol", kind);
  }
  MlirOperation module = op;
  while (!mlirOperationIsNull(module) && !genie_op_is(module, "builtin.module")) {
    module = mlirOperationGetParentOperation(module);
  }
  const MlirStringRef name = mlirFlatSymbolRefAttrGetValue(symbol);
  MlirOperation target = {NULL};
  if (!mlirOperationIsNull(module)) {
    const MlirSymbolTable table = mlirSymbolTableCreate(module);
    target = mlirSymbolTableLookup(table, name);
    mlirSymbolTableDestroy(table);
  }
  if (mlirOperationIsNull(target) || !genie_op_is(target, kind)) {
    return genie_verify_refuse("names @%.*s, which is no %s of the module", (int)name.length, name.data, kind);
  }
  const MlirAttribute stated = mlirOperationGetAttributeByName(target, ref("type"));
  return genie_verify_same_type("must be", mlirTypeAttrGetValue(stated), type);
}

genie_status_t genie_verify_state_update(MlirOperation op) {
  return verify_reference(op, "genie.state", mlirOperationGetAttributeByName(op, ref("state")),
                          mlirValueGetType(mlirOperationGetOperand(op, 0)));
}

static MlirType function_type(MlirOperation function) {
  return mlirTypeAttrGetValue(mlirOperationGetAttributeByName(function, ref("function_type")));
}

static genie_status_t verify_argument(MlirOperation function, intptr_t argument, MlirStringRef name,
                                      MlirAttribute value) {
  const MlirType type = mlirFunctionTypeGetInput(function_type(function), argument);
  GENIE_RETURN_IF_ERROR(genie_verify_type(type));
  if (equals(name, "genie.input")) {
    return require_string(name, value);
  }
  if (equals(name, "genie.weight")) {
    return verify_reference(function, "genie.weight", value, type);
  }
  return equals(name, "genie.state") ? verify_reference(function, "genie.state", value, type) : GENIE_OK;
}

genie_status_t genie_verify_argument_attribute(MlirOperation function, intptr_t argument, MlirStringRef name,
                                               MlirAttribute value) {
  if (!genie_op_is(function, "func.func")) {
    return GENIE_OK;
  }
  return genie_status_annotate(verify_argument(function, argument, name, value), "argument %d", (int)argument);
}

genie_status_t genie_verify_result_attribute(MlirOperation function, intptr_t result, MlirStringRef name,
                                             MlirAttribute value) {
  if (!genie_op_is(function, "func.func") || !equals(name, "genie.output")) {
    return GENIE_OK;
  }
  genie_status_t status = genie_verify_type(mlirFunctionTypeGetResult(function_type(function), result));
  if (status == GENIE_OK) {
    status = require_string(name, value);
  }
  return genie_status_annotate(status, "result %d", (int)result);
}
