// Entry functions: symbols, the roles of arguments, and what is known when the plan is made.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ir/evaluate.h"
#include "ir/genie_ir.h"

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

// The func.func that encloses `op`, or `op` itself.
static MlirOperation enclosing_function(MlirOperation op) {
  while (!mlirOperationIsNull(op) && !genie_op_is(op, "func.func")) {
    op = mlirOperationGetParentOperation(op);
  }
  return op;
}

static int64_t number_of(MlirAttribute dictionary, const char *name, int64_t fallback) {
  const MlirAttribute value = mlirDictionaryAttrGetElementByName(dictionary, ref(name));
  return mlirAttributeIsNull(value) || !mlirAttributeIsAInteger(value) ? fallback : mlirIntegerAttrGetValueInt(value);
}

static void read_symbol(MlirAttribute dictionary, genie_ir_symbol_t *out_symbol) {
  const MlirAttribute name = mlirDictionaryAttrGetElementByName(dictionary, ref("name"));
  const MlirStringRef text =
      mlirAttributeIsNull(name) || !mlirAttributeIsAString(name) ? ref("") : mlirStringAttrGetValue(name);
  snprintf(out_symbol->name, sizeof(out_symbol->name), "%.*s", (int)text.length, text.data);
  out_symbol->minimum = number_of(dictionary, "min", 0);
  out_symbol->maximum = number_of(dictionary, "max", INT64_MAX);
  out_symbol->multiple = number_of(dictionary, "multiple", 1);
}

int genie_ir_symbols_get(MlirOperation function, genie_ir_symbol_t out_symbols[GENIE_IR_MAX_SYMBOLS]) {
  function = enclosing_function(function);
  if (mlirOperationIsNull(function)) {
    return 0;
  }
  const MlirAttribute symbols = mlirOperationGetAttributeByName(function, ref("genie.symbols"));
  if (mlirAttributeIsNull(symbols) || !mlirAttributeIsAArray(symbols)) {
    return 0;
  }
  const intptr_t count = mlirArrayAttrGetNumElements(symbols);
  assert(count <= GENIE_IR_MAX_SYMBOLS);
  for (intptr_t i = 0; i < count; ++i) {
    read_symbol(mlirArrayAttrGetElement(symbols, i), &out_symbols[i]);
  }
  return (int)count;
}

void genie_ir_symbols_set(MlirOperation function, int count, const genie_ir_symbol_t *symbols) {
  assert(count <= GENIE_IR_MAX_SYMBOLS);
  const MlirContext context = mlirOperationGetContext(function);
  MlirAttribute elements[GENIE_IR_MAX_SYMBOLS];
  for (int i = 0; i < count; ++i) {
    const MlirNamedAttribute fields[] = {
        mlirNamedAttributeGet(mlirIdentifierGet(context, ref("name")), genie_ir_string_attr(context, symbols[i].name)),
        mlirNamedAttributeGet(mlirIdentifierGet(context, ref("min")), genie_ir_i64_attr(context, symbols[i].minimum)),
        mlirNamedAttributeGet(mlirIdentifierGet(context, ref("max")), genie_ir_i64_attr(context, symbols[i].maximum)),
        mlirNamedAttributeGet(mlirIdentifierGet(context, ref("multiple")),
                              genie_ir_i64_attr(context, symbols[i].multiple)),
    };
    elements[i] = mlirDictionaryAttrGet(context, 4, fields);
  }
  mlirOperationSetAttributeByName(function, ref("genie.symbols"), mlirArrayAttrGet(context, count, elements));
}

// Attribute `name` of argument `index`, or null.
static MlirAttribute argument_attribute(MlirOperation function, intptr_t index, const char *name) {
  const MlirAttribute all = mlirOperationGetAttributeByName(function, ref("arg_attrs"));
  if (mlirAttributeIsNull(all) || index >= mlirArrayAttrGetNumElements(all)) {
    return mlirAttributeGetNull();
  }
  return mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(all, index), ref(name));
}

genie_ir_argument_role_t genie_ir_argument_role(MlirOperation function, intptr_t index, MlirStringRef *out_name) {
  const MlirAttribute weight = argument_attribute(function, index, "genie.weight");
  if (!mlirAttributeIsNull(weight)) {
    *out_name = mlirFlatSymbolRefAttrGetValue(weight);
    return GENIE_IR_ARGUMENT_WEIGHT;
  }
  const MlirAttribute state = argument_attribute(function, index, "genie.state");
  if (!mlirAttributeIsNull(state)) {
    *out_name = mlirFlatSymbolRefAttrGetValue(state);
    return GENIE_IR_ARGUMENT_STATE;
  }
  const MlirAttribute input = argument_attribute(function, index, "genie.input");
  *out_name = mlirAttributeIsNull(input) ? ref("") : mlirStringAttrGetValue(input);
  return GENIE_IR_ARGUMENT_INPUT;
}

// Gives up after this many steps: a graph of constants that deep is evaluated at run time.
enum { MAX_STEPS = 256 };

static bool is_known(MlirValue value, int *steps);

static bool is_known_argument(MlirValue value, int *steps) {
  const MlirOperation parent = mlirBlockGetParentOperation(mlirBlockArgumentGetOwner(value));
  const intptr_t index = mlirBlockArgumentGetArgNumber(value);
  if (genie_op_is(parent, "genie.kernel")) {
    return is_known(mlirOperationGetOperand(parent, index), steps);
  }
  MlirStringRef name;
  return genie_op_is(parent, "func.func") && genie_ir_argument_role(parent, index, &name) == GENIE_IR_ARGUMENT_WEIGHT;
}

static bool is_known(MlirValue value, int *steps) {
  if (++*steps > MAX_STEPS) {
    return false;
  }
  if (mlirValueIsABlockArgument(value)) {
    return is_known_argument(value, steps);
  }
  const MlirOperation op = mlirOpResultGetOwner(value);
  if (genie_op_is(op, "genie.kernel")) {
    const MlirOperation yield = mlirBlockGetTerminator(mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0)));
    return is_known(mlirOperationGetOperand(yield, mlirOpResultGetResultNumber(value)), steps);
  }
  if (!genie_evaluate_supports(op)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    if (!is_known(mlirOperationGetOperand(op, i), steps)) {
      return false;
    }
  }
  return true;
}

bool genie_ir_is_compile_time(MlirValue value) {
  int steps = 0;
  return is_known(value, &steps);
}
