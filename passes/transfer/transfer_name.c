#include "passes/transfer/transfer_name.h"

#include <string.h>

#include "passes/graph/rewrite.h"
#include "runtime/base/string_builder.h"

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static void append_name_of_result(MlirOperation op, genie_string_builder_t *text) {
  const MlirAttribute module = mlirOperationGetAttributeByName(op, text_of("genie.module"));
  const MlirStringRef kind = mlirIdentifierStr(mlirOperationGetName(op));
  if (!mlirAttributeIsNull(module) && mlirAttributeIsAString(module)) {
    const MlirStringRef path = mlirStringAttrGetValue(module);
    const char *colon = memchr(path.data, ':', path.length);
    genie_string_builder_format(text, "%.*s:", (int)(colon != NULL ? colon - path.data : (ptrdiff_t)path.length),
                                path.data);
  }
  genie_string_builder_append(text, kind.data + strlen("genie."), kind.length - strlen("genie."));
}

genie_status_t genie_transfer_name(MlirOperation function, MlirValue value, MlirOperation transfer) {
  const MlirOperation definer = genie_rewrite_definer(value);
  if (!mlirOperationIsNull(definer) && genie_ir_has(definer, "genie.value")) {
    mlirOperationSetDiscardableAttributeByName(transfer, text_of("genie.value"),
                                               mlirOperationGetAttributeByName(definer, text_of("genie.value")));
    return GENIE_OK;
  }
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  if (mlirOperationIsNull(definer)) {
    MlirStringRef name;
    genie_ir_argument_role(function, mlirBlockArgumentGetArgNumber(value), &name);
    genie_string_builder_append(&text, name.data, name.length);
  } else {
    append_name_of_result(definer, &text);
  }
  const genie_status_t status = genie_string_builder_status(&text);
  if (status == GENIE_OK) {
    mlirOperationSetDiscardableAttributeByName(
        transfer, text_of("genie.value"),
        genie_ir_string_attr(mlirOperationGetContext(transfer), genie_string_builder_get(&text)));
  }
  genie_string_builder_deinit(&text);
  return status;
}
