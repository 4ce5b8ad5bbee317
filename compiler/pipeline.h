// The stages of a compile, in order, in one table (pipeline.c).
#ifndef GENIE_COMPILER_PIPELINE_H_
#define GENIE_COMPILER_PIPELINE_H_

#include "compiler/import/importer.h"
#include "compiler/options.h"

// A file and the entry that it becomes.
typedef struct genie_pipeline_input {
  const char *path;
  char entry[128];  // "" : main
} genie_pipeline_input_t;

// INVALID_ARGUMENT when the options and inputs make no sense together or name a stage or pass that is none: exit
// code 2.
genie_status_t genie_pipeline_check_usage(const genie_compiler_options_t *options, int input_count,
                                          const genie_pipeline_input_t *inputs) GENIE_MUST_USE;

// Runs the compile that `options` describe: reads the inputs, runs the stages up to the one asked for, writes the plan
// or the text. The usage has been checked. No output file is left behind on failure. With --check, `findings` is the
// result and nothing is written.
genie_status_t genie_pipeline_run(const genie_compiler_options_t *options, int input_count,
                                  const genie_pipeline_input_t *inputs, genie_findings_t *findings) GENIE_MUST_USE;

// Names that --emit takes, for messages.
void genie_pipeline_describe_stages(size_t capacity, char *out_text);

#endif  // GENIE_COMPILER_PIPELINE_H_
