#include "passes/recognise/semantic_graph.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/string_builder.h"

static const char *const ATTRIBUTES[] = {
#define GENIE_SEMANTIC(enumerator, attribute, summary) attribute,
#define GENIE_SEMANTIC_WORD(of, word, summary)
#define GENIE_WORKLOAD(word, summary)
#include "passes/recognise/semantics.def"
#undef GENIE_SEMANTIC
#undef GENIE_SEMANTIC_WORD
#undef GENIE_WORKLOAD
};

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

const char *genie_semantic_attribute(genie_semantic_t semantic) {
  return ATTRIBUTES[semantic];
}

//===-- Building --------------------------------------------------------------------------------------------------===//

static genie_status_t add_argument(genie_semantic_graph_t *graph, int index) {
  const MlirValue value = mlirBlockGetArgument(genie_rewrite_body(graph->function), index);
  MlirStringRef name;
  genie_semantic_node_t *node = &graph->nodes[index];
  *node = (genie_semantic_node_t){.value = value, .is_argument = true, .state = -1, .stack = -1, .layer = -1};
  node->argument_role = genie_ir_argument_role(graph->function, index, &name);
  node->is_fixed = node->argument_role == GENIE_IR_ARGUMENT_WEIGHT;
  return genie_pointer_map_set(&graph->node_of, value.ptr, index);
}

// What the user said: an attribute without a confidence beside it.
static genie_status_t take_annotations(genie_semantic_graph_t *graph, genie_semantic_node_t *node) {
  const MlirAttribute confidences = mlirOperationGetAttributeByName(node->op, ref("genie.confidence"));
  for (int i = 0; i < GENIE_SEMANTIC_COUNT; ++i) {
    const MlirAttribute said = mlirOperationGetAttributeByName(node->op, ref(ATTRIBUTES[i]));
    const MlirStringRef key = ref(ATTRIBUTES[i] + strlen("genie."));
    const bool is_guess = !mlirAttributeIsNull(confidences) && mlirAttributeIsADictionary(confidences) &&
                          !mlirAttributeIsNull(mlirDictionaryAttrGetElementByName(confidences, key));
    if (!mlirAttributeIsNull(said) && mlirAttributeIsAString(said) && !is_guess) {
      const MlirStringRef text = mlirStringAttrGetValue(said);
      char *word;
      GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&graph->arena, text.data, text.length, &word));
      node->notes[i] =
          (genie_semantic_note_t){.word = word, .reason = "the model says so", .confidence = 1, .is_users = true};
    }
  }
  return GENIE_OK;
}

// Equal in every call: computed of what is, by an op that keeps no state.
static bool is_fixed(const genie_semantic_graph_t *graph, const genie_semantic_node_t *node) {
  if (!genie_rewrite_is_pure(node->op)) {
    return false;
  }
  for (int i = 0; i < node->operand_count; ++i) {
    if (!graph->nodes[graph->operands[node->operand_first + i]].is_fixed) {
      return false;
    }
  }
  return true;
}

// The argument of the state that a state_update replaces; -1 of other ops.
static int state_of(const genie_semantic_graph_t *graph, MlirOperation op) {
  if (!genie_op_is(op, "genie.state_update")) {
    return -1;
  }
  const MlirStringRef state = mlirFlatSymbolRefAttrGetValue(mlirOperationGetAttributeByName(op, ref("state")));
  for (int i = 0; i < graph->argument_count; ++i) {
    MlirStringRef name;
    if (genie_ir_argument_role(graph->function, i, &name) == GENIE_IR_ARGUMENT_STATE &&
        mlirStringRefEqual(name, state)) {
      return i;
    }
  }
  return -1;
}

static genie_status_t add_op(genie_semantic_graph_t *graph, int index, MlirOperation op, int *operand_end) {
  genie_semantic_node_t *node = &graph->nodes[index];
  *node = (genie_semantic_node_t){
      .op = op, .operand_first = *operand_end, .state = state_of(graph, op), .stack = -1, .layer = -1};
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const int operand = genie_pointer_map_get(&graph->node_of, mlirOperationGetOperand(op, i).ptr);
    assert(operand >= 0 && operand < index);
    graph->operands[(*operand_end)++] = operand;
    ++graph->nodes[operand].reader_count;
  }
  node->operand_count = *operand_end - node->operand_first;
  node->is_fixed = is_fixed(graph, node);
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&graph->node_of, mlirOperationGetResult(op, i).ptr, index));
  }
  node->value = mlirOperationGetNumResults(op) > 0 ? mlirOperationGetResult(op, 0) : (MlirValue){NULL};
  GENIE_RETURN_IF_ERROR(take_annotations(graph, node));
  return genie_pointer_map_set(&graph->node_of, op.ptr, index);
}

static void add_readers(genie_semantic_graph_t *graph) {
  int end = 0;
  for (int i = 0; i < graph->node_count; ++i) {
    graph->nodes[i].reader_first = end;
    end += graph->nodes[i].reader_count;
    graph->nodes[i].reader_count = 0;
  }
  for (int i = 0; i < graph->node_count; ++i) {
    for (int k = 0; k < graph->nodes[i].operand_count; ++k) {
      genie_semantic_node_t *operand = &graph->nodes[graph->operands[graph->nodes[i].operand_first + k]];
      graph->readers[operand->reader_first + operand->reader_count++] = i;
    }
  }
}

static genie_status_t allocate(genie_semantic_graph_t *graph, const genie_op_list_t *list) {
  size_t operand_count = 0;
  for (int i = 0; i < list->count; ++i) {
    operand_count += (size_t)mlirOperationGetNumOperands(list->ops[i]);
  }
  graph->argument_count = (int)mlirBlockGetNumArguments(genie_rewrite_body(graph->function));
  graph->node_count = graph->argument_count + list->count;
  genie_arena_t *arena = &graph->arena;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)graph->node_count, sizeof(*graph->nodes), (void **)&graph->nodes));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)graph->node_count, sizeof(*graph->walk_marks), (void **)&graph->walk_marks));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)graph->node_count, sizeof(*graph->walk_pending),
                                             (void **)&graph->walk_pending));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, operand_count, sizeof(*graph->operands), (void **)&graph->operands));
  return genie_arena_allocate(arena, operand_count, sizeof(*graph->readers), (void **)&graph->readers);
}

static genie_status_t build(genie_semantic_graph_t *graph) {
  genie_op_list_t list;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(graph->function), &graph->arena, &list));
  GENIE_RETURN_IF_ERROR(allocate(graph, &list));
  for (int i = 0; i < graph->argument_count; ++i) {
    GENIE_RETURN_IF_ERROR(add_argument(graph, i));
  }
  int operand_end = 0;
  for (int i = 0; i < list.count; ++i) {
    GENIE_RETURN_IF_ERROR(add_op(graph, graph->argument_count + i, list.ops[i], &operand_end));
  }
  add_readers(graph);
  return GENIE_OK;
}

genie_status_t genie_semantic_graph_init(MlirOperation function, genie_semantic_graph_t *out_graph) {
  *out_graph = (genie_semantic_graph_t){.function = function};
  genie_arena_init(genie_allocator_heap(), 0, &out_graph->arena);
  genie_pointer_map_init(&out_graph->node_of);
  const genie_status_t status = build(out_graph);
  if (status != GENIE_OK) {
    genie_semantic_graph_deinit(out_graph);
  }
  return status;
}

void genie_semantic_graph_deinit(genie_semantic_graph_t *graph) {
  genie_pointer_map_deinit(&graph->node_of);
  genie_arena_deinit(&graph->arena);
}

//===-- Saying ----------------------------------------------------------------------------------------------------===//

bool genie_semantic_say(genie_semantic_graph_t *graph, int node, genie_semantic_t semantic, const char *word,
                        double confidence, const char *reason) {
  genie_semantic_note_t *note = &graph->nodes[node].notes[semantic];
  if (graph->nodes[node].is_argument || note->is_users || (note->word != NULL && note->confidence >= confidence)) {
    return false;
  }
  *note = (genie_semantic_note_t){.word = word, .reason = reason, .confidence = confidence};
  return true;
}

bool genie_semantic_is(const genie_semantic_graph_t *graph, int node, genie_semantic_t semantic, const char *word) {
  const char *said = node < 0 ? NULL : graph->nodes[node].notes[semantic].word;
  return said != NULL && strcmp(said, word) == 0;
}

const genie_semantic_vote_t *genie_semantic_find_vote(const genie_semantic_graph_t *graph, const char *workload) {
  for (int i = 0; i < graph->vote_count; ++i) {
    if (strcmp(graph->votes[i].workload, workload) == 0) {
      return &graph->votes[i];
    }
  }
  return NULL;
}

void genie_semantic_vote(genie_semantic_graph_t *graph, const char *workload, double confidence, const char *reason) {
  if (graph->vote_count < GENIE_SEMANTIC_MAX_VOTES) {
    graph->votes[graph->vote_count++] =
        (genie_semantic_vote_t){.workload = workload, .confidence = confidence, .reason = reason};
  }
}

const char *genie_semantic_format(genie_semantic_graph_t *graph, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  char *copy;
  const genie_status_t status = genie_arena_copy_string(
      &graph->arena, text, length < (int)sizeof text ? (size_t)(length < 0 ? 0 : length) : sizeof text - 1, &copy);
  if (status != GENIE_OK) {
    genie_status_free(status);
    return "";
  }
  return copy;
}

//===-- Modalities ------------------------------------------------------------------------------------------------===//

static const char *const MODALITIES[] = {"audio", "image", "tabular", "text", "video"};
enum { MODALITY_COUNT = sizeof MODALITIES / sizeof MODALITIES[0] };

const char *genie_semantic_modality_word(genie_semantic_graph_t *graph, unsigned modality) {
  char text[64] = "";
  size_t length = 0;
  for (int i = 0; i < MODALITY_COUNT; ++i) {
    if ((modality & (1u << i)) != 0) {
      if (modality == 1u << i) {
        return MODALITIES[i];
      }
      length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length > 0 ? "+" : "", MODALITIES[i]);
    }
  }
  return length > 0 ? genie_semantic_format(graph, "%s", text) : NULL;
}

unsigned genie_semantic_modality_set(const char *word) {
  unsigned set = 0;
  for (const char *name = word; *name != '\0';) {
    const size_t length = strcspn(name, "+");
    for (int i = 0; i < MODALITY_COUNT; ++i) {
      if (strlen(MODALITIES[i]) == length && strncmp(MODALITIES[i], name, length) == 0) {
        set |= 1u << i;
      }
    }
    name += length + (name[length] == '+');
  }
  return set;
}

//===-- Writing ---------------------------------------------------------------------------------------------------===//

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, ref(name)), value);
}

// Two digits: what is known no better is not written as if it were.
static MlirAttribute confidence_attr(MlirContext context, double confidence) {
  return genie_ir_f64_attr(context, (double)(int)(confidence * 100 + 0.5) / 100);
}

static void write_node(MlirContext context, const genie_semantic_node_t *node) {
  MlirNamedAttribute confidences[GENIE_SEMANTIC_COUNT];
  int count = 0;
  for (int i = 0; i < GENIE_SEMANTIC_COUNT; ++i) {
    const genie_semantic_note_t *note = &node->notes[i];
    if (note->word != NULL && !note->is_users) {
      mlirOperationSetAttributeByName(node->op, ref(ATTRIBUTES[i]), genie_ir_string_attr(context, note->word));
      confidences[count++] =
          named(context, ATTRIBUTES[i] + strlen("genie."), confidence_attr(context, note->confidence));
    }
  }
  if (count > 0) {
    mlirOperationSetAttributeByName(node->op, ref("genie.confidence"),
                                    mlirDictionaryAttrGet(context, count, confidences));
  }
  if (node->stack >= 0) {
    mlirOperationSetAttributeByName(node->op, ref("genie.stack"), genie_ir_i64_attr(context, node->stack));
    mlirOperationSetAttributeByName(node->op, ref("genie.layer"), genie_ir_i64_attr(context, node->layer));
  }
}

static MlirAttribute stack_attr(MlirContext context, const genie_semantic_stack_t *stack) {
  const MlirNamedAttribute entries[] = {named(context, "crossing", genie_ir_i64_attr(context, stack->crossing)),
                                        named(context, "kind", genie_ir_string_attr(context, stack->kind)),
                                        named(context, "layers", genie_ir_i64_attr(context, stack->layer_count)),
                                        named(context, "ops", genie_ir_i64_attr(context, stack->ops_per_layer))};
  return mlirDictionaryAttrGet(context, sizeof entries / sizeof entries[0], entries);
}

static genie_status_t write_stacks(genie_semantic_graph_t *graph, MlirContext context) {
  if (graph->stack_count == 0) {
    return GENIE_OK;
  }
  MlirAttribute *stacks;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&graph->arena, (size_t)graph->stack_count, sizeof(MlirAttribute), (void **)&stacks));
  for (int i = 0; i < graph->stack_count; ++i) {
    stacks[i] = stack_attr(context, &graph->stacks[i]);
  }
  mlirOperationSetAttributeByName(graph->function, ref("genie.stacks"),
                                  mlirArrayAttrGet(context, graph->stack_count, stacks));
  return GENIE_OK;
}

genie_status_t genie_semantic_graph_write(genie_semantic_graph_t *graph) {
  const MlirContext context = mlirOperationGetContext(graph->function);
  for (int i = graph->argument_count; i < graph->node_count; ++i) {
    write_node(context, &graph->nodes[i]);
  }
  GENIE_RETURN_IF_ERROR(write_stacks(graph, context));
  if (graph->workload.workload != NULL) {
    const MlirNamedAttribute entries[] = {
        named(context, "class", genie_ir_string_attr(context, graph->workload.workload)),
        named(context, "confidence", confidence_attr(context, graph->workload.confidence)),
        named(context, "reason", genie_ir_string_attr(context, graph->workload.reason))};
    mlirOperationSetAttributeByName(graph->function, ref("genie.workload"), mlirDictionaryAttrGet(context, 3, entries));
  }
  return GENIE_OK;
}
