#include "runtime/plan/disassemble.h"

#include <string.h>

// Every size, tensor and slice is a numbered value, as MLIR numbers them: in order of appearance, with those of an
// entry following those of the plan.
typedef struct printer {
  const genie_plan_t *plan;
  genie_string_builder_t *text;
  uint32_t *expr_values;
  uint32_t *tensor_values;
  uint32_t *slice_values;  // NONE: not yet printed in this entry
  uint32_t next_value;
  uint32_t place;  // that is printed; NONE: all
} printer_t;

static bool is_shown(const printer_t *printer, uint32_t place) {
  return printer->place == GENIE_PLAN_NONE || printer->place == place;
}

#define PRINT(...) genie_string_builder_format(printer->text, __VA_ARGS__)

//===-- Pieces ----------------------------------------------------------------------------------------------------===//

// A string literal: MLIR's escapes are a doubled backslash and two hexadecimal digits.
static void print_string(const printer_t *printer, uint32_t offset) {
  PRINT("\"");
  for (const char *c = genie_plan_string(printer->plan, offset); *c != '\0'; ++c) {
    if (*c == '\\') {
      PRINT("\\\\");
    } else if (*c < ' ' || *c > '~' || *c == '"') {
      PRINT("\\%02X", (unsigned)(uint8_t)*c);
    } else {
      PRINT("%c", *c);
    }
  }
  PRINT("\"");
}

static uint32_t print_result(printer_t *printer, const char *indent) {
  PRINT("%s%%%u = ", indent, printer->next_value);
  return printer->next_value++;
}

// "(%1, %2)" of the values that `list` picks from `values`.
static void print_list(const printer_t *printer, const uint32_t *values, uint32_t count, const uint32_t *list) {
  PRINT("(");
  for (uint32_t i = 0; i < count; ++i) {
    PRINT("%s%%%u", i == 0 ? "" : ", ", values[list[i]]);
  }
  PRINT(")");
}

static const char *expr_name(uint32_t op) {
  switch (op) {
#define GENIE_PLAN_EXPR(enumerator, name, number) \
  case number:                                    \
    return #name;
#include "runtime/plan/expr.def"
#undef GENIE_PLAN_EXPR
  }
  return "unknown";
}

static const char *opcode_name(uint32_t opcode) {
  switch (opcode) {
#define GENIE_PLAN_INSTRUCTION(enumerator, name, number) \
  case number:                                           \
    return #name;
#include "runtime/plan/instruction.def"
#undef GENIE_PLAN_INSTRUCTION
  }
  return "unknown";
}

static const char *access_name(uint16_t access) {
  return access == GENIE_PLAN_ACCESS_READ ? "read" : access == GENIE_PLAN_ACCESS_WRITE ? "write" : "both";
}

//===-- The plan's records ----------------------------------------------------------------------------------------===//

static void print_target(const printer_t *printer, const genie_plan_target_t *target) {
  PRINT("    gplan.target ");
  print_string(printer, target->name);
  PRINT(" device ");
  print_string(printer, target->device_kind);
  PRINT(" features ");
  print_string(printer, target->features);
  PRINT("\n");
}

static void print_place(const printer_t *printer, const genie_plan_place_t *place) {
  PRINT("    gplan.place ");
  print_string(printer, place->name);
  PRINT(" device ");
  print_string(printer, place->device_kind);
  PRINT(" slab %llu state %llu sum %llu\n", (unsigned long long)place->slab_bytes,
        (unsigned long long)place->state_bytes, (unsigned long long)place->sum_bytes);
}

static void print_kernel(const printer_t *printer, const genie_plan_kernel_t *kernel) {
  PRINT("    gplan.kernel ");
  print_string(printer, kernel->name);
  PRINT(" template ");
  print_string(printer, kernel->template_name);
  PRINT(" args %u dims %u scratch %llu\n", kernel->arg_count, kernel->dim_count,
        (unsigned long long)kernel->scratch_bytes);
}

static void print_tensor(printer_t *printer, uint32_t index, const char *indent, const char *role) {
  const genie_plan_tensor_t *tensor = &printer->plan->tensors[index];
  if (!is_shown(printer, tensor->place)) {
    return;
  }
  printer->tensor_values[index] = print_result(printer, indent);
  PRINT("gplan.%s ", role);
  print_string(printer, tensor->name);
  PRINT(" \"%s\"", genie_dtype_name((genie_dtype_t)tensor->dtype));
  print_list(printer, printer->expr_values, tensor->rank, printer->plan->indices + tensor->first_dim);
  PRINT(" place %u", tensor->place);
  if (tensor->role == GENIE_PLAN_ROLE_WEIGHT || tensor->role == GENIE_PLAN_ROLE_STATE) {
    PRINT(" offset %llu", (unsigned long long)tensor->offset);
  }
  PRINT(" bytes %llu", (unsigned long long)tensor->maximum_bytes);
  if (tensor->initial != GENIE_PLAN_NONE) {
    PRINT(" initial %%%u", printer->tensor_values[tensor->initial]);
  }
  PRINT("\n");
}

static void print_tensors(printer_t *printer, genie_plan_role_t role, const char *name) {
  for (uint32_t i = 0; i < printer->plan->tensor_count; ++i) {
    if (printer->plan->tensors[i].role == role) {
      print_tensor(printer, i, "    ", name);
    }
  }
}

//===-- Entries ---------------------------------------------------------------------------------------------------===//

static uint32_t input_position(const genie_plan_t *plan, const genie_plan_entry_t *entry, uint32_t tensor) {
  uint32_t position = 0;
  while (plan->indices[entry->first_input + position] != tensor) {
    ++position;
  }
  return position;
}

static void print_expr(printer_t *printer, const genie_plan_entry_t *entry, uint32_t index, const char *indent) {
  const genie_plan_expr_t *expr = &printer->plan->exprs[index];
  printer->expr_values[index] = print_result(printer, indent);
  if (expr->op == GENIE_PLAN_EXPR_CONSTANT) {
    PRINT("gplan.constant %lld\n", (long long)expr->constant);
  } else if (expr->op == GENIE_PLAN_EXPR_SYMBOL) {
    const genie_plan_symbol_t *symbol = &printer->plan->symbols[expr->lhs];
    PRINT("gplan.symbol ");
    print_string(printer, symbol->name);
    PRINT(" from %lld to %lld multiple %lld input %u dim %u\n", (long long)symbol->minimum, (long long)symbol->maximum,
          (long long)symbol->multiple, input_position(printer->plan, entry, symbol->bind_tensor), symbol->bind_dim);
  } else {
    PRINT("gplan.expr \"%s\" %%%u, %%%u\n", expr_name(expr->op), printer->expr_values[expr->lhs],
          printer->expr_values[expr->rhs]);
  }
}

// The value of a slice, printed before its first use.
static void require_slice(printer_t *printer, uint32_t index) {
  if (printer->slice_values[index] != GENIE_PLAN_NONE) {
    return;
  }
  const genie_plan_slice_t *slice = &printer->plan->slices[index];
  printer->slice_values[index] = print_result(printer, "      ");
  if (slice->space == GENIE_PLAN_SPACE_SLAB) {
    PRINT("gplan.slab \"%s\" place %u", access_name(slice->access), slice->index);
  } else {
    PRINT("gplan.slice \"%s\" %%%u", access_name(slice->access), printer->tensor_values[slice->index]);
  }
  PRINT(" offset %llu maximum %llu bytes %%%u\n", (unsigned long long)slice->offset,
        (unsigned long long)slice->maximum_bytes, printer->expr_values[slice->bytes_expr]);
}

static void print_launch(printer_t *printer, const genie_plan_instruction_t *launch) {
  const genie_plan_t *plan = printer->plan;
  const genie_plan_kernel_t *kernel = &plan->kernels[launch->a];
  for (uint32_t i = 0; i < kernel->arg_count; ++i) {
    require_slice(printer, plan->indices[launch->b + i]);
  }
  PRINT("      gplan.%s place %u stream %u ", opcode_name(launch->opcode), launch->place, launch->stream);
  print_string(printer, kernel->name);
  print_list(printer, printer->slice_values, kernel->arg_count, plan->indices + launch->b);
  PRINT(" dims");
  print_list(printer, printer->expr_values, kernel->dim_count, plan->indices + launch->c);
  PRINT(" grid %%%u grain %u in ", printer->expr_values[launch->d], launch->e);
  print_string(printer, launch->f);
  PRINT("\n");
}

static void print_instruction(printer_t *printer, const genie_plan_instruction_t *instruction) {
  const char *name = opcode_name(instruction->opcode);
  switch (instruction->opcode) {
    case GENIE_PLAN_OPCODE_LAUNCH:
    case GENIE_PLAN_OPCODE_LIBRARY_CALL:
      print_launch(printer, instruction);
      return;
    case GENIE_PLAN_OPCODE_COPY:
      require_slice(printer, instruction->a);
      require_slice(printer, instruction->b);
      PRINT("      gplan.copy place %u stream %u %%%u to %%%u\n", instruction->place, instruction->stream,
            printer->slice_values[instruction->a], printer->slice_values[instruction->b]);
      return;
    case GENIE_PLAN_OPCODE_SEND:
    case GENIE_PLAN_OPCODE_RECEIVE:
      require_slice(printer, instruction->a);
      PRINT("      gplan.%s place %u stream %u %%%u transfer %u\n", name, instruction->place, instruction->stream,
            printer->slice_values[instruction->a], instruction->b);
      return;
    default:
      PRINT("      gplan.%s place %u stream %u %u\n", name, instruction->place, instruction->stream, instruction->a);
  }
}

static void print_transfers(const printer_t *printer, uint32_t entry) {
  for (uint32_t i = 0; i < printer->plan->transfer_count; ++i) {
    const genie_plan_transfer_t *transfer = &printer->plan->transfers[i];
    if (transfer->entry == entry &&
        (is_shown(printer, transfer->source_place) || is_shown(printer, transfer->destination_place))) {
      PRINT("      gplan.transfer ");
      print_string(printer, transfer->name);
      PRINT(" phase ");
      print_string(printer, transfer->phase);
      PRINT(" from %u to %u bytes %%%u\n", transfer->source_place, transfer->destination_place,
            printer->expr_values[transfer->bytes_expr]);
    }
  }
}

static void print_entry(printer_t *printer, uint32_t index) {
  const genie_plan_t *plan = printer->plan;
  const genie_plan_entry_t *entry = &plan->entries[index];
  PRINT("    gplan.entry ");
  print_string(printer, entry->name);
  PRINT(" streams %u events %u {\n", entry->stream_count, entry->event_count);
  for (uint32_t i = 0; i < entry->expr_count; ++i) {
    print_expr(printer, entry, entry->first_expr + i, "      ");
  }
  for (uint32_t i = 0; i < entry->input_count; ++i) {
    print_tensor(printer, plan->indices[entry->first_input + i], "      ", "input");
  }
  for (uint32_t i = 0; i < entry->output_count; ++i) {
    print_tensor(printer, plan->indices[entry->first_output + i], "      ", "output");
  }
  print_transfers(printer, index);
  for (uint32_t i = 0; i < entry->instruction_count; ++i) {
    const genie_plan_instruction_t *instruction = &plan->instructions[entry->first_instruction + i];
    if (is_shown(printer, instruction->place)) {
      print_instruction(printer, instruction);
    }
  }
  PRINT("    }\n");
}

static void print_plan(printer_t *printer) {
  const genie_plan_t *plan = printer->plan;
  PRINT("module {\n  gplan.plan {\n");
  for (uint32_t i = 0; i < plan->target_count; ++i) {
    print_target(printer, &plan->targets[i]);
  }
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    if (is_shown(printer, i)) {
      print_place(printer, &plan->places[i]);
    }
  }
  for (uint32_t i = 0; i < plan->kernel_count; ++i) {
    print_kernel(printer, &plan->kernels[i]);
  }
  for (uint32_t i = 0; i < plan->entries[0].first_expr; ++i) {
    print_expr(printer, &plan->entries[0], i, "    ");
  }
  print_tensors(printer, GENIE_PLAN_ROLE_WEIGHT, "weight");
  print_tensors(printer, GENIE_PLAN_ROLE_STATE, "state");
  const uint32_t first_value = printer->next_value;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    printer->next_value = first_value;
    memset(printer->slice_values, 0xff, plan->slice_count * sizeof(uint32_t));
    print_entry(printer, i);
  }
  PRINT("  }\n}\n");
}

genie_status_t genie_plan_disassemble(const genie_plan_t *plan, genie_string_builder_t *out_text) {
  return genie_plan_disassemble_place(plan, GENIE_PLAN_NONE, out_text);
}

genie_status_t genie_plan_disassemble_place(const genie_plan_t *plan, uint32_t place,
                                            genie_string_builder_t *out_text) {
  void *memory = NULL;
  const size_t count = (size_t)plan->expr_count + plan->tensor_count + plan->slice_count;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, count + 1, sizeof(uint32_t), &memory));
  uint32_t *values = memory;
  printer_t printer = {.plan = plan,
                       .text = out_text,
                       .place = place,
                       .expr_values = values,
                       .tensor_values = values + plan->expr_count,
                       .slice_values = values + plan->expr_count + plan->tensor_count};
  print_plan(&printer);
  genie_allocator_free(plan->allocator, memory);
  return genie_string_builder_status(out_text);
}
