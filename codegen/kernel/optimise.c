#include "codegen/kernel/optimise.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <string.h>

static void add_flag(LLVMContextRef context, LLVMValueRef function, const char *name) {
  const unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                          LLVMCreateEnumAttribute(context, kind, 0));
}

static void remove_flag(LLVMValueRef function, const char *name) {
  const unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  LLVMRemoveEnumAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, kind);
}

static void add_text(LLVMContextRef context, LLVMValueRef function, const char *name, const char *value) {
  LLVMAddAttributeAtIndex(
      function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
      LLVMCreateStringAttribute(context, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

// Hooks, scalar and math functions are always inlined: vector code does not survive a call.
// A GPU has no calls at all.
static void prepare_function(LLVMContextRef context, LLVMValueRef function, const char *entry_name,
                             const genie_target_t *target) {
  size_t length = 0;
  const char *name = LLVMGetValueName2(function, &length);
  char width[16];
  snprintf(width, sizeof(width), "%d", target->vector_bytes * 8);
  add_flag(context, function, "nounwind");
  remove_flag(function, "uwtable");
  if (!target->is_cuda) {
    add_text(context, function, "prefer-vector-width", width);
  }
  add_text(context, function, "no-builtins", "");
  if (strcmp(name, entry_name) == 0) {
    return;
  }
  LLVMSetLinkage(function, LLVMInternalLinkage);
  LLVMSetVisibility(function, LLVMDefaultVisibility);
  if (target->is_cuda || starts_with(name, "genie_")) {
    remove_flag(function, "noinline");
    add_flag(context, function, "alwaysinline");
  }
}

static genie_status_t prepare(LLVMModuleRef module, const char *entry_name, const genie_target_t *target) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f)) {
    size_t length = 0;
    const char *name = LLVMGetValueName2(f, &length);
    if (!LLVMIsDeclaration(f)) {
      prepare_function(context, f, entry_name, target);
    } else if (!starts_with(name, "llvm.") && LLVMGetFirstUse(f) != NULL) {
      return genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s: hook %s is not defined", entry_name, name);
    }
  }
  return GENIE_OK;
}

static genie_status_t verify(LLVMModuleRef module, const char *name) {
  char *message = NULL;
  genie_status_t status = GENIE_OK;
  if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
    char line[256];
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(message, "\n"), message);
    status = genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s: wrong LLVM IR: %s", name, line);
  }
  LLVMDisposeMessage(message);
  return status;
}

// What follows LLVM's own order of passes: with the address spaces known, so are alignments, and loads and stores of
// neighbours become one.
static const char gpu_passes[] = ",function(infer-address-spaces,infer-alignment,load-store-vectorizer,instcombine)";

static genie_status_t run_passes(LLVMModuleRef module, const char *name, LLVMTargetMachineRef machine, int opt_level,
                                 bool is_cuda) {
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMPassBuilderOptionsSetLoopVectorization(options, opt_level >= 2);
  LLVMPassBuilderOptionsSetSLPVectorization(options, opt_level >= 3);
  LLVMPassBuilderOptionsSetLoopInterleaving(options, opt_level >= 2);
  LLVMPassBuilderOptionsSetLoopUnrolling(options, opt_level >= 2);
  char pipeline[160];
  snprintf(pipeline, sizeof(pipeline), "default<O%d>%s",
           opt_level < 0   ? 0
           : opt_level > 3 ? 3
                           : opt_level,
           is_cuda ? gpu_passes : "");
  LLVMErrorRef error = LLVMRunPasses(module, pipeline, machine, options);
  LLVMDisposePassBuilderOptions(options);
  if (error == NULL) {
    return GENIE_OK;
  }
  char *message = LLVMGetErrorMessage(error);
  const genie_status_t status = genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s: %s", name, message);
  LLVMDisposeErrorMessage(message);
  return status;
}

static void set_layout(LLVMModuleRef module, LLVMTargetMachineRef machine) {
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(module, layout);
  LLVMDisposeTargetData(layout);
}

genie_status_t genie_optimise_memory(LLVMModuleRef module, LLVMTargetMachineRef machine, int opt_level) {
  set_layout(module, machine);
  genie_template_library_strip_target(module);
  return run_passes(module, "memory", machine, opt_level, false);
}

// The frame is the kernel's one parameter, by value.
static void make_gpu_entry(LLVMValueRef entry, const genie_optimise_block_t *block) {
  LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(entry));
  LLVMTypeRef frame = LLVMArrayType2(LLVMInt64TypeInContext(context), (uint64_t)block->frame_entries);
  const unsigned by_value = LLVMGetEnumAttributeKindForName("byval", 5);
  const unsigned align = LLVMGetEnumAttributeKindForName("align", 5);
  LLVMAddAttributeAtIndex(entry, 1, LLVMCreateTypeAttribute(context, by_value, frame));
  LLVMAddAttributeAtIndex(entry, 1, LLVMCreateEnumAttribute(context, align, 8));
  LLVMSetFunctionCallConv(entry, LLVMPTXKernelCallConv);
  LLVMSetVisibility(entry, LLVMDefaultVisibility);
  char threads[16];
  snprintf(threads, sizeof(threads), "%d,1,1", block->threads);
  add_text(context, entry, "nvvm.reqntid", threads);
  if (block->cluster > 1) {
    char blocks[16];
    snprintf(blocks, sizeof(blocks), "%d,1,1", block->cluster);
    add_text(context, entry, "nvvm.cluster_dim", blocks);
  }
}

genie_status_t genie_optimise_kernel(genie_template_library_t *library, LLVMModuleRef module, const char *name,
                                     const genie_target_t *target, LLVMTargetMachineRef machine, int opt_level,
                                     const genie_optimise_block_t *block) {
  set_layout(module, machine);
  LLVMValueRef entry = LLVMGetNamedFunction(module, "genie_kernel");
  LLVMSetValueName2(entry, name, strlen(name));
  GENIE_RETURN_IF_ERROR(
      genie_template_library_link(library, module, target->is_cuda ? GENIE_TEMPLATE_CUDA : GENIE_TEMPLATE_CPU));
  GENIE_RETURN_IF_ERROR(prepare(module, name, target));
  if (block != NULL) {
    make_gpu_entry(entry, block);
  }
  GENIE_RETURN_IF_ERROR(verify(module, name));
  return run_passes(module, name, machine, opt_level, target->is_cuda);
}

genie_status_t genie_optimise_emit(LLVMModuleRef module, LLVMTargetMachineRef machine, bool as_assembly,
                                   LLVMMemoryBufferRef *out_buffer) {
  char *message = NULL;
  const LLVMCodeGenFileType type = as_assembly ? LLVMAssemblyFile : LLVMObjectFile;
  if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, &message, out_buffer)) {
    const genie_status_t status = genie_status_make(GENIE_STATUS_INTERNAL, "no machine code: %s", message);
    LLVMDisposeMessage(message);
    return status;
  }
  return GENIE_OK;
}
