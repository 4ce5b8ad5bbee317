// Reading the JSON of an archive: what the files schema_*.c share. Every function gives INVALID_ARGUMENT, with the path
// and the place in the document, for what torch.export.save does not write. Strings are borrowed from the document,
// arrays are the program's arena's.
#ifndef GENIE_COMPILER_IMPORT_PT2_SCHEMA_READER_H_
#define GENIE_COMPILER_IMPORT_PT2_SCHEMA_READER_H_

#include <jansson.h>

#include "compiler/import/pt2/exported_program.h"

typedef struct genie_pt2_schema_reader {
  genie_pt2_program_t *program;
  const char *path;
  const char *place;  // where in the document it is, for messages
} genie_pt2_schema_reader_t;

//===-- schema_reader.c -------------------------------------------------------------------------------------------===//

genie_status_t genie_pt2_schema_malformed(const genie_pt2_schema_reader_t *reader, const char *what) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_allocate(genie_pt2_schema_reader_t *reader, size_t count, size_t element_bytes,
                                         void **out_pointer) GENIE_MUST_USE;
// The value of `key`, which must be there and of this kind; "" for an optional string that is not.
genie_status_t genie_pt2_schema_get_object(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                           const char *key, const json_t **out_value) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_get_array(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                          const char *key, const json_t **out_value) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_get_string(const genie_pt2_schema_reader_t *reader, const json_t *parent,
                                           const char *key, const char **out_value) GENIE_MUST_USE;
const char *genie_pt2_schema_optional_string(const json_t *parent, const char *key);

//===-- schema_arguments.c ----------------------------------------------------------------------------------------===//

genie_status_t genie_pt2_schema_read_arg(genie_pt2_schema_reader_t *reader, const json_t *json,
                                         genie_pt2_arg_t *out_arg) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_read_args(genie_pt2_schema_reader_t *reader, const json_t *array, int *out_count,
                                          const genie_pt2_arg_t **out_args) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_read_named(genie_pt2_schema_reader_t *reader, const json_t *json,
                                           genie_pt2_arg_t *out_arg) GENIE_MUST_USE;

//===-- schema_graph.c --------------------------------------------------------------------------------------------===//

genie_status_t genie_pt2_schema_read_graph(genie_pt2_schema_reader_t *reader, const json_t *json,
                                           genie_pt2_graph_t *out_graph) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_read_meta(genie_pt2_schema_reader_t *reader, const json_t *json,
                                          genie_pt2_tensor_meta_t *out_meta) GENIE_MUST_USE;

//===-- schema_signature.c ----------------------------------------------------------------------------------------===//

genie_status_t genie_pt2_schema_read_input_specs(genie_pt2_schema_reader_t *reader, const json_t *array) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_read_output_specs(genie_pt2_schema_reader_t *reader,
                                                  const json_t *array) GENIE_MUST_USE;
genie_status_t genie_pt2_schema_read_ranges(genie_pt2_schema_reader_t *reader, const json_t *json) GENIE_MUST_USE;

//===-- schema_payloads.c -----------------------------------------------------------------------------------------===//

// `program->weights` and `program->constants`, by name.
genie_status_t genie_pt2_schema_read_payloads(genie_pt2_schema_reader_t *reader) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_PT2_SCHEMA_READER_H_
