// The product of a few rows with a weight that streams from memory: a warp is GEMV_COLUMNS columns of the result, whose
// lanes take groups of 16 bytes along k, the next ones on their way while the last are multiplied. Weights are on their
// way before the kernel waits for those that made its rows.
//
// Staged rows are computed once a block, through their prologue and, where there is one, a normalisation, into dynamic
// shared memory: [rows][k]. There are fewer blocks then, each of which makes several groups of columns in turn. The
// factor of an rms_norm, which is known when all of a row has been seen, is left to the sums.
#include "codegen/templates/cuda/product.h"

enum { GEMV_COLUMNS = 2, GEMV_AHEAD = 4, MOST_ROWS = 8 };

i64 genie_rows(const frame_t *frame);  // the greatest m, at most MOST_ROWS
i64 genie_is_staged(const frame_t *frame);
i64 genie_blocks(const frame_t *frame);      // of a batch; each makes every so many-th group of columns
i64 genie_has_groups(const frame_t *frame);  // staged rows are computed in groups of eight
void genie_x_8(const frame_t *frame, i64 m, i64 k, real_t *out);
void genie_norm_weight_8(const frame_t *frame, i64 k, real_t *out);
real_t genie_x(const frame_t *frame, i64 m, i64 k);  // of staged rows, before the normalisation
i64 genie_norm(const frame_t *frame);                // NORM_NONE, NORM_RMS or NORM_LAYER
double genie_eps(const frame_t *frame);
real_t genie_norm_weight(const frame_t *frame, i64 k);
real_t genie_norm_bias(const frame_t *frame, i64 k);
enum { NORM_NONE, NORM_RMS, NORM_LAYER };  // as in lower_gemm.c
// Waits for the launches before this one. Only weights may be read earlier.
void genie_grid_wait(const frame_t *frame);
// Lets the next launch start, which waits itself for this one's results.
void genie_grid_release(const frame_t *frame);
i64 genie_b_is_weight(const frame_t *frame);

typedef uint32_t words_t __attribute__((ext_vector_type(4)));
enum { GROUP_BYTES = 16 };

// The elements of a group, widened.
GENIE_INLINE void widen(words_t words, int dtype, real_t out[8]) {
  GENIE_UNROLL
  for (int e = 0; e < 8; ++e) {
    const uint32_t whole = words[e % 4], word = words[e / 2];
    if (dtype == GENIE_DTYPE_BF16) {
      out[e] = (real_t) __builtin_bit_cast(float, e % 2 == 0 ? word << 16 : word & 0xffff0000u);
    } else if (dtype == GENIE_DTYPE_F16) {
      out[e] = (real_t) __builtin_bit_cast(_Float16, (uint16_t)(word >> e % 2 * 16));
    } else if (REAL_BYTES == 4) {
      out[e] = e < 4 ? (real_t) __builtin_bit_cast(float, whole) : 0;
    } else {
      out[e] = e < 2 ? (real_t) __builtin_bit_cast(double, (uint64_t)words[e % 2 * 2 + 1] << 32 | words[e % 2 * 2]) : 0;
    }
  }
}

GENIE_INLINE void load_weights(const frame_t *frame, const char *b, i64 n, i64 k, int group,
                               words_t out[GEMV_AHEAD][GEMV_COLUMNS]) {
  const i64 bytes = storage_bytes((int)genie_b_dtype(frame));
  GENIE_UNROLL
  for (int u = 0; u < GEMV_AHEAD; ++u) {
    const i64 at = k + (u * WARP + lane_index()) * group;
    GENIE_UNROLL
    for (int c = 0; c < GEMV_COLUMNS; ++c) {
      const i64 column = genie_min_i64(n + c, genie_n(frame) - 1);
      out[u][c] = at < genie_k(frame) ? *(const words_t *)(b + (column * genie_b_n_stride(frame) + at) * bytes) : 0;
    }
  }
}

//===-- Staged rows -----------------------------------------------------------------------------------------------===//

typedef GENIE_SHARED_SPACE real_t shared_real_t;

GENIE_INLINE double add_f64(double a, double b) {
  return a + b;
}
GENIE_BLOCK_REDUCE(block_total, double, shuffle_xor_f64, add_f64, 0.0)

GENIE_INLINE real_t add_real(real_t a, real_t b) {
  return a + b;
}
GENIE_BLOCK_REDUCE(block_sum, real_t, GENIE_REAL_NAME(shuffle_xor), add_real, 0)

GENIE_INLINE void normalise_layer(const frame_t *frame, shared_real_t *row) {
  const i64 count = genie_k(frame), threads = genie_threads(frame);
  real_t sum = 0, square = 0;
  for (i64 k = thread_index(); k < count; k += threads) {
    sum += row[k];
  }
  const real_t mean = (real_t)(block_total(frame, sum) / (double)count);
  for (i64 k = thread_index(); k < count; k += threads) {
    square += (row[k] - mean) * (row[k] - mean);
  }
  const real_t spread = (real_t)(block_total(frame, square) / (double)count);
  const real_t scale = 1 / real_sqrt(spread + (real_t)genie_eps(frame));
  for (i64 k = thread_index(); k < count; k += threads) {
    row[k] = (row[k] - mean) * scale * genie_norm_weight(frame, k) + genie_norm_bias(frame, k);
  }
}

// Stages elements [k, k + count) of a row, of an rms_norm times its weight; returns the sum of their squares.
GENIE_INLINE real_t stage_group(const frame_t *frame, shared_real_t *row, i64 m, i64 k, int count) {
  real_t x[8], weight[8], square = 0;
  if (count == 8) {
    genie_x_8(frame, m, k, x);
  } else {
    x[0] = genie_x(frame, m, k);
  }
  if (genie_norm(frame) == NORM_RMS && count == 8) {
    genie_norm_weight_8(frame, k, weight);
  } else if (genie_norm(frame) == NORM_RMS) {
    weight[0] = genie_norm_weight(frame, k);
  }
  GENIE_UNROLL
  for (int e = 0; e < count; ++e) {
    square += x[e] * x[e];
    row[k + e] = genie_norm(frame) == NORM_RMS ? x[e] * weight[e] : x[e];
  }
  return square;
}

// What the sums of a row are to be multiplied by.
typedef real_t gemv_factors_t[MOST_ROWS];

GENIE_INLINE void stage_rows(const frame_t *frame, gemv_factors_t factors) {
  if (!genie_is_staged(frame)) {
    return;
  }
  const int count = genie_has_groups(frame) ? 8 : 1;
  GENIE_UNROLL
  for (int r = 0; r < (int)genie_rows(frame); ++r) {
    shared_real_t *row = (shared_real_t *)genie_dynamic_shared + r * genie_k(frame);
    const i64 m = genie_min_i64(r, genie_m(frame) - 1);
    real_t square = 0;
#pragma clang loop unroll_count(4)
    for (i64 k = thread_index() * count; k < genie_k(frame); k += genie_threads(frame) * count) {
      square += stage_group(frame, row, m, k, count);
    }
    if (genie_norm(frame) == NORM_RMS) {
      factors[r] = 1 / real_sqrt(block_sum(frame, square) / (real_t)genie_k(frame) + (real_t)genie_eps(frame));
    } else if (genie_norm(frame) == NORM_LAYER) {
      block_barrier();
      normalise_layer(frame, row);
    }
  }
  block_barrier();
}

// `group` elements of row `m` from `k` on.
GENIE_INLINE void load_row(const frame_t *frame, const char *a, i64 m, i64 k, int group, real_t out[8]) {
  if (genie_is_staged(frame)) {
    const shared_real_t *row = (const shared_real_t *)genie_dynamic_shared + m * genie_k(frame) + k;
    GENIE_UNROLL
    for (int e = 0; e < group; ++e) {
      out[e] = row[e];
    }
    return;
  }
  const int dtype = (int)genie_a_dtype(frame);
  const i64 index = m * genie_a_m_stride(frame) + k;
  if (genie_a_is_vector(frame) && storage_bytes(dtype) * group == GROUP_BYTES) {
    widen(*(const words_t *)(a + index * storage_bytes(dtype)), dtype, out);
    return;
  }
  GENIE_UNROLL
  for (int e = 0; e < group; ++e) {
    out[e] = load_1(a, dtype, m * genie_a_m_stride(frame) + (k + e) * genie_a_k_stride(frame));
  }
}

typedef real_t gemv_sums_t[MOST_ROWS][GEMV_COLUMNS];

GENIE_INLINE void multiply_groups(const frame_t *frame, const char *a, i64 k, int group,
                                  words_t weights[GEMV_AHEAD][GEMV_COLUMNS], gemv_sums_t sums) {
  const int rows = (int)genie_rows(frame), dtype = (int)genie_b_dtype(frame);
  GENIE_UNROLL
  for (int u = 0; u < GEMV_AHEAD; ++u) {
    const i64 at = k + (u * WARP + lane_index()) * group;
    if (at >= genie_k(frame)) {
      continue;
    }
    real_t w[GEMV_COLUMNS][8];
    GENIE_UNROLL
    for (int c = 0; c < GEMV_COLUMNS; ++c) {
      widen(weights[u][c], dtype, w[c]);
    }
    GENIE_UNROLL
    for (int r = 0; r < rows; ++r) {
      real_t x[8];
      load_row(frame, a, genie_min_i64(r, genie_m(frame) - 1), at, group, x);
      GENIE_UNROLL
      for (int c = 0; c < GEMV_COLUMNS; ++c) {
        GENIE_UNROLL
        for (int e = 0; e < group; ++e) {
          sums[r][c] += x[e] * w[c][e];
        }
      }
    }
  }
}

GENIE_INLINE void multiply_vectors(const frame_t *frame, const char *a, const char *b, i64 n, bool is_first,
                                   gemv_factors_t factors, gemv_sums_t sums) {
  const int group = GROUP_BYTES / (int)storage_bytes((int)genie_b_dtype(frame));
  const i64 step = (i64)GEMV_AHEAD * WARP * group;
  words_t weights[GEMV_AHEAD][GEMV_COLUMNS], next[GEMV_AHEAD][GEMV_COLUMNS];
  if (is_first && !genie_b_is_weight(frame)) {
    genie_grid_wait(frame);
  }
  load_weights(frame, b, n, 0, group, weights);
  if (is_first) {
    if (genie_b_is_weight(frame)) {
      genie_grid_wait(frame);
    }
    stage_rows(frame, factors);
  }
#pragma clang loop unroll(disable)
  for (i64 k = 0; k < genie_k(frame); k += step) {
    load_weights(frame, b, n, k + step, group, next);
    multiply_groups(frame, a, k, group, weights, sums);
    GENIE_UNROLL
    for (int i = 0; i < GEMV_AHEAD * GEMV_COLUMNS; ++i) {
      weights[i / GEMV_COLUMNS][i % GEMV_COLUMNS] = next[i / GEMV_COLUMNS][i % GEMV_COLUMNS];
    }
  }
}

// Of rows that are no whole groups.
GENIE_INLINE void multiply_elements(const frame_t *frame, const char *a, const char *b, i64 n, bool is_first,
                                    gemv_factors_t factors, gemv_sums_t sums) {
  if (is_first) {
    genie_grid_wait(frame);
    stage_rows(frame, factors);
  }
  for (i64 k = lane_index(); k < genie_k(frame); k += WARP) {
    GENIE_UNROLL
    for (int c = 0; c < GEMV_COLUMNS; ++c) {
      const i64 column = genie_min_i64(n + c, genie_n(frame) - 1);
      const real_t w = load_1(b, (int)genie_b_dtype(frame), column * genie_b_n_stride(frame) + k);
      GENIE_UNROLL
      for (int r = 0; r < (int)genie_rows(frame); ++r) {
        real_t x[8];
        load_row(frame, a, genie_min_i64(r, genie_m(frame) - 1), k, 1, x);
        sums[r][c] += w * x[0];
      }
    }
  }
}

// A lane stores one sum.
GENIE_INLINE void store_sums(const frame_t *frame, i64 batch, i64 n, const gemv_factors_t factors, gemv_sums_t sums) {
  const int rows = (int)genie_rows(frame);
  real_t own = 0;
  GENIE_UNROLL
  for (int i = 0; i < rows * GEMV_COLUMNS; ++i) {
    const int r = i / GEMV_COLUMNS, c = i % GEMV_COLUMNS;
    real_t sum = sums[r][c];
    GENIE_UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
      sum += GENIE_REAL_NAME(shuffle_xor)(sum, mask);
    }
    sum = genie_norm(frame) == NORM_RMS ? sum * factors[r] : sum;
    own = lane_index() == i ? sum : own;
  }
  if (lane_index() < rows * GEMV_COLUMNS) {
    store_sum(frame, batch, lane_index() / GEMV_COLUMNS, n + lane_index() % GEMV_COLUMNS, own);
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 width = genie_threads(frame) / WARP * GEMV_COLUMNS, tiles = ceil_div(genie_n(frame), width);
  const i64 blocks = genie_is_staged(frame) ? genie_blocks(frame) : tiles, batch = block_index() / blocks;
  const char *a = genie_a(frame, batch), *b = genie_b(frame, batch);
  gemv_factors_t factors;
  GENIE_UNROLL
  for (int r = 0; r < MOST_ROWS; ++r) {
    factors[r] = 1;
  }
  const i64 first = block_index() % blocks;
#pragma clang loop unroll(disable)
  for (i64 tile = first; tile < tiles; tile += blocks) {
    const i64 n = tile * width + warp_index() * GEMV_COLUMNS;
    gemv_sums_t sums;
    GENIE_UNROLL
    for (int i = 0; i < MOST_ROWS * GEMV_COLUMNS; ++i) {
      sums[i / GEMV_COLUMNS][i % GEMV_COLUMNS] = 0;
    }
    if (genie_b_is_vector(frame)) {
      multiply_vectors(frame, a, b, n, tile == first, factors, sums);
    } else {
      multiply_elements(frame, a, b, n, tile == first, factors, sums);
    }
    if (tile + blocks >= tiles) {
      genie_grid_release(frame);
    }
    store_sums(frame, batch, n, factors, sums);
  }
}
