// softmax(scale * q k^T + mask) v of bf16 or f16 on tensor cores, in blocks of 64 queries and 64 keys, with the running
// maximum and sum of each row (FlashAttention-2, arXiv 2307.08691): a warp has 16 queries, whose scores and results
// stay in registers. The grid is blocks of queries x (batch, head), the last queries first: under a causal mask they
// have most to do. A row whose keys are all masked gives zeros.
//
// A boolean mask is looked through once, before the keys: blocks of keys that no query of the block may see are left
// out, and those that all queries of a warp see are not masked at all.
//
// Dynamic shared memory: keys, at first queries, [64][e + 8] | values [64][d + 8] | what each warp sees of each block
// of keys [blocks of keys][4]
#include "codegen/templates/cuda/attention_hooks.h"
#include "codegen/templates/cuda/mma.h"

enum {
  THREADS = 128,
  MOST_ITEMS = 8,
  WARPS = THREADS / WARP
};  // groups of eight elements of a tile that a thread loads
enum { ROWS = 64, KEYS = 64, PAD = 8, MOST_STEPS = 8, MOST_TILES = 16, KEY_TILES = KEYS / 8, WARP_ROWS = 16 };

i64 genie_steps(const frame_t *frame);   // e / 16, at most MOST_STEPS
i64 genie_tiles(const frame_t *frame);   // d / 8, at most MOST_TILES
i64 genie_sheets(const frame_t *frame);  // batch x heads
i64 genie_vector(const frame_t *frame);
i64 genie_is_surveyed(const frame_t *frame);  // the mask is looked through before the keys
void genie_store_2(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t v0, real_t v1);

typedef GENIE_SHARED_SPACE uint8_t shared_u8_t;

// What queries see of a block of keys.
enum { SEES_SOME, SEES_NONE, SEES_ALL };

typedef struct block {
  const frame_t *frame;
  i64 batch, head, query;
  bool is_bf16;
  int e, d;
  shared_u16_t *key, *value;
  shared_u8_t *sight;  // [block of keys][warp]
} block_t;

// What a warp knows of its rows: lane / 4 and lane / 4 + 8.
typedef struct rows {
  uint32_t q[MOST_STEPS][4];
  float result[MOST_TILES][4];
  float maximum[2], sum[2];  // the maximum of scores in units of factor()
} rows_t;

GENIE_INLINE float fast_exp2(float x) {
#ifdef GENIE_CUDA_EMULATED
  return genie_math_exp_f32(x * 0.693147181f);
#else
  float power;
  __asm__("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
#endif
}

// Scores stay products of query and key, as far as they can, and are scaled within the exponential of 2.
GENIE_INLINE bool is_scaled_late(const frame_t *frame) {
  return genie_mask_kind(frame) != 2 && genie_scale(frame) > 0;
}
GENIE_INLINE float factor(const frame_t *frame) {
  return 1.44269504f * (is_scaled_late(frame) ? (float)genie_scale(frame) : 1.0f);
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

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

// A tile is 64 rows of `groups` groups of eight elements; THREADS of them at a time. `items` are a thread's.
GENIE_INLINE void load_tile(const void *base, i64 first, i64 count, i64 row_stride, i64 stride, bool is_vector,
                            int groups, int rounds, words_t items[MOST_ITEMS]) {
  GENIE_UNROLL
  for (int i = 0; i < rounds; ++i) {
    const int group = thread_index() + i * THREADS, row = group / groups, at = group % groups * 8;
    items[i] = load_eight(base, (first + row) * row_stride + at * stride, stride, row < ROWS && first + row < count,
                          is_vector);
  }
}

GENIE_INLINE void put_tile(shared_u16_t *tile, int groups, int rounds, const words_t items[MOST_ITEMS]) {
  GENIE_UNROLL
  for (int i = 0; i < rounds; ++i) {
    const int group = thread_index() + i * THREADS, row = group / groups, at = group % groups * 8;
    if (row < ROWS) {
      *(shared_words_t *)(tile + row * (groups * 8 + PAD) + at) = items[i];
    }
  }
}

GENIE_INLINE int key_rounds(const frame_t *frame) {
  return (int)genie_steps(frame);
}
GENIE_INLINE int value_rounds(const frame_t *frame) {
  return ((int)genie_tiles(frame) + 1) / 2;
}

// Keys and values of a tile on their way.
typedef struct next_tile {
  words_t keys[MOST_ITEMS], values[MOST_ITEMS];
} next_tile_t;

GENIE_INLINE void load_next(const block_t *b, i64 key, next_tile_t *next) {
  const frame_t *frame = b->frame;
  const i64 head = b->head / genie_group(frame);
  load_tile(genie_key(frame, b->batch, head), key, genie_keys(frame), genie_key_row_stride(frame),
            genie_key_stride(frame), genie_key_is_vector(frame) != 0, b->e / 8, key_rounds(frame), next->keys);
  load_tile(genie_value(frame, b->batch, head), key, genie_keys(frame), genie_value_row_stride(frame),
            genie_value_stride(frame), genie_value_is_vector(frame) != 0, b->d / 8, value_rounds(frame), next->values);
}

GENIE_INLINE void put_next(const block_t *b, const next_tile_t *next) {
  put_tile(b->key, b->e / 8, key_rounds(b->frame), next->keys);
  put_tile(b->value, b->d / 8, value_rounds(b->frame), next->values);
}

GENIE_INLINE void load_queries(const block_t *b, rows_t *rows) {
  const frame_t *frame = b->frame;
  words_t items[MOST_ITEMS];
  load_tile(genie_q(frame, b->batch, b->head), b->query, genie_queries(frame), genie_q_row_stride(frame),
            genie_q_stride(frame), genie_q_is_vector(frame) != 0, b->e / 8, key_rounds(frame), items);
  put_tile(b->key, b->e / 8, key_rounds(frame), items);
  block_barrier();
  GENIE_UNROLL
  for (int s = 0; s < (int)genie_steps(frame); ++s) {
    mma_load_a(b->key, b->e + PAD, warp_index() * WARP_ROWS, s * 16, rows->q[s]);
  }
  block_barrier();
}

//===-- Masks -----------------------------------------------------------------------------------------------------===//

// What a warp's queries see of keys [key, key + 64), by the mask alone.
GENIE_INLINE int survey_block(const block_t *b, i64 key) {
  const frame_t *frame = b->frame;
  const i64 first = b->query + warp_index() * WARP_ROWS, last_query = genie_queries(frame) - 1;
  uint32_t any = 0, all = ~0u;
  if (genie_mask_is_vector(frame)) {
    GENIE_UNROLL
    for (int i = 0; i < WARP_ROWS * KEYS / 16 / WARP; ++i) {
      const int group = lane_index() + i * WARP;
      const i64 at = key + group % (KEYS / 16) * 16;
      if (at < genie_keys(frame)) {
        const i64 query = genie_min_i64(first + group / (KEYS / 16), last_query);
        const words_t words = *(const words_t *)((const char *)genie_mask_row(frame, b->batch, b->head, query) + at);
        GENIE_UNROLL
        for (int w = 0; w < 4; ++w) {  // a byte is not zero where its highest bit is set now
          any |= words[w];
          all &= ((words[w] & 0x7f7f7f7fu) + 0x7f7f7f7fu) | words[w];
        }
      }
    }
    all = (all & 0x80808080u) == 0x80808080u;
  } else {
#pragma clang loop unroll_count(8)
    for (int item = lane_index(); item < WARP_ROWS * KEYS; item += WARP) {
      const i64 query = genie_min_i64(first + item / KEYS, last_query), at = key + item % KEYS;
      const bool is_kept = genie_mask(frame, b->batch, b->head, query, genie_min_i64(at, genie_keys(frame) - 1)) != 0;
      any |= is_kept;
      all &= is_kept ? ~0u : 0u;
    }
  }
  const uint32_t found = (any != 0 ? 1u : 0u) | (all != 0 ? 0u : 2u);  // bit 0: sees; bit 1: does not see
  uint32_t joined = found;
  GENIE_UNROLL
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    joined |= shuffle_xor_u32(joined, mask);
  }
  return joined == 1 ? SEES_ALL : joined == 2 ? SEES_NONE : SEES_SOME;
}

GENIE_INLINE void survey_mask(const block_t *b, i64 keys) {
  if (!genie_is_surveyed(b->frame)) {
    return;
  }
#pragma clang loop unroll_count(4)
  for (i64 key = 0; key < keys; key += KEYS) {
    const int sight = survey_block(b, key);
    if (lane_index() == 0) {
      b->sight[key / KEYS * WARPS + warp_index()] = (uint8_t)sight;
    }
  }
  block_barrier();
}

// The first block of keys from `key` on that a query of the block sees.
GENIE_INLINE i64 skip_unseen(const block_t *b, i64 key, i64 keys) {
  if (genie_is_surveyed(b->frame)) {
    for (; key < keys; key += KEYS) {
      const uint32_t sight = *(const shared_u32_t *)(b->sight + key / KEYS * WARPS);
      if (sight != SEES_NONE * 0x01010101u) {
        break;
      }
    }
  }
  return key;
}

// What the warp sees of keys [key, key + 64), by all that masks.
GENIE_INLINE int sight_of(const block_t *b, i64 key) {
  const frame_t *frame = b->frame;
  const i64 first = b->query + warp_index() * WARP_ROWS;
  if (genie_is_causal(frame) && key > first + WARP_ROWS - 1) {
    return SEES_NONE;
  }
  const bool is_whole = key + KEYS <= genie_keys(frame) && !(genie_is_causal(frame) && key + KEYS - 1 > first);
  if (genie_mask_kind(frame) == 0) {
    return is_whole ? SEES_ALL : SEES_SOME;
  }
  if (!genie_is_surveyed(frame)) {
    return SEES_SOME;
  }
  const int sight = b->sight[key / KEYS * WARPS + warp_index()];
  return sight == SEES_ALL && !is_whole ? SEES_SOME : sight;
}

// A product of query and key as it enters the softmax.
GENIE_INLINE float enter(const block_t *b, i64 query, i64 key, bool is_masked, float product) {
  const frame_t *frame = b->frame;
  float score = is_scaled_late(frame) ? product : product * (float)genie_scale(frame);
  bool is_kept = true;
  if (is_masked) {
    is_kept = key < genie_keys(frame) && !(genie_is_causal(frame) && key > query);
    if (genie_mask_kind(frame) != 0) {  // without branches, so that the loads of many scores overlap
      const float mask = genie_mask(frame, b->batch, b->head, genie_min_i64(query, genie_queries(frame) - 1),
                                    genie_min_i64(key, genie_keys(frame) - 1));
      score = genie_mask_kind(frame) == 2 ? score + mask : score;
      is_kept = is_kept && (genie_mask_kind(frame) != 1 || mask != 0);
    }
  }
  return is_kept ? score : GENIE_LOWEST;
}

//===-- Scores, weights and results -------------------------------------------------------------------------------===//

GENIE_INLINE void score(const block_t *b, const rows_t *rows, float scores[KEY_TILES][4]) {
  const int row = lane_index() % 8 + lane_index() / 16 * 8, half = lane_index() / 8 % 2 * 8;
  GENIE_UNROLL
  for (int j = 0; j < KEY_TILES; j += 2) {
    GENIE_UNROLL
    for (int i = 0; i < 8; ++i) {
      scores[j + i / 4][i % 4] = 0;
    }
    GENIE_UNROLL
    for (int s = 0; s < (int)genie_steps(b->frame); ++s) {
      uint32_t fragments[4];
      mma_load_matrices(b->key + (j * 8 + row) * (b->e + PAD) + s * 16 + half, false, fragments);
      mma_16x8x16(b->is_bf16, scores[j], rows->q[s], fragments);
      mma_16x8x16(b->is_bf16, scores[j + 1], rows->q[s], fragments + 2);
    }
  }
}

GENIE_INLINE void mask_scores(const block_t *b, i64 key, bool is_masked, float scores[KEY_TILES][4]) {
  const i64 query = b->query + warp_index() * WARP_ROWS + lane_index() / 4;
  GENIE_UNROLL
  for (int i = 0; i < 4 * KEY_TILES; ++i) {
    const int j = i / 4, c = i % 4;
    const i64 at = key + j * 8 + lane_index() % 4 * 2 + c % 2;
    scores[j][c] = enter(b, query + c / 2 * 8, at, is_masked, scores[j][c]);
  }
}

// Scores become weights under the new maximum; what was summed under the old one is scaled.
GENIE_INLINE void weigh(const block_t *b, rows_t *rows, float scores[KEY_TILES][4]) {
  const float unit = factor(b->frame);
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
    const float base = largest == GENIE_LOWEST ? 0 : largest * unit;
    const float scale = fast_exp2(rows->maximum[half] * unit - base);
    float sum = 0;
    GENIE_UNROLL
    for (int i = 0; i < 2 * KEY_TILES; ++i) {
      const float weight = fast_exp2(scores[i / 2][half * 2 + i % 2] * unit - base);
      scores[i / 2][half * 2 + i % 2] = weight;
      sum += weight;
    }
    rows->sum[half] = rows->sum[half] * scale + sum;  // the lane's own keys
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
  for (int s = 0; s < KEYS / 16; s += 2) {
    uint32_t a[2][4];
    GENIE_UNROLL
    for (int i = 0; i < 8; ++i) {
      const float *pair = weights[2 * (s + i / 4) + i % 4 / 2] + i % 2 * 2;
      a[i / 4][i % 4] = pack_pair(pair[0], pair[1], b->is_bf16);
    }
    GENIE_UNROLL
    for (int j = 0; j < (int)genie_tiles(b->frame); ++j) {
      uint32_t fragments[4];
      mma_load_matrices(b->value + (s * 16 + lane_index()) * (b->d + PAD) + j * 8, true, fragments);
      mma_16x8x16(b->is_bf16, rows->result[j], a[0], fragments);
      mma_16x8x16(b->is_bf16, rows->result[j], a[1], fragments + 2);
    }
  }
}

GENIE_INLINE void store_rows(const block_t *b, const rows_t *rows) {
  const frame_t *frame = b->frame;
  GENIE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const i64 query = b->query + warp_index() * WARP_ROWS + lane_index() / 4 + half * 8;
    float sum = rows->sum[half];
    sum += shuffle_xor_f32(sum, 1);
    sum += shuffle_xor_f32(sum, 2);
    const float scale = sum > 0 ? 1 / sum : sum;
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

GENIE_INLINE void attend(const block_t *b, rows_t *rows, i64 key) {
  const int sight = sight_of(b, key);
  if (sight == SEES_NONE) {
    return;  // all lanes of the warp
  }
  float scores[KEY_TILES][4];
  score(b, rows, scores);
  if (sight == SEES_ALL) {
    mask_scores(b, key, false, scores);
  } else {
    mask_scores(b, key, true, scores);
  }
  weigh(b, rows, scores);
  accumulate(b, rows, scores);
}

void genie_kernel(const frame_t *frame) {
  const i64 blocks = ceil_div(genie_queries(frame), ROWS), sheets = genie_sheets(frame);
  const i64 sheet = block_index() % sheets;
  block_t b = {.frame = frame,
               .batch = sheet / genie_heads(frame),
               .head = sheet % genie_heads(frame),
               .query = (blocks - 1 - block_index() / sheets) * ROWS,
               .is_bf16 = genie_q_dtype(frame) == GENIE_DTYPE_BF16,
               .e = (int)genie_steps(frame) * 16,
               .d = (int)genie_tiles(frame) * 8};
  b.key = (shared_u16_t *)genie_dynamic_shared;
  b.value = b.key + KEYS * (b.e + PAD);
  b.sight = (shared_u8_t *)(b.value + KEYS * (b.d + PAD));
  rows_t rows;
  GENIE_UNROLL
  for (int i = 0; i < 4 * (int)genie_tiles(frame); ++i) {
    rows.result[i / 4][i % 4] = 0;
  }
  rows.maximum[0] = rows.maximum[1] = GENIE_LOWEST;
  rows.sum[0] = rows.sum[1] = 0;
  load_queries(&b, &rows);
  const i64 keys = genie_is_causal(frame) ? genie_min_i64(genie_keys(frame), b.query + ROWS) : genie_keys(frame);
  survey_mask(&b, keys);
  next_tile_t next;
  i64 key = skip_unseen(&b, 0, keys);
  load_next(&b, key, &next);
#pragma clang loop unroll(disable)
  while (key < keys) {
    put_next(&b, &next);
    block_barrier();
    const i64 next_key = skip_unseen(&b, key + KEYS, keys);
    load_next(&b, next_key, &next);
    attend(&b, &rows, key);
    block_barrier();
    key = next_key;
  }
  store_rows(&b, &rows);
}
