// The host side of emulator.h: threads of a cluster of blocks as fibers that change places at barriers and exchanges.
// Linked into a test, or preloaded into a program that runs a plan for the target "cuda:emulated".
#include "codegen/templates/cuda/emulator.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "codegen/templates/template.h"

enum { MAX_THREADS = 1024 * GENIE_EMULATOR_MAX_CLUSTER, STACK_BYTES = 256 << 10, WARP = 32, LANE_BYTES = 64 };

typedef struct fiber {
  void *stack_pointer;
  bool is_done;
  int barriers, exchanges, cluster_barriers;  // that it has come to
} fiber_t;

static struct {
  pthread_mutex_t lock;
  genie_emulator_t *shared;
  char *stacks;
  fiber_t fibers[MAX_THREADS];
  int threads, running;  // threads: of a block
  int cluster;           // blocks
  char *memory;          // shared memory of the blocks, one after the other
  void *scheduler;
  genie_emulator_thread_fn_t function;
  const void *frame;
  char lanes[MAX_THREADS / WARP][2][WARP][LANE_BYTES];  // two rounds, so that nobody overwrites what another reads
} emulator = {.lock = PTHREAD_MUTEX_INITIALIZER};

// Saves the callee's registers on this stack and goes on with another one.
__attribute__((naked, noinline)) static void change_stack(void **save, void *load) {
  __asm__(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}

static void yield(void) {
  fiber_t *fiber = &emulator.fibers[emulator.running];
  change_stack(&fiber->stack_pointer, emulator.scheduler);
}

static void run_fiber(void) {
  emulator.function(emulator.frame);
  emulator.fibers[emulator.running].is_done = true;
  yield();
  abort();
}

static void prepare_fiber(int thread) {
  void **top = (void **)(void *)(emulator.stacks + (size_t)(thread + 1) * STACK_BYTES);
  *--top = NULL;  // keeps the stack on 16 bytes where run_fiber begins
  *--top = (void *)run_fiber;
  for (int i = 0; i < 6; ++i) {
    *--top = NULL;
  }
  emulator.fibers[thread] = (fiber_t){.stack_pointer = top};
}

static const size_t shared_bytes =
    (size_t)GENIE_EMULATOR_SLOTS * GENIE_EMULATOR_SLOT_BYTES + GENIE_EMULATOR_DYNAMIC_BYTES;

static void run_fiber_on(int thread, int64_t first_block) {
  const int rank = thread / emulator.threads;
  emulator.running = thread;
  emulator.shared->thread = thread % emulator.threads;
  emulator.shared->block = (int)first_block + rank;
  emulator.shared->rank = rank;
  emulator.shared->shared = emulator.memory + (size_t)rank * shared_bytes;
  change_stack(&emulator.scheduler, emulator.fibers[thread].stack_pointer);
}

// The memory of a block ends with it: NaN shows who in its cluster still reads it.
static void leave_block(int rank) {
  if (emulator.cluster > 1) {
    memset(emulator.memory + (size_t)(rank + 1) * shared_bytes - GENIE_EMULATOR_DYNAMIC_BYTES, 0xff,
           GENIE_EMULATOR_DYNAMIC_BYTES);
  }
}

static void run_blocks(genie_emulator_thread_fn_t function, const void *frame, int threads, int64_t block,
                       int cluster) {
  pthread_mutex_lock(&emulator.lock);
  emulator.function = function;
  emulator.frame = frame;
  emulator.threads = threads;
  emulator.cluster = cluster;
  for (int rank = 0; rank < cluster; ++rank) {  // contents are undefined: NaN shows who reads them
    memset(emulator.memory + (size_t)rank * shared_bytes, 0xff, 4096);
  }
  for (int t = 0; t < threads * cluster; ++t) {
    prepare_fiber(t);
  }
  int left[GENIE_EMULATOR_MAX_CLUSTER];
  for (int rank = 0; rank < cluster; ++rank) {
    left[rank] = threads;
  }
  for (int blocks = cluster; blocks > 0;) {
    for (int t = 0; t < threads * cluster; ++t) {
      if (emulator.fibers[t].is_done) {
        continue;
      }
      run_fiber_on(t, block);
      if (emulator.fibers[t].is_done && --left[t / threads] == 0) {
        leave_block(t / threads);
        --blocks;
      }
    }
  }
  pthread_mutex_unlock(&emulator.lock);
}

static void block_barrier(void) {
  const int barriers = ++emulator.fibers[emulator.running].barriers;
  const int first = emulator.running / emulator.threads * emulator.threads;
  for (int t = first; t < first + emulator.threads; ++t) {
    while (!emulator.fibers[t].is_done && emulator.fibers[t].barriers < barriers) {
      yield();
    }
  }
}

static void cluster_barrier(void) {
  const int barriers = ++emulator.fibers[emulator.running].cluster_barriers;
  for (int t = 0; t < emulator.threads * emulator.cluster; ++t) {
    while (!emulator.fibers[t].is_done && emulator.fibers[t].cluster_barriers < barriers) {
      yield();
    }
  }
}

static const void *cluster_address(const void *address, int rank) {
  return (const char *)address + (ptrdiff_t)(rank - emulator.shared->rank) * (ptrdiff_t)shared_bytes;
}

static const void *warp_exchange(const void *value, int bytes) {
  const int thread = emulator.running, warp = thread / WARP;
  const int exchanges = ++emulator.fibers[thread].exchanges;
  char (*round)[LANE_BYTES] = emulator.lanes[warp][exchanges % 2];
  memcpy(round[thread % WARP], value, (size_t)bytes);
  for (int t = warp * WARP; t < (warp + 1) * WARP; ++t) {
    while (!emulator.fibers[t].is_done && emulator.fibers[t].exchanges < exchanges) {
      yield();
    }
  }
  return round;
}

__attribute__((constructor)) static void start(void) {
  void *page = mmap((void *)GENIE_EMULATOR_ADDRESS, 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  emulator.stacks = mmap(NULL, (size_t)MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char *memory = mmap(NULL, GENIE_EMULATOR_MAX_CLUSTER * shared_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (page == MAP_FAILED || emulator.stacks == MAP_FAILED || memory == MAP_FAILED) {
    fprintf(stderr, "cuda emulator: no memory\n");
    abort();
  }
  emulator.shared = page;
  emulator.memory = memory;
  *emulator.shared = (genie_emulator_t){.shared = memory,
                                        .run_blocks = run_blocks,
                                        .block_barrier = block_barrier,
                                        .warp_exchange = warp_exchange,
                                        .cluster_barrier = cluster_barrier,
                                        .cluster_address = cluster_address};
}
