// GF/s of the attention template on one thread against the FMA peak: q, k, v are views of [L, 3, H, E] (Q == S) or
// separate.
//
//     clang-22 -O3 -ffp-contract=fast -march=native -mprefer-vector-width=512 -I. bench/micro/attention_bench.c -lm
#include "bench/micro/measure.h"
#include "codegen/templates/math.c"

#ifdef DECODE
#include "codegen/templates/attention_decode.c"
#else
#include "codegen/templates/attention.c"
#endif

#ifndef H
#define H 12
#endif
#ifndef G
#define G H
#endif
#ifndef L
#define L 128
#endif
#ifndef S
#define S L
#endif
#ifndef E
#define E 64
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef BLOCK_QUERIES
#define BLOCK_QUERIES (ceil_div(ceil_div(L, ceil_div(L, 132)), 12) * 12)
#endif
#ifndef BLOCK_KEYS
#define BLOCK_KEYS (ceil_div(S < 512 ? S : 512, 32) * 32)
#endif
SIZE(heads, H);
SIZE(group, H / G);
SIZE(queries, L);
SIZE(keys, S);
SIZE(e, E);
SIZE(d, E);
SIZE(block_queries, BLOCK_QUERIES);
SIZE(block_keys, BLOCK_KEYS);
SIZE(is_causal, CAUSAL);
SIZE(q_dtype, GENIE_DTYPE_F32);
SIZE(key_dtype, GENIE_DTYPE_F32);
SIZE(value_dtype, GENIE_DTYPE_F32);
SIZE(q_row_stride, H *E);
SIZE(q_stride, 1);
SIZE(key_row_stride, G *E);
SIZE(key_stride, 1);
SIZE(value_row_stride, G *E);
SIZE(value_stride, 1);
SIZE(mask_kind, 0);
real_t genie_scale(const frame_t *frame) {
  (void)frame;
  return 0.125f;
}
const void *genie_q(const frame_t *frame, i64 batch, i64 head) {
  (void)batch;
  return (float *)frame->args[0] + head * E;
}
const void *genie_key(const frame_t *frame, i64 batch, i64 head) {
  (void)batch;
  return (float *)frame->args[1] + head * E;
}
const void *genie_value(const frame_t *frame, i64 batch, i64 head) {
  (void)batch;
  return (float *)frame->args[2] + head * E;
}
real_t genie_mask(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key) {
  (void)frame, (void)batch, (void)head, (void)query, (void)key;
  return 0;
}
void genie_store(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t value) {
  (void)batch;
  ((float *)frame->args[3])[(query * H + head) * E + d] = value;
}

int main(void) {
  float *data[4];
  const i64 counts[] = {L * H * E, S * G * E, S * G * E, L * H * E};
  for (int i = 0; i < 4; ++i) {
    data[i] = aligned_alloc(64, sizeof(float) * (counts[i] + 64));
    for (i64 j = 0; j < counts[i]; ++j) data[i][j] = 4 * draw();
  }
  void *args[] = {data[0], data[1], data[2], data[3]};
  frame_t frame = {args, NULL, aligned_alloc(64, 16 << 20)};
#ifdef DECODE
  const i64 tasks = G;
#else
  const i64 tasks = H * ceil_div(L, BLOCK_QUERIES);
#endif
  double best = 1e9;
  for (int round = 0; round < 60; ++round) {
    const double start = now();
    genie_kernel(&frame, 0, tasks);
    const double seconds = now() - start;
    best = seconds < best ? seconds : best;
  }
  double error = 0;
  for (int probe = 0; probe < 50; ++probe) {
    const i64 i = probe == 0 ? L - 1 : rand() % L, h = rand() % H;
    static double score[S];
    double largest = -1e300, sum = 0, out[E] = {0};
    const i64 keys = CAUSAL && i + 1 < S ? i + 1 : S;
    for (i64 j = 0; j < keys; ++j) {
      score[j] = 0;
      for (i64 e = 0; e < E; ++e)
        score[j] += 0.125 * data[0][(i * H + h) * E + e] * data[1][(j * G + h * G / H) * E + e];
      largest = fmax(largest, score[j]);
    }
    for (i64 j = 0; j < keys; ++j) sum += score[j] = exp(score[j] - largest);
    for (i64 j = 0; j < keys; ++j)
      for (i64 e = 0; e < E; ++e) out[e] += score[j] / sum * data[2][(j * G + h * G / H) * E + e];
    for (i64 e = 0; e < E; ++e) error = fmax(error, fabs(out[e] - data[3][(i * H + h) * E + e]));
  }
  const double peak = fma_peak(), rate = 4.0 * H * L * S * E / best / 1e9;
  printf("H %d G %d L %d S %d E %d: %.3f ms %.1f GF/s, %.0f%% of %.1f; keys and values at %.1f GB/s; error %.1e\n", H,
         G, L, S, E, best * 1e3, rate, 100 * rate / peak, peak, 8.0 * S * G * E / best / 1e9, error);
  return error > 1e-5;
}
