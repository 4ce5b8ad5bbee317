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

// `target` is what the module has as @`symbol`, null if nothing: an op `kind` of tensor type `type`.
static genie_status_t verify_target(MlirOperation target, const char *kind, MlirAttribute symbol, MlirType type) {
  if (mlirOperationIsNull(target) || !genie_op_is(target, kind)) {
    const MlirStringRef name = mlirFlatSymbolRefAttrGetValue(symbol);
    return genie_verify_refuse("names @%.*s, which is no %s of the module", (int)name.length, name.data, kind);
  }
  const MlirAttribute stated = mlirOperationGetAttributeByName(target, ref("type"));
  return genie_verify_same_type("must be", mlirTypeAttrGetValue(stated), type);
}

genie_status_t genie_verify_state_update(MlirOperation op, MlirOperation state) {
  return verify_target(state, "genie.state", mlirOperationGetAttributeByName(op, ref("state")),
                       mlirValueGetType(mlirOperationGetOperand(op, 0)));
}

static MlirType function_type(MlirOperation function) {
  return mlirTypeAttrGetValue(mlirOperationGetAttributeByName(function, ref("function_type")));
}

static MlirAttribute argument_attribute(MlirOperation function, intptr_t argument, const char *name) {
  const MlirAttribute all = mlirOperationGetAttributeByName(function, ref("arg_attrs"));
  return mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(all, argument), ref(name));
}

// "genie.weight" or "genie.state", which are attributes and ops of one name, and the symbol; NULL: an input.
static const char *reference_of(MlirOperation function, intptr_t argument, MlirAttribute *out_symbol) {
  static const char *const kinds[] = {"genie.weight", "genie.state"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
    *out_symbol = argument_attribute(function, argument, kinds[i]);
    if (!mlirAttributeIsNull(*out_symbol)) {
      return kinds[i];
    }
  }
  return NULL;
}

static genie_status_t verify_reference(MlirOperation function, intptr_t argument, MlirSymbolTable table) {
  MlirAttribute symbol;
  const char *kind = reference_of(function, argument, &symbol);
  if (kind == NULL) {
    return GENIE_OK;
  }
  if (!mlirAttributeIsAFlatSymbolRef(symbol)) {
    return genie_verify_refuse("must name a %s as @symbol", kind);
  }
  const MlirOperation target = mlirSymbolTableIsNull(table)
                                   ? (MlirOperation){NULL}
                                   : mlirSymbolTableLookup(table, mlirFlatSymbolRefAttrGetValue(symbol));
  return verify_target(target, kind, symbol, mlirFunctionTypeGetInput(function_type(function), argument));
}

// Of all arguments at once: the table of the module's symbols is as long as they are many.
static genie_status_t verify_references(MlirOperation function) {
  MlirOperation module = function;
  while (!mlirOperationIsNull(module) && !genie_op_is(module, "builtin.module")) {
    module = mlirOperationGetParentOperation(module);
  }
  const MlirSymbolTable table = mlirOperationIsNull(module) ? (MlirSymbolTable){NULL} : mlirSymbolTableCreate(module);
  genie_status_t status = GENIE_OK;
  const intptr_t count = mlirFunctionTypeGetNumInputs(function_type(function));
  for (intptr_t i = 0; i < count && status == GENIE_OK; ++i) {
    status = genie_status_annotate(verify_reference(function, i, table), "argument %d", (int)i);
  }
  if (!mlirSymbolTableIsNull(table)) {
    mlirSymbolTableDestroy(table);
  }
  return status;
}

static bool is_first_reference(MlirOperation function, intptr_t argument) {
  MlirAttribute symbol;
  for (intptr_t i = 0; i < argument; ++i) {
    if (reference_of(function, i, &symbol) != NULL) {
      return false;
    }
  }
  return true;
}

static genie_status_t verify_argument(MlirOperation function, intptr_t argument, MlirStringRef name,
                                      MlirAttribute value) {
  GENIE_RETURN_IF_ERROR(genie_verify_type(mlirFunctionTypeGetInput(function_type(function), argument)));
  return equals(name, "genie.input") ? require_string(name, value) : GENIE_OK;
}

genie_status_t genie_verify_argument_attribute(MlirOperation function, intptr_t argument, MlirStringRef name,
                                               MlirAttribute value) {
  if (!genie_op_is(function, "func.func")) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(
      genie_status_annotate(verify_argument(function, argument, name, value), "argument %d", (int)argument));
  const bool is_reference = equals(name, "genie.weight") || equals(name, "genie.state");
  return is_reference && is_first_reference(function, argument) ? verify_references(function) : GENIE_OK;
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
