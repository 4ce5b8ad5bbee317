// The steady path of a run allocates nothing and takes no lock: the linker redirects every such call here (--wrap),
// where it is counted.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "genie/genie.h"
#include "tests/support/sample_plan.h"

#include <cmocka.h>

static atomic_int allocation_count;
static atomic_int lock_count;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  atomic_fetch_add(&allocation_count, 1);
  return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
  atomic_fetch_add(&allocation_count, 1);
  return __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_realloc(void *pointer, size_t size) {
  atomic_fetch_add(&allocation_count, 1);
  return __real_realloc(pointer, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add(&allocation_count, 1);
  return __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  atomic_fetch_add(&allocation_count, 1);
  return __real_mmap(address, length, protection, flags, file, offset);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
  atomic_fetch_add(&lock_count, 1);
  return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
  atomic_fetch_add(&lock_count, 1);
  return __real_pthread_cond_wait(condition, mutex);
}

// Every entry, on one place and on two, at sizes that change from call to call, with the caller's memory and the
// session's, aligned and not.
static int run_all(genie_session_t *session) {
  _Alignas(64) static float x[32];
  _Alignas(64) static float y[32];
  int failure_count = 0;
  for (int i = 0; i < 100; ++i) {
    const genie_tensor_t matrix = {.data = x + i % 2, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {2, 3}};
    const genie_tensor_t rows = {.data = x, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {1 + i % 8, 3}};
    const genie_tensor_t vector = {.data = x, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
    genie_tensor_t given = {.data = y + i % 2, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {2, 3}};
    failure_count += genie_session_run(session, SAMPLE_STATIC, &matrix, 1, &given, 1) != GENIE_OK;
    failure_count += genie_session_run(session, SAMPLE_DYNAMIC, &rows, 1, &(genie_tensor_t){0}, 1) != GENIE_OK;
    failure_count += genie_session_run(session, SAMPLE_COUNT, &vector, 1, &(genie_tensor_t){0}, 1) != GENIE_OK;
    genie_tensor_t two[2] = {0};
    failure_count += genie_session_run(session, SAMPLE_FAR, &rows, 1, two, 2) != GENIE_OK;
  }
  return failure_count;
}

static void test_a_run_allocates_nothing_and_takes_no_lock(void **state) {
  (void)state;
  char path[64];
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  const genie_session_options_t options = {.thread_count = 2};
  snprintf(path, sizeof(path), "/tmp/genie-steady-path-test-%d.gplan", (int)getpid());
  assert_int_equal(genie_sample_plan_write(path, &(genie_sample_options_t){.has_places = true}), GENIE_OK);
  assert_int_equal(genie_model_open(path, NULL, &model), GENIE_OK);
  assert_int_equal(genie_session_create(model, &options, &session), GENIE_OK);
  assert_true(atomic_load(&allocation_count) > 0);  // the redirection works

  const int allocations_before = atomic_load(&allocation_count);
  const int locks_before = atomic_load(&lock_count);
  const int failure_count = run_all(session);
  const int allocations = atomic_load(&allocation_count) - allocations_before;
  const int locks = atomic_load(&lock_count) - locks_before;
  assert_int_equal(failure_count, 0);
  assert_int_equal(allocations, 0);
  assert_int_equal(locks, 0);

  genie_session_destroy(session);
  genie_model_close(model);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_run_allocates_nothing_and_takes_no_lock)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
