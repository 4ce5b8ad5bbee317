// The hooks of attention, and what all its templates do to a score.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_ATTENTION_HOOKS_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_ATTENTION_HOOKS_H_

#include "codegen/templates/cuda/device.h"
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
// Rows are whole and aligned groups of 16 bytes.
i64 genie_q_is_vector(const frame_t *frame);
i64 genie_key_is_vector(const frame_t *frame);
i64 genie_value_is_vector(const frame_t *frame);
// 0: none; 1: keep where non-zero; 2: added to the scaled score.
i64 genie_mask_kind(const frame_t *frame);
real_t genie_mask(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key);
// Of a mask of kind 1: its rows are bytes in memory, in whole and aligned groups of 16; where a row begins.
i64 genie_mask_is_vector(const frame_t *frame);
const void *genie_mask_row(const frame_t *frame, i64 batch, i64 head, i64 query);
void genie_store(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t value);

// A product of query and key as it enters the softmax; that of a key that is not there is the lowest.
GENIE_INLINE real_t masked_score(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key, real_t product) {
  const i64 kind = genie_mask_kind(frame);
  bool is_kept = query < genie_queries(frame) && key < genie_keys(frame) && !(genie_is_causal(frame) && key > query);
  real_t score = product * genie_scale(frame);
  if (kind != 0) {  // without branches, so that the loads of many scores overlap
    const real_t mask = genie_mask(frame, batch, head, genie_min_i64(query, genie_queries(frame) - 1),
                                   genie_min_i64(key, genie_keys(frame) - 1));
    score = kind == 2 ? score + mask : score;
    is_kept = is_kept && (kind != 1 || mask != 0);
  }
  return is_kept ? score : GENIE_LOWEST;
}

// e^(score - maximum); 0 where all keys so far are masked.
GENIE_INLINE real_t score_weight(real_t score, real_t maximum) {
  return maximum == GENIE_LOWEST ? 0 : GENIE_MATH(exp)(score - maximum);
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_ATTENTION_HOOKS_H_
