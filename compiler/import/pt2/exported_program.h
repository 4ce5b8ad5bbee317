// A torch.export program as plain C data: what the reader makes of an archive's JSON and the importer reads.
//
// Everything belongs to the program: strings are borrowed from its JSON, arrays from its arena. Immutable once read.
// Source: torch/_export/serde/schema.py, major version 8.
#ifndef GENIE_COMPILER_IMPORT_PT2_EXPORTED_PROGRAM_H_
#define GENIE_COMPILER_IMPORT_PT2_EXPORTED_PROGRAM_H_

#include <jansson.h>

#include "compiler/import/pt2/archive.h"

typedef enum genie_pt2_arg_kind {
  GENIE_PT2_NONE = 0,
  GENIE_PT2_TENSOR,     // text: name
  GENIE_PT2_INT,        // integer
  GENIE_PT2_FLOAT,      // number
  GENIE_PT2_BOOL,       // integer: 0 or 1
  GENIE_PT2_STRING,     // text
  GENIE_PT2_SYM_INT,    // text: name
  GENIE_PT2_SYM_FLOAT,  // text: name
  GENIE_PT2_SYM_BOOL,   // text: name
  GENIE_PT2_ENUM,       // integer: a scalar type, memory format or layout of the schema
  GENIE_PT2_DEVICE,     // text: type
  GENIE_PT2_LIST,       // count, items
  GENIE_PT2_GRAPH,      // graph
  GENIE_PT2_FOREIGN,    // text: the schema's key of a kind that no rule takes (as_custom_obj, ...)
} genie_pt2_arg_kind_t;

typedef struct genie_pt2_graph genie_pt2_graph_t;

typedef struct genie_pt2_arg {
  genie_pt2_arg_kind_t kind;
  const char *text;
  int64_t integer;
  double number;
  int count;
  const struct genie_pt2_arg *items;
  const genie_pt2_graph_t *graph;
} genie_pt2_arg_t;

typedef struct genie_pt2_input {
  const char *name;  // of the argument in the op's schema
  bool is_keyword;
  genie_pt2_arg_t arg;
} genie_pt2_input_t;

// Defaulted arguments are absent from `inputs`.
typedef struct genie_pt2_node {
  const char *target;  // "torch.ops.aten.linear.default"
  int input_count;
  const genie_pt2_input_t *inputs;
  int output_count;
  const genie_pt2_arg_t *outputs;
  const char *stack_trace;   // "" if absent
  const char *module_stack;  // nn_module_stack
  const char *annotations;   // metadata.custom, JSON
} genie_pt2_node_t;

// A size: a number, or an expression as sympy's srepr prints it.
typedef struct genie_pt2_size {
  const char *expression;  // NULL: `value`
  int64_t value;
} genie_pt2_size_t;

enum { GENIE_PT2_MAX_RANK = 32 };

// A dtype in the schema's numbering, which is not c10's.
typedef struct genie_pt2_tensor_meta {
  int dtype;
  int layout;
  int rank;
  const genie_pt2_size_t *sizes;
  const genie_pt2_size_t *strides;  // in elements
  genie_pt2_size_t storage_offset;
} genie_pt2_tensor_meta_t;

typedef struct genie_pt2_tensor_value {
  const char *name;
  genie_pt2_tensor_meta_t meta;
} genie_pt2_tensor_value_t;

typedef struct genie_pt2_sym_int_value {
  const char *name;
  genie_pt2_size_t size;
} genie_pt2_sym_int_value_t;

struct genie_pt2_graph {
  int input_count, output_count, node_count, tensor_count, sym_int_count;
  const genie_pt2_arg_t *inputs, *outputs;
  const genie_pt2_node_t *nodes;
  const genie_pt2_tensor_value_t *tensors;    // sorted by name
  const genie_pt2_sym_int_value_t *sym_ints;  // sorted by name
};

typedef enum genie_pt2_input_kind {
  GENIE_PT2_INPUT_USER,
  GENIE_PT2_INPUT_PARAMETER,
  GENIE_PT2_INPUT_BUFFER,
  GENIE_PT2_INPUT_CONSTANT_TENSOR,
  GENIE_PT2_INPUT_CONSTANT,  // a Python value that the export baked in
  GENIE_PT2_INPUT_FOREIGN,   // custom_obj, token
} genie_pt2_input_kind_t;

typedef struct genie_pt2_input_spec {
  genie_pt2_input_kind_t kind;
  genie_pt2_arg_t arg;
  const char *target;  // fully qualified name of a parameter, buffer or constant
} genie_pt2_input_spec_t;

typedef enum genie_pt2_output_kind {
  GENIE_PT2_OUTPUT_USER,
  GENIE_PT2_OUTPUT_BUFFER_MUTATION,  // target: the buffer's name
  GENIE_PT2_OUTPUT_INPUT_MUTATION,   // target: the user input's name
  GENIE_PT2_OUTPUT_FOREIGN,          // loss, gradients, tokens, parameter mutation
} genie_pt2_output_kind_t;

typedef struct genie_pt2_output_spec {
  genie_pt2_output_kind_t kind;
  genie_pt2_arg_t arg;
  const char *target;
} genie_pt2_output_spec_t;

// A symbol's range; `has_maximum` is false when the export left it open.
typedef struct genie_pt2_range {
  const char *symbol;
  int64_t minimum, maximum;
  bool has_maximum;
} genie_pt2_range_t;

// The bytes of a parameter, buffer or constant.
typedef struct genie_pt2_payload {
  const char *name;    // fully qualified
  const char *folder;  // "data/weights" or "data/constants"
  const char *member;  // "weight_0"
  bool is_pickled;
  genie_pt2_tensor_meta_t meta;
} genie_pt2_payload_t;

typedef struct genie_pt2_program {
  genie_arena_t arena;
  genie_pt2_archive_t *archive;
  json_t *model, *weights, *constants;  // what strings are borrowed from
  genie_pt2_graph_t graph;
  int input_spec_count, output_spec_count, range_count, payload_count;
  const genie_pt2_input_spec_t *input_specs;    // as many as graph inputs
  const genie_pt2_output_spec_t *output_specs;  // as many as graph outputs
  const genie_pt2_range_t *ranges;
  const genie_pt2_payload_t *payloads;
  const char *out_spec;       // pytree JSON, "" if absent
  const char *torch_version;  // "" if absent
} genie_pt2_program_t;

// Reads the archive at `path`. On failure nothing is to be released. UNIMPLEMENTED when the schema's major version is
// not 8; INVALID_ARGUMENT names the place in the JSON that is malformed or unknown.
genie_status_t genie_pt2_program_read(const char *path, genie_pt2_program_t *out_program) GENIE_MUST_USE;
void genie_pt2_program_deinit(genie_pt2_program_t *program);

// NULL when there is none of that name.
const genie_pt2_tensor_meta_t *genie_pt2_graph_tensor(const genie_pt2_graph_t *graph, const char *name);
const genie_pt2_size_t *genie_pt2_graph_sym_int(const genie_pt2_graph_t *graph, const char *name);
const genie_pt2_payload_t *genie_pt2_program_payload(const genie_pt2_program_t *program, const char *name);

#endif  // GENIE_COMPILER_IMPORT_PT2_EXPORTED_PROGRAM_H_
