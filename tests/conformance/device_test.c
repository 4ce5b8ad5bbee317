// What every device promises (runtime/device/device.h), on each device that this build has. A device that computes is
// also asked for results; the null device executes nothing.
#include "runtime/device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/cuda_example.h"

#include <cmocka.h>

// ---- A module: two functions of this program, in a section of their own. Optimised code could refer to constants
// outside of it. ----

#define KERNEL                                                                                                       \
  __attribute__((section("genie_conformance_kernels"), used, noinline, optnone, no_sanitize("address", "undefined"), \
                 disable_sanitizer_instrumentation)) static void

// args[0][i] = dims[0] + i.
KERNEL fill_kernel(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  int64_t *out = frame->args[0];
  for (int64_t i = begin; i < end; ++i) {
    out[i] = frame->dims[0] + i;
  }
}

// Writes all of its scratch, then args[0][i] = how often task i ran.
KERNEL scratch_kernel(const genie_kernel_frame_t *frame, int64_t begin, int64_t end) {
  int64_t *out = frame->args[0];
  volatile uint8_t *scratch = frame->scratch;
  for (int64_t i = 0; i < frame->dims[0]; ++i) {
    scratch[i] = 1;
  }
  for (int64_t i = begin; i < end; ++i) {
    out[i] += scratch[frame->dims[0] - 1];
  }
}

extern const uint8_t __start_genie_conformance_kernels[];
extern const uint8_t __stop_genie_conformance_kernels[];

enum { FILL = 0, SCRATCH = 1, KERNEL_COUNT = 2, kScratchBytes = 10000 };

typedef struct fixture {
  genie_device_t *device;
  genie_device_module_t *module;
  genie_device_stream_t *stream;
  bool computes;
} fixture_t;

static const char *current_kind;  // of the group that runs

static uint64_t offset_of(genie_kernel_fn_t kernel) {
  return (uint64_t)((const uint8_t *)(uintptr_t)kernel - __start_genie_conformance_kernels);
}

// The same two kernels for a GPU; its kernels have no scratch.
static genie_status_t load_cuda(genie_device_t *device, genie_device_module_t **out_module) {
  static const genie_cuda_example_kernel_t kKernels[KERNEL_COUNT] = {[FILL] = GENIE_CUDA_EXAMPLE_FILL,
                                                                     [SCRATCH] = GENIE_CUDA_EXAMPLE_COUNT};
  genie_cuda_example_t example;
  GENIE_RETURN_IF_ERROR(genie_cuda_example_make(NULL, kKernels, KERNEL_COUNT, &example));
  const genie_status_t status =
      device->ops->module_load(device, example.code, example.code_bytes, example.offsets, KERNEL_COUNT, 0, out_module);
  genie_allocator_free(genie_allocator_heap(), example.code);
  return status;
}

static genie_status_t load(genie_device_t *device, genie_device_module_t **out_module) {
  if (strcmp(device->kind, "cuda") == 0) {
    return load_cuda(device, out_module);
  }
  const uint64_t offsets[KERNEL_COUNT] = {[FILL] = offset_of(fill_kernel), [SCRATCH] = offset_of(scratch_kernel)};
  return device->ops->module_load(device, __start_genie_conformance_kernels,
                                  (uint64_t)(__stop_genie_conformance_kernels - __start_genie_conformance_kernels),
                                  offsets, KERNEL_COUNT, kScratchBytes, out_module);
}

static int set_up(void **state) {
  static const genie_device_options_t kOptions = {.worker_count = 3};
  static fixture_t fixture;
  fixture = (fixture_t){.computes = strcmp(current_kind, "null") != 0};
  *state = &fixture;
  return genie_device_create(current_kind, &kOptions, genie_allocator_heap(), &fixture.device) != GENIE_OK ||
         load(fixture.device, &fixture.module) != GENIE_OK ||
         fixture.device->ops->stream_create(fixture.device, &fixture.stream) != GENIE_OK;
}

static int tear_down(void **state) {
  fixture_t *fixture = *state;
  fixture->device->ops->stream_destroy(fixture->device, fixture->stream);
  fixture->device->ops->module_unload(fixture->device, fixture->module);
  genie_device_destroy(fixture->device);
  return 0;
}

static void assert_refused(genie_status_t status, genie_status_code_t code) {
  assert_int_equal(genie_status_code(status), code);
  assert_true(genie_status_message(status)[0] != '\0');
  genie_status_free(status);
}

static genie_device_memory_t allocate(const fixture_t *fixture, uint64_t size_bytes) {
  genie_device_memory_t memory = {0};
  assert_int_equal(fixture->device->ops->memory_allocate(fixture->device, size_bytes, &memory), GENIE_OK);
  return memory;
}

// What is in device memory, wherever that is.
static const void *read_back(const fixture_t *fixture, const genie_device_memory_t *memory, void *buffer) {
  if (memory->is_host_addressable) {
    return memory->address;
  }
  genie_device_t *device = fixture->device;
  assert_int_equal(device->ops->copy(device, fixture->stream, buffer, memory->address, memory->size_bytes), GENIE_OK);
  assert_int_equal(device->ops->stream_synchronize(device, fixture->stream), GENIE_OK);
  return buffer;
}

static void launch(const fixture_t *fixture, uint32_t kernel, void *argument, int64_t dim, int64_t task_count) {
  void *args[] = {argument};
  const int64_t dims[] = {dim};
  const genie_device_launch_t record = {.kernel = kernel,
                                        .args = args,
                                        .dims = dims,
                                        .arg_count = 1,
                                        .dim_count = 1,
                                        .task_count = task_count,
                                        .least_tasks = 1};
  genie_device_t *device = fixture->device;
  assert_int_equal(device->ops->launch(device, fixture->stream, fixture->module, &record), GENIE_OK);
  assert_int_equal(device->ops->stream_synchronize(device, fixture->stream), GENIE_OK);
}

static void test_a_device_says_what_it_is(void **state) {
  const fixture_t *fixture = *state;
  assert_string_equal(fixture->device->kind, current_kind);
  assert_non_null(fixture->device->features);
  assert_true(fixture->device->worker_count >= 1);
}

static void test_memory_is_aligned_and_zeroed(void **state) {
  const fixture_t *fixture = *state;
  static const uint64_t kSizes[] = {0, 1, 64, 4097, 3 << 20, (8 << 20) + 1};
  static uint8_t buffer[(8 << 20) + 1];
  for (size_t i = 0; i < sizeof(kSizes) / sizeof(kSizes[0]); ++i) {
    genie_device_memory_t memory = allocate(fixture, kSizes[i]);
    assert_non_null(memory.address);
    assert_int_equal(memory.size_bytes, kSizes[i]);
    assert_int_equal((uintptr_t)memory.address % 64, 0);
    const uint8_t *bytes = read_back(fixture, &memory, buffer);
    for (uint64_t at = 0; at < kSizes[i]; ++at) {
      assert_int_equal(bytes[at], 0);
    }
    if (memory.is_host_addressable) {
      memset(memory.address, 0xff, kSizes[i]);
    }
    fixture->device->ops->memory_free(fixture->device, &memory);
    assert_null(memory.address);
    fixture->device->ops->memory_free(fixture->device, &memory);
  }
}

static void test_impossible_memory_is_refused(void **state) {
  const fixture_t *fixture = *state;
  genie_device_memory_t memory = {0};
  assert_refused(fixture->device->ops->memory_allocate(fixture->device, UINT64_MAX - 4096, &memory),
                 GENIE_STATUS_RESOURCE_EXHAUSTED);
  assert_null(memory.address);
}

static void test_every_task_runs_once(void **state) {
  const fixture_t *fixture = *state;
  static const int64_t kTaskCounts[] = {0, 1, 2, 3, 100, 1001};
  static int64_t buffer[1001];
  genie_device_t *device = fixture->device;
  genie_device_memory_t memory = allocate(fixture, sizeof(buffer));
  for (size_t c = 0; c < sizeof(kTaskCounts) / sizeof(kTaskCounts[0]); ++c) {
    assert_int_equal(device->ops->zero(device, fixture->stream, memory.address, memory.size_bytes), GENIE_OK);
    launch(fixture, FILL, memory.address, 7, kTaskCounts[c]);
    const int64_t *values = read_back(fixture, &memory, buffer);
    for (int64_t i = 0; i < 1001; ++i) {
      const int64_t expected = fixture->computes && i < kTaskCounts[c] ? 7 + i : 0;
      assert_int_equal(values[i], expected);
    }
  }
  fixture->device->ops->memory_free(fixture->device, &memory);
}

static void test_each_worker_has_scratch_of_its_own(void **state) {
  const fixture_t *fixture = *state;
  static int64_t buffer[64];
  genie_device_memory_t memory = allocate(fixture, sizeof(buffer));
  for (int round = 1; round <= 20; ++round) {
    launch(fixture, SCRATCH, memory.address, kScratchBytes, 64);
    const int64_t *values = read_back(fixture, &memory, buffer);
    for (int i = 0; i < 64; ++i) {
      assert_int_equal(values[i], fixture->computes ? round : 0);
    }
  }
  fixture->device->ops->memory_free(fixture->device, &memory);
}

static void test_copies_move_bytes(void **state) {
  const fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  static const uint8_t kBytes[100] = {1, 2, 3, [99] = 4};
  uint8_t back[100] = {0};
  genie_device_memory_t memory = allocate(fixture, sizeof(kBytes));
  assert_int_equal(device->ops->copy(device, fixture->stream, memory.address, kBytes, sizeof(kBytes)), GENIE_OK);
  assert_int_equal(device->ops->copy(device, fixture->stream, back, memory.address, sizeof(kBytes)), GENIE_OK);
  assert_int_equal(device->ops->copy(device, fixture->stream, NULL, NULL, 0), GENIE_OK);
  assert_int_equal(device->ops->stream_synchronize(device, fixture->stream), GENIE_OK);
  if (fixture->computes) {
    assert_memory_equal(back, kBytes, sizeof(kBytes));
  }
  device->ops->memory_free(device, &memory);
}

static void test_an_event_orders_streams_again_and_again(void **state) {
  const fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_stream_t *other = NULL;
  genie_device_event_t *event = NULL;
  assert_int_equal(device->ops->stream_create(device, &other), GENIE_OK);
  assert_int_equal(device->ops->event_create(device, &event), GENIE_OK);
  for (int i = 0; i < 3; ++i) {
    assert_int_equal(device->ops->event_record(device, fixture->stream, event), GENIE_OK);
    assert_int_equal(device->ops->event_wait(device, other, event), GENIE_OK);
  }
  assert_int_equal(device->ops->stream_synchronize(device, other), GENIE_OK);
  device->ops->event_destroy(device, event);
  device->ops->stream_destroy(device, other);
}

static void test_a_kernel_outside_the_code_is_refused(void **state) {
  const fixture_t *fixture = *state;
  genie_device_module_t *module = NULL;
  const uint64_t offsets[] = {4};
  _Alignas(8) static const char kCode[] = "code";
  assert_refused(fixture->device->ops->module_load(fixture->device, kCode, 4, offsets, 1, 0, &module),
                 GENIE_STATUS_INVALID_ARGUMENT);
  assert_null(module);
  assert_int_equal(fixture->device->ops->module_load(fixture->device, NULL, 0, NULL, 0, 0, &module), GENIE_OK);
  fixture->device->ops->module_unload(fixture->device, module);
}

static void test_an_unknown_library_function_is_unimplemented(void **state) {
  const fixture_t *fixture = *state;
  const genie_device_launch_t record = {0};
  assert_refused(fixture->device->ops->library_call(fixture->device, fixture->stream, "no_such_function", &record),
                 GENIE_STATUS_UNIMPLEMENTED);
}

static void test_destroy_accepts_nothing(void **state) {
  const fixture_t *fixture = *state;
  fixture->device->ops->module_unload(fixture->device, NULL);
  fixture->device->ops->stream_destroy(fixture->device, NULL);
  fixture->device->ops->event_destroy(fixture->device, NULL);
  genie_device_destroy(NULL);
}

// A machine without what the device needs says so, and that is all there is to test.
static bool is_missing(const char *kind) {
  genie_device_t *device = NULL;
  const genie_status_t status = genie_device_create(kind, NULL, genie_allocator_heap(), &device);
  const bool result = genie_status_code(status) == GENIE_STATUS_FAILED_PRECONDITION;
  if (result) {
    print_message("[ %s is left out: %s ]\n", kind, genie_status_message(status));
  }
  genie_status_free(status);
  genie_device_destroy(device);
  return result;
}

static int run_suite(const char *kind) {
  if (is_missing(kind)) {
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_device_says_what_it_is, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory_is_aligned_and_zeroed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_impossible_memory_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_every_task_runs_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_each_worker_has_scratch_of_its_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_copies_move_bytes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_an_event_orders_streams_again_and_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_kernel_outside_the_code_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_an_unknown_library_function_is_unimplemented, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_destroy_accepts_nothing, set_up, tear_down),
  };
  current_kind = kind;
  return cmocka_run_group_tests_name(kind, tests, NULL, NULL);
}

static void test_an_unknown_kind_names_those_that_exist(void **state) {
  (void)state;
  genie_device_t *device = NULL;
  const genie_status_t status = genie_device_create("abacus", NULL, genie_allocator_heap(), &device);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_NOT_FOUND);
#define GENIE_DEVICE(kind) assert_non_null(strstr(genie_status_message(status), #kind));
#include "runtime/device/device.def"
#undef GENIE_DEVICE
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_unknown_kind_names_those_that_exist)};
  int failure_count = cmocka_run_group_tests_name("registry", tests, NULL, NULL);
#define GENIE_DEVICE(kind) failure_count += run_suite(#kind);
#include "runtime/device/device.def"
#undef GENIE_DEVICE
  return failure_count;
}
