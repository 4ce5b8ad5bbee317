// The entry function's results: user outputs, state updates and written inputs.
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

typedef struct result {
  const char *name;
  MlirValue value;
} result_t;

static MlirStringRef ref(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static genie_status_t allocate(pt2_importer_t *im, size_t count, size_t element_bytes, void *out_pointer) {
  return genie_arena_allocate(&im->arena, count, element_bytes, (void **)out_pointer);
}

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, ref(name)), value);
}

static MlirValue value_named(const pt2_importer_t *im, const char *name) {
  const int tensor = genie_pt2_value_table_find(&im->values, name);
  return tensor >= 0 ? im->values.tensors[tensor].value : (MlirValue){NULL};
}

static genie_status_t lost_output(pt2_importer_t *im, const char *name, const char *problem) {
  if (im->findings->count > 0) {
    return GENIE_OK;  // what was lost on the way to it is reported
  }
  pt2_blame_input(im, name);
  pt2_refuse(im, "op", problem, "return tensors");
  return pt2_take_failure(im, "output");
}

static genie_status_t update_state(pt2_importer_t *im, const char *symbol, MlirValue argument, MlirValue value) {
  const genie_tensor_type_t type = pt2_type(argument);
  value = pt2_cast(im, value, type.dtype);
  const genie_ir_attribute_t attribute = {"state", mlirFlatSymbolRefAttrGet(im->builder.context, ref(symbol))};
  pt2_build_op(im, "genie.state_update", 1, &value, 1, &attribute);
  return pt2_take_failure(im, "state");
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
static genie_status_t collect_mutations(pt2_importer_t *im, const pt2_entry_t *entry, int *count, result_t *results) {
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
      const bool is_buffer = output->kind == GENIE_PT2_OUTPUT_BUFFER_MUTATION &&
                             input->kind == GENIE_PT2_INPUT_BUFFER && strcmp(output->target, input->target) == 0;
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

genie_status_t pt2_import_outputs(pt2_importer_t *im, const pt2_entry_t *entry) {
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
  mlirOperationSetAttributeByName(im->function, ref("function_type"),
                                  pt2_function_type(im, entry, count, types, scratch));
  mlirOperationSetAttributeByName(im->function, ref("res_attrs"), mlirArrayAttrGet(context, count, attributes));
  return GENIE_OK;
}
