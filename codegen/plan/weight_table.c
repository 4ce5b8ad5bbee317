#include "codegen/plan/weight_table.h"

#include <stdlib.h>
#include <string.h>

#include "codegen/plan/weight_source.h"
#include "ir/evaluate.h"
#include "runtime/base/checked_math.h"
#include "runtime/base/string_builder.h"
#include "runtime/plan/format.h"

// A distinct compile-time value. `key` spells how it is computed.
typedef struct genie_weight_expression {
  const char *key;
  size_t key_length;
  uint64_t hash;
  const char *name;
  MlirOperation symbol;  // null when computed
  int weight;            // -1: only part of others
} expression_t;

typedef struct builder {
  MlirModule module;
  genie_weight_table_t *table;
  genie_string_builder_t key;
  int *slots;  // open addressing: expression + 1
  int slot_count;
  int weight_capacity;
} builder_t;

//===-- Reading the module ----------------------------------------------------------------------------------------===//

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static bool starts_with(MlirStringRef text, const char *prefix) {
  const size_t length = strlen(prefix);
  return text.length >= length && memcmp(text.data, prefix, length) == 0;
}

static MlirOperation first_op(MlirModule module) {
  return mlirBlockGetFirstOperation(mlirModuleGetBody(module));
}

MlirOperation genie_weight_table_lookup(const genie_weight_table_t *table, MlirStringRef name) {
  return mlirSymbolTableLookup(table->symbols, name);
}

//===-- Expressions -----------------------------------------------------------------------------------------------===//

static uint64_t hash_key(const char *key, size_t length) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < length; ++i) {
    hash = (hash ^ (uint8_t)key[i]) * 0x100000001b3ull;
  }
  return hash;
}

static int *find_slot(const builder_t *builder, uint64_t hash, const char *key, size_t length) {
  for (uint64_t at = hash;; ++at) {
    int *slot = &builder->slots[at & (uint64_t)(builder->slot_count - 1)];
    const expression_t *other = &builder->table->expressions[*slot - 1];
    if (*slot == 0 || (other->hash == hash && other->key_length == length && memcmp(other->key, key, length) == 0)) {
      return slot;
    }
  }
}

static genie_status_t grow(builder_t *builder) {
  genie_weight_table_t *table = builder->table;
  const int capacity = table->expression_capacity == 0 ? 256 : 2 * table->expression_capacity;
  void *expressions = NULL;
  void *slots = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&table->arena, (size_t)capacity, sizeof(expression_t), &expressions));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&table->arena, (size_t)capacity * 2, sizeof(int), &slots));
  if (table->expression_count > 0) {
    memcpy(expressions, table->expressions, (size_t)table->expression_count * sizeof(expression_t));
  }
  table->expressions = expressions;
  table->expression_capacity = capacity;
  builder->slots = slots;
  builder->slot_count = capacity * 2;
  for (int i = 0; i < table->expression_count; ++i) {
    const expression_t *expression = &table->expressions[i];
    *find_slot(builder, expression->hash, expression->key, expression->key_length) = i + 1;
  }
  return GENIE_OK;
}

// The expression of the key that `builder->key` spells.
static genie_status_t intern(builder_t *builder, const char *name, MlirOperation symbol, int *out_expression) {
  genie_weight_table_t *table = builder->table;
  GENIE_RETURN_IF_ERROR(genie_string_builder_status(&builder->key));
  if (table->expression_count == table->expression_capacity) {
    GENIE_RETURN_IF_ERROR(grow(builder));
  }
  const char *key = genie_string_builder_get(&builder->key);
  const size_t length = builder->key.length;
  const uint64_t hash = hash_key(key, length);
  int *slot = find_slot(builder, hash, key, length);
  if (*slot == 0) {
    char *copy = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&table->arena, key, length, &copy));
    table->expressions[table->expression_count] =
        (expression_t){.key = copy, .key_length = length, .hash = hash, .name = name, .symbol = symbol, .weight = -1};
    *slot = ++table->expression_count;
  }
  *out_expression = *slot - 1;
  return GENIE_OK;
}

// Attributes are uniqued, so their addresses spell them. Names of symbols and what travels with ops for people
// ("genie.*") say nothing about the bytes.
static void spell_attributes(builder_t *builder, MlirOperation op) {
  const intptr_t count = mlirOperationGetNumAttributes(op);
  for (intptr_t i = 0; i < count; ++i) {
    const MlirNamedAttribute attribute = mlirOperationGetAttribute(op, i);
    const MlirStringRef name = mlirIdentifierStr(attribute.name);
    if (!starts_with(name, "genie.") && !mlirStringRefEqual(name, text_of("sym_name"))) {
      genie_string_builder_format(&builder->key, "%.*s=%p ", (int)name.length, name.data, attribute.attribute.ptr);
    }
  }
}

// A symbol is no value; the map only needs an identity.
static MlirValue identity_of(MlirOperation symbol) {
  return (MlirValue){symbol.ptr};
}

static genie_status_t add_symbol(builder_t *builder, MlirOperation symbol, int *out_expression) {
  const MlirStringRef name = mlirStringAttrGetValue(mlirOperationGetAttributeByName(symbol, text_of("sym_name")));
  char *copy = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&builder->table->arena, name.data, name.length, &copy));
  builder->key.length = 0;
  genie_string_builder_format(&builder->key, "weight ");
  spell_attributes(builder, symbol);
  GENIE_RETURN_IF_ERROR(intern(builder, copy, symbol, out_expression));
  return genie_value_map_set(&builder->table->numbers, identity_of(symbol), *out_expression);
}

static genie_status_t add_argument(builder_t *builder, MlirOperation function, MlirBlock body, intptr_t index) {
  MlirStringRef name = {0};
  if (genie_ir_argument_role(function, index, &name) != GENIE_IR_ARGUMENT_WEIGHT) {
    return GENIE_OK;
  }
  const MlirOperation symbol = genie_weight_table_lookup(builder->table, name);
  if (mlirOperationIsNull(symbol)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "weight @%.*s does not exist", (int)name.length, name.data);
  }
  int expression = 0;
  GENIE_RETURN_IF_ERROR(add_symbol(builder, symbol, &expression));
  return genie_value_map_set(&builder->table->numbers, mlirBlockGetArgument(body, index), expression);
}

// "layer.0.weight:pack": the first weight that goes in, and the op that makes it.
static genie_status_t name_of_op(const builder_t *builder, MlirOperation op, char **out_name) {
  const MlirStringRef full = mlirIdentifierStr(mlirOperationGetName(op));
  const char *dot = memchr(full.data, '.', full.length);
  const char *kind = dot != NULL ? dot + 1 : full.data;
  const int kind_length = (int)(full.data + full.length - kind);
  const char *base = "";
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op) && base[0] == '\0'; ++i) {
    base =
        builder->table->expressions[genie_value_map_get(&builder->table->numbers, mlirOperationGetOperand(op, i))].name;
  }
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_string_builder_format(&text, "%s%s%.*s", base, base[0] == '\0' ? "" : ":", kind_length, kind);
  genie_status_t status = genie_string_builder_status(&text);
  if (status == GENIE_OK) {
    status = genie_arena_copy_string(&builder->table->arena, genie_string_builder_get(&text), text.length, out_name);
  }
  genie_string_builder_deinit(&text);
  return status;
}

static bool is_known_op(const builder_t *builder, MlirOperation op) {
  const genie_op_info_t *info = genie_op_info_get(op);
  if (info == NULL || mlirOperationGetNumRegions(op) > 0 || mlirOperationGetNumResults(op) == 0 ||
      !genie_evaluate_supports(op)) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    if (genie_value_map_get(&builder->table->numbers, mlirOperationGetOperand(op, i)) < 0) {
      return false;
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    if (!genie_type_is_static(mlirValueGetType(mlirOperationGetResult(op, i)))) {
      return false;
    }
  }
  return true;
}

static genie_status_t add_op(builder_t *builder, MlirOperation op) {
  if (!is_known_op(builder, op)) {
    return GENIE_OK;
  }
  char *name = NULL;
  GENIE_RETURN_IF_ERROR(name_of_op(builder, op, &name));
  for (intptr_t result = 0; result < mlirOperationGetNumResults(op); ++result) {
    const MlirValue value = mlirOperationGetResult(op, result);
    const MlirStringRef op_name = mlirIdentifierStr(mlirOperationGetName(op));
    builder->key.length = 0;
    genie_string_builder_format(&builder->key, "%.*s %d %p ", (int)op_name.length, op_name.data, (int)result,
                                mlirValueGetType(value).ptr);
    spell_attributes(builder, op);
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
      genie_string_builder_format(&builder->key, "%d ",
                                  genie_value_map_get(&builder->table->numbers, mlirOperationGetOperand(op, i)));
    }
    int expression = 0;
    GENIE_RETURN_IF_ERROR(intern(builder, name, (MlirOperation){NULL}, &expression));
    GENIE_RETURN_IF_ERROR(genie_value_map_set(&builder->table->numbers, value, expression));
  }
  return GENIE_OK;
}

//===-- Weights ---------------------------------------------------------------------------------------------------===//

static genie_status_t measure(MlirType type, uint64_t *out_bytes) {
  const genie_tensor_type_t tensor = genie_type_get(type);
  uint64_t bytes = genie_dtype_bytes(tensor.dtype);
  for (int i = 0; i < tensor.rank; ++i) {
    if (!genie_checked_mul_u64(bytes, (uint64_t)genie_dim_value(tensor.dims[i]), &bytes)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a weight has more than 2^64 bytes");
    }
  }
  *out_bytes = bytes;
  return GENIE_OK;
}

static genie_status_t add_weight(builder_t *builder, int number, MlirType type, MlirValue value) {
  genie_weight_table_t *table = builder->table;
  expression_t *expression = &table->expressions[number];
  if (expression->weight >= 0) {
    return GENIE_OK;
  }
  if (table->count == builder->weight_capacity) {
    const int capacity = builder->weight_capacity == 0 ? 128 : 2 * builder->weight_capacity;
    void *weights = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(&table->arena, (size_t)capacity, sizeof(genie_weight_t), &weights));
    if (table->count > 0) {
      memcpy(weights, table->weights, (size_t)table->count * sizeof(genie_weight_t));
    }
    table->weights = weights;
    builder->weight_capacity = capacity;
  }
  genie_weight_t *weight = &table->weights[table->count];
  *weight = (genie_weight_t){.name = expression->name, .type = type, .value = value, .symbol = expression->symbol};
  GENIE_RETURN_IF_ERROR(measure(type, &weight->size_bytes));
  if (!genie_checked_align_u64(table->size_bytes, GENIE_PLAN_SLICE_ALIGNMENT, &weight->offset) ||
      !genie_checked_add_u64(weight->offset, weight->size_bytes, &table->size_bytes)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the weights have more than 2^64 bytes");
  }
  expression->weight = table->count++;
  return GENIE_OK;
}

// Weights that a run-time op reads.
static genie_status_t add_operands(builder_t *builder, MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    const int number = genie_value_map_get(&builder->table->numbers, operand);
    if (number >= 0) {
      GENIE_RETURN_IF_ERROR(add_weight(builder, number, mlirValueGetType(operand), operand));
    }
  }
  return GENIE_OK;
}

static genie_status_t add_function(builder_t *builder, MlirOperation function) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    GENIE_RETURN_IF_ERROR(add_argument(builder, function, body, i));
  }
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    GENIE_RETURN_IF_ERROR(add_op(builder, op));
    const bool is_known = mlirOperationGetNumResults(op) > 0 &&
                          genie_value_map_get(&builder->table->numbers, mlirOperationGetResult(op, 0)) >= 0;
    if (!is_known) {
      GENIE_RETURN_IF_ERROR(add_operands(builder, op));
    }
  }
  return GENIE_OK;
}

static bool is_all_zero(const genie_host_tensor_t *tensor) {
  const uint8_t *bytes = tensor->data;
  const size_t size_bytes = genie_host_tensor_bytes(tensor);
  return size_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size_bytes - 1) == 0);
}

// A state that starts as zeros, as a cache does, needs no weight to say so.
static genie_status_t check_zero(genie_weight_source_t *source, MlirStringRef name, bool *out_is_zero) {
  genie_host_tensor_t tensor = {0};
  GENIE_RETURN_IF_ERROR(genie_weight_source_load(source, name, &tensor));
  *out_is_zero = is_all_zero(&tensor);
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  return GENIE_OK;
}

static genie_status_t add_initial(builder_t *builder, genie_weight_source_t *source, MlirOperation state) {
  const MlirAttribute initial = mlirOperationGetAttributeByName(state, text_of("initial"));
  if (mlirAttributeIsNull(initial)) {
    return GENIE_OK;
  }
  const MlirStringRef name = mlirFlatSymbolRefAttrGetValue(initial);
  const MlirOperation symbol = genie_weight_table_lookup(builder->table, name);
  if (mlirOperationIsNull(symbol)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "weight @%.*s does not exist", (int)name.length, name.data);
  }
  bool is_zero = false;
  GENIE_RETURN_IF_ERROR(check_zero(source, name, &is_zero));
  if (is_zero) {
    return GENIE_OK;
  }
  int expression = 0;
  GENIE_RETURN_IF_ERROR(add_symbol(builder, symbol, &expression));
  const MlirType type = mlirTypeAttrGetValue(mlirOperationGetAttributeByName(symbol, text_of("type")));
  return add_weight(builder, expression, type, (MlirValue){NULL});
}

static genie_status_t add_initials(builder_t *builder) {
  genie_weight_source_t *source = NULL;
  GENIE_RETURN_IF_ERROR(genie_weight_source_create(builder->module, &source));
  genie_status_t status = GENIE_OK;
  for (MlirOperation op = first_op(builder->module); status == GENIE_OK && !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.state")) {
      status = add_initial(builder, source, op);
    }
  }
  genie_weight_source_destroy(source);
  return status;
}

static genie_status_t add_module(builder_t *builder) {
  for (MlirOperation op = first_op(builder->module); !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      GENIE_RETURN_IF_ERROR(add_function(builder, op));
    }
  }
  return add_initials(builder);
}

//===-- Interface -------------------------------------------------------------------------------------------------===//

genie_status_t genie_weight_table_create(MlirModule module, genie_weight_table_t **out_table) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof(genie_weight_table_t), &memory));
  genie_weight_table_t *table = memory;
  genie_arena_init(genie_allocator_heap(), 0, &table->arena);
  table->symbols = mlirSymbolTableCreate(mlirModuleGetOperation(module));
  genie_value_map_init(&table->arena, &table->numbers);
  builder_t builder = {.module = module, .table = table};
  genie_string_builder_init(genie_allocator_heap(), &builder.key);
  const genie_status_t status = add_module(&builder);
  genie_string_builder_deinit(&builder.key);
  if (status != GENIE_OK) {
    genie_weight_table_destroy(table);
    return status;
  }
  *out_table = table;
  return GENIE_OK;
}

void genie_weight_table_destroy(genie_weight_table_t *table) {
  if (table != NULL) {
    mlirSymbolTableDestroy(table->symbols);
    genie_arena_deinit(&table->arena);
    genie_allocator_free(genie_allocator_heap(), table);
  }
}

bool genie_weight_table_is_known(const genie_weight_table_t *table, MlirValue value) {
  return genie_value_map_get(&table->numbers, value) >= 0;
}

const genie_weight_t *genie_weight_table_find(const genie_weight_table_t *table, MlirValue value) {
  const int number = genie_value_map_get(&table->numbers, value);
  const int weight = number < 0 ? -1 : table->expressions[number].weight;
  return weight < 0 ? NULL : &table->weights[weight];
}

const genie_weight_t *genie_weight_table_find_symbol(const genie_weight_table_t *table, MlirOperation symbol) {
  return genie_weight_table_find(table, identity_of(symbol));
}
