// transfer: what crosses from one place to another does so by a genie.transfer, once a value and place.
//
// Weights and constants are at every place. What follows from sizes alone is computed again where it is read. Views
// cost nothing, so they are where their readers are: the value that crosses is the smallest one on the way from the
// tensor that is viewed to the reader, unless the tensor crosses anyway. A transfer stands right behind the op that
// makes its value: it is sent as soon as it is there. Its `genie.place` is where it arrives, `genie.value` names what
// moves, `genie.reason` says why.
//
// Where the module's `genie.allow_narrow` is "bf16" or "f16", f32 values go from node to node in that type: they are
// converted where they are made and back where they arrive. Other types never change.
#include <stdio.h>
#include <string.h>

#include "ir/place.h"
#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"
#include "passes/transfer/transfer_name.h"

// Pointwise ops that are rather computed again than their result sent.
// Weights that such an op reads: larger ones would be at a further place only for it.
enum { MAX_REBUILT_OPS = 12, MAX_REBUILT_WEIGHT_BYTES = 1 << 16 };

typedef struct transferer {
  MlirModule module;
  MlirContext context;
  MlirOperation function;
  MlirBlock body;
  int place_count;
  genie_arena_t arena;
  genie_op_list_t list;
  genie_pointer_map_t index_of;  // op -> position in the list
  bool *is_input_free;           // [list.count]: nothing that a call brings but sizes goes into it
  // Of each place: values to what stands for them there, and the values that cross to it as they are.
  genie_pointer_map_t copies[GENIE_IR_MAX_PLACES];
  genie_pointer_map_t crossing[GENIE_IR_MAX_PLACES];
  MlirValue *values;  // that the maps number
  int value_count, value_capacity;
  MlirOperation reader;  // the op that is being served: what is cloned goes before it
  int place;             // its place
  genie_dtype_t narrow;  // that f32 may travel in; GENIE_DTYPE_INVALID: none
} transferer_t;

//===-- Kinds of values -------------------------------------------------------------------------------------------===//

static bool is_input_free(const transferer_t *transferer, MlirValue value) {
  if (mlirValueIsABlockArgument(value)) {
    MlirStringRef name;
    return genie_ir_argument_role(transferer->function, mlirBlockArgumentGetArgNumber(value), &name) ==
           GENIE_IR_ARGUMENT_WEIGHT;
  }
  const int index = genie_pointer_map_get(&transferer->index_of, mlirOpResultGetOwner(value).ptr);
  return index >= 0 && transferer->is_input_free[index];
}

// Input-free ops can be computed anywhere.
static genie_status_t classify(transferer_t *transferer) {
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&transferer->arena, (size_t)transferer->list.count, sizeof(bool),
                                             (void **)&transferer->is_input_free));
  for (int i = 0; i < transferer->list.count; ++i) {
    const MlirOperation op = transferer->list.ops[i];
    bool is_free =
        genie_op_info_get(op) != NULL && mlirOperationGetNumResults(op) == 1 && mlirOperationGetNumRegions(op) == 0;
    for (intptr_t k = 0; is_free && k < mlirOperationGetNumOperands(op); ++k) {
      is_free = is_input_free(transferer, mlirOperationGetOperand(op, k));
    }
    transferer->is_input_free[i] = is_free;
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&transferer->index_of, op.ptr, i));
  }
  return GENIE_OK;
}

static bool is_view(MlirValue value) {
  const MlirOperation op = genie_rewrite_definer(value);
  return !mlirOperationIsNull(op) && genie_rewrite_is_view(op);
}

// The op at `index` stands wherever it is read.
static bool is_movable(const transferer_t *transferer, int index) {
  return transferer->is_input_free[index] || genie_rewrite_is_view(transferer->list.ops[index]);
}

// The value with the fewest bytes on the way from the root to `value`; of equal ones the one nearest to the root.
static MlirValue smallest_of(const transferer_t *transferer, MlirValue value) {
  MlirValue smallest = value;
  while (is_view(value)) {
    value = mlirOperationGetOperand(genie_rewrite_definer(value), 0);
    if (genie_value_maximum_bytes(transferer->function, value) <=
        genie_value_maximum_bytes(transferer->function, smallest)) {
      smallest = value;
    }
  }
  return smallest;
}

//===-- Copies ----------------------------------------------------------------------------------------------------===//

static MlirValue find_copy(const transferer_t *transferer, MlirValue value) {
  const int number = genie_pointer_map_get(&transferer->copies[transferer->place], value.ptr);
  return number < 0 ? (MlirValue){NULL} : transferer->values[number];
}

static genie_status_t keep_copy(transferer_t *transferer, MlirValue value, MlirValue copy) {
  if (transferer->value_count == transferer->value_capacity) {
    const int capacity = 2 * transferer->value_capacity + 64;
    MlirValue *values = NULL;
    GENIE_RETURN_IF_ERROR(
        genie_arena_allocate(&transferer->arena, (size_t)capacity, sizeof(*values), (void **)&values));
    if (transferer->value_count > 0) {
      memcpy(values, transferer->values, (size_t)transferer->value_count * sizeof(*values));
    }
    transferer->values = values;
    transferer->value_capacity = capacity;
  }
  transferer->values[transferer->value_count] = copy;
  return genie_pointer_map_set(&transferer->copies[transferer->place], value.ptr, transferer->value_count++);
}

// The first op of the body for an argument, the one behind its definer for other values.
static MlirOperation op_behind(const transferer_t *transferer, MlirValue value) {
  const MlirOperation definer = genie_rewrite_definer(value);
  return mlirOperationIsNull(definer) ? mlirBlockGetFirstOperation(transferer->body)
                                      : mlirOperationGetNextInBlock(definer);
}

// The node of a place: what its name has before the colon.
static MlirStringRef node_of(const transferer_t *transferer, int place) {
  const MlirStringRef name = genie_ir_place_name(transferer->module, place);
  const char *colon = memchr(name.data, ':', name.length);
  return mlirStringRefCreate(name.data, colon == NULL ? name.length : (size_t)(colon - name.data));
}

static bool is_narrowed(const transferer_t *transferer, MlirValue value) {
  const int source = genie_ir_value_place(genie_rewrite_view_root(value));
  return transferer->narrow != GENIE_DTYPE_INVALID && genie_value_type(value).dtype == GENIE_DTYPE_F32 &&
         !mlirStringRefEqual(node_of(transferer, source), node_of(transferer, transferer->place));
}

// An op of one operand at `place`, where the builder stands, with the annotations of what made `origin`.
static genie_status_t build_unary(const genie_ir_builder_t *builder, const char *name,
                                  const genie_ir_attribute_t *attribute, MlirValue operand, MlirValue origin, int place,
                                  MlirType type, MlirOperation *out_op) {
  GENIE_RETURN_IF_ERROR(
      genie_ir_build_typed(builder, name, 1, &operand, attribute != NULL ? 1 : 0, attribute, 1, &type, out_op));
  const MlirOperation definer = genie_rewrite_definer(origin);
  if (!mlirOperationIsNull(definer)) {
    genie_rewrite_copy_annotations(definer, *out_op);
  }
  genie_ir_set_place(*out_op, place);
  return GENIE_OK;
}

static MlirType type_in(const transferer_t *transferer, MlirValue value, genie_dtype_t dtype) {
  genie_tensor_type_t type = genie_value_type(value);
  type.dtype = dtype;
  return genie_type_make(transferer->context, &type);
}

static void set_reason(const transferer_t *transferer, MlirValue value, bool is_narrow, MlirOperation transfer) {
  char reason[128];
  const char *why = mlirValueIsABlockArgument(value) ? "is where its first reader is, and read here too"
                    : is_view(value)                 ? "the smallest of the views on the way to its readers"
                                                     : "made at one place, read at another";
  snprintf(reason, sizeof reason, "%s%s%s", why, is_narrow ? "; sent as " : "",
           is_narrow ? genie_dtype_name(transferer->narrow) : "");
  mlirOperationSetDiscardableAttributeByName(transfer, mlirStringRefCreateFromCString("genie.reason"),
                                             genie_ir_string_attr(transferer->context, reason));
}

// All that is built stands right behind the value's definer, in its order.
static genie_status_t send(transferer_t *transferer, MlirValue value, MlirValue *out_copy) {
  const MlirOperation definer = genie_rewrite_definer(value);
  const MlirStringRef name = genie_ir_place_name(transferer->module, transferer->place);
  const genie_ir_builder_t builder = {
      .context = transferer->context,
      .block = transferer->body,
      .before = op_behind(transferer, value),
      .location = mlirOperationGetLocation(mlirOperationIsNull(definer) ? transferer->reader : definer)};
  const genie_ir_attribute_t attribute = {"place", mlirStringAttrGet(transferer->context, name)};
  const bool is_narrow = is_narrowed(transferer, value);
  MlirValue sent = value;
  MlirOperation op;
  if (is_narrow) {
    GENIE_RETURN_IF_ERROR(build_unary(&builder, "genie.cast", NULL, value, value,
                                      genie_ir_value_place(genie_rewrite_view_root(value)),
                                      type_in(transferer, value, transferer->narrow), &op));
    sent = genie_rewrite_result(op);
  }
  GENIE_RETURN_IF_ERROR(
      build_unary(&builder, "genie.transfer", &attribute, sent, value, transferer->place, mlirValueGetType(sent), &op));
  GENIE_RETURN_IF_ERROR(genie_transfer_name(transferer->function, value, op));
  set_reason(transferer, value, is_narrow, op);
  if (is_narrow) {
    GENIE_RETURN_IF_ERROR(build_unary(&builder, "genie.cast", NULL, genie_rewrite_result(op), value, transferer->place,
                                      mlirValueGetType(value), &op));
  }
  *out_copy = genie_rewrite_result(op);
  return keep_copy(transferer, value, *out_copy);
}

static genie_status_t bring(transferer_t *transferer, MlirValue value, MlirValue *out_here);

// A clone of a movable op at the reader's place, over operands that are there. The op itself serves its own place.
static genie_status_t clone(transferer_t *transferer, MlirValue value, MlirValue *out_here) {
  const MlirOperation op = genie_rewrite_definer(value);
  const intptr_t count = mlirOperationGetNumOperands(op);
  MlirValue operands[GENIE_IR_MAX_RANK];
  bool is_same = genie_ir_place(op) == transferer->place;
  if (count > GENIE_IR_MAX_RANK) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "an op of %lld operands at two places", (long long)count);
  }
  for (intptr_t i = 0; i < count; ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    GENIE_RETURN_IF_ERROR(bring(transferer, operand, &operands[i]));
    is_same = is_same && mlirValueEqual(operand, operands[i]);
  }
  if (is_same) {
    *out_here = value;
    return GENIE_OK;
  }
  const MlirOperation copy = mlirOperationClone(op);
  for (intptr_t i = 0; i < count; ++i) {
    mlirOperationSetOperand(copy, i, operands[i]);
  }
  genie_ir_set_place(copy, transferer->place);
  mlirBlockInsertOwnedOperationBefore(transferer->body, transferer->reader, copy);
  *out_here = genie_rewrite_result(copy);
  return keep_copy(transferer, value, *out_here);
}

// A view in full at the place of what it views, so that it can be sent from there.
static genie_status_t bring_to_root(transferer_t *transferer, MlirValue value, MlirValue *out_there) {
  const int place = transferer->place;
  const MlirOperation reader = transferer->reader;
  transferer->place = genie_ir_value_place(genie_rewrite_view_root(value));
  const genie_status_t status = bring(transferer, value, out_there);
  transferer->place = place;
  transferer->reader = reader;
  return status;
}

static bool crosses(const transferer_t *transferer, MlirValue value) {
  return genie_pointer_map_get(&transferer->crossing[transferer->place], value.ptr) >= 0;
}

// True when `value` is at the reader's place, or will be for other readers.
static bool is_there(const transferer_t *transferer, MlirValue value) {
  return is_input_free(transferer, value) || !mlirValueIsNull(find_copy(transferer, value)) ||
         crosses(transferer, value) || (!is_view(value) && genie_ir_value_place(value) == transferer->place);
}

// True when views and at most `budget` pointwise ops make `value` from what is there.
static bool can_rebuild(const transferer_t *transferer, MlirValue value, int *budget) {
  const MlirOperation op = genie_rewrite_definer(value);
  if (mlirOperationIsNull(op) || mlirOperationGetNumResults(op) != 1 ||
      mlirOperationGetNumOperands(op) > GENIE_IR_MAX_RANK ||
      !(genie_rewrite_is_view(op) || (genie_op_has_rule(op, "pointwise") && (*budget)-- > 0))) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    const bool is_large = is_input_free(transferer, operand) &&
                          genie_value_maximum_bytes(transferer->function, operand) > MAX_REBUILT_WEIGHT_BYTES;
    if (is_large || (!is_there(transferer, operand) && !can_rebuild(transferer, operand, budget))) {
      return false;
    }
  }
  return true;
}

// What stands for `value` at the reader's place.
static genie_status_t bring(transferer_t *transferer, MlirValue value, MlirValue *out_here) {
  const MlirValue known = find_copy(transferer, value);
  *out_here = mlirValueIsNull(known) ? value : known;
  if (!mlirValueIsNull(known)) {
    return GENIE_OK;
  }
  if (is_input_free(transferer, value)) {
    return genie_ir_is_compile_time(value) ? GENIE_OK : clone(transferer, value, out_here);
  }
  const MlirValue root = genie_rewrite_view_root(value);
  const bool is_root_here = is_input_free(transferer, root) || genie_ir_value_place(root) == transferer->place;
  if (!is_view(value)) {
    int budget = MAX_REBUILT_OPS;
    return is_root_here                              ? GENIE_OK
           : can_rebuild(transferer, value, &budget) ? clone(transferer, value, out_here)
                                                     : send(transferer, value, out_here);
  }
  if (!is_root_here && !crosses(transferer, root) && mlirValueEqual(smallest_of(transferer, value), value)) {
    MlirValue there;
    GENIE_RETURN_IF_ERROR(bring_to_root(transferer, value, &there));
    GENIE_RETURN_IF_ERROR(send(transferer, there, out_here));
    return mlirValueEqual(there, value) ? GENIE_OK : keep_copy(transferer, value, *out_here);
  }
  return clone(transferer, value, out_here);
}

//===-- Readers ---------------------------------------------------------------------------------------------------===//

// An output is collected where it is computed, so a return reads nothing from elsewhere.
static int place_of_reader(MlirOperation op, MlirValue operand) {
  return genie_op_info_get(op) != NULL ? genie_ir_place(op) : genie_ir_value_place(genie_rewrite_view_root(operand));
}

// Notes the values that cross as they are, whatever views of them do.
static genie_status_t note_crossing(transferer_t *transferer) {
  const genie_op_list_t *list = &transferer->list;
  for (int i = 0; i < list->count; ++i) {
    if (is_movable(transferer, i)) {
      continue;
    }
    for (intptr_t k = 0; k < mlirOperationGetNumOperands(list->ops[i]); ++k) {
      const MlirValue operand = mlirOperationGetOperand(list->ops[i], k);
      const MlirValue smallest = smallest_of(transferer, operand);
      const int place = place_of_reader(list->ops[i], operand);
      if (!is_view(smallest) && genie_ir_value_place(smallest) != place) {
        GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&transferer->crossing[place], smallest.ptr, 1));
      }
    }
  }
  return GENIE_OK;
}

// A view is where what it views is; clones of it serve other places.
static void move_views_to_roots(const genie_op_list_t *list) {
  for (int i = 0; i < list->count; ++i) {
    if (genie_rewrite_is_view(list->ops[i])) {
      genie_ir_set_place(list->ops[i],
                         genie_ir_value_place(genie_rewrite_view_root(mlirOperationGetOperand(list->ops[i], 0))));
    }
  }
}

static genie_status_t serve(transferer_t *transferer, MlirOperation op) {
  transferer->reader = op;
  for (intptr_t k = 0; k < mlirOperationGetNumOperands(op); ++k) {
    const MlirValue operand = mlirOperationGetOperand(op, k);
    MlirValue here;
    transferer->place = place_of_reader(op, operand);
    GENIE_RETURN_IF_ERROR(bring(transferer, operand, &here));
    mlirOperationSetOperand(op, k, here);
  }
  return GENIE_OK;
}

static genie_status_t run(transferer_t *transferer) {
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(transferer->body, &transferer->arena, &transferer->list));
  GENIE_RETURN_IF_ERROR(classify(transferer));
  move_views_to_roots(&transferer->list);
  GENIE_RETURN_IF_ERROR(note_crossing(transferer));
  for (int i = 0; i < transferer->list.count; ++i) {
    if (!is_movable(transferer, i)) {
      GENIE_RETURN_IF_ERROR(serve(transferer, transferer->list.ops[i]));
    }
  }
  GENIE_RETURN_IF_ERROR(genie_rewrite_erase_dead(transferer->body));
  return genie_rewrite_sort(transferer->body);
}

static genie_dtype_t narrow_dtype_of(MlirModule module) {
  const MlirAttribute name = mlirOperationGetAttributeByName(mlirModuleGetOperation(module),
                                                             mlirStringRefCreateFromCString("genie.allow_narrow"));
  return mlirAttributeIsNull(name) || !mlirAttributeIsAString(name)                                ? GENIE_DTYPE_INVALID
         : mlirStringRefEqual(mlirStringAttrGetValue(name), mlirStringRefCreateFromCString("f16")) ? GENIE_DTYPE_F16
                                                                                                   : GENIE_DTYPE_BF16;
}

static genie_status_t transfer_in_function(const genie_pass_context_t *context, MlirOperation function) {
  transferer_t transferer = {.module = mlirModuleFromOperation(mlirOperationGetParentOperation(function)),
                             .context = context->context,
                             .function = function,
                             .body = genie_rewrite_body(function)};
  transferer.place_count = genie_ir_place_count(transferer.module);
  transferer.narrow = narrow_dtype_of(transferer.module);
  if (transferer.place_count == 1) {
    return GENIE_OK;
  }
  genie_arena_init(genie_allocator_heap(), 0, &transferer.arena);
  genie_pointer_map_init(&transferer.index_of);
  for (int i = 0; i < transferer.place_count; ++i) {
    genie_pointer_map_init(&transferer.copies[i]);
    genie_pointer_map_init(&transferer.crossing[i]);
  }
  const genie_status_t status = run(&transferer);
  for (int i = 0; i < transferer.place_count; ++i) {
    genie_pointer_map_deinit(&transferer.copies[i]);
    genie_pointer_map_deinit(&transferer.crossing[i]);
  }
  genie_pointer_map_deinit(&transferer.index_of);
  genie_arena_deinit(&transferer.arena);
  return status;
}

genie_status_t genie_pass_transfer(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, transfer_in_function);
}
