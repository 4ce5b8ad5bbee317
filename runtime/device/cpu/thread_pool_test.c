#include "runtime/device/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { kScratchBytes = 64, kMostTasks = 1000, kMostWorkers = 7 };

typedef struct recorded_work {
  atomic_int visits[kMostTasks];
  atomic_int call_count;
  atomic_int is_scratch_shared;
} recorded_work_t;

// Marks its scratch as taken for the time of the call, and each of its tasks as done once more.
static void record(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  recorded_work_t *work = frame->args[0];
  atomic_int *owner = frame->scratch;
  if (atomic_fetch_add(owner, 1) != 0) {
    atomic_store(&work->is_scratch_shared, 1);
  }
  atomic_fetch_add(&work->call_count, 1);
  for (int64_t i = begin; i < end; ++i) {
    atomic_fetch_add(&work->visits[i], 1);
  }
  atomic_fetch_sub(owner, 1);
}

static genie_thread_pool_t *create_pool(uint32_t worker_count) {
  genie_thread_pool_t *pool = NULL;
  assert_int_equal(genie_thread_pool_create(worker_count, genie_allocator_heap(), &pool), GENIE_OK);
  return pool;
}

static void run_recorded(genie_thread_pool_t *pool, recorded_work_t *recorded, uint8_t *scratch, int64_t task_count,
                         int64_t least_tasks) {
  void *args[] = {recorded};
  const genie_thread_pool_work_t work = {.kernel = record,
                                         .args = args,
                                         .scratch = scratch,
                                         .scratch_stride_bytes = kScratchBytes,
                                         .task_count = task_count,
                                         .least_tasks = least_tasks};
  genie_thread_pool_run(pool, &work);
}

static void test_every_task_runs_exactly_once(void **state) {
  (void)state;
  static const int64_t kTaskCounts[] = {0, 1, 2, 3, 7, 8, 63, kMostTasks};
  for (uint32_t worker_count = 1; worker_count <= kMostWorkers; ++worker_count) {
    genie_thread_pool_t *pool = create_pool(worker_count);
    for (size_t c = 0; c < sizeof(kTaskCounts) / sizeof(kTaskCounts[0]); ++c) {
      static recorded_work_t recorded;
      _Alignas(64) uint8_t scratch[kMostWorkers * kScratchBytes] = {0};
      memset(&recorded, 0, sizeof(recorded));
      run_recorded(pool, &recorded, scratch, kTaskCounts[c], 1);
      for (int64_t i = 0; i < kMostTasks; ++i) {
        assert_int_equal(atomic_load(&recorded.visits[i]), i < kTaskCounts[c]);
      }
      assert_int_equal(atomic_load(&recorded.is_scratch_shared), 0);
    }
    genie_thread_pool_destroy(pool);
  }
}

static void test_few_tasks_use_few_threads(void **state) {
  (void)state;
  genie_thread_pool_t *pool = create_pool(4);
  static const struct {
    int64_t task_count, least_tasks;
    int call_count;
  } kCases[] = {{100, 1, 4}, {100, 50, 2}, {100, 51, 1}, {100, 1000, 1}, {3, 1, 3}, {100, 0, 4}, {100, -5, 4}};
  for (size_t c = 0; c < sizeof(kCases) / sizeof(kCases[0]); ++c) {
    static recorded_work_t recorded;
    _Alignas(64) uint8_t scratch[4 * kScratchBytes] = {0};
    memset(&recorded, 0, sizeof(recorded));
    run_recorded(pool, &recorded, scratch, kCases[c].task_count, kCases[c].least_tasks);
    assert_int_equal(atomic_load(&recorded.call_count), kCases[c].call_count);
  }
  genie_thread_pool_destroy(pool);
}

static void test_threads_wake_after_sleep(void **state) {
  (void)state;
  genie_thread_pool_t *pool = create_pool(3);
  for (int round = 0; round < 20; ++round) {
    static recorded_work_t recorded;
    _Alignas(64) uint8_t scratch[3 * kScratchBytes] = {0};
    memset(&recorded, 0, sizeof(recorded));
    usleep(2000);
    run_recorded(pool, &recorded, scratch, 9, 1);
    assert_int_equal(atomic_load(&recorded.call_count), 3);
  }
  genie_thread_pool_destroy(pool);
}

static void *run_many(void *argument) {
  genie_thread_pool_t *pool = argument;
  for (int round = 0; round < 500; ++round) {
    recorded_work_t recorded;
    _Alignas(64) uint8_t scratch[4 * kScratchBytes] = {0};
    memset(&recorded, 0, sizeof(recorded));
    run_recorded(pool, &recorded, scratch, 17, 1);
    for (int i = 0; i < 17; ++i) {
      if (atomic_load(&recorded.visits[i]) != 1) {
        return argument;
      }
    }
  }
  return NULL;
}

static void test_callers_share_a_pool(void **state) {
  (void)state;
  genie_thread_pool_t *pool = create_pool(4);
  pthread_t callers[3];
  for (int i = 0; i < 3; ++i) {
    assert_int_equal(pthread_create(&callers[i], NULL, run_many, pool), 0);
  }
  for (int i = 0; i < 3; ++i) {
    void *failed = NULL;
    pthread_join(callers[i], &failed);
    assert_null(failed);
  }
  genie_thread_pool_destroy(pool);
}

// Where the two shares of a range ran: each waits until the other has begun, so that no thread does both.
typedef struct meeting {
  atomic_int begun_count;
  int cpus[2];
} meeting_t;

static void meet(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  meeting_t *meeting = frame->args[0];
  (void)end;
  meeting->cpus[begin] = sched_getcpu();
  atomic_fetch_add(&meeting->begun_count, 1);
  while (atomic_load(&meeting->begun_count) < 2) {
    sched_yield();
  }
}

static void run_on_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void test_a_thread_leaves_the_cpu_that_the_caller_comes_to(void **state) {
  (void)state;
  cpu_set_t usable;
  assert_int_equal(sched_getaffinity(0, sizeof(usable), &usable), 0);
  if (CPU_COUNT(&usable) < 2) {
    skip();
  }
  genie_thread_pool_t *pool = create_pool(2);
  for (int round = 0; round < 10; ++round) {
    meeting_t meeting = {0};
    void *args[] = {&meeting};
    static uint8_t scratch[2];
    const genie_thread_pool_work_t work = {
        .kernel = meet, .args = args, .scratch = scratch, .scratch_stride_bytes = 1, .task_count = 2};
    genie_thread_pool_run(pool, &work);
    if (round > 0) {
      assert_int_not_equal(meeting.cpus[0], meeting.cpus[1]);
    }
    run_on_cpu(meeting.cpus[1]);
  }
  genie_thread_pool_destroy(pool);
  assert_int_equal(sched_setaffinity(0, sizeof(usable), &usable), 0);
}

static void test_too_many_workers_are_refused(void **state) {
  (void)state;
  genie_thread_pool_t *pool = NULL;
  const genie_status_t status =
      genie_thread_pool_create(GENIE_THREAD_POOL_MAX_WORKERS + 1, genie_allocator_heap(), &pool);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  assert_null(pool);
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_task_runs_exactly_once),
      cmocka_unit_test(test_few_tasks_use_few_threads),
      cmocka_unit_test(test_threads_wake_after_sleep),
      cmocka_unit_test(test_callers_share_a_pool),
      cmocka_unit_test(test_too_many_workers_are_refused),
      cmocka_unit_test(test_a_thread_leaves_the_cpu_that_the_caller_comes_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
