// A pass: one file, one function, one row of passes.def.
#ifndef GENIE_PASSES_PASS_H_
#define GENIE_PASSES_PASS_H_

#include "ir/genie_ir.h"

// What a pass may know besides the module. The target is the module's attribute
// `genie.target = {name = "x86-64-v4", vector_bytes = 64, ...}`: passes and codegen meet there.
struct genie_plugins;
struct genie_semantic_report;

typedef struct genie_pass_context {
  MlirContext context;
  int opt_level;                            // 0: only what is needed for a correct plan
  bool has_direct_convolutions;             // none by minimal filtering
  const struct genie_plugins *plugins;      // recognisers and policies from shared objects, or NULL
  struct genie_semantic_report *semantics;  // takes what the recognisers found and why, or NULL
} genie_pass_context_t;

// Rewrites `module` in place. On failure the module may be half rewritten and is only good for destruction.
typedef genie_status_t (*genie_pass_fn_t)(const genie_pass_context_t *context, MlirModule module);

typedef struct genie_pass_info {
  const char *name;   // "fuse-gemm", as --run-pass and --dump-after take it
  const char *phase;  // "canonicalise", "recognise", "place", "transfer", "fuse", "layout", "order"
  const char *summary;
  genie_pass_fn_t run;
} genie_pass_info_t;

// All passes, in the order of the pipeline.
extern const genie_pass_info_t genie_pass_table[];
extern const int genie_pass_table_count;

#endif  // GENIE_PASSES_PASS_H_
