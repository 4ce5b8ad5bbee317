// From a captured graph in a file to an entry function of a genie module.
#ifndef GENIE_COMPILER_IMPORT_IMPORTER_H_
#define GENIE_COMPILER_IMPORT_IMPORTER_H_

#include "compiler/import/findings.h"
#include "ir/genie_ir.h"

// The greatest value of a dynamic size whose range the export left open.
typedef struct genie_import_bound {
  const char *symbol;
  int64_t maximum;
  bool is_used;  // set by the import of an entry that has the symbol
} genie_import_bound_t;

enum {
  GENIE_IMPORT_DEFAULT_BOUND = 512,  // of a size that neither the export nor a bound limits
};

typedef struct genie_import_options {
  const char *entry;  // name of the function, "main" when NULL
  int bound_count;
  genie_import_bound_t *bounds;
  FILE *notes;  // where notes about defaults go, or NULL
} genie_import_options_t;

// Adds to `module` the entry function of the archive at `path` and the weights and states that it needs; symbols that
// another entry made for the same tensor are shared. What cannot be compiled goes to `findings`, and the function is
// then only good to be thrown away. INVALID_ARGUMENT or DATA_LOSS when the file is no such archive, UNIMPLEMENTED when
// it is one of another kind or version.
genie_status_t genie_import_pt2(const genie_import_options_t *options, const char *path, MlirModule module,
                                genie_findings_t *findings) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_IMPORTER_H_
