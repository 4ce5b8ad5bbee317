// Copies, and the host memory that the GPU reaches by itself.
//
// A copy by the driver is a node of a graph that the host hands to another engine, at 2 us each, and that kernels wait
// 2 to 5 us for. So in a graph, a small copy from or to registered memory is a kernel of ours, which reads or writes
// the host's memory itself; for large ones the engine is faster.
#include <string.h>

#include "runtime/device/cuda/cuda_device.h"

enum { kThreads = 256, kPieceBytes = 16, kMostKernelBytes = 1 << 20 };

// Thread i moves 16 bytes; those behind the last whole piece move a byte each. Any architecture since sm_70.
static const char kCopyPtx[] =
    ".version 7.0\n.target sm_70\n.address_size 64\n"
    ".visible .entry genie_copy(.param .u64 destination, .param .u64 source, .param .u64 bytes) {\n"
    "  .reg .b64 %rd<12>;\n"
    "  .reg .b32 %r<8>;\n"
    "  .reg .pred %q<3>;\n"
    "  ld.param.u64 %rd1, [destination];\n"
    "  ld.param.u64 %rd2, [source];\n"
    "  ld.param.u64 %rd3, [bytes];\n"
    "  mov.u32 %r1, %ctaid.x;\n"
    "  mov.u32 %r2, %ntid.x;\n"
    "  mov.u32 %r3, %tid.x;\n"
    "  mul.wide.u32 %rd4, %r1, %r2;\n"
    "  cvt.u64.u32 %rd5, %r3;\n"
    "  add.u64 %rd4, %rd4, %rd5;\n"
    "  shr.u64 %rd6, %rd3, 4;\n"
    "  setp.ge.u64 %q1, %rd4, %rd6;\n"
    "  @%q1 bra TAIL;\n"
    "  shl.b64 %rd7, %rd4, 4;\n"
    "  add.u64 %rd8, %rd2, %rd7;\n"
    "  add.u64 %rd9, %rd1, %rd7;\n"
    "  ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd8];\n"
    "  st.global.v4.u32 [%rd9], {%r4, %r5, %r6, %r7};\n"
    "  bra DONE;\n"
    "TAIL:\n"
    "  mad.lo.u64 %rd7, %rd6, 15, %rd4;\n"
    "  setp.ge.u64 %q2, %rd7, %rd3;\n"
    "  @%q2 bra DONE;\n"
    "  add.u64 %rd8, %rd2, %rd7;\n"
    "  add.u64 %rd9, %rd1, %rd7;\n"
    "  ld.global.u8 %r4, [%rd8];\n"
    "  st.global.u8 [%rd9], %r4;\n"
    "DONE:\n"
    "  ret;\n"
    "}\n";

// ---- Registered memory ----

static bool lies_in(const genie_cuda_host_range_t *range, const void *address, uint64_t size_bytes) {
  const uint64_t begin = (uintptr_t)range->address, at = (uintptr_t)address;
  return at >= begin && size_bytes <= range->size_bytes && at - begin <= range->size_bytes - size_bytes;
}

static bool is_registered(const genie_cuda_device_t *device, const void *address, uint64_t size_bytes) {
  for (uint32_t i = 0; i < device->host_range_count; ++i) {
    if (lies_in(&device->host_ranges[i], address, size_bytes)) {
      return true;
    }
  }
  return false;
}

// A driver that does not take our kernel copies by itself. One that maps the memory at another address, too.
static void remember(genie_cuda_device_t *device, void *address, uint64_t size_bytes) {
  const genie_cuda_driver_t *driver = &device->driver;
  cu_ptr_t mapped = 0;
  if (driver->host_pointer(&mapped, address, 0) != CU_SUCCESS || mapped != (uintptr_t)address) {
    return;
  }
  pthread_mutex_lock(&device->host_lock);
  if (device->copy_module == NULL && driver->module_load(&device->copy_module, kCopyPtx, 0, NULL, NULL) == CU_SUCCESS &&
      driver->module_function(&device->copy_function, device->copy_module, "genie_copy") != CU_SUCCESS) {
    device->copy_function = NULL;
  }
  if (device->host_range_count < kGenieCudaMostHostRanges) {
    device->host_ranges[device->host_range_count++] =
        (genie_cuda_host_range_t){.address = address, .size_bytes = size_bytes};
  }
  pthread_mutex_unlock(&device->host_lock);
}

static void forget(genie_cuda_device_t *device, const void *address) {
  pthread_mutex_lock(&device->host_lock);
  for (uint32_t i = 0; i < device->host_range_count; ++i) {
    if (device->host_ranges[i].address == address) {
      device->host_ranges[i] = device->host_ranges[--device->host_range_count];
      break;
    }
  }
  pthread_mutex_unlock(&device->host_lock);
}

genie_status_t genie_cuda_host_register(genie_device_t *base, void *address, uint64_t size_bytes) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const cu_result_t result = device->driver.host_register(address, size_bytes, CU_MEM_HOST_REGISTER_PORTABLE);
  // Several devices may share the memory; it is registered for all of them.
  const genie_status_t status = genie_cuda_check(
      device, result == CU_ERROR_HOST_MEMORY_ALREADY_REGISTERED ? CU_SUCCESS : result, "registering host memory");
  if (status == GENIE_OK) {
    remember(device, address, size_bytes);
  }
  genie_cuda_leave(device);
  return status;
}

void genie_cuda_host_unregister(genie_device_t *base, void *address) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (address == NULL) {
    return;
  }
  forget(device, address);
  if (device->driver.context_push(device->context) == CU_SUCCESS) {
    (void)device->driver.host_unregister(address);
    genie_cuda_leave(device);
  }
}

void genie_cuda_copy_destroy(genie_cuda_device_t *device) {
  if (device->copy_module != NULL) {
    (void)device->driver.module_unload(device->copy_module);
  }
}

// ---- Copies ----

static bool suits_kernel(genie_cuda_device_t *device, const genie_cuda_stream_t *stream, const void *destination,
                         const void *source, uint64_t size_bytes) {
  int is_captured = 0;
  if (size_bytes > kMostKernelBytes || ((uintptr_t)destination | (uintptr_t)source) % kPieceBytes != 0 ||
      device->driver.stream_capture_status(stream->stream, &is_captured) != CU_SUCCESS || is_captured == 0) {
    return false;
  }
  pthread_mutex_lock(&device->host_lock);
  const bool is_ours = device->copy_function != NULL &&
                       (is_registered(device, source, size_bytes) || is_registered(device, destination, size_bytes));
  pthread_mutex_unlock(&device->host_lock);
  return is_ours;
}

static cu_result_t copy_by_kernel(const genie_cuda_device_t *device, const genie_cuda_stream_t *stream,
                                  void *destination, const void *source, uint64_t size_bytes) {
  const uint64_t thread_count = size_bytes / kPieceBytes + size_bytes % kPieceBytes;
  uint64_t parameters[] = {(uintptr_t)destination, (uintptr_t)source, size_bytes};
  size_t parameter_bytes = sizeof(parameters);
  const cu_launch_t config = {
      .grid = {(unsigned)(thread_count / kThreads + 1), 1, 1}, .block = {kThreads, 1, 1}, .stream = stream->stream};
  void *extra[] = {CU_LAUNCH_BUFFER_POINTER, parameters, CU_LAUNCH_BUFFER_SIZE, &parameter_bytes, CU_LAUNCH_END};
  return device->driver.launch(&config, device->copy_function, NULL, extra);
}

// A kernel that copies nothing and starts nobody early.
genie_status_t genie_cuda_fence(genie_cuda_device_t *device, const genie_cuda_stream_t *stream) {
  int is_captured = 0;
  GENIE_RETURN_IF_ERROR(genie_cuda_check(device, device->driver.stream_capture_status(stream->stream, &is_captured),
                                         "asking for a capture"));
  if (is_captured != 0) {
    return GENIE_OK;
  }
  return device->copy_function == NULL
             ? genie_cuda_check(device, device->driver.stream_synchronize(stream->stream), "waiting for the device")
             : genie_cuda_check(device, copy_by_kernel(device, stream, NULL, NULL, 0), "a fence");
}

genie_status_t genie_cuda_copy(genie_device_t *base, genie_device_stream_t *opaque, void *destination,
                               const void *source, uint64_t size_bytes) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  const genie_cuda_stream_t *stream = (const genie_cuda_stream_t *)opaque;
  if (size_bytes == 0) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const cu_result_t result = suits_kernel(device, stream, destination, source, size_bytes)
                                 ? copy_by_kernel(device, stream, destination, source, size_bytes)
                                 : device->driver.memory_copy((cu_ptr_t)(uintptr_t)destination,
                                                              (cu_ptr_t)(uintptr_t)source, size_bytes, stream->stream);
  const genie_status_t status = genie_cuda_check(device, result, "a copy");
  genie_cuda_leave(device);
  return status;
}
