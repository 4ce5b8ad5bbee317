// genie inspect: the plan as text, or its interface and sizes.
#include <stdio.h>
#include <string.h>

#include "runtime/plan/disassemble.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/reader.h"
#include "tools/genie/command.h"
#include "tools/genie/tensor_text.h"

typedef struct inspect_options {
  genie_trust_options_t trust;
  const char *place;
  bool is_summary;
  bool is_json;
} inspect_options_t;

static const genie_config_option_t kOptions[] = {
    {.name = "--summary",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(inspect_options_t, is_summary),
     .help = "print the entries, their inputs and outputs, and the sizes only"},
    {.name = "--json",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(inspect_options_t, is_json),
     .help = "print the summary as JSON"},
    {.name = "--place",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(inspect_options_t, place),
     .value = "NODE:DEVICE",
     .help = "print one place alone: what it holds, sends and receives, and its list of instructions"},
    GENIE_TRUST_OPTIONS(inspect_options_t, trust),
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie inspect PLAN [OPTION...]",
    .summary = "Prints a plan as gplan text: its symbols, tensors, kernels and instructions.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

typedef genie_status_t (*info_fn_t)(const genie_model_t *model, uint32_t entry, uint32_t index,
                                    genie_tensor_info_t *out_info);

// ---- Text ----

static void append_info(const genie_tensor_info_t *info, genie_string_builder_t *text) {
  genie_string_builder_format(text, "%s: %s [", info->name, genie_dtype_name(info->dtype));
  for (int32_t i = 0; i < info->rank; ++i) {
    genie_string_builder_format(text, "%s%s", i == 0 ? "" : ", ", info->dims[i].expression);
  }
  genie_string_builder_format(text, "]\n");
}

static genie_status_t append_infos(const genie_model_t *model, uint32_t entry, const char *what, uint32_t count,
                                   info_fn_t info_of, genie_string_builder_t *text) {
  for (uint32_t i = 0; i < count; ++i) {
    genie_tensor_info_t info;
    GENIE_RETURN_IF_ERROR(info_of(model, entry, i, &info));
    genie_string_builder_format(text, "  %s ", what);
    append_info(&info, text);
  }
  return GENIE_OK;
}

static genie_status_t append_entry(const genie_model_t *model, uint32_t entry, genie_string_builder_t *text) {
  genie_string_builder_format(text, "entry %s\n", genie_model_entry_name(model, entry));
  for (uint32_t i = 0; i < genie_model_symbol_count(model, entry); ++i) {
    genie_symbol_info_t info;
    GENIE_RETURN_IF_ERROR(genie_model_symbol_info(model, entry, i, &info));
    genie_string_builder_format(text, "  size %s: %lld to %lld, a multiple of %lld\n", info.name,
                                (long long)info.minimum, (long long)info.maximum, (long long)info.multiple);
  }
  GENIE_RETURN_IF_ERROR(
      append_infos(model, entry, "input", genie_model_input_count(model, entry), genie_model_input_info, text));
  return append_infos(model, entry, "output", genie_model_output_count(model, entry), genie_model_output_info, text);
}

static genie_status_t state_info(const genie_model_t *model, uint32_t entry, uint32_t index,
                                 genie_tensor_info_t *out_info) {
  (void)entry;
  return genie_model_state_info(model, index, out_info);
}

// Where the plan comes from: what its manifest knows.
static genie_status_t append_manifest(const genie_plan_t *plan, genie_string_builder_t *text) {
  genie_plan_manifest_t manifest;
  GENIE_RETURN_IF_ERROR(genie_plan_manifest_read(plan, &manifest));
  genie_string_builder_format(text, "made by %s from %s", manifest.producer,
                              manifest.source_name[0] != '\0' ? manifest.source_name : "a module");
  if (manifest.framework_version[0] != '\0') {
    genie_string_builder_format(text, " of %s", manifest.framework_version);
  }
  if (manifest.has_source_sha256) {
    genie_string_builder_format(text, ", SHA-256 ");
    for (size_t i = 0; i < sizeof(manifest.source_sha256.bytes); ++i) {
      genie_string_builder_format(text, "%02x", manifest.source_sha256.bytes[i]);
    }
  }
  genie_string_builder_format(text, "\n");
  genie_plan_manifest_deinit(&manifest);
  return GENIE_OK;
}

static genie_status_t append_summary(const genie_model_t *model, const genie_plan_t *plan,
                                     genie_string_builder_t *text) {
  GENIE_RETURN_IF_ERROR(append_manifest(plan, text));
  for (uint32_t i = 0; i < genie_model_entry_count(model); ++i) {
    GENIE_RETURN_IF_ERROR(append_entry(model, i, text));
  }
  GENIE_RETURN_IF_ERROR(append_infos(model, 0, "state", genie_model_state_count(model), state_info, text));
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    genie_string_builder_format(
        text, "place %s (%s): temporaries %llu bytes (%llu without reuse), state %llu bytes\n",
        genie_plan_string(plan, plan->places[i].name), genie_plan_string(plan, plan->places[i].device_kind),
        (unsigned long long)plan->places[i].slab_bytes, (unsigned long long)plan->places[i].sum_bytes,
        (unsigned long long)plan->places[i].state_bytes);
  }
  for (uint32_t i = 0; i < plan->target_count; ++i) {
    genie_string_builder_format(
        text, "target %s: %llu bytes of code, needs %s\n", genie_plan_string(plan, plan->targets[i].name),
        (unsigned long long)plan->targets[i].code_bytes, genie_plan_string(plan, plan->targets[i].features));
  }
  genie_string_builder_format(text, "%u kernels, %u instructions, %llu bytes of weights, %llu bytes in all, %s\n",
                              plan->kernel_count, plan->instruction_count, (unsigned long long)plan->weights_bytes,
                              (unsigned long long)plan->header->file_bytes,
                              plan->header->has_signature ? "signed" : "not signed");
  return GENIE_OK;
}

// ---- JSON ----

static genie_status_t append_infos_json(const genie_model_t *model, uint32_t entry, uint32_t count, info_fn_t info_of,
                                        genie_string_builder_t *text) {
  genie_string_builder_format(text, "[");
  for (uint32_t i = 0; i < count; ++i) {
    genie_tensor_info_t info;
    GENIE_RETURN_IF_ERROR(info_of(model, entry, i, &info));
    genie_string_builder_format(text, "%s{\"name\": ", i == 0 ? "" : ", ");
    genie_tensor_text_json_string(info.name, text);
    genie_string_builder_format(text, ", \"dtype\": \"%s\", \"shape\": [", genie_dtype_name(info.dtype));
    for (int32_t dim = 0; dim < info.rank; ++dim) {
      const bool is_static = info.dims[dim].minimum == info.dims[dim].maximum;
      genie_string_builder_format(text, is_static ? "%s%s" : "%s\"%s\"", dim == 0 ? "" : ", ",
                                  info.dims[dim].expression);
    }
    genie_string_builder_format(text, "], \"maximum_bytes\": %llu}", (unsigned long long)info.maximum_bytes);
  }
  genie_string_builder_format(text, "]");
  return GENIE_OK;
}

static genie_status_t append_symbols_json(const genie_model_t *model, uint32_t entry, genie_string_builder_t *text) {
  genie_string_builder_format(text, "[");
  for (uint32_t i = 0; i < genie_model_symbol_count(model, entry); ++i) {
    genie_symbol_info_t info;
    GENIE_RETURN_IF_ERROR(genie_model_symbol_info(model, entry, i, &info));
    genie_string_builder_format(text, "%s{\"name\": ", i == 0 ? "" : ", ");
    genie_tensor_text_json_string(info.name, text);
    genie_string_builder_format(text, ", \"minimum\": %lld, \"maximum\": %lld, \"multiple\": %lld}",
                                (long long)info.minimum, (long long)info.maximum, (long long)info.multiple);
  }
  genie_string_builder_format(text, "]");
  return GENIE_OK;
}

static genie_status_t append_entry_json(const genie_model_t *model, uint32_t entry, genie_string_builder_t *text) {
  genie_string_builder_format(text, "%s{\"name\": ", entry == 0 ? "" : ", ");
  genie_tensor_text_json_string(genie_model_entry_name(model, entry), text);
  genie_string_builder_format(text, ", \"sizes\": ");
  GENIE_RETURN_IF_ERROR(append_symbols_json(model, entry, text));
  genie_string_builder_format(text, ", \"inputs\": ");
  GENIE_RETURN_IF_ERROR(
      append_infos_json(model, entry, genie_model_input_count(model, entry), genie_model_input_info, text));
  genie_string_builder_format(text, ", \"outputs\": ");
  GENIE_RETURN_IF_ERROR(
      append_infos_json(model, entry, genie_model_output_count(model, entry), genie_model_output_info, text));
  genie_string_builder_format(text, "}");
  return GENIE_OK;
}

static genie_status_t append_summary_json(const genie_model_t *model, const genie_plan_t *plan,
                                          genie_string_builder_t *text) {
  uint64_t slab_bytes = 0, sum_bytes = 0, state_bytes = 0;
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    slab_bytes += plan->places[i].slab_bytes;
    sum_bytes += plan->places[i].sum_bytes;
    state_bytes += plan->places[i].state_bytes;
  }
  genie_string_builder_format(text, "{\"entries\": [");
  for (uint32_t i = 0; i < genie_model_entry_count(model); ++i) {
    GENIE_RETURN_IF_ERROR(append_entry_json(model, i, text));
  }
  genie_string_builder_format(text, "], \"states\": ");
  GENIE_RETURN_IF_ERROR(append_infos_json(model, 0, genie_model_state_count(model), state_info, text));
  genie_string_builder_format(text, ", \"targets\": [");
  for (uint32_t i = 0; i < plan->target_count; ++i) {
    genie_string_builder_format(text, "%s", i == 0 ? "" : ", ");
    genie_tensor_text_json_string(genie_plan_string(plan, plan->targets[i].name), text);
  }
  genie_string_builder_format(
      text,
      "], \"kernels\": %u, \"instructions\": %u, \"slab_bytes\": %llu, \"sum_bytes\": %llu, \"state_bytes\": %llu, "
      "\"weight_bytes\": %llu, \"code_bytes\": %llu, \"file_bytes\": %llu, \"is_signed\": %s}\n",
      plan->kernel_count, plan->instruction_count, (unsigned long long)slab_bytes, (unsigned long long)sum_bytes,
      (unsigned long long)state_bytes, (unsigned long long)plan->weights_bytes, (unsigned long long)plan->code_bytes,
      (unsigned long long)plan->header->file_bytes, plan->header->has_signature ? "true" : "false");
  return GENIE_OK;
}

// ---- Command ----

static genie_status_t summarise(const char *path, const inspect_options_t *options, const genie_plan_t *plan,
                                genie_string_builder_t *text) {
  const genie_model_options_t model_options = {.require_signed = options->trust.is_signature_required,
                                               .trusted_keys = options->trust.trusted_keys};
  genie_model_t *model = NULL;
  GENIE_RETURN_IF_ERROR(genie_model_open(path, &model_options, &model));
  const genie_status_t status =
      options->is_json ? append_summary_json(model, plan, text) : append_summary(model, plan, text);
  genie_model_close(model);
  return status;
}

static genie_status_t find_place(const genie_plan_t *plan, const char *name, uint32_t *out_place) {
  genie_string_builder_t names;
  genie_string_builder_init(plan->allocator, &names);
  for (uint32_t i = 0; i < plan->place_count; ++i) {
    const char *place = genie_plan_string(plan, plan->places[i].name);
    if (strcmp(place, name) == 0) {
      *out_place = i;
      genie_string_builder_deinit(&names);
      return GENIE_OK;
    }
    genie_string_builder_format(&names, " %s", place);
  }
  const genie_status_t status = genie_status_make(GENIE_STATUS_NOT_FOUND, "no place '%.64s'; the plan has%s", name,
                                                  genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

static genie_status_t disassemble(const inspect_options_t *options, const genie_plan_t *plan,
                                  genie_string_builder_t *text) {
  uint32_t place = GENIE_PLAN_NONE;
  if (options->place != NULL) {
    GENIE_RETURN_IF_ERROR(find_place(plan, options->place, &place));
  }
  return genie_plan_disassemble_place(plan, place, text);
}

genie_status_t genie_command_inspect(genie_command_t *command) {
  inspect_options_t options = {0};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  const genie_plan_options_t plan_options = {.is_signature_required = options.trust.is_signature_required,
                                             .trusted_keys_path = options.trust.trusted_keys};
  genie_plan_t *plan = NULL;
  genie_string_builder_t text;
  GENIE_RETURN_IF_ERROR(genie_plan_open(positional.values[0], &plan_options, command->allocator, &plan));
  genie_string_builder_init(command->allocator, &text);
  genie_status_t status = options.is_summary || options.is_json ? summarise(positional.values[0], &options, plan, &text)
                                                                : disassemble(&options, plan, &text);
  if (status == GENIE_OK) {
    status = genie_string_builder_status(&text);
  }
  if (status == GENIE_OK) {
    fputs(genie_string_builder_get(&text), stdout);
  }
  genie_string_builder_deinit(&text);
  genie_plan_close(plan);
  return status;
}
