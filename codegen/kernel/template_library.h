// The bitcode that geniec carries: templates by name, and the math and scalar functions that hooks call.
#ifndef GENIE_CODEGEN_KERNEL_TEMPLATE_LIBRARY_H_
#define GENIE_CODEGEN_KERNEL_TEMPLATE_LIBRARY_H_

#include <llvm-c/Core.h>

#include "runtime/base/status.h"

typedef struct genie_template_library genie_template_library_t;

// For one LLVM context, which outlives it.
genie_status_t genie_template_library_create(LLVMContextRef context,
                                             genie_template_library_t **out_library) GENIE_MUST_USE;
void genie_template_library_destroy(genie_template_library_t *library);

// Which bitcode of a name: for CPUs, for CUDA devices, or of CUDA devices for CPUs (codegen/templates/cuda/emulator.h).
typedef enum genie_template_variant {
  GENIE_TEMPLATE_CPU,
  GENIE_TEMPLATE_CUDA,
  GENIE_TEMPLATE_EMULATED,
} genie_template_variant_t;

// A fresh module of the template, without target attributes. INTERNAL if there is no such template.
genie_status_t genie_template_library_load(genie_template_library_t *library, const char *name,
                                           genie_template_variant_t variant, LLVMModuleRef *out_module) GENIE_MUST_USE;

// The type of a scalar or math function, as in "genie_scalar_add_f32"; NULL if there is none.
LLVMTypeRef genie_template_library_function_type(const genie_template_library_t *library, const char *name);

// Adds to `module` the definitions of the scalar and math functions that it calls.
genie_status_t genie_template_library_link(genie_template_library_t *library, LLVMModuleRef module,
                                           genie_template_variant_t variant) GENIE_MUST_USE;

// Removes what the build's clang said about the target from all functions.
void genie_template_library_strip_target(LLVMModuleRef module);

#endif  // GENIE_CODEGEN_KERNEL_TEMPLATE_LIBRARY_H_
