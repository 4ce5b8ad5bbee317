// Parts of the chain that are not linked yet answer so.
#include "compiler/import/importer.h"

#define ABSENT(what) genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "this geniec is built without " what)

__attribute__((weak)) genie_status_t genie_import_pt2(const genie_import_options_t *options, const char *path,
                                                      MlirModule module, genie_findings_t *findings) {
  (void)options, (void)path, (void)module, (void)findings;
  return ABSENT("import");
}
