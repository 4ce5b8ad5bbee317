// The bytes of a model's weights, mapped from the files that hold them.
#ifndef GENIE_CODEGEN_PLAN_WEIGHT_SOURCE_H_
#define GENIE_CODEGEN_PLAN_WEIGHT_SOURCE_H_

#include "ir/evaluate.h"

typedef struct genie_weight_source genie_weight_source_t;

// Reads the genie.weight ops of `module`, which outlives the source.
genie_status_t genie_weight_source_create(MlirModule module, genie_weight_source_t **out_source) GENIE_MUST_USE;
void genie_weight_source_destroy(genie_weight_source_t *source);

// The dense elements of the genie.weight of this name: genie_evaluator_t's `load_weight`. Borrowed from the mapped file
// where they lie dense and aligned there; else gathered into memory from the heap. DATA_LOSS when the file is too
// short.
genie_status_t genie_weight_source_load(void *source, MlirStringRef name,
                                        genie_host_tensor_t *out_tensor) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_PLAN_WEIGHT_SOURCE_H_
