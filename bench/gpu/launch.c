// What the host pays to launch a graph: launch [RUNS], on the first GPU of this machine.
//
// One line a graph: kernels that do next to nothing, with and without copies from and to registered host memory, time
// stamps, and a host that has walked through other memory since the last launch. Medians, in microseconds: of the call
// that launches, and of that and the wait for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/device/device.h"
#include "tests/support/cuda_example.h"

enum { kMostRuns = 1000, kMovedBytes = 2 << 20, kWalkedBytes = 64 << 20, kWithoutGpu = 77 };

typedef struct gpu {
  genie_device_t *device;
  genie_device_stream_t *stream;
  genie_device_module_t *module;
  genie_device_event_t *events[2];
  genie_device_memory_t memory;
  uint8_t *host;    // registered
  uint8_t *walked;  // not
} gpu_t;

typedef struct graph_case {
  const char *name;
  uint32_t kernel_count;
  uint64_t upload_bytes, download_bytes;
  bool has_stamps;
  bool is_apart;          // copies are enqueued beside a graph of kernels
  uint32_t walked_bytes;  // of other memory that the host writes before each launch
  uint32_t copy_count;    // pieces of the upload
} graph_case_t;

static const graph_case_t kCases[] = {
    {.name = "1 kernel", .kernel_count = 1},
    {.name = "80 kernels", .kernel_count = 80},
    {.name = "160 kernels", .kernel_count = 160},
    {.name = "1 kernel, cold host", .kernel_count = 1, .walked_bytes = 64 << 20},
    {.name = "160 kernels, host walked through 4 MiB", .kernel_count = 160, .walked_bytes = 4 << 20},
    {.name = "160 kernels, cold host", .kernel_count = 160, .walked_bytes = 64 << 20},
    {.name = "80 kernels, 64 B in", .kernel_count = 80, .upload_bytes = 64},
    {.name = "80 kernels, 64 B out", .kernel_count = 80, .download_bytes = 64},
    {.name = "80 kernels, 64 B in and out", .kernel_count = 80, .upload_bytes = 64, .download_bytes = 64},
    {.name = "80 kernels, 5 x 64 B in", .kernel_count = 80, .upload_bytes = 64 * 5, .copy_count = 5},
    {.name = "80 kernels, 256 KiB out", .kernel_count = 80, .upload_bytes = 64, .download_bytes = 256 << 10},
    {.name = "80 kernels, 1 MiB in and out", .kernel_count = 80, .upload_bytes = 1 << 20, .download_bytes = 1 << 20},
    {.name = "80 kernels, 2 MiB in and out, by the copy engine",
     .kernel_count = 80,
     .upload_bytes = 2 << 20,
     .download_bytes = 2 << 20},
    {.name = "80 kernels, stamps", .kernel_count = 80, .has_stamps = true},
    {.name = "80 kernels, stamps, 64 B in and out",
     .kernel_count = 80,
     .upload_bytes = 64,
     .download_bytes = 64,
     .has_stamps = true},
    {.name = "80 kernels, stamps, 64 B in and out, cold host",
     .kernel_count = 80,
     .upload_bytes = 64,
     .download_bytes = 64,
     .has_stamps = true,
     .walked_bytes = 64 << 20},
    {.name = "80 kernels, 64 B in and out, cold host",
     .kernel_count = 80,
     .upload_bytes = 64,
     .download_bytes = 64,
     .walked_bytes = 64 << 20},
    {.name = "80 kernels, 64 B in and out beside it",
     .kernel_count = 80,
     .upload_bytes = 64,
     .download_bytes = 64,
     .is_apart = true},
    {.name = "80 kernels, 64 B in and out beside it, cold host",
     .kernel_count = 80,
     .upload_bytes = 64,
     .download_bytes = 64,
     .is_apart = true,
     .walked_bytes = 64 << 20},
};

static void require(genie_status_t status) {
  if (status != GENIE_OK) {
    printf("%s\n", genie_status_message(status));
    exit(genie_status_code(status) == GENIE_STATUS_FAILED_PRECONDITION ? kWithoutGpu : 1);
  }
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *map(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    printf("no host memory\n");
    exit(1);
  }
  return memory;
}

static void open_gpu(gpu_t *gpu) {
  static const genie_cuda_example_kernel_t kKernels[] = {GENIE_CUDA_EXAMPLE_COUNT};
  genie_cuda_example_t example;
  require(genie_device_create("cuda", NULL, genie_allocator_heap(), &gpu->device));
  const genie_device_ops_t *ops = gpu->device->ops;
  require(genie_cuda_example_make(NULL, kKernels, 1, &example));
  require(ops->module_load(gpu->device, example.code, example.code_bytes, example.offsets, 1, 0, &gpu->module));
  genie_allocator_free(genie_allocator_heap(), example.code);
  require(ops->stream_create(gpu->device, &gpu->stream));
  require(ops->event_create(gpu->device, &gpu->events[0]));
  require(ops->event_create(gpu->device, &gpu->events[1]));
  require(ops->memory_allocate(gpu->device, kMovedBytes, &gpu->memory));
  gpu->host = map(kMovedBytes);
  gpu->walked = map(kWalkedBytes);
  require(ops->host_register(gpu->device, gpu->host, kMovedBytes));
}

static void close_gpu(gpu_t *gpu) {
  const genie_device_ops_t *ops = gpu->device->ops;
  ops->host_unregister(gpu->device, gpu->host);
  munmap(gpu->host, kMovedBytes);
  munmap(gpu->walked, kWalkedBytes);
  ops->memory_free(gpu->device, &gpu->memory);
  ops->event_destroy(gpu->device, gpu->events[0]);
  ops->event_destroy(gpu->device, gpu->events[1]);
  ops->stream_destroy(gpu->device, gpu->stream);
  ops->module_unload(gpu->device, gpu->module);
  genie_device_destroy(gpu->device);
}

static void upload(const gpu_t *gpu, const graph_case_t *which) {
  const uint32_t pieces = which->copy_count == 0 ? 1 : which->copy_count;
  const uint64_t bytes = which->upload_bytes / pieces;
  for (uint32_t i = 0; i < pieces; ++i) {
    // Apart from each other, as tensors are.
    const uint64_t offset = i * (uint64_t)8192;
    require(gpu->device->ops->copy(gpu->device, gpu->stream, (uint8_t *)gpu->memory.address + offset,
                                   gpu->host + offset, bytes));
  }
}

static void download(const gpu_t *gpu, const graph_case_t *which) {
  require(gpu->device->ops->copy(gpu->device, gpu->stream, gpu->host, gpu->memory.address, which->download_bytes));
}

static void enqueue_kernels(const gpu_t *gpu, const graph_case_t *which) {
  void *address = gpu->memory.address;
  int64_t dim = 0;
  const genie_device_launch_t launch = {
      .kernel = 0, .args = &address, .dims = &dim, .arg_count = 1, .dim_count = 1, .task_count = 1};
  for (uint32_t i = 0; i < which->kernel_count; ++i) {
    require(gpu->device->ops->launch(gpu->device, gpu->stream, gpu->module, &launch));
  }
}

static genie_device_graph_t *make_graph(const gpu_t *gpu, const graph_case_t *which) {
  const genie_device_ops_t *ops = gpu->device->ops;
  genie_device_graph_t *graph = NULL;
  require(ops->graph_begin(gpu->device, gpu->stream));
  if (!which->is_apart) {
    upload(gpu, which);
  }
  if (which->has_stamps) {
    require(ops->event_stamp(gpu->device, gpu->stream, gpu->events[0]));
  }
  enqueue_kernels(gpu, which);
  if (which->has_stamps) {
    require(ops->event_stamp(gpu->device, gpu->stream, gpu->events[1]));
  }
  if (!which->is_apart) {
    download(gpu, which);
  }
  require(ops->graph_end(gpu->device, gpu->stream, &graph));
  require(ops->stream_synchronize(gpu->device, gpu->stream));
  return graph;
}

static int compare(const void *a, const void *b) {
  const uint64_t lhs = *(const uint64_t *)a, rhs = *(const uint64_t *)b;
  return lhs > rhs ? 1 : lhs < rhs ? -1 : 0;
}

static double median_us(uint64_t *ns, uint32_t count) {
  qsort(ns, count, sizeof(*ns), compare);
  return (double)ns[count / 2] / 1e3;
}

static void measure(const gpu_t *gpu, const graph_case_t *which, uint32_t run_count) {
  static uint64_t launch_ns[kMostRuns], whole_ns[kMostRuns];
  const genie_device_ops_t *ops = gpu->device->ops;
  genie_device_graph_t *graph = make_graph(gpu, which);
  for (uint32_t i = 0; i < run_count + 5; ++i) {
    memset(gpu->walked, (int)i, which->walked_bytes);
    const uint64_t begin = now_ns();
    if (which->is_apart) {
      upload(gpu, which);
    }
    require(ops->graph_launch(gpu->device, gpu->stream, graph));
    if (which->is_apart) {
      download(gpu, which);
    }
    const uint64_t launched = now_ns();
    require(ops->stream_synchronize(gpu->device, gpu->stream));
    if (i >= 5) {
      launch_ns[i - 5] = launched - begin;
      whole_ns[i - 5] = now_ns() - begin;
    }
  }
  ops->graph_destroy(gpu->device, graph);
  printf("%-52s launch %7.2f us, with the wait %8.2f us\n", which->name, median_us(launch_ns, run_count),
         median_us(whole_ns, run_count));
}

int main(int argc, char **argv) {
  const long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
  const uint32_t run_count = wanted < 1 ? 1 : wanted > kMostRuns ? kMostRuns : (uint32_t)wanted;
  gpu_t gpu = {0};
  open_gpu(&gpu);
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    measure(&gpu, &kCases[i], run_count);
  }
  close_gpu(&gpu);
  return 0;
}
