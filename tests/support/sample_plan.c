#include "tests/support/sample_plan.h"

#include <string.h>

#include "runtime/base/kernel_frame.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/writer.h"
#include "tests/support/cuda_example.h"

// ---- Kernels: functions in a section of their own, which is the plan's code; not optimised, since optimised code
// could refer to constants outside of it ----

#define KERNEL                                                                                                  \
  __attribute__((section("genie_sample_kernels"), used, noinline, optnone, no_sanitize("address", "undefined"), \
                 disable_sanitizer_instrumentation)) static void

// args[2] = args[0] + args[1], a task for each element.
KERNEL add_kernel(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  const float *a = frame->args[0];
  const float *b = frame->args[1];
  float *sum = frame->args[2];
  for (int64_t i = begin; i < end; ++i) {
    sum[i] = a[i] + b[i];
  }
}

// args[1] = args[0] + args[0], a task for each row of dims[0] elements, each by way of the scratch.
KERNEL double_rows_kernel(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  const int64_t row = frame->dims[0];
  const float *x = frame->args[0];
  float *y = frame->args[1];
  volatile float *scratch = frame->scratch;
  for (int64_t i = begin * row; i < end * row; ++i) {
    scratch[0] = x[i];
    y[i] = scratch[0] + x[i];
  }
}

extern const uint8_t __start_genie_sample_kernels[];
extern const uint8_t __stop_genie_sample_kernels[];

// ---- Records ----

// Expressions that all entries share, by value; then those of "dynamic".
enum { EXPR_2, EXPR_3, EXPR_4, EXPR_6, EXPR_16, EXPR_24, EXPR_S0, EXPR_COUNT_OF_X, EXPR_BYTES_OF_X, EXPR_END };
// Those of "far", which follow.
enum { EXPR_FAR_S0 = EXPR_END, EXPR_FAR_COUNT, EXPR_FAR_BYTES, EXPR_FAR_END };
enum {
  TENSOR_X,
  TENSOR_Y,
  TENSOR_W,
  TENSOR_DYNAMIC_X,
  TENSOR_DYNAMIC_Y,
  TENSOR_STEP,
  TENSOR_TOTAL,
  TENSOR_SUM,
  TENSOR_SUM_INITIAL,
  TENSOR_FAR_X,
  TENSOR_FAR_Y,
  TENSOR_FAR_Z
};
enum {
  SLICE_X,
  SLICE_W,
  SLICE_TEMPORARY_OUT,
  SLICE_TEMPORARY_IN,
  SLICE_Y,
  SLICE_DYNAMIC_X,
  SLICE_DYNAMIC_Y,
  SLICE_STEP,
  SLICE_SUM_IN,
  SLICE_SUM_OUT,
  SLICE_TOTAL,
  SLICE_FAR_X,
  SLICE_DOUBLED_OUT,
  SLICE_DOUBLED_IN,
  SLICE_ARRIVED_OUT,
  SLICE_ARRIVED_IN,
  SLICE_AGAIN_OUT,
  SLICE_AGAIN_IN,
  SLICE_FAR_Z,
  SLICE_FAR_Y
};

static const genie_plan_expr_t kExprs[] = {
    [EXPR_2] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 2},
    [EXPR_3] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 3},
    [EXPR_4] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 4},
    [EXPR_6] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 6},
    [EXPR_16] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 16},
    [EXPR_24] = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = 24},
    [EXPR_S0] = {.op = GENIE_PLAN_EXPR_SYMBOL, .lhs = 0},
    [EXPR_COUNT_OF_X] = {.op = GENIE_PLAN_EXPR_MUL, .lhs = EXPR_S0, .rhs = EXPR_3},
    [EXPR_BYTES_OF_X] = {.op = GENIE_PLAN_EXPR_MUL, .lhs = EXPR_COUNT_OF_X, .rhs = EXPR_4},
    [EXPR_FAR_S0] = {.op = GENIE_PLAN_EXPR_SYMBOL, .lhs = 1},
    [EXPR_FAR_COUNT] = {.op = GENIE_PLAN_EXPR_MUL, .lhs = EXPR_FAR_S0, .rhs = EXPR_3},
    [EXPR_FAR_BYTES] = {.op = GENIE_PLAN_EXPR_MUL, .lhs = EXPR_FAR_COUNT, .rhs = EXPR_4},
};

// Lists in INDICES, by their start.
enum {
  LIST_2_3 = 0,
  LIST_S0_3 = 2,
  LIST_4 = 4,
  LIST_X = 5,
  LIST_Y = 6,
  LIST_DYNAMIC_X = 7,
  LIST_DYNAMIC_Y = 8,
  LIST_STEP = 9,
  LIST_TOTAL = 10,
  LIST_ADD_XW = 11,
  LIST_ADD_TT = 14,
  LIST_DOUBLE = 17,
  LIST_COUNT = 19,
  LIST_ROW = 22,
  LIST_FAR_S0_3 = 23,
  LIST_FAR_X = 25,
  LIST_FAR_OUTPUTS = 26,
  LIST_FAR_DOUBLE = 28,
  LIST_FAR_AGAIN = 30
};
static const uint32_t kIndices[] = {
    EXPR_2,
    EXPR_3,
    EXPR_S0,
    EXPR_3,
    EXPR_4,
    TENSOR_X,
    TENSOR_Y,
    TENSOR_DYNAMIC_X,
    TENSOR_DYNAMIC_Y,
    TENSOR_STEP,
    TENSOR_TOTAL,
    SLICE_X,
    SLICE_W,
    SLICE_TEMPORARY_OUT,
    SLICE_TEMPORARY_IN,
    SLICE_TEMPORARY_IN,
    SLICE_Y,
    SLICE_DYNAMIC_X,
    SLICE_DYNAMIC_Y,
    SLICE_SUM_IN,
    SLICE_STEP,
    SLICE_SUM_OUT,
    EXPR_3,
    EXPR_FAR_S0,
    EXPR_3,
    TENSOR_FAR_X,
    TENSOR_FAR_Y,
    TENSOR_FAR_Z,
    SLICE_FAR_X,
    SLICE_DOUBLED_OUT,
    SLICE_ARRIVED_IN,
    SLICE_AGAIN_OUT,
};

#define TENSOR_SLICE(access_, tensor, bytes, expr) \
  {.space = GENIE_PLAN_SPACE_TENSOR,               \
   .access = GENIE_PLAN_ACCESS_##access_,          \
   .index = tensor,                                \
   .maximum_bytes = bytes,                         \
   .bytes_expr = expr}
#define SLAB_SLICE(access_, bytes, expr) \
  {.space = GENIE_PLAN_SPACE_SLAB, .access = GENIE_PLAN_ACCESS_##access_, .maximum_bytes = bytes, .bytes_expr = expr}

#define FAR_SLAB_SLICE(access_, place, offset_) \
  {.space = GENIE_PLAN_SPACE_SLAB,              \
   .access = GENIE_PLAN_ACCESS_##access_,       \
   .index = place,                              \
   .offset = offset_,                           \
   .maximum_bytes = 96,                         \
   .bytes_expr = EXPR_FAR_BYTES}

static const genie_plan_slice_t kSlices[] = {
    [SLICE_X] = TENSOR_SLICE(READ, TENSOR_X, 24, EXPR_24),
    [SLICE_W] = TENSOR_SLICE(READ, TENSOR_W, 24, EXPR_24),
    [SLICE_TEMPORARY_OUT] = SLAB_SLICE(WRITE, 24, EXPR_24),
    [SLICE_TEMPORARY_IN] = SLAB_SLICE(READ, 24, EXPR_24),
    [SLICE_Y] = TENSOR_SLICE(WRITE, TENSOR_Y, 24, EXPR_24),
    [SLICE_DYNAMIC_X] = TENSOR_SLICE(READ, TENSOR_DYNAMIC_X, 96, EXPR_BYTES_OF_X),
    [SLICE_DYNAMIC_Y] = TENSOR_SLICE(WRITE, TENSOR_DYNAMIC_Y, 96, EXPR_BYTES_OF_X),
    [SLICE_STEP] = TENSOR_SLICE(READ, TENSOR_STEP, 16, EXPR_16),
    [SLICE_SUM_IN] = TENSOR_SLICE(READ, TENSOR_SUM, 16, EXPR_16),
    [SLICE_SUM_OUT] = TENSOR_SLICE(WRITE, TENSOR_SUM, 16, EXPR_16),
    [SLICE_TOTAL] = TENSOR_SLICE(WRITE, TENSOR_TOTAL, 16, EXPR_16),
    [SLICE_FAR_X] = TENSOR_SLICE(READ, TENSOR_FAR_X, 96, EXPR_FAR_BYTES),
    [SLICE_DOUBLED_OUT] = FAR_SLAB_SLICE(WRITE, 0, 0),
    [SLICE_DOUBLED_IN] = FAR_SLAB_SLICE(READ, 0, 0),
    [SLICE_ARRIVED_OUT] = FAR_SLAB_SLICE(WRITE, 1, 0),
    [SLICE_ARRIVED_IN] = FAR_SLAB_SLICE(READ, 1, 0),
    [SLICE_AGAIN_OUT] = FAR_SLAB_SLICE(WRITE, 1, 128),
    [SLICE_AGAIN_IN] = FAR_SLAB_SLICE(READ, 1, 128),
    [SLICE_FAR_Z] = TENSOR_SLICE(WRITE, TENSOR_FAR_Z, 96, EXPR_FAR_BYTES),
    [SLICE_FAR_Y] = TENSOR_SLICE(WRITE, TENSOR_FAR_Y, 96, EXPR_FAR_BYTES),
};

static const float kWeights[32] = {1, 2, 3, 4, 5, 6, [16] = 10, 20, 30, 40};

static genie_status_t append(genie_plan_writer_t *writer, genie_plan_section_kind_t section, const void *records,
                             uint64_t count) {
  return genie_plan_writer_append(writer, section, records, count, NULL);
}

static genie_status_t add_string(genie_plan_writer_t *writer, const char *text, uint32_t *out_offset) {
  return genie_plan_writer_add_string(writer, text, strlen(text), out_offset);
}

static genie_status_t write_tensors(genie_plan_writer_t *writer, bool has_places) {
  static const struct {
    const char *name;
    genie_plan_tensor_t record;
  } kTensors[] = {
      [TENSOR_X] = {"x", {.role = GENIE_PLAN_ROLE_INPUT, .rank = 2, .first_dim = LIST_2_3, .maximum_bytes = 24}},
      [TENSOR_Y] = {"y", {.role = GENIE_PLAN_ROLE_OUTPUT, .rank = 2, .first_dim = LIST_2_3, .maximum_bytes = 24}},
      [TENSOR_W] = {"w", {.role = GENIE_PLAN_ROLE_WEIGHT, .rank = 2, .first_dim = LIST_2_3, .maximum_bytes = 24}},
      [TENSOR_DYNAMIC_X] = {"x",
                            {.role = GENIE_PLAN_ROLE_INPUT, .rank = 2, .first_dim = LIST_S0_3, .maximum_bytes = 96}},
      [TENSOR_DYNAMIC_Y] = {"y",
                            {.role = GENIE_PLAN_ROLE_OUTPUT, .rank = 2, .first_dim = LIST_S0_3, .maximum_bytes = 96}},
      [TENSOR_STEP] = {"step", {.role = GENIE_PLAN_ROLE_INPUT, .rank = 1, .first_dim = LIST_4, .maximum_bytes = 16}},
      [TENSOR_TOTAL] = {"total", {.role = GENIE_PLAN_ROLE_OUTPUT, .rank = 1, .first_dim = LIST_4, .maximum_bytes = 16}},
      [TENSOR_SUM] = {"sum", {.role = GENIE_PLAN_ROLE_STATE, .rank = 1, .first_dim = LIST_4, .maximum_bytes = 16}},
      [TENSOR_SUM_INITIAL] =
          {"sum.initial",
           {.role = GENIE_PLAN_ROLE_WEIGHT, .rank = 1, .first_dim = LIST_4, .offset = 64, .maximum_bytes = 16}},
      [TENSOR_FAR_X] = {"x",
                        {.role = GENIE_PLAN_ROLE_INPUT, .rank = 2, .first_dim = LIST_FAR_S0_3, .maximum_bytes = 96}},
      [TENSOR_FAR_Y] = {"y",
                        {.role = GENIE_PLAN_ROLE_OUTPUT, .rank = 2, .first_dim = LIST_FAR_S0_3, .maximum_bytes = 96}},
      [TENSOR_FAR_Z] =
          {"z",
           {.role = GENIE_PLAN_ROLE_OUTPUT, .rank = 2, .first_dim = LIST_FAR_S0_3, .place = 1, .maximum_bytes = 96}},
  };
  for (uint32_t i = 0; i < (has_places ? sizeof(kTensors) / sizeof(kTensors[0]) : TENSOR_FAR_X); ++i) {
    genie_plan_tensor_t tensor = kTensors[i].record;
    tensor.dtype = GENIE_DTYPE_F32;
    tensor.initial = i == TENSOR_SUM ? TENSOR_SUM_INITIAL : GENIE_PLAN_NONE;
    GENIE_RETURN_IF_ERROR(add_string(writer, kTensors[i].name, &tensor.name));
    GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_TENSORS, &tensor, 1));
  }
  return GENIE_OK;
}

static genie_status_t write_instructions(genie_plan_writer_t *writer, bool has_places) {
  uint32_t module = 0;
  GENIE_RETURN_IF_ERROR(add_string(writer, "sample", &module));
  const genie_plan_instruction_t instructions[] = {
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH, .a = 0, .b = LIST_ADD_XW, .d = EXPR_6, .e = 1, .f = module},
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH, .a = 0, .b = LIST_ADD_TT, .d = EXPR_6, .e = 1, .f = module},
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH, .a = 1, .b = LIST_DOUBLE, .c = LIST_ROW, .d = EXPR_S0, .e = 1, .f = module},
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH, .a = 0, .b = LIST_COUNT, .d = EXPR_4, .e = 1, .f = module},
      {.opcode = GENIE_PLAN_OPCODE_COPY, .a = SLICE_SUM_IN, .b = SLICE_TOTAL},
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH,
       .a = 1,
       .b = LIST_FAR_DOUBLE,
       .c = LIST_ROW,
       .d = EXPR_FAR_S0,
       .e = 1,
       .f = module},
      {.opcode = GENIE_PLAN_OPCODE_SEND, .a = SLICE_DOUBLED_IN, .b = 0},
      {.opcode = GENIE_PLAN_OPCODE_RECEIVE, .place = 1, .a = SLICE_ARRIVED_OUT, .b = 0},
      {.opcode = GENIE_PLAN_OPCODE_COPY, .place = 1, .a = SLICE_ARRIVED_IN, .b = SLICE_FAR_Z},
      {.opcode = GENIE_PLAN_OPCODE_LAUNCH,
       .place = 1,
       .a = 1,
       .b = LIST_FAR_AGAIN,
       .c = LIST_ROW,
       .d = EXPR_FAR_S0,
       .e = 1,
       .f = module},
      {.opcode = GENIE_PLAN_OPCODE_SEND, .place = 1, .a = SLICE_AGAIN_IN, .b = 1},
      {.opcode = GENIE_PLAN_OPCODE_RECEIVE, .a = SLICE_FAR_Y, .b = 1},
  };
  return append(writer, GENIE_PLAN_SECTION_INSTRUCTIONS, instructions,
                has_places ? sizeof(instructions) / sizeof(instructions[0]) : 5);
}

static genie_status_t write_transfers(genie_plan_writer_t *writer) {
  genie_plan_transfer_t transfers[] = {
      {.entry = SAMPLE_FAR, .source_place = 0, .destination_place = 1, .bytes_expr = EXPR_FAR_BYTES},
      {.entry = SAMPLE_FAR, .source_place = 1, .destination_place = 0, .bytes_expr = EXPR_FAR_BYTES},
  };
  GENIE_RETURN_IF_ERROR(add_string(writer, "doubled", &transfers[0].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "again", &transfers[1].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "", &transfers[0].phase));
  transfers[1].phase = transfers[0].phase;
  return append(writer, GENIE_PLAN_SECTION_TRANSFERS, transfers, 2);
}

static genie_status_t write_entries(genie_plan_writer_t *writer, bool has_places) {
  genie_plan_entry_t entries[] = {
      {.first_expr = EXPR_S0,
       .first_input = LIST_X,
       .input_count = 1,
       .first_output = LIST_Y,
       .output_count = 1,
       .instruction_count = 2,
       .stream_count = 1},
      {.symbol_count = 1,
       .first_expr = EXPR_S0,
       .expr_count = 3,
       .first_input = LIST_DYNAMIC_X,
       .input_count = 1,
       .first_output = LIST_DYNAMIC_Y,
       .output_count = 1,
       .first_instruction = 2,
       .instruction_count = 1,
       .stream_count = 1},
      {.first_symbol = 1,
       .first_expr = EXPR_END,
       .first_input = LIST_STEP,
       .input_count = 1,
       .first_output = LIST_TOTAL,
       .output_count = 1,
       .first_instruction = 3,
       .instruction_count = 2,
       .stream_count = 1},
      {.first_symbol = 1,
       .symbol_count = 1,
       .first_expr = EXPR_FAR_S0,
       .expr_count = EXPR_FAR_END - EXPR_FAR_S0,
       .first_input = LIST_FAR_X,
       .input_count = 1,
       .first_output = LIST_FAR_OUTPUTS,
       .output_count = 2,
       .first_instruction = 5,
       .instruction_count = 7,
       .stream_count = 1},
  };
  genie_plan_symbol_t symbols[] = {
      {.entry = 1, .minimum = 1, .maximum = 8, .multiple = 1, .bind_tensor = TENSOR_DYNAMIC_X},
      {.entry = 3, .minimum = 1, .maximum = 8, .multiple = 1, .bind_tensor = TENSOR_FAR_X},
  };
  GENIE_RETURN_IF_ERROR(add_string(writer, "static", &entries[0].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "dynamic", &entries[1].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "count", &entries[2].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "far", &entries[3].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "s0", &symbols[0].name));
  symbols[1].name = symbols[0].name;
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_SYMBOLS, symbols, has_places ? 2 : 1));
  return append(writer, GENIE_PLAN_SECTION_ENTRIES, entries, has_places ? 4 : 3);
}

static genie_status_t write_target(genie_plan_writer_t *writer, const genie_sample_options_t *options, const void *code,
                                   uint64_t code_bytes, const uint64_t offsets[2]) {
  genie_plan_target_t target = {.code_bytes = code_bytes};
  GENIE_RETURN_IF_ERROR(add_string(writer, "sample", &target.name));
  GENIE_RETURN_IF_ERROR(add_string(writer, options->is_cuda ? "cuda" : "cpu", &target.device_kind));
  GENIE_RETURN_IF_ERROR(add_string(writer, options->features == NULL ? "" : options->features, &target.features));
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_TARGETS, &target, 1));
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_CODE_OFFSETS, offsets, 2));
  return append(writer, GENIE_PLAN_SECTION_CODE, code, code_bytes);
}

static genie_status_t write_cpu_code(genie_plan_writer_t *writer, const genie_sample_options_t *options) {
  const uint64_t offsets[] = {
      (uint64_t)((const uint8_t *)(uintptr_t)add_kernel - __start_genie_sample_kernels),
      (uint64_t)((const uint8_t *)(uintptr_t)double_rows_kernel - __start_genie_sample_kernels)};
  return write_target(writer, options, __start_genie_sample_kernels,
                      (uint64_t)(__stop_genie_sample_kernels - __start_genie_sample_kernels), offsets);
}

static const char kFaultyPtx[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
#define FAULTY(name)             \
  ".visible .entry " name        \
  "(.param .align 8 .b8 p[24]) " \
  "{ .reg .b64 %rd<2>; mov.u64 %rd1, 64; st.global.u64 [%rd1], %rd1; ret; }\n"
    FAULTY("add") FAULTY("double_rows");
#undef FAULTY

static genie_status_t write_cuda_code(genie_plan_writer_t *writer, const genie_sample_options_t *options) {
  static const genie_cuda_example_kernel_t kKernels[] = {GENIE_CUDA_EXAMPLE_ADD, GENIE_CUDA_EXAMPLE_DOUBLE_ROWS};
  genie_cuda_example_t example;
  GENIE_RETURN_IF_ERROR(genie_cuda_example_make(options->is_faulty ? kFaultyPtx : NULL, kKernels, 2, &example));
  const genie_status_t status = write_target(writer, options, example.code, example.code_bytes, example.offsets);
  genie_allocator_free(genie_allocator_heap(), example.code);
  return status;
}

static genie_status_t write_code(genie_plan_writer_t *writer, const genie_sample_options_t *options) {
  genie_plan_kernel_t kernels[] = {{.arg_count = 3},
                                   {.arg_count = 2, .dim_count = 1, .scratch_bytes = options->is_cuda ? 0 : 64}};
  GENIE_RETURN_IF_ERROR(add_string(writer, "add_0", &kernels[0].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "double_rows_1", &kernels[1].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, "pointwise", &kernels[0].template_name));
  kernels[1].template_name = kernels[0].template_name;
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_KERNELS, kernels, 2));
  return options->is_cuda ? write_cuda_code(writer, options) : write_cpu_code(writer, options);
}

static genie_status_t write_records(genie_plan_writer_t *writer, const genie_sample_options_t *options) {
  const bool has_places = options->has_places;
  const uint64_t slab_bytes = has_places ? 128 : 64;
  genie_plan_place_t places[] = {{.slab_bytes = slab_bytes, .state_bytes = 64, .sum_bytes = slab_bytes},
                                 {.slab_bytes = 256, .sum_bytes = 256}};
  GENIE_RETURN_IF_ERROR(add_string(writer, "", &places[0].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, options->is_cuda ? "local:cuda0" : "local:cpu0", &places[0].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, options->is_cuda ? "far:cuda1" : "far:cpu1", &places[1].name));
  GENIE_RETURN_IF_ERROR(add_string(writer, options->is_cuda ? "cuda" : "cpu", &places[0].device_kind));
  places[1].device_kind = places[0].device_kind;
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_PLACES, places, has_places ? 2 : 1));
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_EXPRS, kExprs, has_places ? EXPR_FAR_END : EXPR_END));
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_INDICES, kIndices, sizeof(kIndices) / sizeof(kIndices[0])));
  GENIE_RETURN_IF_ERROR(append(writer, GENIE_PLAN_SECTION_SLICES, kSlices,
                               has_places ? sizeof(kSlices) / sizeof(kSlices[0]) : SLICE_FAR_X));
  GENIE_RETURN_IF_ERROR(write_tensors(writer, has_places));
  GENIE_RETURN_IF_ERROR(write_entries(writer, has_places));
  GENIE_RETURN_IF_ERROR(write_instructions(writer, has_places));
  if (has_places) {
    GENIE_RETURN_IF_ERROR(write_transfers(writer));
  }
  return write_code(writer, options);
}

static genie_status_t write_file(genie_plan_writer_t *writer, const char *path, const genie_sample_options_t *options) {
  const genie_plan_manifest_t manifest = {.producer = "sample", .source_name = "", .framework_version = ""};
  uint8_t *manifest_bytes = NULL;
  uint64_t manifest_size = 0;
  uint64_t file_bytes = 0;
  genie_status_t status = genie_plan_manifest_pack(&manifest, genie_allocator_heap(), &manifest_bytes, &manifest_size);
  GENIE_GOTO_IF_ERROR(status);
  GENIE_GOTO_IF_ERROR(write_records(writer, options));
  GENIE_GOTO_IF_ERROR(genie_plan_writer_begin(writer, path, manifest_bytes, manifest_size, sizeof(kWeights)));
  GENIE_GOTO_IF_ERROR(genie_plan_writer_write_weights(writer, kWeights, sizeof(kWeights)));
  GENIE_GOTO_IF_ERROR(genie_plan_writer_finish(writer, options->signing_key, &file_bytes));
cleanup:
  genie_allocator_free(genie_allocator_heap(), manifest_bytes);
  return status;
}

genie_status_t genie_sample_plan_write(const char *path, const genie_sample_options_t *options) {
  static const genie_sample_options_t kDefaults = {0};
  genie_plan_writer_t *writer = NULL;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_create(genie_allocator_heap(), &writer));
  const genie_status_t status = write_file(writer, path, options == NULL ? &kDefaults : options);
  genie_plan_writer_destroy(writer);
  return status;
}
