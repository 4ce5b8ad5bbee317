// The product of a few rows with a weight as it is stored: c[batch][m][n] = sum over k of a[batch][m][k] * b[n][k],
// plus bias[n].
//
// Bound by where b comes from. From memory it is read as one linear stream, one column of the result after the other,
// with prefetches GEMV_AHEAD bytes ahead: four columns at once take a third longer there. From a cache four columns at
// once take a fifth less: they share the loads of A, and the ends of their sums overlap. The few rows of A are widened
// and staged in scratch once a call. Of bf16, a vector of 32-bit words holds the even elements in its lower and the odd
// in its upper halves, so A is staged as [block of 2 * LANES][even | odd] and b is widened by a shift and a mask.
//
// scratch: A [m][k rounded up to 2 * LANES] | sums [m][columns of a block]
#include "codegen/templates/lanes.h"

i64 genie_m(const frame_t *frame);  // at most GEMV_ROWS
i64 genie_n(const frame_t *frame);
i64 genie_k(const frame_t *frame);
i64 genie_block_columns(const frame_t *frame);  // columns of a task
const void *genie_a(const frame_t *frame, i64 batch);
i64 genie_a_dtype(const frame_t *frame);
i64 genie_a_m_stride(const frame_t *frame);
i64 genie_a_k_stride(const frame_t *frame);
// b has k stride 1.
const void *genie_b(const frame_t *frame, i64 batch);
i64 genie_b_dtype(const frame_t *frame);
i64 genie_b_n_stride(const frame_t *frame);
i64 genie_b_is_cached(const frame_t *frame);  // from one call to the next
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 n);
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

enum {
  GEMV_ROWS = 4,
  GEMV_STREAMS = 4,  // columns at once of a weight that caches hold
  GEMV_AHEAD = 2048,
  GEMV_STEP = 2 * LANES,
};

static void stage_a(const frame_t *frame, i64 batch, i64 padded, real_t *staged) {
  const i64 m_count = genie_m(frame), k_count = genie_k(frame);
  const int dtype = (int)genie_a_dtype(frame);
  const i64 k_stride = genie_a_k_stride(frame);
  const bool is_split = genie_b_dtype(frame) == GENIE_DTYPE_BF16;
  for (i64 m = 0; m < m_count; ++m) {
    const char *row = (const char *)genie_a(frame, batch) + m * genie_a_m_stride(frame) * storage_bytes(dtype);
    real_t *out = staged + m * padded;
    if (is_split) {
      for (i64 k = 0; k < padded; ++k) {
        const i64 block = k / GEMV_STEP * GEMV_STEP, lane = k % GEMV_STEP;
        out[block + lane / 2 + lane % 2 * LANES] = k < k_count ? load_1(row, dtype, k * k_stride) : 0;
      }
    } else {
      for (i64 k = 0; k < k_count; ++k) {
        out[k] = load_1(row, dtype, k * k_stride);
      }
      for (i64 k = k_count; k < padded; ++k) {
        out[k] = 0;
      }
    }
  }
}

// The two vectors of b[k ..] in one step.
GENIE_INLINE void load_step(int dtype, const char *b, i64 k, real_vector_t out[2]) {
  if (dtype == GENIE_DTYPE_BF16) {
    const u32_vector_t words = *(const u32_vector_t *)(b + 2 * k);
    out[0] = __builtin_convertvector(__builtin_bit_cast(f32_vector_t, words << 16), real_vector_t);
    out[1] = __builtin_convertvector(__builtin_bit_cast(f32_vector_t, words & 0xffff0000u), real_vector_t);
  } else {
    out[0] = load_lanes(b, dtype, k);
    out[1] = load_lanes(b, dtype, k + LANES);
  }
}

// sums[stream][row][half] += a[row][k ..] * b[stream][k ..], lane by lane, over one step from k on.
GENIE_INLINE void multiply_step(const int rows, const int streams, int dtype, const real_t *a, i64 padded,
                                const char *b, i64 stream_bytes, i64 k,
                                real_vector_t sums[GEMV_STREAMS][GEMV_ROWS][2]) {
  const i64 bytes = storage_bytes(dtype);
  // Line by line in the order of memory, whichever stream a line belongs to.
  GENIE_UNROLL
  for (i64 byte = 0; byte < GEMV_STEP * bytes * streams; byte += 64) {
    __builtin_prefetch(b + k * bytes * streams + byte + GEMV_AHEAD * streams);
  }
  GENIE_UNROLL
  for (int stream = 0; stream < streams; ++stream) {
    real_vector_t step[2];
    load_step(dtype, b + stream * stream_bytes, k, step);
    GENIE_UNROLL
    for (int row = 0; row < rows; ++row) {
      sums[stream][row][0] += *(const real_vector_t *)(a + row * padded + k) * step[0];
      sums[stream][row][1] += *(const real_vector_t *)(a + row * padded + k + LANES) * step[1];
    }
  }
}

// out[row * stride + stream] = a[row] . b[stream]
GENIE_INLINE void multiply_streams(const int rows, const int streams, int dtype, i64 k_count, const real_t *a,
                                   i64 padded, const char *b, i64 stream_bytes, real_t *out, i64 stride) {
  real_vector_t sums[GEMV_STREAMS][GEMV_ROWS][2];
  GENIE_UNROLL
  for (int stream = 0; stream < streams; ++stream) {
    GENIE_UNROLL
    for (int row = 0; row < rows; ++row) {
      sums[stream][row][0] = 0;
      sums[stream][row][1] = 0;
    }
  }
  i64 k = 0;
#pragma clang loop unroll(disable)
  for (; k + GEMV_STEP <= k_count; k += GEMV_STEP) {
    multiply_step(rows, streams, dtype, a, padded, b, stream_bytes, k, sums);
  }
  if (k < k_count) {
    // The last, partial step reads a copy that is padded with zeros.
    char tail[GEMV_STREAMS * GEMV_STEP * sizeof(real_t)] __attribute__((aligned(64)));
    const i64 bytes = storage_bytes(dtype), count = (k_count - k) * bytes;
    for (int stream = 0; stream < streams; ++stream) {
      for (i64 i = 0; i < GEMV_STEP * bytes; ++i) {
        tail[stream * GEMV_STEP * bytes + i] = i < count ? b[stream * stream_bytes + k * bytes + i] : 0;
      }
    }
    multiply_step(rows, streams, dtype, a + k, padded, tail, GEMV_STEP * bytes, 0, sums);
  }
  GENIE_UNROLL
  for (int row = 0; row < rows; ++row) {
    GENIE_UNROLL
    for (int stream = 0; stream < streams; ++stream) {
      out[row * stride + stream] = sum_lanes(sums[stream][row][0] + sums[stream][row][1]);
    }
  }
}

GENIE_INLINE void multiply_columns(const frame_t *frame, const int rows, i64 batch, i64 n, i64 columns, const real_t *a,
                                   i64 padded, real_t *sums, i64 stride) {
  const int dtype = (int)genie_b_dtype(frame);
  const i64 column_bytes = genie_b_n_stride(frame) * storage_bytes(dtype), k_count = genie_k(frame);
  const char *b = (const char *)genie_b(frame, batch) + n * column_bytes;
  i64 j = 0;
  if (genie_b_is_cached(frame)) {
    for (; j + GEMV_STREAMS <= columns; j += GEMV_STREAMS) {
      multiply_streams(rows, GEMV_STREAMS, dtype, k_count, a, padded, b + j * column_bytes, column_bytes, sums + j,
                       stride);
    }
  }
  for (; j < columns; ++j) {
    multiply_streams(rows, 1, dtype, k_count, a, padded, b + j * column_bytes, column_bytes, sums + j, stride);
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 m_count = genie_m(frame), n_count = genie_n(frame);
  const i64 block_columns = genie_block_columns(frame), column_blocks = ceil_div(n_count, block_columns);
  const i64 padded = ceil_div(genie_k(frame), GEMV_STEP) * GEMV_STEP;
  real_t *a = frame->scratch;
  real_t *sums = a + GEMV_ROWS * padded;
  i64 staged_batch = -1;
  for (i64 task = begin; task < end; ++task) {
    const i64 batch = task / column_blocks, n = task % column_blocks * block_columns;
    const i64 columns = genie_min_i64(block_columns, n_count - n);
    if (batch != staged_batch) {
      stage_a(frame, batch, padded, a);
      staged_batch = batch;
    }
    switch (m_count) {
      case 1:
        multiply_columns(frame, 1, batch, n, columns, a, padded, sums, block_columns);
        break;
      case 2:
        multiply_columns(frame, 2, batch, n, columns, a, padded, sums, block_columns);
        break;
      case 3:
        multiply_columns(frame, 3, batch, n, columns, a, padded, sums, block_columns);
        break;
      default:
        multiply_columns(frame, 4, batch, n, columns, a, padded, sums, block_columns);
        break;
    }
    for (i64 m = 0; m < m_count; ++m) {
      GENIE_VECTORIZE
      for (i64 j = 0; j < columns; ++j) {
        const real_t sum = sums[m * block_columns + j];
        genie_store(frame, batch, m, n + j, genie_has_bias(frame) ? sum + genie_bias(frame, n + j) : sum);
      }
    }
  }
}
