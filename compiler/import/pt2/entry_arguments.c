// The entry function's arguments: user inputs, weights and states, and the symbols of their sizes.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

enum { MAX_ARGUMENTS = 1 << 20 };

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static genie_status_t allocate(pt2_importer_t *im, size_t count, size_t element_bytes, void *out_pointer) {
  return genie_arena_allocate(&im->arena, count, element_bytes, (void **)out_pointer);
}

//===-- Symbols --------------------------------------------------------------------------------------------------===//

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
    genie_import_bound_t *bound = &im->options->bounds[i];
    if (strcmp(bound->symbol, symbol->name) != 0) {
      continue;
    }
    bound->is_used = true;
    if (symbol->maximum == 0 || bound->maximum < symbol->maximum) {
      symbol->maximum = bound->maximum;
    }
  }
  if (symbol->maximum == 0) {
    symbol->maximum = symbol->minimum > GENIE_IMPORT_DEFAULT_BOUND ? symbol->minimum : GENIE_IMPORT_DEFAULT_BOUND;
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
genie_status_t pt2_import_symbols(pt2_importer_t *im) {
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

//===-- Arguments ------------------------------------------------------------------------------------------------===//

static bool is_read(const pt2_importer_t *im, const genie_pt2_input_spec_t *spec) {
  return spec->arg.kind == GENIE_PT2_TENSOR && genie_pt2_value_table_last_use(&im->values, spec->arg.text) >= 0;
}

static genie_status_t add_argument(pt2_importer_t *im, pt2_entry_t *entry, int input, MlirType type, const char *role,
                                   const char *symbol) {
  for (int i = 0; i < entry->argument_count; ++i) {
    const pt2_argument_t *known = &entry->arguments[i];
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
  entry->arguments[entry->argument_count++] = (pt2_argument_t){.type = type, .role = role, .symbol = symbol};
  return GENIE_OK;
}

static genie_status_t add_user_input(pt2_importer_t *im, pt2_entry_t *entry, int input) {
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
  pt2_reset_failure(im);
  const genie_status_t status = pt2_type_of_meta(im, meta, false, &type);
  if (status != GENIE_OK) {
    pt2_blame_input(im, spec->arg.text);
    pt2_fail(im, status);
    return pt2_take_failure(im, "input");
  }
  return add_argument(im, entry, input, genie_type_make(im->builder.context, &type), "genie.input", spec->arg.text);
}

static bool is_stored(genie_pt2_input_kind_t kind) {
  return kind == GENIE_PT2_INPUT_PARAMETER || kind == GENIE_PT2_INPUT_BUFFER || kind == GENIE_PT2_INPUT_CONSTANT_TENSOR;
}

// A parameter, buffer or constant as a weight or state argument. Those that nothing reads are left out.
static genie_status_t add_stored(pt2_importer_t *im, pt2_entry_t *entry, int input, bool wants_state) {
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
  if (spec->kind == GENIE_PT2_INPUT_CONSTANT_TENSOR && element_count > 0 &&
      element_count <= PT2_MAX_CONSTANT_ELEMENTS && !entry->is_mutated[input]) {
    return GENIE_OK;  // a literal: bind_inputs() makes it
  }
  MlirType type;
  const char *symbol = NULL;
  pt2_reset_failure(im);
  const genie_status_t status =
      is_state ? pt2_import_state(im, payload, &type, &symbol) : pt2_import_weight(im, payload, &type, &symbol);
  if (genie_status_code(status) == GENIE_STATUS_UNIMPLEMENTED) {
    pt2_blame_input(im, spec->target);
    pt2_fail(im, status);
    return pt2_take_failure(im, "weight");
  }
  GENIE_RETURN_IF_ERROR(status);
  entry->states[input] = is_state ? symbol : NULL;
  return add_argument(im, entry, input, type, is_state ? "genie.state" : "genie.weight", symbol);
}

// Arguments in their order: user inputs, weights, states.
genie_status_t pt2_import_arguments(pt2_importer_t *im, pt2_entry_t *entry) {
  const int count = im->program->input_spec_count;
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->arguments, &entry->arguments));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->argument_of_input, &entry->argument_of_input));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->is_mutated, &entry->is_mutated));
  GENIE_RETURN_IF_ERROR(allocate(im, (size_t)count, sizeof *entry->states, &entry->states));
  GENIE_RETURN_IF_ERROR(pt2_find_mutations(im, entry));
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

static MlirAttribute argument_attributes(const pt2_importer_t *im, const pt2_argument_t *argument) {
  const MlirContext context = im->builder.context;
  const MlirAttribute value = strcmp(argument->role, "genie.input") == 0
                                  ? mlirStringAttrGet(context, ref(argument->symbol))
                                  : mlirFlatSymbolRefAttrGet(context, ref(argument->symbol));
  const MlirNamedAttribute attribute = named(context, argument->role, value);
  return mlirDictionaryAttrGet(context, 1, &attribute);
}

MlirAttribute pt2_function_type(const pt2_importer_t *im, const pt2_entry_t *entry, int result_count,
                                const MlirType *result_types, MlirType *scratch) {
  for (int i = 0; i < entry->argument_count; ++i) {
    scratch[i] = entry->arguments[i].type;
  }
  return mlirTypeAttrGet(
      mlirFunctionTypeGet(im->builder.context, entry->argument_count, scratch, result_count, result_types));
}

// The function, without results until its outputs are known.
genie_status_t pt2_create_function(pt2_importer_t *im, const pt2_entry_t *entry) {
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
      named(context, "function_type", pt2_function_type(im, entry, 0, NULL, types)),
      named(context, "arg_attrs", mlirArrayAttrGet(context, entry->argument_count, attributes)),
  };
  const MlirRegion region = mlirRegionCreate();
  const MlirBlock block = mlirBlockCreate(entry->argument_count, types, locations);
  mlirRegionAppendOwnedBlock(region, block);
  MlirOperationState state = mlirOperationStateGet(ref("func.func"), location);
  mlirOperationStateAddAttributes(&state, sizeof function_attributes / sizeof function_attributes[0],
                                  function_attributes);
  mlirOperationStateAddOwnedRegions(&state, 1, &region);
  im->function = mlirOperationCreate(&state);
  mlirBlockAppendOwnedOperation(mlirModuleGetBody(im->module), im->function);
  if (im->symbols.count > 0) {
    genie_ir_symbols_set(im->function, im->symbols.count, im->symbols.items);
  }
  im->builder.block = block;
  return GENIE_OK;
}

genie_status_t pt2_bind_inputs(pt2_importer_t *im, const pt2_entry_t *entry) {
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
        pt2_blame_input(im, spec->target);
        pt2_fail(im, status);
        GENIE_RETURN_IF_ERROR(pt2_take_failure(im, "constant"));
      } else {
        GENIE_RETURN_IF_ERROR(status);
      }
    }
    genie_pt2_tensor_t *tensor = genie_pt2_value_table_bind(&im->values, spec->arg.text, value, -1);
    tensor->is_weight = spec->kind == GENIE_PT2_INPUT_PARAMETER;
    tensor->is_persistent = spec->kind == GENIE_PT2_INPUT_USER || spec->kind == GENIE_PT2_INPUT_BUFFER;
  }
  im->provenance = (pt2_provenance_t){.source = "", .file = "", .module = ""};
  pt2_annotate_new_ops(im);  // literals are of no module
  return GENIE_OK;
}
