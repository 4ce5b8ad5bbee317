// geniec: the compiler's main.
#include <stdlib.h>
#include <string.h>

#include "compiler/pipeline.h"
#include "compiler/version.h"
#include "runtime/plan/format.h"

enum { INPUT_CAPACITY = 64 };
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int report(genie_status_t status, int exit_code) {
  fprintf(stderr, "geniec: %s\n", genie_status_message(status));
  genie_status_free(status);
  return exit_code;
}

static void print_version(bool as_json) {
  if (as_json) {
    printf("{\"version\": \"%s\", \"git\": \"%s\", \"plan_format\": \"%d.%d\"}\n", GENIE_COMPILER_VERSION,
           GENIE_COMPILER_GIT_HASH, GENIE_PLAN_VERSION_MAJOR, GENIE_PLAN_VERSION_MINOR);
  } else {
    printf("geniec %s (git %s), plan format %d.%d\n", GENIE_COMPILER_VERSION, GENIE_COMPILER_GIT_HASH,
           GENIE_PLAN_VERSION_MAJOR, GENIE_PLAN_VERSION_MINOR);
  }
}

// Inputs are the plain arguments and the files of --entry NAME=FILE; a plain --entry NAME names a plain argument, in
// order.
static genie_status_t inputs_gather(const genie_compiler_options_t *options, int capacity,
                                    genie_pipeline_input_t *out_inputs, int *out_count) {
  int count = 0, named = 0;
  for (int i = 0; i < (int)options->inputs.count && count < capacity; ++i) {
    out_inputs[count++] = (genie_pipeline_input_t){.path = options->inputs.values[i]};
  }
  const int plain = count;
  for (int i = 0; i < (int)options->entries.count; ++i) {
    const char *item = options->entries.values[i], *equals = strchr(item, '=');
    const size_t length = equals != NULL ? (size_t)(equals - item) : strlen(item);
    const bool fits = equals != NULL ? count < capacity : named < plain;
    if (length == 0 || length >= sizeof out_inputs->entry || !fits) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--entry=%s: give NAME beside a file, or NAME=FILE",
                               item);
    }
    genie_pipeline_input_t *input = &out_inputs[equals != NULL ? count++ : named++];
    memcpy(input->entry, item, length);
    if (equals != NULL) {
      input->path = equals + 1;
    }
  }
  if (count == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no input file; geniec --help explains the usage");
  }
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < i; ++j) {
      if (strcmp(out_inputs[i].entry, out_inputs[j].entry) == 0) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "%s and %s would be the same entry; name them with --entry=NAME=FILE",
                                 out_inputs[j].path, out_inputs[i].path);
      }
    }
  }
  *out_count = count;
  return GENIE_OK;
}

static int finish_check(const genie_compiler_options_t *options, const genie_findings_t *findings) {
  if (options->json) {
    const genie_status_t status = genie_findings_print_json(findings, stdout);
    if (status != GENIE_OK) {
      return report(status, EXIT_FAILED);
    }
  } else {
    genie_findings_print(findings, stdout);
    fprintf(stderr, findings->count == 0 ? "geniec: everything is supported\n" : "geniec: %d kinds of gaps\n",
            findings->count);
  }
  return findings->count == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int print_help(void) {
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_compiler_options_describe(&text);
  fputs(genie_string_builder_get(&text), stdout);
  genie_string_builder_deinit(&text);
  return EXIT_DONE;
}

static int compile(const genie_compiler_options_t *options) {
  genie_pipeline_input_t inputs[INPUT_CAPACITY];
  int input_count;
  genie_status_t status = inputs_gather(options, INPUT_CAPACITY, inputs, &input_count);
  if (status == GENIE_OK) {
    status = genie_pipeline_check_usage(options, input_count, inputs);
  }
  if (status != GENIE_OK) {
    return report(status, EXIT_USAGE);
  }
  genie_findings_t findings;
  genie_findings_init(&findings);
  status = genie_pipeline_run(options, input_count, inputs, &findings);
  const int exit_code = status != GENIE_OK ? report(status, EXIT_FAILED)
                        : options->check   ? finish_check(options, &findings)
                                           : EXIT_DONE;
  genie_findings_deinit(&findings);
  return exit_code;
}

int main(int argc, char **argv) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_compiler_options_t options;
  const genie_status_t status = genie_compiler_options_parse(argc, argv, &arena, &options);
  int exit_code = EXIT_DONE;
  if (options.help) {
    genie_status_free(status);
    exit_code = print_help();
  } else if (status != GENIE_OK) {
    exit_code = report(status, EXIT_USAGE);
  } else if (options.version) {
    print_version(options.json);
  } else {
    exit_code = compile(&options);
  }
  genie_arena_deinit(&arena);
  return exit_code;
}
