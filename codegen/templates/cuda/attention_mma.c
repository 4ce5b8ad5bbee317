// softmax(scale * q k^T + mask) v of bf16 or f16 on tensor cores, in blocks of 64 queries and 64 keys, with the running
// maximum and sum of each row (FlashAttention-2, arXiv 2307.08691): a warp has 16 queries, whose scores and results
// stay in registers. The grid is (batch, head) x blocks of queries. A row whose keys are all masked gives zeros.
//
// Dynamic shared memory: keys, at first queries, [64][e + 8] | values by column [d][64 + 8]
#include "codegen/templates/cuda/attention_hooks.h"
#include "codegen/templates/cuda/mma.h"

enum { THREADS = 128, MOST_ITEMS = 8 };  // groups of eight elements of a tile that a thread loads
enum { ROWS = 64, KEYS = 64, PAD = 8, MOST_STEPS = 8, MOST_TILES = 16, KEY_TILES = KEYS / 8 };

i64 genie_steps(const frame_t *frame);  // e / 16, at most MOST_STEPS
i64 genie_tiles(const frame_t *frame);  // d / 8, at most MOST_TILES
i64 genie_vector(const frame_t *frame);
void genie_store_2(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t v0, real_t v1);

typedef struct block {
  const frame_t *frame;
  i64 batch, head, query;
  bool is_bf16;
  int e, d;
  shared_u16_t *key, *value;
} block_t;

// What a warp knows of its rows: lane / 4 and lane / 4 + 8.
typedef struct rows {
  uint32_t q[MOST_STEPS][4];
  float result[MOST_TILES][4];
  float maximum[2], sum[2];
} rows_t;

GENIE_INLINE float fast_exp(float x) {
#ifdef GENIE_CUDA_EMULATED
  return genie_math_exp_f32(x);
#else
  float power;
  __asm__("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * 1.44269504f));
  return power;
#endif
}

GENIE_INLINE words_t load_eight(const void *base, i64 index, i64 stride, bool is_inside, bool is_vector) {
  words_t words = 0;
  if (is_inside && is_vector) {
    return load_words(base, index);
  }
  if (is_inside) {
    GENIE_UNROLL
    for (int i = 0; i < 8; ++i) {
      words[i / 2] |= (uint32_t)((const uint16_t *)base)[index + i * stride] << i % 2 * 16;
    }
  }
  return words;
}

// Groups of eight of a tile's 64 rows: group number `i` of a thread. Of rows that stay rows, neighbouring threads have
// neighbouring groups; of rows that are turned, neighbouring rows.
GENIE_INLINE int group_of(int i) {
  return thread_index() + i * THREADS;
}

// Rows [first, first + 64) of queries or keys.
GENIE_INLINE void load_rows(const block_t *b, const void *base, i64 first, i64 count, i64 row_stride, i64 stride,
                            bool is_vector, words_t items[MOST_ITEMS]) {
  const int groups = b->e / 8;
  GENIE_UNROLL
  for (int i = 0; i < (int)genie_steps(b->frame); ++i) {
    const int row = group_of(i) / groups, at = group_of(i) % groups * 8;
    items[i] = load_eight(base, (first + row) * row_stride + at * stride, stride, first + row < count, is_vector);
  }
}

GENIE_INLINE void put_rows(const block_t *b, const words_t items[MOST_ITEMS]) {
  const int groups = b->e / 8;
  GENIE_UNROLL
  for (int i = 0; i < (int)genie_steps(b->frame); ++i) {
    const int row = group_of(i) / groups, at = group_of(i) % groups * 8;
    *(shared_words_t *)(b->key + row * (b->e + PAD) + at) = items[i];
  }
}

// Values [key, key + 64).
GENIE_INLINE void load_values(const block_t *b, i64 key, words_t items[MOST_ITEMS]) {
  const frame_t *frame = b->frame;
  const void *base = genie_value(frame, b->batch, b->head / genie_group(frame));
  GENIE_UNROLL
  for (int i = 0; i < ((int)genie_tiles(frame) + 1) / 2; ++i) {
    const int row = group_of(i) % KEYS, at = group_of(i) / KEYS * 8;
    const i64 index = (key + row) * genie_value_row_stride(frame) + at * genie_value_stride(frame);
    items[i] = load_eight(base, index, genie_value_stride(frame), key + row < genie_keys(frame) && at < b->d,
                          genie_value_is_vector(frame) != 0);
  }
}

GENIE_INLINE void put_values(const block_t *b, const words_t items[MOST_ITEMS]) {
  GENIE_UNROLL
  for (int i = 0; i < ((int)genie_tiles(b->frame) + 1) / 2; ++i) {
    const int row = group_of(i) % KEYS, at = group_of(i) / KEYS * 8;
    if (at < b->d) {
      GENIE_UNROLL
      for (int e = 0; e < 8; ++e) {
        b->value[(at + e) * (KEYS + PAD) + row] = (uint16_t)(items[i][e / 2] >> e % 2 * 16);
      }
    }
  }
}

// Keys and values of a tile on their way.
typedef struct next_tile {
  words_t keys[MOST_ITEMS], values[MOST_ITEMS];
} next_tile_t;

GENIE_INLINE void load_tile(const block_t *b, i64 key, next_tile_t *next) {
  const frame_t *frame = b->frame;
  load_rows(b, genie_key(frame, b->batch, b->head / genie_group(frame)), key, genie_keys(frame),
            genie_key_row_stride(frame), genie_key_stride(frame), genie_key_is_vector(frame) != 0, next->keys);
  load_values(b, key, next->values);
}

GENIE_INLINE void load_queries(const block_t *b, rows_t *rows) {
  const frame_t *frame = b->frame;
  words_t items[MOST_ITEMS];
  load_rows(b, genie_q(frame, b->batch, b->head), b->query, genie_queries(frame), genie_q_row_stride(frame),
            genie_q_stride(frame), genie_q_is_vector(frame) != 0, items);
  put_rows(b, items);
  block_barrier();
  GENIE_UNROLL
  for (int s = 0; s < (int)genie_steps(frame); ++s) {
    mma_load_a(b->key, b->e + PAD, warp_index() * 16, s * 16, rows->q[s]);
  }
  block_barrier();
}

GENIE_INLINE void score(const block_t *b, const rows_t *rows, i64 key, float scores[KEY_TILES][4]) {
  const int row = warp_index() * 16 + lane_index() / 4, column = lane_index() % 4 * 2;
  GENIE_UNROLL
  for (int j = 0; j < KEY_TILES; ++j) {
    float sums[4] = {0, 0, 0, 0};
    GENIE_UNROLL
    for (int s = 0; s < (int)genie_steps(b->frame); ++s) {
      uint32_t fragment[2];
      mma_load_b(b->key, b->e + PAD, j * 8, s * 16, fragment);
      mma_16x8x16(b->is_bf16, sums, rows->q[s], fragment);
    }
    GENIE_UNROLL
    for (int c = 0; c < 4; ++c) {
      scores[j][c] =
          masked_score(b->frame, b->batch, b->head, b->query + row + c / 2 * 8, key + j * 8 + column + c % 2, sums[c]);
    }
  }
}

// Scores become weights under the new maximum; what was summed under the old one is scaled.
GENIE_INLINE void weigh(const block_t *b, rows_t *rows, float scores[KEY_TILES][4]) {
  GENIE_UNROLL
  for (int half = 0; half < 2; ++half) {
    float largest = rows->maximum[half];
    GENIE_UNROLL
    for (int i = 0; i < 2 * KEY_TILES; ++i) {
      const float x = scores[i / 2][half * 2 + i % 2];
      largest = x > largest ? x : largest;
    }
    largest = real_max(largest, shuffle_xor_f32(largest, 1));
    largest = real_max(largest, shuffle_xor_f32(largest, 2));
    const float base = largest == GENIE_LOWEST ? 0 : largest;
    const float scale = fast_exp(rows->maximum[half] - base);
    float sum = 0;
    GENIE_UNROLL
    for (int i = 0; i < 2 * KEY_TILES; ++i) {
      const float weight = fast_exp(scores[i / 2][half * 2 + i % 2] - base);
      scores[i / 2][half * 2 + i % 2] = weight;
      sum += weight;
    }
    sum += shuffle_xor_f32(sum, 1);
    sum += shuffle_xor_f32(sum, 2);
    rows->sum[half] = rows->sum[half] * scale + sum;
    rows->maximum[half] = largest;
    GENIE_UNROLL
    for (int j = 0; j < (int)genie_tiles(b->frame); ++j) {
      rows->result[j][half * 2] *= scale;
      rows->result[j][half * 2 + 1] *= scale;
    }
  }
}

GENIE_INLINE void accumulate(const block_t *b, rows_t *rows, float weights[KEY_TILES][4]) {
  GENIE_UNROLL
  for (int s = 0; s < KEYS / 16; ++s) {
    uint32_t a[4];
    GENIE_UNROLL
    for (int i = 0; i < 4; ++i) {
      a[i] = pack_pair(weights[2 * s + i / 2][i % 2 * 2], weights[2 * s + i / 2][i % 2 * 2 + 1], b->is_bf16);
    }
    GENIE_UNROLL
    for (int j = 0; j < (int)genie_tiles(b->frame); ++j) {
      uint32_t fragment[2];
      mma_load_b(b->value, KEYS + PAD, j * 8, s * 16, fragment);
      mma_16x8x16(b->is_bf16, rows->result[j], a, fragment);
    }
  }
}

GENIE_INLINE void store_rows(const block_t *b, const rows_t *rows) {
  const frame_t *frame = b->frame;
  GENIE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const i64 query = b->query + warp_index() * 16 + lane_index() / 4 + half * 8;
    const float sum = rows->sum[half], scale = sum > 0 ? 1 / sum : sum;
    if (query < genie_queries(frame)) {
      GENIE_UNROLL
      for (int j = 0; j < (int)genie_tiles(frame); ++j) {
        const int d = j * 8 + lane_index() % 4 * 2;
        const float v0 = rows->result[j][half * 2] * scale, v1 = rows->result[j][half * 2 + 1] * scale;
        if (genie_vector(frame) == 2) {
          genie_store_2(frame, b->batch, b->head, query, d, v0, v1);
        } else {
          genie_store(frame, b->batch, b->head, query, d, v0);
          genie_store(frame, b->batch, b->head, query, d + 1, v1);
        }
      }
    }
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 blocks = ceil_div(genie_queries(frame), ROWS), index = block_index() / blocks;
  block_t b = {.frame = frame,
               .batch = index / genie_heads(frame),
               .head = index % genie_heads(frame),
               .query = block_index() % blocks * ROWS,
               .is_bf16 = genie_q_dtype(frame) == GENIE_DTYPE_BF16,
               .e = (int)genie_steps(frame) * 16,
               .d = (int)genie_tiles(frame) * 8};
  b.key = (shared_u16_t *)genie_dynamic_shared;
  b.value = b.key + KEYS * (b.e + PAD);
  rows_t rows;
  GENIE_UNROLL
  for (int i = 0; i < 4 * (int)genie_tiles(frame); ++i) {
    rows.result[i / 4][i % 4] = 0;
  }
  rows.maximum[0] = rows.maximum[1] = GENIE_LOWEST;
  rows.sum[0] = rows.sum[1] = 0;
  load_queries(&b, &rows);
  const i64 keys = genie_is_causal(frame) ? genie_min_i64(genie_keys(frame), b.query + ROWS) : genie_keys(frame);
  next_tile_t next;
  load_tile(&b, 0, &next);
#pragma clang loop unroll(disable)
  for (i64 key = 0; key < keys; key += KEYS) {
    put_rows(&b, next.keys);
    put_values(&b, next.values);
    block_barrier();
    load_tile(&b, key + KEYS, &next);
    float scores[KEY_TILES][4];
    score(&b, &rows, key, scores);
    weigh(&b, &rows, scores);
    accumulate(&b, &rows, scores);
    block_barrier();
  }
  store_rows(&b, &rows);
}
