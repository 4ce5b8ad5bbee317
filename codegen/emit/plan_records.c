#include "codegen/emit/plan_records.h"

#include <string.h>

#include "codegen/plan/value_map.h"

typedef struct records {
  genie_plan_writer_t *writer;
  genie_plan_records_summary_t *summary;
  genie_arena_t arena;
  genie_value_map_t numbers;  // of sizes, tensors and slices: their index in their section
  MlirAttribute *kernel_names;
  uint64_t *kernel_operands;  // [kernel][2]: arguments, dimensions
  int kernel_capacity;
  uint32_t entry;              // the entry whose ops are read
  uint32_t *inputs, *outputs;  // its tensors
  uint32_t input_count, output_count, list_capacity;
  genie_plan_entry_t record;
} records_t;

typedef genie_status_t (*append_fn_t)(records_t *records, MlirOperation op);

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static uint64_t i64_of(MlirOperation op, const char *name) {
  return (uint64_t)mlirIntegerAttrGetValueInt(mlirOperationGetAttributeByName(op, text_of(name)));
}

static MlirStringRef string_of(MlirOperation op, const char *name) {
  return mlirStringAttrGetValue(mlirOperationGetAttributeByName(op, text_of(name)));
}

static genie_status_t add_string(records_t *records, MlirOperation op, const char *name, uint32_t *out_offset) {
  const MlirStringRef text = string_of(op, name);
  return genie_plan_writer_add_string(records->writer, text.data, text.length, out_offset);
}

// The index of an operand. The verifier of MLIR has seen that it is defined before.
static uint32_t number_of(const records_t *records, MlirOperation op, intptr_t operand) {
  return (uint32_t)genie_value_map_get(&records->numbers, mlirOperationGetOperand(op, operand));
}

static genie_status_t append_numbered(records_t *records, MlirOperation op, genie_plan_section_kind_t section,
                                      const void *record) {
  uint64_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, section, record, 1, &index));
  return genie_value_map_set(&records->numbers, mlirOperationGetResult(op, 0), (int)index);
}

// Appends a list of operands to INDICES.
static genie_status_t append_operands(records_t *records, MlirOperation op, intptr_t first, intptr_t count,
                                      uint32_t *out_first) {
  uint64_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_INDICES, NULL, 0, &index));
  *out_first = (uint32_t)index;
  for (intptr_t i = 0; i < count; ++i) {
    const uint32_t number = number_of(records, op, first + i);
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_INDICES, &number, 1, NULL));
  }
  return GENIE_OK;
}

//===-- The plan's records ----------------------------------------------------------------------------------------===//

static genie_status_t append_target(records_t *records, MlirOperation op) {
  genie_plan_target_t target = {0};
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &target.name));
  GENIE_RETURN_IF_ERROR(add_string(records, op, "device", &target.device_kind));
  GENIE_RETURN_IF_ERROR(add_string(records, op, "features", &target.features));
  ++records->summary->target_count;
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_TARGETS, &target, 1, NULL);
}

static genie_status_t append_place(records_t *records, MlirOperation op) {
  genie_plan_place_t place = {
      .slab_bytes = i64_of(op, "slab"), .state_bytes = i64_of(op, "state"), .sum_bytes = i64_of(op, "sum")};
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &place.name));
  GENIE_RETURN_IF_ERROR(add_string(records, op, "device", &place.device_kind));
  records->summary->slab_bytes += place.slab_bytes;
  records->summary->sum_bytes += place.sum_bytes;
  records->summary->state_bytes += place.state_bytes;
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_PLACES, &place, 1, NULL);
}

static genie_status_t grow_kernels(records_t *records) {
  const int count = records->summary->kernel_count;
  if (count < records->kernel_capacity) {
    return GENIE_OK;
  }
  const int capacity = 2 * count + 64;
  void *names = NULL;
  void *operands = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&records->arena, (size_t)capacity, sizeof(MlirAttribute), &names));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&records->arena, 2 * (size_t)capacity, sizeof(uint64_t), &operands));
  if (count > 0) {
    memcpy(names, records->kernel_names, (size_t)count * sizeof(MlirAttribute));
    memcpy(operands, records->kernel_operands, 2 * (size_t)count * sizeof(uint64_t));
  }
  records->kernel_names = names;
  records->kernel_operands = operands;
  records->kernel_capacity = capacity;
  return GENIE_OK;
}

static genie_status_t append_kernel(records_t *records, MlirOperation op) {
  genie_plan_kernel_t kernel = {.arg_count = (uint32_t)i64_of(op, "args"),
                                .dim_count = (uint32_t)i64_of(op, "dims"),
                                .scratch_bytes = i64_of(op, "scratch")};
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &kernel.name));
  GENIE_RETURN_IF_ERROR(add_string(records, op, "template_name", &kernel.template_name));
  GENIE_RETURN_IF_ERROR(grow_kernels(records));
  const int index = records->summary->kernel_count++;
  records->kernel_names[index] = mlirOperationGetAttributeByName(op, text_of("name"));
  records->kernel_operands[2 * index] = kernel.arg_count;
  records->kernel_operands[2 * index + 1] = kernel.dim_count;
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_KERNELS, &kernel, 1, NULL);
}

//===-- Sizes -----------------------------------------------------------------------------------------------------===//

static genie_status_t append_constant(records_t *records, MlirOperation op) {
  const genie_plan_expr_t expr = {.op = GENIE_PLAN_EXPR_CONSTANT, .constant = (int64_t)i64_of(op, "value")};
  return append_numbered(records, op, GENIE_PLAN_SECTION_EXPRS, &expr);
}

// `bind_tensor` is the input's position until append_lists() knows its tensor.
static genie_status_t append_symbol(records_t *records, MlirOperation op) {
  genie_plan_symbol_t symbol = {.entry = records->entry,
                                .minimum = (int64_t)i64_of(op, "minimum"),
                                .maximum = (int64_t)i64_of(op, "maximum"),
                                .multiple = (int64_t)i64_of(op, "multiple"),
                                .bind_tensor = (uint32_t)i64_of(op, "input"),
                                .bind_dim = (uint32_t)i64_of(op, "dim")};
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &symbol.name));
  uint64_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_SYMBOLS, &symbol, 1, &index));
  ++records->record.symbol_count;
  const genie_plan_expr_t expr = {.op = GENIE_PLAN_EXPR_SYMBOL, .lhs = (uint32_t)index};
  return append_numbered(records, op, GENIE_PLAN_SECTION_EXPRS, &expr);
}

static genie_status_t append_expr(records_t *records, MlirOperation op) {
  genie_plan_expr_t expr = {.lhs = number_of(records, op, 0), .rhs = number_of(records, op, 1)};
  const MlirStringRef kind = string_of(op, "kind");
#define GENIE_PLAN_EXPR(enumerator, name, number) \
  if (mlirStringRefEqual(kind, text_of(#name))) { \
    expr.op = (number);                           \
  }
#include "runtime/plan/expr.def"
#undef GENIE_PLAN_EXPR
  if (expr.op <= GENIE_PLAN_EXPR_SYMBOL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "there is no operator of sizes '%.*s'", (int)kind.length,
                             kind.data);
  }
  return append_numbered(records, op, GENIE_PLAN_SECTION_EXPRS, &expr);
}

//===-- Tensors ---------------------------------------------------------------------------------------------------===//

static genie_status_t append_tensor(records_t *records, MlirOperation op, genie_plan_role_t role, intptr_t rank,
                                    genie_plan_tensor_t *tensor) {
  const MlirStringRef dtype = string_of(op, "dtype");
  tensor->role = (uint16_t)role;
  tensor->dtype = (uint16_t)genie_dtype_parse(dtype.data, dtype.length);
  tensor->rank = (uint32_t)rank;
  tensor->place = (uint32_t)i64_of(op, "place");
  tensor->maximum_bytes = i64_of(op, "bytes");
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &tensor->name));
  GENIE_RETURN_IF_ERROR(append_operands(records, op, 0, rank, &tensor->first_dim));
  return append_numbered(records, op, GENIE_PLAN_SECTION_TENSORS, tensor);
}

static genie_status_t append_weight(records_t *records, MlirOperation op) {
  genie_plan_tensor_t tensor = {.initial = GENIE_PLAN_NONE, .offset = i64_of(op, "offset")};
  return append_tensor(records, op, GENIE_PLAN_ROLE_WEIGHT, mlirOperationGetNumOperands(op), &tensor);
}

// A state's last operand is its initial value when it is no size.
static genie_status_t append_state(records_t *records, MlirOperation op) {
  genie_plan_tensor_t tensor = {.initial = GENIE_PLAN_NONE, .offset = i64_of(op, "offset")};
  intptr_t rank = mlirOperationGetNumOperands(op);
  const MlirValue last = rank > 0 ? mlirOperationGetOperand(op, rank - 1) : (MlirValue){NULL};
  if (!mlirValueIsNull(last) && genie_op_is(mlirOpResultGetOwner(last), "gplan.weight")) {
    tensor.initial = number_of(records, op, --rank);
  }
  return append_tensor(records, op, GENIE_PLAN_ROLE_STATE, rank, &tensor);
}

static genie_status_t append_caller_tensor(records_t *records, MlirOperation op, genie_plan_role_t role) {
  genie_plan_tensor_t tensor = {.initial = GENIE_PLAN_NONE};
  GENIE_RETURN_IF_ERROR(append_tensor(records, op, role, mlirOperationGetNumOperands(op), &tensor));
  const uint32_t index = (uint32_t)genie_value_map_get(&records->numbers, mlirOperationGetResult(op, 0));
  if (role == GENIE_PLAN_ROLE_INPUT) {
    records->inputs[records->input_count++] = index;
  } else {
    records->outputs[records->output_count++] = index;
  }
  return GENIE_OK;
}

static genie_status_t append_input(records_t *records, MlirOperation op) {
  return append_caller_tensor(records, op, GENIE_PLAN_ROLE_INPUT);
}

static genie_status_t append_output(records_t *records, MlirOperation op) {
  return append_caller_tensor(records, op, GENIE_PLAN_ROLE_OUTPUT);
}

//===-- Slices and instructions -----------------------------------------------------------------------------------===//

static genie_status_t append_range(records_t *records, MlirOperation op, genie_plan_slice_t *slice, intptr_t bytes) {
  const MlirStringRef access = string_of(op, "access");
  slice->access = mlirStringRefEqual(access, text_of("read"))    ? GENIE_PLAN_ACCESS_READ
                  : mlirStringRefEqual(access, text_of("write")) ? GENIE_PLAN_ACCESS_WRITE
                                                                 : GENIE_PLAN_ACCESS_BOTH;
  slice->offset = i64_of(op, "offset");
  slice->maximum_bytes = i64_of(op, "maximum");
  slice->bytes_expr = number_of(records, op, bytes);
  return append_numbered(records, op, GENIE_PLAN_SECTION_SLICES, slice);
}

static genie_status_t append_slab(records_t *records, MlirOperation op) {
  genie_plan_slice_t slice = {.space = GENIE_PLAN_SPACE_SLAB, .index = (uint32_t)i64_of(op, "place")};
  return append_range(records, op, &slice, 0);
}

static genie_status_t append_slice(records_t *records, MlirOperation op) {
  genie_plan_slice_t slice = {.space = GENIE_PLAN_SPACE_TENSOR, .index = number_of(records, op, 0)};
  return append_range(records, op, &slice, 1);
}

static genie_status_t append_instruction(records_t *records, MlirOperation op, genie_plan_instruction_t instruction) {
  instruction.place = (uint32_t)i64_of(op, "place");
  instruction.stream = (uint16_t)i64_of(op, "stream");
  ++records->record.instruction_count;
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_INSTRUCTIONS, &instruction, 1, NULL);
}

static genie_status_t append_kernel_call(records_t *records, MlirOperation op, genie_plan_opcode_t opcode) {
  const MlirAttribute name = mlirOperationGetAttributeByName(op, text_of("kernel"));
  int kernel = 0;
  while (kernel < records->summary->kernel_count && !mlirAttributeEqual(records->kernel_names[kernel], name)) {
    ++kernel;
  }
  if (kernel == records->summary->kernel_count) {
    const MlirStringRef text = mlirStringAttrGetValue(name);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "there is no kernel '%.*s'", (int)text.length, text.data);
  }
  const intptr_t arg_count = (intptr_t)records->kernel_operands[2 * kernel];
  const intptr_t dim_count = (intptr_t)records->kernel_operands[2 * kernel + 1];
  if (mlirOperationGetNumOperands(op) != arg_count + dim_count + 1) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a launch has %lld operands; its kernel takes %lld",
                             (long long)mlirOperationGetNumOperands(op), (long long)(arg_count + dim_count + 1));
  }
  genie_plan_instruction_t launch = {.opcode = (uint16_t)opcode, .a = (uint32_t)kernel};
  GENIE_RETURN_IF_ERROR(append_operands(records, op, 0, arg_count, &launch.b));
  GENIE_RETURN_IF_ERROR(append_operands(records, op, arg_count, dim_count, &launch.c));
  launch.d = number_of(records, op, arg_count + dim_count);
  const uint64_t grain = i64_of(op, "grain");
  launch.e = grain > UINT32_MAX ? UINT32_MAX : (uint32_t)grain;
  GENIE_RETURN_IF_ERROR(add_string(records, op, "module_path", &launch.f));
  ++records->summary->launch_count;
  return append_instruction(records, op, launch);
}

static genie_status_t append_launch(records_t *records, MlirOperation op) {
  return append_kernel_call(records, op, GENIE_PLAN_OPCODE_LAUNCH);
}

static genie_status_t append_library_call(records_t *records, MlirOperation op) {
  return append_kernel_call(records, op, GENIE_PLAN_OPCODE_LIBRARY_CALL);
}

static genie_status_t append_copy(records_t *records, MlirOperation op) {
  return append_instruction(
      records, op,
      (genie_plan_instruction_t){
          .opcode = GENIE_PLAN_OPCODE_COPY, .a = number_of(records, op, 0), .b = number_of(records, op, 1)});
}

static genie_status_t append_event(records_t *records, MlirOperation op, genie_plan_opcode_t opcode) {
  return append_instruction(records, op,
                            (genie_plan_instruction_t){.opcode = (uint16_t)opcode, .a = (uint32_t)i64_of(op, "event")});
}

static genie_status_t append_signal(records_t *records, MlirOperation op) {
  return append_event(records, op, GENIE_PLAN_OPCODE_SIGNAL);
}

static genie_status_t append_wait(records_t *records, MlirOperation op) {
  return append_event(records, op, GENIE_PLAN_OPCODE_WAIT);
}

static genie_status_t append_message(records_t *records, MlirOperation op, genie_plan_opcode_t opcode) {
  return append_instruction(
      records, op,
      (genie_plan_instruction_t){
          .opcode = (uint16_t)opcode, .a = number_of(records, op, 0), .b = (uint32_t)i64_of(op, "transfer")});
}

static genie_status_t append_send(records_t *records, MlirOperation op) {
  return append_message(records, op, GENIE_PLAN_OPCODE_SEND);
}

static genie_status_t append_receive(records_t *records, MlirOperation op) {
  return append_message(records, op, GENIE_PLAN_OPCODE_RECEIVE);
}

static genie_status_t append_transfer(records_t *records, MlirOperation op) {
  genie_plan_transfer_t transfer = {.entry = records->entry,
                                    .source_place = (uint32_t)i64_of(op, "source"),
                                    .destination_place = (uint32_t)i64_of(op, "destination"),
                                    .bytes_expr = number_of(records, op, 0)};
  GENIE_RETURN_IF_ERROR(add_string(records, op, "phase", &transfer.phase));
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &transfer.name));
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_TRANSFERS, &transfer, 1, NULL);
}

//===-- Entries ---------------------------------------------------------------------------------------------------===//

static genie_status_t append_block(records_t *records, MlirOperation parent);

static genie_status_t count_section(records_t *records, genie_plan_section_kind_t section, uint32_t *out_count) {
  uint64_t count = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, section, NULL, 0, &count));
  *out_count = (uint32_t)count;
  return GENIE_OK;
}

static genie_status_t reserve_lists(records_t *records, MlirOperation entry) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(entry, 0));
  size_t count = 1;
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    count += genie_op_is(op, "gplan.input") || genie_op_is(op, "gplan.output");
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&records->arena, 2 * count, sizeof(uint32_t), &memory));
  records->inputs = memory;
  records->outputs = records->inputs + count;
  records->input_count = records->output_count = 0;
  return GENIE_OK;
}

// Appends the entry's lists of tensors, and binds its symbols to the inputs that are known by now.
static genie_status_t append_lists(records_t *records) {
  genie_plan_entry_t *entry = &records->record;
  uint64_t first = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_INDICES, records->inputs,
                                                 records->input_count, &first));
  entry->first_input = (uint32_t)first;
  entry->input_count = records->input_count;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_INDICES, records->outputs,
                                                 records->output_count, &first));
  entry->first_output = (uint32_t)first;
  entry->output_count = records->output_count;
  for (uint32_t i = 0; i < entry->symbol_count; ++i) {
    genie_plan_symbol_t *symbol =
        genie_plan_writer_record(records->writer, GENIE_PLAN_SECTION_SYMBOLS, entry->first_symbol + i);
    if (symbol->bind_tensor >= records->input_count) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a symbol is bound to input %u of %u",
                               symbol->bind_tensor, records->input_count);
    }
    symbol->bind_tensor = records->inputs[symbol->bind_tensor];
  }
  return GENIE_OK;
}

static genie_status_t append_entry(records_t *records, MlirOperation op) {
  genie_plan_entry_t *entry = &records->record;
  *entry = (genie_plan_entry_t){.stream_count = (uint32_t)i64_of(op, "streams"),
                                .event_count = (uint32_t)i64_of(op, "events")};
  records->entry = (uint32_t)records->summary->entry_count++;
  GENIE_RETURN_IF_ERROR(add_string(records, op, "name", &entry->name));
  GENIE_RETURN_IF_ERROR(count_section(records, GENIE_PLAN_SECTION_SYMBOLS, &entry->first_symbol));
  GENIE_RETURN_IF_ERROR(count_section(records, GENIE_PLAN_SECTION_EXPRS, &entry->first_expr));
  GENIE_RETURN_IF_ERROR(count_section(records, GENIE_PLAN_SECTION_INSTRUCTIONS, &entry->first_instruction));
  GENIE_RETURN_IF_ERROR(reserve_lists(records, op));
  GENIE_RETURN_IF_ERROR(append_block(records, op));
  uint32_t expr_end = 0;
  GENIE_RETURN_IF_ERROR(count_section(records, GENIE_PLAN_SECTION_EXPRS, &expr_end));
  entry->expr_count = expr_end - entry->first_expr;
  GENIE_RETURN_IF_ERROR(append_lists(records));
  return genie_plan_writer_append(records->writer, GENIE_PLAN_SECTION_ENTRIES, entry, 1, NULL);
}

// One row an op of gplan_ops.td.
static const struct {
  const char *name;
  append_fn_t append;
} kOps[] = {
    {"gplan.target", append_target},     {"gplan.place", append_place},
    {"gplan.kernel", append_kernel},     {"gplan.constant", append_constant},
    {"gplan.symbol", append_symbol},     {"gplan.expr", append_expr},
    {"gplan.weight", append_weight},     {"gplan.state", append_state},
    {"gplan.input", append_input},       {"gplan.output", append_output},
    {"gplan.slab", append_slab},         {"gplan.slice", append_slice},
    {"gplan.launch", append_launch},     {"gplan.copy", append_copy},
    {"gplan.signal", append_signal},     {"gplan.wait", append_wait},
    {"gplan.send", append_send},         {"gplan.receive", append_receive},
    {"gplan.transfer", append_transfer}, {"gplan.library_call", append_library_call},
    {"gplan.entry", append_entry},
};

static genie_status_t append_op(records_t *records, MlirOperation op) {
  for (size_t i = 0; i < sizeof(kOps) / sizeof(kOps[0]); ++i) {
    if (genie_op_is(op, kOps[i].name)) {
      return kOps[i].append(records, op);
    }
  }
  const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%.*s is no part of a plan", (int)name.length, name.data);
}

static genie_status_t append_block(records_t *records, MlirOperation parent) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(parent, 0));
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    GENIE_RETURN_IF_ERROR(append_op(records, op));
  }
  return GENIE_OK;
}

genie_status_t genie_plan_records_append(MlirModule plan, genie_plan_writer_t *writer,
                                         genie_plan_records_summary_t *out_summary) {
  *out_summary = (genie_plan_records_summary_t){0};
  const MlirOperation top = mlirBlockGetFirstOperation(mlirModuleGetBody(plan));
  if (mlirOperationIsNull(top) || !genie_op_is(top, "gplan.plan")) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the module holds no gplan.plan");
  }
  records_t records = {.writer = writer, .summary = out_summary};
  genie_arena_init(genie_allocator_heap(), 0, &records.arena);
  genie_value_map_init(&records.arena, &records.numbers);
  const genie_status_t status = append_block(&records, top);
  genie_arena_deinit(&records.arena);
  return status;
}
