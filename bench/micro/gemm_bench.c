// GF/s of the gemm template on one thread, against the machine's FMA peak in the same run.
//
//     clang-22 -O3 -march=native -mprefer-vector-width=512 -I. -Iinclude bench/micro/gemm_bench.c -lm -o gemm_bench
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

#include "codegen/templates/gemm.c"

i64 genie_batch(const frame_t *frame) { (void)frame; return 1; }
i64 genie_m(const frame_t *frame) { (void)frame; return M; }
i64 genie_n(const frame_t *frame) { (void)frame; return N; }
i64 genie_k(const frame_t *frame) { (void)frame; return K; }
i64 genie_block_rows(const frame_t *frame) { (void)frame; return BLOCK_ROWS; }
i64 genie_block_columns(const frame_t *frame) { (void)frame; return BLOCK_COLUMNS; }
i64 genie_block_depth(const frame_t *frame) { (void)frame; return BLOCK_DEPTH; }
const void *genie_a(const frame_t *frame, i64 batch) { (void)batch; return frame->args[0]; }
int genie_a_dtype(const frame_t *frame) { (void)frame; return GENIE_DTYPE_F32; }
i64 genie_a_m_stride(const frame_t *frame) { (void)frame; return K; }
i64 genie_a_k_stride(const frame_t *frame) { (void)frame; return 1; }
const void *genie_b(const frame_t *frame, i64 batch) { (void)batch; return frame->args[1]; }
int genie_b_dtype(const frame_t *frame) { (void)frame; return GENIE_DTYPE_F32; }
bool genie_b_is_packed(const frame_t *frame) { (void)frame; return true; }
i64 genie_b_k_stride(const frame_t *frame) { (void)frame; return 1; }
i64 genie_b_n_stride(const frame_t *frame) { (void)frame; return 1; }
i64 genie_tail_rows(const frame_t *frame) { (void)frame; return M % TILE_ROWS; }
void genie_epilogue(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  (void)batch;
  ((float *)frame->args[3])[m * N + n] = sum + ((const float *)frame->args[2])[n];
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// GF/s of independent fused multiply-adds in registers.
static double fma_peak(void) {
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    real_vector_t x[12], y = 0.999f;
    for (int i = 0; i < 12; ++i) x[i] = (float)i;
    const double start = now();
    for (int n = 0; n < 200000; ++n) {
#pragma clang fp contract(fast)
#pragma clang loop unroll(full)
      for (int i = 0; i < 12; ++i) x[i] = x[i] * y + y;
    }
    const double seconds = now() - start;
    for (int i = 1; i < 12; ++i) x[0] += x[i];
    volatile float sink = x[0][0];
    (void)sink;
    const double rate = 200000.0 * 12 * LANES * 2 / seconds / 1e9;
    best = rate > best ? rate : best;
  }
  return best;
}

int main(void) {
  const i64 panels = ceil_div(N, TILE_COLUMNS);
  float *a = aligned_alloc(64, sizeof(float) * M * K), *b = aligned_alloc(64, sizeof(float) * panels * TILE_COLUMNS * K);
  float *bias = aligned_alloc(64, sizeof(float) * panels * TILE_COLUMNS), *c = aligned_alloc(64, sizeof(float) * (M * N + 64));
  for (i64 i = 0; i < (i64)M * K; ++i) a[i] = (float)rand() / RAND_MAX - 0.5f;
  for (i64 i = 0; i < panels * TILE_COLUMNS * K; ++i) b[i] = (float)rand() / RAND_MAX - 0.5f;
  for (i64 i = 0; i < N; ++i) bias[i] = (float)rand() / RAND_MAX;
  void *args[] = {a, b, bias, c};
  frame_t frame = {args, NULL, aligned_alloc(64, 4 * (BLOCK_ROWS * (i64)(K + BLOCK_COLUMNS) + BLOCK_DEPTH * TILE_COLUMNS))};
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
    for (i64 k = 0; k < K; ++k) want += (double)a[m * K + k] * b[n / TILE_COLUMNS * TILE_COLUMNS * K + k * TILE_COLUMNS + n % TILE_COLUMNS];
    error = fmax(error, fabs(want - c[m * N + n]));
  }
  const double peak = fma_peak(), rate = 2.0 * M * N * K / best / 1e9;
  printf("%dx%dx%d: %.3f ms %.1f GF/s, %.0f%% of %.1f, error %.1e\n", M, N, K, best * 1e3, rate, 100 * rate / peak, peak, error);
  return error > 1e-4;
}
