#include "runtime/device/cpu/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/device/cpu/cpu_quota.h"

// What a thread is told and tells. The caller offers a share; the thread takes it, or the caller takes it back when it
// is done with its own first: a thread that sleeps, or that the scheduler runs something else in place of, delays
// nobody.
typedef enum share_state {
  SHARE_NONE,     // set by whoever ends a share
  SHARE_OFFERED,  // by the caller
  SHARE_TAKEN,    // by the thread
  SHARE_END,      // by the destructor: the thread returns
} share_state_t;

// Each thread has a mailbox of its own: it never looks at work that is not for it, and a range wakes only as many
// threads as it uses.
typedef struct pool_thread {
  _Alignas(64) atomic_uint share;  // share_state_t
  atomic_uint is_asleep;
  genie_thread_pool_t *pool;
  uint32_t worker;  // 1 .. worker_count - 1
  int cpu;          // to which it is pinned; kNoCpu: it floats. The constructor's, then of whoever holds is_busy
  pthread_t handle;
} pool_thread_t;

enum { kNoCpu = -1, kMaxCpus = 8192 };

struct genie_thread_pool {
  genie_allocator_t allocator;
  uint32_t worker_count;
  uint32_t started_count;  // threads that exist; differs from worker_count - 1 in a failed constructor only
  _Alignas(64) atomic_flag is_busy;
  int free_cpu;    // of the pool's CPUs, the one to which no thread is pinned; kNoCpu: threads float
  int caller_cpu;  // where the last caller was
  // Written by the caller before it offers shares; read by the threads that took one.
  _Alignas(64) genie_thread_pool_work_t work;
  uint32_t participant_count;
  _Alignas(64) atomic_uint pending_count;  // shares that are neither finished nor taken back, without the caller's
  atomic_uint is_caller_asleep;
  pool_thread_t threads[];
};

// Some 50 us: longer than the executor needs from one launch to the next, shorter than a scheduler's time slice.
enum { kSpinCount = 1500 };

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  atomic_signal_fence(memory_order_seq_cst);
#endif
}

// Sleeps while *word == value; may return early.
static void futex_wait(atomic_uint *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// A kernel is code from a plan: it has no type record in front of it for the sanitizer to compare.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
static void run_share(const genie_thread_pool_work_t *work, uint32_t worker, uint32_t participant_count) {
  // The first `remainder` shares have one task more; no product that could overflow.
  const int64_t quotient = work->task_count / participant_count;
  const int64_t remainder = work->task_count % participant_count;
  const int64_t begin = quotient * worker + (worker < remainder ? worker : remainder);
  const int64_t end = begin + quotient + (worker < remainder ? 1 : 0);
  const genie_kernel_frame_t frame = {
      .args = work->args, .dims = work->dims, .scratch = work->scratch + worker * work->scratch_stride_bytes};
  work->kernel(&frame, begin, end);
}

static bool has_share(const pool_thread_t *thread) {
  const uint32_t share = atomic_load_explicit(&thread->share, memory_order_relaxed);
  return share == SHARE_OFFERED || share == SHARE_END;
}

static void wait_for_share(pool_thread_t *thread) {
  for (int i = 0; i < kSpinCount; ++i) {
    if (has_share(thread)) {
      return;
    }
    pause_briefly();
  }
  // The caller sets the share before it reads is_asleep, this thread sets is_asleep before it reads the share; all in
  // one total order, so that one of them sees the other.
  atomic_store(&thread->is_asleep, 1);
  while (atomic_load(&thread->share) == SHARE_NONE) {
    futex_wait(&thread->share, SHARE_NONE);
  }
  atomic_store_explicit(&thread->is_asleep, 0, memory_order_relaxed);
}

static bool take_share(pool_thread_t *thread, share_state_t taken_as) {
  uint32_t expected = SHARE_OFFERED;
  return atomic_compare_exchange_strong_explicit(&thread->share, &expected, taken_as, memory_order_acq_rel,
                                                 memory_order_relaxed);
}

static void *thread_main(void *argument) {
  pool_thread_t *thread = argument;
  genie_thread_pool_t *pool = thread->pool;
  for (;;) {
    wait_for_share(thread);
    if (take_share(thread, SHARE_TAKEN)) {
      run_share(&pool->work, thread->worker, pool->participant_count);
      atomic_store_explicit(&thread->share, SHARE_NONE, memory_order_relaxed);
      if (atomic_fetch_sub(&pool->pending_count, 1) == 1 && atomic_load(&pool->is_caller_asleep) != 0) {
        futex_wake(&pool->pending_count);
      }
    } else if (atomic_load_explicit(&thread->share, memory_order_acquire) == SHARE_END) {
      return NULL;
    }
  }
}

static void set_share(pool_thread_t *thread, share_state_t share) {
  atomic_store(&thread->share, share);
  if (atomic_load(&thread->is_asleep) != 0) {
    futex_wake(&thread->share);
  }
}

// Does what no thread has begun.
static void take_shares_back(genie_thread_pool_t *pool) {
  for (uint32_t worker = pool->participant_count - 1; worker > 0; --worker) {
    if (take_share(&pool->threads[worker - 1], SHARE_NONE)) {
      run_share(&pool->work, worker, pool->participant_count);
      atomic_fetch_sub_explicit(&pool->pending_count, 1, memory_order_relaxed);
    }
  }
}

static void wait_for_participants(genie_thread_pool_t *pool) {
  for (int i = 0; i < kSpinCount; ++i) {
    if (atomic_load_explicit(&pool->pending_count, memory_order_acquire) == 0) {
      return;
    }
    pause_briefly();
  }
  atomic_store(&pool->is_caller_asleep, 1);
  for (uint32_t pending = atomic_load(&pool->pending_count); pending != 0;
       pending = atomic_load(&pool->pending_count)) {
    futex_wait(&pool->pending_count, pending);
  }
  atomic_store_explicit(&pool->is_caller_asleep, 0, memory_order_relaxed);
}

static void pin_thread(pthread_t handle, int cpu) {
  union {
    cpu_set_t first;
    char bytes[CPU_ALLOC_SIZE(kMaxCpus)];
  } mask;
  memset(&mask, 0, sizeof(mask));
  CPU_SET_S((size_t)cpu, sizeof(mask), &mask.first);
  // A CPU that went away since, or a sandbox that forbids it: the thread floats, which is correct and only slower.
  (void)pthread_setaffinity_np(handle, sizeof(mask), &mask.first);
}

// Before shares are offered, so that the thread of the caller's CPU begins its share on another.
static void leave_cpu_of_caller(genie_thread_pool_t *pool) {
  const int cpu = sched_getcpu();
  if (pool->free_cpu == kNoCpu || cpu == pool->caller_cpu) {
    return;
  }
  pool->caller_cpu = cpu;
  for (uint32_t i = 0; i < pool->started_count; ++i) {
    pool_thread_t *thread = &pool->threads[i];
    if (thread->cpu == cpu) {
      pin_thread(thread->handle, pool->free_cpu);
      thread->cpu = pool->free_cpu;
      pool->free_cpu = cpu;
      return;
    }
  }
}

static uint32_t participants_of(const genie_thread_pool_t *pool, const genie_thread_pool_work_t *work) {
  const int64_t least_tasks = work->least_tasks < 1 ? 1 : work->least_tasks;
  const int64_t useful_count = work->task_count / least_tasks;
  return useful_count < 1 ? 1 : useful_count < pool->worker_count ? (uint32_t)useful_count : pool->worker_count;
}

void genie_thread_pool_run(genie_thread_pool_t *pool, const genie_thread_pool_work_t *work) {
  if (work->task_count <= 0) {
    return;
  }
  const uint32_t participant_count = participants_of(pool, work);
  if (participant_count == 1 || atomic_flag_test_and_set_explicit(&pool->is_busy, memory_order_acquire)) {
    run_share(work, 0, 1);
    return;
  }
  leave_cpu_of_caller(pool);
  pool->work = *work;
  pool->participant_count = participant_count;
  atomic_store_explicit(&pool->pending_count, participant_count - 1, memory_order_relaxed);
  for (uint32_t worker = 1; worker < participant_count; ++worker) {
    set_share(&pool->threads[worker - 1], SHARE_OFFERED);
  }
  run_share(work, 0, participant_count);
  take_shares_back(pool);
  wait_for_participants(pool);
  atomic_flag_clear_explicit(&pool->is_busy, memory_order_release);
}

uint32_t genie_thread_pool_worker_count(const genie_thread_pool_t *pool) {
  return pool->worker_count;
}

typedef struct cpu_list {
  uint32_t count;
  uint16_t ids[kMaxCpus];
} cpu_list_t;

// The CPU that the calling thread is on goes first: it is the caller's, as far as the scheduler leaves it there.
static void put_current_cpu_first(cpu_list_t *list) {
  const int current = sched_getcpu();
  for (uint32_t i = 1; i < list->count; ++i) {
    if (list->ids[i] == current) {
      list->ids[i] = list->ids[0];
      list->ids[0] = (uint16_t)current;
      return;
    }
  }
}

// The CPUs that the calling thread may use; at least one, with id 0 when the system does not say.
static void list_usable_cpus(cpu_list_t *out_list) {
  union {
    cpu_set_t first;
    char bytes[CPU_ALLOC_SIZE(kMaxCpus)];
  } mask;
  memset(&mask, 0, sizeof(mask));
  out_list->count = 0;
  if (sched_getaffinity(0, sizeof(mask), &mask.first) == 0) {
    for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
      if (CPU_ISSET_S(cpu, sizeof(mask), &mask.first)) {
        out_list->ids[out_list->count++] = (uint16_t)cpu;
      }
    }
  }
  if (out_list->count == 0) {
    out_list->ids[out_list->count++] = 0;
  }
  put_current_cpu_first(out_list);
}

static genie_status_t start_thread(genie_thread_pool_t *pool, uint32_t worker, const cpu_list_t *cpus) {
  pool_thread_t *thread = &pool->threads[worker - 1];
  thread->pool = pool;
  thread->worker = worker;
  const int error = pthread_create(&thread->handle, NULL, thread_main, thread);
  if (error != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no thread %u of %u: %s", worker + 1,
                             pool->worker_count, strerror(error));
  }
  ++pool->started_count;
  thread->cpu = pool->free_cpu == kNoCpu ? kNoCpu : cpus->ids[worker];
  if (thread->cpu != kNoCpu) {
    pin_thread(thread->handle, thread->cpu);
  }
  return GENIE_OK;
}

// Signals belong to the process's own threads: the pool's are made with all of them blocked.
static genie_status_t start_threads(genie_thread_pool_t *pool, const cpu_list_t *cpus) {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  genie_status_t status = GENIE_OK;
  for (uint32_t worker = 1; worker < pool->worker_count && status == GENIE_OK; ++worker) {
    status = start_thread(pool, worker, cpus);
  }
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  return status;
}

static uint32_t default_worker_count(const cpu_list_t *cpus) {
  const uint32_t quota = genie_cpu_quota_get();
  const uint32_t count = quota != 0 && quota < cpus->count ? quota : cpus->count;
  return count < GENIE_THREAD_POOL_MAX_WORKERS ? count : GENIE_THREAD_POOL_MAX_WORKERS;
}

genie_status_t genie_thread_pool_create(uint32_t worker_count, genie_allocator_t allocator,
                                        genie_thread_pool_t **out_pool) {
  cpu_list_t cpus;
  list_usable_cpus(&cpus);
  if (worker_count == 0) {
    worker_count = default_worker_count(&cpus);
  }
  if (worker_count > GENIE_THREAD_POOL_MAX_WORKERS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%u threads: at most %d are supported", worker_count,
                             GENIE_THREAD_POOL_MAX_WORKERS);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(
      allocator, sizeof(genie_thread_pool_t) + (worker_count - 1) * sizeof(pool_thread_t), 1, &memory));
  genie_thread_pool_t *pool = memory;
  pool->allocator = allocator;
  pool->worker_count = worker_count;
  atomic_flag_clear(&pool->is_busy);
  pool->free_cpu = pool->caller_cpu = worker_count <= cpus.count ? cpus.ids[0] : kNoCpu;
  const genie_status_t status = start_threads(pool, &cpus);
  if (status != GENIE_OK) {
    genie_thread_pool_destroy(pool);
    return status;
  }
  *out_pool = pool;
  return GENIE_OK;
}

void genie_thread_pool_destroy(genie_thread_pool_t *pool) {
  if (pool == NULL) {
    return;
  }
  for (uint32_t i = 0; i < pool->started_count; ++i) {
    set_share(&pool->threads[i], SHARE_END);
  }
  for (uint32_t i = 0; i < pool->started_count; ++i) {
    pthread_join(pool->threads[i].handle, NULL);
  }
  genie_allocator_free(pool->allocator, pool);
}
