// Which inputs a graph writes.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

static genie_status_t allocate(pt2_importer_t *im, size_t count, size_t element_bytes, void *out_pointer) {
  return genie_arena_allocate(&im->arena, count, element_bytes, (void **)out_pointer);
}

// Index of the graph input called `name`, -1 if none.
static int input_named(const pt2_importer_t *im, const char *name) {
  for (int i = 0; i < im->program->input_spec_count; ++i) {
    const genie_pt2_arg_t *arg = &im->program->input_specs[i].arg;
    if (arg->kind == GENIE_PT2_TENSOR && strcmp(arg->text, name) == 0) {
      return i;
    }
  }
  return -1;
}

// Ops whose result may share storage with their operand.
static bool may_alias(const char *overload) {
  static const char *const stems[] = {
      "alias",   "detach",   "to",        "contiguous", "view",     "reshape",         "flatten",
      "permute", "t",        "transpose", "swapaxes",   "swapdims", "unsqueeze",       "squeeze",
      "slice",   "select",   "narrow",    "split",      "chunk",    "unbind",          "unflatten",
      "movedim", "diagonal", "expand",    "numpy_T",    "mT",       "split_with_sizes"};
  const size_t length = strcspn(overload, ".");
  for (size_t i = 0; i < sizeof stems / sizeof stems[0]; ++i) {
    if (strlen(stems[i]) == length && strncmp(overload, stems[i], length) == 0) {
      return true;
    }
  }
  return false;
}

// Names that lead to a graph input through views.
enum { ALIAS_CAPACITY = 4096 };
typedef struct alias_list {
  int count;
  struct {
    const char *name;
    int input;
  } items[ALIAS_CAPACITY];
} alias_list_t;

static int alias_find(const pt2_importer_t *im, const alias_list_t *list, const char *name) {
  for (int i = list->count - 1; i >= 0; --i) {
    if (strcmp(list->items[i].name, name) == 0) {
      return list->items[i].input;
    }
  }
  return input_named(im, name);
}

static void alias_add(alias_list_t *list, const genie_pt2_arg_t *arg, int input) {
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    alias_add(list, &arg->items[i], input);
  }
  if (arg->kind == GENIE_PT2_TENSOR && list->count < ALIAS_CAPACITY) {
    list->items[list->count].name = arg->text;
    list->items[list->count++].input = input;
  }
}

// Which inputs are written: those of mutation outputs (functional graphs), and those that an in-place op writes through
// any chain of views (graphs as torch.export gives them).
genie_status_t pt2_find_mutations(pt2_importer_t *im, pt2_entry_t *entry) {
  const genie_pt2_program_t *program = im->program;
  for (int i = 0; i < program->output_spec_count; ++i) {
    const genie_pt2_output_spec_t *spec = &program->output_specs[i];
    for (int j = 0; spec->kind == GENIE_PT2_OUTPUT_BUFFER_MUTATION && j < program->input_spec_count; ++j) {
      const genie_pt2_input_spec_t *input = &program->input_specs[j];
      if (input->kind == GENIE_PT2_INPUT_BUFFER && strcmp(input->target, spec->target) == 0) {
        entry->is_mutated[j] = true;
      }
    }
  }
  alias_list_t *aliases;
  GENIE_RETURN_IF_ERROR(allocate(im, 1, sizeof *aliases, &aliases));
  for (int i = 0; i < im->graph->node_count; ++i) {
    const genie_pt2_node_t *node = &im->graph->nodes[i];
    const char *overload = pt2_overload_of(node->target);
    const bool is_write = pt2_overload_is_in_place(overload) && strcmp(overload, "detach_.default") != 0;
    if (node->input_count == 0 || node->inputs[0].arg.kind != GENIE_PT2_TENSOR || (!is_write && !may_alias(overload))) {
      continue;
    }
    const int input = alias_find(im, aliases, node->inputs[0].arg.text);
    if (input < 0) {
      continue;
    }
    entry->is_mutated[input] = entry->is_mutated[input] || is_write;
    for (int j = 0; j < node->output_count; ++j) {
      alias_add(aliases, &node->outputs[j], input);
    }
  }
  return GENIE_OK;
}
