#include "runtime/exec/model.h"

#include <string.h>

#include "runtime/base/string_builder.h"
#include "runtime/exec/binding.h"
#include "runtime/exec/expr_text.h"
#include "runtime/plan/verifier.h"

const char *genie_version(void) {
  return GENIE_VERSION_STRING;
}

_Static_assert(GENIE_PLAN_VERSION_MAJOR == 1 && GENIE_PLAN_VERSION_MINOR == 1, "genie_plan_format_version() says so");
const char *genie_plan_format_version(void) {
  return "1.1";
}

// ---- Opening ----

static genie_status_t describe_expr(genie_model_t *model, uint32_t expr, const genie_plan_range_t *range,
                                    genie_string_builder_t *scratch) {
  scratch->length = 0;
  genie_expr_text_append(model->plan, expr, scratch);
  GENIE_RETURN_IF_ERROR(genie_string_builder_status(scratch));
  char *text = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_copy_string(&model->arena, genie_string_builder_get(scratch), scratch->length, &text));
  model->exprs[expr] = (genie_dim_t){.minimum = range->minimum, .maximum = range->maximum, .expression = text};
  return GENIE_OK;
}

static genie_status_t describe_dims(genie_model_t *model, const genie_plan_tensor_t *tensor,
                                    const genie_plan_range_t *ranges, genie_string_builder_t *scratch) {
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    const uint32_t expr = model->plan->indices[tensor->first_dim + i];
    if (model->exprs[expr].expression == NULL) {
      GENIE_RETURN_IF_ERROR(describe_expr(model, expr, &ranges[expr], scratch));
    }
  }
  return GENIE_OK;
}

static genie_status_t describe_exprs(genie_model_t *model) {
  const uint32_t count = model->plan->expr_count;
  void *ranges = NULL;
  void *exprs = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&model->arena, count, sizeof(genie_plan_range_t), &ranges));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&model->arena, count, sizeof(genie_dim_t), &exprs));
  model->exprs = exprs;
  GENIE_RETURN_IF_ERROR(genie_plan_verify_exprs(model->plan, ranges));
  genie_string_builder_t scratch;
  genie_string_builder_init(model->allocator, &scratch);
  genie_status_t status = GENIE_OK;
  for (uint32_t i = 0; i < model->plan->tensor_count && status == GENIE_OK; ++i) {
    if (model->plan->tensors[i].role != GENIE_PLAN_ROLE_WEIGHT) {
      status = describe_dims(model, &model->plan->tensors[i], ranges, &scratch);
    }
  }
  genie_string_builder_deinit(&scratch);
  return status;
}

static genie_status_t list_states(genie_model_t *model) {
  void *states = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&model->arena, model->plan->tensor_count, sizeof(*model->states), &states));
  model->states = states;
  for (uint32_t i = 0; i < model->plan->tensor_count; ++i) {
    if (model->plan->tensors[i].role == GENIE_PLAN_ROLE_STATE) {
      model->states[model->state_count++] = i;
    }
  }
  return GENIE_OK;
}

static genie_status_t describe_model(genie_model_t *model) {
  GENIE_RETURN_IF_ERROR(describe_exprs(model));
  return list_states(model);
}

static const genie_model_options_t kDefaultOptions = {0};

static genie_status_t create_model(const genie_model_options_t *options, genie_model_t **out_model) {
  const genie_allocator_t allocator = genie_allocator_heap();
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_model_t), &memory));
  genie_model_t *model = memory;
  model->allocator = allocator;
  model->has_weight_verification = options->verify_weights || options->require_signed;
  genie_arena_init(allocator, 0, &model->arena);
  *out_model = model;
  return GENIE_OK;
}

static genie_plan_options_t plan_options_of(const genie_model_options_t *options) {
  return (genie_plan_options_t){.is_signature_required = options->require_signed,
                                .trusted_keys_path = options->trusted_keys};
}

// Hands the model out, or closes it when `status` is an error.
static genie_status_t finish_model(genie_status_t status, genie_model_t *model, genie_model_t **out_model) {
  if (status == GENIE_OK) {
    status = describe_model(model);
  }
  if (status != GENIE_OK) {
    genie_model_close(model);
    return status;
  }
  *out_model = model;
  return GENIE_OK;
}

genie_status_t genie_model_open(const char *path, const genie_model_options_t *options, genie_model_t **out_model) {
  options = options == NULL ? &kDefaultOptions : options;
  if (path == NULL || out_model == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "genie_model_open: no path, or nowhere to put the model");
  }
  genie_model_t *model = NULL;
  GENIE_RETURN_IF_ERROR(create_model(options, &model));
  const genie_plan_options_t plan_options = plan_options_of(options);
  return finish_model(genie_plan_open(path, &plan_options, model->allocator, &model->plan), model, out_model);
}

// A copy on the boundary that the plan's records need.
static genie_status_t copy_plan_bytes(genie_model_t *model, const void *bytes, uint64_t size_bytes) {
  const uint64_t room_bytes = size_bytes > GENIE_PLAN_PAGE_BYTES ? size_bytes : GENIE_PLAN_PAGE_BYTES;
  model->plan_bytes = model->allocator.allocate(model->allocator.self, room_bytes, GENIE_PLAN_PAGE_BYTES);
  if (model->plan_bytes == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %llu bytes of plan",
                             (unsigned long long)size_bytes);
  }
  memcpy(model->plan_bytes, bytes, size_bytes);
  return GENIE_OK;
}

genie_status_t genie_model_open_parts(const char *name, const void *bytes, uint64_t size_bytes,
                                      const genie_plan_weight_source_t *source, const genie_model_options_t *options,
                                      genie_model_t **out_model) {
  options = options == NULL ? &kDefaultOptions : options;
  genie_model_t *model = NULL;
  GENIE_RETURN_IF_ERROR(create_model(options, &model));
  const genie_plan_options_t plan_options = plan_options_of(options);
  genie_status_t status = copy_plan_bytes(model, bytes, size_bytes);
  if (status == GENIE_OK) {
    status =
        genie_plan_open_parts(model->plan_bytes, size_bytes, source, &plan_options, model->allocator, &model->plan);
  }
  return finish_model(genie_status_annotate(status, "%s", name), model, out_model);
}

void genie_model_close(genie_model_t *model) {
  if (model == NULL) {
    return;
  }
  genie_plan_close(model->plan);
  genie_allocator_free(model->allocator, model->plan_bytes);
  genie_arena_deinit(&model->arena);
  genie_allocator_free(model->allocator, model);
}

// ---- Introspection ----

void genie_model_describe_tensor(const genie_model_t *model, uint32_t tensor, genie_tensor_info_t *out_info) {
  const genie_plan_tensor_t *record = &model->plan->tensors[tensor];
  *out_info = (genie_tensor_info_t){
      .name = genie_plan_string(model->plan, record->name),
      .dtype = (genie_dtype_t)record->dtype,
      .rank = (int32_t)record->rank,
      .maximum_bytes = record->maximum_bytes,
  };
  for (uint32_t i = 0; i < record->rank; ++i) {
    out_info->dims[i] = model->exprs[model->plan->indices[record->first_dim + i]];
  }
}

static const genie_plan_entry_t *entry_of(const genie_model_t *model, uint32_t entry) {
  static const genie_plan_entry_t kNone = {0};
  return entry < model->plan->entry_count ? &model->plan->entries[entry] : &kNone;
}

static genie_status_t no_such(const char *what, uint32_t index, uint32_t count) {
  return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s %u: there are %u", what, index, count);
}

uint32_t genie_model_entry_count(const genie_model_t *model) {
  return model->plan->entry_count;
}

const char *genie_model_entry_name(const genie_model_t *model, uint32_t entry) {
  return entry < model->plan->entry_count ? genie_plan_string(model->plan, model->plan->entries[entry].name) : "";
}

genie_status_t genie_model_find_entry(const genie_model_t *model, const char *name, uint32_t *out_entry) {
  return genie_plan_find_entry(model->plan, name, out_entry);
}

uint32_t genie_model_input_count(const genie_model_t *model, uint32_t entry) {
  return entry_of(model, entry)->input_count;
}

uint32_t genie_model_output_count(const genie_model_t *model, uint32_t entry) {
  return entry_of(model, entry)->output_count;
}

uint32_t genie_model_symbol_count(const genie_model_t *model, uint32_t entry) {
  return entry_of(model, entry)->symbol_count;
}

uint32_t genie_model_state_count(const genie_model_t *model) {
  return model->state_count;
}

genie_status_t genie_model_input_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                      genie_tensor_info_t *out_info) {
  if (index >= genie_model_input_count(model, entry)) {
    return no_such("input", index, genie_model_input_count(model, entry));
  }
  genie_model_describe_tensor(model, genie_plan_input(model->plan, entry, index), out_info);
  return GENIE_OK;
}

genie_status_t genie_model_output_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                       genie_tensor_info_t *out_info) {
  if (index >= genie_model_output_count(model, entry)) {
    return no_such("output", index, genie_model_output_count(model, entry));
  }
  genie_model_describe_tensor(model, genie_plan_output(model->plan, entry, index), out_info);
  return GENIE_OK;
}

genie_status_t genie_model_symbol_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                       genie_symbol_info_t *out_info) {
  if (index >= genie_model_symbol_count(model, entry)) {
    return no_such("symbol", index, genie_model_symbol_count(model, entry));
  }
  const genie_plan_symbol_t *symbol = &model->plan->symbols[entry_of(model, entry)->first_symbol + index];
  *out_info = (genie_symbol_info_t){.name = genie_plan_string(model->plan, symbol->name),
                                    .minimum = symbol->minimum,
                                    .maximum = symbol->maximum,
                                    .multiple = symbol->multiple};
  return GENIE_OK;
}

genie_status_t genie_model_state_info(const genie_model_t *model, uint32_t index, genie_tensor_info_t *out_info) {
  if (index >= model->state_count) {
    return no_such("state", index, model->state_count);
  }
  genie_model_describe_tensor(model, model->states[index], out_info);
  return GENIE_OK;
}

static genie_status_t check_symbol_values(const genie_model_t *model, uint32_t entry, const int64_t *values) {
  const uint32_t count = genie_model_symbol_count(model, entry);
  if (values == NULL && count > 0) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "no values of the %u sizes", count);
  }
  return genie_plan_check_symbols(model->plan, entry, values, count);
}

static genie_status_t bind_symbols(const genie_plan_t *plan, uint32_t entry, const genie_tensor_t *inputs,
                                   const int64_t **dims, int64_t *values, int64_t *out_values) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  for (uint32_t i = 0; i < record->input_count; ++i) {
    dims[i] = inputs[i].shape;
  }
  GENIE_RETURN_IF_ERROR(genie_plan_bind(plan, entry, dims, values));
  for (uint32_t i = 0; i < record->symbol_count; ++i) {
    const genie_plan_symbol_t *symbol = &plan->symbols[record->first_symbol + i];
    const genie_plan_tensor_t *tensor = &plan->tensors[symbol->bind_tensor];
    out_values[i] = values[plan->indices[tensor->first_dim + symbol->bind_dim]];
  }
  return GENIE_OK;
}

genie_status_t genie_model_bind_symbols(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                        uint32_t input_count, int64_t *out_values) {
  if (entry >= model->plan->entry_count) {
    return no_such("entry", entry, model->plan->entry_count);
  }
  GENIE_RETURN_IF_ERROR(genie_binding_check_types(model, entry, inputs, input_count));
  void *values = NULL;
  void *dims = NULL;
  genie_status_t status =
      genie_allocator_allocate_array(model->allocator, model->plan->expr_count, sizeof(int64_t), &values);
  if (status == GENIE_OK) {
    status = genie_allocator_allocate_array(model->allocator, (size_t)input_count + 1, sizeof(int64_t *), &dims);
  }
  if (status == GENIE_OK) {
    status = bind_symbols(model->plan, entry, inputs, dims, values, out_values);
  }
  genie_allocator_free(model->allocator, values);
  genie_allocator_free(model->allocator, dims);
  return status;
}

genie_status_t genie_model_input_shape(const genie_model_t *model, uint32_t entry, uint32_t index,
                                       const int64_t *symbol_values, int64_t out_shape[GENIE_MAX_RANK]) {
  if (index >= genie_model_input_count(model, entry)) {
    return no_such("input", index, genie_model_input_count(model, entry));
  }
  GENIE_RETURN_IF_ERROR(check_symbol_values(model, entry, symbol_values));
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(model->allocator, model->plan->expr_count, sizeof(int64_t), &memory));
  int64_t *values = memory;
  genie_plan_evaluate(model->plan, entry, symbol_values, values);
  const genie_plan_tensor_t *tensor = &model->plan->tensors[genie_plan_input(model->plan, entry, index)];
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    out_shape[i] = values[model->plan->indices[tensor->first_dim + i]];
  }
  genie_allocator_free(model->allocator, memory);
  return GENIE_OK;
}

static genie_status_t no_state_of_name(const genie_model_t *model, const char *name) {
  genie_string_builder_t names;
  genie_string_builder_init(model->allocator, &names);
  for (uint32_t i = 0; i < model->state_count && names.length < 1024; ++i) {
    genie_string_builder_format(&names, " '%s'",
                                genie_plan_string(model->plan, model->plan->tensors[model->states[i]].name));
  }
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_NOT_FOUND, "the plan has no state '%.64s'; it has:%s", name,
                        model->state_count == 0 ? " none" : genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

genie_status_t genie_model_find_state(const genie_model_t *model, const char *name, uint32_t *out_tensor) {
  for (uint32_t i = 0; i < model->state_count; ++i) {
    const uint32_t tensor = model->states[i];
    if (strcmp(genie_plan_string(model->plan, model->plan->tensors[tensor].name), name) == 0) {
      *out_tensor = tensor;
      return GENIE_OK;
    }
  }
  return no_state_of_name(model, name);
}
