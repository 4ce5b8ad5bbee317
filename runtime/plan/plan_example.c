#include "runtime/plan/plan_example.h"

#include <string.h>

#include "genie/dtype.h"
#include "runtime/plan/digest.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/writer.h"

enum {
  kStateBytes = GENIE_PLAN_EXAMPLE_COLUMNS * 4,
  kMaximumBytes = GENIE_PLAN_EXAMPLE_ROWS * GENIE_PLAN_EXAMPLE_COLUMNS * 4,
};

// Expressions.
enum { kColumns, kOne, kRowBytes, kFour, kRows, kHalf, kTwo, kBytes, kResetRows };
// Tensors.
enum { kWeight, kState, kInput, kHalfInput, kOutput, kSaved, kResetInput };
// Slices.
enum {
  kReadInput,
  kReadWeight,
  kWriteTemporary,
  kReadTemporary,
  kReadState,
  kWriteOutput,
  kWriteSaved,
  kReadReset,
  kWriteState,
  kWriteFar,
  kReadFar,
  kWriteFarResult,
  kReadFarResult
};

uint32_t genie_plan_example_text(genie_plan_example_t *example, const char *text) {
  const uint32_t offset = example->string_bytes;
  const size_t length = strlen(text) + 1;
  memcpy(example->strings + offset, text, length);
  example->string_bytes += (uint32_t)length;
  return offset;
}

static uint32_t add_indices(genie_plan_example_t *example, uint32_t count, const uint32_t *indices) {
  const uint32_t first = example->index_count;
  memcpy(example->indices + first, indices, count * sizeof(uint32_t));
  example->index_count += count;
  return first;
}

static void add_constant(genie_plan_example_t *example, int64_t value) {
  example->exprs[example->expr_count++] = (genie_plan_expr_t){.op = GENIE_PLAN_EXPR_CONSTANT, .constant = value};
}

static void make_sizes(genie_plan_example_t *example) {
  add_constant(example, GENIE_PLAN_EXAMPLE_COLUMNS);
  add_constant(example, 1);
  add_constant(example, kStateBytes);
  add_constant(example, 4);
  example->exprs[example->expr_count++] = (genie_plan_expr_t){.op = GENIE_PLAN_EXPR_SYMBOL, .lhs = 0};
  example->exprs[example->expr_count++] = (genie_plan_expr_t){.op = GENIE_PLAN_EXPR_SYMBOL, .lhs = 1};
  add_constant(example, 2);
  example->exprs[example->expr_count++] =
      (genie_plan_expr_t){.op = GENIE_PLAN_EXPR_MUL, .lhs = kRowBytes, .rhs = kRows};
  add_constant(example, 1);
  example->symbols[0] = (genie_plan_symbol_t){.name = genie_plan_example_text(example, "rows"),
                                              .minimum = 1,
                                              .maximum = GENIE_PLAN_EXAMPLE_ROWS,
                                              .multiple = 1,
                                              .bind_tensor = kInput};
  example->symbols[1] = (genie_plan_symbol_t){.name = genie_plan_example_text(example, "half"),
                                              .minimum = 0,
                                              .maximum = 32,
                                              .multiple = 2,
                                              .bind_tensor = kHalfInput};
  example->symbol_count = 2;
}

static void add_tensor(genie_plan_example_t *example, const char *name, genie_plan_role_t role, uint32_t rank,
                       const uint32_t *dims, uint64_t maximum_bytes) {
  example->tensors[example->tensor_count++] = (genie_plan_tensor_t){.name = genie_plan_example_text(example, name),
                                                                    .role = (uint16_t)role,
                                                                    .dtype = GENIE_DTYPE_F32,
                                                                    .rank = rank,
                                                                    .first_dim = add_indices(example, rank, dims),
                                                                    .initial = GENIE_PLAN_NONE,
                                                                    .maximum_bytes = maximum_bytes};
}

static void make_tensors(genie_plan_example_t *example) {
  add_tensor(example, "bias", GENIE_PLAN_ROLE_WEIGHT, 1, (uint32_t[]){kColumns}, kStateBytes);
  add_tensor(example, "total", GENIE_PLAN_ROLE_STATE, 1, (uint32_t[]){kColumns}, kStateBytes);
  example->tensors[kState].initial = kWeight;
  add_tensor(example, "x", GENIE_PLAN_ROLE_INPUT, 2, (uint32_t[]){kRows, kColumns}, kMaximumBytes);
  add_tensor(example, "y", GENIE_PLAN_ROLE_INPUT, 1, (uint32_t[]){kHalf}, 128);
  add_tensor(example, "z", GENIE_PLAN_ROLE_OUTPUT, 2, (uint32_t[]){kRows, kColumns}, kMaximumBytes);
  add_tensor(example, "saved", GENIE_PLAN_ROLE_OUTPUT, 1, (uint32_t[]){kColumns}, kStateBytes);
  add_tensor(example, "value", GENIE_PLAN_ROLE_INPUT, 2, (uint32_t[]){kOne, kColumns}, kStateBytes);
  example->weights_bytes = kStateBytes;
}

static void add_slice(genie_plan_example_t *example, genie_plan_space_t space, uint32_t index,
                      genie_plan_access_t access, uint64_t maximum_bytes, uint32_t bytes_expr) {
  example->slices[example->slice_count++] = (genie_plan_slice_t){.space = (uint16_t)space,
                                                                 .access = (uint16_t)access,
                                                                 .index = index,
                                                                 .maximum_bytes = maximum_bytes,
                                                                 .bytes_expr = bytes_expr};
}

static void make_slices(genie_plan_example_t *example) {
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kInput, GENIE_PLAN_ACCESS_READ, kMaximumBytes, kBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kWeight, GENIE_PLAN_ACCESS_READ, kStateBytes, kRowBytes);
  add_slice(example, GENIE_PLAN_SPACE_SLAB, 0, GENIE_PLAN_ACCESS_WRITE, kMaximumBytes, kBytes);
  add_slice(example, GENIE_PLAN_SPACE_SLAB, 0, GENIE_PLAN_ACCESS_READ, kMaximumBytes, kBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kState, GENIE_PLAN_ACCESS_READ, kStateBytes, kRowBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kOutput, GENIE_PLAN_ACCESS_WRITE, kMaximumBytes, kBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kSaved, GENIE_PLAN_ACCESS_WRITE, kStateBytes, kRowBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kResetInput, GENIE_PLAN_ACCESS_READ, kStateBytes, kRowBytes);
  add_slice(example, GENIE_PLAN_SPACE_TENSOR, kState, GENIE_PLAN_ACCESS_WRITE, kStateBytes, kRowBytes);
}

static void make_code(genie_plan_example_t *example) {
  example->kernels[0] = (genie_plan_kernel_t){.name = genie_plan_example_text(example, "scale_0"),
                                              .template_name = genie_plan_example_text(example, "pointwise"),
                                              .arg_count = 3,
                                              .dim_count = 1};
  example->kernels[1] = (genie_plan_kernel_t){.name = genie_plan_example_text(example, "add_1"),
                                              .template_name = example->kernels[0].template_name,
                                              .arg_count = 3,
                                              .scratch_bytes = 64};
  example->kernel_count = 2;
  const uint32_t cpu = genie_plan_example_text(example, "cpu");
  example->targets[0] = (genie_plan_target_t){.name = genie_plan_example_text(example, "plain"),
                                              .device_kind = cpu,
                                              .features = genie_plan_example_text(example, ""),
                                              .code_bytes = 16};
  example->targets[1] =
      (genie_plan_target_t){.name = genie_plan_example_text(example, "wide"),
                            .device_kind = cpu,
                            .features = genie_plan_example_text(example, "wide_vectors,fused_multiply"),
                            .code_offset = GENIE_PLAN_PAGE_BYTES,
                            .code_bytes = 16};
  example->target_count = 2;
  const uint64_t offsets[4] = {0, 8, 0, 8};
  memcpy(example->code_offsets, offsets, sizeof(offsets));
  example->code_offset_count = 4;
  example->places[0] = (genie_plan_place_t){.name = genie_plan_example_text(example, "local:cpu0"),
                                            .device_kind = cpu,
                                            .slab_bytes = kMaximumBytes,
                                            .state_bytes = kStateBytes,
                                            .sum_bytes = kMaximumBytes};
  example->place_count = 1;
}

static void add_instruction(genie_plan_example_t *example, genie_plan_instruction_t instruction) {
  example->instructions[example->instruction_count++] = instruction;
}

static void make_instructions(genie_plan_example_t *example) {
  const uint32_t module = genie_plan_example_text(example, "model.layer:Layer");
  const uint32_t scale = add_indices(example, 3, (uint32_t[]){kReadInput, kReadWeight, kWriteTemporary});
  const uint32_t add = add_indices(example, 3, (uint32_t[]){kReadTemporary, kReadState, kWriteOutput});
  const uint32_t dims = add_indices(example, 1, (uint32_t[]){kRows});
  add_instruction(
      example, (genie_plan_instruction_t){
                   .opcode = GENIE_PLAN_OPCODE_LAUNCH, .a = 0, .b = scale, .c = dims, .d = kRows, .e = 4, .f = module});
  add_instruction(example, (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_SIGNAL});
  add_instruction(example, (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_WAIT, .stream = 1});
  add_instruction(example, (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_LAUNCH,
                                                      .stream = 1,
                                                      .a = 1,
                                                      .b = add,
                                                      .c = dims,
                                                      .d = kRows,
                                                      .e = 4,
                                                      .f = module});
  add_instruction(example,
                  (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_COPY, .a = kReadState, .b = kWriteSaved});
  add_instruction(example,
                  (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_COPY, .a = kReadReset, .b = kWriteState});
}

static void make_entries(genie_plan_example_t *example) {
  example->entries[0] = (genie_plan_entry_t){.name = genie_plan_example_text(example, "main"),
                                             .symbol_count = 2,
                                             .first_expr = kRows,
                                             .expr_count = 4,
                                             .first_input = add_indices(example, 2, (uint32_t[]){kInput, kHalfInput}),
                                             .input_count = 2,
                                             .first_output = add_indices(example, 2, (uint32_t[]){kOutput, kSaved}),
                                             .output_count = 2,
                                             .instruction_count = 5,
                                             .stream_count = 2,
                                             .event_count = 1};
  example->entries[1] = (genie_plan_entry_t){.name = genie_plan_example_text(example, "reset"),
                                             .first_symbol = 2,
                                             .first_expr = kResetRows,
                                             .expr_count = 1,
                                             .first_input = add_indices(example, 1, (uint32_t[]){kResetInput}),
                                             .input_count = 1,
                                             .first_instruction = 5,
                                             .instruction_count = 1,
                                             .stream_count = 1};
  example->entry_count = 2;
}

void genie_plan_example_make(genie_plan_example_t *out_example) {
  *out_example = (genie_plan_example_t){0};
  make_sizes(out_example);
  make_tensors(out_example);
  make_slices(out_example);
  make_code(out_example);
  make_instructions(out_example);
  make_entries(out_example);
}

//===-- Several places --------------------------------------------------------------------------------------------===//

static void add_far_place(genie_plan_example_t *example) {
  example->places[1] = (genie_plan_place_t){.name = genie_plan_example_text(example, "far:null0"),
                                            .device_kind = genie_plan_example_text(example, "null"),
                                            .slab_bytes = 2 * kMaximumBytes,
                                            .sum_bytes = 2 * kMaximumBytes};
  example->place_count = 2;
  const genie_plan_access_t accesses[] = {GENIE_PLAN_ACCESS_WRITE, GENIE_PLAN_ACCESS_READ, GENIE_PLAN_ACCESS_WRITE,
                                          GENIE_PLAN_ACCESS_READ};
  for (uint32_t i = 0; i < 4; ++i) {
    add_slice(example, GENIE_PLAN_SPACE_SLAB, 1, accesses[i], kMaximumBytes, kBytes);
    example->slices[example->slice_count - 1].offset = i < 2 ? 0 : kMaximumBytes;
  }
}

static void add_library_kernel(genie_plan_example_t *example) {
  example->kernels[GENIE_PLAN_EXAMPLE_LIBRARY_KERNEL] =
      (genie_plan_kernel_t){.name = genie_plan_example_text(example, "call_2"),
                            .template_name = genie_plan_example_text(example, "library.function"),
                            .arg_count = 2,
                            .dim_count = 2};
  example->kernel_count = 3;
  const uint64_t offsets[6] = {0, 8, GENIE_PLAN_NO_CODE, 0, 8, GENIE_PLAN_NO_CODE};
  memcpy(example->code_offsets, offsets, sizeof(offsets));
  example->code_offset_count = 6;
}

static void add_transfer(genie_plan_example_t *example, const char *name, uint32_t source, uint32_t destination) {
  example->transfers[example->transfer_count++] =
      (genie_plan_transfer_t){.source_place = source,
                              .destination_place = destination,
                              .phase = genie_plan_example_text(example, "encode"),
                              .name = genie_plan_example_text(example, name),
                              .bytes_expr = kBytes};
}

void genie_plan_example_make_places(genie_plan_example_t *out_example) {
  genie_plan_example_t *example = out_example;
  genie_plan_example_make(example);
  add_far_place(example);
  add_library_kernel(example);
  add_transfer(example, "scaled", 0, 1);
  add_transfer(example, "far.result", 1, 0);
  const genie_plan_instruction_t scale = example->instructions[GENIE_PLAN_EXAMPLE_SCALE];
  const genie_plan_instruction_t add = example->instructions[GENIE_PLAN_EXAMPLE_ADD];
  const genie_plan_instruction_t save = example->instructions[GENIE_PLAN_EXAMPLE_SAVE];
  const genie_plan_instruction_t reset = example->instructions[GENIE_PLAN_EXAMPLE_RESET];
  const uint32_t args = add_indices(example, 2, (uint32_t[]){kReadFar, kWriteFarResult});
  const uint32_t dims = add_indices(example, 2, (uint32_t[]){kRows, kFour});
  const genie_plan_instruction_t instructions[] = {
      scale,
      {.opcode = GENIE_PLAN_OPCODE_SEND, .a = kReadTemporary, .b = 0},
      {.opcode = GENIE_PLAN_OPCODE_RECEIVE, .stream = 1, .place = 1, .a = kWriteFar, .b = 0},
      {.opcode = GENIE_PLAN_OPCODE_LIBRARY_CALL,
       .stream = 1,
       .place = 1,
       .a = GENIE_PLAN_EXAMPLE_LIBRARY_KERNEL,
       .b = args,
       .c = dims,
       .d = kOne,
       .e = 1,
       .f = scale.f},
      {.opcode = GENIE_PLAN_OPCODE_SEND, .stream = 1, .place = 1, .a = kReadFarResult, .b = 1},
      {.opcode = GENIE_PLAN_OPCODE_RECEIVE, .stream = 1, .a = kWriteTemporary, .b = 1},
      add,
      save,
      reset,
  };
  memcpy(example->instructions, instructions, sizeof(instructions));
  example->instruction_count = sizeof(instructions) / sizeof(instructions[0]);
  example->entries[0].instruction_count = example->instruction_count - 1;
  example->entries[1].first_instruction = example->instruction_count - 1;
}

//===-- Writing ---------------------------------------------------------------------------------------------------===//

static genie_status_t append_records(const genie_plan_example_t *example, genie_plan_writer_t *writer) {
  const struct {
    genie_plan_section_kind_t section;
    const void *records;
    uint64_t count;
  } sections[] = {
      {GENIE_PLAN_SECTION_STRINGS, example->strings, example->string_bytes},
      {GENIE_PLAN_SECTION_SYMBOLS, example->symbols, example->symbol_count},
      {GENIE_PLAN_SECTION_EXPRS, example->exprs, example->expr_count},
      {GENIE_PLAN_SECTION_PLACES, example->places, example->place_count},
      {GENIE_PLAN_SECTION_TENSORS, example->tensors, example->tensor_count},
      {GENIE_PLAN_SECTION_SLICES, example->slices, example->slice_count},
      {GENIE_PLAN_SECTION_KERNELS, example->kernels, example->kernel_count},
      {GENIE_PLAN_SECTION_INDICES, example->indices, example->index_count},
      {GENIE_PLAN_SECTION_INSTRUCTIONS, example->instructions, example->instruction_count},
      {GENIE_PLAN_SECTION_ENTRIES, example->entries, example->entry_count},
      {GENIE_PLAN_SECTION_TRANSFERS, example->transfers, example->transfer_count},
      {GENIE_PLAN_SECTION_TARGETS, example->targets, example->target_count},
      {GENIE_PLAN_SECTION_CODE_OFFSETS, example->code_offsets, example->code_offset_count},
  };
  for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); ++i) {
    GENIE_RETURN_IF_ERROR(
        genie_plan_writer_append(writer, sections[i].section, sections[i].records, sections[i].count, NULL));
  }
  uint8_t code[16];
  memset(code, 0xc3, sizeof(code));  // x86: ret
  for (int target = 0; target < 2; ++target) {
    GENIE_RETURN_IF_ERROR(genie_plan_writer_align(writer, GENIE_PLAN_SECTION_CODE, GENIE_PLAN_PAGE_BYTES));
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(writer, GENIE_PLAN_SECTION_CODE, code, sizeof(code), NULL));
  }
  return GENIE_OK;
}

static genie_status_t write_with(const genie_plan_example_t *example, genie_plan_writer_t *writer, const char *path,
                                 const char *signing_key) {
  GENIE_RETURN_IF_ERROR(append_records(example, writer));
  const genie_plan_manifest_t manifest = {.producer = "example", .requirement_count = 1, .requirements = {"cpu"}};
  uint8_t *bytes = NULL;
  uint64_t size_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_manifest_pack(&manifest, genie_allocator_heap(), &bytes, &size_bytes));
  const genie_status_t status = genie_plan_writer_begin(writer, path, bytes, size_bytes, example->weights_bytes);
  genie_allocator_free(genie_allocator_heap(), bytes);
  GENIE_RETURN_IF_ERROR(status);
  float weights[GENIE_PLAN_EXAMPLE_COLUMNS];
  for (int i = 0; i < GENIE_PLAN_EXAMPLE_COLUMNS; ++i) {
    weights[i] = (float)i;
  }
  GENIE_RETURN_IF_ERROR(genie_plan_writer_write_weights(writer, weights, sizeof(weights)));
  uint64_t file_bytes = 0;
  return genie_plan_writer_finish(writer, signing_key, &file_bytes);
}

genie_status_t genie_plan_example_write(const genie_plan_example_t *example, const char *path,
                                        const char *signing_key) {
  genie_plan_writer_t *writer = NULL;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_create(genie_allocator_heap(), &writer));
  const genie_status_t status = write_with(example, writer, path, signing_key);
  genie_plan_writer_destroy(writer);
  return status;
}

genie_status_t genie_plan_example_rehash(uint8_t *bytes) {
  genie_plan_header_t *header = (genie_plan_header_t *)bytes;
  GENIE_RETURN_IF_ERROR(
      genie_plan_digest_of(bytes + header->manifest_offset, header->manifest_bytes, &header->manifest_sha256));
  for (uint32_t i = 0; i < header->section_count; ++i) {
    genie_plan_section_t *section = &header->sections[i];
    if (section->kind != GENIE_PLAN_SECTION_WEIGHTS) {
      GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes + section->offset, section->size_bytes, &section->sha256));
    }
    if (section->kind == GENIE_PLAN_SECTION_WEIGHT_CHUNKS && i + 1 < header->section_count) {
      header->sections[i + 1].sha256 = section->sha256;
    }
  }
  return GENIE_OK;
}
