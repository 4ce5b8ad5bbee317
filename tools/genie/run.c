// genie run: one call of an entry, its outputs written, printed or compared.
#include <stdio.h>
#include <string.h>

#include "tools/genie/call.h"
#include "tools/genie/comparison.h"
#include "tools/genie/element.h"
#include "tools/genie/tensor_text.h"
#include "tools/genie/trace_file.h"

typedef struct run_options {
  genie_trust_options_t trust;
  genie_call_options_t call;
  const char *outputs_file;
  genie_config_list_t outputs;
  const char *expect_file;
  double rtol;
  double atol;
  bool is_json;
  bool has_stats;
  bool is_verbose;
  const char *trace_file;
} run_options_t;

static const genie_config_option_t kOptions[] = {
    GENIE_CALL_OPTIONS(run_options_t, call),
    {.name = "--outputs",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(run_options_t, outputs_file),
     .value = "FILE",
     .help = "write all outputs to a safetensors file"},
    {.name = "--output",
     .kind = GENIE_CONFIG_LIST,
     .offset = offsetof(run_options_t, outputs),
     .value = "NAME=@FILE",
     .help = "write an output to an npy file; NAME=- or - prints one or all; may be repeated"},
    {.name = "--expect",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(run_options_t, expect_file),
     .value = "FILE",
     .help = "compare the outputs with those in a safetensors file; exit status 1 when one differs"},
    {.name = "--rtol",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(run_options_t, rtol),
     .value = "X",
     .help = "allowed difference relative to the output's largest value; default by dtype: f32 1e-5"},
    {.name = "--atol",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(run_options_t, atol),
     .value = "X",
     .help = "allowed absolute difference, in addition; default 0"},
    {.name = "--json",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(run_options_t, is_json),
     .help = "print the outputs that --output prints, and the comparison, as JSON"},
    {.name = "--stats",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(run_options_t, has_stats),
     .help = "print times and memory to stderr"},
    {.name = "--verbose",
     .alias = "-v",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(run_options_t, is_verbose),
     .help = "print to stderr what carried the call: the path, its bytes and rate"},
    {.name = "--trace",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(run_options_t, trace_file),
     .value = "FILE",
     .help = "write what every place and link did and when, as JSON for chrome://tracing and Perfetto"},
    GENIE_TRUST_OPTIONS(run_options_t, trust),
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie run PLAN [OPTION...]",
    .summary =
        "Runs an entry of a plan once. Without --outputs, --output and --expect it prints the start of each output.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

enum { kPreviewElements = 8 };

// ---- Comparison ----

static genie_status_t describe_mismatch(const genie_call_t *call, uint32_t index, const genie_tensor_t *expected,
                                        const genie_comparison_t *comparison) {
  const genie_tensor_t *actual = &call->outputs[index];
  genie_string_builder_t text;
  genie_string_builder_init(call->allocator, &text);
  genie_string_builder_format(&text, "output '%s' ", call->output_infos[index].name);
  if (!comparison->has_same_type) {
    genie_string_builder_format(&text, "is ");
    genie_tensor_text_type(actual, &text);
    genie_string_builder_format(&text, ", expected is ");
    genie_tensor_text_type(expected, &text);
  } else {
    genie_string_builder_format(&text, "differs in %llu elements, most at ",
                                (unsigned long long)comparison->mismatch_count);
    genie_tensor_text_position(actual, comparison->worst, &text);
    genie_string_builder_format(&text,
                                ": %.9g where %.9g is expected, a difference of %.3g (%.3g of the largest value)",
                                genie_element_get(actual->dtype, actual->data, comparison->worst),
                                genie_element_get(expected->dtype, expected->data, comparison->worst),
                                comparison->difference, comparison->difference / comparison->largest);
  }
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s", genie_string_builder_get(&text));
  genie_string_builder_deinit(&text);
  return status;
}

static void append_agreement(const genie_call_t *call, uint32_t index, const genie_comparison_t *comparison,
                             bool is_json, genie_string_builder_t *report) {
  const double relative = comparison->largest > 0 ? comparison->difference / comparison->largest : 0;
  if (is_json) {
    genie_string_builder_format(report, "%s", report->length == 0 ? "" : ", ");
    genie_tensor_text_json_string(call->output_infos[index].name, report);
    genie_string_builder_format(report, ": {\"difference\": %.6g, \"relative\": %.6g}", comparison->difference,
                                relative);
  } else {
    genie_string_builder_format(report, "%s: agrees; the largest difference is %.3g (%.3g of the largest value)\n",
                                call->output_infos[index].name, comparison->difference, relative);
  }
}

static genie_status_t compare_set(const genie_call_t *call, const run_options_t *options,
                                  const genie_tensor_set_t *expected, genie_string_builder_t *report) {
  for (size_t i = 0; i < expected->count; ++i) {
    uint32_t index = 0;
    const genie_status_t found = genie_call_find_output(call, expected->tensors[i].name, &index);
    if (found != GENIE_OK) {
      return genie_status_annotate(found, "%s", options->expect_file);
    }
    const genie_comparison_t comparison =
        genie_comparison_make(&call->outputs[index], &expected->tensors[i].tensor, options->rtol, options->atol);
    if (!comparison.is_equal) {
      return describe_mismatch(call, index, &expected->tensors[i].tensor, &comparison);
    }
    append_agreement(call, index, &comparison, options->is_json, report);
  }
  return GENIE_OK;
}

static genie_status_t compare_outputs(const genie_call_t *call, genie_command_t *command, const run_options_t *options,
                                      genie_string_builder_t *report) {
  if (options->expect_file == NULL) {
    return GENIE_OK;
  }
  genie_tensor_file_t file;
  genie_tensor_set_t set;
  GENIE_RETURN_IF_ERROR(genie_tensor_file_read(options->expect_file, command->allocator, &file));
  genie_status_t status = genie_safetensors_parse(file.bytes, file.size_bytes, command->arena, &set);
  status = status == GENIE_OK ? compare_set(call, options, &set, report)
                              : genie_status_annotate(status, "%s", options->expect_file);
  genie_tensor_file_free(&file);
  return status;
}

// ---- Printing and writing ----

static void append_output(const genie_call_t *call, uint32_t index, bool is_json, uint64_t limit,
                          genie_string_builder_t *text) {
  const genie_tensor_t *output = &call->outputs[index];
  if (is_json) {
    genie_string_builder_format(text, "%s", text->length == 0 ? "" : ", ");
    genie_tensor_text_json_string(call->output_infos[index].name, text);
    genie_string_builder_format(text, ": ");
    genie_tensor_text_json(output, text);
    return;
  }
  genie_string_builder_format(text, "%s: ", call->output_infos[index].name);
  genie_tensor_text_type(output, text);
  genie_string_builder_format(text, "\n");
  genie_tensor_text_values(output, limit, text);
}

static void append_all_outputs(const genie_call_t *call, bool is_json, uint64_t limit, genie_string_builder_t *text) {
  for (uint32_t i = 0; i < call->output_count; ++i) {
    append_output(call, i, is_json, limit, text);
  }
}

// --output -, NAME=- or NAME=@FILE.
static genie_status_t deliver_output(const genie_call_t *call, genie_command_t *command, const char *argument,
                                     bool is_json, genie_string_builder_t *text) {
  if (strcmp(argument, "-") == 0) {
    append_all_outputs(call, is_json, UINT64_MAX, text);
    return GENIE_OK;
  }
  const char *equals = strchr(argument, '=');
  char *name = NULL;
  uint32_t index = 0;
  if (equals == NULL || (equals[1] != '@' && strcmp(equals + 1, "-") != 0)) {
    return genie_command_usage_error(command, "'%.100s': an output is NAME=@FILE.npy, NAME=- or -", argument);
  }
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(command->arena, argument, (size_t)(equals - argument), &name));
  GENIE_RETURN_IF_ERROR(genie_call_find_output(call, name, &index));
  if (equals[1] == '@') {
    return genie_npy_write(equals + 2, &call->outputs[index]);
  }
  append_output(call, index, is_json, UINT64_MAX, text);
  return GENIE_OK;
}

static genie_status_t write_outputs_file(const genie_call_t *call, genie_command_t *command, const char *path) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(command->arena, call->output_count, sizeof(genie_named_tensor_t), &memory));
  genie_named_tensor_t *tensors = memory;
  for (uint32_t i = 0; i < call->output_count; ++i) {
    tensors[i] = (genie_named_tensor_t){.name = call->output_infos[i].name, .tensor = call->outputs[i]};
  }
  const genie_tensor_set_t set = {.tensors = tensors, .count = call->output_count};
  return genie_safetensors_write(path, &set, command->allocator);
}

static genie_status_t deliver_outputs(const genie_call_t *call, genie_command_t *command, const run_options_t *options,
                                      genie_string_builder_t *text) {
  if (options->outputs_file != NULL) {
    GENIE_RETURN_IF_ERROR(write_outputs_file(call, command, options->outputs_file));
  }
  for (size_t i = 0; i < options->outputs.count; ++i) {
    GENIE_RETURN_IF_ERROR(deliver_output(call, command, options->outputs.values[i], options->is_json, text));
  }
  if (options->outputs_file == NULL && options->outputs.count == 0 && options->expect_file == NULL) {
    append_all_outputs(call, options->is_json, options->is_json ? UINT64_MAX : kPreviewElements, text);
  }
  return genie_string_builder_status(text);
}

static void print_stats(const genie_call_t *call) {
  genie_session_stats_t stats;
  genie_session_get_stats(call->session, &stats);
  fprintf(stderr,
          "load %.3f ms, run %.3f ms, %llu launches, %u threads, target %s; bytes: weights %llu, state %llu, "
          "temporaries %llu, scratch %llu, code %llu\n",
          (double)stats.load_ns / 1e6, (double)stats.last_run_ns / 1e6, (unsigned long long)stats.last_launch_count,
          stats.thread_count, stats.target, (unsigned long long)stats.weight_bytes,
          (unsigned long long)stats.state_bytes, (unsigned long long)stats.slab_bytes,
          (unsigned long long)stats.scratch_bytes, (unsigned long long)stats.code_bytes);
}

static void print_direction(const char *verb, uint64_t bytes, uint64_t ns, double expected_bytes_per_s) {
  const double rate = ns == 0 ? 0 : (double)bytes / ((double)ns * 1e-9);
  fprintf(stderr, ", %s %.3f MB at %.2f GB/s", verb, (double)bytes / 1e6, rate / 1e9);
  if (expected_bytes_per_s > 0) {
    fprintf(stderr, " (%.0f %% of the link's)", 100 * rate / expected_bytes_per_s);
  }
}

static genie_status_t print_links(const genie_call_t *call) {
  const genie_session_link_t *links = NULL;
  uint32_t count = 0;
  GENIE_RETURN_IF_ERROR(genie_session_list_links(call->session, &links, &count));
  for (uint32_t i = 0; i < count; ++i) {
    const genie_session_link_t *link = &links[i];
    fprintf(stderr, "%s - %s: %s", link->from, link->to, link->path);
    print_direction("sent", link->sent_bytes, link->send_ns, link->expected_bytes_per_s);
    print_direction("received", link->received_bytes, link->receive_ns, 0);
    fprintf(stderr, "\n");
  }
  return GENIE_OK;
}

static genie_status_t run_and_deliver(genie_call_t *call, genie_command_t *command, const run_options_t *options,
                                      genie_string_builder_t *text, genie_string_builder_t *report) {
  GENIE_RETURN_IF_ERROR(genie_call_run(call));
  if (options->has_stats) {
    print_stats(call);
  }
  if (options->is_verbose) {
    GENIE_RETURN_IF_ERROR(print_links(call));
  }
  if (options->trace_file != NULL) {
    GENIE_RETURN_IF_ERROR(genie_trace_file_write(call->session, options->trace_file, command->allocator));
  }
  GENIE_RETURN_IF_ERROR(deliver_outputs(call, command, options, text));
  const genie_status_t compared = compare_outputs(call, command, options, report);
  if (options->is_json) {
    printf("{\"outputs\": {%s}, \"comparison\": {%s}}\n", genie_string_builder_get(text),
           genie_string_builder_get(report));
  } else {
    printf("%s%s", genie_string_builder_get(text), genie_string_builder_get(report));
  }
  return compared;
}

genie_status_t genie_command_run(genie_command_t *command) {
  run_options_t options = {.rtol = -1};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  static const genie_call_fill_t kNoFill = {0};
  genie_call_t call;
  genie_string_builder_t text, report;
  genie_string_builder_init(command->allocator, &text);
  genie_string_builder_init(command->allocator, &report);
  genie_status_t status = genie_call_init(command, positional.values[0], &options.trust, &options.call, &kNoFill,
                                          &(genie_session_options_t){.has_trace = options.trace_file != NULL}, &call);
  if (status == GENIE_OK) {
    status = run_and_deliver(&call, command, &options, &text, &report);
  }
  genie_string_builder_deinit(&report);
  genie_string_builder_deinit(&text);
  genie_call_deinit(&call);
  return status;
}
