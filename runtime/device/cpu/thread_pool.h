// A pool of pinned threads for fork-join work: the caller forks a range, works on its share, and joins.
//
// One range runs at a time, in contiguous shares. A caller that is done with its share does those that no thread has
// begun. A caller that finds the pool busy with another's range works through its own alone, so that callers never wait
// for each other. Between ranges the threads spin for some tens of microseconds and then sleep. genie_thread_pool_run()
// takes no lock and allocates nothing.
//
// Each thread is pinned to a CPU of its own; the caller goes where the scheduler puts it. A caller that comes to a
// thread's CPU sends that thread to the CPU that the pool leaves free, so that the two do not take turns on one.
#ifndef GENIE_RUNTIME_DEVICE_CPU_THREAD_POOL_H_
#define GENIE_RUNTIME_DEVICE_CPU_THREAD_POOL_H_

#include "runtime/base/allocator.h"
#include "runtime/base/kernel_frame.h"

typedef struct genie_thread_pool genie_thread_pool_t;

// Tasks of one kernel, and the private memory of each worker: worker i has `scratch + i * scratch_stride_bytes`.
typedef struct genie_thread_pool_work {
  genie_kernel_fn_t kernel;
  void *const *args;
  const int64_t *dims;
  uint8_t *scratch;
  uint64_t scratch_stride_bytes;
  int64_t task_count;
  int64_t least_tasks;  // a worker is used for at least this many tasks; below 1 reads as 1
} genie_thread_pool_work_t;

enum { GENIE_THREAD_POOL_MAX_WORKERS = 1024 };

// A pool of `worker_count` workers: the caller of genie_thread_pool_run() and worker_count - 1 threads. 0: one worker a
// CPU of the calling thread's affinity mask, but no more than the process's CPU quota (cpu_quota.h). Threads are
// pinned, one a CPU, unless there are more workers than CPUs. OUT_OF_RANGE: more than GENIE_THREAD_POOL_MAX_WORKERS.
// RESOURCE_EXHAUSTED: the system gives no more threads.
genie_status_t genie_thread_pool_create(uint32_t worker_count, genie_allocator_t allocator,
                                        genie_thread_pool_t **out_pool) GENIE_MUST_USE;

// Ends the threads; accepts NULL. No range is running.
void genie_thread_pool_destroy(genie_thread_pool_t *pool);

uint32_t genie_thread_pool_worker_count(const genie_thread_pool_t *pool);

// Runs all tasks of `work`, each exactly once, as contiguous ranges, and returns when the last has finished. Its
// effects are visible to the caller, and the caller's earlier effects to the tasks. Thread-safe; a work's scratch is
// used by one call at a time.
void genie_thread_pool_run(genie_thread_pool_t *pool, const genie_thread_pool_work_t *work);

#endif  // GENIE_RUNTIME_DEVICE_CPU_THREAD_POOL_H_
