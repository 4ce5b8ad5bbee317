// --explain: what runs where, and what crosses from place to place, in the words of the model.
#ifndef GENIE_COMPILER_EXPLAIN_H_
#define GENIE_COMPILER_EXPLAIN_H_

#include <jansson.h>
#include <stdio.h>

#include "ir/genie_ir.h"

// Prints, of the fused module, a table of places (kernels, bytes of weights, predicted time) and one of the edges of
// the traffic contract of each entry: value, from, to, phase, bytes at the upper bound of all sizes, predicted time of
// sending them, producer, consumer and reason; then the totals. Times are the cost model's. As JSON, an object
// {"places": [..], "entries": [..]} without a newline.
genie_status_t genie_explain_print(MlirModule module, bool is_json, FILE *out) GENIE_MUST_USE;

// The same JSON as a value, which the caller releases.
genie_status_t genie_explain_make_report(MlirModule module, json_t **out_report) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_EXPLAIN_H_
