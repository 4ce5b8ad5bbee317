#include "codegen/kernel/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"

static const genie_target_t target_table[] = {
// Programmatic launch and clusters came with one architecture.
#define GENIE_TARGET(name, device_kind, cpu, features, vector_bytes, vector_count, needs, has_clusters) \
  {name,         device_kind,           cpu,          features,     needs,         vector_bytes,        \
   vector_count, device_kind[1] == 'u', has_clusters, has_clusters, name[5] == 'e'},
#include "codegen/kernel/target.def"
#undef GENIE_TARGET
};

static const struct {
  const char *llvm_name, *cpuinfo_name;
} cpu_feature_table[] = {
#define GENIE_CPU_FEATURE(llvm_name, cpuinfo_name) {llvm_name, cpuinfo_name},
#include "codegen/kernel/cpu_feature.def"
#undef GENIE_CPU_FEATURE
};

enum {
  TARGET_COUNT = sizeof(target_table) / sizeof(target_table[0]),
  CPU_FEATURE_COUNT = sizeof(cpu_feature_table) / sizeof(cpu_feature_table[0]),
};

// Whether LLVM's list "+a,-b,..." switches `name` on.
static bool has_feature(const char *features, const char *name) {
  const size_t length = strlen(name);
  for (const char *at = features; (at = strstr(at, name)) != NULL; ++at) {
    const bool is_start = at > features && at[-1] == '+';
    if (is_start && (at[length] == ',' || at[length] == '\0')) {
      return true;
    }
  }
  return false;
}

static void target_of_host(genie_target_t *out_target) {
  char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();
  *out_target = (genie_target_t){.name = "host", .device_kind = "cpu"};
  snprintf(out_target->cpu, sizeof(out_target->cpu), "%s", cpu);
  snprintf(out_target->features, sizeof(out_target->features), "%s", features);
  size_t used = 0;
  for (int i = 0; i < CPU_FEATURE_COUNT; ++i) {
    if (has_feature(features, cpu_feature_table[i].llvm_name)) {
      used += (size_t)snprintf(out_target->needs + used, sizeof(out_target->needs) - used, "%s%s", used == 0 ? "" : ",",
                               cpu_feature_table[i].cpuinfo_name);
    }
  }
  const bool is_wide = has_feature(features, "avx512vl");
  out_target->vector_bytes = is_wide ? 64 : 32;
  out_target->vector_count = is_wide ? 32 : 16;
  LLVMDisposeMessage(cpu);
  LLVMDisposeMessage(features);
}

genie_status_t genie_target_find(const char *name, size_t length, genie_target_t *out_target) {
  if (length == 4 && memcmp(name, "host", 4) == 0) {
    target_of_host(out_target);
    return GENIE_OK;
  }
  char known[256] = "";
  for (int i = 0; i < TARGET_COUNT; ++i) {
    const char *other = target_table[i].name;
    if (strlen(other) == length && memcmp(other, name, length) == 0) {
      *out_target = target_table[i];
      return GENIE_OK;
    }
    strncat(known, other, sizeof(known) - strlen(known) - 1);
    strncat(known, ", ", sizeof(known) - strlen(known) - 1);
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no target %.*s; there are %shost", (int)length, name, known);
}

//===-- The module's attribute ------------------------------------------------------------------------------------===//

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString(name)), value);
}

static int compare_targets(const void *a, const void *b) {
  const genie_target_t *x = a, *y = b;
  if (x->is_cuda != y->is_cuda) {
    return x->is_cuda - y->is_cuda;
  }
  if (x->is_cuda) {
    return strcmp(x->name, y->name);
  }
  const int by_width = (x->vector_bytes > y->vector_bytes) - (x->vector_bytes < y->vector_bytes);
  return by_width != 0 ? by_width : (strcmp(x->name, "host") == 0) - (strcmp(y->name, "host") == 0);
}

static genie_status_t parse_targets(const char *text, genie_target_t *targets, int *out_count) {
  int count = 0;
  for (const char *at = text; at != NULL;) {
    const char *comma = strchr(at, ',');
    if (count == GENIE_TARGET_MAX_COUNT) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "more than %d targets", GENIE_TARGET_MAX_COUNT);
    }
    GENIE_RETURN_IF_ERROR(genie_target_find(at, comma == NULL ? strlen(at) : (size_t)(comma - at), &targets[count++]));
    at = comma == NULL ? NULL : comma + 1;
  }
  qsort(targets, (size_t)count, sizeof(*targets), compare_targets);
  *out_count = count;
  return GENIE_OK;
}

genie_status_t genie_codegen_set_targets(MlirModule module, const char *text) {
  MlirOperation op = mlirModuleGetOperation(module);
  MlirContext context = mlirOperationGetContext(op);
  genie_target_t targets[GENIE_TARGET_MAX_COUNT];
  int count = 0;
  GENIE_RETURN_IF_ERROR(parse_targets(text, targets, &count));
  MlirAttribute names[GENIE_TARGET_MAX_COUNT];
  for (int i = 0; i < count; ++i) {
    names[i] = genie_ir_string_attr(context, targets[i].name);
  }
  const genie_target_t *best = &targets[count - 1];
  const MlirNamedAttribute entries[] = {
      named(context, "device_kind",
            genie_ir_string_attr(context, targets[0].is_emulated ? "cuda" : targets[0].device_kind)),
      named(context, "name", genie_ir_string_attr(context, best->name)),
      named(context, "targets", mlirArrayAttrGet(context, count, names)),
      named(context, "vector_bytes", genie_ir_i64_attr(context, best->vector_bytes)),
  };
  mlirOperationSetAttributeByName(op, mlirStringRefCreateFromCString("genie.target"),
                                  mlirDictionaryAttrGet(context, sizeof(entries) / sizeof(entries[0]), entries));
  return GENIE_OK;
}

void genie_codegen_set_libraries(MlirModule module, bool has_libraries, bool allows_tf32) {
  MlirOperation op = mlirModuleGetOperation(module);
  MlirContext context = mlirOperationGetContext(op);
  const MlirStringRef name = mlirStringRefCreateFromCString("genie.target");
  const MlirAttribute target = mlirOperationGetAttributeByName(op, name);
  MlirNamedAttribute entries[16];
  intptr_t count = 0;
  for (intptr_t i = 0; i < mlirDictionaryAttrGetNumElements(target) && count < 12; ++i) {
    entries[count++] = mlirDictionaryAttrGetElement(target, i);
  }
  entries[count++] = named(context, "libraries", mlirBoolAttrGet(context, has_libraries));
  entries[count++] = named(context, "allow_tf32", mlirBoolAttrGet(context, allows_tf32));
  mlirOperationSetAttributeByName(op, name, mlirDictionaryAttrGet(context, count, entries));
}

genie_status_t genie_target_list(MlirModule module, int capacity, genie_target_t *out_targets, int *out_count) {
  MlirAttribute target =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(module), mlirStringRefCreateFromCString("genie.target"));
  *out_count = 1;
  if (mlirAttributeIsNull(target) || !mlirAttributeIsADictionary(target)) {
    return genie_target_find("host", 4, &out_targets[0]);
  }
  MlirAttribute list = mlirDictionaryAttrGetElementByName(target, mlirStringRefCreateFromCString("targets"));
  if (mlirAttributeIsNull(list)) {
    MlirAttribute name = mlirDictionaryAttrGetElementByName(target, mlirStringRefCreateFromCString("name"));
    if (mlirAttributeIsNull(name) || !mlirAttributeIsAString(name)) {
      return genie_target_find("host", 4, &out_targets[0]);
    }
    MlirStringRef text = mlirStringAttrGetValue(name);
    return genie_target_find(text.data, text.length, &out_targets[0]);
  }
  const int count = (int)mlirArrayAttrGetNumElements(list);
  for (int i = 0; i < count && i < capacity; ++i) {
    MlirStringRef text = mlirStringAttrGetValue(mlirArrayAttrGetElement(list, i));
    GENIE_RETURN_IF_ERROR(genie_target_find(text.data, text.length, &out_targets[i]));
  }
  *out_count = count < capacity ? count : capacity;
  return GENIE_OK;
}

//===-- Machines --------------------------------------------------------------------------------------------------===//

const char *genie_target_triple(const genie_target_t *target) {
  return target->is_cuda ? "nvptx64-nvidia-cuda" : "x86_64-unknown-linux-gnu";
}

static void initialise_backends(void) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
}

genie_status_t genie_target_create_machine(const genie_target_t *target, int opt_level,
                                           LLVMTargetMachineRef *out_machine) {
  initialise_backends();
  const char *triple = genie_target_triple(target);
  LLVMTargetRef llvm_target;
  char *message = NULL;
  if (LLVMGetTargetFromTriple(triple, &llvm_target, &message)) {
    const genie_status_t status =
        genie_status_make(GENIE_STATUS_INTERNAL, "no code generator for %s: %s", triple, message);
    LLVMDisposeMessage(message);
    return status;
  }
  static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess, LLVMCodeGenLevelDefault,
                                               LLVMCodeGenLevelAggressive};
  const LLVMCodeGenOptLevel level = levels[opt_level < 0 ? 0 : opt_level > 3 ? 3 : opt_level];
  *out_machine = LLVMCreateTargetMachine(llvm_target, triple, target->cpu, target->features, level, LLVMRelocPIC,
                                         LLVMCodeModelSmall);
  return GENIE_OK;
}
