#include "compiler/explain_page.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/explain.h"
#include "compiler/explain_memory.h"
#include "compiler/explain_text.h"
#include "compiler/explain_timeline.h"
#include "compiler/text_file.h"
#include "runtime/base/string_builder.h"

extern const unsigned char genie_embedded_explain_page[];
extern const size_t genie_embedded_explain_page_bytes;

// Where the template takes the data.
static const char kMarker[] = "\"GENIE_DATA\"";

static MlirBlock body_of_plan(MlirModule plan) {
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(plan));
  while (!mlirOperationIsNull(op) && !genie_op_is(op, "gplan.plan")) {
    op = mlirOperationGetNextInBlock(op);
  }
  return mlirOperationIsNull(op) ? (MlirBlock){NULL} : mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
}

static MlirOperation find_function(MlirModule module, MlirStringRef name) {
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  while (!mlirOperationIsNull(op) &&
         !(genie_op_is(op, "func.func") && mlirStringRefEqual(genie_ir_string(op, "sym_name"), name))) {
    op = mlirOperationGetNextInBlock(op);
  }
  return op;
}

static const json_t *find_edges(const json_t *report, const char *name) {
  size_t i = 0;
  const json_t *entry = NULL;
  json_array_foreach(json_object_get(report, "entries"), i, entry) {
    const char *other = json_string_value(json_object_get(entry, "name"));
    if (other != NULL && strcmp(other, name) == 0) {
      return json_object_get(entry, "edges");
    }
  }
  return NULL;
}

static genie_status_t add_entry(MlirModule module, MlirOperation plan_entry, const genie_cost_machine_t *machine,
                                json_t *page, int *first_transfer) {
  json_t *entry = json_object();
  json_array_append_new(json_object_get(page, "entries"), entry);
  json_t *name = genie_explain_text(plan_entry, "name");
  json_object_set_new(entry, "name", name);
  const genie_explain_entry_t source = {
      .module = module,
      .function = find_function(module, genie_ir_string(plan_entry, "name")),
      .plan = plan_entry,
      .first_transfer = *first_transfer,
      .edges = find_edges(json_object_get(page, "explain"), json_string_value(name)),
  };
  if (mlirOperationIsNull(source.function)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "the entry '%s' has no function", json_string_value(name));
  }
  *first_transfer += genie_explain_transfer_count(plan_entry);
  GENIE_RETURN_IF_ERROR(genie_explain_timeline_make(&source, machine, entry));
  return genie_explain_memory_make(plan_entry, machine->place_count, entry);
}

static void add_place(MlirOperation op, json_t *page) {
  json_array_append_new(
      json_object_get(page, "places"),
      json_pack("{s:o, s:o, s:I, s:I, s:I}", "name", genie_explain_text(op, "name"), "kind",
                genie_explain_text(op, "device"), "slab_bytes", (json_int_t)genie_ir_i64(op, "slab"), "state_bytes",
                (json_int_t)genie_ir_i64(op, "state"), "sum_bytes", (json_int_t)genie_ir_i64(op, "sum")));
}

static genie_status_t fill(MlirModule module, MlirModule plan, json_t *page) {
  genie_cost_machine_t machine;
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(module, &machine));
  json_t *report = NULL;
  GENIE_RETURN_IF_ERROR(genie_explain_make_report(module, &report));
  json_object_set_new(page, "explain", report);
  const MlirBlock body = body_of_plan(plan);
  if (mlirBlockIsNull(body)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "there is no plan to explain");
  }
  int first_transfer = 0;
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "gplan.place")) {
      add_place(op, page);
    } else if (genie_op_is(op, "gplan.entry")) {
      GENIE_RETURN_IF_ERROR(add_entry(module, op, &machine, page, &first_transfer));
    }
  }
  return GENIE_OK;
}

// In JSON '<' is only in strings; as an escape it can neither end the script nor open a comment.
static void append_data(const char *data, genie_string_builder_t *builder) {
  while (*data != '\0') {
    const size_t length = strcspn(data, "<");
    genie_string_builder_append(builder, data, length);
    data += length;
    if (*data == '<') {
      genie_string_builder_append(builder, "\\u003c", strlen("\\u003c"));
      ++data;
    }
  }
}

static genie_status_t write_page(const json_t *page, const char *path) {
  const char *template = (const char *)genie_embedded_explain_page;
  const char *marker = memmem(template, genie_embedded_explain_page_bytes, kMarker, strlen(kMarker));
  char *data = json_dumps(page, JSON_COMPACT | JSON_ENSURE_ASCII);
  if (marker == NULL || data == NULL) {
    free(data);
    return genie_status_make(GENIE_STATUS_INTERNAL, "the page cannot be made");
  }
  genie_string_builder_t builder;
  genie_string_builder_init(genie_allocator_heap(), &builder);
  genie_string_builder_append(&builder, template, (size_t)(marker - template));
  append_data(data, &builder);
  const char *rest = marker + strlen(kMarker);
  genie_string_builder_append(&builder, rest, genie_embedded_explain_page_bytes - (size_t)(rest - template));
  genie_status_t status = genie_string_builder_status(&builder);
  if (status == GENIE_OK) {
    status = genie_text_file_write(path, builder.text, builder.length);
  }
  genie_string_builder_deinit(&builder);
  free(data);
  return status;
}

genie_status_t genie_explain_page_write(MlirModule module, MlirModule plan, const char *model, const char *path) {
  json_t *page = json_pack("{s:i, s:o, s:[], s:[]}", "version", 1, "model", json_string(model), "places", "entries");
  if (page == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: the file's name is no UTF-8", model);
  }
  genie_status_t status = fill(module, plan, page);
  if (status == GENIE_OK) {
    status = write_page(page, path);
  }
  json_decref(page);
  return status;
}
