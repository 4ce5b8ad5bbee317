// Parts of the chain that are not linked yet answer so.
#include "codegen/codegen.h"
#include "compiler/import/importer.h"

#define ABSENT(what) genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "this geniec is built without " what)

__attribute__((weak)) genie_status_t genie_codegen_plan(const genie_codegen_options_t *options, MlirModule module,
                                                        const genie_codegen_code_t *code, MlirModule *out_plan) {
  (void)options, (void)module, (void)code, (void)out_plan;
  return ABSENT("plans");
}
__attribute__((weak)) genie_status_t genie_codegen_emit(const genie_codegen_options_t *options, MlirModule module,
                                                        MlirModule plan, const genie_codegen_code_t *code,
                                                        const char *path, genie_codegen_report_t *out_report) {
  (void)options, (void)module, (void)plan, (void)code, (void)path, (void)out_report;
  return ABSENT("plans");
}
__attribute__((weak)) genie_status_t genie_import_pt2(const genie_import_options_t *options, const char *path,
                                                      MlirModule module, genie_findings_t *findings) {
  (void)options, (void)path, (void)module, (void)findings;
  return ABSENT("import");
}
