// The host side of emulator.h: threads of a block as fibers that change places at barriers and exchanges. Linked into a
// test, or preloaded into a program that runs a plan for the target "cuda:emulated".
#include "codegen/templates/cuda/emulator.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "codegen/templates/template.h"

enum { MAX_THREADS = 1024, STACK_BYTES = 256 << 10, WARP = 32, LANE_BYTES = 64 };

typedef struct fiber {
  void *stack_pointer;
  bool is_done;
  int barriers, exchanges;  // that it has come to
} fiber_t;

static struct {
  pthread_mutex_t lock;
  genie_emulator_t *shared;
  char *stacks;
  fiber_t fibers[MAX_THREADS];
  int threads, running;
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

static void run_block(genie_emulator_thread_fn_t function, const void *frame, int threads, int64_t block) {
  pthread_mutex_lock(&emulator.lock);
  emulator.function = function;
  emulator.frame = frame;
  emulator.threads = threads;
  emulator.shared->block = (int)block;
  memset(emulator.shared->shared, 0xff, 4096);  // contents are undefined: NaN shows who reads them
  for (int t = 0; t < threads; ++t) {
    prepare_fiber(t);
  }
  for (int left = threads; left > 0;) {
    for (int t = 0; t < threads; ++t) {
      fiber_t *fiber = &emulator.fibers[t];
      if (!fiber->is_done) {
        emulator.running = emulator.shared->thread = t;
        change_stack(&emulator.scheduler, fiber->stack_pointer);
        left -= fiber->is_done;
      }
    }
  }
  pthread_mutex_unlock(&emulator.lock);
}

static void block_barrier(void) {
  const int barriers = ++emulator.fibers[emulator.running].barriers;
  for (int t = 0; t < emulator.threads; ++t) {
    while (!emulator.fibers[t].is_done && emulator.fibers[t].barriers < barriers) {
      yield();
    }
  }
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
  const size_t shared_bytes = (size_t)GENIE_EMULATOR_SLOTS * GENIE_EMULATOR_SLOT_BYTES + GENIE_EMULATOR_DYNAMIC_BYTES;
  void *page = mmap((void *)GENIE_EMULATOR_ADDRESS, 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  emulator.stacks = mmap(NULL, (size_t)MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char *shared = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || emulator.stacks == MAP_FAILED || shared == MAP_FAILED) {
    fprintf(stderr, "cuda emulator: no memory\n");
    abort();
  }
  emulator.shared = page;
  *emulator.shared = (genie_emulator_t){
      .shared = shared, .run_block = run_block, .block_barrier = block_barrier, .warp_exchange = warp_exchange};
}
