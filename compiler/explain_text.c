#include "compiler/explain_text.h"

#include <stdlib.h>
#include <string.h>

json_t *genie_explain_text(MlirOperation op, const char *name) {
  const MlirAttribute value = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
  if (mlirAttributeIsNull(value) || !mlirAttributeIsAString(value)) {
    return json_string("");
  }
  const MlirStringRef text = mlirStringAttrGetValue(value);
  json_t *string = json_stringn(text.data, text.length);
  if (string != NULL) {
    return string;
  }
  char *plain = malloc(text.length + 1);
  if (plain == NULL) {
    return NULL;
  }
  for (size_t i = 0; i < text.length; ++i) {
    plain[i] = (text.data[i] & 0x80) != 0 ? '?' : text.data[i];
  }
  string = json_stringn(plain, text.length);
  free(plain);
  return string;
}

const char *genie_explain_instruction_kind(MlirOperation op) {
  static const char *const names[] = {
#define GENIE_PLAN_INSTRUCTION(enumerator, name, number) #name,
#include "runtime/plan/instruction.def"
#undef GENIE_PLAN_INSTRUCTION
  };
  const MlirStringRef full = mlirIdentifierStr(mlirOperationGetName(op));
  const size_t prefix = strlen("gplan.");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    if (full.length == prefix + strlen(names[i]) && memcmp(full.data + prefix, names[i], full.length - prefix) == 0) {
      return names[i];
    }
  }
  return NULL;
}

int genie_explain_transfer_count(MlirOperation plan_entry) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(plan_entry, 0));
  int count = 0;
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    count += genie_op_is(op, "gplan.transfer");
  }
  return count;
}
