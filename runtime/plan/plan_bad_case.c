#include "runtime/plan/plan_bad_case.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "genie/dtype.h"

//===-- Changes to records ----------------------------------------------------------------------------------------===//

static void no_entries(genie_plan_example_t *e) {
  e->entry_count = 0;
}
static void no_places(genie_plan_example_t *e) {
  e->place_count = 0;
}
static void unterminated_string(genie_plan_example_t *e) {
  e->strings[e->string_bytes - 1] = 'x';
}
static void control_character(genie_plan_example_t *e) {
  e->strings[0] = 0x1b;
}
static void symbol_range(genie_plan_example_t *e) {
  e->symbols[0].minimum = 100;
}
static void symbol_unbound(genie_plan_example_t *e) {
  e->symbols[0].bind_dim = 1;
}
static void expr_forward(genie_plan_example_t *e) {
  e->exprs[7].rhs = 8;
}
static void expr_overflow(genie_plan_example_t *e) {
  e->symbols[0].maximum = INT64_MAX / 2;
}
static void expr_operator(genie_plan_example_t *e) {
  e->exprs[7].op = 77;
}
static void expr_zero_divisor(genie_plan_example_t *e) {
  e->exprs[7].op = GENIE_PLAN_EXPR_FLOORDIV;
  e->exprs[7].rhs = 5;  // "half" may be 0
}
static void expr_of_other_entry(genie_plan_example_t *e) {
  e->slices[4].bytes_expr = 8;
}
static void tensor_dtype(genie_plan_example_t *e) {
  e->tensors[2].dtype = 99;
}
static void tensor_rank(genie_plan_example_t *e) {
  e->tensors[2].rank = 9;
}
static void tensor_bytes(genie_plan_example_t *e) {
  e->tensors[2].maximum_bytes += 4;
}
static void tensor_place(genie_plan_example_t *e) {
  e->tensors[2].place = 1;
}
static void weight_outside(genie_plan_example_t *e) {
  e->tensors[0].offset = 64;
}
static void state_overlap(genie_plan_example_t *e) {
  e->tensors[7] = e->tensors[1];
  e->tensor_count = 8;
}
static void state_initial(genie_plan_example_t *e) {
  e->tensors[1].initial = 2;
}
static void input_listed_twice(genie_plan_example_t *e) {
  e->indices[e->entries[0].first_input + 1] = 2;
}
static void input_name_twice(genie_plan_example_t *e) {
  e->tensors[3].name = e->tensors[2].name;
}
static void input_unlisted(genie_plan_example_t *e) {
  e->entries[1].input_count = 0;
}
static void target_code(genie_plan_example_t *e) {
  e->targets[1].code_bytes = 1 << 20;
}
static void code_offset(genie_plan_example_t *e) {
  e->code_offsets[3] = 16;
}
static void launch_without_code(genie_plan_example_t *e) {
  e->code_offsets[2] = GENIE_PLAN_NO_CODE;
}
static void target_image(genie_plan_example_t *e) {
  e->targets[1].device_kind = genie_plan_example_text(e, "cuda");
}
static void code_offsets_short(genie_plan_example_t *e) {
  e->code_offset_count = 3;
}
static void entry_streams(genie_plan_example_t *e) {
  e->entries[0].stream_count = 0;
}
static void entry_instructions(genie_plan_example_t *e) {
  e->entries[1].instruction_count = 9;
}
static void slice_past_slab(genie_plan_example_t *e) {
  e->places[0].slab_bytes -= 4;
}
static void slice_unaligned(genie_plan_example_t *e) {
  e->slices[2].offset = 32;
  e->places[0].slab_bytes += 64;
}
static void slice_past_weight(genie_plan_example_t *e) {
  e->slices[1].maximum_bytes += 64;
}
static void slice_bytes(genie_plan_example_t *e) {
  e->slices[2].maximum_bytes -= 64;
}
static void slice_writes_input(genie_plan_example_t *e) {
  e->slices[0].access = GENIE_PLAN_ACCESS_BOTH;
}
static void slice_larger_than_input(genie_plan_example_t *e) {
  e->exprs[6].constant = GENIE_PLAN_EXAMPLE_ROWS * GENIE_PLAN_EXAMPLE_COLUMNS * 4;
  e->slices[0].bytes_expr = 6;
}
static void launch_kernel(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SCALE].a = 2;
}
static void launch_args(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SCALE].b = e->index_count - 1;
}
static void launch_grid(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SCALE].d = 99;
}
static void launch_alias(genie_plan_example_t *e) {
  e->slices[2].offset = 64;
  e->places[0].slab_bytes += 64;
  e->indices[e->instructions[GENIE_PLAN_EXAMPLE_SCALE].b] = 3;
}
static void copy_bytes(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SAVE].a = 0;
}
static void copy_itself(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_RESET].a = 4;
}
static void instruction_place(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_ADD].place = 1;
}
static void instruction_stream(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_ADD].stream = 2;
}
static void instruction_opcode(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SIGNAL].opcode = 44;
}
static void instruction_loop(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SIGNAL].opcode = GENIE_PLAN_OPCODE_LOOP;
}
static void read_before_write(genie_plan_example_t *e) {
  const genie_plan_instruction_t scale = e->instructions[GENIE_PLAN_EXAMPLE_SCALE];
  e->instructions[GENIE_PLAN_EXAMPLE_SCALE] = e->instructions[GENIE_PLAN_EXAMPLE_ADD];
  e->instructions[GENIE_PLAN_EXAMPLE_ADD] = scale;
}
static void wait_before_signal(genie_plan_example_t *e) {
  const genie_plan_instruction_t signal = e->instructions[GENIE_PLAN_EXAMPLE_SIGNAL];
  e->instructions[GENIE_PLAN_EXAMPLE_SIGNAL] = e->instructions[GENIE_PLAN_EXAMPLE_WAIT];
  e->instructions[GENIE_PLAN_EXAMPLE_WAIT] = signal;
}
static void signal_twice(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SAVE] = e->instructions[GENIE_PLAN_EXAMPLE_SIGNAL];
}
static void stream_race(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_WAIT].stream = 0;
}
static void event_outside(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_WAIT].a = 7;
}
static void output_unwritten(genie_plan_example_t *e) {
  --e->instruction_count;
  --e->entries[0].instruction_count;
  --e->entries[1].first_instruction;
  e->instructions[GENIE_PLAN_EXAMPLE_SAVE] = e->instructions[GENIE_PLAN_EXAMPLE_RESET];
}
static void transfer_place(genie_plan_example_t *e) {
  e->transfers[0] = (genie_plan_transfer_t){.destination_place = 1};
  e->transfer_count = 1;
}

// Of the example with places.
static void place_name_twice(genie_plan_example_t *e) {
  e->places[1].name = e->places[0].name;
}
static void code_missing(genie_plan_example_t *e) {
  e->code_offsets[3] = GENIE_PLAN_NO_CODE;
}
static void library_code(genie_plan_example_t *e) {
  e->code_offsets[GENIE_PLAN_EXAMPLE_LIBRARY_KERNEL] = 8;
}
static void library_launch(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_LIBRARY_CALL].a = 1;
  e->kernels[1].arg_count = e->kernels[1].dim_count = 2;
}
static void library_grid(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_LIBRARY_CALL].d = 4;
}
static void transfer_to_itself(genie_plan_example_t *e) {
  e->transfers[0].destination_place = 0;
}
static void transfer_turned(genie_plan_example_t *e) {
  e->transfers[0].source_place = 1;
  e->transfers[0].destination_place = 0;
}
static void transfer_unsent(genie_plan_example_t *e) {
  e->transfers[2] = e->transfers[0];
  e->transfer_count = 3;
}
static void transfer_unreceived(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE_BACK] =
      (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_SIGNAL, .stream = 1};
  e->instructions[GENIE_PLAN_EXAMPLE_FAR_ADD].stream = 0;
}
static void transfer_bytes(genie_plan_example_t *e) {
  e->transfers[0].bytes_expr = 2;
}
static void send_transfer(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SEND].b = 9;
}
static void send_twice(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SEND_BACK] = e->instructions[GENIE_PLAN_EXAMPLE_SEND];
}
static void send_race(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SEND_BACK].stream = 0;
}
static void send_slice(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SEND].a = e->instructions[GENIE_PLAN_EXAMPLE_SEND_BACK].a;
}
static void receive_twice(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE_BACK] = e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE];
}
static void receive_before_send(genie_plan_example_t *e) {
  const genie_plan_instruction_t send = e->instructions[GENIE_PLAN_EXAMPLE_SEND];
  e->instructions[GENIE_PLAN_EXAMPLE_SEND] = e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE];
  e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE] = send;
}
static void receive_access(genie_plan_example_t *e) {
  e->slices[e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE].a].access = GENIE_PLAN_ACCESS_BOTH;
}
static void receive_race(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_FAR_ADD].stream = 0;
}
static void event_of_other_place(genie_plan_example_t *e) {
  e->instructions[GENIE_PLAN_EXAMPLE_SEND_BACK] =
      (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_SIGNAL, .stream = 1, .place = 1};
  e->instructions[GENIE_PLAN_EXAMPLE_RECEIVE_BACK] =
      (genie_plan_instruction_t){.opcode = GENIE_PLAN_OPCODE_WAIT, .stream = 1};
}

//===-- Damage to bytes -------------------------------------------------------------------------------------------===//

static genie_plan_header_t *header_of(uint8_t *bytes) {
  return (genie_plan_header_t *)bytes;
}

static void cut_tail(uint8_t *bytes, uint64_t *size_bytes) {
  (void)bytes;
  *size_bytes -= 8;
}
static void cut_header(uint8_t *bytes, uint64_t *size_bytes) {
  (void)bytes;
  *size_bytes = 100;
}
static void empty(uint8_t *bytes, uint64_t *size_bytes) {
  (void)bytes;
  *size_bytes = 0;
}
static void magic(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  bytes[0] = 'P';
}
static void newer_version(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->version_major = 2;
}
static void unknown_flag(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->flags = 1;
}
static void flipped_bit(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  bytes[header_of(bytes)->sections[GENIE_PLAN_SECTION_TENSORS - 1].offset] ^= 1;
}
static void flipped_manifest(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  bytes[header_of(bytes)->manifest_offset + 3] ^= 1;
}
static void section_overlap(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->sections[3].offset = header_of(bytes)->sections[2].offset;
}
static void section_missing(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->sections[3].kind = 47;
}
static void section_twice(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->sections[3].kind = GENIE_PLAN_SECTION_STRINGS;
}
static void section_record(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  ++header_of(bytes)->sections[3].size_bytes;
}
static void sections_count(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->section_count = 1000;
}
static void reserved_set(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->reserved[5] = 1;
}
static void false_signature(uint8_t *bytes, uint64_t *size_bytes) {
  (void)size_bytes;
  header_of(bytes)->has_signature = 1;
  header_of(bytes)->signer_key[0] = 1;
}

#define INVALID GENIE_STATUS_INVALID_ARGUMENT

const genie_plan_bad_case_t genie_plan_bad_case_table[] = {
    {"truncated", GENIE_STATUS_DATA_LOSS, "truncated", NULL, cut_tail, false},
    {"truncated-header", GENIE_STATUS_DATA_LOSS, "truncated", NULL, cut_header, false},
    {"empty-file", INVALID, "not a plan", NULL, empty, false},
    {"no-magic", INVALID, "not a plan", NULL, magic, false},
    {"newer-version", GENIE_STATUS_UNIMPLEMENTED, "install a newer Genie", NULL, newer_version, false},
    {"unknown-flag", GENIE_STATUS_UNIMPLEMENTED, "flags 0x1", NULL, unknown_flag, false},
    {"flipped-bit", GENIE_STATUS_DATA_LOSS, "tensors: damaged", NULL, flipped_bit, false},
    {"flipped-manifest", GENIE_STATUS_DATA_LOSS, "manifest: damaged", NULL, flipped_manifest, false},
    {"section-overlap", INVALID, "section 3", NULL, section_overlap, false},
    {"section-missing", INVALID, "section places is missing", NULL, section_missing, false},
    {"section-twice", INVALID, "kind 1 is there twice", NULL, section_twice, false},
    {"section-record", INVALID, "section 3", NULL, section_record, false},
    {"sections-count", INVALID, "1000 sections", NULL, sections_count, false},
    {"reserved-set", INVALID, "reserved", NULL, reserved_set, false},
    {"false-signature", GENIE_STATUS_PERMISSION_DENIED, "signature", NULL, false_signature, false},
    {"no-entries", INVALID, "entries: empty", no_entries, NULL, false},
    {"no-places", INVALID, "places: empty", no_places, NULL, false},
    {"unterminated-string", INVALID, "strings", unterminated_string, NULL, false},
    {"control-character", INVALID, "strings: byte 0 is a control character", control_character, NULL, false},
    {"symbol-range", INVALID, "symbols[0]: range", symbol_range, NULL, false},
    {"symbol-unbound", INVALID, "symbols[0]: is not dimension 1", symbol_unbound, NULL, false},
    {"expr-forward", INVALID, "exprs[7]: an operand is not an earlier node", expr_forward, NULL, false},
    {"expr-overflow", INVALID, "exprs[7]: could overflow", expr_overflow, NULL, false},
    {"expr-operator", GENIE_STATUS_UNIMPLEMENTED, "exprs[7]: operator 77", expr_operator, NULL, false},
    {"expr-zero-divisor", INVALID, "exprs[7]: could overflow or divide", expr_zero_divisor, NULL, false},
    {"expr-of-other-entry", INVALID, "another entry", expr_of_other_entry, NULL, false},
    {"tensor-dtype", INVALID, "tensors[2]: role 1, dtype 99", tensor_dtype, NULL, false},
    {"tensor-rank", INVALID, "tensors[2]: dimensions", tensor_rank, NULL, false},
    {"tensor-bytes", INVALID, "tensors[2]: maximum_bytes", tensor_bytes, NULL, false},
    {"tensor-place", INVALID, "tensors[2]: role 1, dtype 1, place 1", tensor_place, NULL, false},
    {"weight-outside", INVALID, "tensors[0]: bytes 64", weight_outside, NULL, false},
    {"state-overlap", INVALID, "overlaps state", state_overlap, NULL, false},
    {"state-initial", INVALID, "tensors[1]: initial 2", state_initial, NULL, false},
    {"input-listed-twice", INVALID, "inputs[1] is tensor 2", input_listed_twice, NULL, false},
    {"input-name-twice", INVALID, "two inputs are named 'x'", input_name_twice, NULL, false},
    {"input-unlisted", INVALID, "tensors[6]: an input or output of no entry", input_unlisted, NULL, false},
    {"target-code", INVALID, "targets[1]: code", target_code, NULL, false},
    {"code-offset", INVALID, "code_offsets[1][1]", code_offset, NULL, false},
    {"launch-without-code", INVALID, "targets[1] has no code for kernel 0", launch_without_code, NULL, false},
    {"target-image", INVALID, "targets[1]: cuda image: 16 bytes", target_image, NULL, false},
    {"code-offsets-short", INVALID, "code_offsets: 3", code_offsets_short, NULL, false},
    {"entry-streams", INVALID, "entries[0]: 0 streams", entry_streams, NULL, false},
    {"entry-instructions", INVALID, "entries[1]: instructions", entry_instructions, NULL, false},
    {"slice-past-slab", INVALID, "slices[2]: bytes", slice_past_slab, NULL, false},
    {"slice-unaligned", INVALID, "slices[2]: bytes 32", slice_unaligned, NULL, false},
    {"slice-past-weight", INVALID, "slices[1]: bytes", slice_past_weight, NULL, false},
    {"slice-bytes", INVALID, "slices[2]: bytes_expr", slice_bytes, NULL, false},
    {"slice-writes-input", INVALID, "slices[0]: writes tensor 2", slice_writes_input, NULL, false},
    {"slice-larger-than-input", INVALID, "instructions[0]: slice 0 can be larger", slice_larger_than_input, NULL,
     false},
    {"launch-kernel", INVALID, "instructions[0]: kernel 2", launch_kernel, NULL, false},
    {"launch-args", INVALID, "instructions[0]: 3 arguments", launch_args, NULL, false},
    {"launch-grid", INVALID, "instructions[0]: grid 99", launch_grid, NULL, false},
    {"launch-alias", INVALID, "instructions[0]: arguments 0 and 2 overlap", launch_alias, NULL, false},
    {"copy-bytes", INVALID, "instructions[4]: slices 0 and 6", copy_bytes, NULL, false},
    {"copy-itself", INVALID, "instructions[5]: slices 4 and 8", copy_itself, NULL, false},
    {"instruction-place", INVALID, "instructions[3]: place 1", instruction_place, NULL, false},
    {"instruction-stream", INVALID, "instructions[3]: place 0, stream 2", instruction_stream, NULL, false},
    {"instruction-opcode", GENIE_STATUS_UNIMPLEMENTED, "instructions[1]: unknown (opcode 44)", instruction_opcode, NULL,
     false},
    {"instruction-loop", GENIE_STATUS_UNIMPLEMENTED, "instructions[1]: loop", instruction_loop, NULL, false},
    {"read-before-write", INVALID, "instructions[0]: slices[3] reads byte 0 before", read_before_write, NULL, false},
    {"wait-before-signal", INVALID, "instructions[1]: waits for event 0", wait_before_signal, NULL, false},
    {"signal-twice", INVALID, "instructions[4]: event 0 is signalled twice", signal_twice, NULL, false},
    {"stream-race", INVALID, "instructions[3]: slices[3] races with a write of stream 0", stream_race, NULL, false},
    {"event-outside", INVALID, "instructions[2]: event 7 of 1", event_outside, NULL, false},
    {"output-unwritten", INVALID, "tensors[5]: output 'saved' is not written", output_unwritten, NULL, false},
    {"transfer-place", INVALID, "transfers[0]", transfer_place, NULL, false},
    {"place-name-twice", INVALID, "places[1]: has the name of places[0]", place_name_twice, NULL, true},
    {"code-missing", INVALID, "targets[1] has no code for kernel 0", code_missing, NULL, true},
    {"library-code", INVALID, "kernels[2]: is a library's function and has code", library_code, NULL, true},
    {"library-launch", INVALID, "kernels[1]: is a library's function", library_launch, NULL, true},
    {"library-grid", INVALID, "instructions[3]: the grid of a library call", library_grid, NULL, true},
    {"transfer-to-itself", INVALID, "transfers[0]: goes from place 0 to itself", transfer_to_itself, NULL, true},
    {"transfer-turned", INVALID, "instructions[1]: transfer 0 goes from place 1 to 0", transfer_turned, NULL, true},
    {"transfer-unsent", INVALID, "transfers[2]: is not sent", transfer_unsent, NULL, true},
    {"transfer-unreceived", INVALID, "transfers[1]: is not received", transfer_unreceived, NULL, true},
    {"transfer-bytes", INVALID, "instructions[1]: slice 3 does not read the bytes", transfer_bytes, NULL, true},
    {"send-transfer", INVALID, "instructions[1]: transfer 9", send_transfer, NULL, true},
    {"send-twice", INVALID, "instructions[4]: transfer 0 is sent twice", send_twice, NULL, true},
    {"send-race", INVALID, "instructions[4]: slices[12] races with a write of stream 1", send_race, NULL, true},
    {"send-slice", INVALID, "instructions[1]: slice 12 is at another place", send_slice, NULL, true},
    {"receive-twice", INVALID, "instructions[5]: transfer 0 is received twice", receive_twice, NULL, true},
    {"receive-before-send", INVALID, "instructions[1]: transfer 0 is received before", receive_before_send, NULL, true},
    {"receive-access", INVALID, "instructions[2]: slice 9 does not write", receive_access, NULL, true},
    {"receive-race", INVALID, "instructions[6]: slices[3] races with a write of stream 1", receive_race, NULL, true},
    {"event-of-other-place", INVALID, "instructions[5]: event 0 is signalled at place 1", event_of_other_place, NULL,
     true},
};
const int genie_plan_bad_case_count = sizeof(genie_plan_bad_case_table) / sizeof(genie_plan_bad_case_table[0]);

//===-- Bytes -----------------------------------------------------------------------------------------------------===//

genie_status_t genie_plan_example_read(const char *path, uint8_t **out_bytes, uint64_t *out_size_bytes) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: cannot read", path);
  }
  fseek(file, 0, SEEK_END);
  const long size_bytes = ftell(file);
  rewind(file);
  void *bytes = NULL;
  genie_status_t status = genie_allocator_allocate_array(genie_allocator_heap(), (size_t)size_bytes + 1, 1, &bytes);
  if (status == GENIE_OK && fread(bytes, 1, (size_t)size_bytes, file) != (size_t)size_bytes) {
    genie_allocator_free(genie_allocator_heap(), bytes);
    status = genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: cannot read", path);
  }
  fclose(file);
  *out_bytes = bytes;
  *out_size_bytes = (uint64_t)size_bytes;
  return status;
}

genie_status_t genie_plan_bad_case_make(const genie_plan_bad_case_t *bad, const char *folder, uint8_t **out_bytes,
                                        uint64_t *out_size_bytes) {
  char path[512];
  snprintf(path, sizeof(path), "%s/case.gplan", folder);
  genie_plan_example_t example;
  if (bad->has_places) {
    genie_plan_example_make_places(&example);
  } else {
    genie_plan_example_make(&example);
  }
  if (bad->change != NULL) {
    bad->change(&example);
  }
  GENIE_RETURN_IF_ERROR(genie_plan_example_write(&example, path, NULL));
  const genie_status_t status = genie_plan_example_read(path, out_bytes, out_size_bytes);
  unlink(path);
  if (status == GENIE_OK && bad->damage != NULL) {
    bad->damage(*out_bytes, out_size_bytes);
  }
  return status;
}

void genie_plan_bad_case_file_name(const genie_plan_bad_case_t *bad, size_t capacity, char *out_name) {
  const int length = snprintf(out_name, capacity, "%s-%s.gplan", genie_status_code_name(bad->status), bad->what);
  for (int i = 0; i < length && out_name[i] != '-' && (size_t)i < capacity; ++i) {
    out_name[i] = (char)tolower((unsigned char)out_name[i]);
  }
}
