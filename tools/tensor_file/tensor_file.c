#include "tools/tensor_file/tensor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/checked_math.h"

bool genie_tensor_byte_count(const genie_tensor_t *tensor, uint64_t *out_bytes) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  if (tensor->rank < 0 || tensor->rank > GENIE_MAX_RANK) {
    return false;
  }
  for (int32_t i = 0; i < tensor->rank; ++i) {
    if (tensor->shape[i] < 0 || !genie_checked_mul_u64(bytes, (uint64_t)tensor->shape[i], &bytes)) {
      return false;
    }
  }
  *out_bytes = bytes;
  return bytes <= INT64_MAX;
}

static genie_status_t system_error(const char *path, int error) {
  const genie_status_code_t code = error == ENOENT || error == ENOTDIR ? GENIE_STATUS_NOT_FOUND
                                   : error == EACCES                   ? GENIE_STATUS_PERMISSION_DENIED
                                                                       : GENIE_STATUS_INVALID_ARGUMENT;
  return genie_status_make(code, "cannot read %s: %s", path, strerror(error));
}

static genie_status_t read_all(int descriptor, const char *path, genie_tensor_file_t *file) {
  for (uint64_t offset = 0; offset < file->size_bytes;) {
    const ssize_t count = read(descriptor, (char *)file->bytes + offset, file->size_bytes - offset);
    if (count < 0 && errno != EINTR) {
      return system_error(path, errno);
    }
    if (count == 0) {
      return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s became shorter while it was read", path);
    }
    offset += count > 0 ? (uint64_t)count : 0;
  }
  return GENIE_OK;
}

static genie_status_t read_regular(int descriptor, const char *path, genie_tensor_file_t *file) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    return system_error(path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "cannot read %s: it is not a regular file", path);
  }
  file->size_bytes = (uint64_t)info.st_size;
  file->bytes = file->allocator.allocate(file->allocator.self, file->size_bytes == 0 ? 1 : file->size_bytes, 64);
  if (file->bytes == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for the %llu bytes of %s",
                             (unsigned long long)file->size_bytes, path);
  }
  return read_all(descriptor, path, file);
}

genie_status_t genie_tensor_file_read(const char *path, genie_allocator_t allocator, genie_tensor_file_t *out_file) {
  *out_file = (genie_tensor_file_t){.allocator = allocator};
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return system_error(path, errno);
  }
  const genie_status_t status = read_regular(descriptor, path, out_file);
  close(descriptor);
  if (status != GENIE_OK) {
    genie_tensor_file_free(out_file);
  }
  return status;
}

void genie_tensor_file_free(genie_tensor_file_t *file) {
  genie_allocator_free(file->allocator, file->bytes);
  *file = (genie_tensor_file_t){.allocator = file->allocator};
}
