#include "runtime/base/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static genie_status_t system_error(const char *path, int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot write %s: %s; nothing was left behind", path,
                               strerror(error));
    case ENOENT:
    case ENOTDIR:
      return genie_status_make(GENIE_STATUS_NOT_FOUND, "cannot write %s: its folder does not exist", path);
    case EACCES:
    case EPERM:
    case EROFS:
      return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot write %s: %s", path, strerror(error));
    default:
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "cannot write %s: %s", path, strerror(error));
  }
}

static genie_status_t open_in_place(const char *path, genie_output_file_t *file) {
  file->file = open(path, O_WRONLY | O_CLOEXEC);
  return file->file < 0 ? system_error(path, errno) : GENIE_OK;
}

static genie_status_t open_temporary(const char *path, genie_output_file_t *file) {
  const int length = snprintf(file->temporary_path, sizeof(file->temporary_path), "%s.tmp.XXXXXX", path);
  if (length < 0 || (size_t)length >= sizeof(file->temporary_path)) {
    return system_error(path, ENAMETOOLONG);
  }
  file->file = mkostemp(file->temporary_path, O_CLOEXEC);
  if (file->file < 0) {
    return system_error(path, errno);
  }
  file->is_temporary = true;
  return GENIE_OK;
}

genie_status_t genie_output_file_init(const char *path, genie_output_file_t *out_file) {
  *out_file = (genie_output_file_t){.path = path, .file = -1};
  struct stat existing;
  if (stat(path, &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return S_ISDIR(existing.st_mode) ? system_error(path, EISDIR) : open_in_place(path, out_file);
  }
  return open_temporary(path, out_file);
}

genie_status_t genie_output_file_write(genie_output_file_t *file, const void *bytes, uint64_t size_bytes) {
  const char *cursor = bytes;
  while (size_bytes > 0) {
    const ssize_t written = write(file->file, cursor, size_bytes);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return system_error(file->path, written < 0 ? errno : ENOSPC);
    }
    cursor += written;
    size_bytes -= (uint64_t)written;
  }
  return GENIE_OK;
}

// mkostemp gives a private mode; the file gets the one that open() would have given.
static void set_usual_mode(int file) {
  const mode_t mask = umask(0);
  umask(mask);
  (void)fchmod(file, 0666 & ~mask);
}

genie_status_t genie_output_file_commit(genie_output_file_t *file) {
  if (file->is_temporary) {
    set_usual_mode(file->file);
  }
  const int closed = close(file->file);
  file->file = -1;
  if (closed != 0) {
    return system_error(file->path, errno);
  }
  if (file->is_temporary) {
    if (rename(file->temporary_path, file->path) != 0) {
      return system_error(file->path, errno);
    }
    file->is_temporary = false;
  }
  return GENIE_OK;
}

void genie_output_file_deinit(genie_output_file_t *file) {
  if (file->file >= 0) {
    close(file->file);
    file->file = -1;
  }
  if (file->is_temporary) {
    unlink(file->temporary_path);
    file->is_temporary = false;
  }
}
