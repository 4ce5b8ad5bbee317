// Any bytes as a .pt2 archive, and any JSON as the program in one, where checksums do not stop it: the importer answers
// with a status and never reads beyond its bytes.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/importer.h"
#include "compiler/import/pt2/archive_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_program(const uint8_t *data, size_t size) {
  static const char weights[] =
      "{\"config\": {\"w\": {\"path_name\": \"weight_0\", \"is_param\": true, \"use_pickle\": false, \"tensor_meta\": "
      "{\"dtype\": 7, \"sizes\": [{\"as_int\": 4}], \"strides\": [{\"as_int\": 1}], \"layout\": 7}}}}";
  static const char weight[16];
  char *text = strndup((const char *)data, size);
  char *path = genie_pt2_fixture_write_model(text, weights, weight, sizeof weight);
  free(text);
  return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *path = size > 1 && data[0] == '{' ? write_program(data, size) : genie_pt2_fixture_write_bytes(data, size);
  const MlirContext context = genie_ir_context_create();
  genie_ir_diagnostics_t *diagnostics = NULL;
  genie_status_free(genie_ir_diagnostics_create(context, &diagnostics));
  const MlirModule module = mlirModuleCreateEmpty(mlirLocationUnknownGet(context));
  genie_findings_t findings;
  genie_findings_init(&findings);
  const genie_import_options_t options = {0};
  const genie_status_t status = genie_import_pt2(&options, path, module, &findings);
  if (status == GENIE_OK && findings.count == 0) {
    genie_status_free(genie_ir_verify(mlirModuleGetOperation(module)));
  }
  genie_status_free(status);
  genie_findings_deinit(&findings);
  mlirModuleDestroy(module);
  genie_ir_diagnostics_destroy(diagnostics);
  mlirContextDestroy(context);
  genie_pt2_fixture_remove(path);
  return 0;
}
