// The state of one import; graph_import.c drives it, rules see it through rule.h.
#ifndef GENIE_COMPILER_IMPORT_PT2_IMPORTER_STATE_H_
#define GENIE_COMPILER_IMPORT_PT2_IMPORTER_STATE_H_

#include "compiler/import/importer.h"
#include "compiler/import/pt2/rule.h"
#include "compiler/import/pt2/size_expression.h"
#include "compiler/import/pt2/value_table.h"
#include "passes/graph/pointer_map.h"

// What a user may say of ops: the annotations "genie.phase" and their like, by torch.fx.traceback.annotate.
enum { PT2_NOTE_COUNT = 3 };
extern const char *const pt2_note_names[PT2_NOTE_COUNT];

// Where a node comes from in the user's model.
typedef struct pt2_provenance {
  const char *source;  // "model.py:12", "" if unknown
  const char *file;
  int line;
  const char *module;                 // "encoder.layer.0:BertLayer", "" if unknown
  const char *notes[PT2_NOTE_COUNT];  // what the user said, in the order of pt2_note_names; NULL if nothing
} pt2_provenance_t;

// An argument of the entry function in the making.
typedef struct pt2_argument {
  MlirType type;
  const char *role;    // "genie.input", "genie.weight", "genie.state"
  const char *symbol;  // input name or symbol
} pt2_argument_t;

// What the import of the arguments leaves for that of the outputs.
typedef struct pt2_entry {
  int argument_count;
  pt2_argument_t *arguments;
  int *argument_of_input;  // of each graph input: index into `arguments`, or -1
  bool *is_mutated;        // of each graph input
  const char **states;     // of each graph input: its state's symbol, or NULL
} pt2_entry_t;

// The module's symbols by name, and its weights by where their bytes are.
typedef struct pt2_module_symbols {
  MlirSymbolTable table;
  genie_pointer_map_t weight_of_place;  // of a uniqued attribute: index into `weights`
  MlirOperation *weights;
  int weight_count, weight_capacity;
} pt2_module_symbols_t;

struct pt2_importer {
  const genie_import_options_t *options;
  const genie_pt2_program_t *program;
  const genie_pt2_graph_t *graph;
  genie_findings_t *findings;
  genie_arena_t arena;
  MlirModule module;
  pt2_module_symbols_t symbols_of_module;
  MlirOperation function;
  genie_ir_builder_t builder;
  genie_pt2_symbols_t symbols;
  genie_pt2_value_table_t values;
  const struct pt2_mapping_table *mappings;

  MlirOperation last_op;  // of the block, before the node in work

  // Of the node in work.
  int position;
  pt2_provenance_t provenance;
  const pt2_mapping_t *mapping;
  const char *finding_kind, *finding_hint;  // of the failure
  genie_status_t failure;
  bool is_in_place;
  MlirValue in_place_result;
};

//===-- mutation_scan.c -------------------------------------------------------------------------------------------===//

// Sets `entry->is_mutated`.
genie_status_t pt2_find_mutations(pt2_importer_t *im, pt2_entry_t *entry) GENIE_MUST_USE;

//===-- entry_arguments.c -----------------------------------------------------------------------------------------===//

// The symbols of the user inputs' sizes, with their ranges.
genie_status_t pt2_import_symbols(pt2_importer_t *im) GENIE_MUST_USE;
// Fills `entry`; makes weights and states.
genie_status_t pt2_import_arguments(pt2_importer_t *im, pt2_entry_t *entry) GENIE_MUST_USE;
// Makes the function, without results until its outputs are known.
genie_status_t pt2_create_function(pt2_importer_t *im, const pt2_entry_t *entry) GENIE_MUST_USE;
// Binds the graph's inputs to the function's arguments, small constants to literals.
genie_status_t pt2_bind_inputs(pt2_importer_t *im, const pt2_entry_t *entry) GENIE_MUST_USE;
// `scratch` has room for the arguments.
MlirAttribute pt2_function_type(const pt2_importer_t *im, const pt2_entry_t *entry, int result_count,
                                const MlirType *result_types, MlirType *scratch);

//===-- payload_import.c ------------------------------------------------------------------------------------------===//

// Reads what other entries left in the module. Release with pt2_module_symbols_deinit(), also after a failure.
genie_status_t pt2_module_symbols_init(pt2_importer_t *im) GENIE_MUST_USE;
void pt2_module_symbols_deinit(pt2_importer_t *im);

//===-- graph_import.c --------------------------------------------------------------------------------------------===//

// A fresh value table for `im->graph`, with the last use of every name.
genie_status_t pt2_prepare_values(pt2_importer_t *im) GENIE_MUST_USE;

//===-- node_import.c ---------------------------------------------------------------------------------------------===//

// Imports the node at `im->position`. What Genie cannot compile becomes a finding.
genie_status_t pt2_import_node(pt2_importer_t *im, const genie_pt2_node_t *node) GENIE_MUST_USE;
// Turns the importer's failure into a finding about `target`, at the place in `im->provenance`.
genie_status_t pt2_take_failure(pt2_importer_t *im, const char *target) GENIE_MUST_USE;
void pt2_reset_failure(pt2_importer_t *im);
// Makes `name`, an input, weight or output, the place of the findings that follow.
void pt2_blame_input(pt2_importer_t *im, const char *name);
// Names the module and what the user said in `im->provenance` on all ops made since the last call.
void pt2_annotate_new_ops(pt2_importer_t *im);

//===-- entry_results.c -------------------------------------------------------------------------------------------===//

// Ends the function: results, state updates and the return.
genie_status_t pt2_import_outputs(pt2_importer_t *im, const pt2_entry_t *entry) GENIE_MUST_USE;

//===-- mapping.c -------------------------------------------------------------------------------------------------===//

typedef struct pt2_mapping_table {
  int count;
  pt2_mapping_t *rows;  // sorted by overload
} pt2_mapping_table_t;

// All overloads of the op table and of the composites. INTERNAL names an import rule that does not exist.
genie_status_t pt2_mapping_table_init(genie_arena_t *arena, pt2_mapping_table_t *out_table) GENIE_MUST_USE;
// NULL when there is none. `out_is_in_place` is set when only the functional overload is known ("add_.Tensor").
const pt2_mapping_t *pt2_mapping_find(const pt2_mapping_table_t *table, const char *target, bool *out_is_in_place);
// "torch.ops.aten.add.Tensor" as "add.Tensor"; other targets as they are.
const char *pt2_overload_of(const char *target);
// True for "add_.Tensor".
bool pt2_overload_is_in_place(const char *overload);

//===-- payload_import.c ------------------------------------------------------------------------------------------===//

// The symbol of a `genie.weight` for a parameter, buffer or constant; equal bytes give the same symbol.
genie_status_t pt2_import_weight(pt2_importer_t *im, const genie_pt2_payload_t *payload, MlirType *out_type,
                                 const char **out_symbol) GENIE_MUST_USE;
// The symbol of a `genie.state` that starts as `payload`.
genie_status_t pt2_import_state(pt2_importer_t *im, const genie_pt2_payload_t *payload, MlirType *out_type,
                                const char **out_symbol) GENIE_MUST_USE;
enum { PT2_MAX_CONSTANT_ELEMENTS = 64 };
// A `genie.constant` at the builder's place, or null when the tensor is too large for one.
genie_status_t pt2_import_constant(pt2_importer_t *im, const genie_pt2_payload_t *payload,
                                   MlirValue *out_value) GENIE_MUST_USE;

//===-- type_import.c ---------------------------------------------------------------------------------------------===//

// The dtype of a number of the schema; INVALID when Genie has none. The name is PyTorch's, for messages.
genie_dtype_t pt2_dtype_of(int schema_dtype, const char **out_name);
// A tensor type from what the export says. UNIMPLEMENTED names the dtype, rank or size that Genie lacks.
genie_status_t pt2_type_of_meta(pt2_importer_t *im, const genie_pt2_tensor_meta_t *meta, bool can_add_symbols,
                                genie_tensor_type_t *out_type) GENIE_MUST_USE;
genie_status_t pt2_size_of_export(pt2_importer_t *im, const genie_pt2_size_t *size, bool can_add_symbols,
                                  MlirAffineExpr *out_size) GENIE_MUST_USE;

//===-- in_place.c ------------------------------------------------------------------------------------------------===//

// Makes `im->in_place_result` the value of the tensor that the node writes, its first argument; through views, that of
// the tensors that it is a view of, and of the other views that are read later.
void pt2_write_in_place(pt2_importer_t *im, const genie_pt2_node_t *node);

//===-- provenance.c ----------------------------------------------------------------------------------------------===//

genie_status_t pt2_provenance_of(genie_arena_t *arena, const genie_pt2_node_t *node,
                                 pt2_provenance_t *out_provenance) GENIE_MUST_USE;

//===-- output_names.c --------------------------------------------------------------------------------------------===//

// Names of `count` user outputs from the pytree `out_spec`: "output0", .. for tuples, keys for dictionaries, joined by
// '.'.
genie_status_t pt2_output_names(genie_arena_t *arena, const char *out_spec, int count,
                                const char **out_names) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_PT2_IMPORTER_STATE_H_
