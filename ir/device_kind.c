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

bool genie_op_is_on(MlirOperation op, const char *kind) {
  const int64_t place = genie_ir_has(op, "genie.place") ? genie_ir_i64(op, "genie.place") : 0;
  MlirOperation module = op;
  for (MlirOperation parent = op; !mlirOperationIsNull(parent); parent = mlirOperationGetParentOperation(parent)) {
    module = parent;
  }
  const MlirAttribute places = attribute_of(module, "genie.places");
  MlirStringRef found = kind_in(attribute_of(module, "genie.target"), "device_kind");
  if (!mlirAttributeIsNull(places) && mlirAttributeIsAArray(places) && place >= 0 &&
      place < mlirArrayAttrGetNumElements(places)) {
    found = kind_in(mlirArrayAttrGetElement(places, place), "kind");
  }
  return mlirStringRefEqual(found, mlirStringRefCreateFromCString(kind));
}
