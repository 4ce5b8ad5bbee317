#include "codegen/plan/entry_plan.h"

#include <string.h>

#include "codegen/plan/memory_plan.h"

typedef struct analysis {
  genie_entry_plan_t *plan;
  const genie_weight_table_t *weights;
  const genie_codegen_code_t *code;
  int state_count;
  const MlirOperation *states;
  bool *has_pair;            // [step_count]: the kernel at a step writes one result over an operand, and no second
  int *state_buffers;        // [state_count]: of the states' memory, or -1 while this entry does not touch it
  MlirValue *state_updates;  // [state_count]: the last value, or null
} analysis_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static genie_status_t annotate(genie_status_t status, MlirOperation op) {
  if (status == GENIE_OK) {
    return status;
  }
  char place[256];
  genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(place), place);
  return genie_status_annotate(status, "%s", place);
}

//===-- Buffers ---------------------------------------------------------------------------------------------------===//

static genie_status_t add_buffer(genie_entry_plan_t *plan, genie_buffer_home_t home, int index, int place,
                                 MlirType type, int step, int *out_buffer) {
  if (plan->buffer_count == plan->buffer_capacity) {
    const int capacity = plan->buffer_capacity == 0 ? 128 : 2 * plan->buffer_capacity;
    void *buffers = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)capacity, sizeof(genie_buffer_t), &buffers));
    if (plan->buffer_count > 0) {
      memcpy(buffers, plan->buffers, (size_t)plan->buffer_count * sizeof(genie_buffer_t));
    }
    plan->buffers = buffers;
    plan->buffer_capacity = capacity;
  }
  genie_buffer_t *buffer = &plan->buffers[plan->buffer_count];
  *buffer = (genie_buffer_t){
      .home = home, .index = index, .place = place, .first = step, .last = step, .shared_with = -1, .elsewhere = -1};
  GENIE_RETURN_IF_ERROR(genie_size_table_bytes(&plan->sizes, type, &buffer->bytes));
  *out_buffer = plan->buffer_count++;
  return GENIE_OK;
}

static genie_status_t add_value(genie_entry_plan_t *plan, MlirValue value, genie_buffer_home_t home, int index,
                                int step) {
  int buffer = 0;
  GENIE_RETURN_IF_ERROR(
      add_buffer(plan, home, index, genie_ir_value_place(value), mlirValueGetType(value), step, &buffer));
  return genie_value_map_set(&plan->buffer_of, value, buffer);
}

int genie_entry_plan_buffer(const genie_entry_plan_t *plan, MlirValue value, int place) {
  int buffer = genie_value_map_get(&plan->buffer_of, value);
  while (buffer >= 0 && plan->buffers[buffer].home == GENIE_BUFFER_WEIGHT && plan->buffers[buffer].place != place) {
    buffer = plan->buffers[buffer].elsewhere;
  }
  return buffer;
}

// Weights get a buffer at each place on their first use there.
static genie_status_t add_weight(genie_entry_plan_t *plan, MlirValue value, int index, int place) {
  const int other = genie_value_map_get(&plan->buffer_of, value);
  int buffer = 0;
  GENIE_RETURN_IF_ERROR(add_buffer(plan, GENIE_BUFFER_WEIGHT, index, place, mlirValueGetType(value), 0, &buffer));
  plan->buffers[buffer].elsewhere = other;
  return genie_value_map_set(&plan->buffer_of, value, buffer);
}

// The buffer of a value that is read at `step` by an op at `place`.
static genie_status_t read_value(analysis_t *analysis, MlirOperation reader, MlirValue value, int place, int step,
                                 int *out_buffer) {
  genie_entry_plan_t *plan = analysis->plan;
  int buffer = genie_entry_plan_buffer(plan, value, place);
  if (buffer < 0) {
    const genie_weight_t *weight = genie_weight_table_find(analysis->weights, value);
    if (weight == NULL) {
      return annotate(genie_status_make(GENIE_STATUS_INTERNAL, "an operand has no memory"), reader);
    }
    GENIE_RETURN_IF_ERROR(add_weight(plan, value, (int)(weight - analysis->weights->weights), place));
    buffer = genie_entry_plan_buffer(plan, value, place);
  }
  if (plan->buffers[buffer].place != place) {
    return annotate(genie_status_make(GENIE_STATUS_INTERNAL, "an operand is at place %d, its reader at place %d",
                                      plan->buffers[buffer].place, place),
                    reader);
  }
  plan->buffers[buffer].last = step > plan->buffers[buffer].last ? step : plan->buffers[buffer].last;
  *out_buffer = buffer;
  return GENIE_OK;
}

int genie_entry_plan_root(const genie_entry_plan_t *plan, int buffer) {
  while (plan->buffers[buffer].shared_with >= 0) {
    buffer = plan->buffers[buffer].shared_with;
  }
  return buffer;
}

//===-- Reading the function --------------------------------------------------------------------------------------===//

static int find_state(const analysis_t *analysis, MlirStringRef name) {
  for (int i = 0; i < analysis->state_count; ++i) {
    const MlirAttribute symbol = mlirOperationGetAttributeByName(analysis->states[i], text_of("sym_name"));
    if (mlirStringRefEqual(mlirStringAttrGetValue(symbol), name)) {
      return i;
    }
  }
  return -1;
}

static genie_status_t require_state(const analysis_t *analysis, MlirOperation op, MlirStringRef name, int *out_state) {
  *out_state = find_state(analysis, name);
  return *out_state >= 0 ? GENIE_OK
                         : annotate(genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "state @%.*s does not exist",
                                                      (int)name.length, name.data),
                                    op);
}

static genie_status_t add_argument(analysis_t *analysis, intptr_t index) {
  genie_entry_plan_t *plan = analysis->plan;
  const MlirValue argument = mlirBlockGetArgument(plan->body, index);
  MlirStringRef name = {0};
  switch (genie_ir_argument_role(plan->function, index, &name)) {
    case GENIE_IR_ARGUMENT_INPUT:
      plan->input_arguments[plan->input_count] = index;
      return add_value(plan, argument, GENIE_BUFFER_INPUT, plan->input_count++, 0);
    case GENIE_IR_ARGUMENT_STATE: {
      int state = 0;
      GENIE_RETURN_IF_ERROR(require_state(analysis, plan->function, name, &state));
      GENIE_RETURN_IF_ERROR(add_value(plan, argument, GENIE_BUFFER_STATE, state, 0));
      analysis->state_buffers[state] = genie_value_map_get(&plan->buffer_of, argument);
      return GENIE_OK;
    }
    case GENIE_IR_ARGUMENT_WEIGHT:
      return GENIE_OK;
  }
  return GENIE_OK;
}

static genie_status_t add_kernel(analysis_t *analysis, MlirOperation op, int step) {
  int buffer = 0;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    GENIE_RETURN_IF_ERROR(read_value(analysis, op, mlirOperationGetOperand(op, i), genie_ir_place(op), step, &buffer));
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    GENIE_RETURN_IF_ERROR(
        annotate(add_value(analysis->plan, mlirOperationGetResult(op, i), GENIE_BUFFER_SLAB, 0, step), op));
  }
  return GENIE_OK;
}

// A reshape of a whole row-major tensor is another name for its memory.
static genie_status_t add_alias(analysis_t *analysis, MlirOperation op, int step) {
  int buffer = 0;
  GENIE_RETURN_IF_ERROR(read_value(analysis, op, mlirOperationGetOperand(op, 0), genie_ir_place(op), step, &buffer));
  return genie_value_map_set(&analysis->plan->buffer_of, mlirOperationGetResult(op, 0), buffer);
}

// The first op behind `op` in its block that reads `value` or another name of its memory; `steps` counts from `op`.
static int steps_to_reader(MlirOperation op, MlirValue value) {
  int steps = 1;
  for (MlirOperation next = mlirOperationGetNextInBlock(op); !mlirOperationIsNull(next);
       next = mlirOperationGetNextInBlock(next), ++steps) {
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(next); ++i) {
      if (!mlirValueEqual(mlirOperationGetOperand(next, i), value)) {
        continue;
      }
      return genie_op_is(next, "genie.reshape") ? steps + steps_to_reader(next, mlirOperationGetResult(next, 0))
                                                : steps;
    }
  }
  return steps - 1;
}

static genie_status_t add_transfer(analysis_t *analysis, MlirOperation op, int step) {
  genie_entry_plan_t *plan = analysis->plan;
  const MlirValue value = mlirOperationGetOperand(op, 0);
  const MlirValue result = mlirOperationGetResult(op, 0);
  genie_plan_crossing_t *crossing = &plan->crossings[plan->crossing_count++];
  *crossing =
      (genie_plan_crossing_t){.transfer = op, .send_step = step, .receive_step = step + steps_to_reader(op, result)};
  GENIE_RETURN_IF_ERROR(read_value(analysis, op, value, genie_ir_value_place(value), step, &crossing->source));
  GENIE_RETURN_IF_ERROR(add_value(plan, result, GENIE_BUFFER_SLAB, 0, crossing->receive_step));
  crossing->destination = genie_value_map_get(&plan->buffer_of, result);
  return GENIE_OK;
}

static genie_status_t add_state_update(analysis_t *analysis, MlirOperation op) {
  const MlirStringRef name = mlirFlatSymbolRefAttrGetValue(mlirOperationGetAttributeByName(op, text_of("state")));
  int state = 0;
  GENIE_RETURN_IF_ERROR(require_state(analysis, op, name, &state));
  analysis->state_updates[state] = mlirOperationGetOperand(op, 0);
  return GENIE_OK;
}

static genie_status_t add_return(analysis_t *analysis, MlirOperation op) {
  genie_entry_plan_t *plan = analysis->plan;
  plan->output_count = (int)mlirOperationGetNumOperands(op);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)plan->output_count + 1, sizeof(MlirType), &memory));
  plan->output_types = memory;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)plan->output_count + 1, sizeof(int), &memory));
  plan->output_buffers = memory;
  for (int i = 0; i < plan->output_count; ++i) {
    int buffer = 0;
    const MlirValue value = mlirOperationGetOperand(op, i);
    plan->output_types[i] = mlirValueGetType(value);
    GENIE_RETURN_IF_ERROR(read_value(analysis, op, value, genie_ir_value_place(value), plan->step_count, &buffer));
  }
  return GENIE_OK;
}

static genie_status_t add_op(analysis_t *analysis, MlirOperation op, int step) {
  const bool is_known = mlirOperationGetNumResults(op) > 0 &&
                        genie_weight_table_is_known(analysis->weights, mlirOperationGetResult(op, 0));
  if (is_known) {
    return GENIE_OK;
  }
  if (genie_op_is(op, "genie.kernel")) {
    return add_kernel(analysis, op, step);
  }
  if (genie_op_is(op, "genie.reshape")) {
    return add_alias(analysis, op, step);
  }
  if (genie_op_is(op, "genie.transfer")) {
    return add_transfer(analysis, op, step);
  }
  if (genie_op_is(op, "genie.state_update")) {
    return add_state_update(analysis, op);
  }
  if (genie_op_is(op, "func.return")) {
    return add_return(analysis, op);
  }
  const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
  return annotate(genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%.*s is in no kernel: this op has no code yet",
                                    (int)name.length, name.data),
                  op);
}

static genie_status_t read_function(analysis_t *analysis) {
  genie_entry_plan_t *plan = analysis->plan;
  const intptr_t argument_count = mlirBlockGetNumArguments(plan->body);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)argument_count + 1, sizeof(intptr_t), &memory));
  plan->input_arguments = memory;
  for (intptr_t i = 0; i < argument_count; ++i) {
    GENIE_RETURN_IF_ERROR(annotate(add_argument(analysis, i), plan->function));
  }
  int step = 1;
  for (MlirOperation op = mlirBlockGetFirstOperation(plan->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    GENIE_RETURN_IF_ERROR(add_op(analysis, op, step++));
  }
  return GENIE_OK;
}

//===-- Homes of results ------------------------------------------------------------------------------------------===//

static genie_status_t add_copy(genie_entry_plan_t *plan, int source, int destination) {
  if (plan->copy_count == plan->copy_capacity) {
    const int capacity = plan->copy_capacity == 0 ? 16 : 2 * plan->copy_capacity;
    void *copies = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)capacity, sizeof(genie_end_copy_t), &copies));
    if (plan->copy_count > 0) {
      memcpy(copies, plan->copies, (size_t)plan->copy_count * sizeof(genie_end_copy_t));
    }
    plan->copies = copies;
    plan->copy_capacity = capacity;
  }
  plan->buffers[source].last = plan->step_count;
  plan->copies[plan->copy_count++] = (genie_end_copy_t){source, destination};
  return GENIE_OK;
}

// True when the kernel whose result `value` is may write it over its operand in buffer `source`, given to it only once.
static bool can_take_over(const analysis_t *analysis, MlirValue value, int source) {
  const genie_entry_plan_t *plan = analysis->plan;
  const MlirOperation op = mlirOpResultGetOwner(value);
  const genie_code_launch_t *launch = genie_code_find_launch(analysis->code, op);
  if (launch == NULL) {
    return false;
  }
  const uint64_t mask = analysis->code->kernels[launch->kernel].in_place[mlirOpResultGetResultNumber(value)];
  int uses = 0;
  bool is_allowed = false;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const int buffer = genie_entry_plan_buffer(plan, mlirOperationGetOperand(op, i), genie_ir_place(op));
    if (genie_entry_plan_root(plan, buffer) == source) {
      ++uses;
      is_allowed = i < 64 && (mask >> i & 1) != 0;
    }
  }
  return uses == 1 && is_allowed;
}

static MlirValue skip_aliases(MlirValue value) {
  while (mlirValueIsAOpResult(value) && genie_op_is(mlirOpResultGetOwner(value), "genie.reshape")) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
  }
  return value;
}

// A kernel may write a state's new value where the old one is when nothing reads the old one later.
static bool can_update_in_place(const analysis_t *analysis, int state, MlirValue value) {
  const genie_entry_plan_t *plan = analysis->plan;
  const genie_buffer_t *result = &plan->buffers[genie_value_map_get(&plan->buffer_of, value)];
  const int old = analysis->state_buffers[state];
  if (result->home != GENIE_BUFFER_SLAB) {
    return false;
  }
  if (old < 0 || plan->buffers[old].last < result->first) {
    return true;
  }
  if (plan->buffers[old].last != result->first || analysis->has_pair[result->first] ||
      !can_take_over(analysis, skip_aliases(value), old)) {
    return false;
  }
  analysis->has_pair[result->first] = true;
  return true;
}

// The new value of one state: in place, nowhere (it is the old one), or copied at the end.
static genie_status_t place_state(analysis_t *analysis, int state, int *out_copy_source) {
  genie_entry_plan_t *plan = analysis->plan;
  const MlirValue value = analysis->state_updates[state];
  *out_copy_source = -1;
  if (mlirValueIsNull(value)) {
    return GENIE_OK;
  }
  int buffer = 0;
  GENIE_RETURN_IF_ERROR(
      read_value(analysis, plan->function, value, genie_ir_place(analysis->states[state]), 0, &buffer));
  const bool is_unchanged = plan->buffers[buffer].home == GENIE_BUFFER_STATE && plan->buffers[buffer].index == state;
  if (is_unchanged) {
    return GENIE_OK;
  }
  if (can_update_in_place(analysis, state, value)) {
    plan->buffers[buffer].home = GENIE_BUFFER_STATE;
    plan->buffers[buffer].index = state;
    return GENIE_OK;
  }
  plan->buffers[buffer].last = plan->step_count;
  *out_copy_source = buffer;
  return GENIE_OK;
}

// What is copied to a state from another state goes through a temporary, because that other may change as well.
static genie_status_t save_states(analysis_t *analysis, int *sources) {
  genie_entry_plan_t *plan = analysis->plan;
  for (int i = 0; i < analysis->state_count; ++i) {
    if (sources[i] < 0 || plan->buffers[sources[i]].home != GENIE_BUFFER_STATE) {
      continue;
    }
    int saved = 0;
    GENIE_RETURN_IF_ERROR(add_buffer(plan, GENIE_BUFFER_SLAB, 0, plan->buffers[sources[i]].place,
                                     mlirValueGetType(analysis->state_updates[i]), plan->step_count, &saved));
    GENIE_RETURN_IF_ERROR(add_copy(plan, sources[i], saved));
    sources[i] = saved;
  }
  return GENIE_OK;
}

static genie_status_t copy_states(analysis_t *analysis, const int *sources) {
  genie_entry_plan_t *plan = analysis->plan;
  for (int i = 0; i < analysis->state_count; ++i) {
    if (sources[i] < 0) {
      continue;
    }
    int memory = analysis->state_buffers[i];
    if (memory < 0) {
      GENIE_RETURN_IF_ERROR(add_buffer(plan, GENIE_BUFFER_STATE, i, plan->buffers[sources[i]].place,
                                       mlirValueGetType(analysis->state_updates[i]), 0, &memory));
    }
    GENIE_RETURN_IF_ERROR(add_copy(plan, sources[i], memory));
  }
  return GENIE_OK;
}

// An output is the memory of the value that is returned, unless that has a home already: then it is copied.
static genie_status_t place_outputs(genie_entry_plan_t *plan) {
  const MlirOperation terminator = mlirBlockGetTerminator(plan->body);
  for (int i = 0; i < plan->output_count; ++i) {
    const MlirValue value = mlirOperationGetOperand(terminator, i);
    const int buffer = genie_entry_plan_buffer(plan, value, genie_ir_value_place(value));
    if (plan->buffers[buffer].home == GENIE_BUFFER_SLAB) {
      plan->buffers[buffer].home = GENIE_BUFFER_OUTPUT;
      plan->buffers[buffer].index = i;
      plan->output_buffers[i] = buffer;
      continue;
    }
    GENIE_RETURN_IF_ERROR(add_buffer(plan, GENIE_BUFFER_OUTPUT, i, plan->buffers[buffer].place, plan->output_types[i],
                                     plan->step_count, &plan->output_buffers[i]));
    GENIE_RETURN_IF_ERROR(add_copy(plan, buffer, plan->output_buffers[i]));
  }
  return GENIE_OK;
}

// A state that is another's new value is read at the end of the call.
static void extend_exchanged_states(analysis_t *analysis) {
  genie_entry_plan_t *plan = analysis->plan;
  for (int i = 0; i < analysis->state_count; ++i) {
    const MlirValue value = analysis->state_updates[i];
    const int buffer = mlirValueIsNull(value) ? -1 : genie_value_map_get(&plan->buffer_of, value);
    if (buffer >= 0 && plan->buffers[buffer].home == GENIE_BUFFER_STATE && plan->buffers[buffer].index != i) {
      plan->buffers[buffer].last = plan->step_count;
    }
  }
}

static genie_status_t place_results(analysis_t *analysis) {
  genie_entry_plan_t *plan = analysis->plan;
  extend_exchanged_states(analysis);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(plan->arena, (size_t)analysis->state_count + 1, sizeof(int), &memory));
  int *sources = memory;
  for (int i = 0; i < analysis->state_count; ++i) {
    GENIE_RETURN_IF_ERROR(place_state(analysis, i, &sources[i]));
  }
  GENIE_RETURN_IF_ERROR(place_outputs(plan));
  GENIE_RETURN_IF_ERROR(save_states(analysis, sources));
  return copy_states(analysis, sources);
}

//===-- Reuse -----------------------------------------------------------------------------------------------------===//

// Lets a result of `op` take over the memory of an operand that nothing reads later. One a launch: what a kernel allows
// for one result, it allows with all others apart.
static void reuse_operands(analysis_t *analysis, MlirOperation op, int step) {
  genie_entry_plan_t *plan = analysis->plan;
  for (intptr_t r = 0; r < mlirOperationGetNumResults(op) && !analysis->has_pair[step]; ++r) {
    const MlirValue value = mlirOperationGetResult(op, r);
    const int result = genie_value_map_get(&plan->buffer_of, value);
    if (plan->buffers[result].home != GENIE_BUFFER_SLAB && plan->buffers[result].home != GENIE_BUFFER_OUTPUT) {
      continue;
    }
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
      const int source = genie_entry_plan_root(
          plan, genie_entry_plan_buffer(plan, mlirOperationGetOperand(op, i), genie_ir_place(op)));
      genie_buffer_t *from = &plan->buffers[source];
      genie_buffer_t *to = &plan->buffers[result];
      if (from->home != GENIE_BUFFER_SLAB || from->last != step || from->bytes != to->bytes ||
          !can_take_over(analysis, value, source)) {
        continue;
      }
      from->home = to->home;
      from->index = to->index;
      from->last = to->last;
      to->shared_with = source;
      analysis->has_pair[step] = true;
      return;
    }
  }
}

static bool is_in_slab(const genie_buffer_t *buffer, int place) {
  return buffer->home == GENIE_BUFFER_SLAB && buffer->place == place && buffer->shared_with < 0;
}

static genie_status_t plan_slab(genie_entry_plan_t *plan, int place) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(plan->arena, (size_t)plan->buffer_count + 1, sizeof(genie_memory_range_t), &memory));
  genie_memory_range_t *ranges = memory;
  int count = 0;
  for (int i = 0; i < plan->buffer_count; ++i) {
    const genie_buffer_t *buffer = &plan->buffers[i];
    if (is_in_slab(buffer, place)) {
      ranges[count++] = (genie_memory_range_t){.size_bytes = (uint64_t)plan->sizes.nodes[buffer->bytes].range.maximum,
                                               .first = buffer->first,
                                               .last = buffer->last};
    }
  }
  GENIE_RETURN_IF_ERROR(genie_memory_plan(plan->arena, count, ranges, &plan->slab_bytes[place]));
  count = 0;
  for (int i = 0; i < plan->buffer_count; ++i) {
    if (is_in_slab(&plan->buffers[i], place)) {
      plan->buffers[i].offset = ranges[count++].offset;
    }
  }
  return GENIE_OK;
}

static genie_status_t plan_slabs(genie_entry_plan_t *plan) {
  const MlirModule module = mlirModuleFromOperation(mlirOperationGetParentOperation(plan->function));
  for (int place = 0; place < genie_ir_place_count(module); ++place) {
    GENIE_RETURN_IF_ERROR(plan_slab(plan, place));
  }
  return GENIE_OK;
}

static void sum_temporaries(genie_entry_plan_t *plan) {
  for (int i = 0; i < plan->buffer_count; ++i) {
    const genie_buffer_t *buffer = &plan->buffers[i];
    if (buffer->home == GENIE_BUFFER_SLAB) {
      plan->sum_bytes[buffer->place] += ((uint64_t)plan->sizes.nodes[buffer->bytes].range.maximum + 63) & ~63ull;
    }
  }
}

static void reuse_memory(analysis_t *analysis) {
  int step = 1;
  for (MlirOperation op = mlirBlockGetFirstOperation(analysis->plan->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op), ++step) {
    if (genie_op_is(op, "genie.kernel")) {
      reuse_operands(analysis, op, step);
    }
  }
}

static genie_status_t allocate_states(analysis_t *analysis) {
  void *memory = NULL;
  const size_t count = (size_t)analysis->state_count + 1;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(analysis->plan->arena, count, sizeof(int), &memory));
  analysis->state_buffers = memory;
  memset(analysis->state_buffers, 0xff, count * sizeof(int));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(analysis->plan->arena, count, sizeof(MlirValue), &memory));
  analysis->state_updates = memory;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(analysis->plan->arena, (size_t)analysis->plan->step_count + 1, sizeof(bool), &memory));
  analysis->has_pair = memory;
  return GENIE_OK;
}

genie_status_t genie_entry_plan_make(genie_arena_t *arena, MlirOperation function, const genie_weight_table_t *weights,
                                     const genie_codegen_code_t *code, int state_count, const MlirOperation *states,
                                     genie_entry_plan_t *out_plan) {
  *out_plan = (genie_entry_plan_t){.function = function, .arena = arena};
  out_plan->body = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
  for (MlirOperation op = mlirBlockGetFirstOperation(out_plan->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    ++out_plan->step_count;
  }
  ++out_plan->step_count;
  void *crossings = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)out_plan->step_count, sizeof(genie_plan_crossing_t), &crossings));
  out_plan->crossings = crossings;
  genie_size_table_init(arena, function, &out_plan->sizes);
  genie_value_map_init(arena, &out_plan->buffer_of);
  analysis_t analysis = {
      .plan = out_plan, .weights = weights, .code = code, .state_count = state_count, .states = states};
  GENIE_RETURN_IF_ERROR(allocate_states(&analysis));
  GENIE_RETURN_IF_ERROR(read_function(&analysis));
  GENIE_RETURN_IF_ERROR(place_results(&analysis));
  sum_temporaries(out_plan);
  reuse_memory(&analysis);
  return plan_slabs(out_plan);
}
