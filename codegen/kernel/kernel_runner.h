// For tests: compiles a module of text that holds one genie.kernel and calls the code in this process.
#ifndef GENIE_CODEGEN_KERNEL_KERNEL_RUNNER_H_
#define GENIE_CODEGEN_KERNEL_KERNEL_RUNNER_H_

#include "codegen/kernel/code.h"
#include "runtime/base/kernel_frame.h"

typedef struct genie_kernel_runner {
  MlirContext context;
  MlirModule module;
  genie_codegen_code_t *code;
  uint8_t *image;  // of the last target
  size_t image_bytes;
} genie_kernel_runner_t;

// `target` as genie_codegen_set_targets() takes it. On failure the runner need not be closed.
genie_status_t genie_kernel_runner_open(const char *text, const char *target,
                                        genie_kernel_runner_t *out_runner) GENIE_MUST_USE;
void genie_kernel_runner_close(genie_kernel_runner_t *runner);

// Runs launch `launch` with pointers to its inputs, then its outputs, and the value of each symbol of the function; the
// grid in `parts` calls of about equal size, last part first.
void genie_kernel_runner_run(const genie_kernel_runner_t *runner, int launch, void *const *args, const int64_t *symbols,
                             int parts);

// The value of a size for the values of the symbols.
int64_t genie_kernel_runner_size(MlirAffineExpr size, const int64_t *symbols);

#endif  // GENIE_CODEGEN_KERNEL_KERNEL_RUNNER_H_
