// relay: in a semantics-blind plan, what one part makes for another goes back to the client first, and from there to
// where it is read, also when that is the same device.
#include "ir/place.h"
#include "passes/graph/rewrite.h"
#include "passes/transfer/transfer_name.h"

typedef struct relay {
  MlirModule module;
  MlirContext context;
  MlirOperation function;
  MlirBlock body;
  int client;
  genie_arena_t arena;
  genie_op_list_t list;
} relay_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static bool is_transfer(MlirOperation op) {
  return genie_op_is(op, "genie.transfer");
}

// A genie.transfer of `value` to `place`, right behind its definer or at the head of the body.
static genie_status_t send(relay_t *relay, MlirValue value, int place, MlirValue *out_copy) {
  const MlirOperation definer = genie_rewrite_definer(value);
  const bool is_argument = mlirOperationIsNull(definer);
  const MlirOperation first = mlirBlockGetFirstOperation(relay->body);
  const genie_ir_builder_t builder = {.context = relay->context,
                                      .block = relay->body,
                                      .before = is_argument ? first : mlirOperationGetNextInBlock(definer),
                                      .location = mlirOperationGetLocation(is_argument ? first : definer)};
  const genie_ir_attribute_t attribute = {"place",
                                          mlirStringAttrGet(relay->context, genie_ir_place_name(relay->module, place))};
  MlirOperation transfer;
  GENIE_RETURN_IF_ERROR(genie_ir_build(&builder, "genie.transfer", 1, &value, 1, &attribute, &transfer));
  if (!is_argument) {
    genie_rewrite_copy_annotations(definer, transfer);
  }
  genie_ir_set_place(transfer, place);
  mlirOperationSetDiscardableAttributeByName(
      transfer, text_of("genie.reason"),
      genie_ir_string_attr(relay->context, place == relay->client ? "a blind system's results go back to its client"
                                                                  : "a blind system's client hands it on"));
  *out_copy = genie_rewrite_result(transfer);
  return genie_transfer_name(relay->function, value, transfer);
}

// A transfer between two devices becomes one to the client and one from it.
static genie_status_t relay_transfer(relay_t *relay, MlirOperation transfer) {
  const MlirValue value = mlirOperationGetOperand(transfer, 0);
  if (genie_ir_value_place(value) == relay->client || genie_ir_place(transfer) == relay->client) {
    return GENIE_OK;
  }
  MlirValue at_client;
  GENIE_RETURN_IF_ERROR(send(relay, value, relay->client, &at_client));
  mlirOperationSetOperand(transfer, 0, at_client);
  return GENIE_OK;
}

static bool has_part(MlirOperation op) {
  return genie_ir_has(op, "genie.part");
}

// The part that reads what a view shows: that of its first reader.
static MlirOperation reader_of(MlirOperation op) {
  while (genie_rewrite_is_view(op)) {
    const MlirOpOperand use = mlirValueGetFirstUse(genie_rewrite_result(op));
    if (mlirOpOperandIsNull(use)) {
      break;
    }
    op = mlirOpOperandGetOwner(use);
  }
  return op;
}

// What `op` makes and another part on the same device reads comes back by way of the client.
static genie_status_t relay_result(relay_t *relay, MlirOperation op, MlirValue value) {
  MlirValue back = {NULL};
  MlirOpOperand next;
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = next) {
    next = mlirOpOperandGetNextUse(use);
    const MlirOperation owner = mlirOpOperandGetOwner(use);
    const MlirOperation reader = reader_of(owner);
    if (is_transfer(owner) || !has_part(reader) || genie_ir_place(reader) != genie_ir_place(op) ||
        genie_ir_i64(reader, "genie.part") == genie_ir_i64(op, "genie.part")) {
      continue;
    }
    if (mlirValueIsNull(back)) {
      MlirValue at_client;
      GENIE_RETURN_IF_ERROR(send(relay, value, relay->client, &at_client));
      GENIE_RETURN_IF_ERROR(send(relay, at_client, genie_ir_place(op), &back));
    }
    mlirOperationSetOperand(owner, mlirOpOperandGetOperandNumber(use), back);
  }
  return GENIE_OK;
}

static genie_status_t run(relay_t *relay) {
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(relay->body, &relay->arena, &relay->list));
  for (int i = 0; i < relay->list.count; ++i) {
    const MlirOperation op = relay->list.ops[i];
    if (is_transfer(op)) {
      GENIE_RETURN_IF_ERROR(relay_transfer(relay, op));
    } else if (has_part(op) && genie_ir_place(op) != relay->client && !genie_rewrite_is_view(op)) {
      for (intptr_t r = 0; r < mlirOperationGetNumResults(op); ++r) {
        GENIE_RETURN_IF_ERROR(relay_result(relay, op, mlirOperationGetResult(op, r)));
      }
    }
  }
  for (MlirOperation op = mlirBlockGetFirstOperation(relay->body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    mlirOperationRemoveDiscardableAttributeByName(op, text_of("genie.part"));
  }
  return genie_rewrite_sort(relay->body);
}

static genie_status_t relay_in_function(const genie_pass_context_t *context, MlirOperation function) {
  relay_t relay = {.module = mlirModuleFromOperation(mlirOperationGetParentOperation(function)),
                   .context = context->context,
                   .function = function,
                   .body = genie_rewrite_body(function)};
  const MlirAttribute mode =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(relay.module), text_of("genie.semantics"));
  if (mlirAttributeIsNull(mode)) {
    return GENIE_OK;
  }
  relay.client = genie_ir_place_count(relay.module) - 1;
  genie_arena_init(genie_allocator_heap(), 0, &relay.arena);
  const genie_status_t status = run(&relay);
  genie_arena_deinit(&relay.arena);
  return status;
}

genie_status_t genie_pass_relay(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, relay_in_function);
}
