// Drives the import of one archive: symbols, arguments, nodes, outputs.
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

enum { MAX_OUTPUTS = 4096, MAX_ARGUMENTS = 1 << 20 };

// An argument of the entry function in the making.
typedef struct argument {
  MlirType type;
  const char *role;    // "genie.input", "genie.weight", "genie.state"
  const char *symbol;  // input name or symbol
} argument_t;

// What the import of the arguments leaves for that of the outputs.
typedef struct entry {
  int argument_count;
  argument_t *arguments;
  int *argument_of_input;  // of each graph input: index into `arguments`, or -1
  bool *is_mutated;        // of each graph input
  const char **states;     // of each graph input: its state's symbol, or NULL
} entry_t;

typedef struct result {
  const char *name;
  MlirValue value;
} result_t;

static MlirStringRef ref(const char *text) { return mlirStringRefCreateFromCString(text); }

static genie_status_t allocate(pt2_importer_t *im, size_t count, size_t element_bytes, void *out_pointer) {
  return genie_arena_allocate(&im->arena, count, element_bytes, (void **)out_pointer);
}

//===-- Findings --------------------------------------------------------------------------------------------------===//

static const char *subject_of(const char *target) {
  static const char prefix[] = "torch.ops.";
  return strncmp(target, prefix, sizeof prefix - 1) == 0 ? target + sizeof prefix - 1 : target;
}

// Turns the failure of the node in work into a finding.
static genie_status_t take_failure(pt2_importer_t *im, const char *target) {
  if (im->failure == GENIE_OK) {
    return GENIE_OK;
  }
  const genie_status_code_t code = genie_status_code(im->failure);
  if (code == GENIE_STATUS_RESOURCE_EXHAUSTED || code == GENIE_STATUS_DATA_LOSS) {
    const genie_status_t status = im->failure;
    im->failure = GENIE_OK;
    return status;
  }
  const genie_finding_t finding = {.kind = im->finding_kind != NULL ? im->finding_kind : "shape",
                                   .subject = subject_of(target),
                                   .problem = genie_status_message(im->failure),
                                   .module = im->provenance.module,
                                   .source = im->provenance.source,
                                   .hint = im->finding_hint != NULL ? im->finding_hint : "report it with the model"};
  const genie_status_t status = genie_findings_add(im->findings, &finding);
  genie_status_free(im->failure);
  im->failure = GENIE_OK;
  return status;
}

static void reset_failure(pt2_importer_t *im) {
  im->finding_kind = NULL;
  im->finding_hint = NULL;
}

//===-- Symbols ---------------------------------------------------------------------------------------------------===//

static const genie_pt2_range_t *range_of(const pt2_importer_t *im, const char *symbol) {
  for (int i = 0; i < im->program->range_count; ++i) {
    if (strcmp(im->program->ranges[i].symbol, symbol) == 0) {
      return &im->program->ranges[i];
    }
  }
  return NULL;
}

static void bound_symbol(const pt2_importer_t *im, genie_ir_symbol_t *symbol) {
  const genie_pt2_range_t *range = range_of(im, symbol->name);
  symbol->multiple = 1;
  symbol->minimum = range != NULL && range->minimum > 1 ? range->minimum : 1;
  symbol->maximum = range != NULL && range->has_maximum ? range->maximum : 0;
  for (int i = 0; i < im->options->bound_count; ++i) {
    const genie_import_bound_t *bound = &im->options->bounds[i];
    if (strcmp(bound->symbol, symbol->name) == 0 && (symbol->maximum == 0 || bound->maximum < symbol->maximum)) {
      symbol->maximum = bound->maximum;
    }
  }
  if (symbol->maximum == 0) {
    symbol->maximum =
        symbol->minimum > GENIE_IMPORT_DEFAULT_BOUND ? symbol->minimum : GENIE_IMPORT_DEFAULT_BOUND;
    if (im->options->notes != NULL) {
      fprintf(im->options->notes,
              "geniec: note: dynamic size %s has no upper bound in the export; the plan takes at most %lld "
              "(--max-symbol=%s=N, or Dim(max=N) at export, changes it)\n",
              symbol->name, (long long)symbol->maximum, symbol->name);
    }
  }
  if (symbol->maximum < symbol->minimum) {
    symbol->maximum = symbol->minimum;
  }
}

// The symbols are those of the user inputs' sizes, in the order in which they appear.
static genie_status_t import_symbols(pt2_importer_t *im) {
  for (int i = 0; i < im->program->input_spec_count; ++i) {
    const genie_pt2_input_spec_t *spec = &im->program->input_specs[i];
    const genie_pt2_tensor_meta_t *meta = spec->kind == GENIE_PT2_INPUT_USER && spec->arg.kind == GENIE_PT2_TENSOR
                                              ? genie_pt2_graph_tensor(im->graph, spec->arg.text)
                                              : NULL;
    for (int axis = 0; meta != NULL && axis < meta->rank; ++axis) {
      MlirAffineExpr size;
      GENIE_RETURN_IF_ERROR(genie_status_annotate(pt2_size_of_export(im, &meta->sizes[axis], true, &size),
                                                  "%s: input '%.60s'", genie_pt2_archive_path(im->program->archive),
                                                  spec->arg.text));
    }
  }
  for (int i = 0; i < im->symbols.count; ++i) {
    bound_symbol(im, &im->symbols.items[i]);
  }
  return GENIE_OK;
}

//===-- Uses and mutations ----------------------------------------------------------------------------------------===//

static size_t count_tensors(const genie_pt2_arg_t *arg) {
  size_t count = arg->kind == GENIE_PT2_TENSOR;
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    count += count_tensors(&arg->items[i]);
  }
  return count;
}

static void note_uses(pt2_importer_t *im, const genie_pt2_arg_t *arg, int position) {
  if (arg->kind == GENIE_PT2_TENSOR) {
    genie_pt2_value_table_note_use(&im->values, arg->text, position);
  }
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    note_uses(im, &arg->items[i], position);
  }
}

static genie_status_t prepare_values(pt2_importer_t *im) {
  const genie_pt2_graph_t *graph = im->graph;
  size_t count = 0;
  for (int i = 0; i < graph->input_count; ++i) {
    count += count_tensors(&graph->inputs[i]);
  }
  for (int i = 0; i < graph->output_count; ++i) {
    count += count_tensors(&graph->outputs[i]);
  }
  for (int i = 0; i < graph->node_count; ++i) {
    for (int j = 0; j < graph->nodes[i].input_count; ++j) {
      count += count_tensors(&graph->nodes[i].inputs[j].arg);
    }
    for (int j = 0; j < graph->nodes[i].output_count; ++j) {
      count += count_tensors(&graph->nodes[i].outputs[j]);
    }
  }
  GENIE_RETURN_IF_ERROR(genie_pt2_value_table_init(&im->arena, count, &im->values));
  for (int i = 0; i < graph->node_count; ++i) {
    for (int j = 0; j < graph->nodes[i].input_count; ++j) {
      note_uses(im, &graph->nodes[i].inputs[j].arg, i);
    }
  }
  for (int i = 0; i < graph->output_count; ++i) {
    note_uses(im, &graph->outputs[i], graph->node_count);
  }
  return GENIE_OK;
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
  static const char *const stems[] = {"alias",   "detach", "to",        "contiguous", "view",     "reshape",   "flatten",
                                      "permute", "t",      "transpose", "swapaxes",   "swapdims", "unsqueeze", "squeeze",
                                      "slice",   "select", "narrow",    "split",      "chunk",    "unbind",    "unflatten",
                                      "movedim", "diagonal", "expand",  "numpy_T",    "mT",       "split_with_sizes"};
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
static genie_status_t find_mutations(pt2_importer_t *im, entry_t *entry) {
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

//===-- Arguments -------------------------------------------------------------------------------------------------===//

static bool is_read(const pt2_importer_t *im, const genie_pt2_input_spec_t *spec) {
  return spec->arg.kind == GENIE_PT2_TENSOR && genie_pt2_value_table_last_use(&im->values, spec->arg.text) >= 0;
}

static genie_status_t add_argument(pt2_importer_t *im, entry_t *entry, int input, MlirType type, const char *role,
                                   const char *symbol) {
  for (int i = 0; i < entry->argument_count; ++i) {
    const argument_t *known = &entry->arguments[i];
    if (strcmp(known->role, role) == 0 && strcmp(known->symbol, symbol) == 0) {
      entry->argument_of_input[input] = i;  // tied parameters are one argument
      return GENIE_OK;
    }
  }
  if (entry->argument_count == MAX_ARGUMENTS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: more than %d inputs",
                             genie_pt2_archive_path(im->program->archive), MAX_ARGUMENTS);
  }
  entry->argument_of_input[input] = entry->argument_count;
  entry->arguments[entry->argument_count++] = (argument_t){.type = type, .role = role, .symbol = symbol};
  return GENIE_OK;
}

static void blame_input(pt2_importer_t *im, const char *name) {
  im->provenance = (pt2_provenance_t){.source = name, .file = "", .module = "", .phase = ""};
}

static genie_status_t add_user_input(pt2_importer_t *im, entry_t *entry, int input) {
  const genie_pt2_input_spec_t *spec = &im->program->input_specs[input];
  if (spec->arg.kind != GENIE_PT2_TENSOR) {
    return GENIE_OK;  // a Python value that the export baked in
  }
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(im->graph, spec->arg.text);
  if (meta == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: input '%.60s' has no type; export the model again",
                             genie_pt2_archive_path(im->program->archive), spec->arg.text);
  }
  genie_tensor_type_t type;
  reset_failure(im);
  const genie_status_t status = pt2_type_of_meta(im, meta, false, &type);
  if (status != GENIE_OK) {
    blame_input(im, spec->arg.text);
    pt2_fail(im, status);
    return take_failure(im, "input");
  }
  return add_argument(im, entry, input, genie_type_make(im->builder.context, &type), "genie.input", spec->arg.text);
}

static bool is_stored(genie_pt2_input_kind_t kind) {
  return kind == GENIE_PT2_INPUT_PARAMETER || kind == GENIE_PT2_INPUT_BUFFER || kind == GENIE_PT2_INPUT_CONSTANT_TENSOR;
}

// A parameter, buffer or constant as a weight or state argument. Those that nothing reads are left out.
static genie_status_t add_stored(pt2_importer_t *im, entry_t *entry, int input, bool wants_state) {
  const genie_pt2_input_spec_t *spec = &im->program->input_specs[input];
  const bool is_state = spec->kind == GENIE_PT2_INPUT_BUFFER && entry->is_mutated[input];
  if (!is_stored(spec->kind) || is_state != wants_state || (!is_state && !is_read(im, spec))) {
    return GENIE_OK;
  }
  const genie_pt2_payload_t *payload = genie_pt2_program_payload(im->program, spec->target);
  if (payload == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "%s: '%.120s' has no bytes in the archive; save the export with its weights",
                             genie_pt2_archive_path(im->program->archive), spec->target);
  }
  int64_t element_count = 1;
  for (int i = 0; i < payload->meta.rank && element_count <= PT2_MAX_CONSTANT_ELEMENTS; ++i) {
    element_count *= payload->meta.sizes[i].value > PT2_MAX_CONSTANT_ELEMENTS ? PT2_MAX_CONSTANT_ELEMENTS + 1
                                                                              : payload->meta.sizes[i].value;
  }
  if (spec->kind == GENIE_PT2_INPUT_CONSTANT_TENSOR && element_count > 0 && element_count <= PT2_MAX_CONSTANT_ELEMENTS &&
      !entry->is_mutated[input]) {
    return GENIE_OK;  // a literal: bind_inputs() makes it
  }
  MlirType type;
  const char *symbol = NULL;
  reset_failure(im);
  const genie_status_t status = is_state ? pt2_import_state(im, payload, &type, &symbol)
                                         : pt2_import_weight(im, payload, &type, &symbol);
  if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
    blame_input(im, spec->target);
    pt2_fail(im, status);
    return take_failure(im, "weight");
  }
  GENIE_RETURN_IF_ERROR(status);
  entry->states[input] = is_state ? symbol : NULL;
  return add_argument(im, entry, input, type, is_state ? "genie.state" : "genie.weight", symbol);
}

// Arguments in their order: user inputs, weights, states.
static genie_status_t import_arguments(pt2_importer_t *im, entry_t *entry) {
  const int count = im->program->input_spec_count;
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->arguments, &entry->arguments));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->argument_of_input, &entry->argument_of_input));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->is_mutated, &entry->is_mutated));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->states, &entry->states));
  GENIE_RETURN_IF_ERROR(find_mutations(im, entry));
  for (int i = 0; i < count; ++i) {
    entry->argument_of_input[i] = -1;
    if (im->program->input_specs[i].kind == GENIE_PT2_INPUT_USER) {
      GENIE_RETURN_IF_ERROR(add_user_input(im, entry, i));
    }
  }
  for (int wants_state = 0; wants_state < 2; ++wants_state) {
    for (int i = 0; i < count; ++i) {
      GENIE_RETURN_IF_ERROR(add_stored(im, entry, i, wants_state == 1));
    }
  }
  return GENIE_OK;
}

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, ref(name)), value);
}

static MlirAttribute argument_attributes(const pt2_importer_t *im, const argument_t *argument) {
  const MlirContext context = im->builder.context;
  const MlirAttribute value = strcmp(argument->role, "genie.input") == 0
                                  ? mlirStringAttrGet(context, ref(argument->symbol))
                                  : mlirFlatSymbolRefAttrGet(context, ref(argument->symbol));
  const MlirNamedAttribute attribute = named(context, argument->role, value);
  return mlirDictionaryAttrGet(context, 1, &attribute);
}

static MlirAttribute function_type(const pt2_importer_t *im, const entry_t *entry, int result_count,
                                   const MlirType *result_types, MlirType *scratch) {
  for (int i = 0; i < entry->argument_count; ++i) {
    scratch[i] = entry->arguments[i].type;
  }
  return mlirTypeAttrGet(
      mlirFunctionTypeGet(im->builder.context, entry->argument_count, scratch, result_count, result_types));
}

// The function, without results until its outputs are known.
static genie_status_t create_function(pt2_importer_t *im, const entry_t *entry) {
  const MlirContext context = im->builder.context;
  MlirType *types;
  MlirAttribute *attributes;
  MlirLocation *locations;
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)entry->argument_count + 1, sizeof *types, &types));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)entry->argument_count + 1, sizeof *attributes, &attributes));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)entry->argument_count + 1, sizeof *locations, &locations));
  const MlirLocation location = mlirLocationUnknownGet(context);
  for (int i = 0; i < entry->argument_count; ++i) {
    attributes[i] = argument_attributes(im, &entry->arguments[i]);
    locations[i] = location;
  }
  const char *name = im->options->entry != NULL ? im->options->entry : "main";
  const MlirNamedAttribute function_attributes[] = {
      named(context, "sym_name", mlirStringAttrGet(context, ref(name))),
      named(context, "function_type", function_type(im, entry, 0, NULL, types)),
      named(context, "arg_attrs", mlirArrayAttrGet(context, entry->argument_count, attributes)),
  };
  const MlirRegion region = mlirRegionCreate();
  const MlirBlock block = mlirBlockCreate(entry->argument_count, types, locations);
  mlirRegionAppendOwnedBlock(region, block);
  MlirOperationState state = mlirOperationStateGet(ref("func.func"), location);
  mlirOperationStateAddAttributes(&state, sizeof function_attributes / sizeof function_attributes[0], function_attributes);
  mlirOperationStateAddOwnedRegions(&state, 1, &region);
  im->function = mlirOperationCreate(&state);
  mlirBlockAppendOwnedOperation(mlirModuleGetBody(im->module), im->function);
  genie_ir_symbols_set(im->function, im->symbols.count, im->symbols.items);
  im->builder.block = block;
  return GENIE_OK;
}

// Names the module and phase on all ops that the node in work made.
static void annotate_new_ops(pt2_importer_t *im) {
  const MlirContext context = im->builder.context;
  MlirOperation op = mlirOperationIsNull(im->last_op) ? mlirBlockGetFirstOperation(im->builder.block)
                                                      : mlirOperationGetNextInBlock(im->last_op);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    im->last_op = op;
    if (im->provenance.module[0] != '\0') {
      mlirOperationSetAttributeByName(op, ref("genie.module"), mlirStringAttrGet(context, ref(im->provenance.module)));
    }
    if (im->provenance.phase[0] != '\0') {
      mlirOperationSetAttributeByName(op, ref("genie.phase"), mlirStringAttrGet(context, ref(im->provenance.phase)));
    }
  }
}

static genie_status_t bind_inputs(pt2_importer_t *im, const entry_t *entry) {
  for (int i = 0; i < im->program->input_spec_count; ++i) {
    const genie_pt2_input_spec_t *spec = &im->program->input_specs[i];
    if (spec->arg.kind != GENIE_PT2_TENSOR) {
      continue;
    }
    MlirValue value = {NULL};
    if (entry->argument_of_input[i] >= 0) {
      value = mlirBlockGetArgument(im->builder.block, entry->argument_of_input[i]);
    } else if (spec->kind == GENIE_PT2_INPUT_CONSTANT_TENSOR && is_read(im, spec)) {
      const genie_pt2_payload_t *payload = genie_pt2_program_payload(im->program, spec->target);
      const genie_status_t status = payload != NULL ? pt2_import_constant(im, payload, &value) : GENIE_OK;
      if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
        blame_input(im, spec->target);
        pt2_fail(im, status);
        GENIE_RETURN_IF_ERROR(take_failure(im, "constant"));
      } else {
        GENIE_RETURN_IF_ERROR(status);
      }
    }
    genie_pt2_tensor_t *tensor = genie_pt2_value_table_bind(&im->values, spec->arg.text, value, -1);
    tensor->is_weight = spec->kind == GENIE_PT2_INPUT_PARAMETER;
    tensor->is_persistent = spec->kind == GENIE_PT2_INPUT_USER || spec->kind == GENIE_PT2_INPUT_BUFFER;
  }
  im->provenance = (pt2_provenance_t){.source = "", .file = "", .module = "", .phase = ""};
  annotate_new_ops(im);  // literals are of no module
  return GENIE_OK;
}

//===-- Nodes -----------------------------------------------------------------------------------------------------===//

// Nodes that compute sizes or check them: the export states the sizes themselves, and the checks hold by their ranges.
static bool is_bookkeeping(const char *target) {
  static const char *const prefixes[] = {"_operator.", "torch.sym_", "math.", "builtins.", "sym_", "_assert", "_check"};
  const char *overload = pt2_overload_of(target);
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; ++i) {
    if (strncmp(overload, prefixes[i], strlen(prefixes[i])) == 0) {
      return true;
    }
  }
  return false;
}

// True when an operand could not be imported: its own finding stands for all that follow.
static bool has_lost_operand(const pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  if (arg->kind == GENIE_PT2_TENSOR) {
    const int tensor = genie_pt2_value_table_find(&im->values, arg->text);
    return tensor >= 0 && mlirValueIsNull(im->values.tensors[tensor].value);
  }
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    if (has_lost_operand(im, &arg->items[i])) {
      return true;
    }
  }
  return false;
}

// Stands for a result that could not be imported, so that the import goes on and finds all gaps: a value of the type that
// the export states, or none where Genie has no such type.
static void bind_placeholder(pt2_importer_t *im, const genie_pt2_arg_t *arg, bool has_value) {
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    bind_placeholder(im, &arg->items[i], has_value);
  }
  if (arg->kind != GENIE_PT2_TENSOR || genie_pt2_value_table_find(&im->values, arg->text) >= 0) {
    return;
  }
  MlirValue value = {NULL};
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(im->graph, arg->text);
  genie_tensor_type_t type;
  const genie_status_t status = has_value && meta != NULL ? pt2_type_of_meta(im, meta, false, &type) : GENIE_OK;
  if (has_value && meta != NULL && status == GENIE_OK) {
    const MlirType result = genie_type_make(im->builder.context, &type);
    MlirOperationState state = mlirOperationStateGet(ref("builtin.unrealized_conversion_cast"), im->builder.location);
    mlirOperationStateAddResults(&state, 1, &result);
    const MlirOperation op = mlirOperationCreate(&state);
    mlirBlockAppendOwnedOperation(im->builder.block, op);
    value = mlirOperationGetResult(op, 0);
  }
  genie_status_free(status);
  genie_pt2_value_table_bind(&im->values, arg->text, value, -1);
}

static void bind_placeholders(pt2_importer_t *im, const genie_pt2_node_t *node, bool has_values) {
  for (int i = 0; i < node->output_count; ++i) {
    bind_placeholder(im, &node->outputs[i], has_values);
  }
}

static void check_result(pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  for (int i = 0; arg->kind == GENIE_PT2_LIST && i < arg->count; ++i) {
    check_result(im, &arg->items[i]);
  }
  if (arg->kind != GENIE_PT2_TENSOR || pt2_has_failed(im)) {
    return;
  }
  const int tensor = genie_pt2_value_table_find(&im->values, arg->text);
  if (tensor < 0) {
    if (genie_pt2_value_table_last_use(&im->values, arg->text) >= 0) {
      pt2_refuse(im, "op", "one of its further results is used", "use its first result only");
    }
    return;
  }
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(im->graph, arg->text);
  genie_tensor_type_t stated;
  if (meta == NULL) {
    return;
  }
  pt2_fail(im, pt2_type_of_meta(im, meta, false, &stated));
  const MlirValue value = im->values.tensors[tensor].value;
  if (pt2_has_failed(im) || mlirValueIsNull(value)) {
    return;
  }
  const MlirType expected = genie_type_make(im->builder.context, &stated);
  if (!mlirTypeEqual(expected, mlirValueGetType(value))) {
    char expected_text[200], actual_text[200];
    genie_type_describe(expected, sizeof expected_text, expected_text);
    genie_type_describe(mlirValueGetType(value), sizeof actual_text, actual_text);
    pt2_fail(im, genie_status_make(GENIE_STATUS_INTERNAL, "imported as %s where the export says %s", actual_text,
                                   expected_text));
  }
}

static void refuse_unknown(pt2_importer_t *im, const char *target) {
  const char *overload = pt2_overload_of(target);
  const size_t stem = strcspn(overload, ".");
  bool has_sibling = false;
  for (int i = 0; i < im->mappings->count; ++i) {
    const pt2_mapping_t *row = &im->mappings->rows[i];
    has_sibling = has_sibling || (row->overload_length > stem && row->overload[stem] == '.' &&
                                  strncmp(row->overload, overload, stem) == 0);
  }
  if (has_sibling) {
    pt2_refuse(im, "overload", "this overload is not supported", "call the op with plain tensors and numbers, or export with genie.export");
  } else if (strncmp(target, "torch.ops.aten.", 15) == 0) {
    pt2_refuse(im, "op", "this op is not supported", "export with genie.export, which decomposes rare ops, or replace it in the model");
  } else {
    pt2_refuse(im, "op", "this op is not PyTorch's own", "replace it by PyTorch's ops, or keep it outside the export");
  }
}

static genie_status_t import_node(pt2_importer_t *im, const genie_pt2_node_t *node) {
  GENIE_RETURN_IF_ERROR(pt2_provenance_of(&im->arena, node, &im->provenance));
  im->builder.location = im->provenance.file[0] != '\0'
                             ? mlirLocationFileLineColGet(im->builder.context, ref(im->provenance.file),
                                                          (unsigned)im->provenance.line, 0)
                             : mlirLocationUnknownGet(im->builder.context);
  if (is_bookkeeping(node->target)) {
    return GENIE_OK;
  }
  for (int i = 0; i < node->input_count; ++i) {
    if (has_lost_operand(im, &node->inputs[i].arg)) {
      bind_placeholders(im, node, false);
      return GENIE_OK;
    }
  }
  reset_failure(im);
  im->mapping = pt2_mapping_find(im->mappings, node->target, &im->is_in_place);
  im->in_place_result = (MlirValue){NULL};
  if (im->mapping == NULL) {
    refuse_unknown(im, node->target);
  } else {
    im->mapping->rule(im, node);
    if (im->is_in_place && !pt2_has_failed(im)) {
      pt2_write_in_place(im, node);
    }
  }
  im->is_in_place = false;
  for (int i = 0; i < node->output_count; ++i) {
    check_result(im, &node->outputs[i]);
  }
  const bool has_failed = pt2_has_failed(im);
  GENIE_RETURN_IF_ERROR(take_failure(im, node->target));
  if (has_failed) {
    bind_placeholders(im, node, true);
  }
  annotate_new_ops(im);
  return GENIE_OK;
}

//===-- Outputs ---------------------------------------------------------------------------------------------------===//

static MlirValue value_named(const pt2_importer_t *im, const char *name) {
  const int tensor = genie_pt2_value_table_find(&im->values, name);
  return tensor >= 0 ? im->values.tensors[tensor].value : (MlirValue){NULL};
}

static genie_status_t lost_output(pt2_importer_t *im, const char *name, const char *problem) {
  if (im->findings->count > 0) {
    return GENIE_OK;  // what was lost on the way to it is reported
  }
  blame_input(im, name);
  pt2_refuse(im, "op", problem, "return tensors");
  return take_failure(im, "output");
}

static genie_status_t update_state(pt2_importer_t *im, const char *symbol, MlirValue argument, MlirValue value) {
  const genie_tensor_type_t type = pt2_type(argument);
  value = pt2_cast(im, value, type.dtype);
  const genie_ir_attribute_t attribute = {"state", mlirFlatSymbolRefAttrGet(im->builder.context, ref(symbol))};
  pt2_build_op(im, "genie.state_update", 1, &value, 1, &attribute);
  return take_failure(im, "state");
}

// The value of a user output: a tensor, or a size as a 0-d i64.
static MlirValue output_value(pt2_importer_t *im, const genie_pt2_arg_t *arg) {
  switch (arg->kind) {
    case GENIE_PT2_TENSOR:
      return value_named(im, arg->text);
    case GENIE_PT2_INT:
    case GENIE_PT2_BOOL:
    case GENIE_PT2_SYM_INT:
      return pt2_size_value(im, pt2_size_of(im, arg));
    case GENIE_PT2_FLOAT:
      return pt2_scalar(im, GENIE_DTYPE_F64, arg->number);
    default:
      return (MlirValue){NULL};
  }
}

static genie_status_t collect_user_outputs(pt2_importer_t *im, int *count, result_t *results) {
  const genie_pt2_program_t *program = im->program;
  int user_count = 0;
  for (int i = 0; i < program->output_spec_count; ++i) {
    user_count += program->output_specs[i].kind == GENIE_PT2_OUTPUT_USER;
  }
  const char **names;
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)user_count, sizeof *names, &names));
  GENIE_RETURN_IF_ERROR(pt2_output_names(&im->arena, program->out_spec, user_count, names));
  for (int i = 0, user = 0; i < program->output_spec_count; ++i) {
    const genie_pt2_output_spec_t *spec = &program->output_specs[i];
    if (spec->kind == GENIE_PT2_OUTPUT_FOREIGN) {
      GENIE_RETURN_IF_ERROR(lost_output(im, spec->target, "an output kind of training or custom objects"));
    }
    if (spec->kind != GENIE_PT2_OUTPUT_USER) {
      continue;
    }
    const char *name = names[user++];
    if (spec->arg.kind == GENIE_PT2_NONE || spec->arg.kind == GENIE_PT2_STRING) {
      continue;
    }
    const MlirValue value = output_value(im, &spec->arg);
    if (mlirValueIsNull(value)) {
      GENIE_RETURN_IF_ERROR(lost_output(im, name, "an output that is no tensor"));
      continue;
    }
    results[(*count)++] = (result_t){.name = name, .value = value};
  }
  return GENIE_OK;
}

// Writes to buffers become state updates, writes to user inputs become outputs of the inputs' names.
static genie_status_t collect_mutations(pt2_importer_t *im, const entry_t *entry, int *count, result_t *results) {
  const genie_pt2_program_t *program = im->program;
  for (int i = 0; i < program->input_spec_count; ++i) {
    const genie_pt2_input_spec_t *input = &program->input_specs[i];
    if (input->arg.kind != GENIE_PT2_TENSOR || entry->argument_of_input[i] < 0) {
      continue;
    }
    const int tensor = genie_pt2_value_table_find(&im->values, input->arg.text);
    MlirValue value = im->values.tensors[tensor].is_written ? im->values.tensors[tensor].value : (MlirValue){NULL};
    for (int j = 0; j < program->output_spec_count; ++j) {
      const genie_pt2_output_spec_t *output = &program->output_specs[j];
      const bool is_buffer = output->kind == GENIE_PT2_OUTPUT_BUFFER_MUTATION && input->kind == GENIE_PT2_INPUT_BUFFER &&
                             strcmp(output->target, input->target) == 0;
      const bool is_input = output->kind == GENIE_PT2_OUTPUT_INPUT_MUTATION && input->kind == GENIE_PT2_INPUT_USER &&
                            strcmp(output->target, input->arg.text) == 0;
      if ((is_buffer || is_input) && output->arg.kind == GENIE_PT2_TENSOR) {
        value = value_named(im, output->arg.text);
      }
    }
    if (mlirValueIsNull(value)) {
      continue;
    }
    if (entry->states[i] != NULL) {
      const MlirValue argument = mlirBlockGetArgument(im->builder.block, entry->argument_of_input[i]);
      GENIE_RETURN_IF_ERROR(update_state(im, entry->states[i], argument, value));
    } else {
      results[(*count)++] = (result_t){.name = input->arg.text, .value = value};
    }
  }
  return GENIE_OK;
}

static genie_status_t import_outputs(pt2_importer_t *im, const entry_t *entry) {
  const MlirContext context = im->builder.context;
  const size_t capacity = (size_t)im->program->output_spec_count + (size_t)im->program->input_spec_count;
  im->builder.location = mlirLocationUnknownGet(context);
  result_t *results;
  MlirValue *values;
  MlirType *types, *scratch;
  MlirAttribute *attributes;
  GENIE_RETURN_IF_ERROR(allocate(im, capacity, sizeof *results, &results));
  GENIE_RETURN_IF_ERROR(allocate(im, capacity, sizeof *values, &values));
  GENIE_RETURN_IF_ERROR(allocate(im, capacity, sizeof *types, &types));
  GENIE_RETURN_IF_ERROR(allocate(im, capacity, sizeof *attributes, &attributes));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)entry->argument_count + 1, sizeof *scratch, &scratch));
  int count = 0;
  GENIE_RETURN_IF_ERROR(collect_user_outputs(im, &count, results));
  GENIE_RETURN_IF_ERROR(collect_mutations(im, entry, &count, results));
  for (int i = 0; i < count; ++i) {
    values[i] = results[i].value;
    types[i] = mlirValueGetType(values[i]);
    const MlirNamedAttribute name = named(context, "genie.output", mlirStringAttrGet(context, ref(results[i].name)));
    attributes[i] = mlirDictionaryAttrGet(context, 1, &name);
  }
  MlirOperationState state = mlirOperationStateGet(ref("func.return"), im->builder.location);
  mlirOperationStateAddOperands(&state, count, values);
  mlirBlockAppendOwnedOperation(im->builder.block, mlirOperationCreate(&state));
  mlirOperationSetAttributeByName(im->function, ref("function_type"), function_type(im, entry, count, types, scratch));
  mlirOperationSetAttributeByName(im->function, ref("res_attrs"), mlirArrayAttrGet(context, count, attributes));
  return GENIE_OK;
}

//===-- The import ------------------------------------------------------------------------------------------------===//

static genie_status_t import_program(pt2_importer_t *im) {
  if (im->program->output_spec_count > MAX_OUTPUTS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: more than %d outputs",
                             genie_pt2_archive_path(im->program->archive), MAX_OUTPUTS);
  }
  pt2_mapping_table_t mappings;
  GENIE_RETURN_IF_ERROR(pt2_mapping_table_init(&im->arena, &mappings));
  im->mappings = &mappings;
  GENIE_RETURN_IF_ERROR(import_symbols(im));
  GENIE_RETURN_IF_ERROR(prepare_values(im));
  entry_t entry = {0};
  GENIE_RETURN_IF_ERROR(import_arguments(im, &entry));
  GENIE_RETURN_IF_ERROR(create_function(im, &entry));
  GENIE_RETURN_IF_ERROR(bind_inputs(im, &entry));
  for (int i = 0; i < im->graph->node_count; ++i) {
    im->position = i;
    GENIE_RETURN_IF_ERROR(import_node(im, &im->graph->nodes[i]));
  }
  return import_outputs(im, &entry);
}

// The module's attribute `genie.framework` = "torch 2.13.0".
static void note_framework(const genie_pt2_program_t *program, MlirModule module) {
  char text[96];
  snprintf(text, sizeof text, "torch %s", program->torch_version);
  if (program->torch_version[0] != '\0') {
    mlirOperationSetAttributeByName(mlirModuleGetOperation(module), ref("genie.framework"),
                                    mlirStringAttrGet(mlirModuleGetContext(module), ref(text)));
  }
}

genie_status_t genie_import_pt2(const genie_import_options_t *options, const char *path, MlirModule module,
                                genie_findings_t *findings) {
  genie_pt2_program_t program;
  GENIE_RETURN_IF_ERROR(genie_pt2_program_read(path, &program));
  const MlirContext context = mlirModuleGetContext(module);
  pt2_importer_t im = {.options = options,
                       .program = &program,
                       .graph = &program.graph,
                       .findings = findings,
                       .module = module,
                       .builder = {.context = context, .location = mlirLocationUnknownGet(context)}};
  genie_arena_init(genie_allocator_heap(), (size_t)2 << 30, &im.arena);
  note_framework(&program, module);
  const genie_status_t status = import_program(&im);
  genie_status_free(im.failure);
  genie_arena_deinit(&im.arena);
  genie_pt2_program_deinit(&program);
  return status;
}
