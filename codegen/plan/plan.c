// The phase "plan": a fused genie module and its kernels become one gplan.plan.
#include <stdio.h>
#include <string.h>

#include "codegen/codegen.h"
#include "codegen/plan/entry_plan.h"
#include "codegen/plan/gplan_builder.h"

// All places work in one stream each.
enum { kStream = 0 };

typedef struct constant_value {
  int64_t number;
  MlirValue value;
} constant_value_t;

typedef struct plan_builder {
  MlirModule module;
  MlirContext context;
  MlirLocation location;
  const genie_codegen_code_t *code;
  genie_weight_table_t *weights;
  genie_arena_t arena;
  int function_count, state_count;
  MlirOperation *functions;
  MlirOperation *states;
  genie_entry_plan_t *entries;    // [function_count]
  MlirBlock body;                 // of the gplan.plan
  MlirOperation after_constants;  // constants are inserted before it; null: append
  constant_value_t *constants;
  int constant_count, constant_capacity;
  int place_count;
  MlirValue *weight_values;  // [place_count, weights->count]; null where the place does not use it
  MlirValue *state_values;   // [state_count]
  uint64_t state_bytes[GENIE_IR_MAX_PLACES];
  int transfer_count;  // of the entries built so far
} plan_builder_t;

// What building one entry needs besides.
typedef struct entry_builder {
  plan_builder_t *plan;
  genie_entry_plan_t *entry;
  MlirBlock body;
  MlirOperation after_sizes;  // expressions are inserted before it; null: append
  MlirValue *input_values;
  MlirValue *output_values;
  MlirValue *slices;  // [buffer_count][2]: read, written; null until they are used
} entry_builder_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static MlirOperation first_op(MlirModule module) {
  return mlirBlockGetFirstOperation(mlirModuleGetBody(module));
}

static MlirStringRef symbol_name(MlirOperation op) {
  return mlirStringAttrGetValue(mlirOperationGetAttributeByName(op, text_of("sym_name")));
}

static genie_status_t allocate(genie_arena_t *arena, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count + 1, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

//===-- Sizes -----------------------------------------------------------------------------------------------------===//

// Constants belong to the plan: all entries share them.
static genie_status_t require_constant(plan_builder_t *builder, int64_t number, MlirValue *out_value) {
  for (int i = 0; i < builder->constant_count; ++i) {
    if (builder->constants[i].number == number) {
      *out_value = builder->constants[i].value;
      return GENIE_OK;
    }
  }
  if (builder->constant_count == builder->constant_capacity) {
    const int capacity = 2 * builder->constant_capacity + 64;
    constant_value_t *constants = NULL;
    GENIE_RETURN_IF_ERROR(allocate(&builder->arena, (size_t)capacity, sizeof(*constants), &constants));
    if (builder->constant_count > 0) {
      memcpy(constants, builder->constants, (size_t)builder->constant_count * sizeof(*constants));
    }
    builder->constants = constants;
    builder->constant_capacity = capacity;
  }
  genie_gplan_op_t op = {.name = "gplan.constant", .location = builder->location, .has_result = true};
  genie_gplan_set_i64(&op, "value", (uint64_t)number);
  *out_value = mlirOperationGetResult(genie_gplan_build(&op, builder->body, builder->after_constants), 0);
  builder->constants[builder->constant_count++] = (constant_value_t){number, *out_value};
  return GENIE_OK;
}

static const char *expr_name(uint32_t op) {
  switch (op) {
#define GENIE_PLAN_EXPR(enumerator, name, number) \
  case number:                                    \
    return #name;
#include "runtime/plan/expr.def"
#undef GENIE_PLAN_EXPR
  }
  return "";
}

// The value of a node of the entry's size table; symbols have theirs from the start.
static genie_status_t require_size(const entry_builder_t *builder, int node, MlirValue *out_value) {
  genie_size_table_t *sizes = &builder->entry->sizes;
  if (mlirValueIsNull(sizes->nodes[node].value)) {
    const genie_size_node_t size = sizes->nodes[node];
    MlirValue value = {NULL};
    if (size.op == GENIE_PLAN_EXPR_CONSTANT) {
      GENIE_RETURN_IF_ERROR(require_constant(builder->plan, size.constant, &value));
    } else {
      MlirValue operands[2];
      GENIE_RETURN_IF_ERROR(require_size(builder, size.lhs, &operands[0]));
      GENIE_RETURN_IF_ERROR(require_size(builder, size.rhs, &operands[1]));
      genie_gplan_op_t op = {.name = "gplan.expr",
                             .location = builder->plan->location,
                             .operand_count = 2,
                             .operands = operands,
                             .has_result = true};
      const char *name = expr_name(size.op);
      genie_gplan_set_string(&op, "kind", name, strlen(name));
      value = mlirOperationGetResult(genie_gplan_build(&op, builder->body, builder->after_sizes), 0);
    }
    sizes->nodes[node].value = value;
  }
  *out_value = sizes->nodes[node].value;
  return GENIE_OK;
}

static genie_status_t require_affine(const entry_builder_t *builder, MlirAffineExpr expr, MlirValue *out_value) {
  int node = 0;
  GENIE_RETURN_IF_ERROR(genie_size_table_affine(&builder->entry->sizes, expr, &node));
  return require_size(builder, node, out_value);
}

//===-- Tensors ---------------------------------------------------------------------------------------------------===//

static void set_tensor(genie_gplan_op_t *op, MlirStringRef name, genie_dtype_t dtype, int place) {
  genie_gplan_set_string(op, "name", name.data, name.length);
  const char *dtype_name = genie_dtype_name(dtype);
  genie_gplan_set_string(op, "dtype", dtype_name, strlen(dtype_name));
  genie_gplan_set_i64(op, "place", (uint64_t)place);
}

// A weight or state: all dimensions are constants. `initial` is null or one more operand.
static genie_status_t build_kept_tensor(plan_builder_t *builder, const char *op_name, MlirStringRef name, int place,
                                        MlirType type, uint64_t offset, uint64_t bytes, MlirValue initial,
                                        MlirValue *out_value) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  MlirValue operands[GENIE_IR_MAX_RANK + 1];
  for (int i = 0; i < tensor.rank; ++i) {
    GENIE_RETURN_IF_ERROR(require_constant(builder, genie_dim_value(tensor.dims[i]), &operands[i]));
  }
  genie_gplan_op_t op = {.name = op_name,
                         .location = builder->location,
                         .operand_count = tensor.rank,
                         .operands = operands,
                         .has_result = true};
  set_tensor(&op, name, tensor.dtype, place);
  genie_gplan_set_i64(&op, "offset", offset);
  genie_gplan_set_i64(&op, "bytes", bytes);
  const bool is_state = strcmp(op_name, "gplan.state") == 0;
  if (is_state) {
    op.segment_count = 2;
    op.segments[0] = tensor.rank;
    op.segments[1] = mlirValueIsNull(initial) ? 0 : 1;
    operands[tensor.rank] = initial;
    op.operand_count += op.segments[1];
  }
  const MlirOperation built = genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  if (mlirOperationIsNull(builder->after_constants)) {
    builder->after_constants = built;
  }
  *out_value = mlirOperationGetResult(built, 0);
  return GENIE_OK;
}

static MlirValue *weight_value(const plan_builder_t *builder, int place, int weight) {
  return &builder->weight_values[(size_t)place * (size_t)builder->weights->count + (size_t)weight];
}

// The weight that a state starts as; NULL: zeros.
static const genie_weight_t *find_initial(const plan_builder_t *builder, MlirOperation state) {
  const MlirAttribute initial = mlirOperationGetAttributeByName(state, text_of("initial"));
  if (mlirAttributeIsNull(initial)) {
    return NULL;
  }
  const MlirOperation symbol = genie_weight_table_lookup(builder->weights, mlirFlatSymbolRefAttrGetValue(initial));
  return genie_weight_table_find_symbol(builder->weights, symbol);
}

// Marks the weights that each place reads, in kernels or as the first value of a state.
static void mark_weights(const plan_builder_t *builder, bool *is_used) {
  const size_t count = (size_t)builder->weights->count;
  for (int i = 0; i < builder->function_count; ++i) {
    const genie_entry_plan_t *entry = &builder->entries[i];
    for (int b = 0; b < entry->buffer_count; ++b) {
      if (entry->buffers[b].home == GENIE_BUFFER_WEIGHT) {
        is_used[(size_t)entry->buffers[b].place * count + (size_t)entry->buffers[b].index] = true;
      }
    }
  }
  for (int i = 0; i < builder->state_count; ++i) {
    const genie_weight_t *initial = find_initial(builder, builder->states[i]);
    if (initial != NULL) {
      is_used[(size_t)genie_ir_place(builder->states[i]) * count + (size_t)(initial - builder->weights->weights)] =
          true;
    }
  }
}

// One tensor a place that reads the weight; the bytes are shared.
static genie_status_t build_weights(plan_builder_t *builder) {
  const size_t count = (size_t)builder->place_count * (size_t)builder->weights->count;
  bool *is_used = NULL;
  GENIE_RETURN_IF_ERROR(allocate(&builder->arena, count, sizeof(MlirValue), &builder->weight_values));
  GENIE_RETURN_IF_ERROR(allocate(&builder->arena, count, sizeof(bool), &is_used));
  mark_weights(builder, is_used);
  for (int i = 0; i < builder->weights->count; ++i) {
    const genie_weight_t *weight = &builder->weights->weights[i];
    for (int place = 0; place < builder->place_count; ++place) {
      if (is_used[(size_t)place * (size_t)builder->weights->count + (size_t)i]) {
        GENIE_RETURN_IF_ERROR(build_kept_tensor(builder, "gplan.weight", text_of(weight->name), place, weight->type,
                                                weight->offset, weight->size_bytes, (MlirValue){NULL},
                                                weight_value(builder, place, i)));
      }
    }
  }
  return GENIE_OK;
}

// Lays the states of each place out one after another.
static genie_status_t build_states(plan_builder_t *builder) {
  GENIE_RETURN_IF_ERROR(
      allocate(&builder->arena, (size_t)builder->state_count, sizeof(MlirValue), &builder->state_values));
  for (int i = 0; i < builder->state_count; ++i) {
    const MlirType type = mlirTypeAttrGetValue(mlirOperationGetAttributeByName(builder->states[i], text_of("type")));
    const genie_tensor_type_t tensor = genie_type_get(type);
    uint64_t bytes = genie_dtype_bytes(tensor.dtype);
    for (int dim = 0; dim < tensor.rank; ++dim) {
      bytes *= (uint64_t)genie_dim_value(tensor.dims[dim]);
    }
    const int place = genie_ir_place(builder->states[i]);
    const uint64_t offset = (builder->state_bytes[place] + 63) & ~63ull;
    const genie_weight_t *initial = find_initial(builder, builder->states[i]);
    const MlirValue initial_value =
        initial == NULL ? (MlirValue){NULL} : *weight_value(builder, place, (int)(initial - builder->weights->weights));
    GENIE_RETURN_IF_ERROR(build_kept_tensor(builder, "gplan.state", symbol_name(builder->states[i]), place, type,
                                            offset, bytes, initial_value, &builder->state_values[i]));
    builder->state_bytes[place] = offset + bytes;
  }
  return GENIE_OK;
}

//===-- Entries ---------------------------------------------------------------------------------------------------===//

// Every symbol is a dimension of some input: where the run time takes it from.
static genie_status_t build_symbol(const entry_builder_t *builder, int symbol) {
  genie_entry_plan_t *entry = builder->entry;
  const char *name = entry->sizes.symbols[symbol].name;
  for (int input = 0; input < entry->input_count; ++input) {
    const genie_tensor_type_t type = genie_value_type(mlirBlockGetArgument(entry->body, entry->input_arguments[input]));
    for (int dim = 0; dim < type.rank; ++dim) {
      if (!mlirAffineExprIsASymbol(type.dims[dim]) || mlirAffineSymbolExprGetPosition(type.dims[dim]) != symbol) {
        continue;
      }
      genie_gplan_op_t op = {.name = "gplan.symbol", .location = builder->plan->location, .has_result = true};
      genie_gplan_set_string(&op, "name", name, strlen(name));
      genie_gplan_set_i64(&op, "minimum", (uint64_t)entry->sizes.symbols[symbol].minimum);
      genie_gplan_set_i64(&op, "maximum", (uint64_t)entry->sizes.symbols[symbol].maximum);
      genie_gplan_set_i64(&op, "multiple", (uint64_t)entry->sizes.symbols[symbol].multiple);
      genie_gplan_set_i64(&op, "input", (uint64_t)input);
      genie_gplan_set_i64(&op, "dim", (uint64_t)dim);
      int node = 0;
      GENIE_RETURN_IF_ERROR(genie_size_table_symbol(&entry->sizes, symbol, &node));
      entry->sizes.nodes[node].value =
          mlirOperationGetResult(genie_gplan_build(&op, builder->body, builder->after_sizes), 0);
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "size %s is not itself a dimension of an input: export with that dimension dynamic", name);
}

static genie_status_t build_caller_tensor(entry_builder_t *builder, const char *op_name, MlirStringRef name, int place,
                                          MlirType type, MlirValue *out_value) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  MlirValue dims[GENIE_IR_MAX_RANK];
  for (int i = 0; i < tensor.rank; ++i) {
    GENIE_RETURN_IF_ERROR(require_affine(builder, tensor.dims[i], &dims[i]));
  }
  int bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_size_table_bytes(&builder->entry->sizes, type, &bytes));
  genie_gplan_op_t op = {.name = op_name,
                         .location = builder->plan->location,
                         .operand_count = tensor.rank,
                         .operands = dims,
                         .has_result = true};
  set_tensor(&op, name, tensor.dtype, place);
  genie_gplan_set_i64(&op, "bytes", (uint64_t)builder->entry->sizes.nodes[bytes].range.maximum);
  const MlirOperation built = genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  if (mlirOperationIsNull(builder->after_sizes)) {
    builder->after_sizes = built;
  }
  *out_value = mlirOperationGetResult(built, 0);
  return GENIE_OK;
}

static MlirStringRef output_name(MlirOperation function, int output, char fallback[32]) {
  const MlirAttribute all = mlirOperationGetAttributeByName(function, text_of("res_attrs"));
  if (!mlirAttributeIsNull(all) && output < mlirArrayAttrGetNumElements(all)) {
    const MlirAttribute name =
        mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(all, output), text_of("genie.output"));
    if (!mlirAttributeIsNull(name) && mlirAttributeIsAString(name)) {
      return mlirStringAttrGetValue(name);
    }
  }
  snprintf(fallback, 32, "output_%d", output);
  return text_of(fallback);
}

static genie_status_t build_caller_tensors(entry_builder_t *builder) {
  genie_entry_plan_t *entry = builder->entry;
  for (int i = 0; i < entry->input_count; ++i) {
    MlirStringRef name = {0};
    genie_ir_argument_role(entry->function, entry->input_arguments[i], &name);
    const MlirValue argument = mlirBlockGetArgument(entry->body, entry->input_arguments[i]);
    GENIE_RETURN_IF_ERROR(build_caller_tensor(builder, "gplan.input", name, genie_ir_value_place(argument),
                                              mlirValueGetType(argument), &builder->input_values[i]));
  }
  for (int i = 0; i < entry->output_count; ++i) {
    char fallback[32];
    const MlirStringRef name = output_name(entry->function, i, fallback);
    GENIE_RETURN_IF_ERROR(build_caller_tensor(builder, "gplan.output", name,
                                              entry->buffers[entry->output_buffers[i]].place, entry->output_types[i],
                                              &builder->output_values[i]));
  }
  return GENIE_OK;
}

// The tensor that a buffer lives in (null for the slab), and the node of the bytes that it has there.
static genie_status_t find_tensor(const entry_builder_t *builder, const genie_buffer_t *buffer, MlirValue *out_tensor,
                                  int *out_bytes) {
  *out_bytes = buffer->bytes;
  switch (buffer->home) {
    case GENIE_BUFFER_SLAB:
      *out_tensor = (MlirValue){NULL};
      return GENIE_OK;
    case GENIE_BUFFER_INPUT:
      *out_tensor = builder->input_values[buffer->index];
      return GENIE_OK;
    case GENIE_BUFFER_OUTPUT:
      *out_tensor = builder->output_values[buffer->index];
      return genie_size_table_bytes(&builder->entry->sizes, builder->entry->output_types[buffer->index], out_bytes);
    case GENIE_BUFFER_STATE:
      *out_tensor = builder->plan->state_values[buffer->index];
      return GENIE_OK;
    case GENIE_BUFFER_WEIGHT:
      *out_tensor = *weight_value(builder->plan, buffer->place, buffer->index);
      return GENIE_OK;
  }
  return GENIE_OK;
}

// The slice of a whole buffer, read or written; `bytes_node` -1: its own bytes.
static genie_status_t build_slice(const entry_builder_t *builder, const genie_buffer_t *buffer, bool is_written,
                                  int bytes_node, MlirValue *out_value) {
  MlirValue operands[2];
  int bytes = 0;
  GENIE_RETURN_IF_ERROR(find_tensor(builder, buffer, &operands[0], &bytes));
  const uint64_t maximum = (uint64_t)builder->entry->sizes.nodes[bytes].range.maximum;
  const bool is_slab = buffer->home == GENIE_BUFFER_SLAB;
  GENIE_RETURN_IF_ERROR(require_size(builder, bytes_node >= 0 ? bytes_node : bytes, &operands[1]));
  genie_gplan_op_t op = {.name = is_slab ? "gplan.slab" : "gplan.slice",
                         .location = builder->plan->location,
                         .operand_count = is_slab ? 1 : 2,
                         .operands = is_slab ? operands + 1 : operands,
                         .has_result = true};
  genie_gplan_set_string(&op, "access", is_written ? "write" : "read", is_written ? 5 : 4);
  if (is_slab) {
    genie_gplan_set_i64(&op, "place", (uint64_t)buffer->place);
  }
  genie_gplan_set_i64(&op, "offset", is_slab ? buffer->offset : 0);
  genie_gplan_set_i64(&op, "maximum", maximum);
  *out_value = mlirOperationGetResult(genie_gplan_build(&op, builder->body, (MlirOperation){NULL}), 0);
  return GENIE_OK;
}

static genie_status_t require_slice(const entry_builder_t *builder, int buffer, bool is_written, MlirValue *out_value) {
  buffer = genie_entry_plan_root(builder->entry, buffer);
  MlirValue *slot = &builder->slices[2 * buffer + is_written];
  if (mlirValueIsNull(*slot)) {
    GENIE_RETURN_IF_ERROR(build_slice(builder, &builder->entry->buffers[buffer], is_written, -1, slot));
  }
  *out_value = *slot;
  return GENIE_OK;
}

static MlirStringRef module_path_of(MlirOperation op) {
  const MlirAttribute path = mlirOperationGetAttributeByName(op, text_of("genie.module"));
  return !mlirAttributeIsNull(path) && mlirAttributeIsAString(path) ? mlirStringAttrGetValue(path) : text_of("");
}

// Expressions come before the slices: an op that needs a new one finds its place by `after_sizes`.
static genie_status_t build_launch(const entry_builder_t *builder, MlirOperation kernel_op) {
  const genie_codegen_code_t *code = builder->plan->code;
  const genie_code_launch_t *launch = genie_code_find_launch(code, kernel_op);
  if (launch == NULL) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "a kernel has no code");
  }
  const int place = genie_ir_place(kernel_op);
  const genie_code_kernel_t *kernel = &code->kernels[launch->kernel];
  const int arg_count = kernel->is_library ? kernel->argument_count : kernel->input_count + kernel->output_count;
  MlirValue *operands = NULL;
  GENIE_RETURN_IF_ERROR(
      allocate(&builder->plan->arena, (size_t)(arg_count + kernel->dim_count + 1), sizeof(MlirValue), &operands));
  for (int i = 0; i < kernel->dim_count; ++i) {
    GENIE_RETURN_IF_ERROR(require_affine(builder, launch->dims[i], &operands[arg_count + i]));
  }
  GENIE_RETURN_IF_ERROR(require_affine(builder, launch->grid, &operands[arg_count + kernel->dim_count]));
  for (int i = 0; i < arg_count; ++i) {
    const int argument = kernel->is_library ? kernel->arguments[i] : i;
    const bool is_output = argument >= kernel->input_count;
    const MlirValue value = is_output ? mlirOperationGetResult(kernel_op, argument - kernel->input_count)
                                      : mlirOperationGetOperand(kernel_op, argument);
    GENIE_RETURN_IF_ERROR(
        require_slice(builder, genie_entry_plan_buffer(builder->entry, value, place), is_output, &operands[i]));
  }
  const MlirStringRef path = module_path_of(kernel_op);
  genie_gplan_op_t op = {.name = kernel->is_library ? "gplan.library_call" : "gplan.launch",
                         .location = mlirOperationGetLocation(kernel_op),
                         .operand_count = arg_count + kernel->dim_count + 1,
                         .operands = operands,
                         .segment_count = 3,
                         .segments = {arg_count, kernel->dim_count, 1}};
  genie_gplan_set_i64(&op, "place", (uint64_t)place);
  genie_gplan_set_i64(&op, "stream", kStream);
  genie_gplan_set_string(&op, "kernel", kernel->name, strlen(kernel->name));
  genie_gplan_set_i64(&op, "grain", launch->grain < 1 ? 1 : (uint64_t)launch->grain);
  genie_gplan_set_string(&op, "module_path", path.data, path.length);
  genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  return GENIE_OK;
}

// Both slices name the bytes of the destination's tensor, or of the source where the destination is a temporary.
static genie_status_t build_copy(const entry_builder_t *builder, const genie_end_copy_t *copy) {
  const genie_buffer_t *source = &builder->entry->buffers[genie_entry_plan_root(builder->entry, copy->source)];
  const genie_buffer_t *destination =
      &builder->entry->buffers[genie_entry_plan_root(builder->entry, copy->destination)];
  MlirValue tensor = {NULL};
  int bytes = 0;
  GENIE_RETURN_IF_ERROR(
      find_tensor(builder, destination->home == GENIE_BUFFER_SLAB ? source : destination, &tensor, &bytes));
  MlirValue operands[2];
  GENIE_RETURN_IF_ERROR(build_slice(builder, source, false, bytes, &operands[0]));
  GENIE_RETURN_IF_ERROR(build_slice(builder, destination, true, bytes, &operands[1]));
  genie_gplan_op_t op = {
      .name = "gplan.copy", .location = builder->plan->location, .operand_count = 2, .operands = operands};
  genie_gplan_set_i64(&op, "place", (uint64_t)destination->place);
  genie_gplan_set_i64(&op, "stream", kStream);
  genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  return GENIE_OK;
}

//===-- Transfers -------------------------------------------------------------------------------------------------===//

static MlirStringRef annotation_of(MlirOperation op, const char *name) {
  const MlirAttribute value = mlirOperationGetAttributeByName(op, text_of(name));
  return !mlirAttributeIsNull(value) && mlirAttributeIsAString(value) ? mlirStringAttrGetValue(value) : text_of("");
}

// All of a transfer's bytes are those of the value, whatever memory holds it.
static genie_status_t find_transfer_bytes(const entry_builder_t *builder, const genie_plan_crossing_t *crossing,
                                          int *out_bytes) {
  return genie_size_table_bytes(&builder->entry->sizes,
                                mlirValueGetType(mlirOperationGetOperand(crossing->transfer, 0)), out_bytes);
}

static genie_status_t build_transfers(const entry_builder_t *builder) {
  const genie_entry_plan_t *entry = builder->entry;
  for (int i = 0; i < entry->crossing_count; ++i) {
    const genie_plan_crossing_t *crossing = &entry->crossings[i];
    const MlirStringRef name = annotation_of(crossing->transfer, "genie.value");
    const MlirStringRef phase = annotation_of(crossing->transfer, "genie.phase");
    int node = 0;
    MlirValue bytes;
    GENIE_RETURN_IF_ERROR(find_transfer_bytes(builder, crossing, &node));
    GENIE_RETURN_IF_ERROR(require_size(builder, node, &bytes));
    genie_gplan_op_t op = {.name = "gplan.transfer",
                           .location = mlirOperationGetLocation(crossing->transfer),
                           .operand_count = 1,
                           .operands = &bytes};
    genie_gplan_set_string(&op, "name", name.data, name.length);
    genie_gplan_set_string(&op, "phase", phase.data, phase.length);
    genie_gplan_set_i64(&op, "source", (uint64_t)entry->buffers[crossing->source].place);
    genie_gplan_set_i64(&op, "destination", (uint64_t)entry->buffers[crossing->destination].place);
    genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  }
  return GENIE_OK;
}

static genie_status_t build_message(const entry_builder_t *builder, int index, bool is_send) {
  const genie_entry_plan_t *entry = builder->entry;
  const genie_plan_crossing_t *crossing = &entry->crossings[index];
  const int root = genie_entry_plan_root(entry, is_send ? crossing->source : crossing->destination);
  int bytes = 0;
  MlirValue slice;
  GENIE_RETURN_IF_ERROR(find_transfer_bytes(builder, crossing, &bytes));
  GENIE_RETURN_IF_ERROR(build_slice(builder, &entry->buffers[root], !is_send, bytes, &slice));
  genie_gplan_op_t op = {.name = is_send ? "gplan.send" : "gplan.receive",
                         .location = mlirOperationGetLocation(crossing->transfer),
                         .operand_count = 1,
                         .operands = &slice};
  genie_gplan_set_i64(&op, "place", (uint64_t)entry->buffers[root].place);
  genie_gplan_set_i64(&op, "stream", kStream);
  genie_gplan_set_i64(&op, "transfer", (uint64_t)(builder->plan->transfer_count + index));
  genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  return GENIE_OK;
}

// What is received before the op at `step`, in the order in which it was sent.
static genie_status_t build_receives(const entry_builder_t *builder, int step) {
  for (int i = 0; i < builder->entry->crossing_count; ++i) {
    if (builder->entry->crossings[i].receive_step == step) {
      GENIE_RETURN_IF_ERROR(build_message(builder, i, false));
    }
  }
  return GENIE_OK;
}

static genie_status_t build_instructions(const entry_builder_t *builder) {
  const genie_entry_plan_t *entry = builder->entry;
  int sent_count = 0;
  int step = 1;
  for (MlirOperation op = mlirBlockGetFirstOperation(entry->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op), ++step) {
    if (entry->crossing_count > 0) {
      GENIE_RETURN_IF_ERROR(build_receives(builder, step));
    }
    if (genie_op_is(op, "genie.transfer")) {
      GENIE_RETURN_IF_ERROR(build_message(builder, sent_count++, true));
    }
    if (genie_op_is(op, "genie.kernel")) {
      char place[256];
      genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(place), place);
      GENIE_RETURN_IF_ERROR(genie_status_annotate(build_launch(builder, op), "%s", place));
    }
  }
  for (int i = 0; i < entry->copy_count; ++i) {
    GENIE_RETURN_IF_ERROR(build_copy(builder, &entry->copies[i]));
  }
  return GENIE_OK;
}

static genie_status_t build_entry(plan_builder_t *plan, genie_entry_plan_t *entry) {
  const MlirStringRef name = symbol_name(entry->function);
  genie_gplan_op_t op = {.name = "gplan.entry", .location = plan->location, .has_body = true};
  genie_gplan_set_string(&op, "name", name.data, name.length);
  genie_gplan_set_i64(&op, "streams", 1);
  genie_gplan_set_i64(&op, "events", 0);
  const MlirOperation built = genie_gplan_build(&op, plan->body, (MlirOperation){NULL});
  if (mlirOperationIsNull(plan->after_constants)) {
    plan->after_constants = built;
  }
  entry_builder_t builder = {.plan = plan, .entry = entry};
  builder.body = mlirRegionGetFirstBlock(mlirOperationGetRegion(built, 0));
  GENIE_RETURN_IF_ERROR(allocate(&plan->arena, (size_t)entry->input_count, sizeof(MlirValue), &builder.input_values));
  GENIE_RETURN_IF_ERROR(allocate(&plan->arena, (size_t)entry->output_count, sizeof(MlirValue), &builder.output_values));
  GENIE_RETURN_IF_ERROR(allocate(&plan->arena, 2 * (size_t)entry->buffer_count, sizeof(MlirValue), &builder.slices));
  for (int i = 0; i < entry->sizes.symbol_count; ++i) {
    GENIE_RETURN_IF_ERROR(build_symbol(&builder, i));
  }
  GENIE_RETURN_IF_ERROR(build_caller_tensors(&builder));
  GENIE_RETURN_IF_ERROR(build_transfers(&builder));
  GENIE_RETURN_IF_ERROR(build_instructions(&builder));
  plan->transfer_count += entry->crossing_count;
  return GENIE_OK;
}

//===-- The plan --------------------------------------------------------------------------------------------------===//

static void build_targets_and_kernels(plan_builder_t *builder) {
  const genie_codegen_code_t *code = builder->code;
  for (int i = 0; i < code->target_count; ++i) {
    const genie_code_target_t *target = &code->targets[i];
    genie_gplan_op_t op = {.name = "gplan.target", .location = builder->location};
    genie_gplan_set_string(&op, "name", target->name, strlen(target->name));
    genie_gplan_set_string(&op, "device", target->device_kind, strlen(target->device_kind));
    genie_gplan_set_string(&op, "features", target->features, strlen(target->features));
    genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  }
  for (int i = 0; i < code->kernel_count; ++i) {
    const genie_code_kernel_t *kernel = &code->kernels[i];
    genie_gplan_op_t op = {.name = "gplan.kernel", .location = builder->location};
    genie_gplan_set_string(&op, "name", kernel->name, strlen(kernel->name));
    genie_gplan_set_string(&op, "template_name", kernel->template_name, strlen(kernel->template_name));
    const int args = kernel->is_library ? kernel->argument_count : kernel->input_count + kernel->output_count;
    genie_gplan_set_i64(&op, "args", (uint64_t)args);
    genie_gplan_set_i64(&op, "dims", (uint64_t)kernel->dim_count);
    genie_gplan_set_i64(&op, "scratch", kernel->scratch_bytes);
    genie_gplan_build(&op, builder->body, (MlirOperation){NULL});
  }
}

// A place without a name of its own: the embedded device that the code is for.
static void name_place(const plan_builder_t *builder, int place, genie_gplan_op_t *op) {
  const MlirStringRef name = genie_ir_place_name(builder->module, place);
  const MlirStringRef kind = genie_ir_place_kind(builder->module, place);
  const char *code_kind = builder->code->target_count > 0 ? builder->code->targets[0].device_kind : "cpu";
  char embedded[64];
  const int length = snprintf(embedded, sizeof(embedded), "local:%s0", code_kind);
  genie_gplan_set_string(op, "name", name.length > 0 ? name.data : embedded,
                         name.length > 0 ? name.length : (size_t)length);
  genie_gplan_set_string(op, "device", kind.length > 0 ? kind.data : code_kind,
                         kind.length > 0 ? kind.length : strlen(code_kind));
}

static void build_place(plan_builder_t *builder, int place, MlirOperation before) {
  uint64_t slab_bytes = 0;
  uint64_t sum_bytes = 0;
  for (int i = 0; i < builder->function_count; ++i) {
    const genie_entry_plan_t *entry = &builder->entries[i];
    slab_bytes = entry->slab_bytes[place] > slab_bytes ? entry->slab_bytes[place] : slab_bytes;
    sum_bytes = entry->sum_bytes[place] > sum_bytes ? entry->sum_bytes[place] : sum_bytes;
  }
  genie_gplan_op_t op = {.name = "gplan.place", .location = builder->location};
  name_place(builder, place, &op);
  genie_gplan_set_i64(&op, "slab", slab_bytes);
  genie_gplan_set_i64(&op, "state", builder->state_bytes[place]);
  genie_gplan_set_i64(&op, "sum", sum_bytes);
  genie_gplan_build(&op, builder->body, before);
}

// Places are known last and printed second: they go before the first kernel, or before what follows.
static void build_places(plan_builder_t *builder) {
  MlirOperation before = mlirBlockGetFirstOperation(builder->body);
  while (!mlirOperationIsNull(before) && genie_op_is(before, "gplan.target")) {
    before = mlirOperationGetNextInBlock(before);
  }
  for (int i = 0; i < builder->place_count; ++i) {
    build_place(builder, i, before);
  }
}

static genie_status_t list_symbols(plan_builder_t *builder) {
  int op_count = 0;
  for (MlirOperation op = first_op(builder->module); !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    ++op_count;
  }
  GENIE_RETURN_IF_ERROR(allocate(&builder->arena, (size_t)op_count, sizeof(MlirOperation), &builder->functions));
  GENIE_RETURN_IF_ERROR(allocate(&builder->arena, (size_t)op_count, sizeof(MlirOperation), &builder->states));
  for (MlirOperation op = first_op(builder->module); !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      builder->functions[builder->function_count++] = op;
    } else if (genie_op_is(op, "genie.state")) {
      builder->states[builder->state_count++] = op;
    }
  }
  return builder->function_count > 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the module has no function to make a plan of");
}

static genie_status_t analyse_entries(plan_builder_t *builder) {
  GENIE_RETURN_IF_ERROR(
      allocate(&builder->arena, (size_t)builder->function_count, sizeof(genie_entry_plan_t), &builder->entries));
  for (int i = 0; i < builder->function_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_entry_plan_make(&builder->arena, builder->functions[i], builder->weights, builder->code,
                                                builder->state_count, builder->states, &builder->entries[i]));
  }
  return GENIE_OK;
}

static genie_status_t build_plan(plan_builder_t *builder, MlirModule plan) {
  GENIE_RETURN_IF_ERROR(list_symbols(builder));
  GENIE_RETURN_IF_ERROR(analyse_entries(builder));
  genie_gplan_op_t op = {.name = "gplan.plan", .location = builder->location, .has_body = true};
  const MlirOperation built = genie_gplan_build(&op, mlirModuleGetBody(plan), (MlirOperation){NULL});
  builder->body = mlirRegionGetFirstBlock(mlirOperationGetRegion(built, 0));
  build_targets_and_kernels(builder);
  GENIE_RETURN_IF_ERROR(build_weights(builder));
  GENIE_RETURN_IF_ERROR(build_states(builder));
  for (int i = 0; i < builder->function_count; ++i) {
    GENIE_RETURN_IF_ERROR(build_entry(builder, &builder->entries[i]));
  }
  build_places(builder);
  return genie_status_annotate(genie_ir_verify(mlirModuleGetOperation(plan)), "the plan");
}

genie_status_t genie_codegen_plan(const genie_codegen_options_t *options, MlirModule module,
                                  const genie_codegen_code_t *code, MlirModule *out_plan) {
  (void)options;
  const MlirOperation top = mlirModuleGetOperation(module);
  plan_builder_t builder = {.module = module,
                            .context = mlirOperationGetContext(top),
                            .location = mlirLocationUnknownGet(mlirOperationGetContext(top)),
                            .place_count = genie_ir_place_count(module),
                            .code = code};
  GENIE_RETURN_IF_ERROR(genie_weight_table_create(module, &builder.weights));
  genie_arena_init(genie_allocator_heap(), 0, &builder.arena);
  const MlirModule plan = mlirModuleCreateEmpty(builder.location);
  const genie_status_t status = build_plan(&builder, plan);
  genie_arena_deinit(&builder.arena);
  genie_weight_table_destroy(builder.weights);
  if (status != GENIE_OK) {
    mlirModuleDestroy(plan);
    return status;
  }
  *out_plan = plan;
  return GENIE_OK;
}
