// genie verify: opens a plan, which checks every record, and compares its weights with their hashes.
#include <stdio.h>

#include "runtime/plan/reader.h"
#include "tools/genie/command.h"

typedef struct verify_options {
  genie_trust_options_t trust;
  bool is_json;
} verify_options_t;

static const genie_config_option_t kOptions[] = {
    {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(verify_options_t, is_json), .help = "print JSON"},
    GENIE_TRUST_OPTIONS(verify_options_t, trust),
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie verify PLAN [OPTION...]",
    .summary = "Checks the whole of a plan: format, every index and bound, hashes, and its signature if it has one.",
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
    printf("{\"valid\": true, \"format\": \"%u.%u\", \"file_bytes\": %llu, \"signer_key\": \"%s\"}\n",
           plan->header->version_major, plan->header->version_minor, (unsigned long long)plan->header->file_bytes,
           genie_string_builder_get(&key));
  } else {
    printf("%s: valid, format %u.%u, %llu bytes, %s%s\n", path, plan->header->version_major,
           plan->header->version_minor, (unsigned long long)plan->header->file_bytes,
           plan->header->has_signature ? "signed by " : "not signed", genie_string_builder_get(&key));
  }
  genie_string_builder_deinit(&key);
}

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
  const genie_status_t status = genie_status_annotate(genie_plan_verify_weights(plan), "%s", path);
  if (status == GENIE_OK) {
    print_report(plan, path, options.is_json, command->allocator);
  }
  genie_plan_close(plan);
  return status;
}
