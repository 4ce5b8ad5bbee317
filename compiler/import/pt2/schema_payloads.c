// The tensors beside the graph: weights and constants.
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/schema_reader.h"

static genie_status_t read_payloads(genie_pt2_schema_reader_t *reader, const char *folder, const json_t *root,
                                    genie_pt2_payload_t *payloads) {
  const json_t *config = json_object_get(root, "config");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)config, key, value) {
    reader->place = key;
    genie_pt2_payload_t *payload = &payloads[reader->program->payload_count];
    *payload = (genie_pt2_payload_t){.name = key, .folder = folder, .is_pickled = true};
    const json_t *meta = json_object_get(value, "tensor_meta");
    if (json_is_object(meta)) {
      payload->is_pickled = json_is_true(json_object_get(value, "use_pickle"));
      GENIE_RETURN_IF_ERROR(genie_pt2_schema_get_string(reader, value, "path_name", &payload->member));
      GENIE_RETURN_IF_ERROR(genie_pt2_schema_read_meta(reader, meta, &payload->meta));
    }
    ++reader->program->payload_count;
  }
  return GENIE_OK;
}

static int compare_payloads(const void *a, const void *b) {
  return strcmp(((const genie_pt2_payload_t *)a)->name, ((const genie_pt2_payload_t *)b)->name);
}

genie_status_t genie_pt2_schema_read_payloads(genie_pt2_schema_reader_t *reader) {
  genie_pt2_program_t *program = reader->program;
  const size_t count = json_object_size(json_object_get(program->weights, "config")) +
                       json_object_size(json_object_get(program->constants, "config"));
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_pt2_schema_allocate(reader, count, sizeof(genie_pt2_payload_t), &memory));
  program->payloads = memory;
  GENIE_RETURN_IF_ERROR(read_payloads(reader, "data/weights", program->weights, memory));
  GENIE_RETURN_IF_ERROR(read_payloads(reader, "data/constants", program->constants, memory));
  qsort(memory, (size_t)program->payload_count, sizeof(genie_pt2_payload_t), compare_payloads);
  return GENIE_OK;
}

const genie_pt2_payload_t *genie_pt2_program_payload(const genie_pt2_program_t *program, const char *name) {
  const genie_pt2_payload_t key = {.name = name};
  return program->payload_count > 0
             ? bsearch(&key, program->payloads, (size_t)program->payload_count, sizeof key, compare_payloads)
             : NULL;
}
