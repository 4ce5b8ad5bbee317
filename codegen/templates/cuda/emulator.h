// A CUDA device on a CPU, for tests: what device.h declares, over threads that emulator.c runs as fibers. Code in a
// plan refers to nothing outside itself, so the emulator's functions are found at an address that is agreed on.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_EMULATOR_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_EMULATOR_H_

#include <stdint.h>

#include "runtime/base/kernel_frame.h"

enum {
  GENIE_EMULATOR_SLOT_BYTES = 1 << 16,  // of shared memory for one array
  GENIE_EMULATOR_SLOTS = 64,
  GENIE_EMULATOR_DYNAMIC_BYTES = 1 << 18,
  GENIE_EMULATOR_MAX_FRAME = 512,
  GENIE_EMULATOR_MAX_CLUSTER = 8,
};

#define GENIE_EMULATOR_ADDRESS UINT64_C(0x200000000000)

typedef void (*genie_emulator_thread_fn_t)(const void *frame);

typedef struct genie_emulator {
  int thread, block;  // that are running now
  int rank;           // of the block in its cluster
  char *shared;       // of the block: slots, then dynamic memory
  // Runs all threads of a cluster of `cluster` blocks, the first of which is `block`, to their end. One cluster at a
  // time; other callers wait.
  void (*run_blocks)(genie_emulator_thread_fn_t function, const void *frame, int threads, int64_t block, int cluster);
  void (*block_barrier)(void);
  // Every lane gives 64 bytes and gets those of all 32 lanes, which stay until its warp's next exchange.
  const void *(*warp_exchange)(const void *value, int bytes);
  void (*cluster_barrier)(void);
  // Where block `rank` of the cluster has what this block has at `address` of its shared memory.
  const void *(*cluster_address)(const void *address, int rank);
} genie_emulator_t;

#ifdef GENIE_CUDA_EMULATED
#define GENIE_EMULATOR ((const volatile genie_emulator_t *)GENIE_EMULATOR_ADDRESS)

#define GENIE_SHARED_ARRAY(type, name, count)                                                                   \
  _Static_assert(sizeof(type) * (count) <= GENIE_EMULATOR_SLOT_BYTES && __COUNTER__ < 2 * GENIE_EMULATOR_SLOTS, \
                 "emulated shared memory");                                                                     \
  type *const name = (type *)(void *)(GENIE_EMULATOR->shared + (__COUNTER__ / 2) * GENIE_EMULATOR_SLOT_BYTES)
#define GENIE_SHARED_SPACE
#define genie_dynamic_shared (GENIE_EMULATOR->shared + GENIE_EMULATOR_SLOTS * GENIE_EMULATOR_SLOT_BYTES)

GENIE_INLINE int thread_index(void) {
  return GENIE_EMULATOR->thread;
}
GENIE_INLINE int block_index(void) {
  return GENIE_EMULATOR->block;
}
GENIE_INLINE void block_barrier(void) {
  GENIE_EMULATOR->block_barrier();
}
GENIE_INLINE void warp_barrier(void) {
  const uint32_t nothing = 0;
  GENIE_EMULATOR->warp_exchange(&nothing, sizeof(nothing));
}
GENIE_INLINE int cluster_rank(void) {
  return GENIE_EMULATOR->rank;
}
GENIE_INLINE void cluster_barrier(void) {
  GENIE_EMULATOR->cluster_barrier();
}
GENIE_INLINE float cluster_load_f32(const float *address, int rank) {
  return *(const float *)GENIE_EMULATOR->cluster_address(address, rank);
}
GENIE_INLINE uint32_t shuffle_from_u32(uint32_t value, int lane) {
  const char *all = GENIE_EMULATOR->warp_exchange(&value, sizeof(value));
  return *(const uint32_t *)(const void *)(all + 64 * lane);
}
GENIE_INLINE uint32_t shuffle_xor_u32(uint32_t value, int mask) {
  return shuffle_from_u32(value, (thread_index() & 31) ^ mask);
}
GENIE_INLINE uint32_t shuffle_up_u32(uint32_t value, int distance) {
  const int lane = thread_index() & 31;
  return shuffle_from_u32(value, lane >= distance ? lane - distance : lane);
}

i64 genie_emulated_args(const frame_t *frame);
i64 genie_emulated_dims(const frame_t *frame);
i64 genie_emulated_cluster(const frame_t *frame);

// The entry as a CPU calls it: every task is a block.
#undef genie_kernel
void genie_emulated_thread(const frame_t *frame);
void genie_kernel(const genie_kernel_frame_t *cpu, i64 begin, i64 end) {
  void *frame[GENIE_EMULATOR_MAX_FRAME];
  const i64 args = genie_emulated_args((const frame_t *)frame), dims = genie_emulated_dims((const frame_t *)frame);
  for (i64 i = 0; i < args; ++i) {
    frame[i] = cpu->args[i];
  }
  for (i64 i = 0; i < dims; ++i) {
    frame[args + i] = (void *)cpu->dims[i];
  }
  const i64 cluster = genie_emulated_cluster((const frame_t *)frame);
  for (i64 block = (begin + cluster - 1) / cluster * cluster; block < end; block += cluster) {
    GENIE_EMULATOR->run_blocks((genie_emulator_thread_fn_t)genie_emulated_thread, frame,
                               (int)genie_threads((const frame_t *)frame), block, (int)cluster);
  }
}
#define genie_kernel genie_emulated_thread
#endif

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_EMULATOR_H_
