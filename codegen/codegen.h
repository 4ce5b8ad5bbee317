// From a fused `genie` module to the bytes of a plan.
#ifndef GENIE_CODEGEN_CODEGEN_H_
#define GENIE_CODEGEN_CODEGEN_H_

#include "ir/genie_ir.h"
#include "runtime/base/string_builder.h"

typedef struct genie_codegen_options {
  int opt_level;              // 0..3, LLVM's
  bool has_timing;            // report the time of each step to stderr
  const char *signing_key;    // path of an Ed25519 private key in PEM, or NULL
  const char *producer;       // "geniec 0.1.0 (git hash)", for the manifest
  const char *source_name;    // the model's file name or names, for the manifest; NULL: unknown
  const char *source_sha256;  // of the file, 64 hexadecimal digits; NULL: unknown. The module's attribute
                              // `genie.framework` ("torch 2.13.0") goes to the manifest as well
} genie_codegen_options_t;

// What a compile reports.
typedef struct genie_codegen_report {
  uint64_t plan_bytes, weight_bytes, code_bytes;
  uint64_t slab_bytes;  // planned peak of temporaries
  uint64_t sum_bytes;   // temporaries without reuse
  int kernel_count, launch_count;
} genie_codegen_report_t;

// States the targets of `module`: writes its attribute `genie.target` from a comma-separated list of "x86-64-v3",
// "x86-64-v4", "host", "cuda:sm_80" and "cuda:sm_90". Passes read the attribute's `name` and `vector_bytes`, those of
// the most capable target listed; `targets` holds all of them, least demanding first. INVALID_ARGUMENT names an unknown
// target and those that exist.
genie_status_t genie_codegen_set_targets(MlirModule module, const char *targets) GENIE_MUST_USE;

// States in `genie.target`, which is there, whether products and convolutions on CUDA devices may be calls of cuBLASLt
// and cuDNN, and whether those may round f32 to TF32. Without it neither is allowed.
void genie_codegen_set_libraries(MlirModule module, bool has_libraries, bool allows_tf32);

// Kernels of `module` as machine code for the module's targets, and the module rewritten as one `gplan.plan`: the
// phases "kernels" and "plan". `out_code` is taken by genie_codegen_emit().
typedef struct genie_codegen_code genie_codegen_code_t;
genie_status_t genie_codegen_kernels(const genie_codegen_options_t *options, MlirModule module,
                                     genie_codegen_code_t **out_code) GENIE_MUST_USE;
void genie_codegen_code_destroy(genie_codegen_code_t *code);

// The optimised LLVM IR or assembly of all kernels as text: --emit=llvm and --emit=asm.
genie_status_t genie_codegen_print_code(const genie_codegen_code_t *code, bool as_assembly,
                                        genie_string_builder_t *out_text) GENIE_MUST_USE;

// A new module that holds the `gplan.plan`; the caller destroys it.
genie_status_t genie_codegen_plan(const genie_codegen_options_t *options, MlirModule module,
                                  const genie_codegen_code_t *code, MlirModule *out_plan) GENIE_MUST_USE;

// Writes the plan to `path`, atomically: on failure no file is left. Packs weights while it writes.
genie_status_t genie_codegen_emit(const genie_codegen_options_t *options, MlirModule module, MlirModule plan,
                                  const genie_codegen_code_t *code, const char *path,
                                  genie_codegen_report_t *out_report) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_CODEGEN_H_
