#include <llvm-c/Linker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codegen/kernel/code.h"
#include "codegen/kernel/cuda_code.h"
#include "codegen/kernel/family.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/image.h"
#include "codegen/kernel/kernel_key.h"
#include "codegen/kernel/library_call.h"
#include "codegen/kernel/optimise.h"
#include "ir/device_kind.h"
#include "runtime/base/arena.h"

static const struct {
  const char *name;
  genie_lowering_fn_t lower;
} family_table[] = {
#define GENIE_FAMILY(family) {#family, genie_lower_##family},
#include "codegen/kernel/families.def"
#undef GENIE_FAMILY
};

// A distinct kernel: the first operation that needs it and what its lowering decided.
typedef struct kernel {
  MlirOperation op, function;
  char *key;
  const char *family;
  genie_lowering_fn_t lower;
  char name[96], template_name[64];
  int dim_count;
  MlirAffineExpr dims[GENIE_LOWER_MAX_DIMS];
  MlirAffineExpr grid;
  int64_t grain;
  uint64_t scratch_bytes;
  uint64_t in_place[GENIE_IR_MAX_RESULTS];
  bool is_cuda, is_lowered;  // the kind of its place's device
  bool is_library, is_programmatic;
  int argument_count, arguments[GENIE_CODE_MAX_LIBRARY_ARGUMENTS];
  genie_cuda_code_kernel_t block;
} kernel_t;

typedef struct launch {
  MlirOperation op;
  int kernel;
} launch_t;

struct genie_code_storage {
  genie_arena_t arena;
  LLVMContextRef llvm;
  int module_count;  // one a target
  LLVMModuleRef modules[GENIE_TARGET_MAX_COUNT];
  genie_target_t targets[GENIE_TARGET_MAX_COUNT];
  int opt_level;
};

// A compile in progress.
typedef struct compile {
  const genie_codegen_options_t *options;
  struct genie_code_storage *storage;
  genie_template_library_t *library;
  LLVMBuilderRef builder;
  kernel_t *kernels;
  int kernel_count, kernel_capacity;
  launch_t *launches;
  int launch_count, launch_capacity;
  double weight_bytes;     // see genie_lowering_t
  bool has_library_calls;  // on the GPU
} compile_t;

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

//===-- Collecting ------------------------------------------------------------------------------------------------===//

static genie_status_t grow(void **items, int count, int *capacity, size_t item_bytes) {
  if (count < *capacity) {
    return GENIE_OK;
  }
  const int next = *capacity == 0 ? 32 : 2 * *capacity;
  void *grown = realloc(*items, (size_t)next * item_bytes);
  if (grown == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %d kernels", next);
  }
  *items = grown;
  *capacity = next;
  return GENIE_OK;
}

static genie_status_t find_family(MlirOperation op, kernel_t *kernel) {
  const MlirStringRef family = genie_ir_string(op, "family");
  for (size_t i = 0; i < sizeof(family_table) / sizeof(family_table[0]); ++i) {
    if (strlen(family_table[i].name) == family.length &&
        memcmp(family_table[i].name, family.data, family.length) == 0) {
      kernel->family = family_table[i].name;
      kernel->lower = family_table[i].lower;
      return GENIE_OK;
    }
  }
  char location[256];
  genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(location), location);
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: no kernel family '%.*s'", location, (int)family.length,
                           family.data);
}

// The kernel of this key, made when it is new.
static genie_status_t intern_kernel(compile_t *compile, MlirOperation op, MlirOperation function, const char *key,
                                    bool is_cuda, int *out_kernel) {
  for (int i = 0; i < compile->kernel_count; ++i) {
    if (compile->kernels[i].is_cuda == is_cuda && strcmp(compile->kernels[i].key, key) == 0) {
      *out_kernel = i;
      return GENIE_OK;
    }
  }
  GENIE_RETURN_IF_ERROR(
      grow((void **)&compile->kernels, compile->kernel_count, &compile->kernel_capacity, sizeof(kernel_t)));
  kernel_t *kernel = &compile->kernels[compile->kernel_count];
  *kernel = (kernel_t){.op = op, .function = function, .is_cuda = is_cuda};
  GENIE_RETURN_IF_ERROR(find_family(op, kernel));
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&compile->storage->arena, key, strlen(key), &kernel->key));
  *out_kernel = compile->kernel_count++;
  return GENIE_OK;
}

// Bytes of the kernel's weights; none for a family that looks up elements of them.
static double weight_bytes(MlirOperation op, const char *family) {
  double sum = 0;
  const bool has_lookup = strcmp(family, "pointwise") == 0 || strcmp(family, "embedding_bag") == 0;
  for (intptr_t i = 0; !has_lookup && i < mlirOperationGetNumOperands(op); ++i) {
    MlirValue operand = mlirOperationGetOperand(op, i);
    if (genie_ir_is_compile_time(operand)) {
      const genie_tensor_type_t type = genie_value_type(operand);
      double bytes = (double)genie_dtype_bytes(type.dtype);
      for (int d = 0; d < type.rank; ++d) {
        bytes *= (double)genie_dim_value(type.dims[d]);
      }
      sum += bytes;
    }
  }
  return sum;
}

static genie_status_t collect_kernel(compile_t *compile, MlirOperation op, MlirOperation function) {
  genie_string_builder_t key;
  genie_string_builder_init(genie_allocator_heap(), &key);
  genie_kernel_key_append(op, function, &key);
  genie_status_t status = genie_string_builder_status(&key);
  int kernel = 0;
  if (status == GENIE_OK) {
    const bool is_cuda = genie_op_is_on(op, GENIE_CUDA_DEVICE_KIND) && !compile->storage->targets[0].is_emulated;
    status = intern_kernel(compile, op, function, genie_string_builder_get(&key), is_cuda, &kernel);
  }
  genie_string_builder_deinit(&key);
  if (status == GENIE_OK) {
    status = grow((void **)&compile->launches, compile->launch_count, &compile->launch_capacity, sizeof(launch_t));
  }
  if (status == GENIE_OK) {
    compile->launches[compile->launch_count++] = (launch_t){op, kernel};
    compile->weight_bytes += weight_bytes(op, compile->kernels[kernel].family);
  }
  return status;
}

static genie_status_t collect_function(compile_t *compile, MlirOperation function) {
  for (intptr_t r = 0; r < mlirOperationGetNumRegions(function); ++r) {
    MlirBlock block = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, r));
    if (mlirBlockIsNull(block)) {
      continue;
    }
    for (MlirOperation op = mlirBlockGetFirstOperation(block); !mlirOperationIsNull(op);
         op = mlirOperationGetNextInBlock(op)) {
      if (genie_op_is(op, "genie.kernel")) {
        GENIE_RETURN_IF_ERROR(collect_kernel(compile, op, function));
      }
    }
  }
  return GENIE_OK;
}

static genie_status_t collect(compile_t *compile, MlirModule module) {
  for (MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    GENIE_RETURN_IF_ERROR(collect_function(compile, op));
  }
  return GENIE_OK;
}

//===-- Lowering --------------------------------------------------------------------------------------------------===//

static MlirOperation find_anchor(MlirBlock body, const char *family) {
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (strcmp(family, "pointwise") != 0 && genie_op_has_rule(op, family)) {
      return op;
    }
  }
  return (MlirOperation){NULL};
}

static void record_block(kernel_t *kernel, const genie_lowering_t *lowering) {
  const struct genie_lowering_state *state = lowering->state;
  kernel->block = (genie_cuda_code_kernel_t){
      .threads = lowering->threads,
      .frame_entries = state->input_count + state->output_count + state->dim_count,
      .shared_bytes = lowering->shared_bytes,
      .cluster = lowering->cluster,
  };
  snprintf(kernel->block.symbol, sizeof(kernel->block.symbol), "%.48s", kernel->name);
}

// What the first target of a kind decided stands for all.
static genie_status_t record(kernel_t *kernel, int index, const genie_lowering_t *lowering) {
  const struct genie_lowering_state *state = lowering->state;
  if (kernel->is_lowered) {
    const bool is_equal = mlirAffineExprEqual(kernel->grid, lowering->grid) && kernel->dim_count == state->dim_count;
    kernel->scratch_bytes =
        kernel->scratch_bytes > lowering->scratch_bytes ? kernel->scratch_bytes : lowering->scratch_bytes;
    return is_equal ? GENIE_OK
                    : genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s differs between targets in its grid",
                                        kernel->name);
  }
  snprintf(kernel->template_name, sizeof(kernel->template_name), "%s", state->template_name);
  snprintf(kernel->name, sizeof(kernel->name), "%s_%d", state->template_name, index);
  kernel->dim_count = state->dim_count;
  memcpy(kernel->dims, state->dims, sizeof(kernel->dims));
  memcpy(kernel->in_place, state->in_place, sizeof(kernel->in_place));
  kernel->grid = lowering->grid;
  kernel->grain = lowering->grain < 1 ? 1 : lowering->grain;
  kernel->scratch_bytes = lowering->target->is_cuda ? 0 : lowering->scratch_bytes;
  kernel->is_lowered = true;
  record_block(kernel, lowering);
  return GENIE_OK;
}

// What a template for a GPU asks about its launch.
static genie_status_t define_block_hooks(genie_lowering_t *lowering) {
  const struct genie_lowering_state *state = lowering->state;
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_threads", lowering->threads));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_emulated_cluster", lowering->cluster));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_emulated_args", state->input_count + state->output_count));
  return genie_lower_define_i64(lowering, "genie_emulated_dims", state->dim_count);
}

static genie_status_t define_control(genie_lowering_t *lowering, const char *name, const char *instruction) {
  struct genie_lowering_state *state = lowering->state;
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, name, &hook)) {
    return GENIE_OK;
  }
  LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(state->llvm), NULL, 0, false);
  LLVMValueRef code = LLVMGetInlineAsm(type, instruction, strlen(instruction), "~{memory}", 9, true, false,
                                       LLVMInlineAsmDialectATT, false);
  LLVMBuildCall2(state->builder, type, code, NULL, 0, "");
  LLVMBuildRetVoid(state->builder);
  genie_hook_end(&hook);
  return GENIE_OK;
}

// With programmatic launch a kernel starts while the one before it finishes. A template that has these hooks loads what
// no launch writes, waits, and lets the next one start when it has nothing left to load; all others start when the
// kernel before them has ended, so that whoever waits for them knows everything before to be done.
static genie_status_t define_grid_control(genie_lowering_t *lowering, kernel_t *kernel, bool is_programmatic) {
  if (!is_programmatic) {
    GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, "genie_grid_wait"));
    return genie_lower_define_nothing(lowering, "genie_grid_release");
  }
  kernel->is_programmatic = LLVMGetNamedFunction(lowering->state->module, "genie_grid_wait") != NULL;
  GENIE_RETURN_IF_ERROR(define_control(lowering, "genie_grid_wait", "griddepcontrol.wait;"));
  return define_control(lowering, "genie_grid_release", "griddepcontrol.launch_dependents;");
}

// Whether the kernel is a call of a library, which then is recorded.
static bool take_library_call(kernel_t *kernel, genie_lowering_t *lowering) {
  genie_library_call_t call = {.function = NULL};
  const bool is_call = genie_op_may_call_libraries(lowering->op) &&
                       ((strcmp(kernel->family, "gemm") == 0 && genie_gemm_library_call(lowering, &call)) ||
                        (strcmp(kernel->family, "conv") == 0 && genie_conv_library_call(lowering, &call)));
  if (!is_call) {
    return false;
  }
  struct genie_lowering_state *state = lowering->state;
  snprintf(state->template_name, sizeof(state->template_name), "%s", call.function);
  state->dim_count = call.dim_count;
  memcpy(state->dims, call.dims, (size_t)call.dim_count * sizeof(*call.dims));
  kernel->is_library = true;
  kernel->argument_count = call.argument_count;
  memcpy(kernel->arguments, call.arguments, sizeof(kernel->arguments));
  return true;
}

// A lowering and what it points at.
typedef struct lowering_parts {
  genie_lower_target_t target;
  struct genie_lowering_state state;
  genie_lowering_t lowering;
} lowering_parts_t;

static void begin_lowering(const compile_t *compile, const kernel_t *kernel, const genie_target_t *target,
                           lowering_parts_t *parts) {
  MlirContext context = mlirOperationGetContext(kernel->op);
  MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel->op, 0));
  parts->target = (genie_lower_target_t){.name = target->name,
                                         .vector_bytes = target->vector_bytes,
                                         .vector_count = target->vector_count,
                                         .is_cuda = target->is_cuda || target->is_emulated,
                                         .is_emulated = target->is_emulated,
                                         .has_clusters = target->has_clusters || target->is_emulated};
  parts->state = (struct genie_lowering_state){
      .library = compile->library,
      .llvm = compile->storage->llvm,
      .builder = compile->builder,
      .family = kernel->family,
      .input_count = (int)mlirOperationGetNumOperands(kernel->op),
      .output_count = (int)mlirOperationGetNumResults(kernel->op),
  };
  parts->lowering = (genie_lowering_t){
      .context = context,
      .op = kernel->op,
      .function = kernel->function,
      .body = body,
      .yield = mlirBlockGetTerminator(body),
      .anchor = find_anchor(body, kernel->family),
      .target = &parts->target,
      .weight_bytes = compile->weight_bytes,
      .grid = genie_dim_constant(context, 1),
      .grain = 1,
      .threads = 256,
      .cluster = 1,
      .state = &parts->state,
  };
}

// A library's kernels may not know of programmatic launch: cuDNN's convolutions behind a kernel that let the next one
// start early gave wrong results now and then.
static void find_library_calls(compile_t *compile, const genie_target_t *target) {
  for (int i = 0; i < compile->kernel_count && target->is_cuda; ++i) {
    kernel_t kernel = compile->kernels[i];
    lowering_parts_t parts;
    if (kernel.is_cuda) {
      begin_lowering(compile, &kernel, target, &parts);
      compile->has_library_calls = take_library_call(&kernel, &parts.lowering) || compile->has_library_calls;
    }
  }
}

static genie_status_t lower_kernel(compile_t *compile, int index, const genie_target_t *target,
                                   LLVMModuleRef *out_module) {
  kernel_t *kernel = &compile->kernels[index];
  lowering_parts_t parts;
  begin_lowering(compile, kernel, target, &parts);
  genie_lowering_t *lowering = &parts.lowering;
  struct genie_lowering_state *state = &parts.state;
  if (state->input_count + state->output_count > GENIE_HOOK_MAX_ARGS || state->output_count > GENIE_IR_MAX_RESULTS) {
    return genie_lower_unimplemented(lowering, "too many operands or results");
  }
  if (target->is_cuda && take_library_call(kernel, lowering)) {
    return record(kernel, index, lowering);
  }
  genie_status_t status = kernel->lower(lowering);
  if (status == GENIE_OK && state->module == NULL) {
    status = genie_status_make(GENIE_STATUS_INTERNAL, "the lowering of family %s chose no template", kernel->family);
  }
  if (status == GENIE_OK) {
    status = define_block_hooks(lowering);
  }
  if (status == GENIE_OK) {
    status = define_grid_control(lowering, kernel, target->has_programmatic_launch && !compile->has_library_calls);
  }
  if (status == GENIE_OK) {
    status = record(kernel, index, lowering);
  }
  if (status != GENIE_OK && state->module != NULL) {
    LLVMDisposeModule(state->module);
    return status;
  }
  *out_module = state->module;
  return status;
}

static genie_status_t compile_kernel(compile_t *compile, int index, int target_index, LLVMTargetMachineRef machine) {
  struct genie_code_storage *storage = compile->storage;
  const genie_target_t *target = &storage->targets[target_index];
  const double start = now_ms();
  LLVMModuleRef module = NULL;
  GENIE_RETURN_IF_ERROR(lower_kernel(compile, index, target, &module));
  if (module == NULL) {  // a library's
    return GENIE_OK;
  }
  const double lowered = now_ms();
  const kernel_t *kernel = &compile->kernels[index];
  const genie_optimise_block_t block = {kernel->block.threads, kernel->block.frame_entries,
                                        target->has_clusters ? kernel->block.cluster : 1};
  const genie_status_t status =
      genie_optimise_kernel(compile->library, module, kernel->is_cuda ? kernel->block.symbol : kernel->name, target,
                            machine, compile->options->opt_level, kernel->is_cuda ? &block : NULL);
  if (status != GENIE_OK) {
    LLVMDisposeModule(module);
    return status;
  }
  if (LLVMLinkModules2(storage->modules[target_index], module)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s does not link", kernel->name);
  }
  if (compile->options->has_timing) {
    fprintf(stderr, "  %-32s %-10s lower %6.1f ms  optimise %6.1f ms\n", kernel->name, target->name, lowered - start,
            now_ms() - lowered);
  }
  return GENIE_OK;
}

//===-- Code ------------------------------------------------------------------------------------------------------===//

static void note_code(const compile_t *compile, const genie_target_t *target, double start, uint64_t bytes) {
  if (compile->options->has_timing) {
    fprintf(stderr, "  %-32s %-10s %.1f ms, %llu bytes\n", "machine code", target->name, now_ms() - start,
            (unsigned long long)bytes);
  }
}

// The PTX of all kernels for a GPU in an image.
static genie_status_t emit_cuda_image(compile_t *compile, int target_index, LLVMTargetMachineRef machine,
                                      genie_code_target_t *out_target) {
  struct genie_code_storage *storage = compile->storage;
  const genie_target_t *target = &storage->targets[target_index];
  const genie_cuda_code_kernel_t **kernels = calloc((size_t)compile->kernel_count + 1, sizeof(*kernels));
  if (kernels == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for an image of kernels");
  }
  for (int i = 0; i < compile->kernel_count; ++i) {
    compile->kernels[i].block.is_programmatic = target->has_programmatic_launch && compile->kernels[i].is_programmatic;
    const bool has_code = compile->kernels[i].is_cuda && !compile->kernels[i].is_library;
    kernels[i] = has_code ? &compile->kernels[i].block : NULL;
  }
  const double start = now_ms();
  LLVMModuleRef copy = LLVMCloneModule(storage->modules[target_index]);
  LLVMMemoryBufferRef text = NULL;
  genie_status_t status = genie_optimise_emit(copy, machine, true, &text);
  LLVMDisposeModule(copy);
  *out_target =
      (genie_code_target_t){.name = target->name, .device_kind = target->device_kind, .features = target->needs};
  if (status == GENIE_OK) {
    status = genie_cuda_code_build(LLVMGetBufferStart(text), LLVMGetBufferSize(text), compile->kernel_count, kernels,
                                   &storage->arena, out_target);
    LLVMDisposeMemoryBuffer(text);
    note_code(compile, target, start, out_target->code_bytes);
  }
  free(kernels);
  return status;
}

static genie_status_t emit_image(compile_t *compile, int target_index, LLVMTargetMachineRef machine,
                                 genie_code_target_t *out_target) {
  struct genie_code_storage *storage = compile->storage;
  const genie_target_t *target = &storage->targets[target_index];
  void *names = NULL, *offsets = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&storage->arena, (size_t)compile->kernel_count + 1, sizeof(char *), &names));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&storage->arena, (size_t)compile->kernel_count + 1, sizeof(uint64_t), &offsets));
  int count = 0;  // kernels of CPUs; offsets come in their order
  for (int i = 0; i < compile->kernel_count; ++i) {
    if (!compile->kernels[i].is_cuda) {
      ((const char **)names)[count++] = compile->kernels[i].name;
    }
  }
  const double start = now_ms();
  // Emission changes the module; the one that is kept is printed later.
  LLVMModuleRef copy = LLVMCloneModule(storage->modules[target_index]);
  LLVMMemoryBufferRef object = NULL;
  genie_status_t status = genie_optimise_emit(copy, machine, false, &object);
  LLVMDisposeModule(copy);
  GENIE_RETURN_IF_ERROR(status);
  genie_image_t image;
  status = genie_image_link(LLVMGetBufferStart(object), LLVMGetBufferSize(object), count, names, &storage->arena,
                            &image, offsets);
  LLVMDisposeMemoryBuffer(object);
  GENIE_RETURN_IF_ERROR(status);
  for (int i = compile->kernel_count - 1; i >= 0; --i) {
    ((uint64_t *)offsets)[i] = compile->kernels[i].is_cuda ? GENIE_PLAN_NO_CODE : ((uint64_t *)offsets)[--count];
  }
  note_code(compile, target, start, image.size_bytes);
  *out_target =
      (genie_code_target_t){target->name, target->device_kind, target->needs, image.bytes, image.size_bytes, offsets};
  return GENIE_OK;
}

static genie_status_t add_memory_functions(compile_t *compile, int target_index, LLVMTargetMachineRef machine) {
  LLVMModuleRef module = NULL;
  GENIE_RETURN_IF_ERROR(genie_template_library_load(compile->library, "memory", GENIE_TEMPLATE_CPU, &module));
  const genie_status_t status = genie_optimise_memory(module, machine, compile->options->opt_level);
  if (status != GENIE_OK) {
    LLVMDisposeModule(module);
    return status;
  }
  return LLVMLinkModules2(compile->storage->modules[target_index], module)
             ? genie_status_make(GENIE_STATUS_INTERNAL, "memory functions do not link")
             : GENIE_OK;
}

static genie_status_t compile_target(compile_t *compile, int target_index, genie_code_target_t *out_target) {
  struct genie_code_storage *storage = compile->storage;
  LLVMTargetMachineRef machine = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_target_create_machine(&storage->targets[target_index], compile->options->opt_level, &machine));
  storage->modules[target_index] = LLVMModuleCreateWithNameInContext("kernels", storage->llvm);
  storage->module_count = target_index + 1;
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(storage->modules[target_index], layout);
  LLVMDisposeTargetData(layout);
  LLVMSetTarget(storage->modules[target_index], genie_target_triple(&storage->targets[target_index]));
  const bool is_cuda = storage->targets[target_index].is_cuda;
  genie_status_t status = GENIE_OK;
  find_library_calls(compile, &storage->targets[target_index]);
  for (int i = 0; i < compile->kernel_count && status == GENIE_OK; ++i) {
    status = compile->kernels[i].is_cuda == is_cuda ? compile_kernel(compile, i, target_index, machine) : GENIE_OK;
  }
  if (status == GENIE_OK && !is_cuda) {
    status = add_memory_functions(compile, target_index, machine);
  }
  if (status == GENIE_OK) {
    status = is_cuda ? emit_cuda_image(compile, target_index, machine, out_target)
                     : emit_image(compile, target_index, machine, out_target);
  }
  LLVMDisposeTargetMachine(machine);
  return status;
}

static genie_status_t publish_kernels(compile_t *compile, genie_codegen_code_t *code) {
  void *kernels = NULL;
  genie_arena_t *arena = &compile->storage->arena;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)compile->kernel_count + 1, sizeof(genie_code_kernel_t), &kernels));
  code->kernels = kernels;
  code->kernel_count = compile->kernel_count;
  for (int i = 0; i < compile->kernel_count; ++i) {
    const kernel_t *kernel = &compile->kernels[i];
    char *name = NULL, *template_name = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, kernel->name, strlen(kernel->name), &name));
    GENIE_RETURN_IF_ERROR(
        genie_arena_copy_string(arena, kernel->template_name, strlen(kernel->template_name), &template_name));
    code->kernels[i] = (genie_code_kernel_t){
        .name = name,
        .template_name = template_name,
        .family = kernel->family,
        .input_count = (int)mlirOperationGetNumOperands(kernel->op),
        .output_count = (int)mlirOperationGetNumResults(kernel->op),
        .dim_count = kernel->dim_count,
        .scratch_bytes = kernel->scratch_bytes,
        .is_library = kernel->is_library,
        .argument_count = kernel->argument_count,
    };
    memcpy(code->kernels[i].arguments, kernel->arguments, sizeof(kernel->arguments));
    memcpy(code->kernels[i].in_place, kernel->in_place, sizeof(kernel->in_place));
  }
  return GENIE_OK;
}

static genie_status_t publish_launches(compile_t *compile, genie_codegen_code_t *code) {
  void *launches = NULL;
  genie_arena_t *arena = &compile->storage->arena;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)compile->launch_count + 1, sizeof(genie_code_launch_t), &launches));
  code->launches = launches;
  code->launch_count = compile->launch_count;
  for (int i = 0; i < compile->launch_count; ++i) {
    const kernel_t *kernel = &compile->kernels[compile->launches[i].kernel];
    MlirOperation op = compile->launches[i].op;
    void *dims = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)kernel->dim_count + 1, sizeof(MlirAffineExpr), &dims));
    memcpy(dims, kernel->dims, (size_t)kernel->dim_count * sizeof(MlirAffineExpr));
    code->launches[i] = (genie_code_launch_t){
        op, compile->launches[i].kernel, dims, kernel->grid, kernel->grain, genie_op_cost(op).flops};
  }
  return GENIE_OK;
}

// A kernel of a place whose kind no target is of was never lowered.
static genie_status_t check_lowered(const compile_t *compile) {
  for (int i = 0; i < compile->kernel_count; ++i) {
    if (!compile->kernels[i].is_lowered) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "no target is for places of kind '%s': name one in --target",
                               compile->kernels[i].is_cuda ? "cuda" : "cpu");
    }
  }
  return GENIE_OK;
}

static genie_status_t compile_module(compile_t *compile, MlirModule module, genie_codegen_code_t *code) {
  struct genie_code_storage *storage = compile->storage;
  GENIE_RETURN_IF_ERROR(genie_target_list(module, GENIE_TARGET_MAX_COUNT, storage->targets, &code->target_count));
  GENIE_RETURN_IF_ERROR(genie_template_library_create(storage->llvm, &compile->library));
  GENIE_RETURN_IF_ERROR(collect(compile, module));
  void *targets = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&storage->arena, (size_t)code->target_count, sizeof(genie_code_target_t), &targets));
  code->targets = targets;
  for (int t = 0; t < code->target_count; ++t) {
    GENIE_RETURN_IF_ERROR(compile_target(compile, t, &code->targets[t]));
  }
  GENIE_RETURN_IF_ERROR(check_lowered(compile));
  GENIE_RETURN_IF_ERROR(publish_kernels(compile, code));
  return publish_launches(compile, code);
}

// Which loop LLVM did not vectorise is no news to a user, and goldens watch it; its errors come as statuses as well.
static void hear_diagnostic(LLVMDiagnosticInfoRef diagnostic, void *ignored) {
  (void)ignored;
  if (LLVMGetDiagInfoSeverity(diagnostic) == LLVMDSError) {
    char *message = LLVMGetDiagInfoDescription(diagnostic);
    fprintf(stderr, "LLVM: %s\n", message);
    LLVMDisposeMessage(message);
  }
}

genie_status_t genie_codegen_kernels(const genie_codegen_options_t *options, MlirModule module,
                                     genie_codegen_code_t **out_code) {
  genie_codegen_code_t *code = calloc(1, sizeof(*code));
  struct genie_code_storage *storage = calloc(1, sizeof(*storage));
  if (code == NULL || storage == NULL) {
    free(code);
    free(storage);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for kernels");
  }
  code->storage = storage;
  genie_arena_init(genie_allocator_heap(), 0, &storage->arena);
  storage->opt_level = options->opt_level;
  storage->llvm = LLVMContextCreate();
  LLVMContextSetDiagnosticHandler(storage->llvm, hear_diagnostic, NULL);
  compile_t compile = {.options = options, .storage = storage, .builder = LLVMCreateBuilderInContext(storage->llvm)};
  const genie_status_t status = compile_module(&compile, module, code);
  genie_template_library_destroy(compile.library);
  LLVMDisposeBuilder(compile.builder);
  free(compile.kernels);
  free(compile.launches);
  if (status != GENIE_OK) {
    genie_codegen_code_destroy(code);
    return status;
  }
  *out_code = code;
  return GENIE_OK;
}

void genie_codegen_code_destroy(genie_codegen_code_t *code) {
  if (code == NULL) {
    return;
  }
  for (int i = 0; i < code->storage->module_count; ++i) {
    LLVMDisposeModule(code->storage->modules[i]);
  }
  LLVMContextDispose(code->storage->llvm);
  genie_arena_deinit(&code->storage->arena);
  free(code->storage);
  free(code);
}

const genie_code_launch_t *genie_code_find_launch(const genie_codegen_code_t *code, MlirOperation kernel_op) {
  for (int i = 0; i < code->launch_count; ++i) {
    if (mlirOperationEqual(code->launches[i].op, kernel_op)) {
      return &code->launches[i];
    }
  }
  return NULL;
}

//===-- Printing --------------------------------------------------------------------------------------------------===//

static genie_status_t print_assembly(const struct genie_code_storage *storage, int target,
                                     genie_string_builder_t *out_text) {
  LLVMTargetMachineRef machine = NULL;
  GENIE_RETURN_IF_ERROR(genie_target_create_machine(&storage->targets[target], storage->opt_level, &machine));
  LLVMModuleRef copy = LLVMCloneModule(storage->modules[target]);
  LLVMMemoryBufferRef buffer = NULL;
  const genie_status_t status = genie_optimise_emit(copy, machine, true, &buffer);
  if (status == GENIE_OK) {
    genie_string_builder_append(out_text, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
  }
  LLVMDisposeModule(copy);
  LLVMDisposeTargetMachine(machine);
  return status;
}

genie_status_t genie_codegen_print_code(const genie_codegen_code_t *code, bool as_assembly,
                                        genie_string_builder_t *out_text) {
  const struct genie_code_storage *storage = code->storage;
  for (int t = 0; t < code->target_count; ++t) {
    genie_string_builder_format(out_text, "%s target %s\n", as_assembly ? "#" : ";", storage->targets[t].name);
    if (as_assembly) {
      GENIE_RETURN_IF_ERROR(print_assembly(storage, t, out_text));
      continue;
    }
    char *text = LLVMPrintModuleToString(storage->modules[t]);
    genie_string_builder_append(out_text, text, strlen(text));
    LLVMDisposeMessage(text);
  }
  return genie_string_builder_status(out_text);
}
