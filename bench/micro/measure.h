// What the micro-benchmarks share: a clock, hooks, and the ceilings of the machine measured in the same run.
#ifndef GENIE_BENCH_MICRO_MEASURE_H_
#define GENIE_BENCH_MICRO_MEASURE_H_

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codegen/templates/lanes.h"

// Defines the hook genie_NAME of a template, a number.
#define SIZE(name, value)                  \
  i64 genie_##name(const frame_t *frame) { \
    (void)frame;                           \
    return value;                          \
  }                                        \
  _Static_assert(1, "a semicolon follows")

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Uniform in [-0.5, 0.5).
static inline float draw(void) {
  return (float)(rand() % 65536) / 65536.0f - 0.5f;
}

// GF/s of independent fused multiply-adds in registers.
static inline double fma_peak(void) {
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    real_vector_t x[12], y = 0.999f;
    for (int i = 0; i < 12; ++i) x[i] = (real_t)i;
    const double start = now();
    for (int n = 0; n < 200000; ++n) {
#pragma clang fp contract(fast)
#pragma clang loop unroll(full)
      for (int i = 0; i < 12; ++i) {
        x[i] = x[i] * y + y;
        __asm__ volatile("" : "+v"(x[i]));
      }
    }
    const double rate = 200000.0 * 12 * LANES * 2 / (now() - start) / 1e9;
    for (int i = 1; i < 12; ++i) x[0] += x[i];
    volatile real_t sink = x[0][0];
    (void)sink;
    best = rate > best ? rate : best;
  }
  return best;
}

// GB/s of a plain read of `bytes` at `data`.
static inline double read_peak(const void *data, size_t bytes) {
  double best = 0;
  for (int round = 0; round < 8; ++round) {
    u32_vector_t sum[8] = {0};
    const u32_vector_t *words = data;
    const double start = now();
    for (size_t i = 0; i + 8 <= bytes / sizeof(u32_vector_t); i += 8) {
#pragma clang loop unroll(full)
      for (int j = 0; j < 8; ++j) {
        sum[j] += words[i + j];
        __builtin_prefetch((const char *)(words + i + j) + 2048);
      }
    }
    const double rate = (double)bytes / (now() - start) / 1e9;
    for (int j = 1; j < 8; ++j) sum[0] += sum[j];
    volatile uint32_t sink = sum[0][0];
    (void)sink;
    best = rate > best ? rate : best;
  }
  return best;
}

#endif  // GENIE_BENCH_MICRO_MEASURE_H_
