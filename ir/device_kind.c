#include "ir/device_kind.h"

#include <string.h>

static MlirAttribute attribute_of(MlirOperation op, const char *name) {
  return mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
}

// Entry `name` of a dictionary that is a string; "cpu" where there is none.
static MlirStringRef kind_in(MlirAttribute dictionary, const char *name) {
  MlirAttribute value = {NULL};
  if (!mlirAttributeIsNull(dictionary) && mlirAttributeIsADictionary(dictionary)) {
    value = mlirDictionaryAttrGetElementByName(dictionary, mlirStringRefCreateFromCString(name));
  }
  return !mlirAttributeIsNull(value) && mlirAttributeIsAString(value) ? mlirStringAttrGetValue(value)
                                                                      : mlirStringRefCreateFromCString("cpu");
}

static MlirOperation module_of(MlirOperation op) {
  MlirOperation module = op;
  for (MlirOperation parent = op; !mlirOperationIsNull(parent); parent = mlirOperationGetParentOperation(parent)) {
    module = parent;
  }
  return module;
}

bool genie_op_is_on(MlirOperation op, const char *kind) {
  const int64_t place = genie_ir_has(op, "genie.place") ? genie_ir_i64(op, "genie.place") : 0;
  const MlirOperation module = module_of(op);
  const MlirAttribute places = attribute_of(module, "genie.places");
  MlirStringRef found = kind_in(attribute_of(module, "genie.target"), "device_kind");
  if (!mlirAttributeIsNull(places) && mlirAttributeIsAArray(places) && place >= 0 &&
      place < mlirArrayAttrGetNumElements(places)) {
    found = kind_in(mlirArrayAttrGetElement(places, place), "kind");
  }
  return mlirStringRefEqual(found, mlirStringRefCreateFromCString(kind));
}

// Entry `name` of the module's `genie.target`; false where it is absent.
static bool target_flag(MlirOperation op, const char *name) {
  const MlirAttribute target = attribute_of(module_of(op), "genie.target");
  if (mlirAttributeIsNull(target) || !mlirAttributeIsADictionary(target)) {
    return false;
  }
  const MlirAttribute value = mlirDictionaryAttrGetElementByName(target, mlirStringRefCreateFromCString(name));
  return !mlirAttributeIsNull(value) && mlirAttributeIsABool(value) && mlirBoolAttrGetValue(value);
}

bool genie_op_may_call_libraries(MlirOperation op) {
  return genie_op_is_on(op, "cuda") && target_flag(op, "libraries");
}

bool genie_op_allows_tf32(MlirOperation op) {
  return target_flag(op, "allow_tf32");
}
