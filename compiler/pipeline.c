#include "compiler/pipeline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "compiler/explain.h"
#include "compiler/explain_page.h"
#include "compiler/place_options.h"
#include "compiler/source_digest.h"
#include "compiler/text_file.h"
#include "compiler/version.h"
#include "passes/pass.h"
#include "passes/plugin.h"
#include "passes/recognise/semantic_report.h"
#include "runtime/base/string_builder.h"

// What the stages work on.
typedef struct pipeline {
  const genie_compiler_options_t *options;
  int input_count;
  const genie_pipeline_input_t *inputs;
  genie_findings_t *findings;
  MlirContext context;
  genie_ir_diagnostics_t *diagnostics;
  MlirModule module, plan;
  genie_codegen_code_t *code;
  genie_codegen_options_t codegen;
  genie_codegen_report_t report;
  genie_source_digest_t *digest;
  genie_plugins_t plugins;
  genie_semantic_report_t semantics;
  char source_name[256], source_sha256[65];
} pipeline_t;

typedef struct stage {
  const char *name;
  genie_status_t (*run)(pipeline_t *pipeline, const char *phase);
} stage_t;

static genie_status_t stage_import(pipeline_t *pipeline, const char *phase);
static genie_status_t stage_passes(pipeline_t *pipeline, const char *phase);
static genie_status_t stage_kernels(pipeline_t *pipeline, const char *phase);
static genie_status_t stage_plan(pipeline_t *pipeline, const char *phase);
static genie_status_t stage_emit(pipeline_t *pipeline, const char *phase);

// The pipeline. A pass phase runs the passes of passes/passes.def that name it, in their order.
static const stage_t stages[] = {
    {"import", stage_import},   {"canonicalise", stage_passes}, {"recognise", stage_passes}, {"place", stage_passes},
    {"transfer", stage_passes}, {"fuse", stage_passes},         {"layout", stage_passes},    {"order", stage_passes},
    {"kernels", stage_kernels}, {"plan", stage_plan},           {"emit", stage_emit},
};
enum { STAGE_COUNT = sizeof stages / sizeof stages[0], STAGE_IMPORT = 0, STAGE_KERNELS = 8 };

// What --emit prints, and the last stage that it needs.
static const struct {
  const char *name, *stage;
} emissions[] = {{"genie", "import"}, {"plan", "plan"}, {"llvm", "kernels"}, {"asm", "kernels"}};
enum { EMISSION_COUNT = sizeof emissions / sizeof emissions[0] };

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static void note_time(const pipeline_t *pipeline, const char *what, const char *name, double start_ms) {
  if (pipeline->options->timing) {
    fprintf(stderr, "%10.2f ms  %s %s\n", now_ms() - start_ms, what, name);
  }
}

static void append_text(MlirStringRef text, void *builder) {
  genie_string_builder_append(builder, text.data, text.length);
}

static void print_operation(const pipeline_t *pipeline, MlirOperation operation, genie_string_builder_t *builder) {
  const MlirOpPrintingFlags flags = mlirOpPrintingFlagsCreate();
  if (pipeline->options->locations) {
    mlirOpPrintingFlagsEnableDebugInfo(flags, true, false);
  }
  mlirOperationPrintWithFlags(operation, flags, append_text, builder);
  mlirOpPrintingFlagsDestroy(flags);
  if (builder->length > 0 && builder->text[builder->length - 1] != '\n') {
    genie_string_builder_append(builder, "\n", 1);
  }
}

static void dump_after(const pipeline_t *pipeline, const char *name) {
  const genie_config_list_t *list = &pipeline->options->dump_after;
  for (int i = 0; i < (int)list->count; ++i) {
    if (strcmp(list->values[i], name) == 0) {
      genie_string_builder_t builder;
      genie_string_builder_init(genie_allocator_heap(), &builder);
      print_operation(pipeline, mlirModuleGetOperation(pipeline->module), &builder);
      fprintf(stderr, "// after %s\n%s", name, genie_string_builder_get(&builder));
      genie_string_builder_deinit(&builder);
      return;
    }
  }
}

//===-- Import ----------------------------------------------------------------------------------------------------===//

static bool has_suffix(const char *text, const char *suffix) {
  const size_t length = strlen(text), suffix_length = strlen(suffix);
  return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static genie_status_t read_module_text(pipeline_t *pipeline, const char *path) {
  struct stat info;
  if (access(path, R_OK) != 0 || stat(path, &info) != 0 || S_ISDIR(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: no readable file", path);
  }
  pipeline->module = mlirModuleCreateParseFromFile(pipeline->context, mlirStringRefCreateFromCString(path));
  GENIE_RETURN_IF_ERROR(genie_ir_diagnostics_take(pipeline->diagnostics));
  if (mlirModuleIsNull(pipeline->module)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: is no module text", path);
  }
  return GENIE_OK;
}

enum { BOUND_CAPACITY = 64, BOUND_NAME_BYTES = 32 };

static genie_status_t parse_bound(const char *text, char out_name[BOUND_NAME_BYTES], int64_t *out_maximum) {
  const char *equals = strchr(text, '=');
  char *end = NULL;
  const long long maximum = equals != NULL ? strtoll(equals + 1, &end, 10) : 0;
  if (equals == NULL || equals == text || equals - text >= BOUND_NAME_BYTES || *end != '\0' || maximum < 1 ||
      maximum > INT32_MAX) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--max-symbol=%s: give NAME=VALUE as in s0=512", text);
  }
  memcpy(out_name, text, (size_t)(equals - text));
  out_name[equals - text] = '\0';
  *out_maximum = maximum;
  return GENIE_OK;
}

static genie_status_t check_bounds(const genie_config_list_t *texts) {
  if (texts->count > BOUND_CAPACITY) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--max-symbol: at most %d are taken", BOUND_CAPACITY);
  }
  for (int i = 0; i < (int)texts->count; ++i) {
    char name[BOUND_NAME_BYTES];
    int64_t maximum;
    GENIE_RETURN_IF_ERROR(parse_bound(texts->values[i], name, &maximum));
  }
  return GENIE_OK;
}

static genie_status_t import_archives(pipeline_t *pipeline) {
  const genie_config_list_t *texts = &pipeline->options->symbol_bounds;
  char names[BOUND_CAPACITY][BOUND_NAME_BYTES];
  genie_import_bound_t bounds[BOUND_CAPACITY];
  for (int i = 0; i < (int)texts->count; ++i) {
    bounds[i] = (genie_import_bound_t){.symbol = names[i]};
    GENIE_RETURN_IF_ERROR(parse_bound(texts->values[i], names[i], &bounds[i].maximum));
  }
  pipeline->module = mlirModuleCreateEmpty(mlirLocationUnknownGet(pipeline->context));
  for (int i = 0; i < pipeline->input_count; ++i) {
    const genie_pipeline_input_t *input = &pipeline->inputs[i];
    const genie_import_options_t options = {.entry = input->entry[0] != '\0' ? input->entry : NULL,
                                            .bound_count = (int)texts->count,
                                            .bounds = bounds,
                                            .notes = stderr};
    GENIE_RETURN_IF_ERROR(genie_import_pt2(&options, input->path, pipeline->module, pipeline->findings));
    if (!pipeline->options->check) {
      GENIE_RETURN_IF_ERROR(genie_findings_status(pipeline->findings, input->path));
    }
  }
  for (int i = 0; i < (int)texts->count; ++i) {
    if (!bounds[i].is_used) {
      return genie_status_make(GENIE_STATUS_NOT_FOUND,
                               "--max-symbol=%s: the model has no dynamic size of this name; geniec --emit=import "
                               "prints those that it has (genie.symbols)",
                               texts->values[i]);
    }
  }
  return GENIE_OK;
}

static genie_status_t stage_import(pipeline_t *pipeline, const char *phase) {
  (void)phase;
  if (has_suffix(pipeline->inputs[0].path, ".mlir")) {
    if (pipeline->input_count > 1) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: a module's text is compiled alone",
                               pipeline->inputs[0].path);
    }
    GENIE_RETURN_IF_ERROR(read_module_text(pipeline, pipeline->inputs[0].path));
  } else {
    GENIE_RETURN_IF_ERROR(import_archives(pipeline));
  }
  if (pipeline->options->check) {
    return GENIE_OK;
  }
  return genie_ir_verify(mlirModuleGetOperation(pipeline->module));
}

//===-- Passes ----------------------------------------------------------------------------------------------------===//

static genie_status_t run_pass(pipeline_t *pipeline, const genie_pass_info_t *pass) {
  const genie_pass_context_t context = {
      .context = pipeline->context,
      .opt_level = (int)pipeline->options->opt_level,
      .has_direct_convolutions =
          pipeline->options->convolutions != NULL && strcmp(pipeline->options->convolutions, "direct") == 0,
      .plugins = &pipeline->plugins,
      .semantics = pipeline->options->explain_semantics ? &pipeline->semantics : NULL,
  };
  const double start_ms = now_ms();
  const genie_status_t status = pass->run(&context, pipeline->module);
  if (status != GENIE_OK) {
    return genie_status_annotate(status, "pass %s", pass->name);
  }
  note_time(pipeline, "pass", pass->name, start_ms);
  dump_after(pipeline, pass->name);
  return genie_status_annotate(genie_ir_verify(mlirModuleGetOperation(pipeline->module)), "after pass %s", pass->name);
}

static genie_status_t stage_passes(pipeline_t *pipeline, const char *phase) {
  for (int i = 0; i < genie_pass_table_count; ++i) {
    if (strcmp(genie_pass_table[i].phase, phase) == 0) {
      GENIE_RETURN_IF_ERROR(run_pass(pipeline, &genie_pass_table[i]));
    }
  }
  return GENIE_OK;
}

static const genie_pass_info_t *find_pass(const char *name, size_t length) {
  for (int i = 0; i < genie_pass_table_count; ++i) {
    if (strlen(genie_pass_table[i].name) == length && strncmp(genie_pass_table[i].name, name, length) == 0) {
      return &genie_pass_table[i];
    }
  }
  return NULL;
}

// Runs the passes of "A,B"; without a pipeline it only finds them.
static genie_status_t run_named_passes(pipeline_t *pipeline, const char *names) {
  for (const char *name = names; *name != '\0';) {
    const size_t length = strcspn(name, ",");
    const genie_pass_info_t *pass = find_pass(name, length);
    if (pass == NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--run-pass: there is no pass '%.*s'", (int)length, name);
    }
    if (pipeline != NULL) {
      GENIE_RETURN_IF_ERROR(run_pass(pipeline, pass));
    }
    name += length + (name[length] == ',');
  }
  return GENIE_OK;
}

//===-- Code and plan ---------------------------------------------------------------------------------------------===//

static genie_status_t stage_kernels(pipeline_t *pipeline, const char *phase) {
  (void)phase;
  return genie_codegen_kernels(&pipeline->codegen, pipeline->module, &pipeline->code);
}

static genie_status_t stage_plan(pipeline_t *pipeline, const char *phase) {
  (void)phase;
  return genie_codegen_plan(&pipeline->codegen, pipeline->module, pipeline->code, &pipeline->plan);
}

// "model.pt2" becomes "model.gplan", in the folder of the input; "model.gplan" becomes "model.html".
static void replace_suffix(const char *path, const char *suffix, char out_path[PATH_MAX]) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
  const size_t length = dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - path) : strlen(path);
  snprintf(out_path, PATH_MAX, "%.*s%s", (int)(length < PATH_MAX - 8 ? length : PATH_MAX - 8), path, suffix);
}

static genie_status_t write_depfile(const pipeline_t *pipeline, const char *output) {
  genie_string_builder_t builder;
  genie_string_builder_init(genie_allocator_heap(), &builder);
  genie_string_builder_format(&builder, "%s:", output);
  for (int i = 0; i < pipeline->input_count; ++i) {
    genie_string_builder_append(&builder, " ", 1);
    for (const char *c = pipeline->inputs[i].path; *c != '\0'; ++c) {
      genie_string_builder_format(&builder, "%s%c", *c == ' ' || *c == '#' ? "\\" : *c == '$' ? "$" : "", *c);
    }
  }
  genie_string_builder_append(&builder, "\n", 1);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s.d", output);
  genie_status_t status = genie_string_builder_status(&builder);
  if (status == GENIE_OK) {
    status = genie_text_file_write(path, builder.text, builder.length);
  }
  genie_string_builder_deinit(&builder);
  return status;
}

static genie_status_t print_report(const pipeline_t *pipeline, const char *output) {
  const genie_codegen_report_t *r = &pipeline->report;
  if (pipeline->options->json) {
    printf(
        "{\"plan\": \"%s\", \"plan_bytes\": %llu, \"weight_bytes\": %llu, \"code_bytes\": %llu, \"slab_bytes\": %llu, "
        "\"sum_bytes\": %llu, \"kernels\": %d, \"launches\": %d",
        output, (unsigned long long)r->plan_bytes, (unsigned long long)r->weight_bytes,
        (unsigned long long)r->code_bytes, (unsigned long long)r->slab_bytes, (unsigned long long)r->sum_bytes,
        r->kernel_count, r->launch_count);
    if (pipeline->options->is_explained) {
      printf(", \"explain\": ");
      GENIE_RETURN_IF_ERROR(genie_explain_print(pipeline->module, true, stdout));
    }
    printf("}\n");
    return GENIE_OK;
  }
  if (pipeline->options->verbose) {
    fprintf(stderr,
            "%s: %.1f MB (weights %.1f MB, code %.1f kB), temporaries %.2f MB planned of %.2f MB, %d kernels, "
            "%d launches\n",
            output, (double)r->plan_bytes * 1e-6, (double)r->weight_bytes * 1e-6, (double)r->code_bytes * 1e-3,
            (double)r->slab_bytes * 1e-6, (double)r->sum_bytes * 1e-6, r->kernel_count, r->launch_count);
  }
  return pipeline->options->is_explained ? genie_explain_print(pipeline->module, false, stdout) : GENIE_OK;
}

// "model.pt2", or "prefill.pt2, decode.pt2".
static void name_sources(pipeline_t *pipeline) {
  size_t length = 0;
  for (int i = 0; i < pipeline->input_count && length < sizeof pipeline->source_name; ++i) {
    const char *slash = strrchr(pipeline->inputs[i].path, '/');
    length += (size_t)snprintf(pipeline->source_name + length, sizeof pipeline->source_name - length, "%s%s",
                               i > 0 ? ", " : "", slash != NULL ? slash + 1 : pipeline->inputs[i].path);
  }
}

static genie_status_t start_digest(pipeline_t *pipeline) {
  const char *paths[GENIE_SOURCE_DIGEST_MAX_FILES];
  if (pipeline->input_count > GENIE_SOURCE_DIGEST_MAX_FILES) {
    return GENIE_OK;
  }
  for (int i = 0; i < pipeline->input_count; ++i) {
    paths[i] = pipeline->inputs[i].path;
  }
  return genie_source_digest_start(pipeline->input_count, paths, &pipeline->digest);
}

static genie_status_t stage_emit(pipeline_t *pipeline, const char *phase) {
  (void)phase;
  name_sources(pipeline);
  pipeline->codegen.source_name = pipeline->source_name;
  if (pipeline->digest != NULL) {
    GENIE_RETURN_IF_ERROR(genie_source_digest_wait(pipeline->digest, pipeline->source_sha256));
    pipeline->codegen.source_sha256 = pipeline->source_sha256;
  }
  char fallback[PATH_MAX];
  replace_suffix(pipeline->inputs[0].path, ".gplan", fallback);
  const char *output = pipeline->options->output != NULL ? pipeline->options->output : fallback;
  GENIE_RETURN_IF_ERROR(genie_codegen_emit(&pipeline->codegen, pipeline->module, pipeline->plan, pipeline->code, output,
                                           &pipeline->report));
  if (pipeline->options->depfile) {
    GENIE_RETURN_IF_ERROR(write_depfile(pipeline, output));
  }
  if (pipeline->options->has_page) {
    char page[PATH_MAX];
    replace_suffix(output, ".html", page);
    GENIE_RETURN_IF_ERROR(
        genie_explain_page_write(pipeline->module, pipeline->plan, pipeline->source_name,
                                 pipeline->options->page_path != NULL ? pipeline->options->page_path : page));
  }
  return print_report(pipeline, output);
}

//===-- The run ---------------------------------------------------------------------------------------------------===//

void genie_pipeline_describe_stages(size_t capacity, char *out_text) {
  size_t length = 0;
  out_text[0] = '\0';
  for (int i = 0; i < STAGE_COUNT - 1 && length < capacity; ++i) {
    length += (size_t)snprintf(out_text + length, capacity - length, "%s%s", i > 0 ? ", " : "", stages[i].name);
  }
  for (int i = 0; i < EMISSION_COUNT && length < capacity; ++i) {
    if (strcmp(emissions[i].name, emissions[i].stage) != 0) {
      length += (size_t)snprintf(out_text + length, capacity - length, ", %s", emissions[i].name);
    }
  }
}

// The index of the last stage to run for --emit=NAME; -1 if there is none of that name.
static int stage_of_emission(const char *name) {
  for (int i = 0; i < EMISSION_COUNT; ++i) {
    if (strcmp(emissions[i].name, name) == 0) {
      name = emissions[i].stage;
      break;
    }
  }
  for (int i = 0; i < STAGE_COUNT; ++i) {
    if (strcmp(stages[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

static genie_status_t print_result(pipeline_t *pipeline, const char *emit) {
  genie_string_builder_t builder;
  genie_string_builder_init(genie_allocator_heap(), &builder);
  genie_status_t status = GENIE_OK;
  if (strcmp(emit, "llvm") == 0 || strcmp(emit, "asm") == 0) {
    GENIE_GOTO_IF_ERROR(genie_codegen_print_code(pipeline->code, strcmp(emit, "asm") == 0, &builder));
  } else {
    const bool is_plan = strcmp(emit, "plan") == 0;
    print_operation(pipeline, mlirModuleGetOperation(is_plan ? pipeline->plan : pipeline->module), &builder);
  }
  GENIE_GOTO_IF_ERROR(genie_string_builder_status(&builder));
  status = genie_text_file_write(pipeline->options->output, genie_string_builder_get(&builder), builder.length);
cleanup:
  genie_string_builder_deinit(&builder);
  return status;
}

static genie_status_t print_semantics(const pipeline_t *pipeline) {
  genie_string_builder_t builder;
  genie_string_builder_init(genie_allocator_heap(), &builder);
  (pipeline->options->json ? genie_semantic_report_print_json : genie_semantic_report_print)(&pipeline->semantics,
                                                                                             &builder);
  genie_status_t status = genie_string_builder_status(&builder);
  if (status == GENIE_OK) {
    status = genie_text_file_write(pipeline->options->output, genie_string_builder_get(&builder), builder.length);
  }
  genie_string_builder_deinit(&builder);
  return status;
}

static genie_status_t load_plugins(pipeline_t *pipeline) {
  for (int i = 0; i < (int)pipeline->options->plugins.count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_plugins_load(&pipeline->plugins, pipeline->options->plugins.values[i]));
  }
  return GENIE_OK;
}

static genie_status_t run_stage(pipeline_t *pipeline, int index) {
  const double start_ms = now_ms();
  GENIE_RETURN_IF_ERROR(stages[index].run(pipeline, stages[index].name));
  note_time(pipeline, "stage", stages[index].name, start_ms);
  if (index < STAGE_KERNELS) {
    dump_after(pipeline, stages[index].name);
  }
  return GENIE_OK;
}

static genie_status_t set_targets(pipeline_t *pipeline) {
  const MlirOperation operation = mlirModuleGetOperation(pipeline->module);
  const MlirStringRef name = mlirStringRefCreateFromCString("genie.target");
  const char *target = pipeline->options->target;
  if (target == NULL && !mlirAttributeIsNull(mlirOperationGetAttributeByName(operation, name))) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_codegen_set_targets(pipeline->module, target != NULL ? target : "host"));
  const char *libraries = pipeline->options->libraries != NULL ? pipeline->options->libraries : "auto";
  if (strcmp(libraries, "auto") != 0 && strcmp(libraries, "none") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--libraries=%s: give auto or none", libraries);
  }
  const bool is_cuda = target != NULL && strstr(target, "cuda:sm_") != NULL;
  if (is_cuda) {
    genie_codegen_set_libraries(pipeline->module, strcmp(libraries, "auto") == 0, pipeline->options->allow_tf32);
  }
  return GENIE_OK;
}

// What is to be printed or, "emit", written.
static const char *emission_of(const genie_compiler_options_t *options) {
  return options->emit != NULL        ? options->emit
         : options->run_pass != NULL  ? "genie"
         : options->explain_semantics ? "recognise"
                                      : "emit";
}

static genie_status_t check_dumps(const genie_config_list_t *names) {
  for (int i = 0; i < (int)names->count; ++i) {
    bool is_known = find_pass(names->values[i], strlen(names->values[i])) != NULL;
    for (int j = 0; j < STAGE_KERNELS; ++j) {
      is_known = is_known || strcmp(stages[j].name, names->values[i]) == 0;
    }
    if (!is_known) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "--dump-after=%s: there is no such pass or phase; docs/reference/passes.md lists them",
                               names->values[i]);
    }
  }
  return GENIE_OK;
}

static genie_status_t check_overwrite(const char *output, int input_count, const genie_pipeline_input_t *inputs) {
  struct stat target, source;
  if (output == NULL || stat(output, &target) != 0) {
    return GENIE_OK;
  }
  for (int i = 0; i < input_count; ++i) {
    if (stat(inputs[i].path, &source) == 0 && source.st_dev == target.st_dev && source.st_ino == target.st_ino) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: is the input; the output needs another name",
                               output);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_pipeline_check_usage(const genie_compiler_options_t *options, int input_count,
                                          const genie_pipeline_input_t *inputs) {
  const char *emit = emission_of(options);
  const int last = stage_of_emission(emit);
  if (last < 0) {
    char names[256];
    genie_pipeline_describe_stages(sizeof names, names);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--emit=%s: give one of %s", emit, names);
  }
  if (options->has_page && (options->check || strcmp(stages[last].name, "emit") != 0)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--explain=html: there is no page without a plan");
  }
  if (options->run_pass != NULL) {
    GENIE_RETURN_IF_ERROR(run_named_passes(NULL, options->run_pass));
  }
  if (options->convolutions != NULL && strcmp(options->convolutions, "auto") != 0 &&
      strcmp(options->convolutions, "direct") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--convolutions=%s: give auto or direct",
                             options->convolutions);
  }
  GENIE_RETURN_IF_ERROR(check_dumps(&options->dump_after));
  GENIE_RETURN_IF_ERROR(check_bounds(&options->symbol_bounds));
  GENIE_RETURN_IF_ERROR(check_overwrite(options->output, input_count, inputs));
  return check_overwrite(options->page_path, input_count, inputs);
}

static genie_status_t run(pipeline_t *pipeline) {
  const genie_compiler_options_t *options = pipeline->options;
  const char *emit = emission_of(options);
  const int last = stage_of_emission(emit);
  GENIE_RETURN_IF_ERROR(load_plugins(pipeline));
  GENIE_RETURN_IF_ERROR(run_stage(pipeline, STAGE_IMPORT));
  if (!options->check && options->run_pass == NULL && strcmp(stages[last].name, "emit") == 0) {
    GENIE_RETURN_IF_ERROR(start_digest(pipeline));
  }
  if (options->check) {
    return GENIE_OK;
  }
  int next = STAGE_IMPORT + 1;
  if (last > STAGE_IMPORT || options->run_pass != NULL || options->target != NULL) {
    GENIE_RETURN_IF_ERROR(set_targets(pipeline));
    GENIE_RETURN_IF_ERROR(genie_place_options_apply(options, pipeline->module));
  }
  if (options->run_pass != NULL) {
    GENIE_RETURN_IF_ERROR(run_named_passes(pipeline, options->run_pass));
    next = STAGE_KERNELS;
  }
  for (; next <= last; ++next) {
    GENIE_RETURN_IF_ERROR(run_stage(pipeline, next));
  }
  if (options->explain_semantics) {
    return print_semantics(pipeline);
  }
  return strcmp(stages[last].name, "emit") == 0 ? GENIE_OK : print_result(pipeline, emit);
}

genie_status_t genie_pipeline_run(const genie_compiler_options_t *options, int input_count,
                                  const genie_pipeline_input_t *inputs, genie_findings_t *findings) {
  pipeline_t pipeline = {.options = options, .input_count = input_count, .inputs = inputs, .findings = findings};
  pipeline.codegen =
      (genie_codegen_options_t){.opt_level = (int)options->opt_level,
                                .has_timing = options->timing,
                                .signing_key = options->sign,
                                .producer = "geniec " GENIE_COMPILER_VERSION " (git " GENIE_COMPILER_GIT_HASH ")"};
  genie_semantic_report_init(&pipeline.semantics);
  pipeline.context = genie_ir_context_create();
  genie_status_t status = genie_ir_diagnostics_create(pipeline.context, &pipeline.diagnostics);
  if (status == GENIE_OK) {
    status = run(&pipeline);
  }
  if (!mlirModuleIsNull(pipeline.plan)) {
    mlirModuleDestroy(pipeline.plan);
  }
  genie_codegen_code_destroy(pipeline.code);
  genie_source_digest_destroy(pipeline.digest);
  if (!mlirModuleIsNull(pipeline.module)) {
    mlirModuleDestroy(pipeline.module);
  }
  genie_ir_diagnostics_destroy(pipeline.diagnostics);
  mlirContextDestroy(pipeline.context);
  genie_semantic_report_deinit(&pipeline.semantics);
  genie_plugins_deinit(&pipeline.plugins);
  return status;
}
