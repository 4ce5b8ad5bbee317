#include "tools/genie/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/string_builder.h"
#include "tools/genie/element.h"

// ---- Names ----

static genie_status_t find_name(const genie_call_t *call, const genie_tensor_info_t *infos, uint32_t count,
                                const char *what, const char *name, uint32_t *out_index) {
  for (uint32_t i = 0; i < count; ++i) {
    if (strcmp(infos[i].name, name) == 0) {
      *out_index = i;
      return GENIE_OK;
    }
  }
  genie_string_builder_t names;
  genie_string_builder_init(call->allocator, &names);
  for (uint32_t i = 0; i < count && names.length < 2000; ++i) {
    genie_string_builder_format(&names, "%s'%s'", i == 0 ? "" : ", ", infos[i].name);
  }
  const genie_status_t status = genie_status_make(GENIE_STATUS_NOT_FOUND, "no %s '%.200s'; entry '%s' has %s", what,
                                                  name, genie_model_entry_name(call->model, call->entry),
                                                  count == 0 ? "none" : genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

genie_status_t genie_call_find_output(const genie_call_t *call, const char *name, uint32_t *out_index) {
  return find_name(call, call->output_infos, call->output_count, "output", name, out_index);
}

// ---- Inputs from files ----

static genie_status_t read_file(genie_call_t *call, const char *path, genie_tensor_file_t **out_file) {
  *out_file = &call->files[call->file_count];
  GENIE_RETURN_IF_ERROR(genie_tensor_file_read(path, call->allocator, *out_file));
  ++call->file_count;
  return GENIE_OK;
}

static genie_status_t take_input(genie_call_t *call, const char *name, const genie_tensor_t *tensor) {
  uint32_t index = 0;
  GENIE_RETURN_IF_ERROR(find_name(call, call->input_infos, call->input_count, "input", name, &index));
  if (call->is_given[index]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "input '%s' is given twice", name);
  }
  call->inputs[index] = *tensor;
  call->is_given[index] = true;
  return GENIE_OK;
}

static genie_status_t take_inputs_file(genie_call_t *call, genie_command_t *command, const char *path) {
  genie_tensor_file_t *file = NULL;
  genie_tensor_set_t set;
  GENIE_RETURN_IF_ERROR(read_file(call, path, &file));
  const genie_status_t status = genie_safetensors_parse(file->bytes, file->size_bytes, command->arena, &set);
  if (status != GENIE_OK) {
    return genie_status_annotate(status, "%s", path);
  }
  for (size_t i = 0; i < set.count; ++i) {
    const genie_status_t taken = take_input(call, set.tensors[i].name, &set.tensors[i].tensor);
    if (taken != GENIE_OK) {
      return genie_status_annotate(taken, "%s", path);
    }
  }
  return GENIE_OK;
}

// ---- Inputs from arguments: NAME=@FILE or NAME=2x3xf32=1,2,... ----

static genie_status_t parse_literal_type(genie_command_t *command, const char *argument, const char *text,
                                         const char *end, genie_tensor_t *out_tensor) {
  *out_tensor = (genie_tensor_t){0};
  while (text < end && *text >= '0' && *text <= '9') {
    char *after = NULL;
    const long long size = strtoll(text, &after, 10);
    if (after >= end || *after != 'x' || out_tensor->rank == GENIE_MAX_RANK) {
      break;
    }
    out_tensor->shape[out_tensor->rank++] = size;
    text = after + 1;
  }
  out_tensor->dtype = genie_dtype_parse(text, (size_t)(end - text));
  uint64_t bytes = 0;
  if (out_tensor->dtype == GENIE_DTYPE_INVALID || !genie_tensor_byte_count(out_tensor, &bytes)) {
    return genie_command_usage_error(command, "'%.100s': '%.*s' is no type such as 2x3xf32 or i64", argument,
                                     (int)(end - text < 40 ? end - text : 40), text);
  }
  return GENIE_OK;
}

static genie_status_t allocate_data(genie_call_t *call, uint32_t index, genie_tensor_t *tensor) {
  uint64_t bytes = 0;
  if (!genie_tensor_byte_count(tensor, &bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "input '%s' is too large", call->input_infos[index].name);
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(call->allocator, bytes, 1, &call->buffers[index]));
  tensor->data = call->buffers[index];
  return GENIE_OK;
}

static uint64_t element_count_of(const genie_tensor_t *tensor) {
  uint64_t bytes = 0;
  (void)genie_tensor_byte_count(tensor, &bytes);
  return bytes / genie_dtype_bytes(tensor->dtype);
}

static genie_status_t parse_literal_values(genie_command_t *command, const char *argument, const char *text,
                                           const genie_tensor_t *tensor) {
  const uint64_t count = element_count_of(tensor);
  uint64_t parsed = 0;
  while (*text != '\0' && parsed < count) {
    const size_t length = strcspn(text, ",");
    if (!genie_element_parse(tensor->dtype, text, length, tensor->data, parsed)) {
      return genie_command_usage_error(command, "'%.100s': value %llu, '%.*s', is no %s", argument,
                                       (unsigned long long)parsed, (int)(length < 40 ? length : 40), text,
                                       genie_dtype_name(tensor->dtype));
    }
    ++parsed;
    text += length + (text[length] == ',');
  }
  const size_t element_bytes = genie_dtype_bytes(tensor->dtype);
  for (uint64_t i = 1; parsed == 1 && *text == '\0' && i < count; ++i) {
    memcpy((char *)tensor->data + i * element_bytes, tensor->data, element_bytes);
  }
  if (*text != '\0' || (parsed != count && parsed != 1)) {
    return genie_command_usage_error(command, "'%.100s': the type has %llu elements, %s values are given", argument,
                                     (unsigned long long)count, *text != '\0' ? "more" : "fewer");
  }
  return GENIE_OK;
}

static genie_status_t take_literal(genie_call_t *call, genie_command_t *command, const char *argument, const char *name,
                                   const char *value) {
  const char *equals = strchr(value, '=');
  if (equals == NULL) {
    return genie_command_usage_error(command, "'%.100s': an input is NAME=@FILE.npy or NAME=2x3xf32=1,2,...", argument);
  }
  genie_tensor_t tensor;
  uint32_t index = 0;
  GENIE_RETURN_IF_ERROR(find_name(call, call->input_infos, call->input_count, "input", name, &index));
  GENIE_RETURN_IF_ERROR(parse_literal_type(command, argument, value, equals, &tensor));
  if (call->buffers[index] == NULL) {
    GENIE_RETURN_IF_ERROR(allocate_data(call, index, &tensor));
    GENIE_RETURN_IF_ERROR(parse_literal_values(command, argument, equals + 1, &tensor));
  }
  return take_input(call, name, &tensor);
}

static genie_status_t take_argument(genie_call_t *call, genie_command_t *command, const char *argument) {
  const char *equals = strchr(argument, '=');
  char *name = NULL;
  if (equals == NULL || equals == argument) {
    return genie_command_usage_error(command, "'%.100s': an input is NAME=@FILE.npy or NAME=2x3xf32=1,2,...", argument);
  }
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(command->arena, argument, (size_t)(equals - argument), &name));
  if (equals[1] != '@') {
    return take_literal(call, command, argument, name, equals + 1);
  }
  genie_tensor_file_t *file = NULL;
  genie_tensor_t tensor;
  GENIE_RETURN_IF_ERROR(read_file(call, equals + 2, &file));
  const genie_status_t status = genie_npy_parse(file->bytes, file->size_bytes, &tensor);
  return status == GENIE_OK ? take_input(call, name, &tensor) : genie_status_annotate(status, "%s", equals + 2);
}

// ---- Inputs that are made up ----

static uint64_t next_random(uint64_t *state) {
  // SplitMix64.
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static void fill_random(const genie_tensor_t *tensor, int64_t integer_bound, uint64_t *state) {
  const uint64_t count = element_count_of(tensor);
  if (genie_element_is_float(tensor->dtype)) {
    for (uint64_t i = 0; i < count; ++i) {
      genie_element_set(tensor->dtype, tensor->data, i, (double)(next_random(state) >> 11) * 0x1p-52 - 1.0);
    }
    return;
  }
  // Every value is one that the dtype holds.
  const int64_t dtype_bound = tensor->dtype == GENIE_DTYPE_BOOL       ? 2
                              : genie_dtype_bytes(tensor->dtype) == 1 ? 127
                              : genie_dtype_bytes(tensor->dtype) == 2 ? INT16_MAX
                                                                      : INT32_MAX;
  const uint64_t bound = (uint64_t)(integer_bound < dtype_bound ? integer_bound : dtype_bound);
  for (uint64_t i = 0; i < count; ++i) {
    genie_element_set(tensor->dtype, tensor->data, i, (double)(next_random(state) % bound));
  }
}

static genie_status_t set_size(const genie_call_t *call, genie_command_t *command, const char *argument,
                               int64_t *values) {
  const char *equals = strchr(argument, '=');
  char *end = NULL;
  const long long value = equals == NULL ? 0 : strtoll(equals + 1, &end, 10);
  if (equals == NULL || end == equals + 1 || *end != '\0') {
    return genie_command_usage_error(command, "'%.100s': a size is NAME=N", argument);
  }
  for (uint32_t i = 0; i < genie_model_symbol_count(call->model, call->entry); ++i) {
    genie_symbol_info_t info;
    GENIE_RETURN_IF_ERROR(genie_model_symbol_info(call->model, call->entry, i, &info));
    if (strlen(info.name) == (size_t)(equals - argument) && memcmp(info.name, argument, strlen(info.name)) == 0) {
      values[i] = value;
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "entry '%s' has no dynamic size '%.*s'",
                           genie_model_entry_name(call->model, call->entry), (int)(equals - argument), argument);
}

static genie_status_t choose_sizes(const genie_call_t *call, genie_command_t *command, const genie_call_fill_t *fill,
                                   int64_t **out_values) {
  const uint32_t count = genie_model_symbol_count(call->model, call->entry);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(command->arena, count, sizeof(int64_t), &memory));
  *out_values = memory;
  for (uint32_t i = 0; i < count; ++i) {
    genie_symbol_info_t info;
    GENIE_RETURN_IF_ERROR(genie_model_symbol_info(call->model, call->entry, i, &info));
    (*out_values)[i] = info.maximum - info.maximum % info.multiple;
  }
  for (size_t i = 0; i < fill->sizes.count; ++i) {
    GENIE_RETURN_IF_ERROR(set_size(call, command, fill->sizes.values[i], *out_values));
  }
  return GENIE_OK;
}

static genie_status_t fill_missing_inputs(genie_call_t *call, genie_command_t *command, const genie_call_fill_t *fill) {
  int64_t *sizes = NULL;
  uint64_t state = fill->seed;
  GENIE_RETURN_IF_ERROR(choose_sizes(call, command, fill, &sizes));
  for (uint32_t i = 0; i < call->input_count; ++i) {
    if (!call->is_given[i]) {
      genie_tensor_t *input = &call->inputs[i];
      *input = (genie_tensor_t){.dtype = call->input_infos[i].dtype, .rank = call->input_infos[i].rank};
      GENIE_RETURN_IF_ERROR(genie_model_input_shape(call->model, call->entry, i, sizes, input->shape));
      GENIE_RETURN_IF_ERROR(allocate_data(call, i, input));
      fill_random(input, fill->integer_bound, &state);
      call->is_given[i] = true;
    }
  }
  return GENIE_OK;
}

static genie_status_t check_all_given(const genie_call_t *call) {
  genie_string_builder_t missing;
  genie_string_builder_init(call->allocator, &missing);
  for (uint32_t i = 0; i < call->input_count && missing.length < 2000; ++i) {
    if (call->is_given[i]) {
      continue;
    }
    const genie_tensor_info_t *info = &call->input_infos[i];
    genie_string_builder_format(&missing, "%s'%s' (%s [", missing.length == 0 ? "" : ", ", info->name,
                                genie_dtype_name(info->dtype));
    for (int32_t dim = 0; dim < info->rank; ++dim) {
      genie_string_builder_format(&missing, "%s%s", dim == 0 ? "" : ", ", info->dims[dim].expression);
    }
    genie_string_builder_format(&missing, "])");
  }
  const genie_status_t status =
      missing.length == 0 ? GENIE_OK
                          : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                              "no value for input %s; give --inputs FILE or --input NAME=VALUE",
                                              genie_string_builder_get(&missing));
  genie_string_builder_deinit(&missing);
  return status;
}

static genie_status_t gather_inputs(genie_call_t *call, genie_command_t *command, const genie_call_options_t *options,
                                    const genie_call_fill_t *fill) {
  if (options->inputs_file != NULL) {
    GENIE_RETURN_IF_ERROR(take_inputs_file(call, command, options->inputs_file));
  }
  for (size_t i = 0; i < options->inputs.count; ++i) {
    GENIE_RETURN_IF_ERROR(take_argument(call, command, options->inputs.values[i]));
  }
  return fill->is_enabled ? fill_missing_inputs(call, command, fill) : check_all_given(call);
}

// ---- Construction ----

static genie_status_t describe_entry(genie_call_t *call, genie_arena_t *arena, const char *entry, size_t file_count) {
  GENIE_RETURN_IF_ERROR(genie_model_find_entry(call->model, entry, &call->entry));
  call->input_count = genie_model_input_count(call->model, call->entry);
  call->output_count = genie_model_output_count(call->model, call->entry);
  const struct {
    void *field;
    size_t count, element_bytes;
  } arrays[] = {
      {&call->input_infos, call->input_count, sizeof(*call->input_infos)},
      {&call->output_infos, call->output_count, sizeof(*call->output_infos)},
      {&call->inputs, call->input_count, sizeof(*call->inputs)},
      {&call->is_given, call->input_count, sizeof(*call->is_given)},
      {&call->outputs, call->output_count, sizeof(*call->outputs)},
      {&call->files, file_count, sizeof(*call->files)},
      {&call->buffers, call->input_count, sizeof(*call->buffers)},
  };
  for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); ++i) {
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, arrays[i].count, arrays[i].element_bytes, arrays[i].field));
  }
  for (uint32_t i = 0; i < call->input_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_model_input_info(call->model, call->entry, i, &call->input_infos[i]));
  }
  for (uint32_t i = 0; i < call->output_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_model_output_info(call->model, call->entry, i, &call->output_infos[i]));
  }
  return GENIE_OK;
}

// ---- Sessions ----

// A bar on a terminal; elsewhere one line when all is there.
static void show_progress(void *context, const char *node, uint64_t done_bytes, uint64_t total_bytes) {
  (void)context;
  enum { kWidth = 40 };
  const double fraction = total_bytes == 0 ? 1 : (double)done_bytes / (double)total_bytes;
  if (isatty(STDERR_FILENO)) {
    const int filled = (int)(fraction * kWidth);
    fprintf(stderr, "\r%s: weights [%.*s%*s] %.0f of %.0f MB%s", node, filled,
            "########################################", kWidth - filled, "", (double)done_bytes / 1e6,
            (double)total_bytes / 1e6, done_bytes == total_bytes ? "\n" : "");
    fflush(stderr);
  } else if (done_bytes == total_bytes) {
    fprintf(stderr, "%s: sent %.0f MB of weights\n", node, (double)total_bytes / 1e6);
  }
}

// The user's cache folder, as the XDG base directory specification has it; NULL for a user without a home.
static genie_status_t find_cache_directory(genie_arena_t *arena, const char **out_directory) {
  const char *cache = getenv("XDG_CACHE_HOME");
  const char *home = getenv("HOME");
  const bool has_cache = cache != NULL && cache[0] == '/';
  if (!has_cache && (home == NULL || home[0] != '/')) {
    return GENIE_OK;
  }
  const size_t bytes = strlen(has_cache ? cache : home) + sizeof("/.cache/genie");
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, bytes, 1, &memory));
  (void)snprintf(memory, bytes, "%s%s/genie", has_cache ? cache : home, has_cache ? "" : "/.cache");
  *out_directory = memory;
  return GENIE_OK;
}

static genie_status_t create_session(genie_call_t *call, genie_command_t *command, const genie_call_options_t *options,
                                     const genie_session_options_t *more) {
  const genie_remote_call_options_t *given = &options->remote;
  const genie_remote_options_t remote = {.pool = given->pool,
                                         .place_map = given->places.values,
                                         .place_map_count = (uint32_t)given->places.count,
                                         .may_retry = given->may_retry,
                                         .is_strict = given->is_strict,
                                         .key = given->key,
                                         .known_nodes = given->known_nodes,
                                         .call_timeout_ns = (uint64_t)(given->timeout_seconds * 1e9),
                                         .weights_path = given->weights_path,
                                         .progress = show_progress};
  genie_session_options_t session_options = *more;
  session_options.device = options->device;
  session_options.thread_count = (uint32_t)options->thread_count;
  session_options.library_path = options->library_path;
  session_options.cache_directory = options->cache_directory;
  session_options.remote = given->pool == NULL ? NULL : &remote;
  if (options->cache_directory == NULL) {
    GENIE_RETURN_IF_ERROR(find_cache_directory(command->arena, &session_options.cache_directory));
  }
  return genie_session_create(call->model, &session_options, &call->session);
}

genie_status_t genie_call_init(genie_command_t *command, const char *path, const genie_trust_options_t *trust,
                               const genie_call_options_t *options, const genie_call_fill_t *fill,
                               const genie_session_options_t *session_options, genie_call_t *call) {
  *call = (genie_call_t){.allocator = command->allocator};
  const genie_model_options_t model_options = {.require_signed = trust->is_signature_required,
                                               .trusted_keys = trust->trusted_keys};
  GENIE_RETURN_IF_ERROR(genie_model_open(path, &model_options, &call->model));
  GENIE_RETURN_IF_ERROR(describe_entry(call, command->arena, options->entry, options->inputs.count + 1));
  GENIE_RETURN_IF_ERROR(gather_inputs(call, command, options, fill));
  return create_session(call, command, options, session_options);
}

void genie_call_deinit(genie_call_t *call) {
  genie_session_destroy(call->session);
  genie_model_close(call->model);
  for (size_t i = 0; i < call->file_count; ++i) {
    genie_tensor_file_free(&call->files[i]);
  }
  for (uint32_t i = 0; call->buffers != NULL && i < call->input_count; ++i) {
    genie_allocator_free(call->allocator, call->buffers[i]);
  }
}

genie_status_t genie_call_run(genie_call_t *call) {
  return genie_session_run(call->session, call->entry, call->inputs, call->input_count, call->outputs,
                           call->output_count);
}
