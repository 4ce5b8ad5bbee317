// The product of a few rows with a weight as it is stored: c[batch][m][n] = sum over k of a[batch][m][k] * b[n][k],
// plus bias[n].
//
// Bound by the memory that b streams from, so b is read as one linear stream, one column of the result after the other,
// with prefetches GEMV_AHEAD bytes ahead: four columns at once take a third longer on a matrix that memory holds. The
// few rows of A are widened and staged in scratch once a call. Of bf16, a vector of 32-bit words holds the even
// elements in its lower and the odd in its upper halves, so A is staged as [block of 2 * LANES][even | odd] and b is
// widened by a shift and a mask.
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
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 n);
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum);

enum {
  GEMV_ROWS = 4,
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

// sums[row][half] += a[row][k ..] * b[k ..], lane by lane, over one step from k on.
GENIE_INLINE void multiply_step(const int rows, int dtype, const real_t *a, i64 padded, const char *b, i64 k,
                                real_vector_t sums[GEMV_ROWS][2]) {
  const i64 bytes = storage_bytes(dtype);
  real_vector_t b0, b1;
  GENIE_UNROLL
  for (i64 byte = 0; byte < GEMV_STEP * bytes; byte += 64) {
    __builtin_prefetch(b + k * bytes + byte + GEMV_AHEAD);
  }
  if (dtype == GENIE_DTYPE_BF16) {
    const u32_vector_t words = *(const u32_vector_t *)(b + 2 * k);
    b0 = __builtin_convertvector(__builtin_bit_cast(f32_vector_t, words << 16), real_vector_t);
    b1 = __builtin_convertvector(__builtin_bit_cast(f32_vector_t, words & 0xffff0000u), real_vector_t);
  } else {
    b0 = load_lanes(b, dtype, k);
    b1 = load_lanes(b, dtype, k + LANES);
  }
  GENIE_UNROLL
  for (int row = 0; row < rows; ++row) {
    sums[row][0] += *(const real_vector_t *)(a + row * padded + k) * b0;
    sums[row][1] += *(const real_vector_t *)(a + row * padded + k + LANES) * b1;
  }
}

// out[row * stride] = a[row] . b
GENIE_INLINE void multiply_column(const int rows, int dtype, i64 k_count, const real_t *a, i64 padded, const char *b,
                                  real_t *out, i64 stride) {
  real_vector_t sums[GEMV_ROWS][2];
  GENIE_UNROLL
  for (int row = 0; row < rows; ++row) {
    sums[row][0] = 0;
    sums[row][1] = 0;
  }
  i64 k = 0;
#pragma clang loop unroll(disable)
  for (; k + GEMV_STEP <= k_count; k += GEMV_STEP) {
    multiply_step(rows, dtype, a, padded, b, k, sums);
  }
  if (k < k_count) {
    // The last, partial step reads a copy that is padded with zeros.
    char tail[GEMV_STEP * sizeof(real_t)] __attribute__((aligned(64)));
    const i64 bytes = storage_bytes(dtype), count = (k_count - k) * bytes;
    for (i64 i = 0; i < GEMV_STEP * bytes; ++i) {
      tail[i] = i < count ? b[k * bytes + i] : 0;
    }
    multiply_step(rows, dtype, a + k, padded, tail, 0, sums);
  }
  GENIE_UNROLL
  for (int row = 0; row < rows; ++row) {
    out[row * stride] = sum_lanes(sums[row][0] + sums[row][1]);
  }
}

GENIE_INLINE void multiply_columns(const frame_t *frame, const int rows, i64 batch, i64 n, i64 columns, const real_t *a,
                                   i64 padded, real_t *sums, i64 stride) {
  const int dtype = (int)genie_b_dtype(frame);
  const i64 column_bytes = genie_b_n_stride(frame) * storage_bytes(dtype), k_count = genie_k(frame);
  const char *b = (const char *)genie_b(frame, batch) + n * column_bytes;
  for (i64 j = 0; j < columns; ++j) {
    multiply_column(rows, dtype, k_count, a, padded, b + j * column_bytes, sums + j, stride);
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
