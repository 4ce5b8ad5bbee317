// Further hooks of attention on a GPU, and what all its templates do to a score.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_ATTENTION_HOOKS_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_ATTENTION_HOOKS_H_

#include "codegen/templates/attention_hooks.h"
#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

// Rows are whole and aligned groups of 16 bytes.
i64 genie_q_is_vector(const frame_t *frame);
i64 genie_key_is_vector(const frame_t *frame);
i64 genie_value_is_vector(const frame_t *frame);
// Of a mask of kind 1: its rows are bytes in memory, in whole and aligned groups of 16; where a row begins.
i64 genie_mask_is_vector(const frame_t *frame);
const void *genie_mask_row(const frame_t *frame, i64 batch, i64 head, i64 query);

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
