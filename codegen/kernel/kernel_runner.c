#include "codegen/kernel/kernel_runner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/checked_math.h"

static genie_status_t compile(const char *text, const char *target, genie_kernel_runner_t *runner) {
  genie_ir_diagnostics_t *capture = NULL;
  GENIE_RETURN_IF_ERROR(genie_ir_diagnostics_create(runner->context, &capture));
  runner->module = mlirModuleCreateParse(runner->context, mlirStringRefCreateFromCString(text));
  genie_status_t status = genie_ir_diagnostics_take(capture);
  genie_ir_diagnostics_destroy(capture);
  GENIE_RETURN_IF_ERROR(status);
  GENIE_RETURN_IF_ERROR(genie_codegen_set_targets(runner->module, target));
  const genie_codegen_options_t options = {.opt_level = 3, .has_timing = getenv("GENIE_TEST_TIMING") != NULL};
  return genie_codegen_kernels(&options, runner->module, &runner->code);
}

genie_status_t genie_kernel_runner_open(const char *text, const char *target, genie_kernel_runner_t *out_runner) {
  *out_runner = (genie_kernel_runner_t){.context = genie_ir_context_create()};
  const genie_status_t status = compile(text, target, out_runner);
  if (status != GENIE_OK) {
    genie_kernel_runner_close(out_runner);
    return status;
  }
  const genie_code_target_t *code = &out_runner->code->targets[out_runner->code->target_count - 1];
  out_runner->image_bytes = (code->code_bytes + 4095) / 4096 * 4096;
  out_runner->image = mmap(NULL, out_runner->image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(out_runner->image, code->code, code->code_bytes);
  mprotect(out_runner->image, out_runner->image_bytes, PROT_READ | PROT_EXEC);
  return GENIE_OK;
}

void genie_kernel_runner_close(genie_kernel_runner_t *runner) {
  if (runner->image != NULL) {
    munmap(runner->image, runner->image_bytes);
  }
  genie_codegen_code_destroy(runner->code);
  if (!mlirModuleIsNull(runner->module)) {
    mlirModuleDestroy(runner->module);
  }
  mlirContextDestroy(runner->context);
}

int64_t genie_kernel_runner_size(MlirAffineExpr size, const int64_t *symbols) {
  if (mlirAffineExprIsAConstant(size)) {
    return mlirAffineConstantExprGetValue(size);
  }
  if (mlirAffineExprIsASymbol(size)) {
    return symbols[mlirAffineSymbolExprGetPosition(size)];
  }
  const int64_t lhs = genie_kernel_runner_size(mlirAffineBinaryOpExprGetLHS(size), symbols);
  const int64_t rhs = genie_kernel_runner_size(mlirAffineBinaryOpExprGetRHS(size), symbols);
  if (mlirAffineExprIsAAdd(size)) {
    return lhs + rhs;
  }
  if (mlirAffineExprIsAMul(size)) {
    return lhs * rhs;
  }
  if (mlirAffineExprIsAMod(size)) {
    return genie_floor_mod_i64(lhs, rhs);
  }
  return mlirAffineExprIsACeilDiv(size) ? -genie_floor_div_i64(-lhs, rhs) : genie_floor_div_i64(lhs, rhs);
}

void genie_kernel_runner_run(const genie_kernel_runner_t *runner, int launch, void *const *args, const int64_t *symbols,
                             int parts) {
  const genie_code_launch_t *how = &runner->code->launches[launch];
  const genie_code_kernel_t *kernel = &runner->code->kernels[how->kernel];
  const genie_code_target_t *code = &runner->code->targets[runner->code->target_count - 1];
  int64_t dims[GENIE_IR_MAX_SYMBOLS] = {0};
  for (int d = 0; d < kernel->dim_count; ++d) {
    dims[d] = genie_kernel_runner_size(how->dims[d], symbols);
  }
  const size_t scratch_bytes = (kernel->scratch_bytes + 64) / 64 * 64;
  genie_kernel_frame_t frame = {.args = args, .dims = dims, .scratch = aligned_alloc(64, scratch_bytes)};
  memset(frame.scratch, 0xff, scratch_bytes);  // contents are undefined: NaN shows who reads them
  genie_kernel_fn_t function;
  const void *entry = runner->image + code->offsets[how->kernel];
  memcpy(&function, &entry, sizeof(function));
  const int64_t grid = genie_kernel_runner_size(how->grid, symbols);
  for (int p = parts - 1; p >= 0; --p) {
    function(&frame, grid * p / parts, grid * (p + 1) / parts);
  }
  free(frame.scratch);
}
