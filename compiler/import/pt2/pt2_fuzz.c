// Any bytes as a .pt2 archive: the importer answers with a status and never reads beyond them.
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler/import/importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int descriptor = memfd_create("pt2", MFD_CLOEXEC);
  if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size) {
    return -1;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
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
  close(descriptor);
  return 0;
}
