// What the recognisers found in a module, and why, for people and for tests.
#ifndef GENIE_PASSES_RECOGNISE_SEMANTIC_REPORT_H_
#define GENIE_PASSES_RECOGNISE_SEMANTIC_REPORT_H_

#include "passes/recognise/semantic_graph.h"
#include "runtime/base/string_builder.h"

typedef struct genie_semantic_report_op {
  const char *name, *module, *source;  // "genie.linear", "encoder.layer.0", "model.py:12"
  int stack, layer;
  genie_semantic_note_t notes[GENIE_SEMANTIC_COUNT];
} genie_semantic_report_op_t;

typedef struct genie_semantic_report_entry {
  const char *name;
  genie_semantic_vote_t workload;
  int stack_count, op_count;
  genie_semantic_stack_t *stacks;
  genie_semantic_report_op_t *ops;
} genie_semantic_report_entry_t;

enum { GENIE_SEMANTIC_REPORT_MAX_ENTRIES = 64 };

// In the caller's memory; not thread-safe.
typedef struct genie_semantic_report {
  genie_arena_t arena;
  int entry_count;
  genie_semantic_report_entry_t entries[GENIE_SEMANTIC_REPORT_MAX_ENTRIES];
} genie_semantic_report_t;

void genie_semantic_report_init(genie_semantic_report_t *out_report);
void genie_semantic_report_deinit(genie_semantic_report_t *report);

// Copies what is known of an entry; entries past the limit are left out.
genie_status_t genie_semantic_report_add(genie_semantic_report_t *report,
                                         const genie_semantic_graph_t *graph) GENIE_MUST_USE;

// A table of modules for each entry.
void genie_semantic_report_print(const genie_semantic_report_t *report, genie_string_builder_t *builder);
// {"entries": [{"name", "workload": {...}, "stacks": [...], "ops": [{"op", "module", "source", "phase": {...}, ...}]}]}
void genie_semantic_report_print_json(const genie_semantic_report_t *report, genie_string_builder_t *builder);

#endif  // GENIE_PASSES_RECOGNISE_SEMANTIC_REPORT_H_
