// Two processes on one GPU: what one allocates the other maps, by a file descriptor sent over a socket, and both see
// what a kernel of either writes. Without a GPU it says so and passes.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/device/device.h"
#include "tests/support/cuda_example.h"

enum { kCount = 1 << 20, kBytes = kCount * sizeof(int64_t), kWithoutGpu = 77 };

typedef struct gpu {
  genie_device_t *device;
  genie_device_stream_t *stream;
  genie_device_module_t *module;
} gpu_t;

static const char *who = "exporter";

static void require(genie_status_t status) {
  if (status != GENIE_OK) {
    printf("%s: %s\n", who, genie_status_message(status));
    exit(genie_status_code(status) == GENIE_STATUS_FAILED_PRECONDITION ? kWithoutGpu : 1);
  }
}

static void require_that(bool is_so, const char *what) {
  if (!is_so) {
    printf("%s: %s\n", who, what);
    exit(1);
  }
}

static gpu_t open_gpu(void) {
  static const genie_cuda_example_kernel_t kKernels[] = {GENIE_CUDA_EXAMPLE_FILL, GENIE_CUDA_EXAMPLE_COUNT};
  gpu_t gpu = {0};
  genie_cuda_example_t example;
  require(genie_device_create("cuda", NULL, genie_allocator_heap(), &gpu.device));
  require(genie_cuda_example_make(NULL, kKernels, 2, &example));
  require(
      gpu.device->ops->module_load(gpu.device, example.code, example.code_bytes, example.offsets, 2, 0, &gpu.module));
  genie_allocator_free(genie_allocator_heap(), example.code);
  require(gpu.device->ops->stream_create(gpu.device, &gpu.stream));
  return gpu;
}

static void close_gpu(gpu_t *gpu) {
  gpu->device->ops->stream_destroy(gpu->device, gpu->stream);
  gpu->device->ops->module_unload(gpu->device, gpu->module);
  genie_device_destroy(gpu->device);
}

// Kernel 0 writes dim + i, kernel 1 adds 1.
static void launch(const gpu_t *gpu, uint32_t kernel, void *address, int64_t dim) {
  const genie_device_launch_t launch = {
      .kernel = kernel, .args = &address, .dims = &dim, .arg_count = 1, .dim_count = 1, .task_count = kCount};
  require(gpu->device->ops->launch(gpu->device, gpu->stream, gpu->module, &launch));
  require(gpu->device->ops->stream_synchronize(gpu->device, gpu->stream));
}

static void send_file(int socket, int file) {
  char byte = 0;
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(header), &file, sizeof(file));
  require_that(sendmsg(socket, &message, 0) == 1, "the descriptor is not sent");
}

static int receive_file(int socket) {
  char byte = 0;
  int file = -1;
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
  if (recvmsg(socket, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) {
    exit(kWithoutGpu);  // the other process has said why
  }
  memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(file));
  return file;
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

// Reads what the exporter's kernel wrote, then adds 1 to it.
static int run_importer(int socket) {
  static int64_t values[kCount];
  who = "importer";
  const int file = receive_file(socket);
  gpu_t gpu = open_gpu();
  genie_device_memory_t memory = {0};
  const double begin_ms = now_ms();
  require(gpu.device->ops->memory_import(gpu.device, file, kBytes, &memory));
  printf("imported in %.2f ms\n", now_ms() - begin_ms);
  close(file);
  require(gpu.device->ops->copy(gpu.device, gpu.stream, values, memory.address, kBytes));
  require(gpu.device->ops->stream_synchronize(gpu.device, gpu.stream));
  for (int64_t i = 0; i < kCount; ++i) {
    require_that(values[i] == 1000 + i, "reads other values than were written");
  }
  launch(&gpu, 1, memory.address, 0);
  require_that(write(socket, "", 1) == 1, "the exporter is gone");
  gpu.device->ops->memory_free(gpu.device, &memory);
  close_gpu(&gpu);
  return 0;
}

static void run_exporter(int socket) {
  static int64_t values[kCount];
  gpu_t gpu = open_gpu();
  genie_device_memory_t memory = {0};
  int file = -1;
  char byte = 0;
  require(gpu.device->ops->memory_allocate(gpu.device, kBytes, &memory));
  launch(&gpu, 0, memory.address, 1000);
  require(gpu.device->ops->memory_export(gpu.device, &memory, &file));
  send_file(socket, file);
  close(file);
  require_that(read(socket, &byte, 1) == 1, "the importer is gone");
  require(gpu.device->ops->copy(gpu.device, gpu.stream, values, memory.address, kBytes));
  require(gpu.device->ops->stream_synchronize(gpu.device, gpu.stream));
  for (int64_t i = 0; i < kCount; ++i) {
    require_that(values[i] == 1001 + i, "does not see what the importer wrote");
  }
  gpu.device->ops->memory_free(gpu.device, &memory);
  close_gpu(&gpu);
}

int main(void) {
  int sockets[2];
  int status = 0;
  setbuf(stdout, NULL);
  require_that(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "no sockets");
  const pid_t child = fork();  // before either opens the driver
  if (child == 0) {
    close(sockets[0]);
    return run_importer(sockets[1]);
  }
  close(sockets[1]);
  run_exporter(sockets[0]);
  require_that(waitpid(child, &status, 0) == child && status == 0, "the importer failed");
  printf("two processes share memory\n");
  return 0;
}
