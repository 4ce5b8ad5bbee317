// GF/s of the gemm template on one thread, against the machine's FMA peak in the same run.
//
//     clang-22 -O3 -ffp-contract=fast -march=native -mprefer-vector-width=512 -I. bench/micro/gemm_bench.c -lm
#include "bench/micro/measure.h"
#include "codegen/templates/gemm.c"

#ifndef BLOCK_DEPTH
#define BLOCK_DEPTH 384
#endif
#ifndef BLOCK_COLUMNS
#define BLOCK_COLUMNS 64
#endif
#ifndef BLOCK_ROWS
#define BLOCK_ROWS 204
#endif
#ifndef M
#define M 128
#endif
#ifndef N
#define N 768
#endif
#ifndef K
#define K 768
#endif

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
i64 genie_block_rows(const frame_t *frame) {
  (void)frame;
  return BLOCK_ROWS;
}
i64 genie_block_columns(const frame_t *frame) {
  (void)frame;
  return BLOCK_COLUMNS;
}
i64 genie_block_depth(const frame_t *frame) {
  (void)frame;
  return BLOCK_DEPTH;
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
  return GENIE_DTYPE_F32;
}
i64 genie_b_width(const frame_t *frame) {
  (void)frame;
  return TILE_COLUMNS;
}
i64 genie_b_is_direct(const frame_t *frame) {
  (void)frame;
  return 0;
}
i64 genie_has_bias(const frame_t *frame) {
  (void)frame;
  return 1;
}
real_t genie_bias(const frame_t *frame, i64 n) {
  return ((const float *)frame->args[2])[n];
}
i64 genie_b_k_stride(const frame_t *frame) {
  (void)frame;
  return 1;
}
i64 genie_b_n_stride(const frame_t *frame) {
  (void)frame;
  return 1;
}
i64 genie_tail_rows(const frame_t *frame) {
  (void)frame;
  return M % TILE_ROWS;
}
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  (void)batch;
  ((float *)frame->args[3])[m * N + n] = sum;
}

int main(void) {
  const i64 panels = ceil_div(N, TILE_COLUMNS);
  srand(1);
  float *a = aligned_alloc(64, sizeof(float) * M * K),
        *b = aligned_alloc(64, sizeof(float) * panels * TILE_COLUMNS * K);
  float *bias = aligned_alloc(64, sizeof(float) * panels * TILE_COLUMNS),
        *c = aligned_alloc(64, sizeof(float) * (M * N + 64));
  for (i64 i = 0; i < (i64)M * K; ++i) a[i] = draw();
  for (i64 i = 0; i < panels * TILE_COLUMNS * K; ++i) b[i] = draw();
  for (i64 i = 0; i < N; ++i) bias[i] = draw();
  void *args[] = {a, b, bias, c};
  frame_t frame = {args, NULL,
                   aligned_alloc(64, 4 * (BLOCK_ROWS * (i64)(K + BLOCK_COLUMNS) + BLOCK_DEPTH * TILE_COLUMNS))};
  const i64 tasks = ceil_div(M, BLOCK_ROWS) * ceil_div(N, BLOCK_COLUMNS);
  double best = 1e9;
  for (int round = 0; round < 60; ++round) {
    const double start = now();
    genie_kernel(&frame, 0, tasks);
    const double seconds = now() - start;
    best = seconds < best ? seconds : best;
  }
  double error = 0;
  for (int probe = 0; probe < 200; ++probe) {
    const i64 m = rand() % M, n = rand() % N;
    double want = bias[n];
    for (i64 k = 0; k < K; ++k)
      want += (double)a[m * K + k] * b[n / TILE_COLUMNS * TILE_COLUMNS * K + k * TILE_COLUMNS + n % TILE_COLUMNS];
    error = fmax(error, fabs(want - c[m * N + n]));
  }
  const double peak = fma_peak(), rate = 2.0 * M * N * K / best / 1e9;
  printf("%dx%dx%d: %.3f ms %.1f GF/s, %.0f%% of %.1f, error %.1e\n", M, N, K, best * 1e3, rate, 100 * rate / peak,
         peak, error);
  return error > 1e-4;
}
