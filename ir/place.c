#include "ir/place.h"

#include <mlir-c/Dialect/Func.h>

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static MlirAttribute places_of(MlirModule module) {
  return mlirOperationGetAttributeByName(mlirModuleGetOperation(module), text_of("genie.places"));
}

int genie_ir_place_count(MlirModule module) {
  const MlirAttribute places = places_of(module);
  const intptr_t count =
      mlirAttributeIsNull(places) || !mlirAttributeIsAArray(places) ? 0 : mlirArrayAttrGetNumElements(places);
  return count < 1 ? 1 : (int)count;
}

static MlirStringRef text_in_place(MlirModule module, int place, const char *field) {
  const MlirAttribute places = places_of(module);
  if (mlirAttributeIsNull(places) || !mlirAttributeIsAArray(places) || place >= mlirArrayAttrGetNumElements(places)) {
    return text_of("");
  }
  const MlirAttribute row = mlirArrayAttrGetElement(places, place);
  const MlirAttribute value = mlirAttributeIsADictionary(row) ? mlirDictionaryAttrGetElementByName(row, text_of(field))
                                                              : mlirAttributeGetNull();
  return !mlirAttributeIsNull(value) && mlirAttributeIsAString(value) ? mlirStringAttrGetValue(value) : text_of("");
}

MlirStringRef genie_ir_place_name(MlirModule module, int place) {
  return text_in_place(module, place, "name");
}

MlirStringRef genie_ir_place_kind(MlirModule module, int place) {
  return text_in_place(module, place, "kind");
}

//===-- Ops and values --------------------------------------------------------------------------------------------===//

static int number_of(MlirAttribute attribute) {
  return !mlirAttributeIsNull(attribute) && mlirAttributeIsAInteger(attribute)
             ? (int)mlirIntegerAttrGetValueInt(attribute)
             : 0;
}

int genie_ir_place(MlirOperation op) {
  return number_of(mlirOperationGetAttributeByName(op, text_of("genie.place")));
}

bool genie_ir_has_place(MlirOperation op) {
  return !mlirAttributeIsNull(mlirOperationGetAttributeByName(op, text_of("genie.place")));
}

void genie_ir_set_place(MlirOperation op, int place) {
  mlirOperationSetDiscardableAttributeByName(op, text_of("genie.place"),
                                             genie_ir_i64_attr(mlirOperationGetContext(op), place));
}

int genie_ir_value_place(MlirValue value) {
  if (mlirValueIsAOpResult(value)) {
    return genie_ir_place(mlirOpResultGetOwner(value));
  }
  const MlirOperation parent = mlirBlockGetParentOperation(mlirBlockArgumentGetOwner(value));
  if (!genie_op_is(parent, "func.func")) {
    return genie_ir_place(parent);
  }
  const intptr_t index = mlirBlockArgumentGetArgNumber(value);
  const MlirAttribute all = mlirOperationGetAttributeByName(parent, text_of("arg_attrs"));
  if (mlirAttributeIsNull(all) || index >= mlirArrayAttrGetNumElements(all)) {
    return 0;
  }
  return number_of(mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(all, index), text_of("genie.place")));
}

void genie_ir_set_argument_place(MlirOperation function, intptr_t index, int place) {
  mlirFuncSetArgAttr(function, index, text_of("genie.place"),
                     genie_ir_i64_attr(mlirOperationGetContext(function), place));
}
