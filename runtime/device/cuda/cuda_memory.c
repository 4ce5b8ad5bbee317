// Device memory by the driver's virtual memory management: physical memory that a file descriptor can name, mapped at
// an address of its own. Whole granules (2 MiB): a session has a handful of allocations.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/checked_math.h"
#include "runtime/device/cuda/cuda_device.h"

static cu_allocation_t allocation_of(const genie_cuda_device_t *device) {
  return (cu_allocation_t){.type = CU_MEM_ALLOCATION_PINNED,
                           .handle_types = device->can_export ? CU_MEM_HANDLE_POSIX_FILE : 0,
                           .location = {.type = CU_MEM_LOCATION_DEVICE, .id = device->handle}};
}

static genie_status_t granules_of(const genie_cuda_device_t *device, uint64_t size_bytes, uint64_t *out_bytes) {
  if (!genie_checked_align_u64(size_bytes == 0 ? 1 : size_bytes, device->granularity, out_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: %llu bytes are more than any device has",
                             device->name, (unsigned long long)size_bytes);
  }
  return GENIE_OK;
}

// Maps `pool` and takes it: it is released with the memory, also when this fails.
static genie_status_t map(genie_cuda_device_t *device, cu_pool_t pool, uint64_t mapped_bytes, uint64_t size_bytes,
                          genie_device_memory_t *out_memory) {
  const genie_cuda_driver_t *driver = &device->driver;
  cu_ptr_t address = 0;
  cu_result_t result = driver->address_reserve(&address, mapped_bytes, 0, 0, 0);
  if (result == CU_SUCCESS) {
    result = driver->memory_map(address, mapped_bytes, 0, pool, 0);
    if (result == CU_SUCCESS) {
      result = driver->memory_set_access(address, mapped_bytes, device->accesses, device->access_count);
      if (result != CU_SUCCESS) {
        (void)driver->memory_unmap(address, mapped_bytes);
      }
    }
    if (result != CU_SUCCESS) {
      (void)driver->address_free(address, mapped_bytes);
    }
  }
  if (result != CU_SUCCESS) {
    (void)driver->memory_release(pool);
    return genie_cuda_check(device, result, "mapping device memory");
  }
  *out_memory =
      (genie_device_memory_t){.address = (void *)(uintptr_t)address, .size_bytes = size_bytes, .handle = pool};
  return GENIE_OK;
}

static genie_status_t clear(genie_cuda_device_t *device, const genie_device_memory_t *memory) {
  const genie_cuda_driver_t *driver = &device->driver;
  cu_result_t result = driver->memory_set((cu_ptr_t)(uintptr_t)memory->address, 0, memory->size_bytes, NULL);
  if (result == CU_SUCCESS) {
    result = driver->stream_synchronize(NULL);
  }
  return genie_cuda_check(device, result, "clearing device memory");
}

static genie_status_t allocate(genie_cuda_device_t *device, uint64_t size_bytes, genie_device_memory_t *out_memory) {
  const cu_allocation_t allocation = allocation_of(device);
  uint64_t mapped_bytes = 0;
  cu_pool_t pool = 0;
  char what[64];
  (void)snprintf(what, sizeof(what), "%llu MB", (unsigned long long)(size_bytes >> 20));
  GENIE_RETURN_IF_ERROR(granules_of(device, size_bytes, &mapped_bytes));
  const cu_result_t result = device->driver.memory_create(&pool, mapped_bytes, &allocation, 0);
  // More than the address space holds is an invalid value to the driver.
  GENIE_RETURN_IF_ERROR(
      genie_cuda_check(device, result == CU_ERROR_INVALID_VALUE ? CU_ERROR_OUT_OF_MEMORY : result, what));
  genie_device_memory_t memory = {0};
  GENIE_RETURN_IF_ERROR(map(device, pool, mapped_bytes, size_bytes, &memory));
  const genie_status_t status = size_bytes == 0 ? GENIE_OK : clear(device, &memory);
  if (status != GENIE_OK) {
    genie_cuda_memory_free(&device->base, &memory);
    return status;
  }
  *out_memory = memory;
  return GENIE_OK;
}

genie_status_t genie_cuda_memory_allocate(genie_device_t *base, uint64_t size_bytes,
                                          genie_device_memory_t *out_memory) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  const genie_status_t status = allocate(device, size_bytes, out_memory);
  genie_cuda_leave(device);
  return status;
}

// Also of a context that has ended: its addresses and handles are still to be given back.
void genie_cuda_memory_free(genie_device_t *base, genie_device_memory_t *memory) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  const genie_cuda_driver_t *driver = &device->driver;
  const cu_ptr_t address = (cu_ptr_t)(uintptr_t)memory->address;
  uint64_t mapped_bytes = 0;
  if (address != 0 &&
      genie_checked_align_u64(memory->size_bytes == 0 ? 1 : memory->size_bytes, device->granularity, &mapped_bytes)) {
    (void)driver->memory_unmap(address, mapped_bytes);
    (void)driver->address_free(address, mapped_bytes);
    (void)driver->memory_release(memory->handle);
  }
  *memory = (genie_device_memory_t){0};
}

// ---- Between processes ----

genie_status_t genie_cuda_memory_export(genie_device_t *base, const genie_device_memory_t *memory, int *out_file) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  if (!device->can_export) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s cannot share memory between processes", device->name);
  }
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  int file = -1;
  const cu_result_t result = device->driver.memory_export(&file, memory->handle, CU_MEM_HANDLE_POSIX_FILE, 0);
  const genie_status_t status = genie_cuda_check(device, result, "exporting device memory");
  genie_cuda_leave(device);
  if (status == GENIE_OK) {
    (void)fcntl(file, F_SETFD, FD_CLOEXEC);
    *out_file = file;
  }
  return status;
}

genie_status_t genie_cuda_memory_import(genie_device_t *base, int file, uint64_t size_bytes,
                                        genie_device_memory_t *out_memory) {
  genie_cuda_device_t *device = genie_cuda_device_of(base);
  uint64_t mapped_bytes = 0;
  GENIE_RETURN_IF_ERROR(granules_of(device, size_bytes, &mapped_bytes));
  GENIE_RETURN_IF_ERROR(genie_cuda_enter(device));
  cu_pool_t pool = 0;
  const cu_result_t result = device->driver.memory_import(&pool, (void *)(uintptr_t)file, CU_MEM_HANDLE_POSIX_FILE);
  genie_status_t status = genie_cuda_check(device, result, "importing device memory");
  if (status == GENIE_OK) {
    status = map(device, pool, mapped_bytes, size_bytes, out_memory);
  }
  genie_cuda_leave(device);
  return status;
}
