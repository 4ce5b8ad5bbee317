// genie verify: opens a plan, which checks every record, and compares its weights with their hashes; on request it also
// runs every entry and compares what crossed with the traffic contract.
#include <stdio.h>

#include "runtime/plan/reader.h"
#include "tools/genie/call.h"
#include "tools/genie/tensor_text.h"

typedef struct verify_options {
  genie_trust_options_t trust;
  genie_call_options_t call;
  bool is_json;
  bool has_run;
} verify_options_t;

static const genie_config_option_t kOptions[] = {
    {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(verify_options_t, is_json), .help = "print JSON"},
    {.name = "--run",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(verify_options_t, has_run),
     .help = "run entries on made-up inputs of their greatest sizes, and compare the bytes that cross with the plan's"},
    GENIE_CALL_OPTIONS(verify_options_t, call),
    GENIE_TRUST_OPTIONS(verify_options_t, trust),
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie verify PLAN [OPTION...]",
    .summary =
        "Checks the whole of a plan: format, every index and bound, hashes, and its signature if it has one. With "
        "--run it runs all entries, or the one that --entry names, and checks their traffic.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

static void append_key(const genie_plan_t *plan, genie_string_builder_t *text) {
  for (size_t i = 0; i < sizeof(plan->header->signer_key); ++i) {
    genie_string_builder_format(text, "%02x", plan->header->signer_key[i]);
  }
}

static void print_report(const genie_plan_t *plan, const char *path, bool is_json, genie_allocator_t allocator) {
  genie_string_builder_t key;
  genie_string_builder_init(allocator, &key);
  if (plan->header->has_signature) {
    append_key(plan, &key);
  }
  if (is_json) {
    printf("{\"valid\": true, \"format\": \"%u.%u\", \"file_bytes\": %llu, \"signer_key\": \"%s\"",
           plan->header->version_major, plan->header->version_minor, (unsigned long long)plan->header->file_bytes,
           genie_string_builder_get(&key));
  } else {
    printf("%s: valid, format %u.%u, %llu bytes, %s%s\n", path, plan->header->version_major,
           plan->header->version_minor, (unsigned long long)plan->header->file_bytes,
           plan->header->has_signature ? "signed by " : "not signed", genie_string_builder_get(&key));
  }
  genie_string_builder_deinit(&key);
}

// ---- Traffic ----

static const char *place_name(const char *name) {
  return name[0] == '\0' ? "caller" : name;
}

static void append_field(const char *name, const char *value, genie_string_builder_t *text) {
  genie_string_builder_format(text, "\"%s\": ", name);
  genie_tensor_text_json_string(value, text);
  genie_string_builder_format(text, ", ");
}

static void append_edge(const char *entry, const genie_session_traffic_t *edge, bool is_json,
                        genie_string_builder_t *text) {
  const unsigned long long planned = edge->planned_bytes;
  const unsigned long long counted = edge->last_bytes;
  if (!is_json) {
    genie_string_builder_format(text, "%s%s: %s to %s: %llu bytes planned, %llu counted  %s\n",
                                planned == counted ? "" : "DIFFERS  ", entry, place_name(edge->source),
                                place_name(edge->destination), planned, counted, edge->name);
    return;
  }
  genie_string_builder_format(text, "%s{", text->length == 0 ? "" : ", ");
  append_field("entry", entry, text);
  append_field("value", edge->name, text);
  append_field("phase", edge->phase, text);
  append_field("from", place_name(edge->source), text);
  append_field("to", place_name(edge->destination), text);
  genie_string_builder_format(text, "\"planned_bytes\": %llu, \"counted_bytes\": %llu}", planned, counted);
}

// Reports every edge and fails when one differs.
static genie_status_t check_traffic(const genie_call_t *call, bool is_json, genie_string_builder_t *text) {
  uint32_t wrong_count = 0;
  for (uint32_t i = 0; i < genie_session_traffic_count(call->session, call->entry); ++i) {
    genie_session_traffic_t edge;
    GENIE_RETURN_IF_ERROR(genie_session_traffic(call->session, call->entry, i, &edge));
    append_edge(genie_model_entry_name(call->model, call->entry), &edge, is_json, text);
    wrong_count += edge.planned_bytes != edge.last_bytes;
  }
  return wrong_count == 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INTERNAL, "entry '%s': %u edges of the traffic contract differ",
                                 genie_model_entry_name(call->model, call->entry), wrong_count);
}

static genie_status_t run_entry(genie_command_t *command, const verify_options_t *options, const char *path,
                                const char *entry, genie_string_builder_t *text) {
  genie_call_options_t call_options = options->call;
  call_options.entry = entry;
  const genie_call_fill_t fill = {.is_enabled = true, .seed = 1, .integer_bound = 1};
  const genie_session_options_t session_options = {0};
  genie_call_t call;
  genie_status_t status =
      genie_call_init(command, path, &options->trust, &call_options, &fill, &session_options, &call);
  if (status == GENIE_OK) {
    status = genie_call_run(&call);
  }
  if (status == GENIE_OK) {
    status = check_traffic(&call, options->is_json, text);
  }
  genie_call_deinit(&call);
  return status;
}

static genie_status_t run_entries(genie_command_t *command, const verify_options_t *options, const char *path,
                                  const genie_plan_t *plan, genie_string_builder_t *text) {
  if (options->call.entry != NULL) {
    return run_entry(command, options, path, options->call.entry, text);
  }
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    GENIE_RETURN_IF_ERROR(run_entry(command, options, path, genie_plan_string(plan, plan->entries[i].name), text));
  }
  return GENIE_OK;
}

// ---- The command ----

genie_status_t genie_command_verify(genie_command_t *command) {
  verify_options_t options = {0};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  const char *path = positional.values[0];
  const genie_plan_options_t plan_options = {.is_signature_required = options.trust.is_signature_required,
                                             .trusted_keys_path = options.trust.trusted_keys};
  genie_plan_t *plan = NULL;
  GENIE_RETURN_IF_ERROR(genie_plan_open(path, &plan_options, command->allocator, &plan));
  genie_status_t status = genie_status_annotate(genie_plan_verify_weights(plan), "%s", path);
  const bool plan_is_reported = status == GENIE_OK;
  if (plan_is_reported) {
    print_report(plan, path, options.is_json, command->allocator);
  }
  if (status == GENIE_OK && options.has_run) {
    genie_string_builder_t text;
    genie_string_builder_init(command->allocator, &text);
    status = run_entries(command, &options, path, plan, &text);
    printf(options.is_json ? ", \"traffic\": [%s]" : "%s", genie_string_builder_get(&text));
    genie_string_builder_deinit(&text);
  }
  printf("%s", options.is_json && plan_is_reported ? "}\n" : "");
  genie_plan_close(plan);
  return status;
}
