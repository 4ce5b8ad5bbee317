// The rule "direct": the op table's `aten` column says which argument of the schema is which operand or attribute.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

enum { MAX_OPERANDS = 8, MAX_ATTRIBUTES = 12, NAME_BYTES = 48 };

// One argument of the column's text: "name", "name:schema_name", either with "=default"; a leading '_' ignores it.
typedef struct slot {
  char name[NAME_BYTES], schema_name[NAME_BYTES];
  bool is_ignored;
} slot_t;

static bool next_slot(const char **text, slot_t *out_slot) {
  const char *at = *text;
  while (*at == ' ' || *at == ',') {
    ++at;
  }
  if (*at == ')' || *at == '\0') {
    return false;
  }
  const size_t length = strcspn(at, ",)"), body = strcspn(at, ",)=");
  const char *colon = memchr(at, ':', body);
  const size_t name_length = colon != NULL ? (size_t)(colon - at) : body;
  snprintf(out_slot->name, sizeof out_slot->name, "%.*s", (int)name_length, at);
  snprintf(out_slot->schema_name, sizeof out_slot->schema_name, "%.*s",
           (int)(colon != NULL ? body - name_length - 1 : body), colon != NULL ? colon + 1 : at);
  out_slot->is_ignored = at[0] == '_';
  *text = at + length;
  return true;
}

// Positional arguments of a node are the first of the schema, keyword ones are found by name.
static const genie_pt2_arg_t *argument_of(const pt2_node_t *node, int position, const char *schema_name) {
  if (position < node->input_count && !node->inputs[position].is_keyword) {
    return node->inputs[position].arg.kind == GENIE_PT2_NONE ? NULL : &node->inputs[position].arg;
  }
  return pt2_arg(node, schema_name);
}

static int operand_index(const genie_op_info_t *op, const char *name) {
  const size_t length = strlen(name);
  for (int i = 0; op->operand_names[i] != NULL; ++i) {
    const char *slot = op->operand_names[i];
    if (strncmp(slot, name, length) == 0 && (slot[length] == '\0' || slot[length] == '?')) {
      return i;
    }
  }
  return -1;
}

// The table's text of an attribute: "name", "name?" or "name=default".
static const char *attribute_text(const genie_op_info_t *op, const char *name) {
  const size_t length = strlen(name);
  for (int i = 0; op->attribute_names[i] != NULL; ++i) {
    const char *text = op->attribute_names[i];
    if (strncmp(text, name, length) == 0 && (text[length] == '\0' || text[length] == '?' || text[length] == '=')) {
      return text;
    }
  }
  return NULL;
}

static bool is_real(const char *text, const char *name) {
  const char *equals = strchr(text, '=');
  return strcmp(name, "eps") == 0 ||
         (equals != NULL && strchr(equals, '.') != NULL && !isalpha((unsigned char)equals[1]));
}

static MlirAttribute attribute_of(pt2_importer_t *im, const char *text, const char *name, const genie_pt2_arg_t *arg,
                                  int rank) {
  const MlirContext context = pt2_context(im);
  const bool is_axis = strcmp(name, "axis") == 0, is_axes = strcmp(name, "axes") == 0;
  if (arg->kind == GENIE_PT2_LIST || is_axes) {
    int64_t values[GENIE_IR_MAX_RANK] = {0};
    const int count = arg->kind == GENIE_PT2_LIST ? arg->count : 1;
    if (count > GENIE_IR_MAX_RANK) {
      pt2_refuse(im, "argument", "a list of more than 8 numbers", "use fewer dimensions");
      return mlirAttributeGetNull();
    }
    for (int i = 0; i < count; ++i) {
      const int64_t value = arg->kind == GENIE_PT2_LIST ? arg->items[i].integer : arg->integer;
      values[i] = is_axes ? pt2_axis_of(im, value, rank) : value;
    }
    return genie_ir_i64_array_attr(context, count, values);
  }
  switch (arg->kind) {
    case GENIE_PT2_STRING:
      return genie_ir_string_attr(context, arg->text);
    case GENIE_PT2_BOOL:
      return genie_ir_bool_attr(context, arg->integer != 0);
    case GENIE_PT2_FLOAT:
      return genie_ir_f64_attr(context, arg->number);
    case GENIE_PT2_INT:
      return is_real(text, name)
                 ? genie_ir_f64_attr(context, (double)arg->integer)
                 : genie_ir_i64_attr(context, is_axis ? pt2_axis_of(im, arg->integer, rank) : arg->integer);
    default:
      pt2_refuse(im, "argument", "an argument that is no plain number", "use a plain number there");
      return mlirAttributeGetNull();
  }
}

// The default in the column's text for an attribute that the node leaves out, as in "axis:dim=-1".
static bool default_of(const char *slot_text, genie_pt2_arg_t *out_arg) {
  const char *equals = memchr(slot_text, '=', strcspn(slot_text, ",)"));
  if (equals == NULL) {
    return false;
  }
  *out_arg = (genie_pt2_arg_t){.kind = GENIE_PT2_INT, .integer = strtoll(equals + 1, NULL, 10)};
  return true;
}

void pt2_rule_direct(pt2_importer_t *im, const pt2_node_t *node) {
  const pt2_mapping_t *mapping = pt2_mapping(im);
  MlirValue operands[MAX_OPERANDS] = {{NULL}};
  genie_ir_attribute_t attributes[MAX_ATTRIBUTES];
  char names[MAX_ATTRIBUTES][NAME_BYTES];
  int operand_count = 0, attribute_count = 0;
  while (mapping->op->operand_names[operand_count] != NULL && operand_count < MAX_OPERANDS) {
    ++operand_count;
  }
  const char *text = mapping->arguments;
  slot_t slot;
  for (int position = 0;; ++position) {
    const char *slot_text = text + strspn(text, " ,");
    if (!next_slot(&text, &slot)) {
      break;
    }
    const genie_pt2_arg_t *arg = argument_of(node, position, slot.schema_name);
    const int operand = slot.is_ignored ? -1 : operand_index(mapping->op, slot.name);
    const char *attribute = slot.is_ignored || operand >= 0 ? NULL : attribute_text(mapping->op, slot.name);
    genie_pt2_arg_t fallback;
    if (operand >= 0 && arg != NULL) {
      operands[operand] = pt2_tensor_of(im, arg);
    } else if (attribute != NULL && attribute_count < MAX_ATTRIBUTES &&
               (arg != NULL || default_of(slot_text, &fallback))) {
      memcpy(names[attribute_count], slot.name, NAME_BYTES);
      attributes[attribute_count] = (genie_ir_attribute_t){
          names[attribute_count],
          attribute_of(im, attribute, slot.name, arg != NULL ? arg : &fallback, pt2_rank(operands[0]))};
      ++attribute_count;
    }
  }
  const MlirOperation op = pt2_build_op(im, mapping->op->name, operand_count, operands, attribute_count, attributes);
  for (int i = 0; !mlirOperationIsNull(op) && i < mapping->op->result_count; ++i) {
    pt2_bind(im, node, i, mlirOperationGetResult(op, i));
  }
}
