#include "passes/recognise/semantic_report.h"

#include <stdio.h>
#include <string.h>

void genie_semantic_report_init(genie_semantic_report_t *out_report) {
  *out_report = (genie_semantic_report_t){0};
  genie_arena_init(genie_allocator_heap(), 0, &out_report->arena);
}

void genie_semantic_report_deinit(genie_semantic_report_t *report) {
  genie_arena_deinit(&report->arena);
}

//===-- Taking ----------------------------------------------------------------------------------------------------===//

static genie_status_t copy(genie_semantic_report_t *report, const char *text, size_t length, const char **out_text) {
  char *copied;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&report->arena, text, length, &copied));
  *out_text = copied;
  return GENIE_OK;
}

static genie_status_t copy_vote(genie_semantic_report_t *report, const genie_semantic_vote_t *vote,
                                genie_semantic_vote_t *out_vote) {
  *out_vote = *vote;
  GENIE_RETURN_IF_ERROR(copy(report, vote->workload, strlen(vote->workload), &out_vote->workload));
  return copy(report, vote->reason, strlen(vote->reason), &out_vote->reason);
}

static genie_status_t copy_notes(genie_semantic_report_t *report, const genie_semantic_note_t *notes,
                                 genie_semantic_note_t *out_notes) {
  for (int i = 0; i < GENIE_SEMANTIC_COUNT; ++i) {
    out_notes[i] = notes[i];
    if (notes[i].word != NULL) {
      GENIE_RETURN_IF_ERROR(copy(report, notes[i].word, strlen(notes[i].word), &out_notes[i].word));
      GENIE_RETURN_IF_ERROR(copy(report, notes[i].reason, strlen(notes[i].reason), &out_notes[i].reason));
    }
  }
  return GENIE_OK;
}

// The path of "encoder.layer.0:BertLayer".
static genie_status_t copy_module(genie_semantic_report_t *report, MlirOperation op, const char **out_module) {
  const MlirAttribute module = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("genie.module"));
  if (mlirAttributeIsNull(module) || !mlirAttributeIsAString(module)) {
    *out_module = "";
    return GENIE_OK;
  }
  const MlirStringRef text = mlirStringAttrGetValue(module);
  const char *colon = memrchr(text.data, ':', text.length);
  return copy(report, text.data, colon != NULL ? (size_t)(colon - text.data) : text.length, out_module);
}

static genie_status_t take_op(genie_semantic_report_t *report, const genie_semantic_node_t *node,
                              genie_semantic_report_op_t *out_op) {
  char source[256];
  const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(node->op));
  genie_ir_describe_location(mlirOperationGetLocation(node->op), sizeof source, source);
  *out_op = (genie_semantic_report_op_t){.stack = node->stack, .layer = node->layer};
  GENIE_RETURN_IF_ERROR(copy(report, name.data, name.length, &out_op->name));
  GENIE_RETURN_IF_ERROR(copy(report, source, strlen(source), &out_op->source));
  GENIE_RETURN_IF_ERROR(copy_module(report, node->op, &out_op->module));
  return copy_notes(report, node->notes, out_op->notes);
}

static genie_status_t take_ops(genie_semantic_report_t *report, const genie_semantic_graph_t *graph,
                               genie_semantic_report_entry_t *entry) {
  const size_t capacity = (size_t)(graph->node_count - graph->argument_count);
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&report->arena, capacity, sizeof(*entry->ops), (void **)&entry->ops));
  for (int node = graph->argument_count; node < graph->node_count; ++node) {
    // Weights that are computed when the plan is made take no part in a run.
    const bool takes_part =
        !genie_semantic_node_is(graph, node, "func.return") &&
        (mlirValueIsNull(graph->nodes[node].value) || !genie_ir_is_compile_time(graph->nodes[node].value));
    if (takes_part) {
      GENIE_RETURN_IF_ERROR(take_op(report, &graph->nodes[node], &entry->ops[entry->op_count++]));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_semantic_report_add(genie_semantic_report_t *report, const genie_semantic_graph_t *graph) {
  if (report->entry_count == GENIE_SEMANTIC_REPORT_MAX_ENTRIES) {
    return GENIE_OK;
  }
  genie_semantic_report_entry_t *entry = &report->entries[report->entry_count++];
  const MlirAttribute name =
      mlirOperationGetAttributeByName(graph->function, mlirStringRefCreateFromCString("sym_name"));
  const MlirStringRef text = mlirStringAttrGetValue(name);
  GENIE_RETURN_IF_ERROR(copy(report, text.data, text.length, &entry->name));
  GENIE_RETURN_IF_ERROR(copy_vote(report, &graph->workload, &entry->workload));
  entry->stack_count = graph->stack_count;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&report->arena, (size_t)graph->stack_count + 1, sizeof(*entry->stacks),
                                             (void **)&entry->stacks));
  for (int i = 0; i < graph->stack_count; ++i) {
    entry->stacks[i] = graph->stacks[i];
  }
  return take_ops(report, graph, entry);
}

//===-- The table -------------------------------------------------------------------------------------------------===//

enum { MAX_WORDS = 4 };

// The words that ops of a module have, in their order, each once.
typedef struct word_list {
  int count;
  const genie_semantic_note_t *notes[MAX_WORDS];
} word_list_t;

static void add_word(word_list_t *list, const genie_semantic_note_t *note) {
  for (int i = 0; note->word != NULL && i < list->count; ++i) {
    if (strcmp(list->notes[i]->word, note->word) == 0) {
      return;
    }
  }
  if (note->word != NULL && list->count < MAX_WORDS) {
    list->notes[list->count++] = note;
  }
}

static void print_words(const word_list_t *list, int width, genie_string_builder_t *builder) {
  const size_t start = builder->length;
  for (int i = 0; i < list->count; ++i) {
    const genie_semantic_note_t *note = list->notes[i];
    if (note->is_users) {
      genie_string_builder_format(builder, "%s%s (said)", i > 0 ? ", " : "", note->word);
    } else {
      genie_string_builder_format(builder, "%s%s %.2f", i > 0 ? ", " : "", note->word, note->confidence);
    }
  }
  if (list->count == 0) {
    genie_string_builder_append(builder, "-", 1);
  }
  do {
    genie_string_builder_append(builder, " ", 1);
  } while (!builder->has_failed && builder->length < start + (size_t)width);
}

// What tells most about a module: the kind of its attention, else a role, else how it got its phase.
static const char *main_reason(const word_list_t *lists) {
  static const genie_semantic_t ORDER[] = {GENIE_SEMANTIC_ATTENTION, GENIE_SEMANTIC_ROLE, GENIE_SEMANTIC_PHASE,
                                           GENIE_SEMANTIC_MODALITY};
  for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; ++i) {
    if (lists[ORDER[i]].count > 0) {
      return lists[ORDER[i]].notes[0]->reason;
    }
  }
  return "unknown";
}

// The ops of one module that stand together.
static int print_module(const genie_semantic_report_entry_t *entry, int first, genie_string_builder_t *builder) {
  const char *module = entry->ops[first].module;
  word_list_t lists[GENIE_SEMANTIC_COUNT] = {0};
  int end = first;
  for (; end < entry->op_count && strcmp(entry->ops[end].module, module) == 0; ++end) {
    for (int i = 0; i < GENIE_SEMANTIC_COUNT; ++i) {
      add_word(&lists[i], &entry->ops[end].notes[i]);
    }
  }
  const genie_semantic_report_op_t *op = &entry->ops[first];
  char layer[32] = "-";
  if (op->stack >= 0) {
    snprintf(layer, sizeof layer, "%d.%d", op->stack, op->layer);
  }
  genie_string_builder_format(builder, "  %-44s %4d  %-6s ", module[0] != '\0' ? module : "(model)", end - first,
                              layer);
  print_words(&lists[GENIE_SEMANTIC_PHASE], 24, builder);
  print_words(&lists[GENIE_SEMANTIC_MODALITY], 20, builder);
  const bool has_attention = lists[GENIE_SEMANTIC_ATTENTION].count > 0;
  print_words(&lists[has_attention ? GENIE_SEMANTIC_ATTENTION : GENIE_SEMANTIC_ROLE], 28, builder);
  genie_string_builder_format(builder, "%s\n", main_reason(lists));
  return end;
}

void genie_semantic_report_print(const genie_semantic_report_t *report, genie_string_builder_t *builder) {
  for (int e = 0; e < report->entry_count; ++e) {
    const genie_semantic_report_entry_t *entry = &report->entries[e];
    genie_string_builder_format(builder, "%s: %s (%.2f): %s\n", entry->name, entry->workload.workload,
                                entry->workload.confidence, entry->workload.reason);
    for (int i = 0; i < entry->stack_count; ++i) {
      const genie_semantic_stack_t *stack = &entry->stacks[i];
      genie_string_builder_format(builder, "  stack %d: %d layers of %d ops%s%s, %d %s from layer to layer\n", i,
                                  stack->layer_count, stack->ops_per_layer, stack->kind[0] != '\0' ? ", " : "",
                                  stack->kind, stack->crossing, stack->crossing == 1 ? "value" : "values");
    }
    genie_string_builder_format(builder, "  %-44s %4s  %-6s %-24s%-20s%-28s%s\n", "module", "ops", "layer", "phase",
                                "modality", "what", "why");
    for (int first = 0; first < entry->op_count;) {
      first = print_module(entry, first, builder);
    }
  }
}

//===-- JSON ------------------------------------------------------------------------------------------------------===//

static void print_string(const char *text, genie_string_builder_t *builder) {
  genie_string_builder_append(builder, "\"", 1);
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; ++c) {
    if (*c == '"' || *c == '\\') {
      genie_string_builder_format(builder, "\\%c", *c);
    } else if (*c < 0x20) {
      genie_string_builder_format(builder, "\\u%04x", *c);
    } else {
      genie_string_builder_append(builder, (const char *)c, 1);
    }
  }
  genie_string_builder_append(builder, "\"", 1);
}

static void print_member(const char *name, const char *text, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "\"%s\": ", name);
  print_string(text, builder);
}

static void print_op_json(const genie_semantic_report_op_t *op, genie_string_builder_t *builder) {
  genie_string_builder_append(builder, "{", 1);
  print_member("op", op->name, builder);
  genie_string_builder_append(builder, ", ", 2);
  print_member("module", op->module, builder);
  genie_string_builder_append(builder, ", ", 2);
  print_member("source", op->source, builder);
  for (int i = 0; i < GENIE_SEMANTIC_COUNT; ++i) {
    const genie_semantic_note_t *note = &op->notes[i];
    if (note->word != NULL) {
      genie_string_builder_format(builder, ", \"%s\": {",
                                  genie_semantic_attribute((genie_semantic_t)i) + strlen("genie."));
      print_member("word", note->word, builder);
      genie_string_builder_format(builder, ", \"confidence\": %.2f, \"is_said\": %s, ", note->confidence,
                                  note->is_users ? "true" : "false");
      print_member("reason", note->reason, builder);
      genie_string_builder_append(builder, "}", 1);
    }
  }
  if (op->stack >= 0) {
    genie_string_builder_format(builder, ", \"stack\": %d, \"layer\": %d", op->stack, op->layer);
  }
  genie_string_builder_append(builder, "}", 1);
}

static void print_entry_json(const genie_semantic_report_entry_t *entry, genie_string_builder_t *builder) {
  genie_string_builder_append(builder, "{", 1);
  print_member("name", entry->name, builder);
  genie_string_builder_format(builder, ", \"workload\": {\"confidence\": %.2f, ", entry->workload.confidence);
  print_member("class", entry->workload.workload, builder);
  genie_string_builder_append(builder, ", ", 2);
  print_member("reason", entry->workload.reason, builder);
  genie_string_builder_format(builder, "}, \"stacks\": [");
  for (int i = 0; i < entry->stack_count; ++i) {
    const genie_semantic_stack_t *stack = &entry->stacks[i];
    genie_string_builder_format(builder, "%s{\"layers\": %d, \"ops\": %d, \"crossing\": %d, \"kind\": \"%s\"}",
                                i > 0 ? ", " : "", stack->layer_count, stack->ops_per_layer, stack->crossing,
                                stack->kind);
  }
  genie_string_builder_format(builder, "], \"ops\": [");
  for (int i = 0; i < entry->op_count; ++i) {
    genie_string_builder_format(builder, "%s\n  ", i > 0 ? "," : "");
    print_op_json(&entry->ops[i], builder);
  }
  genie_string_builder_append(builder, "]}", 2);
}

void genie_semantic_report_print_json(const genie_semantic_report_t *report, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "{\"entries\": [");
  for (int i = 0; i < report->entry_count; ++i) {
    genie_string_builder_format(builder, "%s", i > 0 ? ",\n " : "");
    print_entry_json(&report->entries[i], builder);
  }
  genie_string_builder_format(builder, "]}\n");
}
