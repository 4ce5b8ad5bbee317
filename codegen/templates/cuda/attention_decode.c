// Attention of a few queries over many keys, bound by the memory that keys and values stream from: a block reads each
// once for the queries of genie_block_group() heads that share it: all of them, or fewer where blocks would be too few
// to fill the device. Queries come through their prologue. The grid is (batch, head of keys, part of its group, block
// of a cluster).
//
// Blocks of a cluster share the keys out among them, and then join their results, which each has under its own maximum,
// over the cluster's shared memory. Where the target has no clusters the first block does everything.
//
// Eight lanes share a key, or a value, in groups of 16 bytes where rows are such.
//
// Dynamic shared memory: queries [rows][e] | scores [rows][keys] | maximum, sum [rows] | results
// [warps][DECODE_ROWS][8 * group], and of a cluster: own [rows][d] | maxima, sums [rows][blocks]
#include "codegen/templates/cuda/attention_hooks.h"

enum { DECODE_ROWS = 4, LANES_PER_KEY = 8, MOST_GROUP = 8, MOST_SPLITS = 8 };

i64 genie_most_keys(const frame_t *frame);
i64 genie_rows(const frame_t *frame);         // the greatest block_group * queries
i64 genie_block_group(const frame_t *frame);  // divides the group
i64 genie_cluster(const frame_t *frame);      // blocks that the keys are for
i64 genie_splits(const frame_t *frame);       // blocks that share the keys: as many, or 1
real_t genie_query(const frame_t *frame, i64 batch, i64 head, i64 query, i64 e);

typedef GENIE_SHARED_SPACE real_t shared_real_t;
typedef uint32_t words_t __attribute__((ext_vector_type(4)));

// Row `index`: query `index % queries` of head `index / queries` of the group.
typedef struct rows {
  const frame_t *frame;
  i64 batch, kv_head, head, count;  // head: the first of the block's
  i64 first_key, keys;              // the block's
  shared_real_t *queries, *scores, *maximum, *sum, *results, *own, *maxima, *sums;
} rows_t;

// Rows that are done at a time.
GENIE_INLINE int rows_at_once(const frame_t *frame) {
  return (int)genie_min_i64(DECODE_ROWS, genie_rows(frame));
}

// `group` elements from element `index` on; those at `length` and behind it are zeros.
GENIE_INLINE void load_group(const void *base, int dtype, i64 index, i64 stride, i64 at, i64 length, bool is_vector,
                             real_t out[MOST_GROUP]) {
  const int group = 16 / (int)storage_bytes(dtype);
  if (is_vector) {
    const words_t words =
        at < length ? *(const words_t *)((const char *)base + index * storage_bytes(dtype)) : (words_t)0;
    GENIE_UNROLL
    for (int e = 0; e < group; ++e) {
      const uint32_t whole = words[e % 4], word = words[e / 2 % 4];
      if (dtype == GENIE_DTYPE_BF16) {
        out[e] = (real_t) __builtin_bit_cast(float, e % 2 == 0 ? word << 16 : word & 0xffff0000u);
      } else if (dtype == GENIE_DTYPE_F16) {
        out[e] = (real_t) __builtin_bit_cast(_Float16, (uint16_t)(word >> e % 2 * 16));
      } else if (REAL_BYTES == 4) {
        out[e] = (real_t) __builtin_bit_cast(float, whole);
      } else {
        out[e] = (real_t) __builtin_bit_cast(double, (uint64_t)words[e % 2 * 2 + 1] << 32 | words[e % 2 * 2]);
      }
    }
    return;
  }
  GENIE_UNROLL
  for (int e = 0; e < group; ++e) {
    out[e] = at + e < length ? load_1(base, dtype, index + e * stride) : 0;
  }
}

GENIE_INLINE void load_queries(const rows_t *t) {
  const frame_t *frame = t->frame;
  const i64 e_count = genie_e(frame), queries = genie_queries(frame);
  for (i64 item = thread_index(); item < t->count * e_count; item += genie_threads(frame)) {
    const i64 row = item / e_count, e = item % e_count;
    t->queries[item] = genie_query(frame, t->batch, t->head + row / queries, row % queries, e);
  }
}

// The scores of rows [first, first + DECODE_ROWS) with all keys.
GENIE_INLINE void score_rows(const rows_t *t, i64 first) {
  const frame_t *frame = t->frame;
  const i64 e_count = genie_e(frame), keys = t->keys, queries = genie_queries(frame);
  const int dtype = (int)genie_key_dtype(frame), group = 16 / (int)storage_bytes(dtype);
  const int lane = thread_index() % LANES_PER_KEY;
  const char *base = genie_key(frame, t->batch, t->kv_head);
  const i64 step = genie_threads(frame) / LANES_PER_KEY, rounds = ceil_div(keys, step);
#pragma clang loop unroll_count(4)
  for (i64 round = 0; round < rounds; ++round) {
    const i64 key = round * step + thread_index() / LANES_PER_KEY;
    const i64 line = t->first_key + genie_min_i64(key, keys - 1);
    real_t sums[DECODE_ROWS] = {0};
    for (i64 at = lane * group; at < e_count; at += LANES_PER_KEY * group) {
      real_t x[MOST_GROUP];
      load_group(base, dtype, line * genie_key_row_stride(frame) + at * genie_key_stride(frame),
                 genie_key_stride(frame), at, e_count, genie_key_is_vector(frame) != 0, x);
      GENIE_UNROLL
      for (int r = 0; r < rows_at_once(frame); ++r) {
        const i64 row = genie_min_i64(first + r, t->count - 1);
        GENIE_UNROLL
        for (int e = 0; e < group; ++e) {
          sums[r] += x[e] * (at + e < e_count ? t->queries[row * e_count + at + e] : 0);
        }
      }
    }
    GENIE_UNROLL
    for (int r = 0; r < rows_at_once(frame); ++r) {
      GENIE_UNROLL
      for (int mask = LANES_PER_KEY / 2; mask > 0; mask /= 2) {
        sums[r] += GENIE_REAL_NAME(shuffle_xor)(sums[r], mask);
      }
      const i64 row = first + r;
      if (lane == r && row < t->count && key < keys) {
        t->scores[row * genie_most_keys(frame) + key] =
            masked_score(frame, t->batch, t->head + row / queries, row % queries, t->first_key + key, sums[r]);
      }
    }
  }
}

// A warp turns a row of scores into weights.
GENIE_INLINE void weigh_rows(const rows_t *t) {
  const frame_t *frame = t->frame;
  const i64 keys = t->keys, warps = genie_threads(frame) / WARP;
  for (i64 row = warp_index(); row < t->count; row += warps) {
    shared_real_t *scores = t->scores + row * genie_most_keys(frame);
    real_t largest = GENIE_LOWEST;
    for (i64 key = lane_index(); key < keys; key += WARP) {
      largest = real_max(largest, scores[key]);
    }
    GENIE_UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
      largest = real_max(largest, GENIE_REAL_NAME(shuffle_xor)(largest, mask));
    }
    real_t sum = 0;
    for (i64 key = lane_index(); key < keys; key += WARP) {
      const real_t weight = score_weight(scores[key], largest);
      scores[key] = weight;
      sum += weight;
    }
    GENIE_UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
      sum += GENIE_REAL_NAME(shuffle_xor)(sum, mask);
    }
    t->maximum[row] = largest;
    t->sum[row] = sum;
  }
}

GENIE_INLINE void store(const rows_t *t, i64 row, i64 d, real_t sum, real_t total) {
  const i64 queries = genie_queries(t->frame);
  genie_store(t->frame, t->batch, t->head + row / queries, row % queries, d, total > 0 ? sum / total : total);
}

// Elements [at, at + 8 * group) of the results of rows [first, first + DECODE_ROWS).
GENIE_INLINE void sum_values(const rows_t *t, i64 first, i64 at) {
  const frame_t *frame = t->frame;
  const i64 keys = t->keys, d_count = genie_d(frame);
  const int dtype = (int)genie_value_dtype(frame), group = 16 / (int)storage_bytes(dtype);
  const int lane = thread_index() % LANES_PER_KEY, warps = (int)genie_threads(frame) / WARP;
  const char *base = genie_value(frame, t->batch, t->kv_head);
  const i64 own = at + lane * group, width = LANES_PER_KEY * group;
  real_t sums[DECODE_ROWS][MOST_GROUP];
  GENIE_UNROLL
  for (int i = 0; i < DECODE_ROWS * MOST_GROUP; ++i) {
    sums[i / MOST_GROUP][i % MOST_GROUP] = 0;
  }
#pragma clang loop unroll_count(4)
  for (i64 key = thread_index() / LANES_PER_KEY; key < keys; key += genie_threads(frame) / LANES_PER_KEY) {
    real_t x[MOST_GROUP];
    load_group(base, dtype, (t->first_key + key) * genie_value_row_stride(frame) + own * genie_value_stride(frame),
               genie_value_stride(frame), own, d_count, genie_value_is_vector(frame) != 0, x);
    GENIE_UNROLL
    for (int r = 0; r < rows_at_once(frame); ++r) {
      const real_t weight = t->scores[genie_min_i64(first + r, t->count - 1) * genie_most_keys(frame) + key];
      GENIE_UNROLL
      for (int e = 0; e < group; ++e) {
        sums[r][e] += weight * x[e];
      }
    }
  }
  GENIE_UNROLL
  for (int r = 0; r < rows_at_once(frame); ++r) {
    GENIE_UNROLL
    for (int e = 0; e < group; ++e) {
      real_t sum = sums[r][e];
      GENIE_UNROLL
      for (int mask = LANES_PER_KEY; mask < WARP; mask *= 2) {
        sum += GENIE_REAL_NAME(shuffle_xor)(sum, mask);
      }
      if (lane_index() < LANES_PER_KEY) {
        t->results[(warp_index() * rows_at_once(frame) + r) * width + lane * group + e] = sum;
      }
    }
  }
  block_barrier();
  for (i64 item = thread_index(); item < rows_at_once(frame) * width; item += genie_threads(frame)) {
    const i64 row = first + item / width, d = at + item % width;
    if (row < t->count && d < d_count) {
      real_t sum = 0;
      for (int w = 0; w < warps; ++w) {
        sum += t->results[w * rows_at_once(frame) * width + item];
      }
      if (genie_splits(frame) == 1) {
        store(t, row, d, sum, t->sum[row]);
      } else {
        t->own[row * d_count + d] = sum;
      }
    }
  }
  block_barrier();
}

#ifndef GENIE_REAL_F64
// The blocks of a cluster join their results; each stores a part.
GENIE_INLINE void join_blocks(const rows_t *t) {
  const frame_t *frame = t->frame;
  const int splits = (int)genie_splits(frame), rank = cluster_rank();
  const i64 d_count = genie_d(frame), count = t->count * d_count;
  cluster_barrier();
  for (i64 item = thread_index(); item < t->count * splits; item += genie_threads(frame)) {
    const i64 row = item / splits;
    t->maxima[item] = cluster_load_f32(t->maximum + row, (int)(item % splits));
    t->sums[item] = cluster_load_f32(t->sum + row, (int)(item % splits));
  }
  block_barrier();
  for (i64 item = (i64)thread_index() * splits + rank; item < count; item += genie_threads(frame) * splits) {
    const i64 row = item / d_count;
    real_t largest = GENIE_LOWEST, sum = 0, total = 0, parts[MOST_SPLITS];
    GENIE_UNROLL
    for (int s = 0; s < splits; ++s) {
      parts[s] = cluster_load_f32(t->own + item, s);
      largest = real_max(largest, t->maxima[row * splits + s]);
    }
    GENIE_UNROLL
    for (int s = 0; s < splits; ++s) {
      const real_t weight = score_weight(t->maxima[row * splits + s], largest);
      sum += weight * parts[s];
      total += weight * t->sums[row * splits + s];
    }
    store(t, row, item % d_count, sum, total);
  }
  cluster_barrier();  // nobody leaves whose memory is still read
}
#endif

void genie_kernel(const frame_t *frame) {
  const i64 job = block_index() / genie_cluster(frame), splits = genie_splits(frame);
  const i64 rank = block_index() % genie_cluster(frame);
  if (splits == 1 && rank != 0) {
    return;
  }
  const i64 parts = genie_group(frame) / genie_block_group(frame), heads = genie_heads(frame) / genie_group(frame);
  const i64 width = LANES_PER_KEY * (16 / storage_bytes((int)genie_value_dtype(frame)));
  rows_t t = {.frame = frame,
              .batch = job / parts / heads,
              .kv_head = job / parts % heads,
              .count = genie_block_group(frame) * genie_queries(frame)};
  t.head = t.kv_head * genie_group(frame) + job % parts * genie_block_group(frame);
  const i64 share = ceil_div(genie_keys(frame), splits);
  t.first_key = genie_min_i64(rank * share, genie_keys(frame));
  t.keys = genie_min_i64(share, genie_keys(frame) - t.first_key);
  t.queries = (shared_real_t *)genie_dynamic_shared;
  t.scores = t.queries + genie_rows(frame) * genie_e(frame);
  t.maximum = t.scores + genie_rows(frame) * genie_most_keys(frame);
  t.sum = t.maximum + genie_rows(frame);
  t.results = t.sum + genie_rows(frame);
  t.own = t.results + genie_threads(frame) / WARP * rows_at_once(frame) * width;
  t.maxima = t.own + genie_rows(frame) * genie_d(frame);
  t.sums = t.maxima + genie_rows(frame) * splits;
  load_queries(&t);
  block_barrier();
#pragma clang loop unroll(disable)
  for (i64 row = 0; row < t.count; row += rows_at_once(frame)) {
    score_rows(&t, row);
  }
  block_barrier();
  weigh_rows(&t);
  block_barrier();
#pragma clang loop unroll(disable)
  for (i64 row = 0; row < t.count; row += rows_at_once(frame)) {
#pragma clang loop unroll(disable)
    for (i64 at = 0; at < genie_d(frame); at += width) {
      sum_values(&t, row, at);
    }
  }
#ifndef GENIE_REAL_F64
  if (splits > 1) {
    join_blocks(&t);
  }
#endif
}
