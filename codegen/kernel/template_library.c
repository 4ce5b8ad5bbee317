#include "codegen/kernel/template_library.h"

#include <llvm-c/BitReader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/bitcode_link.h"

// Written by CMake from codegen/templates/templates.cmake: one row a template.
#include "codegen/template_table.inc"

static const char *const target_attributes[] = {"target-cpu", "target-features", "tune-cpu", "min-legal-vector-width"};

struct genie_template_library {
  LLVMContextRef context;
  LLVMModuleRef scalar, math;  // declarations, for look-up
};

static const genie_embedded_template_t *find(const char *name) {
  for (size_t i = 0; i < sizeof(embedded_templates) / sizeof(embedded_templates[0]); ++i) {
    if (strcmp(embedded_templates[i].name, name) == 0) {
      return &embedded_templates[i];
    }
  }
  return NULL;
}

// `is_lazy`: bodies are read when they are needed.
static genie_status_t parse(LLVMContextRef context, const char *name, bool is_lazy, LLVMModuleRef *out_module) {
  const genie_embedded_template_t *row = find(name);
  if (row == NULL) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "no kernel template %s", name);
  }
  LLVMMemoryBufferRef buffer =
      LLVMCreateMemoryBufferWithMemoryRange((const char *)row->bytes, *row->byte_count, name, false);
  const LLVMBool has_failed = is_lazy ? LLVMGetBitcodeModuleInContext2(context, buffer, out_module)
                                      : LLVMParseBitcodeInContext2(context, buffer, out_module);
  if (!is_lazy || has_failed) {
    LLVMDisposeMemoryBuffer(buffer);
  }
  return has_failed ? genie_status_make(GENIE_STATUS_INTERNAL, "the bitcode of kernel template %s does not parse", name)
                    : GENIE_OK;
}

genie_status_t genie_template_library_create(LLVMContextRef context, genie_template_library_t **out_library) {
  genie_template_library_t *library = calloc(1, sizeof(*library));
  if (library == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for the template library");
  }
  library->context = context;
  genie_status_t status = parse(context, "scalar", true, &library->scalar);
  if (status == GENIE_OK) {
    status = parse(context, "math", true, &library->math);
  }
  if (status != GENIE_OK) {
    genie_template_library_destroy(library);
    return status;
  }
  *out_library = library;
  return GENIE_OK;
}

void genie_template_library_destroy(genie_template_library_t *library) {
  if (library == NULL) {
    return;
  }
  if (library->scalar != NULL) {
    LLVMDisposeModule(library->scalar);
  }
  if (library->math != NULL) {
    LLVMDisposeModule(library->math);
  }
  free(library);
}

void genie_template_library_strip_target(LLVMModuleRef module) {
  for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f)) {
    for (size_t i = 0; i < sizeof(target_attributes) / sizeof(target_attributes[0]); ++i) {
      LLVMRemoveStringAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, target_attributes[i],
                                       (unsigned)strlen(target_attributes[i]));
    }
  }
}

static genie_status_t parse_for(genie_template_library_t *library, const char *name, genie_template_variant_t variant,
                                bool is_lazy, LLVMModuleRef *out_module) {
  static const char *const prefixes[] = {"", "cuda_", "emulated_"};
  char full_name[80];
  snprintf(full_name, sizeof(full_name), "%s%s", prefixes[variant], name);
  return parse(library->context, full_name, is_lazy, out_module);
}

genie_status_t genie_template_library_load(genie_template_library_t *library, const char *name,
                                           genie_template_variant_t variant, LLVMModuleRef *out_module) {
  return parse_for(library, name, variant, false, out_module);
}

LLVMTypeRef genie_template_library_function_type(const genie_template_library_t *library, const char *name) {
  LLVMValueRef function = LLVMGetNamedFunction(library->scalar, name);
  if (function == NULL) {
    function = LLVMGetNamedFunction(library->math, name);
  }
  return function == NULL ? NULL : LLVMGlobalGetValueType(function);
}

static bool has_undefined(LLVMModuleRef module, const char *prefix) {
  for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f)) {
    size_t length = 0;
    const char *name = LLVMGetValueName2(f, &length);
    if (LLVMIsDeclaration(f) && LLVMGetFirstUse(f) != NULL && strncmp(name, prefix, strlen(prefix)) == 0) {
      return true;
    }
  }
  return false;
}

static genie_status_t link_from(genie_template_library_t *library, LLVMModuleRef module, const char *name,
                                const char *prefix, genie_template_variant_t variant) {
  if (!has_undefined(module, prefix)) {
    return GENIE_OK;
  }
  LLVMModuleRef source = NULL;
  GENIE_RETURN_IF_ERROR(parse_for(library, name, variant, true, &source));
  return genie_bitcode_link_needed(module, source)
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INTERNAL, "the functions of template %s do not link", name);
}

genie_status_t genie_template_library_link(genie_template_library_t *library, LLVMModuleRef module,
                                           genie_template_variant_t variant) {
  // Scalar and math functions are the same on a CPU.
  variant = variant == GENIE_TEMPLATE_EMULATED ? GENIE_TEMPLATE_CPU : variant;
  GENIE_RETURN_IF_ERROR(link_from(library, module, "scalar", "genie_scalar_", variant));
  GENIE_RETURN_IF_ERROR(link_from(library, module, "math", "genie_math_", variant));
  genie_template_library_strip_target(module);
  return GENIE_OK;
}
