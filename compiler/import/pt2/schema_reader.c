// The JSON of an archive as genie_pt2_program_t. Keys that are not known are ignored, except inside an argument union.
#include "compiler/import/pt2/schema_reader.h"

#include <string.h>

#include "compiler/import/pt2/bounded_json.h"

enum { SCHEMA_MAJOR = 8 };

//===-- Access ----------------------------------------------------------------------------------------------------===//

genie_status_t genie_pt2_schema_malformed(const genie_pt2_schema_reader_t *reader, const char *what) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: %.120s: %.120s; is this written by torch.export.save?",
                           reader->path, reader->place, what);
}

genie_status_t genie_pt2_schema_allocate(genie_pt2_schema_reader_t *reader, size_t count, size_t element_bytes,
                                         void **out_pointer) {
  return genie_arena_allocate(&reader->program->arena, count, element_bytes, out_pointer);
}

genie_status_t genie_pt2_schema_get_object(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                           const char *key, const json_t **out_value) {
  *out_value = json_object_get(parent, key);
  return json_is_object(*out_value) ? GENIE_OK : genie_pt2_schema_malformed(reader, key);
}

genie_status_t genie_pt2_schema_get_array(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                          const char *key, const json_t **out_value) {
  *out_value = json_object_get(parent, key);
  return json_is_array(*out_value) && json_array_size(*out_value) < INT32_MAX ? GENIE_OK
                                                                              : genie_pt2_schema_malformed(reader, key);
}

genie_status_t genie_pt2_schema_get_string(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                           const char *key, const char **out_value) {
  *out_value = json_string_value(json_object_get(parent, key));
  return *out_value != NULL ? GENIE_OK : genie_pt2_schema_malformed(reader, key);
}

const char *genie_pt2_schema_optional_string(const json_t *parent, const char *key) {
  const char *value = json_string_value(json_object_get(parent, key));
  return value != NULL ? value : "";
}

//===-- Program ---------------------------------------------------------------------------------------------------===//

static genie_status_t check_schema(const genie_pt2_schema_reader_t *reader, const json_t *root) {
  const json_t *version = json_object_get(root, "schema_version");
  const json_t *major = json_object_get(version, "major");
  if (!json_is_integer(major)) {
    return genie_pt2_schema_malformed(reader, "schema_version");
  }
  return json_integer_value(major) == SCHEMA_MAJOR
             ? GENIE_OK
             : genie_status_make(
                   GENIE_STATUS_UNIMPLEMENTED,
                   "%s: export schema %lld (PyTorch %.20s); schema %d is read: export with PyTorch 2.9 to 2.14",
                   reader->path, (long long)json_integer_value(major),
                   genie_pt2_schema_optional_string(root, "torch_version"), SCHEMA_MAJOR);
}

static genie_status_t read_root(genie_pt2_schema_reader_t *reader, const json_t *root) {
  genie_pt2_program_t *program = reader->program;
  reader->place = "the program";
  GENIE_RETURN_IF_ERROR(check_schema(reader, root));
  const json_t *module, *graph, *signature, *inputs, *outputs;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_object(reader, root, "graph_module", &module));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_object(reader, module, "graph", &graph));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_object(reader, module, "signature", &signature));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, signature, "input_specs", &inputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_array(reader, signature, "output_specs", &outputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_graph(reader, graph, &program->graph));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_input_specs(reader, inputs));
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_output_specs(reader, outputs));
  reader->place = "signature";
  if (program->input_spec_count != program->graph.input_count ||
      program->output_spec_count != program->graph.output_count) {
    return genie_pt2_schema_malformed(reader, "it does not match the graph's inputs and outputs");
  }
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_ranges(reader, json_object_get(root, "range_constraints")));
  const json_t *entry = json_array_get(json_object_get(module, "module_call_graph"), 0);
  program->out_spec = genie_pt2_schema_optional_string(json_object_get(entry, "signature"), "out_spec");
  program->torch_version = genie_pt2_schema_optional_string(root, "torch_version");
  return GENIE_OK;
}

static genie_status_t load_json(genie_pt2_program_t *program, const char *member, json_t **out_root) {
  // The text is needed only while it is parsed, so it has an arena of its own.
  genie_arena_t scratch;
  genie_arena_init(genie_allocator_heap(), (size_t)GENIE_JSON_MAX_BYTES + 4096, &scratch);
  char *text;
  size_t length;
  genie_status_t status =
      genie_pt2_archive_read(program->archive, member, GENIE_JSON_MAX_BYTES, &scratch, &text, &length);
  if (status == GENIE_OK) {
    status = genie_status_annotate(genie_json_parse(member, text, length, out_root), "%s",
                                   genie_pt2_archive_path(program->archive));
  }
  genie_arena_deinit(&scratch);
  return status;
}

static genie_status_t load_config(genie_pt2_program_t *program, const char *folder, const char *model,
                                  json_t **out_root) {
  char member[256];
  snprintf(member, sizeof member, "%s/%s_%s_config.json", folder, model, strrchr(folder, '/') + 1);
  return genie_pt2_archive_has(program->archive, member) ? load_json(program, member, out_root) : GENIE_OK;
}

static genie_status_t program_load(const char *path, genie_pt2_program_t *program) {
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_open(path, &program->archive));
  const char *model;
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_model_name(program->archive, &program->arena, &model));
  char member[256];
  snprintf(member, sizeof member, "models/%s.json", model);
  GENIE_RETURN_IF_ERROR(load_json(program, member, &program->model));
  GENIE_RETURN_IF_ERROR(load_config(program, "data/weights", model, &program->weights));
  GENIE_RETURN_IF_ERROR(load_config(program, "data/constants", model, &program->constants));
  genie_pt2_schema_reader_t reader = {.program = program, .path = path, .place = ""};
  GENIE_RETURN_IF_ERROR(read_root(&reader, program->model));
  return genie_pt2_schema_read_payloads(&reader);
}

genie_status_t genie_pt2_program_read(const char *path, genie_pt2_program_t *out_program) {
  *out_program = (genie_pt2_program_t){0};
  genie_arena_init(genie_allocator_heap(), (size_t)2 << 30, &out_program->arena);
  const genie_status_t status = program_load(path, out_program);
  if (status != GENIE_OK) {
    genie_pt2_program_deinit(out_program);
  }
  return status;
}

void genie_pt2_program_deinit(genie_pt2_program_t *program) {
  json_decref(program->model);
  json_decref(program->weights);
  json_decref(program->constants);
  genie_pt2_archive_close(program->archive);
  genie_arena_deinit(&program->arena);
  *program = (genie_pt2_program_t){0};
}
