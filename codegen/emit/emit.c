// The phase "emit": the plan's ops, code and weights become a file.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "codegen/emit/plan_records.h"
#include "codegen/kernel/code.h"
#include "codegen/plan/weight_source.h"
#include "codegen/plan/weight_table.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/reader.h"

typedef struct emission {
  const genie_codegen_options_t *options;
  MlirModule module;
  MlirModule plan;
  const genie_codegen_code_t *code;
  const char *path;
  genie_plan_writer_t *writer;
  genie_weight_table_t *weights;
  genie_weight_source_t *source;
  genie_plan_records_summary_t summary;
  uint64_t code_bytes;
} emission_t;

//===-- Code ------------------------------------------------------------------------------------------------------===//

static genie_status_t append_code(emission_t *emission) {
  const genie_codegen_code_t *code = emission->code;
  if (code->target_count != emission->summary.target_count || code->kernel_count != emission->summary.kernel_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the plan's kernels and targets are not those of the code");
  }
  for (int i = 0; i < code->target_count; ++i) {
    const genie_code_target_t *target = &code->targets[i];
    uint64_t offset = 0;
    GENIE_RETURN_IF_ERROR(genie_plan_writer_align(emission->writer, GENIE_PLAN_SECTION_CODE, GENIE_PLAN_PAGE_BYTES));
    GENIE_RETURN_IF_ERROR(
        genie_plan_writer_append(emission->writer, GENIE_PLAN_SECTION_CODE, target->code, target->code_bytes, &offset));
    genie_plan_target_t *record = genie_plan_writer_record(emission->writer, GENIE_PLAN_SECTION_TARGETS, (uint64_t)i);
    record->code_offset = offset;
    record->code_bytes = target->code_bytes;
    emission->code_bytes += target->code_bytes;
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(emission->writer, GENIE_PLAN_SECTION_CODE_OFFSETS, target->offsets,
                                                   (uint64_t)code->kernel_count, NULL));
  }
  return GENIE_OK;
}

//===-- Manifest --------------------------------------------------------------------------------------------------===//

// The module attribute `name` as a string in `buffer`; "" when there is none.
static const char *module_text(MlirModule module, const char *name, size_t capacity, char *buffer) {
  const MlirAttribute value =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(module), mlirStringRefCreateFromCString(name));
  const MlirStringRef text = !mlirAttributeIsNull(value) && mlirAttributeIsAString(value)
                                 ? mlirStringAttrGetValue(value)
                                 : mlirStringRefCreate("", 0);
  snprintf(buffer, capacity, "%.*s", (int)text.length, text.data);
  return buffer;
}

static bool parse_digest(const char *hex, genie_plan_digest_t *out_digest) {
  if (hex == NULL || strlen(hex) != 2 * sizeof(out_digest->bytes)) {
    return false;
  }
  for (size_t i = 0; i < sizeof(out_digest->bytes); ++i) {
    unsigned value = 0;
    if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
      return false;
    }
    out_digest->bytes[i] = (uint8_t)value;
  }
  return true;
}

// The file's name as a manifest may have it: without control characters.
static const char *printable(const char *text, size_t capacity, char *buffer) {
  snprintf(buffer, capacity, "%s", text != NULL ? text : "");
  for (char *c = buffer; *c != '\0'; ++c) {
    *c = genie_plan_is_control(*c) ? '?' : *c;
  }
  return buffer;
}

static genie_status_t begin_file(emission_t *emission) {
  char source[256];
  char framework[64];
  char memory[64];
  genie_plan_manifest_t manifest = {
      .producer = emission->options->producer,
      .source_name = printable(emission->options->source_name, sizeof(source), source),
      .framework_version = module_text(emission->module, "genie.framework", sizeof(framework), framework),
  };
  manifest.has_source_sha256 = parse_digest(emission->options->source_sha256, &manifest.source_sha256);
  snprintf(memory, sizeof(memory), "memory: %llu bytes",
           (unsigned long long)(emission->weights->size_bytes + emission->summary.slab_bytes +
                                emission->summary.state_bytes));
  manifest.requirements[manifest.requirement_count++] = memory;
  for (int i = 0; i < emission->code->target_count && manifest.requirement_count < 15; ++i) {
    manifest.requirements[manifest.requirement_count++] = emission->code->targets[i].name;
  }
  uint8_t *bytes = NULL;
  uint64_t size_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_manifest_pack(&manifest, genie_allocator_heap(), &bytes, &size_bytes));
  const genie_status_t status =
      genie_plan_writer_begin(emission->writer, emission->path, bytes, size_bytes, emission->weights->size_bytes);
  genie_allocator_free(genie_allocator_heap(), bytes);
  return status;
}

//===-- Weights ---------------------------------------------------------------------------------------------------===//

// A weight's symbol itself, or the value that is computed.
static genie_status_t evaluate(const genie_evaluator_t *evaluator, const genie_weight_t *weight,
                               genie_host_tensor_t *out_tensor) {
  if (mlirOperationIsNull(weight->symbol)) {
    return genie_evaluate(evaluator, weight->value, out_tensor);
  }
  const MlirAttribute name =
      mlirOperationGetAttributeByName(weight->symbol, mlirStringRefCreateFromCString("sym_name"));
  return evaluator->load_weight(evaluator->self, mlirStringAttrGetValue(name), out_tensor);
}

static genie_status_t write_weight(emission_t *emission, const genie_evaluator_t *evaluator,
                                   const genie_weight_t *weight) {
  genie_host_tensor_t tensor = {0};
  GENIE_RETURN_IF_ERROR(genie_plan_writer_pad_weights(emission->writer, weight->offset));
  GENIE_RETURN_IF_ERROR(evaluate(evaluator, weight, &tensor));
  genie_status_t status = GENIE_OK;
  if (genie_host_tensor_bytes(&tensor) == weight->size_bytes) {
    status = genie_plan_writer_write_weights(emission->writer, tensor.data, weight->size_bytes);
  } else {
    status = genie_status_make(GENIE_STATUS_INTERNAL, "the evaluator gave %zu bytes for a weight of %llu",
                               genie_host_tensor_bytes(&tensor), (unsigned long long)weight->size_bytes);
  }
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  return status;
}

static genie_status_t write_weights(emission_t *emission) {
  GENIE_RETURN_IF_ERROR(genie_weight_source_create(emission->module, &emission->source));
  const genie_evaluator_t evaluator = {
      .allocator = genie_allocator_heap(), .self = emission->source, .load_weight = genie_weight_source_load};
  for (int i = 0; i < emission->weights->count; ++i) {
    const genie_weight_t *weight = &emission->weights->weights[i];
    GENIE_RETURN_IF_ERROR(genie_status_annotate(write_weight(emission, &evaluator, weight), "%s", weight->name));
  }
  return GENIE_OK;
}

//===-- File ------------------------------------------------------------------------------------------------------===//

// A plan that its own verifier refuses is a bug of the compiler; nobody should find the file.
static genie_status_t check_file(const char *path) {
  genie_plan_t *plan = NULL;
  const genie_status_t status = genie_plan_open(path, NULL, genie_allocator_heap(), &plan);
  if (status == GENIE_OK) {
    genie_plan_close(plan);
    return GENIE_OK;
  }
  unlink(path);
  const genie_status_t bug =
      genie_status_make(GENIE_STATUS_INTERNAL, "the compiled plan does not verify: %s", genie_status_message(status));
  genie_status_free(status);
  return bug;
}

static genie_status_t emit(emission_t *emission, genie_codegen_report_t *out_report) {
  GENIE_RETURN_IF_ERROR(genie_weight_table_create(emission->module, &emission->weights));
  GENIE_RETURN_IF_ERROR(genie_plan_writer_create(genie_allocator_heap(), &emission->writer));
  GENIE_RETURN_IF_ERROR(genie_plan_records_append(emission->plan, emission->writer, &emission->summary));
  GENIE_RETURN_IF_ERROR(append_code(emission));
  GENIE_RETURN_IF_ERROR(begin_file(emission));
  GENIE_RETURN_IF_ERROR(write_weights(emission));
  uint64_t file_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_writer_finish(emission->writer, emission->options->signing_key, &file_bytes));
  GENIE_RETURN_IF_ERROR(check_file(emission->path));
  *out_report = (genie_codegen_report_t){.plan_bytes = file_bytes,
                                         .weight_bytes = emission->weights->size_bytes,
                                         .code_bytes = emission->code_bytes,
                                         .slab_bytes = emission->summary.slab_bytes,
                                         .sum_bytes = emission->summary.sum_bytes,
                                         .kernel_count = emission->summary.kernel_count,
                                         .launch_count = emission->summary.launch_count};
  return GENIE_OK;
}

genie_status_t genie_codegen_emit(const genie_codegen_options_t *options, MlirModule module, MlirModule plan,
                                  const genie_codegen_code_t *code, const char *path,
                                  genie_codegen_report_t *out_report) {
  emission_t emission = {.options = options, .module = module, .plan = plan, .code = code, .path = path};
  const genie_status_t status = emit(&emission, out_report);
  genie_weight_source_destroy(emission.source);
  genie_plan_writer_destroy(emission.writer);
  genie_weight_table_destroy(emission.weights);
  return status;
}
