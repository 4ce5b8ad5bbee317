// softmax(scale * q k^T + mask) v in blocks of queries and keys, with the running maximum and sum of each row
// (FlashAttention, arXiv 2205.14135), so that the scores never leave the cache.
//
// The grid is (batch, head) x blocks of queries. A row whose keys are all masked gives zeros.
//
// scratch, in parts of whole cache lines: query panels [block queries][e] | scores [block queries][block keys] |
// probability panels, as the scores | one panel of keys or values [max(e, block keys)][TILE_COLUMNS] | result [block
// queries][d rounded up] | maximum, sum [block queries]
#include "codegen/templates/attention_row.h"
#include "codegen/templates/gemm_tile.h"

i64 genie_block_queries(const frame_t *frame);  // a multiple of TILE_ROWS
i64 genie_block_keys(const frame_t *frame);     // a multiple of TILE_COLUMNS

// What a task works on.
typedef struct block {
  const frame_t *frame;
  i64 batch, head, query, rows;
  i64 d_padded;
  real_t *q_panels, *scores, *p_panels, *panel, *result, *maximum, *sum;
} block_t;

GENIE_INLINE void multiply_columns(i64 rows, i64 columns, i64 depth, const real_t *a, i64 a_tile, const real_t *b,
                                   i64 step, real_t *out, i64 stride, bool is_first) {
  for (i64 i = 0; i < rows; i += TILE_ROWS) {
    if (columns <= LANES) {
      tile_multiply(TILE_ROWS, 1, depth, a + i / TILE_ROWS * a_tile, b, step, out + i * stride, stride, is_first);
    } else {
      tile_multiply(TILE_ROWS, 2, depth, a + i / TILE_ROWS * a_tile, b, step, out + i * stride, stride, is_first);
    }
  }
}

static __attribute__((noinline)) void multiply_scores(const block_t *t, i64 columns, const real_t *b, real_t *out) {
  const i64 e = genie_e(t->frame);
  multiply_columns(t->rows, columns, e, t->q_panels, TILE_ROWS * e, b, TILE_COLUMNS, out, genie_block_keys(t->frame),
                   true);
}

static __attribute__((noinline)) void multiply_values(const block_t *t, i64 columns, i64 keys, const real_t *b,
                                                      i64 step, real_t *out) {
  multiply_columns(t->rows, columns, keys, t->p_panels, TILE_ROWS * genie_block_keys(t->frame), b, step, out,
                   t->d_padded, false);
}

static void score_block(const block_t *t, i64 key, i64 keys) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_key_dtype(frame);
  const i64 row_stride = genie_key_row_stride(frame);
  const char *base = genie_key(frame, t->batch, t->head / genie_group(frame));
  for (i64 j = 0; j < keys; j += TILE_COLUMNS) {
    const i64 columns = genie_min_i64(TILE_COLUMNS, keys - j);
    panel_pack(t->panel, TILE_COLUMNS, columns, genie_e(frame), base + (key + j) * row_stride * storage_bytes(dtype),
               dtype, row_stride, genie_key_stride(frame));
    multiply_scores(t, columns, t->panel, t->scores + j);
  }
}

// Turns the scores into weights relative to the running maximum, and rescales what was summed under the old one.
static void softmax_block(const block_t *t, i64 key, i64 keys) {
  for (i64 i = 0; i < t->rows; ++i) {
    real_t *row = t->scores + i * genie_block_keys(t->frame);
    const real_t largest = mask_row(t->frame, t->batch, t->head, t->query + i, key, keys, row);
    const real_t old = t->maximum[i], maximum = largest > old ? largest : old;
    const real_t shift = maximum == (real_t)LOWEST ? 0 : maximum;
    real_t sum = 0;
    GENIE_VECTORIZE
    for (i64 j = 0; j < keys; ++j) {
      const real_t weight = EXP(row[j] - shift);
      row[j] = weight;
      sum += weight;
    }
    if (key != 0 && maximum != old) {
      const real_t factor = EXP(old - shift);
      real_t *result = t->result + i * t->d_padded;
      t->sum[i] *= factor;
      GENIE_VECTORIZE
      for (i64 d = 0; d < t->d_padded; ++d) {
        result[d] *= factor;
      }
    }
    t->sum[i] += sum;
    t->maximum[i] = maximum;
  }
}

static void add_values(const block_t *t, i64 key, i64 keys) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_value_dtype(frame);
  const i64 block_keys = genie_block_keys(frame), row_stride = genie_value_row_stride(frame), d_count = genie_d(frame);
  const bool is_direct = storage_bytes(dtype) == REAL_BYTES && genie_value_stride(frame) == 1;
  const char *base = (const char *)genie_value(frame, t->batch, t->head / genie_group(frame)) +
                     key * row_stride * storage_bytes(dtype);
  for (i64 i = 0; i < t->rows; i += TILE_ROWS) {
    panel_pack(t->p_panels + i * block_keys, TILE_ROWS, TILE_ROWS, keys, t->scores + i * block_keys,
               REAL_BYTES == 8 ? GENIE_DTYPE_F64 : GENIE_DTYPE_F32, block_keys, 1);
  }
  for (i64 d = 0; d < d_count; d += TILE_COLUMNS) {
    const i64 columns = genie_min_i64(TILE_COLUMNS, d_count - d);
    const char *corner = base + d * genie_value_stride(frame) * storage_bytes(dtype);
    if (is_direct && (columns == TILE_COLUMNS || columns == LANES)) {
      multiply_values(t, columns, keys, (const real_t *)corner, row_stride, t->result + d);
    } else {
      panel_pack(t->panel, TILE_COLUMNS, columns, keys, corner, dtype, genie_value_stride(frame), row_stride);
      multiply_values(t, columns, keys, t->panel, TILE_COLUMNS, t->result + d);
    }
  }
}

static void load_queries(const block_t *t) {
  const frame_t *frame = t->frame;
  const int dtype = (int)genie_q_dtype(frame);
  const i64 row_stride = genie_q_row_stride(frame);
  const char *base = genie_q(frame, t->batch, t->head);
  for (i64 i = 0; i < t->rows; i += TILE_ROWS) {
    panel_pack(t->q_panels + i * genie_e(frame), TILE_ROWS, genie_min_i64(TILE_ROWS, t->rows - i), genie_e(frame),
               base + (t->query + i) * row_stride * storage_bytes(dtype), dtype, row_stride, genie_q_stride(frame));
  }
  for (i64 i = 0; i < t->rows; ++i) {
    t->maximum[i] = (real_t)LOWEST;
    t->sum[i] = 0;
  }
  fill_zero(t->result, genie_block_queries(frame) * t->d_padded);
}

static void store_result(const block_t *t) {
  for (i64 i = 0; i < t->rows; ++i) {
    const real_t *row = t->result + i * t->d_padded;
    const real_t inverse = t->sum[i] == 0 ? 0 : 1 / t->sum[i];
    GENIE_VECTORIZE
    for (i64 d = 0; d < genie_d(t->frame); ++d) {
      genie_store(t->frame, t->batch, t->head, t->query + i, d, row[d] * inverse);
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 block_queries = genie_block_queries(frame), block_keys = genie_block_keys(frame);
  const i64 query_blocks = ceil_div(genie_queries(frame), block_queries);
  block_t t = {.frame = frame, .d_padded = ceil_div(genie_d(frame), TILE_COLUMNS) * TILE_COLUMNS};
  t.q_panels = frame->scratch;
  t.scores = t.q_panels + scratch_part(block_queries * genie_e(frame));
  t.p_panels = t.scores + block_queries * block_keys;
  t.panel = t.p_panels + block_queries * block_keys;
  t.result = t.panel + genie_max_i64(genie_e(frame), block_keys) * TILE_COLUMNS;
  t.maximum = t.result + block_queries * t.d_padded;
  t.sum = t.maximum + block_queries;
  for (i64 task = begin; task < end; ++task) {
    const i64 pair = task / query_blocks;
    t.batch = pair / genie_heads(frame);
    t.head = pair % genie_heads(frame);
    t.query = task % query_blocks * block_queries;
    t.rows = genie_min_i64(block_queries, genie_queries(frame) - t.query);
    const i64 visible = genie_is_causal(frame) ? genie_min_i64(genie_keys(frame), t.query + t.rows) : genie_keys(frame);
    load_queries(&t);
    for (i64 key = 0; key < visible; key += block_keys) {
      const i64 keys = genie_min_i64(block_keys, visible - key);
      score_block(&t, key, keys);
      softmax_block(&t, key, keys);
      add_values(&t, key, keys);
    }
    store_result(&t);
  }
}
