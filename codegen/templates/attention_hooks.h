// The hooks of attention, for CPUs and GPUs.
#ifndef GENIE_CODEGEN_TEMPLATES_ATTENTION_HOOKS_H_
#define GENIE_CODEGEN_TEMPLATES_ATTENTION_HOOKS_H_

#include "codegen/templates/lanes.h"

i64 genie_heads(const frame_t *frame);
i64 genie_group(const frame_t *frame);    // heads that share a head of keys and values
i64 genie_queries(const frame_t *frame);  // L
i64 genie_keys(const frame_t *frame);     // S
i64 genie_e(const frame_t *frame);        // length of a query and of a key
i64 genie_d(const frame_t *frame);        // length of a value
real_t genie_scale(const frame_t *frame);
i64 genie_is_causal(const frame_t *frame);
// Element [batch][head][0][0] of the operands; a row is contiguous or not.
const void *genie_q(const frame_t *frame, i64 batch, i64 head);
const void *genie_key(const frame_t *frame, i64 batch, i64 head);
const void *genie_value(const frame_t *frame, i64 batch, i64 head);
i64 genie_q_dtype(const frame_t *frame);
i64 genie_key_dtype(const frame_t *frame);
i64 genie_value_dtype(const frame_t *frame);
i64 genie_q_row_stride(const frame_t *frame);
i64 genie_q_stride(const frame_t *frame);
i64 genie_key_row_stride(const frame_t *frame);
i64 genie_key_stride(const frame_t *frame);
i64 genie_value_row_stride(const frame_t *frame);
i64 genie_value_stride(const frame_t *frame);
// 0: none; 1: keep where non-zero; 2: added to the scaled score.
i64 genie_mask_kind(const frame_t *frame);
real_t genie_mask(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key);
void genie_store(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t value);

#endif  // GENIE_CODEGEN_TEMPLATES_ATTENTION_HOOKS_H_
