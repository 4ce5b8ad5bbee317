// GB/s of the gemv template on one thread, against a plain read of the same bytes.
//
//     clang-22 -O3 -ffp-contract=fast -march=native -mprefer-vector-width=512 -I. bench/micro/gemv_bench.c -lm
#include "bench/micro/measure.h"
#include "codegen/templates/gemv.c"

#ifndef M
#define M 1
#endif
#ifndef N
#define N 50257
#endif
#ifndef K
#define K 768
#endif
#ifndef DTYPE
#define DTYPE GENIE_DTYPE_F32
#endif
enum { BLOCK_COLUMNS = 64 };

i64 genie_m(const frame_t *frame) {
  (void)frame;
  return M;
}
i64 genie_n(const frame_t *frame) {
  (void)frame;
  return N;
}
i64 genie_k(const frame_t *frame) {
  (void)frame;
  return K;
}
i64 genie_block_columns(const frame_t *frame) {
  (void)frame;
  return BLOCK_COLUMNS;
}
const void *genie_a(const frame_t *frame, i64 batch) {
  (void)batch;
  return frame->args[0];
}
i64 genie_a_dtype(const frame_t *frame) {
  (void)frame;
  return GENIE_DTYPE_F32;
}
i64 genie_a_m_stride(const frame_t *frame) {
  (void)frame;
  return K;
}
i64 genie_a_k_stride(const frame_t *frame) {
  (void)frame;
  return 1;
}
const void *genie_b(const frame_t *frame, i64 batch) {
  (void)batch;
  return frame->args[1];
}
i64 genie_b_dtype(const frame_t *frame) {
  (void)frame;
  return DTYPE;
}
i64 genie_b_n_stride(const frame_t *frame) {
  (void)frame;
  return K;
}
i64 genie_has_bias(const frame_t *frame) {
  (void)frame;
  return 0;
}
real_t genie_bias(const frame_t *frame, i64 n) {
  (void)frame, (void)n;
  return 0;
}
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  (void)batch;
  ((float *)frame->args[2])[m * N + n] = sum;
}

int main(void) {
  const i64 bytes = (i64)N * K * storage_bytes(DTYPE);
  float *a = aligned_alloc(64, sizeof(float) * M * K), *c = aligned_alloc(64, sizeof(float) * (M * N + 64));
  char *b = aligned_alloc(4096, (size_t)(bytes + 8192) / 4096 * 4096);
  for (i64 i = 0; i < M * K; ++i) a[i] = draw();
  for (i64 i = 0; i < (i64)N * K; ++i) {
    const float value = draw();
    if (DTYPE == GENIE_DTYPE_F32) ((float *)b)[i] = value;
    if (DTYPE == GENIE_DTYPE_BF16) ((uint16_t *)b)[i] = (uint16_t)(__builtin_bit_cast(uint32_t, value) >> 16);
    if (DTYPE == GENIE_DTYPE_F16) ((_Float16 *)b)[i] = (_Float16)value;
  }
  void *args[] = {a, b, c};
  frame_t frame = {args, NULL, aligned_alloc(64, 4 * (GEMV_ROWS * (K + 64) + GEMV_ROWS * BLOCK_COLUMNS))};
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    const double start = now();
    genie_kernel(&frame, 0, ceil_div(N, BLOCK_COLUMNS));
    const double seconds = now() - start;
    best = seconds < best ? seconds : best;
  }
  double error = 0;
  for (int probe = 0; probe < 200; ++probe) {
    const i64 m = rand() % M, n = probe == 0 ? N - 1 : rand() % N;
    double want = 0;
    for (i64 k = 0; k < K; ++k) want += (double)a[m * K + k] * load_1(b, DTYPE, n * K + k);
    error = fmax(error, fabs(want - c[m * N + n]));
  }
  const double peak = read_peak(b, (size_t)bytes), rate = (double)bytes / best / 1e9;
  printf("%dx%dx%d dtype %d: %.3f ms %.1f GB/s, %.0f%% of %.1f, error %.1e\n", M, N, K, DTYPE, best * 1e3, rate,
         100 * rate / peak, peak, error);
  return error > 1e-4;
}
