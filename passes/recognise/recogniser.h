// A recogniser: one file, one function, one row of recognisers.def. It finds out what ops are, by structure and data
// flow, and says so with a confidence; what it is not sure of it leaves unknown. It changes no op.
#ifndef GENIE_PASSES_RECOGNISE_RECOGNISER_H_
#define GENIE_PASSES_RECOGNISE_RECOGNISER_H_

#include "passes/recognise/semantic_graph.h"

typedef genie_status_t (*genie_recogniser_fn_t)(genie_semantic_graph_t *graph);

typedef struct genie_recogniser_info {
  const char *name, *writes, *summary;
  genie_recogniser_fn_t run;
} genie_recogniser_info_t;

#define GENIE_RECOGNISER(function, name, writes, summary) genie_status_t function(genie_semantic_graph_t *graph);
#include "passes/recognise/recognisers.def"
#undef GENIE_RECOGNISER

extern const genie_recogniser_info_t genie_recogniser_table[];
extern const int genie_recogniser_count;

#endif  // GENIE_PASSES_RECOGNISE_RECOGNISER_H_
