// What an importer cannot compile: gathered in one pass, so that a user sees every gap at once.
#ifndef GENIE_COMPILER_IMPORT_FINDINGS_H_
#define GENIE_COMPILER_IMPORT_FINDINGS_H_

#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/string_builder.h"

// Equal (subject, problem, module, source) are one finding with a count.
typedef struct genie_finding {
  const char *kind;     // "op", "overload", "dtype", "shape", "argument", "mutation"
  const char *subject;  // "aten.foo.default"
  const char *problem;  // what about it is not supported
  const char *module;   // "encoder.layer.0:BertLayer", "" if unknown
  const char *source;   // "model.py:12", "" if unknown
  const char *hint;     // what the user can do
  int count;
} genie_finding_t;

// In the caller's memory; all strings are copied into its arena.
typedef struct genie_findings {
  genie_arena_t arena;
  genie_finding_t *items;
  int count, capacity;
} genie_findings_t;

void genie_findings_init(genie_findings_t *out_findings);
void genie_findings_deinit(genie_findings_t *findings);

// Adds one, or counts it where it is known already. `finding->count` is ignored.
genie_status_t genie_findings_add(genie_findings_t *findings, const genie_finding_t *finding) GENIE_MUST_USE;

// UNIMPLEMENTED with the first finding and the number of others; GENIE_OK when there is none.
genie_status_t genie_findings_status(const genie_findings_t *findings, const char *path) GENIE_MUST_USE;

// One line a finding, or a JSON array.
void genie_findings_print(const genie_findings_t *findings, FILE *file);
genie_status_t genie_findings_print_json(const genie_findings_t *findings, FILE *file) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_FINDINGS_H_
