// The CUDA device on a driver of our own (fake_cuda.h): every path that a GPU takes, and those that a sound GPU does
// not. Given a path, it runs on that driver instead: `cuda_device_test libcuda.so.1` on a machine with a GPU; tests
// that ask the fake are then left out.
#include "runtime/device/cuda/cuda_device.h"

#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "genie/dtype.h"
#include "runtime/device/cuda/fake_cublaslt.h"
#include "runtime/device/cuda/fake_cuda.h"
#include "runtime/plan/library_call.h"
#include "tests/support/cuda_example.h"

#include <cmocka.h>

static const char *driver_path = FAKE_CUDA_PATH;
static fake_cuda_state_t *fake;  // NULL on a real driver

// The kernels of the module, which are numbered as they are named.
static const genie_cuda_example_kernel_t kKernels[] = {GENIE_CUDA_EXAMPLE_FILL, GENIE_CUDA_EXAMPLE_COUNT,
                                                       GENIE_CUDA_EXAMPLE_FAULT};

enum { kKernelCount = 3, kCount = 1000, kBytes = kCount * sizeof(int64_t) };

typedef struct fixture {
  genie_device_t *device;
  genie_device_module_t *module;
  genie_device_stream_t *stream;
  genie_device_memory_t memory;
  genie_cuda_example_t example;
  int64_t host[kCount];
} fixture_t;

static void assert_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_true(status == GENIE_OK);
}

static void assert_refused(genie_status_t status, genie_status_code_t code, const char *part) {
  assert_string_equal(genie_status_code_name(genie_status_code(status)), genie_status_code_name(code));
  if (strstr(genie_status_message(status), part) == NULL) {
    print_error("'%s' is not in: %s\n", part, genie_status_message(status));
    fail();
  }
  genie_status_free(status);
}

static genie_status_t open_device(const genie_device_options_t *options, genie_device_t **out_device) {
  static const genie_device_options_t kDefaults = {0};
  return genie_cuda_device_open(driver_path, options == NULL ? &kDefaults : options, genie_allocator_heap(),
                                out_device);
}

static genie_status_t load(genie_device_t *device, const genie_cuda_example_t *example,
                           genie_device_module_t **out_module) {
  return device->ops->module_load(device, example->code, example->code_bytes, example->offsets, kKernelCount, 0,
                                  out_module);
}

static int set_up(void **state) {
  static fixture_t fixture;
  fixture = (fixture_t){0};
  *state = &fixture;
  assert_ok(genie_cuda_example_make(NULL, kKernels, kKernelCount, &fixture.example));
  assert_ok(open_device(NULL, &fixture.device));
  assert_ok(load(fixture.device, &fixture.example, &fixture.module));
  assert_ok(fixture.device->ops->stream_create(fixture.device, &fixture.stream));
  assert_ok(fixture.device->ops->memory_allocate(fixture.device, kBytes, &fixture.memory));
  return 0;
}

static int tear_down(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  device->ops->memory_free(device, &fixture->memory);
  device->ops->stream_destroy(device, fixture->stream);
  device->ops->module_unload(device, fixture->module);
  genie_device_destroy(device);
  genie_allocator_free(genie_allocator_heap(), fixture->example.code);
  if (fake != NULL) {
    assert_int_equal(fake->contexts, 0);
    assert_int_equal(fake->allocations, 0);
    assert_int_equal(fake->mappings, 0);
    assert_int_equal(fake->streams, 0);
    assert_int_equal(fake->events, 0);
    assert_int_equal(fake->modules, 0);
    assert_int_equal(fake->graphs, 0);
    assert_int_equal(fake->registrations, 0);
    assert_int_equal(fake->context_depth, 0);
  }
  return 0;
}

static genie_status_t launch(const fixture_t *fixture, uint32_t kernel, int64_t dim, int64_t task_count) {
  void *args[] = {fixture->memory.address};
  const genie_device_launch_t record = {
      .kernel = kernel, .args = args, .dims = &dim, .arg_count = 1, .dim_count = 1, .task_count = task_count};
  return fixture->device->ops->launch(fixture->device, fixture->stream, fixture->module, &record);
}

static void read_back(fixture_t *fixture) {
  genie_device_t *device = fixture->device;
  assert_ok(device->ops->copy(device, fixture->stream, fixture->host, fixture->memory.address, kBytes));
  assert_ok(device->ops->stream_synchronize(device, fixture->stream));
}

// ---- What a device does ----

static void test_a_kernel_gets_addresses_and_dims(void **state) {
  fixture_t *fixture = *state;
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_FILL, 40, kCount));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, 10));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, 0));
  read_back(fixture);
  for (int64_t i = 0; i < kCount; ++i) {
    assert_int_equal(fixture->host[i], 40 + i + (i < 10));
  }
  if (fake != NULL) {
    assert_int_equal(fake->last_parameter_bytes, 16);
  }
}

static void test_a_graph_replays_what_was_enqueued(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_stream_t *other = NULL;
  genie_device_event_t *forked = NULL, *joined = NULL;
  genie_device_graph_t *graph = NULL;
  assert_ok(device->ops->stream_create(device, &other));
  assert_ok(device->ops->event_create(device, &forked));
  assert_ok(device->ops->event_create(device, &joined));
  assert_ok(device->ops->graph_begin(device, fixture->stream));
  assert_ok(device->ops->event_record(device, fixture->stream, forked));
  assert_ok(device->ops->event_wait(device, other, forked));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, kCount));
  assert_ok(device->ops->event_record(device, other, joined));
  assert_ok(device->ops->event_wait(device, fixture->stream, joined));
  assert_ok(device->ops->graph_end(device, fixture->stream, &graph));
  read_back(fixture);
  assert_int_equal(fixture->host[7], 0);  // a captured launch does not run
  for (int i = 0; i < 5; ++i) {
    assert_ok(device->ops->graph_launch(device, fixture->stream, graph));
  }
  read_back(fixture);
  assert_int_equal(fixture->host[7], 5);
  device->ops->graph_destroy(device, graph);
  device->ops->event_destroy(device, forked);
  device->ops->event_destroy(device, joined);
  device->ops->stream_destroy(device, other);
}

static void test_time_passes_between_events(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_event_t *begin = NULL, *end = NULL;
  uint64_t elapsed_ns = 0;
  assert_ok(device->ops->event_create(device, &begin));
  assert_ok(device->ops->event_create(device, &end));
  assert_ok(device->ops->event_stamp(device, fixture->stream, begin));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, kCount));
  assert_ok(device->ops->event_stamp(device, fixture->stream, end));
  assert_ok(device->ops->stream_synchronize(device, fixture->stream));
  assert_ok(device->ops->event_elapsed(device, begin, end, &elapsed_ns));
  assert_true(elapsed_ns > 0);
  device->ops->event_destroy(device, begin);
  device->ops->event_destroy(device, end);
}

static void test_registered_memory_is_copied_in_a_graph(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_graph_t *graph = NULL;
  int64_t *host = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(host != MAP_FAILED);
  assert_ok(device->ops->host_register(device, host, 1 << 16));
  assert_ok(device->ops->graph_begin(device, fixture->stream));
  assert_ok(device->ops->copy(device, fixture->stream, fixture->memory.address, host, kBytes));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, kCount));
  assert_ok(device->ops->copy(device, fixture->stream, host, fixture->memory.address, kBytes));
  assert_ok(device->ops->graph_end(device, fixture->stream, &graph));
  for (int64_t round = 1; round < 4; ++round) {
    host[3] = 100 * round;
    assert_ok(device->ops->graph_launch(device, fixture->stream, graph));
    assert_ok(device->ops->stream_synchronize(device, fixture->stream));
    assert_int_equal(host[3], 100 * round + 1);
  }
  device->ops->graph_destroy(device, graph);
  device->ops->host_unregister(device, host);
  munmap(host, 1 << 16);
}

// Small ones by a kernel, which is only seen from outside by what it leaves alone.
static void test_copies_in_a_graph_move_any_number_of_bytes(void **state) {
  static const uint64_t kSizes[] = {1, 15, 16, 17, 4096, 8191};
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  uint8_t *host = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint8_t *device_bytes = fixture->memory.address;
  const int kernels_before = fake == NULL ? 0 : fake->copy_kernel_count;
  assert_true(host != MAP_FAILED);
  assert_ok(device->ops->host_register(device, host, 1 << 16));
  for (size_t i = 0; i < sizeof(kSizes) / sizeof(kSizes[0]); ++i) {
    genie_device_graph_t *graph = NULL;
    const uint64_t bytes = kSizes[i] < kBytes ? kSizes[i] : kBytes;
    memset(host, (int)i + 1, 1 << 15);
    memset(host + (1 << 15), 0, 1 << 15);
    assert_ok(device->ops->graph_begin(device, fixture->stream));
    assert_ok(device->ops->copy(device, fixture->stream, device_bytes, host, bytes));
    assert_ok(device->ops->copy(device, fixture->stream, host + (1 << 15), device_bytes, bytes));
    assert_ok(device->ops->graph_end(device, fixture->stream, &graph));
    assert_ok(device->ops->graph_launch(device, fixture->stream, graph));
    assert_ok(device->ops->stream_synchronize(device, fixture->stream));
    assert_memory_equal(host, host + (1 << 15), bytes);
    assert_int_equal(host[(1 << 15) + bytes], 0);
    device->ops->graph_destroy(device, graph);
  }
  if (fake != NULL) {
    assert_int_equal(fake->copy_kernel_count - kernels_before, 2 * sizeof(kSizes) / sizeof(kSizes[0]));
  }
  device->ops->host_unregister(device, host);
  munmap(host, 1 << 16);
}

static void test_memory_is_shared_by_a_file(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_memory_t imported = {0};
  int file = -1;
  assert_ok(device->ops->memory_export(device, &fixture->memory, &file));
  assert_ok(device->ops->memory_import(device, file, kBytes, &imported));
  close(file);
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_FILL, 9, kCount));
  assert_ok(device->ops->copy(device, fixture->stream, fixture->host, imported.address, kBytes));
  assert_ok(device->ops->stream_synchronize(device, fixture->stream));
  assert_int_equal(fixture->host[5], 14);
  device->ops->memory_free(device, &imported);
}

static void test_features_are_the_architectures_before(void **state) {
  const fixture_t *fixture = *state;
  char own[16];
  const int architecture = ((const genie_cuda_device_t *)fixture->device)->architecture;
  (void)snprintf(own, sizeof(own), "sm_%d", architecture);
  assert_non_null(strstr(fixture->device->features, own));
  assert_non_null(strstr(fixture->device->features, "sm_70"));
  assert_null(strstr(fixture->device->features, "sm_999"));
}

// ---- Code ----

static int count_files(const char *directory) {
  DIR *stream = opendir(directory);
  int count = 0;
  for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
    count += entry->d_name[0] != '.';
  }
  closedir(stream);
  return count;
}

static void damage_files(const char *directory) {
  DIR *stream = opendir(directory);
  for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
    FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r+b");
    if (file != NULL) {
      fseek(file, 60, SEEK_SET);
      fputc('?', file);
      fclose(file);
    }
  }
  closedir(stream);
}

static void remove_files(const char *directory) {
  char command[300];
  (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
  assert_int_equal(system(command), 0);
}

static void load_once(const char *cache_directory, const genie_cuda_example_t *example) {
  const genie_device_options_t options = {.cache_directory = cache_directory};
  genie_device_t *device = NULL;
  genie_device_module_t *module = NULL;
  assert_ok(open_device(&options, &device));
  assert_ok(load(device, example, &module));
  device->ops->module_unload(device, module);
  genie_device_destroy(device);
}

static void test_compiled_code_is_kept(void **state) {
  const fixture_t *fixture = *state;
  char root[] = "/tmp/genie-cuda-cache-XXXXXX";
  char directory[64];
  assert_non_null(mkdtemp(root));
  (void)snprintf(directory, sizeof(directory), "%s/a/b", root);
  const int before = fake == NULL ? 0 : fake->compile_count;
  load_once(directory, &fixture->example);
  assert_int_equal(count_files(directory), 1);
  load_once(directory, &fixture->example);
  if (fake != NULL) {
    assert_int_equal(fake->compile_count, before + 1);
  }
  damage_files(directory);
  load_once(directory, &fixture->example);  // damaged code is compiled anew
  if (fake != NULL) {
    assert_int_equal(fake->compile_count, before + 2);
  }
  assert_int_equal(chmod(directory, 0777), 0);  // a folder that others write is not written to
  remove_files(root);
}

static void test_bad_code_is_refused_with_the_compilers_words(void **state) {
  const fixture_t *fixture = *state;
  genie_cuda_example_t example;
  genie_device_module_t *module = NULL;
  assert_ok(genie_cuda_example_make(".version 7.0\nthis is not PTX\n", kKernels, kKernelCount, &example));
  assert_refused(load(fixture->device, &example, &module), GENIE_STATUS_FAILED_PRECONDITION, "ptxas");
  assert_null(module);
  genie_allocator_free(genie_allocator_heap(), example.code);
}

static void test_a_missing_kernel_is_named(void **state) {
  const fixture_t *fixture = *state;
  genie_cuda_example_t example;
  genie_device_module_t *module = NULL;
  assert_ok(genie_cuda_example_make(
      ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry fill(.param .align 8 .b8 p[16]) { ret; }\n",
      kKernels, kKernelCount, &example));
  assert_refused(load(fixture->device, &example, &module), GENIE_STATUS_INVALID_ARGUMENT, "'count'");
  genie_allocator_free(genie_allocator_heap(), example.code);
}

static void test_what_is_no_image_is_refused(void **state) {
  const fixture_t *fixture = *state;
  genie_device_module_t *module = NULL;
  const uint64_t offset = 8;
  _Alignas(8) static const char kBytes[200] = "GCUDAIMGbut not really";
  genie_status_t status =
      fixture->device->ops->module_load(fixture->device, kBytes, sizeof(kBytes), &offset, 1, 0, &module);
  assert_int_not_equal(genie_status_code(status), GENIE_STATUS_OK);
  genie_status_free(status);
  assert_null(module);
}

static void test_a_launch_that_cannot_be_is_refused(void **state) {
  const fixture_t *fixture = *state;
  assert_refused(launch(fixture, 99, 0, 1), GENIE_STATUS_INVALID_ARGUMENT, "kernel 99");
  assert_refused(launch(fixture, 0, 0, (int64_t)1 << 32), GENIE_STATUS_INVALID_ARGUMENT, "blocks");
  const genie_device_launch_t record = {.arg_count = 5000, .task_count = 1};
  assert_refused(fixture->device->ops->launch(fixture->device, fixture->stream, fixture->module, &record),
                 GENIE_STATUS_INVALID_ARGUMENT, "32760 bytes");
}

// ---- What goes wrong ----

static void test_too_much_memory_is_refused_with_what_is_free(void **state) {
  const fixture_t *fixture = *state;
  genie_device_memory_t memory = {0};
  const genie_device_ops_t *ops = fixture->device->ops;
  assert_refused(ops->memory_allocate(fixture->device, (uint64_t)1 << 42, &memory), GENIE_STATUS_RESOURCE_EXHAUSTED,
                 "free");
  assert_refused(ops->memory_allocate(fixture->device, UINT64_MAX, &memory), GENIE_STATUS_RESOURCE_EXHAUSTED, "more");
  assert_null(memory.address);
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_FILL, 0, 1));  // the device goes on
}

static void test_a_missing_library_is_named(void **state) {
  const fixture_t *fixture = *state;
  if (fake == NULL) {
    skip();
  }
  int64_t dims[32] = {0};
  void *args[3] = {0};
  const genie_device_launch_t record = {.args = args, .dims = dims, .arg_count = 3, .dim_count = 18};
  assert_refused(fixture->device->ops->library_call(fixture->device, fixture->stream, "cublaslt.matmul", &record),
                 GENIE_STATUS_FAILED_PRECONDITION, "libcublasLt.so.13");
  assert_refused(fixture->device->ops->library_call(fixture->device, fixture->stream, "cudnn.conv", &record),
                 GENIE_STATUS_INVALID_ARGUMENT, "dims");
}

// ---- Calls of a library, whose kernels may start early ----

static fake_cublaslt_state_t *blas;
static int copy_kernels_at_matmul;

static void note_matmul(void) {
  copy_kernels_at_matmul = fake->copy_kernel_count;
}

static int set_up_with_library(void **state) {
  static fixture_t fixture;
  fixture = (fixture_t){0};
  *state = &fixture;
  void *library = dlopen(FAKE_CUBLASLT_PATH, RTLD_NOW | RTLD_LOCAL);
  assert_non_null(library);
  blas = dlsym(library, "fake_cublaslt_state");
  assert_non_null(blas);
  blas->on_matmul = note_matmul;
  copy_kernels_at_matmul = -1;
  const genie_device_options_t options = {.library_path = FAKE_CUBLASLT_FOLDER};
  assert_ok(open_device(&options, &fixture.device));
  assert_ok(fixture.device->ops->stream_create(fixture.device, &fixture.stream));
  assert_ok(fixture.device->ops->memory_allocate(fixture.device, kBytes, &fixture.memory));
  return 0;
}

static int tear_down_with_library(void **state) {
  fake->early_edges = fake->whole_edges = 0;
  tear_down(state);
  assert_int_equal(blas->objects, 0);
  return 0;
}

static genie_status_t multiply(const fixture_t *fixture, genie_device_stream_t *stream) {
  int64_t dims[GENIE_LIBRARY_MATMUL_DIM_COUNT] = {
      [GENIE_LIBRARY_MATMUL_BATCH] = 1,
      [GENIE_LIBRARY_MATMUL_M] = 2,
      [GENIE_LIBRARY_MATMUL_N] = 2,
      [GENIE_LIBRARY_MATMUL_K] = 2,
      [GENIE_LIBRARY_MATMUL_A_ROW_STRIDE] = 2,
      [GENIE_LIBRARY_MATMUL_B_ROW_STRIDE] = 2,
      [GENIE_LIBRARY_MATMUL_D_ROW_STRIDE] = 2,
      [GENIE_LIBRARY_MATMUL_TYPE] = GENIE_DTYPE_F32,
      [GENIE_LIBRARY_MATMUL_D_TYPE] = GENIE_DTYPE_F32,
  };
  void *args[] = {fixture->memory.address, fixture->memory.address, fixture->memory.address};
  const genie_device_launch_t record = {
      .args = args, .dims = dims, .arg_count = 3, .dim_count = GENIE_LIBRARY_MATMUL_DIM_COUNT};
  return fixture->device->ops->library_call(fixture->device, stream, "cublaslt.matmul", &record);
}

static void capture_product(const fixture_t *fixture, genie_device_graph_t **out_graph) {
  const genie_device_ops_t *ops = fixture->device->ops;
  assert_ok(ops->graph_begin(fixture->device, fixture->stream));
  assert_ok(multiply(fixture, fixture->stream));
  assert_ok(ops->graph_end(fixture->device, fixture->stream, out_graph));
}

static void test_in_a_graph_that_calls_a_library_every_kernel_waits(void **state) {
  const fixture_t *fixture = *state;
  genie_device_graph_t *graph = NULL;
  fake->early_edges = 3;
  fake->whole_edges = 2;
  capture_product(fixture, &graph);
  assert_true(copy_kernels_at_matmul >= 0);  // the library was called
  assert_int_equal(fake->early_edges, 0);
  assert_int_equal(fake->whole_edges, 5);
  fixture->device->ops->graph_destroy(fixture->device, graph);
}

static void test_in_a_graph_without_libraries_kernels_start_early(void **state) {
  const fixture_t *fixture = *state;
  const genie_device_ops_t *ops = fixture->device->ops;
  genie_device_graph_t *graph = NULL;
  fake->early_edges = 3;
  assert_ok(ops->graph_begin(fixture->device, fixture->stream));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_COUNT, 0, kCount));
  assert_ok(ops->graph_end(fixture->device, fixture->stream, &graph));
  assert_int_equal(fake->early_edges, 3);
  fake->early_edges = 0;
  ops->graph_destroy(fixture->device, graph);
}

static void test_a_graph_that_cannot_be_ordered_is_an_error(void **state) {
  const fixture_t *fixture = *state;
  const genie_device_ops_t *ops = fixture->device->ops;
  static const char *const kCalls[] = {"cuGraphGetEdges_v2", "cuGraphRemoveDependencies_v2",
                                       "cuGraphAddDependencies_v2"};
  for (size_t i = 0; i < sizeof(kCalls) / sizeof(kCalls[0]); ++i) {
    genie_device_graph_t *graph = NULL;
    fake->early_edges = 1;
    fake->failing_call = kCalls[i];
    fake->failing_result = 999;
    assert_ok(ops->graph_begin(fixture->device, fixture->stream));
    assert_ok(multiply(fixture, fixture->stream));
    assert_refused(ops->graph_end(fixture->device, fixture->stream, &graph), GENIE_STATUS_INTERNAL, "graph");
    assert_null(graph);
  }
}

// The first product has no kernel of ours to wait by: it waits by the host.
static void test_outside_of_graphs_a_library_is_called_behind_a_fence(void **state) {
  const fixture_t *fixture = *state;
  const genie_device_ops_t *ops = fixture->device->ops;
  fake->failing_call = "cuStreamSynchronize";
  fake->failing_result = 999;
  assert_refused(multiply(fixture, fixture->stream), GENIE_STATUS_INTERNAL, "waiting for the device");
  assert_int_equal(copy_kernels_at_matmul, -1);
  void *host = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(host != MAP_FAILED);
  assert_ok(ops->host_register(fixture->device, host, 1 << 16));
  const int before = fake->copy_kernel_count, programmatic_before = fake->programmatic_count;
  assert_ok(multiply(fixture, fixture->stream));
  assert_int_equal(copy_kernels_at_matmul, before + 1);
  assert_int_equal(fake->programmatic_count, programmatic_before);  // the fence itself does not start early
  ops->host_unregister(fixture->device, host);
  munmap(host, 1 << 16);
}

// Of a stream that joined the capture by an event too: its edges wait, and the host cannot.
static void test_every_stream_of_a_graph_calls_libraries_without_a_fence(void **state) {
  const fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  const genie_device_ops_t *ops = device->ops;
  genie_device_stream_t *other = NULL;
  genie_device_event_t *forked = NULL, *joined = NULL;
  genie_device_graph_t *graph = NULL;
  assert_ok(ops->stream_create(device, &other));
  assert_ok(ops->event_create(device, &forked));
  assert_ok(ops->event_create(device, &joined));
  assert_ok(ops->graph_begin(device, fixture->stream));
  assert_ok(ops->event_record(device, fixture->stream, forked));
  assert_ok(ops->event_wait(device, other, forked));
  assert_ok(multiply(fixture, other));
  assert_ok(ops->event_record(device, other, joined));
  assert_ok(ops->event_wait(device, fixture->stream, joined));
  assert_ok(ops->graph_end(device, fixture->stream, &graph));
  assert_true(copy_kernels_at_matmul >= 0);
  ops->graph_destroy(device, graph);
  ops->event_destroy(device, forked);
  ops->event_destroy(device, joined);
  ops->stream_destroy(device, other);
}

// Last on a real device, whose context ends for the process.
static void test_a_fault_ends_the_context(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *other = NULL, *again = NULL;
  genie_device_memory_t memory = {0};
  assert_ok(open_device(NULL, &other));
  assert_ok(launch(fixture, GENIE_CUDA_EXAMPLE_FAULT, 0, 1));
  assert_refused(fixture->device->ops->stream_synchronize(fixture->device, fixture->stream), GENIE_STATUS_ABORTED,
                 "beyond repair");
  assert_refused(launch(fixture, GENIE_CUDA_EXAMPLE_FILL, 0, 1), GENIE_STATUS_ABORTED, "beyond repair");
  assert_refused(other->ops->memory_allocate(other, 100, &memory), GENIE_STATUS_ABORTED, "beyond repair");
  genie_device_destroy(other);
  // A new device of the same GPU has the same context.
  const genie_status_t opened = open_device(NULL, &again);
  if (opened == GENIE_OK) {
    assert_refused(again->ops->memory_allocate(again, 100, &memory), GENIE_STATUS_ABORTED, "this process has to end");
    genie_device_destroy(again);
  } else {
    assert_refused(opened, GENIE_STATUS_ABORTED, "this process has to end");
  }
}

static void test_every_failing_call_is_an_error(void **state) {
  fixture_t *fixture = *state;
  genie_device_t *device = fixture->device;
  genie_device_memory_t memory = {0};
  genie_device_graph_t *graph = NULL;
  static const char *const kAllocationCalls[] = {"cuMemCreate", "cuMemAddressReserve", "cuMemMap", "cuMemSetAccess",
                                                 "cuMemsetD8Async"};
  for (size_t i = 0; i < sizeof(kAllocationCalls) / sizeof(kAllocationCalls[0]); ++i) {
    fake->failing_call = kAllocationCalls[i];
    fake->failing_result = CU_ERROR_OUT_OF_MEMORY;
    assert_refused(device->ops->memory_allocate(device, 5000, &memory), GENIE_STATUS_RESOURCE_EXHAUSTED, "cuda0");
    assert_int_equal(fake->allocations, 1);
    assert_int_equal(fake->mappings, 1);
  }
  fake->failing_result = 999;
  fake->failing_call = "cuLaunchKernelEx";
  assert_refused(launch(fixture, GENIE_CUDA_EXAMPLE_FILL, 0, 1), GENIE_STATUS_INTERNAL, "999");
  fake->failing_call = "cuMemcpyAsync";
  assert_refused(device->ops->copy(device, fixture->stream, fixture->memory.address, fixture->host, 8),
                 GENIE_STATUS_INTERNAL, "a copy");
  fake->failing_call = "cuStreamEndCapture";
  assert_ok(device->ops->graph_begin(device, fixture->stream));
  assert_refused(device->ops->graph_end(device, fixture->stream, &graph), GENIE_STATUS_INTERNAL, "graph");
  fake->failing_call = "cuGraphUpload";
  assert_ok(device->ops->graph_begin(device, fixture->stream));
  assert_refused(device->ops->graph_end(device, fixture->stream, &graph), GENIE_STATUS_INTERNAL, "graph");
  assert_int_equal(fake->graphs, 0);
}

// ---- What a machine lacks ----

static void test_a_machine_without_driver_is_told(void **state) {
  (void)state;
  genie_device_t *device = NULL;
  const genie_device_options_t options = {0};
  assert_refused(genie_cuda_device_open("libno_such_driver.so.1", &options, genie_allocator_heap(), &device),
                 GENIE_STATUS_FAILED_PRECONDITION, "no NVIDIA driver");
  assert_refused(genie_cuda_device_open("libc.so.6", &options, genie_allocator_heap(), &device),
                 GENIE_STATUS_FAILED_PRECONDITION, "cuInit");
  assert_null(device);
}

static void test_an_old_driver_and_no_gpu_are_told(void **state) {
  (void)state;
  genie_device_t *device = NULL;
  const genie_device_options_t beyond = {.ordinal = 2};
  const fake_cuda_state_t before = *fake;
  assert_refused(open_device(&beyond, &device), GENIE_STATUS_NOT_FOUND, "2 GPUs");
  fake->version = 12020;  // the last that is too old
  assert_refused(open_device(NULL, &device), GENIE_STATUS_FAILED_PRECONDITION,
                 "is for CUDA 12.2; Genie needs one for CUDA 12.3 or later");
  fake->version = 12030;
  assert_ok(open_device(NULL, &device));
  genie_device_destroy(device);
  device = NULL;
  fake->device_count = 0;
  assert_refused(open_device(NULL, &device), GENIE_STATUS_FAILED_PRECONDITION, "no GPU");
  *fake = before;
  assert_null(device);
}

static void test_devices_are_told_apart(void **state) {
  (void)state;
  genie_device_t *device = NULL, *first = NULL;
  const genie_device_options_t options = {.ordinal = 1};
  assert_ok(open_device(&options, &device));
  assert_ok(open_device(NULL, &first));
  assert_string_equal(((genie_cuda_device_t *)device)->name, "cuda1 (Fake GPU 1)");
  assert_int_equal(((genie_cuda_device_t *)device)->access_count, 2);
  assert_true(genie_device_can_reach(first, device) && genie_device_can_reach(device, first));
  genie_device_destroy(first);
  genie_device_destroy(device);
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_LIBRARY(test) cmocka_unit_test_setup_teardown(test, set_up_with_library, tear_down_with_library)

int main(int argc, char **argv) {
  const struct CMUnitTest on_any[] = {
      WITH_DEVICE(test_a_kernel_gets_addresses_and_dims),
      WITH_DEVICE(test_a_graph_replays_what_was_enqueued),
      WITH_DEVICE(test_time_passes_between_events),
      WITH_DEVICE(test_registered_memory_is_copied_in_a_graph),
      WITH_DEVICE(test_copies_in_a_graph_move_any_number_of_bytes),
      WITH_DEVICE(test_memory_is_shared_by_a_file),
      WITH_DEVICE(test_features_are_the_architectures_before),
      WITH_DEVICE(test_compiled_code_is_kept),
      WITH_DEVICE(test_bad_code_is_refused_with_the_compilers_words),
      WITH_DEVICE(test_a_missing_kernel_is_named),
      WITH_DEVICE(test_what_is_no_image_is_refused),
      WITH_DEVICE(test_a_launch_that_cannot_be_is_refused),
      WITH_DEVICE(test_too_much_memory_is_refused_with_what_is_free),
      WITH_DEVICE(test_a_missing_library_is_named),
      cmocka_unit_test(test_a_machine_without_driver_is_told),
      WITH_DEVICE(test_a_fault_ends_the_context),
  };
  const struct CMUnitTest on_fake[] = {
      WITH_DEVICE(test_every_failing_call_is_an_error),
      WITH_DEVICE(test_in_a_graph_without_libraries_kernels_start_early),
      WITH_LIBRARY(test_in_a_graph_that_calls_a_library_every_kernel_waits),
      WITH_LIBRARY(test_a_graph_that_cannot_be_ordered_is_an_error),
      WITH_LIBRARY(test_outside_of_graphs_a_library_is_called_behind_a_fence),
      WITH_LIBRARY(test_every_stream_of_a_graph_calls_libraries_without_a_fence),
      cmocka_unit_test(test_an_old_driver_and_no_gpu_are_told),
      cmocka_unit_test(test_devices_are_told_apart),
  };
  if (argc > 1) {
    driver_path = argv[1];
    return cmocka_run_group_tests_name("cuda", on_any, NULL, NULL);
  }
  void *library = dlopen(driver_path, RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  fake = dlsym(library, "fake_cuda_state");
  return cmocka_run_group_tests_name("cuda", on_any, NULL, NULL) +
         cmocka_run_group_tests_name("cuda failures", on_fake, NULL, NULL);
}
