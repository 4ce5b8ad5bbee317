#include "runtime/device/cuda/cuda_code_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/output_file.h"
#include "runtime/plan/digest.h"

enum {
  kPathBytes = 4096,
  kMostBytes = 1 << 30,
};

genie_status_t genie_cuda_code_key_of(const char *ptx, uint64_t ptx_bytes, int architecture, int driver_version,
                                      genie_cuda_code_key_t *out_key) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(ptx, ptx_bytes, &digest));
  size_t at = 0;
  for (size_t i = 0; i < 24; ++i) {
    at += (size_t)snprintf(out_key->name + at, sizeof(out_key->name) - at, "%02x", digest.bytes[i]);
  }
  (void)snprintf(out_key->name + at, sizeof(out_key->name) - at, "-sm_%d-%d.cubin", architecture, driver_version);
  return GENIE_OK;
}

static bool is_ours(const struct stat *entry) {
  return entry->st_uid == geteuid() && (entry->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool path_of(const char *directory, const char *name, char path[kPathBytes]) {
  const int length = snprintf(path, kPathBytes, "%s/%s", directory, name);
  return length > 0 && length < kPathBytes;
}

static bool read_all(int file, void *bytes, size_t size_bytes) {
  for (size_t at = 0; at < size_bytes;) {
    const ssize_t count = read(file, (char *)bytes + at, size_bytes - at);
    if (count <= 0) {
      return false;
    }
    at += (size_t)count;
  }
  return true;
}

static bool has_digest(const genie_plan_digest_t *expected, const void *code, uint64_t code_bytes) {
  genie_plan_digest_t digest;
  const genie_status_t status = genie_plan_digest_of(code, code_bytes, &digest);
  const bool is_same = status == GENIE_OK && memcmp(&digest, expected, sizeof(digest)) == 0;
  genie_status_free(status);
  return is_same;
}

static void *read_code(int file, genie_allocator_t allocator) {
  struct stat entry;
  genie_plan_digest_t digest;
  if (fstat(file, &entry) != 0 || !S_ISREG(entry.st_mode) || !is_ours(&entry) ||
      entry.st_size <= (off_t)sizeof(digest) || entry.st_size > kMostBytes) {
    return NULL;
  }
  const size_t code_bytes = (size_t)entry.st_size - sizeof(digest);
  void *code = allocator.allocate(allocator.self, code_bytes, 64);
  if (code == NULL || !read_all(file, &digest, sizeof(digest)) || !read_all(file, code, code_bytes) ||
      !has_digest(&digest, code, code_bytes)) {
    genie_allocator_free(allocator, code);
    return NULL;
  }
  return code;
}

void *genie_cuda_code_cache_get(const char *directory, const genie_cuda_code_key_t *key, genie_allocator_t allocator) {
  char path[kPathBytes];
  if (directory == NULL || !path_of(directory, key->name, path)) {
    return NULL;
  }
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return NULL;
  }
  void *code = read_code(file, allocator);
  close(file);
  return code;
}

// Makes the folder and those above it.
static bool make_directory(const char *directory) {
  char path[kPathBytes];
  struct stat entry;
  const size_t length = strlen(directory);
  if (length == 0 || length >= sizeof(path)) {
    return false;
  }
  memcpy(path, directory, length + 1);
  for (size_t i = 1; i <= length; ++i) {
    if (path[i] == '/' || path[i] == '\0') {
      const char kept = path[i];
      path[i] = '\0';
      if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return false;
      }
      path[i] = kept;
    }
  }
  return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode) && is_ours(&entry);
}

static genie_status_t write_code(const char *path, const void *code, uint64_t code_bytes) {
  genie_plan_digest_t digest;
  genie_output_file_t file;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(code, code_bytes, &digest));
  GENIE_RETURN_IF_ERROR(genie_output_file_init(path, &file));
  genie_status_t status = genie_output_file_write(&file, &digest, sizeof(digest));
  if (status == GENIE_OK) {
    status = genie_output_file_write(&file, code, code_bytes);
  }
  if (status == GENIE_OK) {
    status = genie_output_file_commit(&file);
  }
  genie_output_file_deinit(&file);
  return status;
}

void genie_cuda_code_cache_put(const char *directory, const genie_cuda_code_key_t *key, const void *code,
                               uint64_t code_bytes) {
  char path[kPathBytes];
  if (directory != NULL && make_directory(directory) && path_of(directory, key->name, path)) {
    genie_status_free(write_code(path, code, code_bytes));
  }
}
