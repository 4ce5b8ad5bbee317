// softmax(scale * q k^T + mask) v in blocks of 32 queries and 32 keys, with the running maximum and sum of each row
// (FlashAttention, arXiv 2205.14135), for any types and strides, without tensor cores. The grid is (batch, head) x
// blocks of queries. A row whose keys are all masked gives zeros.
//
// Dynamic shared memory: queries [32][e] | keys [32][e + 1] | values [32][d] | scores [32][33] | scale, sum [32] each
#include "codegen/templates/cuda/attention_hooks.h"

enum { ROWS = 32, KEYS = 32, SCORE_STRIDE = 33, MOST_PARTS = 32 };

i64 genie_parts(const frame_t *frame);  // ceil(d / 8), at most MOST_PARTS

typedef GENIE_SHARED_SPACE real_t shared_real_t;

typedef struct block {
  const frame_t *frame;
  i64 batch, head, query;
  shared_real_t *q, *key, *value, *scores, *scale, *sum;
} block_t;

GENIE_INLINE void load_rows(const frame_t *frame, const void *base, int dtype, i64 first, i64 count, i64 row_stride,
                            i64 stride, i64 length, shared_real_t *out, i64 out_stride) {
  for (i64 item = thread_index(); item < ROWS * length; item += genie_threads(frame)) {
    const i64 row = item / length, i = item % length;
    out[row * out_stride + i] = first + row < count ? load_1(base, dtype, (first + row) * row_stride + i * stride) : 0;
  }
}

GENIE_INLINE void load_keys(const block_t *b, i64 key) {
  const frame_t *frame = b->frame;
  const i64 head = b->head / genie_group(frame);
  load_rows(frame, genie_key(frame, b->batch, head), (int)genie_key_dtype(frame), key, genie_keys(frame),
            genie_key_row_stride(frame), genie_key_stride(frame), genie_e(frame), b->key, genie_e(frame) + 1);
  load_rows(frame, genie_value(frame, b->batch, head), (int)genie_value_dtype(frame), key, genie_keys(frame),
            genie_value_row_stride(frame), genie_value_stride(frame), genie_d(frame), b->value, genie_d(frame));
}

// A thread makes the scores of one row with keys lane, lane + 8, ..
GENIE_INLINE void score(const block_t *b, i64 key) {
  const frame_t *frame = b->frame;
  const int row = thread_index() / 8, lane = thread_index() % 8;
  real_t sums[KEYS / 8] = {0};
  for (i64 i = 0; i < genie_e(frame); ++i) {
    const real_t q = b->q[row * genie_e(frame) + i];
    GENIE_UNROLL
    for (int j = 0; j < KEYS / 8; ++j) {
      sums[j] += q * b->key[(lane + 8 * j) * (genie_e(frame) + 1) + i];
    }
  }
  GENIE_UNROLL
  for (int j = 0; j < KEYS / 8; ++j) {
    b->scores[row * SCORE_STRIDE + lane + 8 * j] =
        masked_score(frame, b->batch, b->head, b->query + row, key + lane + 8 * j, sums[j]);
  }
}

// Turns a warp's four rows of scores into weights; a lane is a key. maximum and sum are those of its rows so far.
GENIE_INLINE void weigh(const block_t *b, real_t maximum[4], real_t sum[4]) {
  GENIE_UNROLL
  for (int r = 0; r < 4; ++r) {
    const int row = warp_index() * 4 + r;
    const real_t value = b->scores[row * SCORE_STRIDE + lane_index()];
    real_t largest = value;
    GENIE_UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
      largest = real_max(largest, GENIE_REAL_NAME(shuffle_xor)(largest, mask));
    }
    largest = real_max(largest, maximum[r]);
    const real_t weight = score_weight(value, largest), scale = score_weight(maximum[r], largest);
    real_t total = weight;
    GENIE_UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
      total += GENIE_REAL_NAME(shuffle_xor)(total, mask);
    }
    sum[r] = sum[r] * scale + total;
    maximum[r] = largest;
    b->scores[row * SCORE_STRIDE + lane_index()] = weight;
    if (lane_index() == 0) {
      b->scale[row] = scale;
      b->sum[row] = sum[r];
    }
  }
}

// A thread makes elements lane, lane + 8, .. of one row of the result.
GENIE_INLINE void accumulate(const block_t *b, real_t result[MOST_PARTS]) {
  const frame_t *frame = b->frame;
  const int row = thread_index() / 8, lane = thread_index() % 8;
  const real_t scale = b->scale[row];
  GENIE_UNROLL
  for (int p = 0; p < (int)genie_parts(frame); ++p) {
    result[p] *= scale;
  }
  for (int j = 0; j < KEYS; ++j) {
    const real_t weight = b->scores[row * SCORE_STRIDE + j];
    GENIE_UNROLL
    for (int p = 0; p < (int)genie_parts(frame); ++p) {
      const i64 i = genie_min_i64(lane + 8 * p, genie_d(frame) - 1);
      result[p] += weight * b->value[j * genie_d(frame) + i];
    }
  }
}

GENIE_INLINE void store_rows(const block_t *b, const real_t result[MOST_PARTS]) {
  const frame_t *frame = b->frame;
  const int row = thread_index() / 8, lane = thread_index() % 8;
  const real_t sum = b->sum[row], scale = sum > 0 ? 1 / sum : sum;
  GENIE_UNROLL
  for (int p = 0; p < (int)genie_parts(frame); ++p) {
    if (lane + 8 * p < genie_d(frame) && b->query + row < genie_queries(frame)) {
      genie_store(frame, b->batch, b->head, b->query + row, lane + 8 * p, result[p] * scale);
    }
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 blocks = ceil_div(genie_queries(frame), ROWS), index = block_index() / blocks;
  block_t b = {.frame = frame,
               .batch = index / genie_heads(frame),
               .head = index % genie_heads(frame),
               .query = block_index() % blocks * ROWS};
  b.q = (shared_real_t *)genie_dynamic_shared;
  b.key = b.q + ROWS * genie_e(frame);
  b.value = b.key + KEYS * (genie_e(frame) + 1);
  b.scores = b.value + KEYS * genie_d(frame);
  b.scale = b.scores + ROWS * SCORE_STRIDE;
  b.sum = b.scale + ROWS;
  real_t maximum[4], sum[4], result[MOST_PARTS];
  GENIE_UNROLL
  for (int r = 0; r < 4; ++r) {
    maximum[r] = GENIE_LOWEST;
    sum[r] = 0;
  }
  GENIE_UNROLL
  for (int p = 0; p < (int)genie_parts(frame); ++p) {
    result[p] = 0;
  }
  load_rows(frame, genie_q(frame, b.batch, b.head), (int)genie_q_dtype(frame), b.query, genie_queries(frame),
            genie_q_row_stride(frame), genie_q_stride(frame), genie_e(frame), b.q, genie_e(frame));
  const i64 keys = genie_is_causal(frame) ? genie_min_i64(genie_keys(frame), b.query + ROWS) : genie_keys(frame);
  if (lane_index() < 4) {  // of no keys at all
    b.sum[warp_index() * 4 + lane_index()] = 0;
  }
  block_barrier();
#pragma clang loop unroll(disable)
  for (i64 key = 0; key < keys; key += KEYS) {
    load_keys(&b, key);
    block_barrier();
    score(&b, key);
    block_barrier();
    weigh(&b, maximum, sum);
    block_barrier();
    accumulate(&b, result);
    block_barrier();
  }
  store_rows(&b, result);
}
