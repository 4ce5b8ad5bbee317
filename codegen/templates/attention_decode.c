// Attention of a few queries over many keys: bound by the memory that keys and values stream from, so each is read once
// for the queries of all heads that share it, DECODE_ROWS at a time.
//
// The grid is (batch, head of keys). Rows of keys and values are contiguous.
//
// scratch: queries [rows][e rounded up to LANES] | scores [rows][keys rounded up to LANES], for rows = group * queries
#include "codegen/templates/attention_row.h"

enum { DECODE_ROWS = 4, DECODE_VECTORS = 4, DECODE_AHEAD = 8 };

// A row of the product: query `index % queries` of head `index / queries` of the group.
typedef struct rows {
  const frame_t *frame;
  i64 batch, kv_head;
  i64 e_padded, keys_padded;
  real_t *queries, *scores;
} rows_t;

static void load_queries(const rows_t *t) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_q_dtype(frame);
  const i64 queries = genie_queries(frame), group = genie_group(frame);
  for (i64 row = 0; row < group * queries; ++row) {
    const char *base = genie_q(frame, t->batch, t->kv_head * group + row / queries);
    const i64 first = row % queries * genie_q_row_stride(frame);
    for (i64 e = 0; e < t->e_padded; ++e) {
      t->queries[row * t->e_padded + e] =
          e < genie_e(frame) ? load_1(base, dtype, first + e * genie_q_stride(frame)) : 0;
    }
  }
}

GENIE_INLINE void score_rows(const rows_t *t, i64 row, const int rows) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_key_dtype(frame);
  const i64 row_stride = genie_key_row_stride(frame), e_count = genie_e(frame);
  const char *base = genie_key(frame, t->batch, t->kv_head);
  const real_t *queries = t->queries + row * t->e_padded;
  for (i64 key = 0; key < genie_keys(frame); ++key) {
    const char *line = base + key * row_stride * storage_bytes(dtype);
    real_vector_t sums[DECODE_ROWS];
    GENIE_UNROLL
    for (int r = 0; r < rows; ++r) {
      sums[r] = 0;
    }
    for (i64 e = 0; e < t->e_padded; e += LANES) {
      const real_vector_t k = load_partial(line, dtype, e, genie_min_i64(LANES, e_count - e));
      __builtin_prefetch(line + (DECODE_AHEAD * row_stride + e) * storage_bytes(dtype));
      GENIE_UNROLL
      for (int r = 0; r < rows; ++r) {
        sums[r] += *(const real_vector_t *)(queries + r * t->e_padded + e) * k;
      }
    }
    GENIE_UNROLL
    for (int r = 0; r < rows; ++r) {
      t->scores[(row + r) * t->keys_padded + key] = sum_lanes(sums[r]);
    }
  }
}

// Scores to weights that sum to one, or to zeros where all keys are masked.
static void softmax_row(const rows_t *t, i64 row) {
  const frame_t *frame = t->frame;
  const i64 queries = genie_queries(frame), keys = genie_keys(frame);
  real_t *scores = t->scores + row * t->keys_padded;
  const real_t largest =
      mask_row(frame, t->batch, t->kv_head * genie_group(frame) + row / queries, row % queries, 0, keys, scores);
  const real_t shift = largest == (real_t)LOWEST ? 0 : largest;
  real_t sum = 0;
  GENIE_VECTORIZE
  for (i64 key = 0; key < keys; ++key) {
    const real_t weight = EXP(scores[key] - shift);
    scores[key] = weight;
    sum += weight;
  }
  const real_t inverse = sum == 0 ? 0 : 1 / sum;
  GENIE_VECTORIZE
  for (i64 key = 0; key < keys; ++key) {
    scores[key] *= inverse;
  }
}

// Elements [d, d + vectors * LANES) of the results of `rows` rows; the last vector holds `lanes` of them.
GENIE_INLINE void sum_values(const rows_t *t, i64 row, const int rows, i64 d, const int vectors, i64 lanes) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_value_dtype(frame);
  const i64 row_stride = genie_value_row_stride(frame), queries = genie_queries(frame);
  const char *base = genie_value(frame, t->batch, t->kv_head);
  const real_t *weights = t->scores + row * t->keys_padded;
  real_vector_t sums[DECODE_ROWS][DECODE_VECTORS];
  GENIE_UNROLL
  for (int r = 0; r < rows; ++r) {
    GENIE_UNROLL
    for (int v = 0; v < vectors; ++v) {
      sums[r][v] = 0;
    }
  }
#pragma clang loop unroll(disable)
  for (i64 key = 0; key < genie_keys(frame); ++key) {
    const char *line = base + key * row_stride * storage_bytes(dtype);
    GENIE_UNROLL
    for (int v = 0; v < vectors; ++v) {
      const real_vector_t value = load_partial(line, dtype, d + v * LANES, v == vectors - 1 ? lanes : LANES);
      __builtin_prefetch(line + (DECODE_AHEAD * row_stride + d + v * LANES) * storage_bytes(dtype));
      GENIE_UNROLL
      for (int r = 0; r < rows; ++r) {
        sums[r][v] += weights[r * t->keys_padded + key] * value;
      }
    }
  }
  GENIE_UNROLL
  for (int r = 0; r < rows; ++r) {
    real_t buffer[DECODE_VECTORS * LANES] __attribute__((aligned(64)));
    GENIE_UNROLL
    for (int v = 0; v < vectors; ++v) {
      *(real_vector_t *)(buffer + v * LANES) = sums[r][v];
    }
    const i64 head = t->kv_head * genie_group(frame) + (row + r) / queries, count = (vectors - 1) * LANES + lanes;
    GENIE_VECTORIZE
    for (i64 i = 0; i < count; ++i) {
      genie_store(frame, t->batch, head, (row + r) % queries, d + i, buffer[i]);
    }
  }
}

GENIE_INLINE void attend_rows(const rows_t *t, i64 row, const int rows) {
  score_rows(t, row, rows);
  for (i64 r = row; r < row + rows; ++r) {
    softmax_row(t, r);
  }
  const i64 d_count = genie_d(t->frame);
  i64 d = 0;
#pragma clang loop unroll(disable)
  for (; d + DECODE_VECTORS * LANES <= d_count; d += DECODE_VECTORS * LANES) {
    sum_values(t, row, rows, d, DECODE_VECTORS, LANES);
  }
#pragma clang loop unroll(disable)
  for (; d < d_count; d += LANES) {
    sum_values(t, row, rows, d, 1, genie_min_i64(LANES, d_count - d));
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 rows = genie_group(frame) * genie_queries(frame), kv_heads = genie_heads(frame) / genie_group(frame);
  rows_t t = {.frame = frame};
  t.e_padded = ceil_div(genie_e(frame), LANES) * LANES;
  t.keys_padded = ceil_div(genie_keys(frame), LANES) * LANES;
  t.queries = frame->scratch;
  t.scores = t.queries + rows * t.e_padded;
  for (i64 task = begin; task < end; ++task) {
    t.batch = task / kv_heads;
    t.kv_head = task % kv_heads;
    load_queries(&t);
    i64 row = 0;
#pragma clang loop unroll(disable)
    for (; row + DECODE_ROWS <= rows; row += DECODE_ROWS) {
      attend_rows(&t, row, DECODE_ROWS);
    }
#pragma clang loop unroll(disable)
    for (; row < rows; ++row) {
      attend_rows(&t, row, 1);
    }
  }
}
