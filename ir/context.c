// Context creation and the capture of MLIR's diagnostics.
#include <mlir-c/Diagnostics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/dialect.h"
#include "ir/genie_ir.h"
#include "runtime/base/string_builder.h"

MlirContext genie_ir_context_create(void) {
  const MlirContext context = mlirContextCreateWithThreading(false);
  genie_dialect_load_all(context);
  return context;
}

struct genie_ir_diagnostics {
  MlirContext context;
  MlirDiagnosticHandlerID handler;
  bool has_error;
  genie_string_builder_t text;
};

static void append_text(MlirStringRef part, void *user_data) {
  genie_string_builder_append(user_data, part.data, part.length);
}

// Keeps the first error: what follows it is mostly its consequence.
static MlirLogicalResult on_diagnostic(MlirDiagnostic diagnostic, void *user_data) {
  genie_ir_diagnostics_t *capture = user_data;
  if (mlirDiagnosticGetSeverity(diagnostic) == MlirDiagnosticError && !capture->has_error) {
    capture->has_error = true;
    char place[256];
    genie_ir_describe_location(mlirDiagnosticGetLocation(diagnostic), sizeof(place), place);
    if (place[0] != '\0') {
      genie_string_builder_format(&capture->text, "%s: ", place);
    }
    mlirDiagnosticPrint(diagnostic, append_text, &capture->text);
  }
  return mlirLogicalResultSuccess();
}

static void deinit_state(void *user_data) {
  (void)user_data;
}

genie_status_t genie_ir_diagnostics_create(MlirContext context, genie_ir_diagnostics_t **out_capture) {
  genie_ir_diagnostics_t *capture = calloc(1, sizeof(*capture));
  if (capture == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for diagnostics");
  }
  capture->context = context;
  genie_string_builder_init(genie_allocator_heap(), &capture->text);
  capture->handler = mlirContextAttachDiagnosticHandler(context, on_diagnostic, capture, deinit_state);
  *out_capture = capture;
  return GENIE_OK;
}

genie_status_t genie_ir_diagnostics_take(genie_ir_diagnostics_t *capture) {
  if (!capture->has_error) {
    return GENIE_OK;
  }
  for (size_t i = 0; i < capture->text.length; ++i) {
    if (capture->text.text[i] == '\n') {
      capture->text.text[i] = ' ';
    }
  }
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s", genie_string_builder_get(&capture->text));
  capture->has_error = false;
  genie_string_builder_deinit(&capture->text);
  genie_string_builder_init(genie_allocator_heap(), &capture->text);
  return status;
}

void genie_ir_diagnostics_destroy(genie_ir_diagnostics_t *capture) {
  if (capture == NULL) {
    return;
  }
  mlirContextDetachDiagnosticHandler(capture->context, capture->handler);
  genie_string_builder_deinit(&capture->text);
  free(capture);
}

genie_status_t genie_ir_verify(MlirOperation operation) {
  genie_ir_diagnostics_t *capture = NULL;
  GENIE_RETURN_IF_ERROR(genie_ir_diagnostics_create(mlirOperationGetContext(operation), &capture));
  const bool is_valid = mlirOperationVerify(operation);
  genie_status_t status = genie_ir_diagnostics_take(capture);
  if (!is_valid && status == GENIE_OK) {
    status = genie_status_make(GENIE_STATUS_INTERNAL, "the verifier refused the IR without a message");
  }
  genie_ir_diagnostics_destroy(capture);
  return status;
}

void genie_ir_describe_location(MlirLocation location, size_t capacity, char *out_text) {
  out_text[0] = '\0';
  if (mlirLocationIsAFileLineColRange(location)) {
    const MlirStringRef file = mlirIdentifierStr(mlirLocationFileLineColRangeGetFilename(location));
    snprintf(out_text, capacity, "%.*s:%d", (int)file.length, file.data,
             mlirLocationFileLineColRangeGetStartLine(location));
  } else if (mlirLocationIsAName(location)) {
    const MlirStringRef name = mlirIdentifierStr(mlirLocationNameGetName(location));
    genie_ir_describe_location(mlirLocationNameGetChildLoc(location), capacity, out_text);
    if (out_text[0] == '\0') {
      snprintf(out_text, capacity, "%.*s", (int)name.length, name.data);
    }
  } else if (mlirLocationIsAFused(location)) {
    MlirLocation parts[16];
    const unsigned count = mlirLocationFusedGetNumLocations(location);
    if (count == 0 || count > 16) {
      return;
    }
    mlirLocationFusedGetLocations(location, parts);
    for (unsigned i = 0; i < count && out_text[0] == '\0'; ++i) {
      genie_ir_describe_location(parts[i], capacity, out_text);
    }
  } else if (mlirLocationIsACallSite(location)) {
    genie_ir_describe_location(mlirLocationCallSiteGetCallee(location), capacity, out_text);
  }
}
