// drop-places: places that run nothing and hold nothing are left out, and the others numbered anew.
#include "ir/place.h"
#include "passes/graph/rewrite.h"

typedef struct renumbering {
  MlirModule module;
  bool is_used[GENIE_IR_MAX_PLACES];
  int number[GENIE_IR_MAX_PLACES];
  int count;
} renumbering_t;

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static bool is_at_run_time(MlirOperation op) {
  return genie_op_info_get(op) != NULL &&
         (mlirOperationGetNumResults(op) == 0 || !genie_ir_is_compile_time(mlirOperationGetResult(op, 0)));
}

static bool is_of_call(MlirOperation function, intptr_t argument) {
  MlirStringRef name;
  return genie_ir_argument_role(function, argument, &name) != GENIE_IR_ARGUMENT_WEIGHT;
}

//===-- Uses ------------------------------------------------------------------------------------------------------===//

static void mark_function(renumbering_t *renumbering, MlirOperation function) {
  const MlirBlock body = genie_rewrite_body(function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    if (is_of_call(function, i)) {
      renumbering->is_used[genie_ir_value_place(mlirBlockGetArgument(body, i))] = true;
    }
  }
  MlirOperation op = mlirBlockGetFirstOperation(body);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (is_at_run_time(op)) {
      renumbering->is_used[genie_ir_place(op)] = true;
    }
  }
}

static void mark_module(renumbering_t *renumbering) {
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(renumbering->module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      mark_function(renumbering, op);
    } else if (genie_op_is(op, "genie.state")) {
      renumbering->is_used[genie_ir_place(op)] = true;
    }
  }
}

//===-- New numbers -----------------------------------------------------------------------------------------------===//

static void renumber_op(const renumbering_t *renumbering, MlirOperation op) {
  if (genie_ir_has_place(op)) {
    genie_ir_set_place(op, renumbering->number[genie_ir_place(op)]);
  }
}

static void renumber_function(const renumbering_t *renumbering, MlirOperation function) {
  const MlirBlock body = genie_rewrite_body(function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    if (is_of_call(function, i)) {
      const int place = genie_ir_value_place(mlirBlockGetArgument(body, i));
      genie_ir_set_argument_place(function, i, renumbering->number[place]);
    }
  }
  MlirOperation op = mlirBlockGetFirstOperation(body);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    renumber_op(renumbering, op);
  }
}

static void renumber_places(const renumbering_t *renumbering) {
  const MlirOperation top = mlirModuleGetOperation(renumbering->module);
  const MlirAttribute all = mlirOperationGetAttributeByName(top, text_of("genie.places"));
  MlirAttribute kept[GENIE_IR_MAX_PLACES];
  for (intptr_t i = 0; i < mlirArrayAttrGetNumElements(all); ++i) {
    if (renumbering->is_used[i]) {
      kept[renumbering->number[i]] = mlirArrayAttrGetElement(all, i);
    }
  }
  mlirOperationSetAttributeByName(
      top, text_of("genie.places"),
      mlirArrayAttrGet(mlirModuleGetContext(renumbering->module), renumbering->count, kept));
}

// Ends of links that are no places.
enum { END_CLIENT = -1, END_GONE = -2 };

// The number of a link's end, renumbered.
static int end_of(const renumbering_t *renumbering, MlirAttribute link, const char *name) {
  const MlirAttribute end = mlirDictionaryAttrGetElementByName(link, text_of(name));
  const int64_t place =
      mlirAttributeIsNull(end) || !mlirAttributeIsAInteger(end) ? END_GONE : mlirIntegerAttrGetValueInt(end);
  if (place == END_CLIENT) {
    return END_CLIENT;
  }
  return place >= 0 && place < GENIE_IR_MAX_PLACES && renumbering->is_used[place] ? renumbering->number[place]
                                                                                  : END_GONE;
}

static MlirAttribute renumber_link(MlirContext context, MlirAttribute link, int from, int to) {
  enum { MAX_FIELDS = 16 };
  MlirNamedAttribute fields[MAX_FIELDS];
  const intptr_t count = mlirDictionaryAttrGetNumElements(link);
  for (intptr_t i = 0; i < count && i < MAX_FIELDS; ++i) {
    fields[i] = mlirDictionaryAttrGetElement(link, i);
    const MlirStringRef name = mlirIdentifierStr(fields[i].name);
    if (mlirStringRefEqual(name, text_of("from")) || mlirStringRefEqual(name, text_of("to"))) {
      fields[i].attribute = genie_ir_i64_attr(context, name.length == 4 ? from : to);
    }
  }
  return mlirDictionaryAttrGet(context, count < MAX_FIELDS ? count : MAX_FIELDS, fields);
}

static void renumber_links(const renumbering_t *renumbering) {
  enum { MAX_LINKS = (GENIE_IR_MAX_PLACES + 1) * (GENIE_IR_MAX_PLACES + 1) };
  const MlirOperation top = mlirModuleGetOperation(renumbering->module);
  const MlirContext context = mlirModuleGetContext(renumbering->module);
  const MlirAttribute all = mlirOperationGetAttributeByName(top, text_of("genie.links"));
  MlirAttribute kept[MAX_LINKS];
  intptr_t count = 0;
  if (mlirAttributeIsNull(all) || !mlirAttributeIsAArray(all)) {
    return;
  }
  for (intptr_t i = 0; i < mlirArrayAttrGetNumElements(all) && count < MAX_LINKS; ++i) {
    const MlirAttribute link = mlirArrayAttrGetElement(all, i);
    if (!mlirAttributeIsADictionary(link)) {
      continue;
    }
    const int from = end_of(renumbering, link, "from");
    const int to = end_of(renumbering, link, "to");
    if (from != END_GONE && to != END_GONE) {
      kept[count++] = renumber_link(context, link, from, to);
    }
  }
  mlirOperationSetAttributeByName(top, text_of("genie.links"), mlirArrayAttrGet(context, count, kept));
}

genie_status_t genie_pass_drop_places(const genie_pass_context_t *context, MlirModule module) {
  (void)context;
  renumbering_t renumbering = {.module = module};
  const int place_count = genie_ir_place_count(module);
  if (place_count == 1) {
    return GENIE_OK;
  }
  mark_module(&renumbering);
  for (int i = 0; i < place_count; ++i) {
    // What is known when the plan is made may name a place that is gone.
    renumbering.number[i] = renumbering.is_used[i] ? renumbering.count++ : 0;
  }
  if (renumbering.count == 0) {
    renumbering.is_used[0] = true;
    renumbering.count = 1;
  }
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      renumber_function(&renumbering, op);
    } else {
      renumber_op(&renumbering, op);
    }
  }
  renumber_places(&renumbering);
  renumber_links(&renumbering);
  return GENIE_OK;
}
