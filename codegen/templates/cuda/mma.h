// Tensor cores: mma.sync.m16n8k16 of bf16 or f16 with sums in f32 (PTX ISA, "Matrix fragments for mma.m16n8k16").
//
// Lane l, with g = l / 4 and t = l % 4, holds of a [16][16]: rows g and g + 8 of columns 2t, 2t + 1 (a[0], a[1]) and of
// columns 2t + 8, 2t + 9 (a[2], a[3]); of b [16][8]: rows 2t, 2t + 1 (b[0]) and 2t + 8, 2t + 9 (b[1]) of column g; of
// c [16][8]: columns 2t, 2t + 1 of row g (c[0], c[1]) and of row g + 8 (c[2], c[3]).
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_MMA_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_MMA_H_

#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

#ifdef GENIE_CUDA_EMULATED
typedef struct mma_fragments {
  uint32_t a[4], b[2];
} mma_fragments_t;

GENIE_INLINE float mma_half(uint32_t pair, int half, bool is_bf16) {
  const uint16_t bits = (uint16_t)(pair >> 16 * half);
  return is_bf16 ? __builtin_bit_cast(float, (uint32_t)bits << 16) : (float)__builtin_bit_cast(_Float16, bits);
}

GENIE_INLINE void mma_16x8x16(bool is_bf16, float c[4], const uint32_t a[4], const uint32_t b[2]) {
  const mma_fragments_t own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const char *all = GENIE_EMULATOR->warp_exchange(&own, sizeof(own));
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int i = 0; i < 4; ++i) {
    const int row_half = i / 2, column = 2 * t + i % 2;
    for (int k = 0; k < 16; ++k) {
      const mma_fragments_t *of_a = (const void *)(all + 64 * (g * 4 + k % 8 / 2));
      const mma_fragments_t *of_b = (const void *)(all + 64 * (column * 4 + k % 8 / 2));
      c[i] += mma_half(of_a->a[row_half + 2 * (k / 8)], k % 2, is_bf16) * mma_half(of_b->b[k / 8], k % 2, is_bf16);
    }
  }
}
#else
GENIE_INLINE void mma_16x8x16(bool is_bf16, float c[4], const uint32_t a[4], const uint32_t b[2]) {
  if (is_bf16) {
    __asm__("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    __asm__("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}
#endif

// Tiles of raw 16-bit elements in shared memory: rows of TILE_K, padded so that a fragment's 32 lanes read 32 banks.
enum { TILE_K = 32, TILE_STRIDE = TILE_K + 8 };
typedef GENIE_SHARED_SPACE uint16_t shared_u16_t;
typedef GENIE_SHARED_SPACE uint32_t shared_u32_t;
typedef uint32_t words_t __attribute__((ext_vector_type(4)));
typedef GENIE_SHARED_SPACE words_t shared_words_t;

// The fragment of a at rows [row, row + 16) and columns [k, k + 16) of a tile.
GENIE_INLINE void mma_load_a(const shared_u16_t *tile, int stride, int row, int k, uint32_t a[4]) {
  const int g = lane_index() / 4, t = lane_index() % 4;
  GENIE_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = *(const shared_u32_t *)(tile + (row + g + i % 2 * 8) * stride + k + 2 * t + i / 2 * 8);
  }
}

// The fragment of b, whose tile is stored by column: columns [column, column + 8), rows [k, k + 16).
GENIE_INLINE void mma_load_b(const shared_u16_t *tile, int stride, int column, int k, uint32_t b[2]) {
  const int g = lane_index() / 4, t = lane_index() % 4;
  b[0] = *(const shared_u32_t *)(tile + (column + g) * stride + k + 2 * t);
  b[1] = *(const shared_u32_t *)(tile + (column + g) * stride + k + 2 * t + 8);
}

// Four fragments' halves at once (PTX ISA, "ldmatrix"): lane l names row l % 8 of matrix l / 8, eight elements whose
// address is a multiple of 16 bytes, and gets in out[m] columns 2t and 2t + 1 of row g of matrix m; of its transpose
// with `is_transposed`.
GENIE_INLINE void mma_load_matrices(const shared_u16_t *row, bool is_transposed, uint32_t out[4]) {
#ifdef GENIE_CUDA_EMULATED
  const char *all = GENIE_EMULATOR->warp_exchange(row, 16);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int m = 0; m < 4; ++m) {
    uint32_t pair = 0;
    for (int i = 0; i < 2; ++i) {
      const int from = is_transposed ? 2 * t + i : g, at = is_transposed ? g : 2 * t + i;
      pair |= (uint32_t)((const uint16_t *)(const void *)(all + 64 * (8 * m + from)))[at] << 16 * i;
    }
    out[m] = pair;
  }
#else
  const uint32_t address = (uint32_t)(uintptr_t)row;
  if (is_transposed) {
    __asm__ volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                     : "r"(address)
                     : "memory");
  } else {
    __asm__ volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                     : "r"(address)
                     : "memory");
  }
#endif
}

// Two floats as two narrow ones, to nearest even.
GENIE_INLINE uint32_t pack_pair(float low, float high, bool is_bf16) {
  if (is_bf16) {
#ifdef GENIE_CUDA_EMULATED
    const uint32_t a = __builtin_bit_cast(uint32_t, low), b = __builtin_bit_cast(uint32_t, high);
    return ((a + 0x7fff + (a >> 16 & 1)) >> 16) | ((b + 0x7fff + (b >> 16 & 1)) & 0xffff0000u);
#else
    uint32_t pair;
    __asm__("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
  }
  const uint16_t a = __builtin_bit_cast(uint16_t, (_Float16)low), b = __builtin_bit_cast(uint16_t, (_Float16)high);
  return (uint32_t)b << 16 | a;
}

// Eight raw elements from element `index` on, 16 bytes that are aligned.
GENIE_INLINE words_t load_words(const void *base, i64 index) {
  return *(const words_t *)((const uint16_t *)base + index);
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_MMA_H_
