// place-blind: where a semantics-blind system would run each op, where the module asks for it by `genie.semantics`.
//
// Such a system sees calls of modules, as a user of remote procedure calls makes them: the children of the root module
// are the *parts* (`genie.part`). Consecutive parts fill the devices in proportion to their memory, and nothing else is
// known of them. What is at the root between them, unless it is heavy, runs at the client, which is the last place;
// results come back to it (pass relay).
//   "handle": weights and states stay on the devices.
//   "delta":  states change with every call, so they come from the client and go back to it.
//   "off":    weights come from the client with every call as well.
#include <mlir-c/Dialect/Func.h>
#include <string.h>

#include "ir/place.h"
#include "passes/cost/cost_model.h"
#include "passes/graph/rewrite.h"
#include "runtime/base/string_builder.h"

enum { MAX_PARTS = 4096 };

typedef struct part {
  MlirStringRef name;
  double resident_bytes;
} part_t;

typedef struct blind {
  MlirModule module;
  MlirContext context;
  bool ships_state, ships_weights;
  int client;
  genie_cost_machine_t machine;
  genie_arena_t arena;
  part_t parts[MAX_PARTS];
  int part_count;
} blind_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

// The child of the root module that an op belongs to; empty at the root.
static MlirStringRef part_name(MlirOperation op) {
  const MlirAttribute module = mlirOperationGetAttributeByName(op, text_of("genie.module"));
  if (mlirAttributeIsNull(module) || !mlirAttributeIsAString(module)) {
    return mlirStringRefCreate("", 0);
  }
  const MlirStringRef path = mlirStringAttrGetValue(module);
  size_t length = 0;
  while (length < path.length && path.data[length] != '.' && path.data[length] != ':') {
    ++length;
  }
  return mlirStringRefCreate(path.data, length);
}

static bool computes(MlirOperation op) {
  return genie_op_info_get(op) != NULL && mlirOperationGetNumResults(op) > 0 &&
         !genie_ir_is_compile_time(mlirOperationGetResult(op, 0));
}

static bool is_heavy(MlirOperation op) {
  const genie_cost_work_t work = genie_cost_work_of(op);
  return (work.class != GENIE_COST_CLASS_MOVE && work.class != GENIE_COST_CLASS_ROW) || work.weight_bytes > 0;
}

static genie_status_t find_part(blind_t *blind, MlirStringRef name, int *out_part) {
  for (int i = 0; i < blind->part_count; ++i) {
    if (mlirStringRefEqual(blind->parts[i].name, name)) {
      *out_part = i;
      return GENIE_OK;
    }
  }
  if (blind->part_count == MAX_PARTS) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d parts of a model", MAX_PARTS);
  }
  blind->parts[blind->part_count] = (part_t){.name = name};
  *out_part = blind->part_count++;
  return GENIE_OK;
}

// What of its operands lies in memory whatever the call: weights, and what follows from them.
static double resident_bytes(MlirOperation function, MlirOperation op) {
  double bytes = 0;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    bytes += genie_ir_is_compile_time(operand) ? genie_value_maximum_bytes(function, operand) : 0;
  }
  return bytes;
}

static void set_i64(MlirOperation op, const char *name, int64_t value) {
  mlirOperationSetDiscardableAttributeByName(op, text_of(name), genie_ir_i64_attr(mlirOperationGetContext(op), value));
}

// Numbers the parts in the order of their first ops and sums up what they hold.
static genie_status_t find_parts(blind_t *blind, MlirOperation function, const genie_op_list_t *list) {
  for (int i = 0; i < list->count; ++i) {
    const MlirOperation op = list->ops[i];
    if (!computes(op)) {
      continue;
    }
    const MlirStringRef name = part_name(op);
    int part = -1;
    if (name.length > 0 || is_heavy(op)) {
      GENIE_RETURN_IF_ERROR(find_part(blind, name, &part));
      blind->parts[part].resident_bytes += resident_bytes(function, op);
    }
    set_i64(op, "genie.part", part);
  }
  return GENIE_OK;
}

// The device in whose share of all memory the middle of a part lies, parts standing one after another.
static int device_of(const blind_t *blind, int part) {
  double all = 0;
  double before = 0;
  for (int i = 0; i < blind->part_count; ++i) {
    all += blind->parts[i].resident_bytes + 1;
    before += i < part ? blind->parts[i].resident_bytes + 1 : 0;
  }
  const double middle = (before + (blind->parts[part].resident_bytes + 1) / 2) / all;
  double memory = 0;
  for (int d = 0; d < blind->client; ++d) {
    memory += (double)blind->machine.places[d].memory_bytes;
  }
  double share = 0;
  for (int d = 0; d < blind->client; ++d) {
    share += (double)blind->machine.places[d].memory_bytes / memory;
    if (middle < share) {
      return d;
    }
  }
  return blind->client - 1;
}

static genie_status_t place_function(blind_t *blind, MlirOperation function) {
  genie_op_list_t list;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(function), &blind->arena, &list));
  blind->part_count = 0;
  GENIE_RETURN_IF_ERROR(find_parts(blind, function, &list));
  for (int i = 0; i < list.count; ++i) {
    if (computes(list.ops[i])) {
      const int part = (int)genie_ir_i64(list.ops[i], "genie.part");
      genie_ir_set_place(list.ops[i], part < 0 ? blind->client : device_of(blind, part));
    }
  }
  return GENIE_OK;
}

//===-- What is shipped -------------------------------------------------------------------------------------------===//

// The argument, a weight until now, holds the state `symbol`.
static genie_status_t make_state_argument(blind_t *blind, MlirOperation function, intptr_t argument,
                                          MlirStringRef symbol) {
  const MlirAttribute all = mlirOperationGetAttributeByName(function, text_of("arg_attrs"));
  const intptr_t count = mlirArrayAttrGetNumElements(all);
  MlirAttribute *rows;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&blind->arena, (size_t)count, sizeof(*rows), (void **)&rows));
  for (intptr_t i = 0; i < count; ++i) {
    rows[i] = mlirArrayAttrGetElement(all, i);
  }
  const MlirNamedAttribute state = mlirNamedAttributeGet(mlirIdentifierGet(blind->context, text_of("genie.state")),
                                                         mlirFlatSymbolRefAttrGet(blind->context, symbol));
  rows[argument] = mlirDictionaryAttrGet(blind->context, 1, &state);
  mlirOperationSetAttributeByName(function, text_of("arg_attrs"), mlirArrayAttrGet(blind->context, count, rows));
  return GENIE_OK;
}

// A weight that comes from the client: a state there, which begins as the weight and is never written.
static genie_status_t ship_weight(blind_t *blind, MlirOperation function, intptr_t argument, MlirStringRef name) {
  const MlirValue value = mlirBlockGetArgument(genie_rewrite_body(function), argument);
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_string_builder_format(&text, "shipped.%.*s", (int)name.length, name.data);
  genie_status_t status = genie_string_builder_status(&text);
  if (status == GENIE_OK) {
    const MlirStringRef symbol = text_of(genie_string_builder_get(&text));
    const MlirSymbolTable table = mlirSymbolTableCreate(mlirModuleGetOperation(blind->module));
    if (mlirOperationIsNull(mlirSymbolTableLookup(table, symbol))) {
      const MlirNamedAttribute attributes[] = {
          mlirNamedAttributeGet(mlirIdentifierGet(blind->context, text_of("sym_name")),
                                mlirStringAttrGet(blind->context, symbol)),
          mlirNamedAttributeGet(mlirIdentifierGet(blind->context, text_of("type")),
                                mlirTypeAttrGet(mlirValueGetType(value))),
          mlirNamedAttributeGet(mlirIdentifierGet(blind->context, text_of("initial")),
                                mlirFlatSymbolRefAttrGet(blind->context, name)),
      };
      MlirOperationState state = mlirOperationStateGet(text_of("genie.state"), mlirOperationGetLocation(function));
      mlirOperationStateAddAttributes(&state, 3, attributes);
      const MlirOperation op = mlirOperationCreate(&state);
      genie_ir_set_place(op, blind->client);
      mlirBlockAppendOwnedOperation(mlirModuleGetBody(blind->module), op);
    }
    mlirSymbolTableDestroy(table);
    status = make_state_argument(blind, function, argument, symbol);
  }
  genie_string_builder_deinit(&text);
  return status;
}

static genie_status_t ship(blind_t *blind, MlirOperation function) {
  const MlirBlock body = genie_rewrite_body(function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    const genie_ir_argument_role_t role = genie_ir_argument_role(function, i, &name);
    if (role == GENIE_IR_ARGUMENT_WEIGHT && blind->ships_weights) {
      GENIE_RETURN_IF_ERROR(ship_weight(blind, function, i, name));
    }
  }
  return GENIE_OK;
}

static void keep_states_at_client(blind_t *blind) {
  for (MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(blind->module)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.state") && blind->ships_state) {
      genie_ir_set_place(op, blind->client);
    }
  }
}

//===-- The pass --------------------------------------------------------------------------------------------------===//

static genie_status_t read_mode(blind_t *blind, bool *out_is_blind) {
  const MlirAttribute mode =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(blind->module), text_of("genie.semantics"));
  *out_is_blind = !mlirAttributeIsNull(mode);
  if (!*out_is_blind) {
    return GENIE_OK;
  }
  const MlirStringRef text = mlirAttributeIsAString(mode) ? mlirStringAttrGetValue(mode) : text_of("");
  blind->ships_weights = mlirStringRefEqual(text, text_of("off"));
  blind->ships_state = blind->ships_weights || mlirStringRefEqual(text, text_of("delta"));
  if (!blind->ships_state && !mlirStringRefEqual(text, text_of("handle"))) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "'genie.semantics' must be \"off\", \"delta\" or \"handle\"");
  }
  return GENIE_OK;
}

static genie_status_t place_blindly(blind_t *blind) {
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(blind->module, &blind->machine));
  blind->client = blind->machine.place_count - 1;
  if (blind->client < 1) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "'genie.semantics' needs a device and, as the last place, the client");
  }
  for (MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(blind->module)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      GENIE_RETURN_IF_ERROR(place_function(blind, op));
      GENIE_RETURN_IF_ERROR(ship(blind, op));
    }
  }
  keep_states_at_client(blind);
  return GENIE_OK;
}

genie_status_t genie_pass_place_blind(const genie_pass_context_t *context, MlirModule module) {
  blind_t *blind = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof(*blind), (void **)&blind));
  blind->module = module;
  blind->context = context->context;
  genie_arena_init(genie_allocator_heap(), 0, &blind->arena);
  bool is_blind;
  genie_status_t status = read_mode(blind, &is_blind);
  if (status == GENIE_OK && is_blind) {
    status = place_blindly(blind);
  }
  genie_arena_deinit(&blind->arena);
  genie_allocator_free(genie_allocator_heap(), blind);
  return status;
}
