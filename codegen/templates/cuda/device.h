// What templates for CUDA devices are written in: threads, warps, barriers and shared memory, without a CUDA SDK.
//
// A task of the grid is a thread block of genie_threads() threads, in one dimension. All threads of a block reach every
// barrier, all threads of a warp every shuffle; a thread that has nothing to do goes along. Loops over arrays that are
// meant for registers are unrolled in full, so that nothing is left in local memory. GENIE_CUDA_EMULATED compiles a
// template for CPUs, over codegen/templates/cuda/emulator.h, so that all can be tested without a GPU.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_DEVICE_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_DEVICE_H_

#include <stdbool.h>

#include "codegen/templates/real.h"

i64 genie_threads(const frame_t *frame);  // of a block, a multiple of 32

enum { WARP = 32 };

#ifdef GENIE_CUDA_EMULATED
#include "codegen/templates/cuda/emulator.h"
#else

// An array in the block's shared memory, declared in a function: as many bytes as are known here.
#define GENIE_SHARED_ARRAY(type, name, count) \
  static __attribute__((address_space(3), loader_uninitialized, aligned(16))) type name[count]
#define GENIE_SHARED_SPACE __attribute__((address_space(3)))
// The block's dynamic shared memory, as large as the lowering says.
extern __attribute__((address_space(3), aligned(16))) char genie_dynamic_shared[];

GENIE_INLINE int thread_index(void) {
  return __nvvm_read_ptx_sreg_tid_x();
}
GENIE_INLINE int block_index(void) {
  return __nvvm_read_ptx_sreg_ctaid_x();
}
// All threads of the block have come here, and what they wrote before is seen.
GENIE_INLINE void block_barrier(void) {
  __syncthreads();
}
// As above for the threads of a warp.
GENIE_INLINE void warp_barrier(void) {
  __nvvm_bar_warp_sync(0xffffffffu);
}
// Of a cluster, where the target has them: this block's number in it, all its threads have come here, and a word of the
// shared memory of block `rank` where this block has `address`.
GENIE_INLINE int cluster_rank(void) {
  int rank;
  __asm__("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
GENIE_INLINE void cluster_barrier(void) {
  __asm__ volatile("barrier.cluster.arrive;\n\tbarrier.cluster.wait;" ::: "memory");
}
GENIE_INLINE float cluster_load_f32(const GENIE_SHARED_SPACE float *address, int rank) {
  float value;
  __asm__ volatile("{\n\t.reg .b32 a;\n\tmapa.shared::cluster.u32 a, %1, %2;\n\tld.shared::cluster.f32 %0, [a];\n\t}"
                   : "=f"(value)
                   : "r"((uint32_t)(uintptr_t)address), "r"(rank)
                   : "memory");
  return value;
}
GENIE_INLINE uint32_t shuffle_xor_u32(uint32_t value, int mask) {
  return (uint32_t)__nvvm_shfl_sync_bfly_i32(0xffffffffu, (int)value, mask, 31);
}
GENIE_INLINE uint32_t shuffle_from_u32(uint32_t value, int lane) {
  return (uint32_t)__nvvm_shfl_sync_idx_i32(0xffffffffu, (int)value, lane, 31);
}
GENIE_INLINE uint32_t shuffle_up_u32(uint32_t value, int distance) {
  return (uint32_t)__nvvm_shfl_sync_up_i32(0xffffffffu, (int)value, distance, 0);
}
#endif

GENIE_INLINE int lane_index(void) {
  return thread_index() & (WARP - 1);
}
GENIE_INLINE int warp_index(void) {
  return thread_index() / WARP;
}

// Values of the template's type between the threads of a warp.
#define GENIE_SHUFFLE(name, primitive)                                                           \
  GENIE_INLINE float name##_f32(float value, int operand) {                                      \
    const uint32_t bits = primitive(__builtin_bit_cast(uint32_t, value), operand);               \
    return __builtin_bit_cast(float, bits);                                                      \
  }                                                                                              \
  GENIE_INLINE uint64_t name##_u64(uint64_t value, int operand) {                                \
    const uint32_t low = primitive((uint32_t)value, operand);                                    \
    return (uint64_t)primitive((uint32_t)(value >> 32), operand) << 32 | low;                    \
  }                                                                                              \
  GENIE_INLINE double name##_f64(double value, int operand) {                                    \
    return __builtin_bit_cast(double, name##_u64(__builtin_bit_cast(uint64_t, value), operand)); \
  }                                                                                              \
  GENIE_INLINE i64 name##_i64(i64 value, int operand) {                                          \
    return (i64)name##_u64((uint64_t)value, operand);                                            \
  }
GENIE_SHUFFLE(shuffle_xor, shuffle_xor_u32)
GENIE_SHUFFLE(shuffle_from, shuffle_from_u32)
GENIE_SHUFFLE(shuffle_up, shuffle_up_u32)

#if defined(GENIE_INTEGER)
#define GENIE_REAL_NAME(name) name##_i64
#elif GENIE_REAL == 64
#define GENIE_REAL_NAME(name) name##_f64
#else
#define GENIE_REAL_NAME(name) name##_f32
#endif

// A reduction over all threads of a block: `join` of two values of `type`, `shuffle` for them, `neutral` where there is
// no thread. Every thread gets the result. It may be called again at once.
#define GENIE_BLOCK_REDUCE(name, type, shuffle, join, neutral)    \
  GENIE_INLINE type name(const frame_t *frame, type value) {      \
    GENIE_SHARED_ARRAY(type, parts, WARP);                        \
    GENIE_UNROLL                                                  \
    for (int mask = WARP / 2; mask > 0; mask /= 2) {              \
      value = join(value, shuffle(value, mask));                  \
    }                                                             \
    const int warps = (int)genie_threads(frame) / WARP;           \
    if (warps == 1) {                                             \
      return value;                                               \
    }                                                             \
    if (lane_index() == 0) {                                      \
      parts[warp_index()] = value;                                \
    }                                                             \
    block_barrier();                                              \
    value = lane_index() < warps ? parts[lane_index()] : neutral; \
    GENIE_UNROLL                                                  \
    for (int mask = WARP / 2; mask > 0; mask /= 2) {              \
      value = join(value, shuffle(value, mask));                  \
    }                                                             \
    block_barrier();                                              \
    return value;                                                 \
  }

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_DEVICE_H_
