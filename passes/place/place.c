// place: every op, input and state has a place of `genie.places`.
//
// An op that a rule names is where the rule says, and one that has a place stays there. Of the others, one that reads
// placed values is where most of them are; what follows from inputs and weights alone is where its first reader is, or
// at the first place where nothing decides. A state is where its new value is made, an input where
// it is first read. Places that get nothing are left out of `genie.places`.
//
// `genie.place_split = [seed, count]` cuts each entry at random into `count` parts instead: for tests, which compare
// what all cuts of a model compute.
#include "ir/place.h"

#include <string.h>

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"
#include "passes/place/place_rules.h"

enum { NO_PLACE = -1, FLOATING = -2, MAX_STATES = 4096 };

typedef struct function_ops {
  MlirOperation function;
  genie_op_list_t list;
  genie_pointer_map_t index_of;
  int *places;  // [list.count], or NO_PLACE or FLOATING
} function_ops_t;

typedef struct placer {
  MlirModule module;
  genie_arena_t arena;
  genie_place_rules_t rules;
  int place_count;
  uint64_t split_seed;
  int split_count;  // 0: by rules
  MlirOperation states[MAX_STATES];
  int state_places[MAX_STATES];
  int state_count;
  function_ops_t *functions;
  int function_count;
} placer_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

//===-- Reading the module ----------------------------------------------------------------------------------------===//

static genie_status_t read_split(placer_t *placer) {
  const MlirAttribute split =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(placer->module), text_of("genie.place_split"));
  if (mlirAttributeIsNull(split)) {
    return GENIE_OK;
  }
  if (!mlirAttributeIsADenseI64Array(split) || mlirDenseArrayGetNumElements(split) != 2 ||
      mlirDenseI64ArrayGetElement(split, 1) < 1 || mlirDenseI64ArrayGetElement(split, 1) > placer->place_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "'genie.place_split' must be a seed and how many of the %d places to use",
                             placer->place_count);
  }
  placer->split_seed = (uint64_t)mlirDenseI64ArrayGetElement(split, 0);
  placer->split_count = (int)mlirDenseI64ArrayGetElement(split, 1);
  return GENIE_OK;
}

static genie_status_t add_function(placer_t *placer, MlirOperation function) {
  function_ops_t *f = &placer->functions[placer->function_count++];
  f->function = function;
  genie_pointer_map_init(&f->index_of);
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(function), &placer->arena, &f->list));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&placer->arena, (size_t)f->list.count, sizeof(int), (void **)&f->places));
  for (int i = 0; i < f->list.count; ++i) {
    f->places[i] = NO_PLACE;
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&f->index_of, f->list.ops[i].ptr, i));
  }
  return GENIE_OK;
}

static genie_status_t read_module(placer_t *placer) {
  placer->place_count = genie_ir_place_count(placer->module);
  GENIE_RETURN_IF_ERROR(genie_place_rules_read(placer->module, &placer->arena, &placer->rules));
  GENIE_RETURN_IF_ERROR(read_split(placer));
  const MlirOperation first = mlirBlockGetFirstOperation(mlirModuleGetBody(placer->module));
  int count = 0;
  for (MlirOperation op = first; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    count += genie_op_is(op, "func.func");
  }
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&placer->arena, (size_t)count + 1, sizeof(*placer->functions), (void **)&placer->functions));
  for (MlirOperation op = first; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      GENIE_RETURN_IF_ERROR(add_function(placer, op));
    } else if (genie_op_is(op, "genie.state")) {
      if (placer->state_count == MAX_STATES) {
        return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d states", MAX_STATES);
      }
      placer->state_places[placer->state_count] = genie_ir_has_place(op) ? genie_ir_place(op) : NO_PLACE;
      placer->states[placer->state_count++] = op;
    }
  }
  return GENIE_OK;
}

//===-- States ----------------------------------------------------------------------------------------------------===//

static int find_state(const placer_t *placer, MlirStringRef name) {
  for (int i = 0; i < placer->state_count; ++i) {
    const MlirAttribute symbol = mlirOperationGetAttributeByName(placer->states[i], text_of("sym_name"));
    if (mlirStringRefEqual(mlirStringAttrGetValue(symbol), name)) {
      return i;
    }
  }
  return -1;
}

static int state_of_update(const placer_t *placer, MlirOperation op) {
  return find_state(placer, mlirFlatSymbolRefAttrGetValue(mlirOperationGetAttributeByName(op, text_of("state"))));
}

// The state that a function's argument is; -1 for an input or weight.
static int state_of_argument(const placer_t *placer, MlirOperation function, MlirValue value) {
  MlirStringRef name;
  const intptr_t index = mlirBlockArgumentGetArgNumber(value);
  return genie_ir_argument_role(function, index, &name) == GENIE_IR_ARGUMENT_STATE ? find_state(placer, name) : -1;
}

static int place_of_definer(const function_ops_t *f, MlirValue value) {
  const MlirOperation op = genie_rewrite_definer(value);
  const int index = mlirOperationIsNull(op) ? -1 : genie_pointer_map_get(&f->index_of, op.ptr);
  return index < 0 ? NO_PLACE : f->places[index];
}

// The place of the reader of `value` that comes first in the block and has one.
static int place_of_first_reader(const function_ops_t *f, MlirValue value) {
  int first = f->list.count;
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const int index = genie_pointer_map_get(&f->index_of, mlirOpOperandGetOwner(use).ptr);
    if (index >= 0 && index < first && f->places[index] >= 0) {
      first = index;
    }
  }
  return first == f->list.count ? NO_PLACE : f->places[first];
}

// Gives a place to each state that this function's placed ops make or read and that has none yet.
static void place_states(placer_t *placer, const function_ops_t *f) {
  for (int i = 0; i < f->list.count; ++i) {
    if (genie_op_is(f->list.ops[i], "genie.state_update")) {
      const int state = state_of_update(placer, f->list.ops[i]);
      const int place = place_of_definer(f, genie_rewrite_view_root(mlirOperationGetOperand(f->list.ops[i], 0)));
      if (state >= 0 && placer->state_places[state] == NO_PLACE && place >= 0) {
        placer->state_places[state] = place;
      }
    }
  }
  const MlirBlock body = genie_rewrite_body(f->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    const int state = state_of_argument(placer, f->function, mlirBlockGetArgument(body, i));
    const int place = place_of_first_reader(f, mlirBlockGetArgument(body, i));
    if (state >= 0 && placer->state_places[state] == NO_PLACE && place >= 0) {
      placer->state_places[state] = place;
    }
  }
}

//===-- Ops -------------------------------------------------------------------------------------------------------===//

// splitmix64
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void split_function(const placer_t *placer, const function_ops_t *f, uint64_t *random) {
  int cuts[GENIE_IR_MAX_PLACES];
  for (int i = 0; i < placer->split_count - 1; ++i) {
    cuts[i] = (int)(next_random(random) % (uint64_t)f->list.count);
  }
  for (int i = 0; i < f->list.count; ++i) {
    f->places[i] = 0;
    for (int cut = 0; cut < placer->split_count - 1; ++cut) {
      f->places[i] += i > cuts[cut];
    }
  }
}

static bool is_structure(MlirOperation op) {
  return genie_op_is(op, "genie.state_update") || genie_op_info_get(op) == NULL;
}

static void apply_rules(placer_t *placer, const function_ops_t *f) {
  for (int i = 0; i < f->list.count; ++i) {
    const MlirOperation op = f->list.ops[i];
    if (is_structure(op)) {
      continue;
    }
    f->places[i] = genie_place_rules_match(&placer->rules, op);
    if (f->places[i] == NO_PLACE && genie_ir_has_place(op)) {
      f->places[i] = genie_ir_place(op);
    }
  }
}

typedef struct votes {
  int of_place[GENIE_IR_MAX_PLACES];
} votes_t;

static votes_t count_votes(const placer_t *placer, const function_ops_t *f, MlirOperation op) {
  votes_t votes = {0};
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    int place = place_of_definer(f, operand);
    if (mlirValueIsABlockArgument(operand)) {
      const int state = state_of_argument(placer, f->function, operand);
      place = state >= 0 ? placer->state_places[state] : NO_PLACE;
    }
    if (place >= 0) {
      ++votes.of_place[place];
    }
  }
  return votes;
}

static int majority_of(const placer_t *placer, const votes_t *votes) {
  int best = NO_PLACE;
  for (int i = 0; i < placer->place_count; ++i) {
    if (votes->of_place[i] > 0 && (best == NO_PLACE || votes->of_place[i] > votes->of_place[best])) {
      best = i;
    }
  }
  return best;
}

// Ops that no rule names, in order: their operands have places.
static void follow_operands(const placer_t *placer, const function_ops_t *f) {
  for (int i = 0; i < f->list.count; ++i) {
    const MlirOperation op = f->list.ops[i];
    if (f->places[i] != NO_PLACE || is_structure(op)) {
      continue;
    }
    const votes_t votes = count_votes(placer, f, op);
    f->places[i] = majority_of(placer, &votes);
    f->places[i] = f->places[i] == NO_PLACE ? FLOATING : f->places[i];
  }
}

// What is left, last first: its readers have places.
static void follow_readers(const function_ops_t *f) {
  for (int i = f->list.count - 1; i >= 0; --i) {
    if (f->places[i] != FLOATING) {
      continue;
    }
    int place = NO_PLACE;
    for (intptr_t r = 0; r < mlirOperationGetNumResults(f->list.ops[i]) && place == NO_PLACE; ++r) {
      place = place_of_first_reader(f, mlirOperationGetResult(f->list.ops[i], r));
    }
    f->places[i] = place == NO_PLACE ? 0 : place;
  }
}

//===-- Results ---------------------------------------------------------------------------------------------------===//

static void write_ops(const placer_t *placer, const function_ops_t *f) {
  for (int i = 0; i < f->list.count; ++i) {
    const MlirOperation op = f->list.ops[i];
    if (genie_op_is(op, "genie.state_update")) {
      const int state = state_of_update(placer, op);
      f->places[i] = state < 0 ? 0 : placer->state_places[state];
    }
    if (genie_op_info_get(op) != NULL) {
      genie_ir_set_place(op, f->places[i]);
    }
  }
}

static void write_arguments(const placer_t *placer, const function_ops_t *f) {
  const MlirBlock body = genie_rewrite_body(f->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    const MlirValue argument = mlirBlockGetArgument(body, i);
    if (genie_ir_argument_role(f->function, i, &name) == GENIE_IR_ARGUMENT_WEIGHT) {
      continue;
    }
    const int state = state_of_argument(placer, f->function, argument);
    const int place = state >= 0 ? placer->state_places[state] : place_of_first_reader(f, argument);
    genie_ir_set_argument_place(f->function, i, place < 0 ? 0 : place);
  }
}

static void place_function(placer_t *placer, const function_ops_t *f) {
  follow_operands(placer, f);
  follow_readers(f);
  place_states(placer, f);
}

static void finish_states(placer_t *placer) {
  for (int i = 0; i < placer->state_count; ++i) {
    placer->state_places[i] = placer->state_places[i] < 0 ? 0 : placer->state_places[i];
    genie_ir_set_place(placer->states[i], placer->state_places[i]);
  }
}

static genie_status_t place_all(placer_t *placer) {
  uint64_t random = placer->split_seed;
  for (int i = 0; i < placer->function_count; ++i) {
    if (placer->split_count > 0) {
      split_function(placer, &placer->functions[i], &random);
    } else {
      apply_rules(placer, &placer->functions[i]);
    }
  }
  GENIE_RETURN_IF_ERROR(genie_place_rules_check(&placer->rules, placer->module));
  for (int i = 0; i < placer->function_count; ++i) {
    place_states(placer, &placer->functions[i]);
  }
  for (int i = 0; i < placer->function_count; ++i) {
    place_function(placer, &placer->functions[i]);
  }
  finish_states(placer);
  for (int i = 0; i < placer->function_count; ++i) {
    write_ops(placer, &placer->functions[i]);
    write_arguments(placer, &placer->functions[i]);
  }
  return GENIE_OK;
}

genie_status_t genie_pass_place(const genie_pass_context_t *context, MlirModule module) {
  (void)context;
  const MlirOperation top = mlirModuleGetOperation(module);
  if (mlirAttributeIsNull(mlirOperationGetAttributeByName(top, text_of("genie.places")))) {
    return GENIE_OK;
  }
  placer_t *placer = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof(*placer), (void **)&placer));
  placer->module = module;
  genie_arena_init(genie_allocator_heap(), 0, &placer->arena);
  genie_status_t status = read_module(placer);
  if (status == GENIE_OK) {
    status = place_all(placer);
  }
  for (int i = 0; i < placer->function_count; ++i) {
    genie_pointer_map_deinit(&placer->functions[i].index_of);
  }
  genie_arena_deinit(&placer->arena);
  genie_allocator_free(genie_allocator_heap(), placer);
  mlirOperationRemoveAttributeByName(top, text_of("genie.place_rules"));
  mlirOperationRemoveAttributeByName(top, text_of("genie.place_split"));
  return status;
}
